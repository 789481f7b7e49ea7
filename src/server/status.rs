//! `/api/status`: how things stand.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use super::board::{Board, Durable};
use super::body;
use super::error::Answer;
use super::parameters::Parameters;
use super::run::RunView;
use super::situation::Situation;
use super::view::View;
use crate::book::rfc3339;
use crate::change::Partition;
use crate::query::{Filter, RejectRow, RejectSums};

/// A lag as records and as bytes: one of the two is never known.
fn lags(board: &Board, lag: Option<u64>) -> [Option<u64>; 2] {
    match board.run.as_ref().is_none_or(|run| run.source.is_kafka()) {
        true => [lag, None],
        false => [None, lag],
    }
}

/// What every frame of the stream tells of how things stand.
pub(super) fn compact(board: &Board, view: &View) -> Value {
    let situation = Situation::of(board, view);
    let [lag_records, lag_bytes] = lags(board, situation.lag);
    json!({
        "now": rfc3339(view.now),
        "state": situation.state,
        "state_reason": situation.reason,
        "complete_at": situation.complete_at.map(rfc3339),
        "durable": durable_json(view.run(board), &view.durable),
        "live": live_json(view),
        "rate": { "records_per_second": board.rate().per_second(view.now) },
        "lag_records": lag_records,
        "lag_bytes": lag_bytes,
        // Those of a book are summed up later than its counts.
        "rejects_total": board.durable().rejects.total(),
        "today": view.today(),
    })
}

/// Answers `/api/status`.
pub(super) async fn status(State(board): State<Arc<Board>>, RawQuery(query): RawQuery) -> Answer {
    let filter = Parameters::read(query.as_deref(), &["from", "to", "day"])?.filter()?;
    filter.check()?;
    Ok(body::json(&whole(&board, &View::of(&board), &filter)))
}

fn whole(board: &Board, view: &View, days: &Filter) -> Value {
    let situation = Situation::of(board, view);
    let [lag_records, lag_bytes] = lags(board, situation.lag);
    let (now, durable, moment, run) = (view.now, &view.durable, view.moment(), view.run(board));
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
        "mode": if run.is_some() { "run" } else { "serve" },
        "now": rfc3339(now),
        "today": view.today(),
        "state": situation.state,
        "state_reason": situation.reason,
        "complete_at": situation.complete_at.map(rfc3339),
        "complete_to": moment.complete_to(),
        "durable": durable_json(run, durable),
        "live": live_json(view),
        "rate": { "records_per_second": per_second, "history": history },
        "lag_records": lag_records,
        "lag_bytes": lag_bytes,
        "commit_interval_seconds": run.map(|run| run.commit_interval.as_secs_f64()),
        "connected_at": run.and_then(RunView::connected_at).map(rfc3339),
        "topics": topics(board, view, &situation),
        "rejects": rejects(&durable.rejects, days),
        "slot": run.and_then(|_| board.slot()).map(|slot| slot.told(now)),
        "lost": lost(durable),
    })
}

fn durable_json(run: Option<&RunView>, durable: &Durable) -> Value {
    let complete_to = &durable.moment.complete_to;
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

fn live_json(view: &View) -> Value {
    json!(view.live.as_ref().map(|live| json!({ "epoch": live.epoch, "closed_at": rfc3339(live.closed_at) })))
}

fn topics(board: &Board, view: &View, situation: &Situation) -> Value {
    let mut topics: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    let durable = &view.durable;
    for read in &situation.partitions {
        let [lag_records, lag_bytes] = lags(board, read.lag);
        topics.entry(&read.partition.topic).or_default().push(json!({
            "partition": read.partition.number,
            "next_offset": read.next,
            "end_offset": read.end,
            "lag_records": lag_records,
            "lag_bytes": lag_bytes,
            "lag_seconds": read.lag_seconds,
            "read_to": read.read_to.map(rfc3339),
        }));
    }
    if view.live.is_none() {
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
    use super::*;
    use crate::server::follow;
    use crate::server::moment::Moment;
    use crate::testing::book_builder::{BookBuilder, Contents};

    #[test]
    fn an_answer_is_of_the_view_that_was_taken_for_it() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let mut book = BookBuilder::open(folder.path(), "UTC", &[("shop", 1)]).expect("a book");
        book.commit(Contents { events: Vec::new(), rejects: Vec::new() }).expect("a commit");
        let (durable, _) = follow::read(folder.path(), None).expect("a book");
        let board = Board::new(folder.path(), durable, None, None);
        let view = View::of(&board);
        let commit = view.durable.moment.complete_to.commit;
        let mut complete_to = view.durable.moment.complete_to.clone();
        complete_to.commit += 1;
        let (totals, time_zone) = (view.moment().totals.clone(), "UTC".to_owned());
        let moment = Arc::new(Moment { totals, complete_to, time_zone });
        board.set_durable(Durable { moment, entry: 99, ..Durable::clone(&view.durable) });
        let told = whole(&board, &view, &Filter::default());
        assert_eq!((&told["complete_to"]["commit"], &told["durable"]["commit"]), (&commit.into(), &commit.into()));
        assert_ne!(told["durable"]["entry"], 99);
        assert_eq!(whole(&board, &View::of(&board), &Filter::default())["durable"]["entry"], 99);
    }
}
