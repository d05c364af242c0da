//! What a route is for, as people write it: `[HOST][/PREFIX]`.
//!
//! Contract: two patterns that fit the same requests are equal in normal form. What is printed can be read back.

use std::fmt;
use std::str::FromStr;

use super::host::{self, HOST_BYTES_MAX};
use super::path;

/// A host, a prefix of paths, or both.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern {
    host: Host,
    /// The prefix as it was written; `None` if there is only a host, which means all its paths.
    written: Option<String>,
    /// The prefix in normal form.
    prefix: Vec<u8>,
    /// The prefix as a careless back end reads it.
    pub(super) loose: Vec<u8>,
}

/// Which hosts a route is for. The order is from the least specific to the most specific.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Host {
    /// Every host, and none.
    Any,
    /// `*.example.org`: all names that end in `.example.org`, of which this is `example.org`.
    Below(String),
    /// This host alone.
    Only(String),
}

impl Pattern {
    /// The prefix of paths in normal form; it begins with `/`.
    pub fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// True if there is a prefix of paths, and not only a host.
    pub fn has_prefix(&self) -> bool {
        self.written.is_some()
    }

    /// True if it is for some hosts only.
    pub(crate) fn has_host(&self) -> bool {
        self.host != Host::Any
    }

    pub(super) fn host(&self) -> &Host {
        &self.host
    }
}

impl FromStr for Pattern {
    type Err = String;

    /// Errors, as one sentence for the person who configures it, name what was written.
    fn from_str(text: &str) -> Result<Pattern, String> {
        let (host, written) = match text.find('/') {
            Some(slash) => (&text[..slash], Some(text[slash..].to_owned())),
            None => (text, None),
        };
        if text.is_empty() {
            return Err("a route without host and prefix: write HOST, /PREFIX or HOST/PREFIX".to_owned());
        }
        let host = parse_host(host)?;
        if let (Host::Only(name), None) = (&host, &written)
            && !name.contains(['.', '['])
        {
            return Err(format!(
                "the host `{name}` has no dot: write `/{name}` if a path is meant, and `{name}/` for a host"
            ));
        }
        let prefix = written.as_deref().unwrap_or("/");
        let normal = normal_prefix("route prefix", prefix)?;
        let loose = path::read_loosely(prefix.as_bytes()).unwrap_or_else(|_| normal.clone());
        Ok(Pattern { host, prefix: normal, loose, written })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Any => {}
            Host::Below(domain) => write!(f, "*.{domain}")?,
            Host::Only(host) => f.write_str(host)?,
        }
        f.write_str(self.written.as_deref().unwrap_or_default())
    }
}

fn parse_host(text: &str) -> Result<Host, String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let (name, is_wildcard) = match name.strip_prefix("*.") {
        Some(domain) => (domain, true),
        None => (name, false),
    };
    if text.is_empty() {
        return Ok(Host::Any);
    }
    if text == "*" {
        return Err("the host `*`: leave the host out for a route of every host".to_owned());
    }
    if name.contains('*') {
        return Err(format!("the host `{text}`: a `*` stands for the beginning only, as in `*.example.org`"));
    }
    let error = |what: &str| Err(format!("the host `{text}` {what}"));
    let has_port = match name.strip_prefix('[') {
        Some(rest) => rest.contains("]:"),
        None => name.contains(':'),
    };
    if has_port {
        return error(
            "has a port: requests are compared without it, so leave it out (an IPv6 address is written [::1])",
        );
    }
    if !name.is_ascii() {
        return error(
            "has letters that no request has: write it as browsers send it, such as xn--bcher-kva.example",
        );
    }
    if name.len() > HOST_BYTES_MAX {
        return error("is longer than 253 bytes");
    }
    let mut space = [0; HOST_BYTES_MAX];
    let Some(normal) = host::normalize(name.as_bytes(), &mut space) else {
        return error("is not an IPv6 address");
    };
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    let is_name = !name.starts_with('[');
    if is_name && (normal.split(|byte| *byte == b'.').any(<[u8]>::is_empty) || !normal.iter().all(is_allowed))
    {
        return error("is not a host name");
    }
    if !is_name && (is_wildcard || !name.ends_with(']')) {
        return error("is not an IPv6 address");
    }
    let normal = String::from_utf8_lossy(normal).into_owned();
    Ok(if is_wildcard { Host::Below(normal) } else { Host::Only(normal) })
}

