//! The bounds of balancing and of health, each with its unit and its reason.

use std::time::Duration;

/// Clients that may wait for a back end of one group when all are full, as many as the kernel holds
/// for us by default. How long is [`CONNECT_TIMEOUT`], as in HAProxy where `timeout queue` is not set. Then 503.
pub const BACKEND_QUEUE: usize = 1024;

/// Further back ends tried when the first cannot be used (HAProxy `retries`).
pub const RETRIES: usize = 3;

/// Failures in a row within [`PASSIVE_WINDOW`] that take a back end out (HAProxy `fall`).
pub const PASSIVE_FAILURES: u32 = 3;

/// Failures further apart than this are not counted together (nginx `fail_timeout`: 10 s).
pub const PASSIVE_WINDOW: Duration = Duration::from_secs(10);

/// How long a back end stays out before one connection may try it again.
pub const PASSIVE_OUT: Duration = Duration::from_secs(10);

/// From one check of a back end to the next (HAProxy `inter`: 2 s).
pub const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// The part of [`CHECK_INTERVAL`] by which it is made longer or shorter by chance (HAProxy
/// `spread-checks`: a few per cent), so that checks do not all fall on one moment.
pub const CHECK_JITTER: f64 = 0.1;

/// For a whole check, connecting and answer. A back end that takes longer to say that it is well is not.
pub const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Failed checks in a row that take a back end out (HAProxy `fall`: 3).
pub const CHECK_FALL: u32 = 3;

/// Passed checks in a row that bring it back (HAProxy `rise`: 2).
pub const CHECK_RISE: u32 = 2;

/// Bytes of an answer that a check looks at: `HTTP/1.1 200`.
pub const CHECK_ANSWER_BYTES_MAX: usize = 12;

/// What a check of HTTP asks for.
pub const CHECK_PATH: &str = "/";

/// Idle connections kept to one back end.
pub const IDLE_PER_BACKEND_MAX: usize = 32;

/// How long a connection to a back end is kept idle: below [`KEEP_ALIVE`] of our own servers, so
/// that the back end does not close it under our hands.
pub const BACKEND_IDLE_TIMEOUT: Duration = Duration::from_secs(4);
