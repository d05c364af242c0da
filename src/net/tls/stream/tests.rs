//! A stream at one end of a socket, and `rustls` itself at the other.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use proptest::prelude::{ProptestConfig, any, proptest};
use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConnection, SupportedProtocolVersion,
};
use socket2::SockRef;

use super::{Arrived, Carrier, TlsStream};
use crate::net::io::{Moved, receive};
use crate::net::socket::{AnySocket, Handle};
use crate::net::tls::{Certificate, self_signed, server_config};
use crate::protocol::context::BackendTls;

/// A socket of which a read takes so many bytes at most.
struct Pieces<'s>(&'s UnixStream, usize);

impl Carrier for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> Moved {
        let count = into.len().min(self.1);
        receive(self.0, &mut into[..count])
    }
}

impl AnySocket for Pieces<'_> {
    fn handle(&self) -> Handle<'_> {
        self.0.handle()
    }
}

/// The other end.
struct Peer {
    tls: Connection,
    socket: UnixStream,
}

impl Peer {
    /// The records that it has to send now.
    fn records(&mut self) -> Vec<u8> {
        let mut records = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut records).unwrap();
        }
        records
    }

    fn send(&mut self, plain: &[u8]) {
        self.tls.writer().write_all(plain).unwrap();
        self.flush();
    }

    fn flush(&mut self) {
        let records = self.records();
        (&self.socket).write_all(&records).unwrap();
    }

    /// All that has come.
    fn read(&mut self) -> Vec<u8> {
        let mut plain = Vec::new();
        loop {
            let came = self.tls.read_tls(&mut &self.socket);
            self.tls.process_new_packets().unwrap();
            // It says so at the end by an error.
            let _ = self.tls.reader().read_to_end(&mut plain);
            match came {
                Ok(0) => return plain,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return plain,
                came => drop(came.unwrap()),
            }
        }
    }
}

fn certificate() -> Certificate {
    self_signed(&["localhost"]).unwrap()
}

