//! The status page: what it shows of a running role, and what a person decides there.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::backend::{Backend, ok};
use crate::support::client::{Client, Response, get, request};
use crate::support::launch::Launch;
use crate::support::role::Role;
use crate::support::{Model, WAIT_MAX, both};

both![
    every_kind_of_role_has_one,
    one_that_drains_finishes_what_it_has_and_gets_nothing_new,
    under_load_no_request_fails_when_a_back_end_drains,
    a_decision_outlives_checks_and_a_reload,
    a_lame_duck_serves_and_is_not_ready,
    without_a_usable_back_end_it_is_not_ready,
    a_page_of_another_site_changes_nothing,
    it_answers_when_the_role_is_full,
    slow_clients_of_it_do_not_hurt_the_role,
    metrics_count_what_clients_did,
    lanes_show_who_waits_for_what,
    a_trace_has_the_phases_of_a_request,
    a_whole_run_is_traced_into_a_file,
];

fn with_page(launch: Launch) -> (Role, SocketAddr) {
    let role = launch.flag("--status", "127.0.0.1:0").start();
    let page = role.status_page();
    (role, page)
}

fn json(page: SocketAddr, target: &str) -> Value {
    let response = get(page, target);
    assert_eq!(response.status, 200, "{}", response.text());
    serde_json::from_str(response.text()).unwrap_or_else(|error| panic!("{error}: {}", response.text()))
}

fn decide(page: SocketAddr, group: &str, backend: SocketAddr, word: &str) -> Response {
    Client::connect(page).ask("POST", &format!("/backends/{group}/{backend}/{word}"), "")
}

/// The back end as `/status.json` shows it.
fn shown(page: SocketAddr, backend: SocketAddr) -> Value {
    let status = json(page, "/status.json");
    let groups = status["roles"][0]["groups"].as_array().unwrap().iter();
    let backends: Vec<Value> =
        groups.flat_map(|group| group["backends"].as_array().unwrap().clone()).collect();
    let found = backends.into_iter().find(|one| one["address"] == backend.to_string());
    found.unwrap_or_else(|| panic!("{backend} is not in {status}"))
}

/// The group of a balancer's back ends, which has the name of the role.
fn group(model: Model) -> &'static str {
    match model {
        Model::Threaded => "lb-threaded",
        Model::Async => "lb-async",
    }
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + WAIT_MAX;
    while !is_so() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::yield_now();
    }
}

fn every_kind_of_role_has_one(model: Model) {
    let backend = Backend::saying("satu");
    for launch in [
        Launch::web_server(model),
        Launch::reverse_proxy(model, backend.address()),
        Launch::balancer(model, "tcp", [backend.address()]),
        Launch::balancer(model, "http", [backend.address()]),
    ] {
        let (mut role, page) = with_page(launch);
        assert_eq!(get(page, "/healthz").text(), "alive\n");
        assert_eq!(get(page, "/readyz").text(), "ready\n");
        let dashboard = get(page, "/");
        assert!(dashboard.text().contains("<html lang=\"en\">"));
        assert_eq!(dashboard.field("cache-control"), Some("no-store"));
        assert!(dashboard.field("content-security-policy").unwrap().starts_with("default-src 'none'"));
        let status = json(page, "/status.json");
        assert_eq!(status["schema"], 1);
        assert_eq!(status["roles"][0]["listen"][0], role.address().to_string());
        assert_eq!(get(page, "/nothing").status, 404);
        assert_eq!(Client::connect(page).ask("PUT", "/", "").field("allow"), Some("GET, HEAD"));
        assert_eq!(role.terminate().code(), Some(0), "{}", role.log());
    }
}

