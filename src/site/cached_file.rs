//! A cached file: its content, or the open file, and the header fields that describe it.
//!
//! Contract: a [`CachedFile`] describes one state of a file and never changes: size, validators and content
//! are of one moment. Small files are held in memory, as a copy of that moment. Larger ones are held open,
//! and an open file is no copy: whoever sends it asks [`is_current`](CachedFile::is_current) first. Its fields
//! are formatted once, so that a response from the cache allocates nothing.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::conditional::Validators;
use super::limits::{CACHE_CHECK, CACHED_FILE_BYTES_MAX, SNAPSHOT_READS_MAX};
use super::mime::{FileType, START_BYTES};
use super::negotiate::Coding;
use crate::net::beneath::Stamp;
use crate::net::files;
use crate::protocol::http::date::{self, DATE_BYTES};
use crate::protocol::now::Now;

/// One state of one file.
#[derive(Debug)]
pub struct CachedFile {
    storage: Storage,
    stamp: Stamp,
    /// True if the file cannot have changed again without getting another stamp.
    stamp_is_reliable: bool,
    file_type: FileType,
    etag: String,
    /// Seconds since 1970, and the same as a date; `None` before 1970, which a date can express and hardly any
    /// client can read.
    modified: Option<(u64, [u8; DATE_BYTES])>,
    /// Field lines that the rules of the site give to this file, each with its line end.
    lines: Box<str>,
    /// Its sidecars: the same content, compressed beforehand.
    sidecars: Vec<(Coding, Arc<CachedFile>)>,
}

#[derive(Debug)]
enum Storage {
    InMemory(Box<[u8]>),
    Open(Arc<File>),
}

impl CachedFile {
    /// Takes over a file that was just opened and had this stamp then. `type_of` is given what reads the first
    /// bytes of the file.
    pub(super) fn load(
        file: File,
        mut stamp: Stamp,
        type_of: impl FnOnce(&dyn Fn() -> Vec<u8>) -> FileType,
        now: &Now,
    ) -> io::Result<CachedFile> {
        let (storage, is_snapshot) = store(file, &mut stamp)?;
        // A file that changes twice within one tick of the file system's clock keeps its stamp. So
        // the stamp of a file that changed just now proves nothing, and the next check reads it again.
        let last_change = u64::try_from(stamp.modified.0.max(stamp.changed.0)).unwrap_or(0);
        let stamp_is_reliable = is_snapshot && last_change + CACHE_CHECK.as_secs() < now.unix_seconds();
        let etag = match is_snapshot {
            true => format!("\"{:x}.{:09x}-{:x}\"", stamp.modified.0, stamp.modified.1, stamp.size),
            // The stamp is not that of these bytes, so the time at which they were read stands for it.
            false => format!(
                "\"{:x}-{:x}\"",
                now.wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos(),
                stamp.size
            ),
        };
        let start = || match &storage {
            Storage::InMemory(bytes) => bytes[..bytes.len().min(START_BYTES as usize)].to_vec(),
            // A file that cannot be read now has no beginning that says anything about it.
            Storage::Open(file) => read(file, START_BYTES).unwrap_or_default(),
        };
        let file_type = type_of(&start);
        let modified = u64::try_from(stamp.modified.0).ok().map(|seconds| (seconds, date::format(seconds)));
        Ok(CachedFile {
            storage,
            stamp,
            stamp_is_reliable,
            file_type,
            etag,
            modified,
            lines: Box::default(),
            sidecars: Vec::new(),
        })
    }

    /// The same with these field lines, each with its line end.
    pub(super) fn with_lines(self, lines: &str) -> CachedFile {
        CachedFile { lines: lines.into(), ..self }
    }

    /// The same with these sidecars.
    pub(super) fn with_sidecars(self, sidecars: Vec<(Coding, Arc<CachedFile>)>) -> CachedFile {
        CachedFile { sidecars, ..self }
    }

    /// The same as a sidecar in this coding of a file of this type. Its entity tag is another one than that of the
    /// file, also if both are equally old and long.
    pub(super) fn encoded(self, coding: Coding, content_type: &str) -> CachedFile {
        let etag = format!("{}-{}\"", self.etag.trim_end_matches('"'), coding.name());
        let content_type = content_type.to_owned().into();
        let file_type = FileType { content_type, content_encoding: Some(coding.name()) };
        CachedFile { etag, file_type, ..self }
    }

    /// Field lines that the rules of the site give to this file.
    pub(super) fn lines(&self) -> &str {
        &self.lines
    }

    /// Its sidecars.
    pub(super) fn sidecars(&self) -> &[(Coding, Arc<CachedFile>)] {
        &self.sidecars
    }

    /// How many files are held open for it.
    pub(super) fn open_files(&self) -> usize {
        let all = self.sidecars.iter().map(|(_, sidecar)| sidecar.open_files()).sum::<usize>();
        all + usize::from(self.open_file().is_some())
    }

