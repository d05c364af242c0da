//! The system calls that move bytes, and the two that wait for a socket.
//!
//! Contract: a call that moves bytes moves what it can now and does not wait, even if the socket is in
//! blocking mode (`MSG_DONTWAIT`). Only [`receive_waiting`] and [`wait`] wait, and only the threaded driver
//! calls them. The exceptions are [`send_file`] and the pipes, whose system calls have no such flag.

use std::fs::File;
use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};

use crate::protocol::machine::NoFile;

/// The result of a call that moves bytes: `Some(bytes)`, where 0 is the end of the stream, or `None` if no byte
/// can be moved now.
pub(crate) type Moved = io::Result<Option<usize>>;

/// Bytes that one `sendfile` may move, so that other connections of a loop do not wait long: 1 MiB takes
/// about 100 us.
const SENDFILE_BYTES_MAX: u64 = 1024 * 1024;

/// Reads the bytes that have come (`recv(2)`).
pub(crate) fn receive(socket: impl AsFd, into: &mut [u8]) -> Moved {
    moved(|| rustix::net::recv(&socket, &mut *into, RecvFlags::DONTWAIT).map(|(count, _)| count))
}

/// True if no byte has come and the stream has not ended. It leaves the bytes where they are.
///
/// For an idle connection to a back end: bytes or an end that have come before we send a request cannot be
/// the response to it, so such a connection must not be used.
pub(crate) fn is_quiet(socket: impl AsFd) -> bool {
    let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
    matches!(moved(|| rustix::net::recv(&socket, &mut [0], flags).map(|(count, _)| count)), Ok(None))
}

/// Sends as much of two slices as fits, in one segment where possible. `more` means that a file follows at once.
pub(crate) fn send(socket: impl AsFd, [first, second]: [&[u8]; 2], more: bool) -> Moved {
    let mut flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    if more {
        flags |= SendFlags::MORE;
    }
    match (first, second) {
        (only, []) | ([], only) => moved(|| rustix::net::send(&socket, only, flags)),
        _ => {
            let slices = [IoSlice::new(first), IoSlice::new(second)];
            moved(|| rustix::net::sendmsg(&socket, &slices, &mut SendAncillaryBuffer::default(), flags))
        }
    }
}

/// Sends as much of several slices as fits.
pub(crate) fn send_vectored(socket: impl AsFd, slices: &[IoSlice<'_>]) -> Moved {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    moved(|| rustix::net::sendmsg(&socket, slices, &mut SendAncillaryBuffer::default(), flags))
}

/// Reads bytes of a file from `offset` on; 0 at its end.
pub(crate) fn read_at(file: &File, into: &mut [u8], offset: u64) -> io::Result<usize> {
    Ok(rustix::io::pread(file, into, offset)?)
}

/// Sends as much of a file from `offset` on as fits, from the page cache to the socket without a copy through
/// our memory (`sendfile(2)`). 0 means that the file ends before `length`. The socket must be in nonblocking
/// mode or have a send timeout, because `sendfile` has no flag for a single call.
pub(crate) fn send_file(socket: impl AsFd, file: &File, offset: u64, length: u64) -> Moved {
    let count = usize::try_from(length.min(SENDFILE_BYTES_MAX)).unwrap_or(usize::MAX);
    moved(|| {
        let mut from = offset;
        rustix::fs::sendfile(&socket, file, Some(&mut from), count)
    })
}

/// Calls again if a signal interrupted the call; `None` if the call would have to wait.
pub(crate) fn moved(mut call: impl FnMut() -> rustix::io::Result<usize>) -> Moved {
    loop {
        match call() {
            Ok(count) => return Ok(Some(count)),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

/// What a machine's file is to a driver.
pub(crate) trait FileToSend {
    /// The open file.
    fn file(&self) -> &File;
}

impl FileToSend for Arc<File> {
    fn file(&self) -> &File {
        self
    }
}

impl FileToSend for NoFile {
    fn file(&self) -> &File {
        match *self {}
    }
}

/// Reads, and waits for the first byte for at most the receive timeout of the socket (`SO_RCVTIMEO`); `None`
/// if that time has passed.
pub(crate) fn receive_waiting(socket: impl AsFd, into: &mut [u8]) -> Moved {
    moved(|| rustix::io::read(&socket, &mut *into))
}

/// For one socket: what [`wait`] waits for, or what it has found.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Readiness {
    /// There are bytes to read, or the stream has ended.
    pub(crate) read: bool,
    /// There is room to write.
    pub(crate) write: bool,
    /// The connection has failed.
    pub(crate) failed: bool,
}

impl Readiness {
    fn is_none(self) -> bool {
        self == Readiness::default()
    }

    fn flags(self) -> PollFlags {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, self.read);
        flags.set(PollFlags::OUT, self.write);
        flags
    }

    /// The result for a socket on which `poll(2)` has reported `events`. A failed socket counts as ready for
    /// everything that was asked for, because the next call on it returns the error.
    fn told(self, events: PollFlags) -> Readiness {
        let failed = events.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL);
        Readiness {
            read: self.read && (failed || events.contains(PollFlags::IN)),
            write: self.write && (failed || events.contains(PollFlags::OUT)),
            failed,
        }
    }
}

/// Waits until one of two sockets is ready for something that is asked for, or for `limit` (`poll(2)`).
///
/// A socket for which nothing is asked is left out: `poll` would report its hang-up each time at once. If
/// nothing is asked for either socket, this only waits.
pub(crate) fn wait(sockets: [(BorrowedFd<'_>, Readiness); 2], limit: Duration) -> [Readiness; 2] {
    let [(first, of_first), (second, of_second)] = sockets;
    let mut asked = [
        PollFd::from_borrowed_fd(first, of_first.flags()),
        PollFd::from_borrowed_fd(second, of_second.flags()),
    ];
    let asked_now = match (of_first.is_none(), of_second.is_none()) {
        (false, false) => &mut asked[..],
        (false, true) => &mut asked[..1],
        (true, false) => &mut asked[1..],
        (true, true) => &mut [],
    };
    let timeout = Timespec::try_from(limit).ok();
    if rustix::event::poll(asked_now, timeout.as_ref()).is_err() {
        // A signal, or no memory: the caller checks its deadline and calls again.
        return [Readiness::default(); 2];
    }
    [of_first.told(asked[0].revents()), of_second.told(asked[1].revents())]
}

/// A number that no other open socket has: its descriptor.
pub(crate) fn number(socket: impl AsFd) -> usize {
    // Descriptors that are open are not negative.
    socket.as_fd().as_raw_fd().try_into().unwrap_or_default()
}

/// Our address, to which the peer of this socket has connected.
pub(crate) fn local_address(socket: impl AsFd) -> io::Result<SocketAddr> {
    let address = socket2::SockRef::from(&socket).local_addr()?;
    address.as_socket().ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// Closes our sending side.
pub(crate) fn shut(socket: impl AsFd) -> io::Result<()> {
    socket2::SockRef::from(&socket).shutdown(Shutdown::Write)
}

/// Makes the close of this socket a reset, so that the peer knows that its data is not complete.
pub(crate) fn reset_on_close(socket: impl AsFd) {
    // It fails only if the socket has failed already; then there is nothing to reset.
    let _ = socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO));
}