fn one_that_drains_finishes_what_it_has_and_gets_nothing_new(model: Model) {
    let slow = Backend::start(|visit| {
        visit.request()?;
        visit.freeze();
        visit.send(ok("akhirnya"))
    });
    let other = Backend::saying("dua");
    let (role, page) = with_page(Launch::balancer(model, "http", [slow.address(), other.address()]));
    let mut client = Client::connect(role.address());
    client.send(request("GET", "/", ""));
    slow.wait_for_request(0);
    assert_eq!(shown(page, slow.address())["active"], 1);

    let decided = decide(page, group(model), slow.address(), "drain");
    assert_eq!(decided.status, 200, "{}", decided.text());
    role.wait_for_log("drains, by the status page");
    assert_eq!(shown(page, slow.address())["state"], "drain");
    for _ in 0..4 {
        assert_eq!(get(role.address(), "/").text(), "dua");
    }
    assert_eq!(slow.request_count(), 1);

    slow.release();
    assert_eq!(client.response().text(), "akhirnya");
    wait_until("active falls to 0", || shown(page, slow.address())["active"] == 0);
    assert_eq!(decide(page, group(model), slow.address(), "ready").status, 200);
    role.wait_for_log("is ready again");
    wait_until("it gets requests again", || {
        let mut client = Client::connect(role.address());
        client.get("/").text() == "akhirnya"
    });
}

fn under_load_no_request_fails_when_a_back_end_drains(model: Model) {
    let backends = [Backend::saying("satu"), Backend::saying("dua")];
    let addresses = [backends[0].address(), backends[1].address()];
    let (role, page) = with_page(Launch::balancer(model, "http", addresses));
    let address = role.address();
    let clients: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                (0..200).filter(|_| client.get("/").status != 200).count()
            })
        })
        .collect();
    backends[0].wait_for_request(20);
    for word in ["drain", "ready", "down", "ready", "drain"] {
        assert_eq!(decide(page, group(model), addresses[0], word).status, 200);
    }
    let failed: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
    assert_eq!(failed, 0, "{}", role.log());
    wait_until("active falls to 0", || shown(page, addresses[0])["active"] == 0);
    assert_eq!(shown(page, addresses[0])["failed"], 0);
}

fn a_decision_outlives_checks_and_a_reload(model: Model) {
    let backends = [Backend::saying("satu"), Backend::saying("dua")];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let write = |timeout: &str| std::fs::write(&file, format!("connect-timeout = \"{timeout}\"\n")).unwrap();
    write("3s");
    let launch = Launch::balancer(model, "http", [backends[0].address(), backends[1].address()]);
    let (role, page) = with_page(launch.checked("50ms").flag("--config", file.display()));
    assert_eq!(decide(page, group(model), backends[0].address(), "down").status, 200);
    let checks = || shown(page, backends[0].address())["checks_passed"].as_u64().unwrap();
    let before = checks();
    wait_until("three more checks pass", || checks() >= before + 3);
    write("2s");
    role.signal(Signal::HUP);
    role.wait_for_log("changed: connect-timeout");
    assert_eq!(shown(page, backends[0].address())["state"], "down");
    for _ in 0..4 {
        assert_eq!(get(role.address(), "/").text(), "dua");
    }
}

fn a_lame_duck_serves_and_is_not_ready(model: Model) {
    let (mut role, page) = with_page(Launch::web_server(model).flag("--lame-duck", "100s"));
    role.signal(Signal::TERM);
    role.wait_for_log("not ready any more");
    let ready = get(page, "/readyz");
    assert_eq!(ready.status, 503);
    assert!(ready.text().ends_with(": it is about to drain\n"), "{}", ready.text());
    assert_eq!(get(page, "/healthz").status, 200);
    assert_eq!(get(role.address(), "/").status, 200, "it serves new clients");
    // A request in flight holds the drain, and the page is there to its end.
    let mut busy = Client::connect(role.address());
    busy.send(request("GET", "/?delay=1s", ""));
    wait_until("it is being served", || json(page, "/status.json")["roles"][0]["connections"]["open"] == 1);
    role.signal(Signal::TERM);
    role.wait_until_it_refuses();
    let ready = get(page, "/readyz");
    assert!(ready.status == 503 && ready.text().ends_with(": it drains\n"), "{}", ready.text());
    assert_eq!(busy.response().status, 200);
    assert_eq!(role.wait().code(), Some(0), "{}", role.log());
}

