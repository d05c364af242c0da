//! A way into TLS for tests that know nothing of it: plain on their side, encrypted on the role's.
//!
//! Contract: it hides nothing. An orderly end in the encrypted form is an orderly end on the plain side, and everything
//! else that ends a connection is a reset there.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::{ClientConfig, Connection};
use socket2::SockRef;

use super::tls::greeting;
use super::wire::{Wire, records};

/// A listener whose connections lead to a role that speaks TLS.
#[derive(Debug)]
pub struct Tunnel {
    address: SocketAddr,
    stops: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Tunnel {
    /// One that leads to `role` and believes its certificate.
    pub fn start(role: SocketAddr, config: Arc<ClientConfig>) -> Tunnel {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (address, stops) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let is_over = Arc::clone(&stops);
        let acceptor = std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                let config = Arc::clone(&config);
                // It ends with one of its two sockets.
                std::thread::spawn(move || {
                    if join(&client, role, &config).is_err() {
                        reset(&client);
                    }
                });
            }
        });
        Tunnel { address, stops, acceptor: Some(acceptor) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.stops.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address)); // wakes the acceptor
        let _ = self.acceptor.take().map(JoinHandle::join);
    }
}

/// Passes bytes both ways until both have ended.
fn join(client: &TcpStream, role: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut wire = Wire::connect(role)?;
    wire.secure(greeting(config, "localhost"))?;
    let (socket, tls, left) = wire.into_parts();
    socket.set_read_timeout(None)?;
    let tls = Mutex::new(tls);
    // Held while records are made and sent, so that they are sent in the order in which they were made.
    let sending = Mutex::new(());
    let send = |make: &mut dyn FnMut(&mut Connection)| {
        let _sending = sending.lock().unwrap();
        let records = {
            let mut tls = tls.lock().unwrap();
            make(&mut tls);
            records(&mut tls)
        };
        (&socket).write_all(&records)
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut piece = [0; 16 * 1024];
            loop {
                match (&*client).read(&mut piece) {
                    Ok(0) => {
                        let _ = send(&mut |tls| tls.send_close_notify());
                        let _ = socket.shutdown(Shutdown::Write);
                        return;
                    }
                    Ok(count) => {
                        if send(&mut |tls| tls.writer().write_all(&piece[..count]).unwrap()).is_err() {
                            return; // the other direction says how it ended
                        }
                    }
                    Err(_) => {
                        reset(&socket);
                        let _ = socket.shutdown(Shutdown::Both);
                        return;
                    }
                }
            }
        });
        let down = pass_down(client, &socket, &tls, &left, &send);
        if down.is_err() {
            reset(client);
        }
        let _ = client.shutdown(if down.is_ok() { Shutdown::Write } else { Shutdown::Both });
        down
    })
}

/// Sends the records that something makes.
type Sender<'s> = dyn Fn(&mut dyn FnMut(&mut Connection)) -> io::Result<()> + Sync + 's;

/// Decrypts what the role sends, up to its end.
fn pass_down(
    client: &TcpStream,
    socket: &TcpStream,
    tls: &Mutex<Box<Connection>>,
    left: &[u8],
    send: &Sender<'_>,
) -> io::Result<()> {
    let mut records = left.to_vec();
    let mut piece = [0; 16 * 1024];
    loop {
        let mut plain = vec![0; 64 * 1024];
        let (count, wants_write, has_ended) = {
            let mut tls = tls.lock().unwrap();
            let mut rest = &records[..];
            let before = rest.len();
            if !rest.is_empty() {
                tls.read_tls(&mut rest)?;
                let taken = before - rest.len();
                records.drain(..taken);
                tls.process_new_packets().map_err(io::Error::other)?;
            }
            let (count, has_ended) = match tls.reader().read(&mut plain) {
                Ok(0) => (0, true),
                Ok(count) => (count, false),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (0, false),
                Err(error) => return Err(error),
            };
            (count, tls.wants_write(), has_ended)
        };
        if wants_write {
            let _ = send(&mut |_| {});
        }
        if has_ended {
            return Ok(());
        }
        if count > 0 {
            (&*client).write_all(&plain[..count])?;
        } else if records.is_empty() {
            match (&*socket).read(&mut piece)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()), // without close_notify
                count => records.extend_from_slice(&piece[..count]),
            }
        }
    }
}

/// Makes the close a reset.
fn reset(socket: &TcpStream) {
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}
