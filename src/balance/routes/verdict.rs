//! Why a request goes where it goes: what each route says to it, for a person who asks.
//!
//! Contract: nothing is decided here. The comparisons are those of [`Routes::find`], and a test holds the two
//! together.

use std::cmp::Reverse;

use super::host::{self, HOST_BYTES_MAX};
use super::pattern::Host;
use super::{Found, Pattern, RouteError, Routes, covers, has_two_readings, path, path_of};

/// What a route says to a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// It is the most specific one that fits: the route serves the request.
    Serves,
    /// It fits, and so does a route for a more specific host.
    WiderHost,
    /// It fits, and a longer prefix does too.
    Shorter,
    /// The path is that of its folder without the slash at the end.
    LacksSlash,
    /// It is for another host.
    OtherHost,
    /// The path starts with its prefix and goes on within the same segment: `/imagesx` with `/images`.
    WithinSegment,
    /// The path does not start with its prefix.
    Differs,
}

/// How the routes see one request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Verdicts<'r> {
    /// The host in normal form; empty if there is none, or none that a route could have.
    pub(crate) host: String,
    /// The path in normal form, which prefixes are compared with.
    pub(crate) normal: String,
    /// Each route with its verdict, the most specific first. If none serves, the default does.
    pub(crate) routes: Vec<(&'r Pattern, Verdict)>,
    /// The path as a careless back end may read it, if that leads to another route or above the root.
    pub(crate) other_reading: Option<String>,
}

impl<T> Routes<T> {
    /// What each route says to a request. `None` for `*` and whatever else is no path: nothing is compared with it.
    ///
    /// Errors: a path that leads above the root.
    pub(crate) fn verdicts(
        &self,
        host: &str,
        path_and_query: &str,
    ) -> Result<Option<Verdicts<'_>>, RouteError> {
        let path = path_of(path_and_query).as_bytes();
        if path.first() != Some(&b'/') {
            return Ok(None);
        }
        let normal = path::normalize(path)?;
        let found = self.find(host, path_and_query);
        let mut space = [0; HOST_BYTES_MAX];
        let host = host::normalize(host.as_bytes(), &mut space).unwrap_or_default();
        let mut patterns: Vec<&Pattern> = self.patterns.iter().collect();
        patterns.sort_by_key(|pattern| Reverse((pattern.host().rank(), pattern.prefix().len())));
        let fits = |pattern: &&&Pattern| pattern.host().fits(host) && covers(pattern.prefix(), &normal);
        let serving = patterns.iter().find(fits).copied();
        let folder = match found {
            Ok(Found::LacksSlash(number)) => self.pattern(number),
            _ => None,
        };
        let verdict = |pattern: &'_ Pattern| {
            let prefix = pattern.prefix();
            match serving {
                _ if !pattern.host().fits(host) => Verdict::OtherHost,
                _ if folder.is_some_and(|folder| folder == pattern) => Verdict::LacksSlash,
                Some(serving) if serving == pattern => Verdict::Serves,
                Some(serving) if covers(prefix, &normal) => match serving.host() == pattern.host() {
                    true => Verdict::Shorter,
                    false => Verdict::WiderHost,
                },
                _ if prefix.strip_suffix(b"/") == Some(&*normal) => Verdict::LacksSlash,
                _ if normal.starts_with(prefix) => Verdict::WithinSegment,
                _ => Verdict::Differs,
            }
        };
        let is_ambiguous = found.is_err() && has_two_readings(path);
        // A reading that leads above the root has no normal form: the path is shown as it came.
        let loose = || path::read_loosely(path).unwrap_or_else(|_| path.to_vec());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Some(Verdicts {
            host: text(host),
            normal: text(&normal),
            routes: patterns.iter().map(|pattern| (*pattern, verdict(pattern))).collect(),
            other_reading: is_ambiguous.then(|| text(&loose())),
        }))
    }
}

impl Host {
    /// How specific it is: the kind, and of wildcards the length.
    fn rank(&self) -> (u8, usize) {
        match self {
            Host::Any => (0, 0),
            Host::Below(domain) => (1, domain.len()),
            Host::Only(_) => (2, 0),
        }
    }

