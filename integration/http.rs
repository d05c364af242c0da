//! HTTP on the wire as a server speaks it: connections, splits, bodies, limits, refusals.

use std::time::Duration;

use crate::support::client::{Client, Response, post, request};
use crate::support::launch::Launch;
use crate::support::role::Role;
use crate::support::{Model, both};

both![
    a_connection_is_kept_and_closed_as_asked,
    http_1_0_is_closed_unless_kept,
    pipelined_answers_come_in_order,
    a_request_may_be_split_at_every_byte,
    empty_lines_before_a_request_are_passed_over,
    a_client_that_has_finished_sending_gets_its_answers,
    expect_100_continue_is_answered_before_the_body,
    bodies_are_read_to_their_end,
    a_body_too_large_is_413_and_can_be_read_while_sending,
    a_body_that_is_all_framing_is_refused,
    a_head_too_large_is_refused_by_name,
    a_slow_head_is_408,
    a_head_dripped_past_its_deadline_is_408,
    an_idle_connection_is_closed,
    doubtful_framing_is_refused_and_closed,
    broken_heads_are_refused_and_closed,
    broken_chunks_are_refused_and_closed,
    a_tls_hello_gets_an_answer_and_an_end,
    a_client_that_resets_costs_nobody_else,
    a_head_that_breaks_off_is_in_the_log,
];

const PAGE: &str = "Ini Adalah web Server percobaan";

fn server(model: Model) -> Role {
    Launch::web_server(model).start()
}

fn a_connection_is_kept_and_closed_as_asked(model: Model) {
    let role = server(model);
    let mut client = Client::connect(role.address());
    for _ in 0..5 {
        assert_eq!(client.get("/").text(), PAGE);
    }
    let last = client.ask("GET", "/", "Connection: close\r\n");
    assert_eq!((last.text(), last.field("connection")), (PAGE, Some("close")));
    client.expect_end();
}

fn http_1_0_is_closed_unless_kept(model: Model) {
    let role = server(model);
    let mut client = Client::connect(role.address());
    assert_eq!(client.send("GET / HTTP/1.0\r\n\r\n").response().text(), PAGE);
    client.expect_end();

    let mut client = Client::connect(role.address());
    for _ in 0..3 {
        let kept = client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").response();
        assert_eq!(kept.text(), PAGE);
        assert!(kept.field("connection").unwrap().eq_ignore_ascii_case("keep-alive"), "{kept:?}");
        assert_eq!(kept.length().unwrap(), Some(31), "without a length the end would be the only frame");
    }
    // Chunks are unknown to HTTP/1.0.
    let whole = client.send("GET /?size=100&chunked=1 HTTP/1.0\r\n\r\n").response();
    assert_eq!((whole.is_chunked(), whole.body.len()), (false, 100));
}

fn pipelined_answers_come_in_order(model: Model) {
    let role = server(model);
    let mut client = Client::connect(role.address());
    let sizes = [20_000, 0, 1, 100_000, 31];
    let mut all = Vec::new();
    for size in sizes {
        all.extend(request("GET", &format!("/?size={size}"), "").into_bytes());
        all.extend(post("/", b"isi"));
    }
    client.send(all);
    for size in sizes {
        assert_eq!(client.response().body.len(), size);
        assert_eq!(client.response().text(), "kosong");
    }
}

fn a_request_may_be_split_at_every_byte(model: Model) {
    let role = server(model);
    let bytes = post("/", b"satu\r\n\r\n");
    for split in 1..bytes.len() {
        let mut client = Client::connect(role.address());
        client.send(&bytes[..split]).send(&bytes[split..]);
        assert_eq!(client.response().text(), "kosong", "split at {split}");
    }
    let mut client = Client::connect(role.address());
    for byte in &bytes {
        client.send([*byte]);
    }
    assert_eq!(client.response().text(), "kosong");
}

fn empty_lines_before_a_request_are_passed_over(model: Model) {
    let role = server(model);
    let mut client = Client::connect(role.address());
    client.send(format!("\r\n\r\n{0}\r\n{0}", request("GET", "/", "")));
    assert_eq!((client.response().status, client.response().status), (200, 200));
}

fn a_client_that_has_finished_sending_gets_its_answers(model: Model) {
    let role = server(model);
    let mut client = Client::connect(role.address());
    client.send(request("GET", "/?size=300000", "").repeat(3)).finish_sending();
    for _ in 0..3 {
        assert_eq!(client.response().body.len(), 300_000);
    }
    client.expect_end();
}

