//! Routes: which group of back ends serves a path.
//!
//! Contract: the longest prefix that ends on a segment edge wins, else the default group does
//! (nginx `location`). `/images` is for `/images` and `/images/x`, not for `/imagesx`; `/images/` is
//! for `/images/` and `/images/x`, not for `/images`. A prefix counts at the start of the path and
//! nowhere else: the Python looked for it anywhere, so that `/x/pdf/y` went to the PDF server.
//!
//! The match sees the path as a back end will understand it, and the target is forwarded untouched:
//!
//! 1. the query is left out;
//! 2. `%xx` of an unreserved character (letters, digits, `-._~`) is that character (RFC 3986 section
//!    6.2.2.2), so `/%70df/` is `/pdf/`; any other, `%2F` above all, stays an escape;
//! 3. slashes in a row are one (nginx `merge_slashes on`);
//! 4. `.` and `..` segments are resolved (RFC 3986 section 5.2.4); a path that climbs above the root
//!    is refused, as nginx does.
//!
//! Not all back ends agree: some take `%2F` or `\` for a slash, some cut `;parameters` off each segment
//! (`/pdf/..;/x`). A path that leads to another group when it is read like that is refused: whoever
//! routes it, it might end outside of its route.
//!
//! A path that none of this changes, which is nearly every path, is matched without allocating.

use std::borrow::Cow;
use std::sync::Arc;

use crate::balance::Group;
use crate::protocol::http::Refusal;

/// Prefixes with their groups, and the group for all other paths.
#[derive(Clone, Debug)]
pub struct Routes {
    /// Longest prefix first.
    routes: Vec<Route>,
    default: Arc<Group>,
}

#[derive(Clone, Debug)]
struct Route {
    /// In the normal form that paths are brought to.
    prefix: Vec<u8>,
    /// The same as a careless back end reads it.
    loose: Vec<u8>,
    group: Arc<Group>,
}

impl Routes {
    /// Everything to one group: what a balancer has.
    pub fn new(default: Arc<Group>) -> Routes {
        Routes { routes: Vec::new(), default }
    }

    /// Sends what starts with `prefix` to `group`. The order of calls does not matter.
    ///
    /// Errors, as one sentence for the one who configures: a prefix that does not start with `/`, that holds
    /// `?` or `#`, that climbs above the root, or that is there already.
    pub fn add(&mut self, prefix: &str, group: Arc<Group>) -> Result<(), String> {
        if !prefix.starts_with('/') {
            return Err(format!("the route prefix `{prefix}` does not start with `/`"));
        }
        if prefix.contains(['?', '#']) {
            return Err(format!("the route prefix `{prefix}` is not a path alone: it has a `?` or `#`"));
        }
        let Ok(normal) = normalize(prefix.as_bytes()) else {
            return Err(format!("the route prefix `{prefix}` climbs above the root"));
        };
        if self.routes.iter().any(|route| route.prefix == *normal) {
            return Err(format!("the route prefix `{prefix}` is given twice"));
        }
        let place = self.routes.partition_point(|route| route.prefix.len() >= normal.len());
        let loose = read_loosely(prefix.as_bytes()).unwrap_or_else(|_| normal.to_vec());
        self.routes.insert(place, Route { prefix: normal.into_owned(), loose, group });
        Ok(())
    }

    /// The group for a path, of which a query is left out. `*` and whatever else is no path go to the default.
    ///
    /// Errors: 400 for a path whose `..` climb above the root, or that two back ends may read as two routes.
    pub fn find(&self, path_and_query: &str) -> Result<&Arc<Group>, Refusal> {
        let bytes = path_and_query.as_bytes();
        let path = bytes.split(|byte| *byte == b'?').next().unwrap_or(bytes);
        if path.first() != Some(&b'/') {
            return Ok(&self.default);
        }
        let normal = normalize(path)?;
        let route = self.routes.iter().find(|route| covers(&route.prefix, &normal));
        let group = route.map_or(&self.default, |route| &route.group);
        let has_two_readings = path.iter().any(|byte| matches!(byte, b'%' | b'\\' | b';'));
        match self.routes.is_empty() || !has_two_readings || Arc::ptr_eq(self.find_loosely(path)?, group) {
            true => Ok(group),
            false => Err(Refusal::bad("The path can be read in two ways that lead to different places.")),
        }
    }

    /// The group for a path as a careless back end reads it.
    fn find_loosely(&self, path: &[u8]) -> Result<&Arc<Group>, Refusal> {
        let path = read_loosely(path)?;
        let routes = self.routes.iter().filter(|route| covers(&route.loose, &path));
        Ok(routes.max_by_key(|route| route.loose.len()).map_or(&self.default, |route| &route.group))
    }

    /// Every group, the default first, each once: for checks and the status page.
    pub fn groups(&self) -> Vec<&Arc<Group>> {
        let mut groups = vec![&self.default];
        for route in &self.routes {
            if !groups.iter().any(|group| Arc::ptr_eq(group, &route.group)) {
                groups.push(&route.group);
            }
        }
        groups
    }
}

