//! The back ends that a turn may go to, as a policy sees them.
//!
//! Contract: it is a view of the list at this moment, allocates nothing, and says the same to every policy: who is a
//! candidate, how much each weighs, and how much each has to do.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::Arc;

use crate::balance::backend::Backend;
use crate::balance::cycle::greatest_common_divisor;
use crate::balance::list::List;
use crate::balance::slow_start::WHOLE;
use crate::balance::tag::Tag;
use crate::balance::turn::Turn;

/// The candidates of one turn.
pub(in crate::balance) struct Candidates<'l> {
    list: &'l List,
    turn: &'l Turn,
    /// Backups are asked, since no other one is left.
    are_backups: bool,
    /// Every back end of the list may be chosen, and weighs the same.
    are_even: bool,
    /// 0 if the time is not known, or does not matter.
    now_ms: u64,
    slow_start_ms: u64,
    /// Which back ends have room; `None` if all do.
    has_room: Option<&'l dyn Fn(&Backend) -> bool>,
}

impl<'l> Candidates<'l> {
    /// Those of this turn; `now_ms` is asked only if the time matters.
    pub(in crate::balance) fn new(
        list: &'l List,
        turn: &'l Turn,
        slow_start_ms: u64,
        now_ms: impl Fn() -> u64,
        has_room: Option<&'l dyn Fn(&Backend) -> bool>,
    ) -> Candidates<'l> {
        let is_even = list.is_even();
        let now_ms = if is_even { 0 } else { now_ms() };
        let is_left =
            |backend: &Backend| !backend.is_backup() && backend.is_usable(now_ms) && !turn.has_tried(backend);
        let are_backups = list.has_backups() && !list.backends.iter().any(|backend| is_left(backend));
        let are_even = is_even && turn.is_untried();
        Candidates { list, turn, are_backups, are_even, now_ms, slow_start_ms, has_room }
    }

    /// True if backups are asked.
    pub(in crate::balance) fn are_backups(&self) -> bool {
        self.are_backups
    }

    /// Their number, if all back ends of the list are candidates, have room, and weigh the same: the common case,
    /// in which nobody need look at each of them.
    pub(super) fn count_if_even(&self) -> Option<usize> {
        (self.are_even && self.has_room.is_none()).then_some(self.list.backends.len())
    }

    /// The same, but some may have no room.
    pub(super) fn count_if_even_but_full(&self) -> Option<usize> {
        self.are_even.then_some(self.list.backends.len())
    }

    /// The number that the turn drew from the group's counter.
    pub(super) fn turn_number(&self) -> usize {
        self.turn.number
    }

    /// How many back ends the turn has tried.
    pub(super) fn tried_count(&self) -> usize {
        self.turn.tried_count
    }

    /// The client's address, if there is a client.
    pub(super) fn client(&self) -> Option<IpAddr> {
        self.turn.key.client
    }

    /// The back end that the client's cookie names, if it may be tried: its index, and itself. It may be full.
    pub(super) fn named_by_cookie(&self) -> Option<(usize, &'l Backend)> {
        let tag: Tag = self.turn.key.tag?;
        self.with_full_ones().find(|(_, backend)| backend.tag == tag)
    }

    /// True if this one has room.
    pub(super) fn has_room(&self, backend: &Backend) -> bool {
        self.has_room.is_none_or(|has_room| has_room(backend))
    }

    /// The candidates with their indexes.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &'l Backend)> {
        self.with_full_ones().filter(|(_, backend)| self.has_room(backend))
    }

    fn with_full_ones(&self) -> impl Iterator<Item = (usize, &'l Backend)> {
        let backends = self.list.backends.iter().map(|backend| &**backend).enumerate();
        backends.filter(|(_, backend)| self.may_be_tried(backend))
    }

    fn may_be_tried(&self, backend: &Backend) -> bool {
        !self.turn.has_tried(backend)
            && backend.is_usable(self.now_ms)
            && backend.is_backup() == self.are_backups
    }

    /// How much of the turns it gets beside the others.
    pub(super) fn weight(&self, backend: &Backend) -> u64 {
        let share = match self.slow_start_ms {
            0 => WHOLE,
            slow_start_ms => backend.warmth.seen(self.now_ms, slow_start_ms),
        };
        u64::from(backend.weight()) * u64::from(share)
    }

    /// What it has to do, for its weight.
    pub(super) fn load(&self, backend: &Backend) -> Load {
        Load { active: backend.active() as u64, weight: self.weight(backend) }
    }

    /// The same, of the one at this index.
    pub(super) fn load_at(&self, index: usize) -> Load {
        self.load(&self.list.backends[index])
    }

    /// For a policy whose order is that of the list: the candidate behind the last one of this turn, once round the
    /// list. `None` if the turn has had none yet.
    pub(super) fn next_in_list(&self) -> Option<Option<usize>> {
        let start = self.turn.next_index?;
        Some(self.walk(start).next())
    }

    /// True if there is one at this index.
    pub(in crate::balance) fn has(&self, index: usize) -> bool {
        self.list
            .backends
            .get(index)
            .is_some_and(|backend| self.may_be_tried(backend) && self.has_room(backend))
    }

    /// The indexes of the candidates, from this one on and once round the list.
    pub(in crate::balance) fn walk(&self, start: usize) -> impl Iterator<Item = usize> {
        let backends = &self.list.backends;
        let indexes = (0..backends.len()).map(move |step| (start + step) % backends.len());
        indexes.filter(|index| self.has(*index))
    }

    /// The candidate whose turn it is by the order that was worked out when the list changed; `None` if that is not
    /// the order of this moment: there is none, somebody is in a slow start, or may be tried again after a failure.
    pub(super) fn in_cycle(&self) -> Option<usize> {
        let is_due = |backend: &Arc<Backend>| !backend.is_up() && backend.is_usable(self.now_ms);
        let is_of_this_moment = self.turn.is_untried()
            && !self.list.is_warming()
            && (self.list.out_count == 0 || !self.list.backends.iter().any(is_due));
        let place = self.turn.number.checked_rem(self.list.cycle.len()).filter(|_| is_of_this_moment)?;
        self.list.cycle.get(place).map(|index| *index as usize)
    }

    /// The candidate whose turn has this number, of those that `may` names; each gets as many turns as it weighs.
    ///
    /// It works for weights that are another at each turn. A cycle has a place for each unit of weight, and each back
    /// end has as many of them in a row as it weighs. The turns step over the places in a stride that is about as long
    /// as the golden section of the cycle and has no divisor in common with it. So a cycle meets every place once, and
    /// a back end's turns lie apart.
    pub(super) fn in_turn(&self, number: usize, may: impl Fn(&Backend) -> bool) -> Option<usize> {
        let all = || self.iter().filter(|(_, backend)| may(backend));
        let (mut sum, mut unit, mut count) = (0, 0, 0);
        for (_, backend) in all() {
            let weight = self.weight(backend);
            sum += weight;
            unit = greatest_common_divisor(weight, unit);
            count += 1;
        }
        if count == 0 {
            return None;
        }
        let cycle = sum / unit;
        // A usize has at most 64 bits.
        let number = number as u64 % cycle;
        // If all weigh the same they come in the order of the list.
        let place = if cycle == count { number } else { number * stride(cycle) % cycle };
        self.at(place * unit, all())
    }

    /// The candidate at a place that is drawn by `random`, each as likely as it is heavy; not the one at `except`.
    pub(super) fn drawn(&self, random: u64, except: Option<usize>) -> Option<usize> {
        let all = || self.iter().filter(|(index, _)| Some(*index) != except);
        let sum: u64 = all().map(|(_, backend)| self.weight(backend)).sum();
        self.at(scaled(random, sum), all())
    }

    /// The one at this place, if each has as many places in a row as it weighs. The last one, if that is beyond all:
    /// what weights sum up to may change meanwhile.
    fn at(&self, place: u64, all: impl Iterator<Item = (usize, &'l Backend)>) -> Option<usize> {
        let (mut before, mut last) = (0, None);
        for (index, backend) in all {
            before += self.weight(backend);
            last = Some(index);
            if place < before {
                break;
            }
        }
        last
    }
}

/// Connections or requests in progress, for a weight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    active: u64,
    weight: u64,
}

impl Ord for Load {
    fn cmp(&self, other: &Load) -> Ordering {
        // As fractions, without a division. A process has far fewer connections than would overflow.
        (self.active * other.weight).cmp(&(other.active * self.weight))
    }
}

impl PartialOrd for Load {
    fn partial_cmp(&self, other: &Load) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Load {}

impl PartialEq for Load {
    fn eq(&self, other: &Load) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

/// A number below `count`, for a random one: each as likely as another.
pub(super) fn scaled(random: u64, count: u64) -> u64 {
    // The upper half of the product is less than `count`.
    ((u128::from(random) * u128::from(count)) >> 64) as u64
}

/// How far the turns of a cycle step: about its golden section, and without a common divisor.
fn stride(cycle: u64) -> u64 {
    /// The golden section, in millionths.
    const GOLDEN: u64 = 618_034;
    let golden = (cycle * GOLDEN / 1_000_000).max(1);
    // The last number below a cycle has no divisor in common with it.
    (golden..cycle).find(|stride| greatest_common_divisor(*stride, cycle) == 1).unwrap_or(1)
}
