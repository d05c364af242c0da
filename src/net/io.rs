//! The three calls that move bytes, each of which moves what it can now and never waits.
//!
//! Both drivers use them; waiting is what they differ in, and waiting is elsewhere. The sockets
//! may be in blocking mode: `MSG_DONTWAIT` makes the single call nonblocking.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};

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
