//! The same questions answered slowly: envelopes by `serde_json::Value`, heads of lines by `regex`, whole lines by a parser of the
//! full grammar. Shared with the fuzz target.

use std::sync::LazyLock;

use chrono::NaiveDate;
use regex::Regex;
use serde_json::{Map, Value};
use walbook::parse::Reject;

/// What a value holds, owned: the line with lsn, commit_lsn, commit_time, seq and xid, or a marker.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    Line(String, [Option<i64>; 5]),
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
    let text = std::str::from_utf8(value).map_err(|_| Reject::NotUtf8)?;
    if regex!(r"[ \t\r\n]*\{.*").is_match(text) {
        return open_json(topic, text);
    }
    let line = regex!(r"(?<line>.*?)(?:\r?\n)?").captures(text).expect("matches all")["line"].to_owned();
    if line.starts_with("Struct{") { open_struct(&line) } else { Ok(Opened::Line(line, [None; 5])) }
}

fn open_json(topic: &str, text: &str) -> Result<Opened, Reject> {
    let value: Value = serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Eof => Reject::JsonCut,
        _ if error.to_string().contains("recursion limit") => Reject::JsonDepth,
        _ => Reject::JsonSyntax,
    })?;
    let mut object = value.as_object().expect("begins with a brace");
    if !object.contains_key("data") {
        match object.get("payload") {
            None => {}
            Some(Value::Null) => return Ok(Opened::Marker),
            Some(Value::Object(payload)) => object = payload,
            Some(_) => return Err(Reject::Payload),
        }
    }
    let line = match object.get("data") {
        Some(Value::String(line)) => line.clone(),
        Some(Value::Null) => return Err(Reject::NullData),
        Some(_) => return Err(Reject::DataType),
        None => {
            let shape = shape(object);
            let heartbeat = shape == Reject::Heartbeat && topic.starts_with("__debezium-heartbeat");
            return if heartbeat { Ok(Opened::Marker) } else { Err(shape) };
        }
    };
    let text = |name: &str, wrong: Reject| match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong),
    };
    let number = |name: &'static str| match object.get(name) {
        Some(Value::Number(number)) => {
            number.as_i64().map(|number| Some(number.to_string())).ok_or(Reject::Number(name))
        }
        Some(Value::String(_)) if name == "seq" => Err(Reject::Number(name)),
        _ => text(name, Reject::Number(name)),
    };
    let lsn = text("lsn", Reject::Lsn("lsn"))?.map(|text| lsn("lsn", &text)).transpose()?;
    let xid = number("xid")?.map(|text| natural("xid", &text, i64::MAX)).transpose()?;
    let commit_lsn =
        text("commit_lsn", Reject::Lsn("commit_lsn"))?.map(|text| self::lsn("commit_lsn", &text)).transpose()?;
    let commit_time = text("commit_time", Reject::CommitTime)?.map(|text| commit_time(&text)).transpose()?;
    let seq = number("seq")?.map(|text| natural("seq", &text, i32::MAX.into())).transpose()?;
    Ok(Opened::Line(line, [lsn, commit_lsn, commit_time, seq, xid]))
}

