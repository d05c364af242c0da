//! Bodies: reads one body to its end, in whatever pieces its bytes arrive.
//!
//! Contract: the caller gives [`BodyReader::next`] the bytes that are not used yet. It says how many of them
//! are the next part of the body, and whether this part is content, framing or a trailer. It never goes
//! beyond the end of the body: the bytes behind it are the next message. It stores no bytes and allocates
//! nothing.

use super::chunk_line::{ChunkLine, LineByte};
use super::framing::Framing;
use super::{is_text_byte, is_token_byte};
use crate::protocol::buffer::Buffer;
use crate::protocol::limits::{CHUNK_EXCESS_BYTES_MAX, TRAILER_BYTES_MAX};

/// Bytes of framing that each chunk may have before more of it counts as excess: enough for its size and
/// line ends (as in Go's net/http).
const CHUNK_FRAMING_BYTES: u64 = 16;

/// Reads one body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BodyReader {
    state: State,
    /// Bytes of chunk framing beyond the allowance: see [`CHUNK_EXCESS_BYTES_MAX`].
    excess: u64,
    /// The body comes from a back end: blanks behind a chunk size are accepted.
    lenient: bool,
}

/// The next part of a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// This many bytes of content.
    Content(usize),
    /// This many bytes of chunk sizes and line ends. The caller forwards them or leaves them out.
    Framing(usize),
    /// This many bytes of chunk extensions, and of blanks around them. They concern one connection only, so
    /// the caller leaves them out.
    Extension(usize),
    /// One complete trailer line of this many bytes, line end included. The caller forwards it or leaves it
    /// out, by its name.
    Trailer(usize),
}

impl Part {
    /// How many bytes it has.
    pub fn length(self) -> usize {
        let (Part::Content(count) | Part::Framing(count) | Part::Extension(count) | Part::Trailer(count)) =
            self;
        count
    }
}

/// What is wrong with a body. Its connection cannot be used for another message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BodyFault {
    /// A chunk or trailer breaks the grammar of RFC 9112 section 7.1.
    BadChunk,
    /// The sender closed before the end of the body.
    Cut,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Content up to this many bytes.
    Length(u64),
    /// Content until the sender closes.
    UntilClose,
    /// In the line in front of a chunk.
    Line(ChunkLine),
    /// In the content of a chunk.
    Chunk {
        left: u64,
    },
    /// Before the `CR` behind a chunk.
    ChunkCr,
    /// Before the `LF` behind a chunk.
    ChunkLf,
    /// At the start of a trailer line, or of the empty line that ends the body. `bytes` counts the trailers
    /// so far.
    Trailers {
        bytes: usize,
    },
    Done,
}

impl BodyReader {
    /// A reader for a body with this framing, strict: for a client's request.
    pub fn new(framing: Framing) -> BodyReader {
        BodyReader::reading(framing, false)
    }

    /// A reader for the body of a back end's response. It accepts blanks behind a chunk size, which some
    /// servers send and all clients accept; they leave no doubt about where the body ends.
    pub fn lenient(framing: Framing) -> BodyReader {
        BodyReader::reading(framing, true)
    }

