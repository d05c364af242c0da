//! The name and the password of a request.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::protocol::http::head::RequestHead;

/// Bytes of a name and its password: more than anybody types, and bcrypt looks at 72 of the password.
const CREDENTIALS_BYTES_MAX: usize = 512;

/// A name and a password.
#[derive(Clone, Eq, Hash, PartialEq)]
pub(crate) struct Credentials {
    /// `name:password`
    text: Vec<u8>,
    /// Where the colon is.
    colon: usize,
}

impl Credentials {
    /// Those of a request; `None` if it has none, or more than one `Authorization`, or something else in it.
    pub(super) fn of(head: &RequestHead<'_>) -> Option<Credentials> {
        let value = head.fields.only("authorization")?;
        let (scheme, rest) = value.split_at(value.iter().position(|byte| *byte == b' ')?);
        let encoded = rest.trim_ascii();
        if !scheme.eq_ignore_ascii_case(b"basic") || encoded.len() > CREDENTIALS_BYTES_MAX.div_ceil(3) * 4 {
            return None;
        }
        let text = BASE64_STANDARD.decode(encoded).ok()?;
        let colon = text.iter().position(|byte| *byte == b':')?;
        // bcrypt ends a password at a NUL: two different ones would be the same.
        (!text.contains(&0)).then_some(Credentials { text, colon })
    }

    /// The name.
    pub(super) fn user(&self) -> &[u8] {
        &self.text[..self.colon]
    }

    /// The password.
    pub(super) fn password(&self) -> &[u8] {
        &self.text[self.colon + 1..]
    }
}

/// Without the password: what is shown may stand in a log.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({:?})", String::from_utf8_lossy(self.user()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::leaked_space;

    fn credentials(fields: &str) -> Option<Credentials> {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        Credentials::of(&RequestHead::parse(text.as_bytes(), leaked_space()).unwrap().unwrap())
    }

    #[test]
    fn a_name_ends_at_the_first_colon() {
        for (text, user, password) in [
            ("budi:rahasia", "budi", "rahasia"),
            (":", "", ""),
            ("a:b:c", "a", "b:c"),
            ("\u{e9}: x", "\u{e9}", " x"),
        ] {
            let encoded = BASE64_STANDARD.encode(text);
            for scheme in ["Basic ", "basic  ", "BASIC "] {
                let found = credentials(&format!("Authorization: {scheme}{encoded}\r\n")).unwrap();
                assert_eq!((found.user(), found.password()), (user.as_bytes(), password.as_bytes()));
                assert!(!format!("{found:?}").contains("rahasia"));
            }
        }
    }

    #[test]
    fn anything_else_is_none() {
        let of = |text: &str| format!("Authorization: Basic {}\r\n", BASE64_STANDARD.encode(text));
        for fields in [
            String::new(),
            "Authorization: Bearer YTpi\r\n".to_owned(),
            "Authorization: Basic\r\n".to_owned(),
            "Authorization: Basic !!!!\r\n".to_owned(),
            "Authorization: Basic YTpi YTpi\r\n".to_owned(),
            of("no colon"),
            of("a:b\0c"),
            of(&format!("a:{}", "x".repeat(600))),
            of("a:b").repeat(2),
        ] {
            assert_eq!(credentials(&fields), None, "{fields}");
        }
    }
}
