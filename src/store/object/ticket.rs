//! The ticket of an upload: what completes it, or ends it, in any process and after any crash.
//!
//! An object beside the place of the staged file, `NAME.inprogress.upload`, one line of JSON. It is put when the upload begins, without
//! parts, so that a start finds the uploads of a run that crashed; and again when the file is sealed, with them.

use std::io::{self, ErrorKind};
use std::time::Duration;

use object_store::{PutMode, Result};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use tracing::warn;

use super::failure::{io_error, is_absent, is_upload_gone};
use super::objects::{Objects, Request};
use crate::store::LostParts;

/// Ends the path of a ticket, after that of the staged file.
pub(super) const SUFFIX: &str = ".upload";

/// How long an error waits for the abort of its upload.
const ABORT_TIMEOUT: Duration = Duration::from_secs(5);

/// An upload that is not completed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ticket {
    /// Where the file will be, as a path of the book.
    pub(super) path: String,
    /// The store's name of the upload.
    pub(super) upload: String,
    /// The store's names of its parts, in order; `None` while they are sent.
    pub(super) parts: Option<Vec<String>>,
    /// The bytes of all parts together.
    pub(super) bytes: u64,
}

impl Ticket {
    /// Puts it beside a staged file.
    pub(super) fn put(&self, objects: &Objects, staged: &str) -> io::Result<()> {
        objects.put(&ticket_path(staged), &self.line(), PutMode::Overwrite).map_err(io_error)
    }

    pub(super) fn put_request(&self, objects: &Objects, staged: &str) -> impl Request<()> + use<> {
        objects.put_request(&ticket_path(staged), &self.line(), PutMode::Overwrite)
    }

    fn line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("texts and numbers are JSON");
        line.push(b'\n');
        line
    }

    /// Reads that of a staged file; `None` where there is none.
    pub(super) fn read(objects: &Objects, staged: &str) -> io::Result<Option<Ticket>> {
        let path = ticket_path(staged);
        match objects.get(&path, None) {
            Ok((_, bytes)) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
                io::Error::new(
                    ErrorKind::InvalidData,
                    format!("the ticket {path:?} of an upload cannot be read: {error}"),
                )
            }),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(io_error(error)),
        }
    }

    /// Makes the file visible, whether that was done before or not.
    pub(super) fn complete(&self, objects: &Objects) -> io::Result<()> {
        let Ticket { path, upload, parts, bytes } = self;
        let Some(parts) = parts else {
            let reason = format!("the upload of {path:?} was never sealed");
            return Err(io::Error::new(ErrorKind::InvalidData, reason));
        };
        let Err(error) = objects.complete_upload(path, upload, parts) else { return Ok(()) };
        // Completed before: by a run that crashed, or by a request whose answer was lost.
        match objects.head(path)? {
            Some(about) if about.size == *bytes => Ok(()),
            _ if is_upload_gone(&error) => {
                let reason = format!(
                    "the parts of its upload are gone: does a lifecycle rule of the bucket remove incomplete uploads too early, or did \
                     something else end it? The object store said: {}",
                    io_error(error)
                );
                Err(io::Error::new(ErrorKind::InvalidData, LostParts(reason)))
            }
            _ => Err(io_error(error)),
        }
    }

    /// Aborts an upload that no entry names.
    pub(super) fn abort(&self, objects: &Objects) {
        let request = objects.abort_upload_request(&self.path, &self.upload);
        self.report_abort(&objects.call(|_| request));
    }

    /// The same, for an error that is to be returned soon: a store that does not answer is not waited for.
    pub(super) async fn abort_in_time(&self, objects: &Objects) {
        match timeout(ABORT_TIMEOUT, objects.abort_upload_request(&self.path, &self.upload)).await {
            Ok(aborted) => self.report_abort(&aborted),
            Err(_) => warn!(path = self.path, "did not wait for the abort of an upload that is not needed"),
        }
    }

    fn report_abort(&self, aborted: &Result<()>) {
        match aborted {
            // The next start aborts it, or a lifecycle rule of the bucket.
            Err(error) if !is_absent(error) => {
                warn!(path = self.path, %error, "could not abort an upload that is not needed");
            }
            // It is gone, or was completed.
            _ => {}
        }
    }
}

/// The path of the ticket of a staged file.
pub(super) fn ticket_path(staged: &str) -> String {
    format!("{staged}{SUFFIX}")
}
