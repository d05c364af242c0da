//! Requests forwarded through a back end: the reverse proxy, and a balancer in `--mode http`.

use crate::support::backend::{Backend, ok};
use crate::support::client::{Client, get, post, request};
use crate::support::launch::Launch;
use crate::support::noise::Noise;
use crate::support::role::Role;
use crate::support::{Model, both};

both![
    requests_are_forwarded_whole,
    hop_by_hop_fields_end_here,
    forwarding_is_written_into_the_request,
    the_longest_prefix_decides,
    a_folder_of_a_route_is_redirected_to_its_slash,
    balancer_requests_take_turns,
    interim_and_bodiless_answers,
    an_early_answer_reaches_a_client_that_still_sends,
    expect_100_continue_goes_through,
    an_upgrade_becomes_a_tunnel,
    an_upgrade_with_a_body_becomes_a_tunnel,
    back_end_connections_are_kept_and_used_again,
    a_kept_connection_that_died_is_replaced_unseen,
    large_bodies_pass_both_ways,
    a_back_end_that_answers_while_it_reads_does_not_deadlock,
    answers_of_every_framing_are_passed_on,
    trailers_pass_unless_they_count_in_a_head_only,
    a_dripping_back_end_is_followed,
    pipelined_requests_are_answered_in_order,
    smuggling_never_reaches_a_back_end,
];

/// The reverse proxy before one back end.
fn proxy(model: Model, backend: &Backend) -> Role {
    Launch::reverse_proxy(model, backend.address()).start()
}

fn requests_are_forwarded_whole(model: Model) {
    let backend = Backend::saying("satu");
    for role in [proxy(model, &backend), Launch::balancer(model, "http", [backend.address()]).start()] {
        let before = backend.requests().len();
        let mut client = Client::connect(role.address());
        client.send(post("/a%20b?c=d&e", b"\0\xff\r\n\r\n")).response();
        let chunked = request("PUT", "/p", "Transfer-Encoding: chunked\r\n");
        client.send(format!("{chunked}4\r\nsatu\r\n3\r\ndua\r\n0\r\nT: x\r\n\r\n")).response();
        assert_eq!(client.ask("SEDUH", "/kopi", "X-Sendiri: ya\r\n").text(), "satu");
        let requests = &backend.requests()[before..];
        assert_eq!(requests[0].head.start, "POST /a%20b?c=d&e HTTP/1.1");
        assert_eq!(requests[0].body, b"\0\xff\r\n\r\n");
        assert_eq!((requests[1].head.word(0), &requests[1].body[..]), ("PUT", &b"satudua"[..]));
        assert_eq!((requests[2].head.word(0), requests[2].head.field("x-sendiri")), ("SEDUH", Some("ya")));
    }
}

fn hop_by_hop_fields_end_here(model: Model) {
    let backend = Backend::answering(
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: X-Satu\r\nX-Satu: 1\r\nX-Dua: 2\r\nKeep-Alive: timeout=9\r\n\r\n",
    );
    let role = proxy(model, &backend);
    let fields = "Connection: keep-alive, X-Tiga\r\nX-Tiga: 3\r\nX-Empat: 4\r\nKeep-Alive: 9\r\n\
        TE: trailers\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\n";
    let response = Client::connect(role.address()).ask("GET", "/", fields);
    assert_eq!((response.field("x-satu"), response.field("x-dua")), (None, Some("2")));
    assert_eq!(response.field("keep-alive"), None);
    let seen = backend.wait_for_request(0).head;
    assert_eq!((seen.field("x-tiga"), seen.field("x-empat")), (None, Some("4")));
    // What `TE` says of trailers holds for the whole way: they are passed on.
    assert_eq!(seen.field("te"), Some("trailers"));
    for name in ["keep-alive", "proxy-connection"] {
        assert_eq!(seen.field(name), None, "{name}");
    }
}

