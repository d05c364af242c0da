//! A back end as people write it: `name:80`, `http://name`, `https://name:8443`, or a service whose records name hosts
//! and ports, `srv:_http._tcp.name`; each with words behind it that say how much it gets: `name:80 weight=3 backup`
//! (the words of nginx and HAProxy).
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

/// What a service begins with.
const SRV: &str = "srv:";

/// Where back ends are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// A host and a port.
    Host(Endpoint),
    /// The name of a service: its records (SRV, RFC 2782) name the hosts and ports.
    Service(String),
}

/// A back end, or as many as its name has addresses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// Where it is.
    pub(crate) place: Place,
    /// Connections to it are encrypted with TLS.
    pub(crate) is_secure: bool,
    /// How many turns it gets for each turn of a back end with weight 1.
    pub(crate) weight: u32,
    /// It gets turns only while none of the others is up.
    pub(crate) is_backup: bool,
}

impl Target {
    /// The back end at one of its addresses. Which host of a service that is, its records say.
    pub(crate) fn member(&self, address: SocketAddr) -> Member {
        let (host, service) = match &self.place {
            Place::Host(endpoint) => {
                let is_named = endpoint.is_name() || self.is_secure;
                (is_named.then(|| Arc::from(endpoint.host.as_str())), None)
            }
            Place::Service(name) => (None, Some(Arc::from(name.as_str()))),
        };
        Member {
            address,
            host,
            service,
            is_secure: self.is_secure,
            weight: self.weight,
            is_backup: self.is_backup,
        }
    }

    /// True if it is found by a name: then its addresses may change.
    pub(crate) fn is_name(&self) -> bool {
        match &self.place {
            Place::Host(endpoint) => endpoint.is_name(),
            Place::Service(_) => true,
        }
    }
}

impl From<Endpoint> for Target {
    fn from(endpoint: Endpoint) -> Target {
        Target { place: Place::Host(endpoint), is_secure: false, weight: 1, is_backup: false }
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
        let place = match service(place) {
            Some(name) => Place::Service(name?),
            None if is_secure => {
                Place::Host(Endpoint::parse_authority(place, &place[HTTPS.0.len()..], HTTPS)?)
            }
            None => Place::Host(Endpoint::parse_target(place)?),
        };
        let mut target = Target { place, is_secure, weight: 1, is_backup: false };
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

/// The name of a service, if it is one. `srv:80` is port 80 of a host called `srv`.
fn service(place: &str) -> Option<Result<String, String>> {
    let prefix = place.get(..SRV.len()).filter(|prefix| prefix.eq_ignore_ascii_case(SRV))?;
    let name = &place[prefix.len()..];
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(match is_host_name(name) {
        true => Ok(name.to_owned()),
        false => Err(format!(
            "{place:?} is not a service: write {SRV}NAME without a port, which its records name, such as \
             {SRV}_http._tcp.web.example"
        )),
    })
}

/// True for letters, digits, `-`, `_` and `.`, no part of it empty but the one behind a dot at its end, and no longer
/// than names may be (RFC 1035: 63 bytes a part, 253 together).
pub(super) fn is_host_name(name: &str) -> bool {
    let is_part = |part: &str| (1..=63).contains(&part.len());
    let name = name.strip_suffix('.').unwrap_or(name);
    name.len() <= 253
        && name.split('.').all(is_part)
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
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
        match &self.place {
            Place::Host(endpoint) => write!(f, "{endpoint}")?,
            Place::Service(name) => write!(f, "{SRV}{name}")?,
        }
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
            ("srv:80", "srv:80"),
            ("SRV:_http._tcp.web.default.svc", "srv:_http._tcp.web.default.svc"),
            ("srv:web.service.consul. weight=2 backup", "srv:web.service.consul. weight=2 backup"),
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
            ("srv:", "\"srv:\" is not a service: write srv:NAME"),
            ("srv:_http._tcp.name:80", "without a port"),
            ("srv:a..b", "is not a service"),
            ("srv:https://name", "is not a service"),
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

    #[test]
    fn a_service_is_a_name_and_no_host() {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        let member = target("srv:_http._tcp.name").member(address);
        assert_eq!((member.host, member.service.as_deref()), (None, Some("_http._tcp.name")));
        for (text, is_name) in [("srv:a.b", true), ("srv:80", true), ("name:80", true), ("[::1]:80", false)] {
            assert_eq!(target(text).is_name(), is_name, "{text}");
        }
        assert!(!is_host_name(&"a".repeat(64)) && !is_host_name(&"a.".repeat(130)) && !is_host_name("."));
    }
}
