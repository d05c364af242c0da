//! One client that never stops does not starve another: of one loop, of two workers.

use std::io::Read;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::backend::Backend;
use crate::support::client::{Client, request};
use crate::support::launch::Launch;
use crate::support::role::Role;
use crate::support::site::Site;
use crate::support::{Model, both};

both![
    a_stream_of_made_bytes,
    a_stream_of_a_file,
    a_stream_through_a_gateway,
    a_stream_through_a_relay,
    a_stream_up_a_relay,
];

/// The others' requests while the stream is under way.
const REQUESTS: usize = 50;

const MIB: usize = 1024 * 1024;

/// As little room as there can be: whoever is starved, is starved here.
fn narrow(launch: Launch, model: Model) -> Role {
    match model {
        Model::Threaded => launch.flag("--workers", 2),
        Model::Async => launch.flag("--loops", 1),
    }
    .start()
}

/// Reads what `target` gives, over and over and as fast as it can; meanwhile others are served.
fn expect_fair(role: &Role, target: &str, other: impl Fn(SocketAddr)) {
    let (stop, taken) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut piece = vec![0; 256 * 1024];
            while !stop.load(Ordering::Relaxed) {
                let mut client = Client::connect(role.address());
                client.send(request("GET", target, "Connection: close\r\n"));
                while !stop.load(Ordering::Relaxed) {
                    match client.wire().stream().read(&mut piece).unwrap() {
                        0 => break,
                        count => taken.fetch_add(count, Ordering::Relaxed),
                    };
                }
            }
        });
        // Stops the stream even if an assertion fails: the scope waits for it.
        let _stops = Stops(&stop);
        let wait_for = |bytes| {
            while taken.load(Ordering::Relaxed) < bytes {
                std::thread::yield_now();
            }
        };
        wait_for(MIB);
        let mut last = taken.load(Ordering::Relaxed);
        for turn in 0..REQUESTS {
            other(role.address());
            if turn % 10 == 9 {
                // And the stream goes on too.
                wait_for(last + 1);
                last = taken.load(Ordering::Relaxed);
            }
        }
    });
}

/// Stops what the threads of a scope do, however the test ends.
pub(super) struct Stops<'s>(pub(super) &'s AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A request on a connection of its own, within the usual limit.
fn ask(address: SocketAddr) {
    assert_eq!(Client::connect(address).get("/santai").text(), "santai saja");
}

fn a_stream_of_made_bytes(model: Model) {
    let role = narrow(Launch::web_server(model), model);
    expect_fair(&role, "/?size=1073741824", ask);
    expect_fair(&role, "/?size=1073741824&chunked=1", ask);
}

fn a_stream_of_a_file(model: Model) {
    // A gigabyte of nothing takes no room on the disk.
    let site = Site::new().with("besar.bin", "");
    let file = std::fs::File::options().write(true).open(site.path().join("besar.bin")).unwrap();
    file.set_len(1 << 30).unwrap();
    let role = narrow(Launch::web_server(model).flag("--root", site.path().display()), model);
    expect_fair(&role, "/besar.bin", ask);
}

fn a_stream_through_a_gateway(model: Model) {
    let server = Launch::web_server(model).start();
    for launch in
        [Launch::reverse_proxy(model, server.address()), Launch::balancer(model, "http", [server.address()])]
    {
        expect_fair(&narrow(launch, model), "/?size=1073741824", ask);
    }
}

fn a_stream_through_a_relay(model: Model) {
    let server = Launch::web_server(model).start();
    let role = narrow(Launch::balancer(model, "tcp", [server.address()]), model);
    expect_fair(&role, "/?size=1073741824", ask);
}

/// The client sends without an end; the back end takes it all and says nothing.
fn a_stream_up_a_relay(model: Model) {
    let backend = Backend::start(|visit| {
        loop {
            let bytes = visit.some()?;
            match &bytes[..] {
                [] => return Ok(()),
                b"halo" => visit.send("halo")?,
                _ => {}
            }
        }
    });
    let role = narrow(Launch::balancer(model, "tcp", [backend.address()]), model);
    let (stop, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = Client::connect(role.address());
            while !stop.load(Ordering::Relaxed) {
                client.send([b'x'; 64 * 1024]);
                sent.fetch_add(64 * 1024, Ordering::Relaxed);
            }
        });
        let _stops = Stops(&stop);
        while sent.load(Ordering::Relaxed) < 8 * MIB {
            std::thread::yield_now();
        }
        for _ in 0..REQUESTS {
            let mut client = Client::connect(role.address());
            client.send("halo");
            assert_eq!(client.wire().exact(4).unwrap(), b"halo");
        }
    });
}
