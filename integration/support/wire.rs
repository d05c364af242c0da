//! One end of a connection that speaks HTTP by hand: what a client and a scripted back end share.
//!
//! Contract: every operation has a deadline of [`WAIT_MAX`] as a whole, and its error says what
//! happened: `UnexpectedEof` closed too early, `ConnectionReset` reset, `TimedOut` silent,
//! `InvalidData` no HTTP.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

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
    unused: Vec<u8>,
}

impl Wire {
    /// Takes over an open connection.
    pub fn new(stream: TcpStream) -> Wire {
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(WAIT_MAX)).unwrap();
        Wire { stream, unused: Vec::new() }
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
        self.stream.write_all(bytes).map_err(normal)
    }

    /// Says that nothing more will be sent.
    pub fn finish_sending(&mut self) -> io::Result<()> {
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
        let count = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut piece) {
                // A read with a timeout ends so when a machine or a container that was stopped goes on.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read.map_err(normal)?,
            }
        };
        self.unused.extend_from_slice(&piece[..count]);
        Ok(count)
    }
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
