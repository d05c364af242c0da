//! Values of flags that need a type or a parser of their own.
//!
//! Contract: an error repeats the value and says what would be right: the user sees it as it is.

use std::fmt;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use log::LevelFilter;

use crate::app::defaults;
use crate::net::beneath::Links;
use crate::net::endpoint::Endpoint;
use crate::protocol::proxy_header::Version;
use crate::site::rules;

/// A whole number from `least` to `most`.
pub(super) fn count(
    least: usize,
    most: usize,
) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync {
    move |text| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        // Digits are checked here: `parse` would also accept "+8".
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("{text:?} is not a whole number from {least} to {most}"));
        }
        match text.parse::<usize>() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(format!("{text} is out of range: {least} to {most}")),
        }
    }
}

/// The first port of the suite: 0, or a port that leaves room for those of all roles.
pub(super) fn port_base(text: &str) -> Result<u16, String> {
    let most = u16::MAX - defaults::SUITE_PORT_OFFSET_MAX;
    let port = count(0, usize::from(most))(text)?;
    u16::try_from(port).map_err(|_| format!("{text} is out of range: 0 to {most}"))
}

/// What a balancer does with a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// Relay bytes: each connection goes to one back end
    Tcp,
    /// Forward requests: each request goes to one back end
    Http,
}

/// Whether a site keeps files between two requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Cache {
    /// Keep files, and look at each again once a second
    On,
    /// Open the file anew for each request: a change is seen at once
    Off,
}

/// Which symbolic links a site follows.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Symlinks {
    /// Those that stay in the folder
    Inside,
    /// All, wherever they lead
    Follow,
    /// None
    Deny,
}

/// The net does not know that its values are flags.
impl From<Symlinks> for Links {
    fn from(symlinks: Symlinks) -> Links {
        match symlinks {
            Symlinks::Inside => Links::Inside,
            Symlinks::Follow => Links::Follow,
            Symlinks::Deny => Links::Deny,
        }
    }
}

/// What becomes of names that begin with a dot.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Dotfiles {
    /// 404, as if they were not there
    Hide,
    /// 403
    Deny,
    /// They are served and listed
    Allow,
}

/// The site does not know that its values are flags.
impl From<Dotfiles> for rules::Dotfiles {
    fn from(dotfiles: Dotfiles) -> rules::Dotfiles {
        match dotfiles {
            Dotfiles::Hide => rules::Dotfiles::Hide,
            Dotfiles::Deny => rules::Dotfiles::Deny,
            Dotfiles::Allow => rules::Dotfiles::Allow,
        }
    }
}

/// The form of the PROXY header that back ends get.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum ProxyVersion {
    /// One line of text
    V1,
    /// Binary
    V2,
}

/// The protocol does not know that its values are flags.
impl From<ProxyVersion> for Version {
    fn from(version: ProxyVersion) -> Version {
        match version {
            ProxyVersion::V1 => Version::V1,
            ProxyVersion::V2 => Version::V2,
        }
    }
}

/// A value of `--status`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum StatusAt {
    /// No status page.
    Off,
    /// At this address.
    Address(Endpoint),
}

impl FromStr for StatusAt {
    type Err = String;

    fn from_str(text: &str) -> Result<StatusAt, String> {
        match text {
            "off" => Ok(StatusAt::Off),
            _ => text.parse().map(StatusAt::Address),
        }
    }
}

impl fmt::Display for StatusAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StatusAt::Off => f.write_str("off"),
            StatusAt::Address(endpoint) => endpoint.fmt(f),
        }
    }
}

/// The levels of `--log`.
pub(super) fn levels() -> impl TypedValueParser<Value = LevelFilter> {
    let names = LevelFilter::iter().map(|level| level.as_str().to_ascii_lowercase());
    PossibleValuesParser::new(names)
        .try_map(|name| name.parse::<LevelFilter>().map_err(|error| error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_keep_to_their_range() {
        let count = count(1, 10);
        assert_eq!(count("10"), Ok(10));
        for (text, part) in [
            ("0", "0 is out of range: 1 to 10"),
            ("11", "1 to 10"),
            ("-1", "-1 is out of range: 1 to 10"),
            ("-0", "out of range"),
            ("-", "not a whole"),
            ("1.5", "not a whole number from 1 to 10"),
            ("+5", "not a whole"),
            ("", "not a whole"),
        ] {
            assert!(count(text).unwrap_err().contains(part), "{text:?}");
        }
        assert!(count("99999999999999999999999").unwrap_err().contains("1 to 10"));
    }

    #[test]
    fn the_port_base_leaves_room() {
        assert_eq!(port_base("0"), Ok(0));
        assert!(port_base("65535").unwrap_err().contains("out of range"));
    }
}
