//! Opening files beneath a folder, and nothing outside of it.
//!
//! Contract: what is opened lies beneath the root, whatever the path and whatever symbolic links say, unless
//! [`Links::Follow`] was asked for. A path is relative, with `/` between its segments. Only regular files and folders
//! are given out. Another folder that is at the path of the root later is used once [`Root::follow`] has been called.
//!
//! | file | what it owns |
//! |---|---|
//! | `unix` | opening relative to the root's descriptor: by the kernel (`openat2`, Linux), or folder by folder |
//! | `windows` | opening by the path, after each step of it was looked at |
//! | `windows_names` | which names are no names of files there |
//! | `listing` | reading a folder beneath the root |

pub(crate) mod listing;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;
#[cfg(any(windows, test))]
mod windows_names;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;

#[cfg(unix)]
use unix::Folder;
#[cfg(windows)]
use windows::Folder;

/// What becomes of symbolic links beneath a root.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Links {
    /// Those are followed that stay beneath the root.
    #[default]
    Inside,
    /// All are followed, wherever they lead.
    Follow,
    /// None is followed.
    Deny,
}

/// A folder beneath which files are opened.
#[derive(Debug)]
pub(crate) struct Root {
    links: Links,
    /// Absolute, so that it leads to a folder made anew even if that is the working directory.
    path: PathBuf,
    folder: ArcSwap<Folder>,
    /// There was no folder at `path` when it was last looked at.
    is_gone: AtomicBool,
}

/// What has become of a root since it was last looked at.
#[derive(Debug)]
pub(crate) enum RootChange {
    /// Another folder is in its place, and is used from now on.
    Replaced,
    /// Nothing that can be opened is in its place; the folder from before is still used.
    Gone(io::Error),
    /// The folder from before is in its place again.
    Back,
}

/// What a path names.
#[derive(Debug)]
pub(crate) enum Found {
    /// A regular file that is now open, and the state it was in when it was opened.
    File(File, Stamp),
    /// A folder, and its state.
    Folder(Stamp),
}

/// Why a path cannot be opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OpenError {
    /// There is nothing of this name beneath the root.
    NotFound,
    /// A symbolic link on the way leads out of the root.
    Outside,
    /// A symbolic link that is not followed: one of a loop, any without `openat2` on Unix, any with [`Links::Deny`].
    Link,
    /// It is neither a file nor a folder: a device, a FIFO, a socket.
    NotAFile,
    /// The permissions of the file or of a folder above it do not allow it.
    Forbidden,
    /// The system has no descriptor or memory left at the moment, or names changed during each lookup.
    Busy,
    /// The disk, or the server of a network file system, failed.
    Broken,
}

/// The state of a file. Two equal stamps mean that it was not changed in between, except for changes
/// within one tick of the file system's clock.
///
/// The time of the last status change (ctime) is included, because it also shows a file that was
/// rewritten and then given its old modification time again. Windows tells neither that nor which file it is: there it
/// is the time when the file was made, which shows most files that have taken another's place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    /// Last change of anything about it: seconds since 1970, and nanoseconds.
    pub(crate) changed: (i64, i64),
    /// Last change of the content: seconds since 1970, and nanoseconds.
    pub(crate) modified: (i64, i64),
    /// Bytes of the file.
    pub(crate) size: u64,
}

impl Root {
    /// Opens the folder; the error names it.
    pub(crate) fn open(path: &Path) -> io::Result<Root> {
        // Without a working directory the path is used as it is.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let folder = Folder::open(&path).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot open the folder {}: {error}", path.display()))
        })?;
        let links = Links::default();
        Ok(Root { links, path, folder: ArcSwap::from_pointee(folder), is_gone: AtomicBool::new(false) })
    }

    /// The same folder, in which this becomes of symbolic links. The path of the root itself may be a link in any
    /// case.
    pub(crate) fn with_links(self, links: Links) -> Root {
        Root { links, ..self }
    }

    /// The path at which it was opened, made absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Looks at what is at the path of the root now, and uses it from now on: a link was switched, or the
    /// folder was made anew. `None` if nothing is different from the last look.
    pub(crate) fn follow(&self) -> Option<RootChange> {
        let found = match self.folder.load().is_at(&self.path) {
            Ok(true) => Ok(None),
            Ok(false) => Folder::open(&self.path).map(Some),
            Err(error) => Err(error),
        };
        let was_gone = self.is_gone.swap(found.is_err(), Ordering::Relaxed);
        match found {
            Ok(Some(folder)) => {
                self.folder.store(folder.into());
                Some(RootChange::Replaced)
            }
            Ok(None) => was_gone.then_some(RootChange::Back),
            Err(error) => (!was_gone).then_some(RootChange::Gone(error)),
        }
    }

    /// Opens what is at `path`, which is relative to the root; the root itself for an empty path.
    pub(crate) fn find(&self, path: &[u8]) -> Result<Found, OpenError> {
        self.folder.load().find(path, self.links)
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
