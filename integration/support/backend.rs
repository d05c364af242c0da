//! Scripted back ends: each does exactly what its script says, step by step, on every connection.
//!
//! A script is a function of a [`Visit`], run on a thread of its own; when it returns, the
//! connection is closed. Dropping the [`Backend`] ends every visit and waits for its thread.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::{Connection, ServerConfig, ServerConnection};
use socket2::{Domain, SockRef, Socket, Type};

use super::WAIT_MAX;
use super::watched::Watched;
use super::wire::{Head, Wire};

/// A request as a back end saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which connection brought it, from 0.
    pub visit: usize,
    /// Request line and fields.
    pub head: Head,
    /// The body without its framing.
    pub body: Vec<u8>,
}

/// What has happened at a back end so far.
#[derive(Debug, Default)]
struct State {
    visits: usize,
    /// The open connections by their number, to end them from outside.
    open: Vec<(usize, TcpStream)>,
    requests: Vec<Seen>,
    released: bool,
    stopping: bool,
    /// Bytes that [`Visit::pour`] got rid of.
    poured: usize,
}

/// A back end that follows a script.
#[derive(Debug)]
pub struct Backend {
    address: SocketAddr,
    state: Arc<Watched<State>>,
    acceptor: Option<JoinHandle<()>>,
}

