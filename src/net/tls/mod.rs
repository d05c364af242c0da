//! TLS, the encryption of a connection: towards clients (we have the certificate) and towards back ends (we verify
//! theirs). The protocol itself is `rustls`'s, which moves no bytes: it is given what came and says what to send.
//!
//! Contract: both drivers use the same [`TlsStream`] in place of a plain read and write. What it needs of the
//! system, certificates and random numbers, is read before the first client is served. TLS 1.2 and 1.3 only;
//! no compression, no renegotiation, no early data (a request in it could be sent twice by a stranger).
//!
//! | file | what it owns |
//! |---|---|
//! | `stream` | one encrypted connection: bytes of a socket on one side, plain bytes on the other |
//! | `server` | which certificate a client gets, and what we speak |
//! | `client` | which certificates of back ends are believed |
//! | `pinned` | a back end whose own certificate was named |
//! | `certificates` | certificates and keys from files, and when they expire |
//! | `expiry` | a warning before a certificate expires |
//! | `self_signed` | a certificate made at start, for trying things out |

mod certificates;
mod client;
mod expiry;
mod pinned;
mod self_signed;
mod server;
mod stream;

pub(crate) use certificates::Certificate;
pub(crate) use client::{backend_config, connect_error};
pub(crate) use expiry::ExpiryWatcher;
pub(crate) use self_signed::self_signed;
pub(crate) use server::server_config;
pub(crate) use stream::{Arrived, Carrier, TlsStream};
