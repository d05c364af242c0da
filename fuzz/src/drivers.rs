//! The two HTTP machines driven in memory: bytes go in in pieces, bytes come out, and nothing waits.
//!
//! What is checked here: a machine that is not done always has a step, bytes to move or a deadline;
//! it never asks for the same thing for ever; and a back end gets exactly one request a connection.

use std::sync::Arc;
use std::task::Waker;

use giliran::balance::Group;
use giliran::balance::limits::{PASSIVE_OUT, PASSIVE_WINDOW};
use giliran::balance::routes::Routes;
use giliran::observe::log::AccessLog;
use giliran::protocol::context::RoleContext;
use giliran::protocol::exchange::{Exchange, Gateway};
use giliran::protocol::forward::Rules;
use giliran::protocol::http::body::BodyReader;
use giliran::protocol::http::framing;
use giliran::protocol::http::head::{FieldSpace, HeadScan, RequestHead, Scan};
use giliran::protocol::interest::Step;
use giliran::protocol::web::{Output, Web, WebService};
use giliran::site::Site;

use crate::{Pieces, client, now};

/// What a client got, and whether its last response was cut short.
#[derive(Debug, Eq, PartialEq)]
pub struct Outcome {
    pub output: Vec<u8>,
    pub cut: bool,
}

/// The most moves for this many bytes of input. Byte by byte a few moves a byte are enough; a machine
/// that needs more than this repeats itself without progress.
fn moves_max(bytes: usize) -> usize {
    1000 + 50 * bytes
}

/// Bytes of output after which a run ends: a generated test response may have a gibibyte, and its rest
/// finds nothing new.
const OUTPUT_MAX: usize = 256 * 1024;

fn context() -> Arc<RoleContext> {
    Arc::new(RoleContext::new("fuzz", Arc::new(AccessLog)))
}