/// True if `path` starts with `prefix` and the prefix ends where a segment does.
fn covers(prefix: &[u8], path: &[u8]) -> bool {
    match path.strip_prefix(prefix) {
        Some([] | [b'/', ..]) => true,
        Some(_) => prefix.ends_with(b"/"),
        None => false,
    }
}

/// Steps 2 to 4 of the module's list. `path` starts with `/`.
fn normalize(path: &[u8]) -> Result<Cow<'_, [u8]>, Refusal> {
    if is_normal(path) {
        return Ok(Cow::Borrowed(path));
    }
    let decoded = decode(path);
    let mut normal = Vec::with_capacity(decoded.len());
    let mut segments = decoded.split(|byte| *byte == b'/').skip(1).peekable();
    normal.push(b'/');
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            b"" | b"." => {}
            b".." => {
                if normal == b"/" {
                    return Err(Refusal::bad("The path climbs above the root."));
                }
                normal.pop();
                let parent = normal.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
                normal.truncate(parent);
            }
            _ => {
                normal.extend_from_slice(segment);
                if !is_last {
                    normal.push(b'/');
                }
            }
        }
    }
    Ok(Cow::Owned(normal))
}

/// The path of a back end that decodes every escape, knows two slashes, cuts parameters off, and ends at NUL.
fn read_loosely(path: &[u8]) -> Result<Vec<u8>, Refusal> {
    let decoded: Vec<u8> = percent_encoding::percent_decode(path)
        .map(|byte| if byte == b'\\' { b'/' } else { byte })
        .take_while(|byte| *byte != 0)
        .collect();
    let without_parameters = |segment: &[u8]| segment.split(|byte| *byte == b';').next().map(<[u8]>::to_vec);
    let segments: Vec<_> = decoded.split(|byte| *byte == b'/').filter_map(without_parameters).collect();
    normalize(&segments.join(&b'/')).map(Cow::into_owned)
}

/// True if nothing in `path` may need a change: no escape, no `//`, no segment that starts with a
/// dot, and no byte that [`decode`] would write as an escape.
fn is_normal(path: &[u8]) -> bool {
    let mut previous = 0;
    path.iter().all(|&byte| {
        let follows_slash = previous == b'/';
        previous = byte;
        match byte {
            b'%' => false,
            b'/' | b'.' => !follows_slash,
            _ => byte.is_ascii_graphic(),
        }
    })
}

/// Step 2. Escapes that stay get capital digits, and bytes that no target should hold become
/// escapes, so that a prefix written `/gambar saya/` and a target `/gambar%20saya/` meet.
fn decode(path: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let escaped = match (byte, after) {
            (b'%', [high, low, ..]) => hexadecimal(*high, *low),
            _ => None,
        };
        match escaped {
            Some(value) => {
                rest = &after[2..];
                match value.is_ascii_alphanumeric() || b"-._~".contains(&value) {
                    true => decoded.push(value),
                    false => escape(&mut decoded, value),
                }
            }
            None if byte.is_ascii_graphic() => decoded.push(byte),
            None => escape(&mut decoded, byte),
        }
    }
    decoded
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
}

fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let value = crate::protocol::http::hexadecimal(&[high, low])?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn group(name: &str) -> Arc<Group> {
        Arc::new(Group::new(name, vec![([127, 0, 0, 1], 8888).into()]))
    }

    fn routes(prefixes: &[&str]) -> Routes {
        let mut routes = Routes::new(group("default"));
        for prefix in prefixes {
            routes.add(prefix, group(prefix)).expect("a good prefix");
        }
        routes
    }

    fn found<'r>(routes: &'r Routes, path: &str) -> &'r str {
        routes.find(path).expect("a path within the root").name()
    }

    #[test]
    fn a_prefix_counts_at_the_start_of_the_path_only() {
        // The Python looked for it anywhere in the request.
        let routes = routes(&["/images/", "/pdf/"]);
        assert_eq!(found(&routes, "/x/pdf/y"), "default");
        assert_eq!(found(&routes, "/?next=/pdf/y"), "default");
        assert_eq!(found(&routes, "/pdf/images/y"), "/pdf/");
    }

    #[test]
    fn a_prefix_ends_on_a_segment_edge() {
        let closed = routes(&["/images/"]);
        assert_eq!(found(&closed, "/images/"), "/images/");
        assert_eq!(found(&closed, "/images/x?y"), "/images/");
        assert_eq!(found(&closed, "/images"), "default");
        let open = routes(&["/images"]);
        for path in ["/images", "/images?x", "/images/", "/images/x"] {
            assert_eq!(found(&open, path), "/images", "{path}");
        }
        assert_eq!(found(&open, "/imagesx"), "default");
        assert_eq!(found(&open, "/images.html"), "default");
    }

    #[test]
    fn the_longest_prefix_wins_in_any_order() {
        for order in [["/a", "/a/b/", "/"], ["/", "/a/b/", "/a"]] {
            let routes = routes(&order);
            assert_eq!(found(&routes, "/a/b/c"), "/a/b/");
            assert_eq!(found(&routes, "/a/b"), "/a");
            assert_eq!(found(&routes, "/b"), "/");
        }
    }

    #[test]
    fn the_match_sees_what_the_back_end_will_see() {
        let routes = routes(&["/pdf/", "/gambar saya/"]);
        for path in
            ["/x/../pdf/a", "/%70df/a", "//pdf/", "/./pdf//a", "/x/%2e%2E/pdf/", "/pdf/x/..", "/pdf/."]
        {
            assert_eq!(found(&routes, path), "/pdf/", "{path}");
        }
        for path in ["/pdf/../x", "/pdf/..", "/pdf/%zz/../..", "/.pdf/", "/pdf..."] {
            assert_eq!(found(&routes, path), "default", "{path}");
        }
        assert_eq!(found(&routes, "/gambar%20saya/x"), "/gambar saya/");
        assert_eq!(found(&routes, "*"), "default");
        assert_eq!(found(&routes, ""), "default");
    }

    #[test]
    fn a_path_that_two_back_ends_read_as_two_routes_is_refused() {
        let routes = routes(&["/pdf/", "/a;b/", "/c%2Fd/"]);
        for path in [
            "/pdf%2Fa",
            "/pdf/..%2fx",
            "/x%2f..%2Fpdf/",
            "/%2fpdf/",
            "/pdf/..;/x",
            "/pdf;a=b/x",
            "/x/..;a/pdf/",
            "/pdf/..%5cx",
            "/x\\..\\pdf\\",
            "/pdf/..%00/x",
            "/%2570df/",
            "/pdf/..%2f../x",
            "/..%2fx",
        ] {
            assert_eq!(routes.find(path).map(|group| group.name()).map_err(|r| r.status), Err(400), "{path}");
        }
        for (path, name) in [
            ("/pdf/a%2Fb", "/pdf/"),
            ("/pdf/a;b=c", "/pdf/"),
            ("/pdf/a%25", "/pdf/"),
            ("/x%2Fpdf/", "default"),
            ("/x;/y\\z", "default"),
            ("/pdf%2f..", "default"),
            ("/a;b/x", "/a;b/"),
            ("/c%2fd/x", "/c%2Fd/"),
        ] {
            assert_eq!(found(&routes, path), name, "{path}");
        }
        // With one group there is nothing to go around.
        assert!(self::routes(&[]).find("/pdf/..%2fx").is_ok());
    }

    #[test]
    fn a_path_above_the_root_is_refused() {
        let routes = routes(&[]);
        for path in ["/..", "/../x", "/a/../../a", "/%2e%2e/", "//.."] {
            assert_eq!(routes.find(path).unwrap_err().status, 400, "{path}");
        }
        assert!(routes.find("/a/..?../..").is_ok());
    }

    #[test]
    fn bad_prefixes_are_named() {
        let mut routes = routes(&["/pdf/"]);
        for (prefix, sentence) in [
            ("pdf/", "the route prefix `pdf/` does not start with `/`"),
            ("/a?b", "the route prefix `/a?b` is not a path alone: it has a `?` or `#`"),
            ("/../a", "the route prefix `/../a` climbs above the root"),
            ("/%70df/", "the route prefix `/%70df/` is given twice"),
        ] {
            assert_eq!(routes.add(prefix, group("x")).unwrap_err(), sentence);
        }
    }

    #[test]
    fn each_group_is_listed_once() {
        let mut routes = routes(&["/a"]);
        let shared = group("shared");
        routes.add("/b", Arc::clone(&shared)).unwrap();
        routes.add("/c", shared).unwrap();
        assert_eq!(routes.groups().len(), 3);
        assert_eq!(routes.groups()[0].name(), "default");
    }

    proptest! {
        #[test]
        fn a_normal_path_stays_and_is_never_copied(path in "(/[a-z.%]{0,3}){1,6}") {
            if let Ok(normal) = normalize(path.as_bytes()) {
                prop_assert!(normal.starts_with(b"/"));
                prop_assert!(!normal.windows(2).any(|pair| pair == b"//"));
                let again = normalize(&normal).unwrap();
                prop_assert_eq!(&*again, &*normal);
                prop_assert!(!is_normal(path.as_bytes()) || matches!(normal, Cow::Borrowed(_)));
            }
        }

        #[test]
        fn a_path_in_disguise_goes_where_the_plain_one_goes(
            segments in proptest::collection::vec("[a-c]{1,2}", 1..5), disguise in 0usize..4, at in 0usize..4,
        ) {
            let routes = routes(&["/a", "/a/b/", "/b/", "/c/a"]);
            let plain = format!("/{}", segments.join("/"));
            let mut segments = segments;
            let at = at % segments.len();
            segments[at] = match disguise {
                0 => format!("./{}", segments[at]),
                1 => format!("x/../{}", segments[at]),
                2 => format!("/{}", segments[at]),
                _ => segments[at].bytes().map(|byte| format!("%{byte:02x}")).collect(),
            };
            let disguised = format!("/{}", segments.join("/"));
            prop_assert_eq!(found(&routes, &disguised), found(&routes, &plain), "{}", disguised);
        }
    }
}
