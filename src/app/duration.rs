//! Durations as people write them: `500ms`, `4s`, `10m`, `1h`, and what else `humantime` reads.
//!
//! Contract: a number always has its unit, since `--drain 10` is ten seconds to one reader and ten
//! milliseconds to the next; an error says what would be right; what [`text`] writes for a default,
//! [`parse`] reads back as the same duration.

use std::time::Duration;

use crate::app::defaults::{DURATION_MAX, DURATION_MIN};

/// Digits of a duration: the longest one, one week, has 15 in the smallest unit, nanoseconds.
/// The bound also keeps `humantime` from adding up parts whose sum overflows, where it panics.
const DIGITS_MAX: usize = 15;

/// From one time that something is done to the next; `None` for never. The alias keeps clap from
/// reading the `Option` as "this flag may be absent".
pub(crate) type Interval = Option<Duration>;

/// Reads a duration, which may be zero.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    parse_from(Duration::ZERO, text)
}

/// Reads a duration; an error about one below zero names `least` as the shortest.
fn parse_from(least: Duration, text: &str) -> Result<Duration, String> {
    let below = text.trim_start().strip_prefix('-');
    if below.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit())) {
        let most = DURATION_MAX.as_secs() / 3600;
        return Err(format!("{text} is out of range: {} to {most}h", self::text(least)));
    }
    if digits(text) > DIGITS_MAX {
        return Err(too_long(text));
    }
    match humantime::parse_duration(text) {
        Ok(duration) if duration > DURATION_MAX => Err(too_long(text)),
        Ok(duration) if duration < DURATION_MIN && !duration.is_zero() => {
            Err(format!("{text} is too short: the least is {}", self::text(DURATION_MIN)))
        }
        Ok(duration) => Ok(duration),
        Err(error) => Err(explain(text, &error)),
    }
}

/// Reads a timeout. None of them can be zero: it would be over before the first byte came.
pub(crate) fn parse_timeout(text: &str) -> Result<Duration, String> {
    match parse_from(DURATION_MIN, text)? {
        Duration::ZERO => Err(format!("{text} is no time at all: the least is {}", self::text(DURATION_MIN))),
        timeout => Ok(timeout),
    }
}

/// Reads an interval: a duration, or `off` (which `0` says too) for never.
pub(crate) fn parse_interval(text: &str) -> Result<Interval, String> {
    if matches!(text, "off" | "0") {
        return Ok(None);
    }
    let interval = parse(text).map_err(|error| format!("{error}, or off"))?;
    Ok(Some(interval).filter(|interval| !interval.is_zero()))
}

/// A duration as a flag's default is written.
pub(crate) fn text(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// Zeros before the first other digit do not count: they make no number larger.
fn digits(text: &str) -> usize {
    let digits = text.bytes().filter(u8::is_ascii_digit);
    digits.skip_while(|digit| *digit == b'0').count()
}

fn too_long(text: &str) -> String {
    format!("{text} is too long: the most is {}h", DURATION_MAX.as_secs() / 3600)
}

/// Says what a duration looks like: `humantime` would list all its units and name byte offsets.
fn explain(text: &str, error: &humantime::DurationError) -> String {
    use humantime::DurationError::{NumberOverflow, UnknownUnit};
    if !text.trim_start().starts_with(|first: char| first.is_ascii_digit()) {
        return format!("{text:?} is not a duration: write 500ms, 4s, 10m or 1h");
    }
    match error {
        UnknownUnit { unit, .. } if unit.is_empty() => {
            format!("{text} has no unit: write {text}s or {text}ms")
        }
        NumberOverflow if !text.contains('.') => too_long(text),
        _ => format!("{text:?} is not a duration: a whole number and one of ms, s, m, h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_unit_is_read_and_printed_as_it_was_written() {
        for (written, milliseconds) in [
            ("500ms", 500),
            ("4s", 4000),
            ("10m", 600_000),
            ("1h", 3_600_000),
            ("0s", 0),
            ("168h", 604_800_000),
        ] {
            let duration = parse(written).unwrap();
            assert_eq!(duration, Duration::from_millis(milliseconds), "{written}");
            assert_eq!(parse(&text(duration)).unwrap(), duration, "{written}");
        }
        for written in ["500ms", "4s", "10m", "1h", "0s"] {
            assert_eq!(text(parse(written).unwrap()), written);
        }
        assert_eq!(text(parse("60s").unwrap()), "1m");
        for (written, milliseconds) in [("1500ms", 1500), ("1.5s", 1500), ("4 s", 4000), ("1m 30s", 90_000)] {
            assert_eq!(parse(written), Ok(Duration::from_millis(milliseconds)), "{written}");
        }
        assert_eq!(parse("00000000000000000004s"), Ok(Duration::from_secs(4)));
    }

    #[test]
    fn what_is_no_duration_says_what_one_looks_like() {
        for (text, part) in [
            ("", "write 500ms"),
            ("s", "write 500ms"),
            ("-4s", "-4s is out of range: 0s to 168h"),
            ("-s", "write 500ms"),
            ("+4s", "write 500ms"),
            ("4", "4 has no unit: write 4s or 4ms"),
            ("1.5", "1.5 has no unit: write 1.5s or 1.5ms"),
            ("4-s", "one of ms, s, m, h"),
            ("1.s", "a whole number"),
            ("0.5ns", "a whole number"),
            ("4parsecs", "one of ms, s, m, h"),
            ("4ns", "4ns is too short: the least is 1ms"),
            ("169h", "the most is 168h"),
            ("1year", "the most is 168h"),
            ("999999999999ms 1y", "the most is 168h"),
            ("99999999999999999999h", "the most is 168h"),
            // `humantime` itself panics at this one.
            ("18446744073709551615s 1000ms", "the most is 168h"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_timeout_is_never_zero() {
        assert!(parse_timeout("0ms").unwrap_err().contains("the least is 1ms"));
        assert_eq!(parse_timeout("1ms"), Ok(Duration::from_millis(1)));
    }

    #[test]
    fn never_is_off_or_nothing() {
        let (second, tenth) = (Duration::from_secs(2), Duration::from_millis(100));
        for (text, interval) in
            [("2s", Some(second)), ("off", None), ("0", None), ("0s", None), ("100ms", Some(tenth))]
        {
            assert_eq!(parse_interval(text), Ok(interval), "{text}");
        }
        assert!(parse_interval("2").unwrap_err().ends_with("write 2s or 2ms, or off"));
    }

    proptest! {
        /// A whole number and one unit, the form that is documented, means what it says.
        #[test]
        fn a_number_and_a_unit_is_their_product(number in 0..=168u64, unit in 0..4usize) {
            let (name, scale) = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)][unit];
            prop_assert_eq!(parse(&format!("{number}{name}")), Ok(Duration::from_millis(number * scale)));
        }

        #[test]
        fn no_text_panics(text in "([0-9]{1,20}\\.?[0-9]{0,4} ?(ns|us|µs|ms|s|m|h|d|w|M|y|x|é)? ?){0,4}") {
            if let Ok(duration) = parse(&text) {
                prop_assert!(duration <= DURATION_MAX, "{duration:?}");
            }
        }
    }
}
