//! TLS towards clients: what is agreed on, what passes through it, and what is done about those who do not speak it.

use std::sync::Arc;
use std::time::Duration;

use rustls::HandshakeKind;
use rustls::client::{Resumption, Tls12Resumption};
use rustls::version::{TLS12, TLS13};

use crate::support::backend::{Backend, ok};
use crate::support::client::{Client, get, post, request};
use crate::support::launch::Launch;
use crate::support::limits::lacks_descriptors;
use crate::support::noise::Noise;
use crate::support::role::Role;
use crate::support::site::Site;
use crate::support::tls::{Setup, greeting};
use crate::support::wire::records;
use crate::support::{Model, both};

both![
    requests_are_answered_in_both_versions,
    the_log_says_how_a_connection_was_encrypted,
    back_ends_are_told_of_https,
    a_certificate_is_chosen_by_name,
    sessions_are_taken_up_again,
    a_client_without_our_protocol_is_refused,
    a_client_without_our_cipher_is_refused,
    a_handshake_may_come_byte_by_byte,
    requests_may_come_in_records_of_any_size,
    pipelined_requests_are_answered_in_order,
    large_bodies_arrive_as_they_were_sent,
    a_slow_reader_holds_no_more_than_its_share,
    a_client_may_say_that_it_is_done_and_read_on,
    a_client_may_just_close,
    bytes_behind_the_end_are_nobodys,
    plain_requests_get_a_sentence,
    garbage_ends_its_own_connection,
    a_handshake_has_the_time_of_a_head,
    a_tunnel_runs_through_tls,
    a_relay_without_a_certificate_passes_tls_through,
    the_drain_says_that_it_is_the_end,
    a_proxy_header_stands_before_the_handshake,
    plain_addresses_stand_beside,
    plain_requests_are_redirected,
    idle_connections_and_slow_readers_cost_nothing,
    half_handshakes_hold_nobody_up,
];

/// Everything that speaks TLS with clients, with the same web server behind each.
fn fronts(model: Model, setup: &Setup, server: &Role) -> Vec<Role> {
    let launches = [
        Launch::web_server(model),
        Launch::reverse_proxy(model, server.address()),
        Launch::balancer(model, "http", [server.address()]),
        Launch::balancer(model, "tcp", [server.address()]).checked("off"),
    ];
    launches.into_iter().map(|launch| setup.before(launch).start()).collect()
}

fn requests_are_answered_in_both_versions(model: Model) {
    let (setup, server) = (Setup::new(), Launch::web_server(model).start());
    for role in fronts(model, &setup, &server) {
        for version in [&TLS12, &TLS13] {
            let config = Arc::new(setup.authority.client_of(&[version]));
            let mut client = Client::secure(role.address(), &config, "localhost").unwrap();
            assert_eq!(client.wire().tls().protocol_version(), Some(version.version));
            assert_eq!(client.get("/?size=5000").body.len(), 5000, "{}", role.log());
            assert_eq!(client.send(post("/", b"isi")).response().text(), "kosong");
            let last = client.ask("GET", "/", "Connection: close\r\n");
            assert_eq!(last.status, 200);
            client.expect_end(); // with close_notify
        }
    }
}

fn the_log_says_how_a_connection_was_encrypted(model: Model) {
    let (setup, server) = (Setup::new(), Launch::web_server(model).start());
    for role in fronts(model, &setup, &server) {
        let config = setup.client();
        for _ in 0..2 {
            let mut client = Client::secure(role.address(), &config, "localhost").unwrap();
            assert_eq!(client.ask("GET", "/", "Connection: close\r\n").status, 200);
        }
        let cipher = "tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 sni=localhost";
        role.wait_for_log(&format!("{cipher} resumed=false"));
        role.wait_for_log(&format!("{cipher} resumed=true"));
        let nameless = Client::secure(role.address(), &config, "127.0.0.1").unwrap().get("/").status;
        assert_eq!(nameless, 200);
        let line = role.process().err.wait_nth(0, |line| line.contains("tls=") && !line.contains("sni="));
        assert!(line.is_some(), "{}", role.log());
    }
}

fn back_ends_are_told_of_https(model: Model) {
    let (setup, backend) = (Setup::new(), Backend::saying("satu"));
    for (place, launch) in [
        Launch::reverse_proxy(model, backend.address()),
        Launch::balancer(model, "http", [backend.address()]),
    ]
    .into_iter()
    .enumerate()
    {
        let role = setup.before(launch).start();
        assert_eq!(setup.connect(&role).get("/").text(), "satu");
        assert_eq!(backend.wait_for_request(place).head.all("x-forwarded-proto"), ["https"]);
    }
}