/// The normal form of a path that is the beginning of others; `what` it is, for the error.
pub(crate) fn normal_prefix(what: &str, prefix: &str) -> Result<Vec<u8>, String> {
    if prefix.contains(['?', '#']) {
        return Err(format!("the {what} `{prefix}` is not a path alone: it has a `?` or `#`"));
    }
    if let Some((before, _)) = prefix.split_once('*') {
        // It would match only a request for a `*`, which nobody means.
        return Err(format!(
            "the {what} `{prefix}` has a `*`, and there are no wildcards: \
             a prefix is for all paths that start with it, so write `{before}`"
        ));
    }
    match path::normalize(prefix.as_bytes()) {
        Ok(normal) => Ok(normal.into_owned()),
        Err(_) => Err(format!("the {what} `{prefix}` climbs above the root")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pattern_is_a_host_a_prefix_or_both() {
        for (text, host, prefix, shown) in [
            ("/pdf/", Host::Any, "/pdf/", "/pdf/"),
            ("/gambar saya/", Host::Any, "/gambar%20saya/", "/gambar saya/"),
            ("Example.ORG.", Host::Only("example.org".into()), "/", "example.org"),
            ("example.org/", Host::Only("example.org".into()), "/", "example.org/"),
            ("*.Example.org/a//b", Host::Below("example.org".into()), "/a/b", "*.example.org/a//b"),
            ("localhost/x", Host::Only("localhost".into()), "/x", "localhost/x"),
            ("192.0.2.1", Host::Only("192.0.2.1".into()), "/", "192.0.2.1"),
            ("[0:0::1]/x", Host::Only("[::1]".into()), "/x", "[::1]/x"),
        ] {
            let pattern: Pattern = text.parse().unwrap();
            assert_eq!((&pattern.host, pattern.prefix()), (&host, prefix.as_bytes()), "{text}");
            assert_eq!(pattern.to_string(), shown);
        }
    }

    #[test]
    fn a_bad_pattern_is_an_error_that_names_it() {
        for (text, sentence) in [
            ("", "a route without host and prefix: write HOST, /PREFIX or HOST/PREFIX"),
            ("*/x", "the host `*`: leave the host out for a route of every host"),
            ("a.*.org", "the host `a.*.org`: a `*` stands for the beginning only, as in `*.example.org`"),
            ("*a.org", "the host `*a.org`: a `*` stands"),
            ("*.", "the host `*.`: a `*` stands"),
            (
                "images",
                "the host `images` has no dot: write `/images` if a path is meant, and `images/` for a host",
            ),
            ("a.org:80/x", "the host `a.org:80` has a port"),
            ("[::1]:80", "the host `[::1]:80` has a port"),
            ("::1", "the host `::1` has a port"),
            ("bücher.example", "the host `bücher.example` has letters that no request has"),
            ("a..org", "the host `a..org` is not a host name"),
            ("a b", "the host `a b` is not a host name"),
            ("*.[::1]", "the host `*.[::1]` is not an IPv6 address"),
            ("[::1", "the host `[::1` is not an IPv6 address"),
            ("[::1]x", "the host `[::1]x` is not an IPv6 address"),
            ("/a?b", "the route prefix `/a?b` is not a path alone: it has a `?` or `#`"),
            (
                "/images/*",
                "the route prefix `/images/*` has a `*`, and there are no wildcards: \
                 a prefix is for all paths that start with it, so write `/images/`",
            ),
            ("/../a", "the route prefix `/../a` climbs above the root"),
        ] {
            let error = text.parse::<Pattern>().unwrap_err();
            assert!(error.starts_with(sentence), "{text:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_printed_and_read_again_the_same(text in "(\\*\\.)?\\[?[aB.:*1\\]ü]{0,6}(/[a%2f.;=\" ]{0,6}){0,2}") {
            if let Ok(pattern) = text.parse::<Pattern>() {
                prop_assert_eq!(pattern.to_string().parse(), Ok(pattern));
            }
        }
    }
}
