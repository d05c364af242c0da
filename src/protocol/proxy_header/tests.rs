use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;
use crate::protocol::event::{Connection, Observer};
use crate::protocol::testing::client;

const PEER: &str = "10.0.0.1:40000";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn policy(send: Option<Version>) -> Policy {
    Policy { accept: true, trust: vec!["10.0.0.0/8".parse().unwrap()], send }
}

fn awaited() -> ClientIdentity {
    policy(None).identify(address(PEER), || panic!("no header is sent, so the address is not needed"))
}

fn buffer(bytes: &[u8]) -> Buffer {
    let mut buffer = Buffer::new();
    assert!(buffer.push(bytes));
    buffer
}

/// A header of version 2: command, address family, and the rest.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [BINARY_SIGNATURE, &[command, family], &length, rest].concat()
}

const IPV4: &[u8] = &[203, 0, 113, 9, 198, 51, 100, 1, 0xc0, 0, 0, 80];

/// Good headers, and the client's address after each.
fn good() -> Vec<(Vec<u8>, &'static str)> {
    let ipv6 = [[0x20; 16], [0x30; 16]].concat();
    let with_tlv = [IPV4, &[4, 0, 3, 0, 0, 0]].concat();
    vec![
        (b"PROXY TCP4 203.0.113.9 198.51.100.1 49152 80\r\n".to_vec(), "203.0.113.9:49152"),
        (b"PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n".to_vec(), "[2001:db8::1]:1"),
        (b"PROXY UNKNOWN\r\n".to_vec(), PEER),
        (b"PROXY UNKNOWN ff:f::f ff:f::f 65535 65535\r\n".to_vec(), PEER),
        (binary(0x21, 0x11, IPV4), "203.0.113.9:49152"),
        (binary(0x21, 0x11, &with_tlv), "203.0.113.9:49152"),
        // What it carries beyond the addresses is not looked at, whatever it is.
        (binary(0x21, 0x11, &[IPV4, &[4, 0xff, 0xff, 0]].concat()), "203.0.113.9:49152"),
        (
            binary(0x21, 0x21, &[&ipv6[..], &[0, 7, 0, 8]].concat()),
            "[2020:2020:2020:2020:2020:2020:2020:2020]:7",
        ),
        // LOCAL (twice), no address family, UDP, a Unix socket: the client's address is that of the peer.
        (binary(0x20, 0x00, b""), PEER),
        (binary(0x20, 0x11, IPV4), PEER),
        (binary(0x21, 0x00, b"anything"), PEER),
        (binary(0x21, 0x12, IPV4), PEER),
        (binary(0x21, 0x31, &[7; 216]), PEER),
        (binary(0x21, 0x11, &[IPV4, &vec![0; 4096 - 28]].concat()), "203.0.113.9:49152"),
    ]
}

#[test]
fn a_header_is_read_in_any_pieces_and_the_bytes_behind_it_stay() {
    for (header, told) in good() {
        for cut in 0..=header.len() {
            let mut identity = awaited();
            let mut input = buffer(&header[..cut]);
            assert_eq!(
                identity.read_proxy_header(&mut input, false),
                Ok(cut == header.len()),
                "{cut} of {header:?}"
            );
            assert!(input.push(&header[cut..]) && input.push(b"behind"));
            assert_eq!(identity.read_proxy_header(&mut input, false), Ok(true), "{cut} of {header:?}");
            let behind: &[u8] =
                if cut == header.len() { &[&header[cut..], b"behind"].concat() } else { b"behind" };
            assert_eq!((input.bytes(), identity.address()), (behind, address(told)), "{header:?}");
        }
        assert_eq!(
            awaited().read_proxy_header(&mut buffer(&header), true),
            Ok(true),
            "the end of the stream behind it does not matter"
        );
    }
}

