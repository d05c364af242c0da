//! Guards: who may ask, how often, how much, and with which password.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::Signal;

use crate::support::backend::Backend;
use crate::support::client::{Client, get, request};
use crate::support::launch::Launch;
use crate::support::needs::{AB, CURL, HTPASSWD, lacks};
use crate::support::role::Role;
use crate::support::{Model, both};

both![
    an_address_that_is_denied_gets_403,
    behind_a_trusted_proxy_the_forwarded_address_counts,
    a_relay_closes_what_is_denied_or_too_often,
    ab_sees_429_beyond_the_rate,
    a_rate_is_kept_over_a_reload,
    a_body_that_is_announced_too_long_is_refused_before_the_back_end_hears_of_it,
    a_chunked_body_that_grows_too_long_looks_whole_to_nobody,
    heads_have_the_limits_that_flags_say,
    curl_logs_in_with_a_password_of_htpasswd,
    a_password_file_is_read_again,
    a_flood_of_passwords_keeps_nobody_from_the_rest,
    checks_and_the_status_page_are_not_guarded,
    refused_requests_are_counted,
    a_route_has_guards_of_its_own,
];

/// `Authorization` for a name and a password, in the base64 that a test can write by hand.
const BUDI: &str = "Authorization: Basic YnVkaTpyYWhhc2lh\r\n"; // budi:rahasia
const WRONG: &str = "Authorization: Basic YnVkaTpzYWxhaA==\r\n"; // budi:salah

/// A web server, and a gateway to a back end that says one word.
fn web_and_gateway(model: Model) -> (Backend, [Launch; 2]) {
    let backend = Backend::saying("satu");
    let launches = [Launch::web_server(model), Launch::reverse_proxy(model, backend.address())];
    (backend, launches)
}

fn an_address_that_is_denied_gets_403(model: Model) {
    let (backend, launches) = web_and_gateway(model);
    for launch in launches {
        let role = launch.clone().flag("--deny", "127.0.0.0/8").start();
        let mut client = Client::connect(role.address());
        for method in ["GET", "HEAD", "GET"] {
            assert_eq!(client.ask(method, "/santai", "").status, 403, "and the connection goes on");
        }
        let line = role.wait_for_log("status=403");
        assert!(line.contains("cause=\"an address that may not ask\""), "{line}");
        // A client that does not stop sending reads its answer all the same.
        client.send(request("POST", "/santai", "Content-Length: 900000\r\n"));
        client.send(vec![b'x'; 800_000]);
        assert_eq!(client.response().status, 403);
        // The most specific block decides, whatever the order.
        let role = launch.clone().flag("--allow", "127.0.0.1").flag("--deny", "127.0.0.0/8").start();
        assert_eq!(get(role.address(), "/santai").status, 200);
        let role = launch.flag("--allow", "192.0.2.0/24").start();
        assert_eq!(get(role.address(), "/santai").status, 403);
    }
    assert_eq!(backend.request_count(), 1, "only what may ask is forwarded");
}

fn behind_a_trusted_proxy_the_forwarded_address_counts(model: Model) {
    let (_backend, launches) = web_and_gateway(model);
    for launch in launches {
        let role = launch.clone().flag("--deny", "203.0.113.0/24").flag("--trust", "127.0.0.1").start();
        let mut client = Client::connect(role.address());
        for (fields, status) in [
            ("", 200),
            ("X-Forwarded-For: 198.51.100.7\r\n", 200),
            ("X-Forwarded-For: 203.0.113.9\r\n", 403),
            // What stands further left was written by the client itself.
            ("X-Forwarded-For: 203.0.113.9, 198.51.100.7\r\n", 200),
            ("X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-For: 203.0.113.9\r\n", 403),
        ] {
            assert_eq!(client.ask("GET", "/santai", fields).status, status, "{fields}");
        }
        let line = role.wait_for_log("forwarded_for=203.0.113.9");
        assert!(line.contains("client=127.0.0.1:"), "{line}");
        // Nobody else's word counts.
        let role = launch.flag("--deny", "203.0.113.0/24").start();
        assert_eq!(
            Client::connect(role.address()).ask("GET", "/santai", "X-Forwarded-For: 203.0.113.9\r\n").status,
            200
        );
    }
}

