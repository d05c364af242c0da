use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::task::Wake;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::balance::Member;
use crate::balance::limits::{PASSIVE_FAILURES, PASSIVE_OUT};

fn address(index: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9001 + u16::try_from(index).unwrap()))
}

fn group(count: usize, active_max: usize) -> Group {
    Group::limited("test", (0..count).map(address).collect(), active_max)
}

fn ask(group: &Group, now: Instant) -> Pick {
    group.choose(&mut group.turn(), now, || Waker::noop().clone())
}

fn chosen(pick: Pick) -> Chosen {
    match pick {
        Pick::Chosen(chosen) => chosen,
        other => panic!("not chosen: {other:?}"),
    }
}

fn queued(pick: Pick) -> Ticket {
    match pick {
        Pick::Queued(ticket) => ticket,
        other => panic!("not queued: {other:?}"),
    }
}

/// The back end that a ready ticket got; dropping it gives it back.
fn served(ticket: &Ticket) -> Option<Chosen> {
    assert!(ticket.is_ready());
    ticket.take().expect("not taken before").1
}

fn index_of(chosen: &Chosen) -> usize {
    usize::from(chosen.address.port()) - 9001
}

#[test]
fn full_back_ends_are_skipped_and_only_when_all_are_full_one_waits() {
    let (group, now) = (group(3, 2), Instant::now());
    let mut held: Vec<Chosen> = (0..6).map(|_| chosen(ask(&group, now))).collect();
    assert_eq!(held.iter().map(index_of).collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2]);
    let ticket = queued(ask(&group, now));
    assert!(!ticket.is_ready());
    drop(held.remove(4));
    assert_eq!(index_of(&served(&ticket).unwrap()), 1);
    // It is the turn of back end 0, which is full.
    held.push(chosen(ask(&group, now)));
    assert_eq!(held.iter().map(index_of).collect::<Vec<_>>(), [0, 1, 2, 0, 2, 1]);
}

#[test]
fn first_come_first_served_and_no_newcomer_overtakes() {
    let (group, now) = (group(1, 1), Instant::now());
    let mut held = chosen(ask(&group, now));
    let tickets: Vec<Ticket> = (0..3).map(|_| queued(ask(&group, now))).collect();
    assert_eq!(group.waiting(), 3);
    for ticket in &tickets {
        drop(held);
        let last = queued(ask(&group, now));
        held = served(ticket).unwrap();
        assert!(!last.is_ready());
    }
    assert_eq!(group.waiting(), 0, "the tickets drawn last were dropped");
}

#[test]
fn a_dropped_ticket_gives_back_what_it_was_handed() {
    let (group, now) = (group(1, 1), Instant::now());
    let held = chosen(ask(&group, now));
    let [first, second, third] = [(); 3].map(|()| queued(ask(&group, now)));
    drop(first);
    assert_eq!(group.waiting(), 2);
    drop(held);
    // The second is handed the back end, and dropped before it takes it.
    assert!(second.is_ready() && !third.is_ready());
    drop(second);
    drop(served(&third));
    assert_eq!(group.backends()[0].active(), 0);
    drop(chosen(ask(&group, now)));
}

#[test]
fn the_queue_has_a_bound() {
    let (group, now) = (group(2, 1), Instant::now());
    let _held = [chosen(ask(&group, now)), chosen(ask(&group, now))];
    let mut tickets: Vec<Ticket> = (0..BACKEND_QUEUE).map(|_| queued(ask(&group, now))).collect();
    assert!(matches!(ask(&group, now), Pick::QueueFull));
    tickets.pop();
    tickets.push(queued(ask(&group, now)));
    assert!(matches!(ask(&group, now), Pick::QueueFull));
}

#[test]
fn a_back_end_that_is_out_gets_nothing_and_when_all_are_out_the_wait_ends() {
    let (group, now) = (group(2, 1), Instant::now());
    let (first, second) = (chosen(ask(&group, now)), chosen(ask(&group, now)));
    let tickets = [(); 3].map(|()| queued(ask(&group, now)));
    group.check_failed(&group.backends()[0]);
    drop(first);
    assert!(!tickets[0].is_ready(), "its back end is out");
    drop(second);
    let held = served(&tickets[0]).unwrap();
    assert_eq!(index_of(&held), 1, "the other back end serves the queue");
    group.check_failed(&group.backends()[1]);
    for ticket in &tickets[1..] {
        assert!(served(ticket).is_none(), "there is no back end left to wait for");
    }
    assert!(matches!(ask(&group, now), Pick::None));
    // One that comes back is used at once.
    group.check_passed(&group.backends()[0]);
    let _held = chosen(ask(&group, now));
    let ticket = queued(ask(&group, now));
    group.check_passed(&group.backends()[1]);
    drop(held);
    assert_eq!(index_of(&served(&ticket).unwrap()), 1);
}

