//! The flags of the guards: who may ask, how often, how much, and with which password.

use std::path::PathBuf;

use clap::Args;

use super::flags::FlagGroup;
use super::values::count;
use crate::app::settings::Settings;
use crate::app::size;
use crate::protocol::cidr::Cidr;
use crate::protocol::guard::Rate;
use crate::protocol::http::head::HeadLimits;
use crate::protocol::limits::{
    HEAD_BYTES_MAX, HEAD_BYTES_MIN, HEAD_FIELDS_MAX, REQUEST_LINE_BYTES_MAX, REQUEST_LINE_BYTES_MIN,
};

/// Guards that every role has which takes clients.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Guards")]
pub(crate) struct GuardFlags {
    /// Address or block, such as 10.0.0.0/8, that may ask: then others may not (403; with tcp the connection is closed); of several blocks the most specific decides; repeatable
    #[arg(long, value_name = "ADDR")]
    pub(crate) allow: Vec<Cidr>,
    /// Address or block that may not ask; repeatable
    #[arg(long, value_name = "ADDR")]
    pub(crate) deny: Vec<Cidr>,
    /// Requests (tcp: connections) that one client address may make a second, minute or hour, and how many at once [default burst: N]; more get 429 (tcp: are closed)
    #[arg(long, value_name = "N/s[,BURST]")]
    pub(crate) rate_limit: Option<Rate>,
    /// htpasswd file with bcrypt hashes (htpasswd -B), whose users may ask; others get 401; SIGHUP reads it again
    #[arg(long, value_name = "FILE")]
    pub(crate) basic_auth: Option<PathBuf>,
}

/// How long the heads of requests may be.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Guards")]
pub(crate) struct HeadFlags {
    /// Bytes of a whole request head; then 431
    #[arg(long, value_name = "SIZE", default_value = size::text(HEAD_BYTES_MAX as u64),
          value_parser = size::from(HEAD_BYTES_MIN as u64, HEAD_BYTES_MAX as u64))]
    max_head: u64,
    /// Bytes of the line with the method and the target; then 414
    #[arg(long, value_name = "SIZE", default_value = size::text(REQUEST_LINE_BYTES_MAX as u64),
          value_parser = size::from(REQUEST_LINE_BYTES_MIN as u64, REQUEST_LINE_BYTES_MAX as u64))]
    max_request_line: u64,
    /// Fields of a request head; then 431
    #[arg(long, value_name = "N", default_value_t = HEAD_FIELDS_MAX, value_parser = count(1, HEAD_FIELDS_MAX))]
    max_fields: usize,
}

impl HeadFlags {
    /// The limits.
    pub(crate) fn limits(&self) -> HeadLimits {
        // The flags accept nothing that is longer than a buffer.
        let length = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        HeadLimits {
            bytes: length(self.max_head),
            line: length(self.max_request_line),
            fields: self.max_fields,
        }
    }
}

impl FlagGroup for HeadFlags {
    fn apply(&self, settings: &mut Settings) {
        settings.head_limits = self.limits();
    }
}

/// How long the bodies of requests may be, at a gateway: a web server reads a mebibyte of one in any case.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Guards")]
pub(crate) struct BodyFlags {
    /// Bytes of a request body, such as 10m; then 413 [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = size::of_body)]
    pub(crate) max_body: Option<u64>,
}