    fn fits(&self, host: &[u8]) -> bool {
        match self {
            Host::Any => true,
            Host::Only(name) => name.as_bytes() == host,
            Host::Below(domain) => {
                let before = host.strip_suffix(domain.as_bytes()).and_then(|rest| rest.strip_suffix(b"."));
                before.is_some_and(|before| !before.is_empty())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn routes(patterns: &[&str]) -> Routes<String> {
        let mut routes = Routes::new("default".to_owned());
        for pattern in patterns {
            routes.add(&pattern.parse().unwrap(), (*pattern).to_owned()).unwrap();
        }
        routes
    }

    fn verdict(pattern: &str, host: &str, path: &str) -> Verdict {
        routes(&[pattern]).verdicts(host, path).unwrap().unwrap().routes[0].1
    }

    #[test]
    fn each_route_says_why() {
        for (pattern, host, path, wanted) in [
            ("/images/", "", "/images/a?b", Verdict::Serves),
            ("/images/", "", "/x/../%69mages/", Verdict::Serves),
            ("/images/", "", "/images", Verdict::LacksSlash),
            ("/images", "", "/imagesx", Verdict::WithinSegment),
            ("/images/", "", "/imagesx", Verdict::Differs),
            ("/images/", "", "/x/images/", Verdict::Differs),
            ("a.org", "A.org:80", "/x", Verdict::Serves),
            ("*.org", "a.b.org", "/x", Verdict::Serves),
            ("*.b.org", "b.org", "/x", Verdict::OtherHost),
            ("*.b.org", ".b.org", "/x", Verdict::OtherHost),
            ("*.b.org", "ab.org", "/x", Verdict::OtherHost),
            ("a.org/x", "a.org", "/y", Verdict::Differs),
        ] {
            assert_eq!(verdict(pattern, host, path), wanted, "{pattern} {host} {path}");
        }
        let several = routes(&["/a/b/c", "a.org/a", "/a", "*.org/", "a.org/a/b/"]);
        let found = several.verdicts("a.org", "/a//b/c").unwrap().unwrap();
        assert_eq!((found.host.as_str(), found.normal.as_str()), ("a.org", "/a/b/c"));
        let shown: Vec<_> = found.routes.iter().map(|(one, verdict)| (one.to_string(), *verdict)).collect();
        let wanted = [
            ("a.org/a/b/", Verdict::Serves),
            ("a.org/a", Verdict::Shorter),
            ("*.org/", Verdict::WiderHost),
            ("/a/b/c", Verdict::WiderHost),
            ("/a", Verdict::WiderHost),
        ];
        assert_eq!(shown, wanted.map(|(pattern, verdict)| (pattern.to_owned(), verdict)));
        assert_eq!(several.verdicts("", "*"), Ok(None));
        assert_eq!(several.verdicts("", "/.."), Err(RouteError::AboveRoot));
    }

    #[test]
    fn another_reading_is_told_where_it_leads_elsewhere() {
        let routes = routes(&["/pdf/"]);
        let reading = |path| routes.verdicts("", path).unwrap().unwrap().other_reading;
        assert_eq!(reading("/pdf/..%2fx").as_deref(), Some("/x"));
        assert_eq!(reading("/..%2fx").as_deref(), Some("/..%2fx"));
        assert_eq!(reading("/pdf/a%2Fb"), None);
    }

    proptest! {
        #[test]
        fn the_route_that_serves_is_the_one_that_is_found(
            host in "(a\\.|x\\.)?(a\\.|b\\.)?(org|ORG\\.:80)?", path in "/[abc/.;%2f]{0,9}(\\?[ab]{0,2})?",
        ) {
            let routes = routes(&[
                "/a", "/a/b/", "/b/", "/c;a", "a.org/", "a.org/b/", "*.org/a", "*.a.org/a/", "*.b.org", "a.b.org/c",
            ]);
            let verdicts = routes.verdicts(&host, &path).ok().flatten();
            match (routes.find(&host, &path), verdicts) {
                (Ok(Found::Route(number)), Some(found)) => {
                    let serving = found.routes.iter().find(|(_, verdict)| *verdict == Verdict::Serves);
                    let name = serving.map_or("default".to_owned(), |(pattern, _)| pattern.to_string());
                    prop_assert_eq!(&routes[number], &name);
                    prop_assert_eq!(found.other_reading, None);
                }
                (Ok(Found::LacksSlash(number)), Some(found)) => {
                    let pattern = routes.pattern(number).unwrap();
                    prop_assert!(found.routes.contains(&(pattern, Verdict::LacksSlash)));
                }
                (Err(_), Some(found)) => prop_assert!(found.other_reading.is_some()),
                (found, None) => prop_assert_eq!(found, Err(RouteError::AboveRoot)),
            }
        }
    }
}
