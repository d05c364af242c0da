//! Source hash: the same client at the same place, and few that move.

use super::*;

const CLIENTS: u32 = 10_000;

/// Where each of the clients goes.
fn places(group: &Group, now: Instant) -> Vec<usize> {
    (0..CLIENTS).map(|number| index_of(&take(group, client(number), now).unwrap())).collect()
}

fn moved(before: &[usize], after: &[usize]) -> usize {
    before.iter().zip(after).filter(|(before, after)| before != after).count()
}

#[test]
fn a_client_stays_and_one_that_goes_moves_only_its_own_clients() {
    let (group, now) = (group("source-hash", &[1; 10]), Instant::now());
    let all = places(&group, now);
    assert_eq!(places(&group, now), all);
    for index in 0..10 {
        let share = all.iter().filter(|place| **place == index).count();
        // A tenth, and what chance makes of it: a standard deviation is 30.
        assert!((850..1150).contains(&share), "{index}: {share}");
    }
    group.check_failed(&nth(&group, 3));
    let without = places(&group, now);
    let of_third = all.iter().filter(|place| **place == 3).count();
    assert_eq!(moved(&all, &without), of_third, "only its own clients move");
    // They spread over all the others.
    let heirs = |index| all.iter().zip(&without).filter(|(old, new)| **old == 3 && **new == index).count();
    assert!((0..10).all(|index| index == 3 || heirs(index) > of_third / 20));
    group.check_passed(&nth(&group, 3));
    assert_eq!(places(&group, now), all, "the same ones return");
}

#[test]
fn one_that_is_added_takes_its_share_and_moves_nobody_else() {
    let now = Instant::now();
    let nine = places(&group("source-hash", &[1; 9]), now);
    let ten = places(&group("source-hash", &[1; 10]), now);
    let to_new = ten.iter().filter(|place| **place == 9).count();
    assert_eq!(moved(&nine, &ten), to_new);
    assert!((850..1150).contains(&to_new), "{to_new}");
}

#[test]
fn neither_the_order_of_the_list_nor_the_process_matters() {
    let now = Instant::now();
    let shuffled = Group::with(
        "another",
        members(&[1; 5]).into_iter().rev().collect(),
        GroupSettings { policy: policy("source-hash"), ..GroupSettings::default() },
    );
    assert_eq!(places(&shuffled, now), places(&group("source-hash", &[1; 5]), now));
    // Balancers of different versions agree: these never change.
    let group = group("source-hash", &[1; 5]);
    let some: Vec<usize> =
        (0..8).map(|number| index_of(&take(&group, client(number), now).unwrap())).collect();
    assert_eq!(some, [2, 1, 4, 2, 0, 0, 3, 2]);
}

#[test]
fn an_ipv4_client_is_the_same_by_whichever_listener_it_came() {
    let (group, now) = (group("source-hash", &[1; 50]), Instant::now());
    let plain: IpAddr = "192.0.2.7".parse().unwrap();
    let mapped: IpAddr = "::ffff:192.0.2.7".parse().unwrap();
    let of = |client| index_of(&take(&group, Key::from(client), now).unwrap());
    assert_eq!(of(plain), of(mapped));
}

#[test]
fn a_place_that_is_named_twice_has_two_shares() {
    let now = Instant::now();
    let settings = GroupSettings { policy: policy("source-hash"), ..GroupSettings::default() };
    let group = Group::with("test", vec![member(0, 1), member(0, 1), member(1, 1)], settings);
    (0..3000).for_each(|number| drop(take(&group, client(number), now)));
    assert!(group.backends().iter().all(|backend| (800..1200).contains(&backend.served())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn shares_follow_the_weights_and_a_heavier_one_only_gains(
        mut weights in proptest::collection::vec(1u32..6, 2..6), more in 0usize..6,
    ) {
        let now = Instant::now();
        let before = places(&group("source-hash", &weights), now);
        let sum: u32 = weights.iter().sum();
        for (index, weight) in weights.iter().enumerate() {
            let share = before.iter().filter(|place| **place == index).count();
            let exact = f64::from(CLIENTS * weight) / f64::from(sum);
            // A standard deviation is 50 at most.
            prop_assert!((share as f64 - exact).abs() < 350.0, "{:?}: {} has {}", weights, index, share);
        }
        let more = more % weights.len();
        weights[more] += 1;
        let after = places(&group("source-hash", &weights), now);
        prop_assert!(before.iter().zip(&after).all(|(old, new)| old == new || *new == more));
    }
}
