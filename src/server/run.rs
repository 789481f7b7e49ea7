//! The run beside which a server serves: what it does not tell through its epochs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::debug;

use super::board::{Board, Live};
use super::going_on::GoingOn;
use super::partitions::{Ends, ReadTo};
use super::view::now_micros;
use crate::book::entry::SourceKind;
use crate::change::{End, Partition};
use crate::process::{Progress, Quiet};

/// How often the ends of the partitions are asked for.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How long an error is no news.
const SILENCE: i64 = 5_000_000;
/// How long no answer at all is no news: many partitions may take their time.
const LONG_SILENCE: i64 = 30_000_000;

/// Asks where all partitions end that are there now; a run may not have found them all yet.
pub type AskEnds = dyn Fn() -> Result<Vec<(Partition, End)>, String> + Send;

/// The run beside which a server serves.
pub(super) struct RunView {
    /// Where records come from.
    pub(super) source: SourceKind,
    /// Who it is in the log.
    pub(super) generation: String,
    /// How long a commit takes records.
    pub(super) commit_interval: Duration,
    /// What its workers count.
    pub(super) progress: Progress,
    /// When it began.
    pub(super) begun: i64,
    /// Whether anybody can be asked where partitions end.
    pub(super) knows_ends: bool,
    /// How long it may take, in microseconds, until something is read of a new partition.
    found_within: i64,
    /// What the reader knows to be empty behind what was read.
    quiet: Quiet,
    ends: Mutex<KnownEnds>,
    /// Since when something waits to be read, without a break; 0 while nothing does.
    behind_since: AtomicI64,
    going_on: GoingOn,
}

#[derive(Default)]
struct KnownEnds {
    by_partition: BTreeMap<Partition, Reached>,
    /// When somebody last answered, and since when every question was answered.
    answered: Option<(i64, i64)>,
    trouble: Option<String>,
}

/// The ends of a partition, as what was read and what is committed reach them.
#[derive(Default)]
struct Reached {
    /// When it was seen first.
    first: Option<i64>,
    /// Those of what could be read then: nobody is late with the rest.
    readable: Ends,
    /// Those of all that was written then, which alone prove that everything was read …
    read: Ends,
    /// … and that everything is committed.
    committed: Ends,
    /// The offset at which a transaction is open, and since when that is known.
    open: Option<(i64, i64)>,
}

impl Reached {
    fn note(&mut self, asked: i64, end: End) {
        self.first.get_or_insert(asked);
        if self.read.newest().is_some_and(|newest| end.written < newest) {
            // Another log, or a broker that does not know all of this one yet: of what was there before it tells nothing.
            return;
        }
        self.readable.note(asked, end.readable);
        self.read.note(asked, end.written);
        self.committed.note(asked, end.written);
        let since = self.open.filter(|(offset, _)| *offset == end.readable).map_or(asked, |(_, since)| since);
        self.open = (end.readable < end.written).then_some((end.readable, since));
    }

    /// Since when a transaction is open, given the first offset that was not read: who was let beyond it saw it end.
    fn open_since(&self, next: i64) -> Option<i64> {
        self.open.filter(|(offset, _)| next <= *offset).map(|(_, since)| since)
    }
}

/// A partition as people look at it.
pub(super) struct PartitionView {
    pub(super) partition: Partition,
    /// Whether the run must have found it by now.
    pub(super) is_found: bool,
    pub(super) next: i64,
    pub(super) end: Option<i64>,
    /// What can be read and was not: records of Kafka, of other places bytes.
    pub(super) lag: Option<u64>,
    pub(super) lag_seconds: Option<f64>,
    /// Everything that could be read at this instant was.
    pub(super) caught_up_at: Option<i64>,
    /// Everything that it held at this instant was read, be it of a transaction that was open then.
    pub(super) read_to: Option<i64>,
    /// Since when a transaction is open.
    pub(super) open_since: Option<i64>,
}

impl RunView {
    /// How a run looks that begins now.
    pub(super) fn new(
        source: SourceKind,
        generation: String,
        commit_interval: Duration,
        discover_interval: Duration,
        progress: Progress,
        knows_ends: bool,
        quiet: Quiet,
    ) -> RunView {
        let ends = Mutex::default();
        let found_within = i64::try_from(discover_interval.saturating_mul(3).as_micros()).unwrap_or(i64::MAX);
        RunView {
            source,
            generation,
            commit_interval,
            progress,
            begun: now_micros(),
            knows_ends,
            found_within,
            quiet,
            ends,
            behind_since: AtomicI64::new(0),
            going_on: GoingOn::default(),
        }
    }

