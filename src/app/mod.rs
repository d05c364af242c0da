//! From words to a running role: flags and a configuration file become settings, a service and its listeners.
//!
//! Contract: a file imports only files above it in this list, so that each can be read with what was read before.
//!
//! | file | what is in it |
//! |---|---|
//! | `defaults` | the addresses of the roles, the defaults of flags and the ranges of their values |
//! | `duration` | durations as people write them |
//! | `size` | sizes as people write them |
//! | `settings` | the settings that both drivers obey |
//! | `route/` | a route as people write it: on the command line, and in the file |
//! | `cli/` | the flags of each role, their values, and the texts of `--help` |
//! | `config` | the configuration file, whose keys are flags |
//! | `invocation` | one command line together with its configuration file |
//! | `reload` | the same, read again on SIGHUP |
//! | `status` | the status page of a process, from its flags to its end |
//! | `site_upkeep` | the thread that looks after a site's root and open files |
//! | `guards` | guards from their flags: an htpasswd file is read, and a thread verifies its passwords |
//! | `service` | what is done with connections, for either driver |
//! | `roles` | each role: from its flags to a service behind its listeners |
//! | `course_site` | the course's site inside the program |
//! | `running` | what a running process says of its roles |
//! | `explain/` | what would become of a request, without starting anything |
//! | `suite` | all roles in one process |
//! | `run` | the whole of a binary, from arguments to exit status |
//! | `program/` | `giliran`: all of it as one program with commands |

pub mod cli;
pub mod config;
mod course_site;
pub(crate) mod defaults;
pub(crate) mod duration;
mod encryption;
mod explain;
mod guards;
mod invocation;
pub mod program;
mod reload;
pub mod roles;
pub(crate) mod route;
mod run;
mod running;
pub mod service;
pub mod settings;
mod site_upkeep;
mod size;
mod status;
pub mod suite;

pub(crate) use run::run_with;
pub use run::{run, run_or_explain};
