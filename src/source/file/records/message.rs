//! Where a logical message ends: `message: transactional: 1 prefix: P, sz: N content:` and N bytes.
//!
//! Its content may be any bytes, and so may its prefix but for NUL: line breaks, whole records, and what looks like a size. The first
//! size that is followed by the end of a line counts, unless the records behind it show that it was part of the prefix: a size
//! stands in them outside of quotes and of messages, which only the rest of this message can be.

use memchr::{memchr, memmem};

use super::psql::RowHead;

/// Bytes of a prefix, and of the records behind a message, that are looked at.
const LOOK_AHEAD: usize = 64 << 10;
/// Records behind a message that are looked at; the next border of a transaction is the last of them.
const MOST_RECORDS: usize = 16;
/// PostgreSQL's longest value.
const MOST_CONTENT: usize = 1 << 30;

pub(super) const SIZE: &[u8] = b", sz: ";
const CONTENT: &[u8] = b" content:";

/// What is known about the end of a message.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::source::file) enum MessageEnd {
    /// Its content ends before this byte.
    At(usize),
    /// It ends there if nothing more comes.
    Perhaps(usize),
    /// More bytes are needed, of its content or of a size.
    More,
    /// No size was found yet: a prefix of several lines, or a line that is no message.
    Unsized,
    /// It is no message, or one that was cut short.
    Broken,
}

/// What stands behind a message.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::source::file) enum Following {
    /// Another message; where that ends does not matter.
    Message,
    /// A record of this length.
    Record(usize),
    /// A record that does not end in the bytes.
    More,
}

/// Where the line begins in a record that may be a row of psql.
pub(in crate::source::file) fn line_begin(record: &[u8]) -> usize {
    RowHead::read(record).map_or(0, |row| row.length + usize::from(row.is_quoted))
}

/// Whether a record begins as a logical message.
pub(in crate::source::file) fn is_message(record: &[u8]) -> bool {
    record.starts_with(b"message: ") || record.starts_with(b"streaming message: ")
}

/// Finds the end of the message that `bytes` begin with.
///
/// `following` tells what bytes begin with. It judges no message, so that messages one behind the other are looked at once.
pub(in crate::source::file) fn message_end(
    bytes: &[u8],
    in_struct: bool,
    following: fn(&[u8]) -> Following,
) -> MessageEnd {
    let head = bytes.strip_prefix(b"streaming ").unwrap_or(bytes);
    let heads: [&[u8]; 2] = [b"message: transactional: 0 prefix: ", b"message: transactional: 1 prefix: "];
    if !heads.iter().any(|known| head.starts_with(known)) {
        let is_short = heads.iter().any(|known| known.starts_with(head));
        return if is_short { MessageEnd::More } else { MessageEnd::Broken };
    }
    // A streamed transaction's messages are printed without their bytes.
    let is_bare = bytes.starts_with(b"streaming message: transactional: 1");
    let is_transactional = head.starts_with(heads[1]);
    let region = &bytes[..bytes.len().min(LOOK_AHEAD)];
    let mut first = None;
    for found in memmem::find_iter(region, SIZE) {
        let line = memchr::memrchr(b'\n', &region[..found]).map_or(0, |line_break| line_break + 1);
        if line > 0
            && is_message(&region[line + line_begin(&region[line..])..])
            && has_begin_behind_text(&region[..line])
        {
            // The recording was interrupted, and began anew in the same line: the size is another message's.
            return first.map_or(MessageEnd::Broken, MessageEnd::At);
        }
        let Some(end) = content_end(bytes, found, is_bare) else { continue };
        match bytes.get(end) {
            None => return first.map_or(MessageEnd::More, MessageEnd::Perhaps),
            Some(b'}' | b',' | b'\n' | b'\r') if in_struct => return MessageEnd::At(end),
            Some(b'\n' | b'\r') => match judge_following(&bytes[end..], is_transactional, following) {
                Some(true) => return MessageEnd::At(end),
                Some(false) => first = first.or(Some(end)),
                None => return MessageEnd::Perhaps(end),
            },
            Some(_) => {}
        }
    }
    // In more bytes there may be a size that is not contradicted.
    match first {
        _ if region.len() == LOOK_AHEAD => first.map_or(MessageEnd::Broken, MessageEnd::At),
        Some(end) => MessageEnd::Perhaps(end),
        None => MessageEnd::Unsized,
    }
}

