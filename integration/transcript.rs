//! The course's transcripts, replayed with the real `curl`: pages, downloads, the Python wire format.

use std::net::SocketAddr;

use rustix::process::Signal;

use crate::support::launch::Launch;
use crate::support::needs::{CURL, lacks};
use crate::support::peer::curl;
use crate::support::process::Process;
use crate::support::role::Role;
use crate::support::site::public_bytes;
use crate::support::{Model, WAIT_MAX, both};

both![
    three_pages_through_the_reverse_proxy,
    two_downloads_through_the_reverse_proxy,
    mirror_passes_the_python_through_the_proxy,
    mirror_answers_pages_as_the_python_did,
    mirror_answers_files_as_the_python_did,
    mirror_answers_post_as_the_python_did,
];

const MIRROR_HEAD: &str = "Connection: close\r\nServer: myserver/1.0\r\n";
const PAGE: &str = "Ini Adalah web Server percobaan";

/// The course's four programs; the servers live as long as this.
struct Course {
    _servers: [Role; 3],
    proxy: Role,
}

impl Course {
    fn start(model: Model) -> Course {
        let servers =
            ["default-server", "image-server", "pdf-server"].map(|role| Launch::role(role, model).start());
        let [default, image, pdf] = servers.each_ref().map(Role::address);
        let proxy = Launch::reverse_proxy(model, default)
            .flag("--route", format!("/images/={image}"))
            .flag("--route", format!("/pdf/={pdf}"))
            .start();
        Course { _servers: servers, proxy }
    }
}

fn three_pages_through_the_reverse_proxy(model: Model) {
    if lacks(&[CURL]) {
        return;
    }
    let course = Course::start(model);
    for (target, text, bytes) in PAGES {
        let said = curl([course.proxy.url(target)]);
        assert_eq!((said.out.as_str(), said.out.len()), (text, bytes), "{target}");
    }
}

const PAGES: [(&str, &str, usize); 3] = [
    ("/", PAGE, 31),
    ("/images/", "Ini Adalah web Server percobaan untuk images", 44),
    ("/pdf/", "Ini Adalah web Server percobaan untuk pdf", 41),
];

fn two_downloads_through_the_reverse_proxy(model: Model) {
    if lacks(&[CURL]) {
        return;
    }
    let course = Course::start(model);
    download_and_compare(course.proxy.address());
}

fn download_and_compare(proxy: SocketAddr) {
    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in [("images/pokijan.jpg", 15_702), ("pdf/nfc.pdf", 550_558)] {
        let file = folder.path().join("download");
        let url = format!("http://{proxy}/{path}");
        curl([url.as_ref(), "--fail".as_ref(), "--output".as_ref(), file.as_os_str()]);
        let downloaded = std::fs::read(&file).unwrap();
        assert_eq!(downloaded.len(), bytes, "{path}");
        assert!(downloaded == public_bytes(path), "{path} differs from the file");
    }
}

/// The course's four programs with `--mirror`.
fn mirrored_course(model: Model) -> Course {
    let servers = ["default-server", "image-server", "pdf-server"]
        .map(|role| Launch::role(role, model).switch("--mirror").start());
    let [default, image, pdf] = servers.each_ref().map(Role::address);
    let proxy = Launch::reverse_proxy(model, default)
        .flag("--route", format!("/images/={image}"))
        .flag("--route", format!("/pdf/={pdf}"))
        .switch("--mirror")
        .start();
    Course { _servers: servers, proxy }
}

/// The transcripts of the report through 18000: byte for byte as from the Python.
fn mirror_passes_the_python_through_the_proxy(model: Model) {
    if lacks(&[CURL]) {
        return;
    }
    let course = mirrored_course(model);
    expect_transcripts(&|target, further| everything(&course.proxy, target, further));
    for (target, text, _) in PAGES {
        assert_eq!(curl([course.proxy.url(target)]).out, text, "{target}");
    }
    download_and_compare(course.proxy.address());
}

