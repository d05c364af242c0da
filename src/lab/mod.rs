//! The lab: the course's experiment in one command, with its causes.
mod bounds;
mod client;
mod grid;
mod kernel;
mod lang;
mod machine;
mod progress;
mod published;
mod random;
mod results;
pub mod role;
pub mod stand;
mod summary;
mod tools;
mod trial;
mod warnings;
