//! `/api/live`: Server-Sent Events, a snapshot and then what changes.
//!
//! Each client has a task, and a channel for one piece that was not sent yet. While the client does not read, nothing is
//! computed for it; when it reads again, it gets the difference to the newest frame. A client that reads nothing for a minute
//! is disconnected, and one that needs more than five minutes for a snapshot or a delta.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::mpsc::{Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::yield_now;
use tokio::time::{timeout, timeout_at};
use utoipa::ToSchema;

use super::counts::CountsAnswerRow;
use super::schema::ApiErrors;
use super::status::live_status;
use super::status_body::LiveStatus;
use crate::book::CompleteTo;
use crate::query::{Filter, GroupBy, RejectCount, RowStyle};
use crate::server::error::{Answer, ApiError};
use crate::server::http::accepted_parameters::{
    AcceptedParameter, DAY, FROM, OP, TABLE, TO, Values, accepted_parameters,
};
use crate::server::http::blocking::run_blocking;
use crate::server::http::parameters::Parameters;
use crate::server::http::{body, gzip};
use crate::server::state::{AppState, Frame, FrameDelta};

/// Changes that are written at once; more are written on a blocking thread.
const FEW_CHANGES: usize = 2_000;
/// About how many bytes a change has in an event.
const CHANGE_BYTES: usize = 100;
/// How often a watcher checks whether the budget has room.
const BUDGET_RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// How long sending one event may take: others may wait for its part of the budget.
const EVENT_TIMEOUT: Duration = Duration::from_secs(300);
/// Bytes of a delta that are sent at once.
const PIECE: usize = 64 << 10;
/// How long nothing is sent before a heartbeat.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);

const LAST_EVENT_ID: AcceptedParameter = AcceptedParameter::new(
    "last_event_id",
    "As the header Last-Event-ID: the id of the last event that was received",
    Values::Text,
);
accepted_parameters!(LiveParameters: FROM, TO, DAY, TABLE, OP, LAST_EVENT_ID);

/// The data of an event `snapshot`: all counts.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is written piece by piece")]
pub(in crate::server) struct LiveSnapshot {
    complete_to: CompleteTo,
    /// The book's time zone.
    time_zone: String,
    rejects: RejectCount,
    rows: Vec<CountsAnswerRow>,
    status: LiveStatus,
}

/// The data of an event `delta`: the counts that changed, with their new values.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is written row by row")]
pub(in crate::server) struct LiveDelta {
    complete_to: CompleteTo,
    rows: Vec<CountsAnswerRow>,
    status: LiveStatus,
}

/// Counts as they change: Server-Sent Events snapshot and delta
///
/// The data of a snapshot is a LiveSnapshot, that of a delta a LiveDelta.
#[utoipa::path(get, path = "/api/live", params(LiveParameters), responses(
    (status = 200, description = "A stream without end", body = String, content_type = "text/event-stream"),
    ApiErrors,
))]
pub(in crate::server) async fn live(
    State(state): State<Arc<AppState>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let parameters = Parameters::read(query.as_deref(), LiveParameters::ACCEPTED)?;
    let filter = parameters.filter()?;
    // Refuse an invalid range of days now, not within the stream.
    state.frames.newest().snapshot.counts().totals.select(&filter, &[])?;
    let permit = Arc::clone(&state.watchers).try_acquire_owned();
    let permit = permit.map_err(|_| ApiError::busy("too many clients watch; try again later"))?;
    let last_id = headers.get("last-event-id").and_then(|id| id.to_str().ok()).or(parameters.text("last_event_id"));
    let resume = last_id.and_then(|id| state.frames.resume(id));
    let (pieces, receiver) = channel(1);
    let is_gzip = gzip::is_accepted(&headers);
    let selection =
        ["from", "to", "day", "table", "op"].map(|name| parameters.text(name).unwrap_or_default()).join("\n");
    let watched = format!("{is_gzip}\n{selection}");
    let watcher = Watcher { newest: state.frames.watch(), state, filter, watched, is_gzip, pieces, _permit: permit };
    tokio::spawn(watcher.run(resume));
    let mut response = body::answer("text/event-stream", body::received(receiver));
    // A proxy that buffers would delay every event.
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    if is_gzip {
        gzip::mark(response.headers_mut());
    }
    Ok(response)
}

