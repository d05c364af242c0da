//! The lab: the course's experiment in one command, with its causes.
mod bounds;
mod client;
mod lang;
mod random;
pub mod stand;
