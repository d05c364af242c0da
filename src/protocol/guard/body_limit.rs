//! The longest body of a request.
//!
//! Contract: a body whose length is announced is refused before a byte of it is passed on. Of a chunked one the first
//! chunk that goes beyond the limit is refused when its size is announced; then the back end's connection is closed in
//! the middle of the body, so that it cannot take what it has for the whole.

use super::{Guard, Refused};
use crate::protocol::http::Refusal;
use crate::protocol::http::framing::Framing;

/// The longest body, in bytes of content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BodyLimit(pub u64);

impl BodyLimit {
    /// What the sender of a longer one gets.
    pub(crate) const REFUSED: Refused = Refused {
        by: Guard::BodyLimit,
        refusal: Refusal::new(413, "The body is longer than this server accepts."),
    };

    /// True unless the framing announces a longer body.
    pub(crate) fn allows(self, framing: Framing) -> bool {
        !matches!(framing, Framing::Length(bytes) if bytes > self.0)
    }

    /// True while so many bytes of content that have come, with those that are announced, are not too many.
    pub(crate) fn allows_more(self, received: u64, announced: u64) -> bool {
        received.saturating_add(announced) <= self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_judged_at_once_and_chunks_as_they_are_announced() {
        let limit = BodyLimit(10);
        for (framing, allowed) in [
            (Framing::None, true),
            (Framing::Length(10), true),
            (Framing::Length(11), false),
            (Framing::Length(u64::MAX), false),
            (Framing::Chunked, true),
        ] {
            assert_eq!(limit.allows(framing), allowed, "{framing:?}");
        }
        assert!(limit.allows_more(4, 6) && !limit.allows_more(5, 6) && !limit.allows_more(1, u64::MAX));
    }
}
