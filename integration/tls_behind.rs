//! TLS towards back ends: whom we believe, what is asked for, and what becomes of those who do not speak it.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::version::{TLS12, TLS13};
use rustls::{ServerConnection, SupportedProtocolVersion};

use crate::support::backend::{Backend, Visit, ok};
use crate::support::client::{Client, get, post, request};
use crate::support::launch::Launch;
use crate::support::noise::Noise;
use crate::support::role::Role;
use crate::support::tls::{Authority, DAY, Identity, Setup};
use crate::support::{Model, both};

both![
    requests_reach_a_back_end_over_tls,
    a_relay_encrypts_what_it_passes_on,
    a_back_end_with_the_wrong_name_is_not_spoken_to,
    a_back_end_that_has_expired_is_not_spoken_to,
    a_back_end_of_unknown_origin_is_not_spoken_to_and_the_log_helps,
    a_certificate_that_vouches_for_itself_is_believed_if_it_was_named,
    a_back_end_without_tls_is_no_back_end,
    a_back_end_that_stalls_in_the_handshake_is_passed_over,
    a_back_end_that_closes_in_the_handshake_is_passed_over,
    a_body_that_ends_without_a_word_is_cut,
    a_complete_response_without_a_word_behind_it_is_complete,
    connections_are_kept_and_not_shared_between_names,
    bytes_behind_a_response_are_no_other_response,
    a_back_end_may_greet_with_its_first_bytes,
    a_long_chain_of_certificates_is_read_whole,
    responses_may_come_in_records_of_any_size,
    sessions_are_taken_up_again,
    checks_speak_tls_too,
    checks_fail_with_a_reason,
    tls_on_both_sides,
];

/// A proxy and a balancer of requests before `back_end`, as it is written in a flag.
fn gateways(model: Model, setup: &Setup, back_end: &str) -> [Role; 2] {
    let proxy = Launch::role("reverse-proxy", model).flag("--default", back_end);
    let balancer = Launch::balancer(model, "http", []).flag("--backend", back_end);
    [proxy, balancer].map(|launch| setup.behind(launch).flag("--health-interval", "off").start())
}

fn relay(model: Model, setup: &Setup, back_end: &str) -> Role {
    setup.behind(Launch::balancer(model, "tcp", []).flag("--backend", back_end)).checked("off").start()
}

fn url(backend: &Backend) -> String {
    format!("https://localhost:{}", backend.address().port())
}

/// Gives every request 200 and its own text, kept open.
fn echo(visit: &mut Visit) -> io::Result<()> {
    loop {
        let seen = visit.request()?;
        let mut response =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", seen.body.len()).into_bytes();
        response.extend(seen.body);
        visit.send(response)?;
    }
}

/// What a client gets where no back end is spoken to, and what the log says about that.
fn expect_no_back_end(model: Model, setup: &Setup, identity: &Identity, words: &str) {
    let backend = Backend::secure(identity.server(), echo);
    for role in gateways(model, setup, &url(&backend)) {
        let response = get(role.address(), "/");
        assert_eq!(response.status, 502, "{}", role.log());
        let status = response.field("proxy-status").unwrap();
        assert!(status.contains("error=tls_protocol_error"), "{status}");
        let line = role.wait_for_log("no TLS with localhost");
        assert!(line.contains("[WARN ]") && line.contains(words), "{line}");
    }
    let role = relay(model, setup, &url(&backend));
    Client::connect(role.address()).expect_end();
    role.wait_for_log("no TLS with localhost");
    assert_eq!(backend.request_count(), 0);
}

fn requests_reach_a_back_end_over_tls(model: Model) {
    let setup = Setup::new();
    for version in [&TLS12, &TLS13] {
        let backend = Backend::secure(setup.identity.server_of(&[version]), |visit| {
            assert_eq!(visit.asked_for().as_deref(), Some("localhost"));
            echo(visit)
        });
        for role in gateways(model, &setup, &url(&backend)) {
            let mut client = Client::connect(role.address());
            let body = Noise::new(1).take_bytes(3_000_000);
            for _ in 0..3 {
                let response = client.send(post("/", &body)).response();
                assert!(response.status == 200 && response.body == body, "{}", role.log());
            }
        }
    }
}