/// Where the content ends whose size stands at `found`; `None` if that is no size.
pub(super) fn content_end(bytes: &[u8], found: usize, is_bare: bool) -> Option<usize> {
    let number = &bytes[found + SIZE.len()..];
    let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let size: usize = str::from_utf8(&number[..digits]).ok()?.parse().ok().filter(|size| *size <= MOST_CONTENT)?;
    let begin = found + SIZE.len() + digits;
    match &number[digits..] {
        rest if rest.starts_with(CONTENT) => Some(begin + CONTENT.len() + size),
        // More of it may come.
        rest if rest.len() < CONTENT.len() && CONTENT.starts_with(rest) => Some(usize::MAX),
        [b'\n' | b'\r', ..] if is_bare => Some(begin),
        _ => None,
    }
}

/// Whether the records behind a line end can follow a message; `None` while too little of them is known.
fn judge_following(bytes: &[u8], is_transactional: bool, following: fn(&[u8]) -> Following) -> Option<bool> {
    let begin = memchr(b'\n', bytes)? + 1;
    let mut rest = &bytes[begin..bytes.len().min(begin + LOOK_AHEAD)];
    let is_cut = rest.len() == LOOK_AHEAD;
    for _ in 0..MOST_RECORDS {
        let length = match following(rest) {
            Following::Message => return Some(true),
            Following::Record(length) => length,
            Following::More => return is_cut.then_some(true),
        };
        let (record, next) = rest.split_at(length);
        if has_size_outside_quotes(record) {
            return Some(false);
        }
        // The border of a transaction behind which nothing of this message stands.
        let borders: &[&[u8]] = if is_transactional { &[b"COMMIT", b"PREPARE TRANSACTION "] } else { &[b"BEGIN"] };
        let line = &record[line_begin(record)..];
        if borders.iter().any(|border| line.starts_with(border)) {
            return Some(true);
        }
        rest = next;
    }
    Some(true)
}

fn has_size_outside_quotes(record: &[u8]) -> bool {
    memmem::find_iter(record, SIZE).any(|found| {
        let is_even = |quote: u8| memchr::memchr_iter(quote, &record[..found]).count().is_multiple_of(2);
        let is_size = content_end(record, found, false).is_some_and(|end| end != usize::MAX);
        is_size && is_even(b'\'') && is_even(b'"')
    })
}

/// Whether a line ends with `BEGIN` or `BEGIN 5` behind other text.
fn has_begin_behind_text(lines: &[u8]) -> bool {
    let mut ends = memchr::memchr_iter(b'\n', lines);
    let mut begin = 0;
    ends.any(|end| {
        let line = &lines[begin..end];
        begin = end + 1;
        let words = line[line_begin(line)..].trim_ascii_end();
        let digits = words.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let without_number = match words[..words.len() - digits].strip_suffix(b" ") {
            Some(rest) if digits > 0 => rest,
            _ => words,
        };
        without_number.len() > b"BEGIN".len() && without_number.ends_with(b"BEGIN")
    })
}

#[cfg(test)]
mod tests {
    use super::super::scan::RecordScanner;
    use super::super::scan::tests::check;