impl Backend {
    /// A back end that runs `script` on each connection.
    pub fn start(script: impl Fn(&mut Visit) -> io::Result<()> + Send + Sync + 'static) -> Backend {
        Backend::on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(), script)
    }

    /// Two back ends that give every request 200 with these texts: on one port, and on two addresses of this machine.
    pub fn pair(texts: [&str; 2]) -> [Backend; 2] {
        Backend::pair_of(texts.map(|text| {
            let response = ok(text);
            move |visit: &mut Visit| {
                loop {
                    visit.request()?;
                    visit.send(&response)?;
                }
            }
        }))
    }

    /// The same with scripts.
    pub fn pair_of<S>(scripts: [S; 2]) -> [Backend; 2]
    where
        S: Fn(&mut Visit) -> io::Result<()> + Send + Sync + 'static,
    {
        let [one, other] = [2, 3].map(|last| Ipv4Addr::new(127, 0, 0, last));
        let (first, second) = loop {
            let first = TcpListener::bind((one, 0)).unwrap();
            // Nearly always free as well.
            if let Ok(second) = TcpListener::bind((other, first.local_addr().unwrap().port())) {
                break (first, second);
            }
        };
        let [script, other] = scripts;
        [Backend::on(first, script), Backend::on(second, other)]
    }

    /// The same over TLS: the script runs once the handshake is done.
    pub fn secure(
        config: ServerConfig,
        script: impl Fn(&mut Visit) -> io::Result<()> + Send + Sync + 'static,
    ) -> Backend {
        let config = Arc::new(config);
        Backend::start(move |visit| {
            let tls = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
            visit.secure(tls)?;
            script(visit)
        })
    }

    fn on(
        listener: TcpListener,
        script: impl Fn(&mut Visit) -> io::Result<()> + Send + Sync + 'static,
    ) -> Backend {
        let address = listener.local_addr().unwrap();
        let state = Arc::<Watched<State>>::default();
        let shared = Arc::clone(&state);
        let acceptor = std::thread::spawn(move || accept(&listener, &shared, &Arc::new(script)));
        Backend { address, state, acceptor: Some(acceptor) }
    }

    /// Gives every request these bytes for an answer, and keeps the connection.
    pub fn answering(response: impl Into<Vec<u8>>) -> Backend {
        let response = response.into();
        Backend::start(move |visit| {
            loop {
                visit.request()?;
                visit.send(&response)?;
            }
        })
    }

    /// Gives every request 200 with this text.
    pub fn saying(text: &str) -> Backend {
        Backend::answering(ok(text))
    }

    /// Sends every byte back, and the end of the stream too.
    pub fn echoing() -> Backend {
        Backend::start(|visit| {
            loop {
                let bytes = visit.some()?;
                match bytes.is_empty() {
                    true => return Ok(()),
                    false => visit.send(&bytes)?,
                }
            }
        })
    }

    /// Accepts, reads nothing and says nothing until [`Backend::release`].
    pub fn silent() -> Backend {
        Backend::start(|visit| {
            visit.freeze();
            Ok(())
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections so far.
    pub fn visits(&self) -> usize {
        self.state.look(|state| state.visits)
    }

    /// Waits until all its connections are over.
    pub fn wait_until_left(&self) {
        let left =
            self.state.wait(WAIT_MAX, |state| (state.visits > 0 && state.open.is_empty()).then_some(()));
        left.expect("a connection to the back end is still open");
    }

    /// Waits until this many connections have come.
    pub fn wait_for_visits(&self, count: usize) {
        let came = self.state.wait(WAIT_MAX, |state| (state.visits >= count).then_some(()));
        came.unwrap_or_else(|| panic!("{} of {count} connections came", self.visits()));
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Seen> {
        self.state.look(|state| state.requests.clone())
    }

    /// How many there are so far.
    pub fn request_count(&self) -> usize {
        self.state.look(|state| state.requests.len())
    }

    /// The requests behind the first `count`.
    pub fn requests_after(&self, count: usize) -> Vec<Seen> {
        self.state.look(|state| state.requests[count..].to_vec())
    }

    /// Waits for the `nth` request, from 0.
    pub fn wait_for_request(&self, nth: usize) -> Seen {
        let came = self.state.wait(WAIT_MAX, |state| state.requests.get(nth).cloned());
        came.unwrap_or_else(|| panic!("request {nth} did not come"))
    }

    /// Lets scripts go on that are frozen, now and later.
    pub fn release(&self) {
        self.state.change(|state| state.released = true);
    }

    /// Waits until nobody takes any more of what a script pours; says how much was taken.
    pub fn wait_until_poured_full(&self) -> usize {
        let quiet = Duration::from_millis(500);
        loop {
            let before = self.state.look(|state| state.poured);
            if self.state.wait(quiet, |state| (state.poured > before).then_some(())).is_none() && before > 0 {
                return before;
            }
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.state.change(|state| {
            state.stopping = true;
            state.open.iter().for_each(|(_, stream)| drop(stream.shutdown(Shutdown::Both)));
        });
        drop(TcpStream::connect(self.address)); // wakes the acceptor
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn accept<S>(listener: &TcpListener, state: &Arc<Watched<State>>, script: &Arc<S>)
where
    S: Fn(&mut Visit) -> io::Result<()> + Send + Sync + 'static,
{
    let mut threads = Vec::new();
    while let Ok((stream, _)) = listener.accept() {
        let entered = state.change(|state| {
            let number = state.visits;
            if state.stopping {
                return None;
            }
            state.open.push((number, stream.try_clone().ok()?));
            state.visits += 1;
            Some(number)
        });
        let Some(number) = entered else { break };
        let (state, script) = (Arc::clone(state), Arc::clone(script));
        threads.push(std::thread::spawn(move || {
            let mut visit = Visit { wire: Wire::new(stream), number, state };
            // An error is the other side's doing, and the test looks at the other side.
            let _ = script(&mut visit);
            let Visit { wire, state, .. } = visit;
            // The last handle closes the connection: first this one, then the one in the list.
            drop(wire);
            state.change(|state| state.open.retain(|(open, _)| *open != number));
        }));
    }
    for thread in threads {
        let _ = thread.join();
    }
}

/// One connection to a scripted back end.
#[derive(Debug)]
pub struct Visit {
    wire: Wire,
    /// Which connection of this back end it is, from 0.
    pub number: usize,
    state: Arc<Watched<State>>,
}

impl Visit {
    /// Speaks TLS from now on.
    pub fn secure(&mut self, tls: ServerConnection) -> io::Result<()> {
        self.wire.secure(tls)
    }

    /// The name that the client asked for when it began to speak TLS.
    pub fn asked_for(&mut self) -> Option<String> {
        match self.wire.tls() {
            Connection::Server(server) => server.server_name().map(str::to_owned),
            Connection::Client(_) => None,
        }
    }

    /// The connection underneath.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// Reads a line, without its end.
    pub fn line(&mut self) -> io::Result<String> {
        self.wire.one_line()
    }

    /// Reads a request's head and leaves its body.
    pub fn head(&mut self) -> io::Result<Head> {
        let head = self.wire.head()?;
        self.record(head.clone(), Vec::new());
        Ok(head)
    }

    /// Reads a whole request.
    pub fn request(&mut self) -> io::Result<Seen> {
        let head = self.wire.head()?;
        let body = match (head.is_chunked(), head.length()?) {
            (true, _) => self.wire.chunked()?,
            (false, length) => self.wire.exact(length.unwrap_or(0))?,
        };
        Ok(self.record(head, body))
    }

    /// Reads what comes next; empty at the end of the stream.
    pub fn some(&mut self) -> io::Result<Vec<u8>> {
        self.wire.some()
    }

    /// Reads a chunked body as it is, trailers included.
    pub fn chunked_as_it_is(&mut self) -> io::Result<String> {
        self.wire.chunked_as_it_is()
    }

    /// Reads exactly `count` bytes.
    pub fn exact(&mut self, count: usize) -> io::Result<Vec<u8>> {
        self.wire.exact(count)
    }

    /// Reads everything up to an orderly end.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        self.wire.rest()
    }

    /// Sends `bytes`.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.wire.send(bytes.as_ref())
    }

    /// Sends `bytes` one by one, each in a segment of its own.
    pub fn drip(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        bytes.as_ref().iter().try_for_each(|byte| self.wire.send(&[*byte]))
    }

    /// Sends pieces as fast as they are taken, and counts what was.
    pub fn pour(&mut self, mut piece: impl FnMut() -> Vec<u8>, total: usize) -> io::Result<()> {
        let mut left = total;
        while left > 0 {
            let piece = piece();
            self.wire.send(&piece)?;
            left -= piece.len();
            self.state.change(|state| state.poured += piece.len());
        }
        Ok(())
    }

    /// Does nothing at all until the test says so or is over.
    pub fn freeze(&mut self) {
        self.state.wait(3 * WAIT_MAX, |state| (state.released || state.stopping).then_some(()));
    }

    /// Waits for the other side to close, and throws away what comes before.
    pub fn hold(&mut self) -> io::Result<()> {
        while !self.wire.some()?.is_empty() {}
        Ok(())
    }

    /// Takes its time, unless the other side sends or closes: then it is an error.
    pub fn pause(&mut self, time: Duration) -> io::Result<()> {
        match self.wire.is_silent_for(time) {
            true => Ok(()),
            false => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    /// Says that nothing more will be sent.
    pub fn finish_sending(&mut self) -> io::Result<()> {
        self.wire.finish_sending()
    }

    /// Ends the visit with a reset.
    pub fn reset(&mut self) -> io::Result<()> {
        SockRef::from(self.wire.stream()).set_linger(Some(Duration::ZERO))
    }

    fn record(&self, head: Head, body: Vec<u8>) -> Seen {
        let seen = Seen { visit: self.number, head, body };
        self.state.change(|state| state.requests.push(seen.clone()));
        seen
    }
}

/// 200 with this text, kept open.
pub fn ok(text: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len())
}

/// A port that refuses connections as long as this lives: bound, so that nobody else is given it,
/// and never listening.
#[derive(Debug)]
pub struct Refusing(Socket);

impl Refusing {
    /// Takes a free port.
    pub fn new() -> Refusing {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        Refusing(socket)
    }

    /// The port nobody answers.
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap().as_socket().unwrap()
    }

    /// Comes to life on the same port, and gives every request 200 with this text.
    pub fn revive(self, text: &str) -> Backend {
        self.0.listen(128).unwrap();
        let response = ok(text);
        Backend::on(self.0.into(), move |visit| {
            loop {
                visit.request()?;
                visit.send(&response)?;
            }
        })
    }
}

/// A port whose accept queue is full as long as this lives: a connection to it neither succeeds nor fails.
#[derive(Debug)]
pub struct Full {
    listener: Socket,
    _queued: Vec<Socket>,
}

impl Full {
    /// Takes a free port and fills its queue of one.
    pub fn new() -> Full {
        let listener = Refusing::new().0;
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let queued = (0..4).map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&address); // in progress, for ever from the second on
            socket
        });
        Full { _queued: queued.collect(), listener }
    }

    /// The port that never answers.
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap().as_socket().unwrap()
    }

    /// Makes room: the first connection that says something, with what it said.
    pub fn open(self) -> Wire {
        let Full { listener, _queued: queued } = self;
        drop(queued);
        listener.set_read_timeout(Some(WAIT_MAX)).unwrap(); // holds for accept as well
        loop {
            let (accepted, _) = listener.accept().expect("nobody came");
            let stream = TcpStream::from(accepted);
            if stream.peek(&mut [0]).is_ok_and(|count| count > 0) {
                return Wire::new(stream);
            }
        }
    }
}
