//! Which names are this machine's own business: those of its hosts file, and `localhost`.
//!
//! Contract: it only says whether a name is among them. Their addresses come from the system's resolver, which reads
//! the same file and knows all of its rules.

use std::fs::File;
use std::io::Read;

use crate::net::limits::HOSTS_BYTES_MAX;

/// Where the system keeps it.
#[cfg(unix)]
const HOSTS: &str = "/etc/hosts";
#[cfg(windows)]
const HOSTS: &str = r"C:\Windows\System32\drivers\etc\hosts";

/// True for `localhost` and the names below it, which name servers are never asked for (RFC 6761 section 6.3).
pub(super) fn is_loopback(name: &str) -> bool {
    is_or_is_below(name, "localhost")
}

/// True for names that nobody will ever have (RFC 6761 section 6.4).
pub(super) fn is_nobodys(name: &str) -> bool {
    is_or_is_below(name, "invalid")
}

/// True if the hosts file has this name.
pub(super) fn has(name: &str) -> bool {
    let mut text = Vec::new();
    // A file that cannot be read has no name.
    let _ = File::open(HOSTS).map(|file| file.take(HOSTS_BYTES_MAX).read_to_end(&mut text));
    names(&String::from_utf8_lossy(&text), name)
}

/// True if a hosts file with this text has this name.
fn names(text: &str, name: &str) -> bool {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines.flat_map(|line| line.split_ascii_whitespace().skip(1)).any(|one| one.eq_ignore_ascii_case(name))
}

fn is_or_is_below(name: &str, domain: &str) -> bool {
    let last = name.strip_suffix('.').unwrap_or(name).rsplit('.').next();
    last.is_some_and(|last| last.eq_ignore_ascii_case(domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_address_and_its_names() {
        let text =
            "127.0.0.1 localhost\n::1\tip6-localhost loop # home\n# 192.0.2.1 away\n10.0.0.1 Web.Example\n";
        for name in ["localhost", "ip6-localhost", "loop", "web.example"] {
            assert!(names(text, name), "{name}");
        }
        for name in ["127.0.0.1", "home", "away", "web", "10.0.0.1", ""] {
            assert!(!names(text, name), "{name}");
        }
    }

    #[test]
    fn some_names_are_special() {
        assert!(is_loopback("localhost") && is_loopback("a.LOCALHOST."));
        assert!(!is_loopback("localhost.example") && !is_loopback("mylocalhost"));
        assert!(is_nobodys("name.invalid") && !is_nobodys("invalid.example"));
    }
}
