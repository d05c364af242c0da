//! A bounded byte buffer that holds memory only while it holds bytes.
//!
//! Contract: its capacity is [`BUFFER_BYTES`]. After a read that filled all its room it is
//! [`BULK_BUFFER_BYTES`]: more bytes were waiting, and a long body then moves with a quarter of the
//! calls. An empty buffer owns no storage, so ten thousand idle connections need no memory for buffers.
//! Bytes that are kept for a while are moved to small storage ([`shrink`](Buffer::shrink)).
//! Each thread keeps short lists of unused storage, from which a buffer takes it and to which it returns
//! it: after its first connections a thread reads and writes without allocating.

use std::cell::{Cell, RefCell};
use std::io;
use std::mem;

use crate::protocol::limits::{
    BUFFER_BYTES, BULK_BUFFER_BYTES, SMALL_BUFFER_BYTES, SPARE_BUFFERS_MAX, SPARE_BULK_BUFFERS_MAX,
    SPARE_SMALL_BUFFERS_MAX, WORKER_SPARE_BUFFERS_MAX, WORKER_SPARE_BULK_BUFFERS_MAX,
    WORKER_SPARE_SMALL_BUFFERS_MAX,
};

thread_local! {
    /// Unused storage of this thread: of ordinary size, of bulk size and of small size.
    static SPARES: RefCell<[Vec<Box<[u8]>>; 3]> = const { RefCell::new([Vec::new(), Vec::new(), Vec::new()]) };
    /// How many of each the thread keeps at most.
    static SPARES_MAX: Cell<[usize; 3]> =
        const { Cell::new([SPARE_BUFFERS_MAX, SPARE_BULK_BUFFERS_MAX, SPARE_SMALL_BUFFERS_MAX]) };
}

/// Makes this thread keep only as much unused storage as one connection needs. For worker threads, which
/// serve one connection at a time.
///
/// A parked connection takes its storage along to the worker that resumes it. With long lists some workers
/// would collect the storage that others have to allocate, until all lists are full.
pub(crate) fn keep_few_spares() {
    SPARES_MAX.set([WORKER_SPARE_BUFFERS_MAX, WORKER_SPARE_BULK_BUFFERS_MAX, WORKER_SPARE_SMALL_BUFFERS_MAX]);
}

/// Bytes in order: received and not used yet, or ready to send and not sent yet.
#[derive(Debug, Default)]
pub struct Buffer {
    storage: Option<Box<[u8]>>,
    start: usize,
    end: usize,
    /// The last read filled all the room, so the next storage will be a large one.
    bulk: bool,
}

impl Buffer {
    /// An empty buffer, which owns no memory.
    pub const fn new() -> Buffer {
        Buffer { storage: None, start: 0, end: 0, bulk: false }
    }

    /// An empty buffer whose first storage will be a large one.
    pub(crate) fn bulk() -> Buffer {
        Buffer { storage: None, start: 0, end: 0, bulk: true }
    }

    /// The bytes held.
    pub fn bytes(&self) -> &[u8] {
        self.storage.as_deref().map_or(&[], |storage| &storage[self.start..self.end])
    }

    /// How many bytes are held.
    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    /// True if no byte is held.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// How many more bytes fit.
    pub(crate) fn room(&self) -> usize {
        self.capacity() - self.len()
    }

    /// True while it holds storage, with bytes in it or not.
    #[cfg(test)]
    pub(crate) fn owns_memory(&self) -> bool {
        self.storage.is_some()
    }

    fn capacity(&self) -> usize {
        self.storage.as_ref().map_or(capacity(self.bulk), |storage| storage.len().max(BUFFER_BYTES))
    }

    /// Where the next bytes go: all of [`room`](Buffer::room), as one slice. Follow it with [`filled`](Buffer::filled).
    pub(crate) fn space(&mut self) -> &mut [u8] {
        let (start, end, bulk) = (self.start, self.end, self.bulk);
        let storage = self.storage.get_or_insert_with(|| spare(capacity(bulk)));
        if storage.len() < BUFFER_BYTES {
            let shrunk = mem::replace(storage, spare(BUFFER_BYTES));
            storage[start..end].copy_from_slice(&shrunk[start..end]);
        }
        if start > 0 {
            storage.copy_within(start..end, 0);
            self.start = 0;
            self.end = end - start;
        }
        &mut storage[self.end..]
    }

    /// The [`space`](Buffer::space) that was asked for last, for those who fill it in many small steps.
    #[inline]
    pub(crate) fn same_space(&mut self) -> &mut [u8] {
        self.storage.as_mut().map_or(&mut [], |storage| &mut storage[self.end..])
    }

    /// The first `count` bytes of [`space`](Buffer::space) now hold data.
    pub(crate) fn filled(&mut self, count: usize) {
        self.end += count;
        debug_assert!(self.end <= self.capacity());
        self.bulk = count > 0 && self.end == self.capacity();
        self.release_if_empty();
    }

