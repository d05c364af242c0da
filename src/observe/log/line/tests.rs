use super::*;
use crate::protocol::outcome::{How, Outcome, Phase, Who};
use std::time::Duration;

const STAMP: Stamp = Stamp::at(1_795_379_473_123);

fn connection(role: &str) -> Connection<'_> {
    Connection { number: 7, role, client: "127.0.0.1:22530".parse().unwrap(), is_check: false, secured: None }
}

fn line(format: Format, event: &Event<'_>) -> String {
    line_of(format, &connection("lb-threaded"), event)
}

fn line_of(format: Format, connection: &Connection<'_>, event: &Event<'_>) -> String {
    let mut out = String::new();
    let level = level(format, connection, event).unwrap();
    access(&mut out, Style { format, coloured: false }, STAMP, level, connection, event);
    assert_eq!(out.matches('\n').count(), 1, "one line: {out:?}");
    let line = out.strip_suffix('\n').unwrap().to_owned();
    match format {
        // The zone of the machine is not under test.
        Format::Text => line[24..].to_owned(),
        Format::Seed | Format::Combined => line,
        Format::Json => format!("{{{}", line.split_once("\",").unwrap().1),
    }
}

fn closing() -> Closing<'static> {
    Closing {
        backend: Some("[::1]:9001".parse().unwrap()),
        route: Some("example.org/a b/"),
        request_id: Some("17"),
        request: Some(b"GET /\"x\"\x07"),
        status: Some(200),
        bytes_in: 12,
        bytes_out: 3_000_000_000,
        queue: Duration::from_micros(7),
        first: Some(Duration::from_micros(1200)),
        total: Duration::from_secs(2),
        retries: 1,
        ..Closing::of(Outcome::new(Who::Client, How::Reset, Phase::ResponseBody))
    }
}

/// A request with everything that can be told of one, in the words of a hostile client.
fn told() -> Closing<'static> {
    Closing {
        version: Some(Version::Http11),
        host: Some(b"a.example:81"),
        user_agent: Some(b"curl/8 \"\\\x07\xc3\xa9\xff\r\nx"),
        referer: Some(b"http://b/"),
        user: Some(b"budi s"),
        request_id: Some("0123"),
        route: Some("/images/"),
        backend_status: Some(404),
        body_out: 17,
        ..closing()
    }
}

