//! Byte ranges: which parts of a file the value of a `Range` field asks for (RFC 9110 section 14).
//!
//! Contract: [`select`] serves one range of bytes, and several of them if they do not overlap. Other units, values
//! that are no list of ranges, more than [`RANGES_MAX`] of them, and ranges that overlap are ignored, as section
//! 14.2 allows, and the whole file is sent: so no request makes a response that is much longer than the file
//! (CVE-2011-3192). So is any range of an empty file: `bytes=-1` asks for all that there is (section 14.1.2),
//! which `Content-Range` cannot express, and `bytes=0-`, which clients send to be told of the length, must not be
//! an error where that is none.

use std::ops::Range;

use super::limits::RANGES_MAX;
use crate::protocol::http::{decimal, trim};

/// Which part of a file is sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Selection {
    /// 200 with all of it.
    Whole,
    /// 206 with these bytes, at least one.
    Part(Range<u64>),
    /// 206 with several parts in the order in which they were asked for, each with at least one byte; none
    /// overlaps another.
    Parts(Vec<Range<u64>>),
    /// 416: every range starts behind the last byte.
    Unsatisfiable,
}

/// The parts of a file of `length` bytes that `bytes=a-b`, `bytes=a-`, `bytes=-n` or a list of them asks for.
///
/// Of several ranges, those behind the last byte are left out; if one remains it is sent as if it had been asked
/// for alone (section 15.3.7.2).
pub(super) fn select(range: &[u8], length: u64) -> Selection {
    let Some(set) = set(range).filter(|_| length > 0) else { return Selection::Whole };
    if !set.contains(&b',') {
        // What nearly all clients send, and without a list.
        return match position(set, length) {
            None => Selection::Whole,
            Some(None) => Selection::Unsatisfiable,
            Some(Some(part)) => Selection::Part(part),
        };
    }
    let mut parts: Vec<Range<u64>> = Vec::new();
    // Empty members of a list are no members (section 5.6.1.2).
    let members = set.split(|byte| *byte == b',').map(trim).filter(|member| !member.is_empty());
    for (count, member) in members.enumerate() {
        let overlaps =
            |part: &Range<u64>| parts.iter().any(|other| part.start < other.end && other.start < part.end);
        match position(member, length) {
            _ if count == RANGES_MAX => return Selection::Whole,
            None => return Selection::Whole,
            Some(None) => {}
            Some(Some(part)) if overlaps(&part) => return Selection::Whole,
            Some(Some(part)) => parts.push(part),
        }
    }
    match parts.as_slice() {
        [] => Selection::Unsatisfiable,
        [part] => Selection::Part(part.clone()),
        _ => Selection::Parts(parts),
    }
}

/// What stands behind `bytes=`.
fn set(range: &[u8]) -> Option<&[u8]> {
    let equals = range.iter().position(|byte| *byte == b'=')?;
    let (unit, set) = (&range[..equals], trim(&range[equals + 1..]));
    // A list without members is none.
    let has_members = set.iter().any(|byte| *byte != b',' && *byte != b' ' && *byte != b'\t');
    (unit.eq_ignore_ascii_case(b"bytes") && has_members).then_some(set)
}

