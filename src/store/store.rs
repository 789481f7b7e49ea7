//! The operations that a book needs of its file system.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use uuid::Uuid;

/// A directory tree with atomic links and renames. All paths are relative to the book's root.
///
/// Nothing here retries: a failed sync must end the process, because the kernel may have dropped the pages.
pub trait Store: Send + Sync {
    /// Creates an empty file in an existing folder.
    ///
    /// # Errors
    /// `AlreadyExists` when the name exists, `NotFound` when the folder does not exist.
    fn create(&self, path: &str) -> io::Result<Box<dyn StoreFile>>;

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

    /// Whether a file or folder of this name exists.
    ///
    /// # Errors
    /// Any error of the file system.
    fn exists(&self, path: &str) -> io::Result<bool>;

    /// Where the file system has room for temporary files of `folder`.
    fn temporary_folder(&self, folder: &str) -> PathBuf;

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
