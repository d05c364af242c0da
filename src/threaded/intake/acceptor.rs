//! From a listener to the channel: one thread a listener, for as long as no worker accepts by itself.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{SendTimeoutError, Sender, TrySendError};

use super::shared_accept::SharedAccept;
use super::{Accepted, Intake, Work};
use crate::net::accept::{ACCEPT_FAILS, NO_PERMIT, is_transient};
use crate::net::clock;
use crate::net::permits::Permits;
use crate::observe::counters::Counter;
use crate::observe::lane::{self, Kind, Phase};
use crate::observe::role_view::RoleView;
use crate::threaded::worker::{Pool, TICK, WaitBudget};
use crate::threaded::{Connection, PoolSettings};

/// How long accepting pauses at most when descriptors or permits are used up: a connection that
/// closes ends the pause earlier.
const PAUSE: Duration = Duration::from_secs(1);

/// Accepts from one listener.
pub(crate) struct Acceptor<C: Connection> {
    pool: Arc<Pool<C>>,
    listener: Arc<SharedAccept>,
    permits: Permits,
    worker_queue: Sender<Work>,
    queue_wait: Duration,
    /// Since when the channel has been full each time a client was to be handed over.
    full_since: Option<Instant>,
}

impl<C: Connection> Acceptor<C> {
    /// Starts a thread for each listener. They end with the drain; from then on nothing new comes.
    pub(crate) fn start_all(
        pool: &Arc<Pool<C>>,
        intake: &Intake,
        worker_queue: Sender<Work>,
        settings: &PoolSettings,
    ) -> io::Result<Vec<JoinHandle<()>>> {
        let start = |(number, listener): (usize, &Arc<SharedAccept>)| {
            let closes = Arc::clone(listener);
            pool.load.shutdown.subscribe(move || closes.close());
            let acceptor = Acceptor {
                pool: Arc::clone(pool),
                listener: Arc::clone(listener),
                permits: intake.permits.clone(),
                worker_queue: worker_queue.clone(),
                queue_wait: settings.queue_wait,
                full_since: None,
            };
            let (name, view) = (format!("acceptor-{number}"), settings.view.clone());
            thread::Builder::new().name(name.clone()).spawn(move || {
                RoleView::show(view.as_ref(), Kind::Acceptor, &name);
                acceptor.run();
            })
        };
        intake.listeners.iter().enumerate().map(start).collect()
    }

    fn run(mut self) {
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
                    let (is_plain, at) = (self.listener.is_plain(), clock::now().instant);
                    self.enqueue(Accepted { client, peer, is_plain, at, permit });
                }
                Err(error) if is_transient(&error) || self.pool.load.is_draining() => {}
                Err(error) => {
                    if ACCEPT_FAILS.is_news(clock::now().instant) {
                        log::error!("accepting pauses until a connection closes: {error}");
                    }
                    drop(permit);
                    self.permits.wait_for_close(PAUSE);
                }
            }
        }
    }

    /// Hands a client to the workers. While their channel is full it waits for room, and accepts nobody
    /// else meanwhile; a server gives up on that once the channel has been full for long enough.
    fn enqueue(&mut self, accepted: Accepted) {
        let mut work = match self.worker_queue.try_send(Work::New(accepted)) {
            Err(TrySendError::Full(work)) => work,
            // Disconnected: the workers are gone, and with them whoever could serve it.
            Ok(()) | Err(TrySendError::Disconnected(_)) => return self.full_since = None,
        };
        let since = *self.full_since.get_or_insert_with(Instant::now);
        loop {
            let left = self.queue_wait.saturating_sub(since.elapsed());
            let wait = if C::REFUSES_WHEN_FULL { left.min(TICK) } else { TICK };
            work = match self.worker_queue.send_timeout(work, wait) {
                Err(SendTimeoutError::Timeout(work)) => work,
                Ok(()) | Err(SendTimeoutError::Disconnected(_)) => return,
            };
            if C::REFUSES_WHEN_FULL && (since.elapsed() >= self.queue_wait || self.pool.load.is_draining()) {
                return self.refuse(work);
            }
            if self.pool.load.is_draining() {
                return log::warn!("a client was accepted but not served: the program stops");
            }
        }
    }

    /// Refuses a client from this thread, which may look and never wait.
    fn refuse(&self, work: Work) {
        // The acceptor sends nothing but new clients.
        let Work::New(accepted) = work else { return };
        log::warn!("the queue is full: {} is refused", accepted.peer);
        lane::count(Counter::Refused, 1);
        let mut refused = self.pool.accept(accepted);
        if let Some(session) = refused.connection.take_up(clock::now).and_then(C::session) {
            session.refuse();
        }
        self.pool.serve(refused, &WaitBudget::none(&self.pool.load));
    }
}
