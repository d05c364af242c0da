//! Turns: even shares, and no back end twice.

use super::*;

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
fn the_last_number_of_the_counter_is_a_turn_like_any_other() {
    let (group, now) = (group(3), Instant::now());
    let mut turn = Turn::new(usize::MAX, Key::default());
    let candidates: Vec<_> = std::iter::from_fn(|| group.next(&mut turn, now)).collect();
    let first = usize::MAX % 3;
    assert_eq!(
        candidates.iter().map(|chosen| index_of(&group, chosen)).collect::<Vec<_>>(),
        [first, (first + 1) % 3, (first + 2) % 3]
    );
}
