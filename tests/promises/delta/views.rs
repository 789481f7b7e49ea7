//! Views are tables as well: built, built again, dropped, and declared anew with other columns.

use std::collections::BTreeMap;
use std::sync::Arc;

use parquet::file::reader::FileReader as _;
use parquet::record::RowAccessor as _;
use serde_json::Value;
use walbook::book::{BookError, Committer, ViewChange, change_view};
use walbook::change::CountKey;
use walbook::delta::TableLog;
use walbook::run::versions as versions_of_program;
use walbook::store::Store;
use walbook::store::layout::Table;

use super::world::{contents, tables, versions, write};
use crate::book::world::next;
use crate::compaction::world::{commit, start, truth};
use crate::support::MemoryStore;

fn change(store: &MemoryStore, change: ViewChange) {
    let shared: Arc<dyn Store> = Arc::new(store.clone());
    change_view(&shared, &versions_of_program(), &change, &|| BookError::NoBook { path: "a disk in memory".into() })
        .expect("it is accepted");
}

fn declare(store: &MemoryStore, declaration: &str) {
    change(store, ViewChange::Declare(declaration.to_owned()));
}

/// Starts a run that builds the views.
fn start_with_views(store: &MemoryStore) -> (Committer, BTreeMap<CountKey, i64>) {
    let (mut committer, totals) = start(store).expect("nothing strikes");
    committer.take_up_views(1, 1000).expect("nothing strikes");
    (committer, totals)
}

/// The sum of a column of numbers of the newest version.
fn changes(store: &MemoryStore, view: &str, column: usize) -> i64 {
    let newest = versions(store, view).pop().expect("there is a version");
    let mut sum = 0;
    for (_, reader) in contents(store, view, &newest) {
        for row in reader.get_row_iter(None).expect("rows") {
            sum += row.expect("a row").get_long(column).expect("a number");
        }
    }
    sum
}

fn expected(committer: &Committer) -> i64 {
    let rows = truth(&next(committer.state()));
    i64::try_from(rows.iter().filter(|row| row.0 == Table::Events).count()).expect("few rows")
}

#[test]
fn a_view_has_a_table_as_long_as_it_is_declared() {
    let store = MemoryStore::new();
    let (mut committer, mut totals) = start(&store).expect("nothing strikes");
    commit(&store, &mut committer, &mut totals).expect("nothing strikes");
    declare(&store, "CREATE VIEW daily AS SELECT day, count(*) AS changes FROM changes GROUP BY day");
    declare(&store, "CREATE VIEW named AS SELECT count(*) AS \"two words\" FROM changes");
    declare(
        &store,
        "CREATE VIEW other AS SELECT op AS day, day AS of, count(*) AS changes FROM changes GROUP BY op, 2",
    );

    let (committer, _) = start_with_views(&store);
    let mut delta = tables(&store, &committer);
    // Events, counts, and the view; the others have columns that Delta does not have.
    assert_eq!(write(&mut delta, &committer).expect("nothing strikes"), 3);
    assert_eq!(changes(&store, "views/daily", 1), expected(&committer));
    for refused in ["views/named", "views/other"] {
        assert!(versions(&store, refused).is_empty(), "{refused}");
    }
    // A run that does not keep the view adds changes: the table stays at its entry.
    let (mut committer, mut totals) = start(&store).expect("nothing strikes");
    let mut delta = tables(&store, &committer);
    commit(&store, &mut committer, &mut totals).expect("nothing strikes");
    assert_eq!(write(&mut delta, &committer).expect("nothing strikes"), 2);
    assert_eq!(versions(&store, "views/daily").len(), 1);

    let (committer, _) = start_with_views(&store);
    let mut delta = tables(&store, &committer);
    assert_eq!(write(&mut delta, &committer).expect("nothing strikes"), 1, "only the view has changed");
    assert_eq!(changes(&store, "views/daily", 1), expected(&committer));

    // Between two versions it is dropped and declared with other columns.
    change(&store, ViewChange::Drop("daily".to_owned()));
    declare(
        &store,
        "CREATE VIEW daily AS SELECT op, count(*) AS changes, max(\"offset\") AS newest FROM changes GROUP BY op",
    );
    let (mut committer, mut totals) = start_with_views(&store);
    let mut delta = tables(&store, &committer);
    assert_eq!(write(&mut delta, &committer).expect("nothing strikes"), 1);
    let log = TableLog::read(&store, "views/daily", &committer.state().book).expect("it is whole");
    let metadata = log.metadata.expect("it is there");
    let schema: Value = serde_json::from_str(&metadata.schema_string).expect("JSON");
    let names: Vec<&str> =
        schema["fields"].as_array().expect("fields").iter().filter_map(|f| f["name"].as_str()).collect();
    assert_eq!((names, metadata.partition_columns), (vec!["op", "changes", "newest"], vec![]));
    assert_eq!((log.version, log.files.len()), (Some(2), 1));

    // Dropped for good.
    change(&store, ViewChange::Drop("daily".to_owned()));
    committer.follow_log().expect("nothing strikes");
    commit(&store, &mut committer, &mut totals).expect("nothing strikes");
    assert_eq!(write(&mut delta, &committer).expect("nothing strikes"), 2);
    let left: Vec<String> = store.files().into_keys().filter(|path| path.starts_with("views/daily")).collect();
    assert!(left.is_empty(), "{left:?}");
}
