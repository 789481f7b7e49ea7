//! Any text: no panic, no place outside the text, one value for each row.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Date32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use chrono_tz::Tz;

use super::{BadValues, Batch, Expression, Filter, InputColumn, SqlError, Type, ViewPlan};

/// Parses a text as an expression, a filter and a view, and computes what is accepted.
///
/// # Panics
/// When a promise is broken.
pub fn fuzz_sql(text: &str) {
    check(text, Filter::parse(text).map(drop));
    check(text, ViewPlan::parse(text).map(drop));
    match Expression::parse(text) {
        Err(error) => check(text, Err(error)),
        Ok((expression, inputs)) => {
            let columns: Vec<ArrayRef> = inputs.as_slice().iter().map(column).collect();
            let batch = Batch { rows: 3, columns: &columns, time_zone: Tz::Europe__Berlin };
            let values = expression.evaluate(&batch, &mut BadValues::default());
            assert_eq!((values.len(), values.data_type()), (3, &expression.kind().data_type()), "{text}");
        }
    }
}

fn check(text: &str, parsed: Result<(), SqlError>) {
    let Err(error) = parsed else { return };
    assert!(!error.to_string().is_empty());
    if let Some(place) = error.place() {
        let line = text.split('\n').nth(place.line as usize - 1).expect("a line of the text");
        assert!((1..=line.chars().count() as u64 + 1).contains(&place.column), "{text:?}: {place:?}");
    }
}

/// A column with NULL, a common value and an awkward one.
fn column(input: &InputColumn) -> ArrayRef {
    match input.kind() {
        Type::Date => Arc::new(Date32Array::from(vec![None, Some(20_779), Some(2_932_896)])),
        Type::BigInt => Arc::new(Int64Array::from(vec![None, Some(42), Some(i64::MIN)])),
        Type::TimestampTz => {
            let times = vec![None, Some(1_795_391_998_500_000), Some(-62_135_596_800_000_000)];
            Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"))
        }
        _ => Arc::new(StringArray::from(vec![None, Some("42"), Some("-9.99e37 %_\\\u{130}")])),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::fuzz_sql;

    /// What expressions and views are made of, and what they are not.
    const WORDS: &str = "op day lsn \"table\" new.a old.b key.\"C d\" commit_time 'x' '42' '' E'a\\n' $$x$$ 1 0 -1 2.5 1e3 99999999999999999999 \
        NULL true false + - * / % || = <> < >= -> ->> :: , ( ) ( ) [ ] . ; ~ ? $1 @ # AND OR NOT IS NULL DISTINCT FROM IN BETWEEN LIKE ILIKE \
        ESCAPE CASE WHEN THEN ELSE END CAST AS bigint numeric numeric(10,2) boolean date timestamp timestamptz time text json double precision \
        int[] varchar(3) interval lower upper substring for trim BOTH extract hour date_trunc 'month' abs round coalesce nullif greatest least concat \
        length count sum avg max FILTER WHERE OVER SELECT GROUP BY HAVING ORDER LIMIT UNION changes shop.t CREATE VIEW v EXISTS ARRAY ROW ANY \
        AT TIME ZONE position overlay collate \u{0} é";

    fn text() -> impl Strategy<Value = String> {
        let words: Vec<&str> = WORDS.split_whitespace().collect();
        proptest::collection::vec(proptest::sample::select(words), 0..30).prop_map(|words| words.join(" "))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

        #[test]
        fn any_words_are_computed_or_refused_with_a_place(text in text()) {
            fuzz_sql(&text);
            fuzz_sql(&format!("CREATE VIEW v AS SELECT {text} FROM changes GROUP BY 1"));
            fuzz_sql(&format!("lower({text}) = 'x'"));
        }

        #[test]
        fn any_text_is_computed_or_refused_with_a_place(text in "\\PC{0,40}") {
            fuzz_sql(&text);
            fuzz_sql(&format!("op = '{text}'"));
        }
    }
}
