//! Properties of groups and turns.

use super::*;

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
