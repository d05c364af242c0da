//! Test answers: `/?size=20000&delay=500ms&status=503&chunked=1&close=1`, in any combination.
//!
//! Contract: a back end that misbehaves to order. Each wish is bounded; one that cannot be granted
//! is a 400 whose sentence names it. The content is made on the way, a megabyte at the price of a
//! kilobyte.

use std::io::Write;
use std::time::Duration;

use super::pages::{HOME, HOME_BYTES};
use super::response::{Content, Length, Response};
use crate::protocol::buffer::Buffer;
use crate::protocol::http::{Version, decimal};
use crate::protocol::web::Generator;
use crate::site::limits::{TRIAL_BYTES_MAX, TRIAL_DELAY_MAX};

/// What the query asks for.
#[derive(Clone, Copy, Debug, Default)]
struct Wishes {
    size: Option<u64>,
    delay: Option<Duration>,
    status: Option<u16>,
    chunked: bool,
    close: bool,
}

/// The answer a query asks for; `None` if it asks for none, since nothing in it is known here.
pub(super) fn response(query: &str, version: Version) -> Option<Response> {
    match read(query) {
        Ok(None) => None,
        Ok(Some(wishes)) => Some(grant(wishes, version)),
        Err(sentence) => {
            let refused = Response::new(400, Content::Text(sentence));
            Some(Response { content_type: Some("text/plain"), ..refused })
        }
    }
}

/// The wishes of a query, `None` without any. A parameter that stands twice counts as it stands last.
fn read(query: &str) -> Result<Option<Wishes>, String> {
    let mut wishes = Wishes::default();
    let mut is_known = false;
    for parameter in query.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match name {
            "size" => {
                let size = decimal(value.as_bytes()).filter(|size| *size <= TRIAL_BYTES_MAX);
                wishes.size = Some(size.ok_or_else(|| {
                    format!("The parameter size is not a number of bytes from 0 to {TRIAL_BYTES_MAX}.")
                })?);
            }
            "delay" => {
                let delay = duration(value).filter(|delay| *delay <= TRIAL_DELAY_MAX);
                wishes.delay = Some(delay.ok_or_else(|| {
                    let most = TRIAL_DELAY_MAX.as_secs();
                    format!("The parameter delay is not a duration like 500ms or 4s, up to {most}s.")
                })?);
            }
            "status" => {
                let status = decimal(value.as_bytes()).filter(|status| (200..=599).contains(status));
                let status = status.and_then(|status| u16::try_from(status).ok());
                wishes.status =
                    Some(status.ok_or("The parameter status is not a status code from 200 to 599.")?);
            }
            "chunked" => wishes.chunked = flag(value).ok_or("The parameter chunked is neither 0 nor 1.")?,
            "close" => wishes.close = flag(value).ok_or("The parameter close is neither 0 nor 1.")?,
            _ => continue,
        }
        is_known = true;
    }
    Ok(is_known.then_some(wishes))
}

fn flag(value: &str) -> Option<bool> {
    match value {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

/// `500ms`, `4s` or `1m`: a number and its unit.
fn duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let number = decimal(number.as_bytes())?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        _ => None,
    }
}

fn grant(wishes: Wishes, version: Version) -> Response {
    let status = wishes.status.unwrap_or(200);
    let length = match status {
        205 => 0, // may not have content, but a length (RFC 9110 section 15.3.6)
        _ => wishes.size.unwrap_or(HOME_BYTES),
    };
    let (framing, chunked) = match (status, wishes.chunked, version) {
        (204 | 304, ..) => (Length::None, false),
        (_, false, _) => (Length::Known(length), false),
        (_, true, Version::Http11) => (Length::Chunked, true),
        // An older client knows no chunks: it reads until the close.
        (_, true, Version::Http10) => (Length::UntilClose, false),
    };
    let body = match framing {
        Length::None => Content::Empty,
        _ => Content::Filler { length, chunked },
    };
    Response {
        content_type: Some("text/plain"),
        length: framing,
        delay: wishes.delay,
        close: wishes.close || framing == Length::UntilClose,
        ..Response::new(status, body)
    }
}

