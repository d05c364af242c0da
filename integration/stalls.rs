//! No lost edges: at every phase of a connection a peer stalls until the program surely waits for
//! it (a worker has parked the connection, a loop has nothing more to do), and then goes on.

use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::Signal;
use socket2::SockRef;

use crate::support::backend::{Backend, Full, Visit, ok};
use crate::support::client::{Client, post, request};
use crate::support::launch::Launch;
use crate::support::noise::Noise;
use crate::support::role::Role;
use crate::support::site::Site;
use crate::support::{Model, both};

both![
    within_the_request_head,
    within_the_request_body,
    before_the_back_end_accepts,
    within_the_answer_head,
    within_the_answer_body,
    between_requests,
    a_slow_reader_of_a_site,
    a_slow_reader_of_forwarded_answers,
    a_slow_back_end,
    each_side_of_a_relay_in_turn,
    each_side_of_a_tunnel_in_turn,
    bytes_behind_urgent_ones,
];

/// Longer than a worker waits before it parks a connection.
const STALL: Duration = Duration::from_millis(300);

const MIB: usize = 1024 * 1024;

/// Nothing is sent to anybody for a while, and nothing comes either.
fn stall(client: &mut Client) {
    client.expect_silence(STALL);
}

/// The reverse proxy and the balancer of requests before one back end.
fn gateways(model: Model, backend: SocketAddr) -> [Role; 2] {
    [Launch::reverse_proxy(model, backend).start(), Launch::balancer(model, "http", [backend]).start()]
}

/// The three that speak HTTP with a client, before or without this back end.
fn speakers(model: Model, backend: &Backend) -> [Role; 3] {
    let [proxy, balancer] = gateways(model, backend.address());
    [proxy, balancer, Launch::web_server(model).start()]
}

/// Sends each role the first part, stalls, sends the second and expects success.
fn send_in_two(roles: &[Role; 3], first: &[u8], second: &[u8]) {
    let mut clients = roles.each_ref().map(|role| Client::connect(role.address()));
    for client in &mut clients {
        client.send(first);
    }
    stall(&mut clients[0]);
    for client in &mut clients {
        let status = client.send(second).response().status;
        assert_eq!(status, 200, "{} | {}", first.escape_ascii(), second.escape_ascii());
    }
}

fn within_the_request_head(model: Model) {
    let backend = Backend::saying("satu");
    let roles = speakers(model, &backend);
    let bytes = request("GET", "/santai", "X-Satu: dua\r\n").into_bytes();
    // Before anything, within the request line, within a field, before the last line feed.
    for split in [0, 5, 40, bytes.len() - 1] {
        send_in_two(&roles, &bytes[..split], &bytes[split..]);
    }
}

fn within_the_request_body(model: Model) {
    let backend = Backend::saying("satu");
    let roles = speakers(model, &backend);
    let by_length = post("/", b"satu dua tiga");
    let chunked =
        request("POST", "/", "Transfer-Encoding: chunked\r\n") + "4\r\nsatu\r\n3\r\ndua\r\n0\r\n\r\n";
    for (bytes, missing) in
        [(&by_length[..], 13), (&by_length, 3), (chunked.as_bytes(), 14), (chunked.as_bytes(), 2)]
    {
        let (first, second) = bytes.split_at(bytes.len() - missing);
        send_in_two(&roles, first, second);
    }
}

fn before_the_back_end_accepts(model: Model) {
    for mode in ["http", "tcp"] {
        let full = Full::new();
        let role = Launch::balancer(model, mode, [full.address()]).start();
        let mut client = Client::connect(role.address());
        // The connect is under way, and comes through when a repeated SYN finds room.
        stall(client.send(request("GET", "/", "")));
        let mut backend = full.open();
        assert_eq!(backend.head().unwrap().word(1), "/", "{mode}");
        backend.send(ok("akhirnya").as_bytes()).unwrap();
        assert_eq!(client.response().text(), "akhirnya", "{mode}");
    }
}

fn within_the_answer_head(model: Model) {
    let plain = ok("satu");
    let hinted = format!("HTTP/1.1 103 Dulu\r\n\r\n{plain}");
    for (whole, sent) in [(&plain, 0), (&plain, 10), (&plain, plain.len() - 5), (&hinted, 10), (&hinted, 24)]
    {
        answer_in_two(model, &whole[..sent], &whole[sent..]);
    }
}

