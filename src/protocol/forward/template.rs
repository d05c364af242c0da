//! A text with placeholders, such as `https://{host}{path}`: the value of a field, or where a client is redirected.
//!
//! Contract: placeholders are checked when the text is read. What is put together has no control character, whatever
//! a client sends: the text has none, and neither has anything that a placeholder stands for. What is printed can be
//! read back.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::protocol::http::is_text_byte;

/// What a placeholder stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Placeholder {
    Client,
    Host,
    Path,
    RequestId,
    Scheme,
}

/// The names of the placeholders.
const NAMES: [(&str, Placeholder); 5] = [
    ("client", Placeholder::Client),
    ("host", Placeholder::Host),
    ("path", Placeholder::Path),
    ("request-id", Placeholder::RequestId),
    ("scheme", Placeholder::Scheme),
];

/// What the placeholders stand for in one request.
#[derive(Clone, Copy, Debug)]
pub struct Values<'v> {
    /// The address of the client.
    pub client: IpAddr,
    /// The requested host without its port.
    pub host: &'v str,
    /// The path and its query, as they are sent on.
    pub path: &'v str,
    /// The identifier of the request.
    pub request_id: &'v str,
    /// `http` or `https`.
    pub scheme: &'v str,
}

/// A text with placeholders.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Piece {
    Text(String),
    Placeholder(Placeholder),
}

impl Template {
    /// Appends the text for one request.
    pub(crate) fn render(&self, values: &Values<'_>, out: &mut String) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                // An IPv4 client of an IPv6 socket is shown with its IPv4 address.
                Piece::Placeholder(Placeholder::Client) => {
                    out.push_str(&values.client.to_canonical().to_string());
                }
                Piece::Placeholder(Placeholder::Host) => out.push_str(values.host),
                Piece::Placeholder(Placeholder::Path) => out.push_str(values.path),
                Piece::Placeholder(Placeholder::RequestId) => out.push_str(values.request_id),
                Piece::Placeholder(Placeholder::Scheme) => out.push_str(values.scheme),
            }
        }
    }

    /// True if this placeholder is in it.
    pub(crate) fn uses(&self, wanted: Placeholder) -> bool {
        self.pieces.contains(&Piece::Placeholder(wanted))
    }

    /// The text, if there is no placeholder in it.
    pub(crate) fn plain(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }
}

/// A placeholder and nothing else.
impl From<Placeholder> for Template {
    fn from(placeholder: Placeholder) -> Template {
        Template { pieces: vec![Piece::Placeholder(placeholder)] }
    }
}

impl FromStr for Template {
    type Err = String;

    /// `{{` stands for a `{`.
    fn from_str(text: &str) -> Result<Template, String> {
        if !text.bytes().all(is_text_byte) {
            return Err(format!("{text:?} has a control character"));
        }
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            plain.push_str(before);
            if let Some(behind) = behind.strip_prefix('{') {
                plain.push('{');
                rest = behind;
                continue;
            }
            let (name, behind) = behind.split_once('}').ok_or_else(|| unknown(behind))?;
            let known = NAMES.iter().find(|(known, _)| *known == name);
            let (_, placeholder) = known.ok_or_else(|| unknown(name))?;
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Placeholder(*placeholder));
            rest = behind;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Template { pieces })
    }
}

fn unknown(name: &str) -> String {
    let known: Vec<String> = NAMES.iter().map(|(name, _)| format!("{{{name}}}")).collect();
    format!("\"{{{name}\" begins no placeholder: there are {}; write {{{{ for a {{", known.join(", "))
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => f.write_str(&text.replace('{', "{{"))?,
                Piece::Placeholder(placeholder) => {
                    let name = NAMES.iter().find(|(_, of)| of == placeholder).map(|(name, _)| *name);
                    write!(f, "{{{}}}", name.unwrap_or_default())?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VALUES: Values<'_> = Values {
        client: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        host: "example.org",
        path: "/a?b",
        request_id: "17",
        scheme: "http",
    };

    fn rendered(text: &str) -> Result<String, String> {
        let mut out = String::new();
        text.parse::<Template>()?.render(&VALUES, &mut out);
        Ok(out)
    }

    #[test]
    fn placeholders_stand_for_parts_of_the_request() {
        for (text, wanted) in [
            ("", ""),
            ("plain", "plain"),
            ("{scheme}://{host}{path}", "http://example.org/a?b"),
            ("<{client}> {request-id}", "<127.0.0.1> 17"),
            ("{{host} }} {{{host}}", "{host} }} {example.org}"),
        ] {
            assert_eq!(rendered(text).as_deref(), Ok(wanted));
        }
        let mapped = Values { client: "::ffff:192.0.2.1".parse().unwrap(), ..VALUES };
        let mut out = String::new();
        "{client}".parse::<Template>().unwrap().render(&mapped, &mut out);
        assert_eq!(out, "192.0.2.1");
    }

    #[test]
    fn an_unknown_placeholder_is_an_error_that_names_the_known_ones() {
        for (text, name) in
            [("{hots}", "hots"), ("a{", ""), ("{host", "host"), ("{Host}", "Host"), ("{}", "")]
        {
            let error = rendered(text).unwrap_err();
            let words = "begins no placeholder: there are {client}, {host}, {path}, {request-id}, {scheme}; write {{ for";
            assert!(error.starts_with(&format!("\"{{{name}\" {words}")), "{error}");
        }
        assert!(rendered("a\r\nb").unwrap_err().contains("control character"));
    }

    proptest! {
        #[test]
        fn what_is_read_is_printed_and_read_again_the_same(text in "(\\{\\{|\\{host\\}|\\{path\\}|[a}\\{ \n]){0,8}") {
            if let Ok(template) = text.parse::<Template>() {
                prop_assert_eq!(template.to_string().parse(), Ok(template.clone()));
                let mut out = String::new();
                template.render(&VALUES, &mut out);
                prop_assert!(out.bytes().all(is_text_byte));
            }
        }
    }
}
