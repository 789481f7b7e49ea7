//! Random expressions over random values: the result is PostgreSQL's, with the differences that docs/sql.md lists.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray};
use chrono_tz::Tz;
use walbook::sql::{BadValues, Batch, Expression, InputColumn};

use crate::dice::Dice;
use crate::{environment, psql};

const EXPRESSIONS: u64 = 3_000;
const LONG: u64 = 30_000;

/// Why an expression without columns is refused, also where it would not be needed.
const CONSTANT_FAILURES: [&str; 2] = ["division by zero", "negative length"];

/// Values of the row's columns `a` (mostly numbers), `b` (texts) and `c` (days and times).
const NUMBERS: [&str; 14] =
    ["0", "1", "-1", "2", "7", "-3", "12.50", "0.001", "-99.995", "1e3", "100000", "abc", "", "  5 "];
const TEXTS: [&str; 12] =
    ["", "a", "ab", "Ab", "äÖ", "50%", "a_b", "x\\y", "it's", " a ", "zz", "{\"a\": [1, null, \"x\"]}"];
const TIMES: [&str; 9] = [
    "2026-11-22",
    "2026-11-22 23:59:59.5",
    "2026-10-25 02:30:00",
    "2026-03-29 02:30",
    "2024-02-29 00:00:00+00",
    "1969-12-31 23:59:59.999999",
    "2026-01-01 12:00:00-05:30",
    "2026-02-30",
    "soon",
];

/// What an expression yields.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Boolean,
    BigInt,
    Numeric,
    Double,
    Text,
    Date,
    Timestamp,
    TimestampTz,
}

const KINDS: [Kind; 8] = [
    Kind::Boolean,
    Kind::BigInt,
    Kind::Numeric,
    Kind::Double,
    Kind::Text,
    Kind::Date,
    Kind::Timestamp,
    Kind::TimestampTz,
];

/// Writes random expressions.
struct Writer<'a> {
    dice: &'a mut Dice,
}

