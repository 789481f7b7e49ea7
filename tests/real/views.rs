//! Views of random declarations over random histories: after each run every group is the one that DuckDB finds in the events.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};

use crate::environment;
use crate::running::{Ended, Running};

const LIMIT: Duration = Duration::from_secs(120);

/// Group columns: as walbook and as DuckDB read them.
const GROUPS: &[(&str, &str)] = &[
    ("day", "day"),
    ("op", "op"),
    ("\"table\"", "\"table\""),
    ("new.region", "region"),
    ("new.ok::boolean", "try_cast(ok AS BOOLEAN)"),
    ("new.customer::bigint % 3", "try_cast(customer AS BIGINT) % 3"),
    ("upper(coalesce(new.region, 'none'))", "upper(coalesce(region, 'none'))"),
    (
        "CASE WHEN new.amount::numeric(18,2) > 500 THEN 'large' ELSE 'small' END",
        "CASE WHEN try_cast(amount AS DECIMAL(18,2)) > 500 THEN 'large' ELSE 'small' END",
    ),
];

/// Aggregates.
const AGGREGATES: &[(&str, &str)] = &[
    ("count(*)", "count(*)"),
    ("count(new.region)", "count(region)"),
    ("count(DISTINCT new.customer)", "count(DISTINCT customer)"),
    ("count(DISTINCT key.id::bigint)", "count(DISTINCT try_cast(key_id AS BIGINT))"),
    ("sum(new.amount::numeric(18,2))", "CAST(sum(try_cast(amount AS DECIMAL(18,2))) AS DECIMAL(38,2))"),
    ("sum(new.customer::bigint)", "CAST(sum(try_cast(customer AS BIGINT)) AS DECIMAL(38,0))"),
    ("sum(new.amount::double precision)", "fsum(try_cast(amount AS DOUBLE))"),
    ("avg(new.amount::numeric(18,2))", "avg(try_cast(amount AS DECIMAL(18,2)))"),
    ("min(new.amount::numeric(18,2))", "min(try_cast(amount AS DECIMAL(18,2)))"),
    ("max(new.region)", "max(region)"),
    ("bool_and(new.ok::boolean)", "bool_and(try_cast(ok AS BOOLEAN))"),
    ("bool_or(new.ok::boolean)", "bool_or(try_cast(ok AS BOOLEAN))"),
];

/// Conditions.
const CONDITIONS: &[(&str, &str)] = &[
    ("op <> 'DELETE'", "op <> 'DELETE'"),
    ("new.region LIKE '%o%'", "region LIKE '%o%'"),
    ("new.amount::numeric(18,2) BETWEEN 0 AND 700", "try_cast(amount AS DECIMAL(18,2)) BETWEEN 0 AND 700"),
    ("new.ok::boolean OR \"table\" = 'item'", "try_cast(ok AS BOOLEAN) OR \"table\" = 'item'"),
    ("day >= '2026-11-05'", "day >= DATE '2026-11-05'"),
];

/// A view, as it is declared and as DuckDB computes it.
struct DrawnView {
    declaration: String,
    asked: Value,
}

fn draw(name: &str, random: &mut Rng) -> DrawnView {
    let pick = |random: &mut Rng, from: &'static [(&str, &str)], most: usize| {
        let mut all: Vec<(&str, &str)> = from.to_vec();
        random.shuffle(&mut all);
        all.truncate(random.usize(0..=most));
        all
    };
    let groups = pick(random, GROUPS, 3);
    let mut aggregates = pick(random, AGGREGATES, 5);
    if aggregates.is_empty() {
        aggregates.push(AGGREGATES[0]);
    }
    let condition = random.bool().then(|| *random.choice(CONDITIONS).expect("some"));
    let table = random.bool();
    let (mut list, mut columns, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for (place, (ours, theirs)) in groups.iter().enumerate() {
        // A view has folders for its days whatever the column is called.
        let name = format!("g{place}");
        list.push(format!("{ours} AS {name}"));
        columns.push((*theirs).to_owned());
        names.push(name);
    }
    for (place, (ours, theirs)) in aggregates.iter().enumerate() {
        let filter = (random.u8(0..4) == 0).then(|| *random.choice(CONDITIONS).expect("some"));
        let (of_ours, of_theirs) = match filter {
            Some((ours, theirs)) => (format!(" FILTER (WHERE {ours})"), format!(" FILTER (WHERE {theirs})")),
            None => Default::default(),
        };
        let theirs = match theirs.strip_prefix("CAST(").and_then(|rest| rest.split_once(" AS DECIMAL(38")) {
            Some((sum, kind)) if filter.is_some() => format!("CAST({sum}{of_theirs} AS DECIMAL(38{kind}"),
            _ => format!("{theirs}{of_theirs}"),
        };
        let name = format!("a{place}");
        list.push(format!("{ours}{of_ours} AS {name}"));
        columns.push(theirs);
        names.push(name);
    }
    let mut declaration = format!("CREATE VIEW {name} AS SELECT {} FROM ", list.join(", "));
    declaration += if table { "shop.\"order\"" } else { "changes" };
    let conditions: Vec<(&str, &str)> =
        condition.into_iter().chain(table.then_some(("", "schema = 'shop' AND \"table\" = 'order'"))).collect();
    if let Some((ours, _)) = condition {
        let _ = write!(declaration, " WHERE {ours}");
    }
    if !groups.is_empty() {
        let numbers: Vec<String> = (1..=groups.len()).map(|number| number.to_string()).collect();
        let _ = write!(declaration, " GROUP BY {}", numbers.join(", "));
    }
    let of_duckdb: Vec<String> = conditions.iter().map(|(_, theirs)| format!("({theirs})")).collect();
    let filter = if of_duckdb.is_empty() { Value::Null } else { of_duckdb.join(" AND ").into() };
    let asked = json!({ "name": name, "columns": columns, "names": names, "groups": groups.len(), "where": filter });
    DrawnView { declaration, asked }
}

