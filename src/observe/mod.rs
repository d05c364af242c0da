//! What is told while the program runs: the log, and what `--status` and `--trace` show.
//!
//! Contract: whoever observes a connection never makes it wait and never makes it fail. The machines in
//! `protocol` say what happens as [`Event`](crate::protocol::event::Event)s; what becomes of them is
//! decided here.
//!
//! | file | what it owns |
//! |---|---|
//! | `log/` | messages and access lines |
//! | `lane` | what each thread of a driver is doing now |
//! | `counters` | what each lane has counted |
//! | `meter` | the observer that counts |
//! | `trace` | phases with their exact times, as Chrome trace events |
//! | `role_view` | all that can be seen of a role, put together |
//! | `metrics` | that, as text for Prometheus |
//! | `status/` | that, as pages for a browser, and the decisions that a person makes there |

pub(crate) mod counters;
pub(crate) mod lane;
pub mod log;
pub(crate) mod meter;
mod metrics;
pub(crate) mod role_view;
pub(crate) mod status;
mod trace;
