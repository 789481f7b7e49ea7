//! The run of this process, as far as its epochs and commits do not show it: what its source answers and how far it is behind.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::live_state::{LiveState, ReadPosition};
use super::source_ends::{PartitionEnds, SourceEnds};
use crate::book::log::entry::SourceKind;
use crate::change::instant::now_micros;
use crate::change::{End, Partition};
use crate::cluster::{ClusterReport, Contacts, SourceReport};
use crate::control::{InFlight, Progress, SourceProgress};

/// How long a source may fail to answer before it counts as disconnected, in microseconds.
const ERROR_TOLERANCE: i64 = 5_000_000;
/// How long it may give no answer at all: many partitions may need their time.
const SILENCE_TOLERANCE: i64 = 30_000_000;

/// Asks where all partitions end that exist now; a run may not have discovered them all yet.
pub type AskEnds = dyn Fn() -> Result<Vec<(Partition, End)>, String> + Send;

/// What is fixed for a run.
pub(in crate::server) struct ServedRunSettings {
    /// Where records come from.
    pub(in crate::server) source: SourceKind,
    /// The time between two commits.
    pub(in crate::server) commit_interval: Duration,
    /// The time between two searches for new partitions.
    pub(in crate::server) discover_interval: Duration,
    /// The counters of its workers.
    pub(in crate::server) progress: Progress,
    /// Whether the source can be asked where partitions end.
    pub(in crate::server) knows_ends: bool,
    /// Where the source is known to be empty behind what was read, and what is in flight.
    pub(in crate::server) source_progress: SourceProgress,
    /// What is known of the other processes of its cluster.
    pub(in crate::server) contacts: Option<Contacts>,
}

/// The run of this process.
pub(in crate::server) struct RunState {
    pub(in crate::server) settings: ServedRunSettings,
    /// When it began, in microseconds since 1970-01-01 UTC.
    pub(in crate::server) begun: i64,
    ends: Mutex<SourceEnds>,
    /// Since when records have been waiting without a break; 0 while none are.
    behind_since: AtomicI64,
    transactions: Mutex<TransactionProgress>,
}

/// How far a partition was read, compared with its end.
pub(in crate::server) struct PartitionStatus {
    pub(in crate::server) partition: Partition,
    /// Whether the run must have discovered it by now.
    pub(in crate::server) is_discovered: bool,
    /// The first unread offset.
    pub(in crate::server) next: i64,
    pub(in crate::server) end: Option<i64>,
    /// What can be read and was not: records of Kafka, bytes of other sources.
    pub(in crate::server) lag: Option<u64>,
    pub(in crate::server) lag_seconds: Option<f64>,
    /// Everything that could be read at this instant was read.
    pub(in crate::server) caught_up_at: Option<i64>,
    /// Everything that the partition held at this instant was read, with transactions that were open then.
    pub(in crate::server) read_to: Option<i64>,
    /// Since when a transaction is open.
    pub(in crate::server) open_since: Option<i64>,
}

impl RunState {
    /// The state of a run that begins now.
    pub(in crate::server) fn new(settings: ServedRunSettings) -> RunState {
        RunState {
            settings,
            begun: now_micros(),
            ends: Mutex::default(),
            behind_since: AtomicI64::new(0),
            transactions: Mutex::default(),
        }
    }

    /// Why the source gives no answers, and since when.
    pub(in crate::server) fn source_error(&self, now: i64) -> Option<(String, i64)> {
        let ends = self.ends();
        let since = ends.answered.map_or(self.begun, |(last, _)| last);
        match &ends.error {
            Some(error) if now - since > ERROR_TOLERANCE => Some((error.clone(), since)),
            None if self.settings.knows_ends && now - since > SILENCE_TOLERANCE => {
                Some(("it is silent".to_owned(), since))
            }
            _ => None,
        }
    }

    /// The processes of its cluster as this one sees them; `None` for a single process.
    pub(in crate::server) fn cluster(&self, now: i64) -> Option<ClusterReport> {
        let mut cluster = self.settings.contacts.as_ref()?.report()?;
        let ends = self.ends();
        let since = ends.answered.map_or(self.begun, |(last, _)| last);
        let silent = Duration::from_micros(u64::try_from(now - since).unwrap_or(0));
        cluster.set_own_source(SourceReport { silent, error: ends.error.clone() });
        Some(cluster)
    }

    /// Since when the source has answered every question; `None` while it does not.
    pub(in crate::server) fn connected_at(&self) -> Option<i64> {
        let ends = self.ends();
        ends.answered.filter(|_| ends.error.is_none()).map(|(_, since)| since)
    }

