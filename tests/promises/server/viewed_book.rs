//! Books with views, which runs write while servers answer from them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use chrono_tz::Tz;
use serde_json::Value;
use tempfile::TempDir;
use walbook::book::log::entry::Versions;
use walbook::book::{BookError, Snapshot, ViewChange, change_view};
use walbook::query::{Format, ViewQuery, view};
use walbook::store::{Disk, Store};

use super::client::{Response, get};
use super::served_run::serve_run;
use crate::support::{BegunRun, MemoryRun, MemoryTopic, Workload, WorkloadRecord, count_naively};

/// By operation: changes, tables and the last day.
pub(super) const BY_OP: &str = "CREATE VIEW by_op AS SELECT op, count(*) AS n, count(DISTINCT \"table\") AS tables, max(day) AS last, \
     avg(\"offset\") AS mean FROM changes GROUP BY op";
/// A view with days; some names need quotes in JSON and CSV.
pub(super) const DAILY: &str = "CREATE VIEW daily AS SELECT \"table\" AS \"a \"\"<b>\"\", c\", day, count(*) AS n, \
     sum(\"offset\"::numeric(18,2)) AS sum, min(kafka_time) AS first FROM changes GROUP BY 1, 2";
/// All changes, in one row.
pub(super) const ALL: &str =
    "CREATE VIEW everything AS SELECT count(*) AS n, bool_or(op = 'DELETE') AS deletes FROM changes";

/// A book that runs write, of records of which each run reads some.
pub(super) struct Book {
    folder: TempDir,
    pub(super) store: Arc<dyn Store>,
    pub(super) topic: MemoryTopic,
    records: Vec<WorkloadRecord>,
    pub(super) run: MemoryRun,
    read: usize,
}

impl Book {
    /// A book that keeps views, with the first of its records.
    pub(super) fn new(seed: u64, workers: usize, views: &[&str]) -> Book {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let store: Arc<dyn Store> = Arc::new(Disk::new(folder.path()));
        let records = Workload { seed, records: 6_000, ..Workload::default() }.records().collect();
        let run = MemoryRun { workers, seed, largest_batch: 20, epochs_per_commit: 20, ..MemoryRun::default() };
        let mut book = Book { folder, store, topic: MemoryTopic::new([]), records, run, read: 0 };
        book.grow(300);
        views.iter().for_each(|view| book.declare(view));
        book.grow(300);
        book
    }

    pub(super) fn root(&self) -> &Path {
        self.folder.path()
    }

    fn change(&self, change: &ViewChange) {
        let versions = Versions { walbook: "test".to_owned(), parser: 1, tzdata: "test".to_owned() };
        let no_book = || BookError::NoBook { path: self.root().to_owned() };
        change_view(&self.store, &versions, change, &no_book).expect("the change is accepted");
    }

    pub(super) fn declare(&self, view: &str) {
        self.change(&ViewChange::Declare(view.to_owned()));
    }

    pub(super) fn drop_view(&self, name: &str) {
        self.change(&ViewChange::Drop(name.to_owned()));
    }

    /// Makes more records known.
    pub(super) fn append(&mut self, records: usize) {
        let more = self.records[self.read..][..records].to_vec();
        self.topic.append(more);
        self.read += records;
    }

    /// Another run reads further records.
    pub(super) fn grow(&mut self, records: usize) {
        self.append(records);
        self.run.run(&self.store, &self.topic).expect("an undisturbed run");
    }

    /// A run that is served, and has read nothing yet.
    pub(super) fn begin(&mut self) -> (BegunRun, SocketAddr) {
        let (listener, epochs) = channel();
        let (committed, commits) = channel();
        let run = MemoryRun { listener: Some(listener), commits: Some(committed), ..self.run.clone() };
        let begun = run.begin(&self.store, &self.topic).expect("no other run has the book");
        let address = serve_run(self.root(), epochs, commits);
        (begun, address)
    }

    /// What `query --view` prints.
    pub(super) fn printed(&self, name: &str, query: &ViewQuery, format: Format) -> String {
        let mut out = Vec::new();
        view(self.root(), name, query).expect("an answer").print(format, &mut out).expect("memory");
        String::from_utf8(out).expect("text")
    }

    /// How many changes the records have that are known.
    pub(super) fn changes(&self) -> u64 {
        count_naively(&self.records[..self.read], Tz::UTC).counts.values().sum()
    }

    /// What a loop over the records below the positions finds for `BY_OP`, without the mean.
    pub(super) fn by_op(&self, complete_to: &Value) -> BTreeMap<String, (u64, usize, String)> {
        let positions = &complete_to["positions"][MemoryTopic::NAME];
        let is_read = |record: &&WorkloadRecord| {
            positions[record.partition.to_string()].as_i64().is_some_and(|next| record.offset < next)
        };
        let truth = count_naively(self.records.iter().filter(is_read), Tz::UTC);
        let mut by_op: BTreeMap<String, (u64, BTreeSet<String>, String)> = BTreeMap::new();
        for (key, count) in truth.counts {
            let (sum, tables, last) = by_op.entry(key.op.to_string()).or_default();
            *sum += count;
            tables.insert(key.table.table.clone());
            *last = key.day.to_string().max(std::mem::take(last));
        }
        by_op.into_iter().map(|(op, (sum, tables, last))| (op, (sum, tables.len(), last))).collect()
    }
}

/// The rows of `BY_OP`, without the mean.
pub(super) fn by_op(rows: &Value) -> BTreeMap<String, (u64, usize, String)> {
    let rows = rows.as_array().expect("rows").iter().map(|row| {
        let text = |name: &str| row[name].as_str().expect("a text").to_owned();
        let number = |name: &str| row[name].as_u64().expect("a count");
        (text("op"), (number("n"), number("tables") as usize, text("last")))
    });
    rows.collect()
}

/// Waits until a server has the newest entry of a book.
pub(super) fn await_commit(book: &Book, address: SocketAddr) {
    let newest = Snapshot::take(book.root()).expect("a book").state().entries - 1;
    while get(address, "/api/status").json()["durable"]["entry"].as_u64() < Some(newest) {
        thread::sleep(Duration::from_millis(10));
    }
}

/// Expects an error with a part of its message.
#[track_caller]
pub(super) fn expect_error(response: &Response, status: u16, code: &str, part: &str) {
    let error = &response.json()["error"];
    assert_eq!((response.status, error["code"].as_str()), (status, Some(code)), "{error}");
    assert!(error["message"].as_str().is_some_and(|message| message.contains(part)), "{part:?} is not in {error}");
}
