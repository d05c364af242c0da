//! A listener at which several threads wait for clients, for the threaded driver.
//!
//! Contract: a wait in [`accept`](SharedListener::accept) ends within [`ACCEPTED_READ_TIMEOUT`](super::listen::ACCEPTED_READ_TIMEOUT). Once
//! [`close`](SharedListener::close) was called and the waits have ended, the system refuses whoever connects, but at a listener
//! that was [passed](super::passed): there they wait for the next process.

use std::io;
use std::net::{SocketAddr, TcpStream};

use super::accept::peer_address;
use super::listen::{ACCEPTED_INHERIT_NODELAY, Listener};

pub(crate) use system::SharedListener;

impl SharedListener {
    /// Waits for the next client for a moment.
    ///
    /// Errors: nobody came ([`WouldBlock`](io::ErrorKind::WouldBlock)), and whatever else an accept reports.
    pub(crate) fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (client, peer) = self.wait_and_accept()?;
        if !ACCEPTED_INHERIT_NODELAY {
            // Failing costs delay, not correctness.
            let _ = client.set_nodelay(true);
        }
        Ok((client, peer_address(peer)))
    }
}

/// The listener has a receive timeout, which limits `accept4(2)` too, and a shutdown ends the wait in it.
#[cfg(target_os = "linux")]
mod system {
    use std::net::Shutdown;

    use super::*;
    use crate::net::listen::set_accepted_options;

    /// See the module.
    #[derive(Debug)]
    pub(crate) struct SharedListener(Listener);

    impl From<Listener> for SharedListener {
        fn from(listener: Listener) -> SharedListener {
            SharedListener(listener)
        }
    }

    impl SharedListener {
        /// True if no TLS is spoken here.
        pub(crate) fn is_plain(&self) -> bool {
            self.0.is_plain
        }

        pub(super) fn wait_and_accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
            let (client, peer) = self.0.socket.accept()?;
            if self.0.is_passed {
                set_accepted_options(&(&client).into());
            }
            Ok((client, peer))
        }

        /// Accepts no more clients: every wait ends at once; at a listener that was passed when its time is over, since
        /// a shutdown would be one for its owner too.
        pub(crate) fn close(&self) {
            if self.0.is_passed {
                return;
            }
            // An error means that it is closed already: nobody waits there.
            let _ = socket2::SockRef::from(&self.0.socket).shutdown(Shutdown::Both);
        }
    }
}

/// The wait is one of `poll`; the listener closes when the last of those who wait has let it go.
#[cfg(not(target_os = "linux"))]
mod system {
    use std::net::TcpListener;
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

    use super::*;
    use crate::net::listen::ACCEPTED_READ_TIMEOUT;
    use crate::net::socket::AnySocket;
    use crate::net::wait::{Readiness, wait};

    /// See the module.
    #[derive(Debug)]
    pub(crate) struct SharedListener {
        /// `None` once it is closed.
        socket: Mutex<Option<Arc<TcpListener>>>,
        is_plain: bool,
    }

    impl From<Listener> for SharedListener {
        fn from(listener: Listener) -> SharedListener {
            let Listener { socket, is_plain, .. } = listener;
            SharedListener { socket: Mutex::new(Some(Arc::new(socket))), is_plain }
        }
    }

    impl SharedListener {
        /// True if no TLS is spoken here.
        pub(crate) fn is_plain(&self) -> bool {
            self.is_plain
        }

        pub(super) fn wait_and_accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
            let listener = self.socket().clone().ok_or(io::ErrorKind::WouldBlock)?;
            // Whoever was reported may have gone, or be another thread's by now.
            listener.set_nonblocking(true)?;
            let client = Readiness { read: true, ..Readiness::default() };
            let asked = [(listener.handle(), client), (listener.handle(), Readiness::default())];
            wait(asked, ACCEPTED_READ_TIMEOUT);
            let (client, peer) = listener.accept()?;
            client.set_nonblocking(true)?;
            Ok((client, peer))
        }

        /// Accepts no more clients.
        pub(crate) fn close(&self) {
            self.socket().take();
        }

        fn socket(&self) -> MutexGuard<'_, Option<Arc<TcpListener>>> {
            // One value that is set whole.
            self.socket.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}
