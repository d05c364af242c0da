//! One encrypted connection.
//!
//! ```text
//!   socket --read--> incoming --decrypt--> plain bytes --> the machine's buffer
//!   socket <--write-- records <--encrypt-- what the machine has to send
//! ```
//!
//! Contract: [`receive`](TlsStream::receive) and [`send`](TlsStream::send) mean what a plain read and write mean,
//! and move what they can without waiting. Bytes count as sent when the socket has taken all of them in their
//! encrypted form; until then `send` is to be called again with the same bytes, and encrypts nothing twice. The
//! handshake happens on the way: whoever wants plain bytes moves it on.

use std::fs::File;
use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

use rustls::{
    CipherSuite, ClientConnection, Connection, HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection,
};

use crate::net::files;
use crate::net::io::{self as calls, Moved};
use crate::net::socket::AnySocket;
use crate::net::tls::client::server_name;
use crate::protocol::buffer::Buffer;
use crate::protocol::context::BackendTls;
use crate::protocol::machine::Received;
use crate::protocol::proxy_header;
use crate::protocol::transport::Secured;

/// The encryption of one connection.
#[derive(Debug)]
pub(crate) struct TlsStream {
    connection: Connection,
    /// Received, and not decrypted yet.
    incoming: Buffer,
    /// Decrypted bytes that `connection` holds.
    plain: usize,
    /// The peer has said that it sends nothing more, and that was not passed on yet.
    end_is_news: bool,
    /// Bytes that were given to [`send`](TlsStream::send) and encrypted, and are not all sent yet.
    taken: usize,
    /// The connection begins with a PROXY header, which is not encrypted, and it has not been passed on yet.
    awaits_header: bool,
    /// It is a client's, and none of its bytes was looked at yet: they may be a request that is not encrypted.
    may_be_plain: bool,
    /// The end of the handshake was not reported yet.
    is_news: bool,
}

/// What came of a read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Arrived {
    /// So many plain bytes; 0 is the end of the stream.
    Bytes(usize),
    /// There were none.
    Nothing,
    /// Bytes came that were for the encryption only.
    Handshake,
    /// The client speaks HTTP without TLS.
    PlainHttp,
}

impl From<Arrived> for Received {
    fn from(arrived: Arrived) -> Received {
        match arrived {
            Arrived::Bytes(count) => Received::Buffered(count),
            Arrived::Nothing => Received::Nothing,
            Arrived::Handshake => Received::Handshake,
            Arrived::PlainHttp => Received::PlainHttp,
        }
    }
}

/// A socket as its driver reads it: without waiting, or for as long as it may wait.
pub(crate) trait Carrier: AnySocket {
    /// Reads what has come; 0 is the end of the stream.
    fn read(&mut self, into: &mut [u8]) -> Moved;
}

impl TlsStream {
    /// For a client that has connected; `awaits_header` if it is to send a PROXY header first.
    pub(crate) fn accept(config: Arc<ServerConfig>, awaits_header: bool) -> TlsStream {
        let connection = ServerConnection::new(config);
        // It can fail only for a limit on the size of records that is out of range, and we set none.
        let connection = connection.expect("the configuration has no limit on records");
        TlsStream { awaits_header, may_be_plain: true, ..TlsStream::new(Connection::Server(connection)) }
    }

    /// For a back end.
    ///
    /// Errors: its host is no name that a certificate can have, or there are no random numbers to be had.
    pub(crate) fn connect(tls: &BackendTls) -> io::Result<TlsStream> {
        let connection = ClientConnection::new(Arc::clone(&tls.config), server_name(&tls.host)?);
        let connection = connection.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(TlsStream::new(Connection::Client(connection)))
    }

    fn new(connection: Connection) -> TlsStream {
        TlsStream {
            connection,
            incoming: Buffer::new(),
            plain: 0,
            end_is_news: false,
            taken: 0,
            awaits_header: false,
            may_be_plain: false,
            is_news: true,
        }
    }

    /// True until both sides have agreed on how to encrypt.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// True if plain bytes, or the end of them, may come although the socket has none.
    pub(crate) fn has_received(&self) -> bool {
        self.plain > 0 || self.end_is_news || (!self.incoming.is_empty() && !self.awaits_header)
    }

