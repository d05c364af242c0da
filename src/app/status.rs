//! The status page of a process, from its flags to its end: `--status`, `--status-token`, `--trace`.
//!
//! Contract: it is served on threads of its own, so that it answers when the roles it shows are full, and until
//! the last of them has ended, so that `/readyz` says no during a drain.

use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::app::cli::Failure;
use crate::app::settings::StatusSettings;
use crate::net::files;
use crate::net::listen::{Listener, lay_out};
use crate::net::passed::PassedSockets;
use crate::net::shutdown::Shutdown;
use crate::observe::role_view::Board;
use crate::observe::status::{Guard, StatusSite};
use crate::protocol::context::RoleContext;
use crate::protocol::event::{Connection, Event, Observer};
use crate::protocol::timeouts::Timeouts;
use crate::protocol::web::WebService;
use crate::threaded::{self, WebConnection};

/// Threads that serve it: what they do takes milliseconds, and a slow client is parked.
const WORKERS: usize = 2;

/// Clients of it at a time: some browsers, some scrapers, and nobody's thousand.
const CONNECTIONS_MAX: usize = 64;

/// Clients that may wait in the kernel, and for a worker.
const QUEUE: usize = 64;

/// Time for a request head, and for a body to make progress: its clients are near.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for its own last responses when the roles have ended.
const DRAIN: Duration = Duration::from_millis(200);

/// Bytes of a token file that are read: any token is shorter.
const TOKEN_BYTES_MAX: u64 = 4096;

/// What shows the roles of this process while they run.
#[derive(Debug)]
pub(crate) struct StatusPage {
    pub(crate) board: Arc<Board>,
    addresses: Vec<SocketAddr>,
    shutdown: Shutdown,
    thread: Option<JoinHandle<()>>,
    trace: Option<PathBuf>,
}

impl StatusPage {
    /// Opens what the settings ask for, at sockets that were passed for it or new ones; `None` if they ask for nothing.
    ///
    /// Errors: the address cannot be used; the token cannot be read; the trace's file cannot be written.
    pub(crate) fn open(
        settings: &StatusSettings,
        passed: &mut PassedSockets,
    ) -> Result<Option<StatusPage>, Failure> {
        if settings.listen.is_empty() && settings.trace.is_none() {
            return Ok(None);
        }
        let token = settings.token.as_deref().map(read_token).transpose()?;
        if let Some(path) = &settings.trace {
            let unusable = |error| Failure::Runtime(format!("--trace {}: {error}", path.display()));
            files::open_to_append(path).map_err(unusable)?;
        }
        let listeners = bind(settings, passed)?;
        let addresses: Result<Vec<SocketAddr>, _> =
            listeners.iter().map(|listener| listener.socket.local_addr()).collect();
        let addresses = addresses.map_err(|error| Failure::Runtime(format!("--status: {error}")))?;
        for address in addresses.iter().filter(|address| !address.ip().to_canonical().is_loopback()) {
            let anybody =
                if token.is_some() { "" } else { ", and change what back ends get: see --status-token" };
            log::warn!(
                "the status page on {address} is not on loopback: whoever reaches it can read it{anybody}"
            );
        }
        let board = Arc::new(Board::new());
        if settings.trace.is_some() {
            board.begin_trace();
        }
        let site = StatusSite::new(Arc::clone(&board), Guard::new(settings.hosts.clone(), token));
        let mut page = StatusPage {
            board,
            addresses,
            shutdown: Shutdown::new(),
            thread: None,
            trace: settings.trace.clone(),
        };
        if !listeners.is_empty() {
            page.serve(site, listeners).map_err(|error| Failure::Runtime(format!("--status: {error}")))?;
        }
        Ok(Some(page))
    }

    fn serve(&mut self, site: StatusSite, listeners: Vec<Listener>) -> std::io::Result<()> {
        let timeouts = Timeouts { header: CLIENT_TIMEOUT, stall: CLIENT_TIMEOUT, ..Timeouts::default() };
        let context = RoleContext { timeouts, ..RoleContext::new("status", Arc::new(Unobserved)) };
        let service = WebService { context: Arc::new(context), site: Arc::new(site) };
        let service = Arc::new(ArcSwap::from_pointee(service));
        let settings = threaded::PoolSettings {
            workers: WORKERS,
            queue: QUEUE,
            queue_wait: Duration::ZERO,
            park: true,
            connections_max: CONNECTIONS_MAX,
            drain: DRAIN,
            view: None,
        };
        let shutdown = self.shutdown.clone();
        let run = move || {
            if let Err(error) =
                threaded::serve::<WebConnection<StatusSite>>(listeners, &service, &settings, &shutdown)
            {
                log::error!("the status page ended: {error}");
            }
        };
        self.thread = Some(thread::Builder::new().name("status".to_owned()).spawn(run)?);
        Ok(())
    }

