//! A whole connection to a gateway. The input is what the client sends and what the back ends respond,
//! with two zero bytes between them. However these are cut into pieces, the client gets the same bytes;
//! and each connection to a back end gets one request.
#![no_main]

use giliran_fuzz::{Pieces, drivers, two};
use libfuzzer_sys::fuzz_target;

/// The output with only the status of each 502. Whether the response head of a back end that closes is
/// called malformed or cut off depends on when it was last looked at, and so does the error sentence.
fn plain(outcome: &drivers::Outcome) -> String {
    let text = String::from_utf8_lossy(&outcome.output);
    let parts = text.split("HTTP/1.1 502 Bad Gateway\r\n").enumerate().map(|(place, part)| match place {
        0 => part.to_owned(),
        _ => format!("502\n{}", part.split_once(".\n").map_or("", |(_, rest)| rest)),
    });
    parts.collect()
}

fuzz_target!(|bytes: &[u8]| {
    let (input, mut rest) = two(bytes);
    let mut responses = Vec::new();
    while !rest.is_empty() && responses.len() < 8 {
        let (response, more) = two(rest);
        responses.push(response);
        rest = more;
    }
    let whole = drivers::exchange(input, &responses, Pieces::Whole);
    for pieces in Pieces::all(bytes.first().copied().unwrap_or(0)) {
        let split = drivers::exchange(input, &responses, pieces);
        split.back_ends.iter().for_each(|seen| drivers::assert_one_request(seen));
        // Of a response that is cut short, the pieces decide how much was passed on before.
        let (one, other) = (plain(&whole.client), plain(&split.client));
        let same = match whole.client.cut || split.client.cut {
            true => one.starts_with(&other) || other.starts_with(&one),
            false => one == other,
        };
        assert!(same, "{pieces:?}\nwhole: {one}\nsplit: {other}");
    }
});
