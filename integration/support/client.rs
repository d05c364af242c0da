//! The raw client: sends exactly the bytes it is given and reads answers one by one.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use socket2::{Domain, Socket, Type};

use super::tls::greeting;
use super::wire::{Head, Wire};

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Status line and fields; reached by `answer.field(..)` too.
    pub head: Head,
    /// The body without its framing.
    pub body: Vec<u8>,
}

impl Response {
    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Deref for Response {
    type Target = Head;

    fn deref(&self) -> &Head {
        &self.head
    }
}

/// A client connection.
#[derive(Debug)]
pub struct Client {
    wire: Wire,
}

impl Client {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Client {
        Client { wire: Wire::connect(address).unwrap_or_else(|error| panic!("{address}: {error}")) }
    }

    /// Connects, and speaks TLS with a server whose certificate must be for `name`.
    pub fn secure(address: SocketAddr, config: &Arc<ClientConfig>, name: &str) -> io::Result<Client> {
        let mut client = Client::connect(address);
        client.wire.secure(greeting(config, name))?;
        Ok(client)
    }

    /// Connects from this address of the machine.
    pub fn connect_from(from: Ipv4Addr, address: SocketAddr) -> Client {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
        socket.connect(&address.into()).unwrap_or_else(|error| panic!("{from} to {address}: {error}"));
        Client { wire: Wire::new(socket.into()) }
    }

    /// The connection underneath.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// Sends `bytes`.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Client {
        self.wire.send(bytes.as_ref()).unwrap_or_else(|error| panic!("cannot send: {error}"));
        self
    }

    /// Sends a GET for `target` that keeps the connection.
    pub fn get(&mut self, target: &str) -> Response {
        self.ask("GET", target, "")
    }

    /// Sends a request without a body, with further `fields` (`Name: value\r\n`), and reads its answer.
    pub fn ask(&mut self, method: &str, target: &str, fields: &str) -> Response {
        self.send(request(method, target, fields));
        self.answer_to(method)
    }

    /// Reads the next answer.
    pub fn response(&mut self) -> Response {
        self.answer_to("GET")
    }

    /// Reads the answer to a request of this method.
    pub fn answer_to(&mut self, method: &str) -> Response {
        self.try_response(method).unwrap_or_else(|error| panic!("no response: {error}"))
    }

    /// Reads the answer to a request of this method, or says why there is none.
    pub fn try_response(&mut self, method: &str) -> io::Result<Response> {
        let head = self.wire.head()?;
        let status = head.word(1).parse().ok().filter(|_| head.start.starts_with("HTTP/1."));
        let Some(status) = status else {
            return Err(io::Error::new(ErrorKind::InvalidData, format!("status line {:?}", head.start)));
        };
        let body = if method == "HEAD" || status < 200 || matches!(status, 204 | 304) {
            Vec::new()
        } else if head.is_chunked() {
            self.wire.chunked()?
        } else if let Some(length) = head.length()? {
            self.wire.exact(length)?
        } else {
            self.wire.rest()?
        };
        Ok(Response { status, head, body })
    }

    /// Says that nothing more will be sent.
    pub fn finish_sending(&mut self) -> &mut Client {
        self.wire.finish_sending().unwrap();
        self
    }

    /// Reads everything up to an orderly end.
    pub fn rest(&mut self) -> Vec<u8> {
        self.wire.rest().unwrap_or_else(|error| panic!("no orderly end: {error}"))
    }

    /// Expects the end of the connection, orderly or by reset, and nothing before it.
    pub fn expect_end(&mut self) {
        match self.wire.rest() {
            Ok(rest) => assert!(rest.is_empty(), "more came: {:?}", String::from_utf8_lossy(&rest)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
        }
    }

    /// Expects that neither a byte nor the end comes for `window`.
    pub fn expect_silence(&mut self, window: Duration) {
        assert!(self.wire.is_silent_for(window), "something came in the silence");
    }
}

/// An HTTP/1.1 request without a body; `fields` are whole lines.
pub fn request(method: &str, target: &str, fields: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
}

/// An HTTP/1.1 request with a body of announced length.
pub fn post(target: &str, body: &[u8]) -> Vec<u8> {
    let head = request("POST", target, &format!("Content-Length: {}\r\n", body.len()));
    [head.as_bytes(), body].concat()
}

/// One GET on a connection of its own.
pub fn get(address: SocketAddr, target: &str) -> Response {
    Client::connect(address).ask("GET", target, "Connection: close\r\n")
}
