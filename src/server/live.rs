//! `/api/live`: Server-Sent Events, a snapshot and then what changes.
//!
//! A client has a task of its own and room for one piece that it has not taken. While it takes nothing, nothing is made
//! for it; when it does again, it gets the difference to the newest frame. A client that takes nothing for a minute is cut,
//! and one that needs more than five for a snapshot or a delta.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::mpsc::{Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::yield_now;
use tokio::time::{timeout, timeout_at};

use super::aside::aside;
use super::board::Board;
use super::body;
use super::error::{Answer, ApiError};
use super::frames::{Frame, Since};
use super::gzip;
use super::parameters::Parameters;
use super::status::compact;
use crate::query::{Filter, GroupBy, RowStyle};

/// Changes that are told in a moment; more are on another thread.
const FEW_CHANGES: usize = 2_000;
/// About how many bytes a change has that is told.
const CHANGE: usize = 100;
/// How long a watcher waits until it looks for room again.
const NO_ROOM: Duration = Duration::from_millis(500);
/// How long an event may take: others may wait for its room.
const LONGEST: Duration = Duration::from_secs(300);
/// Bytes of a delta that are sent at once.
const PIECE: usize = 64 << 10;
/// How long nothing is said before a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Answers `/api/live`.
pub(super) async fn live(State(board): State<Arc<Board>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Answer {
    let known = ["from", "to", "day", "table", "op", "last_event_id"];
    let parameters = Parameters::read(query.as_deref(), &known)?;
    let filter = parameters.filter()?;
    // Refuses a range that is the wrong way round now, not in the stream.
    board.frames.newest().view.moment().totals.select(&filter, &[])?;
    let permit = Arc::clone(&board.watchers).try_acquire_owned();
    let permit = permit.map_err(|_| ApiError::busy("as many clients watch as this server takes"))?;
    let said = headers.get("last-event-id").and_then(|id| id.to_str().ok()).or(parameters.text("last_event_id"));
    let resume = said.and_then(|id| board.frames.resume(id));
    let (pieces, taken) = channel(1);
    let is_packed = gzip::is_taken(&headers);
    let asked = ["from", "to", "day", "table", "op"].map(|name| parameters.text(name).unwrap_or_default()).join("\n");
    let watched = format!("{is_packed}\n{asked}");
    let watcher = Watcher { newest: board.frames.watch(), board, filter, watched, is_packed, pieces, _permit: permit };
    tokio::spawn(watcher.tell(resume));
    let mut response = body::answer("text/event-stream", body::received(taken));
    // A proxy that gathers what it passes on would hold everything back.
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    if is_packed {
        gzip::say_so(response.headers_mut());
    }
    Ok(response)
}

struct Watcher {
    board: Arc<Board>,
    filter: Filter,
    /// Names what is watched: the same for watchers of the same counts, told in the same way.
    watched: String,
    /// Whether all is told in gzip.
    is_packed: bool,
    newest: watch::Receiver<u64>,
    pieces: Sender<Bytes>,
    _permit: OwnedSemaphorePermit,
}

/// The client is gone, or has to begin anew.
struct Gone;

impl Watcher {
    async fn tell(mut self, resume: Option<u64>) {
        // A client that is gone needs no last word.
        let _ = self.tell_on(resume).await;
    }

    async fn tell_on(&mut self, resume: Option<u64>) -> Result<(), Gone> {
        if self.is_packed {
            self.send(Bytes::from_static(&gzip::HEAD)).await?;
        }
        self.send(self.packed(b"retry: 2000\n\n".to_vec())).await?;
        let mut told = match resume {
            Some(frame) => frame,
            None => self.tell_all().await?,
        };
        loop {
            let newest = *self.newest.borrow_and_update();
            // A frame is there a moment before it is told of.
            if newest > told {
                told = self.tell_difference(told).await?;
                continue;
            }
            let changed = tokio::select! {
                changed = timeout(HEARTBEAT, self.newest.changed()) => changed,
                () = self.pieces.closed() => return Err(Gone),
            };
            if changed.is_err() {
                self.still_here().await?;
            }
        }
    }

    async fn tell_difference(&self, told: u64) -> Result<u64, Gone> {
        let mut silent_since = Instant::now();
        let (newest, text) = loop {
            match self.difference(told).await? {
                Some(difference) => break difference,
                None => self.wait_for_room(&mut silent_since).await?,
            }
        };
        match text {
            Some(mut text) => {
                // In small pieces: of one that is large a client would hold several.
                let until = Instant::now() + LONGEST;
                while !text.is_empty() {
                    self.send_until(until, text.split_to(text.len().min(PIECE))).await?;
                }
                Ok(newest)
            }
            None => self.tell_all().await,
        }
    }

    /// The newest frame and what changed until then, if that is known; none at all where others have not read theirs.
    ///
    /// It is made when it is this watcher's turn: of all watchers one, then everybody else who has something to do. Else
    /// whoever asks for counts would wait until hundreds were told a frame.
    async fn difference(&self, told: u64) -> Result<Option<(u64, Option<Bytes>)>, Gone> {
        let _turn = self.board.turns.lock().await;
        let frames = &self.board.frames;
        let difference = match frames.since(told, &self.watched) {
            Since::Told(newest, text) => {
                yield_now().await;
                return Ok(Some((newest, Some(text))));
            }
            Since::Unknown => return Ok(Some((told, None))),
            Since::Changed(difference) => difference,
        };
        let (newest, changes) = (difference.frame.number, difference.len());
        if !self.filter.names_tables() && !self.board.deltas.has_room(changes * CHANGE) {
            return Ok(None);
        }
        let (id, end) = (frames.id(newest), self.end(&difference.frame));
        let (filter, is_packed) = (self.filter.clone(), self.is_packed);
        let tell = move || {
            let complete_to = difference.frame.view.moment().complete_to();
            let head = format!("event: delta\nid: {id}\ndata: {{\"complete_to\":{complete_to},\"rows\":[");
            let text = [head.as_bytes(), &difference.rows(&filter), end.as_bytes()].concat();
            (if is_packed { gzip::deflated(&text) } else { text }, difference)
        };
        let (text, difference) = match changes {
            0..FEW_CHANGES => tell(),
            _ => aside(tell).await.map_err(|_| Gone)?,
        };
        let Ok(text) = self.board.deltas.hold(text) else { return Ok(None) };
        frames.keep(&difference, &self.watched, text.bytes());
        yield_now().await;
        Ok(Some((newest, Some(text.bytes().clone()))))
    }

    async fn tell_all(&self) -> Result<u64, Gone> {
        let mut silent_since = Instant::now();
        let mut size = 0;
        let (frame, mut pieces, _room) = loop {
            if !self.board.snapshots.has_room(size) {
                self.wait_for_room(&mut silent_since).await?;
                continue;
            }
            let frame = self.board.frames.newest();
            let moment = frame.view.moment();
            let selection = moment.totals.select(&self.filter, &GroupBy::DEFAULT).map_err(|_| Gone)?;
            let id = self.board.frames.id(frame.number);
            let mut head = format!("event: snapshot\nid: {id}\ndata: ").into_bytes();
            head.extend(moment.json_head());
            let pieces = selection.text(RowStyle::Json, head, self.end(&frame).into_bytes());
            size = pieces.most_bytes();
            if let Ok(room) = self.board.snapshots.take(size) {
                break (frame, pieces, room);
            }
        };
        let until = Instant::now() + LONGEST;
        while let Some(piece) = self.in_turn(|| pieces.next()).await {
            if piece.is_empty() {
                continue;
            }
            let piece = match self.is_packed {
                // A large snapshot has hundreds of them, and others wait for this thread.
                true => aside(move || gzip::deflated(&piece)).await.map_err(|_| Gone)?,
                false => piece,
            };
            self.send_until(until, piece.into()).await?;
        }
        Ok(frame.number)
    }

    /// Waits a moment, for others to read what they asked for; gives a sign of life when that takes long.
    async fn wait_for_room(&self, silent_since: &mut Instant) -> Result<(), Gone> {
        if timeout(NO_ROOM, self.pieces.closed()).await.is_ok() {
            return Err(Gone);
        }
        if silent_since.elapsed() >= HEARTBEAT {
            *silent_since = Instant::now();
            self.still_here().await?;
        }
        Ok(())
    }

    async fn still_here(&self) -> Result<(), Gone> {
        self.send(self.packed(b": still here\n\n".to_vec())).await
    }

    /// Does something when it is this watcher's turn: its snapshot's pieces come between those of others.
    async fn in_turn<T>(&self, work: impl FnOnce() -> T) -> T {
        let _turn = self.board.turns.lock().await;
        let done = work();
        yield_now().await;
        done
    }

    /// What stands behind the rows of an event.
    fn end(&self, frame: &Frame) -> String {
        format!("],\"status\":{}}}\n\n", compact(&self.board, &frame.view.told_now()))
    }

    fn packed(&self, text: Vec<u8>) -> Bytes {
        if self.is_packed { gzip::deflated(&text).into() } else { text.into() }
    }

    async fn send_until(&self, until: Instant, piece: Bytes) -> Result<(), Gone> {
        timeout_at(until.into(), self.send(piece)).await.map_err(|_| Gone)?
    }

    async fn send(&self, piece: Bytes) -> Result<(), Gone> {
        self.pieces.send(piece).await.map_err(|_| Gone)
    }
}
