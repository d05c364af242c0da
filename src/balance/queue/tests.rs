use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::task::Wake;
use std::thread::{self, Thread};
use std::time::{Duration, Instant, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::balance::limits::{PASSIVE_FAILURES, PASSIVE_OUT, RETRIES};

fn start() -> Now {
    Now { instant: Instant::now(), wall: SystemTime::UNIX_EPOCH }
}

fn address(place: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9001 + u16::try_from(place).unwrap()))
}

fn group(count: usize, most: usize) -> Group {
    Group::limited("test", (0..count).map(address).collect(), most)
}

fn ask(group: &Group, now: &Now) -> Pick {
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

/// Whom it was called for; the back end is let go by dropping it.
fn called(ticket: &Ticket) -> Option<Chosen> {
    assert!(ticket.is_called());
    ticket.take().expect("taken once").1
}

fn place(chosen: &Chosen) -> usize {
    usize::from(chosen.address.port()) - 9001
}

#[test]
fn who_is_full_is_passed_over_and_only_when_all_are_somebody_waits() {
    let (group, now) = (group(3, 2), start());
    let mut held: Vec<Chosen> = (0..6).map(|_| chosen(ask(&group, &now))).collect();
    assert_eq!(held.iter().map(place).collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2]);
    let ticket = queued(ask(&group, &now));
    assert!(!ticket.is_called());
    drop(held.remove(4));
    assert_eq!(place(&called(&ticket).unwrap()), 1);
    // Back end 0 has its turn, and is full.
    held.push(chosen(ask(&group, &now)));
    assert_eq!(held.iter().map(place).collect::<Vec<_>>(), [0, 1, 2, 0, 2, 1]);
}

#[test]
fn first_come_first_served_and_nobody_slips_in_between() {
    let (group, now) = (group(1, 1), start());
    let mut held = chosen(ask(&group, &now));
    let tickets: Vec<Ticket> = (0..3).map(|_| queued(ask(&group, &now))).collect();
    assert_eq!(group.waiting(), 3);
    for ticket in &tickets {
        drop(held);
        let last = queued(ask(&group, &now));
        held = called(ticket).unwrap();
        assert!(!last.is_called());
    }
    assert_eq!(group.waiting(), 0, "those who came last have left");
}

#[test]
fn whoever_leaves_leaves_no_place_behind() {
    let (group, now) = (group(1, 1), start());
    let held = chosen(ask(&group, &now));
    let [first, second, third] = [(); 3].map(|()| queued(ask(&group, &now)));
    drop(first);
    assert_eq!(group.waiting(), 2);
    drop(held);
    // Called, and gone before it heard of it.
    assert!(second.is_called() && !third.is_called());
    drop(second);
    drop(called(&third));
    assert_eq!(group.backends()[0].active(), 0);
    drop(chosen(ask(&group, &now)));
}

#[test]
fn so_many_wait_and_no_more() {
    let (group, now) = (group(2, 1), start());
    let _held = [chosen(ask(&group, &now)), chosen(ask(&group, &now))];
    let mut tickets: Vec<Ticket> = (0..BACKEND_QUEUE).map(|_| queued(ask(&group, &now))).collect();
    assert!(matches!(ask(&group, &now), Pick::QueueFull));
    tickets.pop();
    tickets.push(queued(ask(&group, &now)));
    assert!(matches!(ask(&group, &now), Pick::QueueFull));
}

#[test]
fn one_that_goes_out_gets_nobody_and_when_all_are_out_those_who_wait_are_told() {
    let (group, now) = (group(2, 1), start());
    let (first, second) = (chosen(ask(&group, &now)), chosen(ask(&group, &now)));
    let tickets = [(); 3].map(|()| queued(ask(&group, &now)));
    group.check_failed(&group.backends()[0]);
    drop(first);
    assert!(!tickets[0].is_called(), "it is out");
    drop(second);
    let held = called(&tickets[0]).unwrap();
    assert_eq!(place(&held), 1, "the other one serves them");
    group.check_failed(&group.backends()[1]);
    for ticket in &tickets[1..] {
        assert!(called(ticket).is_none(), "there is nobody left to wait for");
    }
    assert!(matches!(ask(&group, &now), Pick::None));
    // One that comes back serves at once.
    group.check_passed(&group.backends()[0]);
    let _held = chosen(ask(&group, &now));
    let ticket = queued(ask(&group, &now));
    group.check_passed(&group.backends()[1]);
    drop(held);
    assert_eq!(place(&called(&ticket).unwrap()), 1);
}

