//! `explain`: what it says of a request is what happens to it, and nothing is started to say so.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use crate::support::backend::{Backend, ok};
use crate::support::client::Client;
use crate::support::launch::{Ended, Launch};
use crate::support::site::Site;
use crate::support::{Model, both};

both![
    the_head_it_shows_is_the_one_that_the_back_end_gets,
    the_response_it_shows_is_the_one_that_the_client_gets,
    a_balancer_has_the_same_flags_as_when_it_runs,
    a_role_that_runs_is_asked_through_its_status_page,
];

/// The command of a role with these words.
fn explain(binary: &'static str, words: &[&str]) -> Launch {
    words.iter().fold(Launch::bare(binary).switch("explain"), |launch, word| launch.switch(word))
}

/// Its text, which must be all that it says.
fn told(launch: &Launch) -> String {
    let ended = launch.end();
    assert_eq!((ended.status, ended.err.as_str()), (Some(0), ""), "{}", ended.out);
    // It was read line by line.
    ended.out + "\n"
}

/// The lines below the one that starts with `heading`, up to an empty line.
fn below(text: &str, heading: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| !line.starts_with(heading)).skip(1);
    let lines: Vec<String> = lines.take_while(|line| !line.is_empty()).map(str::to_owned).collect();
    assert!(!lines.is_empty(), "nothing below {heading:?} in:\n{text}");
    lines
}

/// A head that it shows, without the marks.
fn head(text: &str, heading: &str) -> Vec<String> {
    below(text, heading).iter().map(|line| line[2..].to_owned()).collect()
}

/// The request that it shows, as bytes.
fn request(text: &str) -> String {
    format!("{}\r\n\r\n", head(text, "received").join("\r\n"))
}

fn expect_complaint(ended: &Ended, status: i32, words: &str) {
    assert_eq!((ended.status, ended.out.as_str()), (Some(status), ""), "{ended:?}");
    assert!(ended.err.contains(words), "no {words:?} in:\n{}", ended.err);
    assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
}

fn the_head_it_shows_is_the_one_that_the_back_end_gets(model: Model) {
    let (other, pdf) = (Backend::saying("other"), Backend::saying("pdf"));
    let route = format!("/pdf/={}", pdf.address());
    let role = Launch::reverse_proxy(model, other.address())
        .flag("--route", &route)
        .flag("--trust", "127.0.0.0/8")
        .flag("--health-interval", "off")
        .start();
    for (words, backend) in [
        (&["GET", "/pdf/a"][..], &pdf),
        (&["GET", "http://example.org/x/../pdf/./b?c=%2F"], &pdf),
        (
            &["GET", "/café", "-H", "Connection: close, X-Mine", "-H", "X-Mine: 1", "-H", "TE: trailers"],
            &other,
        ),
        (&["HEAD", "/", "-H", "X-Forwarded-For: 192.0.2.1", "-H", "X-Forwarded-Proto: https"], &other),
        (&["GET", "/x", "-H", "Host:", "-H", "X_Forwarded_For: 192.0.2.1"], &other),
        (&["OPTIONS", "*", "-H", "Max-Forwards: 3"], &other),
        (&["get", "/%70df/", "-H", "Upgrade: websocket", "-H", "Connection: upgrade"], &pdf),
    ] {
        let launch = explain("reverse-proxy", words)
            .flag("--default", other.address())
            .flag("--route", &route)
            .flag("--trust", "127.0.0.0/8");
        let text = told(&launch);
        let before = backend.request_count();
        let mut client = Client::connect(role.address());
        client.send(request(&text));
        let seen = backend.wait_for_request(before).head;
        let fields = seen.fields.iter().map(|(name, value)| format!("{name}: {value}"));
        let got: Vec<String> = std::iter::once(seen.start.clone()).chain(fields).collect();
        assert_eq!(head(&text, &format!("forwarded to {} ", backend.address())), got, "{text}");
    }
}

