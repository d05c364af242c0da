//! TLS towards clients: which of our certificates a client gets, and what we speak.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ProducesTickets, ResolvesServerCert, ServerSessionMemoryCache};
use rustls::sign::CertifiedKey;

use super::certificates::Certificate;
use crate::net::limits::TLS_SESSIONS_MAX;

/// What we speak with these certificates, of which there is at least one. `protocols` are the names of what is
/// spoken inside (ALPN, RFC 7301), such as `http/1.1`; none for bytes that we do not look at.
///
/// Errors: there are no random numbers to be had.
pub(crate) fn server_config(
    certificates: &[Certificate],
    protocols: &[&str],
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(rustls::ALL_VERSIONS)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ByName::new(certificates)));
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let sessions = sessions()?;
    config.ticketer = Arc::clone(&sessions.ticketer);
    config.session_storage = Arc::clone(&sessions.stored) as Arc<_>;
    Ok(config)
}

/// What lets clients take up an earlier session. One for the process: sessions outlast a reload.
struct Sessions {
    /// Encrypts what we know of a session for the client to keep; its key changes every six hours.
    ticketer: Arc<dyn ProducesTickets>,
    /// For clients of TLS 1.2 that keep none.
    stored: Arc<ServerSessionMemoryCache>,
}

fn sessions() -> Result<&'static Sessions, rustls::Error> {
    static SESSIONS: OnceLock<Sessions> = OnceLock::new();
    if let Some(sessions) = SESSIONS.get() {
        return Ok(sessions);
    }
    let ticketer = ring::Ticketer::new()?;
    let stored = ServerSessionMemoryCache::new(TLS_SESSIONS_MAX);
    Ok(SESSIONS.get_or_init(|| Sessions { ticketer, stored }))
}

/// Chooses a certificate by the name that the client asks for: one for exactly this name, then one for `*.` and the
/// rest of it, then the first of all (as nginx does: a client without a name, or with a wrong one, can decide
/// for itself).
#[derive(Debug)]
struct ByName {
    /// Certificates by the names they are for, each as it is written in them. Several for one name differ in the
    /// kind of their keys.
    names: HashMap<String, Vec<Arc<CertifiedKey>>>,
    all: Vec<Arc<CertifiedKey>>,
}

impl ByName {
    fn new(certificates: &[Certificate]) -> ByName {
        let mut names: HashMap<String, Vec<Arc<CertifiedKey>>> = HashMap::new();
        for Certificate { key, names: of_one, .. } in certificates {
            for name in of_one {
                names.entry(name.clone()).or_default().push(Arc::clone(key));
            }
        }
        let all = certificates.iter().map(|certificate| Arc::clone(&certificate.key)).collect();
        ByName { names, all }
    }

    /// The certificates for a name, those that fit best.
    fn find(&self, name: Option<&str>) -> &[Arc<CertifiedKey>] {
        let Some(name) = name else { return &self.all };
        let wildcard = || {
            let (_, rest) = name.split_once('.')?;
            self.names.get(&format!("*.{rest}"))
        };
        self.names.get(name).or_else(wildcard).unwrap_or(&self.all)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // rustls gives the name in lower case and without a dot at its end.
        let fitting = self.find(hello.server_name());
        let is_usable = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        fitting.iter().find(is_usable).or_else(|| fitting.first()).map(Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::super::self_signed;
    use super::*;

    #[test]
    fn the_exact_name_goes_before_the_wildcard_and_that_before_the_first() {
        let named = |names: &[&str]| self_signed(names).unwrap();
        let certificates =
            [named(&["first.example"]), named(&["*.example"]), named(&["a.example", "b.example"])];
        let by_name = ByName::new(&certificates);
        for (name, index) in [
            (Some("first.example"), 0),
            (Some("a.example"), 2),
            (Some("c.example"), 1),
            (Some("c.d.example"), 0),
            (Some("example"), 0),
            (None, 0),
        ] {
            let found = &by_name.find(name)[0];
            assert!(Arc::ptr_eq(found, &certificates[index].key), "{name:?}");
        }
    }
}
