//! Expressions from text to values. Expected values are those of PostgreSQL 17.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, Date32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use chrono_tz::Tz;

use super::{BadValues, Batch, EventColumn, Expression, Filter, InputColumn, Place, RangeValue, ViewPlan};

/// Values of the columns `new.a`, `new.b`, …, by row.
pub(super) type Rows<'a> = &'a [&'a [Option<&'a str>]];

fn columns(inputs: &[InputColumn], rows: Rows<'_>) -> Vec<ArrayRef> {
    let column = |input: &InputColumn| -> ArrayRef {
        match input {
            InputColumn::Row { name, .. } => {
                let place = usize::from(name.as_bytes()[0] - b'a');
                Arc::new(rows.iter().map(|row| row[place]).collect::<StringArray>())
            }
            InputColumn::Event(EventColumn::Day) => Arc::new(Date32Array::from(vec![20_779; rows.len()])),
            InputColumn::Event(EventColumn::CommitTime) => {
                // 2026-11-22 23:59:58.5 UTC
                let times = TimestampMicrosecondArray::from(vec![1_795_391_998_500_000; rows.len()]);
                Arc::new(times.with_timezone("UTC"))
            }
            InputColumn::Event(EventColumn::Op) => Arc::new(StringArray::from(vec!["UPDATE"; rows.len()])),
            InputColumn::Event(_) => Arc::new(Int64Array::from(vec![7; rows.len()])),
            InputColumn::View { name, .. } => panic!("expressions about changes name no column of a view: {name}"),
        }
    };
    inputs.iter().map(column).collect()
}

/// The values of an expression as texts, and how many were bad.
pub(super) fn values(text: &str, zone: Tz, rows: Rows<'_>) -> (Vec<Option<String>>, BadValues) {
    let shown = format!("({text})::text");
    let (expression, inputs) = Expression::parse(&shown).unwrap_or_else(|error| panic!("{text}: {error}"));
    let columns = columns(inputs.as_slice(), rows);
    let mut bad = BadValues::default();
    let batch = Batch { rows: rows.len(), columns: &columns, time_zone: zone };
    let values = expression.evaluate(&batch, &mut bad);
    assert_eq!(values.len(), rows.len(), "{text}");
    (values.as_string::<i32>().iter().map(|value| value.map(str::to_owned)).collect(), bad)
}

/// Compares an expression's value, as text, for one row of `a` and `b`.
fn expect(text: &str, [a, b]: [Option<&str>; 2], expected: Option<&str>) {
    let (values, bad) = values(text, Tz::UTC, &[&[a, b]]);
    assert_eq!(values[0].as_deref(), expected, "{text}");
    assert_eq!(bad.count, 0, "{text}: {:?}", bad.first);
}

/// The same for expressions without columns.
pub(super) fn constant(text: &str, expected: &str) {
    expect(text, [None, None], Some(expected));
}

/// An expression whose value is NULL since it cannot be computed.
pub(super) fn bad(text: &str, a: &str, reason: &str) {
    let (values, bad) = values(text, Tz::UTC, &[&[Some(a), None]]);
    assert_eq!((values[0].as_deref(), bad.count), (None, 1), "{text}");
    let first = bad.first.expect("a sample");
    assert!(first.reason.contains(reason), "{text}: {first}");
}

fn refused(text: &str, part: &str, column: u64) {
    let error = Filter::parse(text).expect_err(text);
    assert!(error.message().contains(part), "{text}: {error}");
    assert_eq!(error.place(), Some(Place { line: 1, column }), "{text}: {error}");
}

