//! An input as the worker that reads it sees it.

use std::sync::mpsc::TryRecvError;
use std::sync::{Arc, Mutex, PoisonError};

use super::chunk::LineRecords;
use super::reader::{self, Delivery, Reading};
use super::{Input, LinesError};
use crate::change::{PartitionStart, Taken};
use crate::source::{Cursors, Source, SourceError, Waker};

/// What an input lacked at its end, to be told when everything else is committed; clones share it.
///
/// Assumes that the process that leads is the one that reads: an input is read by one process.
#[derive(Clone, Default)]
pub struct Missing(Arc<Mutex<Option<LinesError>>>);

impl Missing {
    /// Nothing is missing yet.
    pub fn new() -> Missing {
        Missing::default()
    }

    /// What is missing, once.
    pub fn take(&self) -> Option<LinesError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Reads an input; only the worker that it is assigned to opens it.
pub struct LinesSource {
    input: Input,
    missing: Missing,
    /// The instant for changes that have no better one.
    time: i64,
    waker: Waker,
    cursors: Cursors,
    reading: Option<Reading>,
    is_between: bool,
}

impl LinesSource {
    /// A source that is not opened yet.
    pub fn new(input: Input, missing: Missing) -> LinesSource {
        let (waker, cursors): (Waker, _) = (Arc::new(|| {}), Cursors::default());
        LinesSource { input, missing, time: 0, waker, cursors, reading: None, is_between: true }
    }
}

impl Source for LinesSource {
    fn wake_with(&mut self, waker: Waker) {
        self.waker = waker;
    }

    fn assign(&mut self, partitions: &[PartitionStart]) -> Result<(), SourceError> {
        for start in partitions {
            assert!(self.reading.is_none(), "an input is one partition");
            self.cursors.add(start);
            self.time = self.input.time();
            self.reading = Some(reader::start(self.input.clone(), start, self.time, Arc::clone(&self.waker)));
        }
        Ok(())
    }

    fn take(&mut self, _limit: usize) -> Result<Option<Taken>, SourceError> {
        let Some(reading) = &self.reading else { return Ok(None) };
        match reading.deliveries.try_recv() {
            Ok(Delivery::Chunk(chunk)) => {
                self.cursors.pass(0, chunk.next);
                self.is_between = chunk.is_between;
                let (partition, count) = (Arc::clone(self.cursors.partition(0)), chunk.lines.len());
                let records = LineRecords { partition, chunk, time: self.time };
                Ok(Some(Taken { records: Box::new(records), count }))
            }
            Ok(Delivery::End(offset)) => {
                self.cursors.end_at(0, offset);
                Ok(None)
            }
            Ok(Delivery::Unfinished(from, to)) => {
                self.cursors.end_at(0, from);
                if self.input.is_stream() {
                    let lost = LinesError::CutShort { path: self.input.name().to_owned(), from, to };
                    *self.missing.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(lost);
                }
                Ok(None)
            }
            Ok(Delivery::Failed(error)) => Err(error.into()),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => Ok(None),
        }
    }

    fn is_between(&self) -> bool {
        self.is_between
    }

    fn cursors(&mut self) -> &mut Cursors {
        &mut self.cursors
    }

    fn lag(&mut self) -> Option<i64> {
        // A worker that does not read the input lacks nothing.
        let Some(_) = &self.reading else { return Some(0) };
        if self.input.is_stream() {
            return None;
        }
        // Bytes: how many records they are is seen when they are read.
        let read = self.cursors.next_offset(0);
        self.input.size().ok().map(|size| (size - read).max(0))
    }
}
