//! The epochs that a run closes, folded into what is live.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::board::{Board, Live};
use super::frames::Frame;
use super::moment::Moment;
use super::view::{View, now_micros};
use crate::book::{CompleteTo, Level};
use crate::live::ClosedEpoch;
use crate::query::Cell;

/// Changed counts that are kept for the next frame before those that changed again are put together.
const MANY_CELLS: usize = 100_000;

/// Folds epochs until the run ends.
pub(super) fn begin(board: Arc<Board>, epochs: Receiver<ClosedEpoch>) {
    let fold = move || {
        let mut folder = Folder { board, cells: Vec::new(), has_news: false, last: Instant::now() };
        loop {
            let wait = folder.due().map_or(Duration::MAX, |due| due.saturating_duration_since(Instant::now()));
            match epochs.recv_timeout(wait) {
                // Those that wait are one step: nobody could have seen the moments between.
                Ok(first) => folder.fold(std::iter::once(first).chain(epochs.try_iter())),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return folder.show(),
            }
            folder.show_if_due();
        }
    };
    thread::Builder::new().name("serve-live".to_owned()).spawn(fold).expect("a thread can be started");
}

struct Folder {
    board: Arc<Board>,
    /// What changed since the last frame.
    cells: Vec<Cell>,
    /// Whether an epoch was closed since then.
    has_news: bool,
    last: Instant,
}

impl Folder {
    fn fold(&mut self, epochs: impl Iterator<Item = ClosedEpoch>) {
        let board = Arc::clone(&self.board);
        board.with_live(|before| Some(self.folded(before, epochs)));
    }

    fn folded(&mut self, before: &Live, epochs: impl Iterator<Item = ClosedEpoch>) -> Live {
        let mut totals = before.moment.totals.clone();
        let mut partitions = before.partitions.clone();
        let (mut epoch, mut rejects, mut records) = (before.epoch, before.rejects, 0);
        for closed in epochs {
            epoch = closed.epoch;
            self.cells.extend(closed.totals.iter().map(|(key, total)| totals.set(key, *total)));
            for (partition, interval) in closed.positions {
                partitions.moved(partition, interval);
            }
            for told in closed.tallies {
                rejects += told.tally.rejects;
                records += told.tally.records();
                if let Some(kafka_time) = told.kafka_time {
                    partitions.read_at(&told.partition, kafka_time);
                }
            }
        }
        if self.cells.len() > MANY_CELLS {
            self.cells.sort_unstable();
            self.cells.dedup();
        }
        let now = now_micros();
        let durable = self.board.durable();
        let complete_to = CompleteTo {
            commit: durable.moment.complete_to.commit,
            positions: partitions.positions(),
            commit_time: durable.moment.complete_to.commit_time,
            level: Level::Live { epoch },
        };
        let moment = Arc::new(Moment { totals, complete_to, time_zone: before.moment.time_zone.clone() });
        self.board.rate().add(before.closed_at, now, records);
        self.has_news = true;
        Live { moment, epoch, closed_at: now, partitions, rejects }
    }

    fn show_if_due(&mut self) {
        if self.due().is_some_and(|due| due <= Instant::now()) {
            self.show();
        }
    }

    /// When the next frame is due; none while there is nothing to show. What watchers take meanwhile may put it off.
    fn due(&self) -> Option<Instant> {
        self.has_news.then(|| self.last + self.board.frames.pause())
    }

    fn show(&mut self) {
        self.has_news = false;
        self.last = Instant::now();
        let mut cells = std::mem::take(&mut self.cells);
        self.board.with_live(|_live| {
            cells.sort_unstable();
            cells.dedup();
            self.board.frames.publish(Frame::of(View::of(&self.board)), cells);
            None
        });
    }
}
