//! Properties of whole connections.

use super::*;

fn peer() -> impl Strategy<Value = Peer> {
    // Mostly short, now and then long enough for pipes.
    let length = prop_oneof![0..200usize, 0..200_000usize];
    (length, any::<u8>(), any::<bool>())
        .prop_map(|(length, seed, listens_first)| Peer { listens_first, ..says(stream(seed, length)) })
}

fn faulty_peer() -> impl Strategy<Value = Peer> {
    let then = prop_oneof![Just(Then::Holds), Just(Then::Ends), Just(Then::Resets)];
    (peer(), then, prop::option::of(0..100_000usize), any::<bool>())
        .prop_map(|(peer, then, takes, breaks)| Peer { then, takes, breaks, ..peer })
}

fn attempt() -> impl Strategy<Value = Attempt> {
    prop_oneof![
        4 => Just(Attempt::Accepted),
        4 => Just(Attempt::AcceptedLate),
        1 => Just(Attempt::Refused),
        1 => Just(Attempt::RefusedLate),
        1 => Just(Attempt::Ignored),
        1 => Just(Attempt::Impossible),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn streams_of_any_length_arrive_whole_in_any_pieces(
        mut client in peer(), mut backend in peer(), is_late: bool, is_piped: bool, seed: u64,
    ) {
        // Two that both wait for the other one to end would wait for ever.
        client.listens_first &= !backend.listens_first;
        backend.listens_first &= !client.listens_first;
        let attempt = if is_late { Attempt::AcceptedLate } else { Attempt::Accepted };
        let line = Line::new(client, backend).attempts(&[attempt]).in_pieces(Pieces::Dice(seed));
        let mut line = if is_piped { line.piped() } else { line };
        line.run();
        line.assert_all_arrived();
    }

    #[test]
    fn whatever_fails_it_ends_in_time_and_makes_nothing_up(
        client in faulty_peer(), backend in faulty_peer(), attempts in prop::collection::vec(attempt(), 4),
        is_piped: bool, seed: u64,
    ) {
        let group = Arc::new(Group::new("test", backends(3)));
        let line = Line::of(Arc::clone(&group), client, backend).attempts(&attempts);
        let line = line.in_pieces(Pieces::Dice(seed));
        let mut line = if is_piped { line.piped() } else { line };
        line.run();
        // A deadline for each attempt, and one for the silence.
        for _ in 0..4 {
            if line.outcome().is_none() {
                line.waits();
            }
        }
        let outcome = line.outcome();
        prop_assert!(outcome.is_some(), "{:?}", line.relay);
        line.assert_nothing_made_up();
        if outcome.as_deref() == Some("finished") {
            line.assert_nothing_made_up();
            prop_assert!(line.client.says == line.backend.got && line.backend.says == line.client.got);
        }
        prop_assert_eq!(line.told().iter().filter(|line| line.contains("retries=")).count(), 1);
        drop(line);
        prop_assert!(group.backends().iter().all(|backend| backend.active() == 0));
    }
}
