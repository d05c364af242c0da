//! Conditional requests: whether a file is sent at all (RFC 9110 section 13).
//!
//! Contract: [`evaluate`] looks at a request and at the validators of the file as it is now, and at
//! nothing else. A condition that cannot be understood is ignored where the RFC says so; then the
//! client gets the whole file.

use super::range::{self, Selection};
use crate::protocol::http::head::{Fields, RequestHead};
use crate::protocol::http::{Method, date};
use crate::protocol::now::Now;

/// What identifies one state of a file, and its size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Validators<'f> {
    /// A strong entity tag, with its quotes.
    pub(super) etag: &'f str,
    /// Last change, in whole seconds since 1970; `None` if there is no such date. Then conditions on a date are
    /// ignored (RFC 9110 sections 13.1.3 and 13.1.4).
    pub(super) modified: Option<u64>,
    /// Bytes of the file.
    pub(super) length: u64,
}

/// What the response to a request for a file is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Decision {
    /// The file, or the part of it that is asked for.
    Send(Selection),
    /// 304: the client's copy is current.
    NotModified,
    /// 412: a precondition does not hold.
    Failed,
}

/// Evaluates the conditions in the order of RFC 9110 section 13.2.2, for a GET or HEAD of a file
/// that exists.
pub(super) fn evaluate(head: &RequestHead<'_>, file: Validators<'_>, now: &Now) -> Decision {
    let fields = &head.fields;
    // Step 1: If-Match; step 2: If-Unmodified-Since, only where step 1 has no field.
    let holds = match matches_etag(fields, "if-match", file.etag, Comparison::Strong) {
        Some(matches) => matches,
        None => is_modified_by(file, date_field(fields, "if-unmodified-since")).unwrap_or(true),
    };
    if !holds {
        return Decision::Failed;
    }
    // Step 3: If-None-Match; step 4: If-Modified-Since, only where step 3 has no field.
    let is_current = match matches_etag(fields, "if-none-match", file.etag, Comparison::Weak) {
        Some(matches) => matches,
        None => is_modified_by(file, date_field(fields, "if-modified-since")).unwrap_or(false),
    };
    if is_current {
        return Decision::NotModified;
    }
    // Step 5: Range and If-Range, which are defined for GET only.
    match fields.only("range") {
        Some(range) if head.method == Method::Get && if_range_holds(fields, file, now) => {
            Decision::Send(range::select(range, file.length))
        }
        _ => Decision::Send(Selection::Whole),
    }
}

/// How two entity tags are compared (RFC 9110 section 8.8.3.2). Ours are always strong.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Comparison {
    Strong,
    Weak,
}

/// Whether a field that lists entity tags contains ours; `None` if there is no such field.
fn matches_etag(fields: &Fields<'_>, name: &str, etag: &str, comparison: Comparison) -> Option<bool> {
    let mut is_present = false;
    for value in fields.all(name) {
        is_present = true;
        if value == b"*"
            || etags(value)
                .any(|(weak, tag)| tag == etag.as_bytes() && (comparison == Comparison::Weak || !weak))
        {
            return Some(true);
        }
    }
    is_present.then_some(false)
}

/// The entity tags of a list, each with whether it is weak. The quotes delimit them and not the
/// commas, because a tag may contain commas. Ends at the first thing that is not an entity tag.
fn etags(mut rest: &[u8]) -> impl Iterator<Item = (bool, &[u8])> {
    std::iter::from_fn(move || {
        let start = rest.iter().position(|byte| !matches!(byte, b',' | b' ' | b'\t'))?;
        rest = &rest[start..];
        let weak = rest.starts_with(b"W/");
        let quoted = if weak { &rest[2..] } else { rest };
        let inner = quoted.strip_prefix(b"\"")?;
        let end = inner.iter().position(|byte| *byte == b'"')? + 2;
        rest = &quoted[end..];
        Some((weak, &quoted[..end]))
    })
}

/// The value of a date field. A repeated field or one that is not a date is ignored (RFC 9110 section 13.1.3).
fn date_field(fields: &Fields<'_>, name: &str) -> Option<u64> {
    fields.only(name).and_then(date::parse)
}

/// True if the file was last changed at this date or before; `None` if one of the two dates is missing.
fn is_modified_by(file: Validators<'_>, date: Option<u64>) -> Option<bool> {
    Some(file.modified? <= date?)
}

