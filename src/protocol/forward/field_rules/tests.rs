use proptest::prelude::*;

use super::*;
use crate::protocol::http::framing::{self, Framing};
use crate::protocol::http::head::{FieldSpace, RequestHead, ResponseHead};
use crate::protocol::http::{Method, is_text_byte};

const VALUES: Values<'_> = Values {
    client: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
    host: "example.org",
    path: "/a?b",
    request_id: "17",
    scheme: "http",
};

fn rule(word: &str, text: &str) -> Result<FieldRule, String> {
    let (_, side, change) = WORDS.iter().find(|(known, ..)| *known == word).unwrap();
    FieldRule::parse(*side, *change, text)
}

fn rules(list: &[(&str, &str)]) -> Vec<FieldRule> {
    list.iter().map(|(word, text)| rule(word, text).unwrap()).collect()
}

/// A request head with these rules applied.
fn applied(role: &[(&str, &str)], route: &[(&str, &str)], head: &str) -> String {
    let rules = FieldRules::new(Side::Request, &rules(role), &rules(route)).unwrap();
    let mut lines = String::new();
    rules.render(&VALUES, &mut lines);
    let mut out = Buffer::new();
    assert!(out.push(b"before\r\n\r\n") && out.push(head.as_bytes()));
    assert!(rules.apply(&lines, 10, &mut out));
    String::from_utf8_lossy(out.bytes()).strip_prefix("before\r\n\r\n").unwrap().to_owned()
}

#[test]
fn fields_are_removed_set_and_added() {
    let head = "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx_a: 2\r\nX-B: 3\r\n\r\nbody: x\r\n";
    for (rules, wanted) in [
        (&[("remove-request", "x-a")][..], "Host: a\r\nX-B: 3\r\n"),
        (&[("set-request", "X-A:new")], "Host: a\r\nX-B: 3\r\nX-A: new\r\n"),
        (&[("add-request", "X-A: {client}")], "Host: a\r\nX-A: 1\r\nx_a: 2\r\nX-B: 3\r\nX-A: 127.0.0.1\r\n"),
        (
            &[("add-request", "X-B: 4"), ("set-request", "X-A: "), ("remove-request", "X-B")],
            "Host: a\r\nX-A: \r\nX-B: 4\r\n",
        ),
        (&[("set-request", "Host: b.example:80")], "X-A: 1\r\nx_a: 2\r\nX-B: 3\r\nHost: b.example:80\r\n"),
        (&[("set-response", "X-A: no")], "Host: a\r\nX-A: 1\r\nx_a: 2\r\nX-B: 3\r\n"),
    ] {
        assert_eq!(
            applied(&[], rules, head),
            format!("GET / HTTP/1.1\r\n{wanted}\r\nbody: x\r\n"),
            "{rules:?}"
        );
    }
}

#[test]
fn a_route_goes_before_its_role() {
    let head = "GET / HTTP/1.1\r\n\r\n";
    let role = [("set-request", "X-A: role"), ("add-request", "X-B: role")];
    for (route, wanted) in [
        (&[][..], "X-A: role\r\nX-B: role\r\n"),
        (&[("set-request", "x-a: route")], "X-B: role\r\nx-a: route\r\n"),
        (&[("remove-request", "X_A")], "X-B: role\r\n"),
        (&[("add-request", "X-B: route")], "X-A: role\r\nX-B: role\r\nX-B: route\r\n"),
    ] {
        assert_eq!(applied(&role, route, head), format!("GET / HTTP/1.1\r\n{wanted}\r\n"), "{route:?}");
    }
}

#[test]
fn what_cannot_be_a_rule_is_an_error_that_says_why() {
    for (word, text, words) in [
        ("set-request", "X-A", "\"X-A\" has no colon: write Name: value"),
        ("remove-request", "X-A: x", "\"X-A: x\" has a value: write only the name"),
        ("set-request", ": x", "\": x\" has no name"),
        ("set-request", "X A: x", "\"X A: x\" has no name"),
        ("add-response", "X-A: a\r\nX-B: b", "X-A: \"a\\r\\nX-B: b\" has a control character"),
        ("set-request", "X-A: {hots}", "X-A: \"{hots\" begins no placeholder: there are {client}, "),
        (
            "set-request",
            "content-length: 5",
            "content-length cannot be changed by a rule: it is about one connection",
        ),
        ("add-response", "Content_Length: 5", "Content_Length cannot be changed"),
        ("remove-response", "Transfer-Encoding", "Transfer-Encoding cannot be changed"),
        ("set-request", "Connection: close", "Connection cannot be changed"),
        ("set-response", "Keep-Alive: x", "Keep-Alive cannot be changed"),
        (
            "set-request",
            "Upgrade: x",
            "Upgrade cannot be changed by a rule: it is a request to the proxy itself",
        ),
        ("remove-request", "TE", "TE cannot"),
        ("remove-request", "Expect", "Expect cannot"),
        ("add-request", "Host: a", "Host cannot be changed by a rule: a request has exactly one"),
        ("remove-request", "host", "host cannot"),
        ("set-response", "Host: a", "Host cannot be changed by a rule: it is a field of requests"),
        ("set-request", "Host:", "\"Host:\" sets no host"),
        ("set-request", "Host: {path}", "sets no host"),
        ("set-request", "Host: a b", "sets no host"),
    ] {
        let error = rule(word, text).unwrap_err();
        assert!(error.contains(words), "{word} {text:?}: {error}");
    }
    let twice = rules(&[("set-request", "X-A: 1"), ("set-request", "x_a: 2")]);
    let error = FieldRules::new(Side::Request, &[], &twice).unwrap_err();
    assert_eq!(error, "set-request is given twice for x_a");
    assert_eq!(FieldRules::new(Side::Response, &[], &twice), Ok(FieldRules::default()));
}

