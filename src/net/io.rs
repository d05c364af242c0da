//! The calls that move bytes, and the two that wait for a socket.
//!
//! Contract: a call that moves bytes moves what it can now and does not wait, also if the socket is in
//! blocking mode (`MSG_DONTWAIT`); only [`receive_waiting`] and [`wait`] wait, and only the threaded
//! driver calls them.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};

use crate::protocol::machine::NoFile;

/// What a call has moved: `Some(bytes)`, where 0 is the end of the stream, or `None`: nothing can be moved now.
pub type Moved = io::Result<Option<usize>>;

/// Bytes one `sendfile` may move before others get their turn: 1 MiB is some 100 us of copying.
const SENDFILE_BYTES_MAX: u64 = 1024 * 1024;

/// Reads what is there (`recv(2)`).
pub fn receive(socket: impl AsFd, into: &mut [u8]) -> Moved {
    moved(|| rustix::net::recv(&socket, &mut *into, RecvFlags::DONTWAIT).map(|(count, _)| count))
}

/// True if nothing has come and the stream has not ended: a look that takes nothing.
///
/// For a kept connection to a back end, of which nobody has asked anything yet: what lies there
/// already, be it a second answer or the end, can be no answer to the next request.
pub fn is_quiet(socket: impl AsFd) -> bool {
    let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
    matches!(moved(|| rustix::net::recv(&socket, &mut [0], flags).map(|(count, _)| count)), Ok(None))
}

/// Sends what fits of two slices in one segment where possible; `more` if a file follows at once.
pub fn send(socket: impl AsFd, [first, second]: [&[u8]; 2], more: bool) -> Moved {
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

/// Sends what fits of a file from `offset` on, from the page cache to the socket without a copy
/// (`sendfile(2)`). 0 means that the file ends before `length`. The socket must be in nonblocking
/// mode, or have a send timeout: `sendfile` has no flag for a single call.
pub fn send_file(socket: impl AsFd, file: &File, offset: u64, length: u64) -> Moved {
    let count = usize::try_from(length.min(SENDFILE_BYTES_MAX)).unwrap_or(usize::MAX);
    moved(|| {
        let mut from = offset;
        rustix::fs::sendfile(&socket, file, Some(&mut from), count)
    })
}

/// Calls again after a signal; `None` for what would have to wait.
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

/// Reads, and waits for the first byte as long as the socket's own receive timeout allows
/// (`SO_RCVTIMEO`); `None` once that has passed.
pub fn receive_waiting(socket: impl AsFd, into: &mut [u8]) -> Moved {
    moved(|| rustix::io::read(&socket, &mut *into))
}

/// What is awaited of one socket, or what has come true of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Readiness {
    /// Bytes to read, or the end of the stream.
    pub read: bool,
    /// Room to write.
    pub write: bool,
    /// The connection has failed.
    pub failed: bool,
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

    /// What `poll(2)` told of a socket of which this is awaited. A failed one counts as ready for
    /// whatever was awaited: the call that follows tells the error.
    fn told(self, events: PollFlags) -> Readiness {
        let failed = events.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL);
        Readiness {
            read: self.read && (failed || events.contains(PollFlags::IN)),
            write: self.write && (failed || events.contains(PollFlags::OUT)),
            failed,
        }
    }
}

/// Waits until something that is awaited of one of two sockets has come true, at most `limit` (`poll(2)`).
///
/// A socket of which nothing is awaited is left out, for its hang-up would end each wait at once;
/// with nothing awaited of either, this only waits.
pub fn wait(sockets: [(BorrowedFd<'_>, Readiness); 2], limit: Duration) -> [Readiness; 2] {
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
        // A signal, or no memory: the caller looks at its deadline and comes again.
        return [Readiness::default(); 2];
    }
    [of_first.told(asked[0].revents()), of_second.told(asked[1].revents())]
}

/// Makes the close of this socket a reset: its peer must not take what it has for the whole.
pub fn reset_on_close(socket: impl AsFd) {
    // Failing means that the socket is dead already, and a dead one is what is wanted.
    let _ = socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO));
}
