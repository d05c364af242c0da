//! Waiting for one of two sockets (`poll(2)`), for the threaded driver.
//!
//! Contract: a wait lasts as long as it may at most, and what it reports may be used at once. A call that returns
//! early with nothing is rare: it is no way to spin.

use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::socket::Handle;

/// For one socket: what [`wait`] waits for, or what it has found.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Readiness {
    /// There are bytes to read, or the stream has ended.
    pub(crate) read: bool,
    /// There is room to write.
    pub(crate) write: bool,
    /// The connection has failed.
    pub(crate) failed: bool,
}

impl Readiness {
    fn flags(self) -> PollFlags {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, self.read);
        flags.set(PollFlags::OUT, self.write);
        flags
    }

    /// The result for a socket of which it is known what has come and whether it has failed. A failed socket counts as
    /// ready for everything that was asked for, because the next call on it returns the error.
    ///
    /// `intersects`: on Windows `IN` is two bits, and ordinary bytes are one of them.
    fn told(self, events: PollFlags, failed: bool) -> Readiness {
        Readiness {
            read: self.read && (failed || events.intersects(PollFlags::IN)),
            write: self.write && (failed || events.intersects(PollFlags::OUT)),
            failed,
        }
    }
}

/// Waits until one of two sockets is ready for something that is asked for, or for `limit`.
///
/// A socket for which nothing is asked is left out: `poll` would report its hang-up each time at once. If
/// nothing is asked for either socket, this only waits.
pub(crate) fn wait(sockets: [(Handle<'_>, Readiness); 2], limit: Duration) -> [Readiness; 2] {
    let [(first, of_first), (second, of_second)] = sockets;
    let mut asked = [
        PollFd::from_borrowed_fd(first, of_first.flags()),
        PollFd::from_borrowed_fd(second, of_second.flags()),
    ];
    let asked_now = match (system::can_ask(of_first), system::can_ask(of_second)) {
        (true, true) => &mut asked[..],
        (true, false) => &mut asked[..1],
        (false, true) => &mut asked[1..],
        (false, false) => &mut [],
    };
    if !system::poll(asked_now, limit) {
        // A signal, or no memory: the caller checks its deadline and calls again.
        return [Readiness::default(); 2];
    }
    let events = asked.map(|socket| socket.revents());
    system::tell(sockets, events, limit)
}

#[cfg(unix)]
mod system {
    use super::*;

    /// True if `poll` can be asked for this: it reports failures of each socket that it is given.
    pub(super) fn can_ask(of: Readiness) -> bool {
        of != Readiness::default()
    }

    /// False if it did not wait.
    pub(super) fn poll(asked: &mut [PollFd<'_>], limit: Duration) -> bool {
        let timeout = Timespec::try_from(limit).ok();
        super::poll(asked, timeout.as_ref()).is_ok()
    }

    pub(super) fn tell(
        sockets: [(Handle<'_>, Readiness); 2],
        events: [PollFlags; 2],
        _limit: Duration,
    ) -> [Readiness; 2] {
        let told = |of: Readiness, events: PollFlags| {
            of.told(events, events.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL))
        };
        [told(sockets[0].1, events[0]), told(sockets[1].1, events[1])]
    }
}

/// `WSAPoll` differs in three ways: without a socket it does not wait; it cannot be asked for failures alone; and it
/// reports a hang-up when the peer has only finished sending. So a socket that is only watched is looked at when the
/// wait is over, which is soon enough.
#[cfg(windows)]
mod system {
    use super::*;
    use crate::net::io::has_failed;

    /// A wait for room in the socket of a peer that has finished sending ends at once, with a hang-up; so does one
    /// that fails. 10 ms are no load, and short beside the time that a slow peer needs to make room.
    const PAUSE: Duration = Duration::from_millis(10);

    pub(super) fn can_ask(of: Readiness) -> bool {
        of.read || of.write
    }

    pub(super) fn poll(asked: &mut [PollFd<'_>], limit: Duration) -> bool {
        if asked.is_empty() {
            std::thread::sleep(limit);
            return true;
        }
        let timeout = Timespec::try_from(limit).ok();
        let has_waited = super::poll(asked, timeout.as_ref()).is_ok();
        if !has_waited {
            std::thread::sleep(PAUSE.min(limit));
        }
        has_waited
    }

    pub(super) fn tell(
        sockets: [(Handle<'_>, Readiness); 2],
        events: [PollFlags; 2],
        limit: Duration,
    ) -> [Readiness; 2] {
        let told = |(socket, of): (Handle<'_>, Readiness), mut events: PollFlags| {
            if of.failed && !can_ask(of) {
                events = look(socket);
            }
            let has_hung_up = events.contains(PollFlags::HUP);
            events.set(PollFlags::IN, has_hung_up || events.intersects(PollFlags::IN));
            let may_have_failed = of.failed || has_hung_up;
            let failed = events.intersects(PollFlags::ERR | PollFlags::NVAL)
                || (may_have_failed && has_failed(&socket));
            of.told(events, failed)
        };
        let found = [told(sockets[0], events[0]), told(sockets[1], events[1])];
        if found == [Readiness::default(); 2] && events.iter().any(|events| !events.is_empty()) {
            std::thread::sleep(PAUSE.min(limit));
        }
        found
    }

    /// What is known of a socket now.
    fn look(socket: Handle<'_>) -> PollFlags {
        let mut asked = [PollFd::from_borrowed_fd(socket, PollFlags::OUT)];
        let looked = super::poll(&mut asked, Some(&Timespec::default()));
        looked.map_or(PollFlags::empty(), |_| asked[0].revents())
    }
}
