//! What must pass. Do not change it.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use super::{Pool, QUEUE, WORKERS};

/// Nothing takes so long that works.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// A client: it is served until its other half is dropped, and says when that begins.
struct Client {
    number: usize,
    begins: Sender<usize>,
    ends: Receiver<()>,
}

#[test]
fn a_client_behind_a_full_queue_is_given_back_and_the_others_are_served() {
    let pool = Pool::new(|client: Client| {
        client.begins.send(client.number).unwrap();
        let _ = client.ends.recv();
    });
    let (begins, begun) = mpsc::channel();
    let mut ends = Vec::new();
    let mut client = |number| {
        let (end, ends_of_client) = mpsc::channel();
        ends.push(end);
        Client { number, begins: begins.clone(), ends: ends_of_client }
    };
    for number in 0..WORKERS {
        assert!(pool.accept(client(number)).is_ok(), "a worker is free");
        begun.recv_timeout(WAIT_MAX).expect("no worker takes the client");
    }
    for number in 0..QUEUE {
        assert!(pool.accept(client(WORKERS + number)).is_ok(), "there is room for {} more", QUEUE - number);
    }
    let refused = pool.accept(client(99)).err().map(|client| client.number);
    assert_eq!(refused, Some(99), "the queue has no bound");
    drop(ends); // all are served now
    for _ in 0..QUEUE {
        let number = begun.recv_timeout(WAIT_MAX).expect("a client in the queue was not served");
        assert!(number < WORKERS + QUEUE);
    }
}
