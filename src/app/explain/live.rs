//! What a running role says of its back ends: the reader of its `/status.json`.
//!
//! Contract: fields that this program does not know are passed over; a document of another schema is an error. It
//! comes from another program: of its texts only plain words are shown, so that none can change the terminal.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use crate::app::cli::{Failure, STATUS_PATH};
use crate::net::endpoint::Endpoint;
use crate::net::fetch::{FetchLimits, fetch};

/// The version of the document that is read here.
const SCHEMA: u32 = 1;

/// What the document may take: 5 s, since a status page responds within a second even when its role is full; 4 MiB,
/// since a back end takes about 200 bytes, and thousands of them should fit.
const STATUS_LIMITS: FetchLimits = FetchLimits { time: Duration::from_secs(5), bytes: 4 * 1024 * 1024 };

/// The longest word of another program that is shown: bytes of a role's or a policy's name.
const WORD_BYTES_MAX: usize = 64;

/// The state of a running role.
#[derive(Clone, Debug)]
pub(super) struct Live {
    page: Endpoint,
    status: Status,
}

#[derive(Clone, Debug, Deserialize)]
struct Status {
    role: String,
    groups: Vec<LiveGroup>,
}

/// A group of back ends as the running role sees it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct LiveGroup {
    name: String,
    pub(super) policy: String,
    pub(super) backends: Vec<LiveBackend>,
}

/// A back end as the running role sees it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct LiveBackend {
    pub(super) address: SocketAddr,
    pub(super) state: State,
    /// It may be given a connection or request now.
    pub(super) usable: bool,
    pub(super) active: u64,
    pub(super) served: u64,
    pub(super) failed: u64,
    /// The next turn is its.
    #[serde(default)]
    pub(super) next: bool,
}

/// Why a back end is used or not.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Up,
    Down,
    Ejected,
    Drain,
    Maintenance,
    #[serde(other)]
    Unknown,
}

impl State {
    pub(super) fn word(self) -> &'static str {
        match self {
            State::Up => "up",
            State::Down => "down",
            State::Ejected => "ejected",
            State::Drain => "drain",
            State::Maintenance => "maintenance",
            State::Unknown => "in a state that is not known here",
        }
    }
}

impl Live {
    /// Asks the status page of a running role.
    pub(super) fn ask(page: &Endpoint) -> Result<Live, Failure> {
        let failure = |words: String| Failure::Runtime(format!("--live {}: {words}", url(page)));
        let document = fetch(page, STATUS_PATH, STATUS_LIMITS).map_err(|error| failure(error.to_string()))?;
        let status = read(&document).map_err(failure)?;
        Ok(Live { page: page.clone(), status })
    }

    /// The page and the role that it is of, for the text.
    pub(super) fn source(&self) -> String {
        format!("{} ({})", url(&self.page), self.status.role)
    }

    /// The group of this name.
    pub(super) fn group(&self, name: &str) -> Result<&LiveGroup, Failure> {
        self.status.groups.iter().find(|group| group.name == name).ok_or_else(|| {
            Failure::Runtime(format!(
                "--live {}: the {} there has no group {name:?}: it is another role, or has another configuration",
                url(&self.page),
                self.status.role
            ))
        })
    }
}

fn url(page: &Endpoint) -> String {
    format!("http://{page}")
}

fn read(document: &[u8]) -> Result<Status, String> {
    #[derive(Deserialize)]
    struct Versioned {
        schema: u32,
    }
    let no_status = |error| format!("{STATUS_PATH} is not the status of a role: {error}");
    // First of all: another schema may have other fields.
    let Versioned { schema } = serde_json::from_slice(document).map_err(no_status)?;
    if schema != SCHEMA {
        return Err(format!("{STATUS_PATH} has schema {schema}, and this program reads schema {SCHEMA}"));
    }
    let status: Status = serde_json::from_slice(document).map_err(no_status)?;
    let words = std::iter::once(&status.role).chain(status.groups.iter().map(|group| &group.policy));
    match words.into_iter().all(|word| is_word(word)) {
        true => Ok(status),
        false => Err(format!("{STATUS_PATH} names a role or a policy by something that is no word")),
    }
}

/// True for what can be shown on a terminal as it is.
fn is_word(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_ ".contains(&byte);
    (1..=WORD_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKEND: &str =
        r#"{"address":"[::1]:81","state":"up","usable":true,"active":1,"served":2,"failed":3"#;

    fn of(schema: u32, role: &str, backend: &str) -> Result<Status, String> {
        let group = format!(r#"{{"name":"/a","policy":"round-robin","queued":0,"backends":[{backend}]}}"#);
        read(format!(r#"{{"schema":{schema},"role":"{role}","up":7,"groups":[{group}]}}"#).as_bytes())
    }

    #[test]
    fn unknown_fields_and_states_do_no_harm() {
        let more = BACKEND.replace("\"up\"", "\"asleep\"") + r#","next":true,"weight":4}"#;
        let status = of(1, "lb-async", &more).unwrap();
        let backend = &status.groups[0].backends[0];
        assert_eq!((backend.state, backend.next, backend.failed), (State::Unknown, true, 3));
        let status = of(1, "lb-async", &format!("{BACKEND}}}")).unwrap();
        assert!(!status.groups[0].backends[0].next);
    }

    #[test]
    fn another_document_is_an_error_that_says_so() {
        let backend = format!("{BACKEND}}}");
        for (result, words) in [
            (of(2, "x", &backend), "has schema 2, and this program reads schema 1"),
            (of(1, "\\u001b[31m", &backend), "no word"),
            (of(1, "", &backend), "no word"),
            (of(1, "x", "{}"), "missing field `address`"),
            (of(1, "x", &backend.replace("[::1]:81", "here")), "is not the status of a role"),
            (read(b"[]"), "is not the status of a role"),
            (read(b"<html>"), "is not the status of a role"),
            (read(b"{}"), "missing field `schema`"),
        ] {
            let error = result.unwrap_err();
            assert!(error.contains(words), "{error}, not {words}");
        }
    }
}
