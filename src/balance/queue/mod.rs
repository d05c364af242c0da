//! A limit on how much one back end has to do at a time, and the queue of those who wait for room.
//!
//! Contract: no back end ever has more than `active_max` connections or requests. Those that wait are
//! served first come, first served; a retry skips back ends that it has tried already. A back end that
//! gets room while somebody waits is handed over with the queue locked, so that no newcomer takes it
//! first; and if it is handed to somebody who has just left, it goes on to the next. The waiting
//! itself, with its deadline, is up to the machines and drivers: each brings a [`Waker`].
//!
//! A group without a limit has no queue, takes no lock here, and reaches none of this.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant;

use super::backend::{Backend, Chosen};
use super::group::Group;
use super::limits::BACKEND_QUEUE;
use super::list::List;
use super::turn::Turn;

/// What came of asking for a back end.
#[derive(Debug)]
pub(crate) enum Pick {
    /// This one.
    Chosen(Chosen),
    /// All that may be tried are full: wait until [`Ticket::is_ready`].
    Queued(Ticket),
    /// All are full, and so is the queue.
    QueueFull,
    /// None is left to try: at once on the first call if all are out.
    None,
}

/// The limit of one group, and who waits because of it.
#[derive(Debug)]
pub(super) struct Limit {
    active_max: usize,
    /// Locked after the group's list. Every change of a back end's active count is made with it locked.
    queue: Mutex<VecDeque<Waiter>>,
}

/// An entry of the queue.
#[derive(Debug)]
struct Waiter {
    turn: Turn,
    handover: Arc<Handover>,
}

/// Where the holder of a ticket finds what it waited for. It is in the queue until then, and not after.
#[derive(Debug)]
struct Handover {
    waker: Waker,
    is_done: AtomicBool,
    /// The turn to go on with, and the back end; no back end if there is none left to wait for.
    result: Mutex<Option<(Turn, Option<Chosen>)>>,
}

/// What somebody who waits in the queue holds. Dropping it leaves the queue.
#[derive(Debug)]
pub(crate) struct Ticket {
    limit: Arc<Limit>,
    handover: Arc<Handover>,
}

impl Ticket {
    /// True when the wait is over: see [`take`](Ticket::take). The waker is called at this moment.
    pub(crate) fn is_ready(&self) -> bool {
        self.handover.is_done.load(Ordering::Acquire)
    }

    /// The result of the wait, once: the turn to go on with, and a back end unless there is none left to
    /// wait for. `None` if the ticket is not ready.
    pub(crate) fn take(&self) -> Option<(Turn, Option<Chosen>)> {
        self.handover.result().take()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.is_ready() {
            self.limit.queue().retain(|waiting| !Arc::ptr_eq(&waiting.handover, &self.handover));
        }
    }
}

