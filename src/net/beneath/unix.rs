//! Opening beneath a root on Unix.
//!
//! Contract, in layers:
//!
//! 1. The root is opened, and every path is opened relative to that descriptor.
//! 2. The kernel resolves each path *beneath* the root (`openat2`, Linux 5.6): no `..`, no absolute
//!    path and no symbolic link leads out of it, even if names change during the lookup. Where
//!    `openat2` does not exist, one folder after the other is opened and no symbolic link is followed.
//!    [`Links`] can make this stricter, so that no link is followed, or give it up: then a link leads wherever its
//!    maker wanted.
//! 3. A file is opened first and examined afterwards, so the file that was examined is the one that
//!    is used.
//! 4. `O_NONBLOCK` lets the open of a FIFO return at once, so that it can be recognised and closed.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, statat};
use rustix::io::Errno;

use super::listing::Seen;
use super::{Found, Links, OpenError, Stamp};

const FILE_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC).union(OFlags::NOCTTY);
const FOLDER_FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// An open folder, and what tells it from another one.
#[derive(Debug)]
pub(super) struct Folder {
    descriptor: OwnedFd,
    /// Device and inode. No other folder gets them while this one is open.
    identity: (u64, u64),
}

impl Folder {
    pub(super) fn open(path: &Path) -> io::Result<Folder> {
        let folder = File::from(rustix::fs::open(path, FOLDER_FLAGS, Mode::empty())?);
        let identity = identity(&folder.metadata()?);
        Ok(Folder { descriptor: folder.into(), identity })
    }

    /// True if it is this folder that is at `path` now.
    pub(super) fn is_at(&self, path: &Path) -> io::Result<bool> {
        Ok(identity(&std::fs::metadata(path)?) == self.identity)
    }

