//! `/api/status`: the status of the book and of the run that writes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{RawQuery, State};

use super::schema::{ApiErrors, Timestamp};
use super::status_body::{
    BookStatus, ClusterStatus, CompactionStatus, DurableStatus, FilesStatus, LiveEpoch, LiveStatus, LostOffsets, Mode,
    NewestReject, PartitionProgress, PresentRate, ProcessStatus, PruneStatus, RateHistory, ReasonStatus, RejectsStatus,
    SlotAnswer, Status, TopicStatus,
};
use crate::change::Partition;
use crate::cluster::ClusterReport;
use crate::query::{Filter, RejectRow, RejectSums};
use crate::server::error::Answer;
use crate::server::http::accepted_parameters::{DAY, FROM, TO, accepted_parameters};
use crate::server::http::body;
use crate::server::http::parameters::Parameters;
use crate::server::state::{AppState, DurableState, ObservedSlot, RunState, RunStatus, SlotReport, StateSnapshot};

/// How long the report about a slot is valid, in microseconds.
const SLOT_REPORT_VALID: i64 = 60_000_000;

accepted_parameters!(StatusParameters: FROM, TO, DAY);

/// The status of the book and of its run
#[utoipa::path(get, path = "/api/status", params(StatusParameters), responses(
    (status = 200, description = "The status", body = Status, content_type = "application/json"),
    ApiErrors,
))]
pub(in crate::server) async fn status(State(state): State<Arc<AppState>>, RawQuery(query): RawQuery) -> Answer {
    let filter = Parameters::read(query.as_deref(), StatusParameters::ACCEPTED)?.filter()?;
    filter.check()?;
    Ok(body::json(&status_of(&state, &state.snapshot(), &filter)))
}

/// The part of the status that every event of the stream contains.
pub(in crate::server) fn live_status(state: &AppState, snapshot: &StateSnapshot) -> LiveStatus {
    let run_status = state.run_status(snapshot);
    let (lag_records, lag_bytes) = lag_by_unit(state, run_status.lag);
    LiveStatus {
        now: Timestamp(snapshot.now),
        state: run_status.state,
        state_reason: run_status.reason,
        complete_at: run_status.complete_at.map(Timestamp),
        durable: durable_status(state.run_in(snapshot), &snapshot.durable),
        live: live_epoch(snapshot),
        rate: PresentRate { records_per_second: state.rate().per_second(snapshot.now) },
        lag_records,
        lag_bytes,
        // Not of the snapshot: rejects are summed later than counts.
        rejects_total: state.rejects().total(),
        today: snapshot.today(),
    }
}

fn status_of(state: &AppState, snapshot: &StateSnapshot, days: &Filter) -> Status {
    let run_status = state.run_status(snapshot);
    let (lag_records, lag_bytes) = lag_by_unit(state, run_status.lag);
    let (now, durable, counts, run) = (snapshot.now, &snapshot.durable, snapshot.counts(), state.run_in(snapshot));
    let rate = {
        let rate = state.rate();
        RateHistory { records_per_second: rate.per_second(now), history: rate.history(now) }
    };
    let topics = topics(state, snapshot, &run_status);
    let cluster = run_status.cluster.as_ref().map(cluster_status);
    Status {
        walbook: env!("CARGO_PKG_VERSION"),
        book: BookStatus {
            name: state.name.clone(),
            id: durable.id.clone(),
            time_zone: durable.counts.time_zone.clone(),
            day_from: durable.day_from.clone(),
            generation: durable.generation.clone(),
            first_day: counts.totals.first_day(),
            made_at: durable.made_at.map(Timestamp),
        },
        mode: if run.is_some() { Mode::Run } else { Mode::Serve },
        now: Timestamp(now),
        today: snapshot.today(),
        state: run_status.state,
        state_reason: run_status.reason,
        complete_at: run_status.complete_at.map(Timestamp),
        complete_to: counts.complete_to.clone(),
        durable: durable_status(run, durable),
        live: live_epoch(snapshot),
        rate,
        lag_records,
        lag_bytes,
        commit_interval_seconds: run.map(|run| run.settings.commit_interval.as_secs_f64()),
        connected_at: run.and_then(RunState::connected_at).map(Timestamp),
        topics,
        cluster,
        rejects: RejectsStatus {
            unread: state.unread_rejects().map(|unread| unread.to_string()),
            ..rejects(&state.rejects(), days)
        },
        unreadable_fields: durable.unreadable_fields,
        slot: run.and_then(|_| state.slot()).map(|slot| slot_status(&slot, now)),
        lost: lost(durable),
        files: files(durable),
    }
}

