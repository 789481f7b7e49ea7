//! From an error to the process's exit code.

use crate::book::BookError;
use crate::query::QueryError;
use crate::settings::SettingsError;
use crate::source::SourceError;
use crate::source::kafka::KafkaError;
use crate::table::TableError;

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const DATA_LOSS: u8 = 3;
const FENCED: u8 = 4;

/// The documented exit code of an error: that of its first cause that has one, else 1.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    error.chain().find_map(own_code).unwrap_or(FAILED)
}

fn own_code(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if cause.is::<SettingsError>() {
        return Some(USAGE);
    }
    if let Some(error) = cause.downcast_ref::<BookError>() {
        return Some(error.exit_code());
    }
    if let Some(error) = cause.downcast_ref::<QueryError>() {
        return Some(error.exit_code());
    }
    if let Some(error) = cause.downcast_ref::<TableError>() {
        return Some(if error.is_fenced() { FENCED } else { FAILED });
    }
    let kafka = match cause.downcast_ref::<SourceError>() {
        Some(SourceError::Kafka(error)) => Some(error),
        _ => cause.downcast_ref::<KafkaError>(),
    }?;
    Some(match kafka {
        error if error.is_data_loss() => DATA_LOSS,
        error if error.is_usage() => USAGE,
        _ => FAILED,
    })
}
