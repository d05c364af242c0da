//! Streams both ways, to their ends.

use super::*;

#[test]
fn every_byte_arrives_and_both_ends_are_passed_on() {
    let (question, answer) = (says("question"), says(b"\0answer\xff"));
    for (client, backend) in [
        (question.clone(), answer.clone()),
        (question.clone(), answer.clone().listens_first()),
        (question.clone().listens_first(), answer.clone()),
        (says(""), answer.listens_first()),
        (question.listens_first(), says("")),
        (says(""), says("")),
    ] {
        for line in all_ways(&client, &backend) {
            line.assert_all_arrived();
        }
    }
}

#[test]
fn long_streams_both_ways_at_once() {
    let (up, down) = (stream(1, 300_000), stream(2, 270_001));
    for pieces in [Pieces::Whole, Pieces::CutAt(BUFFER_BYTES), Pieces::Dice(1), Pieces::Dice(2)] {
        let line = || Line::new(says(up.clone()), says(down.clone())).in_pieces(pieces);
        line().run().assert_all_arrived();
        let mut piped = line().piped();
        piped.run().assert_all_arrived();
        if matches!(pieces, Pieces::Whole) {
            // All but what shows that the stream is long.
            assert_eq!(piped.piped, up.len() + down.len() - 2 * BUFFER_BYTES);
        }
    }
}

#[test]
fn a_reader_that_stops_holds_up_its_sender_and_nobody_else() {
    let (long, most) = (stream(3, 1_000_000), 2 * BULK_BUFFER_BYTES + PIPE_BYTES);
    for pieces in [Pieces::Whole, Pieces::Dice(3), Pieces::Dice(4)] {
        for is_piped in [false, true] {
            let prepared = |line: Line| match is_piped {
                true => line.in_pieces(pieces).piped(),
                false => line.in_pieces(pieces),
            };
            let mut line = prepared(Line::new(says(long.clone()), says(stream(4, 90_000)).takes(20_000)));
            line.run();
            assert!(line.client.said >= 20_000 && line.client.said <= 20_000 + most);
            assert_eq!(line.client.got, line.backend.says);
            assert!(line.client.heard_end && !line.backend.heard_end);
            line.waits();
            assert_eq!(line.outcome().as_deref(), Some("client timed out in relay"));
            assert!(line.relay.was_cut());
            line.assert_nothing_made_up();

            let mut line = prepared(Line::new(says(stream(4, 90_000)).takes(20_000), says(long.clone())));
            line.run();
            assert!(line.backend.said >= 20_000 && line.backend.said <= 20_000 + most);
            assert_eq!(line.backend.got, line.client.says);
            line.waits();
            assert_eq!(line.outcome().as_deref(), Some("back end timed out in relay"));
            line.assert_nothing_made_up();
        }
    }
}

#[test]
fn a_failure_of_either_side_ends_both_with_a_reset() {
    for (client, backend, outcome) in [
        (says("satu").resets(), says("").holds(), "client reset in relay"),
        (says("").holds(), says("dua").resets(), "back end reset in relay"),
        (says("").holds().breaks(2), says("dua"), "client reset in relay"),
        (says("satu"), says("").holds().breaks(2), "back end reset in relay"),
    ] {
        for line in all_ways(&client, &backend) {
            assert_eq!(line.outcome().as_deref(), Some(outcome), "{:?}", line.pieces);
            assert!(line.relay.was_cut());
            line.assert_nothing_made_up();
        }
    }
}