    /// Drops the first `count` bytes. Once the buffer is empty, its storage returns to the list.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count;
        debug_assert!(self.start <= self.end);
        self.release_if_empty();
    }

    /// Moves the bytes held to storage that is just large enough: they are kept for a while, and nothing is likely to be
    /// added.
    pub(crate) fn shrink(&mut self) {
        let length = self.len();
        let enough = length.max(SMALL_BUFFER_BYTES);
        if let Some(storage) = self.storage.take_if(|storage| storage.len() > enough) {
            let mut smaller = spare(enough);
            smaller[..length].copy_from_slice(&storage[self.start..self.end]);
            keep_spare(storage);
            (self.start, self.end) = (0, length);
            self.storage = Some(smaller);
        }
    }

    /// Copies `count` bytes from byte `at` on to `distance` bytes before it, over what is there.
    pub(crate) fn move_back(&mut self, at: usize, count: usize, distance: usize) {
        let from = self.start + at;
        debug_assert!(distance <= at && from + count <= self.end);
        if let Some(storage) = &mut self.storage
            && distance > 0
        {
            storage.copy_within(from..from + count, from - distance);
        }
    }

    /// Removes `count` bytes from the middle, beginning with byte `at`.
    pub(crate) fn remove(&mut self, at: usize, count: usize) {
        if at == 0 || count == 0 {
            return self.consume(count);
        }
        let from = self.start + at;
        debug_assert!(from + count <= self.end);
        if let Some(storage) = &mut self.storage {
            storage.copy_within(from + count..self.end, from);
            self.end -= count;
        }
        self.release_if_empty();
    }

    /// Appends all of `bytes`. If they do not fit, appends nothing and returns `false`.
    #[must_use]
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.room() {
            return false;
        }
        if !bytes.is_empty() {
            self.space()[..bytes.len()].copy_from_slice(bytes);
            self.filled(bytes.len());
        }
        true
    }

    /// Inserts all of `bytes` before the bytes held. If they do not fit, inserts nothing and returns `false`.
    #[must_use]
    pub(crate) fn push_front(&mut self, bytes: &[u8]) -> bool {
        self.insert(0, bytes)
    }

    /// Inserts all of `bytes` before byte `at`. If they do not fit, inserts nothing and returns `false`.
    #[must_use]
    pub(crate) fn insert(&mut self, at: usize, bytes: &[u8]) -> bool {
        if !self.push(bytes) {
            return false;
        }
        let (from, end) = (self.start + at, self.end);
        if let Some(storage) = &mut self.storage {
            storage[from..end].rotate_right(bytes.len());
        }
        true
    }

    /// Drops all bytes from `len` on. It undoes a head that was written in part.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.end = self.end.min(self.start + len);
        self.release_if_empty();
    }

    /// Drops all bytes; the storage returns to the list.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    fn release_if_empty(&mut self) {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            if let Some(storage) = self.storage.take() {
                keep_spare(storage);
            }
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(storage) = self.storage.take() {
            keep_spare(storage);
        }
    }
}

/// For `write!` into a buffer. An error of kind `WriteZero` means that the buffer is full.
impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.room());
        let fits = self.push(&bytes[..count]);
        debug_assert!(fits, "count was cut to the room");
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn capacity(bulk: bool) -> usize {
    if bulk { BULK_BUFFER_BYTES } else { BUFFER_BYTES }
}

/// Storage of so many bytes.
fn spare(bytes: usize) -> Box<[u8]> {
    let spare = list_of(bytes)
        .and_then(|list| SPARES.try_with(|spares| spares.borrow_mut()[list].pop()).ok().flatten());
    spare.unwrap_or_else(|| vec![0; bytes].into_boxed_slice())
}

fn keep_spare(storage: Box<[u8]>) {
    let Some(list) = list_of(storage.len()) else { return };
    let most = SPARES_MAX.get()[list];
    // While a thread ends its lists are gone already; then the storage is freed.
    let _ = SPARES.try_with(|spares| {
        let spares = &mut spares.borrow_mut()[list];
        if spares.len() < most {
            spares.push(storage);
        }
    });
}

