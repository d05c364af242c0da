//! HTTP dates (RFC 9110 section 5.6.7): one format to write, three to read.

use std::cell::Cell;

use chrono::{DateTime, NaiveDateTime};

/// Bytes of an IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) const DATE_BYTES: usize = 29;

thread_local! {
    /// The second that was formatted last. `Date` changes once a second, and a thread may send thousands of
    /// responses in that time.
    static LAST: Cell<(u64, [u8; DATE_BYTES])> = const { Cell::new((u64::MAX, [0; DATE_BYTES])) };
}

/// The IMF-fixdate of a time in seconds since 1970. A time after the year 9999, which the format cannot write,
/// gives the date of 1970.
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

/// The seconds since 1970 of a date in any of the three formats; `None` for anything else, and before 1970.
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
    fn the_three_formats_are_read() {
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
    fn other_texts_are_not_dates() {
        for text in ["", "yesterday", "Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET", "1"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
