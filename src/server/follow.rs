//! The commit log, followed: each new entry becomes what the server calls durable.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tracing::warn;

use super::ServeError;
use super::board::{Board, Durable};
use super::frames::Frame;
use super::moment::Moment;
use super::pending_rejects::PendingRejects;
use super::run::RunView;
use super::view::{View, now_micros};
use crate::book::entry::EntryKind;
use crate::book::{Entry, Follower, Found, Lost, Snapshot, State, log};
use crate::change::{CountKey, Partition};
use crate::query::{Cell, RejectSums, Totals};
use crate::store::Disk;

/// How often the log is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How often in that time what is live is looked at, when it is behind an entry.
const LOOKS: u32 = 20;
/// How long an entry is held back until that is said.
const HELD_LONG: Duration = Duration::from_secs(10);
/// How many entries are read back for the newest commit.
const LOOK_BACK: u64 = 32;

/// A book that is followed, and the rejects that are not summed up yet.
pub(super) struct Following {
    follower: Follower,
    rejects: PendingRejects,
    /// Since when an entry is held back because what is live does not reach it yet.
    held_since: Option<Instant>,
}

impl Following {
    /// Holds an entry back; an error when that takes long: it should be a moment.
    fn hold(&mut self, snapshot: &Snapshot) -> Result<(), ServeError> {
        let since = *self.held_since.get_or_insert_with(Instant::now);
        let entry = snapshot.state().newest_entry().unwrap_or(0);
        if since.elapsed() < HELD_LONG { Ok(()) } else { Err(ServeError::Unread(entry)) }
    }
}

/// Reads a book as it stands now, but for its rejects; `totals` are its counts, where they are known already.
pub(super) fn read(book: &Path, totals: Option<Totals>) -> Result<(Durable, Following), ServeError> {
    let snapshot = Snapshot::take(book)?;
    let totals = totals.map_or_else(|| Totals::read(&snapshot), Ok)?;
    let durable = durable_of(book, &snapshot, totals, RejectSums::default());
    // There may be many rejects, and nobody has to wait for them.
    let rejects = PendingRejects::all(&snapshot)?;
    Ok((durable, Following { follower: Follower::after(book, &snapshot), rejects, held_since: None }))
}

fn durable_of(book: &Path, snapshot: &Snapshot, totals: Totals, rejects: RejectSums) -> Durable {
    let state = snapshot.state();
    let newest = state.newest_entry().unwrap_or(0);
    let disk = Disk::new(book);
    let entries = (newest.saturating_sub(LOOK_BACK)..=newest).rev();
    let mut entries = entries.map_while(|number| log::read_entry(&disk, number).ok().flatten());
    let commit = entries.find(|logged| logged.entry.kind == EntryKind::Commit);
    let first = log::read_entry(&disk, 0).ok().flatten();
    let told = Told {
        committed_at: commit.as_ref().map(|logged| logged.entry.written_at),
        changes: commit.map(|logged| changes(&logged.entry)),
        made_at: first.map(|logged| logged.entry.written_at),
    };
    at(snapshot, totals, told, rejects)
}

/// What entries tell that the state of the log does not.
struct Told {
    committed_at: Option<i64>,
    changes: Option<u64>,
    made_at: Option<i64>,
}

fn changes(commit: &Entry) -> u64 {
    commit.deltas.iter().map(|delta| delta.4.unsigned_abs()).sum()
}

fn at(snapshot: &Snapshot, totals: Totals, told: Told, rejects: RejectSums) -> Durable {
    let state = snapshot.state();
    let Told { committed_at, changes, made_at } = told;
    let time_zone = snapshot.time_zone().to_owned();
    Durable {
        moment: Arc::new(Moment { totals, complete_to: snapshot.complete_to(), time_zone }),
        id: state.book.clone(),
        day_from: state.settings.day_from.clone(),
        generation: state.generation.clone(),
        entry: state.newest_entry().unwrap_or(0),
        committed_at,
        changes,
        made_at,
        sources: state.topics.iter().map(|(name, topic)| (name.clone(), topic.source)).collect(),
        lost: lost(state),
        rejects: Arc::new(rejects),
    }
}

fn lost(state: &State) -> BTreeMap<Partition, Lost> {
    let positions = state.topics.iter().flat_map(|(topic, known)| {
        known.positions.iter().map(|(number, position)| (Partition { topic: topic.clone(), number: *number }, position))
    });
    positions.filter_map(|(partition, position)| Some((partition, position.lost?))).collect()
}

