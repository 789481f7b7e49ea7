//! The parameters of a request: each is known and occurs once.

use percent_encoding::percent_decode_str;

use super::accepted_parameters::AcceptedParameter;
use crate::change::TableName;
use crate::query::{Filter, GroupBy};
use crate::server::error::ApiError;

/// Characters of a pattern: two names of 63 characters, each escaped, fit.
const LONGEST_PATTERN: usize = 256;
/// Wildcards of a pattern: each one makes matching a name slower.
const MOST_WILDCARDS: usize = 16;

/// Names and values, decoded.
pub(in crate::server) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Parses a query string; refuses names that are not accepted, and names that occur twice.
    pub(in crate::server) fn read(query: Option<&str>, accepted: &[AcceptedParameter]) -> Result<Parameters, ApiError> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if !accepted.iter().any(|parameter| parameter.name == name) {
                let accepted = accepted.iter().map(|parameter| parameter.name).collect::<Vec<_>>().join(", ");
                return Err(ApiError::bad_request(format!("no parameter is named {name:?}: there are {accepted}")));
            }
            if parameters.iter().any(|(other, _)| *other == name) {
                return Err(ApiError::bad_request(format!("the parameter {name:?} occurs twice")));
            }
            parameters.push((name, value));
        }
        Ok(Parameters(parameters))
    }

    /// A value; an empty one counts as absent.
    pub(in crate::server) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A value of some type.
    pub(in crate::server) fn parsed<T: std::str::FromStr<Err: ToString>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, ApiError> {
        let wrong = |error: T::Err| ApiError::bad_request(format!("{name}: {}", error.to_string()));
        self.text(name).map(|text| text.parse().map_err(wrong)).transpose()
    }

    /// A number, at most `most`.
    pub(in crate::server) fn number(&self, name: &str, default: usize, most: usize) -> Result<usize, ApiError> {
        let number = self.parsed(name)?.unwrap_or(default);
        if !(1..=most).contains(&number) {
            return Err(ApiError::bad_request(format!("{name}: 1 to {most}")));
        }
        Ok(number)
    }

    /// The parameters that select changes: `from`, `to`, `day`, `table`, `schema` with `name`, `op`.
    pub(in crate::server) fn filter(&self) -> Result<Filter, ApiError> {
        let day = self.parsed("day")?;
        let (from, to) = (self.parsed("from")?, self.parsed("to")?);
        if day.is_some() && (from.is_some() || to.is_some()) {
            return Err(ApiError::bad_request("day replaces both from and to"));
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
    pub(in crate::server) fn by(&self) -> Result<Vec<GroupBy>, ApiError> {
        match self.0.iter().find(|(name, _)| name == "by") {
            None => Ok(GroupBy::DEFAULT.to_vec()),
            Some((_, parts)) => parts
                .split(',')
                .filter(|part| !part.is_empty())
                .map(|part| part.parse().map_err(ApiError::bad_request))
                .collect(),
        }
    }

    /// Whether a switch is on: `1` or `true`.
    pub(in crate::server) fn is_set(&self, name: &str) -> bool {
        matches!(self.text(name), Some("1" | "true"))
    }
}

fn decoded(text: &str) -> Result<String, ApiError> {
    let text = text.replace('+', " ");
    let decoded =
        percent_decode_str(&text).decode_utf8().map_err(|_| ApiError::bad_request("a parameter is not UTF-8"))?;
    Ok(decoded.into_owned())
}

/// Reads a request's parameters as all endpoints do.
#[cfg(feature = "fuzzing")]
pub fn fuzz_parameters(query: &str) {
    use super::accepted_parameters::Values;
    let accepted = ["from", "to", "table", "schema", "name", "op", "by", "limit", "cursor", "format"];
    let accepted = accepted.map(|name| AcceptedParameter::new(name, "", Values::Text));
    if let Ok(parameters) = Parameters::read(Some(query), &accepted) {
        let _ = (parameters.filter(), parameters.by(), parameters.number("limit", 1, 10), parameters.is_set("format"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::accepted_parameters::{TABLE, Values};
    use super::*;

    #[test]
    fn parameters_are_decoded_and_known() {
        let accepted = ["table", "from", "to", "day", "by", "limit", "schema", "name"];
        let accepted = accepted.map(|name| AcceptedParameter::new(name, "", Values::Text));
        let read = |query| Parameters::read(Some(query), &accepted);
        let parameters = read("table=public.%3Cscript%3E+x&&from=2026-11-01&limit=7").expect("parameters");
        assert_eq!(parameters.text("table"), Some("public.<script> x"));
        assert_eq!(parameters.number("limit", 50, 10).ok(), Some(7));
        assert!(parameters.filter().expect("a filter").tables.is_some());
        let long = |characters: usize| format!("table=*.{}", "x".repeat(characters));
        let wild = |stars: usize| format!("table=a.{}", "*x".repeat(stars));
        for (pattern, is_accepted) in [
            (long(LONGEST_PATTERN - 2), true),
            (long(LONGEST_PATTERN - 1), false),
            (wild(MOST_WILDCARDS), true),
            (wild(MOST_WILDCARDS + 1), false),
        ] {
            let parameters = Parameters::read(Some(&pattern), &[TABLE]).expect("a known name");
            assert_eq!(parameters.filter().is_ok(), is_accepted, "{pattern}");
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
