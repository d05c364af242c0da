//! What the topics share: roles as child processes, clients, scripted back ends, sites.

pub mod backend;
pub mod client;
pub mod dice;
pub mod launch;
pub mod limits;
pub mod name_server;
pub mod needs;
pub mod noise;
pub mod peer;
pub mod process;
pub mod role;
pub mod site;
pub mod terminal;
pub mod tls;
pub mod tunnel;
pub mod watched;
pub mod wire;

use std::time::Duration;

/// Longest wait for anything that must happen. Generous: a machine under load is slow, not wrong.
pub const WAIT_MAX: Duration = Duration::from_secs(20);

/// Which of the two drivers a test runs on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Model {
    /// Blocking calls, one thread waits.
    Threaded,
    /// Readiness, one thread serves all.
    Async,
}

/// Runs each named test on both drivers, as `threaded::name` and `poll_loop::name`.
///
/// The tests stay plain functions of a [`Model`] above or below the list; one that is missing from
/// the list is dead code, which the compiler reports.
macro_rules! both {
    ($($name:ident),+ $(,)?) => {
        $crate::support::both!(@driver threaded, Threaded, $($name),+);
        $crate::support::both!(@driver poll_loop, Async, $($name),+);
    };
    (@driver $driver:ident, $model:ident, $($name:ident),+) => {
        mod $driver {
            $(#[test]
            fn $name() {
                super::$name($crate::support::Model::$model);
            })+
        }
    };
}
pub(crate) use both;
