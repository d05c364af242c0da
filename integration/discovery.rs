//! Back ends that are found by name (A, AAAA) and by service (SRV), and followed while a name server changes its
//! mind, lies, or says nothing.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use serde_json::Value;

use crate::support::backend::{Backend, Visit, ok};
use crate::support::client::{Client, get, request};
use crate::support::launch::Launch;
use crate::support::name_server::{Manner, NameServer};
use crate::support::role::Role;
use crate::support::site::Site;
use crate::support::{Model, WAIT_MAX, both};

both![
    every_address_of_a_name_is_a_back_end_and_shown_with_it,
    an_address_that_vanishes_keeps_its_relays_and_gets_nothing_new,
    a_request_in_flight_at_an_address_that_vanishes_is_finished,
    a_name_server_that_fails_changes_nothing_and_is_told_once,
    a_long_response_comes_over_tcp,
    a_forged_response_is_passed_over,
    an_alias_leads_to_its_addresses,
    a_service_names_hosts_and_ports,
    routes_and_files_may_name_services,
    what_is_not_found_at_the_start_ends_the_program,
    a_hostile_name_server_finds_bounds,
    the_times_have_bounds_by_flag,
];

const NAME: &str = "web.example";
const SERVICE: &str = "_http._tcp.web.example";

fn loopback(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}

/// The flags of a role that asks this server again and again.
fn asking(launch: Launch, server: &NameServer) -> Launch {
    launch
        .flag("--resolver", server.address())
        .flag("--resolve-min", "20ms")
        .flag("--resolve-interval", "20ms")
        .flag("--status", "127.0.0.1:0")
}

/// A balancer of what this server knows.
fn balancer(model: Model, mode: &str, server: &NameServer, backend: &str) -> Launch {
    asking(Launch::balancer(model, mode, []).flag("--backend", backend), server)
}

fn of_port(port: u16) -> String {
    format!("{NAME}:{port}")
}

fn status(role: &Role) -> Value {
    serde_json::from_str(get(role.status_page(), "/status.json").text()).unwrap()
}

/// The back ends as the status page shows them.
fn shown(role: &Role) -> Vec<Value> {
    status(role)["roles"][0]["groups"][0]["backends"].as_array().unwrap().clone()
}

fn addresses(role: &Role) -> Vec<String> {
    shown(role).iter().map(|one| one["address"].as_str().unwrap().to_owned()).collect()
}

fn wait_until(what: &str, role: &Role, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + WAIT_MAX;
    while !is_so() {
        assert!(Instant::now() < deadline, "in vain: {what}\n{}", role.log());
        std::thread::yield_now();
    }
}

/// Expects the next requests to be served by these, in any order.
fn expect_served_by(role: &Role, texts: &[&str]) {
    let served: Vec<String> = (0..8).map(|_| get(role.address(), "/").text().to_owned()).collect();
    for text in texts {
        assert!(served.iter().any(|one| one == text), "{text} serves nothing: {served:?}");
    }
    assert!(served.iter().all(|one| texts.contains(&one.as_str())), "{served:?}\n{}", role.log());
}

fn every_address_of_a_name_is_a_back_end_and_shown_with_it(model: Model) {
    let backends = Backend::pair(["satu", "dua"]);
    let port = backends[0].address().port();
    let server = NameServer::start();
    server.set(NAME, &[loopback(2), loopback(3)]);
    let role = balancer(model, "http", &server, &of_port(port)).start();
    expect_served_by(&role, &["satu", "dua"]);
    assert!(shown(&role).iter().all(|one| one["host"] == NAME && one["service"].is_null()));
    // Of both families. (The machine may have no IPv6: so nobody is sent there.)
    server.set(NAME, &["::1".parse().unwrap(), loopback(3)]);
    wait_until("the list follows", &role, || {
        addresses(&role) == [format!("127.0.0.3:{port}"), format!("[::1]:{port}")]
    });
    server.set(NAME, &[loopback(3)]);
    role.wait_for_log(&format!("[::1]:{port} is gone"));
    expect_served_by(&role, &["dua"]);
}

