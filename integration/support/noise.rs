//! Reproducible random bytes, so that a stream of any length is compared without being held.

use std::io::{self, Read, Write};

/// An endless stream of bytes that depends on its seed only (xorshift64*).
#[derive(Clone, Debug)]
pub struct Noise {
    state: u64,
}

impl Noise {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Noise {
        Noise { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    /// The next `count` bytes; a multiple of eight, so that any cut of the stream gives the same bytes.
    pub fn take_bytes(&mut self, count: usize) -> Vec<u8> {
        assert_eq!(count % 8, 0);
        let mut bytes = Vec::with_capacity(count);
        for _ in 0..count / 8 {
            self.state ^= self.state >> 12;
            self.state ^= self.state << 25;
            self.state ^= self.state >> 27;
            bytes.extend_from_slice(&self.state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
        }
        bytes
    }

    /// Writes the next `total` bytes.
    pub fn write_to(&mut self, to: &mut impl Write, total: usize) -> io::Result<()> {
        for _ in 0..total / PIECE {
            to.write_all(&self.take_bytes(PIECE))?;
        }
        to.write_all(&self.take_bytes(total % PIECE))
    }

    /// Reads `total` bytes and compares each; the error names the first piece that differs.
    pub fn compare_with(&mut self, from: &mut impl Read, total: usize) -> io::Result<()> {
        let mut piece = vec![0; PIECE];
        for start in (0..total).step_by(PIECE) {
            let piece = &mut piece[..PIECE.min(total - start)];
            from.read_exact(piece)?;
            if self.take_bytes(piece.len()) != piece {
                return Err(io::Error::other(format!("other bytes within {PIECE} from {start} on")));
            }
        }
        Ok(())
    }
}

const PIECE: usize = 64 * 1024;
