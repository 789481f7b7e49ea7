//! What the clients of the stream are sent: one state after another, and the counts that changed between them.
//!
//! For each client only the number of the last frame that it was sent is kept, so a slow client costs nothing: its next event is
//! the difference to the newest frame, or a snapshot when that difference is no longer known. Clients that watch the same counts
//! and keep up share one text.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::watch;

use super::changes::Changes;
use crate::query::{CountId, Filter, ViewGroup};
use crate::server::state::snapshot::StateSnapshot;

/// Frames whose changes are kept; those of many counts are fewer.
const MAX_FRAMES: usize = 20_000;
/// Changes that are kept, over all frames: of a group it is what it held then.
const MAX_CELLS: usize = 1_000_000;

/// Bytes of texts that are kept of one frame.
pub(in crate::server) const MAX_TEXT_BYTES: usize = 16 << 20;
/// About what else it costs to keep one.
const TEXT_OVERHEAD: usize = 256;

/// The shortest time between two frames of a run: less than that of its epochs, so that each is sent when it arrives.
const MIN_INTERVAL: Duration = Duration::from_millis(8);
/// The longest.
const MAX_INTERVAL: Duration = Duration::from_secs(4);
/// Bytes a second that all clients together are sent: more would slow down a run that catches up.
const BYTES_PER_SECOND: usize = 16 << 20;
/// As how many bytes an event counts beside its own: waking and writing for a client. 400 clients are sent ten frames a second.
const EVENT_COST: usize = 4 << 10;

/// A state with its number.
#[derive(Clone)]
pub(in crate::server) struct Frame {
    /// The epoch of a run, or the number of an entry; always grows.
    pub(in crate::server) number: u64,
    /// The state.
    pub(in crate::server) snapshot: Arc<StateSnapshot>,
}

impl Frame {
    pub(in crate::server) fn of(snapshot: StateSnapshot) -> Frame {
        let number = snapshot.live.as_ref().map_or(snapshot.durable.entry, |live| live.epoch);
        Frame { number, snapshot: Arc::new(snapshot) }
    }
}

/// The newest frame, and what changed before it.
pub(in crate::server) struct Frames {
    /// Distinguishes this server's frames from those of an earlier process, which may have the same numbers.
    server: String,
    history: Mutex<FrameHistory>,
    newest: watch::Sender<u64>,
}

struct FrameHistory {
    frame: Frame,
    /// By frame, the newest last: what changed since the one before.
    changes: VecDeque<(u64, Arc<Changes>)>,
    cells: usize,
    /// All changes after this frame are kept.
    known_from: u64,
    /// Texts of differences to the newest frame, by what is watched and the frame they start from.
    texts: HashMap<(String, u64), Bytes>,
    /// Bytes of these, with their keys.
    text_bytes: usize,
    /// Bytes of the newest frame that clients were sent, with [`EVENT_COST`] for each.
    sent_bytes: usize,
}

/// The difference between a frame and the newest one.
pub(in crate::server) enum FrameDelta {
    /// Its text was made for another client: the newest frame's number, and the text.
    Text(u64, Bytes),
    /// What changed.
    Changed(FrameChanges),
    /// It is no longer known.
    Unknown,
}

/// What changed between two frames.
pub(in crate::server) struct FrameChanges {
    since: u64,
    /// The second of them.
    pub(in crate::server) frame: Frame,
    changes: Vec<Arc<Changes>>,
}

impl FrameChanges {
    /// How many counts changed; one that changed twice is there twice.
    pub(in crate::server) fn counts(&self) -> usize {
        self.changes.iter().map(|changes| changes.counts.len()).sum()
    }

    /// The counts that changed, as rows in JSON.
    pub(in crate::server) fn counts_json(&self, filter: &Filter) -> Vec<u8> {
        let counts: Vec<CountId> = self.changes.iter().flat_map(|changes| &changes.counts).copied().collect();
        self.frame.snapshot.counts().totals.counts_json(&counts, filter)
    }

    /// The groups that changed of a view, by the load that brought it into memory; one that changed twice is there twice.
    pub(in crate::server) fn groups(&self, load: u64) -> impl Iterator<Item = &Arc<ViewGroup>> {
        self.changes.iter().flat_map(move |changes| changes.groups(load))
    }
}

impl FrameHistory {
    fn clear_texts(&mut self) {
        self.texts.clear();
        (self.text_bytes, self.sent_bytes) = (0, 0);
    }

