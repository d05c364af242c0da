//! Pipes: buffers in the kernel, through which bytes go from socket to socket without a copy to our memory.
//!
//! Contract: [`Pipe::fill`] and [`Pipe::drain`] move what they can and never wait for the pipe. They do wait for
//! a socket in blocking mode, because `splice(2)` has no flag against that. There are at most [`PIPES_MAX`]
//! pipes, and none on a system without `splice`; without a pipe the bytes are copied.
//!
//! ```text
//!   recv + send:      socket --copy--> our buffer --copy--> socket
//!   splice + splice:  socket --------- pages -------------> socket
//! ```
//!
//! A pipe is used for long streams only. For a short one, two more descriptors and twice the system calls cost
//! more than the copies.

#[cfg(target_os = "linux")]
pub(crate) use linux::Pipe;
#[cfg(not(target_os = "linux"))]
pub(crate) use none::Pipe;

/// The pipe of one direction of a relay, which exists only during a long stream.
#[derive(Debug, Default)]
pub(crate) struct StreamPipe(Option<Pipe>);

impl StreamPipe {
    /// The pipe to read into, if the stream `may_be_piped` and a pipe is available; with `None` the bytes must be
    /// copied. A pipe that the stream no longer needs is returned, since there are few.
    pub(crate) fn acquire(&mut self, may_be_piped: bool) -> Option<&mut Pipe> {
        if !may_be_piped {
            self.0 = self.0.take().filter(|pipe| !pipe.is_empty());
            return None;
        }
        if self.0.is_none() {
            self.0 = Pipe::new();
        }
        self.0.as_mut()
    }

    /// The pipe to write from, if it holds bytes.
    pub(crate) fn filled(&mut self) -> Option<&mut Pipe> {
        self.0.as_mut().filter(|pipe| !pipe.is_empty())
    }
}

/// Pipes of the whole process: 64 descriptors, half of those that are kept for other things than
/// connections ([`DESCRIPTORS_SPARE`](crate::net::limits::DESCRIPTORS_SPARE)); fewer where fewer are kept.
pub(crate) const PIPES_MAX: usize = 32;

