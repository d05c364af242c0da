//! One driver for all three machines, in memory: it knows them by [`Machine`] alone, as the real ones do.

mod backend;
mod end;
mod report;
mod transfer;

use std::fs::{self, File};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::*;
use crate::balance::Group;
use crate::balance::routes::Routes;
use crate::net::files::read_at;
use crate::protocol::context::RoleContext;
use crate::protocol::event::{Closing, Connection, Event, Observer};
use crate::protocol::exchange::{Exchange, Gateway};
use crate::protocol::forward::Rules;
use crate::protocol::limits::BUFFER_BYTES;
use crate::protocol::relay::{Relay, RelayService};
use crate::protocol::testing::{client, context, start};
use crate::protocol::timeouts::Timeouts;
use crate::protocol::web::{Web, WebService};
use crate::site;

/// The driver, and the two peers between which it moves bytes.
struct Driver {
    now: Now,
    /// It waits as the threaded one does: for one thing at a time.
    blocks: bool,
    client: Peer,
    backend: Peer,
    /// Connects that are refused before one is accepted.
    refused: usize,
    /// What was chosen: whether a kept connection would do.
    choices: Vec<bool>,
    /// What was released: whether its connection is kept.
    kept: Vec<bool>,
    piped: usize,
}

#[derive(Default)]
struct Peer {
    says: Vec<u8>,
    ends: bool,
    got: Vec<u8>,
    heard_end: bool,
    pipe: Vec<u8>,
}

fn peer(says: &[u8]) -> Peer {
    Peer { says: says.to_vec(), ..Peer::default() }
}

fn ending(says: &[u8]) -> Peer {
    Peer { ends: true, ..peer(says) }
}

fn waker() -> Waker {
    Waker::noop().clone()
}

impl Driver {
    fn new(client: Peer, backend: Peer) -> Driver {
        Driver {
            now: start(),
            blocks: false,
            client,
            backend,
            refused: 0,
            choices: Vec::new(),
            kept: Vec::new(),
            piped: 0,
        }
    }

    /// Serves until the end, or until nothing moves; true for the end.
    fn serve<M: Kind>(&mut self, machine: &mut M) -> bool {
        for _ in 0..10_000 {
            machine.expired(&self.now);
            match machine.step() {
                Step::Finish => {
                    machine.finish(&self.now);
                    return true;
                }
                Step::Connect => self.connect(machine),
                Step::ShutClient => {
                    self.client.heard_end = true;
                    machine.client_shut();
                }
                Step::ShutBackend => {
                    self.backend.heard_end = true;
                    machine.backend_shut();
                }
                Step::Transfer => {
                    let interest = if self.blocks { machine.blocking_interest() } else { machine.interest() };
                    assert!(
                        !self.blocks || !interest.write_client || !interest.read_client || self.piped > 0
                    );
                    let moved = self.write_client(machine, interest)
                        || self.write_backend(machine, interest)
                        || self.read_backend(machine, interest)
                        || self.read_client(machine, interest);
                    if !moved {
                        return false;
                    }
                }
                Step::StartProbes => machine.start_probes(),
                Step::ReleaseBackend => self.kept.push(machine.release(&self.now)),
                Step::Verify | Step::Queue | Step::SwitchProtocols => return false,
            }
        }
        panic!("it goes round and round");
    }

    fn connect(&mut self, machine: &mut impl Machine) {
        let Some(choice) = machine.choose_backend(&self.now, waker) else { return };
        assert!(machine.is_connecting());
        self.choices.push(choice.may_reuse);
        if self.choices.len() <= self.refused {
            machine.connect_failed(How::Refused, &self.now);
        } else {
            machine.connected(false, &self.now);
            assert!(!machine.is_connecting());
        }
    }

    fn read_client(&mut self, machine: &mut impl Machine, interest: Interest) -> bool {
        if !interest.read_client {
            return false;
        }
        let says = &mut self.client.says;
        if says.is_empty() && !self.client.ends {
            machine.client_space();
            machine.nothing_from_client();
            return false;
        }
        if machine.client_may_be_piped() {
            machine.client_piped(says.len(), &self.now);
            self.piped += says.len();
            self.backend.pipe.append(says);
            return true;
        }
        let space = machine.client_space();
        let count = says.len().min(space.len());
        assert!(!space.is_empty());
        space[..count].copy_from_slice(&says[..count]);
        says.drain(..count);
        machine.client_received(count, &self.now);
        true
    }