fn a_relay_closes_what_is_denied_or_too_often(model: Model) {
    let backend = Backend::echoing();
    let launch = Launch::balancer(model, "tcp", [backend.address()]).checked("off");
    let role = launch.clone().flag("--deny", "127.0.0.1").start();
    Client::connect(role.address()).expect_end();
    let line = role.wait_for_log("closed role=");
    assert!(line.contains("cause=\"an address that may not ask\"") && line.contains("clean=false"), "{line}");

    let role = launch.flag("--rate-limit", "1/h,2").start();
    for _ in 0..2 {
        let mut client = Client::connect(role.address());
        assert_eq!(client.send("halo").finish_sending().rest(), b"halo");
    }
    Client::connect(role.address()).expect_end();
    role.wait_for_log("cause=\"more than the rate limit\"");
    assert_eq!(backend.visits(), 2);
}

fn ab_sees_429_beyond_the_rate(model: Model) {
    if lacks(&[AB]) {
        return;
    }
    let (_backend, launches) = web_and_gateway(model);
    for launch in launches {
        let role = launch.flag("--rate-limit", "10/h,30").start();
        for (flags, refused) in [(&["-n", "100", "-c", "4"][..], 70), (&["-k", "-n", "50", "-c", "2"], 50)] {
            let output = AB.command().args(flags).arg(role.url("/santai")).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            let non_2xx = text.lines().find_map(|line| line.strip_prefix("Non-2xx responses:"));
            assert_eq!(non_2xx.map(str::trim), Some(refused.to_string().as_str()), "{text}");
        }
        let response = get(role.address(), "/santai");
        // One in six minutes: the next one comes then at the latest.
        let wait: u64 = response.field("retry-after").unwrap().parse().unwrap();
        assert!(response.status == 429 && (1..=360).contains(&wait), "{wait}");
        let line = role.wait_for_log("status=429");
        assert!(line.contains("cause=\"more than the rate limit\""), "{line}");
    }
}

fn a_rate_is_kept_over_a_reload(model: Model) {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("web.toml");
    fs::write(&config, "rate-limit = \"1/h\"\n").unwrap();
    let role = Launch::web_server(model).flag("--config", config.display()).start();
    assert_eq!(get(role.address(), "/").status, 200);
    assert_eq!(get(role.address(), "/").status, 429);
    role.signal(Signal::HUP);
    role.wait_for_log("no key has changed");
    assert_eq!(get(role.address(), "/").status, 429);
    fs::write(&config, "rate-limit = \"1000/s\"\n").unwrap();
    role.signal(Signal::HUP);
    role.wait_for_log("changed: rate-limit");
    assert_eq!(get(role.address(), "/").status, 200);
}

fn a_body_that_is_announced_too_long_is_refused_before_the_back_end_hears_of_it(model: Model) {
    let backend = Backend::saying("satu");
    let role = Launch::reverse_proxy(model, backend.address()).flag("--max-body", "1k").start();
    let mut client = Client::connect(role.address());
    client.send(request("POST", "/", "Content-Length: 1024\r\n")).send(vec![b'x'; 1024]);
    assert_eq!(client.response().status, 200);
    client.send(request("POST", "/", "Content-Length: 1025\r\nExpect: 100-continue\r\n"));
    let response = client.response();
    assert_eq!((response.status, response.field("connection")), (413, Some("close")));
    assert_eq!(backend.request_count(), 1);
    role.wait_for_log("cause=\"a body longer than the limit\"");
    if lacks(&[CURL]) {
        return;
    }
    // A client that sends all of a large file reads the answer, and no reset.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("besar");
    fs::write(&file, vec![b'x'; 5_000_000]).unwrap();
    for fields in [&[][..], &["-H", "Transfer-Encoding: chunked"], &["-H", "Expect:"]] {
        let mut curl = CURL.command();
        curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "POST", "--data-binary"]);
        curl.arg(format!("@{}", file.display())).args(fields).arg(role.url("/"));
        let output = curl.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "413", "{fields:?} {output:?}");
    }
}