fn a_relay_encrypts_what_it_passes_on(model: Model) {
    let setup = Setup::new();
    let backend = Backend::secure(setup.identity.server(), |visit| {
        loop {
            match visit.some()? {
                bytes if bytes.is_empty() => return visit.finish_sending(),
                bytes => visit.send(bytes)?,
            }
        }
    });
    let role = relay(model, &setup, &url(&backend));
    let mut client = Client::connect(role.address());
    let bytes = Noise::new(2).take_bytes(400_000);
    client.send(&bytes);
    assert!(client.wire().exact(bytes.len()).unwrap() == bytes);
    client.send("akhir").finish_sending();
    assert_eq!(client.rest(), b"akhir");
}

fn a_back_end_with_the_wrong_name_is_not_spoken_to(model: Model) {
    let setup = Setup::new();
    expect_no_back_end(model, &setup, &setup.authority.issue(&["lain.test"]), "not valid for name");
}

fn a_back_end_that_has_expired_is_not_spoken_to(model: Model) {
    let setup = Setup::new();
    let expired = setup.authority.issue_until(&["localhost"], SystemTime::now() - DAY);
    expect_no_back_end(model, &setup, &expired, "expired");
}

fn a_back_end_of_unknown_origin_is_not_spoken_to_and_the_log_helps(model: Model) {
    let (setup, stranger) = (Setup::new(), Authority::new().issue(&["localhost"]));
    expect_no_back_end(model, &setup, &stranger, "name its authority with --backend-ca");
}

fn a_certificate_that_vouches_for_itself_is_believed_if_it_was_named(model: Model) {
    for is_authority in [false, true] {
        let (setup, own) = (Setup::new(), Identity::self_signed(&["localhost"], is_authority));
        expect_no_back_end(model, &setup, &own, "");
        setup.write("authority.pem", own.chain_pem());
        let backend = Backend::secure(own.server(), echo);
        for role in gateways(model, &setup, &url(&backend)) {
            assert_eq!(get(role.address(), "/").status, 200, "{}", role.log());
        }
        // Its name must be right all the same.
        let by_address = format!("https://{}", backend.address());
        for role in gateways(model, &setup, &by_address) {
            assert_eq!(get(role.address(), "/").status, 502);
            role.wait_for_log("not valid for name");
        }
    }
}

fn a_back_end_without_tls_is_no_back_end(model: Model) {
    let setup = Setup::new();
    let backend = Backend::start(|visit| {
        // As a server of plain HTTP, it takes the greeting for a bad request.
        visit.some()?;
        visit.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    });
    for role in gateways(model, &setup, &url(&backend)) {
        let response = get(role.address(), "/");
        assert_eq!(response.status, 502);
        assert!(response.field("proxy-status").unwrap().contains("error=tls_protocol_error"));
        role.wait_for_log("no TLS with localhost");
    }
}

/// A back end that breaks off is tried first, and the other serves the request.
fn expect_passed_over(model: Model, setup: &Setup, bad: &Backend, connect_timeout: &str) {
    let good = Backend::secure(setup.identity.server(), echo);
    let proxy =
        Launch::role("reverse-proxy", model).flag("--default", url(bad)).flag("--default", url(&good));
    let balancer =
        Launch::balancer(model, "http", []).flag("--backend", url(bad)).flag("--backend", url(&good));
    for launch in [proxy, balancer] {
        let launch = setup.behind(launch).flag("--health-interval", "off");
        let role = launch.flag("--connect-timeout", connect_timeout).start();
        for _ in 0..4 {
            assert_eq!(get(role.address(), "/").status, 200, "{}", role.log());
        }
    }
    assert!(bad.visits() > 0);
}

