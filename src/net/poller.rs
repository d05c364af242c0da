//! The differences between the pollers below mio: epoll on Linux, kqueue on macOS and the BSDs.
//!
//! Contract: a caller of [`add_listener`] has to know one thing about the system,
//! [`LISTENERS_ARE_LEVEL_TRIGGERED`], and nothing else.

use std::io;
use std::os::fd::BorrowedFd;

use mio::net::TcpListener;
use mio::{Interest, Registry, Token};

/// True where the poller reports a listener again at each wait, as long as clients are in its backlog (level
/// triggered). Elsewhere a listener is reported once (edge triggered), and the caller must accept until there
/// are no more clients.
pub(crate) const LISTENERS_ARE_LEVEL_TRIGGERED: bool = cfg!(target_os = "linux");

/// The events for which a socket is registered to be read: bytes and, where the poller has an event for it,
/// urgent data (`MSG_OOB`).
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) const READ_INTEREST: Interest = Interest::READABLE.add(Interest::PRIORITY);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) const READ_INTEREST: Interest = Interest::READABLE;

/// Registers a listener that several pollers share. `EPOLLEXCLUSIVE` wakes one sleeping loop for a
/// client instead of all of them. mio has neither this nor level triggering, so epoll is called directly.
#[cfg(target_os = "linux")]
pub(crate) fn add_listener(registry: &Registry, listener: &mut TcpListener, token: Token) -> io::Result<()> {
    use rustix::event::epoll::{self, EventData, EventFlags};
    let flags = EventFlags::IN | EventFlags::EXCLUSIVE;
    Ok(epoll::add(registry, &*listener, EventData::new_u64(token.0 as u64), flags)?)
}

/// Registers a listener that several pollers share: each client is reported to all of them.
#[cfg(not(target_os = "linux"))]
pub(crate) fn add_listener(registry: &Registry, listener: &mut TcpListener, token: Token) -> io::Result<()> {
    registry.register(listener, token, Interest::READABLE)
}

/// Removes a listener from a poller.
#[cfg(target_os = "linux")]
pub(crate) fn remove_listener(registry: &Registry, listener: &mut TcpListener) -> io::Result<()> {
    Ok(rustix::event::epoll::delete(registry, &*listener)?)
}

/// Removes a listener from a poller.
#[cfg(not(target_os = "linux"))]
pub(crate) fn remove_listener(registry: &Registry, listener: &mut TcpListener) -> io::Result<()> {
    registry.deregister(listener)
}

/// Makes the poller report this socket once: when it is ready for one of `interest` or has failed, or only when
/// it has failed. What was asked for it before is forgotten.
///
/// mio would report it again and again, until it is registered anew: so epoll is called directly
/// (`EPOLLONESHOT`).
#[cfg(target_os = "linux")]
pub(crate) fn report_once(
    registry: &Registry,
    socket: BorrowedFd<'_>,
    token: Token,
    interest: Option<Interest>,
) -> io::Result<()> {
    use rustix::event::epoll::{self, EventData, EventFlags};
    let mut flags = EventFlags::ONESHOT;
    flags.set(EventFlags::IN, interest.is_some_and(Interest::is_readable));
    flags.set(EventFlags::OUT, interest.is_some_and(Interest::is_writable));
    let data = EventData::new_u64(token.0 as u64);
    match epoll::modify(registry, socket, data, flags) {
        // It is here for the first time.
        Err(rustix::io::Errno::NOENT) => Ok(epoll::add(registry, socket, data, flags)?),
        modified => Ok(modified?),
    }
}

/// Makes the poller report this socket until [`stop_reports`]; a caller must put up with an event of a socket that
/// is only watched for a failure and has not failed.
#[cfg(not(target_os = "linux"))]
pub(crate) fn report_once(
    registry: &Registry,
    socket: BorrowedFd<'_>,
    token: Token,
    interest: Option<Interest>,
) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let interest = interest.unwrap_or(Interest::READABLE);
    registry.register(&mut mio::unix::SourceFd(&socket.as_raw_fd()), token, interest)
}

/// The socket need not be reported any more. It may still be: once.
#[cfg(target_os = "linux")]
pub(crate) fn stop_reports(_registry: &Registry, _socket: BorrowedFd<'_>) {
    // The next `report_once` replaces what it waits for, so a call now would be in vain.
}

/// The socket is not reported any more.
#[cfg(not(target_os = "linux"))]
pub(crate) fn stop_reports(registry: &Registry, socket: BorrowedFd<'_>) {
    use std::os::fd::AsRawFd;
    // A socket that was not registered is not there to be taken out: nothing to do about it.
    let _ = registry.deregister(&mut mio::unix::SourceFd(&socket.as_raw_fd()));
}
