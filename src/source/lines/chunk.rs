//! Records of an input that travel together.

use std::sync::Arc;

use crate::change::{Decoded, Partition, Record, Records};

/// Records one after the other, without their line ends.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    pub(super) lines: Vec<Line>,
    /// What lines of transactions share.
    pub(super) known: Vec<Known>,
    /// The offset after the last record.
    pub(super) next: i64,
    /// Whether no transaction goes on after it.
    pub(super) is_between: bool,
}

/// A record, and where it ends in the bytes; one without bytes is a tombstone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) offset: i64,
    pub(super) end: usize,
    /// Of a transaction's change: which of the known.
    pub(super) known: Option<u32>,
}

/// What is known of a transaction's changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) decoded: Decoded,
    /// An instant that is better than the input's own, where there is no commit time.
    pub(super) arrived: Option<i64>,
}

impl Chunk {
    /// Adds a record that stands at `offset`, and after which the next one stands at `next`.
    pub(super) fn push(&mut self, text: &[u8], offset: i64, next: i64, known: Option<u32>) {
        self.bytes.extend_from_slice(text);
        self.lines.push(Line { offset, end: self.bytes.len(), known });
        self.next = next;
    }

    /// Takes the lines from `first` on out of it; those with something known then share the one that is given.
    pub(super) fn split_off(&mut self, first: usize, known: Known) -> Chunk {
        let lines = self.lines.split_off(first);
        let begin = self.lines.last().map_or(0, |line| line.end);
        let shifted =
            lines.iter().map(|line| Line { end: line.end - begin, known: line.known.map(|_| 0), offset: line.offset });
        let rest = Chunk {
            lines: shifted.collect(),
            bytes: self.bytes.split_off(begin),
            known: vec![known],
            next: self.next,
            is_between: false,
        };
        if let Some(line) = rest.lines.first() {
            self.next = line.offset;
        }
        rest
    }
}

/// A chunk as a batch of records.
pub(super) struct LineRecords {
    pub(super) partition: Arc<Partition>,
    pub(super) chunk: Chunk,
    /// The instant of the whole input, in microseconds since 1970-01-01 UTC.
    pub(super) time: i64,
}

impl Records for LineRecords {
    fn for_each(&self, visit: &mut dyn FnMut(Record<'_>)) {
        let mut begin = 0;
        for line in &self.chunk.lines {
            let known = line.known.map(|known| &self.chunk.known[known as usize]);
            visit(Record {
                partition: &self.partition,
                offset: line.offset,
                ordinal: 0,
                kafka_time: None,
                arrived: known.and_then(|known| known.arrived).or(Some(self.time)),
                key: None,
                value: (begin < line.end).then(|| &self.chunk.bytes[begin..line.end]),
                decoded: known.map(|known| &known.decoded),
                headers: &(),
            });
            begin = line.end;
        }
    }
}