/// One line of filler: the home page and a line end, so that the first 31 bytes are that page.
const LINE_BYTES: usize = HOME.len() + 1;
const LINES: usize = 512;
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

/// Bytes of content in a full chunk.
const CHUNK_BYTES: u64 = 8 * 1024;

/// Bytes that a chunk has beside its content: four digits and two line ends.
const CHUNK_FRAME_BYTES: usize = 8;

/// Makes the bytes of [`Content::Filler`], chunk framing included, as fast as they are taken.
#[derive(Clone, Copy, Debug)]
pub struct Filler {
    sent: u64,
    length: u64,
    chunked: bool,
    is_over: bool,
}

impl Generator for Filler {
    /// Puts in what there is room for; `true` once the last byte is in.
    fn fill(&mut self, out: &mut Buffer) -> bool {
        if self.chunked {
            self.fill_chunks(out);
        } else {
            while self.sent < self.length && out.room() > 0 {
                let count = self.next(out.room());
                self.push(out, count);
            }
            self.is_over = self.sent == self.length;
        }
        self.is_over
    }
}

impl Filler {
    /// A filler of `length` bytes of content.
    pub fn new(length: u64, chunked: bool) -> Filler {
        Filler { sent: 0, length, chunked, is_over: length == 0 && !chunked }
    }

    fn fill_chunks(&mut self, out: &mut Buffer) {
        while !self.is_over {
            let count = self.next(CHUNK_BYTES as usize);
            // Whole chunks only: the same request has the same bytes for its answer, however fast
            // the client takes them.
            if out.room() < count + CHUNK_FRAME_BYTES {
                return;
            }
            // Leading zeros are allowed (RFC 9112 section 7.1) but the last chunk has just one: some
            // parsers know it by that.
            self.is_over = count == 0;
            let fits = match count {
                0 => out.push(b"0\r\n"),
                _ => write!(out, "{count:04x}\r\n").is_ok(),
            };
            self.push(out, count);
            let fits = fits && out.push(b"\r\n");
            debug_assert!(fits, "the frame's bytes were kept free");
        }
    }

    /// How many bytes come next, of one block.
    fn next(&self, room: usize) -> usize {
        let left = usize::try_from(self.length - self.sent).unwrap_or(usize::MAX);
        left.min(room).min(BLOCK.len() - self.phase())
    }

    fn push(&mut self, out: &mut Buffer, count: usize) {
        let fits = out.push(&BLOCK[self.phase()..][..count]);
        debug_assert!(fits, "count was cut to the room");
        self.sent += count as u64;
    }