fn a_certificate_is_chosen_by_name(model: Model) {
    let setup = Setup::new();
    let mut launch = Launch::web_server(model);
    let named: Vec<_> = [&["satu.test"][..], &["*.b.test"], &["dua.b.test", "tiga.b.test"]]
        .iter()
        .enumerate()
        .map(|(place, names)| {
            let identity = setup.authority.issue(names);
            (setup.write(&format!("{place}.pem"), identity.pem()), identity)
        })
        .collect();
    for (file, _) in &named {
        launch = launch.flag("--tls-cert", file.display());
    }
    let role = launch.start();
    for (name, place) in [("satu.test", 0), ("dua.b.test", 2), ("TIGA.B.Test", 2), ("empat.b.test", 1)] {
        let mut client = Client::secure(role.address(), &setup.client(), name).unwrap();
        assert_eq!(client.wire().tls().peer_certificates().unwrap()[0], named[place].1.chain[0], "{name}");
        assert_eq!(client.get("/").status, 200);
    }
    for name in ["a.empat.b.test", "b.test", "lain.test", "127.0.0.1"] {
        // The first of all: it is for the client to say that it is another's.
        let error = Client::secure(role.address(), &setup.client(), name).unwrap_err().to_string();
        assert!(error.contains("satu.test"), "{name}: {error}");
    }
    role.wait_for_log("no TLS with 127.0.0.1");
}

fn sessions_are_taken_up_again(model: Model) {
    let setup = Setup::new();
    let role = setup.before(Launch::web_server(model)).start();
    // Those of TLS 1.2 that keep no ticket have a number.
    let mut by_number = setup.authority.client_of(&[&TLS12]);
    by_number.resumption = Resumption::in_memory_sessions(4).tls12_resumption(Tls12Resumption::SessionIdOnly);
    for config in [setup.authority.client_of(&[&TLS13]), setup.authority.client_of(&[&TLS12]), by_number] {
        let config = Arc::new(config);
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
            let mut client = Client::secure(role.address(), &config, "localhost").unwrap();
            assert_eq!(client.get("/").status, 200); // tickets of TLS 1.3 come with it
            assert_eq!(client.wire().tls().handshake_kind(), Some(kind));
        }
    }
}

fn a_client_without_our_protocol_is_refused(model: Model) {
    let (setup, server) = (Setup::new(), Launch::web_server(model).start());
    for (place, role) in fronts(model, &setup, &server).into_iter().enumerate() {
        let with = |protocols: &[&str]| {
            let mut config = setup.authority.client();
            config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
            Client::secure(role.address(), &Arc::new(config), "localhost")
        };
        let agreed = |client: &mut Client| client.wire().tls().alpn_protocol().map(<[u8]>::to_vec);
        let speaks_http = place < 3;
        let mut both = with(&["h2", "http/1.1"]).unwrap();
        assert_eq!(agreed(&mut both), speaks_http.then(|| b"http/1.1".to_vec()));
        assert_eq!(both.get("/").status, 200);
        match with(&["h2"]) {
            // It does not look at what it passes on.
            Ok(mut client) => assert!(!speaks_http && client.get("/").status == 200),
            Err(error) => {
                assert!(speaks_http && error.to_string().contains("NoApplicationProtocol"), "{error}")
            }
        }
        assert_eq!(agreed(&mut with(&[]).unwrap()), None);
    }
}

