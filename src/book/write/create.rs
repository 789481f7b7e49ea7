//! A new book's folders, in a directory that is absent, empty, or half-made by a crash; and a probe of its file system.

use std::io;

use crate::store::Store;

use crate::book::error::{At, failed};
use crate::book::{BookError, layout};

/// Refuses a directory in which no book can be made; changes nothing.
///
/// # Errors
/// [`BookError::NotABook`] when it has anything else than a half-made book; [`BookError::Io`].
pub(in crate::book) fn check_free(store: &dyn Store) -> Result<(), BookError> {
    if store.exists("").at("look up", "the directory")? { only_own_folders(store) } else { Ok(()) }
}

/// Makes the folders, and probes hard link, rename and fsync there; an object store needs no folders, and is probed too.
///
/// # Errors
/// [`BookError::NotABook`] when the directory has anything else; [`BookError::Unsuitable`]; [`BookError::Io`].
pub(in crate::book) fn make(store: &dyn Store) -> Result<(), BookError> {
    if let Some(objects) = store.objects() {
        only_own_folders(store)?;
        // Named as a generation, so that the fence sweeps it after a crash.
        let folder = layout::staging_folder(&layout::generation(0, store.new_id().as_fields().0));
        return match objects.probe(&folder) {
            // Another run that makes the same book sweeps the staging folder.
            Err(_) if store.exists(&layout::entry_path(0)).at("look up", layout::LOG)? => Ok(()),
            probed => probed.map_err(|source| unsuitable(source, &folder)),
        };
    }
    store.create_folder("").at("make", "the directory")?;
    only_own_folders(store)?;
    store.create_folder(layout::PRIVATE).at("make", layout::PRIVATE)?;
    store.sync_folder("").at("sync", "the directory")?;
    for folder in [layout::LOG, layout::CHECKPOINTS, layout::STAGING] {
        store.create_folder(folder).at("make", folder)?;
    }
    store.sync_folder(layout::PRIVATE).at("sync", layout::PRIVATE)?;

    match probe(store) {
        // As above.
        Err(_) if store.exists(&layout::entry_path(0)).at("look up", layout::LOG)? => Ok(()),
        probed => probed,
    }
}

/// The error of a probe of an object store.
pub(in crate::book) fn unsuitable(source: io::Error, folder: &str) -> BookError {
    match source.kind() {
        io::ErrorKind::Unsupported => BookError::UnsuitableStore { source },
        _ => failed("try the object store in", folder, source),
    }
}

fn only_own_folders(store: &dyn Store) -> Result<(), BookError> {
    // A new file system has a lost+found.
    let is_other = |found: &String| found != layout::PRIVATE && found != "lost+found";
    match store.list("").at("list", "the directory")?.into_iter().find(is_other) {
        Some(found) => Err(BookError::NotABook { found }),
        None => Ok(()),
    }
}

fn probe(store: &dyn Store) -> Result<(), BookError> {
    // Named as a generation, so that the fence sweeps it after a crash.
    let folder = layout::staging_folder(&layout::generation(0, store.new_id().as_fields().0));
    let cannot = |operation| move |source: io::Error| BookError::Unsuitable { operation, source };
    let [written, linked, renamed] = ["written", "linked", "renamed"].map(|name| format!("{folder}/{name}"));
    store.create_folder(&folder).at("make", &folder)?;
    {
        let mut file = store.create(&written).at("create", &written)?;
        file.write_all(b"probe").at("write", &written)?;
        file.sync().map_err(cannot("sync a file"))?;
    }
    store.hard_link(&written, &linked).map_err(cannot("make a hard link"))?;
    let refused = match store.hard_link(&written, &linked) {
        Ok(()) => Err(io::Error::other("the second link over the same name was not refused")),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    };
    refused.map_err(cannot("refuse a hard link over a name that is taken"))?;
    store.rename(&linked, &renamed).map_err(cannot("rename a file"))?;
    store.sync_folder(&folder).map_err(cannot("sync a folder"))?;
    store.remove_folder(&folder).at("remove", &folder)
}
