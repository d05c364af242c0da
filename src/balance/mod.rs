//! Which back end serves a connection or request: whose turn it is, and who is fit for it.
//!
//! Contract: the bottom of the crate. Nothing in here uses another room, a socket, a file or a clock:
//! results and moments ([`Instant`](std::time::Instant)) go in; back ends, and log messages about
//! them, come out. All of it may be shared by any number of threads and loops.
//!
//! | file | what it owns |
//! |---|---|
//! | `group` | back ends that serve the same requests, and the shared counter of their turns |
//! | `policy` | which back end a turn begins with, and which one it tries next: a file a policy |
//! | `turn` | one connection's or request's turn, and the back ends that it has tried |
//! | `cycle` | the order of turns in which each back end has as many as it weighs |
//! | `key` | what is known of whoever asks |
//! | `list` | the back ends of a group at this moment |
//! | `member` | a back end as it was configured or found by its name |
//! | `backend` | one back end: address, counters, and what is held against it |
//! | `availability` | when failures and health checks take a back end out, and when it comes back |
//! | `slow_start` | how a back end that came back gets a growing share |
//! | `tag` | names of back ends that may be shown to clients |
//! | `mix` | a mixing function |
//! | `control` | what a person decided about a back end: ready, drain or down |
//! | `handover` | what a new configuration takes over of back ends that stay |
//! | `queue` | a limit on what one back end does at a time, and who waits because of it |
//! | `health` | when a back end is checked, and what a row of results means |
//! | `routes` | which group serves a path |
//! | `idle_pool` | connections to back ends that are kept open for the next request |
//! | `limits` | the bounds of all this |

mod availability;
mod backend;
mod control;
mod cycle;
mod group;
mod handover;
pub(crate) mod health;
pub(crate) mod idle_pool;
mod key;
pub mod limits;
mod list;
mod member;
mod mix;
mod policy;
mod queue;
pub mod routes;
mod slow_start;
mod tag;
mod turn;

#[cfg(test)]
mod tests;

pub use availability::Passive;
pub use backend::{Backend, Chosen};
pub(crate) use control::Control;
pub use group::Group;
pub(crate) use group::GroupSettings;
pub use key::Key;
pub use member::Member;
pub(crate) use policy::{DependsOn, Policy};
pub(crate) use queue::{Pick, Ticket};
pub(crate) use tag::{Tag, TagKey};
pub use turn::Turn;

/// The name under which a log message of this room appears, whichever of its files writes it.
const LOG_TARGET: &str = "giliran::balance";