    /// An instant at which these positions were everything that all partitions held, if one is known.
    pub(in crate::server) fn complete_at(&self, positions: &BTreeMap<String, BTreeMap<i32, i64>>) -> Option<i64> {
        let mut ends = self.ends();
        let by_partition = ends.by_partition.iter_mut().map(|(partition, known)| {
            // A partition without a position begins at 0.
            let next = positions.get(&partition.topic).and_then(|topic| topic.get(&partition.number));
            let next = next.copied().unwrap_or(0);
            known.committed.complete_at(next, self.settings.source_progress.skip_empty(next))
        });
        // The earliest one; without an instant of each partition there is none of all.
        by_partition.collect::<Option<Vec<i64>>>()?.into_iter().min()
    }

    /// The partitions, how far they were read and how far behind that is.
    pub(in crate::server) fn partitions(&self, live: &LiveState, now: i64) -> Vec<PartitionStatus> {
        let is_disconnected = self.source_error(now).is_some();
        let mut ends = self.ends();
        let mut partitions: BTreeMap<Partition, Option<ReadPosition>> =
            live.partitions.iter().map(|(partition, read)| (partition.clone(), Some(*read))).collect();
        // Partitions that the run has not discovered yet: everything in them is unread.
        for partition in ends.by_partition.keys() {
            if !partitions.contains_key(partition) {
                partitions.insert(partition.clone(), None);
            }
        }
        let discover_limit =
            i64::try_from(self.settings.discover_interval.saturating_mul(3).as_micros()).unwrap_or(i64::MAX);
        let mut unknown = PartitionEnds::default();
        let status = |(partition, read): (Partition, Option<ReadPosition>)| {
            let known = ends.by_partition.get_mut(&partition).unwrap_or(&mut unknown);
            let is_discovered = read.is_some() || known.first_seen.is_some_and(|first| now - first > discover_limit);
            let read = read.unwrap_or_default();
            let end = known.readable.newest();
            let empty_to = self.settings.source_progress.skip_empty(read.next);
            let lag = end.map(|end| u64::try_from(end - empty_to).unwrap_or(0));
            let caught_up_at = known.readable.complete_at(read.next, empty_to);
            let read_to = known.read.complete_at(read.next, empty_to);
            let open_since = known.open_since(read.next);
            // Until it is certain, the last record's time is an estimate; a time in the future is none: a clock was set back.
            let estimate = caught_up_at.or(read.kafka_time).filter(|at| *at <= now.saturating_add(ERROR_TOLERANCE));
            let since = estimate.map(|time| (now.saturating_sub(time).max(0) / 1_000) as f64 / 1_000.0);
            let (lag, lag_seconds) = match lag {
                // After a disconnect the last known end is stale.
                _ if is_disconnected => (None, since),
                Some(0) => (lag, Some(0.0)),
                Some(_) => (lag, since),
                None => (None, None),
            };
            // The run may have read beyond the last known end.
            let end = end.map(|end| end.max(read.next));
            let next = read.next;
            PartitionStatus { partition, is_discovered, next, end, lag, lag_seconds, caught_up_at, read_to, open_since }
        };
        partitions.into_iter().map(status).collect()
    }

    /// Asks the source where its partitions end, and compares that with what the run has read.
    pub(in crate::server) fn ask_ends(&self, ask: &AskEnds, live: impl Fn() -> Option<Arc<LiveState>>) {
        if live().is_none() {
            return;
        }
        // The instant before the question: everything that existed then lies below the answer.
        let asked_at = now_micros();
        let answer = ask();
        self.ends().note(asked_at, answer);
        if let Some(live) = live() {
            let now = now_micros();
            self.note_behind(&live, now);
            self.note_transactions(self.settings.source_progress.in_flight(), now);
        }
    }

    /// Since when records wait of which none were read; 0 while none wait. A transaction that is still growing counts as
    /// progress: nothing of it can be committed before its end.
    pub(in crate::server) fn stalled_since(&self) -> i64 {
        self.behind_since().unwrap_or(0).max(self.transactions().last_growth)
    }

    fn behind_since(&self) -> Option<i64> {
        Some(self.behind_since.load(Ordering::Relaxed)).filter(|since| *since > 0)
    }

    fn note_behind(&self, live: &LiveState, now: i64) {
        let is_late = |partition: &PartitionStatus| partition.is_discovered && partition.lag.is_some_and(|lag| lag > 0);
        let is_behind = self.partitions(live, now).iter().any(is_late);
        let since = self.behind_since().filter(|_| is_behind).unwrap_or(if is_behind { now } else { 0 });
        self.behind_since.store(since, Ordering::Relaxed);
    }

    fn note_transactions(&self, in_flight: [InFlight; 3], now: i64) {
        self.transactions().note(in_flight, now);
    }