/// Which of the lists has storage of this size, if any.
fn list_of(bytes: usize) -> Option<usize> {
    match bytes {
        BUFFER_BYTES => Some(0),
        BULK_BUFFER_BYTES => Some(1),
        SMALL_BUFFER_BYTES => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn holds_memory_only_while_it_holds_bytes() {
        let mut buffer = Buffer::new();
        assert!(buffer.storage.is_none());
        assert!(buffer.push(b"abc"));
        assert!(buffer.storage.is_some());
        buffer.consume(2);
        assert_eq!(buffer.bytes(), b"c");
        buffer.consume(1);
        assert!(buffer.storage.is_none());
    }

    #[test]
    fn a_worker_keeps_few_spares_and_a_loop_many() {
        let kept = |begin: fn()| {
            let thread = std::thread::spawn(move || {
                begin();
                let mut buffers: Vec<_> = (0..10).map(|_| Buffer::new()).collect();
                assert!(buffers.iter_mut().all(|buffer| buffer.push(b"x")));
                drop(buffers);
                SPARES.with_borrow(|spares| spares[0].len())
            });
            thread.join().unwrap()
        };
        assert_eq!((kept(keep_few_spares), kept(|| {})), (WORKER_SPARE_BUFFERS_MAX, 10));
    }

    #[test]
    fn a_shrunk_buffer_has_the_room_of_another_when_it_is_needed() {
        let mut buffer = Buffer::new();
        assert!(buffer.push(b"xabc"));
        buffer.consume(1);
        for _ in 0..2 {
            buffer.shrink();
            let size = buffer.storage.as_ref().unwrap().len();
            assert_eq!((buffer.bytes(), size), (&b"abc"[..], SMALL_BUFFER_BYTES));
        }
        assert_eq!(buffer.room(), BUFFER_BYTES - 3);
        assert!(buffer.push(b"d") && buffer.insert(1, b"-"));
        assert_eq!(buffer.bytes(), b"a-bcd");
        buffer.shrink();
        buffer.remove(1, 1);
        buffer.consume(4);
        assert!(!buffer.owns_memory());
        buffer.shrink();
        assert!(!buffer.owns_memory());
        // What is longer has storage of its own size.
        assert!(buffer.push(&[7; SMALL_BUFFER_BYTES + 1]));
        buffer.shrink();
        assert_eq!(buffer.storage.as_ref().unwrap().len(), SMALL_BUFFER_BYTES + 1);
        assert!(buffer.push(&[8; BUFFER_BYTES - SMALL_BUFFER_BYTES - 1]) && buffer.room() == 0);
    }

    #[test]
    fn push_front_puts_bytes_before_those_held() {
        let mut buffer = Buffer::new();
        assert!(buffer.push_front(b"") && buffer.push_front(b"cd"));
        assert!(buffer.push(b"xef"));
        buffer.consume(0);
        assert!(buffer.push_front(b"ab"));
        assert_eq!(buffer.bytes(), b"abcdxef");
        buffer.consume(5);
        assert!(buffer.push_front(b"d") && !buffer.push_front(&[0; BUFFER_BYTES]));
        assert_eq!(buffer.bytes(), b"def");
        assert!(buffer.insert(1, b"xy") && buffer.insert(5, b"z"));
        assert_eq!(buffer.bytes(), b"dxyefz");
    }

    #[test]
    fn remove_keeps_the_other_bytes_in_order() {
        let mut buffer = Buffer::new();
        assert!(buffer.push(b"xabcdef"));
        buffer.consume(1);
        buffer.remove(1, 3);
        assert_eq!(buffer.bytes(), b"aef");
        buffer.remove(1, 2);
        assert_eq!(buffer.bytes(), b"a");
        buffer.remove(0, 1);
        assert!(buffer.storage.is_none());
    }

    #[test]
    fn space_is_all_the_room_even_after_a_part_was_consumed() {
        let mut buffer = Buffer::new();
        assert!(buffer.push(&[7; BUFFER_BYTES]));
        assert!(!buffer.push(b"x"));
        buffer.consume(100);
        assert_eq!(buffer.space().len(), 100);
        assert_eq!(buffer.room(), 100);
        assert!(buffer.push(&[8; 100]));
        assert_eq!(buffer.bytes()[BUFFER_BYTES - 100..], [8; 100]);
    }

    #[test]
    fn only_a_read_that_fills_the_buffer_makes_the_next_one_larger() {
        let mut buffer = Buffer::new();
        let room = buffer.space().len();
        buffer.filled(room);
        buffer.consume(room);
        assert_eq!(buffer.space().len(), BULK_BUFFER_BYTES);
        buffer.filled(100);
        buffer.consume(100);
        assert_eq!(buffer.space().len(), BUFFER_BYTES);
        // One that found nothing to read fills nothing, even if there was no room for more.
        buffer.filled(BUFFER_BYTES);
        buffer.filled(0);
        buffer.consume(BUFFER_BYTES);
        assert_eq!(buffer.space().len(), BUFFER_BYTES);
    }

    #[test]
    fn writing_into_a_full_buffer_is_an_error() {
        let mut buffer = Buffer::new();
        assert!(buffer.push(&[0; BUFFER_BYTES - 2]));
        assert_eq!(buffer.write_all(b"abc").unwrap_err().kind(), io::ErrorKind::WriteZero);
    }
}
