//! What a machine of the core waits for: the one question a driver asks it.

/// The next moves of a connection, derived from its state each time and stored nowhere.
///
/// The driver does those it can at once and waits for the rest. Nothing wanted and no deadline
/// would be a connection nobody ever wakes: the machines never say that before they want [`finish`](Wants::finish).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Wants {
    /// There is room for bytes from the client, and use for them.
    pub read_client: bool,
    /// There are bytes for the client.
    pub write_client: bool,
    /// All bytes for the client are out and no more follow: close our sending side.
    pub shut_client: bool,
    /// A back end is to be chosen and connected.
    pub connect: bool,
    /// It stands in the queue for a back end: somebody else's end calls it, by the waker it was given.
    pub queued: bool,
    /// Nothing is wanted of the client but the news that its connection has failed.
    pub watch_client: bool,
    /// There are bytes for the back end.
    pub write_backend: bool,
    /// There is room for bytes from the back end, and use for them.
    pub read_backend: bool,
    /// All bytes for the back end are out and no more follow: close our sending side.
    pub shut_backend: bool,
    /// The back end's connection is done with: keep it for the next request or drop it.
    pub release_backend: bool,
    /// Both sides have switched to another protocol: go on as a relay of bytes.
    pub tunnel: bool,
    /// The connection is over: close both sockets and write the closing line.
    pub finish: bool,
}