fn a_back_end_that_stalls_in_the_handshake_is_passed_over(model: Model) {
    let setup = Setup::new();
    expect_passed_over(model, &setup, &Backend::silent(), "300ms");
    // One that greets and goes no further, and one that drips.
    let config = Arc::new(setup.identity.server());
    let half = Backend::start(move |visit| {
        let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap().into();
        let greeting = visit.some()?;
        let mut greeting = &greeting[..];
        if let rustls::Connection::Server(server) = &mut tls {
            server.read_tls(&mut greeting)?;
            server.process_new_packets().map_err(io::Error::other)?;
        }
        let records = crate::support::wire::records(&mut tls);
        visit.send(&records[..records.len() - 1])?;
        visit.hold()
    });
    expect_passed_over(model, &setup, &half, "300ms");
}

fn a_back_end_that_closes_in_the_handshake_is_passed_over(model: Model) {
    let setup = Setup::new();
    expect_passed_over(model, &setup, &Backend::start(|visit| visit.some().map(drop)), "4s");
    let resets = Backend::start(|visit| {
        visit.some()?;
        visit.reset()
    });
    expect_passed_over(model, &setup, &resets, "4s");
}

fn a_body_that_ends_without_a_word_is_cut(model: Model) {
    let setup = Setup::new();
    for says_so in [true, false] {
        let backend = Backend::secure(setup.identity.server(), move |visit| {
            visit.request()?;
            visit.send("HTTP/1.1 200 OK\r\n\r\nsebagian")?;
            match says_so {
                true => visit.finish_sending(),
                false => Ok(()),
            }
        });
        for role in gateways(model, &setup, &url(&backend)) {
            let mut client = Client::connect(role.address());
            client.send(request("GET", "/", ""));
            // To a client of HTTP/1.1 it goes in chunks: what is cut has no last one.
            match client.try_response("GET") {
                Ok(response) => assert!(says_so && response.text() == "sebagian", "looks complete"),
                Err(error) => assert!(!says_so, "{error}: {}", role.log()),
            }
            // To one of HTTP/1.0 the end of the stream is the end of the body, so it must be no orderly one.
            let mut old = Client::connect(role.address());
            old.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
            assert_eq!(old.try_response("GET").is_ok(), says_so, "{}", role.log());
        }
    }
}

fn a_complete_response_without_a_word_behind_it_is_complete(model: Model) {
    let setup = Setup::new();
    let backend = Backend::secure(setup.identity.server(), |visit| {
        visit.request()?;
        visit.send(ok("lengkap"))
    });
    for role in gateways(model, &setup, &url(&backend)) {
        let mut client = Client::connect(role.address());
        for _ in 0..5 {
            assert_eq!(client.get("/").text(), "lengkap", "{}", role.log());
        }
    }
}

fn connections_are_kept_and_not_shared_between_names(model: Model) {
    let setup = Setup::new();
    let identity = setup.authority.issue(&["localhost", "127.0.0.1"]);
    let backend = Backend::secure(identity.server(), |visit| {
        let name = visit.asked_for().unwrap_or_else(|| "none".to_owned());
        loop {
            let seen = visit.request()?;
            let body = format!("{name} {} {}", seen.visit, seen.head.field("host").unwrap_or_default());
            visit.send(ok(&body))?;
        }
    });
    let by_address = format!("https://{}", backend.address());
    let route = format!("/lain/={by_address}");
    let launch = Launch::role("reverse-proxy", model).flag("--default", url(&backend)).flag("--route", route);
    let role = setup.behind(launch).flag("--health-interval", "off").start();
    let mut client = Client::connect(role.address());
    let mut visits = [None, None];
    for round in 0..3 {
        for (place, (target, name)) in [("/", "localhost"), ("/lain/", "none")].into_iter().enumerate() {
            let text = client.get(target).text().to_owned();
            let (asked, visit) =
                (text.split(' ').next().unwrap(), text.split(' ').nth(1).unwrap().to_owned());
            assert_eq!(asked, name, "{round}: {text}");
            assert_eq!(*visits[place].get_or_insert(visit.clone()), visit, "its connection was kept");
        }
    }
    assert_eq!(backend.visits(), 2);
}

