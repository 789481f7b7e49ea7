//! The source of a worker.

use std::sync::mpsc::TryRecvError;
use std::sync::{Arc, Mutex, PoisonError};

use super::batch::FileRecords;
use super::delivery::FileDelivery;
use super::reading::Reading;
use super::{FileError, Input};
use crate::change::{Failure, PartitionStart, PolledBatch};
use crate::source::{Cursors, Source, Waker};

/// What is missing at the end of an input, to be reported when everything else is committed; clones share it.
///
/// Assumes that the process that leads is the one that reads: an input is read by one process.
#[derive(Clone, Default)]
pub struct MissingEnd(Arc<Mutex<Option<FileError>>>);

impl MissingEnd {
    /// What is missing, once.
    pub fn take(&self) -> Option<FileError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Reads an input; only the worker that it is assigned to opens it.
pub struct FileSource {
    input: Input,
    missing: MissingEnd,
    /// The instant for changes that have no better one.
    time: i64,
    waker: Waker,
    cursors: Cursors,
    reading: Option<Reading>,
    at_transaction_boundary: bool,
}

impl FileSource {
    /// A source that is not opened yet.
    pub fn new(input: Input, missing: MissingEnd) -> FileSource {
        let (waker, cursors): (Waker, _) = (Arc::new(|| {}), Cursors::default());
        FileSource { input, missing, time: 0, waker, cursors, reading: None, at_transaction_boundary: true }
    }
}

impl Source for FileSource {
    fn set_waker(&mut self, waker: Waker) {
        self.waker = waker;
    }

    fn assign(&mut self, partitions: &[PartitionStart]) -> Result<(), Failure> {
        for start in partitions {
            assert!(self.reading.is_none(), "an input is one partition");
            self.cursors.add(start);
            self.time = self.input.time();
            self.reading = Some(Reading::start(self.input.clone(), start, self.time, Arc::clone(&self.waker)));
        }
        Ok(())
    }

    fn poll_batch(&mut self, _limit: usize) -> Result<Option<PolledBatch>, Failure> {
        let Some(reading) = &self.reading else { return Ok(None) };
        match reading.deliveries.try_recv() {
            Ok(FileDelivery::Batch(batch)) => {
                self.cursors.pass(0, batch.next);
                self.at_transaction_boundary = batch.at_transaction_boundary;
                let (partition, count) = (Arc::clone(self.cursors.partition(0)), batch.len());
                let records = FileRecords { partition, batch, time: self.time };
                Ok(Some(PolledBatch { records: Box::new(records), count }))
            }
            Ok(FileDelivery::End { read, missing }) => {
                self.cursors.end_at(0, read);
                *self.missing.0.lock().unwrap_or_else(PoisonError::into_inner) = missing;
                Ok(None)
            }
            Ok(FileDelivery::Failed(error)) => Err(error.into()),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => Ok(None),
        }
    }

    fn at_transaction_boundary(&self) -> bool {
        self.at_transaction_boundary
    }

    fn cursors(&mut self) -> &mut Cursors {
        &mut self.cursors
    }

    fn lag(&mut self) -> Option<i64> {
        // A worker without an input has read all of it.
        let Some(_) = &self.reading else { return Some(0) };
        if self.input.is_stream() {
            return None;
        }
        // In bytes: the number of records is known only after reading.
        let read = self.cursors.next_offset(0);
        self.input.known_size().ok().flatten().map(|size| (size - read).max(0))
    }
}
