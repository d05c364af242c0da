//! The two drivers side by side: the same bytes to both, in the same pieces, and the same bytes back.
//!
//! Requests are generated: valid ones, ones broken in known ways, and ones with bytes changed at
//! random; several on a connection, cut into pieces anywhere. `GILIRAN_SEED=7 cargo test differential`
//! takes another seed than the usual one.

use std::fmt::Write;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Instant;

use crate::support::backend::{Backend, Visit};
use crate::support::client::Client;
use crate::support::dice::Dice;
use crate::support::launch::Launch;
use crate::support::role::Role;
use crate::support::site::public;
use crate::support::tls::Setup;
use crate::support::{Model, WAIT_MAX};

/// Connections a test makes to each driver, of one to four requests each.
const CONNECTIONS: usize = 2000;

#[test]
fn web_servers_answer_alike() {
    let launch = |model| Launch::web_server(model).flag("--root", public("").display()).start();
    compare("web-server", launch, CONNECTIONS);
}

#[test]
fn reverse_proxies_answer_alike() {
    let backends = [mirror("satu"), mirror("dua")];
    let launch = |model| {
        let proxy = Launch::reverse_proxy(model, backends[0].address());
        proxy.flag("--route", format!("/images/={}", backends[1].address())).start()
    };
    compare("reverse-proxy", launch, CONNECTIONS);
}

#[test]
fn balancers_of_requests_answer_alike() {
    let server = Launch::web_server(Model::Threaded).start();
    let launch = |model| Launch::balancer(model, "http", [server.address()]).start();
    compare("balancer", launch, CONNECTIONS);
}

/// The same over TLS: what a machine is told differs little, so a part of the connections shows it.
#[test]
fn encrypted_roles_answer_alike() {
    let (setup, backend) = (Setup::new(), mirror("satu"));
    let launches = |model| {
        [
            Launch::web_server(model).flag("--root", public("").display()),
            Launch::reverse_proxy(model, backend.address()),
        ]
    };
    for place in 0..2 {
        let launch = |model| {
            let [web, proxy] = launches(model);
            setup.before(if place == 0 { web } else { proxy }).start().through_tls(&setup)
        };
        compare(["web-server", "reverse-proxy"][place], launch, CONNECTIONS / 5);
    }
}

/// A back end whose answer shows what reached it, and whose manners depend on what is asked for.
fn mirror(name: &'static str) -> Backend {
    Backend::start(move |visit: &mut Visit| {
        loop {
            let seen = visit.request()?;
            let mut body = format!("{name}: {}\n", seen.head.start);
            for (field, value) in &seen.head.fields {
                writeln!(body, "{field}: {value}").unwrap();
            }
            write!(body, "{} byte {:?}", seen.body.len(), &seen.body[..seen.body.len().min(40)]).unwrap();
            let is_head = seen.head.word(0) == "HEAD";
            let (length, text) = (body.len(), if is_head { "" } else { &body });
            match seen.head.word(1).len() % 6 {
                0 if !is_head => visit.send(format!(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\nT: x\r\n\r\n"
                ))?,
                1 => {
                    visit.send(format!("HTTP/1.0 203 Jauh\r\nX-Satu: 1\r\n\r\n{text}"))?;
                    return Ok(());
                }
                2 => visit.send("HTTP/1.1 204 No Content\r\nConnection: X-Dua\r\nX-Dua: 2\r\n\r\n")?,
                3 => visit.drip(format!("HTTP/1.1 404 Tak Ada\r\nContent-Length: {length}\r\n\r\n{text}"))?,
                _ => visit.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{text}"))?,
            }
        }
    })
}

/// Sends generated connections to a role of each model and compares what comes back.
fn compare(name: &str, launch: impl Fn(Model) -> Role, connections: usize) {
    let seed = std::env::var("GILIRAN_SEED").map_or(2021, |seed| seed.parse().expect("GILIRAN_SEED"));
    println!("{name}: seed {seed}");
    let roles = [Model::Threaded, Model::Async].map(launch);
    let mut dice = Dice::new(seed);
    let mut answered = 0;
    for number in 0..connections {
        let pieces = connection(&mut dice);
        let responses = roles.each_ref().map(|role| converse(role.address(), &pieces));
        answered += usize::from(responses[0].bytes.starts_with(b"HTTP/1.1 2"));
        if let Some(place) = difference(&responses) {
            let shown =
                |response: &Responses| response.bytes[place.saturating_sub(300)..].escape_ascii().to_string();
            panic!(
                "{name}, seed {seed}, connection {number}, at byte {place}:\n{}\n--- threaded\n{:.2000}\n--- async\n{:.2000}",
                pieces.iter().map(|piece| piece.escape_ascii().to_string()).collect::<Vec<_>>().join("\n| "),
                shown(&responses[0]),
                shown(&responses[1]),
            );
        }
    }
    // A test of refusals alone would show little.
    assert!(answered * 4 > connections, "only {answered} of {connections} began with a success");
}

