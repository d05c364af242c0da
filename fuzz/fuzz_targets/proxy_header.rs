//! PROXY headers: any split gives the same client and leaves the same bytes, and what a client is
//! told on as reads back as the same client.
#![no_main]

use std::net::SocketAddr;

use giliran::protocol::buffer::Buffer;
use giliran::protocol::limits::{BUFFER_BYTES, PROXY_HEADER_BYTES_MAX};
use giliran::protocol::outcome::Outcome;
use giliran::protocol::proxy_header::{ClientIdentity, Policy, Version};
use giliran_fuzz::Pieces;
use libfuzzer_sys::fuzz_target;

fn caller(send: Version) -> ClientIdentity {
    let peer = SocketAddr::from(([127, 0, 0, 1], 22530));
    let trust = vec!["127.0.0.1".parse().expect("an address")];
    Policy { accept: true, trust, send: Some(send) }.caller(peer, || Ok(peer))
}

/// The client, as the next one is told of it, and what was left; `None` if the header is not whole.
fn read(bytes: &[u8], send: Version, mut pieces: Pieces) -> Result<Option<(ClientIdentity, Vec<u8>)>, Outcome> {
    let (mut caller, mut input, mut here) = (caller(send), Buffer::new(), 0);
    while here < bytes.len() {
        let count = pieces.next(bytes.len() - here);
        assert!(input.push(&bytes[here..here + count]));
        here += count;
        if caller.read_header(&mut input, false)? {
            return Ok(Some((caller, [input.bytes(), &bytes[here..]].concat())));
        }
        assert!(here < PROXY_HEADER_BYTES_MAX, "a header without a bound");
    }
    Ok(None)
}

fuzz_target!(|bytes: &[u8]| {
    let bytes = &bytes[..bytes.len().min(BUFFER_BYTES)];
    for send in [Version::V1, Version::V2] {
        let told = |read: Result<Option<(ClientIdentity, Vec<u8>)>, Outcome>| {
            read.map(|read| read.map(|(caller, rest)| (caller.address(), rest)))
        };
        let whole = read(bytes, send, Pieces::Whole);
        for pieces in Pieces::all(bytes.first().copied().unwrap_or(0)) {
            assert_eq!(told(read(bytes, send, pieces)), told(whole.clone()));
        }
        let Ok(Some((caller, _))) = whole else { continue };
        let mut output = Buffer::new();
        assert!(caller.write_header(&mut output));
        let again = read(output.bytes(), send, Pieces::Whole).expect("a header of our own");
        let (again, rest) = again.expect("the whole of it");
        let [ip, same] = [caller, again].map(|caller| caller.address().ip().to_canonical());
        assert_eq!((same, again.address().port(), rest.len()), (ip, caller.address().port(), 0));
    }
});