#[test]
fn whole_numbers_are_computed_as_in_postgres() {
    for (text, expected) in [
        ("7 / 2", "3"),
        ("-7 / 2", "-3"),
        ("-7 % 3", "-1"),
        ("2 + 3 * 4 - 5", "9"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("-9223372036854775808 % -1", "0"),
        ("abs(-5)", "5"),
        ("- (3)", "-3"),
        ("'12'::bigint + 1", "13"),
        ("' 12 '::bigint", "12"),
    ] {
        constant(text, expected);
    }
    expect("new.a::bigint * 2", [Some("21"), None], Some("42"));
    expect("new.a::bigint * 2", [None, None], None);
    bad("new.a::bigint", "12x", "not a bigint");
    bad("1 / new.a::bigint", "0", "division by zero");
    bad("new.a::bigint + 1", "9223372036854775807", "out of range");
    bad("-new.a::bigint", "-9223372036854775808", "out of range");
}

#[test]
fn exact_numbers_keep_their_digits() {
    for (text, expected) in [
        ("1.50 + 2", "3.50"),
        ("1.5 * 1.25", "1.875"),
        ("10.0 % 4", "2.0"),
        ("1.0 / 3 * 3 = 1", "false"),
        ("'1.005'::numeric(10,2)", "1.01"),
        ("'-1.005'::numeric(10,2)", "-1.01"),
        ("'1e3'::numeric(10,2)", "1000.00"),
        ("round(2.5)", "3"),
        ("round(-2.5)", "-3"),
        ("round(2.345, 2)", "2.35"),
        ("round(1250, -2)", "1300"),
        ("abs(-1.50)", "1.50"),
        ("1.10 = 1.1", "true"),
        ("0.1 + 0.2 = 0.3", "true"),
        ("12345678901234567890 + 1", "12345678901234567891"),
        ("2.5::bigint", "3"),
        ("3.5::double precision", "3.5"),
    ] {
        constant(text, expected);
    }
    bad("new.a::numeric(5,2)", "1000", "too many digits");
    bad("new.a::numeric", "NaN", "not a number");
    bad("1.0 / new.a::numeric", "0.00", "division by zero");
}

#[test]
fn a_quoted_number_keeps_its_digits_next_to_a_number_with_fewer() {
    for (text, expected) in [
        ("new.a::numeric(18,2) >= '10.004'", "false"),
        ("'10.004' > new.a::numeric(18,2)", "true"),
        ("new.a::numeric(18,2) BETWEEN '9.996' AND '10.004'", "true"),
        ("new.a::numeric(18,2) IN ('10.004')", "false"),
        ("new.a::numeric(18,2) IN ('10.000')", "true"),
        ("CASE new.a::numeric(18,2) WHEN '10.004' THEN 1 ELSE 2 END", "2"),
        ("new.a::numeric(18,2) + '0.004'", "10.004"),
        ("'1.5' * new.a::numeric(18,2)", "15.000"),
        ("COALESCE(new.b::numeric(18,2), '10.004')", "10.004"),
        ("greatest(new.a::numeric(18,2), '10.004')", "10.004"),
        ("CASE WHEN new.b IS NULL THEN '10.004' ELSE new.a::numeric(18,2) END", "10.004"),
        ("NULLIF(new.a::numeric(18,2), '10.004')", "10.00"),
        ("extract(day FROM day) < '22.5'", "true"),
        ("new.a::numeric(18,2) < '10.000000000000000000000000000000000000001'", "false"),
        ("1.5 > ' 1e-3 '", "true"),
    ] {
        expect(text, [Some("10.00"), None], Some(expected));
    }
    refused("new.a::numeric(18,2) > 'ten'", "not a number", 24);
    refused("lsn > '10.5'", "not a bigint", 7);
}

#[test]
fn doubles_are_computed_and_printed_as_in_postgres() {
    for (text, expected) in [
        ("'0.1'::double precision + '0.2'::double precision", "0.30000000000000004"),
        ("1e15::double precision", "1e+15"),
        ("'123456789012345'::double precision", "123456789012345"),
        ("0.00001::double precision", "1e-05"),
        ("0.0001::double precision", "0.0001"),
        ("'NaN'::double precision = 'NaN'::double precision", "true"),
        ("'NaN'::double precision > 'Infinity'::double precision", "true"),
        ("'-0'::double precision = 0", "true"),
        ("round(2.5::double precision)", "2"),
        ("round(7)", "7"),
        ("2.5::double precision::bigint", "2"),
        ("0.1::double precision::numeric(20,17)", "0.10000000000000000"),
    ] {
        constant(text, expected);
    }
    bad("new.a::double precision * 10", "1e308", "out of range");
    bad("new.a::double precision", "1e400", "out of range");
    bad("new.a::double precision::bigint", "1e19", "out of range");
}

#[test]
fn comparisons_and_logic_are_three_valued() {
    for (text, expected) in [
        ("new.a = 'x'", None),
        ("new.a = 'x' AND false", Some("false")),
        ("new.a = 'x' OR true", Some("true")),
        ("NOT (new.a = 'x')", None),
        ("new.a IS NULL", Some("true")),
        ("new.a IS NOT NULL", Some("false")),
        ("new.a IS DISTINCT FROM 'x'", Some("true")),
        ("new.a IS NOT DISTINCT FROM NULL", Some("true")),
        ("'x' IN ('x', NULL)", Some("true")),
        ("'y' IN ('x', NULL)", None),
        ("'y' NOT IN ('x', NULL)", None),
        ("new.a NOT IN ('x')", None),
        ("5 BETWEEN 1 AND NULL", None),
        ("0 BETWEEN 1 AND NULL", Some("false")),
        ("NULL", None),
        ("new.a > 'x' OR NULL", None),
    ] {
        expect(text, [None, None], expected);
    }
    for (text, expected) in [
        ("5 IN (1, 5)", "true"),
        ("5 IN (1.0, 5.0)", "true"),
        ("5 NOT BETWEEN 1 AND 4", "true"),
        ("'a' < 'B'", "false"),
        ("'é' > 'z'", "true"),
        ("day = '2026-11-22'", "true"),
        ("op IN ('INSERT', 'UPDATE') AND lsn > 6", "true"),
        ("true <> false", "true"),
    ] {
        constant(text, expected);
    }
}

#[test]
fn a_branch_that_is_not_taken_counts_no_bad_value() {
    let rows: Rows<'_> = &[&[Some("x"), Some("0")], &[Some("1"), Some("2")], &[None, None]];
    for (text, expected, count) in [
        ("CASE WHEN new.a = 'x' THEN 0 ELSE new.a::bigint END", vec![Some("0"), Some("1"), None], 0),
        ("CASE new.a WHEN 'x' THEN new.a::bigint ELSE 5 END", vec![None, Some("5"), Some("5")], 1),
        ("COALESCE(new.b, new.a::bigint::text)", vec![Some("0"), Some("2"), None], 0),
        ("new.a <> 'x' AND new.a::bigint = 1", vec![Some("false"), Some("true"), None], 0),
        ("new.a = 'x' OR new.a::bigint = 1", vec![Some("true"), Some("true"), None], 0),
        ("new.a::bigint = 1 AND new.a <> 'x'", vec![Some("false"), Some("true"), None], 1),
        ("CASE WHEN new.b <> '0' THEN 10 / new.b::bigint END", vec![None, Some("5"), None], 0),
        ("NULLIF(new.b::bigint, 0)", vec![None, Some("2"), None], 0),
    ] {
        let (values, bad) = values(text, Tz::UTC, rows);
        assert_eq!(values.iter().map(Option::as_deref).collect::<Vec<_>>(), expected, "{text}");
        assert_eq!(bad.count, count, "{text}: {:?}", bad.first);
    }
}

#[test]
fn a_bad_operand_counts_once_however_often_it_is_compared() {
    let rows: Rows<'_> = &[&[Some("x"), Some("0")], &[Some("2"), Some("2")], &[None, None], &[Some("y"), None]];
    for (text, expected, count) in [
        ("new.a::bigint BETWEEN 1 AND 3", [None, Some("true"), None, None], 2),
        ("new.a::bigint NOT BETWEEN 3 AND 1", [None, Some("true"), None, None], 2),
        ("new.a::bigint BETWEEN new.b::bigint AND 3 AND new.b = '2'", [Some("false"), Some("true"), None, None], 2),
        ("new.b = '0' AND new.a::bigint BETWEEN 1 AND 3", [None, Some("false"), None, None], 2),
        (
            "new.b = '0' AND new.b IS NOT NULL AND new.a::bigint BETWEEN 1 AND 3",
            [None, Some("false"), Some("false"), Some("false")],
            1,
        ),
        ("new.a::bigint IN (1, new.b::bigint, 3)", [None, Some("true"), None, None], 2),
        ("new.a::bigint IN (1, 2.5, 3, NULL)", [None; 4], 2),
        (
            "CASE new.a::bigint WHEN 1 THEN 'one' WHEN 2 THEN 'two' WHEN 3 THEN 'three' END",
            [None, Some("two"), None, None],
            2,
        ),
        (
            "CASE CASE new.a::bigint WHEN 1 THEN 10 WHEN 2 THEN 20 END WHEN 10 THEN 1 WHEN 20 THEN 2 END",
            [None, Some("2"), None, None],
            2,
        ),
        ("new.a::bigint BETWEEN 1 AND 3 OR new.a::bigint IN (5, 7)", [None, Some("true"), None, None], 4),
    ] {
        let (values, bad) = values(text, Tz::UTC, rows);
        assert_eq!(values.iter().map(Option::as_deref).collect::<Vec<_>>(), expected, "{text}");
        assert_eq!(bad.count, count, "{text}: {:?}", bad.first);
    }
}

#[test]
fn the_first_bad_value_is_shown_with_its_expression() {
    let (_, bad) = values("new.a::numeric(18,2) > 1", Tz::UTC, &[&[Some("1")], &[Some("n/a")], &[Some("?")]]);
    assert_eq!(bad.count, 2);
    let first = bad.first.expect("a sample");
    assert_eq!(first.to_string(), "new.a::NUMERIC(18,2) of \"n/a\": not a number");
}

#[test]
fn texts_are_computed_as_in_postgres() {
    for (text, expected) in [
        ("lower('ÄB') || upper('ñß')", "äbÑß"),
        ("length('äöü')", "3"),
        ("substring('Thomas' from 2 for 3)", "hom"),
        ("substring('Thomas', 0, 3)", "Th"),
        ("substr('Thomas', -1)", "Thomas"),
        ("substring('Thomas', 4)", "mas"),
        ("trim('  a b ')", "a b"),
        ("trim(BOTH 'xy' FROM 'xyaxbyx')", "axb"),
        ("ltrim('zzza', 'z') || rtrim('a ') || btrim('-b-', '-')", "aab"),
        ("trim(LEADING FROM ' a ')", "a "),
        ("concat('a', NULL, 5, true) || true", "a5ttrue"),
        ("'a' || 5", "a5"),
        ("'50%' LIKE '50\\%'", "true"),
        ("'abc' LIKE 'a_c'", "true"),
        ("'abc' LIKE 'A%'", "false"),
        ("'ABC' ILIKE 'a%'", "true"),
        ("'ÄB' ILIKE 'ä_'", "true"),
        ("'a\nb' LIKE 'a%b'", "true"),
        ("'axb' NOT LIKE 'a\\xb'", "false"),
        ("'a.c' LIKE 'a.c' AND NOT 'abc' LIKE 'a.c'", "true"),
        ("greatest('a', NULL, 'b') || least(3, 1, 2)", "b1"),
        ("E'it\\'s' || 'it''s' || $$it's$$", "it'sit'sit's"),
    ] {
        constant(text, expected);
    }
    expect("new.a || 'x'", [None, None], None);
    expect("new.a LIKE new.b", [Some("abc"), Some("%c")], Some("true"));
    bad("substring('abc', 1, new.a::bigint)", "-1", "negative length");
    bad("'a' LIKE new.a", "a\\", "backslash");
}

#[test]
fn json_is_read_as_text() {
    let json = r#"{"a": {"b": [1, 2.50, "x\n"]}, "n": null, "t": "1", "t": "2", "u": true}"#;
    for (text, expected) in [
        ("new.a -> 'a' -> 'b' ->> 1", Some("2.50")),
        ("new.a -> 'a' -> 'b' ->> -1", Some("x\n")),
        ("new.a -> 'a' ->> 'b'", Some("[1, 2.50, \"x\\n\"]")),
        ("new.a -> 'n'", Some("null")),
        ("new.a ->> 'n'", None),
        ("new.a ->> 't'", Some("2")),
        ("(new.a ->> 'u')::boolean", Some("true")),
        ("new.a ->> 'missing'", None),
        ("new.a ->> 0", None),
        ("new.a -> 't' ->> 'x'", None),
        ("(new.a -> 'a' -> 'b' ->> 1)::numeric(10,1) > 2.4", Some("true")),
    ] {
        expect(text, [Some(json), None], expected);
    }
    bad("new.a -> 'x'", "{\"a\":", "not JSON");
    bad("new.a ->> 'x'", "{} {}", "not JSON");
    bad("new.a::json", "oops", "not JSON");
    let deep = "[".repeat(100_000);
    bad("new.a ->> 0", &deep, "not JSON");
}

#[test]
fn what_is_refused_names_the_place_and_the_alternative() {
    for (text, part, column) in [
        ("comit_time > '2026-11-22'", "did you mean commit_time?", 1),
        ("op = 'x' AND amount > 5", "new.amount", 14),
        ("neu.x = '1'", "did you mean new.x?", 1),
        ("new = '1'", "new.id", 1),
        ("data LIKE '%x%'", "new.x, old.x and key.x", 1),
        ("new.x > 5", "new.x::numeric", 1),
        ("new.x + 1 = 2", "new.x::numeric", 1),
        ("op = 42", "cannot be compared with a bigint", 1),
        ("lsn", "must be boolean", 1),
        ("new.x", "::boolean", 1),
        ("day = 'yesterday'", "not a date", 7),
        ("lsn > 'abc'", "not a bigint", 7),
        ("new.x::int > 5", "use bigint", 1),
        ("new.x::uuid = 'a'", "use text", 1),
        ("new.x::numeric(99,2) > 1", "1 to 38 digits", 1),
        ("commit_time > now()", "write the time", 15),
        ("random() < 0.5", "depends on when", 1),
        ("count(*) > 1", "aggregate", 1),
        ("row_number() OVER () = 1", "window functions", 1),
        ("new.x IN (SELECT 1)", "subqueries", 1),
        ("EXISTS (SELECT 1)", "subqueries", 9),
        ("new.x ~ '^a'", "LIKE", 1),
        ("lowr(new.x) = 'a'", "did you mean lower?", 1),
        ("lower(new.x, 'a') = 'a'", "2 arguments", 1),
        ("commit_time - interval '1 day' > '2026-11-22'", "intervals are not supported", 24),
        ("new.x -> 'a' = 'b'", "->>", 1),
        ("5 / 0 = 1", "division by zero", 1),
        ("concat(5 / 0) = '1'", "division by zero", 8),
        ("date_trunc('fortnight', commit_time) = '2026-11-22'", "there are microseconds", 12),
        ("extract(century FROM commit_time) = 21", "there are second", 22),
        ("new.x = $1", "parameters", 9),
        ("new.x COLLATE \"de\" = 'a'", "COLLATE", 1),
        ("round(new.x::double precision, 2) = 1", "::numeric, 2", 7),
    ] {
        refused(text, part, column);
    }
}

#[test]
fn operands_that_are_compared_several_times_cannot_grow_without_limit() {
    for (begin, end) in [
        ("(", " BETWEEN false AND true)"),
        ("(", " IN (false, true, NULL))"),
        ("CASE ", " WHEN true THEN true WHEN false THEN true END"),
    ] {
        let nested = |levels: usize| format!("{}(new.a = 'x'){}", begin.repeat(levels), end.repeat(levels));
        assert!(Filter::parse(&nested(5)).is_ok(), "{begin}…{end}");
        let error = Filter::parse(&nested(35)).expect_err("too large");
        assert!(error.message().contains("too many times"), "{error}");
    }
    let many = (0..10_000).map(|number| format!("{number}.5")).collect::<Vec<_>>().join(", ");
    assert!(
        Filter::parse(&format!(
            "new.a::numeric IN ({})",
            &many[..many.len().min(60_000)].trim_end_matches(['.', ',', ' '])
        ))
        .is_ok()
    );
}

#[test]
fn a_filter_excludes_what_its_ranges_exclude() {
    let range = |column: EventColumn| match column {
        EventColumn::Day => Some((RangeValue::Number(20_779), RangeValue::Number(20_779))),
        EventColumn::Lsn => Some((RangeValue::Number(100), RangeValue::Number(200))),
        EventColumn::Op => Some((RangeValue::Text(b"DELETE".to_vec()), RangeValue::Text(b"INSERT".to_vec()))),
        _ => None,
    };
    for (text, expected) in [
        ("day = '2026-11-22'", true),
        ("day <> '2026-11-22'", true),
        ("day > '2026-11-22'", false),
        ("'2026-11-22' < day", false),
        ("day BETWEEN '2026-11-01' AND '2026-11-21'", false),
        ("lsn > 200 AND op = 'INSERT'", false),
        ("lsn >= 200 AND op = 'INSERT'", true),
        ("lsn < 100 OR lsn > 200", false),
        ("lsn < 100 OR xid = 5", true),
        ("lsn IN (1, 2, 300)", false),
        ("lsn IN (1, 150)", true),
        ("op IN ('UPDATE', 'TRUNCATE')", false),
        ("op = 'UPDATE' AND new.x = 'a'", false),
        ("NOT lsn = 150", true),
        ("lsn > NULL", true),
        ("kafka_time > '2026-11-22'", true),
        ("lsn = 99.5 + 0.5", true),
    ] {
        let filter = Filter::parse(text).expect(text);
        assert_eq!(filter.may_accept(Tz::UTC, &range), expected, "{text}");
    }
}

#[test]
fn an_empty_batch_has_an_empty_answer() {
    for text in ["new.a LIKE '%x' OR new.a::bigint > 1 AND NOT new.a IN ('a')", "true", "new.a ILIKE 'x'"] {
        let (values, bad) = values(text, Tz::UTC, &[]);
        assert!(values.is_empty() && bad.count == 0, "{text}");
    }
}

#[test]
fn the_longest_chains_fit_a_small_stack() {
    let on_small_stack = |test: fn()| {
        let small = std::thread::Builder::new().stack_size(1 << 20).spawn(test).expect("a thread");
        small.join().expect("no failure");
    };
    on_small_stack(|| {
        let error = Filter::parse(&format!("1{} = 1", " - 1".repeat(1_498))).expect_err("too deep");
        assert!(error.message().contains("applied to each other"), "{error}");
        assert!(ViewPlan::parse(&format!("CREATE VIEW v AS SELECT 1{} FROM a", " - 1".repeat(1_480))).is_err());
    });
    on_small_stack(|| {
        let chain = format!("op = 'x'{}", " AND op = 'x'".repeat(373));
        for text in [chain.clone(), format!("NOT ({chain})"), format!("CASE WHEN {chain} THEN true END")] {
            assert!(Filter::parse(&text).is_ok());
        }
        let chain = format!("true{}", " AND true".repeat(749));
        assert!(Filter::parse(&chain).is_ok());
        assert!(Filter::parse(&format!("({chain}) > 1")).is_err());
    });
    on_small_stack(|| {
        let deepest = format!("lsn{}", " - 1".repeat(190));
        assert_eq!(values(&deepest, Tz::UTC, &[&[None, None]]).0, [Some("-183".to_owned())]);
    });
}