fn a_client_without_our_cipher_is_refused(model: Model) {
    let setup = Setup::new();
    let role = setup.before(Launch::web_server(model)).start();
    // TLS 1.0 and 1.1, and TLS 1.2 with nothing but RSA key exchange and CBC, each as a client says it.
    let hello = |version: u8, suites: &[u8]| {
        let mut body = vec![3, version];
        body.extend([7; 32]); // random
        body.push(0); // no session
        body.extend([0, u8::try_from(suites.len()).unwrap()]);
        body.extend(suites);
        body.extend([1, 0]); // no compression
        // Signatures and groups that everybody has.
        let extensions = [0, 13, 0, 4, 0, 2, 4, 3, 0, 10, 0, 4, 0, 2, 0, 23];
        body.extend([0, u8::try_from(extensions.len()).unwrap()]);
        body.extend(extensions);
        let length = u8::try_from(body.len()).unwrap();
        [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &body].concat()
    };
    const PROTOCOL_VERSION: u8 = 70;
    const HANDSHAKE_FAILURE: u8 = 40;
    let (ecdhe_gcm, rsa_cbc) = (&[0xc0, 0x2b][..], &[0x00, 0x2f][..]);
    for (version, suites, alert) in
        [(1, ecdhe_gcm, PROTOCOL_VERSION), (2, ecdhe_gcm, PROTOCOL_VERSION), (3, rsa_cbc, HANDSHAKE_FAILURE)]
    {
        let mut client = Client::connect(role.address());
        client.send(hello(version, suites));
        let said = client.rest();
        assert_eq!((said[0], said.last()), (21, Some(&alert)), "TLS 1.{}: {said:?}", version - 1);
    }
    role.wait_for_logs("no TLS with 127.0.0.1", 3);
    assert_eq!(setup.connect(&role).get("/").status, 200);
}

fn a_handshake_may_come_byte_by_byte(model: Model) {
    let (setup, server) = (Setup::new(), Launch::web_server(model).start());
    for role in fronts(model, &setup, &server) {
        for version in [&TLS12, &TLS13] {
            let config = Arc::new(setup.authority.client_of(&[version]));
            let mut client = Client::connect(role.address());
            client.wire().send_in_pieces(1);
            let shaken = client.wire().secure(greeting(&config, "localhost"));
            shaken.unwrap_or_else(|error| panic!("{error}: {}", role.log()));
            assert_eq!(client.get("/").status, 200);
        }
    }
}

fn requests_may_come_in_records_of_any_size(model: Model) {
    let (setup, server) = (Setup::new(), Launch::web_server(model).start());
    for role in fronts(model, &setup, &server) {
        let mut client = setup.connect(&role);
        // A record for each byte, all at once.
        let request = request("GET", "/?size=70000", "");
        let tiny: Vec<u8> = request.bytes().flat_map(|byte| client.wire().encrypt(&[byte])).collect();
        client.wire().send_as_it_is(&tiny).unwrap();
        assert_eq!(client.response().body.len(), 70_000);
        // One record as large as they may be, and the next request begins in it.
        let body = vec![b'x'; 16 * 1024];
        let large = [post("/", &body), request.into_bytes()].concat();
        let (first, rest) = large.split_at(16 * 1024);
        client.send(first).send(rest);
        assert_eq!((client.response().text(), client.response().body.len()), ("kosong", 70_000));
        // A record that is cut anywhere.
        client.wire().send_in_pieces(1);
        assert_eq!(client.get("/").status, 200);
    }
}

fn pipelined_requests_are_answered_in_order(model: Model) {
    let (setup, server) = (Setup::new(), Launch::web_server(model).start());
    for role in fronts(model, &setup, &server) {
        let mut client = setup.connect(&role);
        let sizes = [5, 0, 20_000, 1, 100_000, 7].repeat(5);
        let requests: Vec<String> =
            sizes.iter().map(|size| request("GET", &format!("/?size={size}"), "")).collect();
        client.send(requests.concat());
        for size in sizes {
            assert_eq!(client.response().body.len(), size, "{}", role.log());
        }
    }
}

/// Bytes of a large body: more than all buffers on the way hold.
const LARGE: usize = 8 * 1024 * 1024;

fn large_bodies_arrive_as_they_were_sent(model: Model) {
    let setup = Setup::new();
    let backend = Backend::start(|visit| {
        loop {
            let seen = visit.request()?;
            assert!(seen.body == Noise::new(1).take_bytes(seen.body.len()));
            visit.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n"))?;
            let mut noise = Noise::new(2);
            visit.pour(|| noise.take_bytes(64 * 1024), LARGE)?;
        }
    });
    for launch in [
        Launch::reverse_proxy(model, backend.address()),
        Launch::balancer(model, "http", [backend.address()]),
        Launch::balancer(model, "tcp", [backend.address()]),
    ] {
        let role = setup.before(launch).start();
        let mut client = setup.connect(&role);
        client.send(post("/", &Noise::new(1).take_bytes(LARGE)));
        let response = client.response();
        assert_eq!(response.status, 200, "{}", response.text());
        assert!(response.body == Noise::new(2).take_bytes(LARGE), "other bytes came than were sent");
    }
    // A file goes another way than a body that is made.
    let content = Noise::new(3).take_bytes(LARGE);
    let site = Site::new().with("besar.bin", &content);
    let role = setup.before(Launch::web_server(model)).flag("--root", site.path().display()).start();
    let mut client = setup.connect(&role);
    assert!(client.get("/besar.bin").body == content);
    let part = client.ask("GET", "/besar.bin", "Range: bytes=100000-299999\r\n");
    assert!(part.status == 206 && part.body == content[100_000..300_000]);
}

