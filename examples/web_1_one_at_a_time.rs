//! Step 1, the web server: one client at a time.
//!
//! It accepts a client, reads the request once, sends the response, closes, and only then accepts the next.
//! `cargo run --example web_1_one_at_a_time -- 9001 public`, then `curl http://127.0.0.1:9001/santai`
//!
//! Faults (step 2 mends the first):
//!
//! - Everybody waits for one. See it: `curl telnet://127.0.0.1:9001` in one terminal, and in another
//!   `curl http://127.0.0.1:9001/`, which gets its response when you end the first with Ctrl-C.
//! - One read is taken for the whole request. See it: type `GET /santai HTTP/1.0` into the first.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path};
use std::{env, fs, process};

use chrono::Local;
use simplelog::{Config, LevelFilter, WriteLogger};
use socket2::{Domain, Socket, Type};

/// Connections that the system keeps for us until we accept them.
const BACKLOG: i32 = 1;

/// What is answered: the course's rules, the same in all steps.
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

struct ProcessTheClient<'s> {
    root: &'s Path,
    connection: TcpStream,
}

impl ProcessTheClient<'_> {
    fn run(mut self) -> io::Result<()> {
        let mut data = [0; 8192];
        let count = self.connection.read(&mut data)?;
        let request = String::from_utf8_lossy(&data[..count]);
        self.connection.write_all(&respond(self.root, &request))
    }
}

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
        log::error!("usage: web_1_one_at_a_time PORT FOLDER, such as 9001 public; not {words:?}");
        process::exit(2);
    };
    let listener = listen(port)?;
    loop {
        let (connection, _) = listener.accept()?;
        let _ = ProcessTheClient { root: Path::new(root), connection }.run();
    }
}
