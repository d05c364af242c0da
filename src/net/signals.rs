//! The signals that this program handles, on one thread.
//!
//! | signal | what it does |
//! |---|---|
//! | SIGTERM, SIGINT (Ctrl-C) | the drain begins; a second one ends the process at once, with status 1 |
//! | SIGHUP | the configuration file is read again ([`Hangups`]); without a file it means that the terminal was closed, and works as a SIGTERM |
//! | SIGUSR1 | the log file is opened again |
//!
//! Contract: the thread does nothing that takes long, so that a signal never has to wait for another one.

use std::io;
use std::sync::mpsc::{self, Receiver};

use super::shutdown::Shutdown;

/// The SIGHUPs, one after the other. If one is waiting already, further ones are dropped: one reload is enough.
#[derive(Debug)]
pub(crate) struct Hangups(Receiver<()>);

impl Iterator for Hangups {
    type Item = ();

    /// Waits for the next one.
    fn next(&mut self) -> Option<()> {
        self.0.recv().ok()
    }
}

/// Starts to handle signals; from now on none of them ends the process at once. `has_file` tells whether there
/// is a configuration file that SIGHUP can reload. `reopen_log` is called for SIGUSR1.
///
/// Errors: the signals cannot be caught, or the thread that waits for them cannot be started.
#[cfg(unix)]
pub(crate) fn listen(
    has_file: bool,
    reopen_log: impl Fn() + Send + 'static,
) -> io::Result<(Shutdown, Hangups)> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
    use signal_hook::iterator::Signals;
    let shutdown = Shutdown::new();
    // Room for one: the reload that is still to come reads the newest file.
    let (hang_up, hangups) = mpsc::sync_channel(1);
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1])?;
    let ours = shutdown.clone();
    let wait = move || {
        for signal in signals.forever() {
            match signal {
                // Full: a reload is waiting already. Closed: nothing is served yet, or no longer.
                SIGHUP if has_file => _ = hang_up.try_send(()),
                SIGUSR1 => reopen_log(),
                _ => end(&ours, signal_hook::low_level::signal_name(signal).unwrap_or("a signal")),
            }
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait)?;
    Ok((shutdown, Hangups(hangups)))
}

/// This system has no such signals: only [`Shutdown::trigger`] begins the drain.
#[cfg(not(unix))]
pub(crate) fn listen(
    _has_file: bool,
    _reopen_log: impl Fn() + Send + 'static,
) -> io::Result<(Shutdown, Hangups)> {
    Ok((Shutdown::new(), Hangups(mpsc::sync_channel(1).1)))
}

#[cfg(unix)]
fn end(shutdown: &Shutdown, signal: &str) {
    if shutdown.is_draining() {
        log::warn!("{signal} again: ending at once");
        log::logger().flush();
        std::process::exit(1);
    }
    log::info!("{signal}: finishing what is in flight; a second signal ends at once");
    shutdown.trigger();
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use signal_hook::consts::{SIGHUP, SIGTERM};
    use signal_hook::low_level::raise;

    #[test]
    fn sighup_reloads_and_sigterm_drains() {
        let (shutdown, mut hangups) = listen(true, || {}).unwrap();
        raise(SIGHUP).unwrap();
        assert_eq!(hangups.next(), Some(()));
        assert!(!shutdown.is_draining());
        raise(SIGTERM).unwrap();
        shutdown.wait();
        assert!(shutdown.is_draining());
    }
}