/// A back end that says more than it was asked for must not be heard by the next who asks.
fn bytes_behind_a_response_are_no_other_response(model: Model) {
    let setup = Setup::new();
    // Around the sizes of buffers, so that in one of them the response fills the buffer and the rest stays behind.
    for size in [10_usize, 16 * 1024 - 60, 16 * 1024, 32 * 1024] {
        for fill in 0..4 {
            let backend = Backend::secure(setup.identity.server(), move |visit| {
                loop {
                    visit.request()?;
                    let head = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
                    let length = match fill {
                        0 => size,
                        // Head and body together are exactly so long.
                        _ => size.saturating_sub(head(size).len()).max(1),
                    };
                    let response = head(length) + &"x".repeat(length);
                    // At once: what comes only after the next request was sent could not be told from its response.
                    let both = response + "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nselundup";
                    let records = visit.wire().encrypt(both.as_bytes());
                    visit.wire().send_as_it_is(&records)?;
                }
            });
            for role in gateways(model, &setup, &url(&backend)) {
                let mut client = Client::connect(role.address());
                for _ in 0..3 {
                    let Ok(response) = client.send(request("GET", "/", "")).try_response("GET") else {
                        client = Client::connect(role.address());
                        continue;
                    };
                    assert!(!response.text().contains("selundup"), "size {size}: {}", role.log());
                }
            }
        }
    }
}

fn a_back_end_may_greet_with_its_first_bytes(model: Model) {
    for version in [&TLS12, &TLS13] {
        expect_greeting(model, version);
    }
}

/// The greeting comes in one piece with the end of the handshake.
fn expect_greeting(model: Model, version: &'static SupportedProtocolVersion) {
    let setup = Setup::new();
    let mut config = setup.identity.server_of(&[version]);
    // With TLS 1.3 a server may send data before it has heard the end of the handshake.
    config.send_half_rtt_data = true;
    let config = Arc::new(config);
    let backend = Backend::start(move |visit| {
        let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
        io::Write::write_all(&mut tls.writer(), b"220 selamat datang\r\n")?;
        visit.secure(tls)?;
        let line = visit.line()?;
        visit.send(format!("250 {line}\r\n"))?;
        visit.hold()
    });
    let role = relay(model, &setup, &url(&backend));
    for _ in 0..3 {
        let mut client = Client::connect(role.address());
        assert_eq!(client.wire().one_line().unwrap(), "220 selamat datang");
        client.send("halo\r\n");
        assert_eq!(client.wire().one_line().unwrap(), "250 halo");
    }
}

fn a_long_chain_of_certificates_is_read_whole(model: Model) {
    let setup = Setup::new();
    let mut identity = setup.authority.issue(&["localhost"]);
    // More than one read takes: each of these has a few hundred bytes.
    let further = setup.authority.issue(&["lain.test"]).chain.remove(0);
    while identity.chain.iter().map(|certificate| certificate.len()).sum::<usize>() < 40_000 {
        identity.chain.push(further.clone());
    }
    let backend = Backend::secure(identity.server(), echo);
    for role in gateways(model, &setup, &url(&backend)) {
        assert_eq!(get(role.address(), "/").status, 200, "{}", role.log());
    }
    let launch = Launch::role("reverse-proxy", model).flag("--default", url(&backend)).checked("50ms");
    let role = setup.behind(launch).start();
    let before = backend.request_count();
    backend.wait_for_request(before + 2);
    assert!(!role.log().contains("is out"), "{}", role.log());
}

