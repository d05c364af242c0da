//! The configuration, read again while the role runs: on SIGHUP.
//!
//! Contract: all or nothing. What is new is read, validated and prepared like at a start before
//! anything of the old is touched; any error, or one key that needs a restart, keeps all of the old.
//! So what runs is always one configuration that somebody wrote, and never a mix of two.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::thread;

use clap::Args;

use crate::app::cli::{Failure, Role};
use crate::app::config;
use crate::app::invocation::{Invocation, NotStarted};
use crate::net::signals::Hangups;

/// What can be read again, and how.
pub struct Reload<P> {
    read: Box<dyn Fn() -> Result<Reread<P>, Failure> + Send>,
    /// The effective settings as they are now, in the form of `--check`.
    shown: String,
}

/// A configuration that was read and found to be good.
struct Reread<P> {
    prepared: P,
    shown: String,
    level: log::LevelFilter,
}

impl<P: 'static> Reload<P> {
    /// For a role that was started with `argv` and came to `parsed`. `None` if it has no file:
    /// then there is nothing that could have changed.
    pub(crate) fn new<A: Args>(
        role: &Role,
        argv: Vec<OsString>,
        invocation: &Invocation<A>,
        prepare: impl Fn(&Role, &A) -> Result<P, Failure> + Send + 'static,
    ) -> Option<Reload<P>> {
        if !invocation.has_file() {
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

    /// Reads it at each hangup from now on, on a thread of its own: names are looked up, which takes
    /// its time. `apply` puts a plan in place of the old one; `may_change` knows the keys that it can.
    ///
    /// Errors: no thread can be had.
    pub fn start(
        mut self,
        hangups: Hangups,
        may_change: fn(&str) -> bool,
        mut apply: impl FnMut(P) -> Result<(), Failure> + Send + 'static,
    ) -> io::Result<()> {
        let run = move || {
            for () in hangups {
                match self.reload(may_change, &mut apply) {
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
        // Never joined: it ends with the process.
        thread::Builder::new().name("reload".to_owned()).spawn(run)?;
        Ok(())
    }

    /// Reads and applies it once; the keys that have changed.
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