/// Everything that the course asked for, compared with what the Python answered.
fn expect_transcripts(ask: &dyn Fn(&str, &[&str]) -> Vec<u8>) {
    for (target, text, bytes) in PAGES {
        let head = format!("{MIRROR_HEAD}Content-Length: {bytes}\r\n");
        expect_mirrored(&ask(target, &[]), &head, text.as_bytes());
    }
    for (path, content_type) in [
        ("images/pokijan.jpg", "image/jpeg"),
        ("pdf/nfc.pdf", "application/pdf"),
        ("testing.txt", "text/plain"),
    ] {
        let file = public_bytes(path);
        let length = format!("Content-Length: {}\r\n", file.len());
        let head = format!("{MIRROR_HEAD}{length}Content-type: {content_type}\r\n");
        expect_mirrored(&ask(&format!("/{path}"), &[]), &head, &file);
    }
    let posted = ask("/sending.html", &["--data", "nama=ani"]);
    expect_mirrored(&posted, &format!("{MIRROR_HEAD}Content-Length: 6\r\n"), b"kosong");
}

#[test]
fn the_mirrored_suite_answers_as_the_python_did() {
    if lacks(&[CURL]) {
        return;
    }
    let mut suite = Launch::bare("suite").flag("--port-base", 0).switch("--mirror").process();
    let proxy = mapped(&suite, "reverse-proxy");
    expect_transcripts(&|target, further| everything_at(&format!("http://{proxy}{target}"), further));
    for role in ["default-server", "lb-threaded", "lb-async", "web-server"] {
        let response = everything_at(&format!("http://{}/", mapped(&suite, role)), &[]);
        expect_mirrored(&response, &format!("{MIRROR_HEAD}Content-Length: 31\r\n"), PAGE.as_bytes());
    }
    suite.signal(Signal::INT);
    let status = suite.wait(WAIT_MAX).expect("Ctrl-C does not end the suite");
    assert_eq!(status.code(), Some(0), "{}", suite.err.text());
}

fn mirror_answers_pages_as_the_python_did(model: Model) {
    if lacks(&[CURL]) {
        return;
    }
    for (role, (target, text, bytes)) in
        ["default-server", "image-server", "pdf-server"].into_iter().zip(PAGES)
    {
        let head = format!("{MIRROR_HEAD}Content-Length: {bytes}\r\n");
        let role = Launch::role(role, model).switch("--mirror").start();
        expect_mirrored(&everything(&role, target, &[]), &head, text.as_bytes());
    }
}

fn mirror_answers_files_as_the_python_did(model: Model) {
    if lacks(&[CURL]) {
        return;
    }
    for (role, path, content_type) in [
        ("image-server", "images/pokijan.jpg", "image/jpeg"),
        ("pdf-server", "pdf/nfc.pdf", "application/pdf"),
        ("default-server", "testing.txt", "text/plain"),
    ] {
        let file = public_bytes(path);
        let role = Launch::role(role, model).switch("--mirror").start();
        let response = everything(&role, &format!("/{path}"), &[]);
        let length = format!("Content-Length: {}\r\n", file.len());
        let head = format!("{MIRROR_HEAD}{length}Content-type: {content_type}\r\n");
        expect_mirrored(&response, &head, &file);
    }
}

fn mirror_answers_post_as_the_python_did(model: Model) {
    if lacks(&[CURL]) {
        return;
    }
    let role = Launch::role("default-server", model).switch("--mirror").start();
    let response = everything(&role, "/sending.html", &["--data", "nama=ani"]);
    expect_mirrored(&response, &format!("{MIRROR_HEAD}Content-Length: 6\r\n"), b"kosong");
}

/// All bytes of the answer, as curl took them from the wire.
fn everything(role: &Role, target: &str, further: &[&str]) -> Vec<u8> {
    everything_at(&role.url(target), further)
}

