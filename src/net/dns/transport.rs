//! One query to one name server: a datagram, and TCP if the response does not fit into one.
//!
//! Contract: it ends at the deadline, whatever the server does. The number of the query and the port it comes from are
//! random, and only the server's own address is heard, so that nobody else can easily respond in its place.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::message::{self, Question, Response};
use crate::net::limits::{DNS_DATAGRAMS_MAX, DNS_MESSAGE_BYTES_MAX};

/// Why a server has not responded.
#[derive(Debug)]
pub(super) enum Fault {
    /// The name is none: a label is empty or longer than 63 bytes, or all are longer than 255.
    NotAName,
    /// Not in time.
    Silent,
    /// The system or the server says why.
    Failed(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Fault::Silent,
            _ => Fault::Failed(error),
        }
    }
}

/// How one server is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Manner {
    /// The query says how long a datagram may be (EDNS).
    pub(super) is_extended: bool,
    /// Over TCP from the beginning.
    pub(super) is_tcp: bool,
}

/// Asks `server`. A response that is [`Response::Truncated`] never comes back.
pub(super) fn ask(
    server: SocketAddr,
    question: &Question,
    manner: Manner,
    deadline: Instant,
) -> Result<Response, Fault> {
    let id = random_id();
    let query = message::query(question, id, manner.is_extended).map_err(|_| Fault::NotAName)?;
    let read = |bytes: &[u8]| message::read(bytes, id, question);
    if !manner.is_tcp {
        match by_datagram(server, &query, read, deadline)? {
            Response::Truncated => {}
            response => return Ok(response),
        }
    }
    let response = read(&over_tcp(server, &query, deadline)?);
    let response = response.filter(|response| *response != Response::Truncated);
    response.ok_or_else(|| Fault::Failed(ErrorKind::InvalidData.into()))
}

/// The keys of the hasher are random, and its results are those of a cipher: nobody can guess the next one.
fn random_id() -> u16 {
    let [.., high, low] = RandomState::new().build_hasher().finish().to_be_bytes();
    u16::from_be_bytes([high, low])
}