fn a_slow_reader_holds_no_more_than_its_share(model: Model) {
    const ENDLESS: usize = 1 << 30;
    let setup = Setup::new();
    let backend = Backend::start(|visit| {
        visit.request()?;
        visit.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {ENDLESS}\r\n\r\n"))?;
        visit.pour(|| vec![b'x'; 64 * 1024], ENDLESS)
    });
    for mode in ["http", "tcp"] {
        let role = setup.before(Launch::balancer(model, mode, [backend.address()])).start();
        let mut client = setup.connect(&role);
        let before = role.process().resident_bytes();
        client.send(request("GET", "/", ""));
        backend.wait_until_poured_full();
        let grown = role.process().resident_bytes().saturating_sub(before);
        assert!(grown < 4 * 1024 * 1024, "{mode}: {grown} bytes for one connection");
        // And it goes on where it stopped.
        assert!(client.wire().exact(20_000_000).unwrap().ends_with(b"xxxx"));
    }
}

fn a_client_may_say_that_it_is_done_and_read_on(model: Model) {
    let (setup, server) = (Setup::new(), Launch::web_server(model).start());
    for role in fronts(model, &setup, &server) {
        // In the encrypted form alone, and with the end of the stream behind it.
        for closes in [false, true] {
            let mut client = setup.connect(&role);
            client.send(request("GET", "/?size=300000", ""));
            match closes {
                true => client.wire().finish_sending().unwrap(),
                false => client.wire().say_end().unwrap(),
            }
            assert_eq!(client.response().body.len(), 300_000, "{closes}: {}", role.log());
            client.expect_end();
        }
    }
}

fn a_client_may_just_close(model: Model) {
    let (setup, server) = (Setup::new(), Launch::web_server(model).start());
    for role in fronts(model, &setup, &server) {
        let mut client = setup.connect(&role);
        assert_eq!(client.get("/").status, 200);
        drop(client);
        let line = role.wait_for_log("closed role=");
        assert!(line.contains("clean=true"), "{line}");
        // A half of a request is not a whole one, however it ends.
        let mut client = setup.connect(&role);
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nsetengah"); // one byte less
        client.wire().stream().shutdown(std::net::Shutdown::Write).unwrap();
        assert!(!client.rest().starts_with(b"HTTP/1.1 200"), "{}", role.log());
    }
}

