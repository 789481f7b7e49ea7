//! The same questions answered slowly: envelopes by `serde_json::Value`, heads of lines by `regex`, whole lines by a parser of the
//! full grammar. Shared with the fuzz target.

use std::sync::LazyLock;

use chrono::NaiveDate;
use regex::Regex;
use serde_json::{Map, Value};
use walbook::parse::Reject;

/// What a value holds, owned: the line with lsn, commit_lsn, commit_time, seq and xid, and how many of them are unreadable; or a marker.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    Line(String, [Option<i64>; 5], u64),
    Marker,
}

/// What a line states, owned: unquoted schemas and tables.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OracleStatement {
    Change(String, String, String),
    Truncate(Vec<(String, String)>),
    Marker,
}

fn regex(pattern: &str) -> Regex {
    let ident = r#"(?:[a-z_][a-z0-9_$]*|"(?:[^"]|"")+")"#;
    let pattern = pattern.replace("NAME", "IDENT[.]IDENT").replace("IDENT", ident);
    Regex::new(&format!(r"(?s)\A(?:{pattern})\z")).expect("a pattern of this file")
}

macro_rules! regex {
    ($pattern:expr) => {{
        static REGEX: LazyLock<Regex> = LazyLock::new(|| regex($pattern));
        &*REGEX
    }};
}

/// Opens a value as `Envelope::open` should.
pub(crate) fn open(topic: &str, value: Option<&[u8]>) -> Result<Opened, Reject> {
    let Some(value) = value else { return Ok(Opened::Marker) };
    if value.is_empty() {
        return Err(Reject::Empty);
    }
    if value[0] == 0 && value.len() >= 5 {
        return Err(Reject::SchemaRegistry);
    }
    let is_message = regex!("(?:streaming )?message: transactional: [01] prefix: .*");
    let text = match std::str::from_utf8(value) {
        Ok(text) => text,
        Err(_) if is_message.is_match(&String::from_utf8_lossy(value)) => return Ok(Opened::Marker),
        Err(_) => return Err(Reject::NotUtf8),
    };
    if regex!(r"[ \t\r\n]*\{.*").is_match(text) {
        return open_json(topic, text);
    }
    if regex!(r#"[ \t\r\n]*".*"#).is_match(text) {
        let line: String = serde_json::from_str(text).map_err(|error| json_error(&error))?;
        return Ok(Opened::Line(line, [None; 5], 0));
    }
    let line = regex!(r"(?<line>.*?)(?:\r?\n)?").captures(text).expect("matches all")["line"].to_owned();
    if line.starts_with("Struct{") { open_struct(&line) } else { Ok(Opened::Line(line, [None; 5], 0)) }
}

fn open_json(topic: &str, text: &str) -> Result<Opened, Reject> {
    let value: Value = serde_json::from_str(text).map_err(|error| json_error(&error))?;
    let mut object = value.as_object().expect("begins with a brace");
    let no_system = |object: &Map<String, Value>| match system(&|key| object.get(key).cloned()) {
        Some(system) => Err(system),
        None => Ok(()),
    };
    no_system(object)?;
    let mut time_schema = "";
    if !object.contains_key("data") {
        match object.get("payload") {
            None => {}
            Some(Value::Object(payload)) => {
                time_schema = time_schema_of(object);
                object = payload;
                no_system(object)?;
            }
            Some(_) if object.keys().any(|key| key != "payload" && key != "schema") => {}
            Some(Value::Null) => return Ok(Opened::Marker),
            Some(Value::String(line)) => return Ok(Opened::Line(line.clone(), [None; 5], 0)),
            Some(_) => return Err(Reject::Payload),
        }
    }
    let line = match object.get("data") {
        Some(Value::String(line)) => line.clone(),
        Some(Value::Null) => return Err(Reject::NullData),
        Some(_) if object.contains_key("metadata") => return Err(Reject::RowMetadata),
        Some(_) => return Err(Reject::DataType),
        None if object.contains_key("status") && object.contains_key("id") => return Err(Reject::DebeziumTransaction),
        None if object.get("ts_ms").is_some_and(|time| time.is_i64() || time.is_f64()) => {
            let is_heartbeat = topic.starts_with("__debezium-heartbeat");
            return if is_heartbeat { Ok(Opened::Marker) } else { Err(Reject::Heartbeat) };
        }
        None => return Err(Reject::NoData(keys(object))),
    };
    let mut side = Side::default();
    for (place, name) in SIDE_FIELDS.into_iter().enumerate() {
        match object.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => side.set(place, text, time_schema),
            Some(Value::Number(number)) => {
                let whole = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 2f64.powi(42));
                match number.as_i64().or(whole.map(|float| float as i64)) {
                    Some(number) => side.set(place, &number.to_string(), time_schema),
                    None => side.unreadable[place] = true,
                }
            }
            Some(_) => side.unreadable[place] = true,
        }
    }
    Ok(side.line(line))
}