impl Writer<'_> {
    fn one_of(&mut self, choices: &[&str]) -> String {
        self.dice.pick(choices).to_owned()
    }

    fn kind(&mut self) -> Kind {
        self.dice.pick(&KINDS)
    }

    /// A kind whose texts have one form: numbers may differ in zeros at their end.
    fn printed_kind(&mut self) -> Kind {
        match self.kind() {
            Kind::Numeric => Kind::Double,
            kind => kind,
        }
    }

    /// An expression of a kind, at most `depth` operators deep.
    fn write(&mut self, kind: Kind, depth: u32) -> String {
        if depth == 0 {
            return self.leaf(kind);
        }
        match self.dice.below(12) {
            0 => {
                let (condition, one) = (self.write(Kind::Boolean, depth - 1), self.write(kind, depth - 1));
                let other = self.write(kind, depth - 1);
                format!("CASE WHEN {condition} THEN {one} ELSE {other} END")
            }
            1 if kind == Kind::Numeric => {
                format!("coalesce({}, {})", self.write(kind, depth - 1), self.numeric(depth - 1))
            }
            1 => format!("coalesce({}, {})", self.write(kind, depth - 1), self.write(kind, depth - 1)),
            2 => format!("nullif({}, {})", self.write(kind, depth - 1), self.write(kind, depth - 1)),
            3 if kind != Kind::Boolean => {
                let name = self.one_of(&["greatest", "least"]);
                format!("{name}({}, {})", self.write(kind, depth - 1), self.write(kind, depth - 1))
            }
            _ => self.operator(kind, depth - 1),
        }
    }

    fn operator(&mut self, kind: Kind, depth: u32) -> String {
        match kind {
            Kind::Boolean => self.condition(depth),
            Kind::BigInt => match self.dice.below(4) {
                0 => format!("length({})", self.write(Kind::Text, depth)),
                1 => format!("abs({})", self.write(kind, depth)),
                _ => self.arithmetic(kind, depth, &["+", "-", "*", "/", "%"]),
            },
            Kind::Numeric => match self.dice.below(6) {
                0 => format!("round({})", self.write(kind, depth)),
                1 => format!("round({}, {})", self.write(kind, depth), self.one_of(&["0", "1", "3", "-1"])),
                2 => {
                    let field =
                        self.one_of(&["hour", "second", "day", "dow", "isodow", "week", "isoyear", "quarter", "epoch"]);
                    let time = if self.dice.below(2) == 0 { Kind::Timestamp } else { Kind::TimestampTz };
                    format!("extract({field} FROM {})", self.write(time, depth))
                }
                3 => format!("{}::numeric(12,3)", self.parenthesized(Kind::BigInt, depth)),
                _ => self.arithmetic(kind, depth, &["+", "-", "*", "/", "%"]),
            },
            Kind::Double => match self.dice.below(4) {
                0 => format!("round({})", self.write(kind, depth)),
                1 => format!("{}::double precision", self.parenthesized(Kind::Numeric, depth)),
                _ => self.arithmetic(kind, depth, &["+", "-", "*", "/"]),
            },
            Kind::Text => match self.dice.below(9) {
                0 => format!("lower({})", self.write(kind, depth)),
                1 => format!("upper({})", self.write(kind, depth)),
                2 => format!("({} || {})", self.write(kind, depth), self.write(kind, depth)),
                3 => {
                    let (first, count) =
                        (self.one_of(&["-1", "0", "1", "2", "9"]), self.one_of(&["0", "1", "3", "-1"]));
                    format!("substring({} from {first} for {count})", self.write(kind, depth))
                }
                4 => {
                    let side = self.one_of(&["BOTH", "LEADING", "TRAILING"]);
                    format!("trim({side} {} FROM {})", self.write(kind, 0), self.write(kind, depth))
                }
                5 => {
                    let other = self.printed_kind();
                    format!("concat({}, {})", self.write(kind, depth), self.write(other, depth))
                }
                6 => format!(
                    "(new.b::json {} {})",
                    self.one_of(&["->>", "-> 'a' ->>"]),
                    self.one_of(&["'a'", "0", "-1", "2"])
                ),
                7 => {
                    let other = self.printed_kind();
                    format!("{}::text", self.parenthesized(other, depth))
                }
                _ => format!("trim({})", self.write(kind, depth)),
            },
            Kind::Date => match self.dice.below(3) {
                0 => format!(
                    "({} {} {}::bigint::int)",
                    self.write(kind, depth),
                    self.one_of(&["+", "-"]),
                    self.one_of(&["7", "1"])
                ),
                1 => format!("{}::date", self.parenthesized(Kind::TimestampTz, depth)),
                _ => format!("{}::date", self.parenthesized(Kind::Timestamp, depth)),
            },
            Kind::Timestamp | Kind::TimestampTz => {
                let name = if kind == Kind::Timestamp { "timestamp" } else { "timestamptz" };
                let other = if kind == Kind::Timestamp { Kind::TimestampTz } else { Kind::Timestamp };
                match self.dice.below(3) {
                    0 => {
                        let unit =
                            self.one_of(&["second", "minute", "hour", "day", "week", "month", "quarter", "year"]);
                        format!("date_trunc('{unit}', {})", self.write(kind, depth))
                    }
                    1 => format!("{}::{name}", self.parenthesized(Kind::Date, depth)),
                    _ => format!("{}::{name}", self.parenthesized(other, depth)),
                }
            }
        }
    }

    fn condition(&mut self, depth: u32) -> String {
        let kind = self.kind();
        match self.dice.below(10) {
            0 => format!("({} AND {})", self.write(Kind::Boolean, depth), self.write(Kind::Boolean, depth)),
            1 => format!("({} OR {})", self.write(Kind::Boolean, depth), self.write(Kind::Boolean, depth)),
            2 => format!("(NOT {})", self.write(Kind::Boolean, depth)),
            3 => format!("({} IS {} NULL)", self.write(kind, depth), self.one_of(&["", "NOT"])),
            4 => {
                let (low, high) = (self.write(kind, depth), self.write(kind, depth));
                format!("({} {} BETWEEN {low} AND {high})", self.write(kind, depth), self.one_of(&["", "NOT"]))
            }
            5 => {
                let (one, other) = (self.write(kind, 0), self.write(kind, 0));
                let null = self.one_of(&["", ", NULL"]);
                format!("({} {} IN ({one}, {other}{null}))", self.write(kind, depth), self.one_of(&["", "NOT"]))
            }
            6 => {
                let like = self.one_of(&["LIKE", "NOT LIKE", "ILIKE", "NOT ILIKE"]);
                let pattern =
                    self.one_of(&["'a%'", "'%b'", "'_'", "'%\\%%'", "'a\\_b'", "'%'", "''", "'A_'", "'\\x%'", "new.b"]);
                format!("({} {like} {pattern})", self.write(Kind::Text, depth))
            }
            7 => format!(
                "({}::time < '{}')",
                self.write(Kind::TimestampTz, 0),
                self.one_of(&["06:00", "12:00:00.5", "23:59:59"])
            ),
            _ => {
                let operators = ["=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"];
                let operator = self.one_of(&operators);
                let other = if kind == Kind::Numeric { self.numeric(depth) } else { self.write(kind, depth) };
                format!("({} {operator} {other})", self.write(kind, depth))
            }
        }
    }

    fn arithmetic(&mut self, kind: Kind, depth: u32, operators: &[&str]) -> String {
        let other = if kind == Kind::Numeric { self.numeric(depth) } else { self.write(kind, depth) };
        format!("({} {} {other})", self.write(kind, depth), self.one_of(operators))
    }

    /// A number next to another one: perhaps a quoted number, whose type is that of its neighbour.
    fn numeric(&mut self, depth: u32) -> String {
        match self.dice.below(3) {
            0 => self.one_of(&["'10.004'", "'12.5'", "'1e3'", "'0'", "' 7 '", "'-99.9951'", "'0.0005'"]),
            _ => self.write(Kind::Numeric, depth),
        }
    }

    fn parenthesized(&mut self, kind: Kind, depth: u32) -> String {
        format!("({})", self.write(kind, depth))
    }

    fn leaf(&mut self, kind: Kind) -> String {
        match kind {
            Kind::Boolean => self.one_of(&["true", "false", "(new.a = '1')", "(new.b > 'a')", "(new.b IS NULL)"]),
            // PostgreSQL's literals are integers of 32 bits, whose overflow is another one.
            Kind::BigInt => {
                self.one_of(&["new.a::bigint", "new.a::bigint", "3::bigint", "0::bigint", "length(new.b)::bigint"])
            }
            Kind::Numeric => {
                self.one_of(&["new.a::numeric", "new.a::numeric(10,2)", "1.5", "0.25", "new.a::numeric(18,4)", "100.0"])
            }
            Kind::Double => {
                self.one_of(&["new.a::double precision", "new.a::double precision", "0.5::double precision"])
            }
            Kind::Text => self.one_of(&["new.b", "new.b", "new.a", "'a'", "'Äb '", "''"]),
            Kind::Date => self.one_of(&["new.c::date", "new.c::date", "DATE '2026-11-22'"]),
            Kind::Timestamp => self.one_of(&["new.c::timestamp", "'2026-11-22 10:00'::timestamp"]),
            Kind::TimestampTz => self.one_of(&["new.c::timestamptz", "'2026-11-22 10:00+01'::timestamptz"]),
        }
    }
}