fn bytes_behind_the_end_are_nobodys(model: Model) {
    let (setup, server) = (Setup::new(), Launch::web_server(model).start());
    for role in fronts(model, &setup, &server) {
        let mut client = setup.connect(&role);
        client.send(request("GET", "/?size=10", ""));
        client.wire().say_end().unwrap();
        client.wire().send_as_it_is(b"GET /selundup HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        assert_eq!(client.response().body.len(), 10);
        client.expect_end();
        assert!(!role.log().contains("selundup"), "{}", role.log());
    }
    assert!(!server.log().contains("selundup"), "{}", server.log());
}

fn plain_requests_get_a_sentence(model: Model) {
    let (setup, server) = (Setup::new(), Launch::web_server(model).start());
    for (place, role) in fronts(model, &setup, &server).into_iter().enumerate() {
        for pieces in [usize::MAX, 1] {
            let mut client = Client::connect(role.address());
            client.wire().send_in_pieces(pieces);
            // It may have been closed before it has said everything.
            let _ = client.wire().send(request("GET", "/", "").as_bytes());
            if place == 3 {
                client.expect_end(); // a relay has no words of its own
                continue;
            }
            let response = client.response();
            assert_eq!((response.status, response.field("connection")), (400, Some("close")));
            assert!(response.text().contains("https://"), "{}", response.text());
        }
        role.wait_for_log("in TLS handshake");
        assert_eq!(setup.connect(&role).get("/").status, 200);
    }
}

fn garbage_ends_its_own_connection(model: Model) {
    let (setup, server) = (Setup::new(), Launch::web_server(model).start());
    for role in fronts(model, &setup, &server) {
        let mut other = setup.connect(&role);
        let garbage: [&[u8]; 6] = [
            b"\x00\x01\x02\x03\x04\x05\x06\x07",
            b"\x16\x03\x01\xff\xff\x01\x00", // a record longer than records are
            b"\x16\x03\x01\x00\x05\x01\xff\xff\xff\xff", // a greeting longer than greetings are
            b"\x15\x03\x03\x00\x02\x02\x28", // an alert to begin with
            b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10", // SSL 2
            b"\x17\x03\x03\x00\x05hello",    // data before any key
        ];
        for bytes in garbage {
            let mut client = Client::connect(role.address());
            client.send(bytes);
            // An alert comes, or nothing.
            let said = client.wire().rest().unwrap_or_default();
            assert!(said.is_empty() || said[0] == 21, "{bytes:?}: {said:?}");
        }
        // A record that was changed on its way.
        let mut client = setup.connect(&role);
        let mut records = client.wire().encrypt(request("GET", "/", "").as_bytes());
        *records.last_mut().unwrap() ^= 1;
        client.wire().send_as_it_is(&records).unwrap();
        let error = client.wire().rest().unwrap_err().to_string();
        assert!(error.contains("BadRecordMac"), "{error}");
        role.wait_for_logs("no TLS with 127.0.0.1", 7);
        assert_eq!(other.get("/").status, 200);
        assert!(!role.log().contains("panic"), "{}", role.log());
    }
}

fn a_handshake_has_the_time_of_a_head(model: Model) {
    let (setup, backend) = (Setup::new(), Backend::saying("satu"));
    for launch in [
        Launch::web_server(model),
        Launch::reverse_proxy(model, backend.address()),
        Launch::balancer(model, "http", [backend.address()]),
        Launch::balancer(model, "tcp", [backend.address()]),
    ] {
        let role = setup.before(launch).flag("--header-timeout", "700ms").start();
        let greet = || records(&mut greeting(&setup.client(), "localhost").into());
        let (mut silent, mut half) = (Client::connect(role.address()), Client::connect(role.address()));
        half.send(&greet()[..100]);
        let mut held = Client::connect(role.address());
        held.send(greet());
        silent.expect_end();
        half.expect_end();
        // It was greeted in return, and went no further.
        assert_eq!(held.rest()[0], 22);
        let is_over = |line: &str| {
            // A relay has a line for each of its connections.
            line.contains("the handshake took too long") || line.contains("client timed out in TLS handshake")
        };
        assert!(role.process().err.wait_nth(2, is_over).is_some(), "{}", role.log());
    }
    assert_eq!(backend.visits(), 0, "a back end was bothered");
}

fn a_tunnel_runs_through_tls(model: Model) {
    let setup = Setup::new();
    let backend = Backend::start(|visit| {
        visit.head()?;
        visit.send(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nhalo",
        )?;
        loop {
            match visit.some()? {
                bytes if bytes.is_empty() => return visit.finish_sending(),
                bytes => visit.send(bytes)?,
            }
        }
    });
    for launch in [
        Launch::reverse_proxy(model, backend.address()),
        Launch::balancer(model, "http", [backend.address()]),
    ] {
        let role = setup.before(launch).start();
        let mut client = setup.connect(&role);
        client.send(request("GET", "/", "Upgrade: websocket\r\nConnection: upgrade\r\n"));
        assert_eq!(client.wire().head().unwrap().word(1), "101");
        assert_eq!(client.wire().exact(4).unwrap(), b"halo");
        let bytes = Noise::new(5).take_bytes(400_000);
        client.send(&bytes);
        assert!(client.wire().exact(bytes.len()).unwrap() == bytes);
        client.send("akhir").finish_sending();
        assert_eq!(client.rest(), b"akhir");
    }
}

fn a_relay_without_a_certificate_passes_tls_through(model: Model) {
    let setup = Setup::new();
    let server = setup.before(Launch::web_server(model)).start();
    let role = Launch::balancer(model, "tcp", [server.address()]).start();
    let mut client = setup.connect(&role);
    assert_eq!(client.get("/?size=100000").body.len(), 100_000);
    drop(client);
    let line = role.wait_for_log("closed role=");
    assert!(!line.contains("tls="), "{line}");
}

fn the_drain_says_that_it_is_the_end(model: Model) {
    let setup = Setup::new();
    let backend = Backend::start(|visit| {
        visit.request()?;
        visit.freeze();
        visit.send(ok("akhirnya"))
    });
    let mut role = setup.before(Launch::reverse_proxy(model, backend.address())).start();
    let mut idle = setup.connect(&role);
    let mut busy = setup.connect(&role);
    busy.send(request("GET", "/", ""));
    backend.wait_for_request(0);
    role.signal(rustix::process::Signal::TERM);
    assert_eq!(idle.wire().rest().unwrap(), b"", "without close_notify this is an error");
    backend.release();
    assert_eq!(busy.response().text(), "akhirnya");
    assert_eq!(busy.wire().rest().unwrap(), b"");
    assert_eq!(role.wait().code(), Some(0), "{}", role.log());
}

fn a_proxy_header_stands_before_the_handshake(model: Model) {
    const TOLD: &[u8] = b"PROXY TCP4 203.0.113.9 198.51.100.1 49152 80\r\n";
    const TOLD_BINARY: &[u8] =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x09\xc6\x33\x64\x01\xc0\0\0\x50";
    let (setup, server) = (Setup::new(), Launch::web_server(model).start());
    for launch in [
        Launch::web_server(model),
        Launch::reverse_proxy(model, server.address()),
        Launch::balancer(model, "http", [server.address()]),
        Launch::balancer(model, "tcp", [server.address()]),
    ] {
        let accepting = |trusted: &str| {
            setup.before(launch.clone()).switch("--proxy-protocol").flag("--trust", trusted).start()
        };
        let role = accepting("127.0.0.0/8");
        for header in [TOLD, TOLD_BINARY] {
            // Header and greeting in one piece, and in as many as there are bytes.
            for pieces in [usize::MAX, 1] {
                let mut client = Client::connect(role.address());
                let mut tls = greeting(&setup.client(), "localhost").into();
                let first = records(&mut tls);
                client.wire().send_in_pieces(pieces);
                client.wire().send_as_it_is(&[header, &first].concat()).unwrap();
                let shaken = client.wire().secure(tls);
                shaken.unwrap_or_else(|error| panic!("{error}: {}", role.log()));
                assert_eq!(client.get("/").status, 200);
            }
        }
        role.wait_for_logs("client=203.0.113.9:49152", 4);
        // Without a header there is no handshake.
        assert!(Client::secure(role.address(), &setup.client(), "localhost").is_err());
        role.wait_for_log("it does not begin with a PROXY header");
        let wary = accepting("192.0.2.0/24");
        let mut client = Client::connect(wary.address());
        let _ = client.wire().send(TOLD);
        client.expect_end();
        wary.wait_for_log("PROXY headers are taken from --trust only");
    }
}

fn plain_addresses_stand_beside(model: Model) {
    let (setup, backend) = (Setup::new(), Backend::saying("satu"));
    let role = setup.before(Launch::reverse_proxy(model, backend.address())).flag("--plain", "127.0.0.1:0");
    let role = role.start();
    let plain = role.listens_on(1);
    assert_eq!(get(plain, "/").text(), "satu");
    assert_eq!(setup.connect(&role).get("/").text(), "satu");
    let schemes: Vec<_> = backend
        .requests()
        .iter()
        .map(|seen| seen.head.field("x-forwarded-proto").map(str::to_owned))
        .collect();
    assert_eq!(schemes, [Some("http".to_owned()), Some("https".to_owned())]);
}

fn plain_requests_are_redirected(model: Model) {
    let (setup, backend) = (Setup::new(), Backend::saying("satu"));
    let site = Site::new().with(".well-known/acme-challenge/kunci", "bukti");
    for (launch, challenge) in [
        (Launch::web_server(model).flag("--root", site.path().display()), "bukti"),
        (Launch::reverse_proxy(model, backend.address()), "satu"),
        (Launch::balancer(model, "http", [backend.address()]), "satu"),
    ] {
        let launch = setup.before(launch).flag("--plain", "127.0.0.1:0").switch("--redirect-https");
        let role = launch.start();
        let (secure, plain) = (role.address(), role.listens_on(1));
        let mut client = Client::connect(plain);
        for (method, status) in [("GET", 301), ("HEAD", 301), ("POST", 308), ("DELETE", 308)] {
            let response = client.ask(method, "/a/b?c=d", "");
            let location = format!("https://localhost:{}/a/b?c=d", secure.port());
            assert_eq!(
                (response.status, response.field("location")),
                (status, Some(&location[..])),
                "{method}"
            );
        }
        // A gateway leaves the body unread, and closes.
        let redirected = client.send(post("/x", &vec![b'x'; 100_000])).response();
        assert_eq!(redirected.status, 308);
        let mut client = Client::connect(plain);
        assert_eq!(client.get("/.well-known/acme-challenge/kunci").text(), challenge);
        client.send("GET / HTTP/1.0\r\n\r\n");
        assert_eq!(client.response().status, 400, "there is no host to send it to");
        assert_eq!(setup.connect(&role).get("/").status, 200);
    }
}

/// How long a process is watched.
const WATCH: Duration = Duration::from_secs(2);

fn idle_connections_and_slow_readers_cost_nothing(model: Model) {
    let (setup, server) = (Setup::new(), Launch::web_server(model).start());
    for role in fronts(model, &setup, &server) {
        let mut idle = setup.connect(&role);
        assert_eq!(idle.get("/").status, 200);
        let mut half = Client::connect(role.address());
        half.send(b"\x16\x03\x01");
        // Their responses wait for room; one of the two has said that it sends nothing more.
        let mut slow = [setup.connect(&role), setup.connect(&role)];
        for client in &mut slow {
            client.send(request("GET", "/?size=50000000", ""));
        }
        slow[1].wire().say_end().unwrap();
        // As in `idle.rs`: a relay starts the probes in its first silence.
        idle.expect_silence(Duration::from_millis(1500));
        let before = (role.process().switches(), role.process().cpu_seconds());
        idle.expect_silence(WATCH);
        let switches = role.process().switches() - before.0;
        let cpu = role.process().cpu_seconds() - before.1;
        // As in `idle.rs`.
        assert!(switches <= 40 && cpu < 0.1, "woken {switches} times, {cpu} s of processor time");
        assert_eq!(slow[0].response().body.len(), 50_000_000);
    }
}

/// Half handshakes of this test.
const HALF: usize = 2000;

fn half_handshakes_hold_nobody_up(model: Model) {
    if lacks_descriptors(HALF as u64 + 200) {
        return;
    }
    let setup = Setup::new();
    let mut launch = setup.before(Launch::web_server(model)).flag("--header-timeout", "5s");
    if model == Model::Threaded {
        launch = launch.flag("--workers", 2);
    }
    let role = launch.start();
    let greeting = records(&mut greeting(&setup.client(), "localhost").into());
    let begin = |number: usize| {
        let mut client = Client::connect(role.address());
        client.send(&greeting[..number % greeting.len()]);
        client
    };
    let half: Vec<Client> = (0..HALF).map(begin).collect();
    assert_eq!(setup.connect(&role).get("/").status, 200, "a fresh client");
    for mut client in half {
        client.expect_end();
    }
    role.wait_for_logs("the handshake took too long", HALF);
    assert_eq!(setup.connect(&role).get("/").status, 200);
}

/// Without parking a client in the middle of its handshake keeps its worker, and no longer than the time of a head.
#[test]
fn without_parking_a_half_handshake_gives_its_worker_back() {
    let setup = Setup::new();
    let launch = Launch::web_server(Model::Threaded).switch("--no-park").flag("--workers", 1);
    let role = setup.before(launch).flag("--header-timeout", "700ms").start();
    let mut half = Client::connect(role.address());
    half.send(b"\x16\x03\x01");
    half.expect_end();
    assert_eq!(setup.connect(&role).get("/").status, 200);
}

/// To be refused in words a client needs a handshake, and for that a worker.
#[test]
fn a_client_that_no_worker_will_serve_is_closed() {
    let setup = Setup::new();
    let launch =
        Launch::web_server(Model::Threaded).switch("--no-park").flag("--workers", 1).flag("--queue", 1);
    let role = setup.before(launch).flag("--queue-wait", "100ms").start();
    let mut owner = setup.connect(&role);
    assert_eq!(owner.get("/").status, 200); // and it keeps its worker
    let mut queued = Client::connect(role.address());
    queued.expect_silence(Duration::from_millis(300));
    assert!(Client::secure(role.address(), &setup.client(), "localhost").is_err());
    role.wait_for_log("the queue is full: ");
    drop(owner);
    queued.wire().secure(greeting(&setup.client(), "localhost")).unwrap();
    assert_eq!(queued.get("/").status, 200);
}
