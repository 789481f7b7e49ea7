//! Messages of librdkafka, many at a time and without a copy.

use std::ffi::{CStr, CString};
use std::ptr::NonNull;
use std::rc::Rc;
use std::slice;
use std::sync::Arc;

use rdkafka::bindings as rd;
use rdkafka::client::Client;
use rdkafka::consumer::BaseConsumer;
use rdkafka::types::RDKafkaRespErr;

use super::context::{Context, client};
use crate::change::{Headers, Partition, Record, Records};

/// The queue that all partitions of a consumer arrive in.
pub(super) struct Queue {
    queue: NonNull<rd::rd_kafka_queue_t>,
    /// The queue belongs to the consumer, which must outlive it.
    consumer: Rc<BaseConsumer<Context>>,
    /// Room for one call, kept between calls.
    room: Vec<*mut rd::rd_kafka_message_t>,
}

impl Queue {
    /// The queue of `consumer`; nothing else may poll that consumer for messages.
    pub(super) fn new(consumer: Rc<BaseConsumer<Context>>) -> Queue {
        // SAFETY: the client pointer is valid as long as the consumer, which this struct keeps.
        let queue = unsafe { rd::rd_kafka_queue_get_consumer(client(&consumer).native_ptr()) };
        let queue = NonNull::new(queue).expect("a consumer with a group.id has a queue");
        Queue { queue, consumer, room: Vec::new() }
    }

    /// The messages that have arrived, at most `limit`, without waiting. Errors and ends of partitions are messages too.
    pub(super) fn poll(&mut self, limit: usize) -> impl Iterator<Item = Message> + '_ {
        self.room.resize(limit, std::ptr::null_mut());
        // SAFETY: `room` has space for `limit` pointers; the queue lives as long as the consumer, which is kept.
        let polled = unsafe { rd::rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, self.room.as_mut_ptr(), limit) };
        let polled = usize::try_from(polled).unwrap_or(0);
        self.room.truncate(polled);
        // Each pointer moves into exactly one Message, which frees it.
        self.room.drain(..).map(|pointer| Message(NonNull::new(pointer).expect("librdkafka returns no null messages")))
    }

    /// The consumer below.
    pub(super) fn consumer(&self) -> &Rc<BaseConsumer<Context>> {
        &self.consumer
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: created by rd_kafka_queue_get_consumer and destroyed once, before the consumer.
        unsafe { rd::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

/// A topic's handle as a number, and the number of a partition.
pub(super) type Handle = (usize, i32);

/// One message, error or end of partition; librdkafka frees it when this is dropped.
pub(super) struct Message(NonNull<rd::rd_kafka_message_t>);

impl Message {
    fn get(&self) -> &rd::rd_kafka_message_t {
        // SAFETY: the message is ours until it is destroyed in drop.
        unsafe { self.0.as_ref() }
    }

    /// Its partition's number.
    pub(super) fn partition(&self) -> i32 {
        self.get().partition
    }

    /// The handle of its topic and the partition's number; valid as long as the message.
    pub(super) fn handle(&self) -> Handle {
        (self.get().rkt as usize, self.get().partition)
    }

    /// The name of its topic; none for errors of the whole client.
    pub(super) fn topic(&self) -> Option<&[u8]> {
        let topic = self.get().rkt;
        if topic.is_null() {
            return None;
        }
        // SAFETY: the topic handle lives as long as the message; the name is a C string that lives as long as the handle.
        Some(unsafe { CStr::from_ptr(rd::rd_kafka_topic_name(topic)) }.to_bytes())
    }

    /// Its offset; of an end of partition the next offset.
    pub(super) fn offset(&self) -> i64 {
        self.get().offset
    }

    /// The leader epoch in which it was written; `None` where the broker or the record's format has none.
    pub(super) fn leader_epoch(&self) -> Option<i32> {
        // SAFETY: the message is valid.
        let epoch = unsafe { rd::rd_kafka_message_leader_epoch(self.0.as_ptr()) };
        (epoch >= 0).then_some(epoch)
    }

    /// The error, if it is not a record; the end of a partition is one too.
    pub(super) fn error(&self) -> Option<RDKafkaRespErr> {
        let error = self.get().err;
        (error != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).then_some(error)
    }

    /// The text of the error.
    pub(super) fn error_text(&self) -> String {
        // SAFETY: the message is valid; the text is a C string that lives as long as the message.
        let text = unsafe { rd::rd_kafka_message_errstr(self.0.as_ptr()) };
        if text.is_null() {
            return "unknown error".to_owned();
        }
        // SAFETY: not null, see above.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }

    fn key(&self) -> Option<&[u8]> {
        let message = self.get();
        // SAFETY: librdkafka keeps a message's key, `key_len` bytes long, until the message is destroyed.
        unsafe { bytes(message.key.cast(), message.key_len, self) }
    }

    fn value(&self) -> Option<&[u8]> {
        let message = self.get();
        // SAFETY: librdkafka keeps a message's payload, `len` bytes long, until the message is destroyed.
        unsafe { bytes(message.payload.cast(), message.len, self) }
    }

    /// Microseconds since 1970; none if the record has no timestamp or one that does not fit.
    fn time(&self) -> Option<i64> {
        let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is valid and `kind` can be written to.
        let millis = unsafe { rd::rd_kafka_message_timestamp(self.0.as_ptr(), &mut kind) };
        if kind == rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || millis == -1 {
            return None;
        }
        millis.checked_mul(1000)
    }
}

/// The bytes at `pointer`, none if it is null.
///
/// # Safety
/// `pointer` is null, or `length` bytes can be read there as long as `_owner` lives.
unsafe fn bytes<T>(pointer: *const u8, length: usize, _owner: &T) -> Option<&[u8]> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: the caller promises it.
    Some(unsafe { slice::from_raw_parts(pointer, length) })
}

impl Headers for Message {
    fn pairs(&self) -> Vec<(String, Option<Vec<u8>>)> {
        let mut headers = std::ptr::null_mut();
        // SAFETY: the message is valid and `headers` can be written to; the headers belong to the message.
        let found = unsafe { rd::rd_kafka_message_headers(self.0.as_ptr(), &mut headers) };
        if found != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Vec::new();
        }
        let mut pairs = Vec::new();
        for index in 0.. {
            let (mut name, mut value, mut size) = (std::ptr::null(), std::ptr::null(), 0);
            // SAFETY: `headers` comes from librdkafka; the other arguments can be written to.
            let got = unsafe { rd::rd_kafka_header_get_all(headers, index, &mut name, &mut value, &mut size) };
            if got != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                break;
            }
            // SAFETY: a header that was found has a name, a C string that lives as long as the message.
            let name = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
            // SAFETY: the value, `size` bytes long, lives as long as the message.
            pairs.push((name, unsafe { bytes(value.cast(), size, self) }.map(<[u8]>::to_vec)));
        }
        pairs
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: it comes from the queue once and is owned since; no borrow can outlive it.
        unsafe { rd::rd_kafka_message_destroy(self.0.as_ptr()) }
    }
}

