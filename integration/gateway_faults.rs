//! Back ends that fail, and what the client of a gateway sees of it: as little as possible, and
//! never half an answer that looks whole.

use std::io::ErrorKind;
use std::time::Duration;

use socket2::SockRef;

use crate::support::backend::{Backend, Full, Refusing, ok};
use crate::support::client::{Client, Response, get, post, request};
use crate::support::launch::Launch;
use crate::support::role::Role;
use crate::support::{Model, both};

both![
    a_refusing_back_end_is_502,
    a_resetting_back_end_is_502,
    a_back_end_that_closes_without_a_word_is_502,
    a_back_end_that_talks_nonsense_is_502,
    a_silent_back_end_is_504,
    a_head_that_drips_for_ever_is_504,
    interim_answers_for_ever_are_502,
    a_refusing_back_end_is_skipped_unseen,
    a_back_end_that_never_accepts_is_skipped,
    none_that_ever_accepts_is_504,
    all_refusing_is_502,
    an_unsafe_request_is_sent_only_once,
    a_cut_body_never_looks_whole,
    a_reset_within_a_body_never_looks_whole,
    a_stall_within_a_body_is_cut,
    a_client_that_vanishes_frees_the_back_end,
    a_client_that_resets_while_it_waits_frees_the_back_end,
    a_client_that_says_no_more_while_it_waits_is_answered,
    a_client_that_cuts_its_body_does_not_complete_it,
    a_fault_costs_one_connection,
];

fn proxy(model: Model, backend: &Backend) -> Role {
    Launch::reverse_proxy(model, backend.address()).start()
}

/// One plain sentence for the reader and `Proxy-Status` for the program.
fn expect_fault(response: &Response, status: u16) {
    assert_eq!(response.status, status, "{response:?}");
    assert!(response.field("proxy-status").is_some(), "{response:?}");
    assert_eq!(response.text().trim_end().lines().count(), 1, "{response:?}");
}

fn a_refusing_back_end_is_502(model: Model) {
    let refusing = Refusing::new();
    for launch in [
        Launch::reverse_proxy(model, refusing.address()),
        Launch::balancer(model, "http", [refusing.address()]),
    ] {
        expect_fault(&get(launch.start().address(), "/"), 502);
    }
}

fn a_resetting_back_end_is_502(model: Model) {
    for sent in ["", "HTTP/1.1 200 OK\r\nContent-"] {
        let backend = Backend::start(move |visit| {
            visit.request()?;
            visit.send(sent)?;
            visit.reset()
        });
        let role = proxy(model, &backend);
        let mut client = Client::connect(role.address());
        expect_fault(&client.send(post("/", b"satu")).response(), 502);
    }
}

fn a_back_end_that_closes_without_a_word_is_502(model: Model) {
    for sent in ["", "HTTP/1.1 200 OK\r\nContent-"] {
        let backend = Backend::start(move |visit| {
            visit.request()?;
            visit.send(sent)
        });
        let role = proxy(model, &backend);
        let mut client = Client::connect(role.address());
        expect_fault(&client.send(post("/", b"satu")).response(), 502);
    }
}

fn a_back_end_that_talks_nonsense_is_502(model: Model) {
    for nonsense in [
        "ini bukan http\r\n\r\n",
        "HTTP/1.1 999 X\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nsatu",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\nsatu",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
    ] {
        let backend = Backend::start(move |visit| {
            visit.request()?;
            visit.send(nonsense)?;
            visit.hold()
        });
        expect_fault(&get(proxy(model, &backend).address(), "/"), 502);
    }
    // A head without an end is nonsense too, once it is longer than any head may be.
    let backend = Backend::start(|visit| {
        visit.request()?;
        visit.send("HTTP/1.1 200 OK\r\n")?;
        loop {
            visit.send("X: y\r\n".repeat(1000))?;
        }
    });
    expect_fault(&get(proxy(model, &backend).address(), "/"), 502);
}

fn a_silent_back_end_is_504(model: Model) {
    let backend = Backend::silent();
    let launch = Launch::reverse_proxy(model, backend.address()).flag("--backend-timeout", "300ms");
    let role = launch.start();
    expect_fault(&get(role.address(), "/"), 504);
    backend.wait_for_visits(1);
}

