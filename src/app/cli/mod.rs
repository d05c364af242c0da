//! The command line: which flags there are, what their values mean, and what `--help` says about them.
//!
//! Contract: clap's definition of the flags is the only one; `--help`, the configuration file and
//! `--check` are made from it. Nothing here reads a file or starts anything.
//!
//! | file | what is in it |
//! |---|---|
//! | `role` | the roles: name, help text, example and default address of each |
//! | `args` | which groups of flags each role has |
//! | `flags` | the flags, in groups |
//! | `values` | values that need a parser of their own |
//! | `usage` | one line about bad usage |
//! | `failure` | why a role fails, and its exit status |
//! | `output` | printing on standard output and standard error |

mod args;
mod failure;
mod flags;
mod output;
mod role;
mod usage;
mod values;

pub use args::{AsyncBalancer, Balancer, Proxy, Server, Suite, ThreadedBalancer};
pub use failure::Failure;
pub use flags::{Configuration, FlagGroup, Logging, Loops, Pool};
pub(crate) use output::{print, print_failure};
pub use role::Role;
pub(crate) use usage::one_line;
pub use values::Mode;

#[cfg(test)]
mod tests;
