//! The statement in a line of PostgreSQL's test_decoding: what was done to which table.
//!
//! Grammar: contrib/test_decoding/test_decoding.c. Only the head of a line decides, so only the head is read: up to the
//! operation and the first token behind it. Values are never looked at, and may hold anything.

use super::name::{Name, Names, identifier_len};
use crate::change::Operation;
use crate::parse::Reject;
use crate::parse::envelope::foreign_shape;

/// What a line means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement<'a> {
    /// One row was inserted, updated or deleted.
    Change {
        /// The row's table; of a partitioned table the leaf.
        table: Name<'a>,
        /// What was done; never [`Operation::Truncate`].
        operation: Operation,
    },
    /// All rows of some tables are gone.
    Truncate(Names<'a>),
    /// No change: the begin or end of a transaction, a logical message.
    Marker,
}

/// Reads one line.
///
/// # Errors
/// A [`Reject`] for what test_decoding does not print, for other plugins' output, and for changes of streamed
/// transactions, which name no table.
pub fn read_line(text: &str) -> Result<Statement<'_>, Reject> {
    match text.strip_prefix("table ") {
        Some(rest) => read_change(rest),
        None => read_marker(text),
    }
}

fn read_change(text: &str) -> Result<Statement<'_>, Reject> {
    let table = Name::at_start(text)?;
    let mut end = table.text().len();
    let mut several = false;
    while let Some(next) = text[end..].strip_prefix(", ") {
        several = true;
        end += 2 + Name::at_start(next)?.text().len();
    }
    let rest = text[end..].strip_prefix(": ").ok_or(Reject::NoOperation)?;
    let operation = match rest.as_bytes().get(..7) {
        Some(b"INSERT:") => Operation::Insert,
        Some(b"UPDATE:") => Operation::Update,
        Some(b"DELETE:") => Operation::Delete,
        _ => {
            check_truncate_flags(rest.strip_prefix("TRUNCATE:").ok_or(Reject::Operation)?)?;
            return Ok(Statement::Truncate(Names::new(&text[..end])));
        }
    };
    if several {
        return Err(Reject::SeveralTables);
    }
    check_tuple_head(operation, &rest[7..])?;
    Ok(Statement::Change { table, operation })
}

fn check_truncate_flags(flags: &str) -> Result<(), Reject> {
    match flags {
        "" | " (no-flags)" | " restart_seqs" | " cascade" | " restart_seqs cascade" => Ok(()),
        _ => Err(Reject::TruncateFlags),
    }
}

/// Checks the first token of ` ident[type]:value …`, ` (no-tuple-data)` or ` old-key: …`; a table may also have no columns.
fn check_tuple_head(operation: Operation, tuple: &str) -> Result<(), Reject> {
    let Some(token) = tuple.strip_prefix(' ') else {
        return if tuple.is_empty() { Ok(()) } else { Err(Reject::Tuple) };
    };
    if token == "(no-tuple-data)" || (operation == Operation::Update && token.starts_with("old-key: ")) {
        return Ok(());
    }
    let end = identifier_len(token.as_bytes()).map_err(|_| Reject::Tuple)?;
    if token.as_bytes().get(end) == Some(&b'[') { Ok(()) } else { Err(Reject::Tuple) }
}

fn read_marker(text: &str) -> Result<Statement<'_>, Reject> {
    let marker_if = |holds: bool, reject: Reject| if holds { Ok(Statement::Marker) } else { Err(reject) };
    if let Some(rest) = text.strip_prefix("BEGIN") {
        return marker_if(after_xid(rest) == Some(""), Reject::Begin);
    }
    if let Some(rest) = text.strip_prefix("COMMIT PREPARED ") {
        return marker_if(begins_literal(rest), Reject::TwoPhase);
    }
    if let Some(rest) = text.strip_prefix("COMMIT") {
        return marker_if(after_xid(rest).is_some_and(is_commit_time), Reject::Commit);
    }
    if let Some(rest) = text.strip_prefix("PREPARE TRANSACTION ").or_else(|| text.strip_prefix("ROLLBACK PREPARED ")) {
        return marker_if(begins_literal(rest), Reject::TwoPhase);
    }
    if let Some(rest) = text.strip_prefix("message: ").or_else(|| text.strip_prefix("streaming message: ")) {
        let whole =
            ["transactional: 0 prefix: ", "transactional: 1 prefix: "].iter().any(|head| rest.starts_with(head));
        return marker_if(whole, Reject::Message);
    }
    if text.starts_with("streaming change for ") || text.starts_with("streaming truncate for ") {
        return Err(Reject::Streamed);
    }
    const STREAM_BORDERS: [&str; 5] = [
        "opening a streamed block for transaction",
        "closing a streamed block for transaction",
        "aborting streamed (sub)transaction",
        "committing streamed transaction",
        "preparing streamed transaction",
    ];
    match STREAM_BORDERS.iter().find_map(|border| text.strip_prefix(border)) {
        Some(rest) if rest.is_empty() || rest.starts_with(' ') => Ok(Statement::Marker),
        _ => Err(foreign(text)),
    }
}

/// What follows ` <digits>`, or all of it where no transaction number is printed; `None` if neither.
fn after_xid(text: &str) -> Option<&str> {
    match text.strip_prefix(' ') {
        Some(rest) if !rest.starts_with('(') => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            (digits > 0).then(|| &rest[digits..])
        }
        _ => Some(text),
    }
}

/// Whether this is empty or ` (at <time>)`. The time is not read: it depends on the decoding session's settings.
fn is_commit_time(text: &str) -> bool {
    let time = text.strip_prefix(" (at ").and_then(|rest| rest.strip_suffix(')'));
    text.is_empty() || time.is_some_and(|time| !time.is_empty())
}

/// Whether this begins as `quote_literal` prints: `'…` or, with a backslash inside, `E'…`.
fn begins_literal(text: &str) -> bool {
    text.strip_prefix('E').unwrap_or(text).starts_with('\'')
}

/// The reject for a line of another plugin.
fn foreign(text: &str) -> Reject {
    if text.trim_start().starts_with('{') {
        return foreign_shape(text);
    }
    if is_pgoutput(text) { Reject::Pgoutput } else { Reject::UnknownLine }
}

/// Whether this is a pgoutput message as JSON and SQL show bytes: base64, or `\x` and hexadecimal digits.
fn is_pgoutput(text: &str) -> bool {
    if let Some(digits) = text.strip_prefix("\\x") {
        return !digits.is_empty() && digits.len().is_multiple_of(2) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    }
    let Some(first) = text.as_bytes().first_chunk::<2>() else { return false };
    let symbols = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    let base64 = text.len().is_multiple_of(4) && symbols.bytes().all(|b| base64_value(b).is_some());
    let (Some(high), Some(low)) = (base64_value(first[0]), base64_value(first[1])) else { return false };
    // The first byte is the kind of message (PostgreSQL, protocol-logicalrep-message-formats).
    base64 && b"BMCORYIUDTSEcAbPKrp".contains(&(high << 2 | low >> 4))
}

fn base64_value(symbol: u8) -> Option<u8> {
    match symbol {
        b'A'..=b'Z' => Some(symbol - b'A'),
        b'a'..=b'z' => Some(symbol - b'a' + 26),
        b'0'..=b'9' => Some(symbol - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}
