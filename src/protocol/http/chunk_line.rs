//! The line in front of a chunk: its size, and extensions (RFC 9112 sections 7.1 and 7.1.1).
//!
//! Contract: takes the line byte by byte and says of each byte whether it belongs to the size or to an
//! extension. An extension is a matter of one connection, so a gateway drops it; what is not an extension by
//! the grammar is refused, because other programs would end the line elsewhere.
//!
//! ```text
//! chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )      BWS: blanks, or none
//! chunk-ext-name = token                    chunk-ext-val = token / quoted-string
//! ```

use super::{is_text_byte, is_token_byte};
use crate::protocol::limits::{CHUNK_LINE_BYTES_MAX, CONTENT_BYTES_MAX};

/// How far a line has been read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct ChunkLine {
    size: u64,
    /// Bytes before the line end so far.
    bytes: usize,
    place: Place,
    /// Blanks before the line end are accepted: from a back end.
    lenient: bool,
}

/// Within the line: behind what the last byte was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// The start of the line, or a digit of the size.
    Size,
    /// A blank that may come before a `;`: behind the size or a value.
    Blank,
    /// A `;`, or a blank behind it.
    Semicolon,
    /// A byte of an extension's name.
    Name,
    /// A blank behind a name.
    NameBlank,
    /// A `=`, or a blank behind it.
    Equals,
    /// A byte of a value that is a token.
    Value,
    /// The quote that ends a value.
    Unquote,
    /// A byte within quotes.
    Quoted,
    /// A backslash within quotes.
    Backslash,
    /// The `CR`.
    Cr,
}

/// What a byte of the line is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LineByte {
    /// A digit of the size, or the `CR`.
    Framing,
    /// A part of an extension, or a blank.
    Extension,
    /// The `LF`: the chunk begins, or after the last chunk the trailers.
    End,
}

impl ChunkLine {
    /// At the start of a line.
    pub(super) fn new(lenient: bool) -> ChunkLine {
        ChunkLine { size: 0, bytes: 0, place: Place::Size, lenient }
    }

    /// The size that the line says, once it has ended.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The bytes of the line without its line end.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes the next byte; `None` if the line breaks the grammar or is too long.
    ///
    /// A bare `LF` is not accepted as a line end: some programs accept it and some do not, so it would leave a
    /// doubt about where the body ends.
    pub(super) fn take(&mut self, byte: u8) -> Option<LineByte> {
        if self.place == Place::Cr {
            return (byte == b'\n').then_some(LineByte::End);
        }
        if byte == b'\r' && self.may_end() {
            self.place = Place::Cr;
            return Some(LineByte::Framing);
        }
        if self.bytes == CHUNK_LINE_BYTES_MAX {
            return None;
        }
        self.bytes += 1;
        if self.place == Place::Size
            && let Some(digit) = (byte as char).to_digit(16)
        {
            self.size = self.size.checked_mul(16)?.checked_add(u64::from(digit))?;
            return (self.size <= CONTENT_BYTES_MAX).then_some(LineByte::Framing);
        }
        self.place = self.next_place(byte)?;
        Some(LineByte::Extension)
    }

    /// True if the line may end here.
    fn may_end(&self) -> bool {
        match self.place {
            Place::Size => self.bytes > 0,
            Place::Name | Place::Value | Place::Unquote => true,
            Place::Blank | Place::NameBlank => self.lenient,
            Place::Semicolon | Place::Equals | Place::Quoted | Place::Backslash | Place::Cr => false,
        }
    }

