//! `/api/counts`: how many changes, as `query` tells it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;

use super::aside::aside;
use super::board::Board;
use super::body;
use super::error::{Answer, ApiError};
use super::memory::{Memory, holding};
use super::moment::Moment;
use super::parameters::Parameters;
use super::view::View;
use crate::book::CompleteTo;
use crate::change::Day;
use crate::query::{RowStyle, Selection, SelectionText};

/// Rows of the longest answer.
const MOST_ROWS: usize = 5_000_000;
/// Rows of the longest answer whose rows are all made before the first is told.
const MOST_ROWS_AT_ONCE: usize = 2_000_000;
/// Rows of an answer that is made as a whole and kept for those who ask the same.
const FEW_ROWS: usize = 50_000;
/// Rows of an answer that is made sooner than another thread would wake, where the sums are known.
const QUICK_ROWS: usize = 5_000;
/// Bytes of the longest header that says what an answer is complete to; browsers refuse longer ones.
const LONGEST_HEADER: usize = 6 << 10;

/// The parameters of a question about counts.
const PARAMETERS: [&str; 9] = ["from", "to", "day", "table", "op", "by", "level", "format", "download"];

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Format {
    Json,
    Csv,
    Arrow,
    Parquet,
}

impl Format {
    const ALL: [(Format, &str, &str); 4] = [
        (Format::Json, "json", "application/json"),
        (Format::Csv, "csv", "text/csv"),
        (Format::Arrow, "arrow", "application/vnd.apache.arrow.stream"),
        (Format::Parquet, "parquet", "application/vnd.apache.parquet"),
    ];

    /// What `format` asks for, or else what the request accepts.
    pub(super) fn asked(parameters: &Parameters, headers: &HeaderMap) -> Result<Format, ApiError> {
        if let Some(name) = parameters.text("format") {
            let known = Format::ALL.iter().find(|(_, known, _)| *known == name);
            let wrong = || ApiError::bad_request(format!("no format {name:?}: one of json, csv, arrow, parquet"));
            return known.map(|(format, ..)| *format).ok_or_else(wrong);
        }
        let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut types = accepted.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
        let found = types.find_map(|name| Format::ALL.iter().find(|(_, _, known)| *known == name));
        Ok(found.map_or(Format::Json, |(format, ..)| *format))
    }

    pub(super) fn name(self) -> &'static str {
        Format::ALL.iter().find(|(format, ..)| *format == self).map_or("json", |(_, name, _)| name)
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Format::Csv => "text/csv; charset=utf-8",
            _ => Format::ALL.iter().find(|(format, ..)| *format == self).map_or("", |(_, _, name)| name),
        }
    }
}

