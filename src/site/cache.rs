//! The cache: files as they were a moment ago, with their fields ready to send.
//!
//! Contract: a hit allocates nothing and asks the kernel nothing. An entry older than
//! [`CACHE_CHECK`] is handed to *one* caller to look at again, while the others go on using it.
//! Small files are held whole, larger ones open; both in bounded numbers, whatever clients ask for.
//!
//! The key is the path as it was asked, so that a hit need not decode it. Two spellings of one file
//! are two entries, and both count against the bound.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use super::conditional::Validators;
use super::files::Stamp;
use crate::protocol::http::date::{self, DATE_BYTES};
use crate::protocol::now::Now;
use crate::site::limits::{CACHE_CHECK, CACHED_FILE_BYTES_MAX, CACHED_FILES_MAX, OPEN_FILES_MAX};

/// One state of one file: its content or the way to it, and all that an answer says about it.
#[derive(Debug)]
pub struct CachedFile {
    holding: Holding,
    stamp: Stamp,
    settled: bool,
    pub(super) content_type: Cow<'static, str>,
    pub(super) etag: String,
    pub(super) last_modified: [u8; DATE_BYTES],
    modified_seconds: u64,
}

#[derive(Debug)]
enum Holding {
    Bytes(Box<[u8]>),
    Open(Arc<File>),
}

impl CachedFile {
    /// Takes over a file that was just opened.
    pub(super) fn load(
        file: File,
        mut stamp: Stamp,
        content_type: Cow<'static, str>,
        now: &Now,
    ) -> io::Result<CachedFile> {
        let modified_seconds = u64::try_from(stamp.modified.0).unwrap_or(0);
        let etag = format!("\"{:x}.{:09x}-{:x}\"", modified_seconds, stamp.modified.1, stamp.size);
        // A file that changes twice within one tick of the file system's clock keeps its stamp. One
        // that changed just now is not trusted: it is read anew at the next check.
        let settled = modified_seconds + CACHE_CHECK.as_secs() < now.unix_seconds();
        let holding = if stamp.size <= CACHED_FILE_BYTES_MAX {
            let bytes = read(&file, stamp.size)?;
            // Cut short meanwhile: the stamp must not match at the next check either.
            stamp.size = bytes.len() as u64;
            Holding::Bytes(bytes)
        } else {
            Holding::Open(Arc::new(file))
        };
        let last_modified = date::format(modified_seconds);
        Ok(CachedFile { holding, stamp, settled, content_type, etag, last_modified, modified_seconds })
    }

    /// The whole content, if it is held in memory.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.holding {
            Holding::Bytes(bytes) => Some(bytes),
            Holding::Open(_) => None,
        }
    }

    /// The open file, if the content is not held in memory.
    pub fn file(&self) -> Option<&Arc<File>> {
        match &self.holding {
            Holding::Bytes(_) => None,
            Holding::Open(file) => Some(file),
        }
    }

    /// Bytes of the content.
    pub fn size(&self) -> u64 {
        self.stamp.size
    }

    /// True if a file with this stamp is this file in this state.
    pub(super) fn is_still(&self, stamp: &Stamp) -> bool {
        self.settled && self.stamp == *stamp
    }

    pub(super) fn validators(&self) -> Validators<'_> {
        Validators { etag: &self.etag, modified: self.modified_seconds, length: self.stamp.size }
    }
}

/// The first `size` bytes, or fewer if the file was cut meanwhile.
fn read(file: &File, size: u64) -> io::Result<Box<[u8]>> {
    let mut bytes = vec![0; usize::try_from(size).map_err(io::Error::other)?];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes.into_boxed_slice())
}

/// The files of one site, shared by all its threads.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: RwLock<HashMap<Box<str>, Entry>>,
    /// The first moment this cache was told: ages are counted from it, since it has no clock.
    start: OnceLock<Instant>,
}

#[derive(Debug)]
struct Entry {
    file: Arc<CachedFile>,
    /// Milliseconds from `start` to the last check. An entry in use is checked again and again, so
    /// the one whose check is longest ago is the one least used: no other bookkeeping is needed.
    checked: AtomicU64,
}

/// What the cache has for a path.
#[derive(Debug)]
pub(super) enum Hit {
    /// To be used as it is.
    Fresh(Arc<CachedFile>),
    /// The caller is the one to see whether it has changed.
    Due(Arc<CachedFile>),
}

