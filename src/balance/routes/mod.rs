//! Routes: which of them serves a request, by its host and its path.
//!
//! Contract: the most specific route wins. The host decides first: a route for the host itself goes before one for
//! `*.example.org` (the longest first), and that before one for every host (nginx `server_name`). Among those the
//! longest prefix wins that ends at the end of a segment (nginx `location`): `/images` is for `/images` and
//! `/images/x`, not for `/imagesx`; `/images/` is for `/images/` and `/images/x`, not for `/images`. A prefix counts
//! at the start of the path only: the Python looked for it anywhere, so that `/x/pdf/y` went to the PDF server. A
//! request that no route fits goes to the default.
//!
//! What is compared is the normal form of the host (`host::normalize`) and of the path (`path::normalize`), without
//! the query. Whoever rewrites a path rewrites that normal form, so that what was looked at is what is sent.
//!
//! Not all back ends read a path alike: some take `%2F` or `\` for a slash, some cut `;parameters` off
//! each segment (`/pdf/..;/x`). A path that leads to another route in that reading (`path::read_loosely`)
//! is refused: whoever got it, the back end might serve something outside of the route.
//!
//! What a route leads to (`T`) is nothing of this room: a group of back ends, or a response.

mod host;
mod path;
mod pattern;
mod prefixes;
mod verdict;

use std::borrow::Cow;
use std::ops::Index;

use rustc_hash::FxHashMap;

use host::HOST_BYTES_MAX;
use pattern::Host;
pub use pattern::Pattern;
pub(crate) use pattern::normal_prefix;
use prefixes::{Hit, Prefixes};
pub(crate) use verdict::{Verdict, Verdicts};

/// The number of the default.
pub(crate) const DEFAULT: usize = 0;

/// Patterns with what they lead to, and the default for all other requests.
#[derive(Clone, Debug)]
pub struct Routes<T> {
    /// The default, then the others in the order in which they were added: each has its index as its number.
    targets: Vec<T>,
    /// The pattern of each but the default.
    patterns: Vec<Pattern>,
    any: Table,
    /// By host.
    only: FxHashMap<Box<[u8]>, Table>,
    /// By domain, which is the host of the pattern without `*.`.
    below: FxHashMap<Box<[u8]>, Table>,
    /// The lengths of these domains, longest first.
    domain_lengths: Vec<usize>,
}

/// The routes of one host.
#[derive(Clone, Debug, Default)]
struct Table {
    normal: Prefixes,
    loose: Prefixes,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Found {
    /// The route with this number serves it.
    Route(usize),
    /// It asks for the folder of the route with this number without the slash at its end, and no route has that
    /// path. The client is to be redirected to [`Routes::with_slash`], as by nginx: the folder's own links are
    /// relative to `/images/`, and without the redirect its page would come from another route.
    LacksSlash(usize),
}

/// Why a path has no route. The client is at fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RouteError {
    /// Its `..` segments lead above the root.
    AboveRoot,
    /// Two back ends may read it as paths of two routes.
    Ambiguous,
}

impl RouteError {
    /// One sentence for the client.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            RouteError::AboveRoot => "The path climbs above the root.",
            RouteError::Ambiguous => "The path can be read in two ways that lead to different places.",
        }
    }
}

impl<T> Routes<T> {
    /// Everything to one place: what a balancer has.
    pub fn new(default: T) -> Routes<T> {
        Routes {
            targets: vec![default],
            patterns: Vec::new(),
            any: Table::default(),
            only: FxHashMap::default(),
            below: FxHashMap::default(),
            domain_lengths: Vec::new(),
        }
    }

    /// Sends what fits the pattern to `target`. The order of calls does not matter.
    ///
    /// Errors, as one sentence for the person who configures it: the pattern is there already.
    pub fn add(&mut self, pattern: &Pattern, target: T) -> Result<(), String> {
        let is_same = |other: &&Pattern| other.host() == pattern.host() && other.prefix() == pattern.prefix();
        let number = self.targets.len();
        let table = match pattern.host() {
            Host::Any => &mut self.any,
            Host::Only(host) => self.only.entry(host.as_bytes().into()).or_default(),
            Host::Below(domain) => self.below.entry(domain.as_bytes().into()).or_default(),
        };
        // Only one of the same table can be the same.
        if table.normal.has(pattern.prefix()) {
            let before = self.patterns.iter().find(is_same).map(Pattern::to_string).unwrap_or_default();
            return Err(match before == pattern.to_string() {
                true => format!("the route `{pattern}` is given twice"),
                false => format!("the route `{pattern}` is given twice: `{before}` is the same"),
            });
        }
        if let Host::Below(domain) = pattern.host()
            && let Err(index) = self.domain_lengths.binary_search_by(|length| domain.len().cmp(length))
        {
            self.domain_lengths.insert(index, domain.len());
        }
        table.normal.insert(pattern.prefix(), number);
        // Of two prefixes that a careless back end takes for one, that reading leads to the plain one.
        if pattern.loose == pattern.prefix() || !table.loose.has(&pattern.loose) {
            table.loose.insert(&pattern.loose, number);
        }
        self.targets.push(target);
        self.patterns.push(pattern.clone());
        Ok(())
    }

