//! What every policy keeps, whatever else it does.

use super::*;
use crate::balance::limits::RETRIES;

#[test]
fn each_has_a_name_and_a_sentence_and_no_other_name_is_one() {
    let names: Vec<&str> = Policy::all().map(Policy::name).collect();
    assert_eq!(names, ["round-robin", "least-connections", "random-two", "source-hash", "cookie"]);
    assert_eq!(Policy::default().to_string(), "round-robin");
    assert!(Policy::all().all(|policy| !policy.about().is_empty()));
    let error = "leastconn".parse::<Policy>().unwrap_err();
    assert!(error.starts_with("\"leastconn\" is not a policy: choose one of round-robin, least-"), "{error}");
}

#[test]
fn an_empty_group_has_no_candidate_by_any() {
    for policy in Policy::all() {
        let settings = GroupSettings { policy, ..GroupSettings::default() };
        let group = Group::with("test", Vec::<Member>::new(), settings);
        assert!(take(&group, client(1), Instant::now()).is_none(), "{policy}");
    }
}

#[test]
fn a_turn_takes_nobodys_place_by_looking() {
    for policy in Policy::all() {
        let settings = GroupSettings { policy, ..GroupSettings::default() };
        let (group, now) = (Group::with("test", members(&[3, 1, 2]), settings), Instant::now());
        for _ in 0..20 {
            let Some(next) = group.next_in_turn(now) else {
                assert!(["random-two", "source-hash"].contains(&policy.name()), "{policy}");
                continue;
            };
            assert_eq!(first(&group, now), index_of(&next), "{policy}");
        }
    }
}

proptest! {
    #[test]
    fn a_turn_names_each_usable_back_end_once(
        weights in proptest::collection::vec(1u32..9, 2..9),
        out in proptest::collection::vec(any::<bool>(), 8),
        backups in proptest::collection::vec(any::<bool>(), 8),
        number in any::<u32>(), skip in 0usize..50,
    ) {
        for policy in Policy::all() {
            let all = weights.iter().zip(&backups).enumerate();
            let all = all.map(|(index, (weight, is_backup))| Member { is_backup: *is_backup, ..member(index, *weight) });
            let settings = GroupSettings { policy, ..GroupSettings::default() };
            let (group, now) = (Group::with("test", all.collect(), settings), Instant::now());
            let is_out = |index: usize| out[index] && index > 0;
            (0..weights.len()).filter(|index| is_out(*index)).for_each(|index| _ = group.check_failed(&nth(&group, index)));
            (0..skip).for_each(|_| _ = group.turn());
            let mut turn = group.turn_for(client(number % 1000));
            let mut found: Vec<usize> =
                std::iter::from_fn(|| group.next(&mut turn, now)).map(|one| index_of(&one)).collect();
            // Backups come last.
            prop_assert!(found.windows(2).all(|pair| backups[pair[0]] <= backups[pair[1]]), "{}: {:?}", policy, found);
            found.sort_unstable();
            let usable: Vec<usize> = (0..weights.len()).filter(|index| !is_out(*index)).collect();
            prop_assert_eq!(found, usable);
            let mut turn = group.turn_for(client(number % 1000));
            turn.bound();
            let bound = std::iter::from_fn(|| group.next(&mut turn, now)).count();
            let live = (0..weights.len()).filter(|index| !is_out(*index)).count();
            prop_assert_eq!(bound, live.min(RETRIES + 1));
        }
    }

    #[test]
    fn no_back_end_has_more_than_its_limit_and_none_is_idle_while_somebody_waits(
        weights in proptest::collection::vec(1u32..5, 1..5), limit in 1usize..4,
        steps in proptest::collection::vec((any::<bool>(), 0usize..40), 1..80),
    ) {
        use crate::balance::Pick;
        use std::task::Waker;
        // All but `cookie`, by which a client waits for its own.
        for policy in Policy::all() {
            let settings = GroupSettings { policy, active_max: limit, ..GroupSettings::default() };
            let (group, now) = (Group::with("test", members(&weights), settings), Instant::now());
            let (mut held, mut tickets) = (Vec::new(), Vec::new());
            for (asks, which) in &steps {
                if *asks {
                    let key = client(u32::try_from(*which).unwrap());
                    match group.choose(&mut group.turn_for(key), now, || Waker::noop().clone()) {
                        Pick::Chosen(chosen) => held.push(chosen),
                        Pick::Queued(ticket) => tickets.push(ticket),
                        other => panic!("{policy}: {other:?}"),
                    }
                } else if !held.is_empty() {
                    held.swap_remove(which % held.len());
                }
                tickets.retain(|ticket| {
                    held.extend(ticket.take().and_then(|(_, chosen)| chosen));
                    !ticket.is_ready()
                });
                let active: Vec<usize> = group.backends().iter().map(|one| one.active()).collect();
                prop_assert!(active.iter().all(|active| *active <= limit), "{}: {:?}", policy, active);
                let has_room = active.iter().any(|active| *active < limit);
                prop_assert!(!has_room || tickets.is_empty(), "{}: {:?}", policy, active);
            }
        }
    }
}
