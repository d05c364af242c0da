//! What a gateway sets right between two programs, and what a server reads as it is meant.

use crate::support::backend::Backend;
use crate::support::client::{Client, get, request};
use crate::support::launch::Launch;
use crate::support::role::Role;
use crate::support::{Model, both};

both![
    chunk_extensions_end_at_a_gateway,
    a_chunk_too_long_is_413_when_it_is_announced,
    blanks_in_a_request_line_are_400_and_other_versions_505,
    raw_bytes_in_a_target_are_forwarded_as_escapes,
    raw_bytes_in_a_target_are_no_error_to_a_server,
    the_host_of_an_absolute_target_counts,
    a_request_without_a_host_names_the_back_end,
    via_can_be_switched_off,
    pedantry_of_a_back_end_is_no_fault,
    a_forwarder_does_its_duties,
];

/// The two gateways before one back end.
fn gateways(model: Model, backend: &Backend) -> [Role; 2] {
    [
        Launch::reverse_proxy(model, backend.address()).start(),
        Launch::balancer(model, "http", [backend.address()]).start(),
    ]
}

fn chunk_extensions_end_at_a_gateway(model: Model) {
    const SENT: &str = "4 ;a=b\r\nsatu\r\n3;c=\"d;\\\"\"\r\ndua\r\n0;e\r\nX-Jumlah: 7\r\n\r\n";
    const PASSED: &str = "4\r\nsatu\r\n3\r\ndua\r\n0\r\nX-Jumlah: 7\r\n\r\n";
    let backend = Backend::start(|visit| {
        loop {
            visit.head()?;
            let body = visit.chunked_as_it_is()?;
            let response = if body == PASSED { SENT.to_owned() } else { format!("5\r\nsalah\r\n{body}") };
            visit.send(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{response}"))?;
        }
    });
    for role in gateways(model, &backend) {
        for byte_by_byte in [false, true] {
            let text = request("POST", "/", "Transfer-Encoding: chunked\r\nConnection: close\r\n") + SENT;
            let mut client = Client::connect(role.address());
            for piece in text.as_bytes().chunks(if byte_by_byte { 1 } else { text.len() }) {
                client.send(piece);
            }
            let response = String::from_utf8(client.rest()).unwrap();
            let (head, body) = response.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 200 "), "{response}");
            assert_eq!(body, PASSED, "{response}");
        }
    }
}

fn a_chunk_too_long_is_413_when_it_is_announced(model: Model) {
    let role = Launch::web_server(model).start();
    for body in ["100001\r\n", "5\r\nhello\r\nffffc\r\n", "7fffffffffffffff;a=b\r\n"] {
        let mut client = Client::connect(role.address());
        client.send(request("POST", "/", "Transfer-Encoding: chunked\r\n") + body);
        let response = client.response();
        assert_eq!((response.status, response.field("connection")), (413, Some("close")), "{body:?}");
    }
    let mut client = Client::connect(role.address());
    let body = format!("100000\r\n{}\r\n0\r\n\r\n", "x".repeat(0x10_0000));
    client.send(request("POST", "/", "Transfer-Encoding: chunked\r\n") + &body);
    assert!(client.response().status < 500);
    assert_eq!(client.get("/").status, 200);
}

/// Sends these bytes whole, byte by byte and with further bytes behind, to the web server and both gateways; the
/// status must be the same each time.
fn expect_status(roles: &[Role], bytes: &str, status: u16) {
    for role in roles {
        for (trailing, byte_by_byte) in
            [("", false), ("", true), ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false)]
        {
            let bytes = format!("{bytes}{trailing}");
            let mut client = Client::connect(role.address());
            for piece in bytes.as_bytes().chunks(if byte_by_byte { 1 } else { bytes.len() }) {
                // Refused already: the answer is there all the same.
                if client.wire().send(piece).is_err() {
                    break;
                }
            }
            assert_eq!(client.response().status, status, "{bytes:?}");
        }
    }
}

