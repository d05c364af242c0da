//! Policies, weights and backups, as clients see them, on both drivers.

use std::net::Ipv4Addr;
use std::time::Instant;

use rustix::process::Signal;

use crate::support::backend::{Backend, Refusing, ok};
use crate::support::client::{Client, Response, get, request};
use crate::support::launch::Launch;
use crate::support::needs::{CURL, lacks};
use crate::support::role::Role;
use crate::support::site::Site;
use crate::support::{Model, WAIT_MAX, both};

both![
    clients_see_the_weights,
    a_backup_serves_when_the_others_are_gone,
    the_one_that_is_slow_gets_no_more,
    of_two_at_random_the_busy_one_gets_nothing,
    a_client_address_stays_with_its_back_end,
    the_client_of_a_proxy_header_is_the_client,
    a_cookie_holds_a_client,
    a_cookie_whose_back_end_is_gone_is_set_anew,
    a_forged_cookie_does_no_harm,
    curls_cookie_jar_holds_a_client,
    each_route_has_a_cookie_of_its_own,
    a_secret_of_a_file_outlives_the_process,
    a_switched_protocol_has_a_cookie_too,
    a_policy_changes_while_it_runs,
    one_that_came_back_starts_slowly,
];

/// Back ends that say their numbers.
fn backends(count: usize) -> Vec<Backend> {
    (0..count).map(|number| Backend::saying(&number.to_string())).collect()
}

fn balancer(model: Model, mode: &str, backends: &[Backend], policy: &str) -> Launch {
    Launch::balancer(model, mode, backends.iter().map(Backend::address)).flag("--policy", policy)
}

/// The number of the back end that a response came from.
fn number(response: &Response) -> usize {
    assert_eq!(response.status, 200, "{}", response.text());
    response.text().parse().unwrap()
}

/// How many of so many requests, each on a connection of its own, each back end gets.
fn shares(role: &Role, count: usize, requests: usize) -> Vec<usize> {
    let mut shares = vec![0; count];
    (0..requests).for_each(|_| shares[number(&get(role.address(), "/"))] += 1);
    shares
}

/// One request from this address of the machine.
fn get_from(role: &Role, from: Ipv4Addr) -> usize {
    number(&Client::connect_from(from, role.address()).ask("GET", "/", "Connection: close\r\n"))
}

fn clients_see_the_weights(model: Model) {
    for mode in ["tcp", "http"] {
        let backends = backends(3);
        let weighted = backends.iter().zip([3, 1, 2]);
        let launch = weighted.fold(Launch::balancer(model, mode, []), |launch, (backend, weight)| {
            launch.flag("--backend", format!("{} weight={weight}", backend.address()))
        });
        assert_eq!(shares(&launch.start(), 3, 24), [12, 4, 8], "{mode}");
    }
}

fn a_backup_serves_when_the_others_are_gone(model: Model) {
    let mut backends = backends(3);
    let launch = Launch::balancer(model, "http", backends[..2].iter().map(Backend::address));
    let role = launch.flag("--backend", format!("{} backup", backends[2].address())).start();
    assert_eq!(shares(&role, 3, 10), [5, 5, 0]);
    let backup = backends.pop().unwrap();
    drop(backends);
    // Every client is served from the first moment on.
    assert_eq!(shares(&role, 3, 10), [0, 0, 10]);
    assert!(backup.request_count() == 10);
}

fn the_one_that_is_slow_gets_no_more(model: Model) {
    expect_the_busy_one_to_be_left_alone(model, "least-connections");
}

fn of_two_at_random_the_busy_one_gets_nothing(model: Model) {
    expect_the_busy_one_to_be_left_alone(model, "random-two");
}

