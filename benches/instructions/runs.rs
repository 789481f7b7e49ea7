//! Whole runs from memory on one worker: read, parse, count, write, commit.

use std::sync::Arc;

use walbook::book::log::entry::Versions;
use walbook::book::{BookError, ViewChange, change_view};
use walbook::parse::PARSER_VERSION;
use walbook::store::Store;

use crate::case::Case;
use crate::support::{MemoryRun, MemoryStore, MemoryTopic, pgbench};

const VIEW: &str = "CREATE VIEW balances AS SELECT day, new.bid::bigint AS branch, count(*) AS changes, sum(new.abalance::bigint) AS sum \
     FROM public.pgbench_accounts GROUP BY 1, 2";

/// Per record: a run with one commit, and the same with a view.
pub(crate) fn runs() -> Vec<Case> {
    let one_commit = || MemoryRun { largest_batch: 2_000, epochs_per_commit: u64::MAX, ..MemoryRun::default() };
    vec![
        Case::new("run: a record", [8_000, 72_000], move |sizes| run(sizes, one_commit(), None)),
        Case::new("run: a record, with a view", [8_000, 72_000], move |sizes| run(sizes, one_commit(), Some(VIEW))),
    ]
}

fn run(sizes: [u64; 2], run: MemoryRun, view: Option<&'static str>) -> impl FnOnce(u64) {
    let topics = sizes.map(|records| (records, MemoryTopic::new(pgbench(1, records, 4))));
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    drop(run.begin(&store, &topics[0].1).expect("a new book"));
    if let Some(view) = view {
        let versions = Versions { walbook: "bench".to_owned(), parser: PARSER_VERSION, tzdata: "bench".to_owned() };
        let no_book = || BookError::NoBook { path: "memory".into() };
        change_view(&store, &versions, &ViewChange::Declare(view.to_owned()), &no_book).expect("a view");
    }
    move |records| {
        let (_, topic) = topics.iter().find(|(size, _)| *size == records).expect("one of the sizes");
        run.run(&store, topic).expect("nothing disturbs the run");
    }
}
