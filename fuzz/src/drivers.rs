//! The two HTTP machines driven in memory: bytes go in by pieces, bytes come out, and nothing waits.
//!
//! What counts is checked here: a machine never stands still with something to do, never spins, and
//! never sends a back end anything that is not exactly one request a connection.

use std::sync::Arc;
use std::task::Waker;

use giliran::balance::Group;
use giliran::protocol::limits::KEEP_ALIVE_REQUESTS;
use giliran::balance::limits::{PASSIVE_OUT, PASSIVE_WINDOW};
use giliran::protocol::exchange::{Exchange, Gateway};
use giliran::protocol::forward::Rules;
use giliran::protocol::http::body::{BodyReader, Part};
use giliran::protocol::http::framing;
use giliran::protocol::http::head::{FieldSpace, HeadScan, RequestHead, Scan};
use giliran::balance::routes::Routes;
use giliran::protocol::timeouts::Timeouts;
use giliran::site::Site;
use giliran::protocol::web::{Output, Web};

use crate::{Pieces, client, now};

/// What a client got, and whether the machine gave up within an answer.
#[derive(Debug, Eq, PartialEq)]
pub struct Outcome {
    pub output: Vec<u8>,
    pub cut: bool,
}

/// A request of `n` bytes takes a few moves a byte at most; twice that and more is a spin.
fn moves_max(bytes: usize) -> usize {
    1000 + 50 * bytes
}

/// Bytes of output that are kept: a test answer may be a gibibyte, and is no news after this.
const OUTPUT_MAX: usize = 256 * 1024;

