//! Opening beneath a root on Windows, by paths: the standard library opens nothing relative to a folder there.
//!
//! Contract: each step of a path is looked at before the next one. A name that means a device, a drive or a stream is
//! refused (`windows_names`), and so is a file that is called by another of its names (in other case, or the short one),
//! because rules of a site are written for one name. Where a symbolic link or junction leads is known before it is
//! followed. The look and the open are two calls: whoever can replace folders of the site at the right moment can
//! have another file served, which `openat2` on Linux rules out.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::windows::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::listing::Seen;
use super::{Found, Links, OpenError, Stamp, windows_names};

/// Seconds from 1601, when the time of Windows begins, to 1970.
const SECONDS_TO_1970: i64 = 11_644_473_600;

/// Parts of a second in which Windows counts: 100 ns.
const TICKS_PER_SECOND: i64 = 10_000_000;

/// A folder, by where it really is.
#[derive(Debug)]
pub(super) struct Folder {
    /// Without links, in the case of the disk.
    path: PathBuf,
}

impl Folder {
    pub(super) fn open(path: &Path) -> io::Result<Folder> {
        let path = fs::canonicalize(path)?;
        // It is one, and it may be read.
        fs::read_dir(&path)?;
        Ok(Folder { path })
    }

    /// True if it is this folder that is at `path` now. One that was made anew is: nothing of the old one is kept.
    pub(super) fn is_at(&self, path: &Path) -> io::Result<bool> {
        let found = fs::canonicalize(path)?;
        fs::read_dir(&found)?;
        Ok(found == self.path)
    }

    /// Opens what is at `path`; the folder itself for an empty path.
    pub(super) fn find(&self, path: &[u8], links: Links) -> Result<Found, OpenError> {
        let path = self.locate(path, links)?;
        // A folder can not be opened as a file, so it is looked at first.
        let metadata = fs::metadata(&path)?;
        if metadata.is_dir() {
            return Ok(Found::Folder(Stamp::of(&metadata)));
        }
        let file = File::open(&path)?;
        let metadata = file.metadata()?;
        if metadata.is_file() {
            Ok(Found::File(file, Stamp::of(&metadata)))
        } else {
            Err(OpenError::NotAFile)
        }
    }

    /// Shows `visit` each entry of the folder at `path`, by its name and a look at it; false if it had enough.
    pub(super) fn visit(
        &self,
        path: &[u8],
        links: Links,
        mut visit: impl FnMut(&[u8], &dyn Fn() -> Option<Seen>) -> bool,
    ) -> Result<bool, OpenError> {
        for found in fs::read_dir(self.locate(path, links)?)? {
            let found = found?;
            let name = found.file_name();
            // One that no request can name is left out, and so is one that is deleted at this moment.
            let Some(name) = name.to_str().filter(|name| windows_names::is_name(name)) else { continue };
            let look = || found.metadata().ok().map(|metadata| seen(&metadata));
            if !visit(name.as_bytes(), &look) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Where `path` leads, step by step.
    fn locate(&self, path: &[u8], links: Links) -> Result<PathBuf, OpenError> {
        let mut at = self.path.clone();
        for name in windows_names::segments(path).ok_or(OpenError::NotFound)? {
            let next = at.join(name);
            if fs::symlink_metadata(&next)?.is_symlink() {
                at = self.follow(&at, name, links)?;
            } else if fs::canonicalize(&next)? == next {
                at = next;
            } else {
                return Err(OpenError::NotFound);
            }
        }
        Ok(at)
    }

    /// Where the link of this name in a folder leads, if it is followed.
    fn follow(&self, folder: &Path, name: &str, links: Links) -> Result<PathBuf, OpenError> {
        if links == Links::Deny {
            return Err(OpenError::Link);
        }
        let target = fs::canonicalize(folder.join(name))?;
        if links == Links::Inside && !target.starts_with(&self.path) {
            return Err(OpenError::Outside);
        }
        // Its own name is not in what it leads to.
        let is_named_so = fs::read_dir(folder)?.flatten().any(|entry| entry.file_name() == name);
        if is_named_so { Ok(target) } else { Err(OpenError::NotFound) }
    }
}

fn seen(metadata: &Metadata) -> Seen {
    if metadata.is_symlink() {
        return Seen::Link;
    }
    let modified = unix_time(metadata.last_write_time()).0;
    Seen::Entry { is_folder: metadata.is_dir(), size: metadata.file_size(), modified }
}

impl Stamp {
    /// The state that these metadata describe.
    pub(crate) fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            device: 0,
            inode: 0,
            changed: unix_time(metadata.creation_time()),
            modified: unix_time(metadata.last_write_time()),
            size: metadata.file_size(),
        }
    }
}

/// Seconds since 1970, and nanoseconds.
fn unix_time(ticks: u64) -> (i64, i64) {
    let ticks = i64::try_from(ticks).unwrap_or(i64::MAX);
    (ticks / TICKS_PER_SECOND - SECONDS_TO_1970, ticks % TICKS_PER_SECOND * 100)
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> OpenError {
        /// `ERROR_TOO_MANY_OPEN_FILES`, and `ERROR_SHARING_VIOLATION`: another program writes it and lets nobody read.
        const BUSY: [i32; 2] = [4, 32];
        /// `ERROR_CRC`, `ERROR_NETNAME_DELETED` and `ERROR_IO_DEVICE`.
        const BROKEN: [i32; 3] = [23, 64, 1117];
        let is_one_of = |codes: &[i32]| error.raw_os_error().is_some_and(|code| codes.contains(&code));
        match error.kind() {
            io::ErrorKind::PermissionDenied => OpenError::Forbidden,
            io::ErrorKind::OutOfMemory => OpenError::Busy,
            _ if is_one_of(&BUSY) => OpenError::Busy,
            _ if is_one_of(&BROKEN) => OpenError::Broken,
            _ => OpenError::NotFound,
        }
    }
}