fn by_datagram(
    server: SocketAddr,
    query: &[u8],
    read: impl Fn(&[u8]) -> Option<Response>,
    deadline: Instant,
) -> Result<Response, Fault> {
    let from: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    // The system takes a random port; connected, the socket hears only the server, and of a port where nobody is.
    let socket = UdpSocket::bind(from)?;
    socket.connect(server)?;
    socket.send(query)?;
    let mut space = vec![0; DNS_MESSAGE_BYTES_MAX];
    for _ in 0..DNS_DATAGRAMS_MAX {
        socket.set_read_timeout(Some(left(deadline)?))?;
        match socket.recv(&mut space) {
            Ok(count) => match read(&space[..count]) {
                Some(response) => return Ok(response),
                None => log::debug!("{server} sends what is no response to the query"),
            },
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Fault::Failed(ErrorKind::InvalidData.into()))
}

/// The response with the two bytes of its length taken off.
fn over_tcp(server: SocketAddr, query: &[u8], deadline: Instant) -> Result<Vec<u8>, Fault> {
    let mut stream = TcpStream::connect_timeout(&server, left(deadline)?)?;
    // A query is shorter than 300 bytes.
    let length = u16::try_from(query.len()).map_err(|_| Fault::NotAName)?;
    stream.set_write_timeout(Some(left(deadline)?))?;
    stream.write_all(&[&length.to_be_bytes(), query].concat())?;
    let length: [u8; 2] = fill([0; 2], &mut stream, deadline)?;
    fill(vec![0; usize::from(u16::from_be_bytes(length))], &mut stream, deadline)
}

/// Reads until `space` is full.
fn fill<S: AsMut<[u8]>>(mut space: S, stream: &mut TcpStream, deadline: Instant) -> Result<S, Fault> {
    let mut rest = space.as_mut();
    while !rest.is_empty() {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(rest) {
            Ok(0) => return Err(Fault::Failed(ErrorKind::UnexpectedEof.into())),
            Ok(count) => rest = &mut rest[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(space)
}

/// The time until the deadline, which is never zero: sockets would take that for "for ever".
fn left(deadline: Instant) -> Result<Duration, Fault> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(Fault::Silent) } else { Ok(left.max(Duration::from_millis(1))) }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use simple_dns::{Packet, PacketFlag};

    use super::super::message::Kind;
    use super::*;

    const BY_DATAGRAM: Manner = Manner { is_extended: true, is_tcp: false };

    fn question() -> Question {
        Question { name: "a.example".to_owned(), kind: Kind::A }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    fn none() -> Response {
        Response::Records { records: Vec::new(), ttl: 0 }
    }

    /// The response to a query, with another number if `is_forged`.
    fn response(query: &[u8], is_forged: bool, flags: PacketFlag) -> Vec<u8> {
        let mut packet = Packet::parse(query).unwrap().into_reply();
        packet.set_flags(flags);
        packet.set_id(packet.id() ^ u16::from(is_forged));
        packet.build_bytes_vec().unwrap()
    }

    /// A server on UDP that is asked once, and sends these in turn.
    fn server(responses: Vec<(bool, PacketFlag)>) -> (SocketAddr, thread::JoinHandle<()>) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let serve = move || {
            let mut space = [0; 600];
            let (count, client) = socket.recv_from(&mut space).unwrap();
            for (is_forged, flags) in &responses {
                socket.send_to(&response(&space[..count], *is_forged, *flags), client).unwrap();
            }
        };
        (address, thread::spawn(serve))
    }

    #[test]
    fn what_is_no_response_to_the_query_is_passed_over() {
        let (address, thread) = server(vec![(true, PacketFlag::empty()), (false, PacketFlag::empty())]);
        assert_eq!(ask(address, &question(), BY_DATAGRAM, soon()).unwrap(), none());
        thread.join().unwrap();
    }

    #[test]
    fn a_response_that_fits_into_no_datagram_comes_over_tcp() {
        // The same number is free for both protocols nearly always; if not, another one is tried.
        let (tcp, udp) = std::iter::repeat_with(|| {
            let tcp = TcpListener::bind("127.0.0.1:0").ok()?;
            let udp = UdpSocket::bind(tcp.local_addr().ok()?).ok()?;
            Some((tcp, udp))
        })
        .flatten()
        .next()
        .unwrap();
        let address = tcp.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let mut space = [0; 600];
            let (count, client) = udp.recv_from(&mut space).unwrap();
            udp.send_to(&response(&space[..count], false, PacketFlag::TRUNCATION), client).unwrap();
            let (mut stream, _) = tcp.accept().unwrap();
            let length: [u8; 2] = fill([0; 2], &mut stream, soon()).unwrap();
            let query = fill(vec![0; usize::from(u16::from_be_bytes(length))], &mut stream, soon()).unwrap();
            let response = response(&query, false, PacketFlag::empty());
            // In pieces, as a stream may come.
            stream.write_all(&u16::try_from(response.len()).unwrap().to_be_bytes()).unwrap();
            response.chunks(5).for_each(|piece| stream.write_all(piece).unwrap());
        });
        assert_eq!(ask(address, &question(), BY_DATAGRAM, soon()).unwrap(), none());
        thread.join().unwrap();
    }

    #[test]
    fn a_silent_server_costs_the_time_and_one_that_is_not_there_none() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let deadline = Instant::now() + Duration::from_millis(20);
        let result = ask(silent.local_addr().unwrap(), &question(), BY_DATAGRAM, deadline);
        assert!(matches!(result, Err(Fault::Silent)), "{result:?}");
        let address = silent.local_addr().unwrap();
        drop(silent);
        let result = ask(address, &question(), BY_DATAGRAM, soon());
        assert!(matches!(result, Err(Fault::Failed(_))), "{result:?}");
    }

    #[test]
    fn numbers_differ() {
        let numbers: std::collections::HashSet<u16> = (0..64).map(|_| random_id()).collect();
        assert!(numbers.len() > 32, "{numbers:?}");
    }
}