fn forwarding_is_written_into_the_request(model: Model) {
    let backend = Backend::saying("satu");
    let role = proxy(model, &backend);
    let fields = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: palsu\r\n";
    let mut client = Client::connect(role.address());
    client.send(format!("GET / HTTP/1.1\r\nHost: contoh.id:8000\r\n{fields}\r\n")).response();
    let seen = backend.wait_for_request(0).head;
    assert_eq!(seen.all("host"), ["contoh.id:8000"]);
    assert!(seen.field("via").unwrap().starts_with("1.1 "), "{seen:?}");
    // What a client says of itself counts for nothing unless it is trusted.
    assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen.all("x-forwarded-proto"), ["http"]);
    assert_eq!(seen.all("x-forwarded-host"), ["contoh.id:8000"]);
}

fn the_longest_prefix_decides(model: Model) {
    let [rest, images, me] = ["rest", "images", "me"].map(Backend::saying);
    let role = Launch::reverse_proxy(model, rest.address())
        .flag("--route", format!("/images/={}", images.address()))
        .flag("--route", format!("/images/me/={}", me.address()))
        .start();
    let mut client = Client::connect(role.address());
    for (target, group) in [
        ("/", "rest"),
        ("/images/", "images"),
        ("/images/a.jpg?x=/images/me/", "images"),
        ("/images/me/a.jpg", "me"),
        ("/images/men", "images"),
        ("/imagesque", "rest"),
        ("/x/images/me/", "rest"),
        ("/?/images/", "rest"),
    ] {
        assert_eq!(client.get(target).text(), group, "{target}");
    }
}

/// As nginx does: the links of a folder's page are relative to its slash.
fn a_folder_of_a_route_is_redirected_to_its_slash(model: Model) {
    let [rest, images, pdf] = ["rest", "images", "pdf"].map(Backend::saying);
    let role = Launch::reverse_proxy(model, rest.address())
        .flag("--route", format!("/images/={}", images.address()))
        .flag("--route", format!("/pdf/={}", pdf.address()))
        .flag("--route", format!("/pdf={}", rest.address()))
        .start();
    let mut client = Client::connect(role.address());
    for (target, location) in [("/images", "/images/"), ("/x/../images?a=b", "/images/?a=b")] {
        let response = client.get(target);
        assert_eq!((response.status, response.field("location")), (301, Some(location)), "{target}");
        assert_eq!(response.field("via"), None, "{response:?}");
        assert_eq!(client.get(location).text(), "images");
    }
    assert_eq!(client.ask("HEAD", "/images", "").status, 301);
    for (target, group) in [("/pdf", "rest"), ("/pdf/", "pdf"), ("/imagesx", "rest"), ("/?/images", "rest")] {
        assert_eq!(client.get(target).text(), group, "{target}");
    }
    let response = Client::connect(role.address()).send(post("/images", b"isi")).response();
    assert_eq!((response.status, response.field("connection")), (301, Some("close")));
}

#[test]
fn a_wildcard_in_a_route_is_refused() {
    for (prefix, instead) in [("/images/*", "/images/"), ("/*", "/"), ("/a/*/b", "/a/")] {
        let proxy = Launch::bare("reverse-proxy").flag("--route", format!("{prefix}=127.0.0.1:8889"));
        let ended = proxy.switch("--check").end();
        let words = [format!("`{prefix}` has a `*`"), format!("write `{instead}`")];
        assert!(ended.status == Some(2) && words.iter().all(|words| ended.err.contains(words)), "{ended:?}");
    }
}

fn balancer_requests_take_turns(model: Model) {
    let backends = ["a", "b", "c"].map(Backend::saying);
    let role = Launch::balancer(model, "http", backends.each_ref().map(Backend::address)).start();
    let mut client = Client::connect(role.address());
    for turn in 0..30 {
        match turn % 2 {
            0 => client.get("/").status,
            _ => get(role.address(), "/").status,
        };
    }
    assert_eq!(backends.each_ref().map(|backend| backend.requests().len()), [10; 3]);
}

