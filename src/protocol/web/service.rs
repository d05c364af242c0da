//! What the machine asks of a site: responses to requests, as a head and the place of a body.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::protocol::buffer::Buffer;
use crate::protocol::context::RoleContext;
use crate::protocol::http::head::RequestHead;
use crate::protocol::http::{Refusal, Version};
use crate::protocol::now::Now;

/// A web server: its settings, and the site it answers from.
#[derive(Debug)]
pub struct WebService<S> {
    /// What its connections share.
    pub context: Arc<RoleContext>,
    /// Where responses come from.
    pub site: Arc<S>,
}

/// Whoever has the responses.
pub trait Site: fmt::Debug {
    /// A response before any of it is bytes.
    type Response: Response;

    /// The response to a request whose head is complete.
    fn respond(&self, head: &RequestHead<'_>, now: &Now) -> Self::Response;

    /// The response to a request that is refused; it ends the connection.
    fn refuse(&self, refusal: Refusal) -> Self::Response;
}

/// One response: its head, and where the bytes of its body are.
pub trait Response: fmt::Debug {
    /// Bytes that are in memory.
    type Memory: AsRef<[u8]> + fmt::Debug;
    /// A file that a driver sends from.
    type File: fmt::Debug;
    /// Bytes that are made as they are sent.
    type Generator: Generator;

    /// The status code.
    fn status(&self) -> u16;

    /// How long to wait before the head is sent.
    fn delay(&self) -> Option<Duration>;

    /// True if the connection ends with this response, to a client of this version: because it says
    /// so, or because nothing else tells the client where the body ends.
    fn closes(&self, version: Version) -> bool;

    /// Bytes to send after the body, outside of all framing.
    fn trailing(&self) -> &'static [u8];

    /// Writes the head into `out`; `false` if there is no room, and then nothing is written.
    ///
    /// `connection` is the value of `Connection`, if it is to be said.
    fn write_head(
        &self,
        out: &mut Buffer,
        version: Version,
        connection: Option<&'static str>,
        now: &Now,
    ) -> bool;

    /// The body.
    fn into_body(self) -> Body<Self::Memory, Self::File, Self::Generator>;
}

/// A body, by where its bytes come from.
#[derive(Debug)]
pub enum Body<M, F, G> {
    /// From memory.
    Memory(M),
    /// `length` bytes of a file from `offset` on.
    File {
        /// The file.
        file: F,
        /// The first byte to send.
        offset: u64,
        /// How many. If the file turns out shorter, the connection must be closed.
        length: u64,
    },
    /// Made on the way.
    Generated(G),
}

/// Makes the bytes of a body, chunk framing included, as fast as they are taken.
pub trait Generator: fmt::Debug {
    /// Puts in what there is room for; `true` once the last byte is in.
    fn fill(&mut self, out: &mut Buffer) -> bool;
}