fn blanks_in_a_request_line_are_400_and_other_versions_505(model: Model) {
    let backend = Backend::saying("satu");
    let [proxy, balancer] = gateways(model, &backend);
    let roles = [Launch::web_server(model).start(), proxy, balancer];
    for (line, status) in [
        ("GET /pa th HTTP/1.1", 400),
        ("GET /x  HTTP/1.1", 400),
        ("GET  /x HTTP/1.1", 400),
        ("GET /x HTTP/1.1 ", 400),
        ("GET /x HTTP/1.0 HTTP/1.1", 400),
        ("GET /pa th HTTP/2.0", 400),
        ("GET /x HTTP/2.0", 505),
        ("GET /x HTTP/1.2", 505),
    ] {
        expect_status(&roles, &format!("{line}\r\nHost: a\r\n\r\n"), status);
    }
    assert_eq!(backend.visits(), 0);
}

/// What the back end was asked for, and of which host.
fn forwarded(role: &Role, backend: &Backend, request: &[u8]) -> (String, String) {
    let before = backend.request_count();
    let response = Client::connect(role.address()).send(request).response();
    assert_eq!(response.text(), "satu", "{:?}", request.escape_ascii().to_string());
    let seen = backend.requests_after(before);
    (seen[0].head.word(1).to_owned(), seen[0].head.all("host").join(" and "))
}

