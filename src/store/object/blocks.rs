//! Reading objects that nothing replaces, in blocks that stay in memory for a while.
//!
//! Questions read the footer of a file, compare its bytes with the log, and read some of its columns: mostly the same blocks. A file that
//! is no larger than a block costs one request.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use object_store::GetRange;

use super::failure::{io_error, is_absent};
use super::objects::Objects;
use crate::store::layout::{LOG, REPLACED};
use crate::store::{ReadAt, StoredFile};

/// Bytes of a block; the last one of an object has fewer.
const BLOCK: u64 = 4 << 20;
/// Bytes that all blocks may have together.
const MOST_BYTES: usize = 64 << 20;
/// The most objects whose size is remembered.
const MOST_SIZES: usize = 100_000;

/// The blocks that are in memory, of all objects of a book.
#[derive(Default)]
pub(super) struct Blocks(Mutex<Cache>);

#[derive(Default)]
struct Cache {
    /// By path and number: the block, and when it was used last.
    blocks: HashMap<(Arc<str>, u64), (Bytes, u64)>,
    sizes: HashMap<Arc<str>, u64>,
    bytes: usize,
    uses: u64,
    /// How often everything was forgotten: what was read before is not kept after that.
    age: u64,
    /// The object by which it is seen that another book is in this place: the newest log entry that was read, or any object before one was.
    mark: Option<Mark>,
}

/// An object as it was read.
struct Mark {
    path: Arc<str>,
    size: u64,
    tag: Option<String>,
}

