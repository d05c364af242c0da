//! The flags that say how turns are given: the policy, and what belongs to it.
//!
//! Contract: as of all flags; see `flags`.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::failure::Failure;
use crate::app::defaults;
use crate::app::duration;
use crate::balance::{DependsOn, Policy, TagKey};
use crate::net::files;
use crate::protocol::forward::COOKIE_NAME;

/// How a back end is chosen.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Choice of back ends")]
pub(crate) struct Balancing {
    /// Which back end a connection or request goes to; weight=N behind a back end gives it more, backup keeps it for when no other is up
    #[arg(long, value_name = "NAME", default_value = Policy::default().name(), value_parser = policies())]
    pub(crate) policy: Policy,
    /// Time in which a back end that came back, or is new, gets a growing share; 0 for its whole share at once
    #[arg(long, value_name = "TIME", default_value = duration::text(Duration::ZERO), value_parser = duration::parse)]
    pub(crate) slow_start: Duration,
    /// Name of the cookie that the policy cookie sets; a route adds a number of its own
    #[arg(long, value_name = "NAME", default_value = COOKIE_NAME, value_parser = cookie_name)]
    pub(crate) policy_cookie: String,
    /// File with a secret from which back ends are named in that cookie, so that a cookie holds over restarts and for several balancers [default: a secret drawn at each start]
    #[arg(long, value_name = "PATH")]
    pub(crate) policy_cookie_key: Option<PathBuf>,
}

impl Balancing {
    /// Finds out that a policy needs requests, where there are none.
    pub(crate) fn check_for_bytes(&self) -> Result<(), Failure> {
        match self.policy.depends_on() {
            DependsOn::Cookie => Err(Failure::Usage(format!(
                "--policy {}: a cookie is read in requests, and --mode tcp reads none; add --mode http, or choose \
                 --policy source-hash",
                self.policy
            ))),
            DependsOn::Turn | DependsOn::Chance | DependsOn::Client => Ok(()),
        }
    }

    /// The secret of the cookies.
    ///
    /// Errors: the file cannot be read, or holds too little for a secret.
    pub(crate) fn tag_key(&self) -> Result<TagKey, Failure> {
        let Some(path) = &self.policy_cookie_key else { return Ok(TagKey::default()) };
        let failure =
            |words: String| Failure::Usage(format!("--policy-cookie-key {}: {words}", path.display()));
        let mut text = Vec::new();
        let read = files::open_to_read(path)
            .and_then(|file| file.take(defaults::COOKIE_KEY_BYTES_MAX).read_to_end(&mut text));
        read.map_err(|error| failure(error.to_string()))?;
        // Editors end a file with a line end.
        let secret = text.trim_ascii();
        match secret.len() >= defaults::COOKIE_KEY_BYTES_MIN {
            true => Ok(TagKey::from_secret(secret)),
            false => Err(failure(format!(
                "{} bytes are too few for a secret: write at least {}, such as by openssl rand -hex 16",
                secret.len(),
                defaults::COOKIE_KEY_BYTES_MIN
            ))),
        }
    }
}

/// The values of `--policy`.
fn policies() -> impl TypedValueParser<Value = Policy> {
    let values = Policy::all().map(|policy| PossibleValue::new(policy.name()).help(policy.about()));
    PossibleValuesParser::new(values).try_map(|name| name.parse::<Policy>())
}

/// The name of a cookie: a token (RFC 6265 section 4.1.1), and not too long.
fn cookie_name(text: &str) -> Result<String, String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let fits = (1..=defaults::COOKIE_NAME_BYTES_MAX).contains(&text.len());
    match fits && text.bytes().all(is_token) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "{text:?} is not the name of a cookie: write letters, digits, - and _, at most {}",
            defaults::COOKIE_NAME_BYTES_MAX
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_cookie_is_a_token() {
        assert_eq!(cookie_name("__Host-stay_1").as_deref(), Ok("__Host-stay_1"));
        for name in ["", "a b", "a=b", "a;b", "\u{e9}", &"a".repeat(65)] {
            assert!(cookie_name(name).unwrap_err().contains("is not the name of a cookie"), "{name:?}");
        }
    }
}
