//! Routes: which group of back ends serves a path.
//!
//! Contract: the longest prefix that ends at the end of a segment wins; if there is none, the default
//! group serves the path (nginx `location`). `/images` is for `/images` and `/images/x`, not for
//! `/imagesx`; `/images/` is for `/images/` and `/images/x`, not for `/images`. A prefix counts at the
//! start of the path only: the Python looked for it anywhere, so that `/x/pdf/y` went to the PDF server.
//!
//! What is compared is the normal form (`path::normalize`) of the path, without the query; the target
//! itself is forwarded as it came.
//!
//! Not all back ends read a path alike: some take `%2F` or `\` for a slash, some cut `;parameters` off
//! each segment (`/pdf/..;/x`). A path that leads to another group in that reading (`path::read_loosely`)
//! is refused: whichever group got it, the back end might serve something outside of the route.

mod path;
mod verdict;

use std::sync::Arc;

use super::group::Group;
pub(crate) use verdict::{Verdict, Verdicts};

/// Prefixes with their groups, and the group for all other paths.
#[derive(Clone, Debug)]
pub struct Routes {
    /// Longest prefix first.
    routes: Vec<Route>,
    default: Arc<Group>,
}

#[derive(Clone, Debug)]
struct Route {
    /// The prefix in normal form.
    prefix: Vec<u8>,
    /// The prefix as a careless back end reads it.
    loose: Vec<u8>,
    group: Arc<Group>,
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

impl Routes {
    /// Everything to one group: what a balancer has.
    pub fn new(default: Arc<Group>) -> Routes {
        Routes { routes: Vec::new(), default }
    }

    /// Sends what starts with `prefix` to `group`. The order of calls does not matter.
    ///
    /// Errors, as one sentence for the person who configures it: a prefix that does not start with `/`, that
    /// has a `?`, `#` or `*`, that leads above the root, or that is there already.
    pub fn add(&mut self, prefix: &str, group: Arc<Group>) -> Result<(), String> {
        if !prefix.starts_with('/') {
            return Err(format!("the route prefix `{prefix}` does not start with `/`"));
        }
        if prefix.contains(['?', '#']) {
            return Err(format!("the route prefix `{prefix}` is not a path alone: it has a `?` or `#`"));
        }
        if let Some((before, _)) = prefix.split_once('*') {
            // It would match only a request for a `*`, which nobody means.
            return Err(format!(
                "the route prefix `{prefix}` has a `*`, and there are no wildcards: \
                 a prefix is for all paths that start with it, so write `{before}`"
            ));
        }
        let Ok(normal) = path::normalize(prefix.as_bytes()) else {
            return Err(format!("the route prefix `{prefix}` climbs above the root"));
        };
        if self.routes.iter().any(|route| route.prefix == *normal) {
            return Err(format!("the route prefix `{prefix}` is given twice"));
        }
        let index = self.routes.partition_point(|route| route.prefix.len() >= normal.len());
        let loose = path::read_loosely(prefix.as_bytes()).unwrap_or_else(|_| normal.to_vec());
        self.routes.insert(index, Route { prefix: normal.into_owned(), loose, group });
        Ok(())
    }

    /// The group for a path; a query behind it is left out. `*`, and whatever else is no path, goes to the default.
    ///
    /// Errors: a path that leads above the root, or that two back ends may read as two routes.
    pub fn find(&self, path_and_query: &str) -> Result<&Arc<Group>, RouteError> {
        let path = path_of(path_and_query).as_bytes();
        if path.first() != Some(&b'/') {
            return Ok(&self.default);
        }
        let normal = path::normalize(path)?;
        let group = self.serving(&normal).map_or(&self.default, |index| &self.routes[index].group);
        let is_clear = self.routes.is_empty() || !has_two_readings(path);
        match is_clear || Arc::ptr_eq(self.find_loosely(path)?, group) {
            true => Ok(group),
            false => Err(RouteError::Ambiguous),
        }
    }

    /// For `/images?x`, if there is a route for `/images/` and none for `/images`: `/images/?x`, to which the
    /// client is to be redirected (as nginx does). The folder's own links are relative to `/images/`, and without
    /// the redirect its page would come from another group.
    pub(crate) fn with_slash(&self, path_and_query: &str) -> Option<String> {
        let path = path_of(path_and_query);
        if self.routes.is_empty() || !path.starts_with('/') {
            return None;
        }
        let normal = path::normalize(path.as_bytes()).ok()?;
        let is_folder = |prefix: &[u8]| prefix.strip_suffix(b"/") == Some(&*normal);
        let is_route = |prefix: &[u8]| prefix == &*normal;
        let folder = self.routes.iter().find(|route| is_folder(&route.prefix))?;
        if self.routes.iter().any(|route| is_route(&route.prefix)) {
            return None;
        }
        // A normal form has ASCII only, and never two slashes at its start, which would name another host.
        let folder = std::str::from_utf8(&folder.prefix).ok()?;
        Some(format!("{folder}{}", &path_and_query[path.len()..]))
    }

    /// The index of the route that serves a path in normal form; `None` for the default group.
    fn serving(&self, normal: &[u8]) -> Option<usize> {
        self.routes.iter().position(|route| covers(&route.prefix, normal))
    }

    /// The group for a path as a careless back end reads it.
    fn find_loosely(&self, path: &[u8]) -> Result<&Arc<Group>, RouteError> {
        let path = path::read_loosely(path)?;
        let routes = self.routes.iter().filter(|route| covers(&route.loose, &path));
        Ok(routes.max_by_key(|route| route.loose.len()).map_or(&self.default, |route| &route.group))
    }

    /// Every group once, the default first.
    pub(crate) fn groups(&self) -> Vec<&Arc<Group>> {
        let mut groups = vec![&self.default];
        for route in &self.routes {
            if !groups.iter().any(|group| Arc::ptr_eq(group, &route.group)) {
                groups.push(&route.group);
            }
        }
        groups
    }
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
