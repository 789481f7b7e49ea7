//! A topic's UUID: only this distinguishes a topic from another one of the same name.

use std::ffi::{CStr, CString};
use std::ptr;
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::client::Client;
use rdkafka::types::RDKafkaRespErr;

use super::context::Context;

/// The topic's UUID as Kafka prints it, requested from one broker; `None` where it has none (before 2.8, or a mock).
///
/// # Errors
/// The broker's error, or that it did not answer within `timeout`.
pub(super) fn topic_uuid(
    client: &Client<Context>,
    broker: i32,
    topic: &str,
    timeout: Duration,
) -> Result<Option<String>, RDKafkaRespErr> {
    let Ok(name) = CString::new(topic) else { return Err(RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION) };
    let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let mut names = [name.as_ptr()];
    let native = client.native_ptr();
    // SAFETY: every pointer below is made here from the living client and the living name, used only until it is
    // destroyed at the end, and destroyed once; a poll may answer null, the others cannot; what is read of an event is
    // copied before.
    unsafe {
        let topics = rd::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let options = rd::rd_kafka_AdminOptions_new(native, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
        let queue = rd::rd_kafka_queue_new(native);
        rd::rd_kafka_AdminOptions_set_request_timeout(options, millis, ptr::null_mut(), 0);
        // Without a broker librdkafka waits for the controller, which need not be reachable from here.
        rd::rd_kafka_AdminOptions_set_broker(options, broker, ptr::null_mut(), 0);
        rd::rd_kafka_DescribeTopics(native, topics, options, queue);
        let event = rd::rd_kafka_queue_poll(queue, millis.saturating_add(1000));
        let answer = if event.is_null() {
            Err(RDKafkaRespErr::RD_KAFKA_RESP_ERR__TIMED_OUT)
        } else {
            let answer = read_uuid(event);
            rd::rd_kafka_event_destroy(event);
            answer
        };
        rd::rd_kafka_queue_destroy(queue);
        rd::rd_kafka_AdminOptions_destroy(options);
        rd::rd_kafka_TopicCollection_destroy(topics);
        answer
    }
}

/// Reads the answer to one DescribeTopics.
///
/// # Safety
/// `event` is a living event.
unsafe fn read_uuid(event: *mut rd::rd_kafka_event_t) -> Result<Option<String>, RDKafkaRespErr> {
    // SAFETY: the event lives until the caller destroys it, and all that is read here belongs to it.
    unsafe {
        let error = rd::rd_kafka_event_error(event);
        if error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE {
            return Ok(None);
        }
        if error != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(error);
        }
        let result = rd::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return Err(RDKafkaRespErr::RD_KAFKA_RESP_ERR__BAD_MSG);
        }
        let mut count = 0;
        let topics = rd::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        if topics.is_null() || count == 0 {
            return Err(RDKafkaRespErr::RD_KAFKA_RESP_ERR__BAD_MSG);
        }
        let topic = *topics;
        let error = rd::rd_kafka_error_code(rd::rd_kafka_TopicDescription_error(topic));
        if error != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(error);
        }
        let uuid = rd::rd_kafka_TopicDescription_topic_id(topic);
        if uuid.is_null()
            || (rd::rd_kafka_Uuid_most_significant_bits(uuid) == 0
                && rd::rd_kafka_Uuid_least_significant_bits(uuid) == 0)
        {
            return Ok(None);
        }
        let text = rd::rd_kafka_Uuid_base64str(uuid);
        Ok((!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned()))
    }
}