/// What an expression yields here.
enum Ours {
    /// It is refused.
    Refused(String),
    /// A value, and the first value on the way that could not be computed.
    Value(Outcome, Option<String>),
}

/// A value as text, NULL, or an error.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Text(String),
    Null,
    Error(String),
}

fn ours(expression: &str, row: &[Option<String>; 3], zone: Tz) -> Ours {
    let (expression, inputs) = match Expression::parse(&format!("({expression})::text")) {
        Ok(parsed) => parsed,
        Err(error) => return Ours::Refused(error.to_string()),
    };
    let column = |input: &InputColumn| -> ArrayRef {
        let InputColumn::Row { name, .. } = input else { panic!("only columns of the row: {input}") };
        let place = usize::from(name.as_bytes()[0] - b'a');
        Arc::new(StringArray::from(vec![row[place].as_deref()]))
    };
    let columns: Vec<ArrayRef> = inputs.as_slice().iter().map(column).collect();
    let mut bad = BadValues::default();
    let values = expression.evaluate(&Batch { rows: 1, columns: &columns, time_zone: zone }, &mut bad);
    let values = values.as_string::<i32>();
    let value = if values.is_null(0) { Outcome::Null } else { Outcome::Text(values.value(0).to_owned()) };
    Ours::Value(value, bad.first.map(|bad| bad.to_string()))
}

/// A number without zeros at the end, where numbers may differ in them.
fn comparable(outcome: &Outcome) -> Outcome {
    match outcome {
        Outcome::Text(text) => {
            // Numbers inside texts too: a quotient that was joined to a text.
            let plain = regex::Regex::new(r"(\d)(\.\d*?)0+(\D|$)").expect("a pattern");
            let mut text = text.clone();
            loop {
                let next = plain.replace_all(&text, "$1$2$3").replace(". ", " ");
                let next = next.strip_suffix('.').map_or(next.clone(), str::to_owned);
                if next == text {
                    return Outcome::Text(text);
                }
                text = next;
            }
        }
        other => other.clone(),
    }
}

