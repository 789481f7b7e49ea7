//! The operations a book needs of its file system.

use std::fs::File;
use std::io::{self, Write};

/// A directory tree with atomic links and renames. All paths are relative to the book's root.
///
/// Nothing here retries: a failed sync must end the process, because the kernel may have dropped the pages.
pub trait Store: Send + Sync {
    /// Makes a new, empty file in a folder that exists.
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken, `NotFound` when the folder is gone.
    fn create(&self, path: &str) -> io::Result<Box<dyn StoreFile>>;

    /// Gives the file `from` the second name `to`, or fails with `AlreadyExists`: the only put-if-absent there is.
    ///
    /// # Errors
    /// `AlreadyExists` when `to` is taken, `NotFound` when `from` or the folder of `to` is gone.
    fn hard_link(&self, from: &str, to: &str) -> io::Result<()>;

    /// Moves `from` over `to`, whatever stood there; also whole folders, where `to` must not exist.
    ///
    /// # Errors
    /// `NotFound` when `from` is gone.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file's name.
    ///
    /// # Errors
    /// `NotFound` when it is gone.
    fn remove_file(&self, path: &str) -> io::Result<()>;

    /// Removes a folder and all in it.
    ///
    /// # Errors
    /// `NotFound` when it is gone.
    fn remove_folder(&self, path: &str) -> io::Result<()>;

    /// Makes one folder, whose parent exists; a folder that is already there is fine.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn create_folder(&self, path: &str) -> io::Result<()>;

    /// Makes the names in a folder survive a crash.
    ///
    /// # Errors
    /// Whatever the file system says; never to be retried.
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
    /// Whatever the file system says.
    fn exists(&self, path: &str) -> io::Result<bool>;

    /// A nameless file on the disk of `folder`, for rows that do not fit in memory; gone when it is closed.
    ///
    /// # Errors
    /// `NotFound` when the folder is gone, and whatever else the file system says.
    fn scratch(&self, folder: &str) -> io::Result<File>;
}

/// A file being written.
pub trait StoreFile: Write + Send {
    /// Makes the bytes written so far survive a crash.
    ///
    /// # Errors
    /// Whatever the file system says; never to be retried.
    fn sync(&mut self) -> io::Result<()>;
}
