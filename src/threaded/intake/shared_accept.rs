//! Who accepts at a listener: workers that have nothing else to do, or the acceptor if none of them does.
//!
//! A worker that sleeps in `accept4` serves the client that wakes it: nobody has to hand the client
//! over, which would cost the sleep of a second thread. But a worker that waits there does not hear of
//! the channel, so most idle workers stay at the channel: only some accept, and one that has waited a
//! moment for nobody goes back. The acceptor accepts when no worker does: with all of them busy somebody
//! must fill the queue, and refuse clients when it is full.
//!
//! Contract: as long as the program does not stop, a worker or the acceptor waits at each listener or is
//! about to.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::net::listen::{ACCEPTED_INHERIT_TIMEOUT, Listener};
use crate::net::shared_listener::SharedListener;
use crate::threaded::worker::CROWDED_PART;

/// A listener, and how many workers accept from it.
#[derive(Debug)]
pub(crate) struct SharedAccept {
    listener: SharedListener,
    /// Workers that may accept here at once.
    most: usize,
    state: Mutex<State>,
    /// The last worker has left.
    left: Condvar,
}

#[derive(Debug, Default)]
struct State {
    workers: usize,
    /// The acceptor waits to be told; if it does not, telling it would be a system call for nothing.
    acceptor_sleeps: bool,
    closed: bool,
}

impl SharedAccept {
    /// For one listener of `listeners`, where `workers` serve all of them.
    pub(crate) fn new(listener: Listener, workers: usize, listeners: usize) -> SharedAccept {
        // One in CROWDED_PART may: what comes to the channel finds the others. Where it takes a call more to wait
        // here, as each client would wake all who do, the acceptor alone accepts.
        let most = if ACCEPTED_INHERIT_TIMEOUT { workers / CROWDED_PART / listeners.max(1) } else { 0 };
        SharedAccept { listener: listener.into(), most, state: Mutex::default(), left: Condvar::new() }
    }

    /// True if no TLS is spoken here.
    pub(crate) fn is_plain(&self) -> bool {
        self.listener.is_plain()
    }

    /// Waits for the next client for a moment.
    pub(crate) fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.listener.accept()
    }

    /// For a worker: waits for a client for a moment, if one more may and at least as many workers are
    /// `idle` at the channel.
    ///
    /// Errors are the acceptor's to log: it makes the same call next and finds the same.
    pub(crate) fn accept_as_worker(&self, idle: usize) -> Option<(TcpStream, SocketAddr)> {
        let mut state = self.state();
        if state.closed || state.workers >= self.most.min(idle) {
            return None;
        }
        state.workers += 1;
        drop(state);
        let accepted = self.accept();
        self.leave();
        accepted.ok()
    }

    /// A worker accepts no longer; the last one tells the acceptor.
    fn leave(&self) {
        let mut state = self.state();
        state.workers -= 1;
        if state.workers == 0 && state.acceptor_sleeps {
            drop(state);
            self.left.notify_one();
        }
    }

    /// For the acceptor: waits until no worker accepts here. False once the listener is closed.
    pub(crate) fn wait_until_no_worker_accepts(&self) -> bool {
        let mut state = self.state();
        while state.workers > 0 && !state.closed {
            state.acceptor_sleeps = true;
            state = self.left.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.acceptor_sleeps = false;
        }
        !state.closed
    }

    /// Accepts no more clients: the waits in [`accept`](SharedAccept::accept) end.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.listener.close();
        self.left.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Numbers are whole even if a thread panicked beside them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn shared(workers: usize, listeners: usize) -> (Arc<SharedAccept>, SocketAddr) {
        let bound = bind(([127, 0, 0, 1], 0).into(), 8).unwrap();
        let address = bound.local_addr().unwrap();
        (Arc::new(SharedAccept::new(bound.into(), workers, listeners)), address)
    }

    /// Returns when a worker of the returned thread is at the listener.
    fn worker_accepting_at(
        listener: &Arc<SharedAccept>,
    ) -> thread::JoinHandle<Option<(TcpStream, SocketAddr)>> {
        let worker = thread::spawn({
            let listener = Arc::clone(listener);
            move || {
                let until = Instant::now() + SOON;
                // The wait ends after a tick without a client, and a slow machine may need more than one.
                std::iter::from_fn(|| (Instant::now() < until && !listener.state().closed).then_some(()))
                    .find_map(|()| listener.accept_as_worker(1))
            }
        });
        while listener.state().workers == 0 {
            thread::yield_now();
        }
        worker
    }

    #[test]
    fn a_worker_accepts_the_client_itself() {
        let (listener, address) = shared(8, 1);
        let worker = worker_accepting_at(&listener);
        let client = TcpStream::connect(address).unwrap();
        let (_, peer) = worker.join().unwrap().unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        assert!(listener.wait_until_no_worker_accepts());
    }

    #[test]
    fn one_in_eight_may_accept_and_only_while_as_many_stay() {
        for (workers, listeners, most) in [(7, 1, 0), (8, 1, 1), (64, 1, 8), (64, 2, 4), (8, 3, 0)] {
            assert_eq!(shared(workers, listeners).0.most, most, "{workers} workers, {listeners} listeners");
        }
        let (listener, address) = shared(64, 1);
        let _client = TcpStream::connect(address).unwrap();
        assert!(listener.accept_as_worker(0).is_none());
        assert!(listener.accept_as_worker(1).is_some());
    }

    #[test]
    fn a_worker_that_waits_for_nobody_leaves() {
        let (listener, _) = shared(8, 1);
        assert!(listener.accept_as_worker(1).is_none());
        assert_eq!(listener.state().workers, 0);
    }

    #[test]
    fn the_acceptor_accepts_when_the_last_worker_leaves() {
        let (listener, _) = shared(16, 1);
        listener.state().workers = 2;
        let acceptor = thread::spawn({
            let listener = Arc::clone(&listener);
            move || listener.wait_until_no_worker_accepts()
        });
        while !listener.state().acceptor_sleeps {
            thread::yield_now();
        }
        listener.leave();
        assert!(listener.state().acceptor_sleeps, "one is still there");
        listener.leave();
        assert!(acceptor.join().unwrap());
    }

    #[test]
    fn a_listener_that_closes_ends_every_wait() {
        let (listener, _) = shared(8, 1);
        let worker = worker_accepting_at(&listener);
        listener.close();
        assert!(worker.join().unwrap().is_none());
        assert!(!listener.wait_until_no_worker_accepts());
        assert!(listener.accept_as_worker(1).is_none());
    }
}
