//! Step 3, the web server: a fixed pool of worker threads.
//!
//! The main thread accepts and puts connections into a bounded queue; a worker takes one and serves it.
//! `cargo run --example web_3_worker_pool -- 9001 public`
//!
//! Mends of step 2: a request ends at its empty line, in how many pieces it may come; one that does not within
//! 10 seconds is given up; threads and queue have limits, and who finds both full gets 503 at once.
//!
//! Fault (step 4 mends it): a silent client keeps a worker. See it: let 24 of them say nothing, and `curl` gets
//! 503: `python3 -c "import socket as s; k=[s.create_connection(('127.0.0.1',9001)) for i in range(24)]; input()"`

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs, process};

use chrono::Utc;
use simplelog::{Config, LevelFilter, WriteLogger};
use threadpool::ThreadPool;

const WORKERS: usize = 8; // connections served at the same time
const QUEUE: usize = 16; // connections that wait for a worker
const HEAD_MAX: usize = 16 * 1024; // bytes of a request
const WAIT: Duration = Duration::from_secs(10); // for the whole request; for room to write
const LINGER: Duration = Duration::from_secs(1); // for what the client still sends when it has its response

fn respond(root: &Path, request: &str) -> Vec<u8> {
    let words: Vec<&str> = request.lines().next().unwrap_or_default().split(' ').collect();
    match words[..] {
        ["GET", "/", ..] => response("200 OK", "", b"Ini Adalah web Server percobaan"),
        ["GET", "/video", ..] => response("302 Found", "location: https://youtu.be/katoxpnTf04\r\n", b""),
        ["GET", "/santai", ..] => response("200 OK", "", b"santai saja"),
        ["GET", address, ..] => file(root, Path::new(address.trim_start_matches('/'))),
        ["POST", _, ..] => response("200 OK", "", b"kosong"),
        _ => response("400 Bad Request", "", b""),
    }
}

fn file(root: &Path, name: &Path) -> Vec<u8> {
    let types =
        [("pdf", "application/pdf"), ("jpg", "image/jpeg"), ("txt", "text/plain"), ("html", "text/html")];
    let own = types.iter().find(|(extension, _)| name.extension().is_some_and(|own| own == *extension));
    let fields = own.map_or(String::new(), |(_, content_type)| format!("Content-type: {content_type}\r\n"));
    let is_beneath = name.components().all(|part| matches!(part, Component::Normal(_))); // no `..`, no drive
    match is_beneath.then(|| fs::read(root.join(name))) {
        Some(Ok(body)) => response("200 OK", &fields, &body),
        _ => response("404 Not Found", "", b""),
    }
}

fn response(status: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let (date, length) = (Utc::now().format("%a, %d %b %Y %H:%M:%S GMT"), body.len());
    let head = format!("HTTP/1.0 {status}\r\nDate: {date}\r\nContent-Length: {length}\r\n{fields}\r\n");
    [head.as_bytes(), body].concat()
}

fn process_the_client(connection: &mut TcpStream, root: &Path) -> io::Result<()> {
    let (deadline, mut request) = (Instant::now() + WAIT, Vec::new());
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < HEAD_MAX {
        match read_by(connection, deadline)? {
            data if data.is_empty() => return Ok(()),
            data => request.extend(data),
        }
    }
    connection.set_write_timeout(Some(WAIT))?;
    connection.write_all(&respond(root, &String::from_utf8_lossy(&request)))?;
    // Closed while the client still sends, a socket takes the response back: the system sends a reset.
    connection.shutdown(Shutdown::Write)?;
    let deadline = Instant::now() + LINGER;
    while !read_by(connection, deadline)?.is_empty() {}
    Ok(())
}

/// One read with the time that is left: a timeout alone would begin again with each byte.
fn read_by(connection: &mut TcpStream, deadline: Instant) -> io::Result<Vec<u8>> {
    let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
    connection.set_read_timeout(Some(left.ok_or(ErrorKind::TimedOut)?))?;
    let mut data = [0; 4096];
    let count = connection.read(&mut data)?;
    Ok(data[..count].to_vec())
}

fn main() -> io::Result<()> {
    let _ = WriteLogger::init(LevelFilter::Warn, Config::default(), io::stderr());
    let words: Vec<String> = env::args().skip(1).collect();
    let (Some(Ok(port)), [_, root]) = (words.first().map(|port| port.parse::<u16>()), &words[..]) else {
        log::error!("usage: web_3_worker_pool PORT FOLDER, such as 9001 public; not {words:?}");
        process::exit(2);
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?; // backlog: what the system allows
    println!("listening on {}", listener.local_addr()?);
    let (queue, clients) = crossbeam_channel::bounded::<TcpStream>(QUEUE);
    let pool = ThreadPool::new(WORKERS);
    for _ in 0..WORKERS {
        let (clients, root) = (clients.clone(), PathBuf::from(root));
        pool.execute(move || {
            for mut connection in clients {
                let _ = process_the_client(&mut connection, &root);
            }
        });
    }
    for connection in listener.incoming().flatten() {
        if let Err(full) = queue.try_send(connection) {
            let _ = full.into_inner().write_all(&response("503 Service Unavailable", "", b""));
        }
    }
    Ok(())
}
