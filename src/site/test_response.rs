//! Test responses: `/?size=20000&delay=500ms&status=503&chunked=1&close=1`, in any combination.
//!
//! Contract: the query makes a back end slow, large or faulty as a test needs it. Each parameter is
//! bounded; a bad value is a 400 whose sentence names the parameter.

use std::time::Duration;

use super::limits::{TEST_BYTES_MAX, TEST_DELAY_MAX};
use super::response::{Content, Length, Response};
use super::texts::HOME;
use crate::protocol::http::{Version, decimal};

/// The parameters of a query.
#[derive(Clone, Copy, Debug, Default)]
struct Parameters {
    size: Option<u64>,
    delay: Option<Duration>,
    status: Option<u16>,
    chunked: bool,
    close: bool,
}

/// The test response that a query asks for; `None` if it has no parameter of a test response.
pub(super) fn respond(query: &str, version: Version) -> Option<Response> {
    match parse(query) {
        Ok(None) => None,
        Ok(Some(parameters)) => Some(parameters.response(version)),
        Err(sentence) => {
            let refused = Response::new(400, Content::Text(sentence));
            Some(Response { content_type: Some("text/plain"), ..refused })
        }
    }
}

/// The parameters of a query, `None` without any. Of a repeated parameter the last one counts.
fn parse(query: &str) -> Result<Option<Parameters>, String> {
    let mut parameters = Parameters::default();
    let mut any_known = false;
    for parameter in query.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match name {
            "size" => {
                let size = decimal(value.as_bytes()).filter(|size| *size <= TEST_BYTES_MAX);
                parameters.size = Some(size.ok_or_else(|| {
                    format!("The parameter size is not a number of bytes from 0 to {TEST_BYTES_MAX}.")
                })?);
            }
            "delay" => {
                let delay = duration(value).filter(|delay| *delay <= TEST_DELAY_MAX);
                parameters.delay = Some(delay.ok_or_else(|| {
                    let most = TEST_DELAY_MAX.as_secs();
                    format!("The parameter delay is not a duration like 500ms or 4s, up to {most}s.")
                })?);
            }
            "status" => {
                let status = decimal(value.as_bytes()).filter(|status| (200..=599).contains(status));
                let status = status.and_then(|status| u16::try_from(status).ok());
                parameters.status =
                    Some(status.ok_or("The parameter status is not a status code from 200 to 599.")?);
            }
            "chunked" => {
                parameters.chunked = flag(value).ok_or("The parameter chunked is neither 0 nor 1.")?
            }
            "close" => parameters.close = flag(value).ok_or("The parameter close is neither 0 nor 1.")?,
            _ => continue,
        }
        any_known = true;
    }
    Ok(any_known.then_some(parameters))
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

impl Parameters {
    /// The response with these parameters, to a client of this version.
    fn response(self, version: Version) -> Response {
        let status = self.status.unwrap_or(200);
        let length = match status {
            205 => 0, // must not have content, and a length of 0 says so (RFC 9110 section 15.3.6)
            _ => self.size.unwrap_or(HOME.len() as u64),
        };
        let (framing, chunked) = match (status, self.chunked, version) {
            (204 | 304, ..) => (Length::None, false),
            (_, false, _) => (Length::Known(length), false),
            (_, true, Version::Http11) => (Length::Chunked, true),
            // HTTP/1.0 has no chunks: the client reads until the connection is closed.
            (_, true, Version::Http10) => (Length::UntilClose, false),
        };
        let body = match framing {
            Length::None => Content::Empty,
            _ => Content::Filler { length, chunked },
        };
        Response {
            content_type: Some("text/plain"),
            length: framing,
            delay: self.delay,
            close: self.close || framing == Length::UntilClose,
            ..Response::new(status, body)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response_to(query: &str) -> Option<Response> {
        respond(query, Version::Http11)
    }

    #[test]
    fn parameters_work_in_any_combination() {
        let response = response_to("size=20000&delay=500ms&status=503&close=1").unwrap();
        assert_eq!((response.status, response.length, response.close), (503, Length::Known(20_000), true));
        assert_eq!(response.delay, Some(Duration::from_millis(500)));
        let response = response_to("chunked=1").unwrap();
        assert_eq!((response.status, response.length, response.close), (200, Length::Chunked, false));
        assert_eq!(response_to("delay=2s").unwrap().body.length(), 31);
        assert_eq!(response_to("delay=1m&x=y").unwrap().delay, Some(Duration::from_secs(60)));
        assert_eq!(response_to("size=1&size=2").unwrap().body.length(), 2);
        assert!(!response_to("chunked=0&close=0").unwrap().close);
    }

    #[test]
    fn a_query_without_known_parameters_is_ignored() {
        for query in ["", "x=1", "SIZE=1", "sized=1", "&&", "=5"] {
            assert!(response_to(query).is_none(), "{query:?}");
        }
    }

    #[test]
    fn the_parameter_of_a_bad_value_is_named() {
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
            let response = response_to(query).unwrap();
            let name = query.split('=').next().unwrap();
            let sentence = String::from_utf8(response.body.bytes().unwrap().to_vec()).unwrap();
            assert_eq!(response.status, 400, "{query}");
            assert!(sentence.contains(&format!("The parameter {name} ")), "{query}: {sentence}");
        }
    }

    #[test]
    fn statuses_without_a_body_have_none() {
        for status in [204, 304] {
            let response = response_to(&format!("status={status}&size=9&chunked=1")).unwrap();
            assert_eq!((response.length, response.body.length()), (Length::None, 0));
        }
        assert_eq!(response_to("status=205&size=9").unwrap().length, Length::Known(0));
    }

    #[test]
    fn a_client_of_http_1_0_reads_chunks_until_the_close() {
        let response = respond("size=40&chunked=1", Version::Http10).unwrap();
        assert_eq!((response.length, response.close), (Length::UntilClose, true));
        assert!(matches!(response.body, Content::Filler { length: 40, chunked: false }));
    }
}