    /// Why the source gives no answers, since when.
    pub(super) fn trouble(&self, now: i64) -> Option<(String, i64)> {
        let ends = self.ends();
        let since = ends.answered.map_or(self.begun, |(last, _)| last);
        match &ends.trouble {
            Some(trouble) if now - since > SILENCE => Some((trouble.clone(), since)),
            None if self.knows_ends && now - since > LONG_SILENCE => Some(("it is silent".to_owned(), since)),
            _ => None,
        }
    }

    /// Since when the source has answered every question; `None` while it does not.
    pub(super) fn connected_at(&self) -> Option<i64> {
        let ends = self.ends();
        ends.answered.filter(|_| ends.trouble.is_none()).map(|(_, since)| since)
    }

    /// An instant at which these positions were everything that all partitions held, if one is known.
    pub(super) fn complete_at(&self, positions: &BTreeMap<String, BTreeMap<i32, i64>>) -> Option<i64> {
        let mut ends = self.ends();
        let reached = ends.by_partition.iter_mut().map(|(partition, known)| {
            // A partition without a position begins at 0.
            let next = positions.get(&partition.topic).and_then(|topic| topic.get(&partition.number));
            let next = next.copied().unwrap_or(0);
            known.committed.read_to(next, self.quiet.skip(next))
        });
        // Of an instant of each partition the earliest; what is not known of one is not known of all.
        reached.collect::<Option<Vec<i64>>>()?.into_iter().min()
    }

    /// The partitions, how far they were read and how far behind that is.
    pub(super) fn partitions(&self, live: &Live, now: i64) -> Vec<PartitionView> {
        let is_silent = self.trouble(now).is_some();
        let mut ends = self.ends();
        let mut partitions: BTreeMap<Partition, Option<ReadTo>> =
            live.partitions.iter().map(|(partition, read)| (partition.clone(), Some(*read))).collect();
        // The run will find them soon: nothing of them is read, and what they hold is late.
        for partition in ends.by_partition.keys() {
            if !partitions.contains_key(partition) {
                partitions.insert(partition.clone(), None);
            }
        }
        let mut unknown = Reached::default();
        let view = |(partition, read): (Partition, Option<ReadTo>)| {
            let known = ends.by_partition.get_mut(&partition).unwrap_or(&mut unknown);
            let is_found = read.is_some() || known.first.is_some_and(|first| now - first > self.found_within);
            let read = read.unwrap_or_default();
            let end = known.readable.newest();
            let empty_to = self.quiet.skip(read.next);
            let lag = end.map(|end| u64::try_from(end - empty_to).unwrap_or(0));
            let caught_up_at = known.readable.read_to(read.next, empty_to);
            let read_to = known.read.read_to(read.next, empty_to);
            let open_since = known.open_since(read.next);
            // Before it is certain, the last record's time tells about how far it is; a producer may say anything.
            // What is to come by this clock says nothing: somebody has set it back.
            let about = caught_up_at.or(read.kafka_time).filter(|at| *at <= now.saturating_add(SILENCE));
            let since = about.map(|time| (now.saturating_sub(time).max(0) / 1_000) as f64 / 1_000.0);
            let (lag, lag_seconds) = match lag {
                // What was there when the source fell silent says nothing of what is there now.
                _ if is_silent => (None, since),
                Some(0) => (lag, Some(0.0)),
                Some(_) => (lag, since),
                None => (None, None),
            };
            // It may have been read beyond since it was asked.
            let end = end.map(|end| end.max(read.next));
            let next = read.next;
            PartitionView { partition, is_found, next, end, lag, lag_seconds, caught_up_at, read_to, open_since }
        };
        partitions.into_iter().map(view).collect()
    }

    /// Since when something waits to be read in the partitions that the run has found; `None` while nothing does.
    fn behind_since(&self) -> Option<i64> {
        Some(self.behind_since.load(Ordering::Relaxed)).filter(|since| *since > 0)
    }

    fn note_behind(&self, live: &Live, now: i64) {
        let is_late = |partition: &PartitionView| partition.is_found && partition.lag.is_some_and(|lag| lag > 0);
        let is_behind = self.partitions(live, now).iter().any(is_late);
        let since = self.behind_since().filter(|_| is_behind).unwrap_or(if is_behind { now } else { 0 });
        self.behind_since.store(since, Ordering::Relaxed);
    }

    /// Since when something waits of which nothing came; 0 while nothing does. More of a transaction that lets nothing be
    /// committed before its end is something that came.
    pub(super) fn waits_since(&self) -> i64 {
        self.behind_since().unwrap_or(0).max(self.going_on.last())
    }

    fn ends(&self) -> MutexGuard<'_, KnownEnds> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, asked: i64, answer: Result<Vec<(Partition, End)>, String>) {
        let mut known = self.ends();
        match answer {
            Ok(ends) => {
                let since = known.answered.filter(|_| known.trouble.is_none()).map_or(asked, |(_, since)| since);
                (known.answered, known.trouble) = (Some((asked, since)), None);
                let mut before = std::mem::take(&mut known.by_partition);
                // Those of a topic that was made anew with fewer partitions are gone.
                for (partition, end) in ends {
                    let mut reached = before.remove(&partition).unwrap_or_default();
                    reached.note(asked, end);
                    known.by_partition.insert(partition, reached);
                }
            }
            Err(trouble) => {
                debug!(trouble, "could not ask where the topics end");
                known.trouble = Some(trouble);
            }
        }
    }
}

