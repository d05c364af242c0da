//! Which back end serves a connection or request: whose turn it is, and who is fit for it.
//!
//! Contract: the bottom of the crate. Nothing in here uses another room, a socket, a file or a clock:
//! results and moments ([`Instant`](std::time::Instant)) go in; back ends, and log messages about
//! them, come out. All of it may be shared by any number of threads and loops.
//!
//! | file | what it owns |
//! |---|---|
//! | `group` | back ends that serve the same requests, and the shared counter of the round robin |
//! | `turn` | one connection's or request's position in the round robin |
//! | `list` | the back ends of a group at this moment |
//! | `member` | a back end as it was configured or found by its name |
//! | `backend` | one back end: address, counters, and what is held against it |
//! | `availability` | when failures and health checks take a back end out, and when it comes back |
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
mod group;
mod handover;
pub(crate) mod health;
pub(crate) mod idle_pool;
pub mod limits;
mod list;
mod member;
mod queue;
pub mod routes;
mod turn;

#[cfg(test)]
mod tests;

pub use availability::Passive;
pub use backend::{Backend, Chosen};
pub(crate) use control::Control;
pub use group::Group;
pub(crate) use group::GroupSettings;
pub use member::Member;
pub(crate) use queue::{Pick, Ticket};
pub use turn::Turn;

/// The name under which a log message of this room appears, whichever of its files writes it.
const LOG_TARGET: &str = "giliran::balance";
