//! Reading one response and comparing it with what it should be.
//!
//! Contract: every byte of every body is compared with the expected byte as it arrives; that is
//! stronger than a length and a hash, and costs less. The body is not kept. The request is HTTP/1.0, as
//! `ab` sends it, so a right response has a length or ends with the stream: this file needs no chunks
//! and shares no framing code with what it measures.

use super::tally::Fault;
use crate::lab::bounds::{RESPONSE_FIELDS_MAX, RESPONSE_HEAD_BYTES_MAX};
use crate::protocol::http::decimal;

/// One response, as far as it has arrived.
#[derive(Debug, Default)]
pub(super) struct Response {
    /// The bytes of an incomplete head; empty again once it is complete.
    head_bytes: Vec<u8>,
    head: Option<Head>,
    /// Bytes of the body that have arrived.
    body_bytes: usize,
    /// A byte differed.
    differs: bool,
    /// Bytes arrived after the end that the head announced.
    pub(super) is_stray: bool,
}

/// What the client needs to know of a head.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Head {
    pub(super) status: u16,
    /// Of the body; without one it ends with the stream.
    pub(super) length: Option<usize>,
    keeps: bool,
}

impl Head {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Response {
    /// Ready for the next response, in the same memory.
    pub(super) fn clear(&mut self) {
        self.head_bytes.clear();
        *self = Response { head_bytes: std::mem::take(&mut self.head_bytes), ..Response::default() };
    }

    /// True before the first byte.
    pub(super) fn is_untouched(&self) -> bool {
        self.head.is_none() && self.head_bytes.is_empty()
    }

    /// Takes the next bytes of the stream.
    pub(super) fn take(&mut self, bytes: &[u8], expected: &[u8]) -> Result<(), Fault> {
        if self.head.is_some() {
            self.take_body(bytes, expected);
            return Ok(());
        }
        let before = self.head_bytes.len();
        self.head_bytes.extend_from_slice(&bytes[..bytes.len().min(RESPONSE_HEAD_BYTES_MAX - before)]);
        let Some((head, head_length)) = read_head(&self.head_bytes)? else {
            return if self.head_bytes.len() < RESPONSE_HEAD_BYTES_MAX { Ok(()) } else { Err(Fault::Wrong) };
        };
        self.head = Some(head);
        self.head_bytes.clear();
        // The head was incomplete without these bytes, so it ends among them.
        self.take_body(&bytes[head_length - before..], expected);
        Ok(())
    }

    fn take_body(&mut self, bytes: &[u8], expected: &[u8]) {
        let length = self.head.and_then(|head| head.length).unwrap_or(usize::MAX);
        let (bytes, rest) = bytes.split_at(bytes.len().min(length - self.body_bytes));
        let range = self.body_bytes..self.body_bytes + bytes.len();
        self.differs |= expected.get(range).is_none_or(|expected| expected != bytes);
        self.body_bytes += bytes.len();
        self.is_stray |= !rest.is_empty();
    }

    /// True once the announced length has arrived.
    pub(super) fn is_whole(&self) -> bool {
        self.head.is_some_and(|head| head.length == Some(self.body_bytes))
    }

    /// True if the server will take another request on this connection.
    pub(super) fn keeps_connection(&self) -> bool {
        self.head.is_some_and(|head| head.keeps && head.length.is_some()) && !self.is_stray
    }

    /// The verdict, once it [is whole](Response::is_whole) or the stream has ended.
    pub(super) fn verdict(&self, expected: &[u8]) -> Result<(), Fault> {
        let Some(head) = self.head else { return Err(Fault::Short) };
        if head.length.is_some_and(|length| self.body_bytes < length) {
            return Err(Fault::Short);
        }
        if !head.is_success() {
            return Err(Fault::NotSuccess);
        }
        if self.differs {
            return Err(Fault::Wrong);
        }
        match self.body_bytes == expected.len() {
            true => Ok(()),
            // Without a length, a cut stream looks like a complete one.
            false if head.length.is_none() => Err(Fault::Short),
            false => Err(Fault::Wrong),
        }
    }
}

/// The head and its length; `None` while it is incomplete.
pub(super) fn read_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, Fault> {
    let mut fields = [httparse::EMPTY_HEADER; RESPONSE_FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Fault::Wrong),
    };
    let mut head = Head {
        status: response.code.ok_or(Fault::Wrong)?,
        length: None,
        // A server may respond to HTTP/1.0 with HTTP/1.1 and still close: only the field counts.
        keeps: false,
    };
    for field in response.headers.iter() {
        if field.name.eq_ignore_ascii_case("content-length") {
            let length = decimal(field.value).and_then(|length| length.try_into().ok());
            head.length = Some(length.ok_or(Fault::Wrong)?);
        } else if field.name.eq_ignore_ascii_case("connection") {
            head.keeps = field.value.eq_ignore_ascii_case(b"keep-alive");
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(Fault::Wrong);
        }
    }
    Ok(Some((head, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"Ini Adalah";

    /// The verdict on a stream that arrives whole, byte by byte, and in two pieces split anywhere.
    fn verdict(stream: &[u8]) -> Result<(), Fault> {
        let read = |pieces: &[&[u8]]| {
            let mut response = Response::default();
            pieces.iter().try_for_each(|piece| response.take(piece, BODY))?;
            response.verdict(BODY)
        };
        let whole = read(&[stream]);
        assert_eq!(read(&stream.chunks(1).collect::<Vec<_>>()), whole);
        for cut in 0..stream.len() {
            assert_eq!(read(&[&stream[..cut], &stream[cut..]]), whole, "cut at {cut}");
        }
        whole
    }

    #[test]
    fn each_response_has_its_verdict() {
        for (stream, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nIni Adalah", Ok(())),
            ("HTTP/1.0 200 OK\r\n\r\nIni Adalah", Ok(())),
            ("HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\nIni Adalah\r\n\r\n", Ok(())),
            ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nIni Bdalah", Err(Fault::Wrong)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nIni Adala", Err(Fault::Wrong)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nIni Adalah!", Err(Fault::Wrong)),
            ("HTTP/1.1 200 OK\r\nContent-Length: +10\r\n\r\nIni Adalah", Err(Fault::Wrong)),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Err(Fault::Wrong)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nIni", Err(Fault::Short)),
            ("HTTP/1.0 200 OK\r\n\r\nIni", Err(Fault::Short)),
            ("HTTP/1.0 200 OK\r\nConte", Err(Fault::Short)),
            ("", Err(Fault::Short)),
            ("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno", Err(Fault::NotSuccess)),
            ("SSH-2.0-OpenSSH\r\n", Err(Fault::Wrong)),
        ] {
            assert_eq!(verdict(stream.as_bytes()), expected, "{stream:?}");
        }
    }

    #[test]
    fn an_endless_head_is_wrong() {
        let mut response = Response::default();
        response.take(b"HTTP/1.1 200 OK\r\nX: ", BODY).unwrap();
        let outcome = (0..100).try_for_each(|_| response.take(&[b'x'; 1024], BODY));
        assert_eq!(outcome, Err(Fault::Wrong));
    }

    #[test]
    fn stray_bytes_end_a_kept_connection() {
        let mut response = Response::default();
        response
            .take(b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 10\r\n\r\nIni Adalah", BODY)
            .unwrap();
        assert!(response.is_whole() && response.keeps_connection() && !response.is_stray);
        response.take(b"\r\n\r\n", BODY).unwrap();
        assert!(response.is_whole() && !response.keeps_connection() && response.is_stray);
        response.clear();
        assert!(response.is_untouched() && !response.is_whole());
    }
}
