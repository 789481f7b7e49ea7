//! Live answers are those of closed epochs: exactly the counts of the positions in the answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use crate::support::{MemoryRun, MemoryTopic, Workload, WorkloadRecord, count_naively};
use chrono_tz::Tz;
use serde_json::Value;
use walbook::store::{Disk, Store};

use super::client::get;
use super::served_run::serve_run;

type Counts = BTreeMap<[String; 4], u64>;

fn counts(rows: &Value) -> Counts {
    let row = |row: &Value| {
        let text = |name: &str| row[name].as_str().expect("a text").to_owned();
        ([text("day"), text("schema"), text("table"), text("op")], row["count"].as_u64().expect("a count"))
    };
    rows.as_array().expect("rows").iter().map(row).collect()
}

fn positions(of_topics: &Value) -> Vec<(String, i64)> {
    let partitions = of_topics[MemoryTopic::NAME].as_object().expect("partitions");
    partitions.iter().map(|(partition, next)| (partition.clone(), next.as_i64().expect("an offset"))).collect()
}

/// What a loop over the records below the positions counts.
fn expected(records: &[WorkloadRecord], complete_to: &Value) -> Counts {
    let positions = &complete_to["positions"][MemoryTopic::NAME];
    let is_read = |record: &&WorkloadRecord| {
        positions[record.partition.to_string()].as_i64().is_some_and(|next| record.offset < next)
    };
    let truth = count_naively(records.iter().filter(is_read), Tz::UTC);
    let counted = truth.counts.into_iter();
    counted
        .map(|(key, count)| {
            ([key.day.to_string(), key.table.schema.clone(), key.table.table.clone(), key.op.to_string()], count)
        })
        .collect()
}

fn check(workers: usize, seed: u64) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let store: Arc<dyn Store> = Arc::new(Disk::new(folder.path()));
    let workload = Workload { seed, records: 6_000, ..Workload::default() };
    let records: Vec<WorkloadRecord> = workload.records().collect();
    let (before, after) = records.split_at(500);
    let topic = MemoryTopic::new(before.to_vec());
    let mut run = MemoryRun { workers, seed, largest_batch: 20, epochs_per_commit: 20, ..MemoryRun::default() };
    run.run(&store, &topic).expect("an undisturbed run");

    let (listener, epochs) = channel();
    run.listener = Some(listener);
    let (committed, commits) = channel();
    run.commits = Some(committed);
    topic.append(after.to_vec());
    let begun = run.begin(&store, &topic).expect("no other run has the book");
    let address = serve_run(folder.path(), epochs, commits);

    let (mut asked, mut epochs) = (0, BTreeMap::new());
    thread::scope(|scope| {
        let running = scope.spawn(|| begun.read().expect("an undisturbed run"));
        loop {
            let finished = running.is_finished();
            let live = get(address, "/api/counts").json();
            let complete_to = &live["complete_to"];
            assert_eq!(complete_to["level"], "live");
            let epoch = complete_to["epoch"].as_u64().expect("an epoch");
            assert_eq!(counts(&live["rows"]), expected(&records, complete_to), "epoch {epoch}, {workers} workers");
            asked += 1;
            *epochs.entry(epoch).or_insert(0) += 1;
            let durable = get(address, "/api/counts?level=durable").json();
            let live = get(address, "/api/counts").json()["complete_to"]["positions"].clone();
            for (partition, next) in positions(&durable["complete_to"]["positions"]) {
                assert!(live[MemoryTopic::NAME][&partition].as_i64() >= Some(next), "{live} is behind {durable}");
            }
            assert_eq!(counts(&durable["rows"]), expected(&records, &durable["complete_to"]), "{workers} workers");
            if finished && complete_to["positions"] == durable["complete_to"]["positions"] {
                break;
            }
        }
    });
    let last = get(address, "/api/counts").json();
    assert_eq!(counts(&last["rows"]), expected(&records, &last["complete_to"]));
    assert_eq!(
        counts(&last["rows"]).values().sum::<u64>(),
        count_naively(&records, Tz::UTC).counts.values().sum::<u64>()
    );
    assert!(epochs.len() > 1, "asked {asked} times beside the run: {epochs:?}");
}

#[test]
fn live_answers_are_exactly_those_of_their_positions() {
    check(1, 1);
    check(3, 2);
}