/// False if `If-Range` names another state of the file than the current one: then the whole file is sent.
fn if_range_holds(fields: &Fields<'_>, file: Validators<'_>, now: &Now) -> bool {
    match fields.only("if-range") {
        None => fields.first("if-range").is_none(),
        Some(tag) if tag.starts_with(b"\"") => tag == file.etag.as_bytes(),
        // Within the second of its last change a file may change again: until that second is over, the
        // date does not identify one state (RFC 9110 section 8.8.2.2).
        Some(text) => file
            .modified
            .is_some_and(|modified| date::parse(text) == Some(modified) && modified < now.unix_seconds()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::leaked_space;
    use std::time::{Duration, Instant, SystemTime};

    const ETAG: &str = "\"5f-64\"";
    /// Sun, 06 Nov 1994 08:49:37 GMT.
    const MODIFIED: u64 = 784_111_777;
    const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    const WHOLE: Decision = Decision::Send(Selection::Whole);

    fn evaluate_at(seconds: u64, method: &str, length: u64, fields: &str) -> Decision {
        let now =
            Now { instant: Instant::now(), wall: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds) };
        let text = format!("{method} / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let head = RequestHead::parse(text.as_bytes(), leaked_space()).unwrap().unwrap();
        evaluate(&head, Validators { etag: ETAG, modified: Some(MODIFIED), length }, &now)
    }

    #[test]
    fn without_a_date_conditions_on_it_are_ignored() {
        let now = Now { instant: Instant::now(), wall: SystemTime::now() };
        for (fields, expected) in [
            (format!("If-Modified-Since: {SAME}"), WHOLE),
            (format!("If-Unmodified-Since: {SAME}"), WHOLE),
            (format!("Range: bytes=0-1\r\nIf-Range: {SAME}"), WHOLE),
            ("Range: bytes=0-1\r\nIf-Range: soon".to_owned(), WHOLE),
            (format!("If-None-Match: {ETAG}"), Decision::NotModified),
        ] {
            let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
            let head = RequestHead::parse(text.as_bytes(), leaked_space()).unwrap().unwrap();
            let found = evaluate(&head, Validators { etag: ETAG, modified: None, length: 100 }, &now);
            assert_eq!(found, expected, "{fields}");
        }
    }

    fn decision(fields: &str) -> Decision {
        evaluate_at(MODIFIED + 60, "GET", 100, fields)
    }

    #[test]
    fn conditions_are_evaluated_in_the_order_of_the_rfc() {
        use Decision::{Failed, NotModified};
        for (fields, expected) in [
            ("".to_owned(), WHOLE),
            (format!("If-None-Match: {ETAG}\r\n"), NotModified),
            (format!("If-None-Match: W/{ETAG}\r\n"), NotModified),
            (format!("If-None-Match: \"a,b\", {ETAG}\r\n"), NotModified),
            (format!("If-None-Match: \"a\"\r\nIf-None-Match: {ETAG}\r\n"), NotModified),
            ("If-None-Match: *\r\n".into(), NotModified),
            ("If-None-Match: \"other\"\r\n".into(), WHOLE),
            ("If-None-Match: 5f-64\r\n".into(), WHOLE),
            (format!("If-None-Match: \"x{ETAG}\r\n"), WHOLE),
            (format!("If-Modified-Since: {SAME}\r\n"), NotModified),
            (format!("If-Modified-Since: {LATER}\r\n"), NotModified),
            (format!("If-Modified-Since: {EARLIER}\r\n"), WHOLE),
            ("If-Modified-Since: yesterday\r\n".into(), WHOLE),
            // If-None-Match decides, and the date is ignored.
            (format!("If-None-Match: \"other\"\r\nIf-Modified-Since: {SAME}\r\n"), WHOLE),
            (format!("If-Match: {ETAG}\r\n"), WHOLE),
            ("If-Match: *\r\n".into(), WHOLE),
            (format!("If-Match: W/{ETAG}\r\n"), Failed),
            ("If-Match: \"other\"\r\n".into(), Failed),
            (format!("If-Unmodified-Since: {SAME}\r\n"), WHOLE),
            (format!("If-Unmodified-Since: {EARLIER}\r\n"), Failed),
            ("If-Unmodified-Since: soon\r\n".into(), WHOLE),
            (format!("If-Match: {ETAG}\r\nIf-Unmodified-Since: {EARLIER}\r\n"), WHOLE),
            (format!("If-Match: \"other\"\r\nIf-None-Match: {ETAG}\r\n"), Failed),
            (format!("If-Match: {ETAG}\r\nIf-None-Match: {ETAG}\r\n"), NotModified),
            (format!("If-None-Match: {ETAG}\r\nRange: bytes=0-1\r\n"), NotModified),
        ] {
            assert_eq!(decision(&fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn only_a_get_with_one_range_field_is_for_a_part() {
        assert_eq!(decision("Range: bytes=0-1\r\n"), Decision::Send(Selection::Part(0..2)));
        assert_eq!(decision("Range: bytes=100-\r\n"), Decision::Send(Selection::Unsatisfiable));
        assert_eq!(decision("Range: bytes=0-1\r\nRange: bytes=0-1\r\n"), WHOLE);
        assert_eq!(evaluate_at(MODIFIED + 60, "HEAD", 100, "Range: bytes=0-1\r\n"), WHOLE);
    }

    #[test]
    fn a_range_of_another_state_of_the_file_gets_the_whole_file() {
        let part = Decision::Send(Selection::Part(0..2));
        for (if_range, expected) in [
            (ETAG.to_owned(), part.clone()),
            ("\"other\"".into(), WHOLE),
            (format!("W/{ETAG}"), WHOLE),
            (SAME.into(), part),
            (LATER.into(), WHOLE),
            (EARLIER.into(), WHOLE),
            ("soon".into(), WHOLE),
        ] {
            let fields = format!("Range: bytes=0-1\r\nIf-Range: {if_range}\r\n");
            assert_eq!(decision(&fields), expected, "{if_range}");
        }
        let fields = format!("Range: bytes=0-1\r\nIf-Range: {SAME}\r\n");
        assert_eq!(evaluate_at(MODIFIED, "GET", 100, &fields), WHOLE, "it may change within this second");
    }
}