    /// Reads bytes of the content from `offset` on: how many, 0 at its end.
    pub(super) fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        match &self.storage {
            Storage::Open(file) => files::read_at(file, into, offset),
            Storage::InMemory(bytes) => {
                let rest =
                    usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
                let count = rest.len().min(into.len());
                into[..count].copy_from_slice(&rest[..count]);
                Ok(count)
            }
        }
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
        &self.file_type.content_type
    }

    /// `Content-Encoding`.
    pub(super) fn content_encoding(&self) -> Option<&'static str> {
        self.file_type.content_encoding
    }

    /// `ETag`, with its quotes.
    pub(super) fn etag(&self) -> &str {
        &self.etag
    }

    /// `Last-Modified` of a response that is sent now: never later than its `Date` (RFC 9110 section 8.8.2.1).
    pub(super) fn last_modified(&self, now: &Now) -> Option<[u8; DATE_BYTES]> {
        let (seconds, date) = self.modified?;
        Some(if seconds > now.unix_seconds() { date::format(now.unix_seconds()) } else { date })
    }

    /// True if a file that has this stamp now is this file, unchanged.
    pub(super) fn is_unchanged(&self, stamp: &Stamp) -> bool {
        // Reading an open file's description again would bring nothing new: there is no copy to compare.
        (self.stamp_is_reliable || self.open_file().is_some()) && self.stamp == *stamp
    }

    /// True if the content that would be sent, of the file or of a sidecar, is the one that is described: always
    /// for a copy in memory, and for an open file by one look at its state.
    pub(super) fn is_current(&self) -> bool {
        let itself = match &self.storage {
            Storage::InMemory(_) => true,
            Storage::Open(file) => file.metadata().is_ok_and(|metadata| self.stamp == Stamp::of(&metadata)),
        };
        itself && self.sidecars.iter().all(|(_, sidecar)| sidecar.is_current())
    }

    pub(super) fn validators(&self) -> Validators<'_> {
        Validators {
            etag: &self.etag,
            modified: self.modified.map(|(seconds, _)| seconds),
            length: self.stamp.size,
        }
    }
}

/// Stores the content of a file that had this stamp when it was opened. If it is changed while it is copied,
/// it is copied again, and `stamp` becomes that of the copy. False if it never held still long enough.
fn store(file: File, stamp: &mut Stamp) -> io::Result<(Storage, bool)> {
    let mut copy = Vec::new();
    for _ in 0..SNAPSHOT_READS_MAX {
        if stamp.size > CACHED_FILE_BYTES_MAX {
            return Ok((Storage::Open(Arc::new(file)), true));
        }
        copy = read(&file, stamp.size)?;
        let after = Stamp::of(&file.metadata()?);
        if after == *stamp && copy.len() as u64 == stamp.size {
            return Ok((Storage::InMemory(copy.into_boxed_slice()), true));
        }
        *stamp = after;
    }
    stamp.size = copy.len() as u64;
    Ok((Storage::InMemory(copy.into_boxed_slice()), false))
}

/// The first `size` bytes of a file, or fewer if it is shorter.
fn read(mut file: &File, size: u64) -> io::Result<Vec<u8>> {
    file.rewind()?;
    let mut bytes = Vec::with_capacity(usize::try_from(size).map_err(io::Error::other)?);
    file.take(size).read_to_end(&mut bytes)?;
    Ok(bytes)
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
        CachedFile::load(file, stamp, |_| "text/plain".into(), &now()).unwrap()
    }

    #[test]
    fn small_files_are_held_in_memory_and_larger_ones_open() {
        assert_eq!(cached(CACHED_FILE_BYTES_MAX).bytes().unwrap().len() as u64, CACHED_FILE_BYTES_MAX);
        let large = cached(CACHED_FILE_BYTES_MAX + 1);
        assert!(large.bytes().is_none() && large.open_file().is_some());
        assert_eq!(cached(0).bytes(), Some(&b""[..]));
    }

    #[test]
    fn times_before_1970_and_in_the_future_are_told_apart() {
        let now = now();
        let modified = |time: SystemTime| {
            let file = tempfile::tempfile().unwrap();
            file.set_modified(time).unwrap();
            let stamp = Stamp::of(&file.metadata().unwrap());
            let cached = CachedFile::load(file, stamp, |_| "text/plain".into(), &now).unwrap();
            (cached.etag().to_owned(), cached.last_modified(&now), cached.validators().modified)
        };
        let old = |seconds| modified(UNIX_EPOCH - Duration::from_secs(seconds));
        let etags = [old(1).0, old(2).0, old(100_000).0, modified(UNIX_EPOCH).0];
        assert!(etags.iter().enumerate().all(|(at, etag)| !etags[..at].contains(etag)), "{etags:?}");
        assert_eq!((old(1).1, old(1).2), (None, None));
        assert_eq!(modified(UNIX_EPOCH).1, Some(date::format(0)));
        let future = modified(now.wall + Duration::from_secs(1000));
        assert_eq!(future.1, Some(date::format(now.unix_seconds())), "not later than Date");
        assert_eq!(future.2, Some(now.unix_seconds() + 1000));
    }

    #[test]
    fn an_open_file_is_current_until_it_is_changed_or_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let load = || {
            let file = File::open(&path).unwrap();
            let stamp = Stamp::of(&file.metadata().unwrap());
            CachedFile::load(file, stamp, |_| "text/plain".into(), &now()).unwrap()
        };
        let large = vec![1; CACHED_FILE_BYTES_MAX as usize + 1];
        std::fs::write(&path, &large).unwrap();
        let before = load();
        assert!(before.is_current());
        File::options().append(true).open(&path).unwrap().set_len(before.size() + 1).unwrap();
        assert!(!before.is_current(), "it has grown");
        let before = load();
        std::fs::remove_file(&path).unwrap();
        // Windows does not tell of an open file that it is deleted: the next lookup of its name does.
        assert_eq!(before.is_current(), cfg!(windows), "it is deleted");
    }

    #[test]
    fn a_file_truncated_while_it_is_read_is_read_again() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(100).unwrap();
        let stamp = Stamp::of(&file.metadata().unwrap());
        file.set_len(40).unwrap();
        let later = now().after(Duration::from_secs(60));
        let cached = CachedFile::load(file, stamp, |_| "text/plain".into(), &later).unwrap();
        assert_eq!((cached.size(), cached.is_unchanged(&stamp)), (40, false));
    }
}