#[test]
fn expressions_have_the_values_of_postgres() {
    let name = environment::unique("expressions");
    let server = environment::postgres();
    // Code points order texts and change case letter by letter, as in the built-in locale of PostgreSQL 17.
    let create = format!("create database {name} template template0 encoding 'UTF8' locale 'C.UTF-8'");
    psql::script(&format!("{server}/postgres"), &create);
    let mut dice = Dice::throw("expressions");
    let count = if environment::is_long() { LONG } else { EXPRESSIONS };
    let mut cases = Vec::new();
    for _ in 0..count {
        let depth = 1 + dice.below(3) as u32;
        let mut writer = Writer { dice: &mut dice };
        let kind = writer.kind();
        let expression = writer.write(kind, depth);
        let value = |dice: &mut Dice, values: &[&str]| {
            let place = dice.below(values.len() as u64 + 1) as usize;
            values.get(place).map(|value| (*value).to_owned())
        };
        let row = [value(&mut dice, &NUMBERS), value(&mut dice, &TEXTS), value(&mut dice, &TIMES)];
        cases.push((expression, row));
    }
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let mut sql = String::from(
        "set timezone = 'Europe/Berlin'; set datestyle = iso; set extra_float_digits = 1;
         create function value_of(expression text, a text, b text, c text) returns text language plpgsql as $$
         declare result text;
         begin
           execute format('select (%s)::text from (select $1, $2, $3 offset 0) as new(a, b, c)', expression) into result using a, b, c;
           return coalesce('T' || encode(convert_to(result, 'UTF8'), 'hex'), 'N');
         exception when others then
           return 'E' || encode(convert_to(sqlerrm, 'UTF8'), 'hex');
         end $$;
         -- Of no row: only what the planner computes can fail.
         create function planned(expression text) returns text language plpgsql as $$
         begin
           execute format('select (%s)::text from (select ''''::text, ''''::text, ''''::text offset 1) as new(a, b, c)', expression);
           return 'N';
         exception when others then
           return 'E' || encode(convert_to(sqlerrm, 'UTF8'), 'hex');
         end $$;\n",
    );
    for (expression, row) in &cases {
        let row = row.each_ref().map(|value| value.as_deref().map_or("null".to_owned(), quoted));
        sql.push_str(&format!("select value_of({}, {});\n", quoted(expression), row.join(", ")));
    }
    let printed = psql::script(&format!("{server}/{name}"), &sql);
    let theirs: Vec<Outcome> = printed.lines().map(outcome).collect();
    assert_eq!(theirs.len(), cases.len());
    let (mut wrong, mut errors, mut skipped) = (Vec::new(), 0, 0);
    for ((expression, row), theirs) in cases.iter().zip(&theirs) {
        let ours = ours(&expression.replace("::bigint::int", "::bigint"), row, Tz::Europe__Berlin);
        let fails = matches!(theirs, Outcome::Error(_));
        errors += usize::from(fails);
        let same = |value: &Outcome| comparable(value) == comparable(theirs);
        let (is_right, ours) = match ours {
            Ours::Value(value, None) => (same(&value), format!("{value:?}")),
            // PostgreSQL ends the statement, unless its planner finds a constant that makes the failing part superfluous.
            Ours::Value(value, Some(bad)) => {
                skipped += usize::from(!fails);
                (fails || same(&value), format!("{value:?}, bad: {bad}"))
            }
            Ours::Refused(error) => {
                skipped += usize::from(!fails);
                (fails || CONSTANT_FAILURES.iter().any(|reason| error.contains(reason)), error)
            }
        };
        // The planner computes constant parts, also those that no row needs.
        let is_of_planner = || {
            let planned = format!("select planned({})", quoted(expression));
            psql::script(&format!("{server}/{name}"), &planned).lines().map(outcome).any(|planned| planned == *theirs)
        };
        let is_right = is_right || (fails && is_of_planner());
        if !is_right {
            wrong.push(format!("{expression}\n  of {row:?}\n  ours   {ours}\n  theirs {theirs:?}"));
        }
    }
    assert!(skipped * 50 < cases.len(), "PostgreSQL computed {skipped} of {} that fail here", cases.len());
    assert!(errors * 4 < cases.len() * 3, "most expressions have values: {errors} of {} failed", cases.len());
    assert!(
        wrong.is_empty(),
        "{} of {} differ ({errors} failed in PostgreSQL):\n{}",
        wrong.len(),
        cases.len(),
        wrong.iter().take(40).cloned().collect::<Vec<_>>().join("\n")
    );
    psql::script(&format!("{server}/postgres"), &format!("drop database {name}"));
}

fn outcome(line: &str) -> Outcome {
    let text = || {
        let digits = line.as_bytes()[1..].chunks(2);
        let bytes =
            digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("a byte"));
        String::from_utf8(bytes.collect()).expect("the server sends UTF-8")
    };
    match line.as_bytes().first() {
        Some(b'T') => Outcome::Text(text()),
        Some(b'N') => Outcome::Null,
        _ => Outcome::Error(text()),
    }
}
