//! How a run stands: whether it is live, and if not, why.

use bytesize::ByteSize;

use super::board::Board;
use super::run::PartitionView;
use super::view::View;
use crate::book::entry::SourceKind;
use crate::book::rfc3339;
use crate::change::Partition;

/// A partition that is so many seconds behind is not live. Who keeps pace may be told to be nearly six behind: ends are asked
/// for each second, epochs of little close after one, and frames may pause for four.
const LIVE_WITHIN: f64 = 7.0;

/// How things stand, at one instant.
pub(super) struct Situation {
    /// `live`, `catching_up`, `waiting`, `disconnected` or `at_rest`.
    pub(super) state: &'static str,
    pub(super) reason: Option<String>,
    /// Every record that the topics held at this instant was read.
    pub(super) complete_at: Option<i64>,
    /// What is there and was not read, as far as is known: records of Kafka, of other places bytes.
    pub(super) lag: Option<u64>,
    pub(super) partitions: Vec<PartitionView>,
}

impl Situation {
    pub(super) fn of(board: &Board, view: &View) -> Situation {
        let (Some(run), Some(live)) = (view.run(board), &view.live) else {
            let (complete_at, partitions) = (None, Vec::new());
            let taken = "another run has taken the book over: what this one reads does not count";
            let reason = board.run.is_some().then(|| taken.to_owned());
            return Situation { state: "at_rest", reason, complete_at, lag: None, partitions };
        };
        let now = view.now;
        let partitions = run.partitions(live, now);
        let lag = match run.knows_ends {
            true => partitions.iter().map(|partition| partition.lag).sum::<Option<u64>>(),
            false => None,
        };
        let read_to = partitions.iter().map(|partition| partition.read_to);
        // An instant of each partition, or none: what is not known of one is not known of all.
        let complete_at = read_to.collect::<Option<Vec<i64>>>().and_then(|times| times.into_iter().min());
        let behind = partitions.iter().filter(|partition| partition.lag.is_some_and(|lag| lag > 0));
        let worst = behind
            // Until it is certain up to when everything was read, it may be long ago.
            .filter(|partition| {
                partition.caught_up_at.is_none() || partition.lag_seconds.is_none_or(|seconds| seconds > LIVE_WITHIN)
            })
            .max_by(|one, other| {
                let seconds = |partition: &PartitionView| partition.lag_seconds.unwrap_or(f64::INFINITY);
                seconds(one).total_cmp(&seconds(other))
            });
        let is_empty = live.moment.totals.first_day().is_none() && live.rejects == 0;
        let (state, reason) = if let Some((trouble, since)) = run.trouble(now) {
            let source = if run.source == SourceKind::Slot { "server of the slot" } else { &run.source.to_string() };
            ("disconnected", Some(format!("no answer from the {source} since {}: {trouble}", rfc3339(since))))
        } else if let Some(worst) = worst {
            ("catching_up", Some(behind_text(worst, run.source)))
        } else if run.knows_ends && lag.is_none() {
            ("catching_up", Some(format!("where the {} ends is not known yet", run.source)))
        } else {
            let is_waiting = is_empty && lag.unwrap_or(0) == 0;
            (if is_waiting { "waiting" } else { "live" }, open_text(&partitions, now))
        };
        Situation { state, reason, complete_at, lag, partitions }
    }

    /// Whether records are there that are not read, or may be.
    pub(super) fn is_behind(&self) -> bool {
        matches!(self.state, "catching_up" | "disconnected")
    }
}

fn behind_text(worst: &PartitionView, source: SourceKind) -> String {
    let (topic, number) = (&worst.partition.topic, worst.partition.number);
    let name = if source.is_kafka() { format!("partition {number} of {topic}") } else { format!("{source} {topic}") };
    // By a producer's clock that is ahead nothing would ever be late.
    match worst.lag_seconds.filter(|seconds| *seconds > LIVE_WITHIN) {
        Some(seconds) => format!("{name} is {} behind", spoken(seconds)),
        None => format!("{name} is {} behind", amount(worst.lag.unwrap_or(0), source)),
    }
}

/// What keeps `complete_at` from moving on where nothing is late: a transaction that has been open for a while.
fn open_text(partitions: &[PartitionView], now: i64) -> Option<String> {
    let open = partitions.iter().filter_map(|partition| Some((partition.open_since?, &partition.partition)));
    let (since, Partition { topic, number }) = open.min_by_key(|(since, _)| *since)?;
    let text = || {
        let since = rfc3339(since);
        format!(
            "a transaction is open in partition {number} of {topic} since {since}; what it wrote is not counted yet"
        )
    };
    ((now - since) as f64 / 1e6 > LIVE_WITHIN).then(text)
}

/// A lag in words: how many changes WAL or a file holds is seen when they are read.
fn amount(lag: u64, source: SourceKind) -> String {
    match lag {
        _ if !source.is_kafka() => ByteSize(lag).display().si().to_string(),
        1 => "1 record".to_owned(),
        _ => format!("{} records", grouped(lag)),
    }
}

fn spoken(seconds: f64) -> String {
    let seconds = seconds as u64;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600, seconds / 60);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{minutes} min"),
        3_600..86_400 => format!("{hours} h {:02} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// A number as people read it: `1 200`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(number: i32, open_since: Option<i64>) -> PartitionView {
        PartitionView {
            is_found: true,
            partition: Partition { topic: "shop".to_owned(), number },
            next: 5,
            end: Some(5),
            lag: Some(0),
            lag_seconds: Some(0.0),
            caught_up_at: Some(90_000_000),
            read_to: Some(1_000_000),
            open_since,
        }
    }

    #[test]
    fn who_is_behind_is_told_in_seconds_only_where_they_say_something() {
        let behind = |lag, lag_seconds| PartitionView { lag: Some(lag), lag_seconds, ..partition(0, None) };
        let text = |lag, seconds| behind_text(&behind(lag, seconds), SourceKind::Kafka);
        assert_eq!(text(1_200, Some(0.0)), "partition 0 of shop is 1 200 records behind");
        assert_eq!(text(1, Some(6.9)), "partition 0 of shop is 1 record behind");
        assert_eq!(text(1_234_567, None), "partition 0 of shop is 1 234 567 records behind");
        assert_eq!(text(7, Some(61.0)), "partition 0 of shop is 1 min behind");
        let slot = behind_text(&behind(203_454_480, None), SourceKind::Slot);
        assert_eq!(slot, "replication slot shop is 203.5 MB behind");
    }

    #[test]
    fn a_transaction_that_stays_open_is_told_and_a_short_one_is_not() {
        let partitions = [partition(0, None), partition(3, Some(10_000_000)), partition(4, Some(80_000_000))];
        assert_eq!(open_text(&partitions, 14_000_000), None);
        let text = open_text(&partitions, 90_000_000).expect("it is open for long");
        assert!(text.starts_with("a transaction is open in partition 3 of shop since 1970-01-01T00:00:10"), "{text}");
        assert_eq!(open_text(&partitions[..1], 90_000_000), None);
    }

    #[test]
    fn durations_are_told_as_people_say_them() {
        for (seconds, text) in
            [(0.4, "0 s"), (59.9, "59 s"), (180.0, "3 min"), (25_320.0, "7 h 02 min"), (367_200.0, "4 d 6 h")]
        {
            assert_eq!(spoken(seconds), text);
        }
    }
}