/// The records of one call; their bytes stay in librdkafka's buffers.
pub(super) struct KafkaRecords {
    /// Dropped before the consumer.
    pub(super) messages: Vec<Message>,
    /// Stretches of one partition: the partition and the message after its last.
    pub(super) stretches: Vec<(Arc<Partition>, usize)>,
    /// Keeps the client alive while its messages are.
    pub(super) _consumer: Rc<BaseConsumer<Context>>,
}

impl Records for KafkaRecords {
    fn for_each(&self, visit: &mut dyn FnMut(Record<'_>)) {
        let mut first = 0;
        for (partition, end) in &self.stretches {
            for message in &self.messages[first..*end] {
                visit(Record {
                    partition,
                    offset: message.offset(),
                    ordinal: 0,
                    kafka_time: message.time(),
                    arrived: None,
                    key: message.key(),
                    value: message.value(),
                    decoded: None,
                    headers: message,
                });
            }
            first = *end;
        }
    }
}

/// The high watermark of a partition that the last fetch returned; none before the first. Sends no request.
///
/// Records of a transaction that is still open lie below it and cannot be read yet.
pub(super) fn known_end(client: &Client<Context>, partition: &Partition) -> Option<i64> {
    let topic = CString::new(partition.topic.as_str()).ok()?;
    let (mut low, mut high) = (-1, -1);
    // SAFETY: the client is alive, the name is a C string, the others can be written to.
    let found = unsafe {
        rd::rd_kafka_get_watermark_offsets(client.native_ptr(), topic.as_ptr(), partition.number, &mut low, &mut high)
    };
    (found == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0).then_some(high)
}
