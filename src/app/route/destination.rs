//! Where the requests of a route go: `ADDR[,ADDR]`, `301 to URL`, or `503 [a sentence]`.

use std::fmt;
use std::str::FromStr;

use crate::net::target::Target;
use crate::protocol::forward::Template;
use crate::protocol::http::is_text_byte;
use crate::protocol::http::response::reason;
use crate::protocol::limits::SENTENCE_BYTES_MAX;
use crate::protocol::route::{FixedResponse, Redirect};

/// The statuses that send a client elsewhere.
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// Where requests go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Destination {
    /// To these back ends in turn.
    BackEnds(Vec<Target>),
    /// Nowhere: the client is sent to another place.
    Redirect(Redirect),
    /// Nowhere: the client gets this response.
    Respond(FixedResponse),
}

impl Destination {
    /// The back ends, if there are any.
    pub(crate) fn back_ends(&self) -> &[Target] {
        match self {
            Destination::BackEnds(back_ends) => back_ends,
            Destination::Redirect(_) | Destination::Respond(_) => &[],
        }
    }

    /// The status that a text begins with, and what stands behind it. A number that is no status that a response
    /// could have is a port.
    pub(super) fn status(text: &str) -> Option<(u16, &str)> {
        let (number, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
        let is_number = number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit());
        let status: u16 = number.parse().ok().filter(|_| is_number)?;
        let is_known = (200..=599).contains(&status) && !reason(status).is_empty();
        is_known.then_some((status, rest.trim_matches([' ', '\t'])))
    }

    /// True for a status that sends the client elsewhere.
    pub(super) fn redirects(status: u16) -> bool {
        (300..=399).contains(&status)
    }

    /// A response with this status, and the place or the sentence behind it.
    pub(super) fn of_status(status: u16, rest: &str) -> Result<Destination, String> {
        if Destination::redirects(status) {
            let url = rest.strip_prefix("to").filter(|url| url.starts_with([' ', '\t'])).map(str::trim);
            return redirect(status, url.filter(|url| !url.is_empty()));
        }
        if status == 206 {
            return Err("206 is the response to a request for a part, and cannot be a fixed one".to_owned());
        }
        if !rest.bytes().all(is_text_byte) {
            return Err(format!("the sentence {rest:?} has a control character"));
        }
        if rest.len() > SENTENCE_BYTES_MAX {
            return Err(format!(
                "the sentence is longer than {SENTENCE_BYTES_MAX} bytes: a page belongs on a server"
            ));
        }
        if status == 204 && !rest.is_empty() {
            return Err("204 has no body: leave the sentence out".to_owned());
        }
        let sentence = if rest.is_empty() { reason(status) } else { rest };
        Ok(Destination::Respond(FixedResponse { status, sentence: sentence.to_owned() }))
    }
}

fn redirect(status: u16, url: Option<&str>) -> Result<Destination, String> {
    let wanted = format!("write {status} to URL, such as {status} to https://{{host}}{{path}}");
    if !REDIRECTS.contains(&status) {
        return Err(format!("{status} sends nobody elsewhere: there are 301, 302, 303, 307 and 308"));
    }
    let url = url.ok_or(&*wanted)?;
    let begins = ["http://", "https://", "{scheme}://", "/", "{path}"];
    if !begins.iter().any(|begin| url.starts_with(begin)) || url.starts_with("//") {
        return Err(format!("{url:?} is neither http://... nor https://... nor a path: {wanted}"));
    }
    if url.contains([' ', '\t']) || !url.is_ascii() {
        return Err(format!(
            "{url:?} has a blank or a letter that no address has: write it as an escape, such as %20"
        ));
    }
    Ok(Destination::Redirect(Redirect { status, to: url.parse::<Template>()? }))
}

/// The form without quotes, as it stands in the file.
impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Destination, String> {
        let text = text.trim_matches([' ', '\t']);
        match Destination::status(text) {
            Some((status, rest)) => Destination::of_status(status, rest),
            None => {
                let backends = text.split(',').map(str::parse).collect::<Result<_, _>>()?;
                Ok(Destination::BackEnds(backends))
            }
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::BackEnds(backends) => {
                let backends: Vec<String> = backends.iter().map(Target::to_string).collect();
                f.write_str(&backends.join(","))
            }
            Destination::Redirect(Redirect { status, to }) => write!(f, "{status} to {to}"),
            Destination::Respond(response) => match own_sentence(response) {
                Some(sentence) => write!(f, "{} {sentence}", response.status),
                None => write!(f, "{}", response.status),
            },
        }
    }
}

/// The sentence of a response, unless it is the one that its status has anyway.
pub(super) fn own_sentence(response: &FixedResponse) -> Option<&str> {
    Some(response.sentence.as_str()).filter(|sentence| *sentence != reason(response.status))
}
