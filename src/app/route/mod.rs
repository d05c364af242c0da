//! A route as people write it: as one text on the command line, or as a `[[route]]` table of the configuration file.
//!
//! Contract: both forms have the same words, and are read into one type, [`RouteSpec`]. What is printed in either form
//! can be read back and gives the same. An error names the word that is wrong and says what would be right.
//!
//! | file | what is in it |
//! |---|---|
//! | `destination` | where the requests go: back ends, another place, or a response |
//! | `guards` | which of its requests are refused |
//! | `options` | what is changed on the way, one word each |
//! | `text` | the form of the command line: `[HOST][/PREFIX]=WHERE[; OPTION]...` |
//! | `table` | the form of the file |

mod destination;
mod guards;
mod options;
mod table;
mod text;

use crate::balance::Policy;
use crate::balance::routes::Pattern;
use crate::protocol::forward::{FieldRule, Rewrite};
use crate::protocol::route::{Action, Route};

pub(crate) use destination::Destination;
pub(crate) use guards::GuardSpec;
pub(crate) use table::{from_table, to_table};

/// A route before its back ends are looked up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RouteSpec {
    /// The hosts and paths that it is for.
    pub(crate) pattern: Pattern,
    /// Where their requests go.
    pub(crate) to: Destination,
    /// How their paths are rewritten.
    pub(crate) rewrite: Option<Rewrite>,
    /// Fields that are set, added or removed.
    pub(crate) rules: Vec<FieldRule>,
    /// In place of the limit of the role: requests that a back end may have at a time.
    pub(crate) max_per_backend: Option<usize>,
    /// In place of the policy of the role: which back end a request goes to.
    pub(crate) policy: Option<Policy>,
    /// In place of the guards of the role: which requests are refused.
    pub(crate) guards: GuardSpec,
}

impl RouteSpec {
    /// A route without options.
    pub(crate) fn new(pattern: Pattern, to: Destination) -> RouteSpec {
        RouteSpec {
            pattern,
            to,
            rewrite: None,
            rules: Vec::new(),
            max_per_backend: None,
            policy: None,
            guards: GuardSpec::default(),
        }
    }

    /// What is done with its requests, once it is known what `action` that is; `role` are the rules of all routes.
    ///
    /// Errors: two rules that cannot both be obeyed.
    pub(crate) fn route(&self, action: Action, role: &[FieldRule]) -> Result<Route, String> {
        let route = Route::new(Some(self.pattern.to_string().into()), action);
        Route { rewrite: self.rewrite.clone(), ..route }.with_rules(role, &self.rules)
    }
}

#[cfg(test)]
mod tests;
