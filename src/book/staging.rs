//! A run's own staging folder: everything that becomes visible is renamed out of it, so that a run whose folder is
//! taken away can change nothing any more.

use std::io;
use std::sync::Arc;

use tracing::{info, warn};
use uuid::Uuid;

use crate::store::Store;

use super::error::At;
use super::{BookError, layout};

/// The staging folder of one generation; made once, never made again.
pub(super) struct Staging {
    store: Arc<dyn Store>,
    generation: String,
    folder: String,
}

impl Staging {
    /// Makes the folder of the generation that the fence `entry` will open.
    pub(super) fn make(store: Arc<dyn Store>, entry: u64) -> Result<Staging, BookError> {
        let random = Uuid::new_v4().as_fields().0;
        let generation = layout::generation(entry, random);
        let folder = layout::staging_folder(&generation);
        store.create_folder(&folder).at("make", &folder)?;
        store.sync_folder(layout::STAGING).at("sync", layout::STAGING)?;
        Ok(Staging { store, generation, folder })
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub(super) fn generation(&self) -> &str {
        &self.generation
    }

    /// The path of a file in the folder.
    pub(super) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// Writes a whole file and makes its bytes survive a crash; its name need not.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), BookError> {
        let path = self.path(name);
        let mut file = self.store.create(&path).map_err(|error| self.explain(error, "create", &path))?;
        file.write_all(bytes).at("write", &path)?;
        file.sync().at("sync", &path)
    }

    /// Moves a file out, over whatever stands at `to`.
    pub(super) fn publish(&self, name: &str, to: &str) -> Result<(), BookError> {
        self.store.rename(&self.path(name), to).map_err(|error| self.explain(error, "rename a staged file to", to))
    }

    /// Removes a file.
    pub(super) fn remove(&self, name: &str) -> Result<(), BookError> {
        let path = self.path(name);
        self.store.remove_file(&path).map_err(|error| self.explain(error, "remove", &path))
    }

    /// Removes the folder of a generation that never came to be.
    pub(super) fn abandon(self) -> Result<(), BookError> {
        match self.store.remove_folder(&self.folder) {
            // The run that took the number has swept it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.at("remove", &self.folder),
        }
    }

    /// Tells a folder that was taken away by a newer run from an error of the file system.
    pub(super) fn explain(&self, error: io::Error, tried: &'static str, path: &str) -> BookError {
        if error.kind() == io::ErrorKind::NotFound && matches!(self.store.exists(&self.folder), Ok(false)) {
            return BookError::Fenced { reason: format!("the staging folder of {} was taken away", self.generation) };
        }
        BookError::Io { tried, path: path.to_owned(), source: error }
    }

    /// Takes the staging folders of all older generations away, so that what still runs under them can publish nothing.
    ///
    /// Deleting comes before this returns: a rename that a sleeping run has begun inside the kernel may outlive its folder's
    /// name, but not the file's.
    pub(super) fn sweep_older(&self) -> Result<(), BookError> {
        let own = layout::fence_of(&self.generation);
        let mut swept_any = false;
        for name in self.store.list(layout::STAGING).at("list", layout::STAGING)? {
            let generation = name.strip_suffix(layout::SWEPT).unwrap_or(&name);
            // A newer generation's folder is a run that is about to fence this one.
            let older = layout::fence_of(generation).is_some_and(|fence| Some(fence) <= own);
            if !older || generation == self.generation {
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
        // A folder that came back with the power would be a sleeping run's to use again.
        if swept_any { self.store.sync_folder(layout::STAGING).at("sync", layout::STAGING) } else { Ok(()) }
    }

    fn remove_swept(&self, folder: &str) -> Result<(), BookError> {
        let mut removed = gone_is_fine(self.store.remove_folder(folder));
        if removed.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::DirectoryNotEmpty) {
            // A run that was inside the kernel has made one more file, and cannot make another: its path is gone.
            removed = gone_is_fine(self.store.remove_folder(folder));
        }
        let Err(error) = removed else { return Ok(()) };
        let left = gone_is_fine(self.store.list(folder)).at("list", folder)?;
        if left.iter().any(|name| name.ends_with(".inprogress")) {
            return Err(error).at("remove", folder);
        }
        // NFS keeps the bytes of open files under names of its own until they are closed.
        warn!(folder, %error, "left a swept staging folder to the next start");
        Ok(())
    }
}

/// Another start may sweep at the same time.
fn gone_is_fine<T: Default>(done: io::Result<T>) -> io::Result<T> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        done => done,
    }
}
