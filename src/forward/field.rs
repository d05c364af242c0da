//! What each field is to a gateway: its own to write, to drop, or to pass on.

use crate::defaults::CONNECTION_OPTIONS_MAX;
use crate::http::head::Fields;
use crate::http::list;

/// What a field is to a gateway.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    EndToEnd,
    /// Of this connection only.
    Hop,
    /// `Content-Length`: ours to write.
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

/// What the field of this name is.
///
/// `Transfer_Encoding` and the like are dropped: they are end-to-end fields by the grammar, but a back
/// end that is given fields as variables (CGI, WSGI) cannot tell `_` from `-`, and would take them for
/// ours. nginx drops every name with an underscore (`underscores_in_headers off`).
pub(super) fn kind(name: &str) -> Kind {
    match plain_kind(name) {
        Kind::EndToEnd if name.contains('_') && plain_kind_of_disguised(name) != Kind::EndToEnd => Kind::Hop,
        kind => kind,
    }
}

fn plain_kind_of_disguised(name: &str) -> Kind {
    // Longer names than 19 bytes are told by their first 12.
    let mut plain = [0; 20];
    let length = name.len().min(plain.len());
    for (to, from) in plain.iter_mut().zip(name.bytes()) {
        *to = if from == b'_' { b'-' } else { from };
    }
    std::str::from_utf8(&plain[..length]).map_or(Kind::EndToEnd, plain_kind)
}

/// Looks at the length first: it tells nearly all fields apart before a byte is compared.
fn plain_kind(name: &str) -> Kind {
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

/// `Connection: Host` and the like would make the back end see another request than we did, or
/// take from it what a trusted proxy said of the client. These have their own rules whoever names them.
pub(super) fn is_kept_whatever_is_said(name: &str) -> bool {
    kind(name) != Kind::EndToEnd || name.eq_ignore_ascii_case("via")
}

/// The options of all `Connection` lines but those that name no field.
pub(super) struct Options<'b> {
    names: [&'b [u8]; CONNECTION_OPTIONS_MAX],
    count: usize,
}

impl<'b> Options<'b> {
    /// `None` if there are more than [`CONNECTION_OPTIONS_MAX`].
    pub(super) fn of(fields: &Fields<'b>) -> Option<Options<'b>> {
        let mut options = Options { names: [b""; CONNECTION_OPTIONS_MAX], count: 0 };
        for option in fields.all("connection").flat_map(list) {
            if option.eq_ignore_ascii_case(b"close") || option.eq_ignore_ascii_case(b"keep-alive") {
                continue;
            }
            *options.names.get_mut(options.count)? = option;
            options.count += 1;
        }
        Some(options)
    }

    /// True if one of them names this field.
    pub(super) fn name(&self, field: &str) -> bool {
        self.names[..self.count].iter().any(|name| name.eq_ignore_ascii_case(field.as_bytes()))
    }
}
