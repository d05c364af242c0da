//! The policies: which back end a turn begins with, and which one it tries next.
//!
//! Contract: a policy only chooses among [`Candidates`], which are those that the turn may go to: none that is out,
//! none that it has tried, and no backup while another one is left. It takes no lock, allocates nothing and keeps no
//! state of its own, so that one value serves all groups: what is counted is counted in the back ends. It obeys
//! weights, in which a slow start is contained ([`Candidates::weight`]).
//!
//! | file | the policy |
//! |---|---|
//! | `round_robin` | each in its turn: the default |
//! | `least_connections` | the one that has the least to do |
//! | `random_two` | of two at random the one that has less to do |
//! | `source_hash` | the same one for the same client address |
//! | `cookie` | the one that the client's cookie names |
//!
//! A new policy is a file beside these and a line in [`POLICIES`].

mod candidates;
mod cookie;
mod least_connections;
mod random_two;
mod round_robin;
mod source_hash;

use std::fmt;
use std::str::FromStr;

pub(super) use candidates::Candidates;

/// Every policy that can be chosen; the first is the default.
const POLICIES: [&dyn Choose; 5] = [
    &round_robin::RoundRobin,
    &least_connections::LeastConnections,
    &random_two::RandomTwo,
    &source_hash::SourceHash,
    &cookie::Cookie,
];

/// What a policy does.
pub(super) trait Choose: Sync {
    /// Its name: the value of `--policy`.
    fn name(&self) -> &'static str;

    /// What it does, for `--help`.
    fn about(&self) -> &'static str;

    /// What its choice depends on.
    fn depends_on(&self) -> DependsOn;

    /// The candidate that the turn tries next.
    fn choose(&self, among: &Candidates<'_>) -> Choice;
}

/// The choice of a policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Choice {
    /// The candidate at this index of the list.
    At(usize),
    /// None of them: it must be the back end with this number, which has no room now.
    WaitFor(u64),
    /// There is none.
    None,
}

impl From<Option<usize>> for Choice {
    fn from(index: Option<usize>) -> Choice {
        index.map_or(Choice::None, Choice::At)
    }
}

/// What the choice of a policy depends on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum DependsOn {
    /// The state of the group alone, so that it can be told who is next.
    Turn,
    /// Chance.
    Chance,
    /// The client's address.
    Client,
    /// The client's cookie, and for a client without one the state of the group.
    Cookie,
}

/// A policy, by which a group gives its turns.
#[derive(Clone, Copy)]
pub(crate) struct Policy {
    choose: &'static dyn Choose,
    /// It is asked for with each request.
    depends_on: DependsOn,
}

impl Policy {
    fn new(choose: &'static dyn Choose) -> Policy {
        Policy { choose, depends_on: choose.depends_on() }
    }

    /// All policies that can be chosen.
    pub(crate) fn all() -> impl Iterator<Item = Policy> {
        POLICIES.into_iter().map(Policy::new)
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        self.choose.name()
    }

    /// What it does.
    pub(crate) fn about(self) -> &'static str {
        self.choose.about()
    }

    /// What its choice depends on.
    pub(crate) fn depends_on(self) -> DependsOn {
        self.depends_on
    }

    pub(super) fn choose(self, among: &Candidates<'_>) -> Choice {
        self.choose.choose(among)
    }
}

impl Default for Policy {
    fn default() -> Policy {
        Policy::new(POLICIES[0])
    }
}

impl PartialEq for Policy {
    fn eq(&self, other: &Policy) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Policy {}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(name: &str) -> Result<Policy, String> {
        Policy::all().find(|policy| policy.name() == name).ok_or_else(|| {
            let names: Vec<&str> = Policy::all().map(Policy::name).collect();
            format!("{name:?} is not a policy: choose one of {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests;