impl Handover {
    fn result(&self) -> MutexGuard<'_, Option<(Turn, Option<Chosen>)>> {
        // One value that is set whole.
        self.result.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Entries taken from the queue, each with what it gets. To be finished when the locks are released.
type Handed = Vec<(Waiter, Option<Chosen>)>;

impl Waiter {
    /// Ends the wait. Not with the queue locked: if the ticket is gone, dropping its back end locks it.
    fn finish(self, backend: Option<Chosen>) {
        *self.handover.result() = Some((self.turn, backend));
        self.handover.is_done.store(true, Ordering::Release);
        self.handover.waker.wake_by_ref();
    }
}

impl Limit {
    pub(super) fn new(active_max: usize) -> Limit {
        Limit { active_max, queue: Mutex::default() }
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Waiter>> {
        // Entries are added and removed whole: after a panic elsewhere it is still a queue.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_room(&self, backend: &Backend) -> bool {
        backend.active() < self.active_max
    }

    /// A connection or request is done with this back end: the first one that waits for it gets the room.
    pub(super) fn release(&self, backend: &Arc<Backend>) {
        let mut queue = self.queue();
        backend.active.fetch_sub(1, Ordering::Relaxed);
        // One that is out or removed from the list gets nothing new.
        if !backend.is_up() || backend.is_removed.load(Ordering::Relaxed) {
            return;
        }
        let first = queue.iter().position(|waiting| waiting.turn.waits_for(backend));
        let Some(mut waiting) = first.and_then(|index| queue.remove(index)) else { return };
        waiting.turn.record(backend);
        let chosen = Chosen::new(backend);
        drop(queue);
        waiting.finish(Some(chosen));
    }
}

impl Group {
    /// As [`next`](Group::next), but within the group's limit: if all are full, it waits in the queue.
    /// `waker` is asked for only then, and called when [`Ticket::is_ready`].
    pub(crate) fn choose(&self, turn: &mut Turn, now: Instant, waker: impl FnOnce() -> Waker) -> Pick {
        let Some(limit) = &self.limit else { return self.next(turn, now).map_or(Pick::None, Pick::Chosen) };
        let list = self.list();
        let mut queue = limit.queue();
        let now_ms = self.milliseconds(now);
        let has_room = |backend: &Backend| limit.has_room(backend);
        let is_free = |backend: &Arc<Backend>| has_room(backend) && backend.is_usable(now_ms);
        // Those in front are served first. There is room although they wait if the time for a trial has come,
        // which no event tells, or if they wait for another back end.
        let served = match !queue.is_empty() && list.backends.iter().any(is_free) {
            true => self.serve(&list, &mut queue, now_ms, |backend| self.may_be_used(backend, now)),
            false => Handed::new(),
        };
        let may_be_used = |backend: &Backend| self.may_be_used(backend, now);
        let pick = match self.candidate(&list, turn, || now_ms, Some(&has_room), may_be_used) {
            Some(chosen) => Pick::Chosen(chosen),
            None if !turn.has_candidate_in(&list, |backend| backend.is_usable(now_ms)) => Pick::None,
            None if queue.len() >= BACKEND_QUEUE => Pick::QueueFull,
            None => {
                let (is_done, result) = (AtomicBool::new(false), Mutex::new(None));
                let handover = Arc::new(Handover { waker: waker(), is_done, result });
                queue.push_back(Waiter { turn: turn.clone(), handover: Arc::clone(&handover) });
                Pick::Queued(Ticket { limit: Arc::clone(limit), handover })
            }
        };
        drop((queue, list));
        served.into_iter().for_each(|(waiting, chosen)| waiting.finish(chosen));
        pick
    }

    /// Takes out of the queue everybody for whom a back end has room, first come, first served; `now_ms` is 0 if the
    /// time is not known.
    fn serve(
        &self,
        list: &List,
        queue: &mut VecDeque<Waiter>,
        now_ms: u64,
        may_be_used: impl Fn(&Backend) -> bool,
    ) -> Handed {
        let mut served = Handed::new();
        let Some(limit) = &self.limit else { return served };
        let has_room = |backend: &Backend| limit.has_room(backend);
        let mut index = 0;
        while let Some(waiting) = queue.get_mut(index) {
            match self.candidate(list, &mut waiting.turn, || now_ms, Some(&has_room), &may_be_used) {
                Some(chosen) => served.extend(queue.remove(index).map(|waiting| (waiting, Some(chosen)))),
                None => index += 1,
            }
        }
        served
    }

    /// To be called after a change of who is up: serves those who can go on, and ends the wait of those
    /// who have no back end left to wait for.
    pub(super) fn serve_queue(&self) {
        let Some(limit) = &self.limit else { return };
        let list = self.list();
        let mut queue = limit.queue();
        // Without the time none is due for a trial.
        let mut served = self.serve(&list, &mut queue, 0, Backend::is_up);
        let mut index = 0;
        while let Some(waiting) = queue.get(index) {
            match waiting.turn.has_candidate_in(&list, Backend::is_up) {
                true => index += 1,
                false => served.extend(queue.remove(index).map(|waiting| (waiting, None))),
            }
        }
        drop((queue, list));
        served.into_iter().for_each(|(waiting, chosen)| waiting.finish(chosen));
    }

    /// The most that a back end has at a time; `None` for no limit.
    pub(crate) fn active_max(&self) -> Option<usize> {
        self.limit.as_ref().map(|limit| limit.active_max)
    }

    /// How many wait for a back end with room.
    pub(crate) fn waiting(&self) -> usize {
        self.limit.as_ref().map_or(0, |limit| limit.queue().len())
    }
}

#[cfg(test)]
mod tests;
