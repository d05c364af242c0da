//! One end of a connection that speaks HTTP by hand, encrypted or not: what a client and a scripted back end share.
//!
//! Contract: every operation has a deadline of [`WAIT_MAX`] as a whole, and its error says what
//! happened: `UnexpectedEof` closed too early (or without `close_notify`), `ConnectionReset` reset, `TimedOut` silent,
//! `InvalidData` no HTTP or no TLS.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustls::{Connection, HandshakeKind};

use super::WAIT_MAX;

/// A start line and its fields.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// The request line or status line.
    pub start: String,
    /// Names as written, values trimmed.
    pub fields: Vec<(String, String)>,
}

impl Head {
    /// The value of the first field of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.all(name).into_iter().next()
    }

    /// The values of all fields of this name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let same = |field: &&(String, String)| field.0.eq_ignore_ascii_case(name);
        self.fields.iter().filter(same).map(|field| field.1.as_str()).collect()
    }

    /// The word at this place of the start line.
    pub fn word(&self, place: usize) -> &str {
        self.start.split(' ').nth(place).unwrap_or("")
    }

    /// True if the body comes in chunks.
    pub fn is_chunked(&self) -> bool {
        self.field("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    }

    /// The body's announced length.
    pub fn length(&self) -> io::Result<Option<usize>> {
        let number = |text: &str| text.parse().map_err(|_| invalid(format!("Content-Length: {text}")));
        self.field("content-length").map(number).transpose()
    }
}

/// A connection and what was read from it but not used yet.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    tls: Option<Box<Connection>>,
    /// Received, and not decrypted yet.
    records: Vec<u8>,
    /// Bytes that are sent at a time.
    piece: usize,
    unused: Vec<u8>,
}

