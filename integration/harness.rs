//! The harness against itself: clients meet scripted back ends with no program of ours between.

use std::io::{Cursor, ErrorKind};
use std::net::TcpStream;
use std::process::{Command, Output};
use std::time::Duration;

use crate::support::backend::{Backend, Full, Refusing, ok};
use crate::support::client::{Client, get, post};
use crate::support::needs::{self, CURL, lacks};
use crate::support::noise::Noise;
use crate::support::peer;

#[test]
fn answers_are_read_by_length_by_chunks_and_to_the_end() {
    for (response, body) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsatu", "satu"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nsa\r\n2;x=y\r\ntu\r\n0\r\nT: x\r\n\r\n",
            "satu",
        ),
        ("HTTP/1.0 200 OK\r\n\r\nsatu", "satu"),
        ("HTTP/1.1 204 No Content\r\n\r\n", ""),
    ] {
        for drip in [false, true] {
            let backend = Backend::start(move |visit| {
                visit.request()?;
                if drip { visit.drip(response) } else { visit.send(response) }
            });
            assert_eq!(get(backend.address(), "/").text(), body, "{response:?}");
            assert_eq!(backend.requests()[0].head.word(1), "/");
        }
    }
}

#[test]
fn a_kept_connection_is_one_visit() {
    let backend = Backend::saying("satu");
    let mut client = Client::connect(backend.address());
    client.send(post("/a", b"body")).response();
    assert_eq!(client.get("/b").text(), "satu");
    let requests = backend.requests();
    assert_eq!((requests[0].visit, &requests[0].body[..]), (0, &b"body"[..]));
    assert_eq!((requests[1].visit, requests[1].head.word(1)), (0, "/b"));
    drop(client);
    backend.wait_until_left();
}

#[test]
fn a_cut_answer_is_told_from_a_reset_one() {
    let cut = Backend::start(|visit| {
        visit.request()?;
        visit.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsatu")
    });
    let mut client = Client::connect(cut.address());
    client.send("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(client.try_response("GET").unwrap_err().kind(), ErrorKind::UnexpectedEof);

    let reset = Backend::start(|visit| {
        visit.request()?;
        visit.reset()
    });
    let mut client = Client::connect(reset.address());
    client.send("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(client.try_response("GET").unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn ports_refuse_or_hang_as_told() {
    let refusing = Refusing::new();
    let refused = TcpStream::connect(refusing.address()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let full = Full::new();
    let hanging = TcpStream::connect_timeout(&full.address(), Duration::from_millis(300)).unwrap_err();
    assert_eq!(hanging.kind(), ErrorKind::TimedOut);
}

#[test]
fn silence_echo_and_release() {
    let silent = Backend::silent();
    let mut client = Client::connect(silent.address());
    client.expect_silence(Duration::from_millis(50));
    silent.release();
    client.expect_end();

    let echo = Backend::echoing();
    let mut client = Client::connect(echo.address());
    client.send(b"\0\xff\r\n").finish_sending();
    assert_eq!(client.rest(), b"\0\xff\r\n");
}

#[test]
fn noise_is_compared_at_every_byte() {
    let mut bytes = Noise::new(7).take_bytes(200_000);
    Noise::new(7).compare_with(&mut Cursor::new(&bytes), bytes.len()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    Noise::new(7).compare_with(&mut Cursor::new(&bytes), bytes.len()).unwrap_err();
}

#[test]
fn curl_agrees_with_a_back_end() {
    if lacks(&[CURL]) {
        return;
    }
    let backend = Backend::answering(ok("satu"));
    assert_eq!(peer::curl([format!("http://{}/", backend.address())]).out, "satu");
}

/// The test above, alone, on a machine without any program.
fn curl_agrees_without_curl(ci: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "integration::harness::curl_agrees_with_a_back_end"]);
    command.env("PATH", "/nowhere").env("CI", ci).output().unwrap()
}

#[test]
fn without_its_program_a_test_is_skipped_for_everybody_to_see_and_counted() {
    let output = curl_agrees_without_curl("");
    let said = "integration::harness::curl_agrees_with_a_back_end needs curl (Debian package curl)";
    assert!(output.status.success(), "{output:?}");
    // Without --nocapture.
    assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("skipped: {said}\n")), "{output:?}");
    // What has been started by this process is a run of its own.
    assert_eq!(
        needs::take_summary(std::process::id()),
        "1 test was SKIPPED (named above), for want of:\n    1  curl (Debian package curl)\n\
         With CI=true in the environment they fail instead.\n"
    );
    assert_eq!(needs::take_summary(std::process::id()), "no test was skipped\n");
}

#[test]
fn in_ci_a_missing_program_is_a_failure() {
    let output = curl_agrees_without_curl("true");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("with CI=true nothing may be missing: ") && said.contains("needs curl"), "{said}");
}

#[test]
fn ci_installs_what_tests_need() {
    let script = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/run")).unwrap();
    let (_, behind) = script.split_once("\ninstall_missing ").unwrap();
    let installed: Vec<&str> = behind.split_once("\n\n").unwrap().0.split_whitespace().collect();
    for package in needs::ALL.iter().flat_map(|program| program.packages.split(' ')) {
        assert!(installed.contains(&package), "{package} is not in .ci/run");
    }
    assert!(script.contains("\nexport CI=true\n"));
}
