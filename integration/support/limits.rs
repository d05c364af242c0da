//! What this process may have open.

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

use super::needs;

/// Raises the limit on open descriptors of this process as far as it may; says what that is.
pub fn allow_many_descriptors() -> Option<u64> {
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard }).unwrap();
    hard
}

/// True if this process may not open that many descriptors: the test then returns at once. It has been
/// named as skipped.
#[track_caller]
pub fn lacks_descriptors(count: u64) -> bool {
    let lacks = allow_many_descriptors().is_some_and(|hard| hard < count);
    if lacks {
        needs::skip_without([(format!("{count} open files").as_str(), "ulimit -Hn")]);
    }
    lacks
}

/// From now on the process of this id opens no descriptor of this number or above.
pub fn limit_descriptors_of(id: u32, number: u64) {
    let process = Pid::from_raw(id.try_into().unwrap());
    let limit = Rlimit { current: Some(number), maximum: getrlimit(Resource::Nofile).maximum };
    prlimit(process, Resource::Nofile, limit).unwrap();
}
