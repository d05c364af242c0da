//! Listening sockets that were opened by whoever started the process: systemd's socket activation.
//!
//! Contract: a socket belongs to the address that it listens on. An address of the role for which none was passed is
//! bound as usual; a socket that nobody asked for is an error that names it, since its clients would wait for ever.
//!
//! Such a socket outlives the process: clients that come between two processes wait in its backlog and are not refused.

use std::fmt;
use std::net::{SocketAddr, TcpListener};

use super::listen::{ListenAddress, ListenError, Listener, bind_to};

/// The sockets that were passed and not taken yet.
#[derive(Debug, Default)]
pub(crate) struct PassedSockets(Vec<Passed>);

#[derive(Debug)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "none is passed there"))]
struct Passed {
    socket: TcpListener,
    address: SocketAddr,
    /// It is an IPv6 socket without clients of IPv4.
    is_only_v6: bool,
    /// What its owner calls it.
    name: String,
}

/// What is wrong with passed sockets, or with one that had to be opened because none was passed.
#[derive(Debug)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "none is passed there"))]
pub(crate) enum PassedError {
    /// One cannot be used: its name, and why.
    Unusable(String, String),
    /// Nobody asked for this one: its name and address.
    Unasked(String, String),
    /// The address cannot be bound.
    Bind(ListenError),
}

impl PassedSockets {
    /// Those of the environment (`LISTEN_FDS`, `LISTEN_PID`), which is then rid of them. To be called before there are
    /// threads that look names up: the C library reads the environment for that.
    ///
    /// Errors: one of them is no TCP socket that listens.
    #[cfg(target_os = "linux")]
    pub(crate) fn take() -> Result<PassedSockets, PassedError> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut descriptors = listenfd::ListenFd::from_env();
        let mut sockets = Vec::with_capacity(descriptors.len());
        for index in 0..descriptors.len() {
            let name = names.next().filter(|name| !name.is_empty()).unwrap_or("without a name").to_owned();
            let unusable = |why: String| PassedError::Unusable(name.clone(), why);
            let socket = descriptors.take_tcp_listener(index).map_err(|error| unusable(error.to_string()))?;
            // Each index is taken once.
            let Some(socket) = socket else { continue };
            sockets.push(Passed::new(socket, &name).map_err(|error| unusable(error.to_string()))?);
        }
        Ok(PassedSockets(sockets))
    }

    /// Only Linux has systemd.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn take() -> Result<PassedSockets, PassedError> {
        Ok(PassedSockets::default())
    }

    /// The listener for this address: the one that was passed for it, or else a new one.
    pub(crate) fn open(&mut self, wanted: ListenAddress, backlog: u32) -> Result<Listener, PassedError> {
        let is_plain = wanted.is_plain;
        match self.0.iter().position(|passed| passed.is_for(wanted)) {
            Some(index) => {
                let socket = self.0.swap_remove(index).socket;
                Ok(Listener { socket, is_plain, is_passed: true })
            }
            None => match bind_to(wanted, backlog) {
                Ok(socket) => Ok(Listener { is_plain, ..Listener::from(socket) }),
                // A passed one may be in the way: then that is the mistake.
                Err(error) => self.expect_none_left().and(Err(PassedError::Bind(error))),
            },
        }
    }

    /// All of them have been taken, or else an error names the first that was not.
    pub(crate) fn expect_none_left(&self) -> Result<(), PassedError> {
        match self.0.first() {
            None => Ok(()),
            Some(passed) => {
                let only = if passed.is_only_v6 { " (IPv6 only)" } else { "" };
                Err(PassedError::Unasked(passed.name.clone(), format!("{}{only}", passed.address)))
            }
        }
    }
}

