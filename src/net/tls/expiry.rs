//! The ends of certificates, which somebody should hear of in time.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::SystemTime;

use super::certificates::{Certificate, warn_of_expiry};
use crate::net::limits::EXPIRY_INTERVAL;

/// Warns of certificates that expire soon: now, and each day until it is dropped.
#[derive(Debug)]
pub(crate) struct ExpiryWatcher {
    /// Nothing is ever sent: that the channel closes is the message.
    _stop: Sender<()>,
}

impl ExpiryWatcher {
    /// Starts to watch. `None` if there is no certificate.
    ///
    /// Errors: the thread cannot be created.
    pub(crate) fn start(certificates: Vec<Certificate>) -> io::Result<Option<ExpiryWatcher>> {
        if certificates.is_empty() {
            return Ok(None);
        }
        warn_of_expiry(&certificates, SystemTime::now());
        let (stop, stopped) = mpsc::channel();
        let watch = move || {
            while stopped.recv_timeout(EXPIRY_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                warn_of_expiry(&certificates, SystemTime::now());
            }
        };
        // Not joined: it ends by itself when the channel closes.
        thread::Builder::new().name("certificates".to_owned()).spawn(watch)?;
        Ok(Some(ExpiryWatcher { _stop: stop }))
    }
}
