//! The values of access lines.
//!
//! Contract: a value looks as its `Display` shows it. Numbers, times and addresses, of which each line has a dozen, are
//! written digit by digit: with the formatter of the standard library a line took more instructions than the request it
//! is about.

use std::fmt::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::super::quoted::Quoted;
use crate::protocol::logged_request::Readable;

/// One value of a line.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Number(u64),
    Truth(bool),
    /// Shown in milliseconds, to the microsecond.
    Milliseconds(Duration),
    Address(SocketAddr),
    /// A word of our own: visible ASCII that needs neither quotes nor escapes.
    Word(&'a str),
    /// Text as bytes, whoever made it: a client, for example.
    Bytes(&'a [u8]),
    /// What else can be shown.
    Text(&'a dyn fmt::Display),
}

impl Value<'_> {
    /// Writes it into a line of `key=value`: in quotes if it needs them.
    pub(super) fn for_people(self, out: &mut String) -> fmt::Result {
        match self {
            Value::Number(number) => push_number(out, number),
            Value::Truth(truth) => out.push_str(if truth { "true" } else { "false" }),
            Value::Milliseconds(duration) => push_milliseconds(out, duration),
            Value::Address(address) => push_address(out, address),
            Value::Word(word) => out.push_str(word),
            Value::Bytes(bytes) => match as_visible(bytes) {
                Some(text) if is_plain_word(text) => out.push_str(text),
                _ => push_quoted(out, bytes)?,
            },
            Value::Text(text) => plain_or_quoted(out, text)?,
        }
        Ok(())
    }

    /// Writes it into a JSON object: what is no number and no truth value is a string there.
    pub(super) fn for_json(self, out: &mut String) -> fmt::Result {
        match self {
            Value::Number(_) | Value::Truth(_) | Value::Milliseconds(_) => self.for_people(out),
            Value::Address(_) | Value::Word(_) => {
                out.push('"');
                self.for_people(out)?;
                out.push('"');
                Ok(())
            }
            Value::Bytes(bytes) => push_quoted(out, bytes),
            Value::Text(text) => write!(out, "{}", Quoted(text)),
        }
    }
}

/// Writes a number in decimal.
pub(super) fn push_number(out: &mut String, number: u64) {
    out.push_str(itoa::Buffer::new().format(number));
}

/// Writes the last three decimal digits of a number, zeros included.
pub(in super::super) fn push_three_digits(out: &mut String, number: u64) {
    for place in [100, 10, 1] {
        // One digit: it fits.
        out.push(char::from(b'0' + (number / place % 10) as u8));
    }
}

fn push_milliseconds(out: &mut String, duration: Duration) {
    // 64 bits of microseconds are half a million years.
    let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    push_number(out, microseconds / 1000);
    out.push('.');
    push_three_digits(out, microseconds);
}

/// Writes an address with its port.
pub(super) fn push_address(out: &mut String, address: SocketAddr) {
    match address {
        SocketAddr::V4(address) => {
            push_ip(out, IpAddr::V4(*address.ip()));
            out.push(':');
            push_number(out, address.port().into());
        }
        // Writing to a `String` does not fail.
        SocketAddr::V6(address) => _ = write!(out, "{address}"),
    }
}

/// Writes an address without a port.
pub(super) fn push_ip(out: &mut String, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            for (place, octet) in address.octets().into_iter().enumerate() {
                if place > 0 {
                    out.push('.');
                }
                push_number(out, octet.into());
            }
        }
        // Writing to a `String` does not fail.
        IpAddr::V6(address) => _ = write!(out, "{address}"),
    }
}

/// Writes what a client sent in quotes.
fn push_quoted(out: &mut String, bytes: &[u8]) -> fmt::Result {
    match as_visible(bytes) {
        Some(text) => {
            out.push('"');
            out.push_str(text);
            out.push('"');
            Ok(())
        }
        None => write!(out, "{}", Quoted(Readable(bytes))),
    }
}

/// The bytes as text, if all of them are visible ASCII or blanks that need no escapes within quotes, as in nearly all
/// requests.
fn as_visible(bytes: &[u8]) -> Option<&str> {
    let is_visible = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    let text = bytes.iter().all(is_visible).then(|| str::from_utf8(bytes));
    text.and_then(Result::ok)
}

/// Writes a value of a `key=value` line, in quotes if it needs them: it is looked at where it stands.
fn plain_or_quoted(out: &mut String, value: &dyn fmt::Display) -> fmt::Result {
    let start = out.len();
    write!(out, "{value}")?;
    if !is_plain_word(&out[start..]) {
        out.truncate(start);
        write!(out, "{}", Quoted(value))?;
    }
    Ok(())
}

/// True if a value needs no quotes in a `key=value` line.
fn is_plain_word(value: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=');
    !value.is_empty() && value.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn people(value: Value<'_>) -> String {
        let mut out = String::new();
        value.for_people(&mut out).unwrap();
        out
    }

    fn json(value: Value<'_>) -> String {
        let mut out = String::new();
        value.for_json(&mut out).unwrap();
        out
    }

    proptest! {
        #[test]
        fn numbers_and_addresses_look_as_the_standard_library_shows_them(
            number: u64, v4: [u8; 4], v6: [u16; 8], port: u16, micros in 0..u64::MAX / 1000,
        ) {
            prop_assert_eq!(people(Value::Number(number)), number.to_string());
            for ip in [IpAddr::V4(Ipv4Addr::from(v4)), IpAddr::V6(Ipv6Addr::from(v6))] {
                let address = SocketAddr::new(ip, port);
                prop_assert_eq!(people(Value::Address(address)), address.to_string());
                prop_assert_eq!(json(Value::Address(address)), format!("\"{address}\""));
                let mut out = String::new();
                push_ip(&mut out, ip);
                prop_assert_eq!(out, ip.to_string());
            }
            let shown = format!("{}.{:03}", micros / 1000, micros % 1000);
            prop_assert_eq!(people(Value::Milliseconds(Duration::from_micros(micros))), shown);
        }

        #[test]
        fn bytes_look_as_the_same_bytes_do_that_were_made_readable(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), b' '..=b'~'], 0..20),
        ) {
            let readable = Readable(&bytes);
            prop_assert_eq!(people(Value::Bytes(&bytes)), people(Value::Text(&readable)));
            prop_assert_eq!(json(Value::Bytes(&bytes)), json(Value::Text(&readable)));
        }
    }

    #[test]
    fn what_is_no_number_is_a_string_in_json() {
        for (value, for_people, for_json) in [
            (Value::Truth(true), "true", "true"),
            (Value::Word("finished"), "finished", "\"finished\""),
            (Value::Bytes(b"GET /"), "\"GET /\"", "\"GET /\""),
            (Value::Bytes(b"/a"), "/a", "\"/a\""),
            (Value::Bytes(b""), "\"\"", "\"\""),
            (Value::Bytes(b"a=b"), "\"a=b\"", "\"a=b\""),
            (Value::Bytes(b"\"\n"), "\"\\\"\\n\"", "\"\\\"\\n\""),
            (Value::Text(&7), "7", "\"7\""),
        ] {
            assert_eq!((people(value).as_str(), json(value).as_str()), (for_people, for_json));
        }
    }
}
