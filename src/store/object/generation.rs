//! The object that stands for the folder of a generation: without it nothing more is staged there.

use std::io::{self, ErrorKind};

use super::calls;
use super::failure::io_error;
use super::objects::Objects;
use crate::store::layout::STAGING;

/// Its name in the folder.
pub(super) const GENERATION: &str = ".generation";

/// The object that stands for the generation's folder in which a path is.
pub(super) fn generation_of(path: &str) -> Option<String> {
    let rest = path.strip_prefix(STAGING)?.strip_prefix('/')?;
    let (generation, _) = rest.split_once('/')?;
    Some(format!("{STAGING}/{generation}/{GENERATION}"))
}

/// Refuses a path in the folder of a generation that was swept.
///
/// # Errors
/// `NotFound` then.
pub(super) fn expect_generation(objects: &Objects, path: &str) -> io::Result<()> {
    let path = path.to_owned();
    let of_request = objects.clone();
    calls::wait(async move { expect_generation_request(&of_request, &path).await })?
}

/// The same as a request.
pub(super) async fn expect_generation_request(objects: &Objects, path: &str) -> io::Result<()> {
    match generation_of(path) {
        Some(generation) if objects.head_request(&generation).await.map_err(io_error)?.is_none() => {
            Err(io::Error::new(ErrorKind::NotFound, format!("{generation:?} is gone")))
        }
        _ => Ok(()),
    }
}
