//! The faults of the Python programs this suite descends from, each a test by the fault's name.

use std::time::Duration;

use crate::support::backend::Backend;
use crate::support::client::{Client, get, post, request};
use crate::support::launch::Launch;
use crate::support::noise::Noise;
use crate::support::role::Role;
use crate::support::site::Site;
use crate::support::{Model, both};

both![
    request_in_pieces_that_end_in_crlf,
    one_global_buffer_for_all_clients,
    answer_larger_than_8192_arrives_whole,
    routing_by_substring,
    spin_at_eof,
    spin_on_dead_back_end,
    binary_bytes_are_not_decoded,
    partial_sends_are_not_lost,
    unknown_extension_does_not_crash,
    head_is_not_answered_400,
    no_stray_bytes_after_the_body,
    the_tree_is_not_read_once_at_start,
    backlog_is_not_one,
];

const PAGE: &str = "Ini Adalah web Server percobaan";

/// It read 32 bytes at a time and took any piece that ended in CR LF for the whole request.
fn request_in_pieces_that_end_in_crlf(model: Model) {
    let role = Launch::web_server(model).start();
    let mut client = Client::connect(role.address());
    for piece in ["GET /santai HTTP/1.1\r\n", "Host: a\r\n", "X-Isian: 0123456789012\r\n"] {
        client.send(piece).expect_silence(Duration::from_millis(50));
    }
    assert_eq!(client.send("\r\n").response().text(), "santai saja");
    // A body whose own lines end so is no further request either.
    let head = request("POST", "/", "Content-Length: 12\r\n");
    client.send(head).expect_silence(Duration::from_millis(50));
    client.send("satu\r\n").expect_silence(Duration::from_millis(50));
    assert_eq!(client.send("dua.\r\n").response().text(), "kosong");
}

/// `rcv` was one global: two clients that sent at the same time got each other's bytes.
fn one_global_buffer_for_all_clients(model: Model) {
    let role = Launch::web_server(model).start();
    let mut first = Client::connect(role.address());
    let mut second = Client::connect(role.address());
    let requests = [request("GET", "/santai", ""), request("GET", "/?size=7", "")];
    for (a, b) in requests[0].bytes().zip(requests[1].bytes()) {
        first.send([a]);
        second.send([b]);
    }
    let shorter = requests[0].len().min(requests[1].len());
    first.send(&requests[0][shorter..]);
    second.send(&requests[1][shorter..]);
    assert_eq!(first.response().text(), "santai saja");
    assert_eq!(second.response().body.len(), 7);
}

/// The proxy and the balancer took one `recv(8192)` for the answer.
fn answer_larger_than_8192_arrives_whole(model: Model) {
    let server = Launch::web_server(model).start();
    for role in in_front_of(model, &server) {
        for size in [8191, 8192, 8193, 1_000_000] {
            assert_eq!(get(role.address(), &format!("/?size={size}")).body.len(), size);
        }
    }
}

/// Everything that can stand before a server.
fn in_front_of(model: Model, server: &Role) -> [Role; 3] {
    [
        Launch::reverse_proxy(model, server.address()).start(),
        Launch::balancer(model, "tcp", [server.address()]).start(),
        Launch::balancer(model, "http", [server.address()]).start(),
    ]
}

/// `/pdf/` anywhere in the request went to the PDF server, also in a query or a field.
fn routing_by_substring(model: Model) {
    let [rest, images, pdf] = ["rest", "images", "pdf"].map(Backend::saying);
    let role = Launch::reverse_proxy(model, rest.address())
        .flag("--route", format!("/images/={}", images.address()))
        .flag("--route", format!("/pdf/={}", pdf.address()))
        .start();
    let mut client = Client::connect(role.address());
    for target in ["/x/pdf/y", "/x/images/y", "/?q=/pdf/", "/pdfx", "/PDF/"] {
        assert_eq!(client.get(target).text(), "rest", "{target}");
    }
    assert_eq!(client.ask("GET", "/", "Referer: http://a/images/\r\n").text(), "rest");
    assert_eq!(client.get("/pdf/images/").text(), "pdf");
}

/// A client that had finished sending made the loop read its end of stream without pause.
fn spin_at_eof(model: Model) {
    let backend = Backend::silent();
    let server = Launch::web_server(model).start();
    let [proxy, tcp, http] = [
        Launch::reverse_proxy(model, backend.address()),
        Launch::balancer(model, "tcp", [backend.address()]),
        Launch::balancer(model, "http", [backend.address()]),
    ]
    .map(Launch::start);
    for (role, target) in [(&server, "/?delay=3s"), (&proxy, "/"), (&tcp, "/"), (&http, "/")] {
        let mut client = Client::connect(role.address());
        client.send(request("GET", target, "")).finish_sending();
        expect_rest(role, &mut client);
    }
}

/// Half a second and more of nothing to do must cost next to nothing.
fn expect_rest(role: &Role, client: &mut Client) {
    let before = role.process().cpu_seconds();
    client.expect_silence(Duration::from_millis(1000));
    let used = role.process().cpu_seconds() - before;
    assert!(used < 0.3, "{used} s of processor time for one idle second");
}