    /// Makes a frame the newest one. Its number is raised above the last one: a book that was created again starts with low
    /// numbers, and a client that was sent frames of the old book must not match frames of the new one.
    fn push(&mut self, frame: Frame) -> u64 {
        let number = frame.number.max(self.frame.number + 1);
        self.frame = Frame { number, ..frame };
        number
    }
}

impl Frames {
    pub(in crate::server) fn new(frame: Frame) -> Frames {
        let server = uuid::Uuid::new_v4().simple().to_string()[..8].to_owned();
        let number = frame.number;
        let history = FrameHistory {
            frame,
            changes: VecDeque::new(),
            cells: 0,
            known_from: number,
            texts: HashMap::new(),
            text_bytes: 0,
            sent_bytes: 0,
        };
        Frames { server, history: Mutex::new(history), newest: watch::Sender::new(number) }
    }

    /// Publishes a frame, given what changed since the one before.
    pub(in crate::server) fn publish(&self, frame: Frame, changes: Changes) {
        let mut history = self.history();
        let number = history.push(frame);
        history.cells += changes.len();
        history.changes.push_back((number, Arc::new(changes)));
        while history.changes.len() > MAX_FRAMES || history.cells > MAX_CELLS {
            let Some((number, changes)) = history.changes.pop_front() else { break };
            history.cells -= changes.len();
            history.known_from = number;
        }
        history.clear_texts();
        drop(history);
        self.newest.send_replace(number);
    }

    /// Publishes a frame that is unrelated to those before it.
    pub(in crate::server) fn restart(&self, frame: Frame) {
        let mut history = self.history();
        let number = history.push(frame);
        history.changes.clear();
        (history.cells, history.known_from) = (0, number);
        history.clear_texts();
        drop(history);
        self.newest.send_replace(number);
    }

    /// Wakes for each new frame.
    pub(in crate::server) fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// How long the newest frame should stay the newest, given how long it took to make: what clients are sent of it puts off the next
    /// one, and making frames takes a tenth of the time at most (a state of many days is copied where it changes).
    pub(in crate::server) fn interval(&self, last_cost: Duration) -> Duration {
        let seconds = self.history().sent_bytes as f64 / BYTES_PER_SECOND as f64;
        Duration::from_secs_f64(seconds).max(last_cost * 9).clamp(MIN_INTERVAL, MAX_INTERVAL)
    }

    /// The newest frame.
    pub(in crate::server) fn newest(&self) -> Frame {
        self.history().frame.clone()
    }

    /// The id under which clients know a frame.
    pub(in crate::server) fn id(&self, number: u64) -> String {
        format!("{number}-{}", self.server)
    }

    /// The frame with this id, if all changes since then are known.
    pub(in crate::server) fn resume(&self, id: &str) -> Option<u64> {
        let (number, server) = id.split_once('-')?;
        let number = number.parse().ok().filter(|_| server == self.server)?;
        let history = self.history();
        (history.known_from <= number && number <= history.frame.number).then_some(number)
    }

    /// The difference between a frame and the newest; `watched` names what is watched, filter and encoding.
    pub(in crate::server) fn since(&self, number: u64, watched: &str) -> FrameDelta {
        let mut history = self.history();
        let newest = history.frame.number;
        if number < history.known_from || number > newest {
            return FrameDelta::Unknown;
        }
        if let Some(text) = history.texts.get(&(watched.to_owned(), number)).cloned() {
            history.sent_bytes += EVENT_COST + text.len();
            return FrameDelta::Text(newest, text);
        }
        let after = history.changes.iter().rev().take_while(|(changed, _)| *changed > number);
        let changes = after.map(|(_, changes)| Arc::clone(changes)).collect();
        FrameDelta::Changed(FrameChanges { since: number, frame: history.frame.clone(), changes })
    }

    /// Keeps the text of a difference for clients that watch the same, up to a limit: a frame may be the newest for hours.
    pub(in crate::server) fn keep_text(&self, changes: &FrameChanges, watched: &str, text: &Bytes) {
        let mut history = self.history();
        // A text that was finished after the next frame costs as much.
        history.sent_bytes += EVENT_COST + text.len();
        if history.frame.number != changes.frame.number {
            return;
        }
        let bytes = text.len() + watched.len() + TEXT_OVERHEAD;
        if history.text_bytes + bytes <= MAX_TEXT_BYTES {
            history.text_bytes += bytes;
            history.texts.insert((watched.to_owned(), changes.since), text.clone());
        }
    }

    fn history(&self) -> MutexGuard<'_, FrameHistory> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{CountKey, Day, Operation, TableName};
    use crate::query::Totals;

