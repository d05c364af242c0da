//! What the access log tells programs of each request: the fields of `json`, and Apache's `combined` format, read by
//! goaccess and held against Apache's own lines.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::backend::{Backend, ok};
use crate::support::client::{Client, get, request};
use crate::support::launch::Launch;
use crate::support::needs::{APACHE, GOACCESS, lacks};
use crate::support::process::Process;
use crate::support::role::Role;
use crate::support::{Model, WAIT_MAX, both};

both![
    json_tells_who_asked_for_what,
    the_status_of_the_back_end_is_told_beside_ours,
    a_hostile_client_breaks_no_line,
    goaccess_counts_what_was_asked,
    messages_keep_out_of_a_file_of_combined_lines,
    a_log_of_errors_only_has_no_access_lines,
    a_response_that_broke_off_has_its_status,
];

/// The values of a field that no parser should stumble over, and how JSON tells of them.
const HOSTILE: [(&[u8], &str); 4] = [
    (b"\"}\\x22, \\", "\"}\\x22, \\"),
    (b"tab\tand \xc3\xa9 and \xff", "tab\tand \u{e9} and \\xff"),
    ("\u{202e}gpj.exe\u{2028}".as_bytes(), "\u{202e}gpj.exe\u{2028}"),
    (b"GET / HTTP/1.1\" 200 1 \"-\" \"-", "GET / HTTP/1.1\" 200 1 \"-\" \"-"),
];