/// Transactions of two tables, on days in random order; values that cannot be cast are among them.
fn changes(transactions: std::ops::Range<u64>, random: &mut Rng) -> String {
    let mut lines = String::new();
    for number in transactions {
        let _ = writeln!(lines, "BEGIN {number}");
        for _ in 0..random.u8(1..4) {
            let table = random.choice(["shop.\"order\"", "shop.item"]).expect("some");
            let id = random.u16(0..300);
            let region = random.choice(["'north'", "'south'", "'öst'", "null"]).expect("some");
            let amount = match random.u8(0..6) {
                0 => "null".to_owned(),
                1 => "'n/a'".to_owned(),
                _ => format!("{}.{:02}", random.i32(-100..1000), random.u8(0..100)),
            };
            let ok = random.choice(["true", "false", "null"]).expect("some");
            let row = format!(
                "id[integer]:{id} region[text]:{region} amount[numeric]:{amount} customer[integer]:{} ok[boolean]:{ok}",
                random.u8(0..60)
            );
            let _ = match random.u8(0..5) {
                0 => writeln!(lines, "table {table}: DELETE: id[integer]:{id}"),
                1 => writeln!(lines, "table {table}: UPDATE: {row}"),
                _ => writeln!(lines, "table {table}: INSERT: {row}"),
            };
        }
        let (day, hour) = (random.u8(1..15), random.u8(0..24));
        let _ = writeln!(lines, "COMMIT {number} (at 2026-11-{day:02} {hour:02}:00:00.000001+00)");
    }
    lines
}

/// A book of a file that grows.
struct GrowingBook {
    folder: tempfile::TempDir,
}

impl GrowingBook {
    fn walbook(&self, arguments: &[&str]) -> Command {
        let mut walbook = Command::new(env!("CARGO_BIN_EXE_walbook"));
        walbook.current_dir(self.folder.path()).args(arguments);
        walbook
    }

    #[track_caller]
    fn done(&self, arguments: &[&str]) -> Ended {
        let ended = Running::start(self.walbook(arguments), self.folder.path()).wait(LIMIT);
        ended.expect_code(0);
        ended
    }

    fn grow(&self, lines: &str) {
        let path = self.folder.path().join("changes.txt");
        let mut file = fs::File::options().append(true).create(true).open(path).expect("a file");
        file.write_all(lines.as_bytes()).expect("the disk has room");
    }

    /// The number of rows that DuckDB and the book agree on.
    #[track_caller]
    fn compare(&self, views: &[DrawnView], context: &str) -> u64 {
        let asked: Vec<&Value> = views.iter().map(|view| &view.asked).collect();
        let answer = ask_duckdb(&json!({ "book": self.folder.path().join("book"), "views": asked }));
        assert_eq!(answer["differences"], json!([]), "{context}; {}", declarations(views));
        answer["compared"].as_u64().expect("a number")
    }
}

fn declarations(views: &[DrawnView]) -> String {
    views.iter().map(|view| view.declaration.as_str()).collect::<Vec<_>>().join(";\n")
}

fn files_below(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let paths = entries.map(|entry| entry.expect("an entry of a folder").path());
    paths.map(|path| if path.is_dir() { files_below(&path) } else { 1 }).sum()
}

fn ask_duckdb(asked: &Value) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/views.py");
    let mut python = Command::new(environment::python())
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    serde_json::to_writer(python.stdin.take().expect("it is a pipe"), asked).expect("python reads");
    let output = python.wait_with_output().expect("a child can be waited for");
    assert!(output.status.success(), "views.py failed: {}", output.status);
    serde_json::from_slice(&output.stdout).expect("views.py prints JSON")
}

