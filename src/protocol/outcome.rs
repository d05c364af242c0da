//! How a connection or an exchange ended: who ended it, how, and in which phase.
//!
//! The reason for a close is a value, so that the access log and the tests name it in the same way.

use std::fmt;

/// Who ended it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Who {
    /// The peer that connected to us.
    Client,
    /// The peer that we connected to.
    Backend,
    /// This program: a limit, a drain, a fault of ours.
    Us,
}

/// How it ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum How {
    /// Everything was done; nothing was cut short.
    Finished,
    /// An orderly end of the stream, expected or not.
    Closed,
    /// A reset, or another error of the socket.
    Reset,
    /// A deadline passed.
    TimedOut,
    /// A connection was refused or could not be made.
    Refused,
    /// There was nobody to connect to: no back end was up.
    Unavailable,
    /// Bytes that break the rules of the protocol.
    Malformed,
    /// A limit of ours was exceeded: queue, size or count.
    Limited,
    /// The program is draining: it was told to stop.
    Drained,
    /// A fault of this program, caught and logged.
    Failed,
}

/// What the connection was doing when it ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    /// Between two requests, or before the first byte of the first.
    Idle,
    /// Reading the PROXY header, in which a proxy tells the client's address.
    ProxyHeader,
    /// Agreeing on how to encrypt the connection.
    Handshake,
    /// Reading the request head.
    RequestHead,
    /// Reading or forwarding the request body.
    RequestBody,
    /// Waiting for a worker, or for a back end with room.
    Queue,
    /// Connecting to a back end.
    Connect,
    /// Waiting for the response head.
    ResponseHead,
    /// Sending the response body.
    ResponseBody,
    /// Relaying bytes both ways.
    Relay,
}

/// The end of a connection or exchange; shown as one phrase, such as `client reset in response body`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// Who ended it.
    pub(crate) who: Who,
    /// How it ended.
    pub(crate) how: How,
    /// What the connection was doing.
    pub(crate) phase: Phase,
}

impl Outcome {
    /// An outcome of these three.
    pub(crate) const fn new(who: Who, how: How, phase: Phase) -> Outcome {
        Outcome { who, how, phase }
    }

    /// True if nothing was cut short: the peer got everything, or there was nothing to get.
    pub(crate) fn is_clean(&self) -> bool {
        self.how == How::Finished || (self.how == How::Closed && self.phase == Phase::Idle)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.how {
            How::Finished => return f.write_str("finished"),
            How::Unavailable => return f.write_str("no back end was up"),
            _ => {}
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
            How::Unavailable => "had no back end",
            How::Malformed => "broke the protocol",
            How::Limited => "hit a limit",
            How::Drained => "drained",
            How::Failed => "failed",
        };
        let phase = match self.phase {
            Phase::Idle => "while idle",
            Phase::ProxyHeader => "in PROXY header",
            Phase::Handshake => "in TLS handshake",
            Phase::RequestHead => "in request head",
            Phase::RequestBody => "in request body",
            Phase::Queue => "in queue",
            Phase::Connect => "in connect",
            Phase::ResponseHead => "before response head",
            Phase::ResponseBody => "in response body",
            Phase::Relay => "in relay",
        };
        write!(f, "{who} {how} {phase}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_clean_if_nothing_was_cut_short() {
        for (how, phase, is_clean, shown) in [
            (How::Finished, Phase::ResponseBody, true, "finished"),
            (How::Closed, Phase::Idle, true, "client closed while idle"),
            (How::Closed, Phase::RequestHead, false, "client closed in request head"),
            (How::Reset, Phase::Idle, false, "client reset while idle"),
            (How::Unavailable, Phase::Connect, false, "no back end was up"),
        ] {
            let outcome = Outcome::new(Who::Client, how, phase);
            assert_eq!((outcome.is_clean(), outcome.to_string().as_str()), (is_clean, shown));
        }
    }
}
