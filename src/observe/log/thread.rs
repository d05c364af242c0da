//! What the log calls the thread that tells something.

use std::cell::OnceCell;
use std::sync::Arc;
use std::thread;

thread_local! {
    static NAME: OnceCell<Arc<str>> = const { OnceCell::new() };
}

/// The log calls this thread so from now on. For a thread that a library has made: Rust gives a thread its name when
/// it starts, and `threadpool` gives all its threads the same one.
pub(crate) fn name_this_thread(name: &str) {
    // A thread that has a name keeps it.
    NAME.with(|own| _ = own.set(name.into()));
}

/// Lends the name of this thread.
pub(super) fn with_name<T>(tell: impl FnOnce(&str) -> T) -> T {
    let thread = thread::current();
    // It has none any more while it ends.
    let own = NAME.try_with(|own| own.get().cloned()).ok().flatten();
    tell(own.as_deref().or(thread.name()).unwrap_or("a thread without a name"))
}
