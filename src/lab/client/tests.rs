//! The client against servers with known faults: each class of fault is recognised.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use super::*;

const GOOD: &str = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A server that hands each connection, its request read, to `serve`.
fn server(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = serve.clone();
            thread::spawn(move || serve(stream.unwrap()));
        }
    });
    address
}

/// Reads to the end of a request; false at the end of the stream.
fn read_request(stream: &mut TcpStream) -> bool {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => seen.push(byte[0]),
            _ => return false,
        }
    }
    true
}

fn responds(response: &'static str) -> SocketAddr {
    server(move |mut stream| {
        if read_request(&mut stream) {
            stream.write_all(response.as_bytes()).unwrap();
        }
    })
}

fn load(address: SocketAddr) -> Load {
    Load { requests: 20, concurrency: 3, ..Load::new(address, "/", Arc::from(&b"ok"[..])) }
}

fn tally(load: &Load) -> Tally {
    let tally = run(load, &Shutdown::new()).unwrap();
    let counted = tally.answered + tally.faults.total() + tally.unfinished;
    assert!(counted <= load.requests);
    if tally.elapsed < load.limit {
        assert_eq!(counted, load.requests, "every request is counted once");
    }
    tally
}

#[test]
fn good_responses_are_counted_and_timed() {
    let tally = tally(&load(responds(GOOD)));
    assert_eq!((tally.answered, tally.faults, tally.stray), (20, Faults::default(), 0));
    assert_eq!(tally.total.percentiles().count, 20);
    assert_eq!(tally.connect.percentiles().count, 20);
    assert!(tally.connect.percentiles().p50_us <= tally.total.percentiles().p50_us);
    assert_eq!(tally.timeline.iter().map(|step| step.answered).sum::<u64>(), 20);
}

#[test]
fn stray_bytes_are_noted_and_not_held_against_the_response() {
    let tally = tally(&load(responds("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok\r\n\r\n")));
    assert_eq!((tally.answered, tally.stray), (20, 20));
}

#[test]
fn each_class_of_fault_is_told_apart() {
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(tally(&load(refused)).faults, Faults { refused: 20, ..Faults::default() });

    let short = responds("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok");
    assert_eq!(tally(&load(short)).faults, Faults { short: 20, ..Faults::default() });
    let closed = server(|mut stream| _ = read_request(&mut stream));
    assert_eq!(tally(&load(closed)).faults, Faults { short: 20, ..Faults::default() });
    let wrong = responds("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nno");
    assert_eq!(tally(&load(wrong)).faults, Faults { wrong: 20, ..Faults::default() });
    let non_2xx = responds("HTTP/1.0 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno");
    assert_eq!(tally(&load(non_2xx)).faults, Faults { non_2xx: 20, ..Faults::default() });

    let reset = server(|stream| {
        // Closing without having read the request is a reset.
        while stream.peek(&mut [0]).unwrap() == 0 {}
    });
    assert_eq!(tally(&load(reset)).faults, Faults { reset: 20, ..Faults::default() });
}

#[test]
fn silence_is_timed_out_and_an_end_of_the_run_leaves_it_unfinished() {
    let silent = server(|mut stream| while read_request(&mut stream) {});
    let patient = Load { requests: 3, timeout: Duration::from_millis(80), ..load(silent) };
    assert_eq!(tally(&patient).faults, Faults { timed_out: 3, ..Faults::default() });
    let cut = Load { limit: Duration::from_millis(80), ..load(silent) };
    let tally = tally(&cut);
    assert_eq!((tally.unfinished, tally.faults.total()), (3, 0));
}

/// A connect that waits holds up all clients that would come after it; overlapping connects do not.
#[cfg(target_os = "linux")]
#[test]
fn serial_connects_wait_one_after_the_other() {
    // Two places in the accept queue, and nobody accepts: the third connect waits for its SYN retransmit.
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(1).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    for (connects, begun) in [(Connects::Overlapping, 5), (Connects::Serial, 3)] {
        let queue = listener.try_clone().unwrap();
        let load = Load { concurrency: 5, connects, limit: Duration::from_millis(200), ..load(address) };
        let tally = tally(&load);
        assert_eq!(tally.unfinished, begun, "{connects:?}");
        // Those that nobody answered count too, and the one that still waits until the end of the run.
        assert_eq!((tally.connect.count(), tally.every_connect.count()), (0, begun), "{connects:?}");
        assert!(tally.every_connect.longest_us().is_some_and(|us| us > 100_000), "{connects:?}");
        for _ in 0..2 {
            queue.accept().unwrap(); // those that the run left in the queue
        }
    }
}

#[test]
fn serial_connects_count_and_time_every_request() {
    let load = Load { connects: Connects::Serial, ..load(responds(GOOD)) };
    let tally = tally(&load);
    assert_eq!((tally.answered, tally.faults), (20, Faults::default()));
    assert_eq!(tally.connect.percentiles().count, 20);
    assert!(tally.connect.sum() <= tally.elapsed, "they do not overlap");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(super::run(&Load { address: nobody, ..load }, &Shutdown::new()).unwrap().faults.refused, 20);
}

#[test]
fn a_stopped_run_ends_at_once() {
    let silent = server(|mut stream| while read_request(&mut stream) {});
    let stop = Shutdown::new();
    stop.trigger();
    assert_eq!(run(&load(silent), &stop).unwrap().answered, 0);
}

#[test]
fn kept_connections_are_kept_and_opened_again_when_the_server_closes_them() {
    let kept = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok";
    let address = server(move |mut stream| {
        for _ in 0..4 {
            if read_request(&mut stream) {
                stream.write_all(kept.as_bytes()).unwrap();
            }
        }
    });
    let load = Load { keep_alive: true, concurrency: 1, ..load(address) };
    let tally = tally(&load);
    assert_eq!((tally.answered, tally.faults, tally.reopened), (20, Faults::default(), 4));
    assert_eq!(tally.connect.percentiles().count, 5, "five connections of four requests");
    assert_eq!(tally.every_connect.count(), 5);
}

#[test]
fn large_bodies_are_compared_to_the_last_byte() {
    let body: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    let sent = body.clone();
    let address = server(move |mut stream| {
        if read_request(&mut stream) {
            let _ = write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", sent.len());
            let _ = stream.write_all(&sent);
        }
    });
    let good = Load { requests: 2, expected: Arc::from(&body[..]), ..load(address) };
    assert_eq!(tally(&good).answered, 2);
    let mut other = body;
    *other.last_mut().unwrap() ^= 1;
    let wrong = Load { expected: Arc::from(&other[..]), ..good };
    assert_eq!(tally(&wrong).faults.wrong, 2);
}
