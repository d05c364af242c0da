//! The round robin and the availability of back ends, tested together through a group.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::availability::Effect;
use super::group::Replaced;
use super::health::{Change, Health};
use super::limits::{PASSIVE_FAILURES, PASSIVE_OUT, PASSIVE_WINDOW, RETRIES};
use super::*;

fn group(count: u16) -> Group {
    Group::new("test", (0..count).map(|port| SocketAddr::from(([127, 0, 0, 1], 9001 + port))).collect())
}

fn nth(group: &Group, index: usize) -> Arc<Backend> {
    Arc::clone(&group.backends()[index])
}

fn take_out(group: &Group, index: usize, now: Instant) {
    for round in 1..=PASSIVE_FAILURES {
        assert_eq!(group.failed(&nth(group, index), now) == Effect::Out, round == PASSIVE_FAILURES);
    }
}

fn index_of(group: &Group, chosen: &Chosen) -> usize {
    group.backends().iter().position(|backend| Arc::ptr_eq(backend, &chosen.0)).unwrap()
}

fn candidates(group: &Group, now: Instant) -> Vec<usize> {
    let mut turn = group.turn();
    std::iter::from_fn(|| group.next(&mut turn, now)).map(|chosen| index_of(group, &chosen)).collect()
}

fn first(group: &Group, now: Instant) -> Option<usize> {
    group.next(&mut group.turn(), now).map(|chosen| index_of(group, &chosen))
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[test]
fn each_back_end_gets_its_turn_and_retries_draw_none() {
    let (group, now) = (group(5), Instant::now());
    assert_eq!(candidates(&group, now), [0, 1, 2, 3, 4]);
    assert_eq!(candidates(&group, now), [1, 2, 3, 4, 0]);
    assert_eq!(candidates(&group, now), [2, 3, 4, 0, 1]);
}

#[test]
fn a_bound_turn_has_the_first_candidate_and_as_many_as_there_are_retries() {
    let (group, now) = (group(9), Instant::now());
    for before in 0..9 {
        let mut turn = group.turn();
        (0..before).for_each(|_| _ = group.next(&mut turn, now).unwrap());
        turn.bound();
        let after = std::iter::from_fn(|| group.next(&mut turn, now)).count();
        assert_eq!(after, (RETRIES + 1).saturating_sub(before));
    }
}

#[test]
fn no_back_end_is_tried_twice_in_one_turn() {
    let (group, now) = (group(2), Instant::now());
    assert_eq!(candidates(&group, now), [0, 1]);
    assert_eq!(candidates(&self::group(0), now), [0; 0]);
}

#[test]
fn shares_never_differ_by_more_than_one_under_contention() {
    let (group, now) = (group(5), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10_001 {
                    let chosen = group.next(&mut group.turn(), now).expect("all are up");
                    group.succeeded(&chosen);
                }
            });
        }
    });
    let served: Vec<u64> = group.backends().iter().map(|backend| backend.served()).collect();
    let (least, most) = (served.iter().min().unwrap(), served.iter().max().unwrap());
    assert!(most - least <= 1, "{served:?}");
    assert_eq!(served.iter().sum::<u64>(), 8 * 10_001);
}

#[test]
fn a_back_end_that_is_out_leaves_even_shares_to_the_others() {
    let (group, now) = (group(5), Instant::now());
    take_out(&group, 2, now);
    let mut shares = [0; 5];
    for _ in 0..400 {
        shares[first(&group, now).unwrap()] += 1;
    }
    assert_eq!(shares, [100, 100, 0, 100, 100]);
}

#[test]
fn there_is_no_candidate_when_checks_hold_all_out() {
    let (group, now) = (group(3), Instant::now());
    (0..3).for_each(|index| assert!(group.check_failed(&nth(&group, index))));
    assert_eq!(first(&group, now), None);
    assert_eq!(first(&group, now + 10 * PASSIVE_OUT), None);
}

#[test]
fn the_last_one_up_is_never_ejected_by_failures() {
    let (group, now) = (group(3), Instant::now());
    take_out(&group, 0, now);
    take_out(&group, 1, now);
    let last = nth(&group, 2);
    let effects: Vec<Effect> = (0..3).map(|_| group.failed(&last, now)).collect();
    assert_eq!(effects, [Effect::None, Effect::None, Effect::Spared]);
    // All have failed alike: failures tell none from another any more.
    assert!(group.backends().iter().all(|backend| backend.is_up()));
    assert_eq!(group.list().out_count, 0);
    assert_eq!(candidates(&group, now).len(), 3);
    // And all begin anew.
    assert_eq!(group.failed(&last, now), Effect::None);
    take_out(&group, 0, now);
}

