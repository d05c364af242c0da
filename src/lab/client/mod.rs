//! The lab's own client: a closed loop of `concurrency` clients, each of which asks, reads the
//! answer to its end, and asks again.
//!
//! Contract: the figures are the server's. All clients share *one* thread and one poller, as in `ab`:
//! the client then uses at most one core, its share of that core is one number, and that number says
//! whether the client or the server set the pace ([`Tally::client_share`]). A thread a client would
//! be easier to read, but at concurrency 1000 on two cores it would measure the scheduler.
//!
//! What a closed loop cannot show: while an answer is late, its client asks for nothing, so a bad
//! second hits `concurrency` requests and not all that visitors would have sent in that second
//! ("coordinated omission"). Percentiles here compare servers under the same loop; they are not what
//! independent visitors would feel. `ab` and `wrk` share this, and mostly do not say so.

mod answer;
mod reference;
mod slot;
mod tally;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Poll};

use super::bounds::{READ_BYTES, REQUEST_TIMEOUT};
use crate::net::shutdown::Shutdown;

pub(super) use reference::fetch;
use slot::{Done, Order, Slot};
pub(super) use tally::{Fault, Faults, Percentiles, Step, Tally};

/// Events taken in one turn.
const EVENTS_MAX: usize = 1024;

/// How often time limits are looked at: they are in seconds.
const TICK: Duration = Duration::from_millis(50);

/// One run's orders.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) address: SocketAddr,
    pub(super) path: String,
    pub(super) requests: u64,
    pub(super) concurrency: usize,
    pub(super) keep_alive: bool,
    /// What every body must be.
    pub(super) expected: Arc<[u8]>,
    /// Longest time of the run.
    pub(super) limit: Duration,
    /// Longest time of one request.
    pub(super) timeout: Duration,
}

impl Plan {
    /// A run without keep-alive that may take a minute: the rest is set by field.
    pub(super) fn new(address: SocketAddr, path: &str, expected: Arc<[u8]>) -> Plan {
        Plan {
            address,
            path: path.to_owned(),
            requests: 1,
            concurrency: 1,
            keep_alive: false,
            expected,
            limit: Duration::from_secs(60),
            timeout: REQUEST_TIMEOUT,
        }
    }
}

/// The bytes of a request, the same as those of `ab` and `ab -k` but for the name, which is as long as
/// `ApacheBench/2.3`: the course's servers read 32 bytes at a time and take a piece that ends in CRLF
/// for the whole request, so a few bytes more or less decide whether they reset the connection.
pub(super) fn request(address: SocketAddr, path: &str, keep_alive: bool) -> Vec<u8> {
    let keep = if keep_alive { "Connection: Keep-Alive\r\n" } else { "" };
    format!(
        "GET {path} HTTP/1.0\r\n{keep}Host: {address}\r\nUser-Agent: giliran-lab/0.1\r\nAccept: */*\r\n\r\n"
    )
    .into_bytes()
}

/// Runs to the last request, to the time limit, or until `stop` is turned.
///
/// Errors: no poller to be had.
pub(super) fn run(plan: &Plan, stop: &Shutdown) -> io::Result<Tally> {
    let request = request(plan.address, &plan.path, plan.keep_alive);
    let order = Order {
        address: plan.address,
        request: &request,
        expected: &plan.expected,
        keep_alive: plan.keep_alive,
    };
    let poll = Poll::new()?;
    let crowd = Crowd {
        plan,
        order,
        slots: (0..plan.concurrency).map(Slot::new).collect(),
        tally: Tally::new(),
        start: Instant::now(),
        begun: 0,
        // Until the first answers are in, opening is all there is to do.
        idle: (0..plan.concurrency).rev().collect(),
    };
    crowd.run(poll, stop)
}

struct Crowd<'p> {
    plan: &'p Plan,
    order: Order<'p>,
    slots: Vec<Slot>,
    tally: Tally,
    start: Instant,
    begun: u64,
    /// Slots with nothing under way.
    idle: Vec<usize>,
}

impl Crowd<'_> {
    fn run(mut self, mut poll: Poll, stop: &Shutdown) -> io::Result<Tally> {
        let cpu_before = thread_cpu();
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut space = vec![0; READ_BYTES];
        let mut looked_at = self.start;
        loop {
            self.begin_all(&poll);
            let is_over = self.begun == self.plan.requests && self.idle.len() == self.slots.len();
            if is_over || self.start.elapsed() >= self.plan.limit || stop.is_draining() {
                break;
            }
            match poll.poll(&mut events, Some(TICK)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                outcome => outcome?,
            }
            for event in &events {
                let number = event.token().0;
                let done = self.slots[number].advance(&self.order, poll.registry(), &mut space);
                self.record(number, done);
            }
            if looked_at.elapsed() >= TICK {
                looked_at = Instant::now();
                self.time_out(looked_at);
            }
        }
        self.tally.elapsed = self.start.elapsed();
        self.tally.client_cpu = thread_cpu().saturating_sub(cpu_before);
        self.tally.unfinished = (self.slots.len() - self.idle.len()) as u64;
        Ok(self.tally)
    }

    /// Gives every idle client something to ask for, as long as there is something.
    fn begin_all(&mut self, poll: &Poll) {
        // Each once a turn: one that fails at once (refused) must not keep the turn from ending.
        for _ in 0..self.idle.len() {
            if self.begun == self.plan.requests {
                return;
            }
            let Some(number) = self.idle.pop() else { return };
            self.begun += 1;
            let done = self.slots[number].begin(&self.order, poll.registry());
            self.record(number, done);
        }
    }

    fn record(&mut self, number: usize, done: Option<Done>) {
        self.tally.reopened += self.slots[number].take_reopened();
        let Some(done) = done else { return };
        self.idle.push(number);
        let step = self.tally.step(self.start.elapsed());
        match done.outcome {
            Ok(()) => step.answered += 1,
            Err(_) => step.faults += 1,
        }
        match done.outcome {
            Ok(()) => self.tally.answered += 1,
            Err(fault) => return self.tally.faults.count(fault),
        }
        self.tally.stray += u64::from(done.is_stray);
        if let Some(time) = done.connect {
            self.tally.connect.record(time);
        }
        if let Some(time) = done.first_byte {
            self.tally.first_byte.record(time);
        }
        self.tally.total.record(done.total);
    }

    fn time_out(&mut self, now: Instant) {
        for number in 0..self.slots.len() {
            let slot = &mut self.slots[number];
            if !slot.is_idle() && now.saturating_duration_since(slot.begun) >= self.plan.timeout {
                let done = slot.give_up(Fault::TimedOut);
                self.record(number, Some(done));
            }
        }
    }
}

/// CPU time of the calling thread.
fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
