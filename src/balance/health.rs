//! When a back end is checked, and what the checks say about it.
//!
//! Contract: no socket and no clock in here. Results of checks go in; the moment of the next one
//! and the change that a result makes come out. The rules are HAProxy's `check inter fall rise`:
//!
//! ```text
//!            CHECK_FALL checks failed in a row
//!     up ----------------------------------------> out
//!      ^                                            |
//!      +---- CHECK_RISE checks passed in a row -----+
//! ```
//!
//! - A back end counts as up until it is checked, and its first check decides alone whether it
//!   stays so: nothing is known of it that the first failure would have to outweigh.
//! - Failures that connections report are the fast way out and never the way back: what they took
//!   out ([`mark_out`](Health::mark_out)) comes back by the rise too.
//! - Checks of one interval drift apart by [`CHECK_JITTER`], so that a hundred back ends, or a
//!   hundred balancers before one, are not checked in the same millisecond for ever.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::balance::limits::{CHECK_ANSWER_BYTES_MAX, CHECK_FALL, CHECK_JITTER, CHECK_RISE};

/// What a back end is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Probe {
    /// Nothing: that it accepts a connection is enough.
    Connect,
    /// The head of what is at this path.
    Head(String),
}

/// What the checks of one back end have come to.
#[derive(Clone, Debug)]
pub struct Health {
    interval: Duration,
    is_up: bool,
    /// Results in a row that speak against the present state.
    against: u32,
    due: Instant,
    random: u64,
}

/// What a result changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// It goes out.
    Out,
    /// It comes back.
    Back,
}

impl Health {
    /// A back end that is known from `now` on. It is left alone for an interval first: it may have
    /// been started together with us. `seed` is any number, another one for each back end.
    pub fn new(interval: Duration, seed: u64, now: Instant) -> Health {
        // Never 0, of which xorshift makes nothing but 0.
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut health = Health { interval, is_up: true, against: CHECK_FALL - 1, due: now, random };
        health.began(now);
        health
    }

    /// When the next check is to begin.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// A check has begun: the next one is due an interval later, give or take the jitter.
    pub fn began(&mut self, now: Instant) {
        self.due = now + self.interval.mul_f64(1.0 + CHECK_JITTER * self.between_minus_one_and_one());
    }

    /// A check has passed.
    pub fn passed(&mut self) -> Option<Change> {
        match self.is_up {
            true => self.confirmed(),
            false => self.contradicted(CHECK_RISE, Change::Back),
        }
    }

    /// A check has failed.
    pub fn failed(&mut self) -> Option<Change> {
        match self.is_up {
            true => self.contradicted(CHECK_FALL, Change::Out),
            false => self.confirmed(),
        }
    }

    /// Something else took it out: it has the whole rise before it.
    pub fn mark_out(&mut self) {
        if self.is_up {
            self.is_up = false;
            self.against = 0;
        }
    }

    fn confirmed(&mut self) -> Option<Change> {
        self.against = 0;
        None
    }

    fn contradicted(&mut self, enough: u32, change: Change) -> Option<Change> {
        self.against += 1;
        if self.against < enough {
            return None;
        }
        self.is_up = change == Change::Back;
        self.against = 0;
        Some(change)
    }

    /// The next number of xorshift64: no secret hangs on it, only that back ends differ.
    fn between_minus_one_and_one(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

impl Probe {
    /// The bytes to send to the back end at `host`; empty if a connection is enough.
    pub fn request(&self, host: impl fmt::Display) -> Vec<u8> {
        let Probe::Head(path) = self else { return Vec::new() };
        let version = env!("CARGO_PKG_VERSION");
        let head = format!(
            "HEAD {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: giliran-check/{version}\r\nConnection: close\r\n\r\n"
        );
        head.into_bytes()
    }
}

impl FromStr for Probe {
    type Err = String;

    /// A path, or `off` for no question at all.
    fn from_str(text: &str) -> Result<Probe, String> {
        match text {
            "off" => Ok(Probe::Connect),
            // It goes into a request line as it is.
            path if path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Ok(Probe::Head(path.to_owned()))
            }
            _ => Err(format!("{text:?} is no path: write one that starts with /, or off")),
        }
    }
}

/// What the first bytes of an answer to [`Probe::Head`] say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// Too little to tell.
    Partial,
    /// A status that a working server gives. 501 is one: it does its work and knows no HEAD, as
    /// many a small server of a course does; so is every 4xx, for the path need not exist.
    Well(u16),
    /// Another 5xx: it says itself that it does not work.
    Ill(u16),
    /// Not HTTP/1.
    Nonsense,
}

