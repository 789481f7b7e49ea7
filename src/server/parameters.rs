//! The parameters of a request, each known and each once.

use percent_encoding::percent_decode_str;

use super::error::ApiError;
use crate::change::TableName;
use crate::query::{Filter, GroupBy};

/// Characters of the longest pattern: that of two names of 63 characters, each of which may stand for itself.
const LONGEST_PATTERN: usize = 256;
/// Wildcards of a pattern: each makes all names take longer.
const MOST_WILDCARDS: usize = 16;

/// Names and values, decoded.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads what stands behind the question mark; refuses names that are not in `known`, and names that come twice.
    pub(super) fn read(query: Option<&str>, known: &[&str]) -> Result<Parameters, ApiError> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if !known.contains(&name.as_str()) {
                let known = known.join(", ");
                return Err(ApiError::bad_request(format!("no parameter is named {name:?}: there are {known}")));
            }
            if parameters.iter().any(|(other, _)| *other == name) {
                return Err(ApiError::bad_request(format!("the parameter {name:?} comes twice")));
            }
            parameters.push((name, value));
        }
        Ok(Parameters(parameters))
    }

    /// A value; an empty one counts as absent.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A value of some type.
    pub(super) fn parsed<T: std::str::FromStr<Err: ToString>>(&self, name: &str) -> Result<Option<T>, ApiError> {
        let wrong = |error: T::Err| ApiError::bad_request(format!("{name}: {}", error.to_string()));
        self.text(name).map(|text| text.parse().map_err(wrong)).transpose()
    }

    /// A number, at most `most`.
    pub(super) fn number(&self, name: &str, default: usize, most: usize) -> Result<usize, ApiError> {
        let number = self.parsed(name)?.unwrap_or(default);
        if !(1..=most).contains(&number) {
            return Err(ApiError::bad_request(format!("{name}: 1 to {most}")));
        }
        Ok(number)
    }

    /// The parameters that say which changes: `from`, `to`, `day`, `table`, `schema` with `name`, `op`.
    pub(super) fn filter(&self) -> Result<Filter, ApiError> {
        let day = self.parsed("day")?;
        let (from, to) = (self.parsed("from")?, self.parsed("to")?);
        if day.is_some() && (from.is_some() || to.is_some()) {
            return Err(ApiError::bad_request("day stands for both from and to"));
        }
        let name = match (self.text("schema"), self.text("name")) {
            (Some(schema), Some(table)) => Some(TableName { schema: schema.to_owned(), table: table.to_owned() }),
            (None, None) => None,
            _ => return Err(ApiError::bad_request("schema and name belong together")),
        };
        let (from, to) = (from.or(day), to.or(day));
        let pattern = self.text("table").unwrap_or_default();
        if pattern.chars().count() > LONGEST_PATTERN || pattern.matches(['*', '?']).count() > MOST_WILDCARDS {
            let what = format!("table: at most {LONGEST_PATTERN} characters and {MOST_WILDCARDS} of * and ?");
            return Err(ApiError::bad_request(what));
        }
        Ok(Filter { from, to, tables: self.parsed("table")?, name, operation: self.parsed("op")? })
    }

    /// What to sum by.
    pub(super) fn by(&self) -> Result<Vec<GroupBy>, ApiError> {
        match self.0.iter().find(|(name, _)| name == "by") {
            None => Ok(GroupBy::DEFAULT.to_vec()),
            Some((_, parts)) => parts
                .split(',')
                .filter(|part| !part.is_empty())
                .map(|part| part.parse().map_err(ApiError::bad_request))
                .collect(),
        }
    }

    /// Whether something is asked for by `1` or `true`.
    pub(super) fn is_set(&self, name: &str) -> bool {
        matches!(self.text(name), Some("1" | "true"))
    }
}

fn decoded(text: &str) -> Result<String, ApiError> {
    let text = text.replace('+', " ");
    let decoded =
        percent_decode_str(&text).decode_utf8().map_err(|_| ApiError::bad_request("a parameter is not UTF-8"))?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_known() {
        let read =
            |query| Parameters::read(Some(query), &["table", "from", "to", "day", "by", "limit", "schema", "name"]);
        let parameters = read("table=public.%3Cscript%3E+x&&from=2026-11-01&limit=7").expect("parameters");
        assert_eq!(parameters.text("table"), Some("public.<script> x"));
        assert_eq!(parameters.number("limit", 50, 10).ok(), Some(7));
        assert!(parameters.filter().expect("a filter").tables.is_some());
        let long = |characters: usize| format!("table=*.{}", "x".repeat(characters));
        let wild = |stars: usize| format!("table=a.{}", "*x".repeat(stars));
        for (pattern, is_taken) in [
            (long(LONGEST_PATTERN - 2), true),
            (long(LONGEST_PATTERN - 1), false),
            (wild(MOST_WILDCARDS), true),
            (wild(MOST_WILDCARDS + 1), false),
        ] {
            let parameters = Parameters::read(Some(&pattern), &["table"]).expect("a known name");
            assert_eq!(parameters.filter().is_ok(), is_taken, "{pattern}");
        }
        for wrong in ["tables=x", "from=1&from=2", "table=%ff"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        for wrong in ["from=yesterday", "day=2026-11-01&to=2026-11-02", "schema=a", "table=orders"] {
            assert!(read(wrong).expect("known names").filter().is_err(), "{wrong}");
        }
        assert!(read("limit=11").expect("a known name").number("limit", 50, 10).is_err());
        assert_eq!(read("").expect("nothing").by().ok(), Some(GroupBy::DEFAULT.to_vec()));
        assert_eq!(read("by=").expect("nothing").by().ok(), Some(Vec::new()));
        assert!(read("by=hour").expect("a known name").by().is_err());
    }
}