fn everything_at(url: &str, further: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answer");
    let mut command = CURL.command();
    // By itself curl stops at Content-Length and does not show the stray bytes behind it.
    command.args(["--silent", "--show-error", "--max-time", "20", "--include", "--ignore-content-length"]);
    command.args(further).arg("--output").arg(&file).arg(url);
    let mut process = Process::start(&mut command).unwrap();
    let status = process.wait(WAIT_MAX).expect("curl did not end");
    assert!(status.success(), "curl: {}", process.err.text());
    std::fs::read(file).unwrap()
}

/// The Python's answer: its status line, a date in its own form, the rest of its head, the body and
/// four stray bytes.
fn expect_mirrored(response: &[u8], rest_of_head: &str, body: &[u8]) {
    let start = b"HTTP/1.0 200 OK\r\nDate: ";
    let shown = String::from_utf8_lossy(&response[..response.len().min(400)]);
    assert!(response.starts_with(start), "{shown}");
    let behind = &response[start.len()..];
    let date = std::str::from_utf8(&behind[.."Tue Jul 13 20:31:13 2021".len()]).unwrap();
    assert!(is_asctime(date), "{date:?}");
    let expected = [b"\r\n", rest_of_head.as_bytes(), b"\r\n", body, b"\r\n\r\n"].concat();
    assert!(behind[date.len()..] == expected, "{shown}");
}

/// `Tue Jul 13 20:31:13 2021`.
fn is_asctime(date: &str) -> bool {
    let pattern = "Aaa Aaa 99 99:99:99 9999";
    date.len() == pattern.len()
        && date.chars().zip(pattern.chars()).all(|(found, kind)| match kind {
            'A' => found.is_ascii_uppercase(),
            'a' => found.is_ascii_lowercase(),
            '9' => found.is_ascii_digit() || found == ' ', // a day below ten has one digit
            literal => found == literal,
        })
}

#[test]
fn one_command_starts_the_whole_picture() {
    if lacks(&[CURL]) {
        return;
    }
    let mut suite = Launch::bare("suite").flag("--port-base", 0).process();
    let proxy = mapped(&suite, "reverse-proxy");
    for (target, text, _) in PAGES {
        assert_eq!(curl([format!("http://{proxy}{target}")]).out, text);
    }
    download_and_compare(proxy);
    for role in ["default-server", "lb-threaded", "web-server"] {
        assert_eq!(curl([format!("http://{}/", mapped(&suite, role))]).out, PAGE, "{role}");
    }
    for (role, page) in [("image-server", PAGES[1]), ("pdf-server", PAGES[2])] {
        assert_eq!(curl([format!("http://{}{}", mapped(&suite, role), page.0)]).out, page.1, "{role}");
    }
    suite.signal(Signal::INT);
    let status = suite.wait(WAIT_MAX).expect("Ctrl-C does not end the suite");
    assert_eq!(status.code(), Some(0), "{}", suite.err.text());
}

/// The address in the line of the map that is about this role, which is the first role it names.
fn mapped(suite: &Process, role: &str) -> SocketAddr {
    const ROLES: [&str; 7] = [
        "default-server",
        "image-server",
        "pdf-server",
        "web-server",
        "reverse-proxy",
        "lb-threaded",
        "lb-async",
    ];
    let is_about = |line: &str| {
        let named = ROLES.iter().filter_map(|role| Some((line.find(role)?, *role))).min();
        named.is_some_and(|(_, named)| named == role) && line.contains("127.0.0.1:")
    };
    let line = suite.out.wait_nth(0, is_about);
    let line =
        line.unwrap_or_else(|| panic!("no {role} in the map:\n{}\n{}", suite.out.text(), suite.err.text()));
    let address = &line[line.find("127.0.0.1:").unwrap()..];
    let end = address.find(|c: char| !c.is_ascii_digit() && !".:".contains(c)).unwrap_or(address.len());
    address[..end].trim_end_matches(['.', ':']).parse().unwrap_or_else(|_| panic!("{line}"))
}
