//! How a connection or an exchange ended: who ended it, how, and in which phase.
//!
//! Why we close is a value, so that the closing line of the log and the tests say the same thing.

use std::fmt;

/// Whose doing the end was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Who {
    /// The peer that connected to us.
    Client,
    /// The peer that we connected to.
    Backend,
    /// This program: a limit, a drain, a fault of ours.
    Us,
}

/// What ended it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum How {
    /// Everything asked for was done; nothing was cut.
    Finished,
    /// An orderly end of stream, where more was expected or none was needed.
    Closed,
    /// A reset, or another error of the socket.
    Reset,
    /// A deadline passed.
    TimedOut,
    /// A connection was refused, or could not be made.
    Refused,
    /// Bytes that break the rules of the protocol.
    Malformed,
    /// A limit of ours was exceeded: queue, size or count.
    Limited,
    /// The program was told to stop.
    Drained,
    /// A fault in this program, caught and logged.
    Failed,
}

/// Where in its life the connection was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// Between two requests, or before the first byte of the first.
    Idle,
    /// Reading the header by which a proxy tells who the client is.
    ProxyHeader,
    /// Reading the request head.
    RequestHead,
    /// Reading or forwarding the request body.
    RequestBody,
    /// Waiting for a worker or a back end's free place.
    Queue,
    /// Connecting to a back end.
    Connect,
    /// Waiting for the head of the answer.
    ResponseHead,
    /// Sending the answer's body.
    ResponseBody,
    /// Relaying bytes both ways.
    Relay,
}

/// The end of a connection or exchange; shown as one phrase, such as `client reset in answer body`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// Whose doing it was.
    pub who: Who,
    /// What happened.
    pub how: How,
    /// When in the connection's life.
    pub phase: Phase,
}

impl Outcome {
    /// Puts the three together.
    pub const fn new(who: Who, how: How, phase: Phase) -> Outcome {
        Outcome { who, how, phase }
    }

    /// True if the peer got all it was owed: nothing to warn about.
    pub fn is_clean(&self) -> bool {
        self.how == How::Finished || (self.how == How::Closed && self.phase == Phase::Idle)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.how == How::Finished {
            return f.write_str("finished");
        }
        let who = match self.who {
            Who::Client => "client",
            Who::Backend => "back end",
            Who::Us => "we",
        };
        let how = match self.how {
            How::Finished => "finished",
            How::Closed => "closed",
            How::Reset => "reset",
            How::TimedOut => "timed out",
            How::Refused => "refused",
            How::Malformed => "broke the protocol",
            How::Limited => "hit a limit",
            How::Drained => "drained",
            How::Failed => "failed",
        };
        let phase = match self.phase {
            Phase::Idle => "while idle",
            Phase::ProxyHeader => "in PROXY header",
            Phase::RequestHead => "in request head",
            Phase::RequestBody => "in request body",
            Phase::Queue => "in queue",
            Phase::Connect => "in connect",
            Phase::ResponseHead => "before answer head",
            Phase::ResponseBody => "in answer body",
            Phase::Relay => "in relay",
        };
        write!(f, "{who} {how} {phase}")
    }
}