#[test]
fn failures_do_not_hold_out_who_is_needed_because_checks_took_the_others() {
    let (group, now) = (group(3), Instant::now());
    take_out(&group, 0, now);
    assert!(group.check_failed(&nth(&group, 1)));
    assert_eq!(candidates(&group, now), [2]);
    assert!(group.check_failed(&nth(&group, 2)));
    assert_eq!(candidates(&group, now), [0], "the one that only failures held out");
    // As long as it is the last one, it stays, and that is told once.
    let effects: Vec<Effect> = (0..6).map(|_| group.failed(&nth(&group, 0), now)).collect();
    assert_eq!(effects.iter().filter(|effect| **effect == Effect::Spared).count(), 1, "{effects:?}");
    assert!(!effects.contains(&Effect::Out));
}

#[test]
fn failures_do_not_hold_out_who_is_needed_because_the_others_left_the_list() {
    let (group, now) = (group(3), Instant::now());
    take_out(&group, 0, now);
    group.replace(&[address(9001)]);
    assert_eq!(candidates(&group, now), [0]);
}

#[test]
fn a_check_that_passes_clears_failures_and_brings_back_who_went_out_for_them() {
    let (group, now) = (group(2), Instant::now());
    let backend = nth(&group, 0);
    for _ in 0..10 {
        assert_eq!(group.failed(&backend, now), Effect::None);
        assert_eq!(group.failed(&backend, now), Effect::None);
        assert!(!group.succeeded(&backend), "it was up all the while");
    }
    take_out(&group, 0, now);
    assert!(group.succeeded(&backend));
    assert_eq!(candidates(&group, now).len(), 2);
}

#[test]
fn who_goes_out_for_failures_is_checked_at_once() {
    let (group, now) = (group(2), Instant::now());
    let called = Arc::new(Called::default());
    group.checked_by(Arc::clone(&called).into());
    let interval = Duration::from_secs(2);
    *nth(&group, 0).health() = Some(Health::new(interval, 1, now));
    take_out(&group, 0, now);
    assert_eq!(called.0.load(Ordering::Relaxed), 1);
    assert_eq!(nth(&group, 0).health().as_ref().unwrap().due(), now);
}

/// Counts how often it was called.
#[derive(Default)]
struct Called(AtomicUsize);

impl std::task::Wake for Called {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn count_window_and_length_are_settings() {
    let passive = Passive { failures: 2, window: Duration::from_secs(1), out: Duration::from_secs(60) };
    let settings = GroupSettings { passive, ..GroupSettings::default() };
    let group = Group::with("test", vec![address(9001), address(9002)], settings);
    let (now, backend) = (Instant::now(), nth(&group, 0));
    assert_eq!(group.failed(&backend, now), Effect::None);
    let later = now + Duration::from_millis(1001);
    assert_eq!(group.failed(&backend, later), Effect::None, "the window is over");
    assert_eq!(group.failed(&backend, later), Effect::Out);
    assert_eq!(candidates(&group, later + Duration::from_secs(59)), [1]);
    assert!(candidates(&group, later + Duration::from_secs(60)).contains(&0));