fn a_head_that_drips_for_ever_is_504(model: Model) {
    let backend = Backend::start(|visit| {
        visit.request()?;
        visit.send("HTTP/1.1 200 OK\r\nX: ")?;
        loop {
            visit.pause(Duration::from_millis(50))?;
            visit.send("y")?;
        }
    });
    let role = Launch::reverse_proxy(model, backend.address()).flag("--backend-timeout", "500ms").start();
    expect_fault(&get(role.address(), "/"), 504);
    backend.wait_until_left();
}

fn interim_answers_for_ever_are_502(model: Model) {
    let backend = Backend::start(|visit| {
        visit.request()?;
        loop {
            visit.send("HTTP/1.1 103 Early Hints\r\n\r\n")?;
        }
    });
    let role = proxy(model, &backend);
    let mut client = Client::connect(role.address());
    client.send(request("GET", "/", ""));
    let mut response = client.response();
    while response.status == 103 {
        response = client.response();
    }
    expect_fault(&response, 502);
    backend.wait_until_left();
}

fn a_refusing_back_end_is_skipped_unseen(model: Model) {
    let (refusing, backend) = (Refusing::new(), Backend::saying("satu"));
    let role = Launch::balancer(model, "http", [refusing.address(), backend.address()]).start();
    for _ in 0..10 {
        assert_eq!(get(role.address(), "/").text(), "satu");
    }
    let mut client = Client::connect(role.address());
    assert_eq!(
        client.send(post("/", b"isi")).response().text(),
        "satu",
        "nothing was sent: any method may go on"
    );
    assert_eq!(backend.requests().len(), 11);
}

fn a_back_end_that_never_accepts_is_skipped(model: Model) {
    let (full, backend) = (Full::new(), Backend::saying("satu"));
    let addresses = [full.address(), backend.address()];
    let role = Launch::balancer(model, "http", addresses).flag("--connect-timeout", "300ms").start();
    for _ in 0..2 {
        assert_eq!(get(role.address(), "/").text(), "satu");
    }
}

fn none_that_ever_accepts_is_504(model: Model) {
    let full = Full::new();
    let role = Launch::balancer(model, "http", [full.address()]).flag("--connect-timeout", "300ms").start();
    expect_fault(&get(role.address(), "/"), 504);
}

fn all_refusing_is_502(model: Model) {
    let refusing = [Refusing::new(), Refusing::new()];
    let role = Launch::balancer(model, "http", refusing.each_ref().map(Refusing::address)).start();
    expect_fault(&get(role.address(), "/"), 502);
}

fn an_unsafe_request_is_sent_only_once(model: Model) {
    let backends = [(); 2].map(|()| {
        Backend::start(|visit| {
            visit.request()?;
            visit.reset()
        })
    });
    let role = Launch::balancer(model, "http", backends.each_ref().map(Backend::address)).start();
    let mut client = Client::connect(role.address());
    expect_fault(&client.send(post("/bayar", b"satu")).response(), 502);
    let sent: usize = backends.iter().map(|backend| backend.requests().len()).sum();
    assert_eq!(sent, 1, "it may have been carried out before the reset");
}

/// Reads an answer that must not be complete.
fn expect_cut(role: &Role) {
    let mut client = Client::connect(role.address());
    client.send(request("GET", "/", ""));
    let error = client.try_response("GET").expect_err("a cut response looks whole");
    assert!(matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset), "{error}");
}

const CUT: [&str; 3] = [
    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsatu",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsatu\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nsatu",
];

fn a_cut_body_never_looks_whole(model: Model) {
    for response in CUT {
        let backend = Backend::start(move |visit| {
            visit.request()?;
            visit.send(response)
        });
        expect_cut(&proxy(model, &backend));
    }
}

fn a_reset_within_a_body_never_looks_whole(model: Model) {
    for response in CUT.into_iter().chain(["HTTP/1.1 200 OK\r\n\r\nsatu"]) {
        let backend = Backend::start(move |visit| {
            visit.request()?;
            visit.send(response)?;
            // The reset overtakes nothing: the client has the first bytes before it comes.
            visit.freeze();
            visit.reset()
        });
        let role = proxy(model, &backend);
        let mut client = Client::connect(role.address());
        client.send(request("GET", "/", ""));
        backend.wait_for_request(0);
        let head = client.wire().head().unwrap();
        let (is_chunk_free, has_length) = (!head.is_chunked(), head.field("content-length").is_some());
        backend.release();
        // By length or chunks the end is missing; without either only a reset can say that.
        if let Ok(rest) = client.wire().rest() {
            let looks_whole = rest.ends_with(b"0\r\n\r\n") || is_chunk_free && !has_length;
            assert!(!looks_whole, "{response:?}");
        }
    }
}

