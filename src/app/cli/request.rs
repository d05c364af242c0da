//! The request that `explain` is about, as it stands on the command line.
//!
//! Contract: what no client could send, or what would send other bytes than it seems to, is refused here, with a
//! line that says what would be right. Whether a gateway takes the request is for the gateway to say.

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use clap::Args;

use crate::net::endpoint::Endpoint;
use crate::protocol::http::{is_text_byte, is_token_byte};

/// The path of a status page under which its state stands as JSON.
pub(crate) const STATUS_PATH: &str = "/status.json";

/// The arguments of `explain` beside those of its role.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Request")]
pub(crate) struct Request {
    /// Method of the request, such as GET
    #[arg(value_name = "METHOD", value_parser = method, help_heading = None::<&str>)]
    pub(crate) method: String,
    /// What is asked for: a path, or http://HOST/PATH, whose host becomes the Host field
    #[arg(value_name = "TARGET", help_heading = None::<&str>)]
    pub(crate) target: Target,
    /// A field of the request head; repeatable; Host replaces the one that is made from TARGET or --listen
    #[arg(short = 'H', value_name = "NAME: VALUE", value_parser = field)]
    pub(crate) header: Vec<(String, String)>,
    /// Address of the client
    #[arg(long, value_name = "IP", default_value_t = IpAddr::from(Ipv4Addr::LOCALHOST), value_parser = client)]
    pub(crate) from: IpAddr,
    /// Ask the status page of the running role, such as http://127.0.0.1:9900, which back ends are up and whose turn it is
    #[arg(long, value_name = "URL", value_parser = status_page)]
    pub(crate) live: Option<Endpoint>,
}

/// A request target as people write it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Target {
    /// The host of an address.
    pub(crate) host: Option<String>,
    /// The path and its query, or `*`.
    pub(crate) path: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        const SCHEME: &str = "http://";
        let wanted = "write a path, such as /images/x, or http://HOST/PATH";
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(format!(
                "{text:?} has a blank or a control character: write it as an escape, such as %20"
            ));
        }
        if text.contains('#') {
            return Err(format!("{text:?} has a `#`: it is for the browser and is never sent; leave it out"));
        }
        if text.starts_with('/') || text == "*" {
            return Ok(Target { host: None, path: text.to_owned() });
        }
        let scheme = text.get(..SCHEME.len()).filter(|scheme| scheme.eq_ignore_ascii_case(SCHEME));
        let Some(address) = scheme.map(|scheme| &text[scheme.len()..]) else {
            return Err(format!("{text:?} is not a target: {wanted}"));
        };
        let (host, path) = address.split_at(address.find(['/', '?']).unwrap_or(address.len()));
        if host.is_empty() || host.contains('@') {
            return Err(format!("{text:?} has no plain host: {wanted}"));
        }
        // RFC 9112 section 3.2.1: an empty path is sent as `/`.
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Target { host: Some(host.to_owned()), path })
    }
}

fn method(text: &str) -> Result<String, String> {
    match !text.is_empty() && text.bytes().all(is_token_byte) {
        true => Ok(text.to_owned()),
        false => Err(format!("{text:?} is not a method: write one such as GET or POST")),
    }
}

fn field(text: &str) -> Result<(String, String), String> {
    let wanted = "write 'NAME: VALUE', such as 'Accept: text/html'";
    let Some((name, value)) = text.split_once(':') else {
        return Err(format!("{text:?} has no colon: {wanted}"));
    };
    if name.is_empty() || !name.bytes().all(is_token_byte) {
        return Err(format!("{text:?} has no name that a field may have: {wanted}"));
    }
    if !value.bytes().all(is_text_byte) {
        return Err(format!("{text:?} has a control character in its value: {wanted}"));
    }
    Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
}

fn client(text: &str) -> Result<IpAddr, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is not an IP address: write one such as 203.0.113.9 or 2001:db8::1"))
}

pub(crate) fn status_page(text: &str) -> Result<Endpoint, String> {
    let address = text.strip_suffix(STATUS_PATH).unwrap_or(text);
    Endpoint::parse_target(address).map_err(|_| {
        format!("{text:?} is not the address of a status page: write one such as http://127.0.0.1:9900")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_path_or_an_address() {
        for (text, host, path) in [
            ("/a?b", None, "/a?b"),
            ("*", None, "*"),
            ("//a", None, "//a"),
            ("http://a.example:81/x", Some("a.example:81"), "/x"),
            ("HTTP://a", Some("a"), "/"),
            ("http://a?x", Some("a"), "/?x"),
        ] {
            let wanted = Target { host: host.map(str::to_owned), path: path.to_owned() };
            assert_eq!(text.parse::<Target>(), Ok(wanted));
        }
        for (text, words) in [
            ("pdf/x", "is not a target"),
            ("", "is not a target"),
            ("https://a/", "is not a target"),
            ("a.example/x", "is not a target"),
            ("/a b", "%20"),
            ("/a\nb", "%20"),
            ("/a#b", "never sent"),
            ("http:///x", "no plain host"),
            ("http://user@a/", "no plain host"),
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(error.contains(words) && error.contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn fields_methods_and_addresses_are_checked() {
        let pair = |name: &str, value: &str| Ok((name.to_owned(), value.to_owned()));
        assert_eq!(field("Accept:  a, b "), pair("Accept", "a, b"));
        assert_eq!(field("Host:"), pair("Host", ""));
        for (text, words) in
            [("Accept", "no colon"), (": x", "no name"), ("A b: x", "no name"), ("A: b\r\nC: d", "control")]
        {
            assert!(field(text).unwrap_err().contains(words), "{text:?}");
        }
        assert_eq!(method("M-SEARCH").as_deref(), Ok("M-SEARCH"));
        assert!(method("G T").unwrap_err().contains("\"G T\" is not a method"));
        assert!(method("").is_err());
        assert!(client("localhost").unwrap_err().contains("203.0.113.9"));
        for text in
            ["http://127.0.0.1:9900", "http://127.0.0.1:9900/", "http://127.0.0.1:9900/status.json", "9900"]
        {
            assert_eq!(status_page(text).map(|page| page.to_string()).as_deref(), Ok("127.0.0.1:9900"));
        }
        assert!(status_page("http://127.0.0.1:9900/metrics").unwrap_err().contains("/metrics"));
        assert!(status_page("https://127.0.0.1:9900").is_err());
    }
}
