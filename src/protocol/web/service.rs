//! What the machine needs from a site: for each request a response, which is a head and a body from
//! somewhere.

use std::fmt;
use std::io;
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
    /// The settings that all its connections share.
    pub context: Arc<RoleContext>,
    /// Where responses come from.
    pub site: Arc<S>,
}

/// The source of responses.
pub trait Site: fmt::Debug {
    /// A response of which nothing has been written yet.
    type Response: Response;

    /// The response to a request whose head is complete.
    fn respond(&self, head: &RequestHead<'_>, now: &Now) -> Self::Response;

    /// The response that sends the client on to `location`, which has TLS.
    fn redirect(&self, head: &RequestHead<'_>, location: String) -> Self::Response;

    /// The response to a request that is refused; it ends the connection.
    fn refuse(&self, refusal: Refusal) -> Self::Response;

    /// The response to a request that could be read and is refused; the connection may go on.
    fn decline(&self, _head: &RequestHead<'_>, refusal: Refusal) -> Self::Response {
        self.refuse(refusal)
    }
}

/// One response: its head, and where the bytes of its body are.
pub trait Response: fmt::Debug {
    /// A body that is in memory.
    type Memory: AsRef<[u8]> + fmt::Debug;
    /// A file from which a driver sends a body.
    type File: fmt::Debug;
    /// A body that is generated while it is sent.
    type Generator: Generator;

    /// The status code.
    fn status(&self) -> u16;

    /// Why the request is refused, for the log.
    fn cause(&self) -> Option<&'static str>;

    /// How long to wait before the head is sent, for test responses.
    fn delay(&self) -> Option<Duration>;

    /// True if the connection must be closed after this response to a client of this version: because the
    /// site asks for it, or because only the close tells the client where the body ends.
    fn closes(&self, version: Version) -> bool;

    /// Bytes to send after the body, outside of its framing.
    fn trailing(&self) -> &'static [u8];

    /// Writes the head into `out`. If there is no room it writes nothing and returns `false`.
    ///
    /// `connection` is the value of the `Connection` field, if there is to be one.
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
    /// Generated while it is sent.
    Generated(G),
}

/// Generates the bytes of a body, chunk framing included, as they are needed.
pub trait Generator: fmt::Debug {
    /// Appends as many bytes as there is room for; `true` once the last byte is in `out`.
    ///
    /// Errors: what the bytes come from does not give them any more. The response cannot be completed.
    fn fill(&mut self, out: &mut Buffer) -> io::Result<bool>;
}