const SIDE_FIELDS: [&str; 5] = ["lsn", "commit_lsn", "commit_time", "seq", "xid"];

/// The fields beside a line, in the order of [`SIDE_FIELDS`].
#[derive(Default)]
struct Side {
    values: [Option<i64>; 5],
    unreadable: [bool; 5],
}

impl Side {
    fn set(&mut self, place: usize, text: &str, time_schema: &str) {
        let text = text.trim_matches(' ');
        self.values[place] = match place {
            0 | 1 => lsn(text).or_else(|| natural(text, i64::MAX)),
            2 => commit_time(text).or_else(|| epoch(text, time_schema)),
            3 => natural(text, i32::MAX.into()),
            _ => natural(text, i64::MAX),
        };
        self.unreadable[place] = self.values[place].is_none() && !text.is_empty();
    }

    fn line(self, text: String) -> Opened {
        Opened::Line(text, self.values, self.unreadable.into_iter().filter(|unreadable| *unreadable).count() as u64)
    }
}

/// The name of the schema that Connect's schema has for `commit_time`.
fn time_schema_of(object: &Map<String, Value>) -> &str {
    let fields = object.get("schema").and_then(|schema| schema["fields"].as_array());
    let field = fields.into_iter().flatten().rfind(|field| field["field"] == "commit_time");
    field.and_then(|field| field["name"].as_str()).unwrap_or("")
}

/// A number of units since 1970-01-01 UTC, in microseconds.
fn epoch(digits: &str, schema: &str) -> Option<i64> {
    let number: i128 = digits.parse().ok().filter(|_| regex!("-?[0-9]+").is_match(digits))?;
    // 1990-01-01 to 2200-01-01, in seconds.
    let years = 631_152_000..7_258_118_400;
    let micros = match schema {
        "org.apache.kafka.connect.data.Timestamp" | "io.debezium.time.Timestamp" => number * 1000,
        "io.debezium.time.MicroTimestamp" => number,
        "io.debezium.time.NanoTimestamp" => number.div_euclid(1000),
        "org.apache.kafka.connect.data.Date" | "org.apache.kafka.connect.data.Time" => return None,
        other if other.starts_with("io.debezium.time.") => return None,
        _ if years.contains(&number.div_euclid(1000)) => number * 1000,
        _ if years.contains(&number.div_euclid(1_000_000)) => number,
        _ => return None,
    };
    i64::try_from(micros).ok().filter(|micros| YEARS.contains(micros))
}

