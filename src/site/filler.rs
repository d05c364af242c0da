//! Filler: a body of any length that is generated while it is sent.
//!
//! Contract: the bytes depend on the length and the framing only, however fast the client takes them.
//! No memory is needed for the body, so a gigabyte costs no more of it than a kilobyte.

use std::io::{self, Write};

use super::texts::HOME;
use crate::protocol::buffer::Buffer;
use crate::protocol::web::Generator;

/// Bytes of one line: the home page and a line end, so that the first 31 bytes are that page.
const LINE_BYTES: usize = HOME.len() + 1;

/// Lines in the block that is copied from: 16 KiB, about as much as a buffer takes in one call.
const LINES: usize = 512;

/// The block that all fillers are copied from.
static BLOCK: [u8; LINE_BYTES * LINES] = block();

const fn block() -> [u8; LINE_BYTES * LINES] {
    let mut block = [b'\n'; LINE_BYTES * LINES];
    let mut at = 0;
    while at < block.len() {
        if at % LINE_BYTES < HOME.len() {
            block[at] = HOME.as_bytes()[at % LINE_BYTES];
        }
        at += 1;
    }
    block
}

/// Bytes of content in a full chunk: half an output buffer, so it fits behind a response head.
const CHUNK_BYTES: u64 = 8 * 1024;

/// Bytes that a chunk has besides its content: four digits and two line ends.
const CHUNK_FRAME_BYTES: usize = 8;

/// Generates the bytes of one body, chunk framing included.
#[derive(Clone, Copy, Debug)]
pub struct Filler {
    /// Bytes of content that are out.
    sent: u64,
    /// Bytes of content in all.
    length: u64,
    chunked: bool,
    is_complete: bool,
}

impl Generator for Filler {
    fn fill(&mut self, out: &mut Buffer) -> io::Result<bool> {
        if self.chunked {
            self.fill_chunks(out);
        } else {
            while self.sent < self.length && out.room() > 0 {
                let count = self.next_count(out.room());
                self.push(out, count);
            }
            self.is_complete = self.sent == self.length;
        }
        Ok(self.is_complete)
    }
}

impl Filler {
    /// A filler with `length` bytes of content.
    pub(super) fn new(length: u64, chunked: bool) -> Filler {
        Filler { sent: 0, length, chunked, is_complete: length == 0 && !chunked }
    }

    fn fill_chunks(&mut self, out: &mut Buffer) {
        while !self.is_complete {
            let count = self.next_count(CHUNK_BYTES as usize);
            // Only whole chunks, so that the chunks do not depend on how fast the client takes them.
            if out.room() < count + CHUNK_FRAME_BYTES {
                return;
            }
            // Leading zeros are allowed (RFC 9112 section 7.1), but some parsers recognise the last
            // chunk only by a single one.
            self.is_complete = count == 0;
            let fits = match count {
                0 => out.push(b"0\r\n"),
                _ => write!(out, "{count:04x}\r\n").is_ok(),
            };
            self.push(out, count);
            let fits = fits && out.push(b"\r\n");
            debug_assert!(fits, "room for the framing was checked above");
        }
    }

    /// How many bytes can be copied from the block at once.
    fn next_count(&self, room: usize) -> usize {
        let left = usize::try_from(self.length - self.sent).unwrap_or(usize::MAX);
        left.min(room).min(BLOCK.len() - self.position())
    }

    fn push(&mut self, out: &mut Buffer, count: usize) {
        let fits = out.push(&BLOCK[self.position()..][..count]);
        debug_assert!(fits, "count is at most the room");
        self.sent += count as u64;
    }

    /// Position of the next byte in the block.
    fn position(&self) -> usize {
        (self.sent % BLOCK.len() as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All bytes of a filler, taken in pieces of at most `room` bytes.
    fn taken(mut filler: Filler, room: usize) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let mut out = Buffer::new();
            assert!(out.push(&vec![0; out.room() - room]));
            let before = out.len();
            let is_complete = filler.fill(&mut out).unwrap();
            all.extend_from_slice(&out.bytes()[before..]);
            if is_complete {
                return all;
            }
        }
    }

    #[test]
    fn the_bytes_do_not_depend_on_the_room() {
        let expected: Vec<u8> = format!("{HOME}\n").bytes().cycle().take(40_000).collect();
        for room in [1, 7, 31, 4096, 16 * 1024] {
            for size in [0, 1, 31, 32, 8192, 16_384, 16_385, 40_000] {
                let filler = Filler::new(size as u64, false);
                assert_eq!(taken(filler, room), expected[..size], "{size} by {room}");
            }
        }
    }

    #[test]
    fn chunks_are_framed_and_end_once() {
        use crate::protocol::http::body::{BodyReader, Part};
        use crate::protocol::http::framing::Framing;
        let expected: Vec<u8> = format!("{HOME}\n").bytes().cycle().take(40_000).collect();
        for size in [0, 1, 31, 8192, 40_000] {
            let filler = Filler::new(size as u64, true);
            let whole = taken(filler, 16 * 1024);
            for room in [8200, 10_000, 16 * 1024] {
                let wire = taken(filler, room);
                assert!(wire == whole, "{size} by {room}: the chunks depend on the room");
                let (mut content, mut at) = (Vec::new(), 0);
                let mut reader = BodyReader::new(Framing::Chunked);
                while at < wire.len() {
                    match reader.next(&wire[at..]).unwrap().unwrap() {
                        Part::Content(count) => {
                            content.extend_from_slice(&wire[at..at + count]);
                            at += count;
                        }
                        other => at += other.length(),
                    }
                }
                assert!(reader.is_done());
                assert_eq!(content, expected[..size], "{size} by {room}");
            }
        }
    }
}
