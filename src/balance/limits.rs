//! The bounds of balancing and of health, each with its unit and its reason.

use std::time::Duration;

/// Connections or requests that may wait for a back end of one group while all are busy: as many as the
/// kernel's accept backlog holds by default. They wait no longer than connecting may take, as in HAProxy
/// where `timeout queue` is not set.
pub(crate) const BACKEND_QUEUE: usize = 1024;

/// Further back ends tried after something was sent to one, and after connecting has taken as long as one
/// connect may (HAProxy `retries`).
pub(crate) const RETRIES: usize = 3;

/// Back ends that a turn remembers without memory of its own: those of all turns but the rare ones that
/// find more of them dead.
pub(crate) const TRIED_INLINE: usize = RETRIES + 1;

/// Failures in a row within [`PASSIVE_WINDOW`] that take a back end out (HAProxy `fall`).
pub(crate) const PASSIVE_FAILURES: u32 = 3;

/// The most failures that may be asked for: whoever wants more of them in a row wants none to count.
pub(crate) const PASSIVE_FAILURES_MAX: usize = 1_000_000;

/// Failures further apart than this are not counted together (nginx `fail_timeout`: 10 s).
pub const PASSIVE_WINDOW: Duration = Duration::from_secs(10);

/// Time without a lack of descriptors or ports after which the next one is told again: who meets it is told of by
/// their own lines, and there may be thousands of them.
pub(crate) const LOCAL_LIMIT_CALM: Duration = Duration::from_secs(60);

/// How long a back end stays out before one connection may try it again.
pub const PASSIVE_OUT: Duration = Duration::from_secs(10);

/// Time from one check of a back end to the next (HAProxy `inter`: 2 s).
pub(crate) const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// The fraction of the interval between checks by which it is lengthened or shortened at random (HAProxy
/// `spread-checks`: a few per cent), so that checks do not all fall on one moment.
pub(crate) const CHECK_JITTER: f64 = 0.1;

/// Time for a whole check, from connecting to the status line. A back end that takes longer to say that it
/// is well is not well.
pub(crate) const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Failed checks in a row that take a back end out (HAProxy `fall`: 3).
pub(crate) const CHECK_FALL: u32 = 3;

/// Passed checks in a row that bring it back (HAProxy `rise`: 2).
pub(crate) const CHECK_RISE: u32 = 2;

/// Bytes of a response that a check looks at: the length of `HTTP/1.1 200`.
pub(crate) const CHECK_ANSWER_BYTES_MAX: usize = 12;

/// The path that a check over HTTP asks for, unless another one is configured.
pub(crate) const CHECK_PATH: &str = "/";

/// Idle connections to one back end in one pool: as many as there are requests at once in a large crowd, so that each
/// finds one. HAProxy has no bound of its own (`pool-max-conn`); what a crowd leaves behind is closed by time
/// ([`BACKEND_IDLE_TIMEOUT`]) in both.
pub(crate) const IDLE_PER_BACKEND_MAX: usize = 256;

/// How long a connection to a back end may stay idle: less than our own servers keep one (`KEEP_ALIVE` of
/// `protocol`), so that the back end does not close it while a request is on the way.
pub(crate) const BACKEND_IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// What the `User-Agent` of a check begins with: the access log of a back end that is one of ours tells of checks at
/// `debug` only.
pub(crate) const CHECK_AGENT: &str = "giliran-check/";

/// The most turns in a cycle of weights that is kept as a list, of four bytes each: enough for sixty-four back ends of
/// the largest weight. It is made anew, in about a millisecond, whenever a back end comes or goes.
pub(crate) const CYCLE_TURNS_MAX: u64 = 16 * 1024;

/// The largest weight of a back end (HAProxy: 256). Weights are shares, so larger ones say nothing new.
pub(crate) const WEIGHT_MAX: u32 = 256;
