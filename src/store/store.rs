//! The operations that a book needs of its file system, or of what stands for one.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use bytes::Bytes;
use uuid::Uuid;

use super::StoredFile;

/// A directory tree with atomic links and renames. All paths are relative to the book's root.
///
/// Nothing here retries: a failed sync must end the process, because the kernel may have dropped the pages. An object store retries its
/// requests; where it differs from a file system otherwise, it says so by [`Store::objects`].
pub trait Store: Send + Sync {
    /// Creates an empty file in an existing folder.
    ///
    /// # Errors
    /// `AlreadyExists` when the name exists, `NotFound` when the folder does not exist.
    fn create(&self, path: &str) -> io::Result<Box<dyn StoreFile>>;

    /// As [`Store::create`], for a file in staging that will be renamed to `destination` or to nothing else: a store that cannot rename
    /// prepares it there.
    ///
    /// # Errors
    /// As [`Store::create`].
    fn create_for(&self, staged: &str, destination: &str) -> io::Result<Box<dyn StoreFile>> {
        let _ = destination;
        self.create(staged)
    }

    /// Adds the second name `to` to the file `from`: the only operation that puts a name only if it is absent.
    ///
    /// # Errors
    /// `AlreadyExists` when `to` exists, `NotFound` when `from` or the folder of `to` does not exist.
    fn hard_link(&self, from: &str, to: &str) -> io::Result<()>;

    /// Moves `from` to `to` and replaces a file there; also whole folders, where `to` must not exist.
    ///
    /// # Errors
    /// `NotFound` when `from` does not exist.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Exchanges two files or folders: after it, also after a crash, both names have changed or neither.
    ///
    /// # Errors
    /// `Unsupported` when the system or this file system cannot; `NotFound` when either does not exist.
    fn exchange(&self, one: &str, other: &str) -> io::Result<()>;

    /// Removes a file's name.
    ///
    /// # Errors
    /// `NotFound` when it does not exist.
    fn remove_file(&self, path: &str) -> io::Result<()>;

    /// Removes a folder and all in it.
    ///
    /// # Errors
    /// `NotFound` when it does not exist.
    fn remove_folder(&self, path: &str) -> io::Result<()>;

    /// Creates one folder, whose parent exists; the folder itself may exist already.
    ///
    /// # Errors
    /// Any error of the file system.
    fn create_folder(&self, path: &str) -> io::Result<()>;

    /// Syncs the names in a folder, so that they survive a crash.
    ///
    /// # Errors
    /// Any error of the file system; never to be retried.
    fn sync_folder(&self, path: &str) -> io::Result<()>;

    /// The names in a folder, sorted.
    ///
    /// # Errors
    /// `NotFound` when the folder does not exist.
    fn list(&self, path: &str) -> io::Result<Vec<String>>;

    /// A file's bytes.
    ///
    /// # Errors
    /// `NotFound` when it does not exist.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;

    /// Opens a file of rows, which nothing replaces, to read parts of it.
    ///
    /// # Errors
    /// `NotFound` when it does not exist.
    fn open(&self, path: &str) -> io::Result<StoredFile> {
        Ok(Bytes::from(self.read(path)?).into())
    }

    /// Whether a file or folder of this name exists.
    ///
    /// # Errors
    /// Any error of the file system.
    fn exists(&self, path: &str) -> io::Result<bool>;

    /// Where the file system has room for temporary files of `folder`.
    fn temporary_folder(&self, folder: &str) -> PathBuf;

    /// What a store of objects does instead of links and renames; `None` for a file system.
    fn objects(&self) -> Option<&dyn ObjectOperations> {
        None
    }

    /// An identifier that nothing else has: names made of it do not collide.
    fn new_id(&self) -> Uuid {
        Uuid::new_v4()
    }

    /// The time that is noted in what is written now.
    fn write_time(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A file being written.
pub trait StoreFile: Write + Send {
    /// Syncs the bytes written so far, so that they survive a crash.
    ///
    /// # Errors
    /// Any error of the file system; never to be retried.
    fn sync(&mut self) -> io::Result<()>;
}

/// What a store of objects does where a file system links and renames.
///
/// An answer of such a store may say that nothing was done although it was, and the other way round. What is promised here holds whatever
/// the answer was.
pub trait ObjectOperations {
    /// Puts an object where there is none; whether these bytes are there now, and not others.
    ///
    /// Only success is believed. A conflict of two requests may be reported as if the key were taken, and a request that was sent again finds
    /// the object of its first try. So after any other answer the key is read; where nothing is, the object is put again.
    ///
    /// # Errors
    /// Any error of the store, after which it may be there or not.
    fn put_new(&self, path: &str, bytes: &[u8]) -> io::Result<bool>;

    /// Replaces a small object of a generation's staging folder, or puts it.
    ///
    /// # Errors
    /// `NotFound` when the generation was swept.
    fn put_staged(&self, path: &str, bytes: &[u8]) -> io::Result<()>;

    /// An object that will be replaced, with its version; no bytes where there is none.
    ///
    /// # Errors
    /// Any error of the store.
    fn read_version(&self, path: &str) -> io::Result<(Option<Vec<u8>>, ObjectVersion)>;

    /// Replaces an object whose version was read, or puts it where there was none; `false` if another was put since.
    ///
    /// # Errors
    /// Any error of the store, after which it may be replaced or not.
    fn replace(&self, path: &str, bytes: &[u8], read: &ObjectVersion) -> io::Result<bool>;

    /// Forgets what was read and kept in memory, if another book was made in this place since.
    ///
    /// # Errors
    /// Any error of the store.
    fn forget_another_book(&self) -> io::Result<()>;

    /// Tries everything that commits rest on, in a folder that is removed afterwards.
    ///
    /// # Errors
    /// `Unsupported` with what the store did wrong; any other error when it cannot be reached or refuses.
    fn probe(&self, folder: &str) -> io::Result<()>;
}

/// Which content of an object was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectVersion {
    /// There was none.
    Absent,
    /// The one with this entity tag, or with this number where the store counts them.
    Present {
        /// The entity tag.
        tag: Option<String>,
        /// The number.
        number: Option<String>,
    },
}
