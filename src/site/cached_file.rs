//! A cached file: its content, or the open file, and the header fields that describe it.
//!
//! Contract: a [`CachedFile`] is one state of a file and never changes. Small files are held in
//! memory, larger ones are held open. Its fields are formatted once, so that a response from the
//! cache allocates nothing.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use super::conditional::Validators;
use super::limits::{CACHE_CHECK, CACHED_FILE_BYTES_MAX};
use crate::net::beneath::Stamp;
use crate::protocol::http::date::{self, DATE_BYTES};
use crate::protocol::now::Now;

/// One state of one file.
#[derive(Debug)]
pub struct CachedFile {
    storage: Storage,
    stamp: Stamp,
    /// True if the file cannot have changed again without getting another stamp.
    stamp_is_reliable: bool,
    content_type: Cow<'static, str>,
    etag: String,
    last_modified: [u8; DATE_BYTES],
    modified_seconds: u64,
}

#[derive(Debug)]
enum Storage {
    InMemory(Box<[u8]>),
    Open(Arc<File>),
}

impl CachedFile {
    /// Takes over a file that was just opened and had this stamp then.
    pub(super) fn load(
        file: File,
        mut stamp: Stamp,
        content_type: Cow<'static, str>,
        now: &Now,
    ) -> io::Result<CachedFile> {
        let modified_seconds = u64::try_from(stamp.modified.0).unwrap_or(0);
        let etag = format!("\"{:x}.{:09x}-{:x}\"", modified_seconds, stamp.modified.1, stamp.size);
        // A file that changes twice within one tick of the file system's clock keeps its stamp. So
        // the stamp of a file that changed just now proves nothing, and the next check reads it again.
        let stamp_is_reliable = modified_seconds + CACHE_CHECK.as_secs() < now.unix_seconds();
        let storage = if stamp.size <= CACHED_FILE_BYTES_MAX {
            let bytes = read(&file, stamp.size)?;
            // If the file was truncated since it was opened, the next check must not find it unchanged.
            stamp.size = bytes.len() as u64;
            Storage::InMemory(bytes)
        } else {
            Storage::Open(Arc::new(file))
        };
        let last_modified = date::format(modified_seconds);
        Ok(CachedFile {
            storage,
            stamp,
            stamp_is_reliable,
            content_type,
            etag,
            last_modified,
            modified_seconds,
        })
    }

    /// The whole content, if it is held in memory.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match &self.storage {
            Storage::InMemory(bytes) => Some(bytes),
            Storage::Open(_) => None,
        }
    }

    /// The open file, if the content is not held in memory.
    pub(super) fn open_file(&self) -> Option<&Arc<File>> {
        match &self.storage {
            Storage::InMemory(_) => None,
            Storage::Open(file) => Some(file),
        }
    }

    /// Bytes of the content.
    pub(super) fn size(&self) -> u64 {
        self.stamp.size
    }

    /// `Content-Type`.
    pub(super) fn content_type(&self) -> &str {
        &self.content_type
    }

    /// `ETag`, with its quotes.
    pub(super) fn etag(&self) -> &str {
        &self.etag
    }

    /// `Last-Modified`.
    pub(super) fn last_modified(&self) -> &[u8] {
        &self.last_modified
    }

    /// True if a file that has this stamp now is this file, unchanged.
    pub(super) fn is_unchanged(&self, stamp: &Stamp) -> bool {
        self.stamp_is_reliable && self.stamp == *stamp
    }

    pub(super) fn validators(&self) -> Validators<'_> {
        Validators { etag: &self.etag, modified: self.modified_seconds, length: self.stamp.size }
    }
}

/// The first `size` bytes of a file that was just opened, or fewer if it was truncated since.
fn read(file: &File, size: u64) -> io::Result<Box<[u8]>> {
    let mut bytes = Vec::with_capacity(usize::try_from(size).map_err(io::Error::other)?);
    file.take(size).read_to_end(&mut bytes)?;
    Ok(bytes.into_boxed_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant, SystemTime};

    fn now() -> Now {
        Now { instant: Instant::now(), wall: SystemTime::now() }
    }

    fn cached(bytes: u64) -> CachedFile {
        let file = tempfile::tempfile().unwrap();
        file.set_len(bytes).unwrap();
        let stamp = Stamp::of(&file.metadata().unwrap());
        CachedFile::load(file, stamp, "text/plain".into(), &now()).unwrap()
    }

    #[test]
    fn small_files_are_held_in_memory_and_larger_ones_open() {
        assert_eq!(cached(CACHED_FILE_BYTES_MAX).bytes().unwrap().len() as u64, CACHED_FILE_BYTES_MAX);
        let large = cached(CACHED_FILE_BYTES_MAX + 1);
        assert!(large.bytes().is_none() && large.open_file().is_some());
        assert_eq!(cached(0).bytes(), Some(&b""[..]));
    }

    #[test]
    fn a_file_truncated_while_it_is_read_is_read_again() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(100).unwrap();
        let stamp = Stamp::of(&file.metadata().unwrap());
        file.set_len(40).unwrap();
        let later = now().after(Duration::from_secs(60));
        let cached = CachedFile::load(file, stamp, "text/plain".into(), &later).unwrap();
        assert_eq!((cached.size(), cached.is_unchanged(&stamp)), (40, false));
    }
}
