//! What bytes mean.
pub mod buffer;
pub mod cidr;
pub mod context;
pub mod event;
pub mod exchange;
pub mod forward;
pub mod http;
pub mod interest;
pub mod limits;
pub mod linger;
pub(crate) mod machine;
pub mod now;
pub mod outcome;
pub mod proxy_header;
pub mod relay;
pub mod request_line;
#[cfg(test)]
pub(crate) mod testing;
pub mod timeouts;
pub mod timing;
pub mod web;
