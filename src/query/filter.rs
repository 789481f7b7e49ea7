//! Filters of changes.

use std::str::FromStr;

use regex::Regex;

use super::QueryError;
use crate::change::{Day, Operation, TableName};
use crate::sql;

/// A filter of changes; a part that is `None` accepts everything.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The first day.
    pub from: Option<Day>,
    /// The last day, itself included.
    pub to: Option<Day>,
    /// The tables.
    pub tables: Option<TablePattern>,
    /// The one table.
    pub name: Option<TableName>,
    /// The operation.
    pub operation: Option<Operation>,
}

impl Filter {
    /// Refuses a range of days whose end is before its begin: the empty answer would hide a typing error.
    pub fn check(&self) -> Result<(), QueryError> {
        match (self.from, self.to) {
            (Some(from), Some(to)) if from > to => Err(QueryError::NoDays { from, to }),
            _ => Ok(()),
        }
    }

    /// Whether the filter accepts a day.
    pub(super) fn has_day(&self, day: Day) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }

    /// Whether the filter accepts the rejects of a day: those without a timestamp, which are on 1970-01-01, may be of any day.
    pub(super) fn has_reject_day(&self, day: Day) -> bool {
        day == Day::EPOCH || self.has_day(day)
    }

    /// Whether the filter accepts a table.
    pub(super) fn has_table(&self, schema: &str, table: &str) -> bool {
        self.name.as_ref().is_none_or(|name| name.schema == schema && name.table == table)
            && self.tables.as_ref().is_none_or(|pattern| pattern.matches(schema, table))
    }

    /// Whether the filter is by table.
    pub fn names_tables(&self) -> bool {
        self.tables.is_some() || self.name.is_some()
    }

    /// Whether the filter accepts an operation.
    pub(super) fn has_operation(&self, operation: Operation) -> bool {
        self.operation.is_none_or(|asked| asked == operation)
    }
}

/// A filter of events: of changes, and a condition on each.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Which changes.
    pub changes: Filter,
    /// What else must hold.
    pub condition: Option<sql::Filter>,
}

impl From<&Filter> for EventFilter {
    fn from(changes: &Filter) -> EventFilter {
        EventFilter { changes: changes.clone(), condition: None }
    }
}

/// A pattern for `schema.table`: `*` stands for any text, `?` for one character, all else for itself.
#[derive(Clone, Debug)]
pub struct TablePattern {
    text: String,
    regex: Regex,
}

impl TablePattern {
    /// Whether a table has this name; both parts as unquoted identifier text.
    pub fn matches(&self, schema: &str, table: &str) -> bool {
        self.regex.is_match(&format!("{schema}.{table}"))
    }

    /// The literal beginning of every matching `schema.table`.
    pub(super) fn literal_prefix(&self) -> &str {
        self.text.split(['*', '?']).next().unwrap_or_default()
    }
}

impl FromStr for TablePattern {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<TablePattern, QueryError> {
        let wrong = |why: &str| QueryError::Pattern { pattern: text.to_owned(), why: why.to_owned() };
        if !text.contains(['.', '*', '?']) {
            return Err(wrong("it must match schema.table; try it with `*.` before it"));
        }
        // `(?s)`: a table's name may hold line ends.
        let mut regex = String::from(r"(?s)\A");
        for character in text.chars() {
            match character {
                '*' => regex.push_str(".*"),
                '?' => regex.push('.'),
                literal => regex.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4]))),
            }
        }
        regex.push_str(r"\z");
        let regex = Regex::new(&regex).map_err(|_| wrong("it is too long"))?;
        Ok(TablePattern { text: text.to_owned(), regex })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> TablePattern {
        text.parse().expect("a pattern")
    }

    #[test]
    fn only_stars_and_question_marks_are_special() {
        assert!(pattern("public.orders").matches("public", "orders"));
        assert!(!pattern("public.orders").matches("public", "orders2"));
        assert!(!pattern("public.orders").matches("xpublic", "orders"));
        assert!(!pattern("public.o.*").matches("public", "orders"));
        assert!(pattern("public.o.*").matches("public", "o.rders"));
        assert!(pattern("*.ord?rs").matches("a", "ord\nrs"));
        assert!(pattern("*.ord?rs").matches("a", "ordärs"));
        assert!(pattern("*").matches("a\nb", "c\n"));
        assert!(!pattern("a.b").matches("a", "b\n"));
        assert!(pattern("a.[b]+").matches("a", "[b]+"));
        assert!(!pattern("a.B").matches("a", "b"));
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_refused() {
        assert!("orders".parse::<TablePattern>().is_err());
        assert!("".parse::<TablePattern>().is_err());
        assert_eq!(pattern("public.or*s?").literal_prefix(), "public.or");
    }
}