/// A web server, and a gateway to a back end that says one word.
fn web_and_gateway(model: Model) -> (Backend, [Launch; 2]) {
    let backend = Backend::saying("satu");
    let launches = [Launch::web_server(model), Launch::reverse_proxy(model, backend.address())];
    (backend, launches)
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn json_tells_who_asked_for_what(model: Model) {
    let (_backend, launches) = web_and_gateway(model);
    for launch in launches {
        let role = launch.flag("--log-format", "json").start();
        let fields = "User-Agent: agen/1\r\nReferer: http://b.example/x?y\r\nConnection: close\r\n";
        let text = format!("GET /santai?a HTTP/1.1\r\nHost: a.example:81\r\n{fields}\r\n");
        Client::connect(role.address()).send(text).rest();
        let told = json(&role.wait_for_log("\"closed\""));
        for (key, value) in [
            ("request", "GET /santai?a"),
            ("version", "HTTP/1.1"),
            ("host", "a.example:81"),
            ("user_agent", "agen/1"),
            ("referer", "http://b.example/x?y"),
        ] {
            assert_eq!(told[key], value, "{told}");
        }
        let (body, all) = (told["body_out"].as_u64().unwrap(), told["bytes_out"].as_u64().unwrap());
        assert!(body > 0 && body < all, "{told}");
        // What is not there is left out.
        Client::connect(role.address()).send("GET /santai HTTP/1.0\r\n\r\n").rest();
        role.wait_for_logs("\"closed\"", 2);
        let told = json(role.log().lines().rfind(|line| line.contains("\"closed\"")).unwrap());
        assert_eq!(told["version"], "HTTP/1.0", "{told}");
        assert!(["host", "user_agent", "referer", "user"].iter().all(|key| told[key].is_null()), "{told}");
    }
}

fn the_status_of_the_back_end_is_told_beside_ours(model: Model) {
    let plain = Backend::answering("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    // Framing that nobody can trust: the client gets 502.
    let broken = Backend::answering("HTTP/1.1 203 Odd\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx");
    let long = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: {}\r\n\r\n", "x".repeat(16_300));
    let full = Backend::answering(long);
    for (backend, status, told) in [(&plain, 404, Some(404)), (&broken, 502, None), (&full, 502, Some(200))] {
        let launch = Launch::reverse_proxy(model, backend.address()).flag("--log-format", "json");
        let role = launch.start();
        assert_eq!(get(role.address(), "/").status, status);
        let line = json(&role.wait_for_log("\"closed\""));
        assert_eq!(line["backend_status"], told.map_or(Value::Null, Value::from), "{line}");
    }
    let role = Launch::reverse_proxy(model, full.address()).start();
    get(role.address(), "/");
    let line = role.wait_for_log("closed role=");
    assert!(line.contains("status=502 backend_status=200"), "{line}");
}

fn a_hostile_client_breaks_no_line(model: Model) {
    let (_backend, [web, gateway]) = web_and_gateway(model);
    for launch in [web, gateway] {
        let [as_json, as_text, as_combined] = ["json", "text", "combined"]
            .map(|format| launch.clone().flag("--log-format", format).flag("--connections-max", 100).start());
        for (sent, _) in HOSTILE {
            for role in [&as_json, &as_text, &as_combined] {
                let head =
                    [b"GET /santai HTTP/1.0\r\nUser-Agent: ", sent, b"\r\nReferer: ", sent, b"\r\n\r\n"];
                Client::connect(role.address()).send(head.concat()).rest();
            }
        }
        as_json.wait_for_logs("\"closed\"", HOSTILE.len());
        let log = as_json.log();
        let lines: Vec<Value> = log.lines().filter(|line| line.contains("\"closed\"")).map(json).collect();
        for (line, (_, told)) in lines.iter().zip(HOSTILE) {
            assert_eq!((&line["user_agent"], &line["referer"]), (&told.into(), &told.into()), "{line}");
        }
        as_text.wait_for_logs("closed role=", HOSTILE.len());
        as_combined.wait_for_logs("GET /santai HTTP/1.0", HOSTILE.len());
        for log in [as_text.log(), as_combined.log()] {
            assert!(log.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{log}");
        }
        assert_eq!(as_combined.log().lines().count(), HOSTILE.len(), "{}", as_combined.log());
    }
}

/// Waits until this file holds so many lines, and returns them.
fn lines_of(path: &Path, count: usize) -> Vec<String> {
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if text.ends_with('\n') && text.lines().count() >= count {
            return text.lines().map(str::to_owned).collect();
        }
        assert!(Instant::now() < deadline, "fewer than {count} lines:\n{text}");
        std::thread::yield_now();
    }
}

/// Requests of many kinds, with the statuses that they get from either role.
fn ask_for_many_things(role: &Role) -> usize {
    let mut count = 0;
    let mut client = Client::connect(role.address());
    for _ in 0..5 {
        client.ask(
            "GET",
            "/santai",
            "User-Agent: Mozilla/5.0 (X11; Linux) \"kutip\"\r\nReferer: http://b/\r\n",
        );
        client.ask("HEAD", "/", "");
        client.ask("GET", &format!("/tidak-ada?{}", "x".repeat(3000)), "");
        count += 3;
    }
    for sent in [
        &b"GET /pa th HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /half HTTP/1.1\r\nHo",
    ] {
        Client::connect(role.address()).send(sent).finish_sending().rest();
        count += 1;
    }
    for (sent, _) in HOSTILE {
        let head = [b"GET /santai HTTP/1.0\r\nUser-Agent: ", sent, b"\r\nReferer: ", sent, b"\r\n\r\n"];
        Client::connect(role.address()).send(head.concat()).rest();
        count += 1;
    }
    count
}

fn goaccess_counts_what_was_asked(model: Model) {
    if lacks(&[GOACCESS]) {
        return;
    }
    let (_backend, launches) = web_and_gateway(model);
    for launch in launches {
        let folder = tempfile::tempdir().unwrap();
        let (log, report) = (folder.path().join("access.log"), folder.path().join("report.json"));
        let launch = launch.flag("--log-format", "combined").flag("--log-file", log.display());
        let role = launch.start();
        let count = ask_for_many_things(&role);
        let lines = lines_of(&log, count);
        assert_eq!(lines.len(), count, "{lines:#?}");
        let mut goaccess = GOACCESS.command();
        goaccess.arg(&log).arg("--no-global-config").arg("--log-format=COMBINED").arg("-o").arg(&report);
        let output = goaccess.stdin(std::process::Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let report = json(&fs::read_to_string(&report).unwrap());
        let general = &report["general"];
        for (key, wanted) in [("total_requests", count), ("valid_requests", count), ("failed_requests", 0)] {
            assert_eq!(general[key], wanted, "{general}");
        }
        // The same statuses, counted by us.
        let mut ours = BTreeMap::<&str, u64>::new();
        for line in &lines {
            // Behind the request, whose quotes are escaped, stands the status.
            let status = line.split("\" ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
            *ours.entry(status).or_default() += 1;
        }
        let mut theirs = BTreeMap::<&str, u64>::new();
        for class in report["status_codes"]["data"].as_array().unwrap() {
            for item in class["items"].as_array().unwrap() {
                theirs.insert(&item["data"].as_str().unwrap()[..3], item["hits"]["count"].as_u64().unwrap());
            }
        }
        assert_eq!(ours, theirs, "{lines:#?}");
        assert!(ours["400"] >= 3, "{ours:?}");
        let hosts = report["hosts"]["data"].as_array().unwrap();
        assert_eq!((hosts.len(), &hosts[0]["data"]), (1, &"127.0.0.1".into()), "{hosts:?}");
        assert_eq!(hosts[0]["hits"]["count"], count, "{hosts:?}");
    }
}

fn messages_keep_out_of_a_file_of_combined_lines(model: Model) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let gone = crate::support::backend::Refusing::new();
    let launch = Launch::reverse_proxy(model, gone.address()).checked("50ms");
    let launch = launch.flag("--log-format", "combined").flag("--log-file", log.display());
    let role = launch.start();
    role.wait_for_log("is out");
    assert_eq!(get(role.address(), "/").status, 503);
    role.wait_for_log("[ERROR] no back end of");
    let lines = lines_of(&log, 1);
    assert!(lines.len() == 1 && lines[0].contains("\"GET / HTTP/1.1\" 503 "), "{lines:?}");
    assert!(!role.log().contains("\"GET / HTTP/1.1\""), "{}", role.log());
    // The file is opened anew as any log is.
    let moved = folder.path().join("access.log.1");
    fs::rename(&log, &moved).unwrap();
    role.signal(rustix::process::Signal::USR1);
    let deadline = Instant::now() + WAIT_MAX;
    while !log.exists() {
        assert!(Instant::now() < deadline, "no new file");
        std::thread::yield_now();
    }
    get(role.address(), "/lagi");
    assert!(lines_of(&log, 1)[0].contains("GET /lagi"));
}

fn a_log_of_errors_only_has_no_access_lines(model: Model) {
    for format in ["text", "json", "combined"] {
        let role = Launch::web_server(model).flag("--log-format", format).flag("--log", "error").start();
        let mut role = role;
        get(role.address(), "/");
        role.terminate();
        assert_eq!(role.log(), "", "{format}");
    }
}

fn a_response_that_broke_off_has_its_status(model: Model) {
    let backend = Backend::start(|visit| {
        visit.request()?;
        visit.send("HTTP/1.1 206 Partial Content\r\nContent-Length: 200000000\r\n\r\n")?;
        visit.pour(|| vec![b'x'; 1000], 200_000_000)
    });
    for (launch, status) in
        [(Launch::web_server(model), "200"), (Launch::reverse_proxy(model, backend.address()), "206")]
    {
        let role = launch.flag("--log-format", "combined").start();
        let mut client = Client::connect(role.address());
        // More than any socket buffer holds.
        client.send(request("GET", "/?size=200000000", ""));
        client.wire().head().unwrap();
        socket2::SockRef::from(client.wire().stream()).set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        let line = role.wait_for_log("GET /?size");
        assert!(line.contains(&format!("HTTP/1.1\" {status} ")), "{line}");
    }
}

/// An Apache that logs in its `combined` format, and its log.
fn apache(folder: &Path) -> (Process, SocketAddr) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let modules = "/usr/lib/apache2/modules";
    let conf = folder.join("apache.conf");
    let root = folder.display();
    let text = format!(
        "ServerRoot {root}\nListen {address}\nServerName a\nPidFile {root}/pid\nErrorLog {root}/error.log\n\
         LoadModule mpm_event_module {modules}/mod_mpm_event.so\n\
         LoadModule authz_core_module {modules}/mod_authz_core.so\n\
         <IfModule !log_config_module>\nLoadModule log_config_module {modules}/mod_log_config.so\n</IfModule>\n\
         LogFormat \"%h %l %u %t \\\"%r\\\" %>s %b \\\"%{{Referer}}i\\\" \\\"%{{User-agent}}i\\\"\" combined\n\
         CustomLog {root}/access.log combined\nDocumentRoot {root}/site\n"
    );
    fs::write(&conf, text).unwrap();
    fs::create_dir(folder.join("site")).unwrap();
    fs::write(folder.join("site/satu.txt"), "satu").unwrap();
    let mut command = APACHE.command();
    command.args(["-X", "-f"]).arg(&conf);
    let process = Process::start(&mut command).unwrap();
    let deadline = Instant::now() + WAIT_MAX;
    while std::net::TcpStream::connect(address).is_err() {
        let log = fs::read_to_string(folder.join("error.log")).unwrap_or_default();
        assert!(Instant::now() < deadline, "Apache does not listen: {}{log}", process.err.text());
        std::thread::yield_now();
    }
    (process, address)
}

#[test]
fn a_combined_line_is_the_same_as_apaches() {
    if lacks(&[APACHE]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_apache, theirs) = apache(folder.path());
    let backend = Backend::answering(ok("satu"));
    let role =
        Launch::reverse_proxy(Model::Async, backend.address()).flag("--log-format", "combined").start();
    let mut sent = 0;
    for (value, _) in HOSTILE {
        for method in ["GET", "HEAD"] {
            let line = format!("{method} /satu.txt?\"x\\y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n");
            let head = [line.as_bytes(), b"User-Agent: ", value, b"\r\nReferer: ", value, b"\r\n\r\n"];
            for address in [theirs, role.address()] {
                Client::connect(address).send(head.concat()).rest();
            }
            sent += 1;
        }
    }
    role.wait_for_logs("/satu.txt", sent);
    let theirs = lines_of(&folder.path().join("access.log"), sent);
    // Connections that only wait for Apache to listen may have lines of their own.
    let theirs: Vec<&str> =
        theirs.iter().map(String::as_str).filter(|line| line.contains("satu.txt")).collect();
    let log = role.log();
    let ours: Vec<&str> = log.lines().filter(|line| line.contains("satu.txt")).collect();
    let without_time = |line: &str| {
        let (before, rest) = line.split_once('[').unwrap();
        format!("{before}{}", rest.split_once(']').unwrap().1)
    };
    assert_eq!(ours.len(), sent);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(without_time(ours), without_time(theirs));
    }
}
