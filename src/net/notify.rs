//! What the service manager is told of this process: that it is ready, reads its configuration again, or ends (systemd's
//! `Type=notify`).
//!
//! Contract: nothing happens unless the environment names a socket for it (`NOTIFY_SOCKET`). A message that cannot be
//! sent is a line of the log: whoever waits for it has a time limit of its own.

#[cfg(target_os = "linux")]
use sd_notify::NotifyState;

use std::io;
use std::thread::{self, JoinHandle};

use super::shutdown::Shutdown;

/// The process is ready, and the service manager knows; when the drain begins, it will be told that too. Dropped when
/// there is nothing left to serve.
#[derive(Debug)]
pub(crate) struct Readiness {
    shutdown: Shutdown,
    thread: Option<JoinHandle<()>>,
}

impl Readiness {
    /// Says that the process is ready, with one line for people: `systemctl status` shows it.
    ///
    /// Errors: the thread that waits for the drain cannot be started.
    pub(crate) fn announce(status: &str, shutdown: &Shutdown) -> io::Result<Readiness> {
        tell(&[State::Ready, State::Status(status)]);
        let waiting = shutdown.clone();
        // A thread of its own: to send may take a moment, and whoever begins the drain must not wait for it.
        let wait = move || {
            waiting.wait();
            tell(&[State::Stopping, State::Status("finishing what is in flight")]);
        };
        let thread = match is_wanted() {
            true => Some(thread::Builder::new().name("notify".to_owned()).spawn(wait)?),
            false => None,
        };
        Ok(Readiness { shutdown: shutdown.clone(), thread })
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        // What was served has ended: if by an error, nobody has begun the drain yet.
        self.shutdown.trigger();
        if thread.join().is_err() {
            log::error!("telling the service manager of the end ended by a panic");
        }
    }
}

/// Says that the configuration is being read again, while `reload` does it, and that the process is ready after it.
pub(crate) fn while_reloading<T>(reload: impl FnOnce() -> T) -> T {
    tell(&[State::Reloading]);
    let result = reload();
    tell(&[State::Ready]);
    result
}

/// What is told.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "nobody is told there"))]
enum State<'a> {
    Ready,
    Reloading,
    Stopping,
    /// A line for people.
    Status(&'a str),
}

/// True if somebody listens.
#[cfg(target_os = "linux")]
fn is_wanted() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// Only Linux has systemd.
#[cfg(not(target_os = "linux"))]
fn is_wanted() -> bool {
    false
}

#[cfg(target_os = "linux")]
fn tell(states: &[State<'_>]) {
    if !is_wanted() {
        return;
    }
    let mut message = Vec::new();
    for state in states {
        match *state {
            State::Ready => message.push(NotifyState::Ready),
            State::Stopping => message.push(NotifyState::Stopping),
            State::Status(line) => message.push(NotifyState::Status(line)),
            State::Reloading => {
                message.push(NotifyState::Reloading);
                // Which reload of several it is: `Type=notify-reload` wants to know.
                message.extend(NotifyState::monotonic_usec_now().ok());
            }
        }
    }
    if let Err(error) = sd_notify::notify(&message) {
        log::warn!("the service manager (NOTIFY_SOCKET) cannot be told {:?}: {error}", states[0]);
    }
}

#[cfg(not(target_os = "linux"))]
fn tell(_states: &[State<'_>]) {}
