//! Routes: by host and path, what is rewritten, redirects, responses, fields, identifiers.

use std::net::SocketAddr;
use std::process::Command;

use super::operations::Config;
use crate::support::backend::{Backend, ok};
use crate::support::client::{Client, Response, get, request};
use crate::support::launch::Launch;
use crate::support::needs::{CURL, NGINX, lacks};
use crate::support::role::Role;
use crate::support::site::Site;
use crate::support::wire::Head;
use crate::support::{Model, both};

both![
    the_host_decides_before_the_path,
    every_form_of_a_host_is_the_same_host,
    a_prefix_is_stripped,
    a_prefix_is_replaced,
    what_a_back_end_could_read_otherwise_is_refused,
    redirects_of_the_back_end_lead_back,
    a_route_can_redirect,
    a_route_can_give_a_response,
    a_response_to_head_has_no_body,
    fields_are_changed_both_ways,
    rules_of_the_role_hold_for_all_routes,
    a_trailer_cannot_get_past_a_rule,
    every_request_has_an_identifier,
    an_identifier_of_a_trusted_proxy_is_kept,
    an_upgrade_passes_a_stripped_route,
    a_limit_of_a_route_is_its_own,
    routes_are_read_again,
    curl_is_sent_where_its_host_says,
    a_site_of_nginx_works_below_a_prefix,
];

/// The reverse proxy with these routes; everything else goes to `default`.
fn proxy(model: Model, default: &Backend, routes: &[&str]) -> Role {
    launch(model, default, routes).start()
}

fn launch(model: Model, default: &Backend, routes: &[&str]) -> Launch {
    routes
        .iter()
        .fold(Launch::reverse_proxy(model, default.address()), |launch, route| launch.flag("--route", route))
}

/// A request for this host.
fn at(role: &Role, host: &str, target: &str) -> Response {
    Client::connect(role.address())
        .send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
        .response()
}

/// The head that a back end gets for this request, which is its `nth`.
fn forwarded(role: &Role, backend: &Backend, nth: usize, target: &str, fields: &str) -> Head {
    Client::connect(role.address()).ask("GET", target, fields);
    backend.wait_for_request(nth).head
}

fn the_host_decides_before_the_path(model: Model) {
    let [default, one, two, three] = ["default", "one", "two", "three"].map(Backend::saying);
    let role = proxy(
        model,
        &default,
        &[
            &format!("/a/={}", one.address()),
            &format!("example.org={}", two.address()),
            &format!("*.example.org/b={}", three.address()),
            &format!("x.example.org/={}", two.address()),
            &format!("127.0.0.1={}", three.address()),
        ],
    );
    for (host, target, text) in [
        ("example.org", "/a/", "two"),
        ("EXAMPLE.org:80", "/", "two"),
        ("www.example.org", "/b/c", "three"),
        ("www.example.org", "/a/x", "one"),
        ("www.example.org", "/bc", "default"),
        ("x.example.org", "/b", "two"),
        ("127.0.0.1:8080", "/a/", "three"),
        ("other.example", "/a/x", "one"),
        ("other.example", "/x", "default"),
    ] {
        assert_eq!(at(&role, host, target).text(), text, "{host}{target}");
    }
}

fn every_form_of_a_host_is_the_same_host(model: Model) {
    let (default, named, sixth) =
        (Backend::saying("default"), Backend::saying("named"), Backend::saying("sixth"));
    let routes = [format!("Example.ORG.={}", named.address()), format!("[0:0::1]={}", sixth.address())];
    let role = proxy(model, &default, &[&routes[0], &routes[1]]);
    for (head, text) in [
        ("GET / HTTP/1.1\r\nHost: example.org.:8080\r\n\r\n", "named"),
        // The host of an absolute target counts, whatever `Host` says.
        ("GET http://example.ORG/x HTTP/1.1\r\nHost: other\r\n\r\n", "named"),
        ("GET http://other/x HTTP/1.1\r\nHost: example.org\r\n\r\n", "default"),
        ("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "sixth"),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", "default"),
        ("GET / HTTP/1.0\r\n\r\n", "default"),
        ("GET / HTTP/1.0\r\nHost: example.org\r\n\r\n", "named"),
    ] {
        assert_eq!(Client::connect(role.address()).send(head).response().text(), text, "{head}");
    }
}