#[test]
fn one_that_comes_back_calls_those_who_wait() {
    let (group, now) = (group(2, 1), start());
    group.check_failed(&group.backends()[1]);
    let _held = chosen(ask(&group, &now));
    let ticket = queued(ask(&group, &now));
    group.check_passed(&group.backends()[1]);
    assert_eq!(place(&called(&ticket).unwrap()), 1);
}

#[test]
fn a_retry_waits_for_the_others_only() {
    let (group, now) = (group(2, 1), start());
    let mut turn = group.turn();
    let tried = chosen(group.choose(&mut turn, &now, || Waker::noop().clone()));
    let other = chosen(ask(&group, &now));
    let ticket = queued(group.choose(&mut turn, &now, || Waker::noop().clone()));
    let newcomer = queued(ask(&group, &now));
    drop(tried);
    assert!(!ticket.is_called(), "it has failed there");
    assert_eq!(place(&called(&newcomer).unwrap()), 0);
    drop(other);
    let (turn, second) = ticket.take().unwrap();
    assert_eq!((place(&second.unwrap()), turn.retries()), (1, 1));
    // And is told when none of the others is left.
    let mut turn = turn;
    assert!(matches!(group.choose(&mut turn, &now, || Waker::noop().clone()), Pick::None));
}

#[test]
fn the_list_may_change_under_those_who_wait() {
    let (group, now) = (group(1, 1), start());
    let held = chosen(ask(&group, &now));
    let [first, second] = [(); 2].map(|()| queued(ask(&group, &now)));
    group.replace(&[address(5)]);
    assert_eq!(place(&called(&first).unwrap()), 5, "a new one serves at once");
    let last = called(&second).unwrap();
    assert_eq!(place(&last), 5, "and the next, when that one was done");
    let third = queued(ask(&group, &now));
    drop(held);
    assert!(!third.is_called(), "what is gone gets nobody");
    group.replace(&[]);
    assert!(called(&third).is_none());
}