fn expect_100_continue_is_answered_before_the_body(model: Model) {
    let role = server(model);
    let mut client = Client::connect(role.address());
    let head = request("POST", "/", "Content-Length: 4\r\nExpect: 100-continue\r\n");
    assert_eq!(client.send(head).response().status, 100);
    let response = client.send("satu").response();
    assert_eq!((response.status, response.text()), (200, "kosong"));
    assert_eq!(client.get("/").status, 200);
}

fn bodies_are_read_to_their_end(model: Model) {
    let role = server(model);
    let mut client = Client::connect(role.address());
    let chunked = request("POST", "/", "Transfer-Encoding: chunked\r\nTrailer: T\r\n");
    for body in
        ["0\r\n\r\n", "4\r\nsatu\r\n0\r\n\r\n", "4;a=\"b\"\r\nsatu\r\n00a\r\n0123456789\r\n0\r\nT: x\r\n\r\n"]
    {
        assert_eq!(client.send(format!("{chunked}{body}")).response().text(), "kosong", "{body:?}");
    }
    let large = vec![b'x'; 1024 * 1024];
    assert_eq!(client.send(post("/", &large)).response().text(), "kosong");
    assert_eq!(client.get("/").text(), PAGE, "nothing of a body is taken for a request");
}

fn a_body_too_large_is_413_and_can_be_read_while_sending(model: Model) {
    let role = server(model);
    let megabyte = 1024 * 1024;
    let announced = request("POST", "/", &format!("Content-Length: {}\r\n", megabyte + 1));
    let large = request("POST", "/", &format!("Content-Length: {}\r\n", 8 * megabyte));
    let chunked = format!("{}200000\r\n", request("POST", "/", "Transfer-Encoding: chunked\r\n"));
    // All of the large one is sent before a byte of the answer is read.
    for (head, body) in [(announced, megabyte / 2), (large, 8 * megabyte), (chunked, megabyte + megabyte / 2)]
    {
        let mut client = Client::connect(role.address());
        client.send(head).send(vec![b'x'; body]);
        assert_eq!(client.response().status, 413);
        client.expect_end();
    }
}

fn a_body_that_is_all_framing_is_refused(model: Model) {
    let role = server(model);
    let chunk = format!("1;{}\r\nx\r\n", "y".repeat(200));
    let mut client = Client::connect(role.address());
    client.send(request("POST", "/", "Transfer-Encoding: chunked\r\n") + &chunk.repeat(1000));
    assert_eq!(client.response().status, 400);
    let small = "1\r\nx\r\n".repeat(10_000) + "0\r\n\r\n";
    let mut client = Client::connect(role.address());
    client.send(request("POST", "/", "Transfer-Encoding: chunked\r\n") + &small);
    assert_eq!(client.response().status, 200);
}

fn a_head_too_large_is_refused_by_name(model: Model) {
    let role = server(model);
    let long_field = format!("X: {}\r\n", "x".repeat(17 * 1024));
    for (bytes, status) in [
        (request("GET", &format!("/{}", "a".repeat(9 * 1024)), ""), 414),
        (request("GET", "/", &long_field), 431),
        (request("GET", "/", &"X: y\r\n".repeat(101)), 431),
        (format!("GET / HTTP/1.1\r\n{}", "X: y\r\n".repeat(4000)), 431), // and no end to it
    ] {
        let mut client = Client::connect(role.address());
        assert_eq!(client.send(&bytes).response().status, status);
        client.expect_end();
    }
    let below = format!("X: {}\r\n", "x".repeat(14 * 1024));
    assert_eq!(Client::connect(role.address()).ask("GET", "/", &below).status, 200);
}

fn a_slow_head_is_408(model: Model) {
    let role = Launch::web_server(model).flag("--header-timeout", "300ms").start();
    let mut client = Client::connect(role.address());
    assert_eq!(client.send("GET / HTTP/1.1\r\nHost: loc").response().status, 408);
    client.expect_end();
}