fn responses_may_come_in_records_of_any_size(model: Model) {
    let setup = Setup::new();
    let body = "y".repeat(3000);
    let response = ok(&body);
    let backend = Backend::secure(setup.identity.server(), move |visit| {
        loop {
            visit.request()?;
            let tiny: Vec<u8> = response.bytes().flat_map(|byte| visit.wire().encrypt(&[byte])).collect();
            visit.wire().send_as_it_is(&tiny)?;
            visit.request()?;
            visit.wire().send_in_pieces(1);
            visit.send(&response)?;
            visit.wire().send_in_pieces(usize::MAX);
        }
    });
    for role in gateways(model, &setup, &url(&backend)) {
        let mut client = Client::connect(role.address());
        for _ in 0..4 {
            assert_eq!(client.get("/").text(), body, "{}", role.log());
        }
    }
}

fn sessions_are_taken_up_again(model: Model) {
    let setup = Setup::new();
    for version in [&TLS12, &TLS13] {
        let backend = Backend::secure(setup.identity.server_of(&[version]), |visit| {
            let is_resumed = visit.wire().is_resumed();
            visit.request()?;
            visit.send(format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{is_resumed}"))?;
            visit.finish_sending()
        });
        for role in gateways(model, &setup, &url(&backend)) {
            let texts = [(); 3].map(|()| get(role.address(), "/").text().to_owned());
            assert_eq!(texts, ["false", "true", "true"], "{:?}", version.version);
        }
    }
}

fn checks_speak_tls_too(model: Model) {
    let setup = Setup::new();
    let backend = Backend::secure(setup.identity.server(), |visit| {
        assert_eq!(visit.asked_for().as_deref(), Some("localhost"));
        echo(visit)
    });
    let launch = Launch::role("reverse-proxy", model).flag("--default", url(&backend)).checked("50ms");
    let role = setup.behind(launch).start();
    let seen = backend.wait_for_request(2);
    assert_eq!(seen.head.field("host"), Some(&*format!("localhost:{}", backend.address().port())));
    assert_eq!(get(role.address(), "/").status, 200);
    assert!(!role.log().contains("is out"), "{}", role.log());
    // A relay makes a connection, and the handshake belongs to it.
    let relay = setup.behind(Launch::balancer(model, "tcp", []).flag("--backend", url(&backend)));
    let relay = relay.checked("50ms").start();
    backend.wait_for_visits(backend.visits() + 3);
    assert!(!relay.log().contains("is out"), "{}", relay.log());
}

fn checks_fail_with_a_reason(model: Model) {
    let setup = Setup::new();
    let plain = Backend::start(|visit| {
        visit.some()?;
        visit.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    });
    let stranger = Backend::secure(Authority::new().issue(&["localhost"]).server(), echo);
    for (backend, words) in [(&plain, "no TLS with it"), (&stranger, "UnknownIssuer")] {
        for mode in ["http", "tcp"] {
            let launch = Launch::balancer(model, mode, []).flag("--backend", url(backend));
            let role = setup.behind(launch).checked("50ms").start();
            let line = role.wait_for_log("is out: its checks fail: ");
            assert!(line.contains(words) && line.contains("[ERROR]"), "{line}");
        }
    }
}

fn tls_on_both_sides(model: Model) {
    let setup = Setup::new();
    let server = setup.before(Launch::web_server(model)).start();
    let back_end = format!("https://localhost:{}", server.address().port());
    let launches = [
        Launch::role("reverse-proxy", model).flag("--default", &back_end),
        Launch::balancer(model, "http", []).flag("--backend", &back_end),
        Launch::balancer(model, "tcp", []).flag("--backend", &back_end),
    ];
    for launch in launches {
        let role = setup.before(setup.behind(launch)).checked("off").start();
        let mut client = setup.connect(&role);
        for size in [0, 1, 20_000, 5_000_000] {
            assert_eq!(client.get(&format!("/?size={size}")).body.len(), size, "{}", role.log());
        }
    }
}