fn the_response_it_shows_is_the_one_that_the_client_gets(model: Model) {
    let backend = Backend::saying("never");
    let route = format!("/pdf/={}", backend.address());
    let role = Launch::reverse_proxy(model, backend.address()).flag("--route", &route).start();
    let long = format!("/{}", "a".repeat(9000));
    let field = format!("X: {}", "a".repeat(17_000));
    for (words, status) in [
        (&["GET", "/pdf"][..], 301),
        (&["GET", "/.."], 400),
        (&["GET", "/pdf/..%2fx"], 400),
        (&["GET", "/", "-H", "Host: a", "-H", "Host: b"], 400),
        (&["POST", "/", "-H", "Content-Length: 1", "-H", "Transfer-Encoding: chunked"], 400),
        (&["TRACE", "/", "-H", "Max-Forwards: 0"], 501),
        (&["GET", &long], 414),
        (&["GET", "/", "-H", &field], 431),
    ] {
        let launch =
            explain("reverse-proxy", words).flag("--default", backend.address()).flag("--route", &route);
        let text = told(&launch);
        let mut client = Client::connect(role.address());
        let response = client.send(request(&text)).response();
        assert_eq!(response.status, status, "{words:?}");
        let shown = head(&text, "answered by reverse-proxy itself");
        let is_date = |line: &&String| !line.starts_with("Date: ");
        let fields = response.head.fields.iter().map(|(name, value)| format!("{name}: {value}"));
        let got: Vec<String> = std::iter::once(response.head.start.clone()).chain(fields).collect();
        assert_eq!(
            shown.iter().filter(is_date).collect::<Vec<_>>(),
            got.iter().filter(is_date).collect::<Vec<_>>(),
            "{words:?}"
        );
        assert!(text.contains(response.text().trim_end()), "{text}");
    }
}

fn a_balancer_has_the_same_flags_as_when_it_runs(model: Model) {
    let backends = [Backend::saying("first"), Backend::saying("second")];
    let role =
        Launch::balancer(model, "http", backends.each_ref().map(Backend::address)).switch("--no-via").start();
    let binary = if model == Model::Threaded { "lb-threaded" } else { "lb-async" };
    // Flags may stand before the command and behind it.
    let launch = Launch::bare(binary).flag("--mode", "http").flag("--backend", backends[0].address());
    let launch = launch.switch("explain").switch("GET").switch("/a");
    let text = told(&launch.flag("--backend", backends[1].address()).switch("--no-via"));
    let turn = format!("  {}  first in turn\n  {}\n", backends[0].address(), backends[1].address());
    assert!(text.contains(&turn) && text.contains("\nroutes     none: "), "{text}");
    let mut client = Client::connect(role.address());
    client.send(request(&text));
    let seen = backends[0].wait_for_request(0).head;
    let shown = head(&text, &format!("forwarded to {} ", backends[0].address()));
    assert_eq!((seen.start.as_str(), seen.fields.len()), (shown[0].as_str(), shown.len() - 1), "{text}");
}

#[test]
fn a_relay_passes_bytes_on() {
    let launch = explain("lb-async", &["GET", "/", "--from", "203.0.113.9", "--send-proxy", "v1"]);
    let text = told(&launch.flag("--listen", "127.0.0.1:6660").flag("--backends", 2));
    assert!(text.contains("\nmode       tcp: "), "{text}");
    assert!(text.contains("\n  127.0.0.1:9001  first in turn\n  127.0.0.1:9002\n"), "{text}");
    let forwarded = below(&text, "forwarded to 127.0.0.1:9001");
    assert!(forwarded[0].starts_with("+ PROXY TCP4 203.0.113.9 127.0.0.1 49152 6660 "), "{text}");
    assert_eq!(forwarded[1..], ["  GET / HTTP/1.1", "  Host: 127.0.0.1:6660"]);
    let text = told(&explain("lb-threaded", &["GET", "/", "--send-proxy", "v2"]));
    assert!(text.contains("\n+ a PROXY header of version 2, 28 bytes\n  GET / HTTP/1.1\n"), "{text}");
}

#[test]
fn nothing_is_started_and_nobody_is_asked() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let backend = Backend::saying("never");
    let launch = explain("reverse-proxy", &["GET", "/"]).flag("--listen", taken.local_addr().unwrap());
    let text = told(&launch.flag("--default", backend.address()));
    assert!(text.contains(&format!("Host: {}", taken.local_addr().unwrap())), "{text}");
    assert_eq!(backend.visits(), 0);
}

