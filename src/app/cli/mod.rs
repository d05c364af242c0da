//! The command line: which flags there are, what their values mean, and what `--help` says about them.
//!
//! Contract: clap's definition of the flags is the only one; `--help`, the configuration file and
//! `--check` are made from it. Nothing here reads a file or starts anything.
//!
//! | file | what is in it |
//! |---|---|
//! | `failure` | why a role fails, and its exit status |
//! | `output` | printing on standard output and standard error |
//! | `usage` | what is wrong with the arguments, and one line about it |
//! | `values` | values that need a type or a parser of their own |
//! | `flags` | the flags, in groups |
//! | `discovery` | the flags of how names of back ends are looked up |
//! | `balancing` | the flags that say how turns are given |
//! | `site` | the flags of a static server's site |
//! | `guard_flags` | those of the guards |
//! | `args` | which groups of flags each role has |
//! | `request` | the request that `explain` is about |
//! | `role` | the roles: name, help text, example and default address of each |

mod args;
mod balancing;
mod discovery;
mod failure;
mod flags;
mod guard_flags;
mod output;
mod request;
mod role;
mod site;
mod tls_flags;
mod usage;
mod values;

pub use args::Proxy;
pub(crate) use args::{Balancer, Driver, Server, Suite};
pub(crate) use balancing::Balancing;
pub(crate) use failure::Failure;
pub(crate) use flags::{
    BackEndGroup, Concurrency, Configuration, Forwarding, Front, Health, Listening, Load, Logging,
    NamedBackEnds,
};
pub use flags::{CourseBackEnds, Loops, Pool};
pub(crate) use guard_flags::GuardFlags;
pub(crate) use output::{print, print_failure};
pub(crate) use request::{Request, STATUS_PATH, status_page};
pub use role::Role;
pub(crate) use role::{EXPLAIN, STYLES};
pub(crate) use site::{CourseSite, PlainFolder, SiteGroup};
pub(crate) use tls_flags::TlsFlags;
pub(crate) use usage::{Mistake, join_values, one_line, take_command};
pub(crate) use values::Mode;

#[cfg(test)]
mod tests;