fn files(durable: &DurableState) -> FilesStatus {
    let compactions = durable.compactions.as_ref();
    FilesStatus {
        files: durable.files.map(|totals| totals.files),
        bytes: durable.files.and_then(|totals| totals.sizes.bytes()),
        most_of_a_day: durable.files.map(|totals| totals.most_of_a_day),
        entries: durable.entry + 1,
        compactions: compactions.map_or(0, |compactions| compactions.entries),
        newest_prune: durable.pruned.map(|pruned| PruneStatus {
            entry: pruned.entry,
            written_at: Timestamp(pruned.written_at),
            before: pruned.before,
            files: pruned.files,
            bytes: pruned.bytes.bytes(),
        }),
        newest_compaction: compactions.map(|compactions| {
            let newest = compactions.newest.clone();
            CompactionStatus {
                entry: newest.entry,
                written_at: Timestamp(newest.written_at),
                table: newest.table,
                day: newest.day,
                files_before: newest.files_before,
                files_after: newest.files_after,
                bytes_before: newest.bytes_before,
                bytes_after: newest.bytes_after,
                rows: newest.rows,
            }
        }),
    }
}

/// A lag in records and in bytes: one of the two is never known.
fn lag_by_unit(state: &AppState, lag: Option<u64>) -> (Option<u64>, Option<u64>) {
    let is_kafka = state.run.as_ref().is_none_or(|run| run.settings.source.is_kafka());
    if is_kafka { (lag, None) } else { (None, lag) }
}

fn durable_status(run: Option<&RunState>, durable: &DurableState) -> DurableStatus {
    let complete_to = &durable.counts.complete_to;
    let took = run.and_then(|run| run.settings.progress.commit_duration(complete_to.commit));
    DurableStatus {
        commit: complete_to.commit,
        committed_at: durable.committed_at.map(Timestamp),
        complete_at: run.and_then(|run| run.complete_at(&complete_to.positions)).map(Timestamp),
        took_seconds: took.map(|took| took.as_secs_f64()),
        changes: durable.changes,
        entry: durable.entry,
    }
}

fn live_epoch(snapshot: &StateSnapshot) -> Option<LiveEpoch> {
    let live = snapshot.live.as_ref()?;
    Some(LiveEpoch { epoch: live.epoch, closed_at: Timestamp(live.closed_at) })
}

fn topics(state: &AppState, snapshot: &StateSnapshot, run_status: &RunStatus) -> Vec<TopicStatus> {
    let mut topics: BTreeMap<&str, Vec<PartitionProgress>> = BTreeMap::new();
    let durable = &snapshot.durable;
    for read in &run_status.partitions {
        let (lag_records, lag_bytes) = lag_by_unit(state, read.lag);
        topics.entry(&read.partition.topic).or_default().push(PartitionProgress {
            partition: read.partition.number,
            next_offset: read.next,
            end_offset: read.end,
            lag_records,
            lag_bytes,
            lag_seconds: read.lag_seconds,
            read_to: read.read_to.map(Timestamp),
        });
    }
    if snapshot.live.is_none() {
        for (topic, positions) in &durable.counts.complete_to.positions {
            topics.entry(topic).or_default().extend(positions.iter().map(|(partition, next_offset)| {
                PartitionProgress { partition: *partition, next_offset: *next_offset, ..PartitionProgress::default() }
            }));
        }
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        let source = durable.sources.get(name).copied().unwrap_or_default();
        TopicStatus { name: name.to_owned(), source, partitions }
    });
    topics.collect()
}

fn cluster_status(cluster: &ClusterReport) -> ClusterStatus {
    let processes = cluster.processes.iter().map(|process| ProcessStatus {
        process: process.process,
        address: process.address.clone(),
        workers: cluster.workers,
        since: Timestamp(process.connected_at),
        last_contact_ms: u64::try_from(process.silent.as_millis()).unwrap_or(u64::MAX),
        answers: process.answers,
        source_error: process.source.as_ref().and_then(|source| source.error.clone()),
    });
    ClusterStatus {
        run: cluster.run.clone(),
        process: cluster.process,
        leader: cluster.leader,
        since: Timestamp(cluster.formed_at),
        processes: processes.collect(),
    }
}

