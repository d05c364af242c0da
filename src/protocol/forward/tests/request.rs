//! Request heads for the back end.

use super::*;
use crate::protocol::http::head::Field;

#[test]
fn our_fields_with_underscores_are_dropped() {
    let text = forwarded(
        "POST / HTTP/1.1\nHost: a\nTransfer_Encoding: chunked\nContent_Length: 5\nX_Forwarded_For: 6.6.6.6\n\
         X_Forwarded-Anything_at_all: 1\nX_Request_Id: 7",
    );
    for name in ["Transfer_", "Content_", "X_Forwarded"] {
        assert!(!text.contains(name), "{text}");
    }
    assert!(text.contains("X_Request_Id: 7"), "{text}");
}

#[test]
fn end_to_end_fields_keep_order_and_spelling() {
    let head =
        "GET /a/../b?c%20d HTTP/1.1\nhOST: a\nAccept: */*\nX-Empty:\nCookie: a=b\nCookie: c=d\nTrailer: X";
    assert_eq!(forwarded(head), format!("{}\n{ADDED}", head.replace("X-Empty:", "X-Empty: ")));
}

#[test]
fn hop_by_hop_fields_are_dropped() {
    let head = "GET / HTTP/1.1\nHost: a\nConnection: keep-alive, X-Mine\nKeep-Alive: 5\nx-mine: 1\n\
        Proxy-Connection: close\nProxy-Authorization: x\nTE: gzip\nUpgrade: websocket\nX-Other: 2";
    assert_eq!(forwarded(head), format!("GET / HTTP/1.1\nHost: a\nX-Other: 2\n{ADDED}"));
}

#[test]
fn connection_cannot_remove_fields_that_the_gateway_needs() {
    let head = "POST / HTTP/1.1\nHost: a\nContent-Length: 3\nVia: 1.0 x\n\
        Connection: host, content-length, via, x-forwarded-for, via";
    let expected = "POST / HTTP/1.1\nHost: a\nVia: 1.0 x\nContent-Length: 3\n";
    assert_eq!(forwarded(head), format!("{expected}{ADDED}"));
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: {}\r\n\r\n", "a,".repeat(17));
    assert_eq!(try_forwarded(&rules(&[]), &many).unwrap_err().status, 431);
}

#[test]
fn framing_fields_are_written_from_the_framing() {
    for (sent, expected) in [
        ("Content-Length: 12", "Content-Length: 12\n"),
        ("Content-Length: 00012", "Content-Length: 12\n"),
        ("Content-Length: 0", "Content-Length: 0\n"),
        ("Transfer-Encoding: CHUNKED", "Transfer-Encoding: chunked\n"),
        (
            "Transfer-Encoding: chunked\nTE: trailers, x",
            "Transfer-Encoding: chunked\nConnection: TE\nTE: trailers\n",
        ),
    ] {
        let head = format!("POST / HTTP/1.1\nHost: a\n{sent}");
        assert_eq!(forwarded(&head), format!("POST / HTTP/1.1\nHost: a\n{expected}{ADDED}"));
    }
}

#[test]
fn an_absolute_target_becomes_a_path_and_its_host_is_used() {
    let absolute = "GET HTTP://a/x?y HTTP/1.1\nAccept: b\nHost: A";
    assert_eq!(forwarded(absolute), format!("GET /x?y HTTP/1.1\nHost: a\nAccept: b\n{ADDED}"));
    let another = "GET http://a?x HTTP/1.1\nHost: b:81";
    assert_eq!(forwarded(another), format!("GET /?x HTTP/1.1\nHost: a\n{ADDED}"));
    let no_path = "GET http://a HTTP/1.1\nHost: a";
    assert_eq!(forwarded(no_path), format!("GET / HTTP/1.1\nHost: a\n{ADDED}"));
    for target in ["http://a", "*"] {
        let options = format!("OPTIONS {target} HTTP/1.1\nHost: a");
        assert_eq!(forwarded(&options), format!("OPTIONS * HTTP/1.1\nHost: a\n{ADDED}"));
    }
    let options = "OPTIONS http://a/ HTTP/1.1\nHost: a";
    assert_eq!(forwarded(options), format!("OPTIONS / HTTP/1.1\nHost: a\n{ADDED}"));
}

#[test]
fn http_1_0_is_forwarded_as_1_1_without_expect_and_without_an_empty_host() {
    let empty = "GET / HTTP/1.1\nX: y\nHost:";
    let no_host = ADDED.replace("X-Forwarded-Host: a\n", "");
    assert_eq!(forwarded(empty), format!("GET / HTTP/1.1\nX: y\n{no_host}"));
    let expected = "GET / HTTP/1.1\nX-Forwarded-For: 192.0.2.7\nX-Forwarded-Proto: http\n\
        Via: 1.0 giliran\n\n";
    assert_eq!(forwarded("GET / HTTP/1.0\nExpect: 100-continue"), expected);
    let with_expect = "PUT / HTTP/1.1\nHost: a\nExpect: 100-continue";
    assert_eq!(forwarded(with_expect), format!("{with_expect}\n{ADDED}"));
}

