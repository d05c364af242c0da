//! The bounds of this room, and the process's limit on open descriptors, which is raised once at start as far as
//! needed and allowed.

use std::time::Duration;

/// How many addresses of one host name are used: more than any real name has.
pub(crate) const ADDRESSES_PER_NAME_MAX: usize = 1024;

/// How long a connection may be silent until the kernel asks the peer for a sign of life (TCP keep-alive).
/// Below the shortest idle time after which routers forget a connection (often 5 minutes or less); the
/// kernel's own default is two hours.
pub(crate) const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(60);

/// Time between two such questions while there is no sign. After nine of them, the kernel's default, the
/// connection is reset: a peer whose machine is gone is noticed within 4 minutes.
pub(crate) const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Descriptors that are not counted for connections: for listeners, logs, cached files and idle connections to
/// back ends.
pub(crate) const DESCRIPTORS_SPARE: usize = 128;

/// Descriptors of one client connection: its socket, and the socket to the back end or the file.
pub(crate) const DESCRIPTORS_PER_CONNECTION: usize = 2;

/// How many of the `wanted` connections the limit on descriptors allows, at least one.
///
/// Raises the soft limit, up to the hard limit, where that helps. If the result is smaller than `wanted`, the
/// caller logs it at start.
#[cfg(unix)]
pub(crate) fn connections_that_fit(wanted: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let needed = descriptors_for(wanted);
    let limit = getrlimit(Resource::Nofile);
    // `None` means that there is no limit.
    let Some(soft) = limit.current else { return wanted };
    let raised = limit.maximum.map_or(needed, |hard| hard.min(needed));
    let available = if soft >= needed {
        soft
    } else {
        match setrlimit(Resource::Nofile, Rlimit { current: Some(raised.max(soft)), maximum: limit.maximum })
        {
            Ok(()) => raised.max(soft),
            // Some systems have another limit below the hard one.
            Err(_) => soft,
        }
    };
    wanted.min(connections_in(available))
}

/// All of them: this system has no such limit.
#[cfg(not(unix))]
pub(crate) fn connections_that_fit(wanted: usize) -> usize {
    wanted
}

#[cfg(unix)]
fn descriptors_for(connections: usize) -> u64 {
    let descriptors =
        connections.saturating_mul(DESCRIPTORS_PER_CONNECTION).saturating_add(DESCRIPTORS_SPARE);
    u64::try_from(descriptors).unwrap_or(u64::MAX)
}

#[cfg(unix)]
fn connections_in(descriptors: u64) -> usize {
    let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
    (descriptors.saturating_sub(DESCRIPTORS_SPARE) / DESCRIPTORS_PER_CONNECTION).max(1)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use rustix::process::{Resource, getrlimit};

    #[test]
    fn the_result_fits_the_limit() {
        for wanted in [1, 100, usize::MAX] {
            let fitting = connections_that_fit(wanted);
            assert!((1..=wanted).contains(&fitting));
            let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
            assert!(fitting == 1 || descriptors_for(fitting) <= limit);
        }
    }

    #[test]
    fn spare_descriptors_are_left() {
        assert_eq!(connections_in(1024), 448);
        assert_eq!(connections_in(10), 1);
    }
}
