//! Passwords on their way to the thread that verifies them.
//!
//! Contract: bounded, in all and for one client; first come, first served. One whose request has gone meanwhile is
//! passed over, so a flood of clients that leave at once costs nothing.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::credentials::Credentials;

/// Passwords that wait.
#[derive(Debug)]
pub(super) struct Verifications {
    pending: Mutex<Pending>,
    /// Wakes the thread.
    work: Condvar,
    most: usize,
    most_of_one: usize,
}

#[derive(Debug, Default)]
struct Pending {
    jobs: VecDeque<Job>,
    closed: bool,
}

/// One password to verify.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) credentials: Credentials,
    client: IpAddr,
    answer: Arc<Answer>,
}

/// Where the holder of a ticket finds what came of it.
#[derive(Debug)]
struct Answer {
    state: AtomicU8,
    waker: Waker,
}

const WAITING: u8 = 0;
const RIGHT: u8 = 1;
const WRONG: u8 = 2;

/// What a request holds that waits. Dropping it gives its place up.
#[derive(Debug)]
pub(crate) struct Ticket(Arc<Answer>);

impl Ticket {
    /// True once there is a result. The waker is called at this moment.
    pub(super) fn is_ready(&self) -> bool {
        self.result().is_some()
    }

    /// Whether the password was right.
    pub(super) fn result(&self) -> Option<bool> {
        match self.0.state.load(Ordering::Acquire) {
            WAITING => None,
            state => Some(state == RIGHT),
        }
    }
}

impl Job {
    pub(super) fn new(credentials: Credentials, client: IpAddr, waker: Waker) -> Job {
        Job { credentials, client, answer: Arc::new(Answer { state: AtomicU8::new(WAITING), waker }) }
    }

    /// True if nobody waits for it any more.
    fn is_forgotten(&self) -> bool {
        Arc::strong_count(&self.answer) == 1
    }

    /// It was verified.
    pub(super) fn finish(self, is_right: bool) {
        self.answer.state.store(if is_right { RIGHT } else { WRONG }, Ordering::Release);
        self.answer.waker.wake_by_ref();
    }
}

impl Verifications {
    /// Room for so many, and for so many of one client.
    pub(super) fn new(most: usize, most_of_one: usize) -> Verifications {
        Verifications { pending: Mutex::default(), work: Condvar::new(), most, most_of_one }
    }

    /// Takes a job, unless too many wait, or too many of its client.
    pub(super) fn submit(&self, job: Job) -> Option<Ticket> {
        let mut pending = self.pending();
        pending.jobs.retain(|job| !job.is_forgotten());
        let of_client = pending.jobs.iter().filter(|other| other.client == job.client).count();
        if pending.closed || pending.jobs.len() >= self.most || of_client >= self.most_of_one {
            return None;
        }
        let ticket = Ticket(Arc::clone(&job.answer));
        pending.jobs.push_back(job);
        drop(pending);
        self.work.notify_one();
        Some(ticket)
    }

    /// Waits for the next job; `None` once there will be no more.
    pub(super) fn next(&self) -> Option<Job> {
        let mut pending = self.pending();
        loop {
            while let Some(job) = pending.jobs.pop_front() {
                if !job.is_forgotten() {
                    return Some(job);
                }
            }
            if pending.closed {
                return None;
            }
            pending = self.work.wait(pending).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// No more is taken, and [`next`](Verifications::next) ends when what waits is done.
    pub(super) fn close(&self) {
        self.pending().closed = true;
        self.work.notify_all();
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        // Jobs are added and removed whole.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl Verifications {
    pub(super) fn waiting(&self) -> usize {
        self.pending().jobs.len()
    }
}
