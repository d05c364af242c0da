//! The flags of how the names of back ends are looked up.
//!
//! Contract: as in `flags`: each flag is defined once, and its default is a constant.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::failure::Failure;
use super::flags::FlagGroup;
use crate::app::defaults;
use crate::app::duration::{self, Interval};
use crate::app::settings::Settings;
use crate::net::dns::{DNS_PORT, Pace, Resolver};

/// How the back ends behind a name are found, and followed while the role runs.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Names of back ends")]
pub(crate) struct Discovery {
    /// Name server to ask, and nobody else: such as 127.0.0.53 or 10.0.0.2:5353; repeatable [default: those of /etc/resolv.conf, with the hosts file before and the system's resolver behind them]
    #[arg(long, value_name = "ADDR[:PORT]")]
    pub(crate) resolver: Vec<NameServer>,
    /// Time between two look-ups of a name where nobody says how long its addresses hold (hosts file, system's resolver), and after a look-up that failed; off: names are looked up at the start only
    #[arg(long, value_name = "TIME", default_value = duration::text(defaults::RESOLVE_INTERVAL),
          value_parser = duration::parse_interval)]
    pub(crate) resolve_interval: Interval,
    /// Shortest time between two look-ups, however soon name servers let addresses expire (TTL)
    #[arg(long, value_name = "TIME", default_value = duration::text(defaults::RESOLVE_MIN),
          value_parser = duration::parse_timeout)]
    pub(crate) resolve_min: Duration,
    /// Longest time between two look-ups, however long addresses hold
    #[arg(long, value_name = "TIME", default_value = duration::text(defaults::RESOLVE_MAX),
          value_parser = duration::parse_timeout)]
    pub(crate) resolve_max: Duration,
}

impl Discovery {
    /// Finds times that cross.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.resolve_min <= self.resolve_max {
            return Ok(());
        }
        Err(Failure::Usage(format!(
            "--resolve-min {} is longer than --resolve-max {}",
            duration::text(self.resolve_min),
            duration::text(self.resolve_max)
        )))
    }

    /// What looks names up.
    pub(crate) fn resolver(&self) -> Resolver {
        Resolver::new(self.resolver.iter().map(|server| server.0).collect())
    }
}

impl FlagGroup for Discovery {
    fn apply(&self, settings: &mut Settings) {
        let of = |interval| Pace { interval, least: self.resolve_min, most: self.resolve_max };
        settings.look_ups = self.resolve_interval.map(of);
    }
}

/// A value of `--resolver`: an address, and a port if it is not the usual one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NameServer(pub(crate) SocketAddr);

impl FromStr for NameServer {
    type Err = String;

    fn from_str(text: &str) -> Result<NameServer, String> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        let with_port = || text.parse().ok();
        let address: Option<SocketAddr> =
            bare.parse::<IpAddr>().ok().map(|ip| (ip, DNS_PORT).into()).or_else(with_port);
        match address {
            Some(address) if address.port() != 0 => Ok(NameServer(address)),
            _ => Err(format!(
                "{text:?} is not the address of a name server: write an IP address, and a port if it is not \
                 {DNS_PORT}, such as 127.0.0.53 or [::1]:5353"
            )),
        }
    }
}

impl fmt::Display for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_server_is_an_address_and_its_port_is_53() {
        for (text, printed) in [
            ("127.0.0.53", "127.0.0.53:53"),
            ("10.0.0.2:5353", "10.0.0.2:5353"),
            ("::1", "[::1]:53"),
            ("[::1]", "[::1]:53"),
            ("[::1]:5353", "[::1]:5353"),
        ] {
            let server: NameServer = text.parse().unwrap();
            assert_eq!(server.to_string(), printed);
            assert_eq!(printed.parse(), Ok(server));
        }
        for text in ["", "dns.example", "localhost:53", "127.0.0.1:0", "127.0.0.1:99999", "[127.0.0.1"] {
            let error = text.parse::<NameServer>().unwrap_err();
            assert!(error.starts_with(&format!("{text:?} is not the address")), "{error}");
        }
    }
}
