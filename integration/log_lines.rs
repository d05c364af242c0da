//! What the lines of the log say, in each format, and what is not worth a line.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use crate::support::backend::{Backend, Refusing};
use crate::support::client::{Client, get, request};
use crate::support::launch::Launch;
use crate::support::role::Role;
use crate::support::{Model, both};

both![
    no_back_end_alive_is_told_as_such,
    a_response_that_was_never_sent_has_no_first_byte,
    a_refused_head_shows_its_first_bytes,
    every_line_says_which_connection_it_is_about,
    a_tunnel_keeps_the_number_of_its_connection,
    a_connect_takes_time,
    checks_that_change_nothing_are_told_at_debug,
    only_checks_are_taken_for_checks,
    seed_is_the_courses_output_line_by_line,
    seed_shows_what_a_server_receives_and_sends,
    seed_keeps_errors,
];

/// The value of a field of a `key=value` line.
fn field<'l>(line: &'l str, key: &str) -> Option<&'l str> {
    let (_, behind) = line.split_once(&format!(" {key}="))?;
    let quoted = behind.strip_prefix('"').and_then(|value| value.split_once('"'));
    Some(quoted.map_or_else(|| behind.split(' ').next().unwrap_or_default(), |(value, _)| value))
}

fn port_of(client: &mut Client) -> u16 {
    client.wire().stream().local_addr().unwrap().port()
}

/// Has the client's side closed by a reset.
fn reset(mut client: Client) {
    socket2::SockRef::from(client.wire().stream()).set_linger(Some(Duration::ZERO)).unwrap();
}

fn no_back_end_alive_is_told_as_such(model: Model) {
    for mode in ["http", "tcp"] {
        let gone = Refusing::new();
        let role = Launch::balancer(model, mode, [gone.address()]).checked("50ms").start();
        role.wait_for_log("is out");
        let mut client = Client::connect(role.address());
        match mode {
            "http" => assert_eq!(client.get("/").status, 503),
            _ => client.expect_end(),
        }
        let line = role.wait_for_log("outcome=\"no back end was up\"");
        assert_eq!(field(&line, "status"), (mode == "http").then_some("503"), "{line}");
        assert_eq!((field(&line, "clean"), field(&line, "retries")), (Some("false"), Some("0")), "{line}");
    }
}

fn a_response_that_was_never_sent_has_no_first_byte(model: Model) {
    // Of a back end that closes without a byte, and of one whose head is never complete.
    let silent = Backend::start(|visit| visit.some().map(drop));
    let role = Launch::balancer(model, "tcp", [silent.address()]).checked("off").start();
    Client::connect(role.address()).send("minta").rest();
    let line = role.wait_for_log("closed role=");
    assert_eq!((field(&line, "bytes_out"), field(&line, "first_ms")), (Some("0"), None), "{line}");

    let half = Backend::start(|visit| {
        visit.request()?;
        visit.send("HTTP/1.1 200 OK\r\nContent-")?;
        visit.hold()
    });
    let role = Launch::reverse_proxy(model, half.address()).flag("--backend-timeout", "300ms").start();
    let mut client = Client::connect(role.address());
    client.send(request("GET", "/", ""));
    half.wait_for_request(0);
    reset(client);
    let line = role.wait_for_log("closed role=");
    let is_sent = field(&line, "bytes_out") != Some("0");
    assert_eq!(field(&line, "first_ms").is_some(), is_sent, "{line}");
}

fn a_refused_head_shows_its_first_bytes(model: Model) {
    let backend = Backend::saying("satu");
    let long = format!("GET /{} HTTP/1.1\r\nHost: a b\r\n\r\n", "a".repeat(200));
    for (sent, shown) in [
        ("GET /\u{7f} HTTP/1.1\r\nHost: a\r\n\r\n".as_bytes(), r"GET /\u007f HTTP/1.1"),
        (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            r"\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\\xfc\u0003\u0003",
        ),
        (b"hello\r\n\r\n", "hello"),
        (long.as_bytes(), &format!("GET /{}", "a".repeat(200))),
        (b"GET /half HTTP/1.1\r\nHo", "GET /half HTTP/1.1"),
    ] {
        for launch in [Launch::web_server(model), Launch::reverse_proxy(model, backend.address())] {
            let role = launch.start();
            let mut client = Client::connect(role.address());
            client.send(sent).finish_sending().rest();
            let line = role.wait_for_log("closed role=");
            let found = line.split_once(" request=").unwrap().1;
            let cut = &shown[..shown.len().min(64)];
            assert!(found.trim_start_matches('"').starts_with(cut), "{line}");
        }
    }
}

/// The lines of two clients, one after the other, in this format.
fn lines_of_two(model: Model, format: &str) -> Vec<String> {
    let backend = Backend::saying("satu");
    let launch = Launch::balancer(model, "tcp", [backend.address()]).checked("off");
    let role = launch.flag("--log-format", format).start();
    for _ in 0..2 {
        let mut client = Client::connect(role.address());
        client.ask("GET", "/", "Connection: close\r\n");
        client.finish_sending().rest();
    }
    role.wait_for_logs("bytes_out", 2);
    let is_access = |line: &&str| {
        ["connection from", "diteruskan", "closed", "\"client\""].iter().any(|word| line.contains(word))
    };
    role.log().lines().filter(is_access).map(str::to_owned).collect()
}

