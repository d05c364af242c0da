//! A back end as people write it: `name:80`, `http://name`, `https://name:8443`, each with words behind it that
//! say how much it gets: `name:80 weight=3 backup` (the words of nginx and HAProxy).
//!
//! Contract: parsing does no lookup, and what is printed can be read back.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

use super::endpoint::Endpoint;
use crate::balance::Member;
use crate::balance::limits::WEIGHT_MAX;

/// The scheme of a back end with TLS, and its port.
const HTTPS: (&str, u16) = ("https://", 443);

/// A back end, or as many as its name has addresses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Target {
    /// Where it is.
    pub(crate) endpoint: Endpoint,
    /// Connections to it are encrypted with TLS.
    pub(crate) is_secure: bool,
    /// How many turns it gets for each turn of a back end with weight 1.
    pub(crate) weight: u32,
    /// It gets turns only while none of the others is up.
    pub(crate) is_backup: bool,
}

impl Target {
    /// The back end at one of its addresses.
    pub(crate) fn member(&self, address: SocketAddr) -> Member {
        let named = self.endpoint.is_name() || self.is_secure;
        Member {
            address,
            host: named.then(|| Arc::from(self.endpoint.host.as_str())),
            is_secure: self.is_secure,
            weight: self.weight,
            is_backup: self.is_backup,
        }
    }
}

impl From<Endpoint> for Target {
    fn from(endpoint: Endpoint) -> Target {
        Target { endpoint, is_secure: false, weight: 1, is_backup: false }
    }
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Target {
        Target::from(Endpoint::from(address))
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        let mut words = text.split_ascii_whitespace();
        let place = words.next().unwrap_or_default();
        let is_secure = place.get(..HTTPS.0.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(HTTPS.0));
        let endpoint = match is_secure {
            true => Endpoint::parse_authority(place, &place[HTTPS.0.len()..], HTTPS)?,
            false => Endpoint::parse_target(place)?,
        };
        let mut target = Target { is_secure, ..Target::from(endpoint) };
        for word in words {
            match word.split_once('=') {
                Some(("weight", number)) => target.weight = weight(text, number)?,
                None if word == "backup" => target.is_backup = true,
                _ => return Err(format!("{text:?}: {word:?} is neither weight=N nor backup")),
            }
        }
        Ok(target)
    }
}

fn weight(text: &str, number: &str) -> Result<u32, String> {
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let weight = number.parse().ok().filter(|weight| is_number && (1..=WEIGHT_MAX).contains(weight));
    weight.ok_or_else(|| format!("{text:?}: {number:?} is not a weight from 1 to {WEIGHT_MAX}"))
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_secure {
            f.write_str(HTTPS.0)?;
        }
        write!(f, "{}", self.endpoint)?;
        if self.weight != 1 {
            write!(f, " weight={}", self.weight)?;
        }
        if self.is_backup {
            f.write_str(" backup")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_printed_can_be_read_back() {
        for (text, printed) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("80", "127.0.0.1:80"),
            ("http://name", "name:80"),
            ("https://name", "https://name:443"),
            ("HTTPS://name:8443/", "https://name:8443"),
            ("https://[::1] weight=1", "https://[::1]:443"),
            ("name:80  backup weight=3", "name:80 weight=3 backup"),
        ] {
            assert_eq!(target(text).to_string(), printed);
            assert_eq!(target(printed), target(text));
        }
    }

    #[test]
    fn an_error_names_the_word() {
        for (text, part) in [
            ("", "write HOST:PORT"),
            ("name:80 weight=0", "\"0\" is not a weight from 1 to"),
            ("name:80 weight=+1", "\"+1\" is not a weight"),
            ("name:80 weight=257", "\"257\" is not a weight"),
            ("name:80 Backup", "\"Backup\" is neither weight=N nor backup"),
            ("name:80 backup=1", "\"backup=1\" is neither"),
            ("https://name/path", "more than an address"),
            ("https://", "write https://HOST"),
            ("https://name:0", "port 0"),
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_back_end_keeps_the_name_that_its_certificate_must_have() {
        let address = SocketAddr::from(([127, 0, 0, 1], 443));
        let host = |text: &str| target(text).member(address).host.map(|host| host.to_string());
        assert_eq!(host("127.0.0.1:80"), None);
        assert_eq!(host("name:80").as_deref(), Some("name"));
        assert_eq!(host("https://127.0.0.1").as_deref(), Some("127.0.0.1"));
    }
}
