//! A run's own staging folder: everything that becomes visible is renamed out of it, so that a run whose folder is
//! removed can no longer change anything.

use std::io;
use std::sync::Arc;

use tracing::{info, warn};

use crate::store::{Store, has_newer_generation};

use crate::book::error::{At, failed};
use crate::book::{BookError, layout};

/// The staging folder of one generation; made once, never again.
pub(in crate::book) struct Staging {
    store: Arc<dyn Store>,
    generation: String,
    folder: String,
}

impl Staging {
    /// Makes the folder of the generation that the fence `entry` will open.
    pub(in crate::book) fn make(store: Arc<dyn Store>, entry: u64) -> Result<Staging, BookError> {
        let random = store.new_id().as_fields().0;
        let generation = layout::generation(entry, random);
        let folder = layout::staging_folder(&generation);
        // Copies of a book may leave out empty folders.
        for parent in [layout::CHECKPOINTS, layout::STAGING] {
            store.create_folder(parent).at("make", parent)?;
        }
        store.sync_folder(layout::PRIVATE).at("sync", layout::PRIVATE)?;
        store.create_folder(&folder).at("make", &folder)?;
        store.sync_folder(layout::STAGING).at("sync", layout::STAGING)?;
        Ok(Staging { store, generation, folder })
    }

    pub(in crate::book) fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub(in crate::book) fn shared_store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    pub(in crate::book) fn generation(&self) -> &str {
        &self.generation
    }

