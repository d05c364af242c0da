//! Heads rewritten, as text: `forwarded` is what a back end gets, `answered` what a client gets.

mod peer;
mod request;
mod response;
mod trailer;
mod upgrade;

use super::*;
use crate::protocol::buffer::Buffer;
use crate::protocol::http::framing;
use crate::protocol::testing::leaked_space;
use proptest::prelude::*;
use std::time::{Instant, SystemTime};

fn rules(trust: &[&str]) -> Rules {
    let trust = trust.iter().map(|network| network.parse().unwrap()).collect();
    Rules { trust, ..Rules::default() }
}

fn epoch() -> Now {
    Now { instant: Instant::now(), wall: SystemTime::UNIX_EPOCH }
}

fn request_head(text: &str) -> RequestHead<'_> {
    RequestHead::parse(text.as_bytes(), leaked_space()).expect("a good head").expect("a complete head")
}

fn response_head(text: &str) -> ResponseHead<'_> {
    ResponseHead::parse(text.as_bytes(), leaked_space()).expect("a good head").expect("a complete head")
}

fn try_forwarded(rules: &Rules, text: &str) -> Result<String, Refusal> {
    let head = request_head(text);
    let mut out = Buffer::new();
    let framing = framing::of_request(&head).expect("good framing");
    rules.write_request_head(&head, framing, SocketAddr::from(([192, 0, 2, 7], 22530)), None, &mut out)?;
    Ok(String::from_utf8(out.bytes().to_vec()).unwrap())
}

/// The lines that a back end gets. `lines` is the request without its last empty line.
fn forwarded_by(rules: &Rules, lines: &str) -> String {
    try_forwarded(rules, &format!("{}\r\n\r\n", lines.replace('\n', "\r\n")))
        .expect("it fits")
        .replace('\r', "")
}

fn forwarded(lines: &str) -> String {
    forwarded_by(&rules(&[]), lines)
}

/// The lines that a client gets, but for the date.
fn answered(lines: &str, method: Method, connection: Option<&'static str>, client: Version) -> String {
    answered_in_full(lines, method, connection, client).replace(DATE, "")
}

const DATE: &str = "Date: Thu, 01 Jan 1970 00:00:00 GMT\n";

fn answered_in_full(
    lines: &str,
    method: Method,
    connection: Option<&'static str>,
    client: Version,
) -> String {
    let text = format!("{}\r\n\r\n", lines.replace('\n', "\r\n"));
    let head = response_head(&text);
    let framing = framing::of_response(&head, method).expect("good framing");
    let mut out = Buffer::new();
    rules(&[]).write_response_head(&head, framing, connection, client, &epoch(), &mut out).expect("it fits");
    String::from_utf8(out.bytes().to_vec()).unwrap().replace('\r', "")
}

const ADDED: &str =
    "X-Forwarded-For: 192.0.2.7\nX-Forwarded-Proto: http\nX-Forwarded-Host: a\nVia: 1.1 giliran\n\n";
