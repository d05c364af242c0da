//! Files: opens what lies beneath the root, and nothing else.
//!
//! Contract, in layers:
//!
//! 1. The root is opened once; everything is opened relative to that descriptor, so a root that is
//!    renamed or replaced meanwhile is not followed.
//! 2. The kernel resolves each path *beneath* it (`openat2`, Linux 5.6): no `..`, no absolute path
//!    and no symbolic link leads out, however names change while they are looked up. Where there is
//!    no `openat2`, folder after folder is opened and no symbolic link is followed at all.
//! 3. A file is opened first and looked at then, so that what was looked at is what is sent.
//! 4. Only regular files are served. `O_NONBLOCK` lets a FIFO be opened, seen for what it is, and closed.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use super::pages::NOTHING_HERE;
use crate::protocol::http::Refusal;

const FILE_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC).union(OFlags::NOCTTY);
const FOLDER_FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The folder that a site shows.
#[derive(Debug)]
pub(super) struct Root {
    folder: OwnedFd,
}

/// What a path names.
#[derive(Debug)]
pub(super) enum Found {
    /// A regular file, and what it was when it was opened.
    File(File, Stamp),
    /// A folder.
    Folder,
}

/// What tells one state of a file from another.
///
/// The time of the last status change is part of it: a file that was rewritten and given its old
/// time back is noticed too.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    changed: (i64, i64),
    /// Last change of the content, in seconds since 1970 and the nanoseconds beyond.
    pub modified: (i64, i64),
    /// Bytes.
    pub size: u64,
}

impl Stamp {
    /// The state that these metadata tell of.
    pub(super) fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            size: metadata.size(),
        }
    }
}

impl Root {
    /// Opens the folder; the error names it.
    pub(super) fn open(path: &Path) -> io::Result<Root> {
        let folder = rustix::fs::open(path, FOLDER_FLAGS, Mode::empty()).map_err(|errno| {
            let error = io::Error::from(errno);
            io::Error::new(error.kind(), format!("cannot open the folder {}: {error}", path.display()))
        })?;
        Ok(Root { folder })
    }

    /// Opens what is at `path`, which is relative to the root.
    pub(super) fn find(&self, path: &[u8]) -> Result<Found, Refusal> {
        let file = File::from(beneath(self.folder.as_fd(), path).map_err(refusal)?);
        let metadata = file.metadata().map_err(|_| BROKEN)?;
        if metadata.is_dir() {
            Ok(Found::Folder)
        } else if metadata.is_file() {
            Ok(Found::File(file, Stamp::of(&metadata)))
        } else {
            Err(NOTHING_HERE)
        }
    }
}

const FORBIDDEN: Refusal = Refusal::new(403, "This file may not be read.");
const BROKEN: Refusal = Refusal::new(500, "This file cannot be read.");
const BUSY: Refusal = Refusal::new(503, "Too many files are open at the moment.");

/// What the client is told when a file cannot be opened. That a path leads out of the root is
/// nobody's business: it is not there.
fn refusal(errno: Errno) -> Refusal {
    match errno {
        Errno::ACCESS | Errno::PERM => FORBIDDEN,
        // AGAIN: names kept changing while the kernel looked a path up.
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN => BUSY,
        Errno::IO | Errno::STALE => BROKEN,
        _ => NOTHING_HERE,
    }
}

#[cfg(target_os = "linux")]
fn beneath(root: BorrowedFd<'_>, path: &[u8]) -> rustix::io::Result<OwnedFd> {
    use rustix::fs::{ResolveFlags, openat2};

    /// Lookups repeated because a rename elsewhere made the kernel unsure (`openat2(2)`, EAGAIN).
    const LOOKUPS_MAX: usize = 4;
    let rules = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let mut outcome = Err(Errno::AGAIN);
    for _ in 0..LOOKUPS_MAX {
        outcome = openat2(root, path, FILE_FLAGS, Mode::empty(), rules);
        if !matches!(outcome, Err(Errno::AGAIN | Errno::INTR)) {
            break;
        }
    }
    match outcome {
        // Older kernels do not know the call, and older container rules answer PERM for it.
        Err(Errno::NOSYS | Errno::PERM) => step_by_step(root, path),
        outcome => outcome,
    }
}

#[cfg(not(target_os = "linux"))]
fn beneath(root: BorrowedFd<'_>, path: &[u8]) -> rustix::io::Result<OwnedFd> {
    step_by_step(root, path)
}

