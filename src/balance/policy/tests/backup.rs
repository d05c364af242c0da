//! Backups: turns only while no other back end is up, by every policy.

use super::*;
use crate::balance::limits::PASSIVE_OUT;

/// A group of this policy in which the marked ones are backups.
fn with_backups(policy: Policy, backups: &[bool]) -> Group {
    let member = |(index, is_backup): (usize, &bool)| Member { is_backup: *is_backup, ..member(index, 1) };
    let members = backups.iter().enumerate().map(member).collect();
    Group::with("test", members, GroupSettings { policy, ..GroupSettings::default() })
}

proptest! {
    #[test]
    fn a_backup_has_a_turn_only_while_no_other_one_is_up(
        backups in proptest::collection::vec(any::<bool>(), 1..7),
        changes in proptest::collection::vec((0usize..7, any::<bool>()), 0..30),
        client_number in any::<u32>(),
    ) {
        for policy in Policy::all() {
            let (group, now) = (with_backups(policy, &backups), Instant::now());
            for (index, passes) in &changes {
                let backend = nth(&group, index % backups.len());
                if *passes { group.check_passed(&backend) } else { group.check_failed(&backend) };
                let is_other_up = group.backends().iter().any(|one| !one.is_backup() && one.is_up());
                let is_any_up = group.backends().iter().any(|one| one.is_up());
                let chosen = take(&group, client(client_number % 1000), now);
                prop_assert_eq!(chosen.is_some(), is_any_up);
                if let Some(chosen) = chosen {
                    prop_assert!(chosen.is_up());
                    prop_assert_eq!(chosen.is_backup(), !is_other_up);
                }
            }
        }
    }
}

#[test]
fn a_turn_tries_backups_when_it_has_tried_all_others_in_vain() {
    for policy in Policy::all() {
        let (group, now) = (with_backups(policy, &[true, false, false]), Instant::now());
        let mut turn = group.turn_for(client(1));
        let tried: Vec<usize> =
            std::iter::from_fn(|| group.next(&mut turn, now)).map(|one| index_of(&one)).collect();
        assert_eq!((tried.len(), tried[2]), (3, 0), "{policy}: {tried:?}");
    }
}

#[test]
fn while_a_backup_serves_one_turn_tries_who_may_be_well_again() {
    let (group, now) = (with_backups(Policy::default(), &[true, false]), Instant::now());
    let other = nth(&group, 1);
    (0..3).for_each(|_| _ = group.failed(&other, now));
    assert!(!other.is_up(), "the backup is up, so that this is not the last one");
    assert_eq!(shares(&group, 2, 10, now), [10, 0]);
    assert_eq!(shares(&group, 2, 10, now + PASSIVE_OUT), [9, 1]);
}

#[test]
fn who_waits_for_others_is_not_handed_a_backup() {
    use crate::balance::Pick;
    use std::task::Waker;
    let settings = GroupSettings { active_max: 1, ..GroupSettings::default() };
    let backup = Member { is_backup: true, ..member(1, 1) };
    let (group, now) = (Group::with("test", vec![member(0, 1), backup], settings), Instant::now());
    let choose = || group.choose(&mut group.turn(), now, || Waker::noop().clone());
    group.check_failed(&nth(&group, 0));
    let Pick::Chosen(backup) = choose() else { panic!("the backup is up") };
    assert_eq!(index_of(&backup), 1);
    let Pick::Queued(for_backup) = choose() else { panic!("it is full") };
    group.check_passed(&nth(&group, 0));
    let (_, got) = for_backup.take().unwrap();
    let held = got.unwrap();
    assert_eq!(index_of(&held), 0, "it is up again");
    let Pick::Queued(waiting) = choose() else { panic!("it is full, and the backup is none to choose") };
    drop(backup);
    assert!(!waiting.is_ready());
    drop(held);
    assert_eq!(index_of(&waiting.take().unwrap().1.unwrap()), 0);
}

#[test]
fn a_back_end_that_stays_may_become_a_backup_and_change_its_weight() {
    let (group, now) = (group("round-robin", &[1, 1]), Instant::now());
    assert_eq!(shares(&group, 2, 4, now), [2, 2]);
    group.replace(&members(&[3, 1]));
    assert_eq!(shares(&group, 2, 4, now), [3, 1]);
    let backup = Member { is_backup: true, ..member(0, 1) };
    assert_eq!(group.replace(&[backup, member(1, 1)]).added, []);
    assert_eq!(shares(&group, 2, 4, now), [0, 4]);
}
