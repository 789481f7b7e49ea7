//! The run beside which a server serves: what it does not tell through its epochs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::debug;

use super::board::Live;
use super::partitions::Ends;
use super::status::now_micros;
use crate::book::entry::SourceKind;
use crate::change::Partition;
use crate::process::Progress;

/// How often the ends of the partitions are asked for.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How long no answer is no news.
const SILENCE: i64 = 5_000_000;

/// Asks where partitions end now.
pub type AskEnds = dyn Fn(&[Partition]) -> Result<Vec<(Partition, i64)>, String> + Send;

/// The run beside which a server serves.
pub(super) struct RunView {
    /// Where records come from.
    pub(super) source: SourceKind,
    /// How long a commit takes records.
    pub(super) commit_interval: Duration,
    /// What its workers count.
    pub(super) progress: Progress,
    /// When it began.
    pub(super) begun: i64,
    /// Whether anybody can be asked where partitions end.
    pub(super) knows_ends: bool,
    ends: Mutex<KnownEnds>,
}

#[derive(Default)]
struct KnownEnds {
    by_partition: BTreeMap<Partition, Ends>,
    /// When somebody last answered.
    answered: Option<i64>,
    trouble: Option<String>,
}

/// A partition as people look at it.
pub(super) struct PartitionView {
    pub(super) partition: Partition,
    pub(super) next: i64,
    pub(super) end: Option<i64>,
    pub(super) lag_records: Option<u64>,
    pub(super) lag_seconds: Option<f64>,
    /// Everything that it held at this instant was read.
    pub(super) read_to: Option<i64>,
}

impl RunView {
    pub(super) fn new(source: SourceKind, commit_interval: Duration, progress: Progress, knows_ends: bool) -> RunView {
        let ends = Mutex::default();
        RunView { source, commit_interval, progress, begun: now_micros(), knows_ends, ends }
    }

    /// Why the source gives no answers, since when.
    pub(super) fn trouble(&self, now: i64) -> Option<(String, i64)> {
        let ends = self.ends();
        let since = ends.answered.unwrap_or(self.begun);
        let trouble = ends.trouble.as_ref().filter(|_| now - since > SILENCE)?;
        Some((trouble.clone(), since))
    }

    /// The partitions, how far they were read and how far behind that is.
    pub(super) fn partitions(&self, live: &Live, now: i64) -> Vec<PartitionView> {
        let mut ends = self.ends();
        let view = |(partition, read): (&Partition, &super::partitions::ReadTo)| {
            let known = ends.by_partition.entry(partition.clone()).or_default();
            let end = known.newest();
            let lag_records = end.map(|end| u64::try_from(end - read.next).unwrap_or(0));
            let reached = known.read_to(read.next);
            let read_to = reached.or(read.kafka_time.map(|time| time.min(now)));
            let lag_seconds = match (lag_records, read_to) {
                (Some(0), _) => Some(0.0),
                (Some(_), Some(read_to)) => Some(((now - read_to).max(0) / 1_000) as f64 / 1_000.0),
                _ => None,
            };
            // It may have been read beyond since it was asked.
            let end = end.map(|end| end.max(read.next));
            PartitionView { partition: partition.clone(), next: read.next, end, lag_records, lag_seconds, read_to }
        };
        live.partitions.iter().map(view).collect()
    }

    fn ends(&self) -> MutexGuard<'_, KnownEnds> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, asked: i64, answer: Result<Vec<(Partition, i64)>, String>) {
        let mut known = self.ends();
        match answer {
            Ok(ends) => {
                (known.answered, known.trouble) = (Some(asked), None);
                for (partition, end) in ends {
                    known.by_partition.entry(partition).or_default().note(asked, end);
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
pub(super) fn begin_asking(board: Arc<super::board::Board>, ask: Box<AskEnds>) {
    let asking = move || {
        loop {
            if let (Some(run), Some(live)) = (&board.run, board.live()) {
                let partitions: Vec<Partition> =
                    live.partitions.iter().map(|(partition, _)| partition.clone()).collect();
                // Before the question: everything that was there at this instant lies below the answer.
                let asked = now_micros();
                run.note(asked, ask(&partitions));
            }
            thread::sleep(ASK_AGAIN);
        }
    };
    thread::Builder::new().name("serve-ends".to_owned()).spawn(asking).expect("a thread can be started");
}
