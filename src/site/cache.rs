//! The cache of a site: its files, as they were when they were last checked.
//!
//! Contract: a hit neither allocates nor makes a system call. Once an entry is older than
//! [`CACHE_CHECK`], *one* caller is told to compare it with the disk, while the others go on using it.
//! The number of entries is bounded, whatever clients ask for.
//!
//! The key is the path as it was requested, so that a hit does not have to decode it. Two spellings of
//! one path are two entries, and both count against the bound.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use rustc_hash::FxHashMap;

use super::cached_file::CachedFile;
use super::limits::{CACHE_CHECK, CACHED_FILES_MAX, OPEN_FILE_IDLE, OPEN_FILES_MAX};
use crate::protocol::now::Now;

/// The files of one site, shared by all its threads.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: RwLock<Entries>,
    /// The first time this cache was given. Times are counted from it, because an atomic can hold a
    /// number and not an `Instant`.
    start: OnceLock<Instant>,
}

/// By path. Paths that share a hash by intent are few enough to be compared one by one: [`CACHED_FILES_MAX`].
type Entries = FxHashMap<Box<str>, Entry>;

#[derive(Debug)]
struct Entry {
    file: Arc<CachedFile>,
    /// Milliseconds from `start` to the last check. An entry in use is checked again and again, so the
    /// one with the oldest check is the least recently used, and no other bookkeeping is needed.
    checked: AtomicU64,
}

/// An entry of the cache that was found.
#[derive(Debug)]
pub(super) enum Hit {
    /// To be used as it is.
    Fresh(Arc<CachedFile>),
    /// The caller is the one that compares it with the disk.
    Stale(Arc<CachedFile>),
}

