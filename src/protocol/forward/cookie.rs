//! The cookie by which a client stays with its back end: reading it in a request, setting it in a response.
//!
//! Contract: it holds the [tag](Tag) of a back end and nothing else. Whoever sends no such cookie, or one that is not of
//! our making, is a client without a cookie. It ends with the browser's session, is not shown to scripts (`HttpOnly`),
//! and is not sent with requests that another site starts, but for following a link (`SameSite=Lax`).

use std::fmt;
use std::io::Write;
use std::sync::Arc;

use crate::balance::{Group, Tag};
use crate::protocol::buffer::Buffer;
use crate::protocol::http::head::Fields;

/// The name of the cookies of a gateway.
#[derive(Clone, Debug)]
pub(crate) struct CookieName(Arc<str>);

/// The cookie's name, unless another one is configured.
pub(crate) const COOKIE_NAME: &str = "giliran";

impl Default for CookieName {
    fn default() -> CookieName {
        CookieName::new(COOKIE_NAME)
    }
}

impl CookieName {
    /// This one, which must be a token (RFC 6265 section 4.1.1).
    pub(crate) fn new(name: &str) -> CookieName {
        CookieName(Arc::from(name))
    }

    /// The cookie for a group. All paths share their cookies, so that each group but the default one has a name of
    /// its own: else each would overwrite what another one has set.
    pub(crate) fn of<'n>(&'n self, group: &Group, is_default: bool) -> GroupCookie<'n> {
        GroupCookie { name: &self.0, mark: (!is_default).then(|| group.mark()) }
    }
}

/// The cookie of one group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupCookie<'n> {
    name: &'n str,
    mark: Option<u32>,
}

impl fmt::Display for GroupCookie<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        self.mark.map_or(Ok(()), |mark| write!(f, "-{mark:08x}"))
    }
}

impl GroupCookie<'_> {
    /// The back end that the cookie of a request names: the first one that can be read.
    pub(crate) fn read(&self, fields: &Fields<'_>) -> Option<Tag> {
        let cookies = |value| <[u8]>::split(value, |byte: &u8| *byte == b';');
        fields.all("cookie").flat_map(cookies).find_map(|cookie| self.value_of(cookie).and_then(Tag::parse))
    }

    /// The value of a cookie, if it has this name.
    fn value_of<'c>(&self, cookie: &'c [u8]) -> Option<&'c [u8]> {
        let rest = cookie.trim_ascii().strip_prefix(self.name.as_bytes())?;
        let rest = match self.mark {
            None => rest,
            Some(mark) => {
                let (digits, rest) = rest.strip_prefix(b"-")?.split_at_checked(8)?;
                let digits = std::str::from_utf8(digits).ok()?;
                (u32::from_str_radix(digits, 16) == Ok(mark)).then_some(rest)?
            }
        };
        rest.strip_prefix(b"=")
    }

    /// Adds the field to the response head at the end of `out`. False if there is no room for it; the head is then
    /// not complete.
    #[must_use]
    pub(crate) fn set(&self, tag: Tag, by_tls: bool, out: &mut Buffer) -> bool {
        let Some(end) = out.len().checked_sub(2) else { return false };
        // The empty line comes after it.
        out.truncate(end);
        let secure = if by_tls { "; Secure" } else { "" };
        write!(out, "Set-Cookie: {self}={tag}; Path=/; HttpOnly; SameSite=Lax{secure}\r\n\r\n").is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::http::head::RequestHead;
    use crate::protocol::testing::leaked_space;

    fn tag() -> Tag {
        Tag::parse(b"00112233445566ff").unwrap()
    }

    fn read(cookie: GroupCookie<'_>, fields: &str) -> Option<Tag> {
        let text = format!("GET / HTTP/1.1\r\nHost: x\r\n{fields}\r\n").leak();
        cookie.read(&RequestHead::parse(text.as_bytes(), leaked_space()).unwrap().unwrap().fields)
    }

    #[test]
    fn a_cookie_is_found_by_its_name_alone() {
        let (name, group) = (CookieName::default(), Group::new("/a/", Vec::new()));
        let plain = name.of(&group, true);
        for (fields, found) in [
            ("Cookie: giliran=00112233445566ff\r\n", true),
            ("Cookie: a=b; giliran=00112233445566ff;c=d\r\n", true),
            ("Cookie: a=b\r\nCookie: giliran=00112233445566ff\r\n", true),
            ("Cookie: giliran=x; giliran=00112233445566ff\r\n", true),
            ("Cookie: Giliran=00112233445566ff\r\n", false),
            ("Cookie: giliran2=00112233445566ff\r\n", false),
            ("Cookie: xgiliran=00112233445566ff\r\n", false),
            ("Cookie: giliran=00112233445566ff0\r\n", false),
            ("Cookie: giliran=127.0.0.1:9001\r\n", false),
            ("Cookie: giliran\r\n", false),
            ("X: giliran=00112233445566ff\r\n", false),
        ] {
            assert_eq!(read(plain, fields), found.then(tag), "{fields:?}");
        }
    }

    #[test]
    fn each_group_but_the_default_one_has_a_cookie_of_its_own() {
        let name = CookieName::new("stay");
        let [one, other] = ["/a/", "/b/"].map(|name| Group::new(name, Vec::new()));
        let (one, other) = (name.of(&one, false), name.of(&other, false));
        assert_ne!(one.to_string(), other.to_string());
        assert_eq!(one.to_string().len(), "stay-00000000".len());
        let fields = format!("Cookie: {one}=00112233445566ff\r\n");
        assert_eq!([one, other].map(|cookie| read(cookie, &fields)), [Some(tag()), None]);
        assert_eq!(read(one, "Cookie: stay-\r\nCookie: stay-0000000é=1\r\n"), None);
    }

    #[test]
    fn it_is_added_to_a_head_that_is_complete() {
        let (name, group) = (CookieName::default(), Group::new("x", Vec::new()));
        for (by_tls, secure) in [(false, ""), (true, "; Secure")] {
            let mut out = Buffer::new();
            assert!(out.push(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"));
            assert!(name.of(&group, true).set(tag(), by_tls, &mut out));
            let expected = format!(
                "HTTP/1.1 200 OK\r\nA: b\r\nSet-Cookie: giliran=00112233445566ff; Path=/; HttpOnly; SameSite=Lax{secure}\r\n\r\n"
            );
            assert_eq!(std::str::from_utf8(out.bytes()), Ok(expected.as_str()));
            assert!(out.push(&vec![0; out.room() - 10]));
            assert!(!name.of(&group, true).set(tag(), by_tls, &mut out));
        }
    }
}