impl Cache {
    /// Looks a path up.
    pub(super) fn find(&self, path: &str, now: &Now) -> Option<Hit> {
        let moment = self.moment(now);
        let entries = self.read();
        let entry = entries.get(path)?;
        let checked = entry.checked.load(Ordering::Relaxed);
        let is_due = moment.saturating_sub(checked) >= CACHE_CHECK.as_millis() as u64;
        // Whoever moves the time on does the check; the order of other memory does not hang on it.
        let claimed = is_due
            && entry.checked.compare_exchange(checked, moment, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        let file = entry.file.clone();
        Some(if claimed { Hit::Due(file) } else { Hit::Fresh(file) })
    }

    /// Keeps a file, in place of the one longest unused if there are too many.
    pub(super) fn keep(&self, path: &str, file: &Arc<CachedFile>, now: &Now) {
        let moment = self.moment(now);
        let mut entries = self.write();
        entries.remove(path);
        if file.file().is_some() {
            make_room(&mut entries, OPEN_FILES_MAX, |entry| entry.file.file().is_some());
        }
        make_room(&mut entries, CACHED_FILES_MAX, |_| true);
        entries.insert(path.into(), Entry { file: file.clone(), checked: AtomicU64::new(moment) });
    }

    /// Drops what is no longer there.
    pub(super) fn forget(&self, path: &str) {
        self.write().remove(path);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.read().len()
    }

    fn moment(&self, now: &Now) -> u64 {
        let start = *self.start.get_or_init(|| now.instant);
        // An `as` that cannot cut: 2^64 ms are longer than any process lives.
        now.instant.saturating_duration_since(start).as_millis() as u64
    }

    // A thread that panicked with the lock held left a whole map behind: nothing in between is
    // visible, so its poison is no reason to fail every request after it.
    fn read(&self) -> RwLockReadGuard<'_, HashMap<Box<str>, Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Box<str>, Entry>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes the longest unused of the entries that `counts` until one more fits.
fn make_room(entries: &mut HashMap<Box<str>, Entry>, most: usize, counts: impl Fn(&Entry) -> bool) {
    while entries.values().filter(|entry| counts(entry)).count() >= most {
        let oldest = entries
            .iter()
            .filter(|(_, entry)| counts(entry))
            .min_by_key(|(_, entry)| entry.checked.load(Ordering::Relaxed))
            .map(|(path, _)| path.clone());
        match oldest {
            Some(path) => entries.remove(&path),
            None => break,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    fn now() -> Now {
        Now { instant: Instant::now(), wall: SystemTime::now() }
    }

    fn cached(bytes: u64) -> Arc<CachedFile> {
        let file = tempfile::tempfile().unwrap();
        file.set_len(bytes).unwrap();
        let stamp = Stamp::of(&file.metadata().unwrap());
        Arc::new(CachedFile::load(file, stamp, "text/plain".into(), &now()).unwrap())
    }

    #[test]
    fn small_files_are_held_whole_and_larger_ones_open() {
        assert_eq!(cached(CACHED_FILE_BYTES_MAX).bytes().unwrap().len() as u64, CACHED_FILE_BYTES_MAX);
        let large = cached(CACHED_FILE_BYTES_MAX + 1);
        assert!(large.bytes().is_none() && large.file().is_some());
        assert_eq!(cached(0).bytes(), Some(&b""[..]));
    }

    #[test]
    fn one_caller_alone_checks_an_old_entry() {
        let (cache, start) = (Cache::default(), now());
        cache.keep("/a", &cached(1), &start);
        assert!(matches!(cache.find("/a", &start), Some(Hit::Fresh(_))));
        let later = start.after(CACHE_CHECK);
        assert!(matches!(cache.find("/a", &later), Some(Hit::Due(_))));
        assert!(matches!(cache.find("/a", &later), Some(Hit::Fresh(_))));
        cache.forget("/a");
        assert!(cache.find("/a", &later).is_none());
    }

    #[test]
    fn the_longest_unused_makes_room() {
        let (cache, start, file) = (Cache::default(), now(), cached(1));
        for number in 0..CACHED_FILES_MAX as u32 {
            cache.keep(&format!("/{number}"), &file, &start.after(Duration::from_millis(number.into())));
        }
        // The oldest is used once more, so the next oldest goes.
        let later = start.after(CACHE_CHECK * 2);
        assert!(cache.find("/0", &later).is_some());
        cache.keep("/one-more", &file, &later);
        assert_eq!(cache.read().len(), CACHED_FILES_MAX);
        assert!(cache.find("/0", &later).is_some() && cache.find("/one-more", &later).is_some());
        assert!(cache.find("/1", &later).is_none());
    }

    #[test]
    fn open_files_are_bounded_by_themselves() {
        let (cache, now, large) = (Cache::default(), now(), cached(CACHED_FILE_BYTES_MAX + 1));
        cache.keep("/small", &cached(1), &now);
        for number in 0..OPEN_FILES_MAX * 2 {
            cache.keep(&format!("/{number}"), &large, &now);
        }
        assert_eq!(cache.read().len(), OPEN_FILES_MAX + 1);
        assert!(cache.find("/small", &now).is_some());
    }

    #[test]
    fn a_file_cut_while_it_is_read_is_not_believed() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(100).unwrap();
        let stamp = Stamp::of(&file.metadata().unwrap());
        file.set_len(40).unwrap();
        let later = now().after(Duration::from_secs(60));
        let cached = CachedFile::load(file, stamp, "text/plain".into(), &later).unwrap();
        assert_eq!((cached.size(), cached.is_still(&stamp)), (40, false));
    }
}