/// Opens folder after folder and follows no symbolic link: slower and stricter, and as safe.
fn step_by_step(root: BorrowedFd<'_>, path: &[u8]) -> rustix::io::Result<OwnedFd> {
    let (folders, name) = match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&path[..0], path),
    };
    let mut folder: Option<OwnedFd> = None;
    for segment in folders.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty()) {
        let above = folder.as_ref().map_or(root, AsFd::as_fd);
        folder = Some(openat(above, plain(segment)?, FOLDER_FLAGS | OFlags::NOFOLLOW, Mode::empty())?);
    }
    let above = folder.as_ref().map_or(root, AsFd::as_fd);
    openat(above, plain(name)?, FILE_FLAGS | OFlags::NOFOLLOW, Mode::empty())
}

/// `path` has refused `..` long before; here it would be the way out, so it is refused once more.
fn plain(segment: &[u8]) -> rustix::io::Result<&[u8]> {
    if segment == b".." { Err(Errno::NOENT) } else { Ok(segment) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// `site/` is the root, and `secret.txt` lies beside it.
    fn tree() -> (tempfile::TempDir, Root) {
        let tree = tempfile::tempdir().unwrap();
        let site = tree.path().join("site");
        fs::create_dir_all(site.join("docs")).unwrap();
        fs::write(tree.path().join("secret.txt"), "secret").unwrap();
        fs::write(site.join("a.txt"), "a").unwrap();
        fs::write(site.join("docs/b.txt"), "b").unwrap();
        symlink("../secret.txt", site.join("out.txt")).unwrap();
        symlink(tree.path().join("secret.txt"), site.join("absolute.txt")).unwrap();
        symlink("..", site.join("up")).unwrap();
        symlink("docs/b.txt", site.join("inside.txt")).unwrap();
        symlink("loop", site.join("loop")).unwrap();
        let root = Root::open(&site).unwrap();
        (tree, root)
    }

    fn outcome(found: Result<Found, Refusal>) -> u16 {
        match found {
            Ok(Found::File(..)) => 200,
            Ok(Found::Folder) => 301,
            Err(refusal) => refusal.status,
        }
    }

    #[test]
    fn only_what_lies_beneath_the_root_is_found() {
        let (_tree, root) = tree();
        for (path, expected) in [
            ("a.txt", 200),
            ("docs/b.txt", 200),
            ("docs", 301),
            ("none.txt", 404),
            ("a.txt/index.html", 404),
            ("out.txt", 404),
            ("absolute.txt", 404),
            ("up/secret.txt", 404),
            ("loop", 404),
            ("../secret.txt", 404),
            ("docs/../../secret.txt", 404),
            ("/etc/passwd", 404),
        ] {
            assert_eq!(outcome(root.find(path.as_bytes())), expected, "{path}");
        }
        let long = "x".repeat(5000);
        assert_eq!(outcome(root.find(long.as_bytes())), 404);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_link_that_stays_inside_is_followed() {
        let (_tree, root) = tree();
        assert_eq!(outcome(root.find(b"inside.txt")), 200);
    }

    #[test]
    fn without_openat2_no_link_is_followed() {
        let (_tree, root) = tree();
        let found = |path: &str| step_by_step(root.folder.as_fd(), path.as_bytes()).is_ok();
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

    #[test]
    fn a_fifo_neither_blocks_nor_is_served() {
        let (tree, root) = tree();
        let path = tree.path().join("site/pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        assert_eq!(outcome(root.find(b"pipe")), 404);
    }

    #[test]
    fn a_socket_is_not_served() {
        let (tree, root) = tree();
        let _socket = std::os::unix::net::UnixListener::bind(tree.path().join("site/socket")).unwrap();
        assert_eq!(outcome(root.find(b"socket")), 404);
    }

    #[test]
    fn an_unreadable_file_is_forbidden() {
        let (tree, root) = tree();
        let path = tree.path().join("site/a.txt");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        // The superuser reads everything.
        let expected = if File::open(&path).is_ok() { 200 } else { 403 };
        assert_eq!(outcome(root.find(b"a.txt")), expected);
    }

    #[test]
    fn a_root_that_is_not_there_is_named() {
        let error = Root::open(Path::new("/no/such/folder")).unwrap_err();
        assert!(error.to_string().contains("/no/such/folder"), "{error}");
    }
}
