//! Step 2, the balancer: two threads for each connection. `integration/python/lb_thread.py`, our counterpart
//! of the course's program, statement by statement; what stands behind `Python:` is its line.
//!
//! One thread copies the request to the back end, the other the response back. The main thread accepts. (The
//! course's own balancer has one thread for a connection, which connects when the request has come.)
//!
//! ```console
//! $ cargo run --example 2_thread_per_connection -- 6660 127.0.0.1:9001 127.0.0.1:9002
//! ```
//!
//! Mends of step 1: nobody waits for a silent client any more, and a request may have any length.
//!
//! Faults (step 3 mends all of them):
//!
//! - The first end of a stream ends both directions: who finishes sending and then waits gets no response.
//!   See it: `printf 'GET / HTTP/1.0\r\n\r\n' | nc -N 127.0.0.1 6660` prints nothing, most of the time.
//! - A back end that is down keeps its turn. See it: stop one of two, and every second `curl` fails.
//! - As many threads as clients, for as long as these like. See it: `ls /proc/$(pgrep 2_thread)/task | wc -l`
//!   beside 100 silent clients, such as those of step 3's head.
//! - 32 bytes a read: a large file takes many thousand calls. The backlog is 5: of many clients at the same
//!   time some connect a second late. An error of `accept` ends the program.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::{env, process, thread};

use simplelog::{Config, LevelFilter, WriteLogger};
use socket2::{Domain, Socket, Type};

/// Connections that the system keeps for us until we accept them.
const BACKLOG: i32 = 5;

/// The back ends in the order of their turns. Python: `class BackendList`
struct BackendList {
    servers: Vec<SocketAddr>,
    current: usize,
}

impl BackendList {
    fn getserver(&mut self) -> SocketAddr {
        let server = self.servers[self.current];
        self.current = (self.current + 1) % self.servers.len();
        server
    }
}

/// Copies until its source ends. Python: `class Direction(threading.Thread)`
struct Direction {
    source: TcpStream,
    target: TcpStream,
}

impl Direction {
    fn run(mut self) {
        let mut data = [0; 32];
        // Python: `while data := self.source.recv(32):`
        while let Ok(count @ 1..) = self.source.read(&mut data) {
            if self.target.write_all(&data[..count]).is_err() {
                break; // Python: `except OSError`
            }
        }
        // Not only dropped: the other thread would wait in its `read` for ever.
        for end in [&self.source, &self.target] {
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

/// Python: `class ProcessTheClient(threading.Thread)`
struct ProcessTheClient {
    connection: TcpStream,
    server: SocketAddr,
}

impl ProcessTheClient {
    fn run(self) -> io::Result<()> {
        let backend = TcpStream::connect(self.server)?;
        log::warn!("koneksi diteruskan ke {}", self.server);
        // A socket has one owner in Rust, so the second thread gets a second handle.
        let answers = Direction { source: backend.try_clone()?, target: self.connection.try_clone()? };
        let answers = thread::spawn(move || answers.run()); // Python: `answers.start()`
        Direction { source: self.connection, target: backend }.run();
        let _ = answers.join();
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
    let port = words.first().and_then(|word| word.parse::<u16>().ok());
    let servers: Vec<SocketAddr> = words.iter().skip(1).flat_map(|word| word.parse()).collect();
    let Some(port) = port.filter(|_| !servers.is_empty() && servers.len() == words.len() - 1) else {
        log::error!(
            "usage: 2_thread_per_connection PORT BACKEND..., such as 6660 127.0.0.1:9001; not {words:?}"
        );
        process::exit(2);
    };
    let mut backends = BackendList { servers, current: 0 };
    let listener = listen(port)?;
    loop {
        let (connection, address) = listener.accept()?;
        log::warn!("connection from {address}");
        let client = ProcessTheClient { connection, server: backends.getserver() };
        thread::spawn(move || client.run()); // Python: `ProcessTheClient(..).start()`
    }
}