/// Of two back ends one is kept busy by its first request: all others go to the other one.
fn expect_the_busy_one_to_be_left_alone(model: Model, policy: &str) {
    let slow = Backend::start(|visit| {
        visit.request()?;
        visit.freeze();
        visit.send(ok("0"))
    });
    let fast = Backend::saying("1");
    // A client may have its response a moment before it stops to count: with its weight, the fast one with one request
    // in progress still has less to do than the slow one with its own.
    let launch = Launch::balancer(model, "http", [slow.address()]);
    let launch = launch.flag("--backend", format!("{} weight=4", fast.address()));
    let role = launch.flag("--policy", policy).start();
    let deadline = Instant::now() + WAIT_MAX;
    let mut waiting = loop {
        let before = fast.request_count();
        let mut client = Client::connect(role.address());
        client.send(request("GET", "/", "Connection: close\r\n"));
        while slow.request_count() == 0 && fast.request_count() == before {
            assert!(Instant::now() < deadline, "the request came nowhere");
            std::thread::yield_now();
        }
        if slow.request_count() > 0 {
            break client;
        }
        // It was the turn of the fast one.
        assert_eq!(number(&client.response()), 1);
    };
    assert_eq!(shares(&role, 2, 20), [0, 20]);
    assert_eq!(slow.request_count(), 1);
    slow.release();
    assert_eq!(number(&waiting.response()), 0);
}

fn a_client_address_stays_with_its_back_end(model: Model) {
    for mode in ["tcp", "http"] {
        let mut backends = backends(5);
        let role = balancer(model, mode, &backends, "source-hash").start();
        let addresses = || (1..=40).map(|last| Ipv4Addr::new(127, 0, 3, last));
        let before: Vec<usize> = addresses().map(|from| get_from(&role, from)).collect();
        let again: Vec<usize> = addresses().map(|from| get_from(&role, from)).collect();
        assert_eq!(before, again, "{mode}");
        let used = (0..5).filter(|number| before.contains(number)).count();
        assert!(used >= 4, "{mode}: {before:?}");
        drop(backends.remove(2));
        let after: Vec<usize> = addresses().map(|from| get_from(&role, from)).collect();
        for (before, after) in before.iter().zip(&after) {
            assert!(before == after || *before == 2, "{mode}: one of {before} went to {after}");
        }
    }
}

fn the_client_of_a_proxy_header_is_the_client(model: Model) {
    let backends = backends(5);
    let role = balancer(model, "http", &backends, "source-hash")
        .switch("--proxy-protocol")
        .flag("--trust", "127.0.0.1")
        .start();
    let ask = |last: u8| {
        let mut client = Client::connect(role.address());
        let header = format!("PROXY TCP4 192.0.2.{last} 198.51.100.1 {} 80\r\n", 40_000 + u16::from(last));
        // What a client says of itself does not count.
        let fields = "Connection: close\r\nX-Forwarded-For: 203.0.113.1\r\n";
        client.send(header + &request("GET", "/", fields));
        number(&client.response())
    };
    let numbers: Vec<usize> = (0..20).map(ask).collect();
    assert_eq!(numbers, (0..20).map(ask).collect::<Vec<usize>>());
    assert!(numbers.iter().any(|number| *number != numbers[0]), "{numbers:?}");
}

/// The value that a response gives to the cookie of this name, and its attributes.
fn cookie(response: &Response, name: &str) -> Option<(String, String)> {
    let set = response.all("set-cookie").into_iter().find_map(|set| set.strip_prefix(&format!("{name}=")))?;
    let (value, attributes) = set.split_once("; ").unwrap();
    Some((value.to_owned(), attributes.to_owned()))
}

fn ask_with(role: &Role, name: &str, value: &str) -> Response {
    let fields = format!("Connection: close\r\nCookie: other=1; {name}={value}\r\n");
    Client::connect(role.address()).ask("GET", "/", &fields)
}

