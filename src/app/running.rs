//! What a running process says of its roles and their back ends: the reader of its `/status.json`.
//!
//! Contract: fields that this program does not know are passed over; a document of another schema is an error. It
//! comes from another program: words that are shown as they are are plain ones, so that none can change the terminal.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use crate::app::cli::STATUS_PATH;
use crate::net::endpoint::Endpoint;
use crate::net::fetch::{FetchLimits, fetch};

/// The version of the document that is read here.
const SCHEMA: u32 = 1;

/// What the document may take: 5 s, since a status page responds within a second even when its role is full; 4 MiB,
/// since a back end takes about 200 bytes, and thousands of them should fit.
pub(super) const STATUS_LIMITS: FetchLimits =
    FetchLimits { time: Duration::from_secs(5), bytes: 4 * 1024 * 1024 };

/// The longest word of another program that is shown: bytes of a role's or a policy's name.
const WORD_BYTES_MAX: usize = 64;

/// The roles behind a status page, and the process that they run in.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Running {
    #[serde(default)]
    pub(super) version: String,
    #[serde(default)]
    pub(super) pid: u32,
    #[serde(default)]
    pub(super) uptime_s: f64,
    /// Why it is not ready; empty if it is.
    #[serde(default)]
    pub(super) reasons: Vec<String>,
    pub(super) roles: Vec<LiveRole>,
}

/// One of the roles behind the page: a suite has several.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct LiveRole {
    pub(super) role: String,
    #[serde(default)]
    pub(super) model: String,
    #[serde(default)]
    pub(super) listen: Vec<SocketAddr>,
    /// Whether it runs or drains.
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) connections: LiveConnections,
    pub(super) groups: Vec<LiveGroup>,
}

/// The client connections of a role.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct LiveConnections {
    pub(super) accepted: u64,
    pub(super) open: u64,
    pub(super) refused: u64,
}

/// A group of back ends as the running role sees it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct LiveGroup {
    pub(super) name: String,
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

fn read(document: &[u8]) -> Result<Running, String> {
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
    let running: Running = serde_json::from_slice(document).map_err(no_status)?;
    let is_plain = running.words().all(is_word);
    match is_plain {
        true => Ok(running),
        false => Err(format!("{STATUS_PATH} names a role, a policy or a state by something that is no word")),
    }
}

impl Running {
    /// Asks a status page.
    ///
    /// Errors, as words that go after its address: it does not respond, or with something else.
    pub(super) fn ask(page: &Endpoint) -> Result<Running, String> {
        let document = fetch(page, STATUS_PATH, STATUS_LIMITS).map_err(|error| error.to_string())?;
        read(&document)
    }

    /// What is shown of it as it is. Names of groups are not among it: routes have slashes, and more.
    fn words(&self) -> impl Iterator<Item = &str> {
        let roles = self.roles.iter();
        let roles = roles.flat_map(|role| [&role.role, &role.model, &role.state]);
        let roles = roles.filter(|word| !word.is_empty());
        let groups = || self.roles.iter().flat_map(|role| &role.groups);
        let states = groups().flat_map(|group| &group.backends).map(|backend| &backend.state);
        roles.chain(groups().map(|group| &group.policy)).chain(states).map(String::as_str)
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

    fn of(schema: u32, policy: &str, backend: &str) -> Result<Running, String> {
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
