//! Certificates and their keys, from PEM files: which names they are for, and when they expire.
//!
//! Contract: what is loaded fits together: the key is that of the first certificate of its file. An error names the
//! file and says what is wrong with it.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::net::files;
use crate::net::limits::{CERTIFICATE_BYTES_MAX, EXPIRY_WARNING};

/// A certificate with what is needed to use it.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    /// The certificate, those that vouch for it, and its key.
    pub(super) key: Arc<CertifiedKey>,
    /// The host names that it is for; one may begin with `*.`.
    pub(super) names: Vec<String>,
    /// The last moment at which it is valid.
    expires: SystemTime,
    /// Where it is from.
    origin: String,
}

/// Why a certificate cannot be used.
#[derive(Debug)]
pub(crate) struct CertificateError {
    /// What is wrong is in this file.
    pub(crate) file: PathBuf,
    fault: String,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.fault)
    }
}

impl Certificate {
    /// Reads a certificate, with those that vouch for it behind it, and its key; both may be in one file.
    pub(crate) fn load(chain_file: &Path, key_file: &Path) -> Result<Certificate, CertificateError> {
        let chain = read_certificates(chain_file)?;
        let fault = |fault: String| CertificateError { file: key_file.to_owned(), fault };
        let pem = read(key_file)?;
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| {
            fault(match error {
                pem::Error::NoItemsFound => NO_KEY.to_owned(),
                error => format!("this is no PEM file: {error}"),
            })
        })?;
        let origin = chain_file.display().to_string();
        Certificate::new(chain, key, origin).map_err(|words| match words {
            Fault::Certificate(words) => CertificateError { file: chain_file.to_owned(), fault: words },
            Fault::Key(words) => fault(words),
        })
    }

    /// Of these parts; the certificate is the first of `chain`.
    pub(super) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        origin: String,
    ) -> Result<Certificate, Fault> {
        let first = chain.first().ok_or_else(|| Fault::Certificate(NO_CERTIFICATE.to_owned()))?;
        let parsed = x509_cert::Certificate::from_der(first)
            .map_err(|error| Fault::Certificate(format!("the certificate cannot be read: {error}")))?;
        let expires = parsed.tbs_certificate.validity.not_after.to_system_time();
        let names = names(&parsed);
        let signing = ring::sign::any_supported_type(&key)
            .map_err(|error| Fault::Key(format!("a key of this kind is not supported: {error}")))?;
        let key = CertifiedKey::new(chain, signing);
        key.keys_match().map_err(|_| Fault::Key("this is not the key of the certificate".to_owned()))?;
        Ok(Certificate { key: Arc::new(key), names, expires, origin })
    }

    /// The certificate, without its key, as the text of a PEM file (RFC 7468).
    pub(crate) fn pem(&self) -> String {
        let pem = self.key.cert.iter().map(|der| {
            let text =
                x509_cert::der::pem::encode_string("CERTIFICATE", x509_cert::der::pem::LineEnding::LF, der);
            // It fails only for sizes beyond the address space.
            text.unwrap_or_default()
        });
        pem.collect()
    }

    /// The host names that it is for, for a person to read.
    pub(crate) fn names(&self) -> String {
        match self.names.is_empty() {
            true => "no host name".to_owned(),
            false => self.names.join(", "),
        }
    }

    /// The day on which it expires, in UTC.
    pub(crate) fn last_day(&self) -> impl fmt::Display {
        DateTime::<Utc>::from(self.expires).format("%Y-%m-%d")
    }

    /// What is to be said about its end, if that is near: how many days are left.
    fn expiry(&self, now: SystemTime) -> Option<String> {
        let day = self.last_day();
        match self.expires.duration_since(now) {
            Err(_) => Some(format!("the certificate of {} ({}) expired on {day}", self.names(), self.origin)),
            Ok(left) if left < EXPIRY_WARNING => {
                let days = left.as_secs() / Duration::from_secs(24 * 60 * 60).as_secs();
                let days = if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
                Some(format!(
                    "the certificate of {} ({}) expires in {days}, on {day}",
                    self.names(),
                    self.origin
                ))
            }
            Ok(_) => None,
        }
    }
}

/// What is wrong: with the certificate or with its key.
#[derive(Debug)]
pub(super) enum Fault {
    Certificate(String),
    Key(String),
}

const NO_CERTIFICATE: &str = "there is no certificate in it (-----BEGIN CERTIFICATE-----)";
const NO_KEY: &str = "there is no private key in it (-----BEGIN PRIVATE KEY-----); a key with a password must be decrypted first";

/// Logs a warning for each certificate that expires soon, or an error if it has expired.
pub(super) fn warn_of_expiry(certificates: &[Certificate], now: SystemTime) {
    for certificate in certificates {
        match certificate.expiry(now) {
            Some(words) if certificate.expires <= now => log::error!("{words}"),
            Some(words) => log::warn!("{words}"),
            None => {}
        }
    }
}

/// The certificates of a file, of which there is at least one.
pub(super) fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let fault = |fault: String| CertificateError { file: file.to_owned(), fault };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(file)?).collect();
    let certificates = certificates.map_err(|error| fault(format!("this is no PEM file: {error}")))?;
    if certificates.is_empty() {
        return Err(fault(NO_CERTIFICATE.to_owned()));
    }
    Ok(certificates)
}

fn read(file: &Path) -> Result<Vec<u8>, CertificateError> {
    let mut bytes = Vec::new();
    let read = files::open_to_read(file)
        .and_then(|opened| opened.take(CERTIFICATE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .and_then(|_| match bytes.len() as u64 > CERTIFICATE_BYTES_MAX {
            true => Err(io::Error::other(format!("it is larger than {CERTIFICATE_BYTES_MAX} bytes"))),
            false => Ok(()),
        });
    read.map(|()| bytes).map_err(|error| CertificateError { file: file.to_owned(), fault: error.to_string() })
}

/// The host names and addresses of a certificate, in lower case.
fn names(certificate: &x509_cert::Certificate) -> Vec<String> {
    let Ok(Some((_, names))) = certificate.tbs_certificate.get::<SubjectAltName>() else { return Vec::new() };
    let name = |name: GeneralName| match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
        _ => None,
    };
    names.0.into_iter().filter_map(name).collect()
}