    /// One line for standard output: where a person finds it. Empty if there is a trace only.
    pub(crate) fn line(&self) -> String {
        let urls: Vec<String> = self.addresses.iter().map(|address| format!("http://{address}/")).collect();
        if urls.is_empty() { String::new() } else { format!("status on {}\n", urls.join(" and ")) }
    }

    /// Ends it, now that the roles have ended, and writes the trace.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.stop();
        let Some(path) = self.trace.take() else { return Ok(()) };
        let unwritten = |error| Failure::Runtime(format!("--trace {}: {error}", path.display()));
        fs::write(&path, self.board.end_trace()).map_err(unwritten)
    }

    fn stop(&mut self) {
        self.shutdown.trigger();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the status page ended by a panic");
        }
    }
}

impl Drop for StatusPage {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Finds what would keep [`StatusPage::open`] from working, as far as that is known without opening anything.
pub(crate) fn check(settings: &StatusSettings) -> Result<(), Failure> {
    let needs =
        |flag: &str| Err(Failure::Usage(format!("{flag}: there is no status page; add --status ADDR")));
    if settings.listen.is_empty() && settings.token.is_some() {
        return needs("--status-token");
    }
    if settings.listen.is_empty() && !settings.hosts.is_empty() {
        return needs("--status-host");
    }
    if let Some(path) = &settings.trace {
        let unusable = |error| Failure::Usage(format!("--trace {}: {error}", path.display()));
        files::check_append(path).map_err(unusable)?;
    }
    settings.token.as_deref().map(read_token).transpose()?;
    Ok(())
}

fn bind(settings: &StatusSettings, passed: &mut PassedSockets) -> Result<Vec<Listener>, Failure> {
    let addresses = lay_out(&settings.listen, &[]).map_err(|error| Failure::of_layout("--status", &error))?;
    // No other word than the number of clients that it takes at all.
    let backlog = u32::try_from(QUEUE).unwrap_or(u32::MAX);
    let open = |address| {
        passed.open(address, backlog).map_err(|error| Failure::Runtime(format!("--status: {error}")))
    };
    addresses.into_iter().map(open).collect()
}

/// The token: the file's text without the blanks around it.
pub(super) fn read_token(path: &Path) -> Result<String, Failure> {
    let unusable = |why: &str| Failure::Usage(format!("--status-token {}: {why}", path.display()));
    let file = files::open_to_read(path).map_err(|error| unusable(&error.to_string()))?;
    let mut text = String::new();
    let read = file.take(TOKEN_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| unusable(&error.to_string()))?;
    let token = text.trim();
    match token {
        "" => Err(unusable("it is empty; put a word into it that nobody guesses")),
        _ if text.len() as u64 > TOKEN_BYTES_MAX => {
            Err(unusable("it is too long for a token: 4096 bytes at most"))
        }
        _ if !token.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err(unusable("a token is one word of visible ASCII characters"))
        }
        _ => Ok(token.to_owned()),
    }
}

/// Nobody is told of the status page's own connections: decisions made there are in the log by themselves.
#[derive(Debug)]
struct Unobserved;

impl Observer for Unobserved {
    fn wants_closings(&self) -> bool {
        false
    }

    fn observe(&self, _connection: &Connection<'_>, _event: &Event<'_>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token_of(text: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, text).unwrap();
        read_token(&path).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_token_is_one_word() {
        assert_eq!(token_of(" s3cret\n"), Ok("s3cret".to_owned()));
        for (text, part) in [("\n", "empty"), ("two words", "one word"), ("é", "one word")] {
            assert!(token_of(text).unwrap_err().contains(part), "{text:?}");
        }
        assert!(token_of(&"x".repeat(5000)).unwrap_err().contains("too long"));
        assert!(read_token(Path::new("/nowhere/token")).unwrap_err().to_string().contains("/nowhere/token"));
    }

    #[test]
    fn flags_that_need_a_page_say_so() {
        let hosts = StatusSettings { hosts: vec!["lb".to_owned()], ..StatusSettings::default() };
        let token = StatusSettings { token: Some("/dev/null".into()), ..StatusSettings::default() };
        for (settings, flag) in [(hosts, "--status-host"), (token, "--status-token")] {
            let failure = check(&settings).unwrap_err().to_string();
            assert!(failure.contains(flag) && failure.contains("--status ADDR"), "{failure}");
        }
        assert!(check(&StatusSettings::default()).is_ok());
    }

    #[test]
    fn without_flags_there_is_nothing() {
        assert!(
            StatusPage::open(&StatusSettings::default(), &mut PassedSockets::default()).unwrap().is_none()
        );
    }
}
