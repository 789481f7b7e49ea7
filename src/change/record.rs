//! A record as a source delivers it, without a copy.

use std::sync::Arc;

use super::{Decoded, Partition};

/// Bytes from a source with their partition and offset; borrows the source's own buffers.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// Where the record comes from; equal partitions of one batch share one `Arc`.
    pub partition: &'a Arc<Partition>,
    /// The record's place in its partition.
    pub offset: i64,
    /// The ordinal of its first change: 0 but for sources whose records share offsets.
    pub ordinal: i32,
    /// The record's own timestamp in microseconds since 1970-01-01 UTC, where it has a usable one.
    pub kafka_time: Option<i64>,
    /// When the source received it, in microseconds since 1970-01-01 UTC, where there is no timestamp of its own: the last resort
    /// for its day.
    pub arrived: Option<i64>,
    /// The key's bytes.
    pub key: Option<&'a [u8]>,
    /// The value's bytes; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// What the source knows of the value, which then is a bare line of test_decoding; else the value holds an envelope or a line.
    pub decoded: Option<&'a Decoded>,
    /// The headers, decoded only on request.
    pub headers: &'a dyn Headers,
}

/// A record's headers, decoded on request because most are never needed.
pub trait Headers {
    /// Names and values in the record's order; empty when there are none.
    fn pairs(&self) -> Vec<(String, Option<Vec<u8>>)>;
}

impl Headers for () {
    fn pairs(&self) -> Vec<(String, Option<Vec<u8>>)> {
        Vec::new()
    }
}

/// The records of one batch; owns the source's buffers until it is dropped.
pub trait Records {
    /// Visits each record in the order in which it was read; records of one partition in offset order.
    fn for_each(&self, visit: &mut dyn FnMut(Record<'_>));
}