#[test]
fn a_malformed_header_ends_the_connection_at_its_first_wrong_byte() {
    let long_line = [b"PROXY UNKNOWN ", &[b'x'; 93][..]].concat();
    let bad: Vec<(Vec<u8>, usize)> = vec![
        (b"GET / HTTP/1.1\r\n".to_vec(), 1),
        (b"PROXY\tTCP4".to_vec(), 6),
        (b"\r\nGET".to_vec(), 3),
        (b"PROXY TCP4 203.0.113.9 198.51.100.1 49152 80\n".to_vec(), 45),
        (b"PROXY TCP4 203.0.113.9 198.51.100.1 +9152 80\r\n".to_vec(), 46),
        (b"PROXY TCP4 203.0.113.9 198.51.100.1 65536 80\r\n".to_vec(), 46),
        (b"PROXY TCP4 203.0.113.9  198.51.100.1 1 80\r\n".to_vec(), 43),
        (b"PROXY TCP4 2001:db8::1 2001:db8::2 1 80\r\n".to_vec(), 41),
        (b"PROXY TCP4 203.0.113.009 198.51.100.1 1 80\r\n".to_vec(), 44),
        (b"PROXY UNKNOWNS\r\n".to_vec(), 16),
        (b"PROXY UDP4 203.0.113.9 198.51.100.1 1 80\r\n".to_vec(), 42),
        (b"PROXY \r\n".to_vec(), 8),
        (long_line.clone(), 107),
        (binary(0x11, 0x11, IPV4), 28),
        (binary(0x22, 0x11, IPV4), 28),
        (binary(0x21, 0x41, IPV4), 28),
        (binary(0x21, 0x11, &IPV4[1..]), 27),
        (binary(0x21, 0x31, IPV4), 28),
        (binary(0x21, 0x00, &vec![0; 4081]), 16),
    ];
    for (bytes, seen_at) in bad {
        let mut identity = awaited();
        let before = &bytes[..seen_at - 1];
        assert_eq!(identity.read_proxy_header(&mut buffer(before), false), Ok(false), "{bytes:?}");
        let outcome = identity.read_proxy_header(&mut buffer(&bytes[..seen_at]), false).unwrap_err();
        assert_eq!(outcome, Outcome::new(Who::Client, How::Malformed, Phase::ProxyHeader), "{bytes:?}");
        let whole = awaited().read_proxy_header(&mut buffer(&bytes), false).unwrap_err();
        assert_eq!(whole, outcome, "the same in any pieces: {bytes:?}");
    }
}

#[test]
fn the_client_closes_before_its_header_is_complete() {
    let phase = |bytes: &[u8]| awaited().read_proxy_header(&mut buffer(bytes), true).unwrap_err().phase;
    assert_eq!((phase(b""), phase(b"PROX")), (Phase::Idle, Phase::ProxyHeader));
}

#[test]
fn headers_are_read_from_trusted_peers_and_only_where_expected() {
    let untrusted =
        policy(None).identify(client(), || panic!("no header is sent, so the address is not needed"));
    assert_eq!(untrusted.admit(), Err(Outcome::new(Who::Us, How::Refused, Phase::ProxyHeader)));
    assert!(awaited().admit().is_ok() && !awaited().is_known());
    let mut plain =
        Policy::default().identify(client(), || panic!("no header is sent, so the address is not needed"));
    let mut input = buffer(b"PROXY UNKNOWN\r\n");
    assert_eq!((plain.admit(), plain.read_proxy_header(&mut input, false)), (Ok(()), Ok(true)));
    assert_eq!(input.len(), 15, "these bytes are the client's");
}

/// `rest` with the header that a back end gets before it.
fn with_header(identity: &ClientIdentity, rest: &[u8]) -> Vec<u8> {
    let mut output = buffer(rest);
    assert!(identity.write_proxy_header(&mut output));
    output.bytes().to_vec()
}

#[test]
fn a_back_end_is_told_who_the_client_is() {
    let sends = |version, peer: &str, local: &str| {
        Policy { send: Some(version), ..Policy::default() }.identify(address(peer), || Ok(address(local)))
    };
    let identity = sends(Version::V1, "203.0.113.9:1", "198.51.100.1:80");
    assert!(identity.sends_header() && !awaited().sends_header());
    assert_eq!(with_header(&identity, b"rest"), b"PROXY TCP4 203.0.113.9 198.51.100.1 1 80\r\nrest");
    let identity = sends(Version::V1, "[::ffff:203.0.113.9]:1", "[::ffff:198.51.100.1]:80");
    assert_eq!(with_header(&identity, b""), b"PROXY TCP4 203.0.113.9 198.51.100.1 1 80\r\n");
    let identity = sends(Version::V1, "[2001:db8::1]:1", "[2001:db8::2]:80");
    assert_eq!(with_header(&identity, b""), b"PROXY TCP6 2001:db8::1 2001:db8::2 1 80\r\n");
    let identity = sends(Version::V1, "203.0.113.9:1", "[2001:db8::2]:80");
    assert_eq!(with_header(&identity, b""), b"PROXY TCP6 ::ffff:203.0.113.9 2001:db8::2 1 80\r\n");
    let identity = sends(Version::V2, "203.0.113.9:49152", "198.51.100.1:80");
    assert_eq!(with_header(&identity, b"rest"), [&binary(0x21, 0x11, IPV4)[..], b"rest"].concat());
    let lost = Policy { send: Some(Version::V1), ..Policy::default() };
    let lost = lost.identify(client(), || Err(io::Error::other("gone")));
    assert_eq!(with_header(&lost, b""), b"PROXY UNKNOWN\r\n");
    assert_eq!(local_header(Version::V2), binary(0x20, 0x00, b""));
    assert_eq!(with_header(&client().into(), b"rest"), b"rest");
}

