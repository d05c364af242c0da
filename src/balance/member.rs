//! A back end as a configuration or a name server gives it, before it is one of a group.

use std::hash::Hasher;
use std::net::SocketAddr;
use std::sync::Arc;

use siphasher::sip::SipHasher13;

use super::backend::Backend;

/// What is known of a back end before anything was sent to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Member {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The host, if its address was looked up by a name.
    pub(crate) host: Option<Arc<str>>,
    /// The service whose records (SRV) name the host, if there is one.
    pub(crate) service: Option<Arc<str>>,
    /// Connections to it are encrypted with TLS, and its certificate must be one for `host`.
    pub(crate) is_secure: bool,
    /// How many turns it gets for each turn of a back end with weight 1.
    pub(crate) weight: u32,
    /// It gets turns only while none of the others is up.
    pub(crate) is_backup: bool,
}

/// A back end like any other: in the clear, with weight 1.
impl From<SocketAddr> for Member {
    fn from(address: SocketAddr) -> Member {
        Member { address, host: None, service: None, is_secure: false, weight: 1, is_backup: false }
    }
}

impl Member {
    /// A hash of the place, the same on every machine and in every version; `copy` counts those before it that are
    /// at the same place.
    pub(super) fn place_hash(&self, copy: usize) -> u64 {
        let mut hasher = SipHasher13::new();
        hasher.write(self.address.to_string().as_bytes());
        hasher.write(&(copy as u64).to_le_bytes());
        hasher.finish()
    }

    /// True if this is the place that `backend` stands for. One server may have a certificate for each of its
    /// names; without TLS a name makes no difference.
    pub(super) fn is_at(&self, backend: &Backend) -> bool {
        let known = &backend.member;
        known.address == self.address
            && known.is_secure == self.is_secure
            && (!self.is_secure || known.host == self.host)
    }
}
