//! The lab's defaults and bounds, each with its unit and its reason.

use std::time::Duration;

/// Requests of one run, as in the course's `ab -n 10000`.
pub(super) const REQUESTS: u64 = 10_000;

/// Requests of one run with `--quick`: a run of ours then takes less than a second.
pub(super) const QUICK_REQUESTS: u64 = 2000;

/// Concurrencies of the course's tables.
pub(super) const CONCURRENCY: [usize; 3] = [2, 5, 10];

/// Numbers of back ends in the course's tables.
pub(super) const BACKENDS: [usize; 5] = [1, 2, 3, 4, 5];

/// Runs of each cell. Three are the fewest that have a middle and a spread.
pub(super) const REPEATS: usize = 3;

/// The most `--requests`. Memory does not grow with them, but time does.
pub(super) const REQUESTS_MAX: u64 = 100_000_000;

/// The most of one `--concurrency`: the client is one loop, and with more clients that loop would be measured.
pub(super) const CONCURRENCY_MAX: usize = 1000;

/// The most of one `--backends`: each is a process on this machine.
pub(super) const BACKENDS_MAX: usize = 64;

/// The most `--repeat`.
pub(super) const REPEATS_MAX: usize = 100;

/// Longest time of one run. Without a limit a cell that waits for connect retries would take 10,000
/// times a second; its rate is just as clear after a minute.
pub(super) const RUN_LIMIT: Duration = Duration::from_secs(60);

/// The same with `--quick`.
pub(super) const QUICK_RUN_LIMIT: Duration = Duration::from_secs(5);

/// Longest time of one request (`ab -s`: 30 s): longer than four retries of a lost SYN, the last after 15 s.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Requests sent before the measurement: they fill caches, load pages and raise the CPU clock.
pub(super) const WARM_UP_REQUESTS: u64 = 200;

/// Longest time of a warm-up: while connects are retried nothing gets warm.
pub(super) const WARM_UP_LIMIT: Duration = Duration::from_secs(2);

/// What the start of a testbed's programs takes, at most on a machine that is not busy.
pub(super) const START_USUAL: Duration = Duration::from_secs(1);

/// Largest body that responses are compared with.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Largest head of a response (ours are 16 KiB at most).
pub(super) const RESPONSE_HEAD_BYTES_MAX: usize = 32 * 1024;

/// Fields of a response's head.
pub(super) const RESPONSE_FIELDS_MAX: usize = 100;

/// Bytes of one `read` of the client: a large response needs few calls, so that the client is not the bottleneck.
pub(super) const READ_BYTES: usize = 128 * 1024;

/// A connect that took at least this long waited for a SYN retransmit, the first of which comes after a second: that
/// second less the precision of the clock.
pub(super) const SLOW_CONNECT: Duration = Duration::from_millis(990);

/// The timeline of a run counts in steps of this length.
pub(super) const TIMELINE_STEP: Duration = Duration::from_millis(100);

/// Steps of a timeline: 10 minutes; what comes later is counted in the last.
pub(super) const TIMELINE_STEPS_MAX: usize = 6000;

/// The longest response time of a histogram, in microseconds: longer than every time limit here.
pub(super) const HISTOGRAM_MAX_US: u64 = 120_000_000;

/// If the client uses at least this share of one core, it may have set the pace, and not the server.
pub(super) const CLIENT_BUSY_SHARE: f64 = 0.85;

/// If the runs of a cell are further apart than this share of their median, one number says little.
pub(super) const SPREAD_NOTED: f64 = 0.25;

/// How far above a retransmit step a time may be to be explained by it, as a share of the step.
pub(super) const STEP_TOLERANCE: f64 = 0.10;

/// How long `ab` or `wrk` may run beyond its time before the lab stops it.
pub(super) const TOOL_GRACE: Duration = Duration::from_secs(45);
