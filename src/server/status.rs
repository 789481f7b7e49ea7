//! `/api/status`: how things stand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use super::board::{Board, Durable};
use super::body;
use super::error::Answer;
use super::parameters::Parameters;
use super::run::{PartitionView, RunView};
use crate::book::entry::SourceKind;
use crate::book::rfc3339;
use crate::change::{Day, Partition};
use crate::query::{Filter, RejectRow, RejectSums};

/// A partition that is so far behind is not live: half a minute of a commit, and more than the ends are asked for.
const LIVE_WITHIN: f64 = 5.0;

/// Microseconds since 1970-01-01 UTC by this machine's clock.
pub(super) fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// How things stand, at one instant.
pub(super) struct Situation {
    pub(super) now: i64,
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
    pub(super) fn of(board: &Board) -> Situation {
        let now = now_micros();
        let (Some(run), Some(live)) = (&board.run, board.live()) else {
            let (complete_at, partitions) = (None, Vec::new());
            return Situation { now, state: "at_rest", reason: None, complete_at, lag: None, partitions };
        };
        let partitions = run.partitions(&live, now);
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
                partition.read_to.is_none() || partition.lag_seconds.is_none_or(|seconds| seconds > LIVE_WITHIN)
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
        } else if is_empty && lag.unwrap_or(0) == 0 {
            ("waiting", None)
        } else {
            ("live", None)
        };
        Situation { now, state, reason, complete_at, lag, partitions }
    }

    /// Whether records are there that are not read, or may be.
    pub(super) fn is_behind(&self) -> bool {
        matches!(self.state, "catching_up" | "disconnected")
    }
}

fn behind_text(worst: &PartitionView, source: SourceKind) -> String {
    let (topic, number) = (&worst.partition.topic, worst.partition.number);
    let name = if source.is_kafka() { format!("partition {number} of {topic}") } else { format!("{source} {topic}") };
    match worst.lag_seconds {
        Some(seconds) => format!("{name} is {} behind", spoken(seconds)),
        None => format!("{name} is {} {} behind", worst.lag.unwrap_or(0), lag_unit(source)),
    }
}

/// What a lag is counted in: how many changes WAL or a file holds is seen when they are read.
fn lag_unit(source: SourceKind) -> &'static str {
    if source.is_kafka() { "records" } else { "bytes" }
}

