//! One load: what the clients ask for, how many at once, and how long.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::lab::bounds::{REQUEST_TIMEOUT, RUN_LIMIT};
use crate::lab::lang::{Lang, text};

/// What the client does while a connect waits.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(in crate::lab) enum Connects {
    /// It goes on with all other clients: any number of connects wait at the same time.
    #[default]
    Overlapping,
    /// It waits as well, so no other client sends or reads meanwhile: as `ab` does on Windows.
    Serial,
}

impl Connects {
    /// Its name in a table.
    pub(in crate::lab) fn name(self, lang: Lang) -> String {
        match self {
            Connects::Overlapping => text!(lang, "overlapping-connects"),
            Connects::Serial => text!(lang, "serial-connects"),
        }
    }
}

/// What the clients of one run are to do.
#[derive(Clone, Debug)]
pub(in crate::lab) struct Load {
    pub(in crate::lab) address: SocketAddr,
    pub(in crate::lab) path: String,
    /// Requests of all clients together.
    pub(in crate::lab) requests: u64,
    /// How many clients ask at the same time.
    pub(in crate::lab) concurrency: usize,
    pub(in crate::lab) keep_alive: bool,
    pub(in crate::lab) connects: Connects,
    /// What every body must be.
    pub(in crate::lab) expected: Arc<[u8]>,
    /// Longest time of the run.
    pub(in crate::lab) limit: Duration,
    /// Longest time of one request.
    pub(in crate::lab) timeout: Duration,
}

impl Load {
    /// One client without keep-alive that asks until the time limit. Callers change what they need.
    pub(in crate::lab) fn new(address: SocketAddr, path: &str, expected: Arc<[u8]>) -> Load {
        Load {
            address,
            path: path.to_owned(),
            requests: u64::MAX,
            concurrency: 1,
            keep_alive: false,
            connects: Connects::Overlapping,
            expected,
            limit: RUN_LIMIT,
            timeout: REQUEST_TIMEOUT,
        }
    }
}

/// The bytes of a request: those of `ab` and `ab -k` but for the name, which is as long as
/// `ApacheBench/2.3`. The course's servers read 32 bytes at a time and take a piece that ends in CRLF
/// for the whole request, so a few bytes more or less decide whether they reset the connection.
pub(super) fn request(address: SocketAddr, path: &str, keep_alive: bool) -> Vec<u8> {
    let keep = if keep_alive { "Connection: Keep-Alive\r\n" } else { "" };
    format!(
        "GET {path} HTTP/1.0\r\n{keep}Host: {address}\r\nUser-Agent: giliran-lab/0.1\r\nAccept: */*\r\n\r\n"
    )
    .into_bytes()
}
