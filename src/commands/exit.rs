//! From an error to the process's exit code.

use std::error::Error;

use crate::book::BookError;
use crate::capture::CaptureError;
use crate::postgres::PostgresError;
use crate::query::QueryError;
use crate::settings::SettingsError;
use crate::slot::SlotError;
use crate::source::SourceError;
use crate::source::kafka::KafkaError;
use crate::source::lines::LinesError;
use crate::table::TableError;

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const DATA_LOSS: u8 = 3;
const FENCED: u8 = 4;

/// The documented exit code of an error: that of its first cause that has one, else 1.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    error.chain().find_map(own_code).unwrap_or(FAILED)
}

fn own_code(cause: &(dyn Error + 'static)) -> Option<u8> {
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
    if let Some(error) = cause.downcast_ref::<CaptureError>() {
        return Some(match error {
            error if error.is_fenced() => FENCED,
            error => code(error.is_data_loss(), error.is_usage()),
        });
    }
    if let Some(error) = cause.downcast_ref::<SlotError>() {
        return Some(code(error.is_data_loss(), error.is_usage()));
    }
    if let Some(error) = cause.downcast_ref::<PostgresError>() {
        return Some(code(false, error.is_usage()));
    }
    if let Some(error) = cause.downcast_ref::<KafkaError>() {
        return Some(code(error.is_data_loss(), error.is_usage()));
    }
    if let Some(error) = cause.downcast_ref::<LinesError>() {
        return Some(code(error.is_data_loss(), error.is_usage()));
    }
    let error = cause.downcast_ref::<SourceError>()?;
    Some(code(error.is_data_loss(), error.is_usage()))
}

fn code(is_data_loss: bool, is_usage: bool) -> u8 {
    match (is_data_loss, is_usage) {
        (true, _) => DATA_LOSS,
        (false, true) => USAGE,
        (false, false) => FAILED,
    }
}

/// Unpacks what ended the dataflow, so that [`exit_code`] can tell what it is.
pub(super) fn unpack(error: Box<dyn Error + Send + Sync>) -> anyhow::Error {
    fn try_as<E: Error + Send + Sync + 'static>(
        error: Box<dyn Error + Send + Sync>,
    ) -> Result<anyhow::Error, Box<dyn Error + Send + Sync>> {
        error.downcast::<E>().map(|error| anyhow::Error::new(*error))
    }
    try_as::<BookError>(error)
        .or_else(try_as::<TableError>)
        .or_else(try_as::<SourceError>)
        .or_else(try_as::<KafkaError>)
        .or_else(try_as::<LinesError>)
        .unwrap_or_else(anyhow::Error::from_boxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Partition;

    #[test]
    fn what_ended_the_dataflow_keeps_its_code() {
        let lost = || KafkaError::Lost { partition: Partition { topic: "t".to_owned(), number: 0 }, from: 1, to: 2 };
        let cut = || LinesError::Shorter { path: "f".to_owned(), end: 1, next: 2 };
        let none = LinesError::NoInput { path: "f".to_owned(), message: String::new() };
        let boxed: [(Box<dyn Error + Send + Sync>, u8); 8] = [
            (Box::new(cut()), DATA_LOSS),
            (Box::new(SourceError::from(cut())), DATA_LOSS),
            (Box::new(none), USAGE),
            (Box::new(SourceError::from(lost())), DATA_LOSS),
            (Box::new(lost()), DATA_LOSS),
            (Box::new(TableError::Fenced { path: "staged".to_owned() }), FENCED),
            (Box::new(BookError::Fenced { reason: "entry 3 is another run's".to_owned() }), FENCED),
            ("anything else".into(), FAILED),
        ];
        for (error, code) in boxed {
            assert_eq!(exit_code(&unpack(error)), code);
        }
    }
}