fn interim_and_bodiless_answers(model: Model) {
    let backend = Backend::start(|visit| {
        loop {
            let request = visit.request()?;
            visit.send(match (request.head.word(0), request.head.word(1)) {
                ("HEAD", _) => "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n",
                (_, "/204") => "HTTP/1.1 204 No Content\r\n\r\n",
                (_, "/304") => "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 999\r\n\r\n",
                _ => "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsatu",
            })?;
        }
    });
    let role = proxy(model, &backend);
    let mut client = Client::connect(role.address());
    let head = client.ask("HEAD", "/", "");
    assert_eq!((head.status, head.field("content-length")), (200, Some("999")));
    assert_eq!(client.get("/204").status, 204);
    assert_eq!(client.get("/304").status, 304);
    let mut response = client.get("/103");
    if response.status == 103 {
        response = client.response(); // passing it on is better than leaving it out; both are allowed
    }
    assert_eq!((response.status, response.text()), (200, "satu"));
    assert_eq!(client.get("/204").status, 204);
}

fn an_early_answer_reaches_a_client_that_still_sends(model: Model) {
    let backend = Backend::start(|visit| {
        visit.head()?;
        visit
            .send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nbesar")?;
        visit.finish_sending()?;
        visit.hold()
    });
    let role = proxy(model, &backend);
    let mut client = Client::connect(role.address());
    client.send(request("POST", "/", "Content-Length: 100000000\r\n")).send(vec![b'x'; 256 * 1024]);
    let response = client.response();
    assert_eq!((response.status, response.text()), (413, "besar"));
}

fn expect_100_continue_goes_through(model: Model) {
    let backend = Backend::saying("satu");
    let role = proxy(model, &backend);
    let mut client = Client::connect(role.address());
    let head = request("POST", "/", "Content-Length: 4\r\nExpect: 100-continue\r\n");
    // Whoever says it, gateway or back end: this back end does not, so a gateway that leaves it
    // to the back end passes the head on and waits; a patient client then sends all the same.
    client.send(head);
    if client.wire().is_silent_for(std::time::Duration::from_secs(1)) {
        client.send("satu");
    } else {
        assert_eq!(client.response().status, 100);
        client.send("satu");
    }
    assert_eq!(client.response().text(), "satu");
    assert_eq!(backend.wait_for_request(0).body, b"satu");
}

fn an_upgrade_becomes_a_tunnel(model: Model) {
    let backend = Backend::start(|visit| {
        visit.head()?;
        visit.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: gema\r\n\r\nhalo")?;
        loop {
            let bytes = visit.some()?;
            match bytes.is_empty() {
                true => return visit.send("dah"),
                false => visit.send(bytes)?,
            }
        }
    });
    let role = proxy(model, &backend);
    let mut client = Client::connect(role.address());
    let response = client.ask("GET", "/", "Connection: Upgrade\r\nUpgrade: gema\r\n");
    assert_eq!((response.status, response.field("upgrade")), (101, Some("gema")));
    let seen = backend.wait_for_request(0).head;
    assert_eq!(seen.field("upgrade"), Some("gema"));
    assert_eq!(client.wire().exact(4).unwrap(), b"halo");
    client.send(b"\0\xffGET / HTTP/1.1\r\n\r\n").finish_sending();
    assert_eq!(client.rest(), b"\0\xffGET / HTTP/1.1\r\n\r\ndah");
}

