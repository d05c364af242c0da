//! Cookie: who has one stays, who has none takes a turn.

use super::*;
use crate::balance::Tag;

fn named(backend: &Backend) -> Key {
    Key { tag: Some(backend.tag()), ..Key::default() }
}

#[test]
fn a_client_stays_with_the_back_end_that_its_cookie_names() {
    let (group, now) = (group("cookie", &[1; 5]), Instant::now());
    for index in [3, 0, 4, 3] {
        let key = named(&nth(&group, index));
        assert!((0..10).all(|_| index_of(&take(&group, key, now).unwrap()) == index));
    }
}

#[test]
fn new_clients_come_in_turn_however_many_old_ones_come_between() {
    let (group, now) = (group("cookie", &[1; 2]), Instant::now());
    let old = named(&nth(&group, 1));
    let mut shares = [0; 2];
    for _ in 0..10 {
        shares[first(&group, now)] += 1;
        drop(take(&group, old, now));
    }
    assert_eq!(shares, [5, 5]);
}

#[test]
fn a_cookie_of_nobody_is_none() {
    let (group, now) = (group("cookie", &[1; 3]), Instant::now());
    let key = Key { tag: Tag::parse(b"0123456789abcdef"), ..Key::default() };
    let turns: Vec<usize> = (0..6).map(|_| index_of(&take(&group, key, now).unwrap())).collect();
    assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn clients_of_one_that_is_out_spread_over_the_others_and_one_that_fails_is_left() {
    let (group, now) = (group("cookie", &[1; 3]), Instant::now());
    let lost = nth(&group, 1);
    // It fails, and is not out yet: the turn goes on.
    let mut turn = group.turn_for(named(&lost));
    let tried: Vec<usize> =
        std::iter::from_fn(|| group.next(&mut turn, now)).map(|one| index_of(&one)).collect();
    assert_eq!((tried[0], tried.len()), (1, 3));
    group.check_failed(&lost);
    let mut shares = [0; 3];
    (0..10).for_each(|_| shares[index_of(&take(&group, named(&lost), now).unwrap())] += 1);
    assert_eq!(shares, [5, 0, 5]);
}

#[test]
fn a_client_waits_for_its_own_back_end_while_others_have_room() {
    use crate::balance::Pick;
    use std::task::Waker;
    let settings = GroupSettings { policy: policy("cookie"), active_max: 1, ..GroupSettings::default() };
    let (group, now) = (Group::with("test", members(&[1, 1]), settings), Instant::now());
    let own = nth(&group, 0);
    let choose = |key| group.choose(&mut group.turn_for(key), now, || Waker::noop().clone());
    let Pick::Chosen(held) = choose(named(&own)) else { panic!("it has room") };
    let Pick::Queued(ticket) = choose(named(&own)) else { panic!("its session is there alone") };
    // The other one comes and goes: it is not for this client.
    let Pick::Chosen(other) = choose(Key::default()) else { panic!("the other one has room") };
    assert_eq!(index_of(&other), 1);
    drop(other);
    assert!(!ticket.is_ready());
    drop(held);
    let (_, got) = ticket.take().unwrap();
    assert_eq!(index_of(&got.unwrap()), 0);
    // Once it is out, another one has to do.
    let Pick::Chosen(_held) = choose(named(&own)) else { panic!("it has room") };
    let Pick::Queued(ticket) = choose(named(&own)) else { panic!("it is full") };
    group.check_failed(&own);
    let (_, got) = ticket.take().unwrap();
    assert_eq!(index_of(&got.unwrap()), 1);
}
