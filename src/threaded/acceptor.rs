//! From a listener to the queue: one thread a listener that does nothing else.

use std::io;
use std::net::TcpListener;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{SendTimeoutError, Sender};

use super::pool::{Accepted, Parked, Patience, Pool, TICK, Work};
use super::{Connection, Turn, lot::Parker};
use crate::net::accept::AcceptError;
use crate::net::clock;
use crate::net::shutdown::Shutdown;
use crate::status::OpenConnections;

/// How long accepting pauses at most when descriptors or places are used up: closing a connection
/// ends the pause earlier.
const PAUSE: Duration = Duration::from_secs(1);

/// How soon a relay looks again whether the queue has room: nobody tells it, and the kernel's
/// backlog holds whoever comes meanwhile.
const ROOM_RETRY: Duration = Duration::from_millis(5);

/// Starts the thread of one listener. It ends with the drain.
pub(crate) fn start<C: Connection>(
    number: usize,
    listener: TcpListener,
    pool: &Pool<C>,
    open: &OpenConnections,
    shutdown: &Shutdown,
) -> io::Result<JoinHandle<()>> {
    let wakes = listener.try_clone()?;
    // A listener that is shut down lets its accept return, and refuses whoever comes.
    shutdown.subscribe(move || _ = socket2::SockRef::from(&wakes).shutdown(std::net::Shutdown::Both));
    let acceptor = Acceptor {
        queue: pool.queue.clone(),
        parker: pool.parker.clone(),
        shared: pool.shared.clone(),
        crowd: pool.crowd(),
        open: open.clone(),
        shutdown: shutdown.clone(),
    };
    thread::Builder::new().name(format!("acceptor-{number}")).spawn(move || acceptor.run(&listener))
}

struct Acceptor<C: Connection> {
    queue: Sender<Work<C>>,
    parker: Parker<C>,
    shared: C::Shared,
    crowd: std::sync::Arc<super::pool::Crowd>,
    open: OpenConnections,
    shutdown: Shutdown,
}

impl<C: Connection> Acceptor<C> {
    fn run(&self, listener: &TcpListener) {
        let mut told = false;
        while !self.shutdown.is_draining() {
            // The place comes first: a client that has none waits in the kernel's backlog, not in ours.
            let Some(place) = self.open.take() else {
                if !std::mem::replace(&mut told, true) {
                    log::warn!("all {} connections are open: accepting pauses", self.open.most());
                }
                self.open.wait_for_close(PAUSE);
                continue;
            };
            match listener.accept() {
                Ok((client, peer)) => {
                    told = false;
                    self.enqueue(Accepted { client, peer, at: clock::now().instant, place });
                }
                Err(_) if self.shutdown.is_draining() => {}
                Err(error) => match AcceptError::of(&error) {
                    AcceptError::Transient => {}
                    AcceptError::OutOfDescriptors => {
                        if !std::mem::replace(&mut told, true) {
                            log::error!("accepting pauses until a connection closes: {error}");
                        }
                        drop(place);
                        self.open.wait_for_close(PAUSE);
                    }
                    AcceptError::Fatal => {
                        log::error!("accepting failed: {error}");
                        drop(place);
                        self.open.wait_for_close(PAUSE);
                    }
                },
            }
        }
    }

    fn enqueue(&self, accepted: Accepted) {
        if !crate::net::listen::ACCEPTED_INHERIT_NODELAY {
            // Failing costs delay, not correctness.
            let _ = accepted.client.set_nodelay(true);
        }
        if !self.crowd.has_room(self.queue.len()) {
            return match C::REFUSES_WHEN_FULL {
                true => self.refuse(accepted),
                false => self.wait_for_room(accepted),
            };
        }
        self.hand_over(Work::Fresh(accepted));
    }

    fn hand_over(&self, mut work: Work<C>) {
        // The channel is full only for a moment: parked connections come back through it as well.
        while let Err(SendTimeoutError::Timeout(back)) = self.queue.send_timeout(work, TICK) {
            work = back;
        }
    }

    /// A relay has no words of its own to say no: it accepts no further until there is room.
    fn wait_for_room(&self, accepted: Accepted) {
        while !self.crowd.has_room(self.queue.len()) {
            if self.shutdown.is_draining() {
                log::warn!("{} was accepted but not served: the program stops", accepted.peer);
                return;
            }
            std::thread::sleep(ROOM_RETRY);
        }
        self.hand_over(Work::Fresh(accepted));
    }

    /// Answers 503 at once, from this thread: it may look, never wait.
    fn refuse(&self, Accepted { client, peer, at, place }: Accepted) {
        log::warn!("the queue is full: {peer} is answered 503");
        let now = clock::now();
        let mut connection = Box::new(C::accept(&self.shared, client, peer, at, &now));
        connection.refuse(&now);
        match connection.serve(&Patience::none(&self.crowd)) {
            Turn::Done => {}
            Turn::Park => self.parker.park(Parked { connection, place }),
        }
    }
}