/// The bytes of a file of `length` bytes, at least one, that one range asks for: `Some(None)` if it has none of
/// them, `None` if it is no range.
fn position(range: &[u8], length: u64) -> Option<Option<Range<u64>>> {
    let dash = range.iter().position(|byte| *byte == b'-')?;
    let is_digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    let (first, last) = (&range[..dash], &range[dash + 1..]);
    if !is_digits(first) || !is_digits(last) {
        return None;
    }
    // A number that does not fit 64 bits is behind the end of any file.
    let number = |text: &[u8]| (!text.is_empty()).then(|| decimal(text).unwrap_or(u64::MAX));
    match (number(first), number(last)) {
        (Some(first), last) => {
            let last = last.unwrap_or(u64::MAX);
            match first {
                _ if last < first => None, // an invalid range, which is ignored (section 14.1.1)
                _ if first >= length => Some(None),
                _ => Some(Some(first..last.min(length - 1) + 1)),
            }
        }
        (None, Some(0)) => Some(None),
        (None, Some(count)) => Some(Some(length.saturating_sub(count)..length)),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_range_of_bytes_is_served() {
        use Selection::*;
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
            ("bytes=-", Whole),
            ("bytes=", Whole),
            ("bytes=,", Whole),
            ("bytes=a-b", Whole),
            ("bytes=+1-2", Whole),
            ("bytes=1--2", Whole),
            ("bytes 0-1", Whole),
            ("lines=0-1", Whole),
            ("0-1", Whole),
        ] {
            assert_eq!(select(range.as_bytes(), 100), expected, "{range}");
        }
    }

    #[test]
    fn several_ranges_are_served_if_they_do_not_overlap() {
        use Selection::*;
        for (range, expected) in [
            ("bytes=0-1,5-6", Parts(vec![0..2, 5..7])),
            ("bytes= 0-1 ,\t5-6 ", Parts(vec![0..2, 5..7])),
            ("bytes=0-1,,5-6,", Parts(vec![0..2, 5..7])),
            ("bytes=50-59,0-1,-2", Parts(vec![50..60, 0..2, 98..100])),
            ("bytes=0-1,2-3", Parts(vec![0..2, 2..4])), // they touch
            ("bytes=0-1,200-300", Part(0..2)),
            ("bytes=,0-1", Part(0..2)),
            ("bytes=200-,300-", Unsatisfiable),
            ("bytes=-0,100-", Unsatisfiable),
            ("bytes=0-1,1-2", Whole),
            ("bytes=0-,-1", Whole),
            ("bytes=5-6,0-9", Whole),
            ("bytes=0-1,5-4", Whole),
            ("bytes=0-1,a-b", Whole),
            ("bytes=0-1;5-6", Whole),
        ] {
            assert_eq!(select(range.as_bytes(), 100), expected, "{range}");
        }
    }

    #[test]
    fn the_ranges_of_one_request_are_counted() {
        let set = |count: usize| {
            let members: Vec<String> = (0..count).map(|at| format!("{}-{}", 2 * at, 2 * at)).collect();
            select(format!("bytes={}", members.join(",")).as_bytes(), 10_000)
        };
        assert!(matches!(set(RANGES_MAX), Selection::Parts(parts) if parts.len() == RANGES_MAX));
        assert_eq!(set(RANGES_MAX + 1), Selection::Whole);
        // Those that are left out count too: they cost time.
        let beyond = format!("bytes={}0-1", "200-,".repeat(RANGES_MAX));
        assert_eq!(select(beyond.as_bytes(), 100), Selection::Whole);
    }

    #[test]
    fn an_empty_file_is_always_whole() {
        for range in ["bytes=0-", "bytes=-5", "bytes=-0", "bytes=0-0", "bytes=5-", "bytes=0-0,1-1"] {
            assert_eq!(select(range.as_bytes(), 0), Selection::Whole, "{range}");
        }
    }

    proptest! {
        #[test]
        fn what_is_sent_lies_in_the_file_and_nothing_of_it_twice(
            range in "bytes=([0-9]{0,3}-[0-9]{0,3},?){0,6}|[ -~]{0,20}",
            length in 0u64..300,
        ) {
            let parts = match select(range.as_bytes(), length) {
                Selection::Part(part) => vec![part],
                Selection::Parts(parts) => { prop_assert!(parts.len() > 1); parts }
                Selection::Whole | Selection::Unsatisfiable => Vec::new(),
            };
            prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= length));
            prop_assert!(parts.iter().map(|part| part.end - part.start).sum::<u64>() <= length, "{:?}", parts);
        }
    }
}
