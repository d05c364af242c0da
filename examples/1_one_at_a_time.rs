//! Step 1, the balancer: one client at a time.
//!
//! It accepts a client, connects to the back end whose turn it is, reads the request once and passes it
//! on, passes the response back until it ends, and only then accepts the next client.
//!
//! ```console
//! $ cargo run --example web_3_worker_pool -- 9001 public    # a back end; another one on 9002
//! $ cargo run --example 1_one_at_a_time -- 6660 127.0.0.1:9001 127.0.0.1:9002
//! $ curl http://127.0.0.1:6660/santai
//! ```
//!
//! Faults (step 2 mends both):
//!
//! - Everybody waits for one. A client that connects and says nothing stops all others for as long as it
//!   likes. See it: `curl telnet://127.0.0.1:6660` in one terminal, `curl http://127.0.0.1:6660/` in
//!   another; the second gets its response when you end the first with Ctrl-C.
//! - One read is taken for the whole request, so the rest of a longer one is lost. See it:
//!   `curl -m 5 -H "X-Long: $(printf %9000d 0)" http://127.0.0.1:6660/` gets no response in 5 seconds.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::{env, process};

use simplelog::{Config, LevelFilter, WriteLogger};
use socket2::{Domain, Socket, Type};

/// Connections that the system keeps for us until we accept them.
const BACKLOG: i32 = 1;

/// The back ends in the order of their turns.
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

struct ProcessTheClient {
    connection: TcpStream,
    server: SocketAddr,
}

impl ProcessTheClient {
    fn run(mut self) -> io::Result<()> {
        let mut backend = TcpStream::connect(self.server)?;
        log::warn!("koneksi diteruskan ke {}", self.server);
        let mut data = [0; 8192];
        let count = self.connection.read(&mut data)?;
        if count == 0 {
            return Ok(()); // the client has left
        }
        backend.write_all(&data[..count])?;
        io::copy(&mut backend, &mut self.connection)?;
        Ok(())
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
    let port = words.first().and_then(|word| word.parse::<u16>().ok());
    let servers: Vec<SocketAddr> = words.iter().skip(1).flat_map(|word| word.parse()).collect();
    let Some(port) = port.filter(|_| !servers.is_empty() && servers.len() == words.len() - 1) else {
        log::error!("usage: 1_one_at_a_time PORT BACKEND..., such as 6660 127.0.0.1:9001; not {words:?}");
        process::exit(2);
    };
    let mut backends = BackendList { servers, current: 0 };
    let listener = listen(port)?;
    loop {
        let (connection, address) = listener.accept()?;
        log::warn!("connection from {address}");
        let _ = ProcessTheClient { connection, server: backends.getserver() }.run();
    }
}
