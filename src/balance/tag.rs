//! Tags: names of back ends that may be shown to clients, and from which nobody learns an address.
//!
//! Contract: the tag of a back end is a hash of its address with a secret key (SipHash-2-4). There are few enough
//! addresses that without a key all of them could be tried. With the same secret a back end has the same tag in
//! each process and after each restart; without one the key is drawn at random when the process starts.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;

use siphasher::sip::SipHasher24;
use siphasher::sip128::{Hasher128, SipHasher24 as SipHasher128};

use super::member::Member;

/// A tag has so many hexadecimal digits.
const DIGITS: usize = 16;

/// The name of a back end for clients.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Tag(u64);

impl Tag {
    /// Reads what [`Display`](fmt::Display) wrote, and nothing else.
    pub(crate) fn parse(text: &[u8]) -> Option<Tag> {
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_tag = text.len() == DIGITS && text.iter().all(is_digit);
        let text = std::str::from_utf8(text).ok().filter(|_| is_tag)?;
        u64::from_str_radix(text, 16).ok().map(Tag)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0DIGITS$x}", self.0)
    }
}

/// The secret from which tags are made.
#[derive(Clone, Copy)]
pub(crate) struct TagKey([u64; 2]);

impl TagKey {
    /// The key of this process.
    fn of_process() -> TagKey {
        static DRAWN: OnceLock<TagKey> = OnceLock::new();
        // Both halves are outputs of a hash with random keys, which the system gave.
        *DRAWN.get_or_init(|| TagKey([0, 1].map(|half: u64| RandomState::new().hash_one(half))))
    }

    /// The key that follows from a secret.
    pub(crate) fn from_secret(secret: &[u8]) -> TagKey {
        let mut hasher = SipHasher128::new();
        hasher.write(secret);
        let hash = hasher.finish128();
        TagKey([hash.h1, hash.h2])
    }

    pub(super) fn tag(self, member: &Member) -> Tag {
        let mut hasher = SipHasher24::new_with_keys(self.0[0], self.0[1]);
        hasher.write(member.address.to_string().as_bytes());
        // Without TLS a name makes no difference: see `Member::is_at`.
        if let Some(host) = member.host.as_deref().filter(|_| member.is_secure) {
            hasher.write(b" ");
            hasher.write(host.as_bytes());
        }
        Tag(hasher.finish())
    }
}

impl Default for TagKey {
    fn default() -> TagKey {
        TagKey::of_process()
    }
}

/// A secret is not shown.
impl fmt::Debug for TagKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TagKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn member(port: u16) -> Member {
        Member::from(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    #[test]
    fn a_tag_is_read_back_and_nothing_like_it_is() {
        let tag = TagKey::default().tag(&member(1));
        let text = tag.to_string();
        assert_eq!(Tag::parse(text.as_bytes()), Some(tag));
        assert_eq!(Tag(7).to_string(), "0000000000000007");
        for text in ["", "7", "000000000000007", "00000000000000007", "000000000000000A", "+00000000000000 "]
        {
            assert_eq!(Tag::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn with_one_secret_a_back_end_has_one_tag_and_with_another_another() {
        let tags = |secret: &[u8]| [1, 2].map(|port| TagKey::from_secret(secret).tag(&member(port)));
        assert_eq!(tags(b"one"), tags(b"one"));
        assert_ne!(tags(b"one")[0], tags(b"one")[1]);
        assert_ne!(tags(b"one")[0], tags(b"two")[0]);
        assert_eq!(TagKey::default().tag(&member(1)), TagKey::default().tag(&member(1)));
        // Cookies of a year ago still name their back ends: this never changes.
        assert_eq!(tags(b"one")[0].to_string(), "4356865b2e8e5434");
    }
}