fn without_a_usable_back_end_it_is_not_ready(model: Model) {
    let backend = Backend::saying("satu");
    let (role, page) = with_page(Launch::balancer(model, "tcp", [backend.address()]));
    assert_eq!(get(page, "/readyz").status, 200);
    assert_eq!(decide(page, group(model), backend.address(), "down").status, 200);
    let ready = get(page, "/readyz");
    assert!(ready.status == 503 && ready.text().ends_with(": no back end is usable\n"), "{}", ready.text());
    assert_eq!(decide(page, group(model), backend.address(), "ready").status, 200);
    assert_eq!(get(page, "/readyz").status, 200);
    assert_eq!(get(role.address(), "/").text(), "satu");
}

fn a_page_of_another_site_changes_nothing(model: Model) {
    let backend = Backend::saying("satu");
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "rahasia\n").unwrap();
    let launch = Launch::balancer(model, "http", [backend.address()]);
    let launch = launch.flag("--status-token", token.display()).flag("--status-host", "lb.example");
    let (_role, page) = with_page(launch);
    let target = format!("/backends/{}/{}/down", group(model), backend.address());
    let ask = |fields: &str| {
        let mut client = Client::connect(page);
        client.send(format!("POST {target} HTTP/1.1\r\nContent-Length: 0\r\n{fields}\r\n"));
        client.response().status
    };
    let bearer = "Authorization: Bearer rahasia\r\n";
    assert_eq!(ask(&format!("Host: evil.example\r\n{bearer}")), 403);
    assert_eq!(ask(&format!("Host: {page}\r\nOrigin: http://evil.example\r\n{bearer}")), 403);
    assert_eq!(ask(&format!("Host: {page}\r\n")), 401);
    assert_eq!(ask(&format!("Host: {page}\r\nAuthorization: Bearer rahasi\r\n")), 401);
    assert_eq!(get(page, &target).status, 405, "a link changes nothing");
    assert_eq!(shown(page, backend.address())["state"], "up");
    for host in [page.to_string(), "localhost:1".to_owned(), "lb.example".to_owned()] {
        assert_eq!(ask(&format!("Host: {host}\r\n{bearer}")), 200, "{host}");
    }
    assert_eq!(shown(page, backend.address())["state"], "down");
    assert!(!get(page, "/status.json").text().contains("rahasia"));
}

fn it_answers_when_the_role_is_full(model: Model) {
    let backend = Backend::silent();
    let launch = Launch::balancer(model, "http", [backend.address()]).flag("--connections-max", 2);
    let launch = match model {
        Model::Threaded => launch.flag("--workers", 1).flag("--queue", 1).switch("--no-park"),
        Model::Async => launch,
    };
    let (role, page) = with_page(launch);
    let clients: Vec<Client> = (0..3)
        .map(|_| {
            let mut client = Client::connect(role.address());
            client.send(request("GET", "/", ""));
            client
        })
        .collect();
    backend.wait_for_visits(1);
    let begun = Instant::now();
    assert_eq!(get(page, "/healthz").status, 200);
    assert!(json(page, "/status.json")["roles"][0]["connections"]["open"].as_u64().unwrap() >= 1);
    assert!(begun.elapsed() < WAIT_MAX / 2);
    drop(clients);
}

fn slow_clients_of_it_do_not_hurt_the_role(model: Model) {
    let (role, page) = with_page(Launch::web_server(model));
    // More than the page takes at a time.
    let slow: Vec<Client> = (0..80)
        .map(|_| {
            let mut client = Client::connect(page);
            client.send("GET / HTTP/1.1\r\n");
            client
        })
        .collect();
    for _ in 0..10 {
        assert_eq!(get(role.address(), "/").status, 200);
    }
    drop(slow);
    assert_eq!(get(page, "/healthz").status, 200);
}

