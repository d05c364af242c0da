//! Conditions and ranges: whether a file is sent at all, and which part of it (RFC 9110 sections 13 and 14).
//!
//! Contract: [`judge`] looks at a request and at the validators of the file as it is now, and at
//! nothing else. A condition that cannot be understood is passed over where the RFC says so, and
//! never makes an answer smaller than the client asked for.

use std::ops::Range;

use crate::protocol::http::head::{Fields, RequestHead};
use crate::protocol::http::{Method, date, decimal, trim};
use crate::protocol::now::Now;

/// What is known of a file: its validators and its size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Validators<'f> {
    /// A strong entity tag, in its quotes.
    pub etag: &'f str,
    /// Last change, whole seconds since 1970.
    pub modified: u64,
    /// Bytes of the file.
    pub length: u64,
}

/// What to answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// 200 with all of it.
    Whole,
    /// 206 with these bytes, at least one.
    Part(Range<u64>),
    /// 304: the client's copy is good.
    NotModified,
    /// 412: a condition that had to hold does not.
    Failed,
    /// 416: the range begins after the end.
    Unsatisfiable,
}

/// The order of RFC 9110 section 13.2.2, for a file that exists and a GET or HEAD.
pub(super) fn judge(head: &RequestHead<'_>, file: Validators<'_>, now: &Now) -> Verdict {
    let fields = &head.fields;
    // Step 1: If-Match; step 2: If-Unmodified-Since, only without the first.
    let holds = match names_tag(fields, "if-match", file.etag, Comparison::Strong) {
        Some(matches) => matches,
        None => date_of(fields, "if-unmodified-since").is_none_or(|date| file.modified <= date),
    };
    if !holds {
        return Verdict::Failed;
    }
    // Step 3: If-None-Match; step 4: If-Modified-Since, only without the third.
    let has_it = match names_tag(fields, "if-none-match", file.etag, Comparison::Weak) {
        Some(matches) => matches,
        None => date_of(fields, "if-modified-since").is_some_and(|date| file.modified <= date),
    };
    if has_it {
        return Verdict::NotModified;
    }
    // Step 5: Range and If-Range, defined for GET alone.
    match fields.only("range") {
        Some(range) if head.method == Method::Get && range_is_wanted(fields, file, now) => {
            part(range, file.length)
        }
        _ => Verdict::Whole,
    }
}

/// How two entity tags are compared (RFC 9110 section 8.8.3.2). Ours are always strong.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Comparison {
    Strong,
    Weak,
}

/// Whether a field of entity tags names ours; `None` if there is no such field.
fn names_tag(fields: &Fields<'_>, name: &str, etag: &str, comparison: Comparison) -> Option<bool> {
    let mut is_there = false;
    for value in fields.all(name) {
        is_there = true;
        if value == b"*"
            || tags(value)
                .any(|(weak, tag)| tag == etag.as_bytes() && (comparison == Comparison::Weak || !weak))
        {
            return Some(true);
        }
    }
    is_there.then_some(false)
}

