//! The differences between the pollers below mio: epoll on Linux, kqueue on macOS and the BSDs, AFD on Windows.
//!
//! Contract: a caller has to know two things about the system, [`LISTENERS_ARE_LEVEL_TRIGGERED`] and
//! [`SHORT_MOVES_END`], and nothing else.

use std::io;

use mio::event::Event;
use mio::net::TcpListener;
use mio::{Interest, Registry, Token};

use super::socket::Handle;

/// True where the poller reports a listener again at each wait, as long as clients are in its backlog (level
/// triggered). Elsewhere a listener is reported once (edge triggered), and the caller must accept until there
/// are no more clients.
pub(crate) const LISTENERS_ARE_LEVEL_TRIGGERED: bool = cfg!(target_os = "linux");

/// True where a read or write of fewer bytes than there was room for shows that the next ones are a new event
/// (epoll(7)). Windows has a new event only after a call that found nothing.
pub(crate) const SHORT_MOVES_END: bool = cfg!(unix);

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

/// True if the event says that the connection is dead. On Windows mio has another word for that.
pub(crate) fn has_failed(event: &Event) -> bool {
    event.is_error() || (cfg!(windows) && event.is_write_closed())
}

/// A socket of the threaded driver that a poller watches while no worker serves it. To be ended
/// while the socket is open: its number may be another's afterwards.
///
/// It is reported when it is ready for one of the things that it waits for or has failed. With `None` only a failure
/// counts; not every system can ask for that alone, so a caller must put up with other events. Once is enough, and
/// where the system can do that (`EPOLLONESHOT`, which mio has not) there is nothing to take out at the end.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(crate) struct Watched;

#[cfg(target_os = "linux")]
impl Watched {
    /// Registers the socket; what it was registered for before is forgotten.
    pub(crate) fn begin(
        registry: &Registry,
        socket: Handle<'_>,
        token: Token,
        interest: Option<Interest>,
    ) -> io::Result<Watched> {
        use rustix::event::epoll::{self, EventData, EventFlags};
        let mut flags = EventFlags::ONESHOT;
        flags.set(EventFlags::IN, interest.is_some_and(Interest::is_readable));
        flags.set(EventFlags::OUT, interest.is_some_and(Interest::is_writable));
        let data = EventData::new_u64(token.0 as u64);
        match epoll::modify(registry, socket, data, flags) {
            // It is here for the first time.
            Err(rustix::io::Errno::NOENT) => epoll::add(registry, socket, data, flags)?,
            modified => modified?,
        }
        Ok(Watched)
    }

    /// It may be reported once more, which the caller puts up with: a call against that would be one for each wait.
    pub(crate) fn end(self, _registry: &Registry) -> io::Result<()> {
        Ok(())
    }
}

/// As above, by kqueue.
#[cfg(all(unix, not(target_os = "linux")))]
#[derive(Debug)]
pub(crate) struct Watched(std::os::fd::RawFd);

#[cfg(all(unix, not(target_os = "linux")))]
impl Watched {
    /// Registers the socket.
    pub(crate) fn begin(
        registry: &Registry,
        socket: Handle<'_>,
        token: Token,
        interest: Option<Interest>,
    ) -> io::Result<Watched> {
        use std::os::fd::AsRawFd;
        let (number, interest) = (socket.as_raw_fd(), interest.unwrap_or(Interest::READABLE));
        registry.register(&mut mio::unix::SourceFd(&number), token, interest)?;
        Ok(Watched(number))
    }

    /// Takes it out.
    pub(crate) fn end(self, registry: &Registry) -> io::Result<()> {
        registry.deregister(&mut mio::unix::SourceFd(&self.0))
    }
}

/// As above. mio watches no socket that it does not own, so it is given a second handle of it.
#[cfg(windows)]
#[derive(Debug)]
pub(crate) struct Watched(mio::net::TcpStream);

#[cfg(windows)]
impl Watched {
    /// Registers the socket.
    pub(crate) fn begin(
        registry: &Registry,
        socket: Handle<'_>,
        token: Token,
        interest: Option<Interest>,
    ) -> io::Result<Watched> {
        let second = std::net::TcpStream::from(socket.try_clone_to_owned()?);
        let mut second = mio::net::TcpStream::from_std(second);
        registry.register(&mut second, token, interest.unwrap_or(Interest::READABLE))?;
        Ok(Watched(second))
    }

    /// Takes it out.
    pub(crate) fn end(mut self, registry: &Registry) -> io::Result<()> {
        registry.deregister(&mut self.0)
    }
}
