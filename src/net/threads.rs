//! Threads: their names, as a debugger and `top -H` show them, and their end.

use std::thread::JoinHandle;

/// Names the running thread. A system that cannot rename a running thread keeps the name it has.
pub(crate) fn name_this_thread(name: &str) {
    #[cfg(target_os = "linux")]
    if let Ok(name) = std::ffi::CString::new(name) {
        // The name only helps a person who looks; a thread works without it.
        let _ = rustix::thread::set_name(&name);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = name;
}

/// Waits for the end of a thread, and says so if that was a panic. `what` is what the log calls it.
pub(crate) fn join(thread: JoinHandle<()>, what: &str) {
    if thread.join().is_err() {
        log::error!("{what} ended by a panic");
    }
}