#[test]
fn a_back_end_that_comes_back_serves_the_queue() {
    let (group, now) = (group(2, 1), Instant::now());
    group.check_failed(&group.backends()[1]);
    let _held = chosen(ask(&group, now));
    let ticket = queued(ask(&group, now));
    group.check_passed(&group.backends()[1]);
    assert_eq!(index_of(&served(&ticket).unwrap()), 1);
}

#[test]
fn the_end_of_an_ejection_serves_the_queue() {
    let (group, now) = (group(2, 1), Instant::now());
    let backends = group.backends();
    (0..PASSIVE_FAILURES).for_each(|_| _ = group.failed(&backends[0], now));
    let _held = chosen(ask(&group, now));
    let ticket = queued(ask(&group, now));
    group.check_failed(&backends[1]);
    assert_eq!(index_of(&served(&ticket).unwrap()), 0, "it is needed, for no other one is up");
}

#[test]
fn a_retry_waits_only_for_back_ends_it_has_not_tried() {
    let (group, now) = (group(2, 1), Instant::now());
    let mut turn = group.turn();
    let tried = chosen(group.choose(&mut turn, now, || Waker::noop().clone()));
    let other = chosen(ask(&group, now));
    let ticket = queued(group.choose(&mut turn, now, || Waker::noop().clone()));
    let newcomer = queued(ask(&group, now));
    drop(tried);
    assert!(!ticket.is_ready(), "it has tried this one already");
    assert_eq!(index_of(&served(&newcomer).unwrap()), 0);
    drop(other);
    let (turn, second) = ticket.take().unwrap();
    assert_eq!((index_of(&second.unwrap()), turn.tried_count), (1, 2));
    // With both tried there is nothing left to wait for.
    let mut turn = turn;
    assert!(matches!(group.choose(&mut turn, now, || Waker::noop().clone()), Pick::None));
}

#[test]
fn the_list_may_be_replaced_while_some_wait() {
    let (group, now) = (group(1, 1), Instant::now());
    let held = chosen(ask(&group, now));
    let [first, second] = [(); 2].map(|()| queued(ask(&group, now)));
    group.replace(&[address(5)]);
    assert_eq!(index_of(&served(&first).unwrap()), 5, "the new one serves at once");
    let last = served(&second).unwrap();
    assert_eq!(index_of(&last), 5, "and the next in line when it is released");
    let third = queued(ask(&group, now));
    drop(held);
    assert!(!third.is_ready(), "a removed back end gets nothing");
    group.replace::<Member>(&[]);
    assert!(served(&third).is_none());
}

