//! What is told while the program runs.
pub mod log;
