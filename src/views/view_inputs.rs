//! What views need of a batch of events: each line is read once, for all of them.
//!
//! ```text
//!         ┌─ rows of a table that views name ─▶ lines ─┬─▶ columns that views of this table read ─┐
//! batch ──┤                                            ├─▶ columns that views of all tables read ─┴─▶ each view takes its own
//!         └─ rows of other tables ────────────▶ lines ─┘
//! ```
//!
//! A batch without a table of any view costs a look at its tables, and rows of other tables cost nothing but to pass over them.

use std::iter;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, LargeStringArray, RecordBatch, StringArray, UInt32Array};

use super::View;
use super::inputs::{DayOfRow, column, event_column};
use super::pieces::pieces;
use super::table_rows::TableRows;
use crate::change::{Day, TableName};
use crate::parse::{RowValues, append_value};
use crate::sql::{EventColumn, InputColumn, RowSide, ViewSource};

/// About how many bytes of lines are computed at once: texts that are made of them stay far below the 2^31 bytes that a column may
/// have, so that a value never depends on the lines beside its own.
const MOST_LINE_BYTES: usize = 8 << 20;

/// Rows of a batch, as a view needs them.
#[derive(Debug)]
pub struct ViewInput {
    /// How many changes there are.
    pub(super) rows: usize,
    /// The columns that the view's plan names, in its order.
    pub(super) columns: Vec<ArrayRef>,
}

/// Reads what some views need of batches of events.
#[derive(Debug)]
pub struct ViewInputs {
    tables: TableRows,
    /// One for each table that a view names, and one for all other tables.
    lines: Vec<Lines>,
    /// In the same order; the last one is that of all changes.
    sources: Vec<SourceColumns>,
    views: Vec<ViewColumns>,
    /// About how many bytes of lines are computed at once.
    piece_bytes: usize,
}

/// The lines of a table.
#[derive(Debug)]
struct Lines {
    /// Those of its views, and behind them those of views of all changes.
    values: RowValues,
    /// The rows of the batch that is being read.
    rows: Vec<u32>,
}

/// What views of one table, or views of all changes, read together.
#[derive(Debug, Default)]
struct SourceColumns {
    has_views: bool,
    /// Each column once.
    columns: Vec<InputColumn>,
    /// Those of them that are values of lines, of the batch that is being read.
    texts: Vec<StringBuilder>,
}

/// Where a view finds its columns.
#[derive(Debug)]
struct ViewColumns {
    source: usize,
    /// For each column of its plan the place among those of the source.
    places: Vec<usize>,
}

