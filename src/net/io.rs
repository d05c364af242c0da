//! The system calls that move bytes.
//!
//! Contract: a call moves what it can now and does not wait, even if the socket is in blocking mode (`MSG_DONTWAIT`;
//! Windows has no such flag, and there no socket is in that mode: [`SOCKETS_BLOCK`]). Only [`receive_waiting`] waits,
//! and only the threaded driver calls it. The exceptions are [`send_file`] and the pipes of Linux, whose system calls
//! have no such flag.

use std::fs::File;
use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use super::socket::AnySocket;
use crate::protocol::machine::NoFile;

/// The result of a call that moves bytes: `Some(bytes)`, where 0 is the end of the stream, or `None` if no byte
/// can be moved now.
pub(crate) type Moved = io::Result<Option<usize>>;

/// True where the sockets of the threaded driver are in blocking mode and their timeouts limit the waits, which saves
/// a call of `poll` for each. Elsewhere they are in nonblocking mode from the start.
pub(crate) const SOCKETS_BLOCK: bool = cfg!(target_os = "linux");

/// A read that does not wait.
#[cfg(unix)]
const RECEIVE: RecvFlags = RecvFlags::DONTWAIT;
#[cfg(windows)]
const RECEIVE: RecvFlags = RecvFlags::empty();

/// A write that does not wait. Without `MSG_NOSIGNAL`, the socket has `SO_NOSIGPIPE` (macOS), or there is no such
/// signal (Windows).
#[cfg(all(unix, not(target_vendor = "apple")))]
const SEND: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);
#[cfg(target_vendor = "apple")]
const SEND: SendFlags = SendFlags::DONTWAIT;
#[cfg(windows)]
const SEND: SendFlags = SendFlags::empty();

/// More bytes follow at once: they are to go in one segment.
#[cfg(target_os = "linux")]
const MORE: SendFlags = SendFlags::MORE;
#[cfg(not(target_os = "linux"))]
const MORE: SendFlags = SendFlags::empty();

/// Reads the bytes that have come (`recv(2)`).
pub(crate) fn receive(socket: &impl AnySocket, into: &mut [u8]) -> Moved {
    moved(socket, || rustix::net::recv(socket.handle(), &mut *into, RECEIVE).map(|(count, _)| count))
}

/// Looks at the next byte and leaves it where it is.
fn peek(socket: &impl AnySocket) -> Moved {
    let flags = RECEIVE | RecvFlags::PEEK;
    moved(socket, || rustix::net::recv(socket.handle(), &mut [0], flags).map(|(count, _)| count))
}

/// True if no byte has come and the stream has not ended. It leaves the bytes where they are.
///
/// For an idle connection to a back end: bytes or an end that have come before we send a request cannot be
/// the response to it, so such a connection must not be used.
pub(crate) fn is_quiet(socket: &impl AnySocket) -> bool {
    matches!(peek(socket), Ok(None))
}

/// True if the connection is dead, by a reset for example.
#[cfg(windows)]
pub(super) fn has_failed(socket: &impl AnySocket) -> bool {
    peek(socket).is_err()
}

/// Sends as much of two slices as fits, in one segment where possible. `more` means that a file follows at once.
pub(crate) fn send(socket: &impl AnySocket, [first, second]: [&[u8]; 2], more: bool) -> Moved {
    let flags = if more { SEND | MORE } else { SEND };
    match (first, second) {
        (only, []) | ([], only) => moved(socket, || rustix::net::send(socket.handle(), only, flags)),
        _ => send_slices(socket, &[IoSlice::new(first), IoSlice::new(second)], flags),
    }
}

/// Sends as much of several slices as fits.
pub(crate) fn send_vectored(socket: &impl AnySocket, slices: &[IoSlice<'_>]) -> Moved {
    send_slices(socket, slices, SEND)
}

#[cfg(unix)]
fn send_slices(socket: &impl AnySocket, slices: &[IoSlice<'_>], flags: SendFlags) -> Moved {
    use rustix::net::{SendAncillaryBuffer, sendmsg};
    moved(socket, || sendmsg(socket.handle(), slices, &mut SendAncillaryBuffer::default(), flags))
}

#[cfg(windows)]
fn send_slices(socket: &impl AnySocket, slices: &[IoSlice<'_>], _flags: SendFlags) -> Moved {
    match socket2::SockRef::from(&socket.handle()).send_vectored(slices) {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            socket.would_block();
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Sends as much of a file from `offset` on as fits, from the page cache to the socket without a copy through
/// our memory (`sendfile(2)`). 0 means that the file ends before `length`. The socket must be in nonblocking
/// mode or have a send timeout, because `sendfile` has no flag for a single call.
#[cfg(target_os = "linux")]
pub(crate) fn send_file(socket: &impl AnySocket, file: &File, offset: u64, length: u64) -> Moved {
    /// Bytes that one `sendfile` may move, so that other connections of a loop do not wait long: 1 MiB takes
    /// about 100 us.
    const SENDFILE_BYTES_MAX: u64 = 1024 * 1024;
    let count = usize::try_from(length.min(SENDFILE_BYTES_MAX)).unwrap_or(usize::MAX);
    moved(socket, || {
        let mut from = offset;
        rustix::fs::sendfile(socket.handle(), file, Some(&mut from), count)
    })
}

/// Sends as much of a file from `offset` on as fits, through a buffer. 0 means that the file ends before `length`.
#[cfg(not(target_os = "linux"))]
pub(crate) fn send_file(socket: &impl AnySocket, file: &File, offset: u64, length: u64) -> Moved {
    let mut piece = crate::protocol::buffer::Buffer::bulk();
    let space = piece.space();
    let most = space.len().min(usize::try_from(length).unwrap_or(usize::MAX));
    match super::files::read_at(file, &mut space[..most], offset)? {
        0 => Ok(Some(0)),
        count => send(socket, [&space[..count], &[]], false),
    }
}

/// Calls again if a signal interrupted the call; `None` if the call would have to wait.
pub(crate) fn moved(socket: &impl AnySocket, mut call: impl FnMut() -> rustix::io::Result<usize>) -> Moved {
    loop {
        match call() {
            Ok(count) => return Ok(Some(count)),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                socket.would_block();
                return Ok(None);
            }
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
pub(crate) fn receive_waiting(socket: &impl AnySocket, into: &mut [u8]) -> Moved {
    #[cfg(unix)]
    return moved(socket, || rustix::io::read(socket.handle(), &mut *into));
    #[cfg(windows)]
    return receive(socket, into); // where no socket blocks, nobody calls this
}

/// Our address, to which the peer of this socket has connected.
pub(crate) fn local_address(socket: &impl AnySocket) -> io::Result<SocketAddr> {
    let address = socket2::SockRef::from(&socket.handle()).local_addr()?;
    address.as_socket().ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// Closes our sending side.
pub(crate) fn shut(socket: &impl AnySocket) -> io::Result<()> {
    socket2::SockRef::from(&socket.handle()).shutdown(Shutdown::Write)
}

/// Makes the close of this socket a reset, so that the peer knows that its data is not complete.
pub(crate) fn reset_on_close(socket: &impl AnySocket) {
    // It fails only if the socket has failed already; then there is nothing to reset.
    let _ = socket2::SockRef::from(&socket.handle()).set_linger(Some(Duration::ZERO));
}