/// As of kubectl exec (`Content-Length: 0`) and docker attach (a body).
fn an_upgrade_with_a_body_becomes_a_tunnel(model: Model) {
    let backend = Backend::start(|visit| {
        let asked = visit.request()?;
        assert_eq!(asked.head.field("upgrade"), Some("tcp"), "{asked:?}");
        visit.send("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")?;
        visit.send(&asked.body)?;
        loop {
            let bytes = visit.some()?;
            match bytes.is_empty() {
                true => return visit.send("dah"),
                false => visit.send(bytes)?,
            }
        }
    });
    for role in [proxy(model, &backend), Launch::balancer(model, "http", [backend.address()]).start()] {
        for (framing, body, seen) in [
            ("Content-Length: 0", "", ""),
            ("Content-Length: 4", "satu", "satu"),
            ("Transfer-Encoding: chunked", "4\r\nsatu\r\n0\r\n\r\n", "satu"),
        ] {
            let fields = format!("{framing}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n");
            let mut client = Client::connect(role.address());
            client.send(request("POST", "/exec", &fields)).send(body);
            let response = client.response();
            assert_eq!((response.status, response.field("upgrade")), (101, Some("tcp")), "{framing}");
            assert_eq!(client.wire().exact(seen.len()).unwrap(), seen.as_bytes(), "{framing}");
            client.send(b"\0\xffGET / HTTP/1.1\r\n\r\n").finish_sending();
            assert_eq!(client.rest(), b"\0\xffGET / HTTP/1.1\r\n\r\ndah", "{framing}");
        }
    }
}

fn back_end_connections_are_kept_and_used_again(model: Model) {
    let backend = Backend::saying("satu");
    let role = proxy(model, &backend);
    for _ in 0..20 {
        assert_eq!(get(role.address(), "/").text(), "satu");
    }
    let mut visits: Vec<_> = backend.requests().iter().map(|request| request.visit).collect();
    visits.sort_unstable();
    visits.dedup();
    // Each poll loop keeps its own, and a client has its last byte a moment before a worker gives the connection
    // back: the next request may find another loop, or the pool still empty. Half of the requests is far from both.
    assert!(visits.len() <= 10, "20 requests one after the other came by connections {visits:?}");
}

fn a_kept_connection_that_died_is_replaced_unseen(model: Model) {
    // Says that it keeps the connection and closes it all the same.
    let backend = Backend::start(|visit| {
        visit.request()?;
        visit.send(ok("satu"))
    });
    let role = proxy(model, &backend);
    let mut client = Client::connect(role.address());
    for turn in 0..50 {
        assert_eq!(client.get("/").status, 200, "request {turn}");
    }
}

fn large_bodies_pass_both_ways(model: Model) {
    let size = 8 * 1024 * 1024;
    let backend = Backend::start(|visit| {
        loop {
            let body = visit.request()?.body;
            visit.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()))?;
            visit.send(body)?;
        }
    });
    let role = proxy(model, &backend);
    let content = Noise::new(2).take_bytes(size);
    let response = ureq::post(role.url("/")).send(&content[..]).unwrap();
    let returned = response.into_body().into_with_config().limit(u64::MAX).read_to_vec().unwrap();
    assert!(returned == content);
}

fn a_back_end_that_answers_while_it_reads_does_not_deadlock(model: Model) {
    let size = 8 * 1024 * 1024;
    let backend = Backend::start(move |visit| {
        visit.head()?;
        visit.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n"))?;
        let mut echoed = 0;
        while echoed < size {
            let bytes = visit.some()?;
            echoed += bytes.len();
            visit.send(bytes)?;
        }
        visit.hold()
    });
    let role = proxy(model, &backend);
    let mut client = Client::connect(role.address());
    client.send(request("POST", "/", &format!("Content-Length: {size}\r\n")));
    let mut up = client.wire().stream().try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || Noise::new(3).write_to(&mut up, size).unwrap());
        assert!(client.response().body == Noise::new(3).take_bytes(size));
    });
}