    fn frame(number: u64, totals: &Totals) -> Frame {
        Frame { number, snapshot: Arc::new(StateSnapshot::holding(totals)) }
    }

    fn empty(number: u64) -> Frame {
        frame(number, &Totals::default())
    }

    #[test]
    fn the_text_of_a_difference_is_made_once_for_clients_that_watch_the_same() {
        let frames = Frames::new(empty(1));
        let mut totals = Totals::default();
        let key = |table: &str| CountKey {
            day: Day::EPOCH,
            table: Arc::new(TableName::new("public", table)),
            op: Operation::Insert,
        };
        for (number, table) in [(2, "a"), (3, "b"), (4, "a")] {
            let changes = Changes::of_counts(vec![totals.add(&key(table), number)]);
            frames.publish(frame(number, &totals), changes);
        }
        let FrameDelta::Changed(difference) = frames.since(2, "all") else { panic!("both changes are known") };
        assert_eq!((difference.counts(), difference.frame.number), (2, 4));
        let rows = String::from_utf8(difference.counts_json(&Filter::default())).expect("text");
        assert!(rows.contains(r#""count":6,"day":"1970-01-01","op":"INSERT","schema":"public","table":"a""#), "{rows}");
        let text = Bytes::from(rows);
        frames.keep_text(&difference, "all", &text);
        assert!(matches!(frames.since(2, "all"), FrameDelta::Text(4, known) if known == text));
        assert!(
            matches!(frames.since(3, "all"), FrameDelta::Changed(_))
                && matches!(frames.since(2, "some"), FrameDelta::Changed(_))
        );
        assert!(
            matches!(frames.since(0, "all"), FrameDelta::Unknown)
                && matches!(frames.since(5, "all"), FrameDelta::Unknown)
        );
        // However many clients come back with other filters, few texts are kept.
        let large = Bytes::from(vec![b'x'; MAX_TEXT_BYTES / 4]);
        for watched in ["w", "x", "y", "z"] {
            frames.keep_text(&difference, watched, &large);
        }
        assert!(
            matches!(frames.since(2, "y"), FrameDelta::Text(..))
                && matches!(frames.since(2, "z"), FrameDelta::Changed(_))
        );
        // A text of one frame is not used for the next, nor is a text that arrives late.
        frames.publish(empty(5), Changes::default());
        frames.keep_text(&difference, "all", &text);
        assert!(matches!(frames.since(2, "all"), FrameDelta::Changed(_)));
    }

    #[test]
    fn many_clients_are_sent_fewer_frames() {
        let frames = Frames::new(empty(1));
        frames.publish(empty(2), Changes::default());
        assert_eq!(frames.interval(Duration::ZERO), MIN_INTERVAL);
        let FrameDelta::Changed(difference) = frames.since(1, "all") else { panic!("the change is known") };
        frames.keep_text(&difference, "all", &Bytes::from_static(b"rows"));
        for _ in 1..400 {
            assert!(matches!(frames.since(1, "all"), FrameDelta::Text(..)));
        }
        let interval = frames.interval(Duration::ZERO);
        assert!((90..110).contains(&interval.as_millis()), "{interval:?}");
        frames.publish(empty(3), Changes::default());
        assert_eq!(frames.interval(Duration::ZERO), MIN_INTERVAL);
        // A large text is finished after the next frame.
        frames.keep_text(&difference, "all", &Bytes::from(vec![b'x'; 8 << 20]));
        assert!(frames.interval(Duration::ZERO) >= Duration::from_millis(500));
        // So does a state that takes long to copy, up to a limit.
        frames.publish(empty(4), Changes::default());
        let costs = [1, 30, 3_000].map(|millis| frames.interval(Duration::from_millis(millis)).as_millis());
        assert_eq!(costs, [9, 270, 4_000]);
    }

    #[test]
    fn a_client_that_was_sent_another_book_starts_again() {
        let frames = Frames::new(empty(40));
        let known = frames.id(40);
        assert_eq!(frames.resume(&known), Some(40));
        let mut newest = frames.watch();
        newest.mark_unchanged();
        for again in [40, 60, 3] {
            frames.restart(empty(again));
            assert_eq!(frames.resume(&known), None, "{again}");
            assert!(newest.has_changed().expect("the sender exists") && *newest.borrow_and_update() > 40);
        }
        let number = frames.newest().number;
        frames.publish(empty(4), Changes::default());
        assert!(frames.newest().number > number);
        assert_eq!(frames.resume(&frames.id(number)), Some(number));
    }
}
