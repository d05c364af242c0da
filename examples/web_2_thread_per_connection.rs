//! Step 2, the web server: a thread for each connection. `integration/python/server_thread_http.py`, our
//! counterpart of the course's program, statement by statement; what stands behind `Python:` is its line.
//! `cargo run --example web_2_thread_per_connection -- 9001 public`
//!
//! Mends of step 1: nobody waits for a silent client any more.
//!
//! Faults (step 3 mends all of them):
//!
//! - Any piece that ends in CR LF is taken for the whole request. See it: `nc -C 127.0.0.1 9001`, and
//!   type `GET /santai HTTP/1.0`. The same where the 32 bytes of a read happen to end at the end of a line.
//! - As many threads as clients, for as long as these like; bytes that are not UTF-8 end one without a response;
//!   four stray bytes behind each body; a backlog of 1; an error of `accept` ends the program.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::{env, fs, process, thread};

use chrono::Local;
use simplelog::{Config, LevelFilter, WriteLogger};
use socket2::{Domain, Socket, Type};

/// Connections that the system keeps for us until we accept them.
const BACKLOG: i32 = 1;

/// Python: `http.py`
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
    let (date, length) = (Local::now().format("%c"), body.len());
    let head = format!(
        "HTTP/1.0 {status}\r\nDate: {date}\r\nConnection: close\r\nServer: myserver/1.0\r\n\
         Content-Length: {length}\r\n{fields}\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Python: `class ProcessTheClient(threading.Thread)`
struct ProcessTheClient {
    root: PathBuf,
    connection: TcpStream,
}

impl ProcessTheClient {
    fn run(mut self) -> io::Result<()> {
        let (mut rcv, mut data) = (String::new(), [0; 32]);
        // Python: `while data := self.connection.recv(32):`
        while let count @ 1.. = self.connection.read(&mut data)? {
            rcv += std::str::from_utf8(&data[..count]).map_err(io::Error::other)?; // Python: `data.decode()`
            if rcv.ends_with("\r\n") {
                let response = respond(&self.root, &rcv);
                return self.connection.write_all(&[&response, &b"\r\n\r\n"[..]].concat());
            }
        }
        Ok(())
    }
}

/// Python: `listener.py`
fn listen(port: u16) -> io::Result<TcpListener> {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    #[cfg(unix)] // on Windows it would let a second program take the same port
    listener.set_reuse_address(true)?;
    listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    listener.listen(BACKLOG)?;
    let listener = TcpListener::from(listener);
    println!("listening on {}", listener.local_addr()?);
    Ok(listener)
}

fn main() -> io::Result<()> {
    let _ = WriteLogger::init(LevelFilter::Warn, Config::default(), io::stderr());
    let words: Vec<String> = env::args().skip(1).collect();
    let (Some(Ok(port)), [_, root]) = (words.first().map(|port| port.parse::<u16>()), &words[..]) else {
        log::error!("usage: web_2_thread_per_connection PORT FOLDER, such as 9001 public; not {words:?}");
        process::exit(2);
    };
    let listener = listen(port)?;
    loop {
        let (connection, _) = listener.accept()?;
        let client = ProcessTheClient { root: root.into(), connection };
        thread::spawn(move || client.run()); // Python: `ProcessTheClient(..).start()`
    }
}