fn within_the_answer_body(model: Model) {
    const CHUNKED: &str =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nsa\r\n2\r\ntu\r\n0\r\n\r\n";
    const UNTIL_CLOSE: &str = "HTTP/1.0 200 OK\r\n\r\nsatu";
    for (whole, missing) in [
        (&ok("satu")[..], 4),
        (&ok("satu"), 1),
        (CHUNKED, 15),
        (CHUNKED, 7),
        (CHUNKED, 2),
        (UNTIL_CLOSE, 4),
        (UNTIL_CLOSE, 0),
    ] {
        let (first, second) = whole.split_at(whole.len() - missing);
        answer_in_two(model, first, second);
    }
}

/// A back end that sends the first part of its answer, stalls, and sends the rest.
fn answer_in_two(model: Model, first: &str, second: &str) {
    let (first, second) = (first.to_owned(), second.to_owned());
    let said = format!("{first:?} | {second:?}");
    let backend = Backend::start(move |visit| {
        visit.request()?;
        visit.send(&first)?;
        visit.freeze();
        visit.send(&second)
    });
    let relay = Launch::balancer(model, "tcp", [backend.address()]).start();
    let [proxy, balancer] = gateways(model, backend.address());
    let roles = [proxy, balancer, relay];
    let mut clients = roles.each_ref().map(|role| Client::connect(role.address()));
    for client in &mut clients {
        client.send(request("GET", "/", ""));
    }
    backend.wait_for_request(roles.len() - 1);
    stall(&mut Client::connect(roles[0].address()));
    backend.release();
    for client in &mut clients {
        let mut response = client.response();
        if response.status == 103 {
            response = client.response();
        }
        assert_eq!((response.status, response.text()), (200, "satu"), "{said}");
    }
}

fn between_requests(model: Model) {
    let backend = Backend::saying("satu");
    let roles = speakers(model, &backend);
    let mut clients = roles.each_ref().map(|role| Client::connect(role.address()));
    for _ in 0..2 {
        clients.iter_mut().for_each(|client| assert_eq!(client.get("/").status, 200));
        stall(&mut clients[0]);
    }
    // Half of the next one comes along with one that is whole.
    let next = request("GET", "/", "");
    for client in &mut clients {
        assert_eq!(client.send(next.clone() + &next[..10]).response().status, 200);
    }
    stall(&mut clients[0]);
    clients.iter_mut().for_each(|client| assert_eq!(client.send(&next[10..]).response().status, 200));
}

/// A client whose kernel takes little of what it does not read.
fn slow_reader(role: &Role) -> Client {
    let mut client = Client::connect(role.address());
    SockRef::from(client.wire().stream()).set_recv_buffer_size(256 * 1024).unwrap();
    client
}

fn a_slow_reader_of_a_site(model: Model) {
    let size = 24 * MIB;
    let site = Site::new().with("besar.bin", Noise::new(8).take_bytes(size));
    let role = Launch::web_server(model).flag("--root", site.path().display()).start();
    let targets = ["/besar.bin".to_owned(), format!("/?size={size}"), format!("/?size={size}&chunked=1")];
    let mut clients = targets.each_ref().map(|target| {
        let mut client = slow_reader(&role);
        client.send(request("GET", target, ""));
        client
    });
    for _ in 0..3 {
        stall(&mut Client::connect(role.address()));
        clients.iter_mut().for_each(|client| client.wire().keep_some(MIB).unwrap());
    }
    stall(&mut Client::connect(role.address()));
    for (client, target) in clients.iter_mut().zip(&targets) {
        let body = client.response().body;
        assert_eq!(body.len(), size, "{target}");
        assert!(target != "/besar.bin" || body == Noise::new(8).take_bytes(size));
        assert_eq!(client.get("/santai").status, 200, "{target}");
    }
}

