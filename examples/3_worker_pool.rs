//! Step 3, the balancer: a fixed pool of worker threads, each of which relays one connection both ways.
//!
//! The main thread accepts and puts connections into a bounded queue; a worker takes one, connects to a
//! back end, and waits for whichever of the two sockets has bytes until both have ended.
//! `cargo run --example 3_worker_pool -- 6660 127.0.0.1:9001 127.0.0.1:9002`
//!
//! Mends of step 2: an end of stream ends its direction only; a back end that is down loses its turn to the
//! next; threads, queue and waits have limits; reads are large; a failed `accept` costs one client.
//!
//! Faults (step 4 mends both):
//!
//! - A silent client keeps a worker. See it: let 8 of them say nothing, and `curl` waits 10 seconds:
//!   `python3 -c "import socket as s; k=[s.create_connection(('127.0.0.1',6660)) for i in range(8)]; input()"`
//! - A worker that writes does not read. A client that sends while it does not read a long response waits for
//!   the worker, which waits for the client; after 10 seconds the connection is closed.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{env, process};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use simplelog::{Config, LevelFilter, WriteLogger};
use threadpool::ThreadPool;

/// Connections served at the same time.
const WORKERS: usize = 8;
/// Accepted connections that wait for a worker. When they are as many, nobody is accepted.
const QUEUE: usize = 16;
/// Longest wait of a worker: for a connect, for a byte from either side, for room to write.
const WAIT: Duration = Duration::from_secs(10);
const POLL_WAIT: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// The back ends in the order of their turns.
struct BackendList {
    servers: Vec<SocketAddr>,
    turns: AtomicUsize,
}

impl BackendList {
    /// Connects to the next one, or to the first after it that accepts.
    fn connect(&self) -> io::Result<TcpStream> {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        for place in 0..self.servers.len() {
            let server = self.servers[(turn + place) % self.servers.len()];
            log::warn!("koneksi diteruskan ke {server}");
            match TcpStream::connect_timeout(&server, WAIT) {
                Ok(backend) => return Ok(backend),
                Err(error) => log::warn!("{server}: {error}"),
            }
        }
        Err(io::Error::other("no back end accepts a connection"))
    }
}

/// Copies both ways until both have ended.
fn relay(client: &TcpStream, backend: &TcpStream) -> io::Result<()> {
    client.set_write_timeout(Some(WAIT))?;
    backend.set_write_timeout(Some(WAIT))?;
    let mut directions = vec![(client, backend), (backend, client)];
    let mut data = [0; 16 * 1024];
    while !directions.is_empty() {
        let mut waits: Vec<PollFd<'_>> =
            directions.iter().map(|direction| PollFd::new(direction.0, PollFlags::IN)).collect();
        if poll(&mut waits, Some(&POLL_WAIT))? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let ready: Vec<bool> = waits.iter().map(|wait| !wait.revents().is_empty()).collect();
        for place in (0..directions.len()).rev().filter(|place| ready[*place]) {
            let (mut source, mut target) = directions[place];
            match source.read(&mut data)? {
                0 => {
                    directions.remove(place);
                    target.shutdown(Shutdown::Write)?;
                }
                count => target.write_all(&data[..count])?,
            }
        }
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let _ = WriteLogger::init(LevelFilter::Warn, Config::default(), io::stderr());
    let words: Vec<String> = env::args().skip(1).collect();
    let port = words.first().and_then(|word| word.parse::<u16>().ok());
    let servers: Vec<SocketAddr> = words.iter().skip(1).flat_map(|word| word.parse()).collect();
    let Some(port) = port.filter(|_| !servers.is_empty() && servers.len() == words.len() - 1) else {
        log::error!("usage: 3_worker_pool PORT BACKEND..., such as 6660 127.0.0.1:9001; not {words:?}");
        process::exit(2);
    };
    let backends = Arc::new(BackendList { servers, turns: AtomicUsize::new(0) });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?; // backlog: what the system allows
    println!("listening on {}", listener.local_addr()?);
    let (queue, clients) = crossbeam_channel::bounded(QUEUE);
    let pool = ThreadPool::new(WORKERS);
    for _ in 0..WORKERS {
        let (clients, backends) = (clients.clone(), Arc::clone(&backends));
        pool.execute(move || {
            for client in clients {
                if let Err(error) = backends.connect().and_then(|backend| relay(&client, &backend)) {
                    log::warn!("connection closed: {error}");
                }
            }
        });
    }
    loop {
        match listener.accept() {
            Ok((connection, address)) => {
                log::warn!("connection from {address}");
                let _ = queue.send(connection); // waits while the queue is full
            }
            Err(error) => log::warn!("accept: {error}"),
        }
    }
}
