//! What the fuzz targets share: streams cut into pieces, a fixed time, and drivers without sockets.

pub mod drivers;

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant, UNIX_EPOCH};

use giliran::protocol::now::Now;

/// The time of every run: a response must not depend on when it was made.
pub fn now() -> Now {
    static START: OnceLock<Instant> = OnceLock::new();
    let wall = UNIX_EPOCH + Duration::from_secs(1_626_183_073);
    Now { instant: *START.get_or_init(Instant::now), wall }
}

/// The client's address.
pub fn client() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 22530))
}

/// How a stream is cut into pieces.
#[derive(Clone, Copy, Debug)]
pub enum Pieces {
    /// Pieces as large as there is room for.
    Whole,
    /// Byte by byte.
    Bytes,
    /// Pieces of pseudo-random sizes; this is the state of their generator.
    Dice(u64),
}

impl Pieces {
    /// All three; the first byte of an input is the seed.
    pub fn all(seed: u8) -> [Pieces; 3] {
        [Pieces::Whole, Pieces::Bytes, Pieces::Dice(u64::from(seed) << 8 | 1)]
    }

    /// How many of `available` bytes come next; at least one.
    pub fn next(&mut self, available: usize) -> usize {
        match self {
            Pieces::Whole => available,
            Pieces::Bytes => 1,
            Pieces::Dice(state) => {
                *state ^= *state << 13;
                *state ^= *state >> 7;
                *state ^= *state << 17;
                // Mostly small pieces, sometimes a long one.
                let most = 1usize << (*state % 9);
                available.min(1 + (*state >> 16) as usize % most)
            }
        }
    }
}

/// Cuts `bytes` at the first two zero bytes in a row: two inputs from one.
pub fn two(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.windows(2).position(|pair| pair == [0, 0]) {
        Some(at) => (&bytes[..at], &bytes[at + 2..]),
        None => (bytes, &[]),
    }
}