    /// Where in the block the next byte is.
    fn phase(&self) -> usize {
        (self.sent % BLOCK.len() as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Option<Response> {
        response(query, Version::Http11)
    }

    /// All bytes of a filler, taken in pieces of at most `room` bytes.
    fn taken(response: &Response, room: usize) -> Vec<u8> {
        let mut filler = response.body.filler().unwrap();
        let mut all = Vec::new();
        loop {
            let mut out = Buffer::new();
            assert!(out.push(&vec![0; out.room() - room]));
            let before = out.len();
            let is_over = filler.fill(&mut out);
            all.extend_from_slice(&out.bytes()[before..]);
            if is_over {
                return all;
            }
        }
    }

    #[test]
    fn wishes_are_granted_in_any_combination() {
        let response = asked("size=20000&delay=500ms&status=503&close=1").unwrap();
        assert_eq!((response.status, response.length, response.close), (503, Length::Known(20_000), true));
        assert_eq!(response.delay, Some(Duration::from_millis(500)));
        let response = asked("chunked=1").unwrap();
        assert_eq!((response.status, response.length, response.close), (200, Length::Chunked, false));
        assert_eq!(asked("delay=2s").unwrap().body.length(), 31);
        assert_eq!(asked("delay=1m&x=y").unwrap().delay, Some(Duration::from_secs(60)));
        assert_eq!(asked("size=1&size=2").unwrap().body.length(), 2);
        assert!(!asked("chunked=0&close=0").unwrap().close);
    }

    #[test]
    fn a_query_without_known_names_asks_for_nothing() {
        for query in ["", "x=1", "SIZE=1", "sized=1", "&&", "=5"] {
            assert!(asked(query).is_none(), "{query:?}");
        }
    }

    #[test]
    fn a_bad_value_is_named() {
        for query in [
            "size=",
            "size",
            "size=-1",
            "size=1k",
            "size=1073741825",
            "size=+5",
            "delay=500",
            "delay=",
            "delay=ms",
            "delay=61s",
            "delay=2m",
            "delay=1h",
            "delay=99999999999999999999s",
            "delay=999999999999999999m",
            "status=",
            "status=100",
            "status=600",
            "status=20x",
            "chunked=yes",
            "chunked",
            "close=2",
        ] {
            let response = asked(query).unwrap();
            let name = query.split('=').next().unwrap();
            let sentence = String::from_utf8(response.body.bytes().unwrap().to_vec()).unwrap();
            assert_eq!(response.status, 400, "{query}");
            assert!(sentence.contains(&format!("The parameter {name} ")), "{query}: {sentence}");
        }
    }

    #[test]
    fn statuses_without_a_body_have_none() {
        for status in [204, 304] {
            let response = asked(&format!("status={status}&size=9&chunked=1")).unwrap();
            assert_eq!((response.length, response.body.length()), (Length::None, 0));
        }
        assert_eq!(asked("status=205&size=9").unwrap().length, Length::Known(0));
    }

    #[test]
    fn a_client_of_http_1_0_reads_chunks_until_the_close() {
        let response = response("size=40&chunked=1", Version::Http10).unwrap();
        assert_eq!((response.length, response.close), (Length::UntilClose, true));
        assert_eq!(taken(&response, 16), taken(&asked("size=40").unwrap(), 16 * 1024));
    }

    #[test]
    fn a_filler_is_the_same_however_it_is_taken() {
        let expected: Vec<u8> = format!("{HOME}\n").bytes().cycle().take(40_000).collect();
        for room in [1, 7, 31, 4096, 16 * 1024] {
            for size in [0, 1, 31, 32, 8192, 16_384, 16_385, 40_000] {
                let response = asked(&format!("size={size}")).unwrap();
                assert_eq!(taken(&response, room), expected[..size], "{size} by {room}");
            }
        }
        assert_eq!(taken(&asked("delay=1s").unwrap(), 100), HOME.as_bytes());
    }

    #[test]
    fn chunks_are_framed_and_end_once() {
        use crate::protocol::http::body::{BodyReader, Part};
        use crate::protocol::http::framing::Framing;
        let expected: Vec<u8> = format!("{HOME}\n").bytes().cycle().take(40_000).collect();
        for size in [0, 1, 31, 8192, 40_000] {
            let asked = asked(&format!("size={size}&chunked=1")).unwrap();
            let whole = taken(&asked, 16 * 1024);
            for room in [8200, 10_000, 16 * 1024] {
                let wire = taken(&asked, room);
                assert!(wire == whole, "{size} by {room}: the chunks depend on the room");
                let (mut content, mut at) = (Vec::new(), 0);
                let mut reader = BodyReader::new(Framing::Chunked);
                while at < wire.len() {
                    match reader.next(&wire[at..]).unwrap().unwrap() {
                        Part::Content(count) => {
                            content.extend_from_slice(&wire[at..at + count]);
                            at += count;
                        }
                        Part::Framing(count) | Part::Trailer(count) => at += count,
                    }
                }
                assert!(reader.is_done());
                assert_eq!(content, expected[..size], "{size} by {room}");
            }
        }
    }
}
