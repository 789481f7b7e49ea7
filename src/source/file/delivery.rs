//! What the thread that reads sends to the worker.

use std::io::{self, ErrorKind};
use std::sync::mpsc::SyncSender;

use super::FileError;
use super::batch::FileBatch;
use crate::source::Waker;

/// A message to the worker.
pub(super) enum FileDelivery {
    Batch(FileBatch),
    /// Nothing is read from the offset `read` on.
    End {
        read: i64,
        /// What is missing there, if anything is and will not come.
        missing: Option<FileError>,
    },
    /// Reading is not possible any more.
    Failed(FileError),
}

/// Where the thread sends them; the worker is woken.
#[derive(Clone)]
pub(super) struct DeliverySender {
    pub(super) deliver: SyncSender<FileDelivery>,
    pub(super) wake: Waker,
}

impl DeliverySender {
    pub(super) fn send(&self, delivery: FileDelivery) -> io::Result<()> {
        self.deliver.send(delivery).map_err(|_| io::Error::from(ErrorKind::BrokenPipe))?;
        (self.wake)();
        Ok(())
    }
}
