//! When an epoch closes, when a commit ends, when the run does: a function of requests and times, without a clock of its own.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tracing::info;

use crate::change::{
    Accumulators, CommitNumber, CountKey, GroupKey, GroupValue, LeaderCommand, PartitionStart, Start, TickRequest,
};

/// How long an epoch with records stays open at least in a run with a server: each tick costs processor time.
const SHORTEST_EPOCH: Duration = Duration::from_millis(10);
/// How long it stays open while a worker has more records to read, and in a run without a server.
const BUSY_EPOCH: Duration = Duration::from_millis(100);
/// How long an epoch stays open when no records arrive.
const IDLE_EPOCH: Duration = Duration::from_secs(1);

/// What a book has when a run begins.
#[derive(Debug, Default)]
pub struct InitialContents {
    /// All counts.
    pub counts: Vec<(CountKey, i64)>,
    /// The groups of all views, where what counts distinct values is empty, and those values.
    pub views: (Vec<(GroupKey, Accumulators)>, Vec<GroupValue>),
}

/// What the clock sends to the operator that leads.
#[derive(Debug)]
pub enum ClockEvent {
    /// The run begins, with what the book has.
    Start(Start, InitialContents),
    /// An epoch ends; the next one belongs to this commit.
    Tick(CommitNumber),
    /// Any other command for all workers.
    Command(LeaderCommand),
}

/// What changes a schedule.
#[derive(Debug)]
pub enum ClockInput {
    /// A worker's request.
    Request(TickRequest),
    /// Partitions that appeared.
    Partitions(Vec<PartitionStart>),
}

/// How often ticks are sent.
#[derive(Clone, Copy, Debug)]
pub struct TickIntervals {
    commit: Duration,
    shortest_epoch: Duration,
}

impl TickIntervals {
    /// For a run with a server: an epoch is closed as soon as all records that have arrived are read.
    pub fn served(commit: Duration) -> TickIntervals {
        TickIntervals { commit, shortest_epoch: SHORTEST_EPOCH }
    }

    /// For a run without a server: its epochs become visible only by commits.
    pub fn unserved(commit: Duration) -> TickIntervals {
        TickIntervals { commit, shortest_epoch: BUSY_EPOCH }
    }
}

/// Decides when ticks are sent, and to which commit the next epoch belongs.
#[derive(Debug)]
pub struct TickSchedule {
    commit: CommitNumber,
    intervals: TickIntervals,
    commit_begin: Instant,
    epoch_begin: Instant,
    epoch_length: Duration,
    /// The workers that may have more records at hand.
    flowing: HashSet<usize>,
    is_busy: bool,
    is_stopping: bool,
}

impl TickSchedule {
    /// The schedule of a run whose first epoch, at `now`, belongs to `commit`.
    pub fn new(commit: CommitNumber, intervals: TickIntervals, now: Instant) -> TickSchedule {
        TickSchedule {
            commit,
            intervals,
            commit_begin: now,
            epoch_begin: now,
            // The first epoch is short, so that the first records are soon visible.
            epoch_length: BUSY_EPOCH,
            flowing: HashSet::new(),
            is_busy: false,
            is_stopping: false,
        }
    }

    /// When to call [`TickSchedule::advance`] if no input comes before.
    pub fn due(&self) -> Instant {
        (self.epoch_begin + self.epoch_length).min(self.commit_begin + self.intervals.commit)
    }

    /// What to send to the leader, in this order, after an input or at a time that is due.
    pub fn advance(&mut self, input: Option<ClockInput>, now: Instant) -> [Option<ClockEvent>; 2] {
        let mut commit_end = self.commit_begin + self.intervals.commit;
        let mut command = None;
        match input {
            Some(ClockInput::Request(TickRequest::Flowing(worker))) => {
                self.is_busy = true;
                self.flowing.insert(worker);
                self.epoch_length = BUSY_EPOCH;
            }
            Some(ClockInput::Request(TickRequest::CaughtUp(worker))) => {
                self.flowing.remove(&worker);
                // Not while another worker has more to read: more epochs would slow it down.
                if self.is_busy && self.flowing.is_empty() {
                    self.epoch_length = self.intervals.shortest_epoch;
                }
            }
            Some(ClockInput::Request(TickRequest::Full(full))) if full == self.commit => commit_end = now,
            // Each worker of the process that received the signal requests it.
            Some(ClockInput::Request(TickRequest::Stop)) if !self.is_stopping => {
                self.is_stopping = true;
                info!("asked to end: committing what is read");
                command = Some(LeaderCommand::Stop);
            }
            Some(ClockInput::Request(TickRequest::Full(_) | TickRequest::Stop)) | None => {}
            Some(ClockInput::Partitions(partitions)) => command = Some(LeaderCommand::Partitions(partitions)),
        }
        [command.map(ClockEvent::Command), self.tick(commit_end, now).map(ClockEvent::Tick)]
    }