/// Asks for the ends of the partitions as long as the process lives.
pub(super) fn begin_asking(board: Arc<Board>, ask: Box<AskEnds>) {
    let asking = move || {
        loop {
            if let (Some(run), Some(live)) = (&board.run, board.live()) {
                // Before the question: everything that was there at this instant lies below the answer.
                let asked = now_micros();
                run.note(asked, ask());
                let (live, now) = (board.live().unwrap_or(live), now_micros());
                run.note_behind(&live, now);
                run.going_on.look(run.quiet.underway(), now);
            }
            thread::sleep(ASK_AGAIN);
        }
    };
    thread::Builder::new().name("serve-ends".to_owned()).spawn(asking).expect("a thread can be started");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Totals;
    use crate::server::partitions::Partitions;
    use crate::server::view::View;

    #[test]
    fn what_is_of_an_open_transaction_is_no_lag_and_yet_not_read() {
        let mut known = Reached::default();
        known.note(100, End { readable: 10, written: 30 });
        known.note(200, End { readable: 10, written: 40 });
        assert_eq!((known.readable.newest(), known.open), (Some(10), Some((10, 100))));
        assert_eq!((known.readable.read_to(10, 10), known.read.read_to(10, 10)), (Some(200), None));
        assert_eq!([9, 10, 11].map(|next| known.open_since(next)), [Some(100), Some(100), None]);
        // Another one is open by now, which was not yet at the first instant.
        known.note(300, End { readable: 35, written: 50 });
        assert_eq!(known.open, Some((35, 300)));
        assert_eq!((known.readable.read_to(35, 35), known.read.read_to(35, 35)), (Some(300), Some(100)));
        known.note(400, End::at(60));
        let read = (known.read.read_to(60, 60), known.committed.read_to(59, 59));
        assert_eq!((known.open, read), (None, (Some(400), Some(300))));
    }

    #[test]
    fn a_partition_that_is_not_found_yet_is_told_as_late_and_yet_nobody_is_held_up() {
        let partition = |number| Partition { topic: "shop".to_owned(), number };
        let interval = Duration::from_secs(10);
        let run = RunView::new(
            SourceKind::Kafka,
            "g".to_owned(),
            interval,
            interval,
            Progress::new(),
            true,
            Quiet::default(),
        );
        let moment = Arc::clone(View::holding(&Totals::default()).moment());
        let partitions = Partitions::starting_at([(partition(0), 5)], []);
        let live = Live { moment, epoch: 1, closed_at: 0, partitions, rejects: 0 };
        let behind = |end: i64, now: i64| {
            run.note(now, Ok(vec![(partition(0), End::at(end)), (partition(1), End::at(7))]));
            let told = run.partitions(&live, now);
            assert_eq!(told.iter().map(|partition| partition.lag).collect::<Vec<_>>(), [Some(end as u64 - 5), Some(7)]);
            run.note_behind(&live, now);
            run.behind_since()
        };
        assert_eq!((behind(5, 30), behind(6, 40)), (None, Some(40)));
        // It should have been found long ago.
        run.behind_since.store(0, Ordering::Relaxed);
        let later = 30 + 3 * interval.as_micros() as i64;
        assert_eq!(
            (run.partitions(&live, later)[1].is_found, run.partitions(&live, later + 1)[1].is_found),
            (false, true)
        );
    }

    #[test]
    fn a_log_that_became_shorter_proves_nothing() {
        let mut known = Reached::default();
        known.note(100, End::at(500));
        known.note(200, End::at(10));
        assert_eq!((known.read.read_to(500, 500), known.readable.newest()), (Some(100), Some(500)));
    }

    #[test]
    fn who_waits_for_a_large_transaction_waits_since_more_of_it_came() {
        let (quiet, interval) = (Quiet::default(), Duration::from_secs(10));
        let run =
            RunView::new(SourceKind::Slot, "g".to_owned(), interval, interval, Progress::new(), true, quiet.clone());
        assert_eq!(run.waits_since(), 0);
        run.behind_since.store(10, Ordering::Relaxed);
        for now in [20, 30] {
            quiet.arrives(100);
            run.going_on.look(quiet.underway(), now);
        }
        assert_eq!(run.waits_since(), 30);
        run.going_on.look(quiet.underway(), 40);
        assert_eq!(run.waits_since(), 30);
        run.behind_since.store(50, Ordering::Relaxed);
        assert_eq!(run.waits_since(), 50);
    }
}