fn metrics_count_what_clients_did(model: Model) {
    let backend = Backend::saying("satu");
    let launch = Launch::reverse_proxy(model, backend.address());
    let (role, page) = with_page(launch.flag("--route", format!("/pdf/={}", backend.address())));
    let mut client = Client::connect(role.address());
    for target in ["/", "/", "/pdf/x", "/../.."] {
        let _ = client.get(target);
    }
    drop(client);
    let labels = format!("role=\"reverse-proxy\",listen=\"{}\"", role.address());
    let sample = |name: &str| {
        let text = get(page, "/metrics").text().to_owned();
        let line =
            text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")).map(ToOwned::to_owned));
        line.unwrap_or_else(|| panic!("no {name} in\n{text}"))
    };
    wait_until("all are counted", || {
        sample(&format!("giliran_requests_total{{{labels},status=\"4xx\"}}")) == "1"
    });
    for (name, expected) in [
        (format!("giliran_requests_total{{{labels},status=\"2xx\"}}"), "3"),
        (format!("giliran_route_requests_total{{{labels},route=\"/pdf/\",status=\"2xx\"}}"), "1"),
        (format!("giliran_route_requests_total{{{labels},route=\"the default route\",status=\"2xx\"}}"), "2"),
        (format!("giliran_connections_accepted_total{{{labels}}}"), "1"),
        (format!("giliran_total_seconds_count{{{labels}}}"), "4"),
        (
            format!(
                "giliran_backend_served_total{{{labels},group=\"the default route\",backend=\"{}\"}}",
                backend.address()
            ),
            "2",
        ),
    ] {
        assert_eq!(sample(&name), expected, "{name}");
    }
    let open = Client::connect(page).ask("GET", "/metrics", "Accept: application/openmetrics-text\r\n");
    assert!(open.field("content-type").unwrap().starts_with("application/openmetrics-text; version=1.0.0"));
    assert!(open.text().ends_with("# EOF\n"));
}

fn lanes_show_who_waits_for_what(model: Model) {
    let backend = Backend::silent();
    let (role, page) = with_page(Launch::balancer(model, "http", [backend.address()]));
    let mut client = Client::connect(role.address());
    client.send(request("GET", "/", ""));
    backend.wait_for_visits(1);
    let holds = |lane: &Value| lane[3].as_u64().unwrap();
    wait_until("a lane holds the connection", || {
        let lanes = json(page, "/lanes.json");
        lanes["roles"][0]["lanes"].as_array().unwrap().iter().map(holds).sum::<u64>() == 1
    });
    // A thread pool parks it after a moment; a loop has it all the time.
    let names = json(page, "/status.json")["roles"][0]["lanes"].clone();
    let holder = match model {
        Model::Threaded => "parking",
        Model::Async => "loop",
    };
    wait_until("it is where it waits", || {
        let lanes = json(page, "/lanes.json");
        let lanes = lanes["roles"][0]["lanes"].as_array().unwrap();
        let index = lanes.iter().position(|lane| holds(lane) == 1);
        index.is_some_and(|index| names[index]["kind"] == holder)
    });
}

/// The names of the slices of a trace, which must be JSON in Chrome's format.
fn phases(trace: &str) -> Vec<String> {
    let trace: Value = serde_json::from_str(trace).unwrap_or_else(|error| panic!("{error}: {trace}"));
    let events = trace["traceEvents"].as_array().unwrap().iter();
    let slices = events.filter(|event| event["ph"] == "X" && event["args"]["connection"].as_u64() > Some(0));
    slices.map(|slice| slice["name"].as_str().unwrap().to_owned()).collect()
}

