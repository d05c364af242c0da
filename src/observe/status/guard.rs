//! Who may change something through the status page.
//!
//! Contract: a page of another site, open in a browser on this machine, must not be able to. So a request that
//! changes something needs a `Host` that such a page cannot have made up (an address, `localhost`, or a name that
//! was allowed, against DNS rebinding), no `Origin` of another site, and the token if there is one.

use super::response::StatusResponse;
use crate::protocol::http::head::RequestHead;

/// The rules for requests that change something.
#[derive(Clone, Default)]
pub(crate) struct Guard {
    /// Host names that are allowed besides addresses and `localhost`.
    hosts: Vec<String>,
    token: Option<String>,
}

impl std::fmt::Debug for Guard {
    /// The token is nobody's business, in no message.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("hosts", &self.hosts).field("has_token", &self.token.is_some()).finish()
    }
}

impl Guard {
    pub(crate) fn new(hosts: Vec<String>, token: Option<String>) -> Guard {
        Guard { hosts, token }
    }

    pub(super) fn needs_token(&self) -> bool {
        self.token.is_some()
    }

    /// Lets a request pass that changes something, or gives the response that refuses it.
    pub(super) fn admit(&self, head: &RequestHead<'_>) -> Result<(), StatusResponse> {
        let host = head.host();
        if !self.allows(host) {
            return Err(StatusResponse::plain(
                403,
                "Changes are accepted at an IP address, at localhost, or at a name that --status-host allows.\n",
            ));
        }
        if let Some(origin) = head.fields.first("Origin")
            && origin.strip_prefix(b"http://") != Some(host.as_bytes())
        {
            return Err(StatusResponse::plain(
                403,
                "Changes are not accepted from the page of another site.\n",
            ));
        }
        match &self.token {
            Some(token) if !is_bearer(head.fields.only("Authorization"), token) => {
                Err(StatusResponse::unauthorized(
                    "The token of --status-token is needed: Authorization: Bearer TOKEN.\n",
                ))
            }
            _ => Ok(()),
        }
    }

    fn allows(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _)) => return address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => host.rsplit_once(':').map_or(host, |(name, _)| name),
        };
        name.parse::<std::net::Ipv4Addr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.hosts.iter().any(|allowed| name.eq_ignore_ascii_case(allowed))
    }
}

/// True if the field carries this token (RFC 6750 section 2.1). Compared in a time that does not tell how many
/// of its bytes are right.
fn is_bearer(field: Option<&[u8]>, token: &str) -> bool {
    let Some((scheme, given)) = field.and_then(|field| field.split_at_checked(7)) else { return false };
    let token = token.as_bytes();
    let differences = given.iter().zip(token).fold(0, |sum, (given, wanted)| sum | (given ^ wanted));
    scheme.eq_ignore_ascii_case(b"Bearer ") && given.len() == token.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::http::head::FieldSpace;

    fn admitted(guard: &Guard, fields: &str) -> Result<(), u16> {
        let text = format!("POST /backends/a/b/drain HTTP/1.1\r\n{fields}\r\n\r\n");
        let mut space = FieldSpace::default();
        let head = RequestHead::parse(text.as_bytes(), &mut space).unwrap().unwrap();
        guard.admit(&head).map_err(|response| response.parts().0)
    }

    #[test]
    fn a_host_is_an_address_or_localhost_or_was_allowed() {
        let guard = Guard::new(vec!["lb.example".to_owned()], None);
        for host in
            ["127.0.0.1:9900", "10.0.0.1", "[::1]:9900", "localhost:1", "LOCALHOST", "LB.example:9900"]
        {
            assert_eq!(admitted(&guard, &format!("Host: {host}")), Ok(()), "{host}");
        }
        for host in
            ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:9900", "1.2.3", "localhos"]
        {
            let refused = admitted(&guard, &format!("Host: {host}"));
            assert!(refused.is_err(), "{host}");
        }
    }

    #[test]
    fn a_page_of_another_site_may_not() {
        let guard = Guard::default();
        let with = |origin: &str| admitted(&guard, &format!("Host: 127.0.0.1:9900\r\nOrigin: {origin}"));
        assert_eq!(with("http://127.0.0.1:9900"), Ok(()));
        for origin in ["http://evil.example", "http://127.0.0.1:9901", "https://127.0.0.1:9900", "null"] {
            assert_eq!(with(origin), Err(403), "{origin}");
        }
    }

    #[test]
    fn with_a_token_nothing_goes_without_it() {
        let guard = Guard::new(Vec::new(), Some("s3cret".to_owned()));
        let with = |field: &str| admitted(&guard, &format!("Host: localhost\r\n{field}"));
        assert_eq!(with("Authorization: Bearer s3cret"), Ok(()));
        assert_eq!(with("Authorization: bearer s3cret"), Ok(()));
        for field in
            ["X: y", "Authorization: s3cret", "Authorization: Bearer s3cre", "Authorization: Bearer s3cretx"]
        {
            assert_eq!(with(field), Err(401), "{field}");
        }
        assert!(!format!("{guard:?}").contains("s3cret"));
    }
}