fn a_head_dripped_past_its_deadline_is_408(model: Model) {
    let role = Launch::web_server(model).flag("--header-timeout", "500ms").start();
    let mut client = Client::connect(role.address());
    client.send("GET / HTTP/1.1\r\nX: ");
    // Each byte comes well within the deadline; only all of them together do not.
    let drips = (0..50).take_while(|_| {
        let silent = client.wire().is_silent_for(Duration::from_millis(100));
        silent && client.wire().send(b"x").is_ok()
    });
    let drips = drips.count();
    assert!((2..50).contains(&drips), "cut after {drips} drips");
    assert_eq!(client.response().status, 408);
}

fn an_idle_connection_is_closed(model: Model) {
    let role = Launch::web_server(model).flag("--keep-alive", "300ms").start();
    let mut client = Client::connect(role.address());
    assert_eq!(client.get("/").status, 200);
    client.expect_end();
}

/// Sends `bytes` with a request behind it, and expects one answer of this status and then the end:
/// what follows a message of unknown length may not be taken for a request.
fn expect_refused(role: &Role, bytes: &str, status: u16) -> Response {
    let mut client = Client::connect(role.address());
    client.send(format!("{bytes}{}", request("GET", "/santai", "")));
    let response = client.response();
    assert_eq!(response.status, status, "{bytes:?}");
    assert!(
        !response.body.is_empty() && response.field("connection") == Some("close"),
        "{bytes:?}: {response:?}"
    );
    client.expect_end();
    response
}

fn doubtful_framing_is_refused_and_closed(model: Model) {
    let role = server(model);
    for (fields, status) in [
        ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", 400),
        ("Content-Length: 4\r\nContent-Length: 5\r\n", 400),
        ("Content-Length: 4, 5\r\n", 400),
        ("Content-Length: +4\r\n", 400),
        ("Content-Length: -4\r\n", 400),
        ("Content-Length: 0x4\r\n", 400),
        ("Content-Length: 4 4\r\n", 400),
        ("Content-Length: 99999999999999999999\r\n", 400),
        ("Transfer-Encoding: chunked, chunked\r\n", 400),
        ("Transfer-Encoding: chunked, gzip\r\n", 400),
        ("Transfer-Encoding: gzip, chunked\r\n", 501),
        ("Transfer-Encoding : chunked\r\n", 400),
        ("Content-Length\r\n", 400),
        (" Content-Length: 4\r\n", 400),
    ] {
        expect_refused(&role, &request("POST", "/", fields), status);
    }
    expect_refused(&role, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
}

fn broken_heads_are_refused_and_closed(model: Model) {
    let role = server(model);
    for (head, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 400),
        ("GET tanpa-garis HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTX/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /\r\n\r\n", 400),
        ("ini bukan http\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ] {
        expect_refused(&role, head, status);
    }
}

fn broken_chunks_are_refused_and_closed(model: Model) {
    let role = server(model);
    let head = request("POST", "/", "Transfer-Encoding: chunked\r\n");
    for body in [
        "x\r\n",
        "-1\r\n",
        "+1\r\n",
        "0x1\r\na\r\n",
        "1\r\nab\r\n",
        "\r\n",
        "10000000000000000\r\n",
        "1 \ra\r\n",
    ] {
        expect_refused(&role, &format!("{head}{body}"), 400);
    }
}

fn a_tls_hello_gets_an_answer_and_an_end(model: Model) {
    let role = server(model);
    let mut client = Client::connect(role.address());
    client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n");
    assert_eq!(client.response().status, 400);
    client.expect_end();
}

fn a_client_that_resets_costs_nobody_else(model: Model) {
    let role = server(model);
    for _ in 0..50 {
        let mut client = Client::connect(role.address());
        client.send(request("GET", "/?size=1000000", ""));
        let linger = socket2::SockRef::from(client.wire().stream()).set_linger(Some(Duration::ZERO));
        linger.unwrap();
    }
    assert_eq!(Client::connect(role.address()).get("/").text(), PAGE);
}

fn a_head_that_breaks_off_is_in_the_log(model: Model) {
    let server = server(model);
    for role in [&server, &Launch::reverse_proxy(model, server.address()).start()] {
        let mut client = Client::connect(role.address());
        client.get("/");
        client.send("GET /santai HTTP/1.1\r\nHo").finish_sending().expect_end();
        let line = role.wait_for_log("outcome=\"client closed in request head\"");
        assert!(line.contains(" request=\"GET /santai HTTP/1.1\" bytes_in=24 "), "{line}");
        // One that said nothing has broken nothing off.
        Client::connect(role.address()).finish_sending().expect_end();
        assert_eq!(role.logged(" closed role="), 2);
    }
}
