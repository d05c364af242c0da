//! Source hash: the same client address goes to the same back end (HAProxy `balance source` with `hash-type
//! consistent`, nginx `hash $remote_addr consistent` and `ip_hash`).
//!
//! Contract: highest random weight, also called rendezvous hashing. Client and back end together give each back end a
//! score, and the highest wins. If one back end of ten goes, only its own clients move, a tenth of all, and they
//! spread over the nine others; if it comes back, the same ones return. The same addresses give the same scores on
//! every machine and in every process, so that several balancers agree.
//!
//! A ring of points does the same with a table, in which shares are uneven unless each back end has hundreds of
//! points, and which must be made anew with each change. Here nothing is stored and shares follow the weights
//! exactly. The price is a multiplication or two for each back end and turn.

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher13;

use super::{Candidates, Choice, Choose, DependsOn};
use crate::balance::backend::Backend;
use crate::balance::mix::mix;

pub(super) struct SourceHash;

impl Choose for SourceHash {
    fn name(&self) -> &'static str {
        "source-hash"
    }

    fn about(&self) -> &'static str {
        "The same one for the same client address"
    }

    fn depends_on(&self) -> DependsOn {
        DependsOn::Client
    }

    fn choose(&self, among: &Candidates<'_>) -> Choice {
        let client = hash_of(among.client());
        let is_even = among.count_if_even().is_some();
        let scored = |(index, backend): (usize, &Backend)| {
            let hash = mix(client ^ backend.place_hash);
            // With equal weights the order of the scores is that of the hashes, and those cost no logarithm.
            let score = if is_even { evenly(hash) } else { score(hash, among.weight(backend)) };
            (index, score)
        };
        let best = among.iter().map(scored).max_by(|(_, one), (_, other)| one.total_cmp(other));
        best.map(|(index, _)| index).into()
    }
}

/// The score of a back end with this weight. For a hash that is evenly distributed, the highest of several scores is
/// each back end's as often as it weighs.
fn score(hash: u64, weight: u64) -> f64 {
    weight as f64 / -evenly(hash).ln()
}

/// A hash as a number between 0 and 1, both excluded.
fn evenly(hash: u64) -> f64 {
    // 52 bits and a half are what the type holds exactly.
    ((hash >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}

/// The hash of a client's address; of nobody's, if there is no client.
fn hash_of(client: Option<IpAddr>) -> u64 {
    let mut hasher = SipHasher13::new();
    match client {
        Some(IpAddr::V4(address)) => hasher.write(&address.octets()),
        Some(IpAddr::V6(address)) => hasher.write(&address.octets()),
        None => {}
    }
    hasher.finish()
}
