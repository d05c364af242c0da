//! The response that all others are compared with: fetched once, from a back end and not through the
//! balancer, which could cut or mix every response in the same way.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::load::request;
use super::response::read_head;
use crate::lab::bounds::BODY_BYTES_MAX;

/// Longest silence of the back end; after it there is no reference.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// The body at `path`. Errors are one sentence.
pub(in crate::lab) fn fetch(address: SocketAddr, path: &str) -> Result<Arc<[u8]>, String> {
    let failed = |error: std::io::Error| format!("no reference response from {address}{path}: {error}");
    let mut stream = TcpStream::connect_timeout(&address, SILENCE_MAX).map_err(failed)?;
    stream.set_read_timeout(Some(SILENCE_MAX)).map_err(failed)?;
    stream.write_all(&request(address, path, false)).map_err(failed)?;
    let mut bytes = Vec::new();
    stream.take(BODY_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > BODY_BYTES_MAX {
        return Err(format!("{path} is larger than the {BODY_BYTES_MAX} bytes that the lab compares"));
    }
    let body = body(&bytes).map_err(|why| format!("{address}{path} is no reference: {why}"))?;
    Ok(Arc::from(body))
}

fn body(bytes: &[u8]) -> Result<&[u8], String> {
    let head = read_head(bytes).map_err(|_| "its head is not HTTP".to_owned())?;
    let (head, start) = head.ok_or_else(|| "its head does not end".to_owned())?;
    if !head.is_success() {
        return Err(format!("status {}", head.status));
    }
    let end = head.length.map_or(bytes.len(), |length| start.saturating_add(length));
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
