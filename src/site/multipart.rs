//! Several parts of a file in one body: `multipart/byteranges` (RFC 9110 section 14.6).
//!
//! Contract: the length is known before the first byte, and the body is generated while it is sent: no part is
//! copied into memory as a whole. The boundary cannot be guessed, so no file can hold it on purpose.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::cached_file::CachedFile;
use crate::protocol::buffer::Buffer;
use crate::protocol::web::Generator;

/// Several parts of one file, of which some bytes may have been sent.
#[derive(Debug)]
pub struct Multipart {
    file: Arc<CachedFile>,
    boundary: String,
    /// The parts that are not begun, the last one first.
    parts: Vec<Range<u64>>,
    /// What stands before the part that comes next, or behind the last one, and how much of it is out.
    text: String,
    text_sent: usize,
    /// True if that is what stands behind the last part.
    is_at_end: bool,
    /// What is left of the part that is being sent.
    part: Range<u64>,
    /// Bytes of the whole body.
    length: u64,
}

impl Multipart {
    /// These parts of a file, of which there is at least one.
    pub(super) fn new(file: Arc<CachedFile>, mut parts: Vec<Range<u64>>) -> Multipart {
        let random = || RandomState::new().hash_one(file.etag());
        let boundary = format!("{:016x}{:016x}", random(), random());
        let framing: u64 = parts
            .iter()
            .map(|part| before(&file, &boundary, part).len() as u64 + part.end - part.start)
            .sum();
        // The line end before the first boundary is left out, because nothing stands before it.
        let length = framing - LINE_END + behind(&boundary).len() as u64;
        parts.reverse();
        let mut multipart = Multipart {
            file,
            boundary,
            parts,
            text: String::new(),
            text_sent: 0,
            is_at_end: false,
            part: 0..0,
            length,
        };
        multipart.begin_part();
        multipart.text_sent = LINE_END as usize;
        multipart
    }

    /// Bytes of the whole body.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// What separates the parts, for `Content-Type`.
    pub(super) fn boundary(&self) -> &str {
        &self.boundary
    }

    /// Makes the next part the one that is sent; behind the last one only the end is left.
    fn begin_part(&mut self) {
        self.text_sent = 0;
        match self.parts.pop() {
            Some(part) => {
                self.text = before(&self.file, &self.boundary, &part);
                self.part = part;
            }
            None => {
                self.text = behind(&self.boundary);
                self.is_at_end = true;
            }
        }
    }

    /// Appends as much of the part as there is room for.
    fn fill_part(&mut self, out: &mut Buffer) -> io::Result<()> {
        let left = self.part.end - self.part.start;
        // The cast loses nothing: it is at most the room.
        let count = left.min(out.room() as u64) as usize;
        if count == 0 {
            return Ok(());
        }
        match self.file.read_at(self.part.start, &mut out.space()[..count])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                out.filled(read);
                self.part.start += read as u64;
                Ok(())
            }
        }
    }
}

impl Generator for Multipart {
    fn fill(&mut self, out: &mut Buffer) -> io::Result<bool> {
        loop {
            let text = &self.text.as_bytes()[self.text_sent..];
            let text = &text[..text.len().min(out.room())];
            let fits = out.push(text);
            debug_assert!(fits, "it was cut to the room");
            self.text_sent += text.len();
            if self.text_sent < self.text.len() {
                return Ok(false);
            }
            if self.is_at_end {
                return Ok(true);
            }
            self.fill_part(out)?;
            if self.part.is_empty() {
                self.begin_part();
            } else if out.room() == 0 {
                return Ok(false);
            }
        }
    }
}

/// Bytes of a line end.
const LINE_END: u64 = 2;

/// What stands before a part.
fn before(file: &CachedFile, boundary: &str, part: &Range<u64>) -> String {
    let (content_type, whole) = (file.content_type(), file.size());
    let (first, last) = (part.start, part.end - 1);
    format!(
        "\r\n--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: bytes {first}-{last}/{whole}\r\n\r\n"
    )
}

/// What stands behind the last part.
fn behind(boundary: &str) -> String {
    format!("\r\n--{boundary}--\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::beneath::Stamp;
    use crate::protocol::now::Now;
    use crate::site::limits::CACHED_FILE_BYTES_MAX;
    use std::fs::File;
    use std::io::Write;
    use std::time::{Instant, SystemTime};

    fn cached(content: &[u8]) -> (File, Arc<CachedFile>) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        let stamp = Stamp::of(&file.metadata().unwrap());
        let now = Now { instant: Instant::now(), wall: SystemTime::now() };
        let cached =
            CachedFile::load(file.try_clone().unwrap(), stamp, |_| "text/plain".into(), &now).unwrap();
        (file, Arc::new(cached))
    }

    /// The body, sent in pieces of `piece` bytes.
    fn body(mut multipart: Multipart, piece: usize) -> Vec<u8> {
        let (mut out, mut sent) = (Buffer::new(), Vec::new());
        loop {
            let is_whole = multipart.fill(&mut out).unwrap();
            let count = if is_whole { out.bytes().len() } else { piece.min(out.bytes().len()) };
            sent.extend_from_slice(&out.bytes()[..count]);
            out.consume(count);
            if is_whole {
                return sent;
            }
        }
    }

    #[test]
    fn parts_stand_between_boundaries() {
        let (_file, cached) = cached(b"0123456789");
        let multipart = Multipart::new(cached, vec![7..10, 0..2]);
        let (boundary, length) = (multipart.boundary().to_owned(), multipart.length());
        let body = String::from_utf8(body(multipart, 1)).unwrap();
        assert_eq!(
            body,
            format!(
                "--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 7-9/10\r\n\r\n789\r\n\
                 --{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n\
                 --{boundary}--\r\n"
            )
        );
        assert_eq!(length, body.len() as u64);
    }

    #[test]
    fn large_parts_of_an_open_file_come_whole_in_any_pieces() {
        let size = CACHED_FILE_BYTES_MAX as usize * 2;
        let content: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let (_file, cached) = cached(&content);
        assert!(cached.open_file().is_some());
        for piece in [100, 1000, 100_000] {
            let multipart = Multipart::new(Arc::clone(&cached), vec![0..70_000, 80_000..size as u64]);
            let length = multipart.length();
            let body = body(multipart, piece);
            assert_eq!(body.len() as u64, length);
            for part in [&content[..70_000], &content[80_000..]] {
                assert!(body.windows(part.len()).any(|window| window == part));
            }
        }
    }

    #[test]
    fn no_two_boundaries_are_the_same() {
        let (_file, cached) = cached(b"0123456789");
        let boundary = || Multipart::new(Arc::clone(&cached), vec![0..1, 2..3]).boundary().to_owned();
        assert!(boundary() != boundary() && boundary().len() == 32);
    }

    #[test]
    fn a_file_that_shrank_is_an_error() {
        let (file, cached) = cached(&vec![b'x'; CACHED_FILE_BYTES_MAX as usize + 100]);
        let mut multipart = Multipart::new(cached, vec![0..1, 70..CACHED_FILE_BYTES_MAX]);
        file.set_len(60).unwrap();
        let mut out = Buffer::new();
        assert_eq!(multipart.fill(&mut out).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
