//! Why a path goes where it goes: what each route says to it, for a person who asks.
//!
//! Contract: nothing is decided here. The comparisons are those of [`Routes::find`], and a test holds the two
//! together.

use super::{RouteError, Routes, covers, has_two_readings, path, path_of};

/// What a route says to a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// Its prefix is the longest that covers the path: the route serves it.
    Serves,
    /// It covers the path, and a longer prefix does too.
    Shorter,
    /// The path is that of its folder without the slash at the end.
    LacksSlash,
    /// The path starts with it and goes on within the same segment: `/imagesx` with `/images`.
    WithinSegment,
    /// The path does not start with it.
    Differs,
}

/// How the routes see one path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Verdicts<'r> {
    /// The path in normal form, which prefixes are compared with.
    pub(crate) normal: String,
    /// Each prefix in normal form with its verdict, the longest first. If none serves, the default group does.
    pub(crate) routes: Vec<(&'r [u8], Verdict)>,
    /// The path as a careless back end may read it, if that leads to another group or above the root.
    pub(crate) other_reading: Option<String>,
}

impl Routes {
    /// What each route says to a path. `None` for `*` and whatever else is no path: no prefix is compared with it.
    ///
    /// Errors: a path that leads above the root.
    pub(crate) fn verdicts(&self, path_and_query: &str) -> Result<Option<Verdicts<'_>>, RouteError> {
        let path = path_of(path_and_query).as_bytes();
        if path.first() != Some(&b'/') {
            return Ok(None);
        }
        let normal = path::normalize(path)?;
        let serving = self.serving(&normal);
        let routes = self.routes.iter().enumerate().map(|(index, route)| {
            let prefix = route.prefix.as_slice();
            let verdict = match serving {
                Some(serving) if serving == index => Verdict::Serves,
                _ if covers(prefix, &normal) => Verdict::Shorter,
                _ if prefix.strip_suffix(b"/") == Some(&*normal) => Verdict::LacksSlash,
                _ if normal.starts_with(prefix) => Verdict::WithinSegment,
                _ => Verdict::Differs,
            };
            (prefix, verdict)
        });
        let is_ambiguous = has_two_readings(path) && self.find(path_and_query).is_err();
        // A reading that leads above the root has no normal form: the path is shown as it came.
        let loose = || path::read_loosely(path).unwrap_or_else(|_| path.to_vec());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Some(Verdicts {
            normal: text(&normal),
            routes: routes.collect(),
            other_reading: is_ambiguous.then(|| text(&loose())),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::balance::Group;

    fn routes(prefixes: &[&str]) -> Routes {
        let group = |name: &str| Arc::new(Group::new(name, Vec::new()));
        let mut routes = Routes::new(group("default"));
        prefixes.iter().for_each(|prefix| routes.add(prefix, group(prefix)).unwrap());
        routes
    }

    fn verdict(prefix: &str, path: &str) -> Verdict {
        routes(&[prefix]).verdicts(path).unwrap().unwrap().routes[0].1
    }

    #[test]
    fn each_route_says_why() {
        for (prefix, path, wanted) in [
            ("/images/", "/images/a?b", Verdict::Serves),
            ("/images/", "/x/../%69mages/", Verdict::Serves),
            ("/images/", "/images", Verdict::LacksSlash),
            ("/images", "/imagesx", Verdict::WithinSegment),
            ("/images/", "/imagesx", Verdict::Differs),
            ("/images/", "/x/images/", Verdict::Differs),
        ] {
            assert_eq!(verdict(prefix, path), wanted, "{prefix} {path}");
        }
        let two = routes(&["/a", "/a/b/"]);
        let found = two.verdicts("/a//b/c").unwrap().unwrap();
        assert_eq!(found.normal, "/a/b/c");
        let wanted: [(&[u8], Verdict); 2] = [(b"/a/b/", Verdict::Serves), (b"/a", Verdict::Shorter)];
        assert_eq!(found.routes, wanted);
        assert_eq!(two.verdicts("*"), Ok(None));
        assert_eq!(two.verdicts("/.."), Err(RouteError::AboveRoot));
    }

    #[test]
    fn another_reading_is_told_where_it_leads_elsewhere() {
        let routes = routes(&["/pdf/"]);
        let reading = |path| routes.verdicts(path).unwrap().unwrap().other_reading;
        assert_eq!(reading("/pdf/..%2fx").as_deref(), Some("/x"));
        assert_eq!(reading("/..%2fx").as_deref(), Some("/..%2fx"));
        assert_eq!(reading("/pdf/a%2Fb"), None);
    }

    proptest! {
        #[test]
        fn the_route_that_serves_is_the_one_that_is_found(path in "/[abc/.;%2f]{0,9}(\\?[ab]{0,2})?") {
            let routes = routes(&["/a", "/a/b/", "/b/", "/c;a"]);
            let verdicts = routes.verdicts(&path).ok().flatten();
            match (routes.find(&path), verdicts) {
                (Ok(group), Some(found)) => {
                    let serving = found.routes.iter().find(|(_, verdict)| *verdict == Verdict::Serves);
                    let name = serving.map_or(&b"default"[..], |(prefix, _)| *prefix);
                    prop_assert_eq!(group.name().as_bytes(), name);
                    prop_assert_eq!(found.other_reading, None);
                }
                (Err(_), Some(found)) => prop_assert!(found.other_reading.is_some()),
                (found, None) => prop_assert_eq!(found.map(|_| ()), Err(RouteError::AboveRoot)),
            }
        }
    }
}