    /// The path of a file in the folder.
    pub(in crate::book) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// Writes and syncs a whole file, but not its name.
    pub(in crate::book) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), BookError> {
        let path = self.path(name);
        let mut file = self.store.create(&path).map_err(|error| self.explain(error, "create", &path))?;
        // A store of objects notices here that the folder is gone.
        file.write_all(bytes).map_err(|error| self.explain(error, "write", &path))?;
        file.sync().map_err(|error| self.explain(error, "sync", &path))
    }

    /// Replaces a small file in the folder as a whole, or makes it. Nothing is synced: after a crash it may be gone, or empty.
    pub(in crate::book) fn replace_unsynced(&self, name: &str, bytes: &[u8]) -> Result<(), BookError> {
        if let Some(objects) = self.store.objects() {
            let path = self.path(name);
            return objects.put_staged(&path, bytes).map_err(|error| self.explain(error, "replace", &path));
        }
        let new = self.path(&format!("{name}.inprogress"));
        let mut created = self.store.create(&new);
        if created.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists) {
            // The last try failed after that.
            self.store.remove_file(&new).map_err(|error| self.explain(error, "remove", &new))?;
            created = self.store.create(&new);
        }
        let mut file = created.map_err(|error| self.explain(error, "create", &new))?;
        file.write_all(bytes).and_then(|()| file.flush()).at("write", &new)?;
        drop(file);
        let path = self.path(name);
        self.store.rename(&new, &path).map_err(|error| self.explain(error, "replace", &path))
    }

    /// Moves a file out, over any file at `to`.
    pub(in crate::book) fn publish(&self, name: &str, to: &str) -> Result<(), BookError> {
        self.store.rename(&self.path(name), to).map_err(|error| self.explain(error, "rename a staged file to", to))
    }

    /// Removes a file.
    pub(in crate::book) fn remove(&self, name: &str) -> Result<(), BookError> {
        let path = self.path(name);
        self.store.remove_file(&path).map_err(|error| self.explain(error, "remove", &path))
    }

    /// Notices on an object store that a newer run has swept the folder.
    pub(in crate::book) fn expect_folder(&self) -> Result<(), BookError> {
        self.store.sync_folder(&self.folder).map_err(|error| self.explain(error, "find", &self.folder))
    }

    /// Removes the folder of a generation whose fence was not put.
    pub(in crate::book) fn abandon(self) -> Result<(), BookError> {
        // The run that put the entry may have swept it.
        self.remove_folder()
    }

    /// Removes the folder of a process beside the run, if a start has not.
    pub(in crate::book) fn remove_folder(&self) -> Result<(), BookError> {
        gone_is_fine(self.store.remove_folder(&self.folder)).at("remove", &self.folder)
    }

    /// Distinguishes a folder that a newer run removed from one that something else did, and from an error of the file system.
    pub(in crate::book) fn explain(&self, error: io::Error, tried: &'static str, path: &str) -> BookError {
        if error.kind() == io::ErrorKind::NotFound && matches!(self.store.exists(&self.folder), Ok(false)) {
            return match has_newer_generation(&*self.store, &self.generation) {
                Ok(true) => {
                    BookError::Fenced { reason: format!("the staging folder of {} was removed", self.generation) }
                }
                Ok(false) => BookError::StagingGone { folder: self.folder.clone() },
                Err(error) => failed(tried, path, error),
            };
        }
        failed(tried, path, error)
    }

    /// Explains a missing file or folder of the book in the same way, and an entry that was swept: only the owner of the book sweeps.
    pub(in crate::book) fn explain_missing(&self, error: BookError) -> BookError {
        match error {
            swept @ BookError::Swept { .. } => {
                match self.explain(io::ErrorKind::NotFound.into(), "find", layout::LOG) {
                    gone @ (BookError::Fenced { .. } | BookError::StagingGone { .. }) => gone,
                    _ => swept,
                }
            }
            BookError::Io { tried, path, source } if source.kind() == io::ErrorKind::NotFound => {
                self.explain(source, tried, &path)
            }
            error => error,
        }
    }

    /// Removes the staging folders of all older generations, so that their runs can no longer publish.
    ///
    /// The files are deleted before this returns: a rename that a suspended run has begun in the kernel may outlive its
    /// folder's name, but not the file's.
    pub(in crate::book) fn sweep_older(&self) -> Result<(), BookError> {
        let own = layout::fence_of(&self.generation);
        let mut swept_any = false;
        for name in self.store.list(layout::STAGING).at("list", layout::STAGING)? {
            let generation = name.strip_suffix(layout::SWEPT).unwrap_or(&name);
            // A newer generation's folder belongs to a run that is about to fence this one.
            let older = layout::fence_of(generation).is_some_and(|fence| Some(fence) <= own);
            if !older || generation == self.generation {
                continue;
            }
            if self.store.objects().is_some() {
                // Its folder is an object, which is removed first.
                let folder = layout::staging_folder(&name);
                info!(%generation, "sweeping an older run's staging folder");
                gone_is_fine(self.store.remove_folder(&folder)).at("remove", &folder)?;
                continue;
            }
            let swept = layout::staging_folder(&format!("{generation}{}", layout::SWEPT));
            if name == generation {
                let folder = layout::staging_folder(&name);
                info!(%generation, "sweeping an older run's staging folder");
                gone_is_fine(self.store.rename(&folder, &swept)).at("rename", &folder)?;
            }
            self.remove_swept(&swept)?;
            swept_any = true;
        }
        // After a power cut a suspended run could use a folder that came back.
        if swept_any { self.store.sync_folder(layout::STAGING).at("sync", layout::STAGING) } else { Ok(()) }
    }

    fn remove_swept(&self, folder: &str) -> Result<(), BookError> {
        let mut removed = gone_is_fine(self.store.remove_folder(folder));
        if removed.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::DirectoryNotEmpty) {
            // A run that was in the kernel has made one more file, and cannot make another: its path is gone.
            removed = gone_is_fine(self.store.remove_folder(folder));
        }
        let Err(error) = removed else { return Ok(()) };
        let left = gone_is_fine(self.store.list(folder)).at("list", folder)?;
        if left.iter().any(|name| name.ends_with(".inprogress")) {
            return Err(error).at("remove", folder);
        }
        // NFS keeps open files under names of its own until they are closed.
        warn!(folder, %error, "left a swept staging folder to the next start");
        Ok(())
    }
}

/// Ignores a missing file: another start may sweep at the same time.
pub(in crate::book) fn gone_is_fine<T: Default>(done: io::Result<T>) -> io::Result<T> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        done => done,
    }
}
