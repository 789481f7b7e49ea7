//! Views over small batches: every way to divide and order the changes gives the same rows, also by way of files.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use arrow_select::concat::concat_batches;
use chrono_tz::Tz;
use fastrand::Rng;

use super::{View, ViewContents, ViewInputs};
use crate::change::{Day, GroupKey};
use crate::store::layout::ViewFileKind;

const VIEW: &str = "CREATE VIEW v AS SELECT day, new.region, count(*) AS n, count(new.amount) AS c, \
     count(DISTINCT new.amount) AS d, sum(new.amount::numeric(18,2)) AS s, sum(new.amount::double precision) AS f, \
     avg(new.amount::numeric(18,2)) AS a, min(new.amount::numeric(18,2)) AS least, max(new.region) AS r, \
     bool_or(new.amount LIKE '1%') FILTER (WHERE op = 'INSERT') AS b, sum(new.amount::numeric) AS free \
     FROM shop.\"order\" WHERE op <> 'DELETE' GROUP BY day, new.region";

fn view(text: &str) -> View {
    View::parse(7, text, Tz::UTC).unwrap_or_else(|error| panic!("{text}: {error}"))
}

type Change = (&'static str, &'static str, String);

fn batch(changes: &[Change]) -> RecordBatch {
    let column = |values: Vec<&str>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    let columns = vec![
        column(changes.iter().map(|_| "shop").collect()),
        column(changes.iter().map(|(table, ..)| *table).collect()),
        column(changes.iter().map(|(_, op, _)| *op).collect()),
        column(changes.iter().map(|(.., data)| data.as_str()).collect()),
    ];
    let field = |name| Field::new(name, DataType::Utf8, false);
    let schema = Schema::new(["schema", "table", "op", "data"].map(field).to_vec());
    RecordBatch::try_new(Arc::new(schema), columns).expect("four columns")
}

fn change(random: &mut Rng) -> Change {
    let region = ["'north'", "'south'", "''", "null"][random.usize(0..4)];
    let amount = match random.u8(0..6) {
        0 => "null".to_owned(),
        1 => "'n/a'".to_owned(),
        2 => "1e30".to_owned(),
        _ => format!("{}.{:02}", random.i32(-50..50), random.u8(0..100)),
    };
    let table = if random.u8(0..4) == 0 { "item" } else { "order" };
    let op = ["INSERT", "UPDATE", "DELETE"][random.usize(0..3)];
    let row = if op == "DELETE" {
        "id[integer]:1".to_owned()
    } else {
        format!("region[text]:{region} amount[numeric]:{amount}")
    };
    let printed = if table == "order" { "shop.\"order\"" } else { "shop.item" };
    (table, op, format!("table {printed}: {op}: {row}"))
}

fn day(number: i64) -> Day {
    Day::from_days(20_000 + number).expect("a day")
}

/// What the view holds of the changes, in batches of random size.
fn contents(view: &View, changes: &[(i64, Change)], random: &mut Rng) -> ViewContents {
    let mut all = ViewContents::default();
    let mut inputs = ViewInputs::new([view]);
    let mut rest = changes;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(random.usize(1..=rest.len().min(50)));
        rest = later;
        let rows: Vec<Change> = now.iter().map(|(_, change)| change.clone()).collect();
        let mut days: Vec<(Day, usize)> = Vec::new();
        for (row, (of_row, _)) in now.iter().enumerate() {
            match days.last_mut() {
                Some((last, end)) if *last == day(*of_row) => *end = row + 1,
                _ => days.push((day(*of_row), row + 1)),
            }
        }
        let give = |_, input| {
            let deltas = view.deltas(input)?;
            match random.bool() {
                true => all.add(deltas),
                false => {
                    let mut of_batch = ViewContents::default();
                    of_batch.add(deltas);
                    all.merge(of_batch);
                }
            }
            Ok::<_, String>(())
        };
        inputs.read(&batch(&rows), &days, give).expect("all columns are there");
    }
    all
}

