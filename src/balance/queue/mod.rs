//! At most so many with one back end at a time, and the queue of those who wait until one has room.
//!
//! Contract: no back end is ever held by more than the limit. Who waits is served in the order of
//! coming, but for who has tried already what comes free. A place that comes free while somebody
//! waits is handed over under the lock of the queue, so that no newcomer slips in between; and a
//! place handed to somebody who has left goes on to the next. Waiting itself, its deadline included,
//! is the machines' and the drivers': each brings a [`Waker`] by which its turn is called.
//!
//! Without a limit there is no queue, no lock, and none of this is ever reached.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::{Backend, Chosen, Group, List, Turn};
use crate::balance::limits::BACKEND_QUEUE;
use crate::protocol::now::Now;

/// What came of asking for a back end.
#[derive(Debug)]
pub enum Pick {
    /// This one, and a place with it.
    Chosen(Chosen),
    /// All that may be tried are full: the turn will be called.
    Queued(Ticket),
    /// All are full, and so many wait that no more may.
    QueueFull,
    /// None is left to try: at once on the first call if all are out.
    None,
}

/// The limit of one group, and who waits because of it.
#[derive(Debug)]
pub(super) struct Limit {
    most: usize,
    /// Taken after the group's list; every change of a back end's active count is made under it.
    queue: Mutex<VecDeque<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    turn: Turn,
    call: Arc<Call>,
}

/// Where the one who waits finds what it was called for.
#[derive(Debug)]
struct Call {
    waker: Waker,
    is_called: AtomicBool,
    /// Its turn as it stands then, and the back end; none if there is nobody left to wait for.
    result: Mutex<Option<(Turn, Option<Chosen>)>>,
}

/// A place in the queue. Dropping it is leaving.
#[derive(Debug)]
pub struct Ticket {
    limit: Arc<Limit>,
    call: Arc<Call>,
}

impl Ticket {
    /// Its turn has come, or there is nobody left to wait for: see [`take`](Ticket::take).
    pub fn is_called(&self) -> bool {
        self.call.is_called.load(Ordering::Acquire)
    }

    /// What it was called for, once: the turn to go on with, and a back end if there is one. `None`
    /// if it was not called.
    pub fn take(&self) -> Option<(Turn, Option<Chosen>)> {
        self.call.result().take()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Who was called is not in it any more.
        if !self.is_called() {
            self.limit.queue().retain(|waiting| !Arc::ptr_eq(&waiting.call, &self.call));
        }
    }
}

impl Call {
    fn result(&self) -> MutexGuard<'_, Option<(Turn, Option<Chosen>)>> {
        self.result.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Calls it; not under the queue's lock, since a place that nobody takes is freed right here.
    fn call(self, backend: Option<Chosen>) {
        *self.call.result() = Some((self.turn, backend));
        self.call.is_called.store(true, Ordering::Release);
        self.call.waker.wake_by_ref();
    }
}

/// Who is to be called, and for what, as soon as the queue's lock is let go.
type Called = Vec<(Waiting, Option<Chosen>)>;

impl Limit {
    pub(super) fn new(most: usize) -> Limit {
        Limit { most, queue: Mutex::default() }
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        // Entries are added and removed whole: what a panic elsewhere leaves is a queue.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_room(&self, backend: &Backend) -> bool {
        backend.active() < self.most
    }

    /// Somebody is done with this back end: its place goes to who waits for one longest.
    pub(super) fn freed(&self, backend: &Arc<Backend>) {
        let mut queue = self.queue();
        backend.active.fetch_sub(1, Ordering::Relaxed);
        // One that is out, or gone from the list, gets nobody new.
        if !backend.is_up() || backend.is_gone.load(Ordering::Relaxed) {
            return;
        }
        let first = queue.iter().position(|waiting| !waiting.turn.has_tried(backend));
        let Some(mut waiting) = first.and_then(|place| queue.remove(place)) else { return };
        waiting.turn.took(backend);
        let chosen = Chosen::new(backend);
        drop(queue);
        waiting.call(Some(chosen));
    }
}

impl Group {
    /// As [`next`](Group::next), within the limit: whoever finds all full waits. `waker` is asked for
    /// only then, and wakes when [`Ticket::is_called`].
    pub fn choose(&self, turn: &mut Turn, now: &Now, waker: impl FnOnce() -> Waker) -> Pick {
        let Some(limit) = &self.limit else { return self.next(turn, now).map_or(Pick::None, Pick::Chosen) };
        let list = self.list();
        let mut queue = limit.queue();
        let moment = self.milliseconds(now);
        let has_free_place = |backend: &Arc<Backend>| limit.has_room(backend) && backend.is_open(moment);
        // Nobody in front is overtaken: a place that is free although they wait is offered to them
        // first. Such a one is a trial, which nothing but the time has opened.
        let called = match !queue.is_empty() && list.backends.iter().any(has_free_place) {
            true => hand_out(limit, &list, &mut queue, |backend| self.may_be_used(backend, now)),
            false => Called::new(),
        };
        let may_be_used = |backend: &Backend| limit.has_room(backend) && self.may_be_used(backend, now);
        turn.position.get_or_insert_with(|| list.place_of_turn(turn.drawn, || moment));
        let pick = match list.candidate(turn, may_be_used) {
            Some(chosen) => Pick::Chosen(chosen),
            None if !turn.may_use_one_of(&list, |backend| backend.is_open(moment)) => Pick::None,
            None if queue.len() >= BACKEND_QUEUE => Pick::QueueFull,
            None => {
                let (is_called, result) = (AtomicBool::new(false), Mutex::new(None));
                let call = Arc::new(Call { waker: waker(), is_called, result });
                queue.push_back(Waiting { turn: *turn, call: Arc::clone(&call) });
                Pick::Queued(Ticket { limit: Arc::clone(limit), call })
            }
        };
        drop((queue, list));
        called.into_iter().for_each(|(waiting, chosen)| waiting.call(chosen));
        pick
    }

    /// After a change of who is up: who can go on is called, and who has nobody left to wait for.
    pub(super) fn call_waiting(&self) {
        let Some(limit) = &self.limit else { return };
        let list = self.list();
        let mut queue = limit.queue();
        let mut called = hand_out(limit, &list, &mut queue, Backend::is_up);
        let mut place = 0;
        while let Some(waiting) = queue.get(place) {
            match waiting.turn.may_use_one_of(&list, Backend::is_up) {
                true => place += 1,
                false => called.extend(queue.remove(place).map(|waiting| (waiting, None))),
            }
        }
        drop((queue, list));
        called.into_iter().for_each(|(waiting, chosen)| waiting.call(chosen));
    }

    /// How many wait for a back end that has room: for the status page and tests.
    pub fn waiting(&self) -> usize {
        self.limit.as_ref().map_or(0, |limit| limit.queue().len())
    }
}

/// Takes everybody out of the queue, first come first, for whom there is a place.
fn hand_out(
    limit: &Limit,
    list: &List,
    queue: &mut VecDeque<Waiting>,
    may_be_used: impl Fn(&Backend) -> bool,
) -> Called {
    let mut called = Called::new();
    let mut place = 0;
    while let Some(waiting) = queue.get_mut(place) {
        match list.candidate(&mut waiting.turn, |backend| limit.has_room(backend) && may_be_used(backend)) {
            Some(chosen) => called.extend(queue.remove(place).map(|waiting| (waiting, Some(chosen)))),
            None => place += 1,
        }
    }
    called
}

#[cfg(test)]
mod tests;