#[test]
fn the_address_of_a_header_is_forwarded() {
    let mut identity = policy(Some(Version::V2)).identify(address(PEER), || Ok(address("10.0.0.2:80")));
    let mut input = buffer(b"PROXY TCP4 203.0.113.9 198.51.100.1 49152 80\r\n");
    assert_eq!(identity.read_proxy_header(&mut input, false), Ok(true));
    assert_eq!(with_header(&identity, b""), binary(0x21, 0x11, IPV4));
    let mut full = buffer(&vec![0; Buffer::new().room()]);
    assert!(!identity.write_proxy_header(&mut full), "no room");
}

/// Keeps of each connection that it is told of whether it was for a health check.
#[derive(Debug, Default)]
struct Reports(Mutex<Vec<bool>>);

impl Observer for Reports {
    fn wants_closings(&self) -> bool {
        true
    }

    fn observe(&self, connection: &Connection<'_>, event: &Event<'_>) {
        assert!(matches!(event, Event::ConnectionFrom));
        self.0.lock().unwrap().push(connection.is_check);
    }
}

/// What an observer is told of a client to whom all this happens.
fn reports(happens: impl FnOnce(&RoleContext)) -> Vec<bool> {
    let reports = Arc::new(Reports::default());
    happens(&RoleContext::new("test", Arc::clone(&reports) as Arc<dyn Observer>));
    std::mem::take(&mut *reports.0.lock().unwrap())
}

#[test]
fn health_checks_are_believed_from_this_machine_and_from_trusted_peers() {
    for (peer, is_believed) in
        [("127.0.0.1:1", true), ("[::ffff:127.0.0.1]:1", true), (PEER, true), ("192.0.2.7:1", false)]
    {
        for (is_check, status, is_told) in [
            (true, None, is_believed),
            (true, Some(Some(200)), is_believed),
            // A check that fails is news.
            (true, Some(Some(503)), false),
            (true, Some(None), false),
            (false, None, false),
            (false, Some(Some(200)), false),
        ] {
            let told = reports(|context| {
                let mut client = Policy { accept: false, ..policy(None) }
                    .identify(address(peer), || panic!("no header is sent, so the address is not needed"));
                client.set_check(is_check);
                if let Some(status) = status {
                    client.end_check(status);
                }
                client.report_connection(context);
                client.report_connection(context);
            });
            assert_eq!(told, [is_told], "{peer}, {is_check}, {status:?}");
        }
    }
}

#[test]
fn a_client_is_reported_once_it_is_known_who_it_is() {
    let told = reports(|context| {
        let mut client = awaited();
        client.report_connection(context);
        assert_eq!(client.read_proxy_header(&mut buffer(b"PROXY UNKNOWN\r\n"), false), Ok(true));
        client.report_connection(context);
        client.report_unused(context, Outcome::new(Who::Client, How::Closed, Phase::Idle));
    });
    assert_eq!(told, [false]);
}

#[test]
fn a_connection_that_its_client_ends_without_a_byte_is_taken_for_a_check() {
    for (who, how, phase, is_check) in [
        (Who::Client, How::Closed, Phase::Idle, true),
        (Who::Client, How::Reset, Phase::Idle, true),
        (Who::Client, How::TimedOut, Phase::Idle, false),
        (Who::Client, How::Closed, Phase::RequestHead, false),
        (Who::Us, How::Closed, Phase::Idle, false),
    ] {
        let outcome = Outcome::new(who, how, phase);
        let told = reports(|context| ClientIdentity::from(client()).report_unused(context, outcome));
        assert_eq!(told, [is_check], "{outcome}");
    }
}

proptest! {
    #[test]
    fn any_bytes_give_the_same_result_in_any_pieces(
        begin in proptest::sample::select(vec!["", "PROXY TCP4 ", "PROXY UNKNOWN", "\r\n\r\n\0\r\nQUIT\n!\x11\0"]),
        rest in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let bytes = [begin.as_bytes(), &rest].concat();
        let mut whole = buffer(&bytes);
        let at_once = awaited().read_proxy_header(&mut whole, false);
        let (mut identity, mut input, mut in_pieces) = (awaited(), Buffer::new(), Ok(false));
        for byte in &bytes {
            prop_assert!(input.push(&[*byte]));
            if in_pieces == Ok(false) {
                in_pieces = identity.read_proxy_header(&mut input, false);
            }
        }
        prop_assert_eq!(in_pieces, at_once);
        prop_assert!(at_once.is_err() || input.bytes() == whole.bytes());
    }
}
