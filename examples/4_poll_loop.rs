//! Step 4, the balancer: one thread for all connections. The course's `lb_async.py` done right:
//! `cargo run --example 4_poll_loop -- 6660 127.0.0.1:9001 127.0.0.1:9002`
//!
//! A loop asks the system which sockets are ready, takes one step for each without waiting, and asks again.
//! Each direction of a connection waits for one thing at a time: that is its state.
//! Mends of step 3: a silent client costs two sockets and no worker; nobody waits for another's reading.
//! Faults: each `poll` names all sockets again, on one core (see it in `top`: 400 silent clients of step 3, and
//! a busy one); a dead back end is tried at each turn. See `src/poll_loop/event_loop.rs`, `src/balance/health/`.

use State::{Connecting, Over, Reading, Writing};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use simplelog::{Config, LevelFilter, WriteLogger};
use socket2::{Domain, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use std::{env, iter, process};

const PAIRS: usize = 500; // connections at once: each has two descriptors, and a process often 1024
const WAIT: Duration = Duration::from_secs(10); // longest time in which nothing moves on a connection

/// What a direction waits for:
#[derive(PartialEq)]
enum State {
    Connecting(usize), // the back end accepts or refuses; so many others are left to be tried
    Reading,           // bytes from the source
    Writing(Vec<u8>),  // room at the target for these; none: for the news that the source has ended
    Over,
}

/// A client and its back end, in this order; `states[from]` is that of the bytes that come from `ends[from]`.
struct Pair {
    ends: [TcpStream; 2],
    states: [State; 2],
    last_moved: Instant,
}

/// Does what this direction has waited for, and returns its next state.
fn step(pair: &mut Pair, from: usize, turns: &mut impl Iterator<Item = SocketAddr>) -> io::Result<State> {
    let (mut source, mut target) = (&pair.ends[from], &pair.ends[1 - from]);
    match &mut pair.states[from] {
        Connecting(left) if target.peer_addr().is_err() => {
            let left = left.checked_sub(1).ok_or(ErrorKind::ConnectionRefused)?;
            pair.ends[1] = connect(turns)?;
            Ok(Connecting(left))
        }
        Connecting(_) => Ok(Reading),
        Reading => {
            let mut data = [0; 16 * 1024];
            let count = source.read(&mut data)?;
            Ok(Writing(data[..count].to_vec()))
        }
        Writing(data) if data.is_empty() => target.shutdown(Shutdown::Write).map(|()| Over),
        Writing(data) => {
            let rest = data.split_off(target.write(data)?);
            Ok(if rest.is_empty() { Reading } else { Writing(rest) })
        }
        Over => Ok(Over),
    }
}

/// Begins to connect to the back end whose turn it is.
fn connect(turns: &mut impl Iterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    let server = turns.next().ok_or(ErrorKind::NotConnected)?;
    log::warn!("koneksi diteruskan ke {server}");
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let _ = socket.connect(&server.into()); // in progress, or refused: the loop will see
    Ok(socket.into())
}

fn main() -> io::Result<()> {
    let _ = WriteLogger::init(LevelFilter::Warn, Config::default(), io::stderr());
    let words: Vec<String> = env::args().skip(1).collect();
    let servers: Vec<SocketAddr> = words.iter().skip(1).flat_map(|word| word.parse()).collect();
    let port = words.first().and_then(|word| word.parse::<u16>().ok());
    let Some(port) = port.filter(|_| !servers.is_empty() && servers.len() == words.len() - 1) else {
        log::error!("usage: 4_poll_loop PORT BACKEND..., such as 6660 127.0.0.1:9001; not {words:?}");
        process::exit(2);
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    println!("listening on {}", listener.local_addr()?);
    let (mut turns, mut pairs) = (servers.iter().copied().cycle(), Vec::<Pair>::new());
    loop {
        let (mut waits, mut owners) = (Vec::new(), Vec::new());
        for (number, pair) in pairs.iter().enumerate() {
            for (from, state) in pair.states.iter().enumerate() {
                let (end, event) = match state {
                    Reading if matches!(pair.states[0], Connecting(_)) => continue, // nobody there yet
                    Reading => (from, PollFlags::IN),
                    Connecting(_) | Writing(_) => (1 - from, PollFlags::OUT),
                    Over => continue,
                };
                waits.push(PollFd::new(&pair.ends[end], event));
                owners.push((number, from));
            }
        }
        waits.extend((pairs.len() < PAIRS).then(|| PollFd::new(&listener, PollFlags::IN)));
        poll(&mut waits, Some(&Timespec { tv_sec: 1, tv_nsec: 0 }))?; // each second WAIT is looked at
        let ready: Vec<bool> = waits.iter().map(|wait| !wait.revents().is_empty()).collect();
        for ((number, from), _) in owners.into_iter().zip(ready).filter(|(_, ready)| *ready) {
            let pair = &mut pairs[number];
            pair.last_moved = Instant::now();
            match step(pair, from, &mut turns) {
                Ok(state) => pair.states[from] = state,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => pair.states = [Over, Over],
            }
        }
        pairs.retain(|pair| pair.states != [Over, Over] && pair.last_moved.elapsed() < WAIT);
        for (client, address) in iter::from_fn(|| listener.accept().ok()).take(PAIRS - pairs.len()) {
            log::warn!("connection from {address}");
            client.set_nonblocking(true)?;
            let Ok(backend) = connect(&mut turns) else { continue };
            let (ends, states) = ([client, backend], [Connecting(servers.len() - 1), Reading]);
            pairs.push(Pair { ends, states, last_moved: Instant::now() });
        }
    }
}