struct Watcher {
    state: Arc<AppState>,
    filter: Filter,
    /// Filter and encoding: watchers with the same ones share the texts of deltas.
    watched: String,
    is_gzip: bool,
    newest: watch::Receiver<u64>,
    pieces: Sender<Bytes>,
    _permit: OwnedSemaphorePermit,
}

/// The client has disconnected, or must reconnect.
struct Disconnected;

/// The next delta of a watcher.
enum NextDelta {
    /// The newest frame, and the event that leads to it.
    Text(u64, Bytes),
    /// Other clients have not read their deltas yet.
    NoRoom,
    /// The changes since the watcher's frame are not known any more.
    Unknown,
}

impl Watcher {
    async fn run(mut self, resume: Option<u64>) {
        // A disconnected client needs no answer.
        let _ = self.send_events(resume).await;
    }

    async fn send_events(&mut self, resume: Option<u64>) -> Result<(), Disconnected> {
        if self.is_gzip {
            self.send(Bytes::from_static(&gzip::HEAD)).await?;
        }
        self.send(self.encoded(b"retry: 2000\n\n".to_vec())).await?;
        let mut sent = match resume {
            Some(frame) => frame,
            None => self.send_snapshot().await?,
        };
        loop {
            let newest = *self.newest.borrow_and_update();
            // A frame is visible a moment before its notification.
            if newest > sent {
                sent = self.send_delta(sent).await?;
                continue;
            }
            let changed = tokio::select! {
                changed = timeout(HEARTBEAT_INTERVAL, self.newest.changed()) => changed,
                () = self.pieces.closed() => return Err(Disconnected),
            };
            if changed.is_err() {
                self.send_heartbeat().await?;
            }
        }
    }

    /// Sends what changed since the frame that was sent last; returns the newest frame.
    async fn send_delta(&self, sent: u64) -> Result<u64, Disconnected> {
        let mut last_heartbeat = Instant::now();
        loop {
            match self.next_delta(sent).await? {
                NextDelta::Text(newest, mut text) => {
                    // In small pieces: of a large one a client would hold several in memory.
                    let deadline = Instant::now() + EVENT_TIMEOUT;
                    while !text.is_empty() {
                        self.send_until(deadline, text.split_to(text.len().min(PIECE))).await?;
                    }
                    return Ok(newest);
                }
                NextDelta::NoRoom => self.wait_for_room(&mut last_heartbeat).await?,
                NextDelta::Unknown => return self.send_snapshot().await,
            }
        }
    }

    /// The delta from the frame that was sent last to the newest.
    ///
    /// One watcher at a time computes it, and then lets other tasks run: otherwise a request would wait until hundreds of
    /// watchers have their delta.
    async fn next_delta(&self, sent: u64) -> Result<NextDelta, Disconnected> {
        let _turn = self.state.turns.lock().await;
        let frames = &self.state.frames;
        let changes = match frames.since(sent, &self.watched) {
            FrameDelta::Text(newest, text) => {
                yield_now().await;
                return Ok(NextDelta::Text(newest, text));
            }
            FrameDelta::Unknown => return Ok(NextDelta::Unknown),
            FrameDelta::Changed(changes) => changes,
        };
        let (newest, count) = (changes.frame.number, changes.len());
        if !self.filter.names_tables() && !self.state.delta_budget.has_room(count * CHANGE_BYTES) {
            return Ok(NextDelta::NoRoom);
        }
        let (id, end) = (frames.id(newest), self.end(&changes.frame));
        let (filter, is_gzip) = (self.filter.clone(), self.is_gzip);
        let write = move || {
            let complete_to = changes.frame.snapshot.counts().complete_to();
            let head = format!("event: delta\nid: {id}\ndata: {{\"complete_to\":{complete_to},\"rows\":[");
            let text = [head.as_bytes(), &changes.rows(&filter), end.as_bytes()].concat();
            (if is_gzip { gzip::deflated(&text) } else { text }, changes)
        };
        let (text, changes) = match count {
            0..FEW_CHANGES => write(),
            _ => run_blocking(write).await.map_err(|_| Disconnected)?,
        };
        let Ok(text) = self.state.delta_budget.charge(text) else { return Ok(NextDelta::NoRoom) };
        frames.keep_text(&changes, &self.watched, text.bytes());
        yield_now().await;
        Ok(NextDelta::Text(newest, text.bytes().clone()))
    }

