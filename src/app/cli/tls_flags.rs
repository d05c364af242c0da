//! The flags of encryption, on both sides. See [`flags`](super::flags) for all others.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use crate::net::endpoint::Endpoint;

/// TLS towards clients.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "TLS towards clients")]
pub(crate) struct TlsFlags {
    /// PEM file with a certificate and those that vouch for it; all --listen addresses then speak TLS; repeatable: the name that a client asks for (SNI) decides; SIGHUP reads the files again
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert: Vec<PathBuf>,
    /// PEM file with the private key of the certificate at the same place; without it the key is in the certificate's file
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: Vec<PathBuf>,
    /// Speak TLS with a certificate made at start for localhost and the addresses of --listen, for trying: no client trusts it by itself
    #[arg(long, conflicts_with = "tls_cert")]
    pub(crate) tls_self_signed: bool,
    /// File to write that certificate to (not its key), for a client that is to trust it: curl --cacert FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_self_signed_to: Option<PathBuf>,
    /// Address to listen on without TLS beside those of --listen; repeatable
    #[arg(long, value_name = "ADDR")]
    pub(crate) plain: Vec<Endpoint>,
    /// Redirect requests at --plain addresses to https://, except those for /.well-known/acme-challenge/
    #[arg(long)]
    pub(crate) redirect_https: bool,
}

impl TlsFlags {
    /// Finds combinations of the flags that make no sense.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let (certificates, keys) = (self.tls_cert.len(), self.tls_key.len());
        if keys > certificates || (keys > 0 && keys < certificates) {
            return Err(Failure::Usage(format!(
                "--tls-key: {keys} for {certificates} of --tls-cert: give one for each certificate, in the same \
                 order, or none if each file has both"
            )));
        }
        // Not by clap's `requires`: a key of a file is parsed alone first, and would lack the other.
        if self.tls_self_signed_to.is_some() && !self.tls_self_signed {
            return Err(Failure::Usage(NO_SELF_SIGNED.to_owned()));
        }
        if self.redirect_https && self.plain.is_empty() {
            let words =
                "--redirect-https: no address is without TLS; give the one to redirect from with --plain";
            return Err(Failure::Usage(words.to_owned()));
        }
        if !self.plain.is_empty() && !self.has_certificate() {
            let words = "--plain: no address speaks TLS; give a certificate with --tls-cert, or use --listen";
            return Err(Failure::Usage(words.to_owned()));
        }
        Ok(())
    }

    /// True if clients are spoken to over TLS.
    pub(crate) fn has_certificate(&self) -> bool {
        self.tls_self_signed || !self.tls_cert.is_empty()
    }

    /// The files of each certificate: its own, and that of its key.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&PathBuf, &PathBuf)> {
        let keys = if self.tls_key.is_empty() { &self.tls_cert } else { &self.tls_key };
        self.tls_cert.iter().zip(keys)
    }
}

/// There is no certificate to write.
const NO_SELF_SIGNED: &str =
    "--tls-self-signed-to: it is the certificate of --tls-self-signed that is written, which is not given";

/// TLS towards back ends.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "TLS towards back ends")]
pub(crate) struct BackendTlsFlags {
    /// PEM file with certificates that vouch for those of https:// back ends, instead of those that the system trusts; repeatable; SIGHUP reads the files again
    #[arg(long, value_name = "FILE")]
    pub(crate) backend_ca: Vec<PathBuf>,
}