fn a_chunked_body_that_grows_too_long_looks_whole_to_nobody(model: Model) {
    // A back end that reads to the end of what it gets, and keeps all of it.
    let backend = Backend::start(|visit| {
        visit.head()?;
        visit.rest().map(drop)
    });
    let role = Launch::reverse_proxy(model, backend.address()).flag("--max-body", "10").start();
    let mut client = Client::connect(role.address());
    client.send(request("POST", "/", "Transfer-Encoding: chunked\r\n")).send("8\r\n12345678\r\n");
    backend.wait_for_visits(1);
    // The ninth to eleventh byte are announced: this is enough.
    client.send("3\r\n");
    let response = client.response();
    assert_eq!((response.status, response.field("connection")), (413, Some("close")));
    client.send("abc\r\n0\r\n\r\n").finish_sending().expect_end();
    // The back end's connection ends, and it never had the last chunk.
    backend.wait_until_left();
    let line = role.wait_for_log("status=413");
    assert!(line.contains("cause=\"a body longer than the limit\""), "{line}");
}

fn heads_have_the_limits_that_flags_say(model: Model) {
    let (_backend, launches) = web_and_gateway(model);
    for launch in launches {
        let launch = launch.flag("--max-head", "1k").flag("--max-request-line", 200).flag("--max-fields", 5);
        let role = launch.start();
        let ask =
            |target: &str, fields: &str| Client::connect(role.address()).ask("GET", target, fields).status;
        assert_eq!(ask("/santai", "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n"), 200);
        assert_eq!(ask("/santai", "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\n"), 431);
        assert_eq!(ask(&format!("/santai?{}", "x".repeat(170)), ""), 200);
        assert_eq!(ask(&format!("/santai?{}", "x".repeat(200)), ""), 414);
        assert_eq!(ask("/santai", &format!("A: {}\r\n", "x".repeat(800))), 200);
        assert_eq!(ask("/santai", &format!("A: {}\r\n", "x".repeat(1024))), 431);
    }
}

/// Has htpasswd write a file with this user and cost.
fn htpasswd(folder: &Path, user: &str, password: &str, cost: u32) -> PathBuf {
    let file = folder.join("htpasswd");
    let mut command = HTPASSWD.command();
    command.args(["-cbB", "-C", &cost.to_string()]).arg(&file).args([user, password]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    file
}

fn curl_logs_in_with_a_password_of_htpasswd(model: Model) {
    if lacks(&[CURL, HTPASSWD]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = htpasswd(folder.path(), "budi", "rahasia", 5);
    let (backend, launches) = web_and_gateway(model);
    for launch in launches {
        let role = launch.flag("--basic-auth", file.display()).flag("--log-format", "json").start();
        for (user, status) in [
            (Some("budi:rahasia"), "200"),
            (Some("budi:salah"), "401"),
            (Some("siti:rahasia"), "401"),
            (None, "401"),
            (Some("budi:rahasia"), "200"),
        ] {
            let mut curl = CURL.command();
            curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code} %header{www-authenticate}"]);
            let output =
                curl.args(user.iter().flat_map(|user| ["--user", user])).arg(role.url("/santai")).output();
            let text = String::from_utf8_lossy(&output.unwrap().stdout).into_owned();
            let asks = if status == "401" { "Basic realm=\"restricted\", charset=\"UTF-8\"" } else { "" };
            assert_eq!(text, format!("{status} {asks}"), "{user:?}");
        }
        role.wait_for_logs("\"user\":\"budi\"", 2);
        assert_eq!(role.logged("\"user\":"), 2, "only who has proved it: {}", role.log());
        // A POST without a password is not read, one with it is.
        let mut client = Client::connect(role.address());
        client.send(request("POST", "/", "Content-Length: 900000\r\n")).send(vec![b'x'; 500_000]);
        assert_eq!(client.response().status, 401);
    }
    let seen = backend.requests();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].head.field("authorization"), Some("Basic YnVkaTpyYWhhc2lh"), "passed on, as by nginx");
}