/// Bytes that one call moves at most: the default capacity of a pipe on Linux (pipe(7)).
pub(crate) const PIPE_BYTES: usize = 64 * 1024;

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::OwnedFd;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use rustix::io::Errno;
    use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};

    use super::{PIPE_BYTES, PIPES_MAX};
    use crate::net::io::{Moved, moved};
    use crate::net::limits::pipes_that_fit;
    use crate::net::socket::AnySocket;

    /// How many pipes there are, spares included.
    static PIPES: AtomicUsize = AtomicUsize::new(0);

    /// Unused pipes, which are empty: making one costs as much as the copies of a short stream. All threads share
    /// them, because there are fewer pipes than workers.
    static SPARES: Mutex<Vec<Ends>> = Mutex::new(Vec::new());

    fn spares() -> MutexGuard<'static, Vec<Ends>> {
        // The list is consistent even if a thread has panicked.
        SPARES.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A pipe and how many bytes are in it.
    #[derive(Debug)]
    pub(crate) struct Pipe {
        /// `None` only during the drop.
        ends: Option<Ends>,
        held: usize,
    }

    #[derive(Debug)]
    struct Ends {
        reader: OwnedFd,
        writer: OwnedFd,
        _counted: Counted,
    }

    /// Counts as one of [`PIPES_MAX`] until it is dropped.
    #[derive(Debug)]
    struct Counted;

    impl Counted {
        fn one_more() -> Option<Counted> {
            let before = PIPES.fetch_add(1, Ordering::Relaxed);
            let counted = Counted;
            (before < PIPES_MAX.min(pipes_that_fit())).then_some(counted)
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            PIPES.fetch_sub(1, Ordering::Relaxed);
        }
    }

    impl Pipe {
        /// An empty pipe; `None` if there are [`PIPES_MAX`] already, or no descriptors left.
        pub(crate) fn new() -> Option<Pipe> {
            let spare = spares().pop();
            let ends = match spare {
                Some(ends) => ends,
                None => {
                    let counted = Counted::one_more()?;
                    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).ok()?;
                    Ends { reader, writer, _counted: counted }
                }
            };
            Some(Pipe { ends: Some(ends), held: 0 })
        }

        /// How many bytes are in it.
        #[cfg(test)]
        pub(crate) fn len(&self) -> usize {
            self.held
        }

        /// True if no byte is in it.
        pub(crate) fn is_empty(&self) -> bool {
            self.held == 0
        }

        /// Moves bytes from a socket into the pipe; 0 is the end of the stream. The pipe must be empty: with a
        /// full one the result would be the same as for a socket without bytes.
        pub(crate) fn fill(&mut self, socket: &impl AnySocket) -> Moved {
            debug_assert!(self.is_empty());
            // The ends are `None` only during the drop.
            let Some(ends) = &self.ends else { return Ok(None) };
            let count = moved(socket, || {
                splice(
                    socket.handle(),
                    None,
                    &ends.writer,
                    None,
                    PIPE_BYTES,
                    SpliceFlags::NONBLOCK | SpliceFlags::MOVE,
                )
            })?;
            self.held += count.unwrap_or(0);
            Ok(count)
        }

        /// Moves bytes from the pipe to a socket.
        pub(crate) fn drain(&mut self, socket: &impl AnySocket) -> Moved {
            let Some(ends) = &self.ends else { return Ok(None) };
            let count = moved(socket, || {
                splice(
                    &ends.reader,
                    None,
                    socket.handle(),
                    None,
                    self.held,
                    SpliceFlags::NONBLOCK | SpliceFlags::MOVE,
                )
            })?;
            // 0 cannot happen with bytes in the pipe. It is an error, since a caller would try again for ever.
            self.held -= count.unwrap_or(0).min(self.held);
            match count {
                Some(0) => Err(Errno::PIPE.into()),
                count => Ok(count),
            }
        }
    }

    impl Drop for Pipe {
        fn drop(&mut self) {
            // A pipe with bytes is closed: they were for a connection that is gone.
            let Some(ends) = self.ends.take().filter(|_| self.held == 0) else { return };
            spares().push(ends);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod none {
    use crate::net::io::Moved;
    use crate::net::socket::AnySocket;

    /// No pipe: this system has no `splice`.
    #[derive(Debug)]
    pub(crate) enum Pipe {}

    impl Pipe {
        /// Always `None`: the bytes must be copied.
        pub(crate) fn new() -> Option<Pipe> {
            None
        }

        /// True if no byte is in it.
        pub(crate) fn is_empty(&self) -> bool {
            match *self {}
        }

        /// Moves bytes from a socket into the pipe.
        pub(crate) fn fill(&mut self, _socket: &impl AnySocket) -> Moved {
            match *self {}
        }

        /// Moves bytes from the pipe to a socket.
        pub(crate) fn drain(&mut self, _socket: &impl AnySocket) -> Moved {
            match *self {}
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = listener.accept().unwrap().0;
        (client, server)
    }

    #[test]
    fn bytes_go_through_in_order_and_the_end_is_reported() {
        let (mut sender, from) = pair();
        let (to, mut receiver) = pair();
        let mut pipe = Pipe::new().unwrap();
        sender.write_all(b"langsung").unwrap();
        drop(sender);
        assert_eq!(pipe.fill(&from).unwrap(), Some(8));
        assert_eq!(pipe.len(), 8);
        assert_eq!(pipe.drain(&to).unwrap(), Some(8));
        assert!(pipe.is_empty());
        assert_eq!(pipe.fill(&from).unwrap(), Some(0));
        let mut got = [0; 8];
        receiver.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"langsung");
    }

    #[test]
    fn a_nonblocking_socket_gives_none_when_it_is_empty_or_full() {
        let (mut sender, from) = pair();
        let (to, _receiver) = pair();
        from.set_nonblocking(true).unwrap();
        to.set_nonblocking(true).unwrap();
        let mut pipe = Pipe::new().unwrap();
        assert_eq!(pipe.fill(&from).unwrap(), None);
        let chunk = vec![b'x'; PIPE_BYTES];
        // Bounded: no socket buffer holds 64 MiB.
        let full = (0..1024).any(|_| {
            if pipe.is_empty() {
                sender.write_all(&chunk).unwrap();
                while pipe.fill(&from).unwrap().is_none() {}
            }
            pipe.drain(&to).unwrap().is_none()
        });
        assert!(full && !pipe.is_empty());
    }

    #[test]
    fn the_number_of_pipes_is_bounded() {
        let pipes: Vec<_> = std::iter::from_fn(Pipe::new).take(PIPES_MAX + 1).collect();
        assert!(pipes.len() <= PIPES_MAX);
    }
}
