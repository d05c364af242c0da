//! What a role needs to encrypt its connections: certificates and trust, read from files.
//!
//! Contract: everything that can be wrong with the files is found here, before anything is bound. A reload reads
//! them again.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{ClientConfig, ServerConfig};

use super::cli::{Failure, TlsFlags};
use crate::net::listen::ListenAddress;
use crate::net::target::Target;
use crate::net::tls::{self, Certificate};
use crate::protocol::context::FrontTls;

/// The encryption of a role's connections, on both sides.
#[derive(Clone, Debug, Default)]
pub(crate) struct Encryption {
    /// What clients are shown; empty for connections in the clear.
    pub(crate) certificates: Vec<Certificate>,
    front: Option<Arc<ServerConfig>>,
    /// Where to write them when they are used.
    write_to: Option<PathBuf>,
    redirects: bool,
    /// How back ends with `https://` are spoken to.
    pub(crate) back: Option<Arc<ClientConfig>>,
}

/// What is spoken inside of TLS by a role that speaks HTTP: its name in ALPN (RFC 7301).
pub(crate) const HTTP_1: &[&str] = &["http/1.1"];

/// The same for a role that does not look at what it passes on.
pub(crate) const ANYTHING: &[&str] = &[];

impl Encryption {
    /// Towards clients as these flags say, at addresses that speak `protocols`.
    pub(crate) fn of_clients(
        flags: &TlsFlags,
        listen: &[ListenAddress],
        protocols: &[&str],
    ) -> Result<Encryption, Failure> {
        flags.check()?;
        if !flags.has_certificate() {
            return Ok(Encryption::default());
        }
        let addresses: Vec<SocketAddr> = listen.iter().map(|at| at.address).collect();
        let encryption = match flags.tls_self_signed {
            true => Encryption::self_signed(&addresses, flags.tls_self_signed_to.as_deref(), protocols)?,
            false => {
                let certificates = flags.files().map(|(chain, key)| load(chain, key));
                Encryption::with(certificates.collect::<Result<_, _>>()?, protocols)?
            }
        };
        Ok(Encryption { redirects: flags.redirect_https, ..encryption })
    }

    /// Towards clients, with a certificate made now for `localhost` and these addresses, which will be written to `file`.
    pub(crate) fn self_signed(
        addresses: &[SocketAddr],
        file: Option<&Path>,
        protocols: &[&str],
    ) -> Result<Encryption, Failure> {
        let encryption = Encryption::with(vec![self_signed_for(addresses)?], protocols)?;
        Ok(Encryption { write_to: file.map(Path::to_owned), ..encryption })
    }

    /// Towards clients, with these certificates.
    fn with(certificates: Vec<Certificate>, protocols: &[&str]) -> Result<Encryption, Failure> {
        let config = tls::server_config(&certificates, protocols);
        let config = config.map_err(|error| Failure::Runtime(format!("TLS cannot be spoken: {error}")))?;
        Ok(Encryption { certificates, front: Some(Arc::new(config)), ..Encryption::default() })
    }

    /// The same, and towards those of `targets` that are `https://`.
    pub(crate) fn and_of_back_ends<'t>(
        self,
        authorities: &[PathBuf],
        targets: impl IntoIterator<Item = &'t Target>,
    ) -> Result<Encryption, Failure> {
        if !targets.into_iter().any(|target| target.is_secure) {
            return match authorities.is_empty() {
                true => Ok(self),
                false => Err(Failure::Usage("--backend-ca: no back end is https://".to_owned())),
            };
        }
        let back = tls::backend_config(authorities).map_err(Failure::Usage)?;
        Ok(Encryption { back: Some(Arc::new(back)), ..self })
    }

    /// What machines are told, for a role that listens on `own`.
    pub(crate) fn front(&self, own: &[ListenAddress]) -> Option<FrontTls> {
        let config = Arc::clone(self.front.as_ref()?);
        let secure = own.iter().find(|listen| !listen.is_plain).map(|listen| listen.address.port());
        Some(FrontTls { config, redirect_to: secure.filter(|_| self.redirects) })
    }

    /// Its certificates are used from now on: writes the one that was made to its file, and logs which they are.
    pub(crate) fn announce(&self) -> Result<(), Failure> {
        if let Some(file) = &self.write_to {
            let pem: String = self.certificates.iter().map(Certificate::pem).collect();
            fs::write(file, pem).map_err(|error| {
                Failure::Runtime(format!("--tls-self-signed-to {}: {error}", file.display()))
            })?;
        }
        for certificate in &self.certificates {
            log::info!("certificate for {}, valid until {}", certificate.names(), certificate.last_day());
        }
        Ok(())
    }
}

/// Reads a certificate and its key; an error names the flag whose file is at fault.
fn load(chain: &Path, key: &Path) -> Result<Certificate, Failure> {
    Certificate::load(chain, key).map_err(|error| {
        let flag = if error.file == chain { "--tls-cert" } else { "--tls-key" };
        Failure::Usage(format!("{flag} {error}"))
    })
}

/// A certificate for `localhost`, its addresses, and these.
fn self_signed_for(addresses: &[SocketAddr]) -> Result<Certificate, Failure> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    for ip in addresses.iter().map(SocketAddr::ip).filter(|ip| !ip.is_unspecified()) {
        let name = ip.to_canonical().to_string();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    tls::self_signed(&names).map_err(|error| Failure::Runtime(format!("--tls-self-signed: {error}")))
}
