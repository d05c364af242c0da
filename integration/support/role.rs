//! A role that runs: where it listens, what it logs, how it ends.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::process::ExitStatus;
use std::time::Instant;

use rustix::process::Signal;

use super::WAIT_MAX;
use super::process::Process;
use super::tls::Setup;
use super::tunnel::Tunnel;

/// A running role; killed and reaped when dropped.
#[derive(Debug)]
pub struct Role {
    process: Process,
    address: SocketAddr,
    /// It speaks TLS, and tests that do not come through this.
    tunnel: Option<Tunnel>,
}

impl Role {
    /// Waits for the line by which a role says that it can be reached.
    pub fn reached(process: Process, name: &str) -> Role {
        let line = process.out.wait_nth(0, |line| line.starts_with("listening on "));
        let Some(line) = line else {
            panic!("{name} is not listening; it said:\n{}\n{}", process.out.text(), process.err.text());
        };
        let address = line["listening on ".len()..].parse().unwrap_or_else(|_| panic!("{name}: {line:?}"));
        Role { process, address, tunnel: None }
    }

    /// The same, spoken to over TLS by clients that know nothing of it.
    pub fn through_tls(self, setup: &Setup) -> Role {
        let tunnel = Tunnel::start(self.address, setup.client());
        Role { tunnel: Some(tunnel), ..self }
    }

    /// Where clients reach it.
    pub fn address(&self) -> SocketAddr {
        self.tunnel.as_ref().map_or(self.address, Tunnel::address)
    }

    /// Its `nth` address, from 0.
    pub fn listens_on(&self, nth: usize) -> SocketAddr {
        let line = self.process.out.wait_nth(nth, |line| line.starts_with("listening on "));
        let line = line.unwrap_or_else(|| panic!("no such address; it said:\n{}", self.process.out.text()));
        line["listening on ".len()..].parse().unwrap()
    }

    /// Where its status page is, which `--status` asked for.
    pub fn status_page(&self) -> SocketAddr {
        let line = self.process.out.wait_nth(0, |line| line.starts_with("status on http://"));
        let line = line.unwrap_or_else(|| panic!("no status page; it said:\n{}", self.process.out.text()));
        line["status on http://".len()..].trim_end_matches('/').parse().unwrap()
    }

    /// The address of something it serves.
    pub fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }

    /// The process underneath.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        self.process.err.text()
    }

    /// Waits for a line of its log that holds `text`.
    pub fn wait_for_log(&self, text: &str) -> String {
        let line = self.process.err.wait_nth(0, |line| line.contains(text));
        line.unwrap_or_else(|| panic!("nothing logged with {text:?}, but:\n{}", self.log()))
    }

    /// Waits until `count` lines of its log hold `text`.
    pub fn wait_for_logs(&self, text: &str, count: usize) {
        let line = self.process.err.wait_nth(count - 1, |line| line.contains(text));
        assert!(line.is_some(), "fewer than {count} times {text:?}, but:\n{}", self.log());
    }

    /// How many lines of its log so far hold `text`.
    pub fn logged(&self, text: &str) -> usize {
        self.log().lines().filter(|line| line.contains(text)).count()
    }

    /// Asks it to end.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Sends it the signal with this number, also one without a name.
    pub fn signal_number(&self, number: i32) {
        let kill = format!("kill -{number} {}", self.process.id());
        assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
    }

    /// Waits until it takes no more connections.
    pub fn wait_until_it_refuses(&self) {
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            match TcpStream::connect_timeout(&self.address, WAIT_MAX) {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => return,
                _ => assert!(Instant::now() < deadline, "still accepting; it said:\n{}", self.log()),
            }
            std::thread::yield_now();
        }
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let status = self.process.wait(WAIT_MAX);
        status.unwrap_or_else(|| panic!("still running; it said:\n{}", self.log()))
    }

    /// Asks it to end with SIGTERM and waits until it has.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }
}