/// Follows the log as long as the process lives.
pub(super) fn begin(board: Arc<Board>, mut following: Following) {
    let follow = move || {
        let mut said = String::new();
        loop {
            match look(&board, &mut following) {
                Ok(()) => said.clear(),
                Err(error) => {
                    // Once, however often it comes again.
                    let text = error.to_string();
                    if text != said {
                        warn!(error = text, "could not follow the book; its answers stay what they were");
                        said = text;
                    }
                }
            }
            if following.rejects.read(|| Ok(Snapshot::take(&board.book)?)) {
                let rejects = Arc::new(following.rejects.sums().clone());
                board.set_durable(Durable { rejects, ..Durable::clone(&board.durable()) });
            }
            thread::sleep(LOOK_AGAIN);
        }
    };
    thread::Builder::new().name("serve-follow".to_owned()).spawn(follow).expect("a thread can be started");
}

/// Looks once. What was found counts as known only when it stands on the board: a failure before is made good by the next look.
fn look(board: &Board, following: &mut Following) -> Result<(), ServeError> {
    let snapshot = match following.follower.look()? {
        Found::Nothing => return Ok(()),
        Found::Entries(entries, snapshot) => {
            if !is_read(board, &snapshot) {
                return following.hold(&snapshot);
            }
            following.rejects.add(&entries);
            following.rejects.read(|| Ok(Snapshot::take(&board.book)?));
            advance(board, &entries, &snapshot, following.rejects.sums());
            snapshot
        }
        Found::Another(snapshot) => {
            if !is_read(board, &snapshot) {
                return following.hold(&snapshot);
            }
            let (totals, rejects) = (Totals::read(&snapshot)?, PendingRejects::all(&snapshot)?);
            let durable = durable_of(&board.book, &snapshot, totals, RejectSums::default());
            following.rejects = rejects;
            match serves_run(board, &snapshot) {
                true => board.set_durable(durable),
                // Whatever was told before is of a book that was here then.
                false => board.end_live(durable),
            }
            snapshot
        }
    };
    following.held_since = None;
    following.follower.accept(&snapshot);
    Ok(())
}

/// Whether what the run of this process has committed is told as read, as it must be before it is told as durable: epochs
/// come on another thread, a moment earlier or later. What others have committed waits for nothing.
fn is_read(board: &Board, snapshot: &Snapshot) -> bool {
    if !serves_run(board, snapshot) {
        return true;
    }
    let positions = snapshot.complete_to().positions;
    (0..LOOKS).any(|_| {
        let is_read = board.live().is_none_or(|live| live.partitions.reach(&positions));
        if !is_read {
            thread::sleep(LOOK_AGAIN / LOOKS);
        }
        is_read
    })
}

/// Whether a run is served here, and the book is still its own.
fn serves_run(board: &Board, snapshot: &Snapshot) -> bool {
    let is_own = |run: &RunView| run.generation == snapshot.state().generation;
    board.live().is_some() && board.run.as_ref().is_some_and(is_own)
}

fn advance(board: &Board, entries: &[Entry], snapshot: &Snapshot, rejects: &RejectSums) {
    let before = board.durable();
    let mut totals = before.moment.totals.clone();
    let cells = entries.iter().flat_map(|entry| add_deltas(&mut totals, entry)).collect();
    let commit = entries.iter().rev().find(|entry| entry.kind == EntryKind::Commit);
    let told = Told {
        committed_at: commit.map(|commit| commit.written_at).or(before.committed_at),
        changes: commit.map(changes).or(before.changes),
        made_at: before.made_at,
    };
    let durable = at(snapshot, totals, told, rejects.clone());
    if serves_run(board, snapshot) {
        return board.set_durable(durable);
    }
    if board.live().is_some() {
        return board.end_live(durable);
    }
    board.set_durable(durable);
    let read = entries.iter().flat_map(|entry| entry.topics.values()).flat_map(|topic| topic.positions.values());
    if let Some(commit) = commit {
        // By the writer's clock: since when they were read.
        let took =
            before.committed_at.or(before.made_at).map_or(0, |before| commit.written_at.saturating_sub(before).max(0));
        let now = now_micros();
        board.rate().add(now.saturating_sub(took), now, read.map(|read| read.records).sum());
    }
    board.frames.publish(Frame::of(View::of(board)), cells);
}

fn add_deltas(totals: &mut Totals, entry: &Entry) -> Vec<Cell> {
    let deltas = entry.deltas.iter().map(|delta| {
        let key = CountKey { day: delta.0, schema: delta.1.clone(), table: delta.2.clone(), op: delta.3 };
        totals.add(&key, delta.4.unsigned_abs())
    });
    deltas.collect()
}
