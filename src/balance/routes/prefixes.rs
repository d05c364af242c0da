//! The prefixes of the routes of one host, and which of them is the longest for a path.
//!
//! Contract: the time does not grow with the number of prefixes, only with the number of their lengths, and nothing
//! is allocated. A prefix is known by its path without the slash at its end, so that `/images` and `/images/` are
//! found by one look-up.

use rustc_hash::FxHashMap;

/// The routes whose prefixes differ at most in the slash at the end.
#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    /// The route for `/images`, which has `/images/x` too.
    open: Option<usize>,
    /// The route for `/images/`.
    folder: Option<usize>,
}

/// What the prefixes say to a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Hit {
    /// This route has the longest prefix that covers the path.
    Covers(usize),
    /// The path is that of this route's folder without the slash at its end, and no route has it without.
    LacksSlash(usize),
}

/// Prefixes, each with the number of its route.
#[derive(Clone, Debug, Default)]
pub(super) struct Prefixes {
    /// Hashed without a secret: whoever looks a path up adds nothing.
    ends: FxHashMap<Box<[u8]>, Ends>,
    /// The lengths of the keys, longest first.
    lengths: Vec<usize>,
}

impl Prefixes {
    /// Adds a prefix, in place of the same one that is there.
    pub(super) fn insert(&mut self, prefix: &[u8], number: usize) {
        let (key, is_folder) = match prefix.strip_suffix(b"/") {
            Some(key) => (key, true),
            None => (prefix, false),
        };
        let ends = self.ends.entry(key.into()).or_default();
        *(if is_folder { &mut ends.folder } else { &mut ends.open }) = Some(number);
        if let Err(index) = self.lengths.binary_search_by(|length| key.len().cmp(length)) {
            self.lengths.insert(index, key.len());
        }
    }

    /// True if this prefix is there.
    pub(super) fn has(&self, prefix: &[u8]) -> bool {
        let is_folder = prefix.ends_with(b"/");
        let ends = self.ends.get(prefix.strip_suffix(b"/").unwrap_or(prefix));
        ends.is_some_and(|ends| if is_folder { ends.folder.is_some() } else { ends.open.is_some() })
    }

    /// What the prefixes say to a path, which begins with `/`.
    pub(super) fn find(&self, path: &[u8]) -> Option<Hit> {
        for &length in &self.lengths {
            let is_whole = path.len() == length;
            if !is_whole && path.get(length) != Some(&b'/') {
                continue; // the path is shorter, or the prefix would end within a segment
            }
            let Some(ends) = self.ends.get(&path[..length]) else { continue };
            let hit = match (is_whole, ends.open, ends.folder) {
                (true, Some(open), _) => Some(Hit::Covers(open)),
                (true, None, folder) => folder.map(Hit::LacksSlash),
                (false, open, folder) => folder.or(open).map(Hit::Covers),
            };
            if hit.is_some() {
                return hit;
            }
        }
        None
    }

    /// The route with the longest prefix that covers the path.
    pub(super) fn covering(&self, path: &[u8]) -> Option<usize> {
        match self.find(path)? {
            Hit::Covers(number) => Some(number),
            // Only shorter ones are left, and they have the path of the folder's parent.
            Hit::LacksSlash(_) => {
                let parent = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                self.covering_below(path, parent)
            }
        }
    }

    /// The route with the longest prefix of at most `longest` bytes, but for the slash, that covers the path.
    fn covering_below(&self, path: &[u8], longest: usize) -> Option<usize> {
        let shorter = self.lengths.iter().filter(|length| **length <= longest);
        let mut ends = shorter
            .filter(|length| path.get(**length) == Some(&b'/'))
            .filter_map(|length| self.ends.get(&path[..*length]));
        ends.find_map(|ends| ends.folder.or(ends.open))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_that_ends_with_a_segment_is_found() {
        let mut prefixes = Prefixes::default();
        for (number, prefix) in ["/", "/a", "/a/b/", "/a/b", "/c/"].into_iter().enumerate() {
            prefixes.insert(prefix.as_bytes(), number);
        }
        for (path, hit, covering) in [
            ("/", Hit::Covers(0), 0),
            ("/a", Hit::Covers(1), 1),
            ("/ax", Hit::Covers(0), 0),
            ("/a/", Hit::Covers(1), 1),
            ("/a/b", Hit::Covers(3), 3),
            ("/a/b/", Hit::Covers(2), 2),
            ("/a/bc", Hit::Covers(1), 1),
            ("/c", Hit::LacksSlash(4), 0),
            ("/c/x", Hit::Covers(4), 4),
        ] {
            assert_eq!(prefixes.find(path.as_bytes()), Some(hit), "{path}");
            assert_eq!(prefixes.covering(path.as_bytes()), Some(covering), "{path}");
        }
        assert_eq!(Prefixes::default().find(b"/"), None);
        assert_eq!(Prefixes::default().covering(b"/"), None);
    }
}