impl Blocks {
    /// Reads a whole object; `NotFound` is never remembered.
    ///
    /// # Errors
    /// `NotFound`; any error of the store.
    pub(super) fn read(self: &Arc<Blocks>, objects: &Objects, path: &str) -> io::Result<Vec<u8>> {
        let file = self.file(objects, path)?;
        let mut bytes = vec![0; usize::try_from(file.size).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// Opens an object.
    ///
    /// # Errors
    /// `NotFound`; any error of the store.
    pub(super) fn open(self: &Arc<Blocks>, objects: &Objects, path: &str) -> io::Result<StoredFile> {
        Ok(StoredFile::new(self.file(objects, path)?))
    }

    /// Forgets an object that was deleted: after a sweep of the log another one may be put under its name for a moment.
    pub(super) fn forget(&self, path: &str) {
        let cache = &mut *self.lock();
        cache.sizes.remove(path);
        let (blocks, bytes) = (&mut cache.blocks, &mut cache.bytes);
        blocks.retain(|(of, _), (block, _)| {
            let is_other = &**of != path;
            *bytes -= if is_other { 0 } else { block.len() };
            is_other
        });
    }

    fn file(self: &Arc<Blocks>, objects: &Objects, path: &str) -> io::Result<ObjectBytes> {
        let path: Arc<str> = path.into();
        let (size, age) = {
            let cache = self.lock();
            (cache.sizes.get(&path).copied(), cache.age)
        };
        let file = |path, size| ObjectBytes { objects: objects.clone(), blocks: Arc::clone(self), path, size, age };
        if let Some(size) = size
            && self.get(&path, 0, age).is_some()
        {
            return Ok(file(path, size));
        }
        let first = match objects.get(&path, Some(GetRange::Bounded(0..BLOCK))) {
            Ok(first) => first,
            // Of an empty object no range can be read.
            Err(error) if !is_absent(&error) && objects.head(&path)?.is_some_and(|about| about.size == 0) => {
                return Ok(file(path, 0));
            }
            Err(error) => return Err(io_error(error)),
        };
        let (about, bytes) = first;
        self.insert(&path, 0, bytes, about.size, age);
        self.lock().remember(age, Mark { path: Arc::clone(&path), size: about.size, tag: about.e_tag });
        Ok(file(path, about.size))
    }

    /// Forgets everything if an object that nothing replaces was replaced, or is gone: the book was deleted, and another one made in its place.
    /// One request, if anything is known.
    ///
    /// # Errors
    /// Any error of the store.
    pub(super) fn forget_another_book(&self, objects: &Objects) -> io::Result<()> {
        let Some(path) = self.lock().mark.as_ref().map(|mark| Arc::clone(&mark.path)) else { return Ok(()) };
        let now = objects.head(&path)?.map(|about| (about.size, about.e_tag));
        let cache = &mut *self.lock();
        // Another thread may have read a newer one meanwhile.
        if cache.mark.as_ref().is_some_and(|mark| mark.path == path && now != Some((mark.size, mark.tag.clone()))) {
            *cache = Cache { uses: cache.uses, age: cache.age + 1, ..Cache::default() };
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block, for a reader that began at some age of the cache.
    fn get(&self, path: &Arc<str>, number: u64, age: u64) -> Option<Bytes> {
        let mut cache = self.lock();
        if cache.age != age {
            return None;
        }
        cache.uses += 1;
        let now = cache.uses;
        let (bytes, used) = cache.blocks.get_mut(&(Arc::clone(path), number))?;
        *used = now;
        Some(bytes.clone())
    }

    fn insert(&self, path: &Arc<str>, number: u64, bytes: Bytes, size: u64, age: u64) {
        let mut cache = self.lock();
        if cache.age != age {
            return;
        }
        if cache.sizes.len() >= MOST_SIZES {
            cache.sizes.clear();
        }
        cache.sizes.insert(Arc::clone(path), size);
        cache.uses += 1;
        let now = cache.uses;
        cache.bytes += bytes.len();
        if let Some((before, _)) = cache.blocks.insert((Arc::clone(path), number), (bytes, now)) {
            cache.bytes -= before.len();
        }
        cache.bound();
    }
}

impl Cache {
    /// Takes a newer entry, or anything instead of nothing, as the mark.
    fn remember(&mut self, age: u64, read: Mark) {
        let is_entry = |path: &str| path.strip_prefix(LOG).is_some_and(|rest| rest.starts_with('/'));
        let is_newer = |mark: &Mark| is_entry(&read.path) && (!is_entry(&mark.path) || mark.path < read.path);
        if self.age == age && self.mark.as_ref().is_none_or(is_newer) {
            self.mark = Some(read);
        }
    }

    /// Forgets the blocks that were used longest ago, down to three quarters of the limit, so that it is not done for each new one.
    fn bound(&mut self) {
        if self.bytes <= MOST_BYTES {
            return;
        }
        let mut used: Vec<(u64, (Arc<str>, u64))> =
            self.blocks.iter().map(|(block, (_, used))| (*used, block.clone())).collect();
        used.sort_unstable_by_key(|(used, _)| *used);
        for (_, block) in used {
            if self.bytes <= MOST_BYTES / 4 * 3 {
                break;
            }
            self.bytes -= self.blocks.remove(&block).map_or(0, |(bytes, _)| bytes.len());
        }
    }
}

/// An object that is open for reading.
struct ObjectBytes {
    objects: Objects,
    blocks: Arc<Blocks>,
    path: Arc<str>,
    size: u64,
    /// The age of the cache when it was opened.
    age: u64,
}

impl ObjectBytes {
    fn block(&self, number: u64) -> io::Result<Bytes> {
        if let Some(known) = self.blocks.get(&self.path, number, self.age) {
            return Ok(known);
        }
        let range = number * BLOCK..self.size.min((number + 1) * BLOCK);
        let length = range.end - range.start;
        let range = Some(GetRange::Bounded(range));
        let (about, bytes) = match self.objects.get(&self.path, range.clone()) {
            // Merged or pruned since it was opened.
            Err(error) if is_absent(&error) => match self.moved_to()? {
                Some(moved) => self.objects.get(&moved, range).map_err(io_error)?,
                None => return Err(io_error(error)),
            },
            got => got.map_err(io_error)?,
        };
        if bytes.len() as u64 != length || about.size != self.size {
            return Err(io::Error::new(ErrorKind::InvalidData, "the object was replaced while it was read"));
        }
        self.blocks.insert(&self.path, number, bytes.clone(), self.size, self.age);
        Ok(bytes)
    }
}

impl ObjectBytes {
    /// Where the file is kept for a while after it was merged or pruned: in the folder of one of the entries that did so.
    fn moved_to(&self) -> io::Result<Option<String>> {
        let Some((folder, name)) = self.path.rsplit_once('/') else { return Ok(None) };
        let suffix = format!(".{}", folder.replace('/', "."));
        for replaced in self.objects.list(REPLACED)?.folders.iter().filter(|replaced| replaced.ends_with(&suffix)) {
            let moved = format!("{REPLACED}/{replaced}/{name}");
            if self.objects.head(&moved)?.is_some() {
                return Ok(Some(moved));
            }
        }
        Ok(None)
    }
}

impl ReadAt for ObjectBytes {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= self.size);
        let Range { start: mut at, end } = offset..end.ok_or(ErrorKind::UnexpectedEof)?;
        while at < end {
            let block = self.block(at / BLOCK)?;
            let from = (at % BLOCK) as usize;
            let rest = block.get(from..).filter(|rest| !rest.is_empty()).ok_or(ErrorKind::UnexpectedEof)?;
            let length = rest.len().min((end - at) as usize);
            let to = (at - offset) as usize;
            bytes[to..to + length].copy_from_slice(&rest[..length]);
            at += length as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use object_store::PutMode;
    use object_store::memory::InMemory;

    use super::*;

    #[test]
    fn all_ranges_of_an_object_are_read_from_blocks() {
        let objects = Objects::new(Arc::new(InMemory::new()), "book");
        let bytes: Vec<u8> = (0..2 * BLOCK + 100).map(|at| (at % 251) as u8).collect();
        objects.put("file", &bytes, PutMode::Create).expect("put");
        let blocks = Arc::new(Blocks::default());
        let file = blocks.open(&objects, "file").expect("there");
        assert_eq!(file.size(), bytes.len() as u64);
        let block = BLOCK as usize;
        for (from, length) in [(0, 10), (block - 5, 10), (2 * block - 1, 101), (3, 2 * block), (bytes.len(), 0)] {
            let mut part = vec![0; length];
            file.read_exact_at(&mut part, from as u64).expect("there");
            assert!(part == bytes[from..from + length], "{from} {length}");
        }
        assert!(file.read_exact_at(&mut [0; 2], bytes.len() as u64 - 1).is_err());
        let mut rest = Vec::new();
        file.read_from(BLOCK).read_to_end(&mut rest).expect("there");
        assert!(rest == bytes[block..]);
        assert_eq!(blocks.read(&objects, "none").expect_err("absent").kind(), ErrorKind::NotFound);
        objects.delete(vec!["file".to_owned()]).expect("deleted");
        blocks.forget("file");
        assert_eq!(blocks.open(&objects, "file").expect_err("forgotten").kind(), ErrorKind::NotFound);
        assert_eq!(blocks.lock().bytes, 0);
        objects.put("empty", &[], PutMode::Create).expect("put");
        assert!(blocks.read(&objects, "empty").expect("there").is_empty());
    }

    #[test]
    fn a_file_that_is_moved_away_while_it_is_read_is_read_to_its_end() {
        let objects = Objects::new(Arc::new(InMemory::new()), "book");
        let bytes: Vec<u8> = (0..2 * BLOCK).map(|at| (at % 251) as u8).collect();
        let path = "events/day=2026-11-22/c0000000001-w000-0.parquet";
        objects.put(path, &bytes, PutMode::Create).expect("put");
        let file = Arc::new(Blocks::default()).open(&objects, path).expect("there");
        objects.delete(vec![path.to_owned()]).expect("deleted");
        let mut last = vec![0; 10];
        let missing = file.read_exact_at(&mut last, 2 * BLOCK - 10).expect_err("nowhere");
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        let moved = "_walbook/replaced/0000000009.events.day=2026-11-22/c0000000001-w000-0.parquet";
        objects.put(moved, &bytes, PutMode::Create).expect("put");
        file.read_exact_at(&mut last, 2 * BLOCK - 10).expect("moved");
        assert!(last == bytes[bytes.len() - 10..]);
    }

    #[test]
    fn what_was_read_of_another_book_is_not_kept() {
        let objects = Objects::new(Arc::new(InMemory::new()), "book");
        let (first, second) = ("_walbook/log/00000000000000000001.json", "events/day=2026-11-22/a.parquet");
        let put = |path, byte: u8| {
            objects.put(path, &vec![byte; BLOCK as usize + 1], PutMode::Overwrite).expect("put");
        };
        put(first, 1);
        put(second, 1);
        let blocks = Arc::new(Blocks::default());
        let of = |path| blocks.read(&objects, path).expect("there")[0];
        assert_eq!((of(second), of(first)), (1, 1));
        let before = blocks.open(&objects, second).expect("there");
        put(second, 2);
        blocks.forget_another_book(&objects).expect("memory");
        assert_eq!(of(second), 1, "nothing replaces it while the entry is the same");
        put(first, 2);
        blocks.forget_another_book(&objects).expect("memory");
        // A reader of the old one keeps nothing for those of the new one.
        before.read_exact_at(&mut [0], BLOCK).expect("there");
        assert!(blocks.lock().blocks.is_empty());
        assert_eq!((of(second), of(first)), (2, 2));
    }

    #[test]
    fn blocks_that_were_used_longest_ago_are_forgotten() {
        let blocks = Blocks::default();
        let path: Arc<str> = "file".into();
        let number = MOST_BYTES as u64 / BLOCK;
        let block = Bytes::from(vec![0; BLOCK as usize]);
        for part in 0..number {
            blocks.insert(&path, part, block.clone(), u64::MAX, 0);
        }
        assert!(blocks.get(&path, 0, 0).is_some());
        blocks.insert(&path, number, block, u64::MAX, 0);
        assert!(blocks.get(&path, 0, 0).is_some() && blocks.get(&path, number, 0).is_some());
        assert!(blocks.get(&path, 1, 0).is_none());
        assert!(blocks.lock().bytes <= MOST_BYTES);
    }
}
