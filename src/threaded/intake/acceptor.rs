//! From a listener to the channel: one thread a listener, for as long as no worker accepts by itself.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{SendTimeoutError, Sender, TrySendError};

use super::shared_accept::SharedAccept;
use super::{Accepted, Work};
use crate::net::accept::{AcceptError, NO_DESCRIPTOR, NO_PERMIT};
use crate::net::clock;
use crate::net::permits::Permits;
use crate::net::shutdown::Shutdown;
use crate::observe::counters::Counter;
use crate::observe::lane::{self, Kind, Phase};
use crate::observe::role_view::RoleView;
use crate::threaded::parking::{ParkedConnection, ParkingHandle};
use crate::threaded::worker::{PoolLoad, TICK, WaitBudget};
use crate::threaded::{Connection, Parked, Role, show};

/// How long accepting pauses at most when descriptors or permits are used up: a connection that
/// closes ends the pause earlier.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Acceptor<C: Connection> {
    pub(super) listener: Arc<SharedAccept>,
    pub(super) worker_queue: Sender<Work<C>>,
    pub(super) queue_wait: Duration,
    /// Since when the channel has been full each time a client was to be handed over.
    pub(super) full_since: Cell<Option<Instant>>,
    pub(super) permits: Permits,
    pub(super) role: Role<C>,
    pub(super) load: Arc<PoolLoad>,
    pub(super) parking: ParkingHandle<C>,
    pub(super) shutdown: Shutdown,
}

impl<C: Connection> Acceptor<C> {
    /// Starts its thread, which ends with the drain.
    pub(super) fn start(self, number: usize, view: Option<Arc<RoleView>>) -> io::Result<JoinHandle<()>> {
        let name = format!("acceptor-{number}");
        let run = {
            let name = name.clone();
            move || {
                show(view.as_ref(), Kind::Acceptor, &name);
                self.run();
            }
        };
        thread::Builder::new().name(name).spawn(run)
    }

    fn run(&self) {
        while self.listener.wait_until_no_worker_accepts() {
            // The permit comes first: a client that can have none waits in the kernel's backlog, not in ours.
            let Some(permit) = self.permits.take() else {
                if NO_PERMIT.is_news(clock::now().instant) {
                    log::warn!("all {} connections are open: accepting pauses", self.permits.most());
                }
                self.permits.wait_for_close(PAUSE);
                continue;
            };
            lane::enter(Phase::Accept, 0);
            let accepted = self.listener.accept();
            lane::enter(Phase::Idle, 0);
            match accepted {
                Ok((client, peer)) => {
                    lane::count(Counter::Accepted, 1);
                    self.enqueue(Accepted { client, peer, at: clock::now().instant, permit });
                }
                Err(_) if self.shutdown.is_draining() => {}
                Err(error) => match AcceptError::of(&error) {
                    AcceptError::Transient => {}
                    AcceptError::OutOfDescriptors => {
                        if NO_DESCRIPTOR.is_news(clock::now().instant) {
                            log::error!("accepting pauses until a connection closes: {error}");
                        }
                        drop(permit);
                        self.permits.wait_for_close(PAUSE);
                    }
                    AcceptError::Fatal => {
                        log::error!("accepting failed: {error}");
                        drop(permit);
                        self.permits.wait_for_close(PAUSE);
                    }
                },
            }
        }
    }

    /// Hands a client to the workers. While their channel is full it waits for room, and accepts nobody
    /// else meanwhile; a server gives up on that once the channel has been full for long enough.
    fn enqueue(&self, accepted: Accepted) {
        let mut work = match self.worker_queue.try_send(Work::New(accepted)) {
            Err(TrySendError::Full(work)) => work,
            // Disconnected: the workers are gone, and with them whoever could serve it.
            Ok(()) | Err(TrySendError::Disconnected(_)) => return self.full_since.set(None),
        };
        let since = self.full_since.get().unwrap_or_else(Instant::now);
        self.full_since.set(Some(since));
        loop {
            let left = self.queue_wait.saturating_sub(since.elapsed());
            let wait = if C::REFUSES_WHEN_FULL { left.min(TICK) } else { TICK };
            work = match self.worker_queue.send_timeout(work, wait) {
                Err(SendTimeoutError::Timeout(work)) => work,
                Ok(()) | Err(SendTimeoutError::Disconnected(_)) => return,
            };
            if C::REFUSES_WHEN_FULL && (since.elapsed() >= self.queue_wait || self.shutdown.is_draining()) {
                return self.refuse(work);
            }
            if self.shutdown.is_draining() {
                return log::warn!("a client was accepted but not served: the program stops");
            }
        }
    }

    /// Answers 503 from this thread, which may look and never wait.
    fn refuse(&self, work: Work<C>) {
        // The acceptor sends nothing but new clients.
        let Work::New(Accepted { client, peer, at, permit }) = work else { return };
        log::warn!("the queue is full: {peer} is answered 503");
        lane::count(Counter::Refused, 1);
        let now = clock::now();
        let mut connection = Box::new(self.role.accept(client, peer, at, &now));
        if let Some(session) = connection.session_mut() {
            session.refuse();
        }
        if let Err(Parked) = connection.serve(&WaitBudget::none(&self.load)) {
            self.parking.park(ParkedConnection { connection, permit });
        }
    }
}
