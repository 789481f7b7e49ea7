//! Timestamps of the newest records: one in another unit than milliseconds puts changes on wrong days, or makes them rejects.

use super::Finding;
use crate::book::rfc3339;
use crate::source::kafka::NewestRecord;

const SUBJECT: &str = "topic";
const CHECK: &str = "timestamps";
/// 1990-01-01T00:00:00Z and 2200-01-01T00:00:00Z in milliseconds since 1970-01-01 UTC: an instant of these years in seconds,
/// microseconds or nanoseconds lies outside them as milliseconds.
const PLAUSIBLE: std::ops::Range<i64> = 631_152_000_000..7_258_118_400_000;

/// Judges the timestamps of some records.
pub(super) fn judge(records: &[NewestRecord]) -> Option<Finding> {
    let wrong = records.iter().filter_map(|record| record.timestamp).filter(|time| !PLAUSIBLE.contains(time));
    let (count, example) = wrong.fold((0, None), |(count, _), time| (count + 1, Some(time)));
    let example = example?;
    let units = [("seconds", 1_000_000), ("microseconds", 1), ("nanoseconds", 0)];
    let meant = units.iter().find_map(|(unit, micros)| {
        let instant = if *micros == 0 { Some(example / 1000) } else { example.checked_mul(*micros) };
        let instant = instant.filter(|instant| PLAUSIBLE.contains(&(instant / 1000)))?;
        Some(format!("; as {unit} it would be {}", rfc3339(instant)))
    });
    let seen = format!(
        "{count} of the newest {} records have a Kafka timestamp outside the years 1990 to 2200, for example {example}, which must be \
         milliseconds since 1970{}: changes whose day follows from it count on a wrong day, or become rejects",
        records.len(),
        meant.unwrap_or_default()
    );
    let fix = "let the producer set timestamps in milliseconds, or the records carry \"commit_time\"";
    Some(Finding::warning(SUBJECT, CHECK, seen).fix(fix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(timestamps: &[Option<i64>]) -> Option<String> {
        let record = |timestamp: &Option<i64>| NewestRecord { timestamp: *timestamp, value: Vec::new() };
        judge(&timestamps.iter().map(record).collect::<Vec<_>>()).map(|finding| finding.seen)
    }

    #[test]
    fn a_timestamp_in_another_unit_is_asked_about() {
        let millis = 1_795_392_000_123;
        assert_eq!(seen(&[Some(millis), None]), None);
        for (time, unit) in [
            (millis / 1000, "as seconds it would be 2026-11-23T00:00:00"),
            (millis * 1000 + 456, "as microseconds it would be 2026-11-23T00:00:00.123456Z"),
            (millis * 1_000_000, "as nanoseconds it would be 2026-11-23T00:00:00.123"),
        ] {
            let text = seen(&[Some(millis), Some(time)]).expect("it is wrong");
            assert!(text.starts_with("1 of the newest 2 records") && text.contains(unit), "{text}");
        }
        for odd in [0, -1, i64::MAX, i64::MIN] {
            assert!(seen(&[Some(odd)]).is_some(), "{odd}");
        }
    }
}