#[test]
fn a_client_behind_a_trusted_proxy_keeps_its_fields() {
    let words = ["GET", "/", "--from", "192.0.2.7", "-H", "X-Forwarded-For: 203.0.113.9"];
    let stranger = told(&explain("reverse-proxy", &words));
    let trusted = told(&explain("reverse-proxy", &words).flag("--trust", "192.0.2.0/24"));
    assert!(stranger.contains("\n+ X-Forwarded-For: 192.0.2.7\n"), "{stranger}");
    assert!(trusted.contains("\n+ X-Forwarded-For: 203.0.113.9, 192.0.2.7\n"), "{trusted}");
    let named = explain("reverse-proxy", &words).flag("--trust", "10.0.0.0/8").switch("--proxy-protocol");
    assert!(told(&named).contains("from 192.0.2.7, whom the PROXY header in front names\n"));
}

#[test]
fn a_file_gives_the_role_and_not_the_request() {
    let site = Site::new().with("good.toml", "default = \"127.0.0.1:1\"\nno-via = true\n");
    let site = site.with("key.toml", "no-via = true\nfrom = \"127.0.0.1\"\n");
    let site = site.with("value.toml", "\ndefault = \"x\"\n");
    let with = |file: &str| {
        explain("reverse-proxy", &["GET", "/"]).flag("--config", site.path().join(file).display())
    };
    let text = told(&with("good.toml"));
    assert!(text.contains("\nforwarded to 127.0.0.1:1 ") && !text.contains("Via"), "{text}");
    assert!(text.contains("\nroutes     none"), "only --default is given: {text}");
    expect_complaint(&with("key.toml").end(), 2, "line 2: \"from\" is no key of reverse-proxy explain");
    expect_complaint(&with("value.toml").end(), 2, "value.toml, line 2: default: \"x\" is not an address");
}

#[test]
fn bad_input_is_one_line_that_says_what_to_do() {
    for (binary, words, complaint) in [
        ("lb-async", &[][..], "missing: METHOD and TARGET; see --help"),
        ("lb-async", &["GET"], "missing: TARGET; see --help"),
        ("lb-async", &["GET", "/", "/b"], "/b is unknown here"),
        ("lb-async", &["G T", "/"], "METHOD: \"G T\" is not a method: write one such as GET or POST"),
        (
            "lb-async",
            &["GET", "a"],
            "TARGET: \"a\" is not a target: write a path, such as /images/x, or http://HOST/PATH",
        ),
        ("lb-async", &["GET", "/a b"], "write it as an escape, such as %20"),
        ("lb-async", &["GET", "/#a"], "it is for the browser and is never sent"),
        ("lb-async", &["GET", "/", "-H", "Accept"], "-H: \"Accept\" has no colon: write 'NAME: VALUE'"),
        ("lb-async", &["GET", "/", "-H", "A: b\r\nC: d"], "control character in its value"),
        ("lb-async", &["GET", "/", "--from", "home"], "--from: \"home\" is not an IP address"),
        ("lb-async", &["GET", "/", "--live", "http://127.0.0.1:1/x"], "is not the address of a status page"),
        ("lb-async", &["GET", "/", "--loops", "0"], "--loops: 0 is out of range"),
        ("lb-async", &["GET", "/", "--workers", "1"], "--workers is unknown here"),
        ("lb-async", &["GET", "/", "--check"], "explain validates the settings in any case"),
        ("reverse-proxy", &["GET", "/", "--route", "/*=80"], "there are no wildcards"),
        ("default-server", &["GET", "/"], "explain is unknown here"),
    ] {
        expect_complaint(&explain(binary, words).end(), 2, complaint);
    }
    expect_complaint(
        &Launch::bare("lb-async").switch("explan").end(),
        2,
        "explan is unknown here; did you mean explain?",
    );
    let help = explain("reverse-proxy", &["--help"]).end();
    assert!(
        help.status == Some(0)
            && help.out.contains("Usage: reverse-proxy explain [OPTIONS] <METHOD> <TARGET>")
    );
}