/// Runs with changing workers, one of them killed; views are declared before, between and while runs have the book.
#[test]
fn random_views_are_what_duckdb_finds_in_the_events() {
    let (histories, views_of_each) = if environment::is_long() { (40, 60) } else { (3, 40) };
    let mut compared = 0;
    for seed in 0..histories {
        let random = &mut Rng::with_seed(seed);
        let book = GrowingBook { folder: environment::folder("views") };
        let mut views: Vec<DrawnView> = Vec::new();
        let mut transactions = 0..0;
        for turn in 0..4 {
            transactions = transactions.end..transactions.end + random.u64(50..2000);
            book.grow(&changes(transactions.clone(), random));
            let workers = random.u8(1..4).to_string();
            let run = ["run", "book", "--input", "changes.txt", "--until-end", "-w", &workers];
            if turn == 2 {
                // Killed at a random moment of its start or of its work.
                let killed = Running::start(book.walbook(&run), book.folder.path());
                std::thread::sleep(Duration::from_millis(random.u64(5..150)));
                killed.kill();
            }
            book.done(&run);
            let context = format!("history {seed}, run {turn} of {workers} workers");
            compared += book.compare(&views, &context);
            if turn < 2 {
                let new: Vec<DrawnView> =
                    (0..views_of_each / 2).map(|number| draw(&format!("v{turn}_{number}"), random)).collect();
                fs::write(book.folder.path().join("views.sql"), declarations(&new)).expect("the disk has room");
                book.done(&["view", "create", "book", "--file", "views.sql"]);
                if random.bool() {
                    book.done(&["view", "build", "book"]);
                    compared += book.compare(&new, &context);
                }
                views.extend(new);
            }
        }
        let verified = book.done(&["verify", "book"]);
        assert!(verified.stdout.contains("\nviews "), "{}", verified.stdout);
    }
    assert!(compared > 1000, "only {compared} rows were compared");
    println!("{compared} rows of views are those of DuckDB");
}

/// Views are declared and dropped while a run has the book: it goes on, and commits.
#[test]
fn a_run_goes_on_while_views_are_declared_and_dropped() {
    let random = &mut Rng::with_seed(1);
    let book = GrowingBook { folder: environment::folder("views") };
    book.grow(&changes(0..100, random));
    book.done(&["run", "book", "--input", "changes.txt", "--until-end"]);
    let views: Vec<DrawnView> = (0..4).map(|number| draw(&format!("v{number}"), random)).collect();
    let declare = |view: &DrawnView| book.done(&["view", "create", "book", &view.declaration]);
    declare(&views[0]);
    declare(&views[1]);
    let run = ["run", "book", "--input", "changes.txt", "--commit-interval", "200ms"];
    let mut running = Running::start(book.walbook(&run), book.folder.path());
    running.await_said("reading changes.txt");
    declare(&views[2]);
    book.done(&["view", "drop", "book", "v1"]);
    book.grow(&changes(100..200, random));
    running.await_said("a view was dropped");
    book.grow(&changes(200..300, random));
    running.signal("TERM");
    let ended = running.wait(LIMIT);
    ended.expect_code(0);
    book.compare(&views[..1], "kept by the run");
    let left =
        ["views", "_walbook/views"].map(|below| files_below(&book.folder.path().join("book").join(below).join("v1")));
    assert_eq!(left, [0, 0], "the run removes the files of what was dropped");
    let refused = Running::start(book.walbook(&["query", "book", "--view", "v2"]), book.folder.path()).wait(LIMIT);
    refused.expect_code(2);
    declare(&views[3]);
    book.done(&["run", "book", "--input", "changes.txt", "--until-end", "-w", "2"]);
    book.compare(&[views.into_iter().nth(2).expect("the third")], "built at the next start");
    book.done(&["verify", "book"]);
    let list = book.done(&["view", "list", "book", "--format", "json"]);
    let list: Value = serde_json::from_str(&list.stdout).expect("JSON");
    let names: Vec<&str> =
        list["views"].as_array().expect("views").iter().filter_map(|view| view["name"].as_str()).collect();
    assert_eq!(names, ["v0", "v2", "v3"]);
}

/// Damaged files of a view are noticed by `verify` and built again.
#[test]
fn what_is_damaged_is_noticed_and_built_again() {
    let random = &mut Rng::with_seed(2);
    let book = GrowingBook { folder: environment::folder("views") };
    book.grow(&changes(0..200, random));
    book.done(&["run", "book", "--input", "changes.txt", "--until-end"]);
    let text = "CREATE VIEW daily AS SELECT day AS g0, count(*) AS a0, count(DISTINCT new.customer) AS a1 FROM changes GROUP BY day";
    let asked = json!({ "name": "daily", "columns": ["day", "count(*)", "count(DISTINCT customer)"], "names": ["g0", "a0", "a1"], "groups": 1, "where": null });
    let daily = [DrawnView { declaration: text.to_owned(), asked }];
    book.done(&["view", "create", "book", text]);
    book.done(&["view", "build", "book"]);
    book.compare(&daily, "built");
    for file in ["views/daily/day=2026-11-03/view.parquet", "_walbook/views/daily/day=2026-11-04/state.parquet"] {
        let path = book.folder.path().join("book").join(file);
        let mut bytes = fs::read(&path).expect("a file of the view");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).expect("the disk has room");
        let verified = Running::start(book.walbook(&["verify", "book"]), book.folder.path()).wait(LIMIT);
        verified.expect_code(1);
        book.grow(&changes(1000..1010, random));
        book.done(&["run", "book", "--input", "changes.txt", "--until-end"]);
        book.compare(&daily, file);
        book.done(&["verify", "book"]);
    }
}