/// All that came back on a connection.
struct Responses {
    bytes: Vec<u8>,
    /// The end was a reset, which takes away what was still on its way: how much, is a matter of time.
    is_cut: bool,
}

/// Where the two answers differ.
fn difference([one, other]: &[Responses; 2]) -> Option<usize> {
    let same = one.bytes.iter().zip(&other.bytes).take_while(|(one, other)| one == other).count();
    let ends = |responses: &Responses| same == responses.bytes.len();
    let same_end = ends(one) && ends(other) || ends(one) && one.is_cut || ends(other) && other.is_cut;
    (!same_end).then_some(same)
}

/// Sends the pieces one after the other and reads all that comes.
fn converse(address: SocketAddr, pieces: &[Vec<u8>]) -> Responses {
    let (mut client, start) = (Client::connect(address), Instant::now());
    for piece in pieces {
        if client.wire().send(piece).is_err() {
            break; // refused before it was all sent: the answer is there all the same
        }
    }
    let _ = client.wire().finish_sending();
    let (mut responses, mut is_cut) = (Vec::new(), false);
    loop {
        match client.wire().some() {
            Ok(bytes) if bytes.is_empty() => break,
            Ok(bytes) => responses.extend(bytes),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{:?}", responses.escape_ascii());
                is_cut = true;
                break;
            }
        }
    }
    // Nothing here takes time: who waited for a deadline has missed an event.
    assert!(start.elapsed() < WAIT_MAX / 4, "{:?}: {:?}", start.elapsed(), responses.escape_ascii());
    Responses { bytes: comparable(responses), is_cut }
}

/// Without the date, and without interim answers: `100` is left out when the body is here already,
/// which depends on time.
fn comparable(mut responses: Vec<u8>) -> Vec<u8> {
    const DATE: &[u8] = b"\r\nDate: ";
    const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n";
    let find = |responses: &[u8], what: &[u8], from: usize| {
        let found =
            responses[from..].windows(what.len()).position(|window| window.eq_ignore_ascii_case(what));
        found.map(|place| from + place)
    };
    let mut from = 0;
    while let Some(place) = find(&responses, DATE, from) {
        from = place + DATE.len();
        let end = find(&responses, b"\r\n", from).unwrap_or(responses.len());
        responses.drain(from..end);
    }
    while let Some(place) = find(&responses, CONTINUE, 0) {
        let end = find(&responses, b"\r\n\r\n", place).map_or(responses.len(), |end| end + 4);
        responses.drain(place..end);
    }
    responses
}

/// What one client sends, in pieces.
fn connection(dice: &mut Dice) -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    for _ in 0..=dice.below(4) {
        let doubtful = dice.one_in(4);
        bytes.extend(request(dice, doubtful));
    }
    if dice.one_in(6) {
        spoil(dice, &mut bytes);
    }
    let mut pieces = Vec::new();
    for _ in 0..dice.below(5) {
        let cut = dice.below(bytes.len() + 1);
        let rest = bytes.split_off(cut);
        pieces.push(std::mem::replace(&mut bytes, rest));
    }
    pieces.push(bytes);
    pieces
}

/// Changes, drops, doubles or adds a few bytes anywhere.
fn spoil(dice: &mut Dice, bytes: &mut Vec<u8>) {
    let place = dice.below(bytes.len());
    let end = (place + 1 + dice.below(8)).min(bytes.len());
    match dice.below(5) {
        0 => bytes[place] = u8::try_from(dice.below(256)).unwrap(),
        1 => drop(bytes.drain(place..end)),
        2 => bytes.truncate(place),
        3 => drop(bytes.splice(place..place, bytes[place..end].to_vec())),
        _ => drop(
            bytes.splice(place..place, dice.pick(&["\r\n", "\n", "\0", " ", ":", "\r", "é", "\t"]).bytes()),
        ),
    }
}

