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

use super::view::View;
use crate::query::{Cell, Filter};

/// Frames whose changes are remembered.
const FRAMES: usize = 2_000;
/// Changes that are remembered, over all frames.
const CELLS: usize = 200_000;

/// Bytes of texts that are kept of one frame.
pub(super) const KEPT: usize = 16 << 20;
/// About what else it costs to keep one.
const OVERHEAD: usize = 256;

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
    /// What it is, and what is told beside it.
    pub(super) view: Arc<View>,
}

impl Frame {
    pub(super) fn of(view: View) -> Frame {
        let number = view.live.as_ref().map_or(view.durable.entry, |live| live.epoch);
        Frame { number, view: Arc::new(view) }
    }
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
    changes: VecDeque<(u64, Arc<[Cell]>)>,
    cells: usize,
    /// All changes after this frame are remembered.
    known_from: u64,
    /// Differences to the newest frame that were told already, by what is watched and the frame they begin at.
    told: HashMap<(String, u64), Bytes>,
    /// Bytes of these, with their keys.
    kept_bytes: usize,
    /// Bytes of the newest frame that watchers were told.
    told_bytes: usize,
}

/// What is known of the difference between a frame and the newest.
pub(super) enum Since {
    /// Somebody was told already: the newest frame's number, and the text.
    Told(u64, Bytes),
    /// What changed.
    Changed(Difference),
    /// It is not known any more.
    Unknown,
}

/// What changed between two frames.
pub(super) struct Difference {
    since: u64,
    /// The second of them.
    pub(super) frame: Frame,
    changes: Vec<Arc<[Cell]>>,
}

impl Difference {
    /// How many changes it has; counts that changed again are among them twice.
    pub(super) fn len(&self) -> usize {
        self.changes.iter().map(|cells| cells.len()).sum()
    }

    /// The counts that changed, as rows in JSON.
    pub(super) fn rows(&self, filter: &Filter) -> Vec<u8> {
        let cells: Vec<Cell> = self.changes.iter().flat_map(|cells| cells.iter()).copied().collect();
        self.frame.view.moment().totals.cells_json(&cells, filter)
    }
}

impl Ring {
    fn forget_told(&mut self) {
        self.told.clear();
        (self.kept_bytes, self.told_bytes) = (0, 0);
    }

    /// Takes the newest frame. Numbers always grow: a book that was made again begins with low ones, and whoever was told
    /// of the one before must not be taken for somebody who was told of this one.
    fn take(&mut self, frame: Frame) -> u64 {
        let number = frame.number.max(self.frame.number + 1);
        self.frame = Frame { number, ..frame };
        number
    }
}

impl Frames {
    pub(super) fn new(frame: Frame) -> Frames {
        let server = uuid::Uuid::new_v4().simple().to_string()[..8].to_owned();
        let number = frame.number;
        let ring = Ring {
            frame,
            changes: VecDeque::new(),
            cells: 0,
            known_from: number,
            told: HashMap::new(),
            kept_bytes: 0,
            told_bytes: 0,
        };
        Frames { server, ring: Mutex::new(ring), newest: watch::Sender::new(number) }
    }

    /// Publishes a frame, given what changed since the one before.
    pub(super) fn publish(&self, frame: Frame, changes: Vec<Cell>) {
        let mut ring = self.ring();
        let number = ring.take(frame);
        ring.cells += changes.len();
        ring.changes.push_back((number, changes.into()));
        while ring.changes.len() > FRAMES || ring.cells > CELLS {
            let Some((number, cells)) = ring.changes.pop_front() else { break };
            ring.cells -= cells.len();
            ring.known_from = number;
        }
        ring.forget_told();
        drop(ring);
        self.newest.send_replace(number);
    }