    /// Where a request goes, by its host (as `Host` says it; empty for none) and its path; a query behind it is left
    /// out. `*`, and whatever else is no path, goes to the default.
    ///
    /// Errors: a path that leads above the root, or that two back ends may read as two routes.
    pub fn find(&self, host: &str, path_and_query: &str) -> Result<Found, RouteError> {
        let path = path_of(path_and_query).as_bytes();
        if path.first() != Some(&b'/') {
            return Ok(Found::Route(DEFAULT));
        }
        let normal = path::normalize(path)?;
        if self.patterns.is_empty() {
            return Ok(Found::Route(DEFAULT)); // there is only one place to go to
        }
        let number = match self.first_in_tables(host, |table| table.normal.find(&normal)) {
            Some(Hit::LacksSlash(number)) => return Ok(Found::LacksSlash(number)),
            Some(Hit::Covers(number)) => number,
            None => DEFAULT,
        };
        match !has_two_readings(path) || self.find_loosely(host, path)? == number {
            true => Ok(Found::Route(number)),
            false => Err(RouteError::Ambiguous),
        }
    }

    /// True if a host makes a difference to [`find`](Routes::find): to look for it in a head has its price.
    pub fn ask_for_host(&self) -> bool {
        !(self.only.is_empty() && self.below.is_empty())
    }

    /// The path of the folder that [`Found::LacksSlash`] names, with the slash at its end and the query of the
    /// request. It is a normal form: ASCII only, and never two slashes at its start, which would name another host.
    pub fn with_slash(&self, number: usize, path_and_query: &str) -> String {
        let folder =
            self.pattern(number).map_or(Cow::Borrowed("/"), |one| String::from_utf8_lossy(one.prefix()));
        format!("{folder}{}", &path_and_query[path_of(path_and_query).len()..])
    }

    /// The route for a path as a careless back end reads it.
    fn find_loosely(&self, host: &str, path: &[u8]) -> Result<usize, RouteError> {
        let path = path::read_loosely(path)?;
        Ok(self.first_in_tables(host, |table| table.loose.covering(&path)).unwrap_or(DEFAULT))
    }

    /// Asks the tables that are for a host, the most specific one first, until one has something to say.
    fn first_in_tables<F>(&self, host: &str, ask: impl Fn(&Table) -> Option<F>) -> Option<F> {
        if self.only.is_empty() && self.below.is_empty() {
            return ask(&self.any);
        }
        let mut space = [0; HOST_BYTES_MAX];
        let host = host::normalize(host.as_bytes(), &mut space).unwrap_or_default();
        let only = || self.only.get(host).and_then(&ask);
        only().or_else(|| self.tables_below(host).find_map(&ask)).or_else(|| ask(&self.any))
    }

    /// The tables of the wildcards that a host fits, the longest first.
    fn tables_below<'r>(&'r self, host: &'r [u8]) -> impl Iterator<Item = &'r Table> {
        let starts = self.domain_lengths.iter().filter_map(|length| host.len().checked_sub(*length));
        // Something must stand before the dot.
        let starts = starts.filter(|start| *start > 1 && host[start - 1] == b'.');
        starts.filter_map(|start| self.below.get(&host[start..]))
    }

    /// What every route leads to, the default first: each stands at its number.
    pub fn targets(&self) -> &[T] {
        &self.targets
    }

    /// The same, to be changed.
    pub(crate) fn targets_mut(&mut self) -> &mut [T] {
        &mut self.targets
    }

    /// The pattern of a route; none for the default.
    pub fn pattern(&self, number: usize) -> Option<&Pattern> {
        self.patterns.get(number.checked_sub(1)?)
    }
}

/// The route with this number.
impl<T> Index<usize> for Routes<T> {
    type Output = T;

    fn index(&self, number: usize) -> &T {
        &self.targets[number]
    }
}

/// A path and its query as two: the path in normal form, and the query with its `?`, or nothing.
pub(crate) fn split(path_and_query: &str) -> Result<(Cow<'_, [u8]>, &str), RouteError> {
    let path = path_of(path_and_query);
    Ok((path::normalize(path.as_bytes())?, &path_and_query[path.len()..]))
}

/// What follows the prefix in a path, both in normal form: empty, or from a `/` on. `None` if it does not cover it.
pub(crate) fn behind<'p>(prefix: &[u8], path: &'p [u8]) -> Option<&'p [u8]> {
    let rest = path.strip_prefix(prefix.strip_suffix(b"/").unwrap_or(prefix))?;
    (rest.first().is_none_or(|byte| *byte == b'/')).then_some(rest)
}

/// The path without the query behind it.
fn path_of(path_and_query: &str) -> &str {
    path_and_query.split('?').next().unwrap_or(path_and_query)
}

/// True if a careless back end may read the path in another way.
fn has_two_readings(path: &[u8]) -> bool {
    path.iter().any(|byte| matches!(byte, b'%' | b'\\' | b';'))
}

/// True if `path` starts with `prefix` and the prefix ends where a segment does.
fn covers(prefix: &[u8], path: &[u8]) -> bool {
    match path.strip_prefix(prefix) {
        Some([] | [b'/', ..]) => true,
        Some(_) => prefix.ends_with(b"/"),
        None => false,
    }
}

#[cfg(test)]
mod tests;