/// A lag as records and as bytes: one of the two is never known.
fn lags(board: &Board, lag: Option<u64>) -> [Option<u64>; 2] {
    match board.run.as_ref().is_none_or(|run| run.source.is_kafka()) {
        true => [lag, None],
        false => [None, lag],
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

/// The day in the book's zone.
pub(super) fn today(board: &Board, now: i64) -> Option<Day> {
    board.days()?.day(None, Some(now), None).ok()
}

/// What every frame of the stream tells of how things stand.
pub(super) fn compact(board: &Board) -> Value {
    let situation = Situation::of(board);
    let now = situation.now;
    let durable = board.durable();
    let [lag_records, lag_bytes] = lags(board, situation.lag);
    json!({
        "now": rfc3339(now),
        "state": situation.state,
        "state_reason": situation.reason,
        "complete_at": situation.complete_at.map(rfc3339),
        "durable": durable_json(board),
        "live": live_json(board),
        "rate": { "records_per_second": board.rate().per_second(now) },
        "lag_records": lag_records,
        "lag_bytes": lag_bytes,
        "rejects_total": durable.rejects.total(),
        "today": today(board, now),
    })
}

/// Answers `/api/status`.
pub(super) async fn status(State(board): State<Arc<Board>>, RawQuery(query): RawQuery) -> Answer {
    let filter = Parameters::read(query.as_deref(), &["from", "to", "day"])?.filter()?;
    filter.check()?;
    Ok(body::json(&whole(&board, &filter)))
}

fn whole(board: &Board, days: &Filter) -> Value {
    let situation = Situation::of(board);
    let [lag_records, lag_bytes] = lags(board, situation.lag);
    let now = situation.now;
    let durable = board.durable();
    let live = board.live();
    let moment = live.as_ref().map_or(&durable.moment, |live| &live.moment);
    let (per_second, history) = {
        let rate = board.rate();
        (rate.per_second(now), rate.history(now))
    };
    json!({
        "walbook": env!("CARGO_PKG_VERSION"),
        "book": {
            "name": board.name,
            "id": durable.id,
            "time_zone": durable.moment.time_zone,
            "day_from": durable.day_from,
            "generation": durable.generation,
            "first_day": moment.totals.first_day(),
            "made_at": durable.made_at.map(rfc3339),
        },
        "mode": if board.run.is_some() { "run" } else { "serve" },
        "now": rfc3339(now),
        "today": today(board, now),
        "state": situation.state,
        "state_reason": situation.reason,
        "complete_at": situation.complete_at.map(rfc3339),
        "complete_to": moment.complete_to(),
        "durable": durable_json(board),
        "live": live_json(board),
        "rate": { "records_per_second": per_second, "history": history },
        "lag_records": lag_records,
        "lag_bytes": lag_bytes,
        "commit_interval_seconds": board.run.as_ref().map(|run| run.commit_interval.as_secs_f64()),
        "connected_at": board.run.as_ref().and_then(RunView::connected_at).map(rfc3339),
        "topics": topics(board, &situation),
        "rejects": rejects(&durable.rejects, days),
        "slot": board.slot().as_deref(),
        "lost": lost(&durable),
    })
}

fn durable_json(board: &Board) -> Value {
    let durable = board.durable();
    let (run, complete_to) = (board.run.as_ref(), &durable.moment.complete_to);
    let took = run.and_then(|run| run.progress.commit_took(complete_to.commit));
    json!({
        "commit": complete_to.commit,
        "committed_at": durable.committed_at.map(rfc3339),
        "complete_at": run.and_then(|run| run.complete_at(&complete_to.positions)).map(rfc3339),
        "took_seconds": took.map(|took| took.as_secs_f64()),
        "changes": durable.changes,
        "entry": durable.entry,
    })
}

fn live_json(board: &Board) -> Value {
    let live = board.live();
    json!(live.map(|live| json!({ "epoch": live.epoch, "closed_at": rfc3339(live.closed_at) })))
}

fn topics(board: &Board, situation: &Situation) -> Value {
    let mut topics: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    let durable = board.durable();
    for view in &situation.partitions {
        let [lag_records, lag_bytes] = lags(board, view.lag);
        topics.entry(&view.partition.topic).or_default().push(json!({
            "partition": view.partition.number,
            "next_offset": view.next,
            "end_offset": view.end,
            "lag_records": lag_records,
            "lag_bytes": lag_bytes,
            "lag_seconds": view.lag_seconds,
            "read_to": view.read_to.map(rfc3339),
        }));
    }
    if board.run.is_none() {
        for (topic, positions) in &durable.moment.complete_to.positions {
            topics.entry(topic).or_default().extend(positions.iter().map(|(number, next)| {
                json!({
                    "partition": number, "next_offset": next, "end_offset": null, "lag_records": null,
                    "lag_bytes": null, "lag_seconds": null, "read_to": null,
                })
            }));
        }
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        let source = durable.sources.get(name).copied().unwrap_or_default();
        json!({ "name": name, "source": source, "partitions": partitions })
    });
    topics.collect()
}

fn lost(durable: &Durable) -> Value {
    let ranges = durable.lost.iter().map(|(Partition { topic, number }, lost)| {
        json!({
            "topic": topic, "partition": number, "from": lost.within.from, "to": lost.within.to, "records": lost.offsets,
        })
    });
    ranges.collect()
}

fn rejects(sums: &RejectSums, days: &Filter) -> Value {
    let by_reason = sums.by_reason();
    let newest = by_reason.iter().filter_map(|(_, sum)| sum.newest.kafka_time).max();
    let by_reason = by_reason.into_iter().map(|(reason, sum)| {
        let RejectRow { topic, partition, offset, kafka_time, key, value, .. } = &sum.newest;
        json!({
            "reason": reason,
            "count": sum.count,
            "newest": {
                "topic": topic,
                "partition": partition,
                "offset": offset,
                "kafka_time": kafka_time.map(rfc3339),
                "key": lossy(key),
                "value": lossy(value),
                "value_cut": sum.value_cut,
            },
        })
    });
    let by_reason: Vec<Value> = by_reason.collect();
    let in_range = days.from.or(days.to).and_then(|_| sums.within(days));
    json!({
        "total": sums.total(), "in_range": in_range, "newest": newest.map(rfc3339), "by_reason": by_reason,
    })
}

/// Bytes as a text; what is no UTF-8 is replaced.
pub(super) fn lossy(bytes: &Option<Vec<u8>>) -> Option<String> {
    bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::spoken;

    #[test]
    fn durations_are_told_as_people_say_them() {
        for (seconds, text) in
            [(0.4, "0 s"), (59.9, "59 s"), (180.0, "3 min"), (25_320.0, "7 h 02 min"), (367_200.0, "4 d 6 h")]
        {
            assert_eq!(spoken(seconds), text);
        }
    }
}
