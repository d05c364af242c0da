//! Health checks of our own kind, recognised by those who are checked.
//!
//! Contract: only a request that is a check and nothing else is taken for one, since the access log tells of checks
//! at `debug` only. Who may send one is for [`ClientIdentity`](super::proxy_header::ClientIdentity) to say.

use super::http::Method;
use super::http::head::RequestHead;
use crate::balance::limits::CHECK_AGENT;

/// True if `head` is one that `Probe::Head` makes: `HEAD`, with these three fields and no other.
pub(crate) fn is_health_check(head: &RequestHead<'_>) -> bool {
    let is_ours = |name: &str, value: &[u8]| match name {
        _ if name.eq_ignore_ascii_case("host") => true,
        _ if name.eq_ignore_ascii_case("connection") => value.eq_ignore_ascii_case(b"close"),
        _ if name.eq_ignore_ascii_case("user-agent") => value.starts_with(CHECK_AGENT.as_bytes()),
        _ => false,
    };
    head.method == Method::Head
        && head.fields.iter().count() == 3
        && head.fields.only("user-agent").is_some()
        && head.fields.iter().all(|field| is_ours(field.name, field.value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::health::Probe;
    use crate::protocol::testing::leaked_space;

    fn is_check(bytes: &[u8]) -> bool {
        is_health_check(&RequestHead::parse(bytes, leaked_space()).unwrap().unwrap())
    }

    #[test]
    fn a_check_is_known_and_nothing_else_is() {
        let check = String::from_utf8(Probe::Head("/health".to_owned()).request("127.0.0.1:9001")).unwrap();
        assert!(is_check(check.as_bytes()), "{check}");
        for (part, other) in [
            ("HEAD", "GET"),
            ("giliran-check", "curl"),
            ("Connection: close", "Connection: keep-alive"),
            ("Connection: close\r\n", ""),
            ("Connection: close", "Connection: close\r\nX-Forwarded-For: 192.0.2.1"),
            ("User-Agent: ", "X-Agent: "),
            ("Connection: close", "X-Agent: giliran-check/1"),
        ] {
            assert!(!is_check(check.replace(part, other).as_bytes()), "{other}");
        }
    }
}
