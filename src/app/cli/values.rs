//! Parsers of single values whose types alone do not say what makes sense.
//!
//! Contract: an error repeats the value and says what would be right, since it is shown as it is.

use crate::app::suite;

/// A whole number from `least` to `most`.
pub(super) fn count(
    least: usize,
    most: usize,
) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync {
    move |text| {
        // Digits by hand: `parse` alone would take "+8".
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("{text:?} is not a whole number"));
        }
        match text.parse::<usize>() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(format!("{text} is out of range: {least} to {most}")),
        }
    }
}

/// The first port of the suite: 0, or one that leaves room for all of them.
pub(super) fn port_base(text: &str) -> Result<u16, String> {
    let most = u16::MAX - suite::PORT_OFFSET_MAX;
    let port = count(0, usize::from(most))(text)?;
    u16::try_from(port).map_err(|_| format!("{text} is out of range: 0 to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_keep_to_their_range() {
        let count = count(1, 10);
        assert_eq!(count("10"), Ok(10));
        for (text, part) in [
            ("0", "0 is out of range: 1 to 10"),
            ("11", "1 to 10"),
            ("+5", "not a whole"),
            ("", "not a whole"),
        ] {
            assert!(count(text).unwrap_err().contains(part), "{text:?}");
        }
        assert!(count("99999999999999999999999").unwrap_err().contains("1 to 10"));
    }

    #[test]
    fn the_port_base_leaves_room() {
        assert_eq!(port_base("0"), Ok(0));
        assert!(port_base("65535").unwrap_err().contains("out of range"));
    }
}
