//! A model answer of exercise 2: a queue with a bound.
//!
//! A `sync_channel` has room for so many and no more, and `try_send` does not wait for room. (`send` would:
//! then the acceptor stands still, and clients wait in the backlog of the system. A relay does that, which has no
//! way to say "503".)

use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::sync::{Arc, Mutex};
use std::thread;

pub const WORKERS: usize = 2;
pub const QUEUE: usize = 4;

/// Serves clients of type `C`; in a server that is a `TcpStream`.
pub struct Pool<C> {
    queue: SyncSender<C>,
}

impl<C: Send + 'static> Pool<C> {
    pub fn new(serve: impl Fn(C) + Send + Sync + 'static) -> Pool<C> {
        let (queue, clients) = mpsc::sync_channel(QUEUE);
        let (clients, serve) = (Arc::new(Mutex::new(clients)), Arc::new(serve));
        for _ in 0..WORKERS {
            let (clients, serve) = (Arc::clone(&clients), Arc::clone(&serve));
            thread::spawn(move || {
                loop {
                    let client = clients.lock().unwrap().recv();
                    let Ok(client) = client else { return };
                    serve(client);
                }
            });
        }
        Pool { queue }
    }

    /// Has the client served, or gives it back if too many wait.
    pub fn accept(&self, client: C) -> Result<(), C> {
        self.queue.try_send(client).map_err(|error| match error {
            TrySendError::Full(client) | TrySendError::Disconnected(client) => client,
        })
    }
}

#[path = "../2_bounded_queue/tests.rs"]
mod tests;
