//! A scripted name server: what it knows and how it behaves can be changed while a role asks it.
//!
//! It listens on a free port of the loopback address, on UDP and on TCP, and is gone when it is dropped.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread::JoinHandle;

use simple_dns::rdata::{A, AAAA, CNAME, RData, SRV};
use simple_dns::{CLASS, Name, Packet, PacketFlag, RCODE, ResourceRecord};

use super::WAIT_MAX;
use super::watched::Watched;

/// How it responds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Manner {
    /// As a name server should.
    #[default]
    Sound,
    /// Not at all.
    Silent,
    /// That it could not find out (SERVFAIL).
    Failing,
    /// By datagram, that there is more over TCP; over TCP as it should.
    Truncating,
    /// With the number of another query, and then as it should.
    Forged,
}

/// What it knows, and what it was asked.
#[derive(Debug, Default)]
struct State {
    records: Vec<(String, RData<'static>)>,
    ttl: u32,
    manner: Manner,
    /// The names that were asked for, by datagram and over TCP.
    queries: Vec<(String, bool)>,
    is_stopping: bool,
}

/// The server.
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    state: Arc<Watched<State>>,
    threads: Vec<JoinHandle<()>>,
}

impl NameServer {
    /// One that knows nothing yet, and whose records hold 0 s.
    pub fn start() -> NameServer {
        let (udp, tcp) = sockets();
        let address = udp.local_addr().unwrap();
        let state = Arc::<Watched<State>>::default();
        let (by_datagram, over_tcp) = (Arc::clone(&state), Arc::clone(&state));
        let threads = vec![
            std::thread::spawn(move || serve_datagrams(&udp, &by_datagram)),
            std::thread::spawn(move || serve_streams(&tcp, &over_tcp)),
        ];
        NameServer { address, state, threads }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on `name` has these addresses and no others; none for a name that does not exist.
    pub fn set(&self, name: &str, addresses: &[IpAddr]) {
        let data = addresses.iter().map(|address| match address {
            IpAddr::V4(ip) => RData::A(A::from(*ip)),
            IpAddr::V6(ip) => RData::AAAA(AAAA::from(*ip)),
        });
        self.put(name, data);
    }

    /// From now on `name` stands for `other`.
    pub fn set_alias(&self, name: &str, other: &str) {
        self.put(name, [RData::CNAME(CNAME(whole(other)))]);
    }

    /// From now on the service `name` has these: priority, weight, port and host.
    pub fn set_service(&self, name: &str, of: &[(u16, u16, u16, &str)]) {
        let data = of.iter().map(|(priority, weight, port, host)| {
            RData::SRV(SRV { priority: *priority, weight: *weight, port: *port, target: whole(host) })
        });
        self.put(name, data);
    }

    fn put(&self, name: &str, data: impl IntoIterator<Item = RData<'static>>) {
        self.state.change(|state| {
            state.records.retain(|(known, _)| known != name);
            state.records.extend(data.into_iter().map(|data| (name.to_owned(), data)));
        });
    }

    /// From now on its records hold for so many seconds.
    pub fn set_ttl(&self, seconds: u32) {
        self.state.change(|state| state.ttl = seconds);
    }

    /// From now on it responds like this.
    pub fn respond(&self, manner: Manner) {
        self.state.change(|state| state.manner = manner);
    }

    /// Waits until it was asked `count` times more.
    pub fn wait_for_queries(&self, count: usize) {
        let before = self.state.look(|state| state.queries.len());
        let asked = self.state.wait(WAIT_MAX, |state| (state.queries.len() >= before + count).then_some(()));
        asked.unwrap_or_else(|| panic!("nobody asks any more; asked for so far: {:?}", self.queries()));
    }

    /// The names that were asked for, each with true if it was over TCP.
    pub fn queries(&self) -> Vec<(String, bool)> {
        self.state.look(|state| state.queries.clone())
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.state.change(|state| state.is_stopping = true);
        // Each wakes one of the threads.
        let _ = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|one| one.send_to(&[0], self.address));
        drop(TcpStream::connect(self.address));
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

/// Two sockets of the same port.
fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            return (udp, tcp);
        }
    }
}

