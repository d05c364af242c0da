//! The PROXY protocol: clients that come through a proxy, and back ends that are told of them.

use std::time::Duration;

use crate::support::backend::{Backend, ok};
use crate::support::client::{Client, get, request};
use crate::support::launch::Launch;
use crate::support::needs::{CURL, lacks};
use crate::support::peer;
use crate::support::{Model, both};

both![
    a_relay_tells_its_log_who_the_client_is,
    a_gateway_forwards_the_address_that_was_told,
    a_server_answers_behind_a_header,
    a_header_in_pieces_is_a_header,
    the_untrusted_are_closed_and_said_so,
    what_is_no_header_is_closed,
    a_header_that_does_not_come_has_the_time_of_a_head,
    nobody_trusted_is_an_error_at_start,
    a_relay_introduces_its_clients,
    a_relay_introduces_a_client_that_waits_for_the_back_end,
    a_gateway_introduces_each_client_on_a_connection_of_its_own,
    a_role_introduces_clients_to_another,
    checks_introduce_themselves,
    curl_sends_a_header,
];

const TOLD: &str = "PROXY TCP4 203.0.113.9 198.51.100.1 49152 80\r\n";

/// The same in version 2.
const TOLD_BINARY: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x09\xc6\x33\x64\x01\xc0\0\0\x50";

fn accepting(launch: Launch) -> Launch {
    launch.switch("--proxy-protocol").flag("--trust", "127.0.0.0/8")
}

fn a_relay_tells_its_log_who_the_client_is(model: Model) {
    let backend = Backend::echoing();
    let role = accepting(Launch::balancer(model, "tcp", [backend.address()])).start();
    for header in [TOLD.as_bytes(), TOLD_BINARY] {
        let mut client = Client::connect(role.address());
        client.send(header).send("gema");
        assert_eq!(client.finish_sending().rest(), b"gema");
    }
    let told = |line: &str| line.contains("connection from 203.0.113.9:49152");
    assert!(role.process().err.wait_nth(1, told).is_some(), "{}", role.log());
    role.wait_for_log("closed role=lb-");
    role.wait_for_log("client=203.0.113.9:49152");
}

fn a_gateway_forwards_the_address_that_was_told(model: Model) {
    let backend = Backend::saying("satu");
    for (place, header) in [TOLD.as_bytes(), TOLD_BINARY].into_iter().enumerate() {
        let role = accepting(Launch::reverse_proxy(model, backend.address())).start();
        let mut client = Client::connect(role.address());
        client.send(header);
        assert_eq!(client.get("/").text(), "satu");
        // The proxy is trusted, its client is not: what that says of others is not believed.
        assert_eq!(client.ask("GET", "/", "X-Forwarded-For: 1.2.3.4\r\n").text(), "satu");
        for nth in 0..2 {
            let seen = backend.wait_for_request(2 * place + nth);
            assert_eq!(seen.head.all("x-forwarded-for"), ["203.0.113.9"]);
        }
        drop(client);
        role.wait_for_log("client=203.0.113.9:49152");
    }
}

fn a_server_answers_behind_a_header(model: Model) {
    let role = accepting(Launch::web_server(model)).start();
    for header in [TOLD.as_bytes(), TOLD_BINARY] {
        let mut client = Client::connect(role.address());
        // All in one piece, and pipelined.
        let requests = request("GET", "/", "").repeat(2);
        client.send([header, requests.as_bytes()].concat());
        assert_eq!((client.response().status, client.response().status), (200, 200));
        assert_eq!(client.get("/").status, 200, "no second header");
    }
    role.wait_for_log("client=203.0.113.9:49152");
}

fn a_header_in_pieces_is_a_header(model: Model) {
    let role = accepting(Launch::web_server(model)).start();
    for header in [TOLD.as_bytes(), TOLD_BINARY] {
        let mut client = Client::connect(role.address());
        for byte in header {
            client.send([*byte]);
        }
        assert_eq!(client.get("/").status, 200);
    }
}

fn the_untrusted_are_closed_and_said_so(model: Model) {
    let backend = Backend::saying("satu");
    for launch in [
        Launch::web_server(model),
        Launch::balancer(model, "http", [backend.address()]),
        Launch::balancer(model, "tcp", [backend.address()]),
    ] {
        let role = launch.switch("--proxy-protocol").flag("--trust", "192.0.2.0/24").start();
        let mut client = Client::connect(role.address());
        let port = client.wire().stream().local_addr().unwrap().port();
        // It may be closed before it has said anything.
        let _ = client.wire().send(TOLD.as_bytes());
        client.expect_end();
        role.wait_for_log(&format!("127.0.0.1:{port} is closed: PROXY headers are taken from --trust only"));
    }
}