#[test]
fn what_has_no_room_is_not_written_in_part() {
    let rules = FieldRules::new(Side::Request, &[], &rules(&[("set-request", "X-A: 1")])).unwrap();
    let mut out = Buffer::new();
    assert!(out.push(b"GET / HTTP/1.1\r\nX-A: 2\r\n\r\n"));
    let rest = vec![b'x'; out.room()];
    assert!(out.push(&rest));
    assert!(!rules.apply("X-A: longer\r\n", 0, &mut out));
    assert!(out.bytes().starts_with(b"GET / HTTP/1.1\r\n\r\nx"));
}

/// A field that decides about framing, or one that does not.
fn any_field() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("Content-Length: 5".to_owned()),
        Just("Transfer-Encoding: chunked".to_owned()),
        Just("Connection: close".to_owned()),
        "[XxAa_-]{1,3}: [a-c{}]{0,3}",
    ]
}

/// The text of a rule, with names of both kinds and values of all sorts.
fn any_rule() -> impl Strategy<Value = (usize, String)> {
    let name = "(content[-_]length|Transfer[-_]Encoding|Connection|TE|Host|X-A|x_a|Via|[a-z:\r\n ]{0,3})";
    (0..WORDS.len(), name, "(: ?)?(chunked|5|[a \r\n\t{}:é]{0,6}|\\{path\\}|\\{host\\})")
        .prop_map(|(word, name, value)| (word, format!("{name}{value}")))
}

proptest! {
    #[test]
    fn no_rules_change_where_a_body_ends(
        rules in proptest::collection::vec(any_rule(), 0..8), fields in proptest::collection::vec(any_field(), 0..5),
    ) {
        let rules: Vec<FieldRule> = rules
            .iter()
            .filter_map(|(word, text)| FieldRule::parse(WORDS[*word].1, WORDS[*word].2, text).ok())
            .collect();
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        for (side, start) in [(Side::Request, "POST /a HTTP/1.1\r\nHost: a\r\n"), (Side::Response, "HTTP/1.1 200 OK\r\n")] {
            let Ok(rules) = FieldRules::new(side, &rules, &[]) else { continue };
            let mut lines = String::new();
            rules.render(&VALUES, &mut lines);
            let mut out = Buffer::new();
            let head = format!("{start}{fields}\r\n");
            prop_assert!(out.push(head.as_bytes()));
            let before = framing_of(side, out.bytes());
            prop_assert!(rules.apply(&lines, 0, &mut out));
            prop_assert_eq!(framing_of(side, out.bytes()), before);
            prop_assert!(out.bytes().ends_with(b"\r\n\r\n"));
            let text = String::from_utf8_lossy(out.bytes());
            prop_assert!(text.split("\r\n").all(|line| line.bytes().all(is_text_byte)), "{}", text);
        }
    }

    #[test]
    fn what_is_read_is_printed_and_read_again_the_same((word, text) in any_rule()) {
        let (_, side, change) = WORDS[word];
        if let Ok(rule) = FieldRule::parse(side, change, &text) {
            prop_assert_eq!(rule.word(), WORDS[word].0);
            prop_assert_eq!(FieldRule::parse(side, change, &rule.to_string()), Ok(rule));
        }
    }
}

/// How long the body behind a head is, how long the head is, and whether the connection is kept.
fn framing_of(side: Side, bytes: &[u8]) -> Option<(Framing, bool)> {
    let mut space = FieldSpace::new();
    match side {
        Side::Request => {
            let head = RequestHead::parse(bytes, &mut space).ok()??;
            Some((framing::of_request(&head).ok()?, head.keeps_alive()))
        }
        Side::Response => {
            let head = ResponseHead::parse(bytes, &mut space).ok()??;
            Some((framing::of_response(&head, Method::Post).ok()?, head.keeps_alive()))
        }
    }
}