    /// Publishes a frame that has nothing to do with those before.
    pub(super) fn begin_anew(&self, frame: Frame) {
        let mut ring = self.ring();
        let number = ring.take(frame);
        ring.changes.clear();
        (ring.cells, ring.known_from) = (0, number);
        ring.forget_told();
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

    /// The difference between a frame and the newest; `watched` names what is watched, filter and all.
    pub(super) fn since(&self, number: u64, watched: &str) -> Since {
        let mut ring = self.ring();
        let newest = ring.frame.number;
        if number < ring.known_from || number > newest {
            return Since::Unknown;
        }
        if let Some(told) = ring.told.get(&(watched.to_owned(), number)).cloned() {
            ring.told_bytes += told.len();
            return Since::Told(newest, told);
        }
        let after = ring.changes.iter().rev().take_while(|(changed, _)| *changed > number);
        let changes = after.map(|(_, cells)| Arc::clone(cells)).collect();
        Since::Changed(Difference { since: number, frame: ring.frame.clone(), changes })
    }

    /// Keeps the text of a difference for others who watch the same, unless many are kept: a frame may be the newest for hours.
    pub(super) fn keep(&self, difference: &Difference, watched: &str, text: &Bytes) {
        let mut ring = self.ring();
        if ring.frame.number != difference.frame.number {
            return;
        }
        ring.told_bytes += text.len();
        let bytes = text.len() + watched.len() + OVERHEAD;
        if ring.kept_bytes + bytes <= KEPT {
            ring.kept_bytes += bytes;
            ring.told.insert((watched.to_owned(), difference.since), text.clone());
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{CountKey, Day, Operation};
    use crate::query::Totals;

    fn frame(number: u64, totals: &Totals) -> Frame {
        Frame { number, view: Arc::new(View::holding(totals)) }
    }

    fn empty(number: u64) -> Frame {
        frame(number, &Totals::default())
    }

    #[test]
    fn a_difference_is_told_once_to_those_who_watch_the_same() {
        let frames = Frames::new(empty(1));
        let mut totals = Totals::default();
        let key = |table: &str| CountKey {
            day: Day::EPOCH,
            schema: "public".to_owned(),
            table: table.to_owned(),
            op: Operation::Insert,
        };
        for (number, table) in [(2, "a"), (3, "b"), (4, "a")] {
            let changes = vec![totals.add(&key(table), number)];
            frames.publish(frame(number, &totals), changes);
        }
        let Since::Changed(difference) = frames.since(2, "all") else { panic!("both changes are known") };
        assert_eq!((difference.len(), difference.frame.number), (2, 4));
        let rows = String::from_utf8(difference.rows(&Filter::default())).expect("text");
        assert!(rows.contains(r#""count":6,"day":"1970-01-01","op":"INSERT","schema":"public","table":"a""#), "{rows}");
        let text = Bytes::from(rows);
        frames.keep(&difference, "all", &text);
        assert!(matches!(frames.since(2, "all"), Since::Told(4, told) if told == text));
        assert!(
            matches!(frames.since(3, "all"), Since::Changed(_)) && matches!(frames.since(2, "some"), Since::Changed(_))
        );
        assert!(matches!(frames.since(0, "all"), Since::Unknown) && matches!(frames.since(5, "all"), Since::Unknown));
        // However many come back with other filters, few are kept.
        let large = Bytes::from(vec![b'x'; KEPT / 4]);
        for watched in ["w", "x", "y", "z"] {
            frames.keep(&difference, watched, &large);
        }
        assert!(matches!(frames.since(2, "y"), Since::Told(..)) && matches!(frames.since(2, "z"), Since::Changed(_)));
        // What was told of a frame is nothing for the next one, and neither is what comes late.
        frames.publish(empty(5), Vec::new());
        frames.keep(&difference, "all", &text);
        assert!(matches!(frames.since(2, "all"), Since::Changed(_)));
    }

    #[test]
    fn who_was_told_of_another_book_begins_anew() {
        let frames = Frames::new(empty(40));
        let known = frames.id(40);
        assert_eq!(frames.resume(&known), Some(40));
        let mut newest = frames.watch();
        newest.mark_unchanged();
        for again in [40, 60, 3] {
            frames.begin_anew(empty(again));
            assert_eq!(frames.resume(&known), None, "{again}");
            assert!(newest.has_changed().expect("it is there") && *newest.borrow_and_update() > 40);
        }
        let number = frames.newest().number;
        frames.publish(empty(4), Vec::new());
        assert!(frames.newest().number > number);
        assert_eq!(frames.resume(&frames.id(number)), Some(number));
    }
}
