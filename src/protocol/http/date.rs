//! Dates as HTTP writes them (RFC 9110 section 5.6.7): one form to send, three to understand.

use std::cell::Cell;

use chrono::{DateTime, NaiveDateTime};

/// Bytes of an IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub const DATE_BYTES: usize = 29;

thread_local! {
    /// The second formatted last: `Date` changes once a second, answers come thousands of times.
    static LAST: Cell<(u64, [u8; DATE_BYTES])> = const { Cell::new((u64::MAX, [0; DATE_BYTES])) };
}

/// The IMF-fixdate of a moment in seconds since 1970; past the year 9999 that of 1970, as it has no other.
pub fn format(unix_seconds: u64) -> [u8; DATE_BYTES] {
    let (second, text) = LAST.get();
    if second == unix_seconds {
        return text;
    }
    let text = imf_fixdate(unix_seconds).or_else(|| imf_fixdate(0)).unwrap_or([b' '; DATE_BYTES]);
    LAST.set((unix_seconds, text));
    text
}

fn imf_fixdate(unix_seconds: u64) -> Option<[u8; DATE_BYTES]> {
    let date = DateTime::from_timestamp(i64::try_from(unix_seconds).ok()?, 0)?;
    date.format("%a, %d %b %Y %H:%M:%S GMT").to_string().into_bytes().try_into().ok()
}

/// Seconds since 1970 of a date in any of the three forms; `None` for anything else, and before 1970.
pub fn parse(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let forms = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    let date = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    u64::try_from(date.and_utc().timestamp()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_are_one_moment() {
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(parse(text.as_bytes()), Some(784_111_777), "{text}");
        }
        assert_eq!(&format(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(&format(0), b"Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(&format(u64::MAX - 1), b"Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn other_texts_are_no_dates() {
        for text in ["", "yesterday", "Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET", "1"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
