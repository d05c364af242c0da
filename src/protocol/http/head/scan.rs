//! Where a head ends: the search for its empty line.

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
            if self.first_line_done {
                if self.is_line_empty(&within[self.scanned..]) {
                    return Ok(Scan::Complete(self.scanned));
                }
                continue;
            }
            let byte = within[self.scanned];
            self.scanned += 1;
            match byte {
                b'\n' => {
                    self.first_line_done = self.started;
                    self.line_bytes = 0;
                }
                b'\r' => {}
                _ => {
                    self.started = true;
                    // A raw byte of the target will be an escape of three.
                    self.line_bytes += if byte.is_ascii() { 1 } else { 3 };
                    if self.line_bytes > self.limits.line {
                        return Err(match self.limits.line {
                            REQUEST_LINE_BYTES_MAX => {
                                Refusal::new(414, "The request line is longer than 8 KiB.")
                            }
                            _ => Refusal::new(414, "The request line is longer than this server accepts."),
                        });
                    }
                }
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

    /// Goes to the end of a field line, or of what is here of it; true if it has ended and was empty. Of these lines
    /// only that matters, so their bytes need not be looked at one by one.
    fn is_line_empty(&mut self, rest: &[u8]) -> bool {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let line = &rest[..end.unwrap_or(rest.len())];
        self.line_bytes += usize::from(line.iter().any(|byte| *byte != b'\r'));
        self.scanned += line.len();
        if end.is_none() {
            return false;
        }
        self.scanned += 1;
        std::mem::take(&mut self.line_bytes) == 0
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