    /// Sends all counts; returns the newest frame.
    async fn send_snapshot(&self) -> Result<u64, Disconnected> {
        let mut last_heartbeat = Instant::now();
        let mut size = 0;
        let (frame, mut pieces, _permit) = loop {
            if !self.state.snapshot_budget.has_room(size) {
                self.wait_for_room(&mut last_heartbeat).await?;
                continue;
            }
            let frame = self.state.frames.newest();
            let counts = frame.snapshot.counts();
            let selection = counts.totals.select(&self.filter, &GroupBy::DEFAULT).map_err(|_| Disconnected)?;
            let id = self.state.frames.id(frame.number);
            let mut head = format!("event: snapshot\nid: {id}\ndata: ").into_bytes();
            head.extend(counts.json_head(&self.filter));
            let pieces = selection.text(RowStyle::Json, head, self.end(&frame).into_bytes());
            size = pieces.most_bytes();
            if let Ok(permit) = self.state.snapshot_budget.acquire(size) {
                break (frame, pieces, permit);
            }
        };
        let deadline = Instant::now() + EVENT_TIMEOUT;
        while let Some(piece) = self.in_turn(|| pieces.next()).await {
            if piece.is_empty() {
                continue;
            }
            let piece = match self.is_gzip {
                // A large snapshot has hundreds of pieces, and other tasks need this thread.
                true => run_blocking(move || gzip::deflated(&piece)).await.map_err(|_| Disconnected)?,
                false => piece,
            };
            self.send_until(deadline, piece.into()).await?;
        }
        Ok(frame.number)
    }

    /// Waits a moment for other clients to read their events; sends heartbeats meanwhile.
    async fn wait_for_room(&self, last_heartbeat: &mut Instant) -> Result<(), Disconnected> {
        if timeout(BUDGET_RETRY_INTERVAL, self.pieces.closed()).await.is_ok() {
            return Err(Disconnected);
        }
        if last_heartbeat.elapsed() >= HEARTBEAT_INTERVAL {
            *last_heartbeat = Instant::now();
            self.send_heartbeat().await?;
        }
        Ok(())
    }

    async fn send_heartbeat(&self) -> Result<(), Disconnected> {
        self.send(self.encoded(b": still here\n\n".to_vec())).await
    }

    /// Runs `work` in this watcher's turn: the pieces of its snapshot alternate with those of others.
    async fn in_turn<T>(&self, work: impl FnOnce() -> T) -> T {
        let _turn = self.state.turns.lock().await;
        let result = work();
        yield_now().await;
        result
    }

    /// What follows the rows of an event.
    fn end(&self, frame: &Frame) -> String {
        let status = body::to_json(&live_status(&self.state, &frame.snapshot.at_now()));
        format!("],\"status\":{status}}}\n\n")
    }

    fn encoded(&self, text: Vec<u8>) -> Bytes {
        if self.is_gzip { gzip::deflated(&text).into() } else { text.into() }
    }

    async fn send_until(&self, deadline: Instant, piece: Bytes) -> Result<(), Disconnected> {
        timeout_at(deadline.into(), self.send(piece)).await.map_err(|_| Disconnected)?
    }

    async fn send(&self, piece: Bytes) -> Result<(), Disconnected> {
        self.pieces.send(piece).await.map_err(|_| Disconnected)
    }
}
