//! Opening the files that flags name: the log's and the configuration's; and reading in the middle of a file.
//!
//! Contract: opening does not block, whatever kind of file it is. A FIFO that has nobody at its other end is an
//! error and not a program that never starts. Once open, a file blocks as usual: whoever uses it may wait.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Opens a file to append to it; it is made if it is not there.
///
/// Errors: it cannot be opened, or it is a FIFO without a reader, a folder or a socket.
pub(crate) fn open_to_append(path: &Path) -> io::Result<File> {
    system::open_to_append(path).map_err(|error| explain(path, error))
}

/// Finds what would keep [`open_to_append`] from working, as far as that can be known without making the file.
pub(crate) fn check_append(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(file) if file.is_dir() => Err(explain(path, io::ErrorKind::IsADirectory.into())),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            folder.map_or(Ok(()), |folder| fs::metadata(folder).map(drop))
        }
        Err(error) => Err(error),
    }
}

/// Opens a file to read it from its start.
///
/// Errors: it cannot be opened, or it is a FIFO to which nobody writes, a folder or a socket.
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    system::open_to_read(path).map_err(|error| explain(path, error))
}

/// Reads bytes of an open file from `offset` on, wherever others read it: how many, 0 at its end.
pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_at(file, bytes, offset);
    #[cfg(windows)]
    return std::os::windows::fs::FileExt::seek_read(file, bytes, offset);
}

/// The error in words about the kind of file, where that is the reason: the system's own words are about devices
/// and addresses.
fn explain(path: &Path, error: io::Error) -> io::Error {
    let Ok(file) = fs::metadata(path) else { return error };
    if file.is_dir() {
        return io::Error::new(error.kind(), "it is a folder, and not a file");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if file.file_type().is_socket() {
            return io::Error::new(error.kind(), "it is a socket, and not a file");
        }
        if file.file_type().is_fifo()
            && rustix::io::Errno::from_io_error(&error) == Some(rustix::io::Errno::NXIO)
        {
            return io::Error::new(error.kind(), "it is a pipe that nobody reads: start its reader first");
        }
    }
    error
}

#[cfg(unix)]
mod system {
    use std::fs::File;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::FileTypeExt;
    use std::path::Path;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl, open};

    use crate::net::limits::PIPE_CONTENT_WAIT;

    /// A terminal must not become the one that controls this process.
    const COMMON: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

    pub(super) fn open_to_append(path: &Path) -> io::Result<File> {
        let flags = COMMON.union(OFlags::WRONLY).union(OFlags::APPEND).union(OFlags::CREATE);
        // Less what the umask takes away, as for every file that programs make.
        blocking(open(path, flags, Mode::from_raw_mode(0o666))?)
    }

    pub(super) fn open_to_read(path: &Path) -> io::Result<File> {
        let file = blocking(open(path, COMMON.union(OFlags::RDONLY), Mode::empty())?)?;
        if file.metadata()?.file_type().is_fifo() {
            wait_for_content(&file)?;
        }
        Ok(file)
    }

    /// A FIFO without a writer looks as if it had ended. Its writer may be about to open it.
    fn wait_for_content(pipe: &File) -> io::Result<()> {
        let wait = Timespec::try_from(PIPE_CONTENT_WAIT).map_err(io::Error::other)?;
        let mut polled = [PollFd::new(pipe, PollFlags::IN)];
        poll(&mut polled, Some(&wait))?;
        if polled[0].revents().contains(PollFlags::IN) {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "it is a pipe, and nothing is in it: it can be read only once",
        ))
    }

    fn blocking(file: OwnedFd) -> io::Result<File> {
        fcntl_setfl(&file, fcntl_getfl(&file)?.difference(OFlags::NONBLOCK))?;
        Ok(file.into())
    }
}

#[cfg(not(unix))]
mod system {
    use std::fs::{File, OpenOptions};
    use std::io;
    use std::path::Path;

    pub(super) fn open_to_append(path: &Path) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(path)
    }

    pub(super) fn open_to_read(path: &Path) -> io::Result<File> {
        File::open(path)
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    /// A folder with a FIFO named `fifo` and a socket named `socket`.
    fn folder() -> (tempfile::TempDir, UnixListener) {
        let folder = tempfile::tempdir().unwrap();
        mknodat(CWD, folder.path().join("fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let socket = UnixListener::bind(folder.path().join("socket")).unwrap();
        (folder, socket)
    }

    #[test]
    fn what_is_no_file_is_an_error_that_says_so() {
        let (folder, _socket) = folder();
        for (name, words) in [
            ("fifo", "it is a pipe that nobody reads: start its reader first"),
            ("socket", "it is a socket, and not a file"),
            (".", "it is a folder, and not a file"),
        ] {
            let error = open_to_append(&folder.path().join(name)).unwrap_err();
            assert_eq!(error.to_string(), words, "{name}");
        }
        for (name, words) in [("fifo", "nothing is in it"), ("socket", "it is a socket, and not a file")] {
            let error = open_to_read(&folder.path().join(name)).unwrap_err();
            assert!(error.to_string().contains(words), "{name}: {error}");
        }
    }

    #[test]
    fn a_pipe_with_somebody_at_its_other_end_is_used() {
        let (folder, _socket) = folder();
        let path = folder.path().join("fifo");
        // Read and write: this end opens at once and keeps the pipe alive.
        let mut other = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        open_to_append(&path).unwrap().write_all(b"line\n").unwrap();
        let mut line = [0; 5];
        other.read_exact(&mut line).unwrap();
        assert_eq!(&line, b"line\n");
        other.write_all(b"a = 1\n").unwrap();
        let mut reader = open_to_read(&path).unwrap();
        drop(other);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "a = 1\n");
    }

    #[test]
    fn the_check_makes_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        check_append(&path).unwrap();
        assert!(
            !path.exists()
                && check_append(&path.join("log")).is_err()
                && check_append(folder.path()).is_err()
        );
        open_to_append(&path).unwrap();
        check_append(&path).unwrap();
    }
}
