//! Log lines about the records that a run could not read: while it runs, and at its end.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::warn;

use crate::book::log::entry::SourceKind;
use crate::change::{Lsn, Partition, RejectSample};
use crate::commands::answers::rejects_command;
use crate::control::{Progress, RejectCounts};
use crate::store::BookLocation;

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
    pub(super) fn start(progress: &Progress, source: SourceKind, book: &BookLocation) -> RejectReport {
        let (stop, stopped) = channel::<()>();
        let progress = progress.clone();
        let mut log = RejectLog::new(source, book);
        let report = move || {
            while stopped.recv_timeout(LOOK_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                log.look(&progress.rejects(), Instant::now());
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
            thread.join().expect("a panic ends the process").finish(counts, Instant::now());
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
    fn new(source: SourceKind, book: &BookLocation) -> RejectLog {
        let command = rejects_command(book);
        RejectLog { source, command, examples: 0, logged: 0, logged_at: None, is_suspicion_logged: false }
    }

    /// Logs what is new, each reason at once and the number once in a while.
    fn look(&mut self, counts: &RejectCounts, now: Instant) {
        if counts.rejects == self.logged {
            return;
        }
        self.log_examples(counts);
        if counts.records - counts.markers >= SUSPICIOUS {
            self.log_suspicion(counts);
        }
        if self.is_due(now) {
            self.log_number(counts, now);
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        self.logged_at.is_none_or(|logged_at| now - logged_at >= LOG_INTERVAL)
    }

    /// Logs the number at the end.
    fn finish(mut self, counts: &RejectCounts, now: Instant) {
        if counts.rejects > 0 {
            self.log_examples(counts);
            self.log_suspicion(counts);
            // Not twice in a moment: a short run may have just logged it.
            if counts.rejects != self.logged || self.is_due(now) {
                self.log_number(counts, now);
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

    fn log_number(&mut self, counts: &RejectCounts, now: Instant) {
        let RejectCounts { records, rejects, .. } = counts;
        let command = &self.command;
        let records = if *records == 1 { "1 record".to_owned() } else { format!("{records} records") };
        warn!("{rejects} of {records} could not be read; to list them: {command}");
        (self.logged, self.logged_at) = (*rejects, Some(now));
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
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What is logged by this thread.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A run at some instants of its life: the seconds since its start, and its records, rejects and markers. The last one is its end.
    fn logged(looks: &[(u64, [u64; 3])]) -> Vec<String> {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber =
            tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).without_time().finish();
        tracing::subscriber::with_default(subscriber, || {
            let begin = Instant::now();
            let mut log = RejectLog::new(SourceKind::Kafka, &"book".parse().expect("a path"));
            let (end, before) = looks.split_last().expect("an end");
            for (seconds, numbers) in before {
                log.look(&counts(*numbers), begin + Duration::from_secs(*seconds));
            }
            log.finish(&counts(end.1), begin + Duration::from_secs(end.0));
        });
        let text = lines.0.lock().expect("no panic").clone();
        let text = String::from_utf8(text).expect("text");
        text.lines().map(|line| line.split_once("reject_report: ").expect("a line of this file").1.to_owned()).collect()
    }

    /// With one example for each hundred rejects begun.
    fn counts([records, rejects, markers]: [u64; 3]) -> RejectCounts {
        let example = |number: u64| {
            let partition = Partition { topic: "shop".to_owned(), number: 0 };
            let (reason, value) = (format!("reason {number}"), format!("value {number}"));
            (partition, RejectSample { offset: number as i64, reason, advice: Some("try this".to_owned()), value })
        };
        RejectCounts { records, rejects, markers, examples: (0..rejects.div_ceil(100)).map(example).collect() }
    }

    fn number(rejects: u64, records: u64) -> String {
        format!("{rejects} of {records} records could not be read; to list them: walbook rejects book")
    }

    fn example(number: u64) -> String {
        format!(
            r#"could not read a record: reason {number} at="topic shop, partition 0, offset {number}" value="value {number}""#
        )
    }

    #[test]
    fn the_number_is_logged_at_once_then_each_minute_and_at_the_end() {
        let looks = [
            (0, [900, 1, 0]),
            (1, [901, 2, 0]),
            (59, [950, 3, 0]),
            (60, [960, 4, 0]),
            (61, [970, 5, 0]),
            (62, [980, 6, 0]),
        ];
        assert_eq!(logged(&looks), [example(0), number(1, 900), number(4, 960), number(6, 980)]);
        // A number that was logged is not logged again while it stays the same and the run continues.
        assert_eq!(
            logged(&[(0, [9, 2, 0]), (100, [90, 2, 0]), (101, [95, 3, 0]), (102, [99, 3, 0])]),
            [example(0), number(2, 9), number(3, 95)]
        );
        assert_eq!(logged(&[(0, [9, 2, 0]), (59, [90, 2, 0])]), [example(0), number(2, 9)]);
        // The end of a long run says it once more.
        assert_eq!(logged(&[(0, [9, 2, 0]), (60, [90, 2, 0])]), [example(0), number(2, 9), number(2, 90)]);
        assert_eq!(logged(&[(0, [9, 0, 0]), (60, [90, 0, 0])]), [""; 0]);
    }

    #[test]
    fn a_run_that_can_read_nothing_says_so_once() {
        let suspicion = |records: u64| {
            format!(
                r#"none of the first {records} records could be read: one begins "value 0" (reason 0); try this at="topic shop, partition 0, offset 0""#
            )
        };
        // After a thousand records, or at the end; markers are no records that were read.
        let of = |looks: &[(u64, [u64; 3])]| -> Vec<String> {
            logged(looks).into_iter().filter(|line| line.starts_with("none of")).collect()
        };
        assert_eq!(
            of(&[(0, [999, 999, 0]), (1, [1_000, 1_000, 0]), (2, [1_100, 1_100, 0]), (3, [1_200, 1_200, 0])]),
            [suspicion(1_000)]
        );
        assert_eq!(of(&[(0, [999, 999, 0]), (1, [999, 999, 0])]), [suspicion(999)]);
        assert_eq!(
            of(&[(0, [1_500, 999, 501]), (1, [1_501, 1_000, 501]), (2, [1_600, 1_001, 599])]),
            [suspicion(1_000)]
        );
        assert_eq!(of(&[(0, [1_001, 1_000, 0]), (1, [2_000, 1_999, 0])]), [""; 0]);
    }

    #[test]
    fn the_first_record_of_each_reason_is_logged_at_once() {
        let examples: Vec<String> =
            logged(&[(0, [2_000, 1, 0]), (1, [2_000, 150, 0]), (2, [2_000, 350, 0]), (3, [9_000, 5_000, 0])])
                .into_iter()
                .filter(|line| line.starts_with("could not"))
                .collect();
        assert_eq!(examples, (0..8).map(example).collect::<Vec<_>>());
    }

    #[test]
    fn a_place_is_in_the_words_of_its_source() {
        let partition = Partition { topic: "shop".to_owned(), number: 3 };
        let sample = RejectSample { offset: 0x16_B2E58, reason: String::new(), advice: None, value: String::new() };
        let place = |source| RejectLog::new(source, &"book".parse().expect("a path")).place(&partition, &sample);
        assert_eq!(place(SourceKind::Kafka), "topic shop, partition 3, offset 23801432");
        assert_eq!(place(SourceKind::File), "shop, byte 23801432");
        assert_eq!(place(SourceKind::Slot), "slot shop, transaction that ends at 0/16B2E58");
    }
}