fn a_cookie_holds_a_client(model: Model) {
    let backends = backends(3);
    let role = balancer(model, "http", &backends, "cookie").flag("--policy-cookie", "stay").start();
    for client in 0..6 {
        let first = get(role.address(), "/");
        let (value, attributes) = cookie(&first, "stay").unwrap();
        assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax");
        assert_eq!(number(&first), client % 3, "new clients come in turn");
        for _ in 0..5 {
            let next = ask_with(&role, "stay", &value);
            assert_eq!(number(&next), number(&first));
            assert_eq!(cookie(&next, "stay"), None, "it has it already");
        }
        let port = backends[client % 3].address().port();
        let hexadecimal = format!("{port:x}");
        assert_eq!(value.len(), 16);
        assert!(!value.contains(&hexadecimal) || !value.contains("7f000001"), "{value}");
    }
    // The client came by TLS to a proxy that is trusted; of others it is not believed.
    let trusting = balancer(model, "http", &backends, "cookie").flag("--trust", "127.0.0.1").start();
    for (role, name, attributes) in [
        (&role, "stay", "Path=/; HttpOnly; SameSite=Lax"),
        (&trusting, "giliran", "Path=/; HttpOnly; SameSite=Lax; Secure"),
    ] {
        let fields = "Connection: close\r\nX-Forwarded-Proto: https\r\n";
        let response = Client::connect(role.address()).ask("GET", "/", fields);
        assert_eq!(cookie(&response, name).unwrap().1, attributes);
    }
}

fn a_cookie_whose_back_end_is_gone_is_set_anew(model: Model) {
    let mut backends = backends(3);
    let role = balancer(model, "http", &backends, "cookie").start();
    let first = get(role.address(), "/");
    let (value, _) = cookie(&first, "giliran").unwrap();
    drop(backends.remove(number(&first)));
    let moved = ask_with(&role, "giliran", &value);
    assert_ne!(number(&moved), number(&first));
    let (anew, _) = cookie(&moved, "giliran").unwrap();
    assert_ne!(anew, value);
    for _ in 0..5 {
        let next = ask_with(&role, "giliran", &anew);
        assert_eq!((number(&next), cookie(&next, "giliran")), (number(&moved), None));
    }
}

fn a_forged_cookie_does_no_harm(model: Model) {
    let backends = backends(2);
    let role = balancer(model, "http", &backends, "cookie").start();
    let long = "a".repeat(4000);
    for value in ["", "0000000000000000", "127.0.0.1:9001", "../../x", "\"", "%00", &long, "=;=;=", "\u{e9}"]
    {
        let response = ask_with(&role, "giliran", value);
        assert_eq!(response.status, 200, "{value:?}");
        assert!(cookie(&response, "giliran").is_some(), "{value:?}");
    }
    assert_eq!(shares(&role, 2, 4), [2, 2]);
}

