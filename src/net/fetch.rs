//! One small document over plain HTTP/1.1: a blocking `GET` or `POST` on a connection of its own.
//!
//! Contract: [`fetch`] and [`post`] return within its time and holds no more than its bytes, whatever the server
//! sends. The look-up of the server's name alone takes as long as the system's resolver does.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::net::connect::{ConnectError, connect_blocking};
use crate::net::endpoint::Endpoint;
use crate::protocol::http::Method;
use crate::protocol::http::body::{BodyReader, Part};
use crate::protocol::http::framing;
use crate::protocol::http::head::{FieldSpace, HeadScan, ResponseHead, Scan};

/// Bytes of one read: a document of the usual size comes in one.
const READ_BYTES: usize = 16 * 1024;

/// What one document may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FetchLimits {
    /// From the connect to the last byte.
    pub(crate) time: Duration,
    /// Bytes of the document.
    pub(crate) bytes: usize,
}

/// Why there is no document.
#[derive(Debug)]
pub(crate) enum FetchError {
    /// The name of the server has no address.
    LookUp(io::Error),
    /// No connection could be made.
    Connect(ConnectError),
    /// The time was over.
    TimedOut,
    /// The connection ended before the end of the document.
    Cut,
    /// What came is not an HTTP response.
    NotHttp(&'static str),
    /// The server has no such document for us.
    Status(u16),
    /// The document is larger than so many bytes.
    TooLarge(usize),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FetchError::LookUp(error) => error.fmt(f),
            FetchError::Connect(error) => error.fmt(f),
            FetchError::TimedOut => f.write_str("it did not respond in time"),
            FetchError::Cut => f.write_str("it closed the connection before the end of the response"),
            FetchError::NotHttp(fault) => write!(f, "its response is not HTTP: {fault}"),
            FetchError::Status(status) => write!(f, "it responded with status {status}"),
            FetchError::TooLarge(bytes) => write!(f, "its response is larger than {bytes} bytes"),
        }
    }
}

impl From<io::Error> for FetchError {
    fn from(error: io::Error) -> FetchError {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => FetchError::TimedOut,
            _ => FetchError::Cut,
        }
    }
}

/// Gets the document `path`, which must have status 200.
pub(crate) fn fetch(server: &Endpoint, path: &str, limits: FetchLimits) -> Result<Vec<u8>, FetchError> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
    let mut server_side = Reader::open(server, limits)?;
    server_side.send(request.as_bytes())?;
    match server_side.head(Method::Get)? {
        (200, body) => server_side.document(body, limits.bytes),
        (status, _) => Err(FetchError::Status(status)),
    }
}

/// Posts nothing to `path`, with this token if there is one: the status, and what the server says, whatever the
/// status. The caller sees to it that path and token are one word each.
pub(crate) fn post(
    server: &Endpoint,
    path: &str,
    token: Option<&str>,
    limits: FetchLimits,
) -> Result<(u16, Vec<u8>), FetchError> {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {server}\r\n{authorization}Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let mut server_side = Reader::open(server, limits)?;
    server_side.send(request.as_bytes())?;
    let (status, body) = server_side.head(Method::Post)?;
    Ok((status, server_side.document(body, limits.bytes)?))
}

/// The time that is left, which is not 0.
fn left(deadline: Instant) -> Result<Duration, FetchError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(FetchError::TimedOut) } else { Ok(left) }
}

/// The server's side of the connection.
struct Reader {
    stream: TcpStream,
    deadline: Instant,
    /// Bytes that have come and are not used yet.
    unread: Vec<u8>,
}

impl Reader {
    /// Connects to the first address of the server that accepts.
    fn open(server: &Endpoint, limits: FetchLimits) -> Result<Reader, FetchError> {
        let addresses = server.resolve().map_err(FetchError::LookUp)?;
        let deadline = Instant::now() + limits.time;
        let mut connected = Err(FetchError::TimedOut);
        for address in addresses {
            connected = connect_blocking(address, left(deadline)?).map_err(FetchError::Connect);
            if connected.is_ok() {
                break;
            }
        }
        Ok(Reader { stream: connected?, deadline, unread: Vec::new() })
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        self.stream.set_write_timeout(Some(left(self.deadline)?))?;
        Ok(self.stream.write_all(bytes)?)
    }

