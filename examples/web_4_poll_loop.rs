//! Step 4, the web server: one thread for all connections. The course's `server_async_http.py` done right:
//! `cargo run --example web_4_poll_loop -- 9001 public`
//!
//! Each client has a request and a response of its own: the Python had one buffer for all.
//! Mends of step 3: a silent client costs no worker.
//! Faults: each `poll` names all sockets again, on one core; files are read on the loop (see it: all others wait
//! while you `curl` a FIFO in the folder, by `mkfifo x.txt`). See `src/poll_loop/event_loop.rs`, `src/site/cache.rs`.

use State::{Lingering, Over, Reading, Writing};
use chrono::Utc;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use simplelog::{Config, LevelFilter, WriteLogger};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::{Component, Path};
use std::time::{Duration, Instant};
use std::{env, fs, iter, process};

const CLIENTS: usize = 1000; // connections at once: a process often has 1024 descriptors
const HEAD_MAX: usize = 16 * 1024; // bytes of a request
const WAIT: Duration = Duration::from_secs(10); // for all of a request; for room to write

enum State {
    Reading(Vec<u8>), // the rest of this request
    Writing(Vec<u8>), // room for the rest of this response
    Lingering,        // what the client still sends; closed now, the socket would take the response back
    Over,
}

struct Client {
    connection: TcpStream,
    state: State,
    deadline: Instant,
}

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

/// Does what the client has waited for, and returns its next state.
fn step(client: &mut Client, root: &Path) -> io::Result<State> {
    let (connection, mut data) = (&mut client.connection, [0; 4096]);
    match &mut client.state {
        Reading(request) => {
            let count = connection.read(&mut data)?;
            request.extend_from_slice(&data[..count]);
            Ok(match request.windows(4).any(|end| end == b"\r\n\r\n") || request.len() > HEAD_MAX {
                true => Writing(respond(root, &String::from_utf8_lossy(request))),
                false if count == 0 => Over,
                false => Reading(std::mem::take(request)),
            })
        }
        Writing(response) if response.is_empty() => connection.shutdown(Shutdown::Write).map(|()| Lingering),
        Writing(response) => {
            client.deadline = Instant::now() + WAIT;
            Ok(Writing(response.split_off(connection.write(response)?)))
        }
        Lingering => Ok(if connection.read(&mut data)? == 0 { Over } else { Lingering }),
        Over => Ok(Over),
    }
}

fn main() -> io::Result<()> {
    let _ = WriteLogger::init(LevelFilter::Warn, Config::default(), io::stderr());
    let words: Vec<String> = env::args().skip(1).collect();
    let (Some(Ok(port)), [_, root]) = (words.first().map(|port| port.parse::<u16>()), &words[..]) else {
        log::error!("usage: web_4_poll_loop PORT FOLDER, such as 9001 public; not {words:?}");
        process::exit(2);
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    println!("listening on {}", listener.local_addr()?);
    let mut clients = Vec::<Client>::new();
    loop {
        let event = |state: &State| if matches!(state, Writing(_)) { PollFlags::OUT } else { PollFlags::IN };
        let mut waits: Vec<_> = clients.iter().map(|c| PollFd::new(&c.connection, event(&c.state))).collect();
        waits.extend((clients.len() < CLIENTS).then(|| PollFd::new(&listener, PollFlags::IN)));
        poll(&mut waits, Some(&Timespec { tv_sec: 1, tv_nsec: 0 }))?; // each second the deadlines are looked at
        let ready: Vec<bool> = waits.iter().map(|wait| !wait.revents().is_empty()).collect();
        for (client, _) in clients.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
            match step(client, Path::new(root)) {
                Ok(state) => client.state = state,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => client.state = Over,
            }
        }
        clients.retain(|client| !matches!(client.state, Over) && Instant::now() < client.deadline);
        for (connection, _) in iter::from_fn(|| listener.accept().ok()).take(CLIENTS - clients.len()) {
            connection.set_nonblocking(true)?;
            clients.push(Client { connection, state: Reading(Vec::new()), deadline: Instant::now() + WAIT });
        }
    }
}