fn client_config(
    certificate: &Certificate,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.key.cert[0].clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_protocol_versions(versions).unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

/// A stream towards a client that has not said anything yet, its socket, and the client.
fn accepted(
    version: &'static SupportedProtocolVersion,
    awaits_header: bool,
) -> (TlsStream, UnixStream, Peer) {
    let certificate = certificate();
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let config = server_config(std::slice::from_ref(&certificate), &[]).unwrap();
    let client =
        ClientConnection::new(client_config(&certificate, &[version]), "localhost".try_into().unwrap());
    let peer = Peer { tls: client.unwrap().into(), socket: theirs };
    (TlsStream::accept(Arc::new(config), awaits_header), ours, peer)
}

/// The same after the handshake, in which a read takes so many bytes at most.
fn secured(version: &'static SupportedProtocolVersion, piece: usize) -> (TlsStream, UnixStream, Peer) {
    let (mut stream, ours, mut peer) = accepted(version, false);
    while peer.tls.is_handshaking() || stream.is_handshaking() {
        peer.flush();
        while !matches!(stream.receive(&mut [], &mut Pieces(&ours, piece)).unwrap(), Arrived::Nothing) {}
        assert!(peer.read().is_empty());
    }
    (stream, ours, peer)
}

/// All plain bytes that can be had now, and whether they are the last; a read takes `piece` bytes, and there is room
/// for `room`.
fn take(stream: &mut TlsStream, socket: &UnixStream, piece: usize, room: usize) -> (Vec<u8>, bool) {
    let (mut plain, mut space) = (Vec::new(), vec![0; room]);
    loop {
        match stream.receive(&mut space, &mut Pieces(socket, piece)).unwrap() {
            Arrived::Bytes(0) => return (plain, true),
            Arrived::Bytes(count) => plain.extend_from_slice(&space[..count]),
            Arrived::Handshake => {}
            Arrived::Nothing => return (plain, false),
            Arrived::PlainHttp => panic!("that was no plain HTTP"),
        }
    }
}

#[test]
fn bytes_arrive_whatever_the_pieces_and_the_room() {
    for version in [&TLS12, &TLS13] {
        for piece in [1, 2, 5, 16 * 1024] {
            let (mut stream, ours, mut peer) = secured(version, piece);
            let secured = stream.take_secured().unwrap();
            assert_eq!(secured.version == "TLSv1.3", version.version == TLS13.version);
            assert_eq!((secured.name.as_deref(), secured.is_resumed), (Some("localhost"), false));
            assert_eq!(stream.take_secured(), None, "it is told once");
            for room in [1, 3, 100_000] {
                let sent: Vec<u8> = (0..40_000_u32).map(|number| number as u8).collect();
                peer.send(&sent[..10]);
                peer.send(&sent[10..]);
                assert!(take(&mut stream, &ours, piece, room) == (sent, false), "{piece} {room}");
                assert!(!stream.has_received());
            }
        }
    }
}

#[test]
fn the_end_is_noticed_with_the_last_bytes_and_nothing_behind_it_is_read() {
    let (mut stream, ours, mut peer) = secured(&TLS13, usize::MAX);
    peer.tls.writer().write_all(b"akhir").unwrap();
    peer.tls.send_close_notify();
    peer.flush();
    peer.socket.write_all(b"GET /selundup HTTP/1.1\r\n\r\n").unwrap();
    let mut space = [0; 100];
    let first = stream.receive(&mut space, &mut Pieces(&ours, usize::MAX)).unwrap();
    assert_eq!((first, &space[..5]), (Arrived::Bytes(5), &b"akhir"[..]));
    assert!(stream.has_received(), "the socket will have no event for the end");
    assert_eq!(stream.receive(&mut space, &mut Pieces(&ours, usize::MAX)).unwrap(), Arrived::Bytes(0));
    assert!(!stream.has_received());
    // What comes later is dropped as well.
    peer.socket.write_all(b"lagi").unwrap();
    assert_eq!(stream.receive(&mut space, &mut Pieces(&ours, usize::MAX)).unwrap(), Arrived::Bytes(0));
}

#[test]
fn the_end_within_the_handshake_is_told_once() {
    let (mut stream, ours, mut peer) = accepted(&TLS13, false);
    peer.flush();
    peer.socket.write_all(b"\x15\x03\x03\0\x02\x01\0").unwrap(); // close_notify
    let (mut ends, mut space) = (0, [0; 10]);
    for _ in 0..10 {
        match stream.receive(&mut space, &mut Pieces(&ours, usize::MAX)) {
            Ok(Arrived::Bytes(0)) => ends += 1,
            Ok(Arrived::Nothing) | Err(_) => break,
            Ok(_) => {}
        }
    }
    assert!(ends <= 1 && !stream.has_received());
}

#[test]
fn a_send_that_a_full_socket_cut_short_is_resumed_and_encrypts_nothing_twice() {
    for version in [&TLS12, &TLS13] {
        let (mut stream, ours, mut peer) = secured(version, usize::MAX);
        SockRef::from(&ours).set_send_buffer_size(4096).unwrap();
        let bytes: Vec<u8> = (0..300_000_u32).map(|number| (number / 7) as u8).collect();
        let (mut sent, mut waits, mut received) = (0, 0, Vec::new());
        while sent < bytes.len() {
            // In two slices, as a machine gives its head and its body.
            let rest = &bytes[sent..];
            let (first, second) = rest.split_at(rest.len().min(1000));
            match stream.send(&ours, [first, second]).unwrap() {
                Some(count) => sent += count,
                None => {
                    waits += 1;
                    assert!(stream.has_to_send());
                    received.extend(peer.read());
                }
            }
        }
        received.extend(peer.read());
        assert!(waits > 3, "the socket was never full");
        assert!(received == bytes, "{} bytes came of {}", received.len(), bytes.len());
        assert!(!stream.has_to_send());
    }
}

#[test]
fn a_file_is_sent_as_its_bytes_are() {
    let (mut stream, ours, mut peer) = secured(&TLS13, usize::MAX);
    let bytes: Vec<u8> = (0..200_000_u32).map(|number| (number / 3) as u8).collect();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    let (mut at, mut received) = (100_u64, Vec::new());
    while at < 150_000 {
        match stream.send_file(&ours, &file, at, 150_000 - at).unwrap() {
            Some(count) => at += count as u64,
            None => received.extend(peer.read()),
        }
    }
    received.extend(peer.read());
    assert!(received == bytes[100..150_000]);
    // It has become shorter than was promised.
    assert_eq!(stream.send_file(&ours, &file, 200_000, 10).unwrap(), Some(0));
}

#[test]
fn nothing_is_sent_before_the_handshake_is_done() {
    let (mut stream, ours, mut peer) = accepted(&TLS13, false);
    assert_eq!(stream.send(&ours, [b"rahasia", b""]).unwrap_err().kind(), io::ErrorKind::NotConnected);
    assert!(peer.read().is_empty());
}

#[test]
fn plain_http_is_told_from_tls_by_its_first_byte_only() {
    for (first, is_plain) in
        [(&b"GET / HTTP/1.1\r\n"[..], true), (b"P", true), (b"\x16\x03\x01\0\x05\x01\0\0\x01G", false)]
    {
        let (mut stream, ours, peer) = accepted(&TLS13, false);
        (&peer.socket).write_all(first).unwrap();
        let arrived = stream.receive(&mut [0; 10], &mut Pieces(&ours, 1));
        assert_eq!(matches!(arrived, Ok(Arrived::PlainHttp)), is_plain, "{first:?}: {arrived:?}");
    }
    // A byte of a greeting that looks like the begin of a request, in a read of its own.
    let (mut stream, ours, peer) = accepted(&TLS13, false);
    (&peer.socket).write_all(b"\x16\x03\x01\x01\0GET").unwrap();
    for _ in 0..8 {
        let arrived = stream.receive(&mut [0; 10], &mut Pieces(&ours, 1)).unwrap();
        assert_eq!(arrived, Arrived::Handshake);
    }
}

#[test]
fn a_proxy_header_is_passed_on_as_it_came() {
    const HEADER: &[u8] = b"PROXY TCP4 203.0.113.9 198.51.100.1 49152 80\r\n";
    for piece in [1, 7, usize::MAX] {
        let (mut stream, ours, mut peer) = accepted(&TLS13, true);
        peer.socket.write_all(HEADER).unwrap();
        peer.flush();
        let (mut passed, mut space) = (Vec::new(), [0; 200]);
        while peer.tls.is_handshaking() || stream.is_handshaking() {
            match stream.receive(&mut space, &mut Pieces(&ours, piece)).unwrap() {
                Arrived::Bytes(count) => passed.extend_from_slice(&space[..count]),
                Arrived::Nothing => {
                    peer.read();
                    peer.flush();
                }
                Arrived::Handshake => {}
                Arrived::PlainHttp => panic!("that was a header"),
            }
        }
        assert_eq!(passed, HEADER, "{piece}");
        peer.send(b"halo");
        assert_eq!(take(&mut stream, &ours, piece, 10), (b"halo".to_vec(), false));
    }
}

/// A stream towards a back end, and the back end, after the handshake.
fn connected() -> (TlsStream, UnixStream, Peer) {
    let certificate = certificate();
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let server =
        ServerConnection::new(Arc::new(server_config(std::slice::from_ref(&certificate), &[]).unwrap()))
            .unwrap();
    let mut peer = Peer { tls: server.into(), socket: theirs };
    let config = client_config(&certificate, rustls::ALL_VERSIONS);
    let mut stream = TlsStream::connect(&BackendTls { config, host: "localhost".into() }).unwrap();
    while !stream.shake_hands(&mut Pieces(&ours, 10)).unwrap() {
        assert!(peer.read().is_empty());
        peer.flush();
    }
    peer.read();
    peer.flush();
    (stream, ours, peer)
}

#[test]
fn a_back_end_that_just_closes_has_not_said_that_it_is_done() {
    for says_so in [true, false] {
        let (mut stream, ours, mut peer) = connected();
        peer.send(b"sebagian");
        if says_so {
            peer.tls.send_close_notify();
            peer.flush();
        }
        drop(peer);
        let (mut received, mut space) = (Vec::new(), [0; 100]);
        let end = loop {
            match stream.receive(&mut space, &mut Pieces(&ours, 3)) {
                Ok(Arrived::Bytes(0)) => break Ok(()),
                Ok(Arrived::Bytes(count)) => received.extend_from_slice(&space[..count]),
                Ok(_) => {}
                Err(error) => break Err(error.kind()),
            }
        };
        assert_eq!(received, b"sebagian");
        assert_eq!(end, if says_so { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof) });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Noise, and a greeting that was changed at one place, in pieces of any size: an end or an error comes, or nothing
    /// more is read than there is.
    #[test]
    fn whatever_comes_a_stream_neither_panics_nor_spins(
        noise in proptest::collection::vec(any::<u8>(), 0..600),
        place in any::<proptest::sample::Index>(),
        greets in any::<bool>(),
        awaits_header in any::<bool>(),
        piece in 1_usize..700,
    ) {
        let (mut stream, ours, mut peer) = accepted(&TLS13, awaits_header);
        let mut bytes = if greets { peer.records() } else { Vec::new() };
        if greets {
            let at = place.index(bytes.len());
            bytes[at] = bytes[at].wrapping_add(noise.first().copied().unwrap_or_default());
        }
        bytes.extend(&noise);
        peer.socket.write_all(&bytes).unwrap();
        drop(peer);
        let mut space = [0; 50];
        let is_over = (0..2 * bytes.len() + 10).any(|_| {
            matches!(
                stream.receive(&mut space, &mut Pieces(&ours, piece)),
                Ok(Arrived::Bytes(0) | Arrived::PlainHttp) | Err(_)
            )
        });
        assert!(is_over, "it goes on for ever");
    }
}
