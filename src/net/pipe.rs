//! A buffer that stays in the kernel: bytes go from socket to socket and are never copied to us.
//!
//! Contract: [`Pipe::fill`] and [`Pipe::drain`] move what they can and never wait on the pipe; they
//! do wait on a socket that blocks, for `splice(2)` has no flag against that. At most [`PIPES_MAX`]
//! exist, and a system without `splice` has none: whoever gets no pipe copies.
//!
//! ```text
//!   recv + send:      socket --copy--> our buffer --copy--> socket
//!   splice + splice:  socket --------- pages -------------> socket
//! ```
//!
//! Worth it for long streams only. For a short one two more descriptors and twice the calls cost more
//! than the copies.

#[cfg(target_os = "linux")]
pub use linux::Pipe;
#[cfg(not(target_os = "linux"))]
pub use none::Pipe;

/// The pipe of one direction of a relay: there only while a long stream lasts.
#[derive(Debug, Default)]
pub struct StreamPipe(Option<Pipe>);

impl StreamPipe {
    /// The pipe to read into, if the stream `may_be_piped` and one can be had; else: copy. A pipe
    /// that the stream no longer needs is given back, for there are few.
    pub fn to_fill(&mut self, may_be_piped: bool) -> Option<&mut Pipe> {
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
    pub fn to_drain(&mut self) -> Option<&mut Pipe> {
        self.0.as_mut().filter(|pipe| !pipe.is_empty())
    }
}

/// Pipes of the whole process: 64 descriptors, half of those that are kept for other things than
/// connections ([`DESCRIPTORS_SPARE`](crate::net::limits::DESCRIPTORS_SPARE)); fewer where fewer are kept.
pub const PIPES_MAX: usize = 32;

/// Bytes one call moves at most: what a pipe of Linux holds if nobody asks for more (pipe(7)).
pub const PIPE_BYTES: usize = 64 * 1024;

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::{AsFd, OwnedFd};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use rustix::io::Errno;
    use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};

    use super::{PIPE_BYTES, PIPES_MAX};
    use crate::net::io::{Moved, moved};
    use crate::net::limits::pipes_that_fit;

    /// How many there are, spares included.
    static PIPES: AtomicUsize = AtomicUsize::new(0);

    /// Empty pipes: making one costs as much as the copies of a short stream. They are of all threads,
    /// for a few pipes must do for many workers.
    static SPARES: Mutex<Vec<Ends>> = Mutex::new(Vec::new());

    fn spares() -> MutexGuard<'static, Vec<Ends>> {
        // A list of pipes is whole whatever panicked beside it.
        SPARES.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A pipe and how many bytes are in it.
    #[derive(Debug)]
    pub struct Pipe {
        /// `None` only while it is dropped.
        ends: Option<Ends>,
        held: usize,
    }

    #[derive(Debug)]
    struct Ends {
        reader: OwnedFd,
        writer: OwnedFd,
        _counted: Counted,
    }

    /// One of [`PIPES_MAX`], until it is dropped.
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
        /// An empty pipe; `None` if there are enough, or no descriptors.
        pub fn new() -> Option<Pipe> {
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
        pub fn len(&self) -> usize {
            self.held
        }

        /// True if no byte is in it.
        pub fn is_empty(&self) -> bool {
            self.held == 0
        }

        /// Takes bytes from a socket; 0 is the end of the stream. The pipe must be empty: a full one
        /// would look like a socket that has nothing.
        pub fn fill(&mut self, socket: impl AsFd) -> Moved {
            debug_assert!(self.is_empty());
            // The ends are there for as long as the pipe is.
            let Some(ends) = &self.ends else { return Ok(None) };
            let count = moved(|| {
                splice(
                    &socket,
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

        /// Gives bytes to a socket.
        pub fn drain(&mut self, socket: impl AsFd) -> Moved {
            let Some(ends) = &self.ends else { return Ok(None) };
            let count = moved(|| {
                splice(
                    &ends.reader,
                    None,
                    &socket,
                    None,
                    self.held,
                    SpliceFlags::NONBLOCK | SpliceFlags::MOVE,
                )
            })?;
            // Never more than there were; and 0 would be no progress for ever.
            self.held -= count.unwrap_or(0).min(self.held);
            match count {
                Some(0) => Err(Errno::PIPE.into()),
                count => Ok(count),
            }
        }
    }

    impl Drop for Pipe {
        fn drop(&mut self) {
            // What is left in it was for a connection that has gone.
            let Some(ends) = self.ends.take().filter(|_| self.held == 0) else { return };
            spares().push(ends);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod none {
    use std::os::fd::AsFd;

    use crate::net::io::Moved;

    /// There is none.
    #[derive(Debug)]
    pub enum Pipe {}

    impl Pipe {
        /// `None`: copy.
        pub fn new() -> Option<Pipe> {
            None
        }

        /// How many bytes are in it.
        pub fn len(&self) -> usize {
            match *self {}
        }

        /// True if no byte is in it.
        pub fn is_empty(&self) -> bool {
            match *self {}
        }

        /// Takes bytes from a socket.
        pub fn fill(&mut self, _socket: impl AsFd) -> Moved {
            match *self {}
        }

        /// Gives bytes to a socket.
        pub fn drain(&mut self, _socket: impl AsFd) -> Moved {
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
    fn bytes_go_through_in_order_and_the_end_is_told() {
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
    fn a_socket_that_does_not_block_says_that_it_is_empty_or_full() {
        let (mut sender, from) = pair();
        let (to, _receiver) = pair();
        from.set_nonblocking(true).unwrap();
        to.set_nonblocking(true).unwrap();
        let mut pipe = Pipe::new().unwrap();
        assert_eq!(pipe.fill(&from).unwrap(), None);
        let chunk = vec![b'x'; PIPE_BYTES];
        // Bounded: no socket holds 64 MiB by itself.
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
    fn there_are_never_more_than_a_few() {
        let pipes: Vec<_> = std::iter::from_fn(Pipe::new).take(PIPES_MAX + 1).collect();
        assert!(pipes.len() <= PIPES_MAX);
    }
}
