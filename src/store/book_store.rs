//! The store of a book, made from where the book is.

use std::fmt::{self, Debug, Formatter};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use uuid::Uuid;

use super::{BookLocation, Disk, ObjectOperations, Store, StoreError, StoreFile, StoreOption, StoredFile};

/// Where a book is, and the store that has its files. Clones share the store.
#[derive(Clone)]
pub struct BookStore {
    location: BookLocation,
    store: Arc<dyn Store>,
}

impl BookStore {
    /// The store of a book that is there or may be made there. Nothing is asked for yet.
    ///
    /// # Errors
    /// [`StoreError`] for options that do not fit the location, and for an object store that this program was built without.
    pub fn new(location: &BookLocation, options: &[StoreOption]) -> Result<BookStore, StoreError> {
        let store: Arc<dyn Store> = match location {
            BookLocation::Directory(path) => match options.first() {
                Some(option) => {
                    let reason = "only for a book on an object store, and this one is in a directory".to_owned();
                    return Err(StoreError::WrongOption { option: option.key.clone(), reason });
                }
                None => Arc::new(Disk::new(path)),
            },
            #[cfg(feature = "object-store")]
            BookLocation::Bucket(bucket) => Arc::new(super::object::open(bucket, options)?),
            #[cfg(not(feature = "object-store"))]
            BookLocation::Bucket(bucket) => return Err(StoreError::NotBuilt { address: bucket.to_string() }),
        };
        Ok(BookStore { location: location.clone(), store })
    }

    /// A store that is there already, such as one of a test.
    pub fn of(location: BookLocation, store: Arc<dyn Store>) -> BookStore {
        BookStore { location, store }
    }

    /// Where the book is.
    pub fn location(&self) -> &BookLocation {
        &self.location
    }

    /// The store itself.
    pub fn shared(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }
}

impl Store for BookStore {
    fn create(&self, path: &str) -> io::Result<Box<dyn StoreFile>> {
        self.store.create(path)
    }

    fn create_for(&self, staged: &str, destination: &str) -> io::Result<Box<dyn StoreFile>> {
        self.store.create_for(staged, destination)
    }

    fn hard_link(&self, from: &str, to: &str) -> io::Result<()> {
        self.store.hard_link(from, to)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.store.rename(from, to)
    }

    fn exchange(&self, one: &str, other: &str) -> io::Result<()> {
        self.store.exchange(one, other)
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        self.store.remove_file(path)
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        self.store.remove_folder(path)
    }

    fn create_folder(&self, path: &str) -> io::Result<()> {
        self.store.create_folder(path)
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        self.store.sync_folder(path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.store.list(path)
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.store.read(path)
    }

    fn open(&self, path: &str) -> io::Result<StoredFile> {
        self.store.open(path)
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        self.store.exists(path)
    }

    fn temporary_folder(&self, folder: &str) -> PathBuf {
        self.store.temporary_folder(folder)
    }

    fn objects(&self) -> Option<&dyn ObjectOperations> {
        self.store.objects()
    }

    fn new_id(&self) -> Uuid {
        self.store.new_id()
    }

    fn write_time(&self) -> SystemTime {
        self.store.write_time()
    }
}

impl Debug for BookStore {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.debug_tuple("BookStore").field(&self.location).finish()
    }
}

impl From<&Path> for BookStore {
    fn from(directory: &Path) -> BookStore {
        BookStore { location: directory.into(), store: Arc::new(Disk::new(directory)) }
    }
}

impl From<&PathBuf> for BookStore {
    fn from(directory: &PathBuf) -> BookStore {
        directory.as_path().into()
    }
}

impl From<PathBuf> for BookStore {
    fn from(directory: PathBuf) -> BookStore {
        directory.as_path().into()
    }
}

impl From<&BookStore> for BookStore {
    fn from(store: &BookStore) -> BookStore {
        store.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Classified;

    #[test]
    fn a_directory_has_no_options() {
        let option = "endpoint=x".parse().expect("an option");
        let error = BookStore::new(&BookLocation::Directory("book".into()), &[option]).expect_err("it is refused");
        assert!(error.is_usage() && error.to_string().starts_with("--store endpoint"), "{error}");
    }

    #[cfg(not(feature = "object-store"))]
    #[test]
    fn a_program_without_object_stores_says_how_to_build_one() {
        let location: BookLocation = "s3://shop/book".parse().expect("an address");
        let error = BookStore::new(&location, &[]).expect_err("it is refused");
        assert!(error.is_usage() && error.to_string().contains("--features object-store"), "{error}");
    }
}