impl Wire {
    /// Takes over an open connection.
    pub fn new(stream: TcpStream) -> Wire {
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(WAIT_MAX)).unwrap();
        Wire { stream, tls: None, records: Vec::new(), piece: usize::MAX, unused: Vec::new() }
    }

    /// Encrypts it from now on.
    pub fn secure(&mut self, tls: impl Into<Connection>) -> io::Result<()> {
        self.tls = Some(Box::new(tls.into()));
        let deadline = deadline();
        loop {
            self.flush()?;
            if !self.tls().is_handshaking() {
                return Ok(());
            }
            if self.read_records(deadline)? == 0 {
                return Err(io::Error::new(ErrorKind::UnexpectedEof, "closed within the handshake"));
            }
        }
    }

    /// Sends so many bytes at a time from now on.
    pub fn send_in_pieces(&mut self, piece: usize) {
        self.piece = piece;
    }

    /// Socket, encryption, and the records that were received and not decrypted yet.
    pub fn into_parts(self) -> (TcpStream, Box<Connection>, Vec<u8>) {
        assert!(self.unused.is_empty(), "somebody has read already");
        (self.stream, self.tls.expect("the connection is encrypted"), self.records)
    }

    /// Its encryption.
    pub fn tls(&mut self) -> &mut Connection {
        self.tls.as_deref_mut().expect("the connection is encrypted")
    }

    /// True if an earlier session was taken up.
    pub fn is_resumed(&mut self) -> bool {
        self.tls().handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Says in the encrypted form that nothing more will be sent, and leaves the connection open.
    pub fn say_end(&mut self) -> io::Result<()> {
        self.tls().send_close_notify();
        self.flush()
    }

    /// The records in which `bytes` are sent, for a test that sends them by itself.
    pub fn encrypt(&mut self, bytes: &[u8]) -> Vec<u8> {
        let tls = self.tls();
        tls.writer().write_all(bytes).unwrap();
        records(tls)
    }

    /// Connects.
    pub fn connect(address: SocketAddr) -> io::Result<Wire> {
        TcpStream::connect_timeout(&address, WAIT_MAX).map(Wire::new)
    }

    /// The socket itself.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends all of `bytes`.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.tls.is_none() {
            return self.send_as_it_is(bytes);
        }
        for plain in bytes.chunks(RECORD_BYTES) {
            let records = self.encrypt(plain);
            self.send_as_it_is(&records)?;
        }
        Ok(())
    }

    /// Sends `bytes` unencrypted in any case.
    pub fn send_as_it_is(&mut self, bytes: &[u8]) -> io::Result<()> {
        bytes.chunks(self.piece).try_for_each(|piece| self.stream.write_all(piece)).map_err(normal)
    }

    /// Says that nothing more will be sent.
    pub fn finish_sending(&mut self) -> io::Result<()> {
        if self.tls.is_some() {
            self.say_end()?;
        }
        self.stream.shutdown(Shutdown::Write)
    }

    /// Reads a head up to and with its empty line.
    pub fn head(&mut self) -> io::Result<Head> {
        let deadline = deadline();
        let mut head = Head { start: self.line(deadline)?, fields: Vec::new() };
        loop {
            let line = self.line(deadline)?;
            if line.is_empty() {
                return Ok(head);
            }
            let (name, value) =
                line.split_once(':').ok_or_else(|| invalid(format!("field line {line:?}")))?;
            head.fields.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    /// Reads a line, without its end.
    pub fn one_line(&mut self) -> io::Result<String> {
        self.line(deadline())
    }

    /// Reads exactly `count` bytes.
    pub fn exact(&mut self, count: usize) -> io::Result<Vec<u8>> {
        self.exact_by(count, deadline())
    }

    /// Reads a chunked body with its trailers, which are dropped.
    pub fn chunked(&mut self) -> io::Result<Vec<u8>> {
        let deadline = deadline();
        let mut body = Vec::new();
        loop {
            let line = self.line(deadline)?;
            let size = usize::from_str_radix(line.split(';').next().unwrap_or("").trim(), 16)
                .map_err(|_| invalid(format!("chunk size {line:?}")))?;
            if size == 0 {
                break;
            }
            body.extend(self.exact_by(size, deadline)?);
            if !self.line(deadline)?.is_empty() {
                return Err(invalid("no line end behind a chunk".to_owned()));
            }
        }
        while !self.line(deadline)?.is_empty() {}
        Ok(body)
    }

    /// Reads a chunked body as it is: chunks and trailers, up to and with the empty line.
    pub fn chunked_as_it_is(&mut self) -> io::Result<String> {
        let deadline = deadline();
        let (mut text, mut is_behind_content) = (String::new(), false);
        loop {
            let line = self.line(deadline)?;
            is_behind_content |= line == "0";
            text += &line;
            text += "\r\n";
            if is_behind_content && line.is_empty() {
                return Ok(text);
            }
        }
    }

    /// Reads everything up to an orderly end of stream.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let deadline = deadline();
        while self.fill(deadline)? > 0 {}
        Ok(std::mem::take(&mut self.unused))
    }

    /// Reads what comes next, at most one buffer of it; empty at the end of the stream.
    pub fn some(&mut self) -> io::Result<Vec<u8>> {
        if self.unused.is_empty() {
            self.fill(deadline())?;
        }
        Ok(std::mem::take(&mut self.unused))
    }

    /// Takes at least `count` bytes off the socket and keeps them for later.
    pub fn keep_some(&mut self, count: usize) -> io::Result<()> {
        let (deadline, wanted) = (deadline(), self.unused.len() + count);
        while self.unused.len() < wanted {
            self.more(deadline)?;
        }
        Ok(())
    }

    /// Watches for `window` that neither a byte nor the end of the stream comes.
    pub fn is_silent_for(&mut self, window: Duration) -> bool {
        let silence = self.fill(Instant::now() + window);
        matches!(silence, Err(error) if error.kind() == ErrorKind::TimedOut)
    }

    fn exact_by(&mut self, count: usize, deadline: Instant) -> io::Result<Vec<u8>> {
        while self.unused.len() < count {
            self.more(deadline)?;
        }
        Ok(self.unused.drain(..count).collect())
    }

    fn line(&mut self, deadline: Instant) -> io::Result<String> {
        let mut looked = 0;
        loop {
            if let Some(found) = self.unused[looked..].iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unused.drain(..=looked + found).collect();
                return Ok(String::from_utf8_lossy(line.trim_ascii_end()).into_owned());
            }
            looked = self.unused.len();
            self.more(deadline)?;
        }
    }

    /// Reads on where an end of stream would be too early.
    fn more(&mut self, deadline: Instant) -> io::Result<()> {
        match self.fill(deadline)? {
            0 => Err(io::Error::new(ErrorKind::UnexpectedEof, "closed in the middle")),
            _ => Ok(()),
        }
    }

    fn fill(&mut self, deadline: Instant) -> io::Result<usize> {
        let mut piece = [0; 64 * 1024];
        let count = match self.tls {
            Some(_) => self.read_plain(&mut piece, deadline)?,
            None => self.read_socket(&mut piece, deadline)?,
        };
        self.unused.extend_from_slice(&piece[..count]);
        Ok(count)
    }

    /// Reads what has come in the encrypted form.
    fn read_plain(&mut self, into: &mut [u8], deadline: Instant) -> io::Result<usize> {
        loop {
            match self.tls().reader().read(into) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            self.read_records(deadline)?;
            self.flush()?;
        }
    }

    /// Decrypts records up to the next plain bytes; 0 at the end of the stream.
    fn read_records(&mut self, deadline: Instant) -> io::Result<usize> {
        if self.records.is_empty() {
            let mut piece = [0; 4096];
            let count = self.read_socket(&mut piece, deadline)?;
            self.records.extend_from_slice(&piece[..count]);
        }
        let count = self.records.len();
        let mut records = std::mem::take(&mut self.records);
        loop {
            let mut left = &records[..];
            let (tls, before) = (self.tls(), left.len());
            let read = tls.read_tls(&mut left)?; // nothing left is how it learns of the end
            let state = tls.process_new_packets();
            records.drain(..before - left.len());
            match state {
                Err(error) => {
                    let _ = self.flush(); // the alert that says why
                    return Err(io::Error::new(ErrorKind::InvalidData, error));
                }
                Ok(state) if state.plaintext_bytes_to_read() > 0 => break,
                Ok(_) if read == 0 || records.is_empty() => break,
                Ok(_) => {}
            }
        }
        self.records = records;
        Ok(count)
    }

    fn read_socket(&mut self, into: &mut [u8], deadline: Instant) -> io::Result<usize> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(into) {
                // A read with a timeout ends so when a machine or a container that was stopped goes on.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return read.map_err(normal),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let records = records(self.tls());
        self.send_as_it_is(&records)
    }
}

/// Bytes of the largest record (RFC 8446 section 5.1).
const RECORD_BYTES: usize = 16 * 1024;

/// What an encryption wants to be sent.
pub fn records(tls: &mut Connection) -> Vec<u8> {
    let mut records = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut records).unwrap();
    }
    records
}

fn deadline() -> Instant {
    Instant::now() + WAIT_MAX
}

/// A socket's timeout shows as either kind.
fn normal(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
        _ => error,
    }
}

fn invalid(what: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}