fn open_struct(text: &str) -> Result<Opened, Reject> {
    let inner = text["Struct{".len()..].strip_suffix('}').ok_or(Reject::StructCut)?;
    let parts = regex!("(?:(?<before>.*?),)??data=(?<line>.*)").captures(inner);
    let before = parts.as_ref().map_or(inner, |parts| parts.name("before").map_or("", |before| before.as_str()));
    let mut found: [Option<i64>; 5] = [None; 5];
    let mut pieces: Vec<&str> = before.split(',').collect();
    if parts.is_none() {
        pieces.pop();
    }
    for piece in pieces {
        if regex!(r"[^=]*=Struct\{.*").is_match(piece) {
            return Err(Reject::StructData);
        }
        if let Some((name, value)) = piece.split_once('=') {
            struct_field(&mut found, name, value)?;
        }
    }
    let mut line = parts.ok_or(Reject::StructData)?["line"].to_owned();
    let tail = regex!(r#"(?<line>.*),(?<name>lsn|xid|commit_lsn|commit_time|seq)=(?<value>[^,'"]*)"#);
    while !regex!("(?:streaming )?message: .*").is_match(&line) {
        let Some(parts) = tail.captures(&line) else { break };
        struct_field(&mut found, &parts["name"], &parts["value"])?;
        line = parts["line"].to_owned();
    }
    Ok(Opened::Line(line, found))
}

fn struct_field(found: &mut [Option<i64>; 5], name: &str, value: &str) -> Result<(), Reject> {
    let value = (value != "null").then_some(value);
    match name {
        "lsn" => found[0] = value.map(|value| lsn("lsn", value)).transpose()?,
        "commit_lsn" => found[1] = value.map(|value| lsn("commit_lsn", value)).transpose()?,
        "commit_time" => found[2] = value.map(commit_time).transpose()?,
        "seq" => found[3] = value.map(|value| natural("seq", value, i32::MAX.into())).transpose()?,
        "xid" => found[4] = value.map(|value| natural("xid", value, i64::MAX)).transpose()?,
        _ => {}
    }
    Ok(())
}

fn shape(object: &Map<String, Value>) -> Reject {
    let has = |name: &str| object.contains_key(name);
    let row = has("before") || has("after");
    if has("change") {
        Reject::Wal2JsonV1
    } else if has("action") {
        Reject::Wal2JsonV2
    } else if [has("op"), has("source"), row].into_iter().filter(|sign| *sign).count() >= 2 {
        Reject::Debezium
    } else if has("__op") || has("__deleted") {
        Reject::DebeziumFlattened
    } else if has("status") && has("id") {
        Reject::DebeziumTransaction
    } else if object.get("ts_ms").is_some_and(|time| time.is_i64() || time.is_f64()) {
        Reject::Heartbeat
    } else {
        Reject::NoData
    }
}

fn lsn(field: &'static str, text: &str) -> Result<i64, Reject> {
    let parts = regex!("([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})").captures(text).ok_or(Reject::Lsn(field))?;
    let half = |part: usize| u64::from_str_radix(&parts[part], 16).expect("eight hexadecimal digits");
    i64::try_from(half(1) << 32 | half(2)).map_err(|_| Reject::Lsn(field))
}

fn natural(field: &'static str, text: &str, most: i64) -> Result<i64, Reject> {
    let digits = regex!("[0-9]+").is_match(text);
    text.parse().ok().filter(|number| digits && *number <= most).ok_or(Reject::Number(field))
}

fn commit_time(text: &str) -> Result<i64, Reject> {
    let form = regex!(concat!(
        r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.]([0-9]{1,9}))?",
        r"(?:[Zz]|([+-])([0-9]{2})(?::([0-9]{2})(?::([0-9]{2}))?)?)"
    ));
    let read = || {
        let parts = form.captures(text)?;
        let number = |part: usize| parts.get(part).map_or(0, |digits| digits.as_str().parse::<u32>().expect("digits"));
        let date = NaiveDate::from_ymd_opt(i32::try_from(number(1)).ok()?, number(2), number(3))?;
        // chrono's own way with second 60 differs, so it is added.
        let midnight = date.and_hms_opt(0, 0, 0)?.and_utc().timestamp();
        let clock = |first: usize| number(first) * 3600 + number(first + 1) * 60 + number(first + 2);
        let limits = [(4, 23), (5, 59), (6, 60), (9, 23), (10, 59), (11, 59)];
        let east = if parts.get(8).is_some_and(|sign| sign.as_str() == "-") { -1 } else { 1 };
        let seconds = midnight + i64::from(clock(4)) - east * i64::from(clock(9));
        let fraction = format!("{:0<6}", parts.get(7).map_or("", |digits| digits.as_str()));
        let instant = seconds * 1_000_000 + fraction[..6].parse::<i64>().expect("six digits");
        let years = -62_135_596_800_000_000..=253_402_300_799_999_999;
        (number(1) > 0 && limits.iter().all(|(part, most)| number(*part) <= *most) && years.contains(&instant))
            .then_some(instant)
    };
    read().ok_or(Reject::CommitTime)
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
