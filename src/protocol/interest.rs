//! What a machine asks of its driver: an order to carry out ([`Step`]), or bytes to move ([`Interest`]).
//!
//! Contract: both are derived from the machine's state each time they are asked for, and stored
//! nowhere. A machine that waits always has an interest, a deadline or a place in a queue.

/// The next thing a driver has to do for a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Move the bytes of the machine's [`Interest`], and wait where none can be moved.
    Transfer,
    /// Choose a back end and connect to it.
    Connect,
    /// Wait in the queue for a back end: the waker that was given when it was chosen tells the end of it.
    Queue,
    /// All bytes for the client are out and no more follow: close our sending side.
    ShutClient,
    /// All bytes for the back end are out and no more follow: close our sending side.
    ShutBackend,
    /// The back end's connection is done with: keep it for the next request, or close it.
    ReleaseBackend,
    /// Both sides have agreed on another protocol: go on as a relay of bytes.
    SwitchProtocols,
    /// The connection is over: close both sockets.
    Finish,
}

/// Which bytes can be moved, and what is only watched.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Interest {
    /// There is room for bytes from the client, and use for them.
    pub read_client: bool,
    /// There are bytes for the client.
    pub write_client: bool,
    /// Nothing is wanted of the client but the news that its connection has failed.
    pub watch_client: bool,
    /// There is room for bytes from the back end, and use for them.
    pub read_backend: bool,
    /// There are bytes for the back end.
    pub write_backend: bool,
}

impl Interest {
    /// No bytes can be moved and nothing is watched.
    pub const NONE: Interest = Interest {
        read_client: false,
        write_client: false,
        watch_client: false,
        read_backend: false,
        write_backend: false,
    };
}