/// One request; a doubtful one may break a rule at each turn.
fn request(dice: &mut Dice, doubtful: bool) -> Vec<u8> {
    let odd = |dice: &mut Dice| doubtful && dice.one_in(4);
    let mut text = String::new();
    if dice.one_in(10) {
        text.push_str("\r\n");
    }
    let method = match odd(dice) {
        true => dice.pick(&["get", "G@T", "", "TRACE", "CONNECT", "SEDUH", "OPTIONS", "GET\t"]),
        false => dice.pick(&["GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE"]),
    };
    let long = format!("/{}", "a".repeat(9000));
    let target = match odd(dice) {
        true => dice.pick(&[
            "*",
            "tanpa-garis",
            "",
            "/../etc/passwd",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/a%00b",
            "/%zz",
            "//",
            "/.git",
            "http://localhost/",
            "http://localhost/santai?x",
            "http://lain.example:81/santai",
            "http://localhost?x",
            "/images",
            "/images?a=b",
            "localhost:80",
            "/a b",
            "/\u{e9}",
            &long,
        ]),
        false => dice.pick(&[
            "/",
            "/santai",
            "/video",
            "/testing.txt",
            "/images/pokijan.jpg",
            "/images/",
            "/favicon.ico",
            "/tidak-ada",
            "/?size=100",
            "/?size=20000",
            "/?size=70000&chunked=1",
            "/?status=503",
            "/?size=10&close=1",
            "/?",
            "/?size=x",
            "/page.html?a=b",
        ]),
    };
    let version = match odd(dice) {
        true => dice.pick(&[
            "HTTP/1.2",
            "HTTP/2.0",
            "HTTP/0.9",
            "HTTX/1.1",
            "http/1.1",
            "HTTP/1.1 ",
            "HTTP/11",
            "",
        ]),
        false => dice.pick(&["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0"]),
    };
    let line_end = if odd(dice) { dice.pick(&["\n", "\r", "\r\r\n"]) } else { "\r\n" };
    write!(text, "{method} {target} {version}{line_end}").unwrap();
    if !odd(dice) {
        text.push_str("Host: contoh.id:8000\r\n");
    }
    for _ in 0..dice.below(4) {
        let field = match odd(dice) {
            true => dice.pick(&[
                "Host: lagi\r\n",
                "X: 1\r\n 2\r\n",
                "X : 1\r\n",
                "X: \0\r\n",
                ": kosong\r\n",
                "X\r\n",
                "X: 1\n",
                "Expect: 200-ok\r\n",
                "Connection: close, X-Satu\r\nX-Satu: 1\r\n",
                "Via: 1.0 lain\r\n",
                "X-Forwarded-For: 6.6.6.6\r\n",
                "Upgrade: gema\r\nConnection: upgrade\r\n",
                "Max-Forwards: 0\r\n",
            ]),
            false => dice.pick(&[
                "X-Satu: 1\r\n",
                "Accept: */*\r\n",
                "Connection: keep-alive\r\n",
                "Connection: close\r\n",
                "Range: bytes=0-9\r\n",
                "Range: bytes=-5\r\n",
                "Range: bytes=99999999-\r\n",
                "Range: bytes=5-2\r\n",
                "If-Modified-Since: Tue, 13 Jul 2100 20:31:13 GMT\r\n",
                "If-Modified-Since: kemarin\r\n",
                "If-None-Match: *\r\n",
                "If-Match: \"x\"\r\n",
                "If-Range: \"x\"\r\n",
                "Expect: 100-continue\r\n",
                "TE: trailers\r\n",
                "Cookie: a=b\r\nCookie: c=d\r\n",
            ]),
        };
        text.push_str(field);
    }
    let mut bytes = text.into_bytes();
    bytes.extend(body(dice, method, odd));
    bytes
}

/// The fields that frame a body, the empty line, and the body.
fn body(dice: &mut Dice, method: &str, odd: impl Fn(&mut Dice) -> bool) -> Vec<u8> {
    let takes_one = matches!(method, "POST" | "PUT") || dice.one_in(12);
    if !takes_one {
        return b"\r\n".to_vec();
    }
    let long = "x".repeat(dice.below(40_000));
    let content = dice.pick(&["", "isi", "GET /selundup HTTP/1.1\r\nHost: a\r\n\r\n", &long]);
    if dice.one_in(2) {
        let length = match odd(dice) {
            true => dice
                .pick(&["+3", "-1", "0x3", "3 3", "3, 4", "9223372036854775808", "99999999999999999999", ""])
                .to_owned(),
            false => content.len().to_string(),
        };
        let twice = if odd(dice) {
            dice.pick(&["Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n"])
        } else {
            ""
        };
        return format!("Content-Length: {length}\r\n{twice}\r\n{content}").into_bytes();
    }
    let coding = match odd(dice) {
        true => dice.pick(&["gzip", "gzip, chunked", "chunked, chunked", "xchunked", "identity", "Chunked"]),
        false => "chunked",
    };
    let mut text = format!("Transfer-Encoding: {coding}\r\n\r\n");
    let (first, second) = content.split_at(dice.below(content.len() + 1));
    for chunk in [first, second].into_iter().filter(|chunk| !chunk.is_empty()) {
        let extension = match odd(dice) {
            true => dice.pick(&[" ", ";", ";bad[=x", ";\"a\"", ";a=\"b", ";a="]),
            false => dice.pick(&["", "", ";a=b", ";a=\"b\"", " ;a=b", "\t; a = \"\\\"\" ;c"]),
        };
        write!(text, "{:x}{extension}\r\n{chunk}\r\n", chunk.len()).unwrap();
    }
    text.push_str(match odd(dice) {
        true => {
            dice.pick(&["-0\r\n\r\n", "x\r\n\r\n", "0\r\nT\r\n\r\n", "1\r\nab\r\n0\r\n\r\n", "0\n\n", ""])
        }
        false => dice.pick(&["0\r\n\r\n", "00\r\n\r\n", "0;a\r\nT: x\r\n\r\n"]),
    });
    text.into_bytes()
}
