//! What is told while the program runs. Today that is the log; a status page and traces belong here too.
//!
//! Contract: whoever observes a connection never makes it wait and never makes it fail. The machines in
//! `protocol` say what happens as [`Event`](crate::protocol::event::Event)s; what becomes of them is
//! decided here.

pub mod log;
