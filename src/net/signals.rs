//! The signals that this program handles, on one thread.
//!
//! | signal | what it does |
//! |---|---|
//! | SIGTERM, SIGINT (Ctrl-C), SIGQUIT (Ctrl-\\) | the drain begins, after `--lame-duck` if there is such a time; a second one begins the drain at once, and one during the drain ends the process at once, with status 1 |
//! | SIGHUP | the configuration file is read again ([`Hangups`]); without a file it means that the terminal was closed, and works as a SIGTERM, unless it was ignored when the process started (`nohup`) |
//! | SIGUSR1 | the log file is opened again |
//! | SIGXCPU | the limit on processor time (`ulimit -t`) is near: the drain begins; the kernel repeats this signal, which changes nothing more |
//! | SIGXFSZ | nothing: the write to a file that may not grow (`ulimit -f`) fails, which is handled where it happens |
//! | all others that end a process ([`WITHOUT_MEANING`]) | a line in the log |
//!
//! Three kinds are left to the system: SIGKILL and SIGSTOP, which nobody can catch; those that report a fault of
//! the program itself and leave a core dump (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT); and those
//! that stop and continue a process (SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT). SIGPIPE is ignored by Rust's runtime.
//!
//! Contract: the thread does nothing that takes long, so that a signal never has to wait for another one.

use std::io;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

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

/// Signals that have no meaning here, and that would end the process without a drain if nobody caught them. The
/// real-time signals belong to them too ([`real_time_signals`]).
#[cfg(unix)]
const WITHOUT_MEANING: &[i32] = {
    use signal_hook::consts::{SIGALRM, SIGIO, SIGPROF, SIGUSR2, SIGVTALRM};
    #[cfg(target_os = "linux")]
    const SIGSTKFLT: i32 = 16;
    #[cfg(target_os = "linux")]
    const SIGPWR: i32 = 30;
    #[cfg(target_os = "linux")]
    const HERE: &[i32] = &[SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGSTKFLT, SIGPWR];
    #[cfg(not(target_os = "linux"))]
    const HERE: &[i32] = &[SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO];
    HERE
};

/// The real-time signals, which only Linux has among the systems that we know. The C library keeps the first two
/// or three for itself and refuses to have them caught.
#[cfg(unix)]
fn real_time_signals() -> std::ops::RangeInclusive<i32> {
    match cfg!(target_os = "linux") {
        true => 34..=64,
        #[allow(clippy::reversed_empty_ranges, reason = "there are none")]
        false => 1..=0,
    }
}

/// Starts to handle signals; from now on none of them ends the process at once. `has_file` tells whether there
/// is a configuration file that SIGHUP can reload. `reopen_log` is called for SIGUSR1. `lame_duck` is the time between
/// being told to stop and the drain.
///
/// SIGHUP stays ignored if it was ignored when the process started, unless there is a file to reload. SIGINT does
/// not: shells ignore it for what a script starts in the background, and there it must still end the program.
///
/// Errors: the signals cannot be caught, or the thread that waits for them cannot be started.
#[cfg(unix)]
pub(crate) fn listen(
    has_file: bool,
    lame_duck: Duration,
    reopen_log: impl Fn() + Send + 'static,
) -> io::Result<(Shutdown, Hangups)> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGXCPU, SIGXFSZ};
    use signal_hook::iterator::Signals;
    let shutdown = Shutdown::with_lame_duck(lame_duck);
    // Room for one: the reload that is still to come reads the newest file.
    let (hang_up, hangups) = mpsc::sync_channel(1);
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGXCPU, SIGXFSZ])?;
    if has_file || !was_ignored(SIGHUP) {
        signals.handle().add_signal(SIGHUP)?;
    }
    for signal in WITHOUT_MEANING.iter().copied().chain(real_time_signals()) {
        // One that cannot be caught on this system keeps its effect.
        let _ = signals.handle().add_signal(signal);
    }
    let ours = shutdown.clone();
    let wait = move || {
        for signal in signals.forever() {
            match signal {
                // Full: a reload is waiting already. Closed: nothing is served yet, or no longer.
                SIGHUP if has_file => _ = hang_up.try_send(()),
                SIGUSR1 => reopen_log(),
                SIGHUP | SIGINT | SIGTERM | SIGQUIT => end(&ours, &name(signal)),
                SIGXCPU if !ours.is_draining() => end(&ours, &name(signal)),
                // No line for SIGXFSZ: that line may be what the log file has no room for.
                SIGXCPU | SIGXFSZ => {}
                _ => log::warn!("{} has no meaning here: nothing is done", name(signal)),
            }
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait)?;
    Ok((shutdown, Hangups(hangups)))
}

