//! From words to a running role.
pub mod cli;
pub mod config;
pub mod defaults;
pub(crate) mod duration;
pub mod roles;
pub mod service;
pub mod settings;
pub mod suite;