fn answers_of_every_framing_are_passed_on(model: Model) {
    for (response, body) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsatu", "satu"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nsa\r\n2;x=y\r\ntu\r\n0\r\nT: x\r\n\r\n",
            "satu",
        ),
        ("HTTP/1.1 200 OK\r\n\r\nsatu", "satu"),
        ("HTTP/1.0 200 OK\r\n\r\nsatu", "satu"),
        ("HTTP/1.0 200\r\nServer: myserver/1.0\r\n\r\n", ""),
    ] {
        let backend = Backend::start(move |visit| {
            visit.request()?;
            visit.send(response)
        });
        let role = proxy(model, &backend);
        assert_eq!(get(role.address(), "/").text(), body, "{response:?}");
        // To a client of HTTP/1.0 without chunks.
        let old = Client::connect(role.address()).send("GET / HTTP/1.0\r\nHost: a\r\n\r\n").response();
        assert_eq!((old.is_chunked(), old.text()), (false, body), "{response:?}");
    }
}

fn trailers_pass_unless_they_count_in_a_head_only(model: Model) {
    const TRAILERS: &str = "4\r\nsatu\r\n0\r\nX-Satu: 1\r\nX-Forwarded-For: 6.6.6.6\r\nContent-Length: 9\r\n\
        Transfer-Encoding: gzip\r\nSet-Cookie: a=b\r\nConnection: close\r\nX_Forwarded_For: 6.6.6.6\r\nX-Dua: 2\r\n\r\n";
    const PASSED: &str = "4\r\nsatu\r\n0\r\nX-Satu: 1\r\nX-Dua: 2\r\n\r\n";
    for drips in [false, true] {
        let backend = Backend::start(move |visit| {
            loop {
                visit.head()?;
                let body = visit.chunked_as_it_is()?;
                visit.send(format!(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Got: {}\r\n\r\n",
                    body == PASSED
                ))?;
                if drips { visit.drip(TRAILERS)? } else { visit.send(TRAILERS)? }
            }
        });
        let role = proxy(model, &backend);
        let mut client = Client::connect(role.address());
        for _ in 0..2 {
            client.send(request("POST", "/", "Transfer-Encoding: chunked\r\n"));
            if drips {
                TRAILERS.bytes().for_each(|byte| _ = client.send([byte]));
            } else {
                client.send(TRAILERS);
            }
            let head = client.wire().head().unwrap();
            assert_eq!((head.word(1), head.field("x-got")), ("200", Some("true")));
            assert_eq!(client.wire().chunked_as_it_is().unwrap(), PASSED);
        }
    }
}

fn a_dripping_back_end_is_followed(model: Model) {
    let backend = Backend::start(|visit| {
        visit.request()?;
        visit.drip("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsatu\r\n3\r\ndua\r\n0\r\n\r\n")
    });
    assert_eq!(get(proxy(model, &backend).address(), "/").text(), "satudua");
}

fn pipelined_requests_are_answered_in_order(model: Model) {
    let backend = Backend::start(|visit| {
        loop {
            let request = visit.request()?;
            visit.send(ok(request.head.word(1)))?;
        }
    });
    let role = proxy(model, &backend);
    let mut client = Client::connect(role.address());
    client.send((0..20).map(|turn| request("GET", &format!("/{turn}"), "")).collect::<String>());
    for turn in 0..20 {
        assert_eq!(client.response().text(), format!("/{turn}"));
    }
}

fn smuggling_never_reaches_a_back_end(model: Model) {
    let backend = Backend::saying("satu");
    let role = proxy(model, &backend);
    for fields in [
        "Content-Length: 30\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 0\r\nContent-Length: 30\r\n",
        "Content-Length: +30\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    ] {
        let mut client = Client::connect(role.address());
        client.send(format!("{}0\r\n\r\n{}", request("POST", "/", fields), request("GET", "/selundup", "")));
        let response = client.response();
        assert!(matches!(response.status, 400 | 501), "{fields:?}: {}", response.status);
        client.expect_end();
    }
    assert_eq!(get(role.address(), "/akhir").text(), "satu");
    let targets: Vec<_> = backend.requests().iter().map(|seen| seen.head.word(1).to_owned()).collect();
    assert_eq!(targets, ["/akhir"]);
}