    fn reading(framing: Framing, lenient: bool) -> BodyReader {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(bytes) => State::Length(bytes),
            Framing::Chunked => State::Line(ChunkLine::new(lenient)),
            Framing::UntilClose => State::UntilClose,
        };
        BodyReader { state, excess: 0, lenient }
    }

    /// True once the last byte of the body has been read.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Bytes of content that the sender has announced and that have not come yet.
    pub(crate) fn announced(&self) -> u64 {
        match self.state {
            State::Length(left) | State::Chunk { left } => left,
            _ => 0,
        }
    }

    /// Reads as much of the body as `buffer` holds behind its first `ready` bytes, which are waiting to be
    /// sent. Parts that `passes` accepts are added to those; the others are removed.
    pub(crate) fn forward(
        &mut self,
        buffer: &mut Buffer,
        ready: &mut usize,
        passes: impl Fn(Part, &[u8]) -> bool,
    ) -> Result<(), BodyFault> {
        // What passes is moved over what was removed before it, so each byte is moved once at most: a body
        // of very small chunks with an extension each costs no more than another one.
        let mut removed = 0;
        let result = loop {
            let bytes = &buffer.bytes()[*ready + removed..];
            match self.next(bytes) {
                Ok(Some(part)) if passes(part, &bytes[..part.length()]) => {
                    buffer.move_back(*ready + removed, part.length(), removed);
                    *ready += part.length();
                }
                Ok(Some(part)) => removed += part.length(),
                Ok(None) => break Ok(()),
                Err(fault) => break Err(fault),
            }
        };
        buffer.remove(*ready, removed);
        result
    }

    /// The next part of the body, at the start of `bytes`. `Ok(None)` if the body has ended, if `bytes` is
    /// empty, or if they are the beginning of a trailer line. The caller calls again with the bytes behind
    /// that part.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Option<Part>, BodyFault> {
        if bytes.is_empty() {
            return Ok(None);
        }
        match self.state {
            State::Done => Ok(None),
            State::UntilClose => Ok(Some(Part::Content(bytes.len()))),
            State::Length(left) => {
                let count = at_most(bytes.len(), left);
                self.state = match left - count as u64 {
                    0 => State::Done,
                    left => State::Length(left),
                };
                Ok(Some(Part::Content(count)))
            }
            State::Chunk { left } => {
                let count = at_most(bytes.len(), left);
                self.state = match left - count as u64 {
                    0 => State::ChunkCr,
                    left => State::Chunk { left },
                };
                Ok(Some(Part::Content(count)))
            }
            State::Trailers { bytes: before } => self.trailer(bytes, before),
            State::Line(_) | State::ChunkCr | State::ChunkLf => self.framing(bytes).map(Some),
        }
    }

    /// The sender has closed. `Err(Cut)` unless this is how the body ends.
    pub(crate) fn close(&mut self) -> Result<(), BodyFault> {
        match self.state {
            State::Done | State::UntilClose => {
                self.state = State::Done;
                Ok(())
            }
            _ => Err(BodyFault::Cut),
        }
    }

    /// Reads chunk sizes and line ends byte by byte, up to the next content, trailers or extension; or an
    /// extension up to its end.
    fn framing(&mut self, bytes: &[u8]) -> Result<Part, BodyFault> {
        let mut count = 0;
        let mut is_extension = false;
        for &byte in bytes {
            let before = self.state;
            let kind = self.step(byte)?;
            if count > 0 && is_extension != (kind == LineByte::Extension) {
                // It belongs to the next part.
                self.state = before;
                break;
            }
            is_extension = kind == LineByte::Extension;
            count += 1;
            if matches!(self.state, State::Chunk { .. } | State::Trailers { .. }) {
                break;
            }
        }
        Ok(if is_extension { Part::Extension(count) } else { Part::Framing(count) })
    }

    /// Takes one byte of chunk framing (RFC 9112 section 7.1).
    fn step(&mut self, byte: u8) -> Result<LineByte, BodyFault> {
        match (&mut self.state, byte) {
            (State::Line(line), byte) => {
                let kind = line.take(byte).ok_or(BodyFault::BadChunk)?;
                if kind == LineByte::End {
                    let (size, bytes) = (line.size(), line.bytes());
                    self.count_excess(size, bytes)?;
                    self.state = match size {
                        0 => State::Trailers { bytes: 0 },
                        left => State::Chunk { left },
                    };
                }
                Ok(kind)
            }
            (State::ChunkCr, b'\r') => {
                self.state = State::ChunkLf;
                Ok(LineByte::Framing)
            }
            (State::ChunkLf, b'\n') => {
                self.state = State::Line(ChunkLine::new(self.lenient));
                Ok(LineByte::Framing)
            }
            _ => Err(BodyFault::BadChunk),
        }
    }

    /// Counts the framing of one chunk. An attacker could send a body that is nearly all framing: each chunk
    /// with a long extension, or a size with many zeros (CVE-2023-39326). The rule is that of Go's net/http.
    fn count_excess(&mut self, size: u64, line_bytes: usize) -> Result<(), BodyFault> {
        let allowed = size.saturating_mul(2).saturating_add(CHUNK_FRAMING_BYTES);
        self.excess = (self.excess + line_bytes as u64 + 2).saturating_sub(allowed);
        if self.excess <= CHUNK_EXCESS_BYTES_MAX { Ok(()) } else { Err(BodyFault::BadChunk) }
    }

    /// Reads one trailer line, or the empty line that ends the body, once it is complete.
    fn trailer(&mut self, bytes: &[u8], before: usize) -> Result<Option<Part>, BodyFault> {
        let most = TRAILER_BYTES_MAX - before;
        let Some(end) = bytes.iter().take(most).position(|byte| *byte == b'\n') else {
            return if bytes.len() < most { Ok(None) } else { Err(BodyFault::BadChunk) };
        };
        match &bytes[..=end] {
            b"\r\n" => {
                self.state = State::Done;
                Ok(Some(Part::Framing(2)))
            }
            line if is_trailer(line, self.lenient) => {
                self.state = State::Trailers { bytes: before + line.len() };
                Ok(Some(Part::Trailer(line.len())))
            }
            _ => Err(BodyFault::BadChunk),
        }
    }
}

/// True if a line, with its line end, is a field by the grammar (RFC 9112 section 5). From a back end blanks
/// before the colon are accepted, as in a head.
fn is_trailer(line: &[u8], lenient: bool) -> bool {
    let Some(field) = line.strip_suffix(b"\r\n") else { return false };
    let Some(colon) = field.iter().position(|byte| *byte == b':') else { return false };
    let (name, value) = field.split_at(colon);
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let blanks = name.iter().rev().take_while(|byte| lenient && is_blank(byte)).count();
    let name = &name[..name.len() - blanks];
    !name.is_empty()
        && name.iter().all(|byte| is_token_byte(*byte))
        && value.iter().all(|byte| is_text_byte(*byte))
}

fn at_most(count: usize, limit: u64) -> usize {
    usize::try_from(limit).map_or(count, |limit| limit.min(count))
}

#[cfg(test)]
mod tests;
