//! TLS as a test wants it: an authority and certificates of its own, and clients and servers that use them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType, SignatureAlgorithm};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, SupportedProtocolVersion};
use x509_cert::der::pem::{LineEnding, encode_string};

use super::client::Client;
use super::launch::Launch;
use super::role::Role;
use super::site::Site;

/// A day.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Who vouches for certificates.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

/// A certificate and its key.
#[derive(Debug)]
pub struct Identity {
    /// The certificate, and whatever is sent with it.
    pub chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Authority {
    /// A new one.
    pub fn new() -> Authority {
        let (mut params, key) = (CertificateParams::default(), KeyPair::generate().unwrap());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two authorities never have one name.
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let name = format!("authority {} for tests", NEXT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Authority { issuer: Issuer::new(params, key), certificate }
    }

    /// Its own certificate, as the text of a file.
    pub fn pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    /// A certificate for these names and addresses, good for a month.
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.issue_until(names, SystemTime::now() + 30 * DAY)
    }

    /// The same with this last moment.
    pub fn issue_until(&self, names: &[&str], end: SystemTime) -> Identity {
        self.sign(params(names, end), KeyPair::generate().unwrap())
    }

    /// The same with a key of this kind.
    pub fn issue_of_kind(&self, names: &[&str], kind: &'static SignatureAlgorithm) -> Identity {
        self.sign(params(names, SystemTime::now() + 30 * DAY), KeyPair::generate_for(kind).unwrap())
    }

    fn sign(&self, params: CertificateParams, key: KeyPair) -> Identity {
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity { chain: vec![certificate.der().clone()], key: key.serialize_der() }
    }

    /// A client that believes this authority and nobody else.
    pub fn client(&self) -> ClientConfig {
        self.client_of(rustls::ALL_VERSIONS)
    }

    /// The same with these versions of TLS only.
    pub fn client_of(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        client_that_believes(self.certificate.clone(), versions)
    }
}

impl Identity {
    /// A certificate that vouches for itself; `openssl req -x509` makes one that says that it may vouch for others.
    pub fn self_signed(names: &[&str], is_authority: bool) -> Identity {
        let (mut params, key) = (params(names, SystemTime::now() + 30 * DAY), KeyPair::generate().unwrap());
        if is_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Identity { chain: vec![certificate], key: key.serialize_der() }
    }

    /// The certificate and what is sent with it, as the text of a file.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(|certificate| pem("CERTIFICATE", certificate)).collect()
    }

    /// The key, as the text of a file.
    pub fn key_pem(&self) -> String {
        pem("PRIVATE KEY", &self.key)
    }

    /// Both in one file.
    pub fn pem(&self) -> String {
        self.chain_pem() + &self.key_pem()
    }

    /// A server with this certificate.
    pub fn server(&self) -> ServerConfig {
        self.server_of(rustls::ALL_VERSIONS)
    }

    /// The same with these versions of TLS only.
    pub fn server_of(&self, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.clone()));
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key)
            .unwrap()
    }
}

/// What `localhost` needs to be spoken to over TLS: an authority, a certificate of it, and files with both.
#[derive(Debug)]
pub struct Setup {
    /// Who vouches for the certificate.
    pub authority: Authority,
    /// For `localhost` and 127.0.0.1.
    pub identity: Identity,
    folder: Site,
}

impl Setup {
    /// A new one.
    pub fn new() -> Setup {
        let authority = Authority::new();
        let identity = authority.issue(&["localhost", "127.0.0.1"]);
        let folder = Site::new().with("server.pem", identity.pem()).with("authority.pem", authority.pem());
        Setup { authority, identity, folder }
    }

    /// Where the certificate is, with its key.
    pub fn server_file(&self) -> PathBuf {
        self.path("server.pem")
    }

    /// Where the authority's certificate is.
    pub fn authority_file(&self) -> PathBuf {
        self.path("authority.pem")
    }

    /// Where a file of this name is, or would be.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes another file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    /// The role speaks TLS with this certificate.
    pub fn before(&self, launch: Launch) -> Launch {
        launch.flag("--tls-cert", self.server_file().display())
    }

    /// The role believes back ends for which this authority vouches.
    pub fn behind(&self, launch: Launch) -> Launch {
        launch.flag("--backend-ca", self.authority_file().display())
    }

    /// A client that believes this certificate.
    pub fn client(&self) -> Arc<ClientConfig> {
        Arc::new(self.authority.client())
    }

    /// A connection to this role that speaks TLS.
    pub fn connect(&self, role: &Role) -> Client {
        let client = Client::secure(role.address(), &self.client(), "localhost");
        client.unwrap_or_else(|error| panic!("{error}; it said:\n{}", role.log()))
    }
}

/// A client that greets a server whose certificate must be for `name`.
pub fn greeting(config: &Arc<ClientConfig>, name: &str) -> ClientConnection {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    ClientConnection::new(Arc::clone(config), name).unwrap()
}

/// A client that believes whoever the certificate in this file vouches for.
pub fn client_that_believes_file(file: &Path) -> Arc<ClientConfig> {
    let certificate = CertificateDer::from_pem_file(file).unwrap();
    Arc::new(client_that_believes(certificate, rustls::ALL_VERSIONS))
}

fn client_that_believes(
    certificate: CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// The text of a file with one such thing.
pub fn pem(label: &'static str, der: &[u8]) -> String {
    encode_string(label, LineEnding::LF, der).unwrap()
}

fn params(names: &[&str], end: SystemTime) -> CertificateParams {
    let addresses = names.iter().filter_map(|name| name.parse().ok()).map(SanType::IpAddress);
    let hosts = names.iter().filter(|name| name.parse::<std::net::IpAddr>().is_err());
    let mut params = CertificateParams::new(hosts.map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    params.subject_alt_names.extend(addresses);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, *names.first().unwrap_or(&"nobody"));
    params.not_before = (end - 60 * DAY).into();
    params.not_after = end.into();
    params
}
