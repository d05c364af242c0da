//! Which fields a gateway forwards, which it drops, and which it writes itself.

use crate::protocol::http::head::Fields;
use crate::protocol::http::list;
use crate::protocol::limits::CONNECTION_OPTIONS_MAX;

/// How a gateway treats a field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    EndToEnd,
    /// Concerns this connection only (hop-by-hop): dropped.
    Hop,
    /// `Content-Length`: written by us.
    Length,
    Te,
    Upgrade,
    Host,
    Expect,
    MaxForwards,
    ForwardedFor,
    ForwardedHost,
    ForwardedProto,
    /// `Forwarded` and any other `X-Forwarded-`.
    Forwarded,
}

/// How the field of this name is treated.
///
/// `Transfer_Encoding` and the like are dropped. By the grammar they are end-to-end fields. But a back end
/// that reads fields as variables (CGI, WSGI) cannot tell `_` from `-`, and would take them for the fields that
/// we write. nginx drops every name with an underscore (`underscores_in_headers off`).
pub(super) fn kind(name: &str) -> Kind {
    match exact_kind(name) {
        Kind::EndToEnd if name.contains('_') && kind_with_hyphens(name) != Kind::EndToEnd => Kind::Hop,
        kind => kind,
    }
}

fn kind_with_hyphens(name: &str) -> Kind {
    with_hyphens(name, exact_kind)
}

/// Calls `look` with the name, in which underscores are replaced by hyphens.
fn with_hyphens<T>(name: &str, look: impl Fn(&str) -> T) -> T {
    // No name that we know has more than 19 bytes, and `X-Forwarded-` is recognized by its first 12.
    let mut plain = [0; 20];
    let length = name.len().min(plain.len());
    for (to, from) in plain.iter_mut().zip(name.bytes()) {
        *to = if from == b'_' { b'-' } else { from };
    }
    // Names are tokens and therefore ASCII. The name of a malformed one is treated as empty.
    look(std::str::from_utf8(&plain[..length]).unwrap_or(""))
}

/// Fields that are valid in a head only (RFC 9110 section 6.5.1): framing, routing, authentication, caching or
/// the meaning of the content depend on them. A reader that merges trailers into the head would use them as
/// if they had been checked there. The list is that of Go's `httpguts`, and cookies.
const HEAD_ONLY: [&str; 14] = [
    "authorization",
    "cache-control",
    "content-encoding",
    "content-range",
    "content-type",
    "cookie",
    "location",
    "pragma",
    "range",
    "set-cookie",
    "trailer",
    "via",
    "www-authenticate",
    "x-real-ip",
];

/// True if a field of this name may be forwarded as a trailer.
pub(super) fn may_be_trailer(name: &str) -> bool {
    let is_of_head = |name: &str| {
        let is_condition = name.len() > 3 && name.as_bytes()[..3].eq_ignore_ascii_case(b"if-");
        is_condition || HEAD_ONLY.iter().any(|other| name.eq_ignore_ascii_case(other))
    };
    kind(name) == Kind::EndToEnd && !with_hyphens(name, is_of_head)
}

/// The length is compared first: it excludes nearly all names before a byte is compared.
fn exact_kind(name: &str) -> Kind {
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    match name.len() {
        2 if is("te") => Kind::Te,
        4 if is("host") => Kind::Host,
        6 if is("expect") => Kind::Expect,
        7 if is("upgrade") => Kind::Upgrade,
        9 if is("forwarded") => Kind::Forwarded,
        10 if is("connection") || is("keep-alive") => Kind::Hop,
        12 if is("max-forwards") => Kind::MaxForwards,
        14 if is("content-length") => Kind::Length,
        15 if is("x-forwarded-for") => Kind::ForwardedFor,
        16 if is("x-forwarded-host") => Kind::ForwardedHost,
        17 if is("x-forwarded-proto") => Kind::ForwardedProto,
        16 if is("proxy-connection") => Kind::Hop,
        17 if is("transfer-encoding") => Kind::Hop,
        18 if is("proxy-authenticate") => Kind::Hop,
        19 if is("proxy-authorization") => Kind::Hop,
        13.. if name.as_bytes()[..12].eq_ignore_ascii_case(b"x-forwarded-") => Kind::Forwarded,
        _ => Kind::EndToEnd,
    }
}

/// True if a field is treated by its own rule even if `Connection` names it. Otherwise `Connection: Host` and
/// the like would make the back end see another request than we see, or remove what a trusted proxy says
/// about the client.
pub(super) fn ignores_connection_options(name: &str) -> bool {
    kind(name) != Kind::EndToEnd || name.eq_ignore_ascii_case("via")
}

/// The options of all `Connection` lines, except `close` and `keep-alive`, which do not name a field.
pub(super) struct ConnectionOptions<'b> {
    names: [&'b [u8]; CONNECTION_OPTIONS_MAX],
    count: usize,
}

impl<'b> ConnectionOptions<'b> {
    /// `None` if there are more than [`CONNECTION_OPTIONS_MAX`].
    pub(super) fn parse(fields: &Fields<'b>) -> Option<ConnectionOptions<'b>> {
        let mut options = ConnectionOptions { names: [b""; CONNECTION_OPTIONS_MAX], count: 0 };
        for option in fields.all("connection").flat_map(list) {
            if option.eq_ignore_ascii_case(b"close") || option.eq_ignore_ascii_case(b"keep-alive") {
                continue;
            }
            *options.names.get_mut(options.count)? = option;
            options.count += 1;
        }
        Some(options)
    }

    /// True if one of them names a field that has no rule of its own here.
    pub(super) fn name_unknown_fields(&self) -> bool {
        let is_known =
            |name: &&[u8]| std::str::from_utf8(name).is_ok_and(|name| kind(name) != Kind::EndToEnd);
        !self.names[..self.count].iter().all(is_known)
    }

    /// True if one of them names this field.
    pub(super) fn contains(&self, field: &str) -> bool {
        self.names[..self.count].iter().any(|name| name.eq_ignore_ascii_case(field.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_by_all_its_letters_and_not_by_its_length() {
        for (name, known) in [
            ("TE", Kind::Te),
            ("Host", Kind::Host),
            ("Expect", Kind::Expect),
            ("Upgrade", Kind::Upgrade),
            ("Forwarded", Kind::Forwarded),
            ("Connection", Kind::Hop),
            ("Keep-Alive", Kind::Hop),
            ("Max-Forwards", Kind::MaxForwards),
            ("Content-Length", Kind::Length),
            ("X-Forwarded-For", Kind::ForwardedFor),
            ("X-Forwarded-Host", Kind::ForwardedHost),
            ("X-Forwarded-Proto", Kind::ForwardedProto),
            ("X-Forwarded-Port", Kind::Forwarded),
            ("Proxy-Connection", Kind::Hop),
            ("Transfer-Encoding", Kind::Hop),
            ("Proxy-Authenticate", Kind::Hop),
            ("Proxy-Authorization", Kind::Hop),
        ] {
            assert_eq!((kind(name), kind(&"n".repeat(name.len()))), (known, Kind::EndToEnd), "{name}");
        }
        assert!(may_be_trailer("if-") && !may_be_trailer("if-x"));
    }
}