fn a_slow_reader_of_forwarded_answers(model: Model) {
    let size = 24 * MIB;
    let backend = Backend::start(move |visit| {
        visit.request()?;
        visit.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n"))?;
        let mut noise = Noise::new(9);
        visit.pour(|| noise.take_bytes(64 * 1024), size)
    });
    let roles = gateways(model, backend.address());
    let mut clients = roles.each_ref().map(slow_reader);
    for client in &mut clients {
        client.send(request("GET", "/", ""));
    }
    for _ in 0..2 {
        backend.wait_until_poured_full();
        clients.iter_mut().for_each(|client| client.wire().keep_some(MIB).unwrap());
    }
    backend.wait_until_poured_full();
    for client in &mut clients {
        assert!(client.response().body == Noise::new(9).take_bytes(size));
    }
}

/// Sends noise from a thread of its own while `meanwhile` runs.
fn send_noise_while(client: &mut Client, seed: u64, size: usize, meanwhile: impl FnOnce(&mut Client)) {
    let mut up = client.wire().stream().try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || Noise::new(seed).write_to(&mut up, size).unwrap());
        meanwhile(client);
    });
}

fn a_slow_back_end(model: Model) {
    let size = 24 * MIB;
    let backend = Backend::start(move |visit: &mut Visit| {
        visit.head()?;
        visit.freeze();
        let is_whole = visit.exact(size)? == Noise::new(10).take_bytes(size);
        visit.send(ok(if is_whole { "utuh" } else { "rusak" }))
    });
    let [proxy, balancer] = gateways(model, backend.address());
    let relay = Launch::balancer(model, "tcp", [backend.address()]).start();
    for role in [proxy, balancer, relay] {
        let mut client = Client::connect(role.address());
        client.send(request("POST", "/", &format!("Content-Length: {size}\r\n")));
        send_noise_while(&mut client, 10, size, |client| {
            stall(client);
            backend.release();
            assert_eq!(client.response().text(), "utuh");
        });
    }
}

/// Says `satu` when it was let go, then what it hears, and at the end of that `dah`.
fn late_echo(visit: &mut Visit) -> std::io::Result<()> {
    visit.some()?;
    visit.freeze();
    visit.send("satu")?;
    loop {
        let bytes = visit.some()?;
        match bytes.is_empty() {
            true => return visit.send("dah"),
            false => visit.send(bytes)?,
        }
    }
}

/// Stalls on each side of a conversation with [`late_echo`].
fn converse(client: &mut Client, backend: &Backend) {
    stall(client);
    stall(client.send("?"));
    backend.release();
    assert_eq!(client.wire().exact(4).unwrap(), b"satu");
    for word in ["dua", "tiga"] {
        stall(client);
        client.send(word);
        assert_eq!(client.wire().exact(word.len()).unwrap(), word.as_bytes());
    }
    stall(client);
    client.finish_sending();
    assert_eq!(client.rest(), b"dah");
}

fn each_side_of_a_relay_in_turn(model: Model) {
    let backend = Backend::start(late_echo);
    let role = Launch::balancer(model, "tcp", [backend.address()]).start();
    converse(&mut Client::connect(role.address()), &backend);
}

fn each_side_of_a_tunnel_in_turn(model: Model) {
    let backend = Backend::start(|visit| {
        visit.head()?;
        visit.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: gema\r\n\r\n")?;
        late_echo(visit)
    });
    let role = Launch::reverse_proxy(model, backend.address()).start();
    let mut client = Client::connect(role.address());
    assert_eq!(client.ask("GET", "/", "Connection: Upgrade\r\nUpgrade: gema\r\n").status, 101);
    converse(&mut client, &backend);
}

/// A read stops short of urgent data (`MSG_OOB`), which does not mean that there is nothing behind it.
fn bytes_behind_urgent_ones(model: Model) {
    let echo = Backend::echoing();
    let role = Launch::balancer(model, "tcp", [echo.address()]).start();
    let mut client = Client::connect(role.address());
    for _ in 0..3 {
        client.send("halo");
        assert_eq!(client.wire().exact(4).unwrap(), b"halo");
        // All of it is there before the role looks.
        role.signal(Signal::STOP);
        client.send("satu");
        SockRef::from(client.wire().stream()).send_out_of_band(b"!").unwrap();
        client.send("dua");
        role.signal(Signal::CONT);
        assert_eq!(client.wire().exact(7).unwrap(), b"satudua");
    }
}
