//! Who waits at a listener: workers that have nothing else to do, or the acceptor if none of them does.
//!
//! A worker that sleeps in `accept4` serves the client it wakes up with: nobody hands it over, which
//! would cost a second thread its sleep. But such a worker hears nothing of the queue, so most stay
//! there: only some of those that are idle come to the door, and who has waited a moment in vain goes
//! back. The acceptor comes when no worker is left: with all of them busy somebody must fill the queue,
//! and say no when it is full.
//!
//! Contract: as long as the program does not stop, a worker or the acceptor waits at each door or is on
//! its way there.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::net::listen::{ACCEPTED_INHERIT_NODELAY, ACCEPTED_INHERIT_TIMEOUT};

/// One worker in so many may wait at a door, where it does not hear of the queue: what returns to the
/// queue finds the others, and with no more than these free the pool is crowded.
pub(super) const WORKERS_A_PLACE: usize = 8;

/// A listener, and how many workers wait at it.
#[derive(Debug)]
pub(crate) struct Door {
    listener: TcpListener,
    /// Workers that may wait here at once.
    most: usize,
    watch: Mutex<Watch>,
    /// The last worker has left.
    left: Condvar,
}

#[derive(Debug, Default)]
struct Watch {
    workers: usize,
    /// The acceptor is to be told: without it nobody listens, and telling nobody is a system call as well.
    acceptor_sleeps: bool,
    closed: bool,
}

impl Door {
    /// The door of one listener of `listeners`, where `workers` serve all of them.
    pub(crate) fn new(listener: TcpListener, workers: usize, listeners: usize) -> Door {
        // Without the listener's time limit a worker that came here might never come back.
        let most = if ACCEPTED_INHERIT_TIMEOUT { workers / WORKERS_A_PLACE / listeners.max(1) } else { 0 };
        Door { listener, most, watch: Mutex::default(), left: Condvar::new() }
    }

    /// Waits for the next client, for ever where the listener has no time limit.
    pub(crate) fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (client, peer) = self.listener.accept()?;
        if !ACCEPTED_INHERIT_NODELAY {
            // Failing costs delay, not correctness.
            let _ = client.set_nodelay(true);
        }
        Ok((client, peer))
    }

    /// For a worker: waits for a client a moment, if there is room at the door and at least as many
    /// workers are `idle` elsewhere.
    ///
    /// Errors are the acceptor's to tell: it comes, makes the same call and finds the same.
    pub(crate) fn accept_as_worker(&self, idle: usize) -> Option<(TcpStream, SocketAddr)> {
        let mut watch = self.watch();
        if watch.closed || watch.workers >= self.most.min(idle) {
            return None;
        }
        watch.workers += 1;
        drop(watch);
        let accepted = self.accept();
        self.leave();
        accepted.ok()
    }

    /// A worker goes; the last one calls the acceptor.
    fn leave(&self) {
        let mut watch = self.watch();
        watch.workers -= 1;
        if watch.workers == 0 && watch.acceptor_sleeps {
            drop(watch);
            self.left.notify_one();
        }
    }

    /// For the acceptor: waits until no worker is at the door. False once it is closed.
    pub(crate) fn wait_until_unattended(&self) -> bool {
        let mut watch = self.watch();
        while watch.workers > 0 && !watch.closed {
            watch.acceptor_sleeps = true;
            watch = self.left.wait(watch).unwrap_or_else(PoisonError::into_inner);
            watch.acceptor_sleeps = false;
        }
        !watch.closed
    }

    /// Nobody is let in any more: who waits here returns, and who comes is refused by the system.
    pub(crate) fn close(&self) {
        self.watch().closed = true;
        // A listener that is shut down lets its accepts return.
        let _ = socket2::SockRef::from(&self.listener).shutdown(std::net::Shutdown::Both);
        self.left.notify_one();
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        // Numbers are whole even if a thread panicked beside them.
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use crate::net::listen::bind;
    use std::sync::Arc;
    use std::thread;
    use std::time::{Duration, Instant};

    const SOON: Duration = Duration::from_secs(20);

    fn door(workers: usize, listeners: usize) -> (Arc<Door>, SocketAddr) {
        let listener = bind(([127, 0, 0, 1], 0).into(), 8).unwrap();
        let address = listener.local_addr().unwrap();
        (Arc::new(Door::new(listener, workers, listeners)), address)
    }

    /// Returns when a worker of the returned thread is at the door.
    fn worker_at(door: &Arc<Door>) -> thread::JoinHandle<Option<(TcpStream, SocketAddr)>> {
        let worker = thread::spawn({
            let door = Arc::clone(door);
            move || {
                let until = Instant::now() + SOON;
                // A tick in vain ends the wait, and a slow machine may need more than one.
                std::iter::from_fn(|| (Instant::now() < until && !door.watch().closed).then_some(()))
                    .find_map(|()| door.accept_as_worker(1))
            }
        });
        while door.watch().workers == 0 {
            thread::yield_now();
        }
        worker
    }

    #[test]
    fn a_worker_at_the_door_lets_the_client_in_itself() {
        let (door, address) = door(8, 1);
        let worker = worker_at(&door);
        let client = TcpStream::connect(address).unwrap();
        let (_, peer) = worker.join().unwrap().unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        assert!(door.wait_until_unattended());
    }

    #[test]
    fn one_in_eight_may_come_and_only_while_as_many_stay() {
        for (workers, listeners, most) in [(7, 1, 0), (8, 1, 1), (64, 1, 8), (64, 2, 4), (8, 3, 0)] {
            assert_eq!(door(workers, listeners).0.most, most, "{workers} workers, {listeners} listeners");
        }
        let (door, address) = door(64, 1);
        let _client = TcpStream::connect(address).unwrap();
        assert!(door.accept_as_worker(0).is_none());
        assert!(door.accept_as_worker(1).is_some());
    }

    #[test]
    fn who_waits_in_vain_leaves() {
        let (door, _) = door(8, 1);
        assert!(door.accept_as_worker(1).is_none());
        assert_eq!(door.watch().workers, 0);
    }

    #[test]
    fn the_acceptor_comes_when_the_last_worker_leaves() {
        let (door, _) = door(16, 1);
        door.watch().workers = 2;
        let acceptor = thread::spawn({
            let door = Arc::clone(&door);
            move || door.wait_until_unattended()
        });
        while !door.watch().acceptor_sleeps {
            thread::yield_now();
        }
        door.leave();
        assert!(door.watch().acceptor_sleeps, "one is still there");
        door.leave();
        assert!(acceptor.join().unwrap());
    }

    #[test]
    fn a_door_that_closes_sends_everybody_away() {
        let (door, _) = door(8, 1);
        let worker = worker_at(&door);
        door.close();
        assert!(worker.join().unwrap().is_none());
        assert!(!door.wait_until_unattended());
        assert!(door.accept_as_worker(1).is_none());
    }
}