/// A back end that had gone away was written to for ever.
fn spin_on_dead_back_end(model: Model) {
    let living = Backend::silent();
    let dead = Backend::start(|visit| visit.reset());
    for mode in ["tcp", "http"] {
        let role = Launch::balancer(model, mode, [dead.address(), living.address()]).start();
        let mut clients = [(); 4].map(|()| Client::connect(role.address()));
        for client in &mut clients {
            client.send(request("GET", "/", ""));
            client.finish_sending();
        }
        let before = role.process().cpu_seconds();
        // Two of four are given to the living back end and wait there; the window is theirs.
        for client in &mut clients {
            client.wire().is_silent_for(Duration::from_millis(300));
        }
        let used = role.process().cpu_seconds() - before;
        assert!(used < 0.3, "{mode}: {used} s of processor time");
        assert!(role.log().lines().count() < 60, "{mode}: {}", role.log());
    }
}

/// `.decode()` threw at the first byte that was not UTF-8.
fn binary_bytes_are_not_decoded(model: Model) {
    let server = Launch::web_server(model).start();
    let all: Vec<u8> = (0..=255).cycle().take(4096).collect();
    for role in in_front_of(model, &server).iter().chain([&server]) {
        let mut client = Client::connect(role.address());
        assert_eq!(client.send(post("/", &all)).response().text(), "kosong");
        let field = [b"GET / HTTP/1.1\r\nHost: a\r\nX: ", &b"\xff\xfe"[..], b"\r\n\r\n"].concat();
        assert_eq!(client.send(field).response().text(), PAGE);
    }
}

/// `send` took part of a large answer and the rest was forgotten.
fn partial_sends_are_not_lost(model: Model) {
    let content = Noise::new(8).take_bytes(4 * 1024 * 1024);
    let site = Site::new().with("besar.bin", &content);
    let server = Launch::role("default-server", model).flag("--root", site.path().display()).start();
    for role in in_front_of(model, &server).iter().chain([&server]) {
        let mut client = Client::connect(role.address());
        // With such a window no send of the server takes more than a little. Below the loopback's
        // segment of 64 KiB the kernel would wait for its persist timer instead.
        socket2::SockRef::from(client.wire().stream()).set_recv_buffer_size(128 * 1024).unwrap();
        client.send(request("GET", "/besar.bin", ""));
        assert!(client.response().body == content);
    }
}

/// The table of types had no entry, and the program no handler.
fn unknown_extension_does_not_crash(model: Model) {
    let site = Site::new().with("a.xyzzy", "satu").with("b.", "dua");
    let role = Launch::role("default-server", model).flag("--root", site.path().display()).start();
    let mut client = Client::connect(role.address());
    assert_eq!((client.get("/a.xyzzy").text(), client.get("/b.").text()), ("satu", "dua"));
    let mirror =
        Launch::role("default-server", model).flag("--root", site.path().display()).switch("--mirror");
    assert_eq!(get(mirror.start().address(), "/a.xyzzy").text(), "satu");
}

/// Only GET and POST were known.
fn head_is_not_answered_400(model: Model) {
    let server = Launch::web_server(model).start();
    for role in in_front_of(model, &server).iter().chain([&server]) {
        let mut client = Client::connect(role.address());
        let head = client.ask("HEAD", "/", "");
        assert_eq!((head.status, head.field("content-length")), (200, Some("31")));
        assert_eq!(client.get("/").text(), PAGE, "the connection goes on behind it");
    }
}

/// CR LF CR LF stood behind every body, where the next answer starts.
fn no_stray_bytes_after_the_body(model: Model) {
    let server = Launch::web_server(model).start();
    for role in in_front_of(model, &server).iter().chain([&server]) {
        let mut client = Client::connect(role.address());
        client.send(request("GET", "/", "Connection: close\r\n"));
        assert!(client.rest().ends_with(format!("\r\n\r\n{PAGE}").as_bytes()));
    }
}

/// The whole tree was listed for every request. What is served is opened by its name, so a change
/// is seen without a restart.
fn the_tree_is_not_read_once_at_start(model: Model) {
    let site = Site::new().with("lama.txt", "lama");
    let role = Launch::role("default-server", model).flag("--root", site.path().display()).start();
    let mut client = Client::connect(role.address());
    assert_eq!((client.get("/lama.txt").text(), client.get("/baru.txt").status), ("lama", 404));
    let site = site.with("baru.txt", "baru").with("sub/dalam.txt", "dalam");
    assert_eq!((client.get("/baru.txt").text(), client.get("/sub/dalam.txt").text()), ("baru", "dalam"));
    std::fs::remove_file(site.path().join("baru.txt")).unwrap();
    // A cache may answer for the second that it trusts itself, and no longer.
    client.expect_silence(Duration::from_millis(1500));
    assert_eq!(client.get("/baru.txt").status, 404);
}

/// `listen(1)`: of many clients at once most waited a second for their SYN to be sent again.
fn backlog_is_not_one(model: Model) {
    let server = Launch::web_server(model).start();
    for role in in_front_of(model, &server).iter().chain([&server]) {
        let mut slowest = Duration::ZERO;
        let mut clients: Vec<_> = (0..100)
            .map(|_| {
                let start = std::time::Instant::now();
                let client = Client::connect(role.address());
                slowest = slowest.max(start.elapsed());
                client
            })
            .collect();
        assert!(slowest < Duration::from_millis(900), "a connect took {slowest:?}");
        for client in &mut clients {
            client.send(request("GET", "/", "Connection: close\r\n"));
        }
        for client in &mut clients {
            assert_eq!(client.response().text(), PAGE);
        }
    }
}