    /// Opens what is at `path`; the folder itself for an empty path.
    pub(super) fn find(&self, path: &[u8], links: Links) -> Result<Found, OpenError> {
        let file = File::from(self.open_at(path, FILE_FLAGS, links)?);
        let metadata = file.metadata().map_err(|_| OpenError::Broken)?;
        if metadata.is_dir() {
            Ok(Found::Folder(Stamp::of(&metadata)))
        } else if metadata.is_file() {
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
        let mut folder = Dir::new(self.open_at(path, FOLDER_FLAGS, links)?).map_err(OpenError::from)?;
        while let Some(found) = folder.read() {
            let found = found.map_err(OpenError::from)?;
            let name = found.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let here = folder.fd().map_err(OpenError::from)?;
            // One that is deleted at this moment is left out.
            let look = || statat(here, name, AtFlags::SYMLINK_NOFOLLOW).ok().and_then(|stat| seen(&stat));
            if !visit(name.to_bytes(), &look) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn open_at(&self, path: &[u8], flags: OFlags, links: Links) -> Result<OwnedFd, OpenError> {
        let path = if path.is_empty() { b"." } else { path };
        let root = self.descriptor.as_fd();
        let opened = match links {
            Links::Inside | Links::Deny => open_beneath(root, path, flags, links),
            Links::Follow => open_anywhere(root, path, flags),
        };
        opened.map_err(OpenError::from)
    }
}

/// None for what is neither a file nor a folder nor a link.
fn seen(stat: &Stat) -> Option<Seen> {
    let is_folder = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => true,
        FileType::RegularFile => false,
        FileType::Symlink => return Some(Seen::Link),
        _ => return None,
    };
    let size = u64::try_from(stat.st_size).unwrap_or_default();
    Some(Seen::Entry { is_folder, size, modified: stat.st_mtime })
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl Stamp {
    /// The state that these metadata describe.
    pub(crate) fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            size: metadata.size(),
        }
    }
}

impl From<Errno> for OpenError {
    fn from(errno: Errno) -> OpenError {
        match errno {
            Errno::ACCESS | Errno::PERM => OpenError::Forbidden,
            // AGAIN: names changed during each lookup.
            Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN => OpenError::Busy,
            Errno::IO | Errno::STALE => OpenError::Broken,
            Errno::XDEV => OpenError::Outside,
            Errno::LOOP => OpenError::Link,
            // A socket, or a device without a driver.
            Errno::NXIO | Errno::NODEV => OpenError::NotAFile,
            _ => OpenError::NotFound,
        }
    }
}

/// Opens a path whose links may lead out of the root, but which itself does not.
fn open_anywhere(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
    if path.starts_with(b"/") || path.split(|byte| *byte == b'/').any(|segment| segment == b"..") {
        return Err(Errno::NOENT);
    }
    openat(root, path, flags, Mode::empty())
}

#[cfg(target_os = "linux")]
fn open_beneath(
    root: BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
    links: Links,
) -> rustix::io::Result<OwnedFd> {
    use rustix::fs::{ResolveFlags, openat2};

    /// Lookups of one path: each fails with EAGAIN if something is renamed meanwhile (`openat2(2)`),
    /// which is rare, and a few more attempts are cheaper than a response that the server is busy.
    const LOOKUPS_MAX: usize = 4;
    let rules = match links {
        Links::Deny => ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
        Links::Inside | Links::Follow => ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
    };
    let mut opened = Err(Errno::AGAIN);
    for _ in 0..LOOKUPS_MAX {
        opened = openat2(root, path, flags, Mode::empty(), rules);
        if !matches!(opened, Err(Errno::AGAIN | Errno::INTR)) {
            break;
        }
    }
    match opened {
        // Older kernels do not have the call, and the seccomp rules of older containers refuse it with PERM.
        Err(Errno::NOSYS | Errno::PERM) => step_by_step(root, path, flags),
        opened => opened,
    }
}

#[cfg(not(target_os = "linux"))]
fn open_beneath(
    root: BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
    _links: Links,
) -> rustix::io::Result<OwnedFd> {
    step_by_step(root, path, flags)
}

/// Opens one folder after the other and follows no symbolic link: as safe as `openat2`, but slower and
/// stricter.
fn step_by_step(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let (folders, name) = match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&path[..0], path),
    };
    let mut folder: Option<OwnedFd> = None;
    for segment in folders.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty()) {
        let above = folder.as_ref().map_or(root, AsFd::as_fd);
        folder =
            Some(openat(above, without_parent(segment)?, FOLDER_FLAGS | OFlags::NOFOLLOW, Mode::empty())?);
    }
    let above = folder.as_ref().map_or(root, AsFd::as_fd);
    openat(above, without_parent(name)?, flags | OFlags::NOFOLLOW, Mode::empty())
}

/// A segment other than `..`, which would lead out of the root. Callers are expected to have refused
/// it already; it is checked again because here it would do harm.
fn without_parent(segment: &[u8]) -> rustix::io::Result<&[u8]> {
    if segment == b".." { Err(Errno::NOENT) } else { Ok(segment) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::beneath::tests::tree;

    #[test]
    fn errors_of_the_system_have_their_kinds() {
        for (errno, expected) in [
            (Errno::PERM, OpenError::Forbidden),
            (Errno::NFILE, OpenError::Busy),
            (Errno::AGAIN, OpenError::Busy),
            (Errno::STALE, OpenError::Broken),
            (Errno::XDEV, OpenError::Outside),
            (Errno::LOOP, OpenError::Link),
            (Errno::NXIO, OpenError::NotAFile),
            (Errno::NOTDIR, OpenError::NotFound),
        ] {
            assert_eq!(OpenError::from(errno), expected, "{errno}");
        }
    }

    #[test]
    fn without_openat2_no_link_is_followed() {
        let (_tree, root) = tree();
        let folder = root.folder.load();
        let found = |path: &str| step_by_step(folder.descriptor.as_fd(), path.as_bytes(), FILE_FLAGS).is_ok();
        for path in ["a.txt", "docs/b.txt", "docs"] {
            assert!(found(path), "{path}");
        }
        for path in [
            "inside.txt",
            "out.txt",
            "absolute.txt",
            "up/secret.txt",
            "../secret.txt",
            "docs/../a.txt",
            "loop",
            "..",
        ] {
            assert!(!found(path), "{path}");
        }
    }
}