impl Cache {
    /// Looks a path up.
    pub(super) fn get(&self, path: &str, now: &Now) -> Option<Hit> {
        let time = self.milliseconds(now);
        let entries = self.read();
        let entry = entries.get(path)?;
        let checked = entry.checked.load(Ordering::Relaxed);
        let is_old = time.saturating_sub(checked) >= CACHE_CHECK.as_millis() as u64;
        // The caller that sets the new time does the check. No other memory is published by it, so the
        // ordering is relaxed.
        let claimed = is_old
            && entry.checked.compare_exchange(checked, time, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        let file = entry.file.clone();
        Some(if claimed { Hit::Stale(file) } else { Hit::Fresh(file) })
    }

    /// Stores a file. If there are too many, the least recently used one is removed.
    pub(super) fn insert(&self, path: &str, file: &Arc<CachedFile>, now: &Now) {
        let time = self.milliseconds(now);
        let mut entries = self.write();
        entries.remove(path);
        if file.open_files() > 0 {
            evict(&mut entries, OPEN_FILES_MAX, |entry| entry.file.open_files());
        }
        evict(&mut entries, CACHED_FILES_MAX, |_| 1);
        entries.insert(path.into(), Entry { file: file.clone(), checked: AtomicU64::new(time) });
    }

    /// Removes a path, because there is no such file any more.
    pub(super) fn remove(&self, path: &str) {
        self.write().remove(path);
    }

    /// Removes the open files that nobody has asked for in a while: one that was deleted meanwhile would
    /// keep its space on the disk, and one on a removable disk would keep that busy.
    pub(super) fn close_idle(&self, now: &Now) {
        let (time, idle) = (self.milliseconds(now), OPEN_FILE_IDLE.as_millis() as u64);
        let is_idle = |entry: &Entry| {
            entry.file.open_files() > 0 && time.saturating_sub(entry.checked.load(Ordering::Relaxed)) >= idle
        };
        // Most of the time there is none, and then requests are not held up.
        if self.read().values().any(is_idle) {
            self.write().retain(|_, entry| !is_idle(entry));
        }
    }

    /// Removes everything, because another folder is in the place of the root.
    pub(super) fn clear(&self) {
        self.write().clear();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.read().len()
    }

    fn milliseconds(&self, now: &Now) -> u64 {
        let start = *self.start.get_or_init(|| now.instant);
        // The cast loses nothing: 2^64 milliseconds are longer than any process runs.
        now.instant.saturating_duration_since(start).as_millis() as u64
    }

    // A thread that panicked while it held the lock left a consistent map, because each change is a
    // single call of the map. So a poisoned lock is no reason to fail all later requests.
    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes the least recently used of the entries that `count` counts until they count less than `max` together.
fn evict(entries: &mut Entries, max: usize, count: impl Fn(&Entry) -> usize) {
    while entries.values().map(&count).sum::<usize>() >= max {
        let oldest = entries
            .iter()
            .filter(|(_, entry)| count(entry) > 0)
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
    use crate::net::beneath::Stamp;
    use crate::site::limits::CACHED_FILE_BYTES_MAX;
    use std::time::{Duration, SystemTime};

    fn now() -> Now {
        Now { instant: Instant::now(), wall: SystemTime::now() }
    }

    fn cached(bytes: u64) -> Arc<CachedFile> {
        let file = tempfile::tempfile().unwrap();
        file.set_len(bytes).unwrap();
        let stamp = Stamp::of(&file.metadata().unwrap());
        Arc::new(CachedFile::load(file, stamp, |_| "text/plain".into(), &now()).unwrap())
    }

    #[test]
    fn only_one_caller_checks_an_old_entry() {
        let (cache, start) = (Cache::default(), now());
        cache.insert("/a", &cached(1), &start);
        assert!(matches!(cache.get("/a", &start), Some(Hit::Fresh(_))));
        let later = start.after(CACHE_CHECK);
        assert!(matches!(cache.get("/a", &later), Some(Hit::Stale(_))));
        assert!(matches!(cache.get("/a", &later), Some(Hit::Fresh(_))));
        cache.remove("/a");
        assert!(cache.get("/a", &later).is_none());
    }

    #[test]
    fn the_least_recently_used_entry_is_removed() {
        let (cache, start, file) = (Cache::default(), now(), cached(1));
        for number in 0..CACHED_FILES_MAX as u32 {
            cache.insert(&format!("/{number}"), &file, &start.after(Duration::from_millis(number.into())));
        }
        // The oldest is used once more, so the second oldest is removed.
        let later = start.after(CACHE_CHECK * 2);
        assert!(cache.get("/0", &later).is_some());
        cache.insert("/one-more", &file, &later);
        assert_eq!(cache.read().len(), CACHED_FILES_MAX);
        assert!(cache.get("/0", &later).is_some() && cache.get("/one-more", &later).is_some());
        assert!(cache.get("/1", &later).is_none());
    }

    #[test]
    fn open_files_that_are_not_in_use_are_closed() {
        let (cache, start) = (Cache::default(), now());
        cache.insert("/small", &cached(1), &start);
        cache.insert("/idle", &cached(CACHED_FILE_BYTES_MAX + 1), &start);
        cache.insert("/used", &cached(CACHED_FILE_BYTES_MAX + 1), &start);
        let later = start.after(OPEN_FILE_IDLE);
        assert!(cache.get("/used", &later).is_some());
        cache.close_idle(&later);
        assert!(cache.get("/small", &later).is_some() && cache.get("/used", &later).is_some());
        assert!(cache.get("/idle", &later).is_none());
    }

    #[test]
    fn open_files_have_a_bound_of_their_own() {
        let (cache, now, large) = (Cache::default(), now(), cached(CACHED_FILE_BYTES_MAX + 1));
        cache.insert("/small", &cached(1), &now);
        for number in 0..OPEN_FILES_MAX * 2 {
            cache.insert(&format!("/{number}"), &large, &now);
        }
        assert_eq!(cache.read().len(), OPEN_FILES_MAX + 1);
        assert!(cache.get("/small", &now).is_some());
    }
}
