//! The names of threads, as a debugger and `top -H` show them.

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
