//! Byte ranges: which part of a file the value of a `Range` field asks for (RFC 9110 section 14).
//!
//! Contract: [`select`] serves one range of bytes. Several ranges, other units and values that are no
//! range at all are ignored, as section 14.2 allows, and the whole file is sent. So is any range of an empty
//! file: `bytes=-1` asks for all that there is (section 14.1.2), which `Content-Range` cannot express, and
//! `bytes=0-`, which clients send to be told of the length, must not be an error where that is none.

use std::ops::Range;

use crate::protocol::http::{decimal, trim};

/// Which part of a file is sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Selection {
    /// 200 with all of it.
    Whole,
    /// 206 with these bytes, at least one.
    Part(Range<u64>),
    /// 416: the range starts behind the last byte.
    Unsatisfiable,
}

/// The part of a file of `length` bytes that `bytes=a-b`, `bytes=a-` or `bytes=-n` asks for.
///
/// Several ranges would need a multipart body, which hardly any client asks for.
pub(super) fn select(range: &[u8], length: u64) -> Selection {
    let Some((first, last)) = positions(range).filter(|_| length > 0) else { return Selection::Whole };
    match (first, last) {
        (Some(first), last) => {
            let last = last.unwrap_or(u64::MAX);
            if last < first {
                Selection::Whole // an invalid range, which is ignored (section 14.1.1)
            } else if first >= length {
                Selection::Unsatisfiable
            } else {
                Selection::Part(first..last.min(length - 1) + 1)
            }
        }
        (None, Some(0)) => Selection::Unsatisfiable,
        (None, Some(count)) => Selection::Part(length.saturating_sub(count)..length),
        (None, None) => Selection::Whole,
    }
}

/// The two numbers of a range, each of which may be missing; `None` for any other form.
fn positions(range: &[u8]) -> Option<(Option<u64>, Option<u64>)> {
    let equals = range.iter().position(|byte| *byte == b'=')?;
    let (unit, set) = (&range[..equals], trim(&range[equals + 1..]));
    let dash = set.iter().position(|byte| *byte == b'-')?;
    let is_digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    let (first, last) = (&set[..dash], &set[dash + 1..]);
    if !unit.eq_ignore_ascii_case(b"bytes") || !is_digits(first) || !is_digits(last) {
        return None;
    }
    // A number that does not fit 64 bits is behind the end of any file.
    let number = |text: &[u8]| (!text.is_empty()).then(|| decimal(text).unwrap_or(u64::MAX));
    Some((number(first), number(last)))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(select(range.as_bytes(), 100), expected, "{range}");
        }
    }

    #[test]
    fn an_empty_file_is_always_whole() {
        for range in ["bytes=0-", "bytes=-5", "bytes=-0", "bytes=0-0", "bytes=5-"] {
            assert_eq!(select(range.as_bytes(), 0), Selection::Whole, "{range}");
        }
    }
}
