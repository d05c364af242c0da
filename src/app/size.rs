//! Sizes as people write them: `512`, `16k`, `10m`, `2g`, in bytes and powers of 1024, as in nginx.
//!
//! Contract: what [`text`] writes for a default, [`from`] reads back as the same size.

use crate::protocol::limits::CONTENT_BYTES_MAX;

/// The letters behind a number, with what each stands for; the largest first.
const UNITS: [(char, u64); 3] = [('g', 1 << 30), ('m', 1 << 20), ('k', 1 << 10)];

/// Reads a size from `least` to `most` bytes.
pub(crate) fn from(least: u64, most: u64) -> impl Fn(&str) -> Result<u64, String> + Clone + Send + Sync {
    move |written| {
        let wrong =
            || format!("{written:?} is not a size: write a number of bytes, such as 500, 16k, 10m or 2g");
        let unit = written.chars().next_back().map(|last| last.to_ascii_lowercase());
        let unit = UNITS.iter().find(|(letter, _)| unit == Some(*letter));
        let digits = if unit.is_some() { &written[..written.len() - 1] } else { written };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        // Too large for the type is too large for every limit.
        let number = digits.parse::<u64>().unwrap_or(u64::MAX);
        let size = number.saturating_mul(unit.map_or(1, |(_, bytes)| *bytes));
        match (least..=most).contains(&size) {
            true => Ok(size),
            false => Err(format!("{written} is out of range: {} to {}", text(least), text(most))),
        }
    }
}

/// Reads the size of a body, which may be as long as any.
pub(crate) fn of_body(written: &str) -> Result<u64, String> {
    from(0, CONTENT_BYTES_MAX)(written)
}

/// A size as a flag's default is written.
pub(crate) fn text(size: u64) -> String {
    let unit = UNITS.iter().find(|(_, bytes)| size > 0 && size.is_multiple_of(*bytes));
    unit.map_or_else(|| size.to_string(), |(letter, bytes)| format!("{}{letter}", size / bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_with_a_letter_or_without() {
        for (written, bytes) in [
            ("0", 0),
            ("500", 500),
            ("16k", 16_384),
            ("16K", 16_384),
            ("10m", 10_485_760),
            ("2g", 2_147_483_648),
        ] {
            assert_eq!(of_body(written), Ok(bytes), "{written}");
            assert_eq!(of_body(&text(bytes)), Ok(bytes), "{written}");
        }
        for written in ["", "k", "1.5m", "-1", "+1", "1 k", "10mb", "1é"] {
            let error = of_body(written).unwrap_err();
            assert!(error.contains("is not a size") && error.contains(&format!("{written:?}")), "{error}");
        }
        for written in ["255", "17k", "99999999999999999999g"] {
            let error = from(256, 16_384)(written).unwrap_err();
            assert_eq!(error, format!("{written} is out of range: 256 to 16k"));
        }
    }
}
