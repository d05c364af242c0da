//! The answer that all others are held against: fetched once, from a back end and not through the
//! balancer, so that a balancer that cuts or mixes answers cannot agree with itself.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::request;
use crate::lab::bounds::{ANSWER_FIELDS_MAX, BODY_BYTES_MAX};
use crate::protocol::http::decimal;

/// How long a back end may be silent before there is no reference.
const PATIENCE: Duration = Duration::from_secs(10);

/// The body at `path`. Errors are one sentence.
pub(in crate::lab) fn fetch(address: SocketAddr, path: &str) -> Result<Arc<[u8]>, String> {
    let failed = |error: std::io::Error| format!("no reference answer from {address}{path}: {error}");
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    stream.write_all(&request(address, path, false)).map_err(failed)?;
    let mut bytes = Vec::new();
    stream.take(BODY_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > BODY_BYTES_MAX {
        return Err(format!(
            "{path} is larger than the {BODY_BYTES_MAX} bytes that can be held to compare with"
        ));
    }
    let body = body(&bytes).map_err(|why| format!("{address}{path} is no reference: {why}"))?;
    Ok(Arc::from(body))
}

fn body(bytes: &[u8]) -> Result<&[u8], String> {
    let mut fields = [httparse::EMPTY_HEADER; ANSWER_FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    let start = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Err("its head does not end".to_owned()),
        Err(error) => return Err(error.to_string()),
    };
    match response.code {
        Some(200..=299) => {}
        code => return Err(format!("status {}", code.unwrap_or(0))),
    }
    let length = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let length =
        length.and_then(|field| decimal(field.value)).and_then(|length| usize::try_from(length).ok());
    let end = length.map_or(bytes.len(), |length| start.saturating_add(length));
    bytes.get(start..end).ok_or_else(|| "it is cut".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_ends_where_its_length_says() {
        assert_eq!(body(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc\r\n\r\n").unwrap(), b"abc");
        assert_eq!(body(b"HTTP/1.0 200 OK\r\n\r\nabc").unwrap(), b"abc");
        assert_eq!(body(b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nabc").unwrap_err(), "it is cut");
        assert_eq!(body(b"HTTP/1.0 404 Not Found\r\n\r\n").unwrap_err(), "status 404");
        assert_eq!(body(b"HTTP/1.0 200").unwrap_err(), "its head does not end");
    }
}
