//! What must pass. Do not change it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::relay;

/// Nothing takes so long that works.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Both ends of a connection.
fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (other, _) = listener.accept().unwrap();
    one.set_read_timeout(Some(WAIT_MAX)).unwrap();
    (one, other)
}

fn rest(mut stream: &TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("the end of the stream is not passed on");
    text
}

#[test]
fn who_finishes_sending_still_gets_the_response() {
    let ((mut client, front), (mut backend, back)) = (connection(), connection());
    let (ended, end) = mpsc::channel();
    thread::spawn(move || {
        relay(&front, &back);
        ended.send(()).unwrap();
    });
    client.write_all(b"request").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&backend), "request");
    // A relay that has ended both directions has done so by now, or does before it returns.
    let _ = end.recv_timeout(Duration::from_millis(300));
    backend.write_all(b"response").expect("the relay has closed the back end");
    drop(backend);
    assert_eq!(rest(&client), "response");
}

#[test]
fn a_relay_ends_when_one_side_is_gone() {
    let ((client, front), (backend, back)) = (connection(), connection());
    let (ended, end) = mpsc::channel();
    thread::spawn(move || {
        relay(&front, &back);
        ended.send(()).unwrap();
    });
    drop(client);
    assert_eq!(rest(&backend), "");
    drop(backend);
    end.recv_timeout(WAIT_MAX).expect("the relay waits for somebody who is gone");
}