fn a_trace_has_the_phases_of_a_request(model: Model) {
    let backend = Backend::saying("satu");
    let (role, page) = with_page(Launch::balancer(model, "http", [backend.address()]));
    // Requests for as long as the trace takes: some of them are in it, whenever it begins.
    let trace = thread::scope(|scope| {
        let tracing = scope.spawn(|| get(page, "/trace?seconds=1"));
        while !tracing.is_finished() {
            assert_eq!(get(role.address(), "/").text(), "satu");
        }
        tracing.join().unwrap()
    });
    assert_eq!(trace.status, 200);
    let phases = phases(trace.text());
    for phase in ["read", "connect", "write"] {
        assert!(phases.iter().any(|one| one == phase), "no {phase} in {phases:?}");
    }
}

fn a_whole_run_is_traced_into_a_file(model: Model) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.json");
    let mut role = Launch::web_server(model).flag("--trace", file.display()).start();
    assert_eq!(get(role.address(), "/").status, 200);
    assert_eq!(role.terminate().code(), Some(0), "{}", role.log());
    let phases = phases(&std::fs::read_to_string(&file).unwrap());
    assert!(phases.iter().any(|one| one == "write"), "{phases:?}");
}

/// A pair, so that a message names the flag.
fn failure_of(launch: Launch, flag: &str) -> (Option<i32>, String) {
    let ended = launch.end();
    assert!(ended.err.contains(flag), "{flag} is not named: {}", ended.err);
    (ended.status, ended.err)
}

#[test]
fn what_cannot_be_shown_is_refused_with_its_flag() {
    let server = || Launch::web_server(Model::Threaded);
    let token = tempfile::tempdir().unwrap();
    let token = token.path().join("token");
    std::fs::write(&token, "").unwrap();
    assert_eq!(failure_of(server().flag("--status-token", token.display()), "--status-token").0, Some(2));
    let with = server().flag("--status", "127.0.0.1:0");
    let (status, text) = failure_of(with.clone().flag("--status-token", token.display()), "--status-token");
    assert!(status == Some(2) && text.contains("it is empty"), "{text}");
    assert_eq!(failure_of(server().flag("--status-host", "lb"), "--status-host").0, Some(2));
    assert_eq!(
        failure_of(with.clone().flag("--trace", "/nowhere/trace"), "--trace /nowhere/trace").0,
        Some(2)
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let (status, text) = failure_of(server().flag("--status", taken), "--status");
    assert!(status == Some(1) && text.contains(&taken.to_string()), "{text}");
}

#[test]
fn a_reload_does_not_move_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "status = \"127.0.0.1:0\"\n").unwrap();
    let role = Launch::web_server(Model::Async).flag("--config", file.display()).start();
    let page = role.status_page();
    std::fs::write(&file, "status = \"127.0.0.1:1\"\n").unwrap();
    role.signal(Signal::HUP);
    role.wait_for_log("a restart is needed to change status");
    assert_eq!(get(page, "/healthz").status, 200);
}

#[test]
fn beyond_loopback_it_warns() {
    let role = Launch::web_server(Model::Async).flag("--status", "0.0.0.0:0").start();
    role.wait_for_log("is not on loopback");
}

#[test]
fn the_suite_has_one_for_all_its_roles() {
    let suite = Launch::bare("suite").flag("--port-base", 0).flag("--backends", 2);
    let process = suite.process();
    let line = process.out.wait_nth(0, |line| line.starts_with("status on http://")).unwrap();
    let page: SocketAddr = line["status on http://".len()..].trim_end_matches('/').parse().unwrap();
    let status = json(page, "/status.json");
    let roles: Vec<&str> =
        status["roles"].as_array().unwrap().iter().map(|role| role["role"].as_str().unwrap()).collect();
    assert_eq!(roles.len(), 3 + 2 + 3, "{roles:?}");
    assert_eq!(get(page, "/readyz").status, 200);
    let begun = Instant::now();
    assert!(get(page, "/metrics").text().contains("role=\"lb-threaded\""));
    assert!(begun.elapsed() < Duration::from_secs(10));
    drop(process);
    let quiet = suite.flag("--status", "off").process();
    assert!(quiet.out.wait_nth(0, |line| line.starts_with("ready")).is_some());
    assert!(!quiet.out.text().contains("status on"));
}
