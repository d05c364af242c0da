//! A path that is sent on without the prefix of its route, or with another one in its place.
//!
//! Contract: what is rewritten is the path in normal form, in which it was found, and the rest of it is the same
//! before and after; the query stays as it came. The way back is for `Location`, so that a redirect of the back end
//! leads to the route again (nginx `proxy_redirect default`). Cookies stay as they are.

use std::fmt;
use std::net::IpAddr;

use super::field_rules::{Edit, edit_fields};
use crate::balance::Member;
use crate::balance::routes::{RouteError, behind, normal_prefix, split};
use crate::protocol::buffer::Buffer;

/// How the paths of a route are rewritten.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rewrite {
    /// The prefix of the route in normal form, without the slash at its end.
    prefix: String,
    /// What stands in its place, in normal form and without the slash at its end.
    replacement: String,
    /// What was written had a slash at its end.
    is_folder: bool,
}

impl Rewrite {
    /// Paths of a route with this prefix lose it.
    pub fn strip(prefix: &[u8]) -> Rewrite {
        Rewrite { prefix: without_slash(prefix), replacement: String::new(), is_folder: false }
    }

    /// Paths of a route with this prefix get another one.
    ///
    /// Errors: the other one is no path, or has a query.
    pub fn replace(prefix: &[u8], replacement: &str) -> Result<Rewrite, String> {
        if !replacement.starts_with('/') {
            return Err(format!("the path `{replacement}` does not start with `/`"));
        }
        let normal = normal_prefix("path", replacement)?;
        let is_folder = normal.ends_with(b"/");
        Ok(Rewrite { prefix: without_slash(prefix), replacement: without_slash(&normal), is_folder })
    }

    /// What is told to the back end in `X-Forwarded-Prefix`: the prefix that it does not see.
    pub(crate) fn hidden_prefix(&self) -> Option<&str> {
        (self.replacement.is_empty() && !self.prefix.is_empty()).then_some(self.prefix.as_str())
    }

    /// The target that is sent on.
    ///
    /// Errors: a path above the root, which has no route either.
    pub(crate) fn target(&self, path_and_query: &str) -> Result<String, RouteError> {
        let (path, query) = split(path_and_query)?;
        // The route was found for it, so it begins with the prefix.
        let rest = behind(self.prefix.as_bytes(), &path).unwrap_or(&path);
        let slash = if rest.is_empty() && (self.is_folder || self.replacement.is_empty()) { "/" } else { "" };
        Ok(format!("{}{}{slash}{query}", self.replacement, String::from_utf8_lossy(rest)))
    }

    /// Rewrites `Location` in the head that begins at byte `start` of `out`: the response of this back end to a
    /// request for `host`.
    pub(crate) fn answer(&self, host: &str, backend: &Member, start: usize, out: &mut Buffer) {
        edit_fields(start, out, |name, value| match name.eq_ignore_ascii_case("location") {
            true => self
                .location(value, host, backend)
                .map_or(Edit::Keep, |value| Edit::Replace(value.into_bytes())),
            false => Edit::Keep,
        });
    }

    /// The place to which a back end redirects, as the client has to name it. `None` if it stays as it is: at
    /// another host, outside of the replacement, or with the prefix already, since a back end may know of it by
    /// `X-Forwarded-Prefix`.
    fn location(&self, value: &[u8], host: &str, backend: &Member) -> Option<String> {
        let value = std::str::from_utf8(value).ok()?;
        let (site, path) = site_and_path(value)?;
        let is_own = site.is_empty() || is_backend(site, host, backend);
        if !is_own && !authority(site).eq_ignore_ascii_case(host) {
            return None;
        }
        // The back end's own address means nothing to the client.
        let site = if is_own { "" } else { site };
        let (path, query) = path.split_at(path.find(['?', '#']).unwrap_or(path.len()));
        let path = if path.is_empty() { "/" } else { path };
        let is_below = |prefix: &str| behind(prefix.as_bytes(), path.as_bytes()).is_some();
        if !self.hidden_prefix().is_some_and(is_below) && is_below(&self.replacement) {
            return Some(format!("{site}{}{}{query}", self.prefix, &path[self.replacement.len()..]));
        }
        (is_own && !value.starts_with('/')).then(|| format!("{path}{query}"))
    }
}

/// `strip`, or `replace` and the path.
impl fmt::Display for Rewrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.replacement.is_empty(), self.is_folder) {
            (true, false) => f.write_str("strip"),
            (_, is_folder) => write!(f, "replace {}{}", self.replacement, if is_folder { "/" } else { "" }),
        }
    }
}

fn without_slash(normal: &[u8]) -> String {
    // A normal form is ASCII.
    String::from_utf8_lossy(normal.strip_suffix(b"/").unwrap_or(normal)).into_owned()
}

/// Splits `http://host/path` and `/path`; the first part of the latter is empty. `None` for everything else, such as
/// `//host/path` and a path that is relative to that of the request.
fn site_and_path(location: &str) -> Option<(&str, &str)> {
    if location.starts_with('/') {
        return (!location.starts_with("//")).then_some(("", location));
    }
    let (scheme, rest) = location.split_once("://")?;
    let is_http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let path = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    is_http.then(|| location.split_at(location.len() - (rest.len() - path)))
}

/// The host and port of `http://host:port`.
fn authority(site: &str) -> &str {
    site.split_once("://").map_or(site, |(_, authority)| authority)
}

