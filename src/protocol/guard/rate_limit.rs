//! So many requests a second for each client.
//!
//! Contract: in any stretch of time t a client gets at most `burst + rate * t` requests through; the others are told
//! when to come again. The rule is GCRA (ITU-T I.371), a leaky bucket that needs one number a client: the moment at
//! which its bucket will be empty.
//!
//! Memory is bounded: 65,536 clients are remembered, in 1 MiB. If more than that are over their rate at the same time,
//! the one that owes least is forgotten and begins anew: that lets somebody ask a little more than the limit, and never
//! refuses somebody who has not asked. IPv6 clients are counted by /64, for that is what one of them is given.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::slots::Slots;
use crate::protocol::http::decimal;
use crate::protocol::now::Now;

/// Clients that are remembered: more than a flood from one network has, in 1 MiB.
const CLIENTS: usize = 65_536;

/// The most requests that a rate or a burst may be: beyond it nothing is limited any more.
const REQUESTS_MAX: u64 = 1_000_000;

/// A rate and a burst, as people write them: `10/s`, `100/m,20`, `1000/h`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    requests: u64,
    per: Per,
    /// Requests that may come at once.
    burst: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Per {
    Second,
    Minute,
    Hour,
}

impl Per {
    fn seconds(self) -> u64 {
        match self {
            Per::Second => 1,
            Per::Minute => 60,
            Per::Hour => 3600,
        }
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rate, String> {
        let wanted =
            "write N/s, N/m or N/h, with a burst behind a comma if you like, such as 10/s or 10/s,50";
        let wrong = || format!("{text:?} is not a rate: {wanted}");
        let (rate, burst) = match text.split_once(',') {
            Some((rate, burst)) => (rate, Some(burst)),
            None => (text, None),
        };
        let (requests, per) = rate.split_once('/').ok_or_else(wrong)?;
        let number = |digits: &str| match decimal(digits.as_bytes()).ok_or_else(wrong)? {
            number if (1..=REQUESTS_MAX).contains(&number) => Ok(number),
            number => Err(format!("{text:?}: {number} is out of range: 1 to {REQUESTS_MAX}")),
        };
        let requests = number(requests)?;
        let per = match per {
            "s" => Per::Second,
            "m" => Per::Minute,
            "h" => Per::Hour,
            _ => return Err(wrong()),
        };
        Ok(Rate { requests, per, burst: burst.map_or(Ok(requests), number)? })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = match self.per {
            Per::Second => "s",
            Per::Minute => "m",
            Per::Hour => "h",
        };
        write!(f, "{}/{per},{}", self.requests, self.burst)
    }
}

/// A limit, and what is remembered of clients for it.
#[derive(Debug)]
pub struct RateLimit {
    /// Nanoseconds that one request takes out of the future.
    each: u64,
    /// How far ahead of the present a bucket may be filled, in nanoseconds.
    ahead_max: u64,
    /// For each client when its bucket will be empty, in nanoseconds since `began`.
    empty_at: Slots,
    /// The first moment that it heard of.
    began: OnceLock<Instant>,
}

impl RateLimit {
    /// A limit that remembers nobody yet.
    pub fn new(rate: Rate) -> RateLimit {
        // Rounded up: never more than the rate.
        let each = (rate.per.seconds() * 1_000_000_000).div_ceil(rate.requests);
        let ahead_max = each * (rate.burst - 1);
        RateLimit { each, ahead_max, empty_at: Slots::new(CLIENTS), began: OnceLock::new() }
    }

    /// True if the other one limits to the same.
    pub(super) fn has_rate_of(&self, other: &RateLimit) -> bool {
        (self.each, self.ahead_max) == (other.each, other.ahead_max)
    }

    /// Lets this client ask once, or says how long it has to wait for that.
    pub(crate) fn take(&self, client: IpAddr, now: &Now) -> Result<(), Duration> {
        let began = *self.began.get_or_init(|| now.instant);
        // Not 0, which would be the value of an empty slot. Threads read their clocks at slightly different moments.
        let now = 1 + u64::try_from(now.instant.saturating_duration_since(began).as_nanos())
            .unwrap_or(u64::MAX / 2);
        self.empty_at.with(key(client), |empty_at| {
            let ahead = empty_at.saturating_sub(now);
            if ahead > self.ahead_max {
                return Err(Duration::from_nanos(ahead - self.ahead_max));
            }
            *empty_at = now + ahead + self.each;
            Ok(())
        })
    }
}

/// What clients are told apart by: an IPv4 address, or the first half of an IPv6 one.
fn key(client: IpAddr) -> u64 {
    /// Stands in front of IPv4 addresses. Nobody has an IPv6 address that begins so: 0000::/16 is reserved.
    const IPV4: u64 = 0x0000_ffff << 32;
    match client.to_canonical() {
        IpAddr::V4(address) => IPV4 | u64::from(address.to_bits()),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::start;
    use proptest::prelude::*;

    fn limit(text: &str) -> RateLimit {
        RateLimit::new(text.parse().unwrap())
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn rates_are_written_as_people_write_them() {
        for (text, shown) in [("10/s", "10/s,10"), ("100/m,20", "100/m,20"), ("1/h", "1/h,1")] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), shown);
        }
        for text in ["", "10", "10/d", "/s", "a/s", "10/s,", "1.5/s", "+1/s", "10 / s", "-1/s"] {
            let error = text.parse::<Rate>().unwrap_err();
            assert!(
                error.contains("is not a rate: write N/s") && error.contains(&format!("{text:?}")),
                "{error}"
            );
        }
        for text in ["0/s", "1000001/s", "1/s,0"] {
            assert!(text.parse::<Rate>().unwrap_err().contains("is out of range: 1 to 1000000"), "{text}");
        }
    }

