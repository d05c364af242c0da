//! The bounds of a site and of its cache, each with its unit and its reason.

use std::time::Duration;

/// Largest file kept in memory by the site's cache, in bytes.
pub const CACHED_FILE_BYTES_MAX: u64 = 64 * 1024;

/// Files the cache holds: 256 of 64 KiB are 16 MiB at most.
pub const CACHED_FILES_MAX: usize = 256;

/// Files too large for the cache's memory that it keeps open instead: descriptors, of which the
/// whole process has 1024 on many systems and `suite` runs eight sites.
pub const OPEN_FILES_MAX: usize = 32;

/// How long a cached file is served before its time and size are looked at again.
pub const CACHE_CHECK: Duration = Duration::from_secs(1);

/// Largest answer `?size=` gives, in bytes: 1 GiB.
pub const TRIAL_BYTES_MAX: u64 = 1 << 30;

/// Longest `?delay=` a test answer may ask for.
pub const TRIAL_DELAY_MAX: Duration = Duration::from_secs(60);
