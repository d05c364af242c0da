//! A path that is sent on without the prefix of its route, or with another one in its place.
//!
//! Contract: what is rewritten is the path in normal form, in which it was found, and the rest of it is the same
//! before and after; the query stays as it came. The way back is for `Location`, so that a redirect of the back end
//! leads to the route again (nginx `proxy_redirect default`). Cookies stay as they are.

use std::fmt;
use std::net::SocketAddr;

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
        let is_own = site.is_empty() || authority(site).is_some_and(|at| is_backend(at, backend));
        if !is_own && !authority(site)?.eq_ignore_ascii_case(host) {
            return None;
        }
        // The back end's own address means nothing to the client.
        let site = if is_own { "" } else { site };
        let end = path.find(['?', '#']).unwrap_or(path.len());
        let (path, query) = path.split_at(end);
        let path = if path.is_empty() { "/" } else { path };
        let has_prefix =
            self.hidden_prefix().is_some_and(|prefix| behind(prefix.as_bytes(), path.as_bytes()).is_some());
        let rest = match has_prefix {
            true => None,
            false => behind(self.replacement.as_bytes(), path.as_bytes()),
        };
        match rest {
            Some(rest) => Some(format!("{site}{}{}{query}", self.prefix, String::from_utf8_lossy(rest))),
            None if is_own && !value.starts_with('/') => Some(format!("{path}{query}")),
            None => None,
        }
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
    let authority = authority(location)?;
    Some(location.split_at(location.len() - (location.split_once("://")?.1.len() - authority.len())))
}

/// The host and port of an `http` or `https` address.
fn authority(address: &str) -> Option<&str> {
    let (scheme, rest) = address.split_once("://")?;
    let is_http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    is_http.then(|| &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())])
}

/// True if the authority is this back end, by its address or by the name that led to it.
fn is_backend(authority: &str, backend: &Member) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
        _ => (authority, None),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_address = bare.parse().is_ok_and(|ip: std::net::IpAddr| ip == backend.address.ip());
    let is_name = backend.host.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(host));
    let ports: &[u16] = if port.is_none() { &[80, 443] } else { &[] };
    let is_port = |address: SocketAddr| port == Some(address.port()) || ports.contains(&address.port());
    (is_address || is_name) && is_port(backend.address)
}

#[cfg(test)]
mod tests {
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
