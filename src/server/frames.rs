//! What those who watch are told: moments one after another, and what changed between them.
//!
//! A watcher keeps only the number of the frame that it was told last. So one that is slow costs nothing: what it is told
//! next is the difference to the newest frame, or everything, when that difference is not known any more. Watchers of the
//! same counts who keep pace share one text.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::watch;

use super::moment::Moment;
use crate::query::{Cell, Filter};

/// Frames whose changes are remembered.
const FRAMES: usize = 2_000;
/// Changes that are remembered, over all frames.
const CELLS: usize = 200_000;

/// The shortest time between two frames of a run: nearly that of its epochs, so that each is told when it is there.
const SHORTEST_PAUSE: Duration = Duration::from_millis(90);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// Bytes that all watchers together are told in a second: more would take from the run what it needs to catch up.
const BYTES_PER_SECOND: usize = 16 << 20;

/// A moment with its number.
#[derive(Clone)]
pub(super) struct Frame {
    /// The epoch of a run, or the number of an entry; grows.
    pub(super) number: u64,
    /// What it is.
    pub(super) moment: Arc<Moment>,
}

/// The newest frame, and what changed before it.
pub(super) struct Frames {
    /// Tells this server's frames from those of one before, whose numbers may be the same.
    server: String,
    ring: Mutex<Ring>,
    newest: watch::Sender<u64>,
}

struct Ring {
    frame: Frame,
    /// By frame, the newest last: what changed since the one before.
    changes: VecDeque<(u64, Vec<Cell>)>,
    cells: usize,
    /// All changes after this frame are remembered.
    known_from: u64,
    /// Differences to the newest frame that were told already, by what is watched and the frame they begin at.
    told: HashMap<(String, u64), Bytes>,
    /// Bytes of the newest frame that watchers were told.
    told_bytes: usize,
}

impl Ring {
    /// Takes the newest frame. Numbers always grow: a book that was made again begins with low ones, and whoever was told
    /// of the one before must not be taken for somebody who was told of this one.
    fn take(&mut self, frame: Frame) -> u64 {
        let number = frame.number.max(self.frame.number + 1);
        self.frame = Frame { number, ..frame };
        number
    }
}

impl Frames {
    pub(super) fn new(number: u64, moment: Arc<Moment>) -> Frames {
        let server = uuid::Uuid::new_v4().simple().to_string()[..8].to_owned();
        let ring = Ring {
            frame: Frame { number, moment },
            changes: VecDeque::new(),
            cells: 0,
            known_from: number,
            told: HashMap::new(),
            told_bytes: 0,
        };
        Frames { server, ring: Mutex::new(ring), newest: watch::Sender::new(number) }
    }

    /// Publishes a frame, given what changed since the one before.
    pub(super) fn publish(&self, frame: Frame, changes: Vec<Cell>) {
        let mut ring = self.ring();
        let number = ring.take(frame);
        ring.cells += changes.len();
        ring.changes.push_back((number, changes));
        while ring.changes.len() > FRAMES || ring.cells > CELLS {
            let Some((number, cells)) = ring.changes.pop_front() else { break };
            ring.cells -= cells.len();
            ring.known_from = number;
        }
        ring.told.clear();
        ring.told_bytes = 0;
        drop(ring);
        self.newest.send_replace(number);
    }

    /// Publishes a frame that has nothing to do with those before.
    pub(super) fn begin_anew(&self, frame: Frame) {
        let mut ring = self.ring();
        let number = ring.take(frame);
        ring.changes.clear();
        (ring.cells, ring.known_from) = (0, number);
        ring.told.clear();
        ring.told_bytes = 0;
        drop(ring);
        self.newest.send_replace(number);
    }

    /// Wakes whenever there is a new frame.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// How long the newest frame should stay the newest.
    pub(super) fn pause(&self) -> Duration {
        let seconds = self.ring().told_bytes as f64 / BYTES_PER_SECOND as f64;
        Duration::from_secs_f64(seconds).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
    }

    /// The newest frame.
    pub(super) fn newest(&self) -> Frame {
        self.ring().frame.clone()
    }

    /// What a watcher is told as the number of a frame.
    pub(super) fn id(&self, number: u64) -> String {
        format!("{number}-{}", self.server)
    }

    /// The frame of an id, if the changes since then are known.
    pub(super) fn resume(&self, id: &str) -> Option<u64> {
        let (number, server) = id.split_once('-')?;
        let number = number.parse().ok().filter(|_| server == self.server)?;
        let ring = self.ring();
        (ring.known_from <= number && number <= ring.frame.number).then_some(number)
    }

    /// The difference between a frame and the newest, with that one's number; no text when it is not known any more.
    ///
    /// `tell` makes the text of a frame and its changed counts; `watched` names what is watched, filter and all.
    pub(super) fn since(
        &self,
        number: u64,
        watched: &str,
        filter: &Filter,
        tell: impl FnOnce(&Frame, Vec<u8>) -> Bytes,
    ) -> (u64, Option<Bytes>) {
        let mut ring = self.ring();
        let newest = ring.frame.number;
        if number < ring.known_from || number > newest {
            return (newest, None);
        }
        let key = (watched.to_owned(), number);
        if let Some(told) = ring.told.get(&key).cloned() {
            ring.told_bytes += told.len();
            return (newest, Some(told));
        }
        let after = ring.changes.iter().rev().take_while(|(changed, _)| *changed > number);
        let cells: Vec<Cell> = after.flat_map(|(_, cells)| cells).copied().collect();
        let frame = ring.frame.clone();
        let text = tell(&frame, frame.moment.totals.cells_json(&cells, filter));
        ring.told_bytes += text.len();
        ring.told.insert(key, text.clone());
        (newest, Some(text))
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::book::{CompleteTo, Level};
    use crate::query::Totals;

    fn frame(number: u64) -> Frame {
        let complete_to =
            CompleteTo { commit: number, positions: BTreeMap::new(), commit_time: None, level: Level::Durable };
        let moment = Moment { totals: Totals::default(), complete_to, time_zone: "UTC".to_owned() };
        Frame { number, moment: Arc::new(moment) }
    }

    #[test]
    fn who_was_told_of_another_book_begins_anew() {
        let frames = Frames::new(40, frame(40).moment);
        let known = frames.id(40);
        assert_eq!(frames.resume(&known), Some(40));
        let mut newest = frames.watch();
        newest.mark_unchanged();
        for again in [40, 60, 3] {
            frames.begin_anew(frame(again));
            assert_eq!(frames.resume(&known), None, "{again}");
            assert!(newest.has_changed().expect("it is there") && *newest.borrow_and_update() > 40);
        }
        let number = frames.newest().number;
        frames.publish(frame(4), Vec::new());
        assert!(frames.newest().number > number);
        assert_eq!(frames.resume(&frames.id(number)), Some(number));
    }
}
