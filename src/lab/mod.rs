//! The lab: the course's experiment on this machine, with its causes.

pub mod stand;
