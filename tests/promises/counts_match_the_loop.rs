//! The counts of a book are those of the plainest loop over the records, whatever the workers and batches.

use std::sync::Arc;

use crate::support::{MemoryRun, MemoryStore, MemoryTopic, Workload, WorkloadRecord, count_naively};
use chrono_tz::Tz;
use walbook::book::CountsFile;
use walbook::store::{Store, layout};

use std::collections::BTreeMap;
use walbook::change::CountKey;

/// All counts of the book in `store`.
pub(crate) fn counts(store: &dyn Store) -> BTreeMap<CountKey, u64> {
    let mut all = BTreeMap::new();
    for folder in store.list("counts").unwrap_or_default() {
        let day = layout::day_of_folder(&folder).expect("a day folder");
        let bytes = store.read(&layout::counts_path(day)).expect("a counts file");
        let file = CountsFile::read(day, bytes.into()).expect("a whole counts file");
        all.extend(file.by_key().map(|(key, count)| (key, u64::try_from(count).expect("positive"))));
    }
    all
}

fn check(workload: &Workload, run: &MemoryRun) {
    let records: Vec<WorkloadRecord> = workload.records().collect();
    let truth = count_naively(&records, run.time_zone);
    let topic = MemoryTopic::new(records);
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    run.run(&store, &topic).expect("a run that nothing disturbs");
    assert_eq!(counts(&*store), truth.counts, "{workload:?} {run:?}");
}

#[test]
fn on_any_number_of_workers_and_any_batching() {
    for workers in [1, 2, 3, 5] {
        for (largest_batch, epochs_per_commit) in [(1, 50), (7, 3), (10_000, 1)] {
            let workload = Workload { seed: workers as u64, ..Workload::default() };
            check(&workload, &MemoryRun { workers, largest_batch, epochs_per_commit, ..MemoryRun::default() });
        }
    }
}

#[test]
fn with_commits_that_end_at_any_moment() {
    for seed in 0..12 {
        let workload = Workload { seed, ..Workload::default() };
        let workers = 1 + seed as usize % 3;
        check(&workload, &MemoryRun { workers, seed, restless: true, ..MemoryRun::default() });
    }
}

#[test]
fn in_a_zone_with_summer_time() {
    let time_zone = Tz::Europe__Vienna;
    check(&Workload::default(), &MemoryRun { workers: 2, time_zone, ..MemoryRun::default() });
}