fn every_line_says_which_connection_it_is_about(model: Model) {
    let role = if model == Model::Threaded { "lb-threaded" } else { "lb-async" };
    let lines = lines_of_two(model, "text");
    assert_eq!(lines.len(), 6, "{lines:#?}");
    for number in ["1", "2"] {
        let of_one: Vec<&String> =
            lines.iter().filter(|line| field(line, "connection") == Some(number)).collect();
        assert_eq!(of_one.len(), 3, "{lines:#?}");
        let came = of_one[0].split_once("connection from ").unwrap().1;
        let client = came.split(' ').next().unwrap();
        for line in of_one {
            assert_eq!(field(line, "role"), Some(role), "{line}");
            assert!(line.contains(client), "{line}");
        }
    }
    let lines = lines_of_two(model, "json");
    assert_eq!(lines.len(), 6, "{lines:#?}");
    let clients: BTreeSet<String> = lines
        .iter()
        .map(|line| {
            let parsed: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(parsed["role"], role, "{line}");
            format!("{} {}", parsed["connection"].as_u64().unwrap(), parsed["client"].as_str().unwrap())
        })
        .collect();
    assert_eq!(clients.len(), 2, "{lines:#?}");
}

fn a_tunnel_keeps_the_number_of_its_connection(model: Model) {
    let backend = Backend::start(|visit| {
        visit.request()?;
        visit.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
    });
    let role = Launch::reverse_proxy(model, backend.address()).start();
    get(role.address(), "/"); // the second connection has another number than 1
    let mut client = Client::connect(role.address());
    client.send(request("GET", "/", "Connection: upgrade\r\nUpgrade: echo\r\n")).finish_sending().rest();
    role.wait_for_logs("connection=2", 4);
    let of_two: Vec<String> =
        role.log().lines().filter(|line| line.contains("connection=2")).map(str::to_owned).collect();
    assert!(of_two[2].contains("status=101") && of_two[3].contains("closed role="), "{of_two:#?}");
}

fn a_connect_takes_time(model: Model) {
    let backend = Backend::saying("satu");
    for mode in ["tcp", "http"] {
        let launch = Launch::balancer(model, mode, [backend.address()]).checked("off");
        let role = launch.start();
        let mut client = Client::connect(role.address());
        client.get("/");
        if mode == "http" {
            client.get("/lagi");
        }
        client.finish_sending().rest();
        let first = role.wait_for_log("closed role=");
        let took: f64 = field(&first, "connect_ms").unwrap_or_else(|| panic!("{first}")).parse().unwrap();
        assert!(took > 0.0, "{first}");
        if mode == "http" {
            let second = role.wait_for_log("GET /lagi");
            assert_eq!(field(&second, "connect_ms"), None, "over a kept connection: {second}");
        }
    }
}

/// Lines of a connection or an exchange at this level.
fn access_lines(log: &str, level: &str) -> usize {
    let is_access = |line: &&str| line.contains("connection from ") || line.contains("closed role=");
    log.lines().filter(|line| line.contains(level)).filter(is_access).count()
}

fn checks_that_change_nothing_are_told_at_debug(model: Model) {
    let server = Launch::web_server(model).flag("--log", "debug").start();
    let of = |mode: &str, path: &str| {
        let launch = Launch::balancer(model, mode, [server.address()]).checked("30ms");
        launch.flag("--health-path", path).start()
    };
    let balancers = [of("http", "/"), of("http", "/tidak-ada"), of("tcp", "off")];
    // The checks of paths have two lines each, those of connections one.
    for text in ["HEAD /\"", "HEAD /tidak-ada"] {
        server.wait_for_logs(text, 3);
    }
    for balancer in &balancers {
        assert_eq!(access_lines(&balancer.log(), ""), 0, "{}", balancer.log());
    }
    assert_eq!(access_lines(&server.log(), "[INFO ]"), 0, "{}", server.log());
    assert!(access_lines(&server.log(), "[DEBUG]") > 0);
    get(balancers[0].address(), "/santai");
    let line = server.wait_for_log("GET /santai");
    assert!(line.contains("[INFO ]"), "{line}");
}

