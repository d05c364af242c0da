//! Allocations for each request of a warm connection: `cargo bench --bench allocations`.
//!
//! There should be none, except for a path that has to be searched on the disk; otherwise the exit status is a
//! failure. The three machines are driven without sockets, as a driver would do it: received bytes go in, bytes
//! to send come out. This is repeated for one request after another on one keep-alive connection, or for one
//! connection after another where the name says so. `allocation-counter` counts the allocations of this thread.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant, UNIX_EPOCH};

use giliran::balance::Group;
use giliran::balance::routes::Routes;
use giliran::observe::log::AccessLog;
use giliran::protocol::context::RoleContext;
use giliran::protocol::exchange::{Exchange, Gateway};
use giliran::protocol::forward::Rules;
use giliran::protocol::now::Now;
use giliran::protocol::relay::{Relay, RelayService};
use giliran::protocol::web::{Output, Web, WebService};
use giliran::site::{Site, SiteKind};

/// Requests before the count begins, so that buffers, caches and lists have the size that they need.
const WARM_UP: u32 = 100;
/// Requests that are counted.
const COUNTED: u32 = 1000;

const PAGE: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
const PICTURE: &[u8] = b"GET /images/pokijan.jpg HTTP/1.1\r\nHost: a\r\nAccept: image/*\r\n\r\n";
const DOCUMENT: &[u8] = b"GET /pdf/nfc.pdf HTTP/1.1\r\nHost: a\r\nRange: bytes=1000-\r\n\r\n";
const FORM: &[u8] = b"POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nsatu!";
const MISSING: &[u8] = b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n";
const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nsatu";
const CHUNKED_RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsatu\r\n0\r\n\r\n";

fn main() -> ExitCode {
    let now = Now { instant: Instant::now(), wall: UNIX_EPOCH + Duration::from_secs(1_626_183_073) };
    let site =
        Site::open(SiteKind::Backend, Path::new("public")).expect("the project's folder is the current one");
    let context =
        RoleContext { keep_alive_requests: u32::MAX, ..RoleContext::new("bench", Arc::new(AccessLog)) };
    let context = Arc::new(context);
    let site = Arc::new(WebService { context: Arc::clone(&context), site: Arc::new(site) });
    let group =
        Arc::new(Group::new("bench", (9001..=9005).map(|port| ([127, 0, 0, 1], port).into()).collect()));
    let routes = Routes::new(Arc::clone(&group).into());
    let gateway = Arc::new(Gateway { context: Arc::clone(&context), routes, rules: Rules::default() });
    let service = Arc::new(RelayService { context, group });
    println!("| machine | one request | allocations | bytes |\n|---|---|---|---|");

    let mut counted = 0;
    for (what, request) in [("a fixed page", PAGE), ("a file in memory", PICTURE), ("a form", FORM)] {
        let mut web = web(&site, &now);
        counted += count("`Web`", what, || answer(&mut web, request, &now));
    }
    let mut kept = web(&site, &now);
    counted += count("`Web`", "a part of a file on the disk", || answer(&mut kept, DOCUMENT, &now));
    counted += count("`Web`", "a connection of its own", || answer(&mut web(&site, &now), PAGE, &now));
    for (what, request, said) in [
        ("kept alive on both sides", PAGE, RESPONSE),
        ("a form", FORM, RESPONSE),
        ("a chunked response", PAGE, CHUNKED_RESPONSE),
    ] {
        let mut exchange = exchange(&gateway, &now);
        counted += count("`Exchange`", what, || forward(&mut exchange, request, said, &now));
    }
    counted += count("`Exchange`", "a connection of its own", || {
        forward(&mut exchange(&gateway, &now), PAGE, RESPONSE, &now);
    });
    let mut joined = join(&service, &now);
    counted += count("`Relay`", "on an open connection", || relay(&mut joined, &now));
    counted += count("`Relay`", "a connection of its own", || relay(&mut join(&service, &now), &now));
    // Not counted: paths that do not exist are not cached.
    count("`Web`", "404, looked for on the disk", || answer(&mut kept, MISSING, &now));

    if counted == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints the allocations of one request on a warm connection; returns the count of all requests.
fn count(machine: &str, what: &str, mut request: impl FnMut()) -> u64 {
    (0..WARM_UP).for_each(|_| request());
    let counted = allocation_counter::measure(|| (0..COUNTED).for_each(|_| request()));
    let each = |total: u64| total as f64 / f64::from(COUNTED);
    println!("| {machine} | {what} | {} | {} |", each(counted.count_total), each(counted.bytes_total));
    counted.count_total
}

fn client() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 22530))
}

fn web(service: &Arc<WebService<Site>>, now: &Now) -> Web<Site> {
    Web::new(Arc::clone(service), client(), now.instant, now)
}

fn exchange(gateway: &Arc<Gateway>, now: &Now) -> Exchange {
    Exchange::new(Arc::clone(gateway), client(), now.instant, now)
}

fn join(service: &Arc<RelayService>, now: &Now) -> Relay {
    let mut relay = Relay::new(Arc::clone(service), client(), now.instant, now);
    relay.choose_backend(now, || Waker::noop().clone()).expect("all back ends are up");
    relay.connected(now);
    relay
}

/// Copies `bytes` to where a read would have put them.
fn read_into(space: &mut [u8], bytes: &[u8]) -> usize {
    space[..bytes.len()].copy_from_slice(bytes);
    bytes.len()
}

/// Request in, response out.
fn answer(web: &mut Web<Site>, request: &[u8], now: &Now) {
    let count = read_into(web.client_space(), request);
    web.client_received(count, now);
    assert!(web.interest().write_client, "a response to {}", request.escape_ascii());
    while web.interest().write_client {
        let count = match web.client_output() {
            Output::Bytes { first, second, .. } => first.len() + second.len(),
            Output::File { length, .. } => length as usize,
        };
        web.client_sent(count, now);
    }
}

/// Request in, request to the back end, its response in, response out.
fn forward(exchange: &mut Exchange, request: &[u8], said: &[u8], now: &Now) {
    let count = read_into(exchange.client_space(), request);
    exchange.client_received(count, now);
    let choice = exchange.choose_backend(now, || Waker::noop().clone()).expect("all back ends are up");
    exchange.connected(choice.may_reuse, now);
    while exchange.interest().write_backend {
        let count = exchange.backend_output().iter().map(|bytes| bytes.len()).sum();
        exchange.backend_sent(count, now);
    }
    let count = read_into(exchange.backend_space(), said);
    exchange.backend_received(count, now);
    while exchange.interest().write_client {
        let count = exchange.client_output().iter().map(|bytes| bytes.len()).sum();
        exchange.client_sent(count, now);
    }
    assert!(exchange.release_backend(now).keep, "the back end's connection may be kept");
    let interest = exchange.interest();
    assert!(interest.read_client && !interest.write_client, "the machine waits for the next request");
}

/// Bytes to the back end, bytes back to the client.
fn relay(relay: &mut Relay, now: &Now) {
    let count = read_into(relay.client_space(), PAGE);
    relay.client_received(count, now);
    relay.backend_sent(relay.backend_output().len(), now);
    let count = read_into(relay.backend_space(), RESPONSE);
    relay.backend_received(count, now);
    relay.client_sent(relay.client_output().len(), now);
}