fn what_is_no_header_is_closed(model: Model) {
    let backend = Backend::saying("satu");
    for launch in [
        Launch::web_server(model),
        Launch::balancer(model, "http", [backend.address()]),
        Launch::balancer(model, "tcp", [backend.address()]),
    ] {
        let role = accepting(launch).start();
        let mut client = Client::connect(role.address());
        client.send(request("GET", "/", ""));
        client.expect_end();
        role.wait_for_log("is closed: it does not begin with a PROXY header");
    }
    assert!(backend.requests().is_empty());
}

fn a_header_that_does_not_come_has_the_time_of_a_head(model: Model) {
    let backend = Backend::saying("satu");
    for launch in [
        Launch::web_server(model),
        Launch::balancer(model, "http", [backend.address()]),
        Launch::balancer(model, "tcp", [backend.address()]),
    ] {
        let role = accepting(launch).flag("--header-timeout", "300ms").start();
        let mut client = Client::connect(role.address());
        client.send(&TOLD[..20]);
        client.expect_silence(Duration::from_millis(100));
        client.expect_end();
    }
}

fn nobody_trusted_is_an_error_at_start(model: Model) {
    let ended = Launch::web_server(model).switch("--proxy-protocol").end();
    assert_eq!(ended.status, Some(2));
    assert!(ended.err.contains("--proxy-protocol") && ended.err.contains("--trust"), "{}", ended.err);
}

fn a_relay_introduces_its_clients(model: Model) {
    let backend = Backend::echoing();
    let role = Launch::balancer(model, "tcp", [backend.address()]).flag("--send-proxy", "v1").start();
    let mut client = Client::connect(role.address());
    let from = client.wire().stream().local_addr().unwrap().port();
    client.send("gema");
    let header = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {from} {}\r\n", role.address().port());
    assert_eq!(client.finish_sending().rest(), format!("{header}gema").into_bytes());
}

fn a_relay_introduces_a_client_that_waits_for_the_back_end(model: Model) {
    let backend = Backend::start(|visit| {
        let header = visit.some()?;
        visit.send([b"220 ".as_slice(), &header].concat())
    });
    let role = Launch::balancer(model, "tcp", [backend.address()]).flag("--send-proxy", "v2").start();
    let mut client = Client::connect(role.address());
    let response = client.rest();
    assert!(
        response.starts_with(b"220 \r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01"),
        "{response:?}"
    );
    assert_eq!(response.len(), 4 + 16 + 12);
}

fn a_gateway_introduces_each_client_on_a_connection_of_its_own(model: Model) {
    let backend = Backend::start(|visit| {
        loop {
            let header = visit.line()?;
            visit.request()?;
            visit.send(ok(&header))?;
        }
    });
    let launch = Launch::balancer(model, "http", [backend.address()]).flag("--health-interval", "off");
    let role = launch.flag("--send-proxy", "v1").start();
    for nth in 0..2 {
        let mut client = Client::connect(role.address());
        let from = client.wire().stream().local_addr().unwrap().port();
        let header = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {from} {}", role.address().port());
        assert_eq!(client.get("/").text(), header);
        assert_eq!(client.get("/").text(), header);
        assert_eq!(backend.visits(), 2 * (nth + 1), "no connection is used twice");
    }
}

fn a_role_introduces_clients_to_another(model: Model) {
    for (mode, version) in [("tcp", "v1"), ("tcp", "v2"), ("http", "v1"), ("http", "v2")] {
        let server = accepting(Launch::web_server(model)).start();
        let launch = Launch::balancer(model, mode, [server.address()]).flag("--send-proxy", version);
        let role = accepting(launch).start();
        let mut client = Client::connect(role.address());
        client.send(TOLD);
        assert_eq!(client.get("/").status, 200, "{mode} {version}");
        drop(client);
        server.wait_for_log("connection from 203.0.113.9:49152");
    }
}

fn checks_introduce_themselves(model: Model) {
    let server = accepting(Launch::web_server(model)).flag("--log", "debug").start();
    let launch = Launch::balancer(model, "http", [server.address()]).flag("--send-proxy", "v2");
    let role = launch.flag("--health-interval", "50ms").start();
    // At debug the server logs a check's request as any other, under the balancer's own address.
    let checked = |line: &str| line.contains("client=127.0.0.1:") && line.contains("HEAD /");
    assert!(server.process().err.wait_nth(4, checked).is_some(), "{}", server.log());
    assert_eq!(get(role.address(), "/").status, 200);
    assert!(!role.log().contains("is out"), "{}", role.log());
}

fn curl_sends_a_header(model: Model) {
    if lacks(&[CURL]) {
        return;
    }
    let server = accepting(Launch::web_server(model)).start();
    let said = peer::curl(["--haproxy-protocol", &server.url("/?size=5")]);
    assert_eq!(said.out.len(), 5, "{said:?}");
}