fn a_prefix_is_stripped(model: Model) {
    let (default, app) = (Backend::saying("default"), Backend::saying("app"));
    let role = proxy(model, &default, &[&format!("/api/={}; strip", app.address())]);
    for (nth, (target, sent)) in [
        ("/api/", "/"),
        ("/api/x?y=/api/../z", "/x?y=/api/../z"),
        ("/./api//x/../%79/z%2Fz", "/y/z%2Fz"),
        ("http://localhost/api/x", "/x"),
        ("/api/caf\u{e9}", "/caf%C3%A9"),
    ]
    .into_iter()
    .enumerate()
    {
        let head = forwarded(&role, &app, nth, target, "X-Forwarded-Prefix: /mine\r\n");
        assert_eq!(head.word(1), sent, "{target}");
        let prefixes: Vec<_> = head.all("x-forwarded-prefix");
        assert_eq!(prefixes, ["/api"], "{target}");
    }
    let response = get(role.address(), "/api?x");
    assert_eq!((response.status, response.field("location")), (301, Some("/api/?x")));
    assert_eq!(get(role.address(), "/apix").text(), "default");
}

fn a_prefix_is_replaced(model: Model) {
    let app = Backend::saying("app");
    let routes = [
        format!("/old/={}; replace /new/deep", app.address()),
        format!("a.org={}; replace /site/", app.address()),
    ];
    let role = proxy(model, &app, &[&routes[0], &routes[1]]);
    let head = forwarded(&role, &app, 0, "/old/x?y", "");
    assert_eq!((head.word(1), head.field("x-forwarded-prefix")), ("/new/deep/x?y", None));
    at(&role, "a.org", "/");
    assert_eq!(app.wait_for_request(1).head.word(1), "/site/");
    at(&role, "a.org", "/x//y");
    assert_eq!(app.wait_for_request(2).head.word(1), "/site/x/y");
    // Without a route that rewrites, the target is sent on as it came.
    assert_eq!(forwarded(&role, &app, 3, "/x//../%79", "").word(1), "/x//../%79");
}

fn what_a_back_end_could_read_otherwise_is_refused(model: Model) {
    let app = Backend::saying("app");
    let routes =
        [format!("/api/={}; strip", app.address()), format!("a.org={}; replace /site", app.address())];
    let role = proxy(model, &app, &[&routes[0], &routes[1]]);
    for target in ["/api/..%2fx", "/api/x/..%2f..%2f..%2fx", "/api/..;/x", "/api/..%5cx", "/api/%2e%2e%2fx"] {
        assert_eq!(get(role.address(), target).status, 400, "{target}");
    }
    for target in ["/..%2fx", "/x/..%2f..%2f..%2fsecret", "/../x"] {
        assert_eq!(at(&role, "a.org", target).status, 400, "{target}");
    }
    assert_eq!(app.request_count(), 0);
    // What is on one side of the prefix in either reading is passed on.
    assert_eq!(forwarded(&role, &app, 0, "/api/a%2fb;c", "").word(1), "/a%2Fb;c");
}