fn curls_cookie_jar_holds_a_client(model: Model) {
    if lacks(&[CURL]) {
        return;
    }
    let (site, backends) = (Site::new(), backends(3));
    let role = balancer(model, "http", &backends, "cookie").start();
    for client in 0..3 {
        let jar = site.path().join(format!("jar-{client}"));
        let ask = || {
            let output = CURL
                .command()
                .args(["-sS", "-b", jar.to_str().unwrap(), "-c", jar.to_str().unwrap(), &role.url("/")])
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let numbers: Vec<String> = (0..4).map(|_| ask()).collect();
        assert_eq!(numbers, vec![client.to_string(); 4]);
    }
}

fn each_route_has_a_cookie_of_its_own(model: Model) {
    let (default, routed) = (backends(2), backends(2));
    let role = Launch::reverse_proxy(model, default[0].address())
        .flag("--default", default[1].address())
        .flag("--route", format!("/a/={},{}", routed[0].address(), routed[1].address()))
        .flag("--route", format!("/b/={}; policy round-robin", routed[0].address()))
        .flag("--policy", "cookie")
        .start();
    assert_eq!(get(role.address(), "/b/").field("set-cookie"), None, "it has a policy of its own");
    let name_of =
        |response: &Response| response.field("set-cookie").unwrap().split('=').next().unwrap().to_owned();
    let (plain, of_route) = (get(role.address(), "/"), get(role.address(), "/a/"));
    let names = [name_of(&plain), name_of(&of_route)];
    assert_eq!(names[0], "giliran");
    assert!(names[1].starts_with("giliran-") && names[1].len() == 16, "{names:?}");
    // With both of them a client stays at both places.
    let pair = |response, name: &str| format!("{name}={}", cookie(response, name).unwrap().0);
    let both = [pair(&plain, &names[0]), pair(&of_route, &names[1])].join("; ");
    let fields = format!("Connection: close\r\nCookie: {both}\r\n");
    for _ in 0..4 {
        for (target, first) in [("/", &plain), ("/a/", &of_route)] {
            let next = Client::connect(role.address()).ask("GET", target, &fields);
            assert_eq!((number(&next), next.field("set-cookie")), (number(first), None), "{target}");
        }
    }
}

fn a_secret_of_a_file_outlives_the_process(model: Model) {
    let site =
        Site::new().with("key", "0123456789abcdef0123456789abcdef\n").with("short", "0123456789abcde\n");
    let backends = backends(5);
    let with_key = |file: &str| {
        balancer(model, "http", &backends, "cookie")
            .flag("--policy-cookie-key", site.path().join(file).display())
    };
    let first = get(with_key("key").start().address(), "/");
    let (value, _) = cookie(&first, "giliran").unwrap();
    let again = with_key("key").start();
    drop(get(again.address(), "/"));
    assert_eq!(number(&ask_with(&again, "giliran", &value)), number(&first));
    // Without it each process has a secret of its own.
    let other = balancer(model, "http", &backends, "cookie").start();
    assert!(cookie(&ask_with(&other, "giliran", &value), "giliran").is_some());
    let ended = with_key("short").end();
    assert_eq!(ended.status, Some(2));
    assert!(ended.err.contains("15 bytes are too few for a secret: write at least 16"), "{}", ended.err);
    let ended = with_key("missing").end();
    assert!(ended.err.contains("missing: No such file"), "{}", ended.err);
}

fn a_switched_protocol_has_a_cookie_too(model: Model) {
    let backend = Backend::start(|visit| {
        visit.request()?;
        visit.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")?;
        visit.hold()
    });
    let backends = [backend];
    let role = balancer(model, "http", &backends, "cookie").start();
    let fields = "Connection: Upgrade\r\nUpgrade: echo\r\n";
    let response = Client::connect(role.address()).ask("GET", "/", fields);
    assert_eq!(response.status, 101);
    assert!(cookie(&response, "giliran").is_some());
}

fn a_policy_changes_while_it_runs(model: Model) {
    let backends = backends(2);
    let text = |policy: &str, weight: u32| {
        let [first, second] = [0, 1].map(|index| backends[index].address());
        format!("policy = \"{policy}\"\nbackend = [\"{first} weight={weight}\", \"{second}\"]\n")
    };
    let site = Site::new().with("lb.toml", text("round-robin", 1));
    let file = site.path().join("lb.toml");
    let role = Launch::balancer(model, "http", []).flag("--config", file.display()).start();
    assert_eq!(shares(&role, 2, 10), [5, 5]);
    let reload = |text: String, changed: &str| {
        std::fs::write(&file, text).unwrap();
        role.signal(Signal::HUP);
        role.wait_for_log(changed);
    };
    reload(text("round-robin", 4), "changed: backend");
    assert_eq!(shares(&role, 2, 10), [8, 2]);
    reload(text("cookie", 4), "changed: policy");
    let first = get(role.address(), "/");
    let (value, _) = cookie(&first, "giliran").unwrap();
    // The secret of the process stays.
    reload(text("cookie", 1), "changed: backend");
    role.wait_for_logs("changed: backend", 2);
    assert_eq!(number(&ask_with(&role, "giliran", &value)), number(&first));
}

fn one_that_came_back_starts_slowly(model: Model) {
    let (refusing, other) = (Refusing::new(), Backend::saying("1"));
    let launch = Launch::balancer(model, "http", [refusing.address(), other.address()]);
    let role = launch.checked("50ms").flag("--slow-start", "1h").flag("--status", "127.0.0.1:0").start();
    role.wait_for_log("is out");
    let _back = refusing.revive("0");
    role.wait_for_log("is back");
    // An hour has hardly begun: it weighs a sixty-fourth of the other one.
    assert!(shares(&role, 2, 60)[0] <= 1);
    let status = get(role.status_page(), "/status.json").text().to_owned();
    assert!(status.contains("\"slow_start\":0.015625") && status.contains("\"slow_start\":1.0"), "{status}");
}

#[test]
fn a_cookie_needs_requests() {
    let ended = Launch::bare("lb-async").flag("--policy", "cookie").end();
    assert_eq!((ended.status, ended.out.as_str()), (Some(2), ""));
    let words = "lb-async: --policy cookie: a cookie is read in requests, and --mode tcp reads none; \
                 add --mode http, or choose --policy source-hash";
    assert!(ended.err.contains(words), "{}", ended.err);
    let ended = Launch::bare("lb-async").flag("--policy", "leastconn").end();
    assert_eq!(ended.status, Some(2));
    assert!(ended.err.contains("leastconn") && ended.err.contains("least-connections"), "{}", ended.err);
    let ended = Launch::bare("lb-async").flag("--policy-cookie", "a b").end();
    assert!(ended.err.contains("\"a b\" is not the name of a cookie"), "{}", ended.err);
}

#[test]
fn the_check_shows_the_policy_as_it_is_written_in_a_file() {
    let launch = Launch::bare("lb-async").flag("--mode", "http").flag("--policy", "cookie");
    let ended = launch
        .flag("--slow-start", "30s")
        .flag("--backend", "127.0.0.1:1 weight=3 backup")
        .switch("--check")
        .end();
    assert_eq!(ended.status, Some(0), "{}", ended.err);
    for line in [
        "policy = \"cookie\"",
        "slow-start = \"30s\"",
        "policy-cookie = \"giliran\"",
        "backend = [\"127.0.0.1:1 weight=3 backup\"]",
    ] {
        assert!(ended.out.lines().any(|shown| shown == line), "no {line} in\n{}", ended.out);
    }
}

#[test]
fn explain_says_who_is_chosen_and_by_what() {
    let told = |flags: &[&str]| {
        let launch =
            flags.iter().fold(Launch::bare("lb-async").switch("explain"), |launch, flag| launch.switch(flag));
        let launch = launch
            .flag("--mode", "http")
            .flag("--backend", "127.0.0.1:1 weight=2")
            .flag("--backend", "127.0.0.1:2");
        let ended = launch.flag("--backend", "127.0.0.1:3 backup").end();
        assert_eq!(ended.status, Some(0), "{}", ended.err);
        ended.out
    };
    let text = told(&["GET", "/"]);
    let rows = "round-robin; without --live, all its back ends count as up\n  127.0.0.1:1  weight 2, first in turn\n  \
                127.0.0.1:2\n  127.0.0.1:3  backup\n";
    assert!(text.contains(rows), "{text}");
    assert!(
        told(&["GET", "/", "--policy", "least-connections"])
            .contains("  127.0.0.1:1  weight 2, first in turn\n")
    );
    assert!(told(&["GET", "/", "--policy", "random-two"]).contains("drawn this time, by chance\n"));
    let cookie = told(&["GET", "/", "--policy", "cookie"]);
    assert!(
        cookie.contains("  127.0.0.1:1  weight 2, first in turn, for a client without a cookie\n"),
        "{cookie}"
    );
    let of = |client: &str| {
        let text = told(&["GET", "/", "--policy", "source-hash", "--from", client]);
        text.lines().find(|line| line.contains("by the client's address")).unwrap().to_owned()
    };
    let rows: Vec<String> = (1..=9).map(|last| of(&format!("192.0.2.{last}"))).collect();
    assert_eq!(rows, (1..=9).map(|last| of(&format!("192.0.2.{last}"))).collect::<Vec<_>>());
    assert!(rows.iter().any(|row| *row != rows[0]), "{rows:?}");
}
