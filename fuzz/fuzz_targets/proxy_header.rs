//! PROXY headers: any split gives the same client and leaves the same bytes, and the header that is
//! written for a back end reads back as the same client.
#![no_main]

use std::net::SocketAddr;

use giliran::protocol::buffer::Buffer;
use giliran::protocol::limits::{BUFFER_BYTES, PROXY_HEADER_BYTES_MAX};
use giliran::protocol::outcome::Outcome;
use giliran::protocol::proxy_header::{ClientIdentity, Policy, Version};
use giliran_fuzz::Pieces;
use libfuzzer_sys::fuzz_target;

fn identity(send: Version) -> ClientIdentity {
    let peer = SocketAddr::from(([127, 0, 0, 1], 22530));
    let trust = vec!["127.0.0.1".parse().expect("an address")];
    Policy { accept: true, trust, send: Some(send) }.identify(peer, || Ok(peer))
}

/// The client and the bytes behind the header; `None` if the header is not complete.
fn read(
    bytes: &[u8],
    send: Version,
    mut pieces: Pieces,
) -> Result<Option<(ClientIdentity, Vec<u8>)>, Outcome> {
    let (mut client, mut input, mut here) = (identity(send), Buffer::new(), 0);
    while here < bytes.len() {
        let count = pieces.next(bytes.len() - here);
        assert!(input.push(&bytes[here..here + count]));
        here += count;
        if client.read_proxy_header(&mut input, false)? {
            return Ok(Some((client, [input.bytes(), &bytes[here..]].concat())));
        }
        assert!(here < PROXY_HEADER_BYTES_MAX, "a header longer than its bound");
    }
    Ok(None)
}

fuzz_target!(|bytes: &[u8]| {
    let bytes = &bytes[..bytes.len().min(BUFFER_BYTES)];
    for send in [Version::V1, Version::V2] {
        let address_and_rest = |read: Result<Option<(ClientIdentity, Vec<u8>)>, Outcome>| {
            read.map(|read| read.map(|(client, rest)| (client.address(), rest)))
        };
        let whole = read(bytes, send, Pieces::Whole);
        for pieces in Pieces::all(bytes.first().copied().unwrap_or(0)) {
            assert_eq!(address_and_rest(read(bytes, send, pieces)), address_and_rest(whole.clone()));
        }
        let Ok(Some((client, _))) = whole else { continue };
        let mut output = Buffer::new();
        assert!(client.write_proxy_header(&mut output));
        let again = read(output.bytes(), send, Pieces::Whole).expect("a header of our own");
        let (again, rest) = again.expect("a complete header");
        let [ip, same] = [&client, &again].map(|client| client.address().ip().to_canonical());
        assert_eq!((same, again.address().port(), rest.len()), (ip, client.address().port(), 0));
    }
});