impl Answer {
    /// Reads the status line as far as the status: `HTTP/1.` digit, space, three digits (RFC 9112 section 4).
    pub fn of(bytes: &[u8]) -> Answer {
        let (pattern, length) = (b"HTTP/1.d ddd", bytes.len().min(CHECK_ANSWER_BYTES_MAX));
        let fits = |(byte, wanted): (&u8, &u8)| match wanted {
            b'd' => byte.is_ascii_digit(),
            wanted => byte == wanted,
        };
        if !bytes[..length].iter().zip(pattern).all(fits) {
            return Answer::Nonsense;
        }
        let Some([hundreds, tens, ones]) = bytes.get(9..12) else { return Answer::Partial };
        let digit = |byte: &u8| u16::from(byte - b'0');
        match 100 * digit(hundreds) + 10 * digit(tens) + digit(ones) {
            status @ (100..=499 | 501) => Answer::Well(status),
            status @ 500..=599 => Answer::Ill(status),
            _ => Answer::Nonsense,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INTERVAL: Duration = Duration::from_secs(2);

    fn health() -> Health {
        Health::new(INTERVAL, 7, Instant::now())
    }

    /// What each result of a row (`+` passed, `-` failed, `!` marked out) changes.
    fn changes(health: &mut Health, results: &str) -> Vec<(usize, Change)> {
        let result = |(place, result)| {
            let change = match result {
                '+' => health.passed(),
                '-' => health.failed(),
                _ => {
                    health.mark_out();
                    None
                }
            };
            change.map(|change| (place, change))
        };
        results.chars().enumerate().filter_map(result).collect()
    }

    #[test]
    fn three_failures_take_out_and_two_passes_bring_back() {
        let mut health = health();
        assert_eq!(changes(&mut health, "+---++"), [(3, Change::Out), (5, Change::Back)]);
        assert_eq!(changes(&mut health, "--+--+--+"), []);
        assert_eq!(changes(&mut health, "---+-+-++"), [(2, Change::Out), (8, Change::Back)]);
    }

    #[test]
    fn the_first_check_decides_alone() {
        assert_eq!(changes(&mut health(), "-"), [(0, Change::Out)]);
        assert_eq!(changes(&mut health(), "+--"), []);
    }

    #[test]
    fn what_was_marked_out_has_the_whole_rise_before_it() {
        let mut health = health();
        assert_eq!(changes(&mut health, "+!++"), [(3, Change::Back)]);
        assert_eq!(changes(&mut health, "!+!+"), [(3, Change::Back)], "out is out: no second rise");
        assert_eq!(changes(&mut health, "!---"), [], "it is out already");
    }

    #[test]
    fn only_a_connection_asks_for_nothing() {
        assert_eq!(Probe::Connect.request("127.0.0.1:1"), b"");
        let request = Probe::Head("/sehat?x".to_owned()).request("[::1]:80");
        let request = String::from_utf8(request).unwrap();
        assert!(request.starts_with("HEAD /sehat?x HTTP/1.1\r\nHost: [::1]:80\r\n"), "{request}");
        assert!(request.ends_with("Connection: close\r\n\r\n"), "{request}");
    }

    #[test]
    fn a_path_is_what_fits_into_a_request_line() {
        assert_eq!("/a?b=%20".parse(), Ok(Probe::Head("/a?b=%20".to_owned())));
        assert_eq!("off".parse(), Ok(Probe::Connect));
        for text in ["", "a", "/a b", "/a\r\nX: y", "/\u{e9}", "http://a/"] {
            assert!(text.parse::<Probe>().unwrap_err().contains("starts with /"), "{text:?}");
        }
    }

    #[test]
    fn an_answer_is_judged_by_its_status_alone() {
        for (bytes, answer) in [
            ("HTTP/1.1 200 OK\r\n", Answer::Well(200)),
            ("HTTP/1.0 404 Not Found", Answer::Well(404)),
            ("HTTP/1.1 501 x", Answer::Well(501)),
            ("HTTP/1.1 500", Answer::Ill(500)),
            ("HTTP/1.1 503 Service Unavailable", Answer::Ill(503)),
            ("HTTP/1.1 999 x", Answer::Nonsense),
            ("HTTP/2 200", Answer::Nonsense),
            ("HTTP/1.1  200", Answer::Nonsense),
            ("HTTP/1.1 +20", Answer::Nonsense),
            ("220 mail.example ESMTP", Answer::Nonsense),
        ] {
            assert_eq!(Answer::of(bytes.as_bytes()), answer, "{bytes}");
        }
        assert!((0..12).all(|count| Answer::of(&b"HTTP/1.1 200"[..count]) == Answer::Partial));
    }

    proptest! {
        #[test]
        fn the_next_check_is_an_interval_away_give_or_take_the_jitter(seed: u64, milliseconds in 1u64..100_000) {
            let (interval, start) = (Duration::from_millis(milliseconds), Instant::now());
            let mut health = Health::new(interval, seed, start);
            for _ in 0..50 {
                let away = (health.due() - start).as_secs_f64() / interval.as_secs_f64();
                prop_assert!((1.0 - CHECK_JITTER - 1e-3..=1.0 + CHECK_JITTER + 1e-3).contains(&away), "{}", away);
                health.began(start);
            }
        }

        #[test]
        fn changes_alternate_and_each_has_its_row(results in "[+-]{0,60}") {
            let found = changes(&mut health(), &results);
            let mut expected = Change::Out;
            for (place, change) in found {
                prop_assert_eq!(change, expected);
                let (row, mark) = match change { Change::Out => (CHECK_FALL, "-"), Change::Back => (CHECK_RISE, "+") };
                let from = (place + 1).saturating_sub(row as usize);
                prop_assert_eq!(&results[from..=place], mark.repeat(place + 1 - from));
                expected = match change { Change::Out => Change::Back, Change::Back => Change::Out };
            }
        }

        #[test]
        fn any_bytes_are_judged_alike_in_any_split(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            // Once there is a verdict, further bytes do not change it.
            let verdicts: Vec<Answer> = (0..=bytes.len()).map(|count| Answer::of(&bytes[..count])).collect();
            let first = verdicts.iter().find(|verdict| **verdict != Answer::Partial);
            prop_assert!(first.is_none() || verdicts.iter().skip_while(|v| **v == Answer::Partial).all(|v| Some(v) == first));
        }
    }
}
