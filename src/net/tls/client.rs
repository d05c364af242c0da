//! TLS towards back ends: which of their certificates are believed.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};

use super::certificates::read_certificates;
use super::pinned::Pinned;
use crate::net::connect::ConnectError;
use crate::net::limits::BACKEND_SESSIONS_MAX;

/// How we speak to back ends: their certificates must be vouched for by one of `authorities` (PEM files), or, if there
/// are none, by one that the system trusts.
///
/// Errors: one sentence for the user.
pub(crate) fn backend_config(authorities: &[PathBuf]) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    if authorities.is_empty() {
        // Some may be unreadable, as long as others are not.
        let found = rustls_native_certs::load_native_certs();
        add(&mut roots, found.certs);
        if roots.is_empty() {
            let words = "https:// back ends: this system has no list of trusted certificates \
                 (Debian's package ca-certificates); name those to trust with --backend-ca";
            return Err(words.to_owned());
        }
    }
    let mut named = Vec::new();
    for file in authorities {
        let certificates = read_certificates(file).map_err(|error| format!("--backend-ca {error}"))?;
        if add(&mut roots, certificates.clone()) == 0 {
            return Err(format!("--backend-ca {}: none of its certificates can be used", file.display()));
        }
        named.extend(certificates);
    }
    let provider = Arc::new(ring::default_provider());
    let within = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
    let within = within.map_err(|error| format!("--backend-ca: {error}"))?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .map_err(|error| error.to_string())?
        .dangerous() // in name only: see `pinned`
        .with_custom_certificate_verifier(Arc::new(Pinned { named, within }))
        .with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(BACKEND_SESSIONS_MAX);
    Ok(config)
}

/// Adds certificates that can vouch for others; tells how many those were.
fn add(roots: &mut RootCertStore, certificates: Vec<CertificateDer<'static>>) -> usize {
    roots.add_parsable_certificates(certificates).0
}

/// The name that the certificate of a back end must have: a host name or an address.
pub(super) fn server_name(host: &str) -> io::Result<ServerName<'static>> {
    let name =
        ServerName::try_from(host).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(name.to_owned())
}

/// Why a connection to a back end could not be encrypted; logs what the back end or its certificate did wrong.
pub(crate) fn connect_error(address: SocketAddr, host: &str, error: &io::Error) -> ConnectError {
    match error.kind() {
        io::ErrorKind::TimedOut => ConnectError::TimedOut,
        io::ErrorKind::InvalidData => {
            let fault = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            let hint = match fault {
                Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
                    "; if it is your own, name its authority with --backend-ca"
                }
                _ => "",
            };
            log::warn!("{address}: no TLS with {host}: {error}{hint}");
            ConnectError::NoTls
        }
        _ => ConnectError::from(error),
    }
}
