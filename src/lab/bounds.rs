//! The lab's defaults and bounds, each with its unit and its reason.

use std::time::Duration;

/// Requests of one run, as in the course's `ab -n 10000`.
pub(super) const REQUESTS: u64 = 10_000;

/// Requests of one run with `--quick`: thirty cells three times over in about a minute on two cores.
pub(super) const QUICK_REQUESTS: u64 = 2000;

/// Concurrencies of the course's tables.
pub(super) const CONCURRENCY: [usize; 3] = [2, 5, 10];

/// Numbers of back ends in the course's tables.
pub(super) const BACKENDS: [usize; 5] = [1, 2, 3, 4, 5];

/// Runs of each cell. Three are the fewest that have a middle and a spread.
pub(super) const REPEATS: usize = 3;

/// The most `--requests`: what a run keeps does not grow with it, but an evening does.
pub(super) const REQUESTS_MAX: u64 = 100_000_000;

/// The most of one `--concurrency`: the client is one loop, and a bigger crowd would measure that loop.
pub(super) const CONCURRENCY_MAX: usize = 1000;

/// The most of one `--backends`: processes of their own, all on this machine.
pub(super) const BACKENDS_MAX: usize = 64;

/// The most `--repeat`.
pub(super) const REPEATS_MAX: usize = 100;

/// Longest time of one run. A cell that sits on connect retries needs 10,000 times a second
/// otherwise; its rate is just as clear after this long.
pub(super) const RUN_LIMIT: Duration = Duration::from_secs(60);

/// The same with `--quick`.
pub(super) const QUICK_RUN_LIMIT: Duration = Duration::from_secs(5);

/// Longest time of one request (`ab -s`: 30 s): it holds the retries of a lost SYN after 1, 3, 7 and 15 s.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Requests sent before the clock starts: caches, lazy pages and CPU clocks get their turn unmeasured.
pub(super) const WARM_UP_REQUESTS: u64 = 200;

/// Longest time of a warm-up: on a server that retries connects it warms nothing to wait on.
pub(super) const WARM_UP_LIMIT: Duration = Duration::from_secs(2);

/// Largest body that is kept to compare answers with.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Largest head of an answer (ours are 16 KiB at most).
pub(super) const ANSWER_HEAD_BYTES_MAX: usize = 32 * 1024;

/// Fields of an answer's head.
pub(super) const ANSWER_FIELDS_MAX: usize = 100;

/// Bytes one `read` of the client takes: a large answer in few calls, so that the client is not the bottleneck.
pub(super) const READ_BYTES: usize = 128 * 1024;

/// The timeline of a run counts in steps of this length.
pub(super) const TIMELINE_STEP: Duration = Duration::from_millis(100);

/// Steps a timeline holds: 10 minutes; what is later counts as the last.
pub(super) const TIMELINE_STEPS_MAX: usize = 6000;

/// The longest response time a histogram tells apart, in microseconds: beyond every time limit here.
pub(super) const HISTOGRAM_MAX_US: u64 = 120_000_000;

/// Share of one core from which on the client's own CPU time says that it, and not the server, set the pace.
pub(super) const CLIENT_BUSY_SHARE: f64 = 0.85;

/// Spread of a cell's runs, as a share of their median, from which on one number says little.
pub(super) const SPREAD_NOTED: f64 = 0.25;

/// How far above a retransmit step a time may be and still sit on it.
pub(super) const STEP_TOLERANCE: f64 = 0.10;

/// How long a program driven by the lab (`ab`, `wrk`) may run beyond its time before it is stopped.
pub(super) const TOOL_GRACE: Duration = Duration::from_secs(45);
