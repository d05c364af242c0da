//! The lab's own client: a closed loop of `concurrency` clients, each of which asks, reads the
//! response to its end, and asks again.
//!
//! Contract: the figures are the server's. All clients share *one* thread and one poller, as in `ab`:
//! the client then uses at most one core, its share of that core is one number, and that number says
//! whether the client or the server set the pace ([`Tally::client_share`]). One thread for each client
//! would be easier to read, but 1000 of them on two cores would measure the scheduler.
//!
//! What a closed loop cannot show: while a response is late, its client asks for nothing. So a bad
//! second hits `concurrency` requests, and not all that visitors would have sent in that second
//! ("coordinated omission"). Percentiles here compare servers under the same loop; they are not what
//! independent visitors would feel. `ab` and `wrk` have the same limit.
//!
//! With [serial connects](Connects::Serial) the client waits inside each connect, as `ab` does on Windows. Then
//! one connect that waits holds up all clients, and a run lasts as long as its connects together.
//!
//! | file | owns |
//! |---|---|
//! | `load` | what the clients are to do; the bytes of a request |
//! | `slot` | one client: its connection and the request under way |
//! | `response` | reading one response and comparing it |
//! | `reference` | the response to compare with |
//! | `tally` | what a run counts |

mod load;
mod reference;
mod response;
mod slot;
mod tally;
#[cfg(test)]
mod tests;

use std::io;
use std::time::{Duration, Instant};

use mio::{Events, Poll};

use super::bounds::READ_BYTES;
use super::system::thread_cpu;
use crate::net::shutdown::Shutdown;

pub(super) use load::{Connects, Load};
pub(super) use reference::fetch;
use slot::{Done, Order, Slot};
pub(super) use tally::{Fault, Faults, Percentiles, Step, Tally};

/// Events taken from one call of poll.
const EVENTS_MAX: usize = 1024;

/// How often time limits are checked; they are in seconds.
const TICK: Duration = Duration::from_millis(50);

/// Runs a load to its last request, to its time limit, or until `stop` is triggered.
///
/// Errors: the system gives us no poller.
pub(super) fn run(load: &Load, stop: &Shutdown) -> io::Result<Tally> {
    let closed_loop = ClosedLoop {
        order: Order {
            load,
            request: load::request(load.address, &load.path, load.keep_alive),
            start: Instant::now(),
            stop,
        },
        slots: (0..load.concurrency).map(Slot::new).collect(),
        tally: Tally::default(),
        begun: 0,
        idle: (0..load.concurrency).rev().collect(),
    };
    closed_loop.run(Poll::new()?)
}

struct ClosedLoop<'l> {
    order: Order<'l>,
    slots: Vec<Slot>,
    tally: Tally,
    /// Requests begun so far.
    begun: u64,
    /// Slots with no request under way.
    idle: Vec<usize>,
}

impl ClosedLoop<'_> {
    fn run(mut self, mut poll: Poll) -> io::Result<Tally> {
        let cpu_before = thread_cpu();
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut space = vec![0; READ_BYTES];
        let start = self.order.start;
        let mut checked_at = start;
        loop {
            self.begin_all(&poll);
            let is_done = self.begun == self.order.load.requests && self.idle.len() == self.slots.len();
            if is_done || self.order.is_over() {
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
                // As `ab` does: the next connect comes right after the end of a response, before other events.
                self.begin_all(&poll);
            }
            if checked_at.elapsed() >= TICK {
                checked_at = Instant::now();
                self.time_out(checked_at);
            }
        }
        self.tally.elapsed = start.elapsed();
        let now = Instant::now();
        let under_way = self.slots.iter().filter(|slot| !slot.is_idle());
        under_way
            .filter_map(|slot| slot.connect_time(now))
            .for_each(|time| self.tally.every_connect.record(time));
        self.tally.client_cpu = thread_cpu().zip(cpu_before).map(|(now, before)| now.saturating_sub(before));
        self.tally.unfinished = (self.slots.len() - self.idle.len()) as u64;
        Ok(self.tally)
    }

    /// Begins a request on every idle slot, as long as there are requests to make.
    fn begin_all(&mut self, poll: &Poll) {
        // Each slot once: if all are refused at once, the loop must still come to its time limit.
        for _ in 0..self.idle.len() {
            if self.begun == self.order.load.requests || self.order.is_over() {
                return;
            }
            let Some(number) = self.idle.pop() else { return };
            self.begun += 1;
            let done = self.slots[number].begin(&self.order, poll.registry());
            self.record(number, done);
        }
    }

    fn record(&mut self, number: usize, done: Option<Done>) {
        self.tally.reopened += std::mem::take(&mut self.slots[number].reopened);
        let Some(done) = done else { return };
        self.idle.push(number);
        if let Some(time) = done.connect {
            self.tally.every_connect.record(time);
        }
        let step = self.tally.step(self.order.start.elapsed());
        if let Err(fault) = done.outcome {
            step.faults += 1;
            return self.tally.faults.count(fault);
        }
        step.answered += 1;
        self.tally.answered += 1;
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
            if !slot.is_idle() && now.saturating_duration_since(slot.begun) >= self.order.load.timeout {
                let done = slot.end(Err(Fault::TimedOut));
                self.record(number, Some(done));
            }
        }
    }
}