fn a_role_that_runs_is_asked_through_its_status_page(model: Model) {
    let backends = [Backend::saying("satu"), Backend::saying("dua")];
    let addresses = [backends[0].address(), backends[1].address()];
    let role = Launch::balancer(model, "http", addresses).flag("--status", "127.0.0.1:0").start();
    let binary = match model {
        Model::Threaded => "lb-threaded",
        Model::Async => "lb-async",
    };
    let down = format!("/backends/{binary}/{}/down", addresses[0]);
    assert_eq!(Client::connect(role.status_page()).ask("POST", &down, "").status, 200);
    assert_eq!(crate::support::client::get(role.address(), "/").text(), "dua");
    let words = ["GET", "/", "--mode", "http"];
    let launch = explain(binary, &words).flag("--live", format!("http://{}", role.status_page()));
    let launch = addresses.into_iter().fold(launch, |launch, backend| launch.flag("--backend", backend));
    let rows = below(&told(&launch), "group ");
    assert_eq!(rows[0], format!("  {}  down, gets nothing: 0 active, 0 served, 0 failed", addresses[0]));
    assert_eq!(rows[1], format!("  {}  up, next in turn: 0 active, 1 served, 0 failed", addresses[1]));
}

/// A status page that gives `document` for an answer.
fn status_page(document: &str) -> Backend {
    Backend::answering(ok(document))
}

