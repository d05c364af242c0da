//! The bounded queue between whoever brings work and the workers: a lock, a list, two conditions.
//!
//! Contract: at most `limit` entries wait that no idle worker is about to take; who brings one more
//! is told so at once and keeps it. Entries come out in the order in which they went in.
//!
//! A channel would do the same. But a receiver of crossbeam's spins and yields for a while before it
//! sleeps, which for a worker that mostly sleeps cost a tenth of all its time; and a channel knows
//! nothing of idle workers, so a short queue would refuse while workers were free.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A queue of work.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    limit: usize,
    state: Mutex<State<T>>,
    /// There is work, or no more will come.
    work: Condvar,
    /// There is room.
    room: Condvar,
}

#[derive(Debug)]
struct State<T> {
    entries: VecDeque<T>,
    /// Workers that wait: each will take one entry.
    idle: usize,
    /// Bringers that wait for room.
    waiting: usize,
    closed: bool,
}

impl<T> Queue<T> {
    /// An empty queue.
    pub(crate) fn new(limit: usize) -> Queue<T> {
        let state = State { entries: VecDeque::new(), idle: 0, waiting: 0, closed: false };
        Queue { limit, state: Mutex::new(state), work: Condvar::new(), room: Condvar::new() }
    }

    /// Adds an entry, or gives it back if there is no room.
    pub(crate) fn push(&self, entry: T) -> Result<(), T> {
        self.add(self.state(), entry)
    }

    /// Adds an entry; waits for room at most `patience`, then gives it back.
    pub(crate) fn push_within(&self, entry: T, patience: Duration) -> Result<(), T> {
        let mut state = self.state();
        if !self.has_room(&state) {
            state.waiting += 1;
            let waited = self.room.wait_timeout(state, patience);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.waiting -= 1;
        }
        self.add(state, entry)
    }

    /// Takes the oldest entry if there is one; otherwise the number of workers that wait for the next.
    pub(crate) fn take(&self) -> Result<T, usize> {
        let mut state = self.state();
        state.entries.pop_front().ok_or(state.idle)
    }

    /// Takes the oldest entry, waiting for one; `None` once the queue is closed and empty.
    pub(crate) fn pop(&self) -> Option<T> {
        let mut state = self.state();
        state.idle += 1;
        if state.waiting > 0 {
            self.room.notify_one();
        }
        while state.entries.is_empty() && !state.closed {
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.idle -= 1;
        state.entries.pop_front()
    }

    /// No more entries: workers end when the last one is taken.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.work.notify_all();
    }

    fn add(&self, mut state: MutexGuard<'_, State<T>>, entry: T) -> Result<(), T> {
        if !self.has_room(&state) {
            return Err(entry);
        }
        state.entries.push_back(entry);
        // With everyone at work nobody listens, and telling nobody is a system call as well.
        if state.idle >= state.entries.len() {
            drop(state);
            self.work.notify_one();
        }
        Ok(())
    }

    fn has_room(&self, state: &State<T>) -> bool {
        state.entries.len() < self.limit + state.idle
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // Nothing in here panics half way: what a panic elsewhere leaves behind is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    #[test]
    fn it_is_bounded_and_in_order() {
        let queue = Queue::new(2);
        assert_eq!((queue.push(1), queue.push(2), queue.push(3)), (Ok(()), Ok(()), Err(3)));
        assert_eq!((queue.pop(), queue.push(3)), (Some(1), Ok(())));
        assert_eq!((queue.pop(), queue.pop()), (Some(2), Some(3)));
        queue.close();
        assert_eq!(queue.pop(), None);
    }

    #[test]
    fn a_worker_that_is_idle_is_room() {
        let queue = Arc::new(Queue::new(0));
        assert_eq!(queue.push(1), Err(1));
        let worker = thread::spawn({
            let queue = Arc::clone(&queue);
            move || (queue.pop(), queue.pop())
        });
        let patience = Duration::from_secs(20);
        assert_eq!((queue.push_within(1, patience), queue.push_within(2, patience)), (Ok(()), Ok(())));
        assert_eq!(worker.join().unwrap(), (Some(1), Some(2)));
    }

    #[test]
    fn nothing_is_lost_between_many_threads() {
        let queue = Arc::new(Queue::new(4));
        let bringers: Vec<_> = (0..4)
            .map(|bringer| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || {
                    for number in 0..1000 {
                        let mut entry = bringer * 1000 + number;
                        while let Err(back) = queue.push_within(entry, Duration::from_secs(20)) {
                            entry = back;
                        }
                    }
                })
            })
            .collect();
        let workers: Vec<_> = (0..8)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || std::iter::from_fn(|| queue.pop()).collect::<Vec<usize>>())
            })
            .collect();
        bringers.into_iter().for_each(|bringer| bringer.join().unwrap());
        queue.close();
        let mut all: Vec<_> = workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..4000));
    }
}
