//! The identifier of a request, by which its lines in the logs of all programs on its way are found.
//!
//! Contract: one that is made is different from all others and cannot be guessed, without a clock or a lock. One that
//! comes from a trusted peer is taken over if it is short and plain, so that it does no harm in a log or a head.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

/// The field that carries it, as in nginx's and HAProxy's examples, Heroku and Rails.
pub(crate) const FIELD: &str = "X-Request-Id";

/// Bytes of an identifier that is taken over: enough for those of all that we know (Envoy: 36, Amazon: 74).
const TAKEN_BYTES_MAX: usize = 128;

/// Makes an identifier for a request of a connection: 128 bits in hexadecimal digits, as nginx's `$request_id`.
///
/// The numbers are different for each request of this process. SipHash with a key that the system drew at random
/// makes of them what nobody else can foresee.
pub(crate) fn make(connection: u64, request: u32) -> String {
    static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(|| [RandomState::new(), RandomState::new()]);
    let [high, low] = [&KEYS[0], &KEYS[1]].map(|key| key.hash_one((connection, request)));
    format!("{high:016x}{low:016x}")
}

/// The identifier that a trusted peer has sent, if it can be taken over.
pub(crate) fn taken(value: &[u8]) -> Option<&str> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:+/=@".contains(byte);
    let is_fit = (1..=TAKEN_BYTES_MAX).contains(&value.len()) && value.iter().all(is_plain);
    std::str::from_utf8(value).ok().filter(|_| is_fit)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_is_different() {
        let ids: HashSet<String> = (0..100).flat_map(|one| (0..10).map(move |two| make(one, two))).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())));
    }

    #[test]
    fn one_that_comes_must_be_short_and_plain() {
        let (longest, longer) = ("a".repeat(128), "a".repeat(129));
        for (value, is_fit) in [
            ("6ba7b810-9dad-11d1-80b4-00c04fd430c8", true),
            ("Root=1-67891233-abcdef012345678912345678", true),
            (&longest, true),
            (&longer, false),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            ("é", false),
        ] {
            assert_eq!(taken(value.as_bytes()), is_fit.then_some(value));
        }
    }
}
