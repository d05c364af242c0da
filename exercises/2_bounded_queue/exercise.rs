//! Exercise 2: bound a queue.
//!
//! A pool of two workers takes clients from a queue. The queue has no bound: when clients come faster than they
//! are served, each waits longer than the one before, and the memory of the server grows until the system
//! ends it. Bound it: at most `QUEUE` clients wait; `accept` gives a further one back, so that it can be told
//! "503 Service Unavailable" at once. `accept` itself must never wait.

use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread;

pub const WORKERS: usize = 2;
pub const QUEUE: usize = 4;

/// Serves clients of type `C`; in a server that is a `TcpStream`.
pub struct Pool<C> {
    queue: Sender<C>,
}

impl<C: Send + 'static> Pool<C> {
    pub fn new(serve: impl Fn(C) + Send + Sync + 'static) -> Pool<C> {
        let (queue, clients) = mpsc::channel();
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
        self.queue.send(client).map_err(|error| error.0)
    }
}

mod tests;