fn raw_bytes_in_a_target_are_forwarded_as_escapes(model: Model) {
    let backend = Backend::saying("satu");
    for role in gateways(model, &backend) {
        for (target, expected) in [
            (&b"/caf\xc3\xa9?q=\xc3\xa9"[..], "/caf%C3%A9?q=%C3%A9"),
            (b"/caf\xe9?q=\xe9", "/caf%E9?q=%E9"),
            (b"/%c3\xa9/\xff", "/%c3%A9/%FF"),
            (b"http://a/\xe9", "/%E9"),
        ] {
            let bytes = [b"GET ", target, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
            assert_eq!(forwarded(&role, &backend, &bytes), (expected.to_owned(), "a".to_owned()));
        }
    }
}

fn raw_bytes_in_a_target_are_no_error_to_a_server(model: Model) {
    let server = Launch::web_server(model).start();
    for target in [&b"/tidak-ada-\xe9"[..], b"/tidak-ada-\xc3\xa9", b"/tidak-ada-%C3%A9"] {
        let bytes = [b"GET ", target, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
        for size in [1, bytes.len()] {
            let mut client = Client::connect(server.address());
            for piece in bytes.chunks(size) {
                client.send(piece);
            }
            assert_eq!(client.response().status, 404, "{:?}", bytes.escape_ascii().to_string());
        }
    }
}

fn the_host_of_an_absolute_target_counts(model: Model) {
    let backend = Backend::saying("satu");
    for role in gateways(model, &backend) {
        for (target, path, host) in [
            ("http://localhost:80/h.txt", "/h.txt", "localhost:80"),
            ("http://localhost?x", "/?x", "localhost"),
            ("http://lain.example", "/", "lain.example"),
            ("HTTP://lain.example/a?b=http://c/", "/a?b=http://c/", "lain.example"),
        ] {
            let bytes = request("GET", target, "");
            let seen = forwarded(&role, &backend, bytes.as_bytes());
            assert_eq!(seen, (path.to_owned(), host.to_owned()), "{target}");
        }
    }
    let server = Launch::web_server(model).start();
    for target in ["http://localhost:80/", "http://localhost?x", "http://lain.example/santai"] {
        assert_eq!(get(server.address(), target).status, 200, "{target}");
    }
}

fn a_request_without_a_host_names_the_back_end(model: Model) {
    let backend = Backend::saying("satu");
    for role in gateways(model, &backend) {
        for request in ["GET /a HTTP/1.0\r\n\r\n", "GET /a HTTP/1.1\r\nHost:\r\n\r\n"] {
            let seen = forwarded(&role, &backend, request.as_bytes());
            assert_eq!(seen, ("/a".to_owned(), backend.address().to_string()), "{request:?}");
        }
        let seen = forwarded(&role, &backend, b"GET /a HTTP/1.0\r\nHost: b\r\n\r\n");
        assert_eq!(seen.1, "b");
    }
}

fn via_can_be_switched_off(model: Model) {
    let backend = Backend::saying("satu");
    for (role, has_via) in [
        (Launch::reverse_proxy(model, backend.address()).switch("--no-via").start(), false),
        (Launch::balancer(model, "http", [backend.address()]).switch("--no-via").start(), false),
        (Launch::reverse_proxy(model, backend.address()).start(), true),
    ] {
        let before = backend.request_count();
        let response = get(role.address(), "/");
        assert_eq!(response.field("via").is_some(), has_via, "{response:?}");
        let seen = backend.requests_after(before);
        assert_eq!(seen[0].head.field("via").is_some(), has_via, "{seen:?}");
    }
}

fn pedantry_of_a_back_end_is_no_fault(model: Model) {
    const ANSWERS: [&str; 5] = [
        "HTTP/1.1 200 OK\r\nContent-Length : 4\r\n\r\nsatu",
        "HTTP/1.1 200 OK\r\nX \t: y\r\nTransfer-Encoding : chunked\r\n\r\n4\r\nsatu\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4 \r\nsatu\r\n0 \t\r\nT : x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 4\r\n\r\nsatu",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nConnection: close\r\n\r\nsatu",
    ];
    let backend = Backend::start(|visit| {
        loop {
            let number: usize = visit.request()?.head.word(1)[1..].parse().unwrap();
            let response = ANSWERS[number % ANSWERS.len()];
            if number < ANSWERS.len() {
                visit.send(response)?
            } else {
                visit.drip(response)?
            }
            if response.contains("close") {
                return Ok(());
            }
        }
    });
    for role in gateways(model, &backend) {
        // Often enough that a back end would be taken out if it counted.
        for number in 0..ANSWERS.len() * 2 {
            let response = get(role.address(), &format!("/{number}"));
            assert_eq!((response.status, response.text()), (200, "satu"), "{number}");
            assert!(response.fields.iter().all(|(name, _)| !name.ends_with([' ', '\t'])), "{response:?}");
        }
    }
}

fn a_forwarder_does_its_duties(model: Model) {
    let backend = Backend::start(|visit| {
        loop {
            let asked = visit.request()?;
            visit.send(match asked.head.word(1) {
                "/426" => &b"HTTP/1.1 426 Naik\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n"[..],
                "/tanggal" => b"HTTP/1.1 200 OK\r\nDate: Tue, 13 Jul 2021 13:31:13 GMT\r\nContent-Length: 0\r\n\r\n",
                _ => b"HTTP/1.1 404 Tak ditemukan \xe9\xc3\xa9\r\nContent-Length: 0\r\n\r\n",
            })?;
        }
    });
    for role in gateways(model, &backend) {
        let response = get(role.address(), "/426");
        assert_eq!(response.field("upgrade"), Some("websocket"), "{response:?}");
        assert!(response.field("connection").unwrap().contains("Upgrade"), "{response:?}");
        assert_eq!(response.all("date").len(), 1, "{response:?}");
        assert_eq!(get(role.address(), "/tanggal").all("date"), ["Tue, 13 Jul 2021 13:31:13 GMT"]);
        let mut client = Client::connect(role.address());
        let bytes = client.send(request("GET", "/frasa", "Connection: close\r\n")).rest();
        assert!(
            bytes.starts_with(b"HTTP/1.1 404 Tak ditemukan \xe9\xc3\xa9\r\n"),
            "{}",
            bytes.escape_ascii()
        );
    }
}