impl ViewInputs {
    /// Reads what these views need.
    pub fn new<'v>(views: impl IntoIterator<Item = &'v View>) -> ViewInputs {
        let views: Vec<&View> = views.into_iter().collect();
        let mut tables: Vec<TableName> = Vec::new();
        for view in &views {
            if let ViewSource::Table(table) = &view.plan.source
                && !tables.contains(table)
            {
                tables.push(table.clone());
            }
        }
        let mut sources: Vec<SourceColumns> = Vec::new();
        sources.resize_with(tables.len() + 1, SourceColumns::default);
        let columns_of = |view: &&View| {
            let source = match &view.plan.source {
                ViewSource::AllChanges => tables.len(),
                ViewSource::Table(table) => tables.iter().position(|known| known == table).expect("it was just added"),
            };
            sources[source].has_views = true;
            let columns = view.plan.columns.as_slice().iter();
            ViewColumns { source, places: columns.map(|column| sources[source].place_of(column)).collect() }
        };
        let views = views.iter().map(columns_of).collect();
        let wanted = |source: usize| sources[source].row_columns();
        let lines = (0..tables.len()).map(|table| RowValues::new(wanted(table).chain(wanted(tables.len()))));
        let lines = lines.chain([RowValues::new(wanted(tables.len()))]);
        let lines = lines.map(|values| Lines { values, rows: Vec::new() }).collect();
        ViewInputs { tables: TableRows::new(&tables), lines, sources, views, piece_bytes: MOST_LINE_BYTES }
    }

    /// The columns of events that are read.
    pub fn event_columns(&self) -> Vec<&'static str> {
        let mut names = vec!["schema", "table"];
        for column in self.sources.iter().flat_map(|source| &source.columns) {
            let name = match column {
                InputColumn::Event(EventColumn::Day) | InputColumn::View { .. } => continue,
                InputColumn::Event(column) => column.name(),
                InputColumn::Row { .. } => "data",
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Reads a batch; `days` are stretches of equal day: the day and the row after its last. Gives the rows of views that have
    /// some, each with the view's place: once for each, or several times where lines are large.
    ///
    /// # Errors
    /// When a column of the batch is missing or has another type, and those of `give`.
    pub fn read<E: From<String>>(
        &mut self,
        batch: &RecordBatch,
        days: &[(Day, usize)],
        mut give: impl FnMut(usize, ViewInput) -> Result<(), E>,
    ) -> Result<(), E> {
        for rows in self.pieces(batch)? {
            self.find_rows(batch, rows)?;
            if self.lines.iter().all(|lines| lines.rows.is_empty()) {
                continue;
            }
            let inputs = self.inputs(batch, days)?.into_iter().enumerate();
            inputs.filter_map(|(view, input)| Some((view, input?))).try_for_each(|(view, input)| give(view, input))?;
        }
        Ok(())
    }

    /// Stretches of rows whose lines may be computed at once.
    fn pieces(&self, batch: &RecordBatch) -> Result<Vec<Range<usize>>, String> {
        if self.sources.iter().all(|source| source.texts.is_empty()) {
            return Ok(iter::once(0..batch.num_rows()).collect());
        }
        let lines = EventLines::of(batch)?;
        match lines.bytes() <= self.piece_bytes {
            true => Ok(iter::once(0..batch.num_rows()).collect()),
            false => Ok(pieces(batch.num_rows(), self.piece_bytes, |row| lines.line(row).len()).collect()),
        }
    }

    /// For each view the rows that were found, if there are some.
    fn inputs(&mut self, batch: &RecordBatch, days: &[(Day, usize)]) -> Result<Vec<Option<ViewInput>>, String> {
        self.read_lines(batch)?;
        let mut day_of_row: Vec<Day> = Vec::with_capacity(batch.num_rows());
        days.iter().for_each(|(day, end)| day_of_row.resize(*end, *day));
        let day = |row: usize| day_of_row.get(row).copied();
        let mut rows: Vec<UInt32Array> = self.lines.iter().map(|lines| lines.rows.clone().into()).collect();
        if let (true, Some(of_all)) = (self.has_views_of_all(), rows.last_mut()) {
            // In the order in which their lines were read.
            *of_all = self.lines.iter().flat_map(|lines| lines.rows.iter().copied()).collect::<Vec<u32>>().into();
        }
        let sources = self.sources.iter_mut().zip(&rows);
        let columns = sources.map(|(source, rows)| source.finish(batch, rows, &day)).collect::<Result<Vec<_>, _>>()?;
        let input = |view: &ViewColumns| {
            let (rows, columns) = (rows[view.source].len(), &columns[view.source]);
            let columns = || view.places.iter().map(|place| Arc::clone(&columns[*place])).collect();
            (rows > 0).then(|| ViewInput { rows, columns: columns() })
        };
        Ok(self.views.iter().map(input).collect())
    }

    fn has_views_of_all(&self) -> bool {
        self.sources.last().is_some_and(|all| all.has_views)
    }

    /// Finds the rows of each table that a view names, and the others if a view needs them.
    fn find_rows(&mut self, batch: &RecordBatch, rows: Range<usize>) -> Result<(), String> {
        let with_others = self.has_views_of_all();
        let ViewInputs { tables, lines, .. } = self;
        lines.iter_mut().for_each(|lines| lines.rows.clear());
        let others = lines.len() - 1;
        tables.for_each(batch, rows, with_others, |row, table| lines[table.unwrap_or(others)].rows.push(row))
    }

    /// Appends what views read of lines to the columns of their sources.
    fn read_lines(&mut self, batch: &RecordBatch) -> Result<(), String> {
        let Some((all, tables)) = self.sources.split_last_mut() else { return Ok(()) };
        let mut tables = tables.iter_mut();
        for Lines { values, rows } in &mut self.lines {
            let mut none = Vec::new();
            let of_table = tables.next().map_or(&mut none, |table| &mut table.texts);
            if of_table.is_empty() && all.texts.is_empty() || rows.is_empty() {
                continue;
            }
            let lines = EventLines::of(batch)?;
            for row in rows {
                let line = lines.line(*row as usize);
                values.read(line);
                let builders = of_table.iter_mut().chain(&mut all.texts);
                builders.enumerate().for_each(|(column, builder)| append_value(builder, values.value(column, line)));
            }
        }
        Ok(())
    }
}

/// The lines of a batch.
enum EventLines<'a> {
    Small(&'a StringArray),
    Large(&'a LargeStringArray),
}

impl<'a> EventLines<'a> {
    fn of(batch: &'a RecordBatch) -> Result<EventLines<'a>, String> {
        let data = column(batch, "data")?;
        let small = data.as_string_opt::<i32>().map(EventLines::Small);
        let lines = small.or_else(|| data.as_string_opt::<i64>().map(EventLines::Large));
        lines.ok_or_else(|| "its column data has another type".to_owned())
    }

    fn line(&self, row: usize) -> &'a str {
        match self {
            EventLines::Small(lines) => lines.value(row),
            EventLines::Large(lines) => lines.value(row),
        }
    }

    /// How many bytes they have together, or more.
    fn bytes(&self) -> usize {
        match self {
            EventLines::Small(lines) => lines.values().len(),
            EventLines::Large(lines) => lines.values().len(),
        }
    }
}

impl SourceColumns {
    /// The place of a column, which is added if it is new.
    fn place_of(&mut self, column: &InputColumn) -> usize {
        self.columns.iter().position(|known| known == column).unwrap_or_else(|| {
            self.columns.push(column.clone());
            if matches!(column, InputColumn::Row { .. }) {
                self.texts.push(StringBuilder::new());
            }
            self.columns.len() - 1
        })
    }

    fn row_columns(&self) -> impl Iterator<Item = (RowSide, &str)> {
        self.columns.iter().filter_map(|column| match column {
            InputColumn::Row { side, name } => Some((*side, name.as_str())),
            InputColumn::Event(_) | InputColumn::View { .. } => None,
        })
    }

    /// All columns of some rows, whose lines are read; new ones begin.
    fn finish(&mut self, batch: &RecordBatch, rows: &UInt32Array, day: DayOfRow<'_>) -> Result<Vec<ArrayRef>, String> {
        let mut texts = self.texts.iter_mut();
        let mut next_texts = || texts.next().map(|texts| Arc::new(texts.finish()) as ArrayRef);
        let columns = self.columns.iter().map(|column| match column {
            InputColumn::Event(column) => event_column(batch, *column, rows, day),
            InputColumn::Row { .. } => next_texts().ok_or_else(|| "a column without its texts".to_owned()),
            InputColumn::View { name, .. } => Err(format!("changes have no column {name} of a view")),
        });
        columns.collect()
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::types::Int32Type;
    use arrow_array::{Array, DictionaryArray};
    use arrow_schema::{DataType, Field, Schema};
    use chrono_tz::Tz;

    use super::*;

    fn batch(rows: &[(&str, &str)], with_dictionary: bool) -> RecordBatch {
        let dictionary = |names: Vec<&str>| -> ArrayRef {
            // Each row has a number of its own: equal texts may have several.
            let numbers: Vec<i32> = (0..names.len() as i32).collect();
            match with_dictionary {
                true => Arc::new(DictionaryArray::<Int32Type>::new(numbers.into(), Arc::new(StringArray::from(names)))),
                false => Arc::new(StringArray::from(names)),
            }
        };
        let schemas: Vec<&str> = rows.iter().map(|(table, _)| table.split_once('.').map_or("", |of| of.0)).collect();
        let tables: Vec<&str> = rows.iter().map(|(table, _)| table.split_once('.').map_or("", |of| of.1)).collect();
        let lines = rows.iter().map(|(table, row)| format!("table {table}: INSERT:{row}")).collect::<Vec<_>>();
        let data: ArrayRef = Arc::new(StringArray::from(lines));
        let columns = vec![dictionary(schemas), dictionary(tables), data];
        let field = |(name, column): (&str, &ArrayRef)| Field::new(name, column.data_type().clone(), false);
        let schema = Schema::new(["schema", "table", "data"].into_iter().zip(&columns).map(field).collect::<Vec<_>>());
        RecordBatch::try_new(Arc::new(schema), columns).expect("three columns")
    }

    /// The columns of each view, as rows of texts.
    fn read(texts: &[&str], batch: &RecordBatch) -> Vec<Option<Vec<String>>> {
        let views: Vec<View> = texts
            .iter()
            .map(|text| View::parse(0, &format!("CREATE VIEW v AS SELECT {text}"), Tz::UTC).expect("a view"))
            .collect();
        let days = [(Day::from_days(20_000).expect("a day"), batch.num_rows())];
        let printed = |input: ViewInput| -> Vec<String> {
            let value = |row: usize, column: &ArrayRef| {
                let column = arrow_cast::cast(column, &DataType::Utf8).expect("every type has texts");
                let column = column.as_string::<i32>();
                if column.is_null(row) { "-".to_owned() } else { column.value(row).to_owned() }
            };
            let row = |row| input.columns.iter().map(|column| value(row, column)).collect::<Vec<_>>().join(" ");
            (0..input.rows).map(row).collect()
        };
        let mut rows: Vec<Vec<Option<Vec<String>>>> = Vec::new();
        for piece_bytes in [MOST_LINE_BYTES, 100, 1] {
            let mut inputs = ViewInputs { piece_bytes, ..ViewInputs::new(&views) };
            for _ in 0..2 {
                let mut of_views: Vec<Option<Vec<String>>> = vec![None; views.len()];
                let give = |view: usize, input| -> Result<(), String> {
                    of_views[view].get_or_insert_default().append(&mut printed(input));
                    Ok(())
                };
                inputs.read(batch, &days, give).expect("all columns are there");
                of_views.iter_mut().flatten().for_each(|rows| rows.sort());
                rows.push(of_views);
            }
        }
        assert!(
            rows.iter().all(|of_views| *of_views == rows[0]),
            "a batch, or a piece, leaves nothing to the next: {rows:?}"
        );
        rows.swap_remove(0)
    }

    #[test]
    fn each_view_gets_the_rows_of_its_table() {
        let rows = [
            ("a.t", " x[text]:'1' y[text]:'2'"),
            ("b.t", " x[text]:'3' y[text]:'4'"),
            ("a.u", " x[text]:'5'"),
            ("a.t", " y[text]:'6'"),
        ];
        let views = [
            "max(new.y) AS y, max(new.x) AS x FROM a.t",
            "max(new.x) AS x FROM a.t",
            "max(new.x) AS x, max(\"table\") AS t FROM changes",
            "max(new.x) AS x FROM a.missing",
            "max(schema) AS s FROM b.t",
            "max(day) AS d FROM changes",
        ];
        let day = || "2024-10-04".to_owned();
        let texts = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        for with_dictionary in [true, false] {
            let expected = [
                texts(&["2 1", "6 -"]),
                texts(&["-", "1"]),
                texts(&["- t", "1 t", "3 t", "5 u"]),
                None,
                texts(&["b"]),
                Some(vec![day(), day(), day(), day()]),
            ];
            assert_eq!(read(&views, &batch(&rows, with_dictionary)), expected);
        }
        assert_eq!(read(&views[..2], &batch(&rows[1..3], true)), [None, None]);
        assert_eq!(read(&[], &batch(&rows, true)), []);
    }
}
