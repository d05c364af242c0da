//! The round robin and the availability of back ends, tested together through a group.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::group::Replaced;
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
        assert_eq!(group.failed(&nth(group, index), now), round == PASSIVE_FAILURES);
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
    assert_eq!(candidates(&group, now), [0, 1, 2, 3]);
    assert_eq!(candidates(&group, now), [1, 2, 3, 4]);
    assert_eq!(candidates(&group, now), [2, 3, 4, 0]);
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
fn there_is_no_candidate_when_all_are_out() {
    let (group, now) = (group(3), Instant::now());
    (0..3).for_each(|index| take_out(&group, index, now));
    assert_eq!(first(&group, now), None);
    assert_eq!(first(&group, now + PASSIVE_OUT - Duration::from_millis(1)), None);
}

#[test]
fn failures_that_are_rare_or_not_in_a_row_do_not_count() {
    let (group, mut now) = (group(2), Instant::now());
    for _ in 0..10 {
        now = now + PASSIVE_WINDOW / 2 + Duration::from_millis(1);
        assert!(!group.failed(&nth(&group, 0), now));
    }
    for _ in 0..10 {
        assert!(!group.failed(&nth(&group, 1), now));
        assert!(!group.failed(&nth(&group, 1), now));
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
    assert!(!group.failed(&nth(&group, 0), later), "it was out already");
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
    assert!((0..10).all(|_| !group.failed(&nth(&group, 0), now)));
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
                    told.fetch_add(usize::from(group.failed(&nth(&group, 0), now)), Ordering::Relaxed);
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
    assert!(!group.failed(&first, now) && !group.failed(&first, now));
    assert!(group.failed(&first, now));
}

#[test]
fn failures_tell_nothing_new_while_checks_hold_it_out() {
    let (group, now) = (group(2), Instant::now());
    let first = nth(&group, 0);
    assert!(group.check_failed(&first));
    assert!((0..10).all(|_| !group.failed(&first, now)));
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
    assert!(!group.failed(&held, now));
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
        let live = (0..usize::from(count)).filter(|index| !out[*index]).count();
        (0..usize::from(count)).filter(|index| out[*index]).for_each(|index| take_out(&group, index, now));
        (0..skip).for_each(|_| _ = group.turn());
        let mut found = candidates(&group, now);
        prop_assert_eq!(found.len(), live.min(RETRIES + 1));
        prop_assert!(found.iter().all(|index| !out[*index]));
        found.sort_unstable();
        found.dedup();
        prop_assert_eq!(found.len(), live.min(RETRIES + 1));
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
    group.report_local_limit(&backend);
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
            assert!(!group.failed(&backend, now));
        }
        assert_eq!(group.failed(&backend, now + PASSIVE_WINDOW + late), is_out);
    }
}
