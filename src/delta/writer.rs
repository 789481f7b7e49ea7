//! How files get into a table: whole or not at all, and never over another one.
//!
//! On a file system everything comes out of the staging folder of the run's generation, which the next run removes before it writes anything: a run
//! that was suspended cannot put a version or a file any more. On a store of objects a version is put by condition.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::sync::Arc;

use super::error::{At, DeltaError, gone_is_fine};
use crate::store::Store;
use crate::store::layout::{parent, staging_folder};

/// Puts files on behalf of one run.
pub(super) struct Writer {
    store: Arc<dyn Store>,
    staging: String,
    /// Folders whose names this run has synced.
    durable_folders: HashSet<String>,
    /// Folders with names that are not synced yet.
    unsynced: HashSet<String>,
}

impl Writer {
    pub(super) fn new(store: Arc<dyn Store>, generation: &str) -> Writer {
        let (durable_folders, unsynced) = Default::default();
        Writer { store, staging: staging_folder(generation), durable_folders, unsynced }
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Whether files of rows are linked: a store of objects has no links.
    pub(super) fn links(&self) -> bool {
        self.store.objects().is_none()
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub(super) fn now(&self) -> i64 {
        let since = self.store.write_time().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    /// Makes a folder and those above it, and makes their names survive a crash.
    pub(super) fn make_folder(&mut self, folder: &str) -> Result<(), DeltaError> {
        if self.durable_folders.contains(folder) {
            return Ok(());
        }
        let above = parent(folder);
        if above != folder && !above.is_empty() {
            self.make_folder(above)?;
        }
        self.store.create_folder(folder).at("make", folder)?;
        self.store.sync_folder(above).at("sync", above)?;
        self.durable_folders.insert(folder.to_owned());
        Ok(())
    }

    /// Forgets which folders there are below `folder`, which is removed.
    pub(super) fn forget_folders(&mut self, folder: &str) {
        self.durable_folders.retain(|known| !known.starts_with(folder));
    }

    /// Puts a file whose name is free; whether it has these bytes now, and not others.
    pub(super) fn put(&mut self, path: &str, bytes: &[u8]) -> Result<bool, DeltaError> {
        self.make_folder(parent(path))?;
        if let Some(objects) = self.store.objects() {
            return objects.put_new(path, bytes).at("put", path);
        }
        let staged = self.stage(bytes)?;
        let linked = self.store.hard_link(&staged, path);
        let is_put = match linked {
            Ok(()) => true,
            Err(error) => match self.store.read(path) {
                // A network file system may have linked it and lost the answer.
                Ok(present) => present == bytes,
                Err(_) => return Err(error).at("link", path),
            },
        };
        gone_is_fine(self.store.remove_file(&staged)).at("remove", &staged)?;
        self.store.sync_folder(parent(path)).at("sync", parent(path))?;
        Ok(is_put)
    }

    /// Replaces a small file that is only a hint.
    pub(super) fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), DeltaError> {
        if let Some(objects) = self.store.objects() {
            let (_, version) = objects.read_version(path).at("read", path)?;
            // Another run's is as good.
            return objects.replace(path, bytes, &version).at("replace", path).map(drop);
        }
        let staged = self.stage(bytes)?;
        self.store.rename(&staged, path).at("replace", path)
    }

    /// Gives a file of rows a name that stays with its content. `check` says of the bytes whether they are those that are meant; `None`
    /// if they are not, because the file was replaced or moved meanwhile.
    pub(super) fn keep_checked<T>(
        &mut self,
        from: &str,
        to: &str,
        check: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, DeltaError> {
        // What is there was checked, and its name may not be synced.
        if let Some(present) = self.read_if_any(to)? {
            self.unsynced.insert(parent(to).to_owned());
            return check(&present).map(Some).ok_or_else(|| DeltaError::damaged(to, "it holds something else"));
        }
        self.make_folder(parent(to))?;
        self.unsynced.insert(parent(to).to_owned());
        if let Some(objects) = self.store.objects() {
            let Some(bytes) = self.read_if_any(from)? else { return Ok(None) };
            let Some(checked) = check(&bytes) else { return Ok(None) };
            return match objects.put_new(to, &bytes).at("put", to)? {
                true => Ok(Some(checked)),
                // Another run has put the same rows.
                false => self.read_if_any(to).map(|present| present.and_then(|present| check(&present))),
            };
        }
        let staged = self.new_staged_path();
        match self.store.hard_link(from, &staged) {
            Err(error) if error.kind() == ErrorKind::NotFound => return self.expect_staging().map(|()| None),
            linked => linked.at("link", from)?,
        }
        let checked = check(&self.store.read(&staged).at("read", &staged)?);
        if checked.is_some() {
            self.link(&staged, to)?;
        }
        gone_is_fine(self.store.remove_file(&staged)).at("remove", &staged)?;
        Ok(checked)
    }

    /// Links a file that nothing replaces; `false` if it is not there any more.
    pub(super) fn keep(&mut self, from: &str, to: &str) -> Result<bool, DeltaError> {
        self.make_folder(parent(to))?;
        self.unsynced.insert(parent(to).to_owned());
        match self.store.hard_link(from, to) {
            Ok(()) => Ok(true),
            Err(error) => match error.kind() {
                ErrorKind::AlreadyExists => Ok(true),
                ErrorKind::NotFound => self.store.exists(to).at("look up", to),
                _ => Err(error).at("link", to),
            },
        }
    }

    /// Makes the names of all files that were kept survive a crash.
    pub(super) fn sync(&mut self) -> Result<(), DeltaError> {
        for folder in std::mem::take(&mut self.unsynced) {
            self.store.sync_folder(&folder).at("sync", &folder)?;
        }
        Ok(())
    }

    /// Removes a folder so that it is there whole or not at all, where there are renames.
    pub(super) fn remove_folder(&mut self, folder: &str) -> Result<(), DeltaError> {
        self.forget_folders(folder);
        if !self.links() {
            return gone_is_fine(self.store.remove_folder(folder)).at("remove", folder);
        }
        let moved = self.new_staged_path();
        match self.store.rename(folder, &moved) {
            Err(error) if error.kind() == ErrorKind::NotFound => return self.expect_staging(),
            renamed => renamed.at("move away", folder)?,
        }
        self.store.sync_folder(parent(folder)).at("sync", parent(folder))?;
        gone_is_fine(self.store.remove_folder(&moved)).at("remove", &moved)
    }

    fn read_if_any(&self, path: &str) -> Result<Option<Vec<u8>>, DeltaError> {
        match self.store.read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            read => read.at("read", path).map(Some),
        }
    }

    fn link(&self, from: &str, to: &str) -> Result<(), DeltaError> {
        match self.store.hard_link(from, to) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            linked => linked.at("link", to),
        }
    }

    fn stage(&self, bytes: &[u8]) -> Result<String, DeltaError> {
        let staged = self.new_staged_path();
        let mut file = self.store.create(&staged).at("create", &staged)?;
        file.write_all(bytes).at("write", &staged)?;
        file.sync().at("sync", &staged)?;
        Ok(staged)
    }

    fn new_staged_path(&self) -> String {
        format!("{}/delta-{}.inprogress", self.staging, self.store.new_id())
    }

    /// Another run may have begun and removed the folder.
    fn expect_staging(&self) -> Result<(), DeltaError> {
        match self.store.exists(&self.staging).at("look up", &self.staging)? {
            true => Ok(()),
            false => Err(std::io::Error::from(ErrorKind::NotFound)).at("find", &self.staging),
        }
    }
}
