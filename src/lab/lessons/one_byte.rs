//! Lesson: a request that comes one byte at a time.
//!
//! TCP carries bytes, not messages: a request may come in any pieces. The course's servers read at
//! most 32 bytes and take whatever ends in CRLF for a whole request.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::{Classroom, Findings, Question, texts};
use crate::app::cli::Failure;
use crate::lab::lang::Lang;
use crate::lab::report::svg::{Chart, Series};
use crate::lab::stand::{Contender, Stand, StandError, StandOptions};
use crate::lab::tables::Table;

/// The first line asks, the second is where a reader of lines would stop too early.
const REQUEST: &str = "GET / HTTP/1.0\r\nHost: lab\r\nUser-Agent: one-byte\r\n\r\n";
/// Between two bytes: long enough to be read one by one.
const PAUSE: Duration = Duration::from_millis(10);
/// For an answer after the last byte.
const PATIENCE: Duration = Duration::from_secs(3);

/// What to read next.
pub(super) const CODE: &[&str] = &[
    "src/protocol/http/head.rs",
    "src/protocol/http/request_reader.rs",
    "integration/python/server_thread_http.py",
];

pub(super) fn question(lang: Lang) -> Question {
    Question {
        text: lang.pick(
            format!("A request of {} bytes in three lines comes one byte at a time. When do the course's Python servers answer?", REQUEST.len()),
            format!("Permintaan {} bita dalam tiga baris datang satu bita demi satu. Kapan server Python mata kuliah menjawab?", REQUEST.len()),
        ),
        choices: texts(lang.pick(
            ["after the empty line, as the standard says", "after the first piece that ends a line", "never"],
            ["setelah baris kosong, sesuai standar", "setelah potongan pertama yang mengakhiri baris", "tidak pernah"],
        )),
    }
}

/// What one server did.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Reply {
    contender: String,
    /// Bytes that were sent when the first byte of the answer came; `None`: no answer.
    after_bytes: Option<usize>,
    /// The answer's first line, or why there is none.
    first_line: String,
}

pub(super) fn run(room: &Classroom<'_>) -> Result<Findings, Failure> {
    let mut replies = Vec::new();
    let mut missing = Vec::new();
    for contender in
        [Contender::PythonThreaded, Contender::PythonAsync, Contender::Threaded, Contender::Async]
    {
        let options = StandOptions { backends: 1, ..StandOptions::default() };
        match Stand::start(&contender, &options) {
            // To the back end itself: it is the server that reads the request.
            Ok(stand) => replies.push(ask(&contender.to_string(), stand.backend_addresses()[0])),
            Err(StandError::Missing(why)) => missing.push(format!("{contender}: {why}")),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(findings(&replies, missing, room.lang))
}

fn ask(contender: &str, address: SocketAddr) -> Reply {
    let outcome = drip(address);
    let (after_bytes, first_line) = match outcome {
        Ok((after_bytes, answer)) => {
            let first_line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
            (Some(after_bytes), String::from_utf8_lossy(first_line).into_owned())
        }
        Err(error) => (None, error.to_string()),
    };
    Reply { contender: contender.to_owned(), after_bytes, first_line }
}

/// Sends byte by byte until an answer comes.
fn drip(address: SocketAddr) -> std::io::Result<(usize, Vec<u8>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let bytes = REQUEST.as_bytes();
    let mut deadline = Instant::now() + PATIENCE;
    let mut sent = 0;
    let mut answer = [0; 512];
    while Instant::now() < deadline {
        if sent < bytes.len() {
            stream.write_all(&bytes[sent..=sent])?;
            sent += 1;
            deadline = Instant::now() + PATIENCE;
        }
        thread::sleep(PAUSE);
        match stream.read(&mut answer) {
            Ok(0) => return Err(std::io::Error::new(ErrorKind::UnexpectedEof, "closed without an answer")),
            Ok(count) => return Ok((sent, answer[..count].to_vec())),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Err(std::io::Error::new(ErrorKind::TimedOut, "no answer"))
}

fn findings(replies: &[Reply], missing: Vec<String>, lang: Lang) -> Findings {
    let title = lang.pick("A request one byte at a time", "Permintaan satu bita demi satu").to_owned();
    let never = lang.pick("never", "tidak pernah");
    let after = |reply: &Reply| reply.after_bytes.map_or_else(|| never.to_owned(), |bytes| bytes.to_string());
    let row = |reply: &Reply| vec![reply.contender.clone(), after(reply), reply.first_line.clone()];
    let header =
        lang.pick(["server", "answered after bytes", "with"], ["server", "menjawab setelah bita", "dengan"]);
    let whole = REQUEST.len();
    let is_python = |reply: &&Reply| reply.contender.starts_with("python");
    let early =
        replies.iter().filter(is_python).find(|reply| reply.after_bytes.is_some_and(|bytes| bytes < whole));
    let mut explanation = Vec::new();
    if let Some(early) = early {
        let (name, bytes) = (&early.contender, after(early));
        explanation.push(lang.pick(
            format!("{name} answered after {bytes} of {whole} bytes: it looks at each piece as it comes, and this one ended in CR LF. \
                     It never saw the fields, and whatever came after them would be taken for another request, or lost."),
            format!("{name} menjawab setelah {bytes} dari {whole} bita: setiap potongan dilihat begitu datang, dan yang ini berakhir \
                     dengan CR LF. Kolom-kolomnya tidak pernah dibaca, dan yang menyusul dianggap permintaan lain, atau hilang."),
        ));
    }
    explanation.push(lang.pick(
        format!("Ours answered after {}: a head ends with an empty line and nowhere else, however it is cut. Incomplete is not an \
                 error there but a state: the bytes are kept and the parser is asked again.", ours(replies, never)),
        format!("Milik kami menjawab setelah {}: kepala permintaan berakhir pada baris kosong, bagaimanapun dipotong. Belum lengkap \
                 bukan kesalahan melainkan keadaan: bita disimpan dan parser ditanya lagi.", ours(replies, never)),
    ));
    let silent = replies.iter().filter(is_python).any(|reply| reply.after_bytes.is_none());
    Findings {
        table: Table {
            title: title.clone(),
            header: texts(header).to_vec(),
            rows: replies.iter().map(row).collect(),
            notes: missing,
        },
        chart: Chart {
            title,
            y_label: lang.pick("bytes sent before the answer", "bita terkirim sebelum jawaban").to_owned(),
            x: replies.iter().map(|reply| reply.contender.clone()).collect(),
            series: vec![
                Series::new(
                    lang.pick("answered after", "menjawab setelah"),
                    replies.iter().map(|reply| reply.after_bytes.map(|bytes| bytes as f64)).collect(),
                ),
                Series {
                    is_dashed: true,
                    ..Series::new(
                        lang.pick("the whole request", "seluruh permintaan"),
                        vec![Some(whole as f64); replies.len()],
                    )
                },
            ],
            ..Chart::default()
        },
        right: if early.is_some() { 1 } else { 2 * usize::from(silent) },
        explanation,
        code: CODE,
    }
}

fn ours(replies: &[Reply], never: &str) -> String {
    let ours = replies.iter().filter(|reply| !reply.contender.starts_with("python"));
    let bytes =
        ours.map(|reply| reply.after_bytes.map_or_else(|| never.to_owned(), |bytes| bytes.to_string()));
    bytes.collect::<Vec<_>>().join(", ")
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