/// True if this is the back end: its port, at its address, at the name that led to it, or at the host that the
/// client asked for. The last is what nginx makes of the `Host` that it gets (`port_in_redirect on`).
fn is_backend(site: &str, asked: &str, backend: &Member) -> bool {
    let (host, port) = split_port(authority(site));
    let plain = if site.len() > 5 && site.as_bytes()[4].eq_ignore_ascii_case(&b's') { 443 } else { 80 };
    if port.map_or(Some(plain), |port| port.parse().ok()) != Some(backend.address.port()) {
        return false;
    }
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.is_ok_and(|address| address == backend.address.ip())
        || backend.host.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(host))
        || split_port(asked).0.eq_ignore_ascii_case(host)
}

/// A host and its port; an IPv6 address keeps its brackets.
pub(crate) fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proptest::prelude::*;

    use super::*;

    fn backend() -> Member {
        Member { host: Some("inner.local".into()), ..Member::from(SocketAddr::from(([10, 0, 0, 1], 8080))) }
    }

    #[test]
    fn the_prefix_is_replaced_and_the_rest_stays() {
        for (prefix, replacement, target, wanted) in [
            ("/api/", None, "/api/", "/"),
            ("/api/", None, "/api/x/?y=/../z", "/x/?y=/../z"),
            ("/api", None, "/api", "/"),
            ("/api", None, "/api?x", "/?x"),
            ("/a/b/", None, "/a/./b//c/../d%2Fe", "/d%2Fe"),
            ("/gambar%20saya/", None, "/gambar%20saya/%41", "/A"),
            ("/api/", Some("/new/"), "/api/x", "/new/x"),
            ("/api/", Some("/new"), "/api/x", "/new/x"),
            ("/api/", Some("/new/"), "/api/", "/new/"),
            ("/api", Some("/new/"), "/api", "/new/"),
            ("/api", Some("/new"), "/api", "/new"),
            ("/api", Some("/"), "/api/x", "/x"),
            ("/", Some("/app/"), "/x", "/app/x"),
            ("/", Some("/app"), "/", "/app/"),
        ] {
            let rewrite = match replacement {
                Some(replacement) => Rewrite::replace(prefix.as_bytes(), replacement).unwrap(),
                None => Rewrite::strip(prefix.as_bytes()),
            };
            assert_eq!(rewrite.target(target).unwrap(), wanted, "{prefix} {replacement:?} {target}");
        }
        let error = |path| Rewrite::replace(b"/", path).unwrap_err();
        assert_eq!(error("x"), "the path `x` does not start with `/`");
        assert!(error("/x?y").contains("the path `/x?y` is not a path alone"), "{}", error("/x?y"));
        assert!(error("/../y").contains("climbs above"));
    }

    #[test]
    fn a_redirect_of_the_back_end_leads_to_the_route_again() {
        let strip = Rewrite::strip(b"/api/");
        let replace = Rewrite::replace(b"/api/", "/new/").unwrap();
        for (rewrite, location, wanted) in [
            (&strip, "/x?y#z", Some("/api/x?y#z")),
            (&strip, "/", Some("/api/")),
            (&strip, "/apix", Some("/api/apix")),
            // It knows of the prefix.
            (&strip, "/api/x", None),
            (&strip, "x/y", None),
            (&strip, "//other/x", None),
            (&strip, "https://other.example/x", None),
            (&strip, "http://Example.org:81/x", Some("http://Example.org:81/api/x")),
            (&strip, "http://10.0.0.1:8080/x", Some("/api/x")),
            (&strip, "http://10.0.0.1:8080", Some("/api/")),
            (&strip, "http://EXAMPLE.org:8080/x", Some("/api/x")),
            (&strip, "https://10.0.0.1/x", None),
            (&strip, "http://10.0.0.1:81/x", None),
            (&strip, "http://10.0.0.1/x", None),
            (&strip, "http://inner.local:8080/api/x", Some("/api/x")),
            (&strip, "mailto:x", None),
            (&replace, "/new/x", Some("/api/x")),
            (&replace, "/new", Some("/api")),
            (&replace, "/other", None),
            (&replace, "http://10.0.0.1:8080/other", Some("/other")),
        ] {
            let found = rewrite.location(location.as_bytes(), "example.org:81", &backend());
            assert_eq!(found.as_deref(), wanted, "{rewrite} {location}");
        }
        let mut out = Buffer::new();
        assert!(out.push(b"HTTP/1.1 302 Found\r\nlocation: /x\r\nX: /x\r\n\r\n"));
        strip.answer("", &backend(), 0, &mut out);
        assert_eq!(out.bytes(), b"HTTP/1.1 302 Found\r\nlocation: /api/x\r\nX: /x\r\n\r\n");
    }

    #[test]
    fn what_is_printed_is_the_option() {
        assert_eq!(Rewrite::strip(b"/x/").to_string(), "strip");
        for path in ["/", "/x", "/x/"] {
            assert_eq!(Rewrite::replace(b"/a/", path).unwrap().to_string(), format!("replace {path}"));
        }
    }

    #[test]
    fn a_host_loses_its_port_and_nothing_else() {
        for (authority, parts) in [
            ("a.example", ("a.example", None)),
            ("a.example:80", ("a.example", Some("80"))),
            ("a.example:", ("a.example", Some(""))),
            ("[::1]", ("[::1]", None)),
            ("[::1]:80", ("[::1]", Some("80"))),
            ("", ("", None)),
        ] {
            assert_eq!(split_port(authority), parts);
        }
    }

    proptest! {
        #[test]
        fn a_rewritten_target_is_a_path_of_this_server(rest in "[a./%2F?]{0,8}", replacement in "/[a/]{0,3}") {
            let rewrites = [Rewrite::strip(b"/p/"), Rewrite::replace(b"/p/", &replacement).unwrap()];
            for rewrite in rewrites {
                if let Ok(target) = rewrite.target(&format!("/p/{rest}")) {
                    prop_assert!(target.starts_with('/') && !target.starts_with("//"), "{}", target);
                }
            }
        }
    }
}