fn lost(durable: &DurableState) -> Vec<LostOffsets> {
    let ranges = durable.lost.iter().map(|(Partition { topic, number }, lost)| LostOffsets {
        topic: topic.clone(),
        partition: *number,
        from: lost.within.from,
        to: lost.within.to,
        records: lost.offsets,
    });
    ranges.collect()
}

fn rejects(sums: &RejectSums, days: &Filter) -> RejectsStatus {
    let by_reason = sums.by_reason();
    let newest = by_reason.iter().filter_map(|(_, sum)| sum.newest.kafka_time).max();
    let by_reason = by_reason.into_iter().map(|(reason, sum)| {
        let RejectRow { topic, partition, offset, kafka_time, key, value, .. } = &sum.newest;
        let newest = NewestReject {
            topic: topic.clone(),
            partition: *partition,
            offset: *offset,
            kafka_time: kafka_time.map(Timestamp),
            key: lossy(key),
            value: lossy(value),
            value_cut: sum.value_cut,
        };
        ReasonStatus { reason: reason.to_owned(), count: sum.count, newest }
    });
    let by_reason = by_reason.collect();
    let in_range = days.from.or(days.to).and_then(|_| sums.within(days));
    RejectsStatus { total: sums.total(), in_range, newest: newest.map(Timestamp), by_reason, unread: None }
}

/// A slot as its server last reported it; of an old report only what does not change by itself.
fn slot_status(observed: &ObservedSlot, now: i64) -> SlotAnswer {
    let is_valid = now - observed.observed_at <= SLOT_REPORT_VALID;
    let SlotReport { name, active, confirmed_lsn, restart_lsn, lag_bytes, retained_bytes, wal_status } =
        observed.slot.clone();
    SlotAnswer {
        name,
        asked_at: Timestamp(observed.observed_at),
        active: is_valid.then_some(active),
        confirmed_lsn,
        restart_lsn,
        lag_bytes: lag_bytes.filter(|_| is_valid),
        retained_bytes: retained_bytes.filter(|_| is_valid),
        wal_status,
    }
}

/// Bytes as text; invalid UTF-8 is replaced.
pub(in crate::server) fn lossy(bytes: &Option<Vec<u8>>) -> Option<String> {
    bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Totals;
    use crate::server::state::CountsSnapshot;

    #[test]
    fn an_answer_is_about_the_snapshot_that_it_was_given() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let durable = DurableState::clone(&StateSnapshot::holding(&Totals::default()).durable);
        let state = AppState::new(&folder.path().into(), durable, None, None);
        let snapshot = state.snapshot();
        let commit = snapshot.durable.counts.complete_to.commit;
        let mut complete_to = snapshot.durable.counts.complete_to.clone();
        complete_to.commit += 1;
        let (totals, time_zone) = (snapshot.counts().totals.clone(), "UTC".to_owned());
        let counts = Arc::new(CountsSnapshot { totals, complete_to, time_zone, rejects: Arc::default() });
        state.set_durable(DurableState { counts, entry: 99, ..DurableState::clone(&snapshot.durable) });
        let status = status_of(&state, &snapshot, &Filter::default());
        assert_eq!((status.complete_to.commit, status.durable.commit), (commit, commit));
        assert_ne!(status.durable.entry, 99);
        assert_eq!(status_of(&state, &state.snapshot(), &Filter::default()).durable.entry, 99);
    }

    #[test]
    fn of_a_slot_whose_server_does_not_answer_only_positions_are_reported() {
        let slot = SlotReport {
            name: "shop".to_owned(),
            active: true,
            confirmed_lsn: Some("0/16B2F00".to_owned()),
            restart_lsn: None,
            lag_bytes: Some(7),
            retained_bytes: Some(9),
            wal_status: Some("reserved".to_owned()),
        };
        let observed = ObservedSlot { slot, observed_at: 1_000_000 };
        let fresh = slot_status(&observed, 60_000_000);
        assert_eq!((fresh.active, fresh.lag_bytes, fresh.retained_bytes), (Some(true), Some(7), Some(9)));
        let old = slot_status(&observed, 61_000_001);
        assert_eq!((old.active, old.lag_bytes, old.retained_bytes), (None, None, None));
        assert_eq!((old.name.as_str(), old.confirmed_lsn.as_deref()), ("shop", Some("0/16B2F00")));
        assert_eq!(body::to_json(&old)["asked_at"], "1970-01-01T00:00:01.000000Z");
    }
}
