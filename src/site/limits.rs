//! The bounds of a site and of its cache, each with its unit and its reason.

use std::time::Duration;

use crate::protocol::limits::REQUEST_LINE_BYTES_MAX;

/// Largest file that the cache holds in memory, in bytes: most pages and pictures fit. Larger files
/// are sent by `sendfile`, where the system call for each response no longer matters.
pub(crate) const CACHED_FILE_BYTES_MAX: u64 = 64 * 1024;

/// Largest part of an open file that is read instead of sent by `sendfile`, in bytes: a copy of so few bytes costs less
/// than a second send call, and they fit behind their head in one.
pub(crate) const COPIED_PART_BYTES_MAX: u64 = 4 * 1024;

/// Files in the cache of one site: 256 files of 64 KiB are 16 MiB at most.
pub(crate) const CACHED_FILES_MAX: usize = 256;

/// Files that the cache of one site keeps open because they are too large to hold in memory. Each
/// needs a descriptor; on many systems a process has 1024, and `suite` runs eight sites.
pub(crate) const OPEN_FILES_MAX: usize = 32;

/// Age at which a cached file is compared with the disk again: a changed file is served at most a
/// second later, and a file in use costs one look at the disk a second.
pub(crate) const CACHE_CHECK: Duration = Duration::from_secs(1);

/// How often a site looks after its root and its open files. A root that is replaced is to be served within
/// two seconds.
pub(crate) const TIDY_INTERVAL: Duration = Duration::from_secs(1);

/// Age of its last check at which an open file is closed. A file in use is checked once per [`CACHE_CHECK`];
/// with [`TIDY_INTERVAL`] a deleted file gives its space back within five seconds.
pub(crate) const OPEN_FILE_IDLE: Duration = Duration::from_secs(3);

/// How often a file is copied into memory if it is changed during each copy. Two changes in the microseconds
/// of a copy are chance; a file that changes more often is being written all the time.
pub(crate) const SNAPSHOT_READS_MAX: usize = 3;

/// Bytes of a `Location`: a longer target could not be asked for, because its request line is refused.
/// Encoding can make a target three times as long as it was in the request.
pub(crate) const LOCATION_BYTES_MAX: usize = REQUEST_LINE_BYTES_MAX;

/// Ranges of one request; with more of them the whole file is sent. A document viewer asks for a few at a time, and
/// each costs some hundred bytes of framing.
pub(crate) const RANGES_MAX: usize = 32;

/// Entries of one listing, as a number. Each costs a system call and a row: so many take about ten milliseconds,
/// in which an event loop serves nobody else.
pub(crate) const LISTED_MAX: usize = 5000;

/// Bytes of a pattern of file names: as long as a file name can be on common systems.
pub(crate) const PATTERN_BYTES_MAX: usize = 255;

/// Bytes of the field lines that `--header` and `--cors` add to each response: together with the longest
/// `Location` they fit into an output buffer.
pub(crate) const EXTRA_FIELDS_BYTES_MAX: usize = 4 * 1024;

/// Bytes of one value of `--cache-control`: more than all its directives together.
pub(crate) const CACHE_CONTROL_BYTES_MAX: usize = 512;

/// Largest body that `?size=` may ask for, in bytes: 1 GiB, enough for any measurement.
pub(crate) const TEST_BYTES_MAX: u64 = 1 << 30;

/// Longest delay that `?delay=` may ask for: twice what a gateway waits for the start of a response.
pub(crate) const TEST_DELAY_MAX: Duration = Duration::from_secs(60);
