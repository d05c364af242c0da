//! The lab: the course's experiment in one command, with its causes.
mod bounds;
mod client;
mod kernel;
mod lang;
mod machine;
mod published;
mod random;
mod results;
pub mod role;
pub mod stand;
mod summary;
mod warnings;