impl Passed {
    #[cfg(target_os = "linux")]
    fn new(socket: TcpListener, name: &str) -> std::io::Result<Passed> {
        let address = socket.local_addr()?;
        let with_options = socket2::SockRef::from(&socket);
        if !with_options.is_listener()? {
            return Err(std::io::Error::other("it does not listen; a socket unit must not say Accept=yes"));
        }
        let is_only_v6 = address.is_ipv6() && with_options.only_v6()?;
        // A process before this one may have left it as its own model needs it.
        socket.set_nonblocking(false)?;
        super::listen::set_options(&with_options)?;
        Ok(Passed { socket, address, is_only_v6, name: name.to_owned() })
    }

    /// True if whoever wants to listen there means this socket.
    fn is_for(&self, wanted: ListenAddress) -> bool {
        let is_there =
            (self.address.ip(), self.address.port()) == (wanted.address.ip(), wanted.address.port());
        is_there && !(wanted.is_dual && self.is_only_v6)
    }
}

impl fmt::Display for PassedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PassedError::Unusable(name, why) => {
                write!(f, "the socket that was passed at the start ({name}) cannot be used: {why}")
            }
            PassedError::Unasked(name, address) => write!(
                f,
                "a socket on {address} was passed at the start ({name}), and nothing here listens there; \
                 give that address to --listen, --plain or --status, or take it out of the socket unit"
            ),
            PassedError::Bind(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    fn any_port() -> ListenAddress {
        SocketAddr::from(([127, 0, 0, 1], 0)).into()
    }

    fn passed(address: &str) -> (PassedSockets, ListenAddress) {
        let socket = TcpListener::bind(address).unwrap();
        let address = socket.local_addr().unwrap();
        let dual = ListenAddress { is_dual: address.is_ipv6(), ..address.into() };
        (PassedSockets(vec![Passed::new(socket, "web").unwrap()]), dual)
    }

    #[test]
    fn a_socket_goes_to_its_address_and_any_other_address_is_bound() {
        let (mut sockets, address) = passed("127.0.0.1:0");
        let other = sockets.open(any_port(), 8).unwrap();
        assert!(!other.is_passed);
        let plain = ListenAddress { is_plain: true, ..address };
        let taken = sockets.open(plain, 8).unwrap();
        assert!(taken.is_passed && taken.is_plain);
        assert!(sockets.expect_none_left().is_ok());
        // It is taken once: a second one for the same address would have to be bound.
        assert!(matches!(sockets.open(plain, 8), Err(PassedError::Bind(_))));
    }

    #[test]
    fn one_that_nobody_asked_for_is_named_also_if_it_is_in_the_way() {
        let (mut sockets, address) = passed("0.0.0.0:0");
        let told = sockets.expect_none_left().unwrap_err().to_string();
        assert!(
            told.contains(&format!("a socket on {} was passed at the start (web)", address.address)),
            "{told}"
        );
        let here = SocketAddr::from(([127, 0, 0, 1], address.address.port()));
        let told = sockets.open(here.into(), 8).unwrap_err().to_string();
        assert!(told.contains("nothing here listens there"), "{told}");
    }

    #[test]
    fn an_address_of_both_families_takes_no_socket_of_one() {
        let socket = TcpListener::bind("[::]:0");
        // Where there is no IPv6 there is nothing to mistake.
        let Ok(socket) = socket else { return };
        let address = ListenAddress { is_dual: true, ..socket.local_addr().unwrap().into() };
        let dual = Passed::new(socket, "web").unwrap();
        assert!(dual.is_for(address));
        let only = Passed { is_only_v6: true, ..dual };
        assert!(!only.is_for(address) && only.is_for(ListenAddress { is_dual: false, ..address }));
        let told = PassedSockets(vec![only]).expect_none_left().unwrap_err().to_string();
        assert!(told.contains("(IPv6 only)"), "{told}");
    }

    #[test]
    fn a_socket_that_does_not_listen_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let connected = TcpListener::from(std::os::fd::OwnedFd::from(client));
        assert!(Passed::new(connected, "web").unwrap_err().to_string().contains("Accept=yes"));
        let local = UnixListener::bind(tempfile::tempdir().unwrap().path().join("s")).unwrap();
        let local = TcpListener::from(std::os::fd::OwnedFd::from(local));
        assert!(Passed::new(local, "web").is_err());
    }
}
