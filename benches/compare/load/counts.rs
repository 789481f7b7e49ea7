//! Counts by day, schema, table and operation: the known ones, and those that a contestant answers.

use std::collections::BTreeMap;

/// Day (ISO), schema, table, operation.
pub(crate) type CountKey = (String, String, String, String);

/// Counts by key; a key that does not occur is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts(BTreeMap<CountKey, u64>);

impl Counts {
    /// Adds `count` to a key.
    pub(crate) fn add(&mut self, key: CountKey, count: u64) {
        *self.0.entry(key).or_default() += count;
    }

    /// The counts in a CSV file whose header names day, schema, table, op and count, in any order.
    ///
    /// # Errors
    /// When a column is missing or a line has another number of fields.
    pub(crate) fn from_csv(text: &str) -> Result<Counts, String> {
        let mut rows = csv_rows(text).into_iter();
        let header = rows.next().ok_or("the CSV is empty")?;
        let column = |name: &str| {
            header.iter().position(|field| field == name).ok_or_else(|| format!("the CSV has no column {name}"))
        };
        let [day, schema, table, op, count] =
            [column("day")?, column("schema")?, column("table")?, column("op")?, column("count")?];
        let mut counts = Counts::default();
        for row in rows {
            if row.len() != header.len() {
                return Err(format!("a line of the CSV has {} fields, not {}: {row:?}", row.len(), header.len()));
            }
            let number = row[count].parse().map_err(|_| format!("no count: {:?}", row[count]))?;
            let text = |column: usize| row[column].clone();
            counts.add((text(day), text(schema), text(table), text(op)), number);
        }
        Ok(counts)
    }

    /// Counts a line of test_decoding, without a day; what is no change is not counted. Names must be plain, as pgbench's are.
    ///
    /// # Errors
    /// When a line begins as a change and has no table or operation.
    pub(crate) fn add_line(&mut self, line: &str) -> Result<(), String> {
        let Some(change) = line.strip_prefix("table ") else { return Ok(()) };
        let head = || {
            let (name, rest) = change.split_once(": ")?;
            let ((schema, table), (op, _)) = (name.split_once('.')?, rest.split_once(':')?);
            Some([schema, table, op].map(str::to_owned))
        };
        let [schema, table, op] = head().ok_or_else(|| format!("no line of test_decoding: {line}"))?;
        self.add((String::new(), schema, table, op), 1);
        Ok(())
    }

    /// The same counts without their days.
    pub(crate) fn without_days(&self) -> Counts {
        let mut counts = Counts::default();
        for ((_, schema, table, op), count) in &self.0 {
            counts.add((String::new(), schema.clone(), table.clone(), op.clone()), *count);
        }
        counts
    }

    /// All changes.
    pub(crate) fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// How many counts there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// How these counts differ from the right ones; `None` when they are equal.
    pub(crate) fn difference(&self, right: &Counts) -> Option<String> {
        let keys = self.0.keys().chain(right.0.keys().filter(|key| !self.0.contains_key(*key)));
        let of = |counts: &Counts, key: &CountKey| counts.0.get(key).copied().unwrap_or(0);
        let mut wrong: Vec<&CountKey> = keys.filter(|key| of(self, key) != of(right, key)).collect();
        wrong.sort();
        let (day, schema, table, op) = wrong.first()?;
        let (found, expected) = (of(self, wrong[0]), of(right, wrong[0]));
        Some(format!(
            "{} of {} counts differ, {} changes instead of {}; the first is {day} {schema}.{table} {op}: {found} instead of {expected}",
            wrong.len(),
            right.len(),
            self.total(),
            right.total()
        ))
    }
}

/// The fields of each line; quoted ones may hold commas, line ends and doubled quotes (RFC 4180).
fn csv_rows(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut letters) = (false, text.chars().peekable());
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                field.push('"');
                letters.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            _ => field.push(letter),
        }
    }
    if !field.is_empty() || !row.is_empty() {
        row.push(field);
        rows.push(row);
    }
    rows
}