fn only_checks_are_taken_for_checks(model: Model) {
    let server = Launch::web_server(model).start();
    let agent = "User-Agent: giliran-check/1\r\nConnection: close\r\n";
    let mut sent = 0;
    for (method, target, fields) in [
        ("GET", "/", agent.to_owned()),
        ("HEAD", "/", "Connection: close\r\n".to_owned()),
        ("HEAD", "/", format!("{agent}X-Forwarded-For: 192.0.2.1\r\n")),
    ] {
        Client::connect(server.address()).send(request(method, target, &fields)).rest();
        sent += 1;
        server.wait_for_logs("closed role=", sent);
    }
    // The first bytes of a head have one at once.
    let mut slow = Client::connect(server.address());
    let port = port_of(&mut slow);
    slow.send("GET / HTTP/1.1\r\n");
    server.wait_for_log(&format!("connection from 127.0.0.1:{port} "));
    // Sent before them, a check has no line by now, and neither has a client that says nothing.
    Client::connect(server.address()).send(request("HEAD", "/", agent)).rest();
    reset(Client::connect(server.address()));
    Client::connect(server.address()).finish_sending().expect_end();
    get(server.address(), "/santai");
    server.wait_for_log("GET /santai");
    assert_eq!(server.logged("connection from "), sent + 2, "{}", server.log());
    // One that is told to be ill is news.
    Client::connect(server.address()).send(request("HEAD", "/?status=503", agent)).rest();
    server.wait_for_log("status=503");
}

#[test]
fn an_idle_suite_is_quiet() {
    let suite = Launch::bare("suite").flag("--port-base", 0).flag("--log", "debug").process();
    suite.out.wait_nth(0, |line| line.starts_with("ready")).unwrap();
    // Two rounds of checks have come to all three servers behind the proxy.
    suite.err.wait_nth(5, |line| line.contains("closed role=")).unwrap();
    assert_eq!(access_lines(&suite.err.text(), "[INFO ]"), 0, "{}", suite.err.text());
    assert_eq!(suite.err.text().matches("[WARN ]").count(), suite.err.text().matches("ulimit").count());
}

/// The lines that the course's balancer of this model has for one connection.
fn course_lines(model: Model, client: u16, host: &str, backend: u16) -> [String; 2] {
    let came = format!("WARNING:root:connection from ('127.0.0.1', {client})");
    let went = match model {
        Model::Threaded => format!("WARNING:root:koneksi diteruskan ke ('{host}', {backend})"),
        Model::Async => {
            format!("WARNING:root:koneksi dari ('127.0.0.1', {client}) diteruskan ke ('{host}', {backend})")
        }
    };
    [came, went]
}

fn seed_is_the_courses_output_line_by_line(model: Model) {
    let backend = Backend::saying("satu");
    let port = backend.address().port();
    for (host, level, mode) in
        [("localhost", "info", "tcp"), ("127.0.0.1", "info", "http"), ("127.0.0.1", "warn", "tcp")]
    {
        let none: [SocketAddr; 0] = [];
        let launch = Launch::balancer(model, mode, none).flag("--backend", format!("{host}:{port}"));
        let launch = launch.checked("off").flag("--log", level).flag("--log-format", "seed");
        let mut role = launch.start();
        let mut expected = Vec::new();
        for _ in 0..3 {
            let mut client = Client::connect(role.address());
            let from = port_of(&mut client);
            client.ask("GET", "/", "Connection: close\r\n");
            client.finish_sending().rest();
            expected.extend(course_lines(model, from, host, port));
        }
        role.terminate();
        // A name may have an address at which nobody listens, which Python would not have tried.
        let log = role.log();
        let lines: Vec<&str> = log.lines().filter(|line| !line.starts_with("ERROR:root:")).collect();
        assert_eq!(lines, expected, "{host} {mode}");
        assert!(host == "localhost" || !log.contains("ERROR"), "{log}");
    }
    let mut server = Launch::web_server(model).flag("--log-format", "seed").start();
    let mut client = Client::connect(server.address());
    let from = port_of(&mut client);
    client.get("/");
    drop(client);
    server.terminate();
    assert_eq!(server.log(), format!("WARNING:root:connection from ('127.0.0.1', {from})"));
}

fn seed_shows_what_a_server_receives_and_sends(model: Model) {
    let launch = Launch::role("default-server", model).switch("--mirror").flag("--log-format", "seed");
    let role: Role = launch.flag("--log", "debug").start();
    Client::connect(role.address()).send("GET /santai HTTP/1.0\r\nHost: a\r\n\r\n").rest();
    role.wait_for_log(r"DEBUG:root:data dari client: GET /santai HTTP/1.0\r\nHost: a\r\n\r\n");
    let line = role.wait_for_log("balas ke client: ");
    assert!(line.starts_with(r"DEBUG:root:balas ke client: b'HTTP/1.0 200 OK\r\nDate: "), "{line}");
    assert!(
        line.ends_with(r"\r\nConnection: close\r\nServer: myserver/1.0\r\nContent-Length: 11\r\n\r\n'"),
        "{line}"
    );
}

fn seed_keeps_errors(model: Model) {
    let gone = Refusing::new();
    let launch = Launch::balancer(model, "tcp", [gone.address()]).checked("50ms");
    let role = launch.flag("--log-format", "seed").start();
    let line = role.wait_for_log("is out");
    assert!(line.starts_with("ERROR:root:"), "{line}");
    assert_eq!(role.logged("WARNING:root:") + role.logged("INFO:root:"), 0, "{}", role.log());
}