/// The document of a reverse proxy whose default group has these back ends: address, state, and whose turn is next.
fn document(backends: &[(SocketAddr, &str, bool)]) -> String {
    let one = |(address, state, next): &(SocketAddr, &str, bool)| {
        let usable = *state == "up";
        format!(
            r#"{{"address":"{address}","state":"{state}","usable":{usable},"active":1,"served":20,"failed":3,"next":{next},"new":[]}}"#
        )
    };
    let backends: Vec<String> = backends.iter().map(one).collect();
    let group = format!(
        r#"{{"name":"the default route","policy":"round-robin","backends":[{}]}}"#,
        backends.join(",")
    );
    format!(r#"{{"schema":1,"since":0,"roles":[{{"role":"reverse-proxy","groups":[{group}]}}]}}"#)
}

/// `explain GET / -H Host:` with three back ends, of which a running role is asked on `page`.
fn live(page: &Backend, ports: [u16; 3]) -> Launch {
    let backends = ports.map(|port| format!("127.0.0.1:{port}")).join(",");
    explain("reverse-proxy", &["GET", "/", "-H", "Host:"])
        .flag("--default", backends)
        .flag("--live", format!("http://{}", page.address()))
}

#[test]
fn a_running_role_says_which_back_ends_it_uses_and_whose_turn_it_is() {
    let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    let page = status_page(&document(&[
        (at(1), "up", false),
        (at(2), "down", false),
        (at(3), "up", true),
        (at(9), "up", false),
    ]));
    let text = told(&live(&page, [1, 2, 3]));
    let source = format!(
        "group      the default route, round-robin, as seen by http://{} (reverse-proxy)",
        page.address()
    );
    assert_eq!(
        below(&text, &source),
        [
            "  127.0.0.1:1  up: 1 active, 20 served, 3 failed",
            "  127.0.0.1:2  down, gets nothing: 1 active, 20 served, 3 failed",
            "  127.0.0.1:3  up, next in turn: 1 active, 20 served, 3 failed",
            "  127.0.0.1:9  up: 1 active, 20 served, 3 failed",
        ]
    );
    // The head is written for that back end.
    let forwarded = head(&text, "forwarded to 127.0.0.1:3 ");
    assert!(forwarded.contains(&"Host: 127.0.0.1:3".to_owned()), "{text}");
    assert_eq!(page.wait_for_request(0).head.start, "GET /status.json HTTP/1.1");
}

#[test]
fn a_running_role_without_a_usable_back_end_answers_503() {
    let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    let page = status_page(&document(&[(at(1), "ejected", false), (at(2), "maintenance", true)]));
    let text = told(&live(&page, [1, 2, 3]));
    let rows = below(&text, "group ");
    assert!(
        rows[0].contains("ejected, gets nothing") && rows[1].contains("maintenance, gets nothing"),
        "{text}"
    );
    assert_eq!(rows[2], "  127.0.0.1:3  not a back end of the running role");
    assert_eq!(head(&text, "answered by reverse-proxy itself")[0], "HTTP/1.1 503 Service Unavailable");
}

#[test]
fn a_relay_without_a_usable_back_end_closes() {
    let at = SocketAddr::from(([127, 0, 0, 1], 9001));
    let page = document(&[(at, "drain", true)])
        .replace("\"the default route\"", "\"lb-async\"")
        .replace("reverse-proxy", "lb-async");
    let page = status_page(&page);
    let text = told(&explain("lb-async", &["GET", "/", "--live", &page.address().to_string()]));
    assert!(text.contains("\n  127.0.0.1:9001  drain, gets nothing: "), "{text}");
    assert!(text.ends_with("\nclosed by lb-async: no back end is usable\n"), "{text}");
}

#[test]
fn a_status_page_that_cannot_be_read_is_named() {
    let at = SocketAddr::from(([127, 0, 0, 1], 1));
    for (page, words) in [
        (status_page("[]"), "is not the status of a role"),
        (status_page(r#"{"schema":2}"#), "has schema 2, and this program reads schema 1"),
        (Backend::answering("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), "status 404"),
        (Backend::start(|_| Ok(())), "before the end of the response"),
        (
            status_page(&document(&[(at, "up", true)]).replace("\"the default route\"", "\"lb-async\"")),
            "the reverse-proxy there has no group \"the default route\"",
        ),
    ] {
        let ended = live(&page, [1, 2, 3]).end();
        expect_complaint(&ended, 1, words);
        assert!(ended.err.contains(&format!("--live http://{}: ", page.address())), "{}", ended.err);
    }
}

/// The examples of a page: each command of its `console` blocks with what it printed.
fn examples(page: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut is_console = false;
    for line in page.lines() {
        if line.starts_with("```") {
            is_console = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| is_console) {
            found.push((command.to_owned(), String::new()));
        } else if let Some((_, printed)) = found.last_mut().filter(|_| is_console) {
            printed.push_str(line);
            printed.push('\n');
        }
    }
    found
}

/// Of the page's section with this heading.
fn section<'p>(page: &'p str, heading: &str) -> &'p str {
    let (_, rest) = page.split_once(heading).unwrap_or_else(|| panic!("no section {heading}"));
    rest.split("\n## ").next().unwrap()
}

/// The time of day that a response tells is another one each time.
fn without_date(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("  Date: ")).map(|line| format!("{line}\n")).collect()
}

fn operations() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md")).unwrap()
}

#[test]
fn the_examples_of_routes_are_what_is_printed() {
    let page = operations();
    let examples = examples(section(&page, "\n## Routes\n"));
    let (_, file) = examples.iter().find(|(command, _)| command == "cat routes.toml").unwrap();
    let site = Site::new().with("routes.toml", file);
    let mut checked = 0;
    for (command, printed) in &examples {
        let Some(words) = command.strip_prefix("reverse-proxy explain ") else { continue };
        let launch = words.split(' ').fold(explain("reverse-proxy", &[]), |launch, word| match word {
            "routes.toml" => launch.switch(&site.path().join(word).display().to_string()),
            word => launch.switch(word),
        });
        // The file ends with an empty line, and so does the page.
        assert_eq!(without_date(told(&launch).trim_end()), without_date(printed.trim_end()), "$ {command}");
        checked += 1;
    }
    assert_eq!(checked, 2, "the section has two examples");
}

#[test]
fn the_examples_of_the_documentation_are_what_is_printed() {
    let page = operations();
    let page = section(&page, "\n## What would become of a request\n");
    let examples = examples(page);
    let file = |name: &str| {
        let found = examples.iter().find(|(command, _)| command.starts_with(&format!("cat {name}")));
        found.unwrap_or_else(|| panic!("the section shows {name}")).1.clone()
    };
    let site = Site::new().with("proxy.toml", file("proxy.toml"));
    let (_, status) = page.split_once("```json\n").expect("the section shows a status");
    let live = status_page(status.split("```").next().unwrap());
    let address = live.address().to_string();
    let mut checked = 0;
    for (command, printed) in &examples {
        let words: Vec<&str> = command.split(' ').collect();
        let [binary @ ("reverse-proxy" | "lb-async"), words @ ..] = &words[..] else { continue };
        let binary = if *binary == "lb-async" { "lb-async" } else { "reverse-proxy" };
        let words = words.iter().fold(Launch::bare(binary), |launch, word| match *word {
            "proxy.toml" => launch.switch(&site.path().join("proxy.toml").display().to_string()),
            word => launch.switch(&word.replace("127.0.0.1:9900", &address)),
        });
        let told = told(&words).replace(&address, "127.0.0.1:9900");
        assert_eq!(without_date(&told), without_date(printed), "$ {command}");
        checked += 1;
    }
    assert_eq!(checked, 4, "the section has four examples");
}