fn whole(name: &str) -> Name<'static> {
    Name::new(name).unwrap().into_owned()
}

fn serve_datagrams(socket: &UdpSocket, state: &Watched<State>) {
    let mut space = [0; 1500];
    loop {
        let (count, client) = socket.recv_from(&mut space).unwrap();
        if state.look(|state| state.is_stopping) {
            return;
        }
        for response in responses(&space[..count], false, state) {
            let _ = socket.send_to(&response, client);
        }
    }
}

/// One query a connection.
fn serve_streams(listener: &TcpListener, state: &Watched<State>) {
    loop {
        let (mut stream, _) = listener.accept().unwrap();
        if state.look(|state| state.is_stopping) {
            return;
        }
        stream.set_read_timeout(Some(WAIT_MAX)).unwrap();
        let mut length = [0; 2];
        if stream.read_exact(&mut length).is_err() {
            continue;
        }
        let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
        if stream.read_exact(&mut query).is_ok() {
            for response in responses(&query, true, state) {
                let length = u16::try_from(response.len()).unwrap();
                let _ = stream.write_all(&[&length.to_be_bytes(), response.as_slice()].concat());
            }
        }
    }
}

/// What it sends to a query.
fn responses(query: &[u8], is_tcp: bool, state: &Watched<State>) -> Vec<Vec<u8>> {
    let Ok(query) = Packet::parse(query) else { return Vec::new() };
    let asked = query.questions[0].qname.to_string();
    let (manner, mut packet) = state.change(|state| {
        state.queries.push((asked.clone(), is_tcp));
        (state.manner, response(&query, &asked, state))
    });
    match manner {
        Manner::Silent => Vec::new(),
        Manner::Failing => {
            packet.answers.clear();
            *packet.rcode_mut() = RCODE::ServerFailure;
            vec![bytes(&packet)]
        }
        Manner::Truncating if !is_tcp => {
            packet.answers.clear();
            packet.set_flags(PacketFlag::TRUNCATION);
            vec![bytes(&packet)]
        }
        Manner::Forged => {
            let mut forged = packet.clone();
            forged.set_id(packet.id() ^ 1);
            forged.answers.clear();
            vec![bytes(&forged), bytes(&packet)]
        }
        Manner::Sound | Manner::Truncating => vec![bytes(&packet)],
    }
}

fn bytes(packet: &Packet<'_>) -> Vec<u8> {
    packet.build_bytes_vec_compressed().unwrap()
}

/// The records of the name that was asked for, and of those it stands for.
fn response(query: &Packet<'_>, asked: &str, state: &State) -> Packet<'static> {
    let mut packet = Packet::new_reply(query.id());
    packet.set_flags(PacketFlag::RECURSION_AVAILABLE);
    let question = query.questions[0].clone().into_owned();
    let mut name = asked.to_owned();
    // More steps than the aliases of any test have; they may go round.
    for _ in 0..4 {
        let of_name = || state.records.iter().filter(|(known, _)| *known == name);
        let record =
            |data: &RData<'static>| ResourceRecord::new(whole(&name), CLASS::IN, state.ttl, data.clone());
        let wanted = of_name().map(|(_, data)| record(data)).filter(|one| one.match_qtype(question.qtype));
        packet.answers.extend(wanted);
        let alias = of_name().find_map(|(_, data)| match data {
            RData::CNAME(target) => Some((record(data), target.0.to_string())),
            _ => None,
        });
        let Some((record, target)) = alias else { break };
        packet.answers.push(record);
        name = target;
    }
    if state.records.iter().all(|(known, _)| known != asked) {
        *packet.rcode_mut() = RCODE::NameError;
    }
    packet.questions.push(question);
    packet
}
