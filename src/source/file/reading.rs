//! The thread that reads for a worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use super::Input;
use super::delivery::{DeliverySender, FileDelivery};
use super::reader::FileReader;
use super::transaction::BatchBuilder;
use crate::change::PartitionStart;
use crate::source::Waker;

/// Batches that wait for the worker.
const QUEUED_BATCHES: usize = 8;

/// A thread that reads; it ends soon after this is dropped, unless it waits for a stream.
pub(super) struct Reading {
    pub(super) deliveries: Receiver<FileDelivery>,
    stop: Arc<AtomicBool>,
}

impl Reading {
    /// Starts to read at the partition's `from`; `time` is the instant of changes that have no better one.
    pub(super) fn start(input: Input, start: &PartitionStart, time: i64, wake: Waker) -> Reading {
        let (deliver, deliveries) = sync_channel(QUEUED_BATCHES);
        let stop = Arc::new(AtomicBool::new(false));
        let sender = DeliverySender { deliver, wake };
        let send = sender.clone();
        let builder = BatchBuilder::new(
            &input,
            input.describe(time),
            Box::new(move |batch| send.send(FileDelivery::Batch(batch))),
        );
        let mut reader = FileReader::new(input, Arc::clone(&stop), sender, builder, start);
        let read = move || {
            if let Err(error) = reader.read() {
                reader.fail(error);
            }
        };
        thread::Builder::new().name("file".to_owned()).spawn(read).expect("a thread can be started");
        Reading { deliveries, stop }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
