//! The list of a group: its replacement, doubled addresses, connections in use.

use super::*;

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
fn of_two_groups_with_the_same_back_end_the_one_with_the_same_name_goes_on() {
    let now = Instant::now();
    let (other, namesake) = (Arc::new(Group::new("other", vec![address(9001)])), Arc::new(group(1)));
    first(&other, now);
    (0..2).for_each(|_| _ = first(&namesake, now));
    let new = group(1);
    new.take_over(&[other, namesake], true);
    assert_eq!((nth(&new, 0).served(), new.turn().number), (2, 2));
}

#[test]
fn where_failures_do_not_count_none_are_taken_over() {
    let (old, now) = (Arc::new(group(2)), Instant::now());
    take_out(&old, 0, now);
    let never = Passive { failures: 0, ..Passive::default() };
    let settings = GroupSettings { passive: never, ..GroupSettings::default() };
    let new = Group::with("test", vec![address(9001), address(9002)], settings);
    new.take_over(&[old], true);
    assert!(nth(&new, 0).is_up());
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

#[test]
fn without_a_limit_nobody_waits() {
    let (group, now) = (group(1), Instant::now());
    let waker = || panic!("nobody is to be called");
    let chosen: Vec<_> = (0..100).map(|_| group.choose(&mut group.turn(), now, waker)).collect();
    assert!(chosen.iter().all(|pick| matches!(pick, Pick::Chosen(_))));
}

#[test]
fn back_ends_are_told_of_by_the_first_name_they_were_given() {
    let group = Group::new("test", Vec::new());
    let named = |host: &str| Member { host: Some(host.into()), ..Member::from(address(9002)) };
    group.replace(&[address(9001).into(), named("first.example")]);
    group.replace(&[address(9001).into(), named("second.example")]);
    assert_eq!((nth(&group, 0).host(), nth(&group, 1).host()), (None, Some("first.example")));
}