fn an_address_that_vanishes_keeps_its_relays_and_gets_nothing_new(model: Model) {
    let echo = |visit: &mut Visit| {
        loop {
            let bytes = visit.some()?;
            match bytes.is_empty() {
                true => return Ok(()),
                false => visit.send(&bytes)?,
            }
        }
    };
    let [one, other] = Backend::pair_of([echo, echo]);
    let server = NameServer::start();
    server.set(NAME, &[loopback(2)]);
    let role = balancer(model, "tcp", &server, &of_port(one.address().port())).start();
    let mut held = Client::connect(role.address());
    let echoes = |client: &mut Client, word: &str| {
        client.send(word);
        assert_eq!(client.wire().exact(word.len()).unwrap(), word.as_bytes());
    };
    echoes(&mut held, "satu");
    server.set(NAME, &[loopback(3)]);
    role.wait_for_log(&format!("{} is gone", one.address()));
    for _ in 0..4 {
        echoes(&mut Client::connect(role.address()), "dua");
    }
    assert_eq!((one.visits(), other.visits()), (1, 4));
    echoes(&mut held, "tiga");
    held.finish_sending().expect_end();
}

fn a_request_in_flight_at_an_address_that_vanishes_is_finished(model: Model) {
    let script = |text: &'static str| {
        move |visit: &mut Visit| {
            loop {
                if visit.request()?.head.word(1) == "/lambat" {
                    visit.freeze();
                }
                visit.send(ok(text))?;
            }
        }
    };
    let [one, other] = Backend::pair_of([script("satu"), script("dua")]);
    let server = NameServer::start();
    server.set(NAME, &[loopback(2)]);
    let role = balancer(model, "http", &server, &of_port(one.address().port())).start();
    let mut client = Client::connect(role.address());
    client.send(request("GET", "/lambat", ""));
    one.wait_for_request(0);
    server.set(NAME, &[loopback(3)]);
    role.wait_for_log(&format!("{} is gone", one.address()));
    expect_served_by(&role, &["dua"]);
    one.release();
    assert_eq!(client.response().text(), "satu");
    // The same client goes on, and elsewhere.
    assert_eq!(client.get("/").text(), "dua");
    assert_eq!((one.request_count(), other.request_count()), (1, 9));
}

