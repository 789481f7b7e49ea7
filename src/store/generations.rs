//! Whether a run's staging folder is gone because a newer run took the book, or because somebody removed it.

use std::io;

use super::{Store, layout};

/// Whether another generation has a staging folder that is not older: a run makes its own before it puts its fence and removes
/// older ones, and of two runs that asked for the same entry one has lost.
///
/// # Errors
/// Any error of the file system but missing folders.
pub fn has_newer_generation(store: &dyn Store, generation: &str) -> io::Result<bool> {
    let own = layout::fence_of(generation);
    match store.list(layout::STAGING) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        names => Ok(names?.iter().any(|name| name != generation && layout::fence_of(name) >= own)),
    }
}