    proptest::proptest! {
        #[test]
        fn messages_of_any_prefix_and_content_are_one_record_each(
            head in proptest::sample::select(&["", "0/5|7|", "1/2\t3\t", "7|"][..]),
            messages in proptest::collection::vec((0..2_usize, pieces(&PIECES[1..]), pieces(&PIECES)), 1..5),
        ) {
            let mut records = vec![format!("{head}BEGIN 5\n")];
            for (transactional, prefix, content) in messages {
                let size = content.len();
                records.push(format!("{head}message: transactional: {transactional} prefix: {prefix}, sz: {size} content:{content}\n"));
                records.push(format!("{head}table a.b: INSERT: v[text]:'x'\n"));
            }
            records.push(format!("{head}COMMIT 5\n"));
            check(&records.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }

    /// The first looks like a size: where a prefix has it, only luck decides.
    const PIECES: [&str; 9] = [
        ", sz: 3 content:",
        "\n",
        "a",
        "é",
        "\nBEGIN 7",
        "\nCOMMIT 7\n",
        "\ntable a.b: DELETE: v[text]:'",
        "'",
        "\nmessage: transactional: 1 prefix: ",
    ];

    fn pieces(pieces: &'static [&'static str]) -> impl proptest::strategy::Strategy<Value = String> {
        use proptest::strategy::Strategy;
        proptest::collection::vec(proptest::sample::select(pieces), 0..6).prop_map(|pieces| pieces.concat())
    }

    #[test]
    fn many_messages_are_split_in_a_moment_and_hide_no_change_between_them() {
        for (head, tail) in [("", ""), ("0/1|7|", ""), ("Struct{lsn=0/1,data=", "}")] {
            let line = |line: &str| format!("{head}{line}{tail}\n");
            let message = line("message: transactional: 1 prefix: p, sz: 3 content:abc");
            let row = line("table public.t: INSERT: id[integer]:1");
            let mut records = vec![message.clone(), row.clone(), message.clone()];
            records.extend(vec![row.clone(); 20]);
            records.extend(vec![message; 60]);
            records.extend(vec![row; 20]);
            check(&records.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }

    #[test]
    fn messages_in_rows_end_by_the_rows_behind_them() {
        for head in ["", "0/5|7|", "7\t1/2\t"] {
            let rows = |lines: &[&str]| lines.iter().map(|line| format!("{head}{line}\n")).collect::<Vec<_>>();
            for lines in [
                // What looks like a size stands behind the border of the transaction.
                rows(&[
                    "message: transactional: 1 prefix: p, sz: 3 content:abc",
                    "COMMIT 7",
                    "rubbish, sz: 2 content:xy",
                ]),
                rows(&[
                    "message: transactional: 0 prefix: p, sz: 3 content:abc",
                    "BEGIN 8",
                    "rubbish, sz: 2 content:xy",
                ]),
                // Cut short, and begun anew in the same line.
                rows(&[
                    &format!("message: transactional: 1 prefix: p, sz: 90 content:abc{head}BEGIN 8"),
                    "table a.b: INSERT:",
                    "message: transactional: 0 prefix: q, sz: 1 content:y",
                    "COMMIT 8",
                ]),
            ] {
                check(&lines.iter().map(String::as_str).collect::<Vec<_>>());
            }
        }
    }

    /// The first size is contradicted by the second, which is no size either: the third counts, however late it comes.
    #[test]
    fn a_message_whose_size_is_contradicted_ends_the_same_in_pieces() {
        check(&[
            "message: transactional: 0 prefix: , sz: 1 content:x\n, sz: 1 content:\nab\n, sz: 1 content:y\n",
            "BEGIN 5\n",
            "table a.b: INSERT: id[integer]:1\n",
        ]);
        check(&["message: transactional: 0 prefix: , sz: 1 content:x\n", ", sz: 1 content:\n", "ab\n", "BEGIN 5\n"]);
    }

    #[test]
    fn a_message_that_was_cut_short_hides_no_change() {
        let again = [
            "table a.b: INSERT:\n",
            "COMMIT 7\n",
            "message: transactional: 0 prefix: q, sz: 1 content:y\n",
            "BEGIN 8\n",
        ];
        for cut in [
            "message: transactional: 1 prefix: preBEGIN 7\n",
            "message: transactional: 1 prefix: p, sz: 100 content:abcBEGIN 7\n",
            "message: transactional: 1 prefix: p, sz: 3 content:abcBEGIN\n",
        ] {
            check(&[&[cut], &again[..]].concat());
        }
        check(&["message: transactional: 1 prefix: never sized\n"]);
    }

    #[test]
    fn a_message_at_the_end_is_settled_by_its_length() {
        let mut scanner = RecordScanner::default();
        let whole = b"message: transactional: 0 prefix: p, sz: 3 content:a\nb\n";
        assert_eq!((scanner.end(whole), scanner.settled()), (None, Some(whole.len())));
        let cut = &whole[..whole.len() - 2];
        assert_eq!((scanner.end(cut), scanner.settled()), (None, None));
        // The same bytes and more: what it waited for.
        assert_eq!(scanner.end(&[&whole[..], b"BEGIN 5\n"].concat()), Some(whole.len()));
    }
}
