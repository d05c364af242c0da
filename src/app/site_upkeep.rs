//! The thread that looks after a site while it is served: its root and its open files.
//!
//! Contract: it looks once per interval, on a thread of its own, because a slow disk must not hold up an
//! event loop; it ends when [`SiteUpkeep`] is dropped, which is after the last connection of the site.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;

use crate::net::clock;
use crate::site::Site;
use crate::site::limits::TIDY_INTERVAL;

/// Looks after one site until it is dropped.
#[derive(Debug)]
pub(super) struct SiteUpkeep {
    /// Nothing is ever sent: that the channel closes is the message.
    _stop: Sender<()>,
}

impl SiteUpkeep {
    /// Errors: the thread cannot be created.
    pub(super) fn start(site: Arc<Site>) -> io::Result<SiteUpkeep> {
        let (stop, stopped) = mpsc::channel();
        let watch = move || {
            while stopped.recv_timeout(TIDY_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                site.tidy(&clock::now());
            }
        };
        // Never joined: a disk may block it, and the end does not wait for that.
        thread::Builder::new().name("site".to_owned()).spawn(watch)?;
        Ok(SiteUpkeep { _stop: stop })
    }
}
