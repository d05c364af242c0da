//! What is known of whoever asks for a back end, for the policies that look at it.
//!
//! Contract: a key decides who comes first and never who may come: one that is forged leads to a back end that
//! anybody could have got.

use std::net::IpAddr;

use super::tag::Tag;

/// Who asks for a back end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Key {
    /// The client's address: that of its connection, or the one that a PROXY header tells.
    pub(crate) client: Option<IpAddr>,
    /// The back end that its cookie names.
    pub(crate) tag: Option<Tag>,
}

/// A client that is known by nothing but its address.
impl From<IpAddr> for Key {
    fn from(client: IpAddr) -> Key {
        // The same client has the same address, whichever listener it came to.
        Key { client: Some(client.to_canonical()), tag: None }
    }
}
