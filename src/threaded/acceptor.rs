//! From a listener to the queue: one thread a listener, for as long as no idle worker is at the door.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::door::Door;
use super::pool::{Accepted, Crowd, Parked, Patience, Pool, TICK, Work};
use super::queue::Queue;
use super::{Connection, Turn, lot::Parker};
use crate::net::accept::AcceptError;
use crate::net::clock;
use crate::net::permits::Permits;
use crate::net::reloadable::Live;
use crate::net::shutdown::Shutdown;

/// How long accepting pauses at most when descriptors or places are used up: closing a connection
/// ends the pause earlier.
const PAUSE: Duration = Duration::from_secs(1);

/// Starts the thread of one listener. It ends with the drain.
pub(crate) fn start<C: Connection>(
    number: usize,
    door: Arc<Door>,
    pool: &Pool<C>,
    open: &Permits,
    shutdown: &Shutdown,
) -> io::Result<JoinHandle<()>> {
    let closes = Arc::clone(&door);
    shutdown.subscribe(move || closes.close());
    let acceptor = Acceptor {
        door,
        queue: Arc::clone(&pool.queue),
        parker: pool.parker.clone(),
        shared: pool.shared.clone(),
        crowd: pool.crowd(),
        open: open.clone(),
        shutdown: shutdown.clone(),
    };
    thread::Builder::new().name(format!("acceptor-{number}")).spawn(move || acceptor.run())
}

struct Acceptor<C: Connection> {
    door: Arc<Door>,
    queue: Arc<Queue<Work<C>>>,
    parker: Parker<C>,
    shared: Live<C::Shared>,
    crowd: Arc<Crowd>,
    open: Permits,
    shutdown: Shutdown,
}

impl<C: Connection> Acceptor<C> {
    fn run(&self) {
        let mut told = false;
        while self.door.wait_until_unattended() {
            // The permit comes first: a client that has none waits in the kernel's backlog, not in ours.
            let Some(permit) = self.open.take() else {
                if !std::mem::replace(&mut told, true) {
                    log::warn!("all {} connections are open: accepting pauses", self.open.most());
                }
                self.open.wait_for_close(PAUSE);
                continue;
            };
            match self.door.accept() {
                Ok((client, peer)) => {
                    told = false;
                    self.enqueue(Accepted { client, peer, at: clock::now().instant, permit });
                }
                Err(_) if self.shutdown.is_draining() => {}
                Err(error) => match AcceptError::of(&error) {
                    AcceptError::Transient => {}
                    AcceptError::OutOfDescriptors => {
                        if !std::mem::replace(&mut told, true) {
                            log::error!("accepting pauses until a connection closes: {error}");
                        }
                        drop(permit);
                        self.open.wait_for_close(PAUSE);
                    }
                    AcceptError::Fatal => {
                        log::error!("accepting failed: {error}");
                        drop(permit);
                        self.open.wait_for_close(PAUSE);
                    }
                },
            }
        }
    }

    fn enqueue(&self, accepted: Accepted) {
        match self.queue.push(Work::Fresh(accepted)) {
            Ok(()) => {}
            Err(Work::Fresh(accepted)) if C::REFUSES_WHEN_FULL => self.refuse(accepted),
            Err(work) => self.wait_for_room(work),
        }
    }

    /// A relay has no words of its own to say no: it accepts no further until there is room.
    fn wait_for_room(&self, mut work: Work<C>) {
        while let Err(back) = self.queue.push_within(work, TICK) {
            if self.shutdown.is_draining() {
                log::warn!("a client was accepted but not served: the program stops");
                return;
            }
            work = back;
        }
    }

    /// Answers 503 at once, from this thread: it may look, never wait.
    fn refuse(&self, Accepted { client, peer, at, permit }: Accepted) {
        log::warn!("the queue is full: {peer} is answered 503");
        let now = clock::now();
        let mut connection = Box::new(C::accept(&self.shared.get(), client, peer, at, &now));
        connection.refuse(&now);
        match connection.serve(&Patience::none(&self.crowd)) {
            Turn::Done => {}
            Turn::Park => self.parker.park(Parked { connection, permit }),
        }
    }
}