    /// The place behind a byte that is neither a digit of the size nor of the line end.
    fn next_place(&self, byte: u8) -> Option<Place> {
        let is_blank = matches!(byte, b' ' | b'\t');
        let next = match (self.place, byte) {
            // A line without a size: this byte is its first.
            (Place::Size, _) if self.bytes == 1 => return None,
            (Place::Size | Place::Blank | Place::Value | Place::Unquote, b';') => Place::Semicolon,
            (Place::Size | Place::Blank | Place::Value | Place::Unquote, _) if is_blank => Place::Blank,
            (Place::Name | Place::NameBlank, b';') => Place::Semicolon,
            (Place::Name | Place::NameBlank, _) if is_blank => Place::NameBlank,
            (Place::Name | Place::NameBlank, b'=') => Place::Equals,
            (Place::Semicolon, _) if is_blank => Place::Semicolon,
            (Place::Semicolon | Place::Name, _) if is_token_byte(byte) => Place::Name,
            (Place::Equals, _) if is_blank => Place::Equals,
            (Place::Equals, b'"') => Place::Quoted,
            (Place::Equals | Place::Value, _) if is_token_byte(byte) => Place::Value,
            (Place::Quoted, b'"') => Place::Unquote,
            (Place::Quoted, b'\\') => Place::Backslash,
            (Place::Quoted | Place::Backslash, _) if is_text_byte(byte) => Place::Quoted,
            _ => return None,
        };
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of a line that passes, and its size; `None` if it is refused.
    fn passed(line: &[u8], lenient: bool) -> Option<(u64, String)> {
        let (mut reader, mut left) = (ChunkLine::new(lenient), String::new());
        for (index, byte) in line.iter().enumerate() {
            match reader.take(*byte)? {
                LineByte::Framing => left.push(*byte as char),
                LineByte::Extension => {}
                LineByte::End => {
                    assert_eq!(index + 1, line.len(), "{:?} ends early", line.escape_ascii());
                    return Some((reader.size(), left));
                }
            }
        }
        panic!("{:?} does not end", line.escape_ascii())
    }

    #[test]
    fn extensions_by_the_grammar_pass_and_are_dropped() {
        for line in [
            &b"5;a\r\n"[..],
            b"5;a=b\r\n",
            b"5;name=value\r\n",
            b"5 ;a=b\r\n",
            b"5\t;\ta\t=\tb\r\n",
            b"5;a;b=c;d=\"e\"\r\n",
            b"5;a=b ;c\r\n",
            b"5;a ;c\r\n",
            b"5;a=\"\"\r\n",
            b"5;a=\"b;c=\\\"d\\\\\"\r\n",
            b"5;a=\"\xff\"\r\n",
            b"5;5=5\r\n",
        ] {
            for lenient in [false, true] {
                assert_eq!(passed(line, lenient), Some((5, "5\r".to_owned())), "{:?}", line.escape_ascii());
            }
        }
    }

    #[test]
    fn what_is_no_extension_is_refused_from_both_sides() {
        for line in [
            &b"5;\r\n"[..],
            b"5;;a\r\n",
            b"5; \r\n",
            b"5;bad[=x\r\n",
            b"5;\"\xff\r\n",
            b"5;\"a\"\r\n",
            b"5;a=\"b\r\n",
            b"5;a=\"b\\\r\n",
            b"5;a=\"b\\\"\r\n",
            b"5;a=\"b\"c\r\n",
            b"5;a=\r\n",
            b"5;a= \r\n",
            b"5;a=b=c\r\n",
            b"5;a=b c\r\n",
            b"5;a b\r\n",
            b"5;=b\r\n",
            b"5;a=\xff\r\n",
            b"5 a\r\n",
            b"5 5\r\n",
            b"5,a\r\n",
            b"5;a=\0\r\n",
            b"5;a=\"\0\"\r\n",
            b"5;a=\"\x7f\"\r\n",
            b"5;a=b\n",
            b"5;a=\"\n\"\r\n",
            b" 5\r\n",
            b";a\r\n",
            b"\r\n",
        ] {
            for lenient in [false, true] {
                assert_eq!(passed(line, lenient), None, "{:?}", line.escape_ascii());
            }
        }
    }

    #[test]
    fn blanks_before_the_line_end_are_accepted_from_a_back_end_only() {
        for line in [&b"5 \r\n"[..], b"5\t \r\n", b"5;a \r\n", b"5;a=b\t\r\n", b"5;a=\"b\" \r\n"] {
            assert_eq!(passed(line, false), None, "{:?}", line.escape_ascii());
            assert_eq!(passed(line, true), Some((5, "5\r".to_owned())), "{:?}", line.escape_ascii());
        }
    }

    #[test]
    fn sizes_end_below_two_to_the_63() {
        for (line, size) in [
            ("7fffffffffffffff", Some(CONTENT_BYTES_MAX)),
            ("00007FFFFFFFFFFFFFFF", Some(CONTENT_BYTES_MAX)),
            ("8000000000000000", None),
            ("ffffffffffffffff", None),
            ("10000000000000000", None),
        ] {
            let found = passed(format!("{line}\r\n").as_bytes(), true).map(|(size, _)| size);
            assert_eq!(found, size, "{line}");
        }
    }
}