#[test]
fn a_trial_goes_to_the_first_of_the_queue() {
    let (group, now) = (group(2, 1), Instant::now());
    for _ in 0..PASSIVE_FAILURES {
        group.failed(&group.backends()[0], now);
    }
    let _held = chosen(ask(&group, now));
    let first = queued(ask(&group, now));
    let later = now + PASSIVE_OUT;
    let second = queued(ask(&group, later));
    assert_eq!(
        index_of(&served(&first).unwrap()),
        0,
        "the newcomer has noticed that the time for a trial has come"
    );
    assert!(!second.is_ready());
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn the_limit_holds_and_all_are_served_under_contention() {
    let (group, now) = (group(3, 2), Instant::now());
    let counts = [(); 3].map(|()| AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for round in 0..500 {
                    let waker = || Arc::new(Unpark(thread::current())).into();
                    let held = match group.choose(&mut group.turn(), now, waker) {
                        Pick::Chosen(held) => held,
                        Pick::Queued(ticket) if round % 7 == 3 => {
                            drop(ticket); // one that leaves, served or not
                            continue;
                        }
                        Pick::Queued(ticket) => {
                            while !ticket.is_ready() {
                                thread::park_timeout(Duration::from_secs(20));
                            }
                            served(&ticket).expect("all are up")
                        }
                        other => panic!("{other:?}"),
                    };
                    let count = &counts[index_of(&held)];
                    assert!(count.fetch_add(1, Ordering::SeqCst) < 2);
                    thread::yield_now();
                    count.fetch_sub(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(group.waiting(), 0);
    assert!(group.backends().iter().all(|backend| backend.active() == 0));
}

/// What may happen to a group, in any order.
#[derive(Clone, Debug)]
enum Event {
    Arrives,
    /// A holder of a back end tries the next one.
    Retries(usize),
    Releases(usize),
    Leaves(usize),
    CheckFails(usize),
    CheckPasses(usize),
    Fails(usize),
    TimePasses(u64),
    Replaced(Vec<usize>),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        6 => Just(Event::Arrives),
        2 => (0usize..50).prop_map(Event::Retries),
        4 => (0usize..50).prop_map(Event::Releases),
        2 => (0usize..50).prop_map(Event::Leaves),
        1 => (0usize..4).prop_map(Event::CheckFails),
        1 => (0usize..4).prop_map(Event::CheckPasses),
        1 => (0usize..4).prop_map(Event::Fails),
        1 => (0u64..12).prop_map(Event::TimePasses),
        1 => proptest::collection::vec(0usize..5, 0..4).prop_map(Event::Replaced),
    ];
    proptest::collection::vec(event, 0..120)
}

/// A group, and everybody who uses it.
struct Bench {
    group: Group,
    active_max: usize,
    now: Instant,
    held: Vec<(Turn, Chosen)>,
    waiting: Vec<Ticket>,
}

impl Bench {
    fn note(&mut self, turn: Turn, pick: Pick) {
        match pick {
            Pick::Chosen(chosen) => self.held.push((turn, chosen)),
            Pick::Queued(ticket) => self.waiting.push(ticket),
            Pick::QueueFull => panic!("the queue is longer than the test"),
            Pick::None => {}
        }
    }

    fn apply(&mut self, event: Event) {
        let backends = self.group.backends();
        let waker = || Waker::noop().clone();
        match event {
            Event::Arrives => {
                let mut turn = self.group.turn();
                let pick = self.group.choose(&mut turn, self.now, waker);
                self.note(turn, pick);
            }
            Event::Retries(which) if which < self.held.len() => {
                let (mut turn, before) = self.held.remove(which);
                drop(before);
                let pick = self.group.choose(&mut turn, self.now, waker);
                self.note(turn, pick);
            }
            Event::Releases(which) if which < self.held.len() => drop(self.held.remove(which)),
            Event::Leaves(which) if which < self.waiting.len() => drop(self.waiting.remove(which)),
            Event::CheckFails(which) if which < backends.len() => {
                _ = self.group.check_failed(&backends[which])
            }
            Event::CheckPasses(which) if which < backends.len() => {
                _ = self.group.check_passed(&backends[which])
            }
            Event::Fails(which) if which < backends.len() => {
                _ = self.group.failed(&backends[which], self.now);
            }
            Event::TimePasses(seconds) => self.now += Duration::from_secs(seconds),
            Event::Replaced(places) => {
                _ = self.group.replace(&places.into_iter().map(address).collect::<Vec<_>>());
            }
            _ => {}
        }
    }

    /// What holds at every moment, whatever has happened.
    fn check(&mut self) {
        // Those whose wait is over go on.
        let ready: Vec<Ticket> = self.waiting.extract_if(.., |ticket| ticket.is_ready()).collect();
        for ticket in ready {
            let (turn, backend) = ticket.take().expect("ready and not taken before");
            self.held.extend(backend.map(|backend| (turn, backend)));
        }
        let mut counts: HashMap<u64, usize> = HashMap::new();
        self.held.iter().for_each(|(_, held)| *counts.entry(held.number).or_default() += 1);
        assert!(counts.values().all(|count| *count <= self.active_max), "{counts:?}");
        let backends = self.group.backends();
        for backend in &backends {
            assert_eq!(backend.active(), counts.get(&backend.number).copied().unwrap_or(0));
        }
        // Every ticket has its entry in the queue, and nobody waits while a back end is free.
        assert_eq!(self.group.waiting(), self.waiting.len());
        let limit = self.group.limit.as_ref().unwrap();
        for waiting in limit.queue().iter() {
            assert!(waiting.turn.may_try_again());
            let mut untried = backends.iter().filter(|backend| !waiting.turn.has_tried(backend));
            assert!(
                untried.all(|backend| !backend.is_up() || backend.active() == self.active_max),
                "{waiting:?}"
            );
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_the_limit_holds_and_no_ticket_is_forgotten(
        count in 1usize..5, active_max in 1usize..4, events in events(),
    ) {
        let (held, waiting) = (Vec::new(), Vec::new());
        let mut bench = Bench { group: group(count, active_max), active_max, now: Instant::now(), held, waiting };
        for event in events {
            bench.apply(event);
            bench.check();
        }
        bench.waiting.clear();
        bench.held.clear();
        prop_assert_eq!(bench.group.waiting(), 0);
        prop_assert!(bench.group.backends().iter().all(|backend| backend.active() == 0));
    }
}
