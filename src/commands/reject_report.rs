//! Log lines about the records that a run could not read: while it runs, and at its end.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::warn;

use super::answers::rejects_command;
use crate::book::log::entry::SourceKind;
use crate::change::{Lsn, Partition, RejectSample};
use crate::control::{Progress, RejectCounts};

/// How often the counters are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// The least time between two log lines about the number of rejects.
const LOG_INTERVAL: Duration = Duration::from_secs(60);
/// So many records of which none could be read mean that the input is not what the run expects.
const SUSPICIOUS: u64 = 1000;
/// The most reasons that are logged with an example.
const MOST_REASONS: usize = 8;

/// Reports on the rejects of a run until it is dropped.
pub(super) struct RejectReport {
    reporting: Option<(Sender<()>, JoinHandle<RejectLog>)>,
}

impl RejectReport {
    /// Starts to report on the rejects that `progress` counts; `book` is named in the command that lists them.
    pub(super) fn start(progress: &Progress, source: SourceKind, book: &Path) -> RejectReport {
        let (stop, stopped) = channel::<()>();
        let progress = progress.clone();
        let mut log = RejectLog::new(source, book);
        let report = move || {
            while stopped.recv_timeout(LOOK_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                log.look(&progress.rejects());
            }
            log
        };
        let thread = thread::Builder::new().name("rejects".to_owned()).spawn(report).expect("a thread can be started");
        RejectReport { reporting: Some((stop, thread)) }
    }

    /// Stops, and logs the number at the end of the run.
    pub(super) fn finish(mut self, counts: &RejectCounts) {
        if let Some((stop, thread)) = self.reporting.take() {
            drop(stop);
            thread.join().expect("a panic ends the process").finish(counts);
        }
    }
}

/// What was logged so far.
struct RejectLog {
    source: SourceKind,
    command: String,
    /// How many examples were logged.
    examples: usize,
    /// The number of rejects that was logged last, and when.
    logged: u64,
    logged_at: Option<Instant>,
    /// Whether it was logged that nothing could be read.
    is_suspicion_logged: bool,
}

impl RejectLog {
    fn new(source: SourceKind, book: &Path) -> RejectLog {
        let command = rejects_command(book);
        RejectLog { source, command, examples: 0, logged: 0, logged_at: None, is_suspicion_logged: false }
    }

    /// Logs what is new, each reason at once and the number once in a while.
    fn look(&mut self, counts: &RejectCounts) {
        if counts.rejects == self.logged {
            return;
        }
        self.log_examples(counts);
        if counts.records - counts.markers >= SUSPICIOUS {
            self.log_suspicion(counts);
        }
        if self.is_due() {
            self.log_number(counts);
        }
    }

    fn is_due(&self) -> bool {
        self.logged_at.is_none_or(|logged_at| logged_at.elapsed() >= LOG_INTERVAL)
    }

    /// Logs the number at the end.
    fn finish(mut self, counts: &RejectCounts) {
        if counts.rejects > 0 {
            self.log_examples(counts);
            self.log_suspicion(counts);
            // Not twice in a moment: a short run may have just logged it.
            if counts.rejects != self.logged || self.is_due() {
                self.log_number(counts);
            }
        }
    }

    fn log_examples(&mut self, counts: &RejectCounts) {
        let new = counts.examples.iter().take(MOST_REASONS).skip(self.examples);
        self.examples += new
            .inspect(|(partition, sample)| {
                let RejectSample { reason, value, .. } = sample;
                warn!(at = self.place(partition, sample), value = ?value, "could not read a record: {reason}");
            })
            .count();
    }

    fn log_number(&mut self, counts: &RejectCounts) {
        let RejectCounts { records, rejects, .. } = counts;
        let command = &self.command;
        let records = if *records == 1 { "1 record".to_owned() } else { format!("{records} records") };
        warn!("{rejects} of {records} could not be read; to list them: {command}");
        (self.logged, self.logged_at) = (*rejects, Some(Instant::now()));
    }

    /// Logs once that no record at all could be read, what the first one looks like, and what would help.
    fn log_suspicion(&mut self, counts: &RejectCounts) {
        // Markers prove nothing: a topic of another format may have tombstones too.
        let is_suspicious = counts.rejects == counts.records - counts.markers && !self.is_suspicion_logged;
        let Some((partition, sample)) = counts.examples.first().filter(|_| is_suspicious) else { return };
        self.is_suspicion_logged = true;
        let RejectSample { reason, advice, value, .. } = sample;
        let advice = advice.as_ref().map_or_else(String::new, |advice| format!("; {advice}"));
        let (rejects, at) = (counts.rejects, self.place(partition, sample));
        let records = if rejects == 1 { "record".to_owned() } else { format!("{rejects} records") };
        warn!(at, "none of the first {records} could be read: one begins {value:?} ({reason}){advice}");
    }

    /// Where a record stands, in the words of its source.
    fn place(&self, partition: &Partition, sample: &RejectSample) -> String {
        let (Partition { topic, number }, offset) = (partition, sample.offset);
        match self.source {
            SourceKind::Kafka => format!("topic {topic}, partition {number}, offset {offset}"),
            SourceKind::Slot => {
                let lsn = Lsn::from_i64(offset).map_or_else(|| offset.to_string(), |lsn| lsn.to_string());
                format!("slot {topic}, transaction that ends at {lsn}")
            }
            SourceKind::File => format!("{topic}, byte {offset}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_in_the_words_of_its_source() {
        let partition = Partition { topic: "shop".to_owned(), number: 3 };
        let sample = RejectSample { offset: 0x16_B2E58, reason: String::new(), advice: None, value: String::new() };
        let place = |source| RejectLog::new(source, Path::new("book")).place(&partition, &sample);
        assert_eq!(place(SourceKind::Kafka), "topic shop, partition 3, offset 23801432");
        assert_eq!(place(SourceKind::File), "shop, byte 23801432");
        assert_eq!(place(SourceKind::Slot), "slot shop, transaction that ends at 0/16B2E58");
    }
}