    fn transactions(&self) -> MutexGuard<'_, TransactionProgress> {
        self.transactions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ends(&self) -> MutexGuard<'_, SourceEnds> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a large transaction of a slot is growing.
#[derive(Default)]
struct TransactionProgress {
    /// What was in flight at the last observation.
    in_flight: [InFlight; 3],
    /// When more of one was first observed; 0 before.
    last_growth: i64,
}

impl TransactionProgress {
    /// Notes what is in flight at an instant. A transaction that begins and ends between two observations delays nothing.
    fn note(&mut self, in_flight: [InFlight; 3], now: i64) {
        let has_grown = |(now, before): (&InFlight, &InFlight)| {
            now.number == before.number && before.amount > 0 && now.amount > before.amount
        };
        if in_flight.iter().zip(&self.in_flight).any(has_grown) {
            self.last_growth = now;
        }
        self.in_flight = in_flight;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Totals;
    use crate::server::state::live_state::ReadPositions;
    use crate::server::state::snapshot::StateSnapshot;
    use crate::server::state::views::LiveViews;

    const INTERVAL: Duration = Duration::from_secs(10);

    fn run(source: SourceKind, source_progress: SourceProgress) -> RunState {
        RunState::new(ServedRunSettings {
            source,
            commit_interval: INTERVAL,
            discover_interval: INTERVAL,
            progress: Progress::new(),
            knows_ends: true,
            source_progress,
            contacts: None,
        })
    }

    #[test]
    fn an_undiscovered_partition_is_lag_and_not_a_delay_of_the_run() {
        let partition = |number| Partition { topic: "shop".to_owned(), number };
        let run = run(SourceKind::Kafka, SourceProgress::default());
        let counts = Arc::clone(StateSnapshot::holding(&Totals::default()).counts());
        let partitions = ReadPositions::starting_at([(partition(0), 5)], []);
        let live = LiveState { counts, epoch: 1, closed_at: 0, partitions, rejects: 0, views: LiveViews::default() };
        let behind = |end: i64, now: i64| {
            run.ends().note(now, Ok(vec![(partition(0), End::at(end)), (partition(1), End::at(7))]));
            let lags: Vec<_> = run.partitions(&live, now).iter().map(|partition| partition.lag).collect();
            assert_eq!(lags, [Some(end as u64 - 5), Some(7)]);
            run.note_behind(&live, now);
            run.behind_since()
        };
        assert_eq!((behind(5, 30), behind(6, 40)), (None, Some(40)));
        // It should have been discovered long ago.
        run.behind_since.store(0, Ordering::Relaxed);
        let later = 30 + 3 * INTERVAL.as_micros() as i64;
        let is_discovered = |now| run.partitions(&live, now)[1].is_discovered;
        assert_eq!((is_discovered(later), is_discovered(later + 1)), (false, true));
    }

    #[test]
    fn a_run_with_a_growing_transaction_is_stalled_since_its_last_growth() {
        let source_progress = SourceProgress::default();
        let run = run(SourceKind::Slot, source_progress.clone());
        assert_eq!(run.stalled_since(), 0);
        run.behind_since.store(10, Ordering::Relaxed);
        for now in [20, 30] {
            source_progress.add_received(100);
            run.note_transactions(source_progress.in_flight(), now);
        }
        assert_eq!(run.stalled_since(), 30);
        run.note_transactions(source_progress.in_flight(), 40);
        assert_eq!(run.stalled_since(), 30);
        run.behind_since.store(50, Ordering::Relaxed);
        assert_eq!(run.stalled_since(), 50);
    }

    #[test]
    fn only_a_transaction_that_grows_is_progress() {
        let (mut transactions, source_progress) = (TransactionProgress::default(), SourceProgress::default());
        let mut note = |now| {
            transactions.note(source_progress.in_flight(), now);
            transactions.last_growth
        };
        // Small ones, each half there at an observation.
        for now in 1..4 {
            source_progress.add_received(100 * now as usize);
            assert_eq!(note(now), 0);
            source_progress.end_received();
        }
        source_progress.add_received(100);
        assert_eq!(note(10), 0);
        source_progress.add_received(100);
        assert_eq!(note(20), 20);
        // It stops arriving; later it is complete and is read.
        assert_eq!(note(30), 20);
        source_progress.end_received();
        assert_eq!(note(40), 20);
        for (records, now) in [(16, 50), (32, 60), (48, 70)] {
            source_progress.set_polled(Some(records));
            note(now);
        }
        assert_eq!(note(80), 70);
        source_progress.set_polled(None);
        assert_eq!(note(90), 70);
    }
}