    #[test]
    fn a_burst_passes_at_once_and_then_one_by_one() {
        let (limit, now, client) = (limit("2/s,3"), start(), address("192.0.2.1"));
        let at = |ms| now.after(Duration::from_millis(ms));
        assert_eq!([(); 3].map(|()| limit.take(client, &now)), [Ok(()); 3]);
        assert_eq!(limit.take(client, &now), Err(Duration::from_millis(500)));
        assert_eq!(limit.take(client, &at(400)), Err(Duration::from_millis(100)));
        assert_eq!(limit.take(client, &at(500)), Ok(()));
        assert!(limit.take(client, &at(500)).is_err());
        // Another client is another matter, and after a pause the burst is there again.
        assert_eq!(limit.take(address("192.0.2.2"), &at(500)), Ok(()));
        assert_eq!([(); 3].map(|()| limit.take(client, &at(2500))), [Ok(()); 3]);
        assert!(limit.take(client, &at(2500)).is_err());
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let (limit, now) = (limit("1/h"), start());
        assert!(limit.take(address("2001:db8:0:1::1"), &now).is_ok());
        assert!(limit.take(address("2001:db8:0:1:ffff::2"), &now).is_err());
        assert!(limit.take(address("2001:db8:0:2::1"), &now).is_ok());
        assert!(limit.take(address("192.0.2.1"), &now).is_ok());
        assert!(limit.take(address("::ffff:192.0.2.1"), &now).is_err(), "the same client of IPv4");
    }

    #[test]
    fn a_million_clients_take_no_more_memory_than_the_first() {
        let (limit, now) = (limit("1/h"), start());
        let memory = allocation_counter::measure(|| {
            for number in 0..1_000_000u32 {
                // None of them has asked before: none is refused, however many there are.
                assert!(limit.take(IpAddr::from(number.to_be_bytes()), &now).is_ok());
            }
        });
        assert_eq!((memory.count_total, limit.empty_at.capacity()), (0, CLIENTS));
    }

    #[test]
    fn threads_share_the_limit() {
        let (limit, now, client) = (limit("1/h,1000"), start(), address("192.0.2.1"));
        let passed: usize = std::thread::scope(|scope| {
            let ask = || (0..1000).filter(|_| limit.take(client, &now).is_ok()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 1000);
    }

    proptest! {
        #[test]
        fn in_no_window_more_than_the_burst_and_the_rate(
            requests in 1u64..50,
            burst in 1u64..20,
            per in prop::sample::select(vec!["s", "m"]),
            gaps in prop::collection::vec(0u64..200_000_000, 1..200),
        ) {
            let limit = limit(&format!("{requests}/{per},{burst}"));
            let seconds = if per == "s" { 1.0 } else { 60.0 };
            let (start, client) = (start(), address("192.0.2.1"));
            let mut at = Duration::ZERO;
            let mut passed: Vec<Duration> = Vec::new();
            for gap in gaps {
                at += Duration::from_nanos(gap);
                if limit.take(client, &start.after(at)).is_ok() {
                    passed.push(at);
                }
            }
            // In each window from one that passed to another.
            for (first, from) in passed.iter().enumerate() {
                for (last, to) in passed.iter().enumerate().skip(first) {
                    let time = (*to - *from).as_secs_f64();
                    let most = burst as f64 + time * requests as f64 / seconds;
                    prop_assert!((last - first + 1) as f64 <= most + 1e-6, "{first} to {last}");
                }
            }
        }

        #[test]
        fn who_waits_as_long_as_told_gets_through(requests in 1u64..1000, burst in 1u64..20, asks in 1usize..100) {
            let limit = limit(&format!("{requests}/m,{burst}"));
            let (mut now, client) = (start(), address("192.0.2.1"));
            for _ in 0..asks {
                if let Err(wait) = limit.take(client, &now) {
                    now = now.after(wait);
                    prop_assert_eq!(limit.take(client, &now), Ok(()));
                }
            }
        }
    }
}