/// Answers `/api/counts`.
pub(super) async fn counts(State(board): State<Arc<Board>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Answer {
    let parameters = Parameters::read(query.as_deref(), &PARAMETERS)?;
    let (filter, by) = (parameters.filter()?, parameters.by()?);
    let format = Format::asked(&parameters, &headers)?;
    let moment = moment(&board, parameters.text("level"))?;
    let selection = moment.totals.select(&filter, &by)?;
    let is_text = matches!(format, Format::Json | Format::Csv);
    let most = if is_text && selection.is_day_by_day() { MOST_ROWS } else { MOST_ROWS_AT_ONCE };
    if selection.most_rows() > most {
        let what = format!("the answer may have more than {most} rows: ask for fewer days, or sum by less");
        return Err(ApiError::too_large(what));
    }
    let days = (filter.from.or(moment.totals.first_day()), filter.to);
    let level = moment.level();
    let recent = &board.recent[level];
    let question = ("counts", query.unwrap_or_default(), format);
    let mut response = match recent.find(&moment, &question) {
        Some(given) => Memory::answer(format.content_type(), given),
        None if selection.most_rows() <= FEW_ROWS => {
            let is_quick =
                selection.is_summed() && selection.most_rows() <= QUICK_ROWS && board.sums[level].knows(&filter);
            let (asked, at) = (Arc::clone(&board), Arc::clone(&moment));
            let write = move || {
                let selection = match selection.is_summed() {
                    true => selection.with_sums(asked.sums[level].at(&at.totals, &filter)),
                    false => selection,
                };
                written(&at, selection, format)
            };
            let given = board.memory.hold(if is_quick { write() } else { aside(write).await? })?;
            recent.keep(&moment, question, &given);
            Memory::answer(format.content_type(), given)
        }
        None => body::answer(format.content_type(), long(&board, &moment, selection, format).await?),
    };
    if format != Format::Json {
        say_complete_to(&mut response, &moment.complete_to);
    }
    if parameters.is_set("download") {
        body::as_download(&mut response, &download_name(&board, "counts", days, format));
    }
    Ok(response)
}

/// The moment that is asked about: the live one where there is one, unless the durable one is wanted.
fn moment(board: &Board, level: Option<&str>) -> Result<Arc<Moment>, ApiError> {
    let view = View::of(board);
    match level {
        None => Ok(Arc::clone(view.moment())),
        Some("durable") => Ok(Arc::clone(&view.durable.moment)),
        Some("live") if view.live.is_some() => Ok(Arc::clone(view.moment())),
        Some("live") => {
            Err(ApiError::bad_request("level: no run is served here that writes the book, all answers are durable"))
        }
        Some(other) => Err(ApiError::bad_request(format!("no level {other:?}: one of live, durable"))),
    }
}

/// The pieces of a text; none for other formats.
fn text(moment: &Moment, selection: Selection, format: Format) -> Result<SelectionText, Box<Selection>> {
    match format {
        Format::Json => Ok(selection.text(RowStyle::JsonLines, moment.json_head(), b"]}\n".to_vec())),
        Format::Csv => Ok(selection.text(RowStyle::Csv, Vec::new(), Vec::new())),
        Format::Arrow | Format::Parquet => Err(Box::new(selection)),
    }
}

/// Writes an answer as a whole.
fn written(moment: &Moment, selection: Selection, format: Format) -> Vec<u8> {
    match text(moment, selection, format) {
        Ok(text) => text.flatten().collect(),
        Err(selection) if format == Format::Arrow => selection.arrow(),
        Err(selection) => selection.parquet(),
    }
}

/// Writes a long answer: a text while it is read, if its rows come day by day; else on another thread, when it is its turn.
async fn long(board: &Board, moment: &Arc<Moment>, selection: Selection, format: Format) -> Result<Body, ApiError> {
    match text(moment, selection, format) {
        Ok(text) => {
            let room = board.memory.take(text.most_bytes())?;
            let body = match text.is_quick() {
                true => body::pieces(text),
                false => in_turn(board, move || body::pieces(text)).await?,
            };
            Ok(holding(body, room))
        }
        Err(selection) => {
            let moment = Arc::clone(moment);
            Ok(Body::from(in_turn(board, move || written(&moment, *selection, format)).await?))
        }
    }
}

async fn in_turn<T: Send + 'static>(board: &Board, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    let permit = board.queues.long.wait().await?;
    aside(move || {
        let _permit = permit;
        work()
    })
    .await
}

/// Says what an answer is complete to where its body cannot.
pub(super) fn say_complete_to(response: &mut Response, complete_to: &CompleteTo) {
    let mut text = ascii(&serde_json::json!(complete_to).to_string());
    if text.len() > LONGEST_HEADER {
        let mut shorter = complete_to.clone();
        shorter.positions.clear();
        text = ascii(&serde_json::json!(shorter).to_string());
    }
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().insert(HeaderName::from_static("walbook-complete-to"), value);
    }
}

/// JSON without letters beyond ASCII.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter.is_ascii() {
            text.push(letter);
        } else {
            letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04x}")));
        }
    }
    text
}

/// The name under which a browser saves an answer.
pub(super) fn download_name(board: &Board, what: &str, days: (Option<Day>, Option<Day>), format: Format) -> String {
    let day = |day: Option<Day>, none: &str| day.map_or_else(|| none.to_owned(), |day| day.to_string());
    format!("{}-{what}-{}-{}.{}", board.name, day(days.0, "first"), day(days.1, "last"), format.name())
}
