//! Rules for fields: whatever they are, the head that they are applied to has the same framing, one host, and no
//! line that is not a field. The input is rules, a line each; two zero bytes; and a request head.
#![no_main]

use giliran::protocol::buffer::Buffer;
use giliran::protocol::forward::{Change, FieldRule, FieldRules, Rules, Side, Values};
use giliran::protocol::http::framing;
use giliran::protocol::http::head::{FieldSpace, RequestHead};
use giliran_fuzz::{client, two};
use libfuzzer_sys::fuzz_target;

/// The most rules, and so the most fields, that are added to a head.
const RULES_MAX: usize = 10;

fuzz_target!(|bytes: &[u8]| {
    let (rules, request) = two(bytes);
    let rules: Vec<FieldRule> = String::from_utf8_lossy(rules)
        .split('\n')
        .filter_map(|line| {
            let (change, text) = line.split_at_checked(1)?;
            let change = match change {
                "=" => Change::Set,
                "+" => Change::Add,
                _ => Change::Remove,
            };
            FieldRule::parse(Side::Request, change, text).ok()
        })
        .take(RULES_MAX)
        .collect();
    for rule in &rules {
        assert!(!rule.word().is_empty());
    }
    let Ok(rules) = FieldRules::new(Side::Request, &[], &rules) else { return };
    let mut space = FieldSpace::new();
    let Ok(Some(head)) = RequestHead::parse(request, &mut space) else { return };
    let Ok(framing) = framing::of_request(&head) else { return };
    if head.fields.iter().count() + RULES_MAX > 90 || head.host().is_empty() {
        return; // more fields than a reader accepts, or one that is still missing
    }
    let mut out = Buffer::new();
    if Rules::default().write_request_head(&head, framing, client(), None, &mut out).is_err() {
        return;
    }
    let values = Values {
        client: client().ip(),
        host: "example.org",
        path: head.path_and_query(),
        request_id: "17",
        scheme: "http",
    };
    let mut lines = String::new();
    rules.render(&values, &mut lines);
    if !rules.apply(&lines, 0, &mut out) {
        return;
    }
    let mut space = FieldSpace::new();
    let changed = RequestHead::parse(out.bytes(), &mut space).expect("well formed").expect("whole");
    assert_eq!(framing::of_request(&changed).expect("plain"), framing);
    assert_eq!(changed.fields.all("host").count(), 1);
    assert!(out.bytes().ends_with(b"\r\n\r\n"));
});
