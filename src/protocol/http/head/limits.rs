//! The longest request head, its first line and its fields.
//!
//! Contract: the limits can only be narrower than those of `protocol/limits.rs`, since a head must fit into one buffer
//! and its fields into the space that a machine has for them.

use super::Fields;
use crate::protocol::http::Refusal;
use crate::protocol::limits::{HEAD_BYTES_MAX, HEAD_FIELDS_MAX, REQUEST_LINE_BYTES_MAX};

/// How long a request head may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeadLimits {
    /// Bytes of the whole head; beyond it 431.
    pub bytes: usize,
    /// Bytes of the request line; beyond it 414.
    pub line: usize,
    /// Field lines; beyond it 431.
    pub fields: usize,
}

impl Default for HeadLimits {
    fn default() -> HeadLimits {
        HeadLimits { bytes: HEAD_BYTES_MAX, line: REQUEST_LINE_BYTES_MAX, fields: HEAD_FIELDS_MAX }
    }
}

impl HeadLimits {
    /// Checks what only a whole head shows: how many fields it has. The parser itself refuses the largest number.
    pub(crate) fn check(&self, fields: &Fields<'_>) -> Result<(), Refusal> {
        match self.fields < HEAD_FIELDS_MAX && fields.count() > self.fields {
            true => Err(Refusal::new(431, "The request has more fields than this server accepts.")),
            false => Ok(()),
        }
    }
}
