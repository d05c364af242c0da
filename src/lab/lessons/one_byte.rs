//! Lesson: a request that comes one byte at a time.
//!
//! TCP carries bytes, not messages: a request may come in any pieces. The course's servers read at
//! most 32 bytes and take any piece that ends in CRLF for a whole request.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::classroom::{Classroom, Findings, Question, Teaching};
use crate::app::cli::Failure;
use crate::lab::lang::{Lang, parts, text};
use crate::lab::report::svg::{Chart, Series};
use crate::lab::table::Table;
use crate::lab::testbed::{Contender, Testbed, TestbedError, TestbedOptions};

/// A server that reads until any CRLF would respond after the first line.
const REQUEST: &str = "GET / HTTP/1.0\r\nHost: lab\r\nUser-Agent: one-byte\r\n\r\n";
/// Between two bytes: long enough for each to be read by itself.
const PAUSE: Duration = Duration::from_millis(10);
/// Longest wait for a response after the last byte.
const RESPONSE_MAX: Duration = Duration::from_secs(3);

/// Whose web servers are asked.
const SERVERS: [Contender; 4] =
    [Contender::PythonThreaded, Contender::PythonAsync, Contender::Threaded, Contender::Async];

/// What to ask, to run, and to read after it.
pub(super) const TEACHING: Teaching = Teaching {
    question,
    longest: |_| (PAUSE * REQUEST.len() as u32 + RESPONSE_MAX) * SERVERS.len() as u32,
    run,
    code: &[
        "src/protocol/http/head/mod.rs",
        "src/protocol/http/request_reader.rs",
        "integration/python/server_thread_http.py",
    ],
};

fn question(lang: Lang) -> Question {
    let text = text!(lang, "one-byte-question", bytes = REQUEST.len());
    Question::new(text, &text!(lang, "one-byte-choices"))
}

/// What one server did.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Reply {
    contender: String,
    /// Bytes sent when the first byte of the response came; `None` if none came.
    after_bytes: Option<usize>,
    /// The first line of the response, or why there is none.
    first_line: String,
}

fn run(room: &Classroom<'_>) -> Result<Findings, Failure> {
    let mut replies = Vec::new();
    let mut missing = Vec::new();
    for contender in SERVERS {
        let options = TestbedOptions { backends: 1, ..TestbedOptions::default() };
        match Testbed::start(&contender, &options) {
            // The back end itself is asked, as it is the server that reads the request.
            Ok(testbed) => replies.push(ask(&contender.to_string(), testbed.backend_addresses[0])),
            Err(TestbedError::Missing(why)) => missing.push(format!("{contender}: {why}")),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(findings(&replies, missing, room.lang))
}

fn ask(contender: &str, address: SocketAddr) -> Reply {
    let outcome = drip(address);
    let (after_bytes, first_line) = match outcome {
        Ok((after_bytes, response)) => {
            let first_line = response.split(|byte| *byte == b'\r').next().unwrap_or_default();
            (Some(after_bytes), String::from_utf8_lossy(first_line).into_owned())
        }
        Err(error) => (None, error.to_string()),
    };
    Reply { contender: contender.to_owned(), after_bytes, first_line }
}

/// Sends byte by byte until a response comes.
fn drip(address: SocketAddr) -> std::io::Result<(usize, Vec<u8>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let bytes = REQUEST.as_bytes();
    let mut deadline = Instant::now() + RESPONSE_MAX;
    let mut sent = 0;
    let mut response = [0; 512];
    while Instant::now() < deadline {
        if sent < bytes.len() {
            stream.write_all(&bytes[sent..=sent])?;
            sent += 1;
            deadline = Instant::now() + RESPONSE_MAX;
        }
        thread::sleep(PAUSE);
        match stream.read(&mut response) {
            Ok(0) => return Err(std::io::Error::new(ErrorKind::UnexpectedEof, "closed without a response")),
            Ok(count) => return Ok((sent, response[..count].to_vec())),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Err(std::io::Error::new(ErrorKind::TimedOut, "no response"))
}

fn findings(replies: &[Reply], missing: Vec<String>, lang: Lang) -> Findings {
    let whole = REQUEST.len();
    let after =
        |reply: &Reply| reply.after_bytes.map_or_else(|| text!(lang, "never"), |bytes| bytes.to_string());
    let (python, ours): (Vec<&Reply>, Vec<&Reply>) =
        replies.iter().partition(|reply| reply.contender.starts_with("python"));
    let early = python.iter().find(|reply| reply.after_bytes.is_some_and(|bytes| bytes < whole));
    let is_any_silent = python.iter().any(|reply| reply.after_bytes.is_none());
    let mut explanation = Vec::new();
    if let Some(early) = early {
        explanation.push(text!(lang, "one-byte-early", name = &early.contender, bytes = after(early), whole));
    }
    let ours = ours.into_iter().map(after).collect::<Vec<_>>().join(", ");
    explanation.push(text!(lang, "one-byte-ours", bytes = ours));
    let row = |reply: &Reply| vec![reply.contender.clone(), after(reply), reply.first_line.clone()];
    let measured = replies.iter().map(|reply| reply.after_bytes.map(|bytes| bytes as f64)).collect();
    let whole_line = Series::new(text!(lang, "one-byte-whole"), vec![Some(whole as f64); replies.len()]);
    Findings {
        table: Table {
            title: text!(lang, "one-byte-title"),
            header: parts(&text!(lang, "one-byte-columns")),
            rows: replies.iter().map(row).collect(),
            notes: missing,
        },
        drawing: Chart {
            x_label: text!(lang, "one-byte-server"),
            y_label: text!(lang, "one-byte-sent"),
            x: replies.iter().map(|reply| reply.contender.clone()).collect(),
            series: vec![
                Series::new(text!(lang, "one-byte-answered"), measured),
                Series { is_dashed: true, ..whole_line },
            ],
            ..Chart::default()
        }
        .into(),
        right: if early.is_some() { 1 } else { 2 * usize::from(is_any_silent) },
        explanation,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(contender: &str, after_bytes: Option<usize>) -> Reply {
        Reply { contender: contender.to_owned(), after_bytes, first_line: "HTTP/1.0 200 OK".to_owned() }
    }

    #[test]
    fn an_early_answer_is_named_with_its_bytes() {
        let replies = [reply("python-threaded", Some(16)), reply("async", Some(REQUEST.len()))];
        let found = findings(&replies, Vec::new(), Lang::En);
        assert_eq!((found.right, found.explanation.len()), (1, 2));
        assert!(found.explanation[0].starts_with("python-threaded answered after 16 of"));
        let without = findings(&replies[1..], vec!["python-threaded: no python3".to_owned()], Lang::En);
        assert_eq!((without.right, without.explanation.len(), without.table.notes.len()), (0, 1, 1));
    }

    #[test]
    fn a_server_that_takes_a_line_for_a_request_is_caught() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            let mut byte = [0];
            while byte != *b"\n" {
                stream.read_exact(&mut byte).unwrap();
            }
            stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n").unwrap();
        });
        let reply = ask("python-x", address);
        server.join().unwrap();
        // Sixteen, or on a busy machine a few that were under way meanwhile.
        assert!(reply.after_bytes.is_some_and(|bytes| (16..REQUEST.len()).contains(&bytes)), "{reply:?}");
        assert_eq!(reply.first_line, "HTTP/1.0 400 Bad Request");
    }
}