/// Serves `input` from a site until the connection is over.
pub fn web(site: &Arc<Site>, input: &[u8], mut pieces: Pieces) -> Outcome {
    let mut now = now();
    let service = Arc::new(WebService { context: context(), site: Arc::clone(site) });
    let mut web = Web::new(service, client(), now.instant, &now);
    let (mut rest, mut output) = (input, Vec::new());
    for _ in 0..moves_max(input.len()) {
        let (step, interest) = (web.step(), web.interest());
        if step == Step::Finish || output.len() > OUTPUT_MAX {
            let cut = web.was_cut();
            web.finish(&now);
            return Outcome { output, cut };
        } else if step == Step::ShutClient {
            web.client_shut();
        } else if interest.write_client {
            match web.client_output() {
                Output::Bytes { first, second, .. } => {
                    output.extend_from_slice(first);
                    output.extend_from_slice(second);
                    let count = first.len() + second.len();
                    assert!(count > 0, "interest in writing, and no bytes to write");
                    web.client_sent(count, &now);
                }
                Output::File { length, .. } => {
                    let count = usize::try_from(length).unwrap().min(64 * 1024);
                    output.extend(std::iter::repeat_n(b'f', count));
                    web.client_sent(count, &now);
                }
            }
        } else if interest.read_client {
            let space = web.client_space();
            assert!(!space.is_empty(), "interest in reading, and no room to read into");
            let available = rest.len().min(space.len());
            let count = if available > 0 { pieces.next(available) } else { 0 };
            space[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            web.client_received(count, &now);
        } else {
            // Nothing to do but to wait for the delay of a test response.
            let deadline = web.deadline().expect("no step, no interest and no deadline");
            now.instant = now.instant.max(deadline);
            web.expired(&now);
        }
    }
    panic!("the machine goes on without progress");
}

/// The result of a gateway's run: what the client got, and what each connection to a back end got.
#[derive(Debug)]
pub struct Forwarded {
    pub client: Outcome,
    pub back_ends: Vec<Vec<u8>>,
}

/// The response of a back end for which the input has none.
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// Forwards `input` to back ends that send these `responses`, one on each connection, and then close.
///
/// The client's bytes are always read before a back end's, so that two runs differ in the pieces only.
pub fn exchange(input: &[u8], responses: &[&[u8]], mut pieces: Pieces) -> Forwarded {
    let mut now = now();
    let addresses = vec![([127, 0, 0, 1], 9001).into(), ([127, 0, 0, 1], 9002).into()];
    let mut routes = Routes::new(Arc::new(Group::new("default", addresses)).into());
    let pdf = Arc::new(Group::new("pdf", vec![([127, 0, 0, 1], 9003).into()]));
    routes.add(&"/pdf/".parse().expect("a good pattern"), pdf.into()).expect("there is no other");
    let gateway = Arc::new(Gateway { context: context(), routes, rules: Rules::default() });
    let mut exchange = Exchange::new(gateway, client(), now.instant, &now);
    let (mut rest, mut output) = (input, Vec::new());
    let mut back_ends: Vec<Vec<u8>> = Vec::new();
    let mut response: &[u8] = b"";
    let total = input.len() + responses.iter().map(|response| response.len()).sum::<usize>();
    for _ in 0..moves_max(total) {
        let (step, interest) = (exchange.step(), exchange.interest());
        if matches!(step, Step::Finish | Step::SwitchProtocols) {
            let cut = exchange.was_cut() || step == Step::SwitchProtocols;
            exchange.finish(&now);
            return Forwarded { client: Outcome { output, cut }, back_ends };
        } else if step == Step::ReleaseBackend {
            exchange.release_backend(&now);
        } else if step == Step::ShutClient {
            exchange.client_shut();
        } else if step == Step::Connect {
            // So much later that failures do not add up: else a back end would be taken out after some
            // of them, at a moment that depends on the pieces. The date in responses stays the same.
            now.instant += PASSIVE_WINDOW + PASSIVE_OUT;
            if exchange.choose_backend(&now, || Waker::noop().clone()).is_some() {
                // No back end refuses: whether we see a refusal before a fault in the request depends
                // on the pieces.
                response = responses.get(back_ends.len()).copied().unwrap_or(RESPONSE);
                back_ends.push(Vec::new());
                exchange.connected(false, &now);
            }
        } else if interest.write_backend {
            let [head, body] = exchange.backend_output();
            let seen = back_ends.last_mut().expect("a back end is connected");
            seen.extend_from_slice(head);
            seen.extend_from_slice(body);
            let count = head.len() + body.len();
            assert!(count > 0, "interest in writing, and no bytes to write");
            exchange.backend_sent(count, &now);
        } else if interest.write_client {
            let [head, body] = exchange.client_output();
            output.extend_from_slice(head);
            output.extend_from_slice(body);
            let count = head.len() + body.len();
            assert!(count > 0, "interest in writing, and no bytes to write");
            exchange.client_sent(count, &now);
        } else if interest.read_client && !(rest.is_empty() && interest.read_backend) {
            let space = exchange.client_space();
            assert!(!space.is_empty(), "interest in reading, and no room to read into");
            let available = rest.len().min(space.len());
            let count = if available > 0 { pieces.next(available) } else { 0 };
            space[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            exchange.client_received(count, &now);
        } else if interest.read_backend {
            let space = exchange.backend_space();
            assert!(!space.is_empty(), "interest in reading, and no room to read into");
            let available = response.len().min(space.len());
            let count = if available > 0 { pieces.next(available) } else { 0 };
            space[..count].copy_from_slice(&response[..count]);
            response = &response[count..];
            exchange.backend_received(count, &now);
        } else {
            let deadline = exchange.deadline().expect("no step, no interest and no deadline");
            now.instant = now.instant.max(deadline);
            exchange.expired(&now);
        }
    }
    panic!("the machine goes on without progress");
}

/// Panics unless these bytes, sent to a back end on one connection, are one request or the beginning of one.
pub fn assert_one_request(bytes: &[u8]) {
    let length = match HeadScan::default().advance(bytes) {
        Ok(Scan::Complete(length)) => length,
        // Cut short: the back end waits for the rest and then sees the connection end.
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
        let count = part.length();
        used += count;
    }
    assert_eq!(used, bytes.len(), "bytes behind the request: {:?}", String::from_utf8_lossy(&bytes[used..]));
}