#[test]
fn a_trial_is_for_who_waits_longest() {
    let (group, now) = (group(2, 1), start());
    for _ in 0..PASSIVE_FAILURES {
        group.failed(&group.backends()[0], &now);
    }
    let _held = chosen(ask(&group, &now));
    let first = queued(ask(&group, &now));
    let later = now.after(PASSIVE_OUT);
    let second = queued(ask(&group, &later));
    assert_eq!(place(&called(&first).unwrap()), 0, "the newcomer's look at the clock has opened it");
    assert!(!second.is_called());
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn never_more_than_the_limit_and_all_get_their_turn_under_contention() {
    let (group, now) = (group(3, 2), start());
    let counts = [(); 3].map(|()| AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for round in 0..500 {
                    let waker = || Arc::new(Unpark(thread::current())).into();
                    let held = match group.choose(&mut group.turn(), &now, waker) {
                        Pick::Chosen(held) => held,
                        Pick::Queued(ticket) if round % 7 == 3 => {
                            drop(ticket); // one that leaves, called or not
                            continue;
                        }
                        Pick::Queued(ticket) => {
                            while !ticket.is_called() {
                                thread::park_timeout(Duration::from_secs(20));
                            }
                            called(&ticket).expect("all are up")
                        }
                        other => panic!("{other:?}"),
                    };
                    let count = &counts[place(&held)];
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
    Comes,
    /// Somebody who holds a back end tries the next one.
    Retries(usize),
    LetsGo(usize),
    Leaves(usize),
    CheckFails(usize),
    CheckPasses(usize),
    Fails(usize),
    Passes(u64),
    Replaced(Vec<usize>),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        6 => Just(Event::Comes),
        2 => (0usize..50).prop_map(Event::Retries),
        4 => (0usize..50).prop_map(Event::LetsGo),
        2 => (0usize..50).prop_map(Event::Leaves),
        1 => (0usize..4).prop_map(Event::CheckFails),
        1 => (0usize..4).prop_map(Event::CheckPasses),
        1 => (0usize..4).prop_map(Event::Fails),
        1 => (0u64..12).prop_map(Event::Passes),
        1 => proptest::collection::vec(0usize..5, 0..4).prop_map(Event::Replaced),
    ];
    proptest::collection::vec(event, 0..120)
}

/// A group, and everybody who has to do with it.
struct Bench {
    group: Group,
    most: usize,
    now: Now,
    held: Vec<(Turn, Chosen)>,
    waiting: Vec<Ticket>,
}

impl Bench {
    fn picked(&mut self, turn: Turn, pick: Pick) {
        match pick {
            Pick::Chosen(chosen) => self.held.push((turn, chosen)),
            Pick::Queued(ticket) => self.waiting.push(ticket),
            Pick::QueueFull => panic!("the queue is longer than the test"),
            Pick::None => {}
        }
    }

    fn happens(&mut self, event: Event) {
        let backends = self.group.backends();
        let waker = || Waker::noop().clone();
        match event {
            Event::Comes => {
                let mut turn = self.group.turn();
                let pick = self.group.choose(&mut turn, &self.now, waker);
                self.picked(turn, pick);
            }
            Event::Retries(which) if which < self.held.len() => {
                let (mut turn, before) = self.held.remove(which);
                drop(before);
                let pick = self.group.choose(&mut turn, &self.now, waker);
                self.picked(turn, pick);
            }
            Event::LetsGo(which) if which < self.held.len() => drop(self.held.remove(which)),
            Event::Leaves(which) if which < self.waiting.len() => drop(self.waiting.remove(which)),
            Event::CheckFails(which) if which < backends.len() => {
                _ = self.group.check_failed(&backends[which])
            }
            Event::CheckPasses(which) if which < backends.len() => {
                _ = self.group.check_passed(&backends[which])
            }
            Event::Fails(which) if which < backends.len() => {
                _ = self.group.failed(&backends[which], &self.now);
            }
            Event::Passes(seconds) => self.now = self.now.after(Duration::from_secs(seconds)),
            Event::Replaced(places) => {
                _ = self.group.replace(&places.into_iter().map(address).collect::<Vec<_>>());
            }
            _ => {}
        }
    }

    /// What holds at every moment, whatever has happened.
    fn check(&mut self) {
        // Those who were called go on.
        let is_called: Vec<Ticket> = self.waiting.extract_if(.., |ticket| ticket.is_called()).collect();
        for ticket in is_called {
            let (turn, backend) = ticket.take().expect("called once");
            self.held.extend(backend.map(|backend| (turn, backend)));
        }
        let mut counts: HashMap<u64, usize> = HashMap::new();
        self.held.iter().for_each(|(_, held)| *counts.entry(held.number).or_default() += 1);
        assert!(counts.values().all(|count| *count <= self.most), "{counts:?}");
        let backends = self.group.backends();
        for backend in &backends {
            assert_eq!(backend.active(), counts.get(&backend.number).copied().unwrap_or(0));
        }
        // Nobody waits in vain, and nobody for nobody.
        assert_eq!(self.group.waiting(), self.waiting.len());
        let limit = self.group.limit.as_ref().unwrap();
        for waiting in limit.queue().iter() {
            assert!(waiting.turn.tries <= RETRIES);
            let mut fit = backends.iter().filter(|backend| !waiting.turn.has_tried(backend));
            assert!(fit.all(|backend| !backend.is_up() || backend.active() == self.most), "{waiting:?}");
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_nobody_is_lost_and_no_back_end_has_too_many(
        count in 1usize..5, most in 1usize..4, events in events(),
    ) {
        let (held, waiting) = (Vec::new(), Vec::new());
        let mut bench = Bench { group: group(count, most), most, now: start(), held, waiting };
        for event in events {
            bench.happens(event);
            bench.check();
        }
        bench.waiting.clear();
        bench.held.clear();
        prop_assert_eq!(bench.group.waiting(), 0);
        prop_assert!(bench.group.backends().iter().all(|backend| backend.active() == 0));
    }
}