    fn read_backend(&mut self, machine: &mut impl Machine, interest: Interest) -> bool {
        if !interest.read_backend {
            return false;
        }
        let says = &mut self.backend.says;
        if says.is_empty() && !self.backend.ends {
            machine.backend_space();
            machine.nothing_from_backend();
            return false;
        }
        if machine.backend_may_be_piped() {
            machine.backend_piped(says.len(), &self.now);
            self.piped += says.len();
            self.client.pipe.append(says);
            return true;
        }
        let space = machine.backend_space();
        let count = says.len().min(space.len());
        assert!(!space.is_empty());
        space[..count].copy_from_slice(&says[..count]);
        says.drain(..count);
        machine.backend_received(count, &self.now);
        true
    }

    fn write_client<M: Kind>(&mut self, machine: &mut M, interest: Interest) -> bool {
        if !interest.write_client {
            return false;
        }
        let mut bytes = match machine.client_output() {
            Output::Bytes { first, second, .. } => [first, second].concat(),
            Output::File { file, offset, length } => {
                let mut bytes = vec![0; length as usize];
                let count = read_at(file.as_file(), &mut bytes, offset).unwrap();
                bytes.truncate(count);
                if bytes.is_empty() {
                    machine.file_ended();
                    return true;
                }
                bytes
            }
        };
        assert!(bytes.is_empty() || self.client.pipe.is_empty());
        bytes.append(&mut self.client.pipe);
        assert!(!bytes.is_empty(), "a write of nothing");
        machine.client_sent(bytes.len(), &self.now);
        self.client.got.append(&mut bytes);
        true
    }

    fn write_backend(&mut self, machine: &mut impl Machine, interest: Interest) -> bool {
        if !interest.write_backend {
            return false;
        }
        let mut bytes = machine.backend_output().concat();
        assert!(bytes.is_empty() || self.backend.pipe.is_empty());
        bytes.append(&mut self.backend.pipe);
        assert!(!bytes.is_empty(), "a write of nothing");
        machine.backend_sent(bytes.len(), &self.now);
        self.backend.got.append(&mut bytes);
        true
    }
}

/// The step that one kind of machine has for itself.
trait Kind: Machine<File: AsFile> {
    fn release(&mut self, _now: &Now) -> bool {
        panic!("there is no back end to release")
    }

    fn start_probes(&mut self) {
        panic!("there is no relay whose back end could be probed")
    }
}

impl Kind for Web<site::Site> {}
impl Kind for Relay {
    fn start_probes(&mut self) {
        self.probes_started();
    }
}
impl Kind for Exchange {
    fn release(&mut self, now: &Now) -> bool {
        self.release_backend(now).keep
    }
}

/// What a test reads a file from.
trait AsFile {
    fn as_file(&self) -> &File;
}

impl AsFile for NoFile {
    fn as_file(&self) -> &File {
        match *self {}
    }
}

impl AsFile for Arc<File> {
    fn as_file(&self) -> &File {
        self
    }
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsatu";
/// Larger than what a site keeps in memory.
const LARGE_BYTES: usize = site::limits::CACHED_FILE_BYTES_MAX as usize + 1;

/// A folder with one file that is sent from the disk, and a server of it.
fn web(now: &Now) -> (tempfile::TempDir, Web<site::Site>) {
    web_with(shared(), now)
}

fn web_with(context: Arc<RoleContext>, now: &Now) -> (tempfile::TempDir, Web<site::Site>) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("large"), vec![b'l'; LARGE_BYTES]).unwrap();
    let site = Arc::new(site::Site::open(site::SiteKind::Backend, folder.path()).unwrap());
    let service = WebService { context, site };
    (folder, Web::new(Arc::new(service), client(), now.instant, now))
}

fn shared() -> Arc<RoleContext> {
    Arc::new(context(Timeouts { connect: Duration::from_secs(3), ..Timeouts::default() }))
}

fn group(active_max: usize) -> Arc<Group> {
    let addresses = [9001, 9002].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    Arc::new(Group::limited("test", addresses.to_vec(), active_max))
}

fn exchange(now: &Now) -> Exchange {
    exchange_with(shared(), now)
}

fn exchange_with(context: Arc<RoleContext>, now: &Now) -> Exchange {
    let gateway = Gateway { context, routes: Routes::new(group(0).into()), rules: Rules::default() };
    Exchange::new(Arc::new(gateway), client(), now.instant, now)
}

fn relay(now: &Now) -> Relay {
    relay_with(shared(), now)
}

fn relay_with(context: Arc<RoleContext>, now: &Now) -> Relay {
    let service = RelayService { context, group: group(0) };
    Relay::new(Arc::new(service), client(), now.instant, now)
}

fn stream(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}