fn a_name_server_that_fails_changes_nothing_and_is_told_once(model: Model) {
    let backends = Backend::pair(["satu", "dua"]);
    let server = NameServer::start();
    server.set(NAME, &[loopback(2), loopback(3)]);
    let role = balancer(model, "http", &server, &of_port(backends[0].address().port())).start();
    let failed = || {
        let metrics = get(role.status_page(), "/metrics");
        let is_failed = |line: &&str| line.starts_with("giliran_look_ups") && line.contains("failed");
        let line = metrics.text().lines().find(is_failed).unwrap().to_owned();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    for (times, (fault, words)) in [
        (Some(Manner::Failing), "it has failed to find out (SERVFAIL)"),
        (Some(Manner::Silent), "does not respond"),
        (None, "the name has no address"),
    ]
    .into_iter()
    .enumerate()
    {
        let before = failed();
        match fault {
            Some(manner) => server.respond(manner),
            None => server.set(NAME, &[]),
        }
        let line = role.wait_for_log(words);
        assert!(line.contains(&format!(
            "{} cannot be looked up, its addresses stay: ",
            of_port(backends[0].address().port())
        )));
        wait_until("it fails again", &role, || failed() >= before + 2);
        expect_served_by(&role, &["satu", "dua"]);
        server.set(NAME, &[loopback(2), loopback(3)]);
        server.respond(Manner::Sound);
        role.wait_for_logs("is found again", times + 1);
        assert_eq!(role.logged("cannot be looked up"), times + 1, "{}", role.log());
    }
    assert_eq!(role.logged("is new") + role.logged("is gone"), 0, "{}", role.log());
    assert_eq!(status(&role)["roles"][0]["look_ups"]["failed"], failed());
}

fn a_long_response_comes_over_tcp(model: Model) {
    let backends = Backend::pair(["satu", "dua"]);
    let server = NameServer::start();
    server.set(NAME, &[loopback(2)]);
    server.respond(Manner::Truncating);
    let role = balancer(model, "http", &server, &of_port(backends[0].address().port())).start();
    expect_served_by(&role, &["satu"]);
    let queries = server.queries();
    assert!(queries.iter().any(|(_, is_tcp)| *is_tcp) && queries.iter().any(|(_, is_tcp)| !*is_tcp));
}

fn a_forged_response_is_passed_over(model: Model) {
    let backends = Backend::pair(["satu", "dua"]);
    let server = NameServer::start();
    server.set(NAME, &[loopback(2)]);
    server.respond(Manner::Forged);
    let role = balancer(model, "http", &server, &of_port(backends[0].address().port())).start();
    expect_served_by(&role, &["satu"]);
}

fn an_alias_leads_to_its_addresses(model: Model) {
    let backends = Backend::pair(["satu", "dua"]);
    let server = NameServer::start();
    server.set_alias(NAME, "a.example");
    server.set("a.example", &[loopback(2)]);
    server.set("b.example", &[loopback(3)]);
    let role = balancer(model, "http", &server, &of_port(backends[0].address().port())).start();
    expect_served_by(&role, &["satu"]);
    server.set_alias(NAME, "b.example");
    role.wait_for_log(" is gone");
    expect_served_by(&role, &["dua"]);
}

fn a_service_names_hosts_and_ports(model: Model) {
    let (one, two) = (Backend::saying("satu"), Backend::saying("dua"));
    let ports = [one.address().port(), two.address().port()];
    let server = NameServer::start();
    server.set("a.example", &[loopback(1)]);
    server.set_service(SERVICE, &[(10, 0, ports[0], "a.example"), (10, 3, ports[1], "a.example")]);
    let target = format!("srv:{SERVICE}");
    let role = balancer(model, "http", &server, &target).start();
    expect_served_by(&role, &["satu", "dua"]);
    assert!(shown(&role).iter().all(|one| one["host"] == "a.example" && one["service"] == SERVICE));
    // What `explain` looks up is the same.
    let words = ["explain", "GET", "/", "--backend", &target, "--resolver", &server.address().to_string()];
    let binary = if model == Model::Threaded { "lb-threaded" } else { "lb-async" };
    let told = words.iter().fold(Launch::bare(binary), |launch, word| launch.switch(word)).end();
    assert!(told.out.contains(&format!("127.0.0.1:{}  a.example of {target}", ports[0])), "{told:?}");
    // A port more, a port less.
    server.set_service(SERVICE, &[(10, 0, ports[1], "a.example")]);
    role.wait_for_log(&format!("{} is gone", one.address()));
    expect_served_by(&role, &["dua"]);
    // A host that is gone takes its records along, and the last one stays.
    server.set("a.example", &[]);
    role.wait_for_log("none of the hosts of the service has an address");
    expect_served_by(&role, &["dua"]);
}

fn routes_and_files_may_name_services(model: Model) {
    let (one, two) = (Backend::saying("satu"), Backend::saying("dua"));
    let server = NameServer::start();
    server.set("a.example", &[loopback(1)]);
    server.set_service(SERVICE, &[(0, 0, one.address().port(), "a.example")]);
    server.set_service("_pdf._tcp.example", &[(0, 0, two.address().port(), "a.example")]);
    let file = format!(
        "resolver = [\"{}\"]\nresolve-max = \"1m\"\ndefault = [\"srv:{SERVICE} weight=2\"]\n\
         [[route]]\nmatch = \"/pdf/\"\nto = [\"srv:_pdf._tcp.example backup\"]\n",
        server.address()
    );
    let site = Site::new().with("proxy.toml", file);
    let launch =
        Launch::role("reverse-proxy", model).flag("--config", site.path().join("proxy.toml").display());
    let checked = launch.clone().switch("--check").end();
    assert_eq!((checked.status, checked.err.as_str()), (Some(0), ""));
    for line in [&format!("srv:{SERVICE} weight=2"), "srv:_pdf._tcp.example backup", "resolve-max = \"1m\""] {
        assert!(checked.out.contains(line), "no {line} in:\n{}", checked.out);
    }
    // On the command line a route is one string.
    let role = launch
        .flag("--route", "/satu/=srv:_http._tcp.web.example weight=3")
        .flag("--route", "/pdf/=srv:_pdf._tcp.example")
        .flag("--health-interval", "off")
        .start();
    for (target, text) in [("/", "satu"), ("/satu/", "satu"), ("/pdf/", "dua")] {
        assert_eq!(get(role.address(), target).text(), text, "{target}");
    }
}

fn what_is_not_found_at_the_start_ends_the_program(model: Model) {
    let server = NameServer::start();
    server.set_service("_gone._tcp.example", &[(0, 0, 80, "gone.example")]);
    server.set_service("_none._tcp.example", &[(0, 0, 80, ".")]);
    for (backend, words) in [
        ("gone.example:80", "the name has no address"),
        ("srv:_http._tcp.gone.example", "there is no such service (SRV record)"),
        ("srv:_gone._tcp.example", "none of the hosts of the service has an address"),
        ("srv:_none._tcp.example", "none of the hosts of the service has an address"),
    ] {
        let ended = balancer(model, "http", &server, backend).end();
        let line = format!("--backend {backend}: {words}");
        assert!(ended.status == Some(1) && ended.err.contains(&line), "{ended:?}");
    }
    server.respond(Manner::Failing);
    let ended = balancer(model, "http", &server, "gone.example:80").end();
    let line = format!("name server {}: it has failed to find out (SERVFAIL)", server.address());
    assert!(ended.status == Some(1) && ended.err.contains(&line), "{ended:?}");
}

fn a_hostile_name_server_finds_bounds(model: Model) {
    let server = NameServer::start();
    // More addresses than are used, and than a datagram has room for.
    let many: Vec<IpAddr> =
        (0..2000_u16).map(|number| IpAddr::from([127, 1, (number >> 8) as u8, number as u8])).collect();
    server.set(NAME, &many);
    server.respond(Manner::Truncating);
    let role = balancer(model, "http", &server, &of_port(80)).start();
    assert_eq!(addresses(&role).len(), 1024);
    server.set_alias(NAME, "other.example");
    server.set_alias("other.example", NAME);
    server.respond(Manner::Sound);
    role.wait_for_log("cannot be looked up, its addresses stay");
    assert_eq!(addresses(&role).len(), 1024);
    server.set_service(SERVICE, &[(0, 0, 80, "bad\u{1b}[31m.example"), (0, 0, 0, "a.example")]);
    let ended = balancer(model, "http", &server, &format!("srv:{SERVICE}")).end();
    assert!(ended.status == Some(1) && !ended.err.contains('\u{1b}'), "{ended:?}");
}

fn the_times_have_bounds_by_flag(model: Model) {
    let server = NameServer::start();
    server.set(NAME, &[loopback(2)]);
    server.set_ttl(1_000_000);
    let launch = balancer(model, "http", &server, &of_port(80));
    let _role = launch.clone().flag("--resolve-max", "30ms").start();
    server.wait_for_queries(4);
    let ended = launch.flag("--resolve-max", "10ms").end();
    let words = "--resolve-min 20ms is longer than --resolve-max 10ms";
    assert!(ended.status == Some(2) && ended.err.contains(words), "{ended:?}");
}