fn redirects_of_the_back_end_lead_back(model: Model) {
    let app = Backend::start(|visit| {
        loop {
            let seen = visit.request()?;
            let location = seen.head.field("x-location").unwrap_or("").to_owned();
            visit.send(format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"))?;
        }
    });
    let address = app.address();
    let routes = [format!("/api/={address}; strip"), format!("/old/={address}; replace /new/")];
    let role = proxy(model, &app, &[&routes[0], &routes[1]]);
    let mut client = Client::connect(role.address());
    for (target, location, seen) in [
        ("/api/x", "/login?next=/y", "/api/login?next=/y"),
        ("/api/x", "/api/login", "/api/login"),
        ("/api/x", "login", "login"),
        ("/api/x", "http://localhost/login", "http://localhost/api/login"),
        ("/api/x", &format!("http://{address}/login"), "/api/login"),
        ("/api/x", "https://elsewhere.example/login", "https://elsewhere.example/login"),
        ("/old/x", "/new/y", "/old/y"),
        ("/old/x", "/other", "/other"),
        ("/plain", "/new/y", "/new/y"),
    ] {
        let response = client.ask("GET", target, &format!("X-Location: {location}\r\n"));
        assert_eq!(response.field("location"), Some(seen), "{target} {location}");
        assert_eq!(response.field("set-cookie"), Some("a=b; Path=/"));
    }
}

fn a_route_can_redirect(model: Model) {
    let default = Backend::saying("default");
    let role = proxy(
        model,
        &default,
        &[
            "old.example=301 to https://new.example{path}",
            "www.example.org=308 to {scheme}://example.org{path}",
            "/moved/=302 to /here{path}; strip",
            "/self/=307 to https://{host}{path}",
            "/same/=303 to {path}; strip",
            "/id=302 to /x?id={request-id}",
        ],
    );
    for (host, target, status, location) in [
        ("old.example:8080", "/a/../b?c=d", 301, "https://new.example/b?c=d"),
        ("www.example.org", "/", 308, "http://example.org/"),
        ("a", "/moved/x?y", 302, "/here/x?y"),
        ("a:80", "/self/x", 307, "https://a/self/x"),
        ("[::1]:80", "/self/x", 307, "https://[::1]/self/x"),
        // It must not become the address of another host.
        ("a", "/same//evil.example/x", 303, "/evil.example/x"),
    ] {
        let response = at(&role, host, target);
        assert_eq!((response.status, response.field("location")), (status, Some(location)), "{host}{target}");
    }
    let response = at(&role, "a", "/id");
    assert_eq!(response.field("location").unwrap().len(), "/x?id=".len() + 32, "{response:?}");
    let response = Client::connect(role.address()).send("GET /self/x HTTP/1.0\r\n\r\n").response();
    assert_eq!((response.status, response.text()), (400, "The request names no host to redirect to.\n"));
    assert_eq!(default.request_count(), 0);
    // The connection is kept, and its next request has its own route.
    let mut client = Client::connect(role.address());
    assert_eq!(client.get("/moved/").status, 302);
    assert_eq!(client.get("/").text(), "default");
}

fn a_route_can_give_a_response(model: Model) {
    let default = Backend::saying("default");
    let role = proxy(
        model,
        &default,
        &[
            "/closed=503 \"Closed; come back at noon.\"; set-response Retry-After: 3600",
            "/gone=410",
            "/empty=204",
            "/page=200 <h1>Hello</h1>; set-response Content-Type: text/html",
        ],
    );
    let mut client = Client::connect(role.address());
    let response = client.get("/closed/x");
    assert_eq!((response.status, response.text()), (503, "Closed; come back at noon.\n"));
    assert_eq!(response.field("retry-after"), Some("3600"));
    assert_eq!((client.get("/gone").status, client.get("/gone").text()), (410, "Gone\n"));
    let response = client.get("/empty");
    assert_eq!(
        (response.status, response.field("content-length"), response.field("content-type")),
        (204, None, None)
    );
    let response = client.get("/page");
    assert_eq!((response.text(), response.all("content-type")), ("<h1>Hello</h1>\n", vec!["text/html"]));
    assert_eq!(client.get("/").text(), "default");
    // A body that nobody reads ends the connection.
    client.send(request("POST", "/gone", "Content-Length: 100\r\n"));
    let response = client.response();
    assert_eq!((response.status, response.field("connection")), (410, Some("close")));
    assert_eq!(default.request_count(), 1);
}

fn a_response_to_head_has_no_body(model: Model) {
    let default = Backend::saying("default");
    let role = proxy(model, &default, &["/closed=503 Closed.", "/old=301 to /new"]);
    let mut client = Client::connect(role.address());
    let response = client.ask("HEAD", "/closed", "");
    assert_eq!((response.status, response.field("content-length")), (503, Some("8")));
    assert_eq!(client.ask("HEAD", "/old", "").field("location"), Some("/new"));
    assert_eq!(client.get("/").text(), "default");
}

fn fields_are_changed_both_ways(model: Model) {
    let app = Backend::answering(
        "HTTP/1.1 200 OK\r\nServer: secret\r\nX-Powered-By: x\r\nSet-Cookie: a\r\nContent-Length: 0\r\n\r\n",
    );
    let role = proxy(
        model,
        &app,
        &[&format!(
            "/={}; set-request Host: inner.example:81; set-request X-Real-IP: {{client}}; add-request X-Tag: 1; \
             remove-request Cookie; set-request X-Original: {{scheme}}://{{host}}{{path}}; remove-response x-powered-by; \
             set-response Server: mine; add-response Set-Cookie: b; set-response \"Strict-Transport-Security: max-age=60; preload\"",
            app.address()
        )],
    );
    let fields = "X-Real-IP: 6.6.6.6\r\nx_real_ip: 6.6.6.6\r\nX-Tag: 0\r\nCookie: c\r\n";
    let response = Client::connect(role.address()).ask("GET", "/a?b", fields);
    let head = app.wait_for_request(0).head;
    assert_eq!(head.all("host"), ["inner.example:81"]);
    assert_eq!(head.all("x-real-ip"), ["127.0.0.1"]);
    assert_eq!((head.field("x_real_ip"), head.field("cookie")), (None, None));
    assert_eq!(head.all("x-tag"), ["0", "1"]);
    assert_eq!(head.field("x-original"), Some("http://localhost/a?b"));
    assert_eq!(head.field("x-forwarded-host"), Some("localhost"));
    assert_eq!(response.all("server"), ["mine"]);
    assert_eq!(response.all("set-cookie"), ["a", "b"]);
    assert_eq!(response.field("x-powered-by"), None);
    assert_eq!(response.field("strict-transport-security"), Some("max-age=60; preload"));
    // The host is set for a request that names none.
    Client::connect(role.address()).send("GET / HTTP/1.0\r\n\r\n").response();
    assert_eq!(app.wait_for_request(1).head.all("host"), ["inner.example:81"]);
}

fn rules_of_the_role_hold_for_all_routes(model: Model) {
    let app = Backend::saying("app");
    let flags = |launch: Launch| {
        let launch =
            launch.flag("--set-response", "X-Frame-Options: DENY").flag("--set-request", "X-From: role");
        launch.flag("--remove-response", "Server")
    };
    let route = format!("/own/={}; set-request X-From: route", app.address());
    let role = flags(launch(model, &app, &[&route, "/closed=503"])).start();
    for target in ["/", "/own/", "/closed"] {
        let response = get(role.address(), target);
        assert_eq!(
            (response.field("x-frame-options"), response.field("server")),
            (Some("DENY"), None),
            "{target}"
        );
    }
    assert_eq!(app.wait_for_request(0).head.all("x-from"), ["role"]);
    assert_eq!(app.wait_for_request(1).head.all("x-from"), ["route"]);
    let balancer = flags(Launch::balancer(model, "http", [app.address()])).start();
    assert_eq!(get(balancer.address(), "/").field("x-frame-options"), Some("DENY"));
    assert_eq!(app.wait_for_request(2).head.all("x-from"), ["role"]);
}

fn a_trailer_cannot_get_past_a_rule(model: Model) {
    let app = Backend::start(|visit| {
        loop {
            visit.head()?;
            let body = visit.chunked_as_it_is()?;
            visit.send(ok(&body))?;
        }
    });
    let role = proxy(model, &app, &[&format!("/={}; remove-request X-User", app.address())]);
    let body = "4\r\nsatu\r\n0\r\nX-User: admin\r\n\r\n";
    let head = request("POST", "/", "Transfer-Encoding: chunked\r\n");
    let response = Client::connect(role.address()).send(format!("{head}{body}")).response();
    assert_eq!(response.text(), "4\r\nsatu\r\n0\r\n\r\n");
}

fn every_request_has_an_identifier(model: Model) {
    let app = Backend::saying("app");
    let role = launch(model, &app, &["/closed=503"]).switch("--request-id").start();
    let mut client = Client::connect(role.address());
    let mut seen = Vec::new();
    for nth in 0..3 {
        let response = client.ask("GET", "/", "X-Request-Id: forged\r\nx_request_id: forged\r\n");
        let id = response.field("x-request-id").unwrap().to_owned();
        let head = app.wait_for_request(nth).head;
        assert_eq!(head.all("x-request-id"), [id.as_str()]);
        assert_eq!(head.field("x_request_id"), None);
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert!(!seen.contains(&id));
        role.wait_for_log(&format!(" request_id={id} "));
        seen.push(id);
    }
    let response = client.get("/closed");
    let id = response.field("x-request-id").unwrap();
    role.wait_for_log(&format!(" route=/closed request_id={id} status=503 "));
    // Without the flag it is a field like any other.
    let plain = proxy(model, &app, &[]);
    let response = Client::connect(plain.address()).ask("GET", "/", "X-Request-Id: mine\r\n");
    assert_eq!(response.field("x-request-id"), None);
    assert_eq!(app.wait_for_request(3).head.field("x-request-id"), Some("mine"));
}

fn an_identifier_of_a_trusted_proxy_is_kept(model: Model) {
    let app = Backend::saying("app");
    let launch = Launch::balancer(model, "http", [app.address()]).switch("--request-id");
    let role = launch.flag("--trust", "127.0.0.1").start();
    let mut client = Client::connect(role.address());
    let response = client.ask("GET", "/", "X-Request-Id: Root=1-2\r\nX-Forwarded-Proto: https\r\n");
    assert_eq!(response.field("x-request-id"), Some("Root=1-2"));
    assert_eq!(app.wait_for_request(0).head.all("x-request-id"), ["Root=1-2"]);
    for bad in ["a b", "\"", &"x".repeat(129), "a\r\nX-Request-Id: b"] {
        let response = client.ask("GET", "/", &format!("X-Request-Id: {bad}\r\n"));
        assert_eq!(response.field("x-request-id").map(str::len), Some(32), "{bad}");
    }
}

fn an_upgrade_passes_a_stripped_route(model: Model) {
    let app = Backend::start(|visit| {
        visit.head()?;
        visit
            .send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")?;
        let bytes = visit.some()?;
        visit.send(bytes)
    });
    let route = format!("/chat/={}; strip; set-response X-Mine: 1", app.address());
    let role = proxy(model, &app, &[&route]);
    let mut client = Client::connect(role.address());
    let response = client.ask("GET", "/chat/room?a", "Connection: Upgrade\r\nUpgrade: websocket\r\n");
    assert_eq!((response.status, response.field("upgrade")), (101, Some("websocket")));
    assert_eq!(response.field("x-mine"), Some("1"));
    let head = app.wait_for_request(0).head;
    assert_eq!((head.word(1), head.field("upgrade")), ("/room?a", Some("websocket")));
    assert_eq!(client.send("halo").wire().exact(4).unwrap(), b"halo");
}

fn a_limit_of_a_route_is_its_own(model: Model) {
    let slow = Backend::start(|visit| {
        loop {
            visit.request()?;
            visit.freeze();
            visit.send(ok("slow"))?;
        }
    });
    let fast = Backend::saying("fast");
    let route = format!("/slow={}; max-per-backend 1", slow.address());
    let role = launch(model, &fast, &[&route]).flag("--connect-timeout", "50ms").start();
    let mut first = Client::connect(role.address());
    first.send(request("GET", "/slow", ""));
    slow.wait_for_request(0);
    // There is no room for a second one, and it does not wait for long.
    assert_eq!(get(role.address(), "/slow").status, 503);
    assert_eq!(get(role.address(), "/").text(), "fast");
    slow.release();
    assert_eq!(first.response().text(), "slow");
}

fn routes_are_read_again(model: Model) {
    let (one, two) = (Backend::saying("one"), Backend::saying("two"));
    let file = |to: SocketAddr, option: &str| {
        format!(
            "default = [\"{}\"]\n\n[[route]]\nmatch = \"/x/\"\nto = [\"{to}\"]\n{option}\n",
            one.address()
        )
    };
    let config = Config::new(&file(one.address(), ""));
    let role = Launch::role("reverse-proxy", model)
        .flag("--health-interval", "off")
        .flag("--config", config.path().display())
        .start();
    assert_eq!(get(role.address(), "/x/").text(), "one");
    let line = config.reload(&role, 0, &file(two.address(), "strip = true"));
    assert!(line.ends_with("changed: route"), "{line}");
    assert_eq!(get(role.address(), "/x/y").text(), "two");
    assert_eq!(two.wait_for_request(0).head.word(1), "/y");
    for (nth, (option, words)) in [
        ("stripp = true", "line 6: route: \"stripp\" is no key of a route; did you mean strip?"),
        (
            "set-request = [\"Connection: x\"]",
            "line 6: route: set-request: Connection cannot be changed by a rule",
        ),
        ("[[route]]\nmatch = \"/%78/\"\nto = \"404\"", "the route `/%78/` is given twice: `/x/` is the same"),
    ]
    .into_iter()
    .enumerate()
    {
        let line = config.reload(&role, nth + 1, &file(one.address(), option));
        assert!(line.contains("the configuration stays as it was: ") && line.contains(words), "{line}");
        assert_eq!(get(role.address(), "/x/y").text(), "two");
    }
    let line = config.reload(
        &role,
        4,
        &file(two.address(), "strip = true\n\n[[route]]\nmatch = \"/x/y\"\nto = 404"),
    );
    assert!(line.ends_with("changed: route"), "{line}");
    assert_eq!(get(role.address(), "/x/y").status, 404);
}

fn curl_is_sent_where_its_host_says(model: Model) {
    if lacks(&[CURL]) {
        return;
    }
    let (default, named) = (Backend::saying("default"), Backend::saying("named"));
    let route = format!("*.example.org/app/={}; strip", named.address());
    let role = proxy(model, &default, &[&route, "example.org=301 to http://www.example.org:{path}"]);
    let port = role.address().port();
    let curl = |arguments: &[&str]| {
        let mut curl: Command = CURL.command();
        for host in ["www.example.org", "example.org", "other.example"] {
            curl.args(["--resolve", &format!("{host}:{port}:127.0.0.1")]);
        }
        let output = curl.args(["--silent", "--max-time", "20"]).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(curl(&[&format!("http://www.example.org:{port}/app/x")]), "named");
    assert_eq!(named.wait_for_request(0).head.word(1), "/x");
    assert_eq!(curl(&[&format!("http://other.example:{port}/app/x")]), "default");
    // It follows the redirect to the folder.
    assert_eq!(curl(&["--location", &format!("http://www.example.org:{port}/app?y")]), "named");
    assert_eq!(named.wait_for_request(1).head.word(1), "/?y");
    let head = curl(&["--head", &format!("http://example.org:{port}/a")]);
    assert!(head.contains("\r\nLocation: http://www.example.org:/a\r\n"), "{head}");
}

/// nginx redirects `/docs` to `/docs/` by an address that it puts together of the `Host` that it got.
fn a_site_of_nginx_works_below_a_prefix(model: Model) {
    if lacks(&[NGINX]) {
        return;
    }
    let nginx = Nginx::start();
    let default = Backend::saying("default");
    let role = proxy(model, &default, &[&format!("/site/={}; strip", nginx.address)]);
    assert_eq!(get(role.address(), "/site/docs/page.txt").text(), "a page\n");
    // What comes from nginx is `http://localhost:PORT/docs/` with its own port.
    let response = get(role.address(), "/site/docs");
    assert_eq!((response.status, response.field("location")), (301, Some("/site/docs/")));
}

/// An nginx that serves a folder.
struct Nginx {
    process: std::process::Child,
    address: SocketAddr,
    _folder: Site,
}

impl Nginx {
    fn start() -> Nginx {
        let folder = Site::new().with("docs/page.txt", "a page\n").with("docs/index.html", "index\n");
        loop {
            // Somebody else may take the port meanwhile: then nginx ends, and another one is tried.
            let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let mut process = Nginx::command(&folder, address).spawn().unwrap();
            while process.try_wait().unwrap().is_none() {
                if std::net::TcpStream::connect(address).is_ok() {
                    return Nginx { process, address, _folder: folder };
                }
                std::thread::yield_now();
            }
        }
    }

    fn command(folder: &Site, address: SocketAddr) -> Command {
        let root = folder.path().display();
        let config = format!(
            "daemon off; master_process off; worker_processes 1; pid {root}/pid; error_log stderr;\n\
             events {{ worker_connections 64; }}\n\
             http {{ access_log off; client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3; \
             uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5; port_in_redirect on;\n\
             server {{ listen {address}; root {root}; }} }}\n"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, config).unwrap();
        let mut command = NGINX.command();
        command.arg("-c").arg(&file).arg("-p").arg(folder.path());
        command
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn what_is_no_route_is_named() {
    for (value, words) in [
        ("/x=1:1; stripp", "did you mean strip?"),
        ("/x=a:1; set-request Content-Length: 5", "Content-Length cannot be changed by a rule"),
        ("/x=a:1; set-request X: {hots}", "there are {client}, {host}, {path}, {request-id}, {scheme}"),
        ("a.org:80=80", "the host `a.org:80` has a port"),
        ("/x=301 https://a", "write 301 to URL"),
    ] {
        let ended = Launch::bare("reverse-proxy").flag("--route", value).end();
        assert_eq!(ended.status, Some(2), "{value}");
        assert!(ended.err.contains("--route: ") && ended.err.contains(words), "{}", ended.err);
        assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    }
    for (flag, value, words) in [
        ("--set-request", "Connection: x", "Connection cannot be changed"),
        ("--remove-response", "A: b", "write only the name"),
    ] {
        let ended = Launch::bare("lb-async").flag(flag, value).end();
        assert_eq!(ended.status, Some(2), "{value}");
        assert!(ended.err.contains(&format!("{flag}: ")) && ended.err.contains(words), "{}", ended.err);
    }
}

#[test]
fn check_prints_the_routes_as_tables_that_can_be_read_back() {
    let launch = Launch::bare("reverse-proxy")
        .flag(
            "--route",
            "api.example.org/v1/=127.0.0.1:1 weight=3,127.0.0.1:2; strip; set-request \"X-A: a; {client}\"",
        )
        .flag("--route", "/closed=503 \"a; b\"")
        .switch("--check");
    let shown = launch.end();
    assert_eq!(shown.status, Some(0), "{}", shown.err);
    let tables = "[[route]]\nmatch = \"api.example.org/v1/\"\nto = [\"127.0.0.1:1 weight=3\", \"127.0.0.1:2\"]\n\
                  strip = true\nset-request = [\"X-A: a; {client}\"]\n\n\
                  [[route]]\nmatch = \"/closed\"\nto = \"503 a; b\"";
    assert!(shown.out.trim_end().ends_with(tables), "{}", shown.out);
    let folder = Site::new().with("giliran.toml", &shown.out);
    let file = folder.path().join("giliran.toml");
    let again = Launch::bare("reverse-proxy").flag("--config", file.display()).switch("--check").end();
    assert_eq!((again.status, again.out), (Some(0), shown.out), "{}", again.err);
}
