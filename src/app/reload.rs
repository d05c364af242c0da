//! Reload: on SIGHUP the configuration is read again while the role runs.
//!
//! Contract: all or nothing. The new configuration is read, validated and prepared as at a start before
//! anything changes; on an error, or if a key has changed that needs a restart, the old one stays in force.
//! So the role always runs with one configuration that somebody wrote, and never with a mix of two.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::thread;

use clap::Args;

use crate::app::cli::{Failure, Role};
use crate::app::config;
use crate::app::invocation::{Invocation, NotStarted};
use crate::net::notify;
use crate::net::signals::Hangups;

/// The means to read the configuration of a running role again.
pub struct Reload<P> {
    read: Box<dyn Fn() -> Result<Reread<P>, Failure> + Send>,
    /// The effective settings in force, in the form of `--check`.
    shown: String,
}

/// A configuration that was read again and is valid.
struct Reread<P> {
    prepared: P,
    shown: String,
    level: log::LevelFilter,
}

impl<P: 'static> Reload<P> {
    /// For a role that was started with `argv`, which gave `invocation`. `None` if it was given no
    /// files, since then nothing can have changed.
    pub(crate) fn new<A: Args>(
        role: &Role,
        argv: Vec<OsString>,
        invocation: &Invocation<A>,
        prepare: impl Fn(&Role, &A) -> Result<P, Failure> + Send + 'static,
    ) -> Option<Reload<P>> {
        if !invocation.has_files() {
            return None;
        }
        let role = *role;
        let read = move || {
            let invocation = Invocation::<A>::read(&role, argv.clone()).map_err(|reason| match reason {
                NotStarted::Failed(failure) => failure,
                // Cannot be: the role was started with the same arguments.
                NotStarted::HelpWanted(help) => Failure::Usage(help.to_string()),
            })?;
            let prepared = prepare(&role, &invocation.args)?;
            Ok(Reread { prepared, shown: invocation.shown, level: invocation.logging.log })
        };
        Some(Reload { read: Box::new(read), shown: invocation.shown.clone() })
    }

    /// Reloads at each SIGHUP from now on, on a thread of its own, since DNS lookups block. `apply` replaces
    /// what was prepared before; `may_change` says of which keys it can apply the change.
    ///
    /// Errors: the thread cannot be started.
    pub(crate) fn start(
        mut self,
        hangups: Hangups,
        may_change: fn(&str) -> bool,
        mut apply: impl FnMut(P) -> Result<(), Failure> + Send + 'static,
    ) -> io::Result<()> {
        let run = move || {
            for () in hangups {
                match notify::while_reloading(|| self.reload(may_change, &mut apply)) {
                    Ok(changed) if changed.is_empty() => {
                        log::info!("SIGHUP: the configuration was read again; no key has changed");
                    }
                    Ok(changed) => {
                        log::info!(
                            "SIGHUP: the configuration was read again; changed: {}",
                            changed.join(", ")
                        );
                    }
                    Err(failure) => log::error!("SIGHUP: the configuration stays as it was: {failure}"),
                }
            }
        };
        // Not joined: it ends with the process.
        thread::Builder::new().name("reload".to_owned()).spawn(run)?;
        Ok(())
    }

    /// Reloads once; returns the keys that have changed.
    fn reload(
        &mut self,
        may_change: fn(&str) -> bool,
        apply: &mut impl FnMut(P) -> Result<(), Failure>,
    ) -> Result<Vec<String>, Failure> {
        let Reread { prepared, shown, level } = (self.read)()?;
        let changed = config::changed(&self.shown, &shown);
        let fixed: Vec<&str> = changed.iter().map(String::as_str).filter(|key| !may_change(key)).collect();
        if !fixed.is_empty() {
            return Err(Failure::Usage(format!("a restart is needed to change {}", fixed.join(", "))));
        }
        apply(prepared)?;
        log::set_max_level(level);
        self.shown = shown;
        Ok(changed)
    }
}

impl<P> fmt::Debug for Reload<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reload").field("shown", &self.shown).finish_non_exhaustive()
    }
}