    fn tick(&mut self, commit_end: Instant, now: Instant) -> Option<CommitNumber> {
        let commit_ends = now >= commit_end;
        if !commit_ends && now < self.epoch_begin + self.epoch_length {
            return None;
        }
        if commit_ends {
            self.commit += 1;
            self.commit_begin = now;
        }
        self.epoch_begin = now;
        self.epoch_length = if self.is_busy { BUSY_EPOCH } else { IDLE_EPOCH };
        self.is_busy = false;
        Some(self.commit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The commits that ticks name, from inputs at milliseconds.
    fn ticks(inputs: impl IntoIterator<Item = (u64, Option<TickRequest>)>) -> Vec<(u64, CommitNumber)> {
        let start = Instant::now();
        let mut schedule = TickSchedule::new(7, TickIntervals::served(Duration::from_secs(10)), start);
        let mut ticks = Vec::new();
        for (at, request) in inputs {
            let sent = schedule.advance(request.map(ClockInput::Request), start + Duration::from_millis(at));
            ticks.extend(sent.into_iter().flatten().filter_map(|event| match event {
                ClockEvent::Tick(commit) => Some((at, commit)),
                _ => None,
            }));
        }
        ticks
    }

    #[test]
    fn epochs_are_short_while_records_flow_and_long_when_none_do() {
        let flowing = |at| (at, Some(TickRequest::Flowing(0)));
        assert_eq!(ticks([(99, None), (100, None), (200, None), (1_099, None), (1_100, None)]), [(100, 7), (1_100, 7)]);
        assert_eq!(
            ticks([(100, None), flowing(150), (200, None), (300, None), (400, None)]),
            [(100, 7), (200, 7), (300, 7)]
        );
    }

    #[test]
    fn an_epoch_is_closed_soon_once_all_workers_with_records_have_read_them() {
        let flowing = |at, worker| (at, Some(TickRequest::Flowing(worker)));
        let caught_up = |at, worker| (at, Some(TickRequest::CaughtUp(worker)));
        // At once if the epoch has lasted long enough, else when it has.
        assert_eq!(
            ticks([
                (100, None),
                flowing(105, 0),
                caught_up(106, 0),
                (109, None),
                (110, None),
                flowing(150, 1),
                caught_up(151, 1)
            ]),
            [(100, 7), (110, 7), (151, 7)]
        );
        // One worker has more: the epoch lasts as long as one of a busy run.
        assert_eq!(
            ticks([(100, None), flowing(101, 0), flowing(102, 1), caught_up(120, 1), (199, None), (200, None)]),
            [(100, 7), (200, 7)]
        );
        // What arrives of an epoch that was closed meanwhile closes no empty one.
        assert_eq!(
            ticks([(100, None), flowing(120, 0), (200, None), caught_up(215, 0), (299, None)]),
            [(100, 7), (200, 7)]
        );
    }

    #[test]
    fn a_commit_ends_after_its_interval_or_when_it_is_full() {
        let full = |at, commit| (at, Some(TickRequest::Full(commit)));
        assert_eq!(ticks([(9_000, None), (10_000, None), (19_999, None)]), [(9_000, 7), (10_000, 8), (19_999, 8)]);
        // A request for a commit that has ended changes nothing.
        assert_eq!(ticks([full(50, 7), full(60, 7), full(70, 8)]), [(50, 8), (70, 9)]);
    }

    #[test]
    fn a_stop_is_sent_once() {
        let now = Instant::now();
        let mut schedule = TickSchedule::new(1, TickIntervals::served(Duration::from_secs(10)), now);
        let mut stops = || {
            let sent = schedule.advance(Some(ClockInput::Request(TickRequest::Stop)), now);
            sent.into_iter().flatten().count()
        };
        assert_eq!((stops(), stops()), (1, 0));
    }
}
