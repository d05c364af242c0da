//! The bounds of this room, and the process's limit on open descriptors, which is raised once at start as far as
//! needed and allowed.

#[cfg(unix)]
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How many addresses of one host name, or back ends of one service, are used: more than any real name has.
pub(crate) const ADDRESSES_PER_NAME_MAX: usize = 1024;

/// How many hosts of one service are looked up, each with two queries: as many as a large service has instances.
pub(crate) const HOSTS_PER_SERVICE_MAX: usize = 256;

/// Time for a whole look-up of a name or service, all its queries and hosts together. The system's own resolver,
/// which may be asked at the end, keeps its own time.
pub(crate) const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(30);

/// Time for one query to a server that `--resolver` names. It is near, and somebody chose it.
pub(crate) const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// How often each server that `--resolver` names is asked until a look-up has failed.
pub(crate) const QUERY_ATTEMPTS: u32 = 2;

/// The most seconds that `timeout` of `/etc/resolv.conf` may ask for (glibc: 30).
pub(crate) const QUERY_TIMEOUT_SECONDS_MAX: u32 = 30;

/// The most that `attempts` of `/etc/resolv.conf` may ask for (glibc: 5).
pub(crate) const QUERY_ATTEMPTS_MAX: u32 = 5;

/// The most that `ndots` of `/etc/resolv.conf` may ask for (glibc: 15).
pub(crate) const NDOTS_MAX: u32 = 15;

/// Name servers of `/etc/resolv.conf` that are asked (glibc: 3).
pub(crate) const NAME_SERVERS_MAX: usize = 3;

/// Search domains of `/etc/resolv.conf` that are tried (Kubernetes allows 32).
pub(crate) const SEARCH_DOMAINS_MAX: usize = 32;

/// Bytes of a response that name servers may send in one datagram: what passes every network in one piece (the
/// figure of DNS Flag Day 2020). A longer response comes over TCP.
pub(crate) const DNS_DATAGRAM_BYTES: u16 = 1232;

/// Bytes of the longest DNS message: over TCP two bytes say its length.
pub(crate) const DNS_MESSAGE_BYTES_MAX: usize = 65_535;

/// Records of one DNS message: the longest message has room for 4095 of the shortest address records.
pub(crate) const DNS_RECORDS_MAX: usize = 4096;

/// Datagrams that are looked at while one response is awaited. All but the last are forged, late or broken.
pub(crate) const DNS_DATAGRAMS_MAX: usize = 64;

/// Aliases (CNAME) that are followed from a name to its addresses: real chains have two or three.
pub(crate) const ALIASES_MAX: usize = 16;

/// Bytes of `/etc/resolv.conf` that are read: hundreds of lines.
pub(crate) const RESOLV_CONF_BYTES_MAX: u64 = 64 * 1024;

/// Bytes of `/etc/hosts` that are read: files that block advertisements have 2 MB. A name behind them is found all
/// the same, by the system's resolver and later.
pub(crate) const HOSTS_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How long a connection may be silent until the kernel asks the peer for a sign of life (TCP keep-alive).
/// Below the shortest idle time after which routers forget a connection (often 5 minutes or less); the
/// kernel's own default is two hours.
pub(crate) const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(60);

/// Time between two such questions while there is no sign. After nine of them, the kernel's default, the
/// connection is reset: a peer whose machine is gone is noticed within 4 minutes.
pub(crate) const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// How long a configuration file that is a FIFO may be empty: its writer may be started together with us.
#[cfg(unix)]
pub(crate) const PIPE_CONTENT_WAIT: Duration = Duration::from_secs(2);

/// Bytes of a file with certificates or a key: a list of all that a system trusts has about 200 KiB.
pub(crate) const CERTIFICATE_BYTES_MAX: u64 = 1024 * 1024;

/// Time before the end of a certificate from which on a warning is logged. Whoever renews by a program does so 30
/// days before the end (certbot), so something has gone wrong by then.
pub(crate) const EXPIRY_WARNING: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Time between two looks at the ends of certificates.
pub(crate) const EXPIRY_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// TLS sessions of clients that are remembered here: those of TLS 1.2 that keep none themselves, which are few.
pub(crate) const TLS_SESSIONS_MAX: usize = 1024;

/// Back ends, by name, with which an earlier TLS session can be taken up.
pub(crate) const BACKEND_SESSIONS_MAX: usize = 256;

/// Descriptors left for listeners, logs, files and kept connections when connections are counted; no more than
/// half of those that there are.
#[cfg(unix)]
pub(crate) const DESCRIPTORS_SPARE: usize = 128;

/// Descriptors of those that a role has open from its start, with a loop or two: 12 to 16 were counted.
#[cfg(target_os = "linux")]
const DESCRIPTORS_AT_START: usize = 24;

/// Descriptors of one client connection: its own, and that to the back end or of the file.
#[cfg(unix)]
pub(crate) const DESCRIPTORS_PER_CONNECTION: usize = 2;

/// Descriptors that are left for other things than connections.
#[cfg(unix)]
static SPARE: AtomicUsize = AtomicUsize::new(DESCRIPTORS_SPARE);

/// How many pipes of two descriptors each may be made of those that are spare, without those of the start: two
/// thirds of them.
#[cfg(target_os = "linux")]
pub(crate) fn pipes_that_fit() -> usize {
    SPARE.load(Ordering::Relaxed).saturating_sub(DESCRIPTORS_AT_START) / 3
}

/// How many of `wanted` connections fit into the process's descriptors, at least one.
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
    SPARE.store(spare_of(available), Ordering::Relaxed);
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
    let spare = spare_of(descriptors);
    let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
    (descriptors.saturating_sub(spare) / DESCRIPTORS_PER_CONNECTION).max(1)
}

/// How many of so many descriptors are not for connections.
#[cfg(unix)]
fn spare_of(descriptors: u64) -> usize {
    usize::try_from(descriptors / 2).unwrap_or(usize::MAX).min(DESCRIPTORS_SPARE)
}

#[cfg(test)]
#[cfg(unix)]
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
        assert_eq!(connections_in(256), 64);
        assert_eq!(connections_in(64), 16, "a small limit is no reason to serve one client at a time");
        assert_eq!(connections_in(10), 2);
        assert_eq!(connections_in(1), 1);
    }
}
