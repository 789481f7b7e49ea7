//! Log lines of librdkafka that reach no context.
//!
//! A call of C that takes a batch, waits or closes a client serves the client's queue by itself, and passes its log lines to the
//! logger of C, which prints them in a form of its own. So each client gets a logger that writes them as all other lines.

use std::ffi::{CStr, c_char, c_int};

use rdkafka::ClientContext;
use rdkafka::bindings as rd;
use rdkafka::client::Client;
use rdkafka::config::RDKafkaLogLevel;

use super::context::log_line;

/// Makes a client write all of its log lines as walbook writes its own.
pub fn write_log_lines<C: ClientContext>(client: &Client<C>) {
    // SAFETY: the client lives, and the function lives as long as the process. The call only stores the pointer.
    unsafe { rd::rd_kafka_set_logger(client.native_ptr(), Some(write)) }
}

unsafe extern "C" fn write(
    _client: *const rd::rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    message: *const c_char,
) {
    if facility.is_null() || message.is_null() {
        return;
    }
    // SAFETY: librdkafka passes two texts that end with a zero byte, and are valid during the call.
    let (facility, message) = unsafe { (CStr::from_ptr(facility), CStr::from_ptr(message)) };
    log_line(severity(level), &facility.to_string_lossy(), &message.to_string_lossy());
}

/// The levels of syslog.
fn severity(level: c_int) -> RDKafkaLogLevel {
    match level {
        0 => RDKafkaLogLevel::Emerg,
        1 => RDKafkaLogLevel::Alert,
        2 => RDKafkaLogLevel::Critical,
        3 => RDKafkaLogLevel::Error,
        4 => RDKafkaLogLevel::Warning,
        5 => RDKafkaLogLevel::Notice,
        6 => RDKafkaLogLevel::Info,
        _ => RDKafkaLogLevel::Debug,
    }
}
