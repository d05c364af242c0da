//! Durations as people write them: `500ms`, `4s`, `10m`, `1h`.
//!
//! Contract: a number always has its unit, since `--drain 10` is ten seconds to one reader and ten
//! milliseconds to the next; what [`Period`] prints, it reads back as the same duration.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::app::defaults::PERIOD_MAX;

/// The units, largest first, in milliseconds.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// A duration with a text form: a whole number and its unit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Period(pub Duration);

impl Period {
    /// Reads a deadline. None of them can be zero: it would pass before the first byte came.
    pub fn parse_deadline(text: &str) -> Result<Period, String> {
        let period = text.parse::<Period>()?;
        if period.0.is_zero() {
            return Err(format!("{text} is no time at all: the least is 1ms"));
        }
        Ok(period)
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Period, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        if number.is_empty() {
            return Err(format!("{text:?} is not a duration: write 500ms, 4s, 10m or 1h"));
        }
        if unit.is_empty() {
            return Err(format!("{text} has no unit: write {text}s or {text}ms"));
        }
        let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(format!("{text:?} is not a duration: a whole number and one of ms, s, m, h"));
        };
        let milliseconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*scale));
        match milliseconds.map(Duration::from_millis) {
            Some(duration) if duration <= PERIOD_MAX => Ok(Period(duration)),
            _ => Err(format!("{text} is too long: the most is {}", Period(PERIOD_MAX))),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_millis();
        // The largest unit that leaves no rest, so that 10 minutes are `10m` and not `600000ms`.
        let exact = UNITS.iter().find(|(_, scale)| milliseconds.is_multiple_of(u128::from(*scale)));
        match exact {
            Some((unit, scale)) if milliseconds > 0 => {
                write!(f, "{}{unit}", milliseconds / u128::from(*scale))
            }
            _ => f.write_str("0s"),
        }
    }
}

/// How often something is done: a duration, or `off` (which `0` says too) for never.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Every(pub Option<Duration>);

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Every, String> {
        if matches!(text, "off" | "0") {
            return Ok(Every(None));
        }
        let Period(duration) = text.parse().map_err(|error| format!("{error}, or off"))?;
        Ok(Every(Some(duration).filter(|duration| !duration.is_zero())))
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(duration) => Period(duration).fmt(f),
            None => f.write_str("off"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_is_read_and_printed_as_it_was_written() {
        for (text, milliseconds) in
            [("500ms", 500), ("4s", 4000), ("1500ms", 1500), ("10m", 600_000), ("1h", 3_600_000), ("0s", 0)]
        {
            let period = text.parse::<Period>().unwrap();
            assert_eq!(period.0, Duration::from_millis(milliseconds), "{text}");
            assert_eq!(period.to_string(), text);
        }
        assert_eq!("60s".parse::<Period>().unwrap().to_string(), "1m");
    }

    #[test]
    fn what_is_no_duration_says_what_one_looks_like() {
        for (text, part) in [
            ("", "write 500ms"),
            ("s", "write 500ms"),
            ("-4s", "write 500ms"),
            ("+4s", "write 500ms"),
            ("4", "4 has no unit: write 4s or 4ms"),
            ("4 s", "one of ms, s, m, h"),
            ("1.5s", "a whole number"),
            ("4parsecs", "one of ms, s, m, h"),
            ("169h", "the most is 168h"),
            ("99999999999999999999h", "the most is 168h"),
        ] {
            let error = text.parse::<Period>().unwrap_err();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_deadline_is_never_zero() {
        assert!(Period::parse_deadline("0ms").unwrap_err().contains("the least is 1ms"));
        assert_eq!(Period::parse_deadline("1ms").unwrap().0, Duration::from_millis(1));
    }

    #[test]
    fn never_is_off_or_nothing() {
        for (text, shown) in [("2s", "2s"), ("off", "off"), ("0", "off"), ("0s", "off"), ("100ms", "100ms")] {
            assert_eq!(text.parse::<Every>().unwrap().to_string(), shown);
        }
        assert!("2".parse::<Every>().unwrap_err().ends_with("write 2s or 2ms, or off"));
    }
}
