//! The formats of an answer, and which of them a request asks for.

use axum::http::{HeaderMap, header};

use super::parameters::Parameters;
use crate::server::error::ApiError;

/// The format of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::server) enum AnswerFormat {
    Json,
    Csv,
    Arrow,
    Parquet,
}

impl AnswerFormat {
    const ALL: [(AnswerFormat, &str, &str); 4] = [
        (AnswerFormat::Json, "json", "application/json"),
        (AnswerFormat::Csv, "csv", "text/csv"),
        (AnswerFormat::Arrow, "arrow", "application/vnd.apache.arrow.stream"),
        (AnswerFormat::Parquet, "parquet", "application/vnd.apache.parquet"),
    ];

    /// The format that the parameter `format` names; without it the first one that the request accepts, or JSON.
    pub(in crate::server) fn requested(parameters: &Parameters, headers: &HeaderMap) -> Result<AnswerFormat, ApiError> {
        if let Some(name) = parameters.text("format") {
            let known = AnswerFormat::ALL.iter().find(|(_, known, _)| *known == name);
            let wrong = || ApiError::bad_request(format!("no format {name:?}: one of json, csv, arrow, parquet"));
            return known.map(|(format, ..)| *format).ok_or_else(wrong);
        }
        let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut types = accepted.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
        let found = types.find_map(|name| AnswerFormat::ALL.iter().find(|(_, _, known)| *known == name));
        Ok(found.map_or(AnswerFormat::Json, |(format, ..)| *format))
    }

    /// Its name, which is also a file's extension.
    pub(in crate::server) fn name(self) -> &'static str {
        AnswerFormat::ALL.iter().find(|(format, ..)| *format == self).map_or("json", |(_, name, _)| name)
    }

    /// Its media type.
    pub(in crate::server) fn content_type(self) -> &'static str {
        match self {
            AnswerFormat::Csv => "text/csv; charset=utf-8",
            _ => AnswerFormat::ALL.iter().find(|(format, ..)| *format == self).map_or("", |(_, _, name)| name),
        }
    }
}