    let never = Passive { failures: 0, ..passive };
    let settings = GroupSettings { passive: never, ..GroupSettings::default() };
    let group = Group::with("test", vec![address(9001), address(9002)], settings);
    assert!((0..100).all(|_| group.failed(&nth(&group, 0), now) == Effect::None));
}

#[test]
fn a_new_configuration_takes_over_what_is_known_of_back_ends_that_stay() {
    let (old, now) = (Arc::new(group(4)), Instant::now());
    for _ in 0..5 {
        first(&old, now);
    }
    take_out(&old, 0, now);
    assert_eq!(old.failed(&nth(&old, 1), now), Effect::None);
    let mut health = Health::new(Duration::from_secs(2), 1, now);
    assert_eq!((health.failed(), health.failed(), health.failed()), (None, None, Some(Change::Out)));
    *nth(&old, 2).health() = Some(health);
    assert!(old.check_failed(&nth(&old, 2)));

    let addresses = || vec![address(9009), address(9003), address(9002), address(9001)];
    let new = Group::new("test", addresses());
    new.take_over(&[Arc::new(group(0)), Arc::clone(&old)], true);
    let ups: Vec<bool> = new.backends().iter().map(|backend| backend.is_up()).collect();
    assert_eq!(ups, [true, false, true, false]);
    assert_eq!(new.list().out_count, 2);
    assert_eq!((nth(&new, 3).served(), nth(&new, 3).failures_reported()), (2, 3));
    assert!(nth(&new, 1).health().as_mut().unwrap().passed().is_none(), "it needs the whole rise");
    assert_eq!(nth(&new, 1).health().as_mut().unwrap().passed(), Some(Change::Back));
    // A row of failures goes on where it was, and an ejection ends when it would have.
    assert_eq!(new.failed(&nth(&new, 2), now), Effect::None);
    assert_eq!(new.failed(&nth(&new, 2), now), Effect::Out);
    assert_eq!(candidates(&new, now + PASSIVE_OUT - Duration::from_millis(1)), [0]);
    assert!(candidates(&new, now + PASSIVE_OUT).contains(&3));

    // Checks that ask something else begin anew, and so do those that do not go on.
    let new = Group::new("other", addresses());
    new.take_over(&[Arc::clone(&old)], false);
    let ups: Vec<bool> = new.backends().iter().map(|backend| backend.is_up()).collect();
    assert_eq!(ups, [true, true, true, false]);
    assert!(nth(&new, 1).health().is_none());
}

#[test]
fn failures_that_are_rare_or_not_in_a_row_do_not_count() {
    let (group, mut now) = (group(2), Instant::now());
    for _ in 0..10 {
        now = now + PASSIVE_WINDOW / 2 + Duration::from_millis(1);
        assert_eq!(group.failed(&nth(&group, 0), now), Effect::None);
    }
    for _ in 0..10 {
        assert_eq!(group.failed(&nth(&group, 1), now), Effect::None);
        assert_eq!(group.failed(&nth(&group, 1), now), Effect::None);
        assert!(!group.succeeded(&nth(&group, 1)));
    }
    assert!(group.backends().iter().all(|backend| backend.is_up()));
}

#[test]
fn there_is_one_trial_at_a_time_and_a_success_brings_it_back_at_once() {
    let (group, now) = (group(2), Instant::now());
    take_out(&group, 0, now);
    assert_eq!(candidates(&group, now), [1]);
    let later = now + PASSIVE_OUT;
    let on_trial = (0..10).filter(|_| candidates(&group, later).contains(&0)).count();
    assert_eq!(on_trial, 1);
    assert_eq!(group.failed(&nth(&group, 0), later), Effect::None, "it was out already");
    assert_eq!(candidates(&group, later), [1]);
    let later = later + PASSIVE_OUT;
    assert!(candidates(&group, later).contains(&0));
    assert!(group.succeeded(&nth(&group, 0)));
    assert!(!group.succeeded(&nth(&group, 0)));
    assert!(group.backends()[0].is_up());
    assert_eq!(candidates(&group, later).len(), 2);
    assert_eq!(candidates(&group, later).len(), 2);
}

#[test]
fn a_trial_without_a_result_is_given_to_another_turn() {
    let (group, now) = (group(2), Instant::now());
    take_out(&group, 0, now);
    let later = now + PASSIVE_OUT;
    let taken = |at: Instant| (0..4).filter(|_| candidates(&group, at).contains(&0)).count();
    assert_eq!(taken(later), 1);
    assert_eq!(taken(later), 0);
    assert_eq!(taken(later + PASSIVE_OUT), 1);
}

#[test]
fn the_only_back_end_is_never_taken_out() {
    let (group, now) = (group(1), Instant::now());
    assert!((0..10).all(|_| group.failed(&nth(&group, 0), now) == Effect::None));
    assert_eq!(candidates(&group, now), [0]);
}

#[test]
fn exactly_one_of_many_threads_is_told_that_it_went_out() {
    let (group, now) = (group(2), Instant::now());
    let told = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100 {
                    told.fetch_add(
                        usize::from(group.failed(&nth(&group, 0), now) == Effect::Out),
                        Ordering::Relaxed,
                    );
                }
            });
        }
    });
    assert_eq!(told.into_inner(), 1);
    assert_eq!(group.list().out_count, 1);
    assert!(group.succeeded(&nth(&group, 0)));
    assert_eq!(group.list().out_count, 0);
}

#[test]
fn of_two_that_fail_at_the_same_time_one_stays() {
    for _ in 0..50 {
        let (group, now) = (group(2), Instant::now());
        let start = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            for index in 0..2 {
                let (group, start) = (&group, &start);
                scope.spawn(move || {
                    start.wait();
                    (0..PASSIVE_FAILURES).for_each(|_| _ = group.failed(&nth(group, index), now));
                });
            }
        });
        assert!(group.backends().iter().any(|backend| backend.is_up()));
        assert!(first(&group, now).is_some());
    }
}

