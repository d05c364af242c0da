//! What a machine asks of its driver: an order to carry out ([`Step`]), or bytes to move ([`Interest`]).
//!
//! Contract: both are computed from the machine's state each time a driver asks, and never stored. A
//! machine that is not over always has a step, an interest, a deadline or a place in a queue, so there is
//! always something that makes it go on.

/// The next thing a driver has to do for a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Move the bytes of the machine's [`Interest`]; if none can be moved now, wait until some can.
    Transfer,
    /// Have a password verified, or hear what came of it. It is done elsewhere: until the waker is called that was
    /// given for it, the step is [`Queue`](Step::Queue).
    Verify,
    /// Choose a back end and connect to it.
    Connect,
    /// Wait for a turn, at a back end or of a password: the waker that was given for it is called when the wait is
    /// over.
    Queue,
    /// All bytes for the client are sent and no more follow: close the sending side (half-close).
    ShutClient,
    /// All bytes for the back end are sent and no more follow: close the sending side (half-close).
    ShutBackend,
    /// A relay has been silent for a while: have the kernel send keep-alive probes to the back end.
    StartProbes,
    /// The machine no longer needs the connection to the back end: put it into the idle pool, or close it.
    ReleaseBackend,
    /// Client and back end have agreed on another protocol: continue as a relay.
    SwitchProtocols,
    /// The connection is over: close both sockets.
    Finish,
}

/// Which bytes can be moved, and whether a socket is only watched for a failure.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Interest {
    /// The machine can use bytes from the client and has room for them.
    pub read_client: bool,
    /// There are bytes to send to the client.
    pub write_client: bool,
    /// The machine wants to know if the client's connection fails, even if it reads and writes nothing there.
    pub(crate) watch_client: bool,
    /// The machine can use bytes from the back end and has room for them.
    pub read_backend: bool,
    /// There are bytes to send to the back end.
    pub write_backend: bool,
}

impl Interest {
    /// No bytes can be moved and nothing is watched.
    pub(crate) const NONE: Interest = Interest {
        read_client: false,
        write_client: false,
        watch_client: false,
        read_backend: false,
        write_backend: false,
    };
}