fn a_stall_within_a_body_is_cut(model: Model) {
    let backend = Backend::start(|visit| {
        visit.request()?;
        visit.send(CUT[0])?;
        visit.hold()
    });
    expect_cut(&Launch::reverse_proxy(model, backend.address()).flag("--stall-timeout", "300ms").start());
}

fn a_client_that_vanishes_frees_the_back_end(model: Model) {
    let backend = Backend::start(|visit| {
        visit.request()?;
        visit.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")?;
        loop {
            visit.send([b'x'; 1024])?;
        }
    });
    let role = proxy(model, &backend);
    let mut client = Client::connect(role.address());
    client.send(request("GET", "/", ""));
    client.wire().head().unwrap();
    drop(client);
    backend.wait_until_left();
}

fn a_client_that_resets_while_it_waits_frees_the_back_end(model: Model) {
    let backend = Backend::start(|visit| {
        while visit.request()?.head.word(1) == "/cepat" {
            visit.send(ok("cepat"))?;
        }
        visit.hold()
    });
    let role = proxy(model, &backend);
    // On its first request, and on a later one of a kept connection, which the poller knows already.
    for kept in [false, true] {
        let mut client = Client::connect(role.address());
        if kept {
            assert_eq!(client.get("/cepat").text(), "cepat");
        }
        client.send(request("GET", "/", ""));
        backend.wait_for_request(if kept { 2 } else { 0 });
        SockRef::from(client.wire().stream()).set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        backend.wait_until_left();
    }
    role.wait_for_logs("client reset before response head", 2);
}

fn a_client_that_says_no_more_while_it_waits_is_answered(model: Model) {
    let backend = Backend::start(|visit| {
        loop {
            let target = visit.request()?.head.word(1).to_owned();
            visit.freeze();
            visit.send(ok(&target))?;
        }
    });
    let role = proxy(model, &backend);
    let [mut half_closed, mut eager] = [(); 2].map(|()| Client::connect(role.address()));
    half_closed.send(request("GET", "/satu", ""));
    eager.send(request("GET", "/satu", ""));
    // So long that the role looks after its clients: these are not gone.
    half_closed.expect_silence(Duration::from_millis(1200));
    half_closed.finish_sending();
    eager.send(request("GET", "/dua", ""));
    let before = role.process().switches();
    half_closed.expect_silence(Duration::from_millis(300));
    let woken = role.process().switches() - before;
    assert!(woken < 500, "{woken} times: it spins over what it need not know");
    backend.release();
    assert_eq!(half_closed.response().text(), "/satu");
    assert_eq!([eager.response().text(), eager.response().text()], ["/satu", "/dua"]);
}

fn a_client_that_cuts_its_body_does_not_complete_it(model: Model) {
    let backend = Backend::saying("satu");
    let role = proxy(model, &backend);
    for request in [
        request("POST", "/", "Content-Length: 9\r\n") + "satu",
        request("POST", "/", "Transfer-Encoding: chunked\r\n") + "4\r\nsatu\r\n",
    ] {
        let mut client = Client::connect(role.address());
        client.send(request).finish_sending();
        // Some answer or none: what counts is that the back end was never given a whole request.
        let _ = client.wire().rest();
    }
    assert_eq!(get(role.address(), "/akhir").text(), "satu");
    let targets: Vec<_> = backend.requests().iter().map(|seen| seen.head.word(1).to_owned()).collect();
    assert_eq!(targets, ["/akhir"]);
}

fn a_fault_costs_one_connection(model: Model) {
    let backend = Backend::start(|visit| {
        loop {
            match visit.request()?.head.word(1) {
                "/reset" => return visit.reset(),
                "/nonsense" => visit.send("ini bukan http\r\n\r\n")?,
                _ => visit.send(ok("satu"))?,
            }
        }
    });
    let role = proxy(model, &backend);
    let mut client = Client::connect(role.address());
    for target in ["/", "/nonsense", "/"] {
        let status = if target == "/" { 200 } else { 502 };
        let response = client.get(target);
        assert_eq!(response.status, status, "{target}");
        if response.field("connection") == Some("close") {
            client = Client::connect(role.address());
        }
    }
    // Faults of the back end are no reason to give up the client; time is.
    client.expect_silence(Duration::from_millis(50));
}