#[test]
fn rows_depend_on_the_changes_alone() {
    let view = view(VIEW);
    let random = &mut Rng::with_seed(3);
    for _ in 0..30 {
        let mut changes: Vec<(i64, Change)> =
            (0..random.usize(1..400)).map(|_| (random.i64(0..5), change(random))).collect();
        let once = contents(&view, &changes, random);
        random.shuffle(&mut changes);
        let again = contents(&view, &changes, random);
        assert_eq!(view.rows(&once), view.rows(&again));
        assert_eq!(once.values, again.values);
        assert_eq!(once.bad_values.count, again.bad_values.count);
    }
}

#[test]
fn files_give_the_contents_again() {
    let random = &mut Rng::with_seed(5);
    for text in [
        VIEW,
        "CREATE VIEW w AS SELECT count(*) AS n, count(DISTINCT new.region) AS d FROM changes",
        "CREATE VIEW x AS SELECT count(DISTINCT new.region) AS d FROM changes",
        "CREATE VIEW y AS SELECT op, max(new.region) AS r FROM changes GROUP BY op",
    ] {
        let view = view(text);
        let changes: Vec<(i64, Change)> = (0..500).map(|_| (random.i64(0..5), change(random))).collect();
        let all = contents(&view, &changes, random);
        let mut groups = 0;
        for (day, part) in all.clone().by_day(&view).expect("own keys") {
            assert_eq!(day.is_some(), view.plan().day_group().is_some());
            groups += part.groups.len();
            let (mut state, mut values, mut rows) = (None, Vec::new(), None);
            let most_bytes = [usize::MAX, 500, 0][random.usize(0..3)];
            for (kind, bytes, _) in view.encode_by(&part, most_bytes).expect("own keys") {
                match kind {
                    ViewFileKind::State => state = Some(bytes.into()),
                    ViewFileKind::Values(place) => values.push((place, bytes.into())),
                    ViewFileKind::Rows => rows = Some(bytes.into()),
                }
            }
            let decoded = view.decode(state.expect("a file of state"), &values).expect("what was written");
            assert_eq!((&decoded.groups, &decoded.values), (&part.groups, &part.values));
            let read = super::batches(rows.expect("a file of rows")).expect("Parquet");
            let read: Vec<RecordBatch> =
                read.map(|batch| view.restored(&batch?)).collect::<Result<_, String>>().expect("rows of the view");
            assert_eq!(concat_batches(&view.schema(), &read).ok(), view.rows(&part).ok());
        }
        assert_eq!(groups, all.groups.len());
    }
}

#[test]
fn a_group_without_values_is_a_row_with_nulls() {
    let view = view(
        "CREATE VIEW v AS SELECT op, sum(new.x::bigint) AS s, max(new.x) AS m, count(new.x) AS c, count(DISTINCT new.x) AS d FROM changes GROUP BY op",
    );
    let changes = [(0, ("order", "DELETE", "table shop.\"order\": DELETE: id[integer]:1".to_owned()))];
    let all = contents(&view, &changes, &mut Rng::with_seed(1));
    let rows = view.rows(&all).expect("rows");
    assert_eq!(rows.num_rows(), 1);
    let nulls: Vec<usize> = rows.columns().iter().map(|column| column.null_count()).collect();
    assert_eq!(nulls, [0, 1, 1, 0, 0]);
}

#[test]
fn a_view_that_has_no_exact_form_is_refused() {
    let refused = |text: &str| View::parse(0, text, Tz::UTC).expect_err("it is refused").to_string();
    let numeric = "CREATE VIEW v AS SELECT new.x::numeric AS x, count(*) AS n FROM changes GROUP BY 1";
    assert!(refused(numeric).contains("::numeric(18,2)"));
}

#[test]
fn keys_of_another_view_are_an_error() {
    let view = view(VIEW);
    let mut contents = ViewContents::default();
    contents.groups.insert(GroupKey::new(7, &[]), Default::default());
    assert!(view.rows(&contents).is_err());
}