    /// Adds what comes next to `unread`; false if the stream has ended.
    fn receive(&mut self) -> Result<bool, FetchError> {
        let mut space = [0; READ_BYTES];
        loop {
            self.stream.set_read_timeout(Some(left(self.deadline)?))?;
            match self.stream.read(&mut space) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => {
                    let count = read?;
                    self.unread.extend_from_slice(&space[..count]);
                    return Ok(count > 0);
                }
            }
        }
    }

    /// Reads the head of the response to such a request: its status, and a reader for its body.
    fn head(&mut self, method: Method) -> Result<(u16, BodyReader), FetchError> {
        let mut scan = HeadScan::default();
        loop {
            let has_more = self.receive()?;
            match scan.advance(&self.unread) {
                Ok(Scan::Complete(length)) => {
                    let response = response_of(&self.unread[..length], method)?;
                    self.unread.drain(..length);
                    return Ok(response);
                }
                // What is there may be no HTTP already.
                Ok(Scan::TryParse) => {
                    ResponseHead::parse(&self.unread, &mut FieldSpace::new()).map_err(FetchError::NotHttp)?;
                }
                Ok(Scan::Partial) => {}
                Err(_) => return Err(FetchError::NotHttp("the head is longer than 16 KiB")),
            }
            if !has_more {
                return Err(FetchError::Cut);
            }
        }
    }

    /// Reads the body to its end.
    fn document(&mut self, mut body: BodyReader, bytes_max: usize) -> Result<Vec<u8>, FetchError> {
        let bad_body = |_| FetchError::NotHttp("the body breaks its own framing");
        let mut document = Vec::new();
        loop {
            let mut used = 0;
            while let Some(part) = body.next(&self.unread[used..]).map_err(bad_body)? {
                if let Part::Content(count) = part {
                    document.extend_from_slice(&self.unread[used..used + count]);
                }
                used += part.length();
            }
            self.unread.drain(..used);
            if document.len() > bytes_max {
                return Err(FetchError::TooLarge(bytes_max));
            }
            if body.is_done() {
                return Ok(document);
            }
            if !self.receive()? {
                body.close().map_err(|_| FetchError::Cut)?;
            }
        }
    }
}

/// The status in this head, and a reader for the body behind it.
fn response_of(head: &[u8], method: Method) -> Result<(u16, BodyReader), FetchError> {
    let mut space = FieldSpace::new();
    let head = ResponseHead::parse(head, &mut space).map_err(FetchError::NotHttp)?.ok_or(FetchError::Cut)?;
    let framing = framing::of_response(&head, method).map_err(FetchError::NotHttp)?;
    Ok((head.status, BodyReader::lenient(framing)))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// What comes of a server that reads a request and sends these pieces, then closes.
    fn fetched(pieces: &[&str]) -> Result<String, String> {
        let pieces: Vec<String> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Endpoint::from(listener.local_addr().unwrap());
        let serving = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend_from_slice(&byte);
            }
            // The client closes early where it has seen enough.
            let _ = pieces.iter().try_for_each(|piece| stream.write_all(piece.as_bytes()));
            String::from_utf8(request).unwrap()
        });
        let limits = FetchLimits { time: Duration::from_secs(20), bytes: 8 };
        let result = fetch(&server, "/x.json", limits);
        let request = serving.join().unwrap();
        assert_eq!(request, format!("GET /x.json HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n"));
        result.map(|document| String::from_utf8(document).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_document_comes_in_any_framing_and_in_any_pieces() {
        for pieces in [
            &["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345"][..],
            &["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "\r\n12", "345"],
            &["HTTP/1.0 200 OK\r\n\r\n12", "345"],
            &["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n123\r\n2", "\r\n45\r\n0\r\n\r\n"],
        ] {
            assert_eq!(fetched(pieces).as_deref(), Ok("12345"));
        }
    }

    #[test]
    fn what_is_no_document_is_an_error() {
        for (pieces, words) in [
            (&["HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"][..], "status 404"),
            (&["SSH-2.0-OpenSSH\r\n"], "not HTTP"),
            (&["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n123"], "before the end"),
            (&["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n123\r\n"], "before the end"),
            (&["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx"], "its own framing"),
            (&["HTTP/1.1 200 OK\r\n"], "before the end"),
            (&[""], "before the end"),
            (&["HTTP/1.1 200 OK\r\n\r\n123456789"], "larger than 8 bytes"),
            (&["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12345678", "9"], "larger than 8 bytes"),
        ] {
            let error = fetched(pieces).unwrap_err();
            assert!(error.contains(words), "{error}, not {words}");
        }
    }

    #[test]
    fn a_server_that_says_nothing_is_left_at_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Endpoint::from(listener.local_addr().unwrap());
        let limits = FetchLimits { time: Duration::from_millis(50), bytes: 8 };
        assert!(matches!(fetch(&server, "/", limits), Err(FetchError::TimedOut)));
        drop(listener);
        let limits = FetchLimits { time: Duration::from_secs(20), bytes: 8 };
        assert!(matches!(fetch(&server, "/", limits), Err(FetchError::Connect(ConnectError::Refused))));
    }

    #[test]
    fn what_is_posted_gets_a_status_and_a_sentence() {
        for (token, field) in [(None, ""), (Some("s3cret"), "Authorization: Bearer s3cret\r\n")] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let server = Endpoint::from(listener.local_addr().unwrap());
            let serving = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = vec![0; 1024];
                let count = stream.read(&mut request).unwrap();
                stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\nNo: x.").unwrap();
                String::from_utf8(request[..count].to_vec()).unwrap()
            });
            let limits = FetchLimits { time: Duration::from_secs(20), bytes: 8 };
            assert_eq!(post(&server, "/a", token, limits).unwrap(), (404, b"No: x.".to_vec()));
            let request = serving.join().unwrap();
            assert!(
                request.starts_with(&format!("POST /a HTTP/1.1\r\nHost: {server}\r\n{field}")),
                "{request}"
            );
            assert!(request.contains("\r\nContent-Length: 0\r\n"), "{request}");
        }
    }
}
