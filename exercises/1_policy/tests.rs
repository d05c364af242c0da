//! What must pass. Do not change it.

use super::Backends;

#[test]
fn equals_take_turns() {
    let mut backends = Backends::new(3);
    let chosen: Vec<usize> = (0..6).map(|_| backends.choose()).collect();
    assert_eq!(chosen, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn the_one_with_the_fewest_connections_is_chosen() {
    let mut backends = Backends::new(3);
    for _ in 0..6 {
        backends.choose();
    }
    backends.finished(1);
    backends.finished(1);
    assert_eq!([backends.choose(), backends.choose()], [1, 1], "1 had none, the others two");
}

#[test]
fn a_busy_one_waits_until_the_others_have_as_many() {
    let mut backends = Backends::new(2);
    assert_eq!(backends.choose(), 0); // a long download, which stays
    for _ in 0..10 {
        let chosen = backends.choose();
        assert_eq!(chosen, 1);
        backends.finished(chosen);
    }
}

#[test]
fn equals_take_turns_also_when_connections_end_at_once() {
    let mut backends = Backends::new(3);
    let mut counts = [0; 3];
    for _ in 0..30 {
        let chosen = backends.choose();
        counts[chosen] += 1;
        backends.finished(chosen);
    }
    assert_eq!(counts, [10, 10, 10]);
}