fn open_struct(text: &str) -> Result<Opened, Reject> {
    let inner = text["Struct{".len()..].strip_suffix('}').ok_or(Reject::StructCut)?;
    let parts = regex!("(?:(?<before>.*?),)??data=(?<line>.*)").captures(inner);
    let before = parts.as_ref().map_or(inner, |parts| parts.name("before").map_or("", |before| before.as_str()));
    let (mut found, mut names) = (Side::default(), Vec::<(String, Value)>::new());
    let get = |names: &[(String, Value)], key: &str| {
        // The value that shows the most, of equal names.
        let values = names.iter().filter(|(name, _)| name == key).map(|(_, value)| value);
        let shows = |value: &Value| match key {
            "change" => value.is_array(),
            "source" => value.is_object(),
            "action" => is_letter(value, "BCIUDTM"),
            "op" => is_letter(value, "cudrtm"),
            _ => false,
        };
        values.max_by_key(|value| (shows(value), !value.is_null())).cloned()
    };
    let mut pieces: Vec<&str> = before.split(',').collect();
    if parts.is_none() {
        pieces.pop();
    }
    for piece in pieces {
        let Some((name, value)) = piece.split_once('=') else { continue };
        names.push((name.to_owned(), printed(value)));
        let system = system(&|key| get(&names, key));
        if value.starts_with("Struct{") {
            let is_source = |(name, value): &(String, Value)| name == "source" && !value.is_null();
            let is_row = names.iter().any(|name| ["before", "after"].contains(&name.0.as_str()) || is_source(name));
            return Err(system.unwrap_or(if is_row { Reject::Debezium } else { Reject::StructData }));
        }
        struct_field(&mut found, name, value);
    }
    let without_data = || system(&|key| get(&names, key)).unwrap_or(Reject::StructData);
    let mut line = parts.ok_or_else(without_data)?["line"].to_owned();
    static TAIL: LazyLock<Regex> = LazyLock::new(|| {
        let names = FOREIGN_KEYS.join("|");
        regex(&format!(r#"(?<line>.*),(?<name>lsn|xid|commit_lsn|commit_time|seq|{names})=(?<value>[^,'"]*)"#))
    });
    let tail = &*TAIL;
    while !regex!("(?:streaming )?message: .*").is_match(&line) {
        let Some(parts) = tail.captures(&line) else { break };
        struct_field(&mut found, &parts["name"], &parts["value"]);
        names.push((parts["name"].to_owned(), printed(&parts["value"])));
        line = parts["line"].to_owned();
    }
    names.push(("data".to_owned(), printed(&line)));
    match system(&|key| get(&names, key)) {
        Some(system) => Err(system),
        None => Ok(found.line(line)),
    }
}

/// A value of a printed struct, as far as its kind shows.
fn printed(value: &str) -> Value {
    match value {
        "null" => Value::Null,
        _ if value.starts_with("Struct{") || value.starts_with('{') => Value::Object(Map::new()),
        _ if value.starts_with('[') => Value::Array(Vec::new()),
        _ => value.into(),
    }
}

fn struct_field(found: &mut Side, name: &str, value: &str) {
    let Some(place) = SIDE_FIELDS.iter().position(|field| *field == name) else { return };
    found.set(place, if value == "null" { "" } else { value }, "");
}

fn json_error(error: &serde_json::Error) -> Reject {
    match error.classify() {
        serde_json::error::Category::Eof => Reject::JsonCut,
        _ if error.to_string().contains("recursion limit") => Reject::JsonDepth,
        _ => Reject::JsonSyntax,
    }
}

/// The keys by which other systems' envelopes are recognized.
pub(crate) const FOREIGN_KEYS: [&str; 38] = [
    "change",
    "action",
    "source",
    "op",
    "before",
    "after",
    "__op",
    "__deleted",
    "__table",
    "__lsn",
    "__txId",
    "__ts_ms",
    "__source_ts_ms",
    "__source_lsn",
    "status",
    "id",
    "data_collections",
    "event_count",
    "specversion",
    "isDdl",
    "mysqlType",
    "sqlType",
    "type",
    "table",
    "database",
    "op_type",
    "op_ts",
    "current_ts",
    "pos",
    "operationType",
    "fullDocument",
    "documentKey",
    "clusterTime",
    "metadata",
    "record",
    "old_record",
    "beforeData",
    "ts_ms",
];

fn system(get: &dyn Fn(&str) -> Option<Value>) -> Option<Reject> {
    let has = |key: &str| get(key).is_some();
    let holds = |key: &str| get(key).is_some_and(|value| !value.is_null());
    let any = |keys: &[&str]| keys.iter().any(|key| has(key));
    let is_letter = |key: &str, letters: &str| get(key).is_some_and(|value| is_letter(&value, letters));
    let (row, record) = (any(&["before", "after"]), any(&["record", "old_record"]));
    let flattened = ["__op", "__deleted", "__lsn", "__txId", "__source_ts_ms", "__source_lsn"];
    let is_debezium = (holds("op") && (holds("source") || row))
        || (row && get("source").is_some_and(|source| source.is_object()))
        || (is_letter("op", "cudrtm") && has("ts_ms"));
    if holds("specversion") {
        return Some(Reject::CloudEvents);
    } else if get("change").is_some_and(|change| change.is_array()) {
        return Some(Reject::Wal2JsonV1);
    } else if is_letter("action", "BCIUDTM") {
        return Some(Reject::Wal2JsonV2);
    } else if is_debezium {
        return Some(Reject::Debezium);
    } else if flattened.iter().any(|key| holds(key)) || (has("__table") && has("__ts_ms")) {
        return Some(Reject::DebeziumFlattened);
    } else if get("data").is_some_and(|data| data.is_string()) {
        return None;
    }
    if record && (has("table") || holds("action")) {
        Some(Reject::RowWebhook)
    } else if has("status") && has("id") && any(&["data_collections", "event_count"]) {
        Some(Reject::DebeziumTransaction)
    } else if any(&["isDdl", "mysqlType", "sqlType"]) {
        Some(Reject::Canal)
    } else if has("type") && has("table") && has("database") {
        Some(Reject::Maxwell)
    } else if has("op_type") && any(&["op_ts", "current_ts", "pos"]) {
        Some(Reject::GoldenGate)
    } else if has("operationType") && any(&["fullDocument", "documentKey", "clusterTime"]) {
        Some(Reject::MongoDb)
    } else if has("beforeData") {
        Some(Reject::Qlik)
    } else {
        has("__table").then_some(Reject::DebeziumFlattened)
    }
}

fn is_letter(value: &Value, letters: &str) -> bool {
    value.as_str().is_some_and(|text| text.len() == 1 && letters.contains(text))
}

/// The keys of an object as a reject names them.
fn keys(object: &Map<String, Value>) -> Box<str> {
    let mut sorted: Vec<&String> = object.keys().collect();
    sorted.sort();
    let mut named = String::new();
    for (place, key) in sorted.into_iter().enumerate() {
        let separator = if place == 0 { "" } else { ", " };
        let key = key.escape_debug().to_string();
        if named.len() + separator.len() + key.len() > 48 {
            return format!("{named}{separator}…").into();
        }
        named = format!("{named}{separator}{key}");
    }
    if named.is_empty() { "none".into() } else { named.into() }
}

/// Microseconds of the years 0001 to 9999.
const YEARS: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

fn lsn(text: &str) -> Option<i64> {
    let parts = regex!("([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})").captures(text)?;
    let half = |part: usize| u64::from_str_radix(&parts[part], 16).expect("eight hexadecimal digits");
    i64::try_from(half(1) << 32 | half(2)).ok()
}

fn natural(text: &str, most: i64) -> Option<i64> {
    let digits = regex!("[0-9]+").is_match(text);
    text.parse().ok().filter(|number| digits && *number <= most)
}

fn commit_time(text: &str) -> Option<i64> {
    let zone = r"(?: ?(?:[Zz]|UTC|GMT|(?<sign>[+-])(?<H>[0-9]{2})(?::?(?<M>[0-9]{2})(?::?(?<S>[0-9]{2}))?)?))";
    let date = "(?<y>[0-9]{4})-(?<m>[0-9]{2})-(?<d>[0-9]{2})[Tt ](?<h>[0-9]{2}):(?<i>[0-9]{2}):(?<s>[0-9]{2})";
    let fraction = "(?:[.,](?<f>[0-9]{1,9}))?";
    let basic = date.replace(['-', ':'], "").replace("[09]", "[0-9]");
    static FORMS: LazyLock<std::sync::Mutex<Vec<Regex>>> = LazyLock::new(std::sync::Mutex::default);
    let mut forms = FORMS.lock().expect("no test panics here");
    if forms.is_empty() {
        forms.extend([date, &basic].map(|date| regex(&format!("{date}{fraction}{zone}"))));
    }
    let java = regex!(concat!(
        "... (?<m>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (?<d>[0-9]{2}) ",
        "(?<h>[0-9]{2}):(?<i>[0-9]{2}):(?<s>[0-9]{2}) (?:UTC|GMT) (?<y>[0-9]{4})"
    ));
    let parts = forms.iter().chain([java]).find_map(|form| form.captures(text))?;
    // An offset with colons has all of them.
    let offset = parts.name("sign").map_or("", |sign| &text[sign.start()..]);
    if offset.contains(':') && !regex!("[+-][0-9]{2}:[0-9]{2}(:[0-9]{2})?").is_match(offset) {
        return None;
    }
    let word = |name: &str| parts.name(name).map_or("0", |part| part.as_str());
    let number = |name: &str| match word(name).parse::<u32>() {
        Ok(number) => number,
        Err(_) => "JanFebMarAprMayJunJulAugSepOctNovDec".find(word(name)).expect("a month") as u32 / 3 + 1,
    };
    let date = NaiveDate::from_ymd_opt(i32::try_from(number("y")).ok()?, number("m"), number("d"))?;
    // chrono's own way with second 60 differs, so it is added.
    let midnight = date.and_hms_opt(0, 0, 0)?.and_utc().timestamp();
    let clock = |hour, minute, second| i64::from(number(hour) * 3600 + number(minute) * 60 + number(second));
    let limits = [("h", 23), ("i", 59), ("s", 60), ("H", 23), ("M", 59), ("S", 59)];
    let east = if word("sign") == "-" { -1 } else { 1 };
    let seconds = midnight + clock("h", "i", "s") - east * clock("H", "M", "S");
    let fraction = format!("{:0<6}", parts.name("f").map_or("", |digits| digits.as_str()));
    let instant = seconds * 1_000_000 + fraction[..6].parse::<i64>().expect("six digits");
    (number("y") > 0 && limits.iter().all(|(part, most)| number(part) <= *most) && YEARS.contains(&instant))
        .then_some(instant)
}

/// Reads the head of a line: agrees with `read_line` on every text.
pub(crate) fn read_head(text: &str) -> Option<OracleStatement> {
    let change = regex!("table (?<names>NAME(?:, NAME)*): (?<op>INSERT|UPDATE|DELETE|TRUNCATE):(?<tail>.*)");
    let Some(parts) = change.captures(text) else { return is_marker(text).then_some(OracleStatement::Marker) };
    static NAME: LazyLock<Regex> = LazyLock::new(|| {
        let ident = r#"([a-z_][a-z0-9_$]*|"(?:[^"]|"")+")"#;
        Regex::new(&format!(r"\A{ident}[.]{ident}(?:, )?")).expect("a pattern of this file")
    });
    let mut names = Vec::new();
    let mut list = &parts["names"];
    while let Some(name) = NAME.captures(list) {
        names.push((unquoted(&name[1]), unquoted(&name[2])));
        list = &list[name[0].len()..];
    }
    let (operation, tail) = (&parts["op"], &parts["tail"]);
    if operation == "TRUNCATE" {
        let flags = regex!(r" \(no-flags\)|(?: restart_seqs)?(?: cascade)?").is_match(tail);
        return flags.then_some(OracleStatement::Truncate(names));
    }
    let tuple = regex!(r"| \(no-tuple-data\)| IDENT\[.*").is_match(tail)
        || (operation == "UPDATE" && regex!(" old-key: .*").is_match(tail));
    let [(schema, table)] = &*names else { return None };
    tuple.then(|| OracleStatement::Change(schema.clone(), table.clone(), operation.to_owned()))
}

fn is_marker(text: &str) -> bool {
    regex!(r"BEGIN(?: [0-9]+)?|COMMIT(?: [0-9]+)?(?: \(at .+\))?").is_match(text)
        || regex!("(?:PREPARE TRANSACTION|COMMIT PREPARED|ROLLBACK PREPARED) E?'.*").is_match(text)
        || regex!("(?:streaming )?message: transactional: [01] prefix: .*").is_match(text)
        || regex!("(?:opening|closing) a streamed block for transaction(?: .*)?").is_match(text)
        || regex!(r"aborting streamed \(sub\)transaction(?: .*)?").is_match(text)
        || regex!("(?:committing|preparing) streamed transaction(?: .*)?").is_match(text)
}

fn unquoted(identifier: &str) -> String {
    match identifier.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => identifier.to_owned(),
    }
}

/// Reads a line of a change by the full grammar, to its end; `None` if any part of it is malformed.
pub(crate) fn read_whole_change(text: &str) -> Option<OracleStatement> {
    let mut rest = Rest(text);
    rest.word("table ")?;
    let mut names = vec![(rest.identifier()?, rest.word(".").and_then(|()| rest.identifier())?)];
    while rest.word(", ").is_some() {
        names.push((rest.identifier()?, rest.word(".").and_then(|()| rest.identifier())?));
    }
    rest.word(": ")?;
    if rest.word("TRUNCATE:").is_some() {
        if rest.word(" (no-flags)").is_none() {
            let _ = (rest.word(" restart_seqs"), rest.word(" cascade"));
        }
        return rest.0.is_empty().then_some(OracleStatement::Truncate(names));
    }
    let operation = ["INSERT", "UPDATE", "DELETE"].into_iter().find(|word| rest.word(word).is_some())?;
    rest.word(":")?;
    if operation == "UPDATE" && rest.word(" old-key:").is_some() {
        rest.tuple()?;
        rest.word(" new-tuple:")?;
    }
    if rest.word(" (no-tuple-data)").is_none() {
        rest.tuple()?;
    }
    let [(schema, table)] = &*names else { return None };
    rest.0.is_empty().then(|| OracleStatement::Change(schema.clone(), table.clone(), operation.to_owned()))
}

/// What of a line is not read yet.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn word(&mut self, word: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(word)?;
        Some(())
    }

    fn next(&mut self) -> Option<char> {
        let mut rest = self.0.chars();
        let next = rest.next();
        self.0 = rest.as_str();
        next
    }

    fn peek(&self) -> Option<char> {
        self.0.chars().next()
    }

    /// What stands between two `quote`s, with doubled ones inside.
    fn quoted(&mut self, quote: char) -> Option<String> {
        if self.next()? != quote {
            return None;
        }
        let mut content = String::new();
        loop {
            match self.next()? {
                next if next == quote && self.peek() == Some(quote) => content.extend(self.next()),
                next if next == quote => return Some(content),
                next => content.push(next),
            }
        }
    }

    fn identifier(&mut self) -> Option<String> {
        match self.peek()? {
            '"' => self.quoted('"').filter(|content| !content.is_empty()),
            'a'..='z' | '_' => {
                let mut content = String::new();
                while matches!(self.peek(), Some('a'..='z' | '0'..='9' | '_' | '$')) {
                    content.extend(self.next());
                }
                Some(content)
            }
            _ => None,
        }
    }

    /// Columns up to the end, or up to where ` new-tuple:` stands.
    fn tuple(&mut self) -> Option<()> {
        while self.0.starts_with(' ') && !self.0.starts_with(" new-tuple:") {
            self.word(" ")?;
            self.identifier()?;
            self.word("[")?;
            self.type_name()?;
            self.word(":")?;
            self.value()?;
        }
        Some(())
    }

    /// A type's name and its closing bracket: `integer[]]`.
    fn type_name(&mut self) -> Option<()> {
        let mut depth = 1;
        while depth > 0 {
            if self.peek()? == '"' {
                self.quoted('"')?;
                continue;
            }
            match self.next()? {
                '[' => depth += 1,
                ']' => depth -= 1,
                _ => {}
            }
        }
        Some(())
    }

    fn value(&mut self) -> Option<()> {
        if self.0.starts_with("B'") {
            self.next();
        }
        if self.peek() == Some('\'') {
            return self.quoted('\'').map(|_| ());
        }
        let mut length = 0;
        while matches!(self.peek(), Some('a'..='z' | 'A'..='Z' | '0'..='9' | '+' | '-' | '.')) {
            self.next();
            length += 1;
        }
        (length > 0).then_some(())
    }
}
