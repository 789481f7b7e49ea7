//! What tests of a book strike at: a disk in memory, or a bucket.

use std::collections::BTreeMap;
use std::sync::Arc;

use walbook::store::{BookLocation, BookStore};

use super::{Fault, MemoryStore};

/// One process's view of a place for a book, which counts its operations and is struck at those that a test names.
pub trait TestDisk: Clone + Send + 'static {
    /// The store of a book there.
    fn store(&self) -> BookStore;

    /// The same place for another process, which counts its own operations and has no faults.
    #[must_use]
    fn process(&self) -> Self;

    /// The place after a power cut now; `seed` decides what survives, where that is a question.
    #[must_use]
    fn survive(&self, seed: u64) -> Self;

    /// All files with their bytes, by path.
    fn files(&self) -> BTreeMap<String, Vec<u8>>;

    /// The operations so far, as `verb path`.
    fn operations(&self) -> Vec<String>;

    /// Strikes at operation `number`, counted from 0.
    fn strike(&self, number: usize, fault: Fault);

    /// Whether all operations that were to be struck were reached.
    fn is_struck(&self) -> bool;
}

impl TestDisk for MemoryStore {
    fn store(&self) -> BookStore {
        BookStore::of(BookLocation::Directory("memory".into()), Arc::new(self.clone()))
    }

    fn process(&self) -> MemoryStore {
        MemoryStore::process(self)
    }

    fn survive(&self, seed: u64) -> MemoryStore {
        MemoryStore::survive(self, seed)
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        MemoryStore::files(self)
    }

    fn operations(&self) -> Vec<String> {
        MemoryStore::operations(self)
    }

    fn strike(&self, number: usize, fault: Fault) {
        MemoryStore::strike(self, number, fault);
    }

    fn is_struck(&self) -> bool {
        MemoryStore::is_struck(self)
    }
}