#[cfg(unix)]
fn name(signal: i32) -> String {
    signal_hook::low_level::signal_name(signal).map_or_else(|| format!("signal {signal}"), ToOwned::to_owned)
}

/// True if the process was started with this signal ignored. Only Linux tells it without unsafe code; elsewhere the
/// answer is no. To be asked before the signal is caught.
#[cfg(unix)]
fn was_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    is_in_mask(&status, signal)
}

/// True if the mask of ignored signals in such a file holds the signal: its lowest bit is that of signal 1.
#[cfg(unix)]
fn is_in_mask(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    u32::try_from(signal - 1).is_ok_and(|bit| mask.checked_shr(bit).is_some_and(|mask| mask & 1 == 1))
}

/// A variable of the environment: where it is set, the end of standard input is as good as a Ctrl-C. It is how the
/// lab asks a program to end on Windows, where no program can send a signal to another one.
#[cfg(windows)]
pub(crate) const ENDS_WITH_INPUT: &str = "GILIRAN_ENDS_WITH_INPUT";

/// Starts to handle Ctrl-C and Ctrl-Break, the ways to end a program of a console; nothing reloads the configuration
/// file or opens the log again.
///
/// Errors: the system does not let it be handled.
#[cfg(windows)]
pub(crate) fn listen(
    _has_file: bool,
    lame_duck: Duration,
    _reopen_log: impl Fn() + Send + 'static,
) -> io::Result<(Shutdown, Hangups)> {
    let shutdown = Shutdown::with_lame_duck(lame_duck);
    if std::env::var_os(ENDS_WITH_INPUT).is_some() {
        let ours = shutdown.clone();
        let wait = move || {
            // An error is an end as well.
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            end(&ours, "end of input");
        };
        std::thread::Builder::new().name("input".to_owned()).spawn(wait)?;
    }
    let ours = shutdown.clone();
    ctrlc::set_handler(move || end(&ours, "Ctrl-C")).map_err(|error| match error {
        ctrlc::Error::System(error) => error,
        error => io::Error::other(error),
    })?;
    // Nobody sends: it has ended from the start.
    Ok((shutdown, Hangups(mpsc::sync_channel(1).1)))
}

fn end(shutdown: &Shutdown, signal: &str) {
    if shutdown.is_draining() {
        log::warn!("{signal} again: ending at once");
        log::logger().flush();
        std::process::exit(1);
    }
    if shutdown.leave() {
        let time = shutdown.lame_duck().as_secs_f64();
        log::info!(
            "{signal}: not ready any more; serving for {time} s, or until a second signal, and then finishing"
        );
        return;
    }
    log::info!("{signal}: finishing what is in flight; a second signal ends at once");
    shutdown.trigger();
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use signal_hook::consts::{SIGHUP, SIGTERM};
    use signal_hook::low_level::raise;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        let status = "Name:\tx\nSigBlk:\tffffffffffffffff\nSigIgn:\t8000000000001001\nSigCgt:\t0\n";
        let ignored: Vec<i32> = (-1..=66).filter(|signal| is_in_mask(status, *signal)).collect();
        assert_eq!(ignored, [1, 13, 64]);
        assert!(!is_in_mask("", 1) && !is_in_mask("SigIgn: none", 1));
    }

    #[test]
    fn sighup_reloads_and_sigterm_drains() {
        let (shutdown, mut hangups) = listen(true, Duration::ZERO, || {}).unwrap();
        raise(SIGHUP).unwrap();
        assert_eq!(hangups.next(), Some(()));
        assert!(!shutdown.is_draining());
        raise(SIGTERM).unwrap();
        shutdown.wait();
        assert!(shutdown.is_draining());
    }
}
