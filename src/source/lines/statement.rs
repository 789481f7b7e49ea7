//! What a record means for the transaction around it: only its head is read.

use crate::change::instant;

/// A record, as far as transactions are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// `BEGIN`, with the transaction's number where it is printed.
    Begin(Option<i64>),
    /// `COMMIT`, with number and time where they are printed.
    Commit(Option<i64>, Option<i64>),
    /// `PREPARE TRANSACTION`, with its time where it is printed: the commit may come much later, or never.
    Prepare(Option<i64>),
    /// `table …`: belongs to the transaction that is open.
    Change,
    /// No bytes.
    Empty,
    /// Anything else: a JSON value, a message, rubbish.
    Other,
}

/// Tells what a record means; `text` is without its line end.
pub(super) fn read(text: &[u8]) -> Statement {
    if text.is_empty() {
        return Statement::Empty;
    }
    if text.starts_with(b"table ") {
        return Statement::Change;
    }
    let Some(text) = borders(text) else { return Statement::Other };
    if let Some(rest) = text.strip_prefix("BEGIN") {
        return match number(rest) {
            Some((xid, "")) => Statement::Begin(xid),
            _ => Statement::Other,
        };
    }
    if text.starts_with("PREPARE TRANSACTION ") {
        let time = text.rsplit_once(" (at ").and_then(|(_, time)| time.strip_suffix(')'));
        return Statement::Prepare(time.and_then(|time| instant::parse(time.as_bytes())));
    }
    match text.strip_prefix("COMMIT").and_then(number) {
        Some((xid, "")) => Statement::Commit(xid, None),
        Some((xid, rest)) => match rest.strip_prefix(" (at ").and_then(|rest| rest.strip_suffix(')')) {
            Some(time) => Statement::Commit(xid, instant::parse(time.as_bytes())),
            None => Statement::Other,
        },
        None => Statement::Other,
    }
}

/// The text, if it may be the border of a transaction.
fn borders(text: &[u8]) -> Option<&str> {
    let heads: [&[u8]; 3] = [b"BEGIN", b"COMMIT", b"PREPARE TRANSACTION "];
    heads.iter().any(|head| text.starts_with(head)).then(|| str::from_utf8(text).ok()).flatten()
}

/// ` <digits>` and what follows, or nothing and all of it; `None` for other text.
fn number(text: &str) -> Option<(Option<i64>, &str)> {
    if text.is_empty() || text.starts_with(" (") {
        return Some((None, text));
    }
    let rest = text.strip_prefix(' ')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    Some((Some(rest[..digits].parse().ok()?), &rest[digits..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_are_told_by_their_whole_text() {
        let time = Some(1_494_430_041_272_494);
        for (text, statement) in [
            ("BEGIN", Statement::Begin(None)),
            ("BEGIN 693", Statement::Begin(Some(693))),
            ("BEGIN x", Statement::Other),
            ("BEGIN 693 x", Statement::Other),
            ("BEGINNING", Statement::Other),
            ("COMMIT", Statement::Commit(None, None)),
            ("COMMIT 693", Statement::Commit(Some(693), None)),
            ("COMMIT 693 (at 2017-05-10 12:07:21.272494-03:20)", Statement::Commit(Some(693), time)),
            ("COMMIT 693 (at 2017-05-10 15:27:21.272494+00)", Statement::Commit(Some(693), time)),
            ("COMMIT (at yesterday)", Statement::Commit(None, None)),
            ("COMMIT PREPARED 'one'", Statement::Other),
            ("COMMIT 99999999999999999999", Statement::Other),
            ("PREPARE TRANSACTION 'o (at x)', txid 5 (at 2017-05-10 15:27:21.272494+00)", Statement::Prepare(time)),
            ("PREPARE TRANSACTION 'one'", Statement::Prepare(None)),
            ("table public.t: INSERT:", Statement::Change),
            ("{\"data\":\"BEGIN\"}", Statement::Other),
            ("", Statement::Empty),
        ] {
            assert_eq!(read(text.as_bytes()), statement, "{text}");
        }
        assert_eq!(read(b"BEGIN \xff"), Statement::Other);
    }
}