#[test]
fn checks_take_out_even_the_only_back_end() {
    let (group, now) = (group(1), Instant::now());
    let only = nth(&group, 0);
    assert!(group.check_failed(&only));
    assert!(!group.check_failed(&only), "told once");
    assert_eq!(first(&group, now + 10 * PASSIVE_OUT), None, "no trial: the checks will see it");
    assert!(group.check_passed(&only));
    assert!(!group.check_passed(&only), "told once");
    assert_eq!(first(&group, now), Some(0));
}

#[test]
fn checks_bring_back_what_failures_took_out() {
    let (group, now) = (group(2), Instant::now());
    take_out(&group, 0, now);
    let first = nth(&group, 0);
    assert!(first.is_out_by_failures());
    assert!(!group.check_failed(&first), "it was out already");
    assert!(!group.succeeded(&first), "a success says nothing against its checks");
    assert_eq!(candidates(&group, now), [1]);
    assert!(group.check_passed(&first));
    assert_eq!(candidates(&group, now).len(), 2);
    // And old failures do not count any more.
    let effects: Vec<Effect> = (0..3).map(|_| group.failed(&first, now)).collect();
    assert_eq!(effects, [Effect::None, Effect::None, Effect::Out]);
}

#[test]
fn failures_tell_nothing_new_while_checks_hold_it_out() {
    let (group, now) = (group(2), Instant::now());
    let first = nth(&group, 0);
    assert!(group.check_failed(&first));
    assert!((0..10).all(|_| group.failed(&first, now) == Effect::None));
    assert_eq!(group.list().out_count, 1);
    assert!(group.check_passed(&first));
    assert_eq!(group.list().out_count, 0);
}

#[test]
fn replacing_the_list_keeps_state_and_back_ends_in_use() {
    let (group, now) = (group(3), Instant::now());
    let mut turn = group.turn();
    let held = group.next(&mut turn, now).unwrap();
    assert_eq!((held.address, held.active()), (address(9001), 1));
    take_out(&group, 1, now);
    let replaced = group.replace(&[address(9009), address(9003), address(9002)]);
    assert_eq!(replaced, Replaced { added: vec![address(9009)], removed: vec![address(9001)] });
    let ports: Vec<u16> = group.backends().iter().map(|backend| backend.address.port()).collect();
    assert_eq!(ports, [9002, 9003, 9009], "in the old order, then the new one");
    assert!(!nth(&group, 0).is_up(), "its health is its own");
    assert_eq!(group.list().out_count, 1);
    // The turn from before goes on over the new list; what it holds stays.
    assert_eq!(group.next(&mut turn, now).unwrap().address.port(), 9003);
    assert_eq!(held.address, address(9001));
    assert_eq!(group.failed(&held, now), Effect::None);
    assert_eq!(group.replace(&[address(9002), address(9009), address(9003)]), Replaced::default());
}

#[test]
fn an_address_given_twice_is_two_back_ends() {
    let (group, now) = (Group::new("test", vec![address(1), address(1), address(2)]), Instant::now());
    assert_eq!(group.replace(&[address(2), address(1), address(1)]), Replaced::default());
    assert_eq!(candidates(&group, now), [0, 1, 2]);
    assert_eq!(group.replace(&[address(2), address(1)]).removed, [address(1)]);
}

#[test]
fn a_chosen_back_end_is_active_until_it_is_dropped() {
    let (group, now) = (group(1), Instant::now());
    let chosen = group.next(&mut group.turn(), now).unwrap();
    assert_eq!((nth(&group, 0).active(), nth(&group, 0).served()), (1, 1));
    drop(chosen);
    assert_eq!((nth(&group, 0).active(), nth(&group, 0).served()), (0, 1));
}