    /// True if records wait for room in the socket.
    pub(crate) fn has_to_send(&self) -> bool {
        self.connection.wants_write()
    }

    /// What was agreed on, once, when the handshake has ended.
    pub(crate) fn take_secured(&mut self) -> Option<Secured> {
        if !self.is_news || self.connection.is_handshaking() {
            return None;
        }
        self.is_news = false;
        let name = match &self.connection {
            Connection::Server(server) => server.server_name().map(Into::into),
            Connection::Client(_) => None,
        };
        let version = match self.connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        };
        let cipher = self.connection.negotiated_cipher_suite();
        Some(Secured {
            version,
            cipher: cipher.map_or("unknown", |suite| iana_name(suite.suite())),
            name,
            is_resumed: self.connection.handshake_kind() == Some(HandshakeKind::Resumed),
        })
    }

    /// Reads plain bytes into `space`. The socket is read only if nothing is left from before.
    ///
    /// Errors: the socket's; `InvalidData` for bytes that are no TLS or break its rules, and for a certificate that
    /// is not accepted, with the reason; `UnexpectedEof` if a back end ended without saying so in an encrypted
    /// form, so that somebody on the way may have cut its response.
    pub(crate) fn receive(&mut self, space: &mut [u8], socket: &mut impl Carrier) -> io::Result<Arrived> {
        // An incomplete PROXY header is not counted as received: the rest of it is read.
        if !self.has_received() {
            match socket.read(self.incoming.space()) {
                Ok(Some(count)) => {
                    self.incoming.filled(count);
                    if count == 0 {
                        return self.end().map(Arrived::Bytes);
                    }
                }
                other => {
                    self.incoming.filled(0);
                    self.flush(&*socket)?;
                    return other.map(|_| Arrived::Nothing);
                }
            }
        }
        if self.awaits_header {
            return Ok(self.pass_header(space));
        }
        if std::mem::take(&mut self.may_be_plain) && self.begins_as_http() {
            self.incoming.clear();
            return Ok(Arrived::PlainHttp);
        }
        let (decrypted, flushed) = (self.decrypt(space), self.flush(&*socket));
        match decrypted? {
            _ if flushed.is_err() => flushed.map(|_| Arrived::Nothing),
            0 if std::mem::take(&mut self.end_is_news) => Ok(Arrived::Bytes(0)),
            0 => Ok(Arrived::Handshake),
            count => Ok(Arrived::Bytes(count)),
        }
    }

    /// Passes the bytes of the PROXY header on as they came, once it is complete. What is behind it is encrypted.
    fn pass_header(&mut self, space: &mut [u8]) -> Arrived {
        let bytes = self.incoming.bytes();
        let count = match proxy_header::length(bytes) {
            Ok(Some(length)) if length <= bytes.len() => length,
            Ok(_) => return Arrived::Handshake,
            // It is for the machine to refuse what is no header.
            Err(_) => bytes.len(),
        };
        let count = count.min(space.len());
        space[..count].copy_from_slice(&bytes[..count]);
        self.incoming.consume(count);
        self.awaits_header = false;
        Arrived::Bytes(count)
    }

    /// True if the first bytes are those of a request: its method is written in letters, and the type of the record in
    /// which a client greets is 22 (RFC 8446 section 5.1).
    fn begins_as_http(&self) -> bool {
        self.incoming.bytes().first().is_some_and(u8::is_ascii_uppercase)
    }

    /// Decrypts what came, as far as there is room for it.
    fn decrypt(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let mut written = self.take_plain(space)?;
        while !self.incoming.is_empty() && self.plain == 0 {
            let mut bytes = self.incoming.bytes();
            let count = self.connection.read_tls(&mut bytes)?;
            self.incoming.consume(count);
            let state = self.connection.process_new_packets();
            let state = state.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            self.plain = state.plaintext_bytes_to_read();
            if state.peer_has_closed() {
                // Nothing behind that is read.
                self.incoming.clear();
                self.end_is_news = true;
            }
            written += self.take_plain(&mut space[written..])?;
        }
        Ok(written)
    }

    /// Takes decrypted bytes, as many as there is room for.
    fn take_plain(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let mut written = 0;
        while self.plain > 0 && written < space.len() {
            let count = self.connection.reader().read(&mut space[written..])?;
            self.plain = self.plain.saturating_sub(count);
            written += count;
            if count == 0 {
                self.plain = 0;
            }
        }
        Ok(written)
    }

    /// True if the peer has said that it sends nothing more.
    fn has_ended(&mut self) -> bool {
        !self.is_handshaking() && matches!(self.connection.reader().read(&mut [0]), Ok(0))
    }

    /// The stream has ended, orderly or not.
    fn end(&mut self) -> io::Result<usize> {
        if self.has_ended() || matches!(self.connection, Connection::Server(_)) {
            // Many clients just close. Nothing of theirs is taken for complete by its end.
            return Ok(0);
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    /// Sends as much of two slices as fits; `None` if not all that was taken has been sent: call again with the
    /// same bytes when there is room.
    ///
    /// Errors: the socket's; `NotConnected` before the end of the handshake, when nothing can be said in secret.
    pub(crate) fn send(&mut self, socket: &impl AnySocket, slices: [&[u8]; 2]) -> Moved {
        self.send_with(socket, |writer| writer.write_vectored(&slices.map(IoSlice::new)))
    }

    /// The same with bytes of a file from `offset` on; 0 means that the file ends before `length`.
    pub(crate) fn send_file(
        &mut self,
        socket: &impl AnySocket,
        file: &File,
        offset: u64,
        length: u64,
    ) -> Moved {
        self.send_with(socket, |writer| {
            let mut piece = Buffer::bulk();
            let space = piece.space();
            let most = space.len().min(usize::try_from(length).unwrap_or(usize::MAX));
            let count = files::read_at(file, &mut space[..most], offset)?;
            writer.write(&space[..count])
        })
    }

    fn send_with(
        &mut self,
        socket: &impl AnySocket,
        encrypt: impl FnOnce(&mut rustls::Writer<'_>) -> io::Result<usize>,
    ) -> Moved {
        if self.connection.is_handshaking() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        if self.taken == 0 {
            self.taken = encrypt(&mut self.connection.writer())?;
            if self.taken == 0 {
                return Ok(Some(0));
            }
        }
        match self.flush(socket)? {
            true => Ok(Some(std::mem::take(&mut self.taken))),
            false => Ok(None),
        }
    }

    /// Moves the handshake on; true once it is done.
    ///
    /// Errors: as of [`receive`](TlsStream::receive).
    pub(crate) fn shake_hands(&mut self, socket: &mut impl Carrier) -> io::Result<bool> {
        self.flush(&*socket)?;
        if self.is_handshaking() {
            let came = socket.read(self.incoming.space());
            self.incoming.filled(came.as_ref().map_or(0, |count| count.unwrap_or(0)));
            if came? == Some(0) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "it closed within the handshake"));
            }
            let decrypted = self.decrypt(&mut []);
            self.flush(&*socket)?;
            decrypted?;
        }
        Ok(!self.is_handshaking() && !self.has_to_send())
    }

    /// Tells the peer that nothing more will come, as far as there is room for it, and if anything could have come.
    pub(crate) fn say_end(&mut self, socket: &impl AnySocket) {
        if self.taken == 0 && !self.is_handshaking() {
            self.connection.send_close_notify();
            // It can only help: the peer sees the end of the stream anyway.
            let _ = self.flush(socket);
        }
    }

    /// Sends records that wait; false if some are left because there is no room.
    fn flush(&mut self, socket: &impl AnySocket) -> io::Result<bool> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Records(socket)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

/// The name of a cipher suite as IANA lists it, for those that `ring` has.
fn iana_name(suite: CipherSuite) -> &'static str {
    match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        // Those of TLS 1.2 have one name.
        suite => suite.as_str().unwrap_or("unknown"),
    }
}

/// Where records go.
struct Records<'s, S>(&'s S);

impl<S: AnySocket> Write for Records<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        calls::send_vectored(self.0, slices)?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