/// The entity tags of a list, each with whether it is weak. Read by its quotes and not split at
/// commas, which may stand within them. Ends at the first thing that is no entity tag.
fn tags(mut rest: &[u8]) -> impl Iterator<Item = (bool, &[u8])> {
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

/// A date field; one that stands twice or is no date counts as absent (RFC 9110 section 13.1.3).
fn date_of(fields: &Fields<'_>, name: &str) -> Option<u64> {
    fields.only(name).and_then(date::parse)
}

/// False if `If-Range` names another state of the file than the present one: then all of it is sent.
fn range_is_wanted(fields: &Fields<'_>, file: Validators<'_>, now: &Now) -> bool {
    match fields.only("if-range") {
        None => fields.first("if-range").is_none(),
        Some(tag) if tag.starts_with(b"\"") => tag == file.etag.as_bytes(),
        // A date is only a strong validator once its second is over (RFC 9110 section 8.8.2.2).
        Some(text) => date::parse(text) == Some(file.modified) && file.modified < now.unix_seconds(),
    }
}

/// One range of bytes: `bytes=a-b`, `bytes=a-` or `bytes=-n`. Several, or none of these forms, are
/// passed over as section 14.2 allows: several parts cost more than they are worth.
fn part(range: &[u8], length: u64) -> Verdict {
    let Some((first, last)) = positions(range) else { return Verdict::Whole };
    match (first, last) {
        (Some(first), last) => {
            let last = last.unwrap_or(u64::MAX);
            if last < first {
                Verdict::Whole // not a range at all (section 14.1.2)
            } else if first >= length {
                Verdict::Unsatisfiable
            } else {
                Verdict::Part(first..last.min(length - 1) + 1)
            }
        }
        (None, Some(0)) => Verdict::Unsatisfiable,
        // The last bytes of nothing are nothing, which Content-Range cannot say.
        (None, Some(_)) if length == 0 => Verdict::Whole,
        (None, Some(count)) => Verdict::Part(length.saturating_sub(count)..length),
        (None, None) => Verdict::Whole,
    }
}

/// The two numbers of a range, each missing or in digits; `None` for anything else.
fn positions(range: &[u8]) -> Option<(Option<u64>, Option<u64>)> {
    let equals = range.iter().position(|byte| *byte == b'=')?;
    let (unit, set) = (&range[..equals], trim(&range[equals + 1..]));
    let dash = set.iter().position(|byte| *byte == b'-')?;
    let is_digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    let (first, last) = (&set[..dash], &set[dash + 1..]);
    if !unit.eq_ignore_ascii_case(b"bytes") || !is_digits(first) || !is_digits(last) {
        return None;
    }
    // A number too large for us is past the end of any file.
    let number = |text: &[u8]| (!text.is_empty()).then(|| decimal(text).unwrap_or(u64::MAX));
    Some((number(first), number(last)))
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

    fn judged_at(seconds: u64, method: &str, length: u64, fields: &str) -> Verdict {
        let now =
            Now { instant: Instant::now(), wall: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds) };
        let text = format!("{method} / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let head = RequestHead::parse(text.as_bytes(), leaked_space()).unwrap().unwrap();
        judge(&head, Validators { etag: ETAG, modified: MODIFIED, length }, &now)
    }

    fn judged(fields: &str) -> Verdict {
        judged_at(MODIFIED + 60, "GET", 100, fields)
    }

    #[test]
    fn conditions_hold_in_the_order_of_the_rfc() {
        use Verdict::*;
        for (fields, expected) in [
            ("".to_owned(), Whole),
            (format!("If-None-Match: {ETAG}\r\n"), NotModified),
            (format!("If-None-Match: W/{ETAG}\r\n"), NotModified),
            (format!("If-None-Match: \"a,b\", {ETAG}\r\n"), NotModified),
            (format!("If-None-Match: \"a\"\r\nIf-None-Match: {ETAG}\r\n"), NotModified),
            ("If-None-Match: *\r\n".into(), NotModified),
            ("If-None-Match: \"other\"\r\n".into(), Whole),
            ("If-None-Match: 5f-64\r\n".into(), Whole),
            (format!("If-None-Match: \"x{ETAG}\r\n"), Whole),
            (format!("If-Modified-Since: {SAME}\r\n"), NotModified),
            (format!("If-Modified-Since: {LATER}\r\n"), NotModified),
            (format!("If-Modified-Since: {EARLIER}\r\n"), Whole),
            ("If-Modified-Since: yesterday\r\n".into(), Whole),
            // The tag decides, the date is not even looked at.
            (format!("If-None-Match: \"other\"\r\nIf-Modified-Since: {SAME}\r\n"), Whole),
            (format!("If-Match: {ETAG}\r\n"), Whole),
            ("If-Match: *\r\n".into(), Whole),
            (format!("If-Match: W/{ETAG}\r\n"), Failed),
            ("If-Match: \"other\"\r\n".into(), Failed),
            (format!("If-Unmodified-Since: {SAME}\r\n"), Whole),
            (format!("If-Unmodified-Since: {EARLIER}\r\n"), Failed),
            ("If-Unmodified-Since: soon\r\n".into(), Whole),
            (format!("If-Match: {ETAG}\r\nIf-Unmodified-Since: {EARLIER}\r\n"), Whole),
            (format!("If-Match: \"other\"\r\nIf-None-Match: {ETAG}\r\n"), Failed),
            (format!("If-Match: {ETAG}\r\nIf-None-Match: {ETAG}\r\n"), NotModified),
            (format!("If-None-Match: {ETAG}\r\nRange: bytes=0-1\r\n"), NotModified),
        ] {
            assert_eq!(judged(&fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn one_range_of_bytes_is_served() {
        use Verdict::*;
        for (range, expected) in [
            ("bytes=0-0", Part(0..1)),
            ("bytes=0-99", Part(0..100)),
            ("bytes=10-19", Part(10..20)),
            ("bytes=10-", Part(10..100)),
            ("bytes=-10", Part(90..100)),
            ("bytes=-1000", Part(0..100)),
            ("bytes=99-", Part(99..100)),
            ("bytes=0-100000", Part(0..100)),
            ("bytes=0-99999999999999999999999", Part(0..100)),
            ("Bytes=0-1", Part(0..2)),
            ("bytes=100-", Unsatisfiable),
            ("bytes=100-200", Unsatisfiable),
            ("bytes=99999999999999999999999-", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=5-4", Whole),
            ("bytes=0-1,5-6", Whole),
            ("bytes=-", Whole),
            ("bytes=", Whole),
            ("bytes=a-b", Whole),
            ("bytes=+1-2", Whole),
            ("bytes=1--2", Whole),
            ("bytes 0-1", Whole),
            ("lines=0-1", Whole),
            ("0-1", Whole),
        ] {
            assert_eq!(judged(&format!("Range: {range}\r\n")), expected, "{range}");
        }
        assert_eq!(judged("Range: bytes=0-1\r\nRange: bytes=0-1\r\n"), Whole);
    }

    #[test]
    fn an_empty_file_has_no_parts() {
        let judged = |range| judged_at(MODIFIED + 60, "GET", 0, range);
        assert_eq!(judged("Range: bytes=0-\r\n"), Verdict::Unsatisfiable);
        assert_eq!(judged("Range: bytes=-5\r\n"), Verdict::Whole);
    }

    #[test]
    fn ranges_are_for_get_alone() {
        assert_eq!(judged_at(MODIFIED + 60, "HEAD", 100, "Range: bytes=0-1\r\n"), Verdict::Whole);
    }

    #[test]
    fn a_range_of_another_state_of_the_file_gets_all_of_it() {
        let part = Verdict::Part(0..2);
        for (if_range, expected) in [
            (ETAG.to_owned(), part.clone()),
            ("\"other\"".into(), Verdict::Whole),
            (format!("W/{ETAG}"), Verdict::Whole),
            (SAME.into(), part),
            (LATER.into(), Verdict::Whole),
            (EARLIER.into(), Verdict::Whole),
            ("soon".into(), Verdict::Whole),
        ] {
            let fields = format!("Range: bytes=0-1\r\nIf-Range: {if_range}\r\n");
            assert_eq!(judged(&fields), expected, "{if_range}");
        }
        let fields = format!("Range: bytes=0-1\r\nIf-Range: {SAME}\r\n");
        assert_eq!(
            judged_at(MODIFIED, "GET", 100, &fields),
            Verdict::Whole,
            "it may change within this second"
        );
    }
}