#[test]
fn each_line_says_which_connection_it_is_about() {
    let (came, went) = (Event::ConnectionFrom, Event::ForwardedTo("127.0.0.1:9001".parse().unwrap(), None));
    let whose = "role=lb-threaded client=127.0.0.1:22530 connection=7";
    let shown = "[INFO ] connection from 127.0.0.1:22530 role=lb-threaded connection=7";
    assert_eq!(line(Format::Text, &came), shown);
    assert_eq!(line(Format::Text, &went), format!("[INFO ] koneksi diteruskan ke 127.0.0.1:9001 {whose}"));
    let whose = r#""role":"lb-threaded","client":"127.0.0.1:22530","connection":7"#;
    assert_eq!(line(Format::Json, &came), format!(r#"{{"level":"info","event":"connection",{whose}}}"#));
    let shown = format!(r#"{{"level":"info","event":"forwarded",{whose},"backend":"127.0.0.1:9001"}}"#);
    assert_eq!(line(Format::Json, &went), shown);
}

#[test]
fn the_courses_lines() {
    let backend = "127.0.0.1:9001".parse().unwrap();
    let (came, went) = (Event::ConnectionFrom, Event::ForwardedTo(backend, None));
    let named = Event::ForwardedTo(backend, Some("localhost"));
    assert_eq!(line(Format::Seed, &came), "WARNING:root:connection from ('127.0.0.1', 22530)");
    assert_eq!(line(Format::Seed, &went), "WARNING:root:koneksi diteruskan ke ('127.0.0.1', 9001)");
    assert_eq!(line(Format::Seed, &named), "WARNING:root:koneksi diteruskan ke ('localhost', 9001)");
    let loops = connection("lb-async");
    assert_eq!(line_of(Format::Seed, &loops, &came), "WARNING:root:connection from ('127.0.0.1', 22530)");
    assert_eq!(
        line_of(Format::Seed, &loops, &named),
        "WARNING:root:koneksi dari ('127.0.0.1', 22530) diteruskan ke ('localhost', 9001)"
    );
    let ipv6 = Connection { client: "[::1]:5".parse().unwrap(), ..loops };
    assert_eq!(line_of(Format::Seed, &ipv6, &came), "WARNING:root:connection from ('::1', 5, 0, 0)");
    assert_eq!(
        line(Format::Seed, &Event::RequestHead(b"GET /\xff HTTP/1.0\r\n\r\n")),
        "DEBUG:root:data dari client: GET /\u{fffd} HTTP/1.0\\r\\n\\r\\n"
    );
    assert_eq!(
        line(Format::Seed, &Event::ResponseHead(b"HTTP/1.0 200 OK\r\nA: '\x00\xff\\\t\r\n")),
        "DEBUG:root:balas ke client: b\"HTTP/1.0 200 OK\\r\\nA: '\\x00\\xff\\\\\\t\\r\\n\""
    );
    assert_eq!(PythonBytes(b"'\"").to_string(), "b'\\'\"'");
}

#[test]
fn a_health_check_is_no_news_and_heads_are_the_courses() {
    let check = Connection { is_check: true, ..connection("web-server") };
    let closing = closing();
    for event in [Event::ConnectionFrom, Event::Closed(&closing)] {
        for format in [Format::Text, Format::Seed, Format::Json] {
            assert_eq!(level(format, &check, &event), Some(Level::Debug), "{format:?} {event:?}");
        }
    }
    for event in [Event::RequestHead(b""), Event::ResponseHead(b"")] {
        for format in [Format::Text, Format::Json] {
            assert_eq!(level(format, &connection("web-server"), &event), None, "{format:?} {event:?}");
        }
    }
}

#[test]
fn the_closing_line_in_each_form() {
    let closing = closing();
    let event = Event::Closed(&closing);
    let shown = "closed role=lb-threaded client=127.0.0.1:22530 connection=7 backend=[::1]:9001 \
         request=\"GET /\\\"x\\\"\\u0007\" route=\"example.org/a b/\" request_id=17 status=200 \
         bytes_in=12 bytes_out=3000000000 queue_ms=0.007 first_ms=1.200 total_ms=2000.000 retries=1 clean=false outcome=\"client reset in response body\"";
    assert_eq!(line(Format::Text, &event), format!("[INFO ] {shown}"));
    assert_eq!(line(Format::Seed, &event), format!("DEBUG:root:{shown}"));
    assert_eq!(
        line(Format::Json, &event),
        "{\"level\":\"info\",\"event\":\"closed\",\"role\":\"lb-threaded\",\"client\":\"127.0.0.1:22530\",\
         \"connection\":7,\"backend\":\"[::1]:9001\",\"request\":\"GET /\\\"x\\\"\\u0007\",\"route\":\"example.org/a b/\",\
         \"request_id\":\"17\",\"status\":200,\"bytes_in\":12,\
         \"bytes_out\":3000000000,\"body_out\":0,\"queue_ms\":0.007,\"first_ms\":1.200,\"total_ms\":2000.000,\
         \"retries\":1,\"clean\":false,\"outcome\":\"client reset in response body\"}"
    );
}

#[test]
fn who_asked_for_what_is_told_to_programs_and_the_rest_to_people() {
    let closing = told();
    let event = Event::Closed(&closing);
    let text = line(Format::Text, &event);
    let shown = "user=\"budi s\" route=/images/ request_id=0123 status=200 backend_status=404 bytes_in=12";
    assert!(text.contains(shown) && !text.contains("curl"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&line(Format::Json, &event)).unwrap();
    for (key, value) in [
        ("version", "HTTP/1.1"),
        ("host", "a.example:81"),
        ("user_agent", "curl/8 \"\\\u{7}é\\xff\r\nx"),
        ("referer", "http://b/"),
        ("user", "budi s"),
        ("request_id", "0123"),
        ("route", "/images/"),
    ] {
        assert_eq!(json[key], value, "{json}");
    }
    assert_eq!((&json["backend_status"], &json["body_out"]), (&404.into(), &17.into()), "{json}");
    // The same status twice is no news to people.
    let same = Closing { backend_status: Some(200), ..told() };
    assert!(!line(Format::Text, &Event::Closed(&same)).contains("backend_status"));
}

#[test]
fn people_are_shown_the_beginning_of_a_long_target_and_programs_all_of_it() {
    let request = format!("GET /{}", "a".repeat(1000));
    let closing = Closing { request: Some(request.as_bytes()), ..told() };
    let event = Event::Closed(&closing);
    let text = line(Format::Text, &event);
    assert!(text.contains(&format!("\"{}\"", &request[..264])), "{text}");
    for format in [Format::Json, Format::Combined] {
        assert!(line(format, &event).contains(&request));
    }
}

#[test]
fn a_combined_line_is_apaches() {
    let shown = |closing: &Closing<'_>| {
        let line = line(Format::Combined, &Event::Closed(closing));
        // The zone of the machine is not under test.
        let (before, rest) = line.split_once('[').unwrap();
        let (time, after) = rest.split_once(']').unwrap();
        let time = chrono::DateTime::parse_from_str(time, "%d/%b/%Y:%H:%M:%S %z").unwrap();
        // Two seconds before the line, when the request came.
        assert_eq!(time.timestamp(), 1_795_379_471, "{line}");
        format!("{before}[]{after}")
    };
    let request = r#""GET /\"x\"\x07 HTTP/1.1""#;
    let agent = r#""curl/8 \"\\\x07\xc3\xa9\xff\r\nx""#;
    assert_eq!(shown(&told()), format!("127.0.0.1 - budi\\x20s [] {request} 200 17 \"http://b/\" {agent}"));
    assert_eq!(
        shown(&Closing { version: None, ..closing() }),
        "127.0.0.1 - - [] \"GET /\\\"x\\\"\\x07\" 200 - \"-\" \"-\""
    );
    let gone = Closing { status: None, ..told() };
    assert!(shown(&gone).contains("HTTP/1.1\" 499 17"));
    let cut = Closing { outcome: Outcome::new(Who::Us, How::Drained, Phase::ResponseBody), ..gone };
    assert!(shown(&cut).contains("HTTP/1.1\" - 17"));
    // Of what is no request there is no line.
    for event in [Event::ConnectionFrom, Event::Closed(&Closing { request: None, ..told() })] {
        assert_eq!(level(Format::Combined, &connection("lb-async"), &event), None, "{event:?}");
    }
}

#[test]
fn a_notice_in_each_form() {
    for (format, shown) in [
        (Format::Combined, "2026-11-22 20:31:13.123 [WARN ] \"x\" is lost\n"),
        (Format::Text, "2026-11-22 20:31:13.123 [WARN ] \"x\" is lost\n"),
        (Format::Seed, "WARNING:root:\"x\" is lost\n"),
        (
            Format::Json,
            "\"level\":\"warn\",\"event\":\"message\",\"target\":\"log\",\"message\":\"\\\"x\\\" is lost\"}\n",
        ),
    ] {
        let mut out = String::from("before\n");
        notice(&mut out, Style { format, coloured: false }, STAMP, "\"x\" is lost");
        // The zone of the machine is not under test.
        let rest = if matches!(format, Format::Text | Format::Combined) { &shown[23..] } else { shown };
        assert!(out.starts_with("before\n") && out.ends_with(rest), "{out}");
    }
}