/// Serves `input` from a site, up to its end.
pub fn web(site: &Arc<Site>, input: &[u8], mut pieces: Pieces) -> Outcome {
    let mut now = now();
    let mut web = Web::new(
        "fuzz",
        client(),
        Arc::clone(site),
        Timeouts::default(),
        KEEP_ALIVE_REQUESTS,
        now.instant,
        &now,
    );
    let (mut rest, mut output) = (input, Vec::new());
    for _ in 0..moves_max(input.len()) {
        let wants = web.wants();
        if wants.finish || output.len() > OUTPUT_MAX {
            let cut = web.was_cut();
            web.finish(&now);
            return Outcome { output, cut };
        } else if wants.write_client {
            match web.client_output() {
                Output::Bytes { first, second, .. } => {
                    output.extend_from_slice(first);
                    output.extend_from_slice(second);
                    let count = first.len() + second.len();
                    assert!(count > 0, "wants to write nothing");
                    web.client_sent(count, &now);
                }
                Output::File { length, .. } => {
                    let count = usize::try_from(length).unwrap().min(64 * 1024);
                    output.extend(std::iter::repeat_n(b'f', count));
                    web.client_sent(count, &now);
                }
            }
        } else if wants.shut_client {
            web.client_shut();
        } else if wants.read_client {
            let space = web.client_space();
            assert!(!space.is_empty(), "wants to read into nothing");
            let available = rest.len().min(space.len());
            let count = if available > 0 { pieces.next(available) } else { 0 };
            space[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            web.client_received(count, &now);
        } else {
            // Nothing to do but to wait: for a delay that a test answer was asked for.
            let deadline = web.deadline().expect("nothing wanted and no deadline");
            now.instant = now.instant.max(deadline);
            web.expired(&now);
        }
    }
    panic!("the machine spins");
}

/// What came of a gateway: the client's side, and each connection to a back end.
#[derive(Debug)]
pub struct Forwarded {
    pub client: Outcome,
    pub back_ends: Vec<Vec<u8>>,
}

/// Of a back end that has no other.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// Forwards `input` through back ends that give `answers`, a connection each, and close.
///
/// The client's bytes always come before a back end's, so that only the pieces differ between runs.
pub fn exchange(input: &[u8], responses: &[&[u8]], mut pieces: Pieces) -> Forwarded {
    let mut now = now();
    let addresses = vec![([127, 0, 0, 1], 9001).into(), ([127, 0, 0, 1], 9002).into()];
    let mut routes = Routes::new(Arc::new(Group::new("default", addresses)));
    let _ = routes.add("/pdf/", Arc::new(Group::new("pdf", vec![([127, 0, 0, 1], 9003).into()])));
    let gateway = Arc::new(Gateway { routes, rules: Rules::default() });
    let mut exchange =
        Exchange::new("fuzz", client(), gateway, Timeouts::default(), KEEP_ALIVE_REQUESTS, now.instant, &now);
    let (mut rest, mut output) = (input, Vec::new());
    let mut back_ends: Vec<Vec<u8>> = Vec::new();
    let mut response: &[u8] = b"";
    let total = input.len() + responses.iter().map(|response| response.len()).sum::<usize>();
    for _ in 0..moves_max(total) {
        let wants = exchange.wants();
        if wants.finish || wants.tunnel {
            let cut = exchange.was_cut() || wants.tunnel;
            exchange.finish(&now);
            return Forwarded { client: Outcome { output, cut }, back_ends };
        } else if wants.release_backend {
            exchange.release_backend(&now);
        } else if wants.connect {
            // So late that failures do not add up: a back end that is out answers nothing, at a
            // moment that depends on the pieces. What the date is stays the same.
            now.instant += PASSIVE_WINDOW + PASSIVE_OUT;
            if exchange.choose_backend(&now, || Waker::noop().clone()).is_some() {
                // None refuses: whether that is seen before a fault of the request is up to the pieces.
                response = responses.get(back_ends.len()).copied().unwrap_or(ANSWER);
                back_ends.push(Vec::new());
                exchange.connected(false, &now);
            }
        } else if wants.write_backend {
            let [head, body] = exchange.backend_output();
            let seen = back_ends.last_mut().expect("a back end is connected");
            seen.extend_from_slice(head);
            seen.extend_from_slice(body);
            let count = head.len() + body.len();
            assert!(count > 0, "wants to write nothing");
            exchange.backend_sent(count, &now);
        } else if wants.write_client {
            let [head, body] = exchange.client_output();
            output.extend_from_slice(head);
            output.extend_from_slice(body);
            let count = head.len() + body.len();
            assert!(count > 0, "wants to write nothing");
            exchange.client_sent(count, &now);
        } else if wants.shut_client {
            exchange.client_shut();
        } else if wants.read_client && !(rest.is_empty() && wants.read_backend) {
            let space = exchange.client_space();
            assert!(!space.is_empty(), "wants to read into nothing");
            let available = rest.len().min(space.len());
            let count = if available > 0 { pieces.next(available) } else { 0 };
            space[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            exchange.client_received(count, &now);
        } else if wants.read_backend {
            let space = exchange.backend_space();
            assert!(!space.is_empty(), "wants to read into nothing");
            let available = response.len().min(space.len());
            let count = if available > 0 { pieces.next(available) } else { 0 };
            space[..count].copy_from_slice(&response[..count]);
            response = &response[count..];
            exchange.backend_received(count, &now);
        } else {
            let deadline = exchange.deadline().expect("nothing wanted and no deadline");
            now.instant = now.instant.max(deadline);
            exchange.expired(&now);
        }
    }
    panic!("the machine spins");
}

/// A back end was sent one request at most, or the beginning of one, and not a byte behind it.
pub fn assert_one_request(bytes: &[u8]) {
    let length = match HeadScan::default().advance(bytes) {
        Ok(Scan::Complete(length)) => length,
        // Cut short: the back end will wait for the rest, and see the end of the connection.
        Ok(_) => return,
        Err(refusal) => panic!("a head that we would refuse was forwarded: {refusal}"),
    };
    let mut space = FieldSpace::new();
    let head = match RequestHead::parse(&bytes[..length], &mut space) {
        Ok(Some(head)) => head,
        other => panic!("a head that we would refuse was forwarded: {other:?}"),
    };
    assert_eq!(head.fields.all("host").count(), 1);
    let framing = framing::of_request(&head).expect("forwarded framing is plain");
    let (mut body, mut used) = (BodyReader::new(framing), length);
    while let Some(part) = body.next(&bytes[used..]).expect("only good framing is forwarded") {
        let (Part::Content(count) | Part::Framing(count) | Part::Trailer(count)) = part;
        used += count;
    }
    assert_eq!(used, bytes.len(), "bytes behind the request: {:?}", String::from_utf8_lossy(&bytes[used..]));
}
