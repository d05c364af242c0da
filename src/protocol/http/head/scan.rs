//! Where a head ends: the search for its empty line.

use memchr::memchr;

use super::HeadLimits;
use crate::protocol::http::Refusal;
use crate::protocol::limits::{HEAD_BYTES_MAX, REQUEST_LINE_BYTES_MAX};

/// Searches the empty line that ends a head, and looks at each byte only once.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadScan {
    scanned: usize,
    /// Bytes of the present line without its `CR`; 0 at the start of a line.
    line_bytes: usize,
    /// The start line has begun. Empty lines before it do not end the head (RFC 9112 section 2.2).
    started: bool,
    first_line_done: bool,
    /// How many bytes there were at the last [`Scan::TryParse`]; the next one is at twice as many.
    tried: usize,
    limits: HeadLimits,
}

/// The result of [`HeadScan::advance`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scan {
    /// The head is not complete.
    Partial,
    /// The head is not complete, but there are enough new bytes to parse what is there, so that a syntax
    /// error is found before the deadline.
    TryParse,
    /// The head is complete and has this many bytes.
    Complete(usize),
}

impl HeadScan {
    /// A scan that refuses what is longer than this.
    pub(crate) fn within(limits: HeadLimits) -> HeadScan {
        HeadScan { limits, ..HeadScan::default() }
    }

    /// Continues where the last call stopped. `bytes` begins with the first byte of the head.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Scan, Refusal> {
        let within = &bytes[..bytes.len().min(self.limits.bytes)];
        while self.scanned < within.len() {
            let rest = &within[self.scanned..];
            let end = memchr(b'\n', rest);
            let line = &rest[..end.unwrap_or(rest.len())];
            match self.first_line_done {
                false => self.count_first_line(line)?,
                // Of the other lines only matters whether they are empty.
                true => self.line_bytes += usize::from(line.iter().any(|byte| *byte != b'\r')),
            }
            self.scanned += line.len() + usize::from(end.is_some());
            if end.is_some() {
                let is_empty = std::mem::take(&mut self.line_bytes) == 0;
                if self.first_line_done && is_empty {
                    return Ok(Scan::Complete(self.scanned));
                }
                self.first_line_done = self.started;
            }
        }
        if bytes.len() >= self.limits.bytes {
            return Err(match self.limits.bytes {
                HEAD_BYTES_MAX => Refusal::new(431, "The request head is longer than 16 KiB."),
                _ => Refusal::new(431, "The request head is longer than this server accepts."),
            });
        }
        if bytes.len() >= 2 * self.tried && !bytes.is_empty() {
            self.tried = bytes.len();
            return Ok(Scan::TryParse);
        }
        Ok(Scan::Partial)
    }

    /// Counts bytes of the start line, up to the one that is too many.
    fn count_first_line(&mut self, line: &[u8]) -> Result<(), Refusal> {
        let count = line.iter().map(bytes_of).sum::<usize>();
        self.started |= count > 0;
        let mut room = self.limits.line - self.line_bytes;
        if count <= room {
            self.line_bytes += count;
            return Ok(());
        }
        for byte in line {
            self.scanned += 1;
            match room.checked_sub(bytes_of(byte)) {
                Some(left) => room = left,
                None => break,
            }
        }
        Err(match self.limits.line {
            REQUEST_LINE_BYTES_MAX => Refusal::new(414, "The request line is longer than 8 KiB."),
            _ => Refusal::new(414, "The request line is longer than this server accepts."),
        })
    }

    /// The part of `bytes` that has been scanned.
    pub(crate) fn scanned<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        &bytes[..self.scanned]
    }

    /// True once the start line has begun: empty lines before it do not count.
    pub(crate) fn has_started(&self) -> bool {
        self.started
    }
}

/// How much a byte of the start line counts: a raw byte of the target will be an escape of three.
fn bytes_of(byte: &u8) -> usize {
    match byte {
        b'\r' => 0,
        0..=0x7f => 1,
        _ => 3,
    }
}
