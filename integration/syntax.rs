//! What a gateway sets right between two programs, and what a server reads as it is meant.

use crate::support::backend::{Backend, ok};
use crate::support::client::{Client, get, request};
use crate::support::launch::Launch;
use crate::support::role::Role;
use crate::support::{Model, both};

both![chunk_extensions_end_at_a_gateway, a_chunk_too_long_is_413_when_it_is_announced,];

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
            let answer = if body == PASSED { SENT.to_owned() } else { format!("5\r\nsalah\r\n{body}") };
            visit.send(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{answer}"))?;
        }
    });
    for role in gateways(model, &backend) {
        for byte_by_byte in [false, true] {
            let text = request("POST", "/", "Transfer-Encoding: chunked\r\nConnection: close\r\n") + SENT;
            let mut client = Client::connect(role.address());
            for piece in text.as_bytes().chunks(if byte_by_byte { 1 } else { text.len() }) {
                client.send(piece);
            }
            let answer = String::from_utf8(client.rest()).unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
            assert_eq!(body, PASSED, "{answer}");
        }
    }
}

fn a_chunk_too_long_is_413_when_it_is_announced(model: Model) {
    let role = Launch::web_server(model).start();
    for body in ["100001\r\n", "5\r\nhello\r\nffffc\r\n", "7fffffffffffffff;a=b\r\n"] {
        let mut client = Client::connect(role.address());
        client.send(request("POST", "/", "Transfer-Encoding: chunked\r\n") + body);
        let answer = client.answer();
        assert_eq!((answer.status, answer.field("connection")), (413, Some("close")), "{body:?}");
    }
    let mut client = Client::connect(role.address());
    let body = format!("100000\r\n{}\r\n0\r\n\r\n", "x".repeat(0x10_0000));
    client.send(request("POST", "/", "Transfer-Encoding: chunked\r\n") + &body);
    assert!(client.answer().status < 500);
    assert_eq!(client.get("/").status, 200);
}