fn a_password_file_is_read_again(model: Model) {
    if lacks(&[HTPASSWD]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = htpasswd(folder.path(), "budi", "lama", 4);
    let launch = Launch::web_server(model).flag("--basic-auth", file.display());
    let role = launch.clone().start();
    let ask = || Client::connect(role.address()).ask("GET", "/santai", BUDI).status;
    assert_eq!(ask(), 401);
    htpasswd(folder.path(), "budi", "rahasia", 4);
    assert_eq!(ask(), 401, "the old file is in force until somebody says so");
    role.signal(Signal::HUP);
    role.wait_for_log("the configuration was read again");
    assert_eq!(ask(), 200);
    // A file that is not right is not taken, and the error names the line.
    fs::write(&file, "# users\nbudi:$apr1$yyWcy3gy$V56DHPkDVg6rtpvDMN4o/1\n").unwrap();
    role.signal(Signal::HUP);
    let line = role.wait_for_log("the configuration stays as it was");
    assert!(line.contains("htpasswd, line 2: ") && line.contains("only bcrypt is taken"), "{line}");
    assert_eq!(ask(), 200);
    let ended = launch.end();
    assert!(ended.status == Some(2) && ended.err.contains("make it with htpasswd -B FILE NAME"), "{ended:?}");
    fs::remove_file(&file).unwrap();
    let ended = launch.end();
    assert!(
        ended.status == Some(2) && ended.err.contains("--basic-auth ") && ended.err.contains("No such file"),
        "{ended:?}"
    );
}

fn a_flood_of_passwords_keeps_nobody_from_the_rest(model: Model) {
    if lacks(&[HTPASSWD]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Some 15 ms for each password, and twenty times that without optimization.
    let file = htpasswd(folder.path(), "budi", "rahasia", 8);
    let (_backend, launches) = web_and_gateway(model);
    for launch in launches {
        let launch = launch.flag("--basic-auth", file.display()).flag("--trust", "127.0.0.1");
        let role =
            if model == Model::Threaded { launch.flag("--workers", 2) } else { launch.flag("--loops", 1) }
                .start();
        let ask = |fields: &str| Client::connect(role.address()).ask("GET", "/santai", fields).status;
        assert_eq!(ask(BUDI), 200);
        // More passwords than one client may have verified at a time, and none of them waits in a worker or a loop.
        let mut flood: Vec<Client> = (0..10)
            .map(|number| {
                let mut client = Client::connect(role.address());
                // `budi:` has five bytes: with one more it ends where a group of base64 ends.
                let more =
                    ["MDA=", "MDE=", "MDI=", "MDM=", "MDQ=", "MDU=", "MDY=", "MDc=", "MDg=", "MDk="][number];
                client.send(request("GET", "/santai", &format!("Authorization: Basic YnVkaTp4{more}\r\n")));
                client
            })
            .collect();
        // Those of the flood that find no room are told so at once; meanwhile who is known is served.
        assert_eq!(ask(BUDI), 200);
        assert_eq!(ask(""), 401);
        let statuses: Vec<u16> = flood.iter_mut().map(|client| client.response().status).collect();
        assert!(statuses.contains(&503) && statuses.contains(&401), "{statuses:?}");
        assert!(statuses.iter().all(|status| [401, 503].contains(status)), "{statuses:?}");
        assert_eq!(ask(WRONG), 401);
    }
}

fn checks_and_the_status_page_are_not_guarded(model: Model) {
    let server = Launch::web_server(model).flag("--deny", "127.0.0.0/8").flag("--rate-limit", "1/h").start();
    let launch =
        Launch::balancer(model, "http", [server.address()]).checked("20ms").flag("--health-path", "/");
    let launch = launch.flag("--status", "127.0.0.1:0").flag("--deny", "::/0").flag("--deny", "0.0.0.0/0");
    let balancer = launch.start();
    let page = balancer.status_page();
    let passed = |text: &str| {
        let status: serde_json::Value = serde_json::from_str(text).unwrap();
        let backend = &status["roles"][0]["groups"][0]["backends"][0];
        (backend["checks_passed"].as_u64().unwrap(), backend["checks_failed"].as_u64().unwrap())
    };
    let deadline = std::time::Instant::now() + crate::support::WAIT_MAX;
    loop {
        let response = get(page, "/status.json");
        assert_eq!(response.status, 200);
        let (passed, failed) = passed(response.text());
        assert_eq!(failed, 0);
        if passed > 5 {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{}", response.text());
    }
    assert_eq!(get(balancer.address(), "/").status, 403);
}

fn refused_requests_are_counted(model: Model) {
    let backend = Backend::saying("satu");
    let launch = Launch::reverse_proxy(model, backend.address()).flag("--status", "127.0.0.1:0");
    let role: Role = launch.flag("--rate-limit", "1/h,2").flag("--max-body", "1").start();
    let mut client = Client::connect(role.address());
    assert_eq!(client.get("/").status, 200);
    client.send(request("POST", "/", "Content-Length: 2\r\n")).send("ab");
    assert_eq!(client.response().status, 413);
    for _ in 0..3 {
        assert_eq!(get(role.address(), "/").status, 429);
    }
    role.wait_for_logs("status=429", 3);
    let metrics = get(role.status_page(), "/metrics");
    for (guard, count) in [("access", 0), ("rate-limit", 3), ("basic-auth", 0), ("max-body", 1)] {
        let line = metrics.text().lines().find(|line| line.contains(&format!("guard=\"{guard}\""))).unwrap();
        assert!(
            line.starts_with("giliran_guard_refused_total{") && line.ends_with(&format!(" {count}")),
            "{line}"
        );
    }
    let status: serde_json::Value =
        serde_json::from_str(get(role.status_page(), "/status.json").text()).unwrap();
    assert_eq!(status["roles"][0]["guards"]["rate-limit"], 3);
}

fn a_route_has_guards_of_its_own(model: Model) {
    if lacks(&[HTPASSWD]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let users = htpasswd(folder.path(), "budi", "rahasia", 4);
    let backend = Backend::saying("satu");
    let config = folder.path().join("proxy.toml");
    let text = format!(
        "rate-limit = \"1000/s\"\ndefault = \"{0}\"\n\
         [[route]]\nmatch = \"/rahasia/\"\nto = \"{0}\"\nbasic-auth = \"{1}\"\n\
         [[route]]\nmatch = \"/dalam/\"\nto = \"503 tutup\"\ndeny = [\"127.0.0.0/8\", \"::1\"]\nadd-response = \"X-Y: z\"\n\
         [[route]]\nmatch = \"/jarang/\"\nto = \"{0}\"\nrate-limit = \"1/h,2\"\n\
         [[route]]\nmatch = \"/kecil/\"\nto = \"{0}\"\nmax-body = 3\n",
        backend.address(),
        users.display()
    );
    fs::write(&config, &text).unwrap();
    let role = Launch::role("reverse-proxy", model).checked("off").flag("--config", config.display()).start();
    let ask = |target: &str, fields: &str| Client::connect(role.address()).ask("GET", target, fields);
    for (target, fields, status) in [
        ("/", "", 200),
        ("/rahasia/", "", 401),
        // The redirect to a folder says nothing to those who may not see it.
        ("/rahasia", "", 401),
        ("/rahasia", BUDI, 301),
        ("/rahasia/", WRONG, 401),
        ("/rahasia/", BUDI, 200),
        ("/dalam/", "", 403),
        ("/jarang/", "", 200),
        ("/jarang/", "", 200),
        ("/jarang/", "", 429),
        ("/", "", 200),
    ] {
        assert_eq!(ask(target, fields).status, status, "{target} {fields}");
    }
    assert_eq!(ask("/dalam/", "").field("x-y"), Some("z"), "the route's rules are for refusals too");
    let mut client = Client::connect(role.address());
    client.send(request("POST", "/", "Content-Length: 4\r\n")).send("abcd");
    assert_eq!(client.response().status, 200);
    client.send(request("POST", "/kecil/", "Content-Length: 4\r\n")).send("abcd");
    assert_eq!(client.response().status, 413);
    let line = role.wait_for_log("status=413");
    assert!(
        line.contains("route=/kecil/") && line.contains("cause=\"a body longer than the limit\""),
        "{line}"
    );
    // A reload forgets nothing of a rate that stays as it is.
    fs::write(&config, text.replace("max-body = 3", "max-body = 5")).unwrap();
    role.signal(Signal::HUP);
    role.wait_for_log("changed: route");
    assert_eq!((ask("/jarang/", "").status, ask("/rahasia/", BUDI).status), (429, 200));
}

#[test]
fn flags_that_cannot_be_right_are_named() {
    for (binary, flags, words) in [
        ("web-server", &["--deny", "x"][..], "--deny: `x` is neither an IP address nor a block"),
        ("web-server", &["--rate-limit", "10"], "--rate-limit: \"10\" is not a rate: write N/s, N/m or N/h"),
        ("reverse-proxy", &["--max-body", "much"], "--max-body: \"much\" is not a size"),
        ("web-server", &["--max-head", "17k"], "--max-head: 17k is out of range: 1k to 16k"),
        ("web-server", &["--max-fields", "101"], "--max-fields: 101 is out of range: 1 to 100"),
        ("lb-async", &["--max-body", "1m"], "--max-body: with --mode tcp nobody reads requests"),
        ("lb-threaded", &["--basic-auth", "x"], "--basic-auth: with --mode tcp nobody reads requests"),
        ("web-server", &["--max-body", "1m"], "--max-body is unknown here"),
    ] {
        let launch = flags.iter().fold(Launch::bare(binary), |launch, flag| launch.switch(flag));
        let ended = launch.switch("--check").end();
        assert!(ended.status == Some(2) && ended.err.contains(words), "{flags:?} {ended:?}");
    }
}

#[test]
fn explain_says_what_a_guard_would_do() {
    if lacks(&[HTPASSWD]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = htpasswd(folder.path(), "budi", "rahasia", 4);
    let explain = |from: &str, fields: &str| {
        let launch = Launch::bare("reverse-proxy").switch("explain").switch("GET").switch("/");
        let launch =
            launch.flag("--from", from).flag("--deny", "203.0.113.0/24").flag("--basic-auth", file.display());
        let launch = if fields.is_empty() { launch } else { launch.flag("-H", fields.trim_end()) };
        launch.end().out
    };
    for (from, fields, words) in [
        ("203.0.113.9", BUDI, "403 Forbidden"),
        ("192.0.2.1", "", "401 Unauthorized"),
        ("192.0.2.1", WRONG, "401 Unauthorized"),
        ("192.0.2.1", BUDI, "127.0.0.1:8888"),
    ] {
        let text = explain(from, fields);
        assert!(text.contains(words), "{from} {fields}: {text}");
    }
}
