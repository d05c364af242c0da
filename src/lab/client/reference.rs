//! The response that all others are compared with: fetched once, from a back end and not through the
//! balancer, which could cut or mix every response in the same way.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::load::request;
use super::response::read_head;
use crate::lab::bounds::{BODY_BYTES_MAX, READ_BYTES};
use crate::lab::lang::{Lang, text};

/// Longest silence of the back end; after it there is no reference.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// The body at `path`. Errors are one sentence.
pub(in crate::lab) fn fetch(address: SocketAddr, path: &str) -> Result<Arc<[u8]>, String> {
    let (lang, url) = (Lang::of_errors(), format!("{address}{path}"));
    let failed = |error: io::Error| text!(lang, "error-no-reference", url = &url, error = lang.cause(&error));
    let mut stream = TcpStream::connect_timeout(&address, SILENCE_MAX).map_err(failed)?;
    stream.set_read_timeout(Some(SILENCE_MAX)).map_err(failed)?;
    stream.write_all(&request(address, path, false)).map_err(failed)?;
    let bytes = response(stream).map_err(failed)?;
    if bytes.len() > BODY_BYTES_MAX {
        return Err(text!(lang, "error-large-reference", path, most = BODY_BYTES_MAX));
    }
    let body = body(&bytes).map_err(|why| text!(lang, "error-bad-reference", url = &url, why))?;
    Ok(Arc::from(body))
}

/// The bytes of a response up to the length that it announces, or to the end of the stream. The course's threaded web
/// servers keep the connection after a response to HTTP/1.0.
fn response(mut stream: TcpStream) -> io::Result<Vec<u8>> {
    let (mut bytes, mut space) = (Vec::new(), vec![0; READ_BYTES]);
    let mut end = None;
    while bytes.len() <= BODY_BYTES_MAX && end.is_none_or(|end| bytes.len() < end) {
        match stream.read(&mut space)? {
            0 => break,
            count => bytes.extend_from_slice(&space[..count]),
        }
        if end.is_none()
            && let Ok(Some((head, start))) = read_head(&bytes)
        {
            end = Some(head.length.map_or(usize::MAX, |length| start.saturating_add(length)));
        }
    }
    Ok(bytes)
}

fn body(bytes: &[u8]) -> Result<&[u8], String> {
    let lang = Lang::of_errors();
    let head = read_head(bytes).map_err(|_| text!(lang, "error-head-not-http"))?;
    let (head, start) = head.ok_or_else(|| text!(lang, "error-head-no-end"))?;
    if !head.is_success() {
        return Err(text!(lang, "error-status", status = head.status));
    }
    let end = head.length.map_or(bytes.len(), |length| start.saturating_add(length));
    bytes.get(start..end).ok_or_else(|| text!(lang, "error-body-cut"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_keeps_the_connection_is_not_waited_for() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc").unwrap();
            // Ends when the client does.
            let _ = stream.read_to_end(&mut Vec::new());
        });
        assert_eq!(&*fetch(address, "/").unwrap(), b"abc");
        server.join().unwrap();
    }

    #[test]
    fn a_body_ends_where_its_length_says() {
        assert_eq!(body(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc\r\n\r\n").unwrap(), b"abc");
        assert_eq!(body(b"HTTP/1.0 200 OK\r\n\r\nabc").unwrap(), b"abc");
        assert_eq!(body(b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nabc").unwrap_err(), "it is cut");
        assert_eq!(body(b"HTTP/1.0 404 Not Found\r\n\r\n").unwrap_err(), "status 404");
        assert_eq!(body(b"HTTP/1.0 200").unwrap_err(), "its head does not end");
    }
}
