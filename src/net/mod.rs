//! What the servers need from the operating system: sockets, polling, signals, the clocks and the limits of the
//! process.
//!
//! Contract: socket options, error codes and the differences between operating systems are handled in here, and
//! callers get types and errors that are the same on all of them. The drivers, the roles and the log use this
//! room; `protocol/` and `balance/` do not. The lab alone makes system calls of its
//! own, in `lab/system/`: it starts and measures processes.
//!
//! | file | what it owns |
//! |---|---|
//! | **connections of clients** | |
//! | `listen` | opening a listener; errors that say what to do |
//! | `shared_listener` | accepting at a listener at which several threads wait |
//! | `passed` | listeners that systemd has opened already |
//! | `accept` | what an error of `accept` means |
//! | `permits` | how many client connections may be open |
//! | **connections to back ends** | |
//! | `endpoint` | an address as people write it, and its look-up |
//! | `target` | a back end as people write it: an address or a service, its scheme, its weight |
//! | `own` | addresses of back ends that lead back to a listener of ours |
//! | `dns` | look-ups of back-end names and services, repeated while the program runs |
//! | `connect` | connecting with a time limit or nonblocking |
//! | `checker` | the health checks of back ends |
//! | `keep_alive` | signs of life of silent peers, on both sides |
//! | `tls` | the encryption of connections, on both sides |
//! | `fetch` | one small document over HTTP, for whoever asks a running role |
//! | **moving bytes and waiting** | |
//! | `session` | one connection as both drivers serve it |
//! | `held` | a connection while it is not served, and how little is kept of an idle one |
//! | `socket` | what a socket is to the system |
//! | `io` | the calls that read and write sockets |
//! | `wait` | waiting for one of two sockets, for the threaded driver |
//! | `pipe` | moving bytes from socket to socket within the kernel (`splice`) |
//! | `poller` | the differences between epoll, kqueue and the poller of Windows |
//! | `waker` | waking a thread that sleeps in its poller |
//! | `timers` | the deadlines of all connections of an event loop |
//! | **files** | |
//! | `files` | opening the files that flags name, whatever kind of file they are |
//! | `beneath` | opening files and reading folders beneath a folder, and nothing outside of it |
//! | **the process** | |
//! | `clock` | the time for the machines |
//! | `signals` | the signals that the program handles |
//! | `shutdown` | the begin of a drain |
//! | `notify` | what systemd is told of readiness, reloads and the end |
//! | `limits` | the limit on open descriptors |
//! | `process` | processor time, memory and open files of this process |
//! | `threads` | names of threads, and waiting for their end |

pub(crate) mod accept;
pub(crate) mod beneath;
pub(crate) mod checker;
pub(crate) mod clock;
pub(crate) mod connect;
pub(crate) mod dns;
pub(crate) mod endpoint;
pub(crate) mod fetch;
pub(crate) mod files;
pub(crate) mod held;
pub(crate) mod io;
pub(crate) mod keep_alive;
pub(crate) mod limits;
pub(crate) mod listen;
pub(crate) mod notify;
pub(crate) mod own;
pub(crate) mod passed;
pub(crate) mod permits;
pub(crate) mod pipe;
pub(crate) mod poller;
pub(crate) mod process;
pub(crate) mod session;
pub(crate) mod shared_listener;
pub(crate) mod shutdown;
pub(crate) mod signals;
pub(crate) mod socket;
pub mod target;
pub(crate) mod threads;
pub(crate) mod timers;
pub(crate) mod tls;
pub(crate) mod wait;
pub(crate) mod waker;
