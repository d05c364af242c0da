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
    role: LiveRole,
}

#[derive(Clone, Debug, Deserialize)]
struct Status {
    roles: Vec<LiveRole>,
}

/// One of the roles behind the page: a suite has several.
#[derive(Clone, Debug, Deserialize)]
struct LiveRole {
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
    /// How many turns it gets for each turn of a back end with weight 1.
    #[serde(default = "one")]
    pub(super) weight: u32,
    /// It gets turns only while none of the others is up.
    #[serde(default)]
    pub(super) backup: bool,
    /// A word or some: `up`, or why it is not.
    pub(super) state: String,
    /// It may be given a connection or request now.
    pub(super) usable: bool,
    pub(super) active: u64,
    pub(super) served: u64,
    pub(super) failed: u64,
    /// The next turn is its.
    #[serde(default)]
    pub(super) next: bool,
}

/// The weight of a back end of which none is told.
fn one() -> u32 {
    1
}

impl Live {
    /// Asks the status page of a running role of this name.
    pub(super) fn ask(page: &Endpoint, role: &str) -> Result<Live, Failure> {
        let failure = |words: String| Failure::Runtime(format!("--live {}: {words}", url(page)));
        let document = fetch(page, STATUS_PATH, STATUS_LIMITS).map_err(|error| failure(error.to_string()))?;
        let status = read(&document).map_err(failure)?;
        let found = status.roles.into_iter().find(|one| one.role == role);
        let role = found.ok_or_else(|| failure(format!("no {role} runs there")))?;
        Ok(Live { page: page.clone(), role })
    }

    /// The page and the role that it is of, for the text.
    pub(super) fn source(&self) -> String {
        format!("{} ({})", url(&self.page), self.role.role)
    }

    /// The group of this name.
    pub(super) fn group(&self, name: &str) -> Result<&LiveGroup, Failure> {
        self.role.groups.iter().find(|group| group.name == name).ok_or_else(|| {
            Failure::Runtime(format!(
                "--live {}: the {} there has no group {name:?}: it is another role, or has another configuration",
                url(&self.page),
                self.role.role
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
    let groups = || status.roles.iter().flat_map(|role| &role.groups);
    let states = groups().flat_map(|group| &group.backends).map(|backend| &backend.state);
    let mut words = groups().map(|group| &group.policy).chain(states);
    match words.all(|word| is_word(word)) {
        true => Ok(status),
        false => Err(format!("{STATUS_PATH} names a policy or a state by something that is no word")),
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

    fn of(schema: u32, policy: &str, backend: &str) -> Result<Status, String> {
        let group = format!(r#"{{"name":"/a","policy":"{policy}","queued":0,"backends":[{backend}]}}"#);
        let role = format!(r#"{{"role":"lb-async","up":7,"groups":[{group}]}}"#);
        read(format!(r#"{{"schema":{schema},"roles":[{role}]}}"#).as_bytes())
    }

    #[test]
    fn unknown_fields_and_states_do_no_harm() {
        let more = BACKEND.replace("\"up\"", "\"asleep\"") + r#","next":true,"weight":4}"#;
        let status = of(1, "round-robin", &more).unwrap();
        let backend = &status.roles[0].groups[0].backends[0];
        assert_eq!((backend.state.as_str(), backend.next, backend.failed), ("asleep", true, 3));
        let status = of(1, "round-robin", &format!("{BACKEND}}}")).unwrap();
        assert!(!status.roles[0].groups[0].backends[0].next);
    }

    #[test]
    fn another_document_is_an_error_that_says_so() {
        let backend = format!("{BACKEND}}}");
        for (result, words) in [
            (of(2, "x", &backend), "has schema 2, and this program reads schema 1"),
            (of(1, "\\u001b[31m", &backend), "no word"),
            (of(1, "", &backend), "no word"),
            (of(1, "x", &backend.replace("up", "\\u001b[31m")), "no word"),
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