proptest! {
    #[test]
    fn failures_alone_always_leave_a_candidate(
        count in 1u16..5, events in proptest::collection::vec((0usize..4, 0u8..4, 0u64..5000), 0..80),
    ) {
        let (group, mut now) = (group(count), Instant::now());
        for (index, event, milliseconds) in events {
            now += Duration::from_millis(milliseconds);
            let backend = nth(&group, index % usize::from(count));
            match event {
                0 => _ = group.succeeded(&backend),
                1 => _ = first(&group, now),
                _ => _ = group.failed(&backend, now),
            }
            prop_assert!(first(&group, now).is_some());
            let out = group.backends().iter().filter(|backend| !backend.is_up()).count();
            prop_assert_eq!(group.list().out_count, out);
        }
    }

    #[test]
    fn shares_are_even_after_the_list_was_replaced(
        before in 1u16..9, after in 1u16..9, first_turns in 0usize..50, turns in 0usize..200,
    ) {
        let (group, now) = (group(before), Instant::now());
        (0..first_turns).for_each(|_| _ = first(&group, now));
        group.replace(&(0..after).rev().map(|offset| address(9001 + 2 * offset)).collect::<Vec<_>>());
        let mut shares = vec![0usize; usize::from(after)];
        (0..turns).for_each(|_| shares[first(&group, now).unwrap()] += 1);
        prop_assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1, "{:?}", shares);
    }

    #[test]
    fn shares_never_differ_by_more_than_one(count in 1u16..9, turns in 0usize..200, retries in 0usize..3) {
        let (group, now) = (group(count), Instant::now());
        let mut shares = vec![0usize; usize::from(count)];
        for _ in 0..turns {
            let mut turn = group.turn();
            shares[index_of(&group, &group.next(&mut turn, now).unwrap())] += 1;
            for _ in 0..retries {
                group.next(&mut turn, now);
            }
        }
        prop_assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
    }

    #[test]
    fn a_turn_names_only_usable_back_ends_and_each_once(
        count in 2u16..9, out in proptest::collection::vec(any::<bool>(), 8), skip in 0usize..20,
    ) {
        let (group, now) = (group(count), Instant::now());
        // The first one stays up: failures never take out the last one.
        let out: Vec<bool> = std::iter::once(false).chain(out.into_iter().skip(1)).collect();
        let live = (0..usize::from(count)).filter(|index| !out[*index]).count();
        (0..usize::from(count)).filter(|index| out[*index]).for_each(|index| take_out(&group, index, now));
        (0..skip).for_each(|_| _ = group.turn());
        let mut found = candidates(&group, now);
        prop_assert_eq!(found.len(), live);
        prop_assert!(found.iter().all(|index| !out[*index]));
        found.sort_unstable();
        found.dedup();
        prop_assert_eq!(found.len(), live);
    }
}

#[test]
fn what_connections_report_counts_as_it_is_reported() {
    let (group, now) = (group(2), Instant::now());
    let backend = nth(&group, 0);
    let report = |times: u32| {
        for _ in 0..times {
            group.report_failure(&backend, &"a test", now);
        }
    };
    report(PASSIVE_FAILURES - 1);
    group.report_success(&backend);
    report(PASSIVE_FAILURES - 1);
    assert!(backend.is_up(), "a success between them: not in a row");
    group.report_local_limit(&backend, now);
    assert!(backend.is_up(), "a limit of ours is no failure of its own");
    report(1);
    assert!(!backend.is_up());
    group.report_success(&backend);
    assert!(backend.is_up(), "a connection from before it went out has reached it");
    assert_eq!(backend.failures_reported(), u64::from(2 * PASSIVE_FAILURES - 1));
}

#[test]
fn the_window_of_failures_includes_its_last_moment() {
    for (late, is_out) in [(Duration::ZERO, true), (Duration::from_millis(1), false)] {
        let (group, now) = (group(2), Instant::now());
        let backend = nth(&group, 0);
        for _ in 1..PASSIVE_FAILURES {
            assert_eq!(group.failed(&backend, now), Effect::None);
        }
        assert_eq!(group.failed(&backend, now + PASSIVE_WINDOW + late) == Effect::Out, is_out);
    }
}

#[test]
fn without_a_limit_nobody_waits() {
    let (group, now) = (group(1), Instant::now());
    let waker = || panic!("nobody is to be called");
    let chosen: Vec<_> = (0..100).map(|_| group.choose(&mut group.turn(), now, waker)).collect();
    assert!(chosen.iter().all(|pick| matches!(pick, Pick::Chosen(_))));
}

#[test]
fn the_last_number_of_the_counter_is_a_turn_like_any_other() {
    let (group, now) = (group(3), Instant::now());
    let mut turn = Turn::new(usize::MAX);
    let candidates: Vec<_> = std::iter::from_fn(|| group.next(&mut turn, now)).collect();
    let first = usize::MAX % 3;
    assert_eq!(
        candidates.iter().map(|chosen| index_of(&group, chosen)).collect::<Vec<_>>(),
        [first, (first + 1) % 3, (first + 2) % 3]
    );
}
