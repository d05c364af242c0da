//! A certificate made at start, for trying things out: nobody vouches for it but itself.

use std::net::IpAddr;

use rcgen::{CertificateParams, KeyPair, SanType};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::certificates::{Certificate, Fault};

/// A new certificate for these host names and addresses, with a new key (ECDSA P-256). Neither is written anywhere.
///
/// Errors: a name that no certificate can have; one sentence for the user.
pub(crate) fn self_signed(names: &[&str]) -> Result<Certificate, String> {
    let made = || {
        let hosts = names.iter().filter(|name| name.parse::<IpAddr>().is_err());
        let mut params = CertificateParams::new(hosts.map(ToString::to_string).collect::<Vec<_>>())?;
        let addresses = names.iter().filter_map(|name| name.parse().ok());
        params.subject_alt_names.extend(addresses.map(SanType::IpAddress));
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "giliran, self-signed for trying");
        let now = std::time::SystemTime::now();
        // An hour ago, for clients whose clock is late.
        params.not_before = (now - HOUR).into();
        params.not_after = (now + VALID_FOR).into();
        let key = KeyPair::generate()?;
        Ok::<_, rcgen::Error>((params.self_signed(&key)?, key))
    };
    let (certificate, key) = made().map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let origin = "self-signed".to_owned();
    Certificate::new(vec![certificate.der().clone()], key, origin).map_err(|fault| match fault {
        Fault::Certificate(words) | Fault::Key(words) => words,
    })
}

const HOUR: std::time::Duration = std::time::Duration::from_secs(60 * 60);

/// How long it is valid: longer than anybody tries something out, and shorter than browsers refuse (398 days).
const VALID_FOR: std::time::Duration = std::time::Duration::from_secs(90 * 24 * 60 * 60);