#[test]
fn max_forwards_counts_down_for_trace_and_options() {
    for (line, verdict) in [
        ("TRACE / HTTP/1.1\r\nMax-Forwards: 0", MaxForwards::Answer),
        ("OPTIONS * HTTP/1.1\r\nMax-Forwards: 3", MaxForwards::Forward(2)),
        ("GET / HTTP/1.1\r\nMax-Forwards: 0", MaxForwards::None),
        ("TRACE / HTTP/1.1\r\nMax-Forwards: +1", MaxForwards::None),
    ] {
        assert_eq!(max_forwards(&request_head(&format!("{line}\r\nHost: a\r\n\r\n"))), verdict, "{line}");
    }
    let counted = forwarded("OPTIONS / HTTP/1.1\nHost: a\nMAX-forwards: 10");
    assert_eq!(counted, format!("OPTIONS / HTTP/1.1\nHost: a\nMAX-forwards: 9\n{ADDED}"));
    let uncounted = "GET / HTTP/1.1\nHost: a\nMax-Forwards: 10";
    assert_eq!(forwarded(uncounted), format!("{uncounted}\n{ADDED}"));
}

#[test]
fn a_head_that_does_not_fit_leaves_nothing_behind() {
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(16 * 1024 - 50));
    let mut out = Buffer::new();
    let client = SocketAddr::from(([127, 0, 0, 1], 1));
    let refusal = rules(&[])
        .write_request_head(&request_head(&long), Framing::None, client, None, &mut out)
        .unwrap_err();
    assert_eq!((refusal.status, out.len()), (431, 0));
    assert!(out.push(b"before"));
    assert!(
        rules(&[]).write_request_head(&request_head(&long), Framing::None, client, None, &mut out).is_err()
    );
    assert_eq!(out.bytes(), b"before");
    let connect = request_head("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
    assert_eq!(
        rules(&[]).write_request_head(&connect, Framing::None, client, None, &mut out).unwrap_err().status,
        501
    );
}

#[test]
fn a_head_is_written_whole_or_not_at_all_whatever_the_room() {
    let head = request_head("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let client = SocketAddr::from(([192, 0, 2, 7], 1));
    let mut whole = Buffer::new();
    rules(&[]).write_request_head(&head, Framing::None, client, None, &mut whole).unwrap();
    for room in 0..=whole.len() {
        let mut out = Buffer::new();
        let before = out.room() - room;
        assert!(out.push(&vec![b'x'; before]));
        let is_written = rules(&[]).write_request_head(&head, Framing::None, client, None, &mut out).is_ok();
        assert_eq!(
            (is_written, out.len() - before),
            (room == whole.len(), if is_written { room } else { 0 })
        );
    }
}

/// Field names in upper and lower case, some of them hop-by-hop.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z][A-Za-z-]{0,10}",
        proptest::sample::select(vec!["Keep-Alive", "upgrade", "TE", "Via", "Accept", "x-forwarded-for"])
            .prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn a_forwarded_head_reads_as_the_same_request(
        fields in proptest::collection::vec((name(), "[!-~]([ -~]{0,20}[!-~])?"), 0..20),
        path in "/[a-z%.?=/]{0,20}", named in proptest::option::of(name()), bytes in proptest::option::of(0u64..99),
    ) {
        let reserved = ["host", "connection", "content-length", "transfer-encoding", "expect"];
        let fields: Vec<_> = fields
            .into_iter()
            .filter(|(name, _)| !reserved.contains(&name.to_ascii_lowercase().as_str()))
            .collect();
        let mut text = format!("PUT {path} HTTP/1.1\r\nHost: example\r\n");
        fields.iter().for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
        named.iter().for_each(|named| text += &format!("Connection: {named}\r\n"));
        bytes.iter().for_each(|bytes| text += &format!("Content-Length: {bytes}\r\n"));
        text += "\r\n";

        let seen = try_forwarded(&rules(&[]), &text).unwrap();
        let (before, after) = (request_head(&text), request_head(&seen));
        prop_assert_eq!(before.target, after.target);
        prop_assert_eq!(before.method_name, after.method_name);
        prop_assert_eq!(framing::of_request(&before).unwrap(), framing::of_request(&after).unwrap());
        let passes = |field: &Field<'_>| {
            let named = named.as_deref().is_some_and(|named| named.eq_ignore_ascii_case(field.name));
            matches!(kind(field.name), Kind::EndToEnd | Kind::Host | Kind::MaxForwards)
                && (!named || field.name.eq_ignore_ascii_case("via") || kind(field.name) != Kind::EndToEnd)
        };
        let expected: Vec<_> = before
            .fields
            .iter()
            .filter(passes)
            .map(|field| (field.name, field.value))
            .chain([("Via", &b"1.1 giliran"[..])])
            .collect();
        let found: Vec<_> = after
            .fields
            .iter()
            .filter(|field| matches!(kind(field.name), Kind::EndToEnd | Kind::Host | Kind::MaxForwards))
            .map(|field| (field.name, field.value))
            .collect();
        prop_assert_eq!(found, expected);
    }
}
