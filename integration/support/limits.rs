//! What this process may have open.

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

/// Raises the limit on open descriptors of this process as far as it may; says what that is.
pub fn allow_many_descriptors() -> Option<u64> {
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard }).unwrap();
    hard
}

/// From now on the process of this id opens no descriptor of this number or above.
pub fn limit_descriptors_of(id: u32, number: u64) {
    let process = Pid::from_raw(id.try_into().unwrap());
    let limit = Rlimit { current: Some(number), maximum: getrlimit(Resource::Nofile).maximum };
    prlimit(process, Resource::Nofile, limit).unwrap();
}
