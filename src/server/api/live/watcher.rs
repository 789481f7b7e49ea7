//! The task of a client of the stream.
//!
//! Each client has a task, and a channel for one piece that was not sent yet. While the client does not read, nothing is
//! computed for it; when it reads again, it gets the difference to the newest frame. A client that reads nothing for a minute
//! is disconnected, and one that needs more than five minutes for a snapshot or a delta.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use tokio::sync::mpsc::Sender;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::yield_now;
use tokio::time::{timeout, timeout_at};

use super::watched::{Sent, SnapshotText, Watched};
use crate::server::api::status::live_status;
use crate::server::http::blocking::run_blocking;
use crate::server::http::{body, gzip};
use crate::server::state::{AppState, FrameDelta, StateSnapshot};

/// How often a watcher checks whether the budget has room.
const BUDGET_RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// How long sending one event may take: others may wait for its part of the budget.
const EVENT_TIMEOUT: Duration = Duration::from_secs(300);
/// Bytes of a delta that are sent at once.
const PIECE: usize = 64 << 10;
/// How long nothing is sent before a heartbeat.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);

/// Sends events to a client as long as it is connected.
pub(super) struct Watcher {
    pub(super) state: Arc<AppState>,
    pub(super) watched: Watched,
    /// What is watched, and how it is encoded: watchers with the same share the texts of deltas.
    pub(super) encoding: String,
    pub(super) is_gzip: bool,
    pub(super) newest: watch::Receiver<u64>,
    pub(super) pieces: Sender<Bytes>,
    pub(super) _permit: OwnedSemaphorePermit,
}

/// The client has disconnected, or must reconnect.
struct Disconnected;

/// The next delta of a watcher.
enum NextDelta {
    /// What the client has with it, and the event.
    Text(Sent, Bytes),
    /// Other clients have not read their deltas yet.
    NoRoom,
    /// The changes since the watcher's frame are not known any more.
    Unknown,
}

impl Watcher {
    pub(super) async fn run(mut self, resume: Option<Sent>) {
        // A disconnected client needs no answer.
        let _ = self.send_events(resume).await;
    }

    async fn send_events(&mut self, resume: Option<Sent>) -> Result<(), Disconnected> {
        if self.is_gzip {
            self.send(Bytes::from_static(&gzip::HEAD)).await?;
        }
        self.send(self.encoded(b"retry: 2000\n\n".to_vec())).await?;
        let mut sent = match resume {
            Some(sent) => sent,
            None => self.send_snapshot().await?,
        };
        loop {
            let newest = *self.newest.borrow_and_update();
            // A frame is visible a moment before its notification.
            if newest > sent.frame {
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

    /// Sends what changed since the frame that was sent last.
    async fn send_delta(&self, sent: Sent) -> Result<Sent, Disconnected> {
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
    async fn next_delta(&self, sent: Sent) -> Result<NextDelta, Disconnected> {
        let _turn = self.state.turns.lock().await;
        let frames = &self.state.frames;
        let key = match sent.load {
            None => self.encoding.clone(),
            Some(load) => format!("{}\n{load}", self.encoding),
        };
        let changes = match frames.since(sent.frame, &key) {
            FrameDelta::Text(frame, text) => {
                yield_now().await;
                return Ok(NextDelta::Text(Sent { frame, ..sent }, text));
            }
            FrameDelta::Unknown => return Ok(NextDelta::Unknown),
            FrameDelta::Changed(changes) => changes,
        };
        let Some(cost) = self.watched.delta_cost(&changes, sent) else { return Ok(NextDelta::Unknown) };
        if !self.state.delta_budget.has_room(cost.bytes) {
            return Ok(NextDelta::NoRoom);
        }
        let newest = Sent { frame: changes.frame.number, ..sent };
        let (id, end) = (newest.id(&self.state), self.end(&changes.frame.snapshot));
        let (watched, is_gzip) = (self.watched.clone(), self.is_gzip);
        let write = move || {
            let rows = watched.delta_rows(&changes, sent)?;
            let complete_to = changes.frame.snapshot.counts().complete_to();
            let head = format!("event: delta\nid: {id}\ndata: {{\"complete_to\":{complete_to},\"rows\":[");
            let text = [head.as_bytes(), &rows, end.as_bytes()].concat();
            Some((if is_gzip { gzip::deflated(&text) } else { text }, changes))
        };
        let written = if cost.is_quick { write() } else { run_blocking(write).await.map_err(|_| Disconnected)? };
        let Some((text, changes)) = written else { return Ok(NextDelta::Unknown) };
        let Ok(text) = self.state.delta_budget.charge(text) else { return Ok(NextDelta::NoRoom) };
        frames.keep_text(&changes, &key, text.bytes());
        yield_now().await;
        Ok(NextDelta::Text(newest, text.bytes().clone()))
    }

    /// Sends all of what is watched.
    async fn send_snapshot(&self) -> Result<Sent, Disconnected> {
        let mut last_heartbeat = Instant::now();
        let mut size = 0;
        let (sent, mut pieces, _permit) = loop {
            if !self.state.snapshot_budget.has_room(size) {
                self.wait_for_room(&mut last_heartbeat).await?;
                continue;
            }
            let snapshot = self.watched.snapshot(&self.state, |snapshot| self.end(snapshot)).await;
            // The client connects again, and gets the reason.
            let SnapshotText { sent, bytes, pieces } = snapshot.map_err(|_| Disconnected)?;
            size = bytes;
            if let Ok(permit) = self.state.snapshot_budget.acquire(size) {
                break (sent, pieces, permit);
            }
        };
        let deadline = Instant::now() + EVENT_TIMEOUT;
        while let Some(piece) = self.in_turn(|| pieces.next()).await {
            let piece = piece.map_err(|_| Disconnected)?;
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
        Ok(sent)
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
        self.watched.note_use(&self.state);
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
    fn end(&self, snapshot: &StateSnapshot) -> String {
        let status = body::to_json(&live_status(&self.state, &snapshot.at_now()));
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
