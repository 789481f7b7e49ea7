//! Where a JSON value ends that is no line: one that is printed over several lines, or an element of an array.
//!
//! White space, commas and the array's brackets stand before the value that follows, and belong to its record.

/// The bytes between two values.
const BETWEEN: [u8; 7] = *b" \t\r\n,[]";

/// How far a value is scanned.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::source::file) struct ValueScan {
    at: usize,
    /// Whether the value has begun.
    is_inside: bool,
    depth: usize,
    in_string: bool,
    is_escaped: bool,
}

impl ValueScan {
    /// The length of the value that `bytes` begin with and of what stands before it; `None` if it does not end in them: then the next
    /// call needs the same bytes and more.
    pub(in crate::source::file) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(byte) = bytes.get(self.at) {
            let is_end = self.step(*byte);
            if is_end == Some(End::Before) {
                return Some(self.at);
            }
            self.at += 1;
            if is_end == Some(End::Behind) {
                return Some(self.at);
            }
        }
        None
    }

    /// The length of what stands behind the last value.
    pub(in crate::source::file) fn settled(&self, bytes: &[u8]) -> Option<usize> {
        (!self.is_inside && !bytes.is_empty()).then_some(bytes.len())
    }

    fn step(&mut self, byte: u8) -> Option<End> {
        if self.in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return (!self.in_string && self.depth == 0).then_some(End::Behind);
        }
        if !self.is_inside && BETWEEN.contains(&byte) {
            return None;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' => self.depth += 1,
            b'[' if self.depth > 0 => self.depth += 1,
            b'}' | b']' if self.depth > 0 => {
                self.depth -= 1;
                return (self.depth == 0).then_some(End::Behind);
            }
            // A number or a literal.
            _ if self.depth == 0 && self.is_inside && BETWEEN.contains(&byte) => return Some(End::Before),
            _ => {}
        }
        self.is_inside = true;
        None
    }
}

/// Where a value ends.
#[derive(PartialEq, Eq)]
enum End {
    Before,
    Behind,
}

/// The value of a record, without what stands between values.
pub(in crate::source::file) fn value_of(record: &[u8]) -> &[u8] {
    let is_between = |byte: &u8| BETWEEN.contains(byte);
    let begin = record.iter().position(|byte| !is_between(byte)).unwrap_or(record.len());
    &record[begin..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str, piece: usize) -> Vec<String> {
        let (bytes, mut begin, mut given) = (text.as_bytes(), 0, 0);
        let (mut scan, mut values) = (ValueScan::default(), Vec::new());
        loop {
            match scan.end(&bytes[begin..given]) {
                Some(length) => {
                    let value = value_of(&bytes[begin..begin + length]);
                    values.push(String::from_utf8(value.to_vec()).expect("UTF-8"));
                    begin += length;
                    scan = ValueScan::default();
                }
                None if given < bytes.len() => given = (given + piece).min(bytes.len()),
                None => {
                    assert_eq!(scan.settled(&bytes[begin..]).unwrap_or(0), bytes.len() - begin, "nothing is left");
                    return values;
                }
            }
        }
    }

    #[test]
    fn values_are_split_however_they_are_printed() {
        let object = "{\n \"data\": \"table a.b: INSERT: v[text]:'}]\\\"\\\\'\",\n \"x\": [1, {\"y\": []}]\n}";
        for (text, expected) in [
            (format!("{object}\n{object}\n"), vec![object, object]),
            (format!("[{object},{object}]"), vec![object, object]),
            (format!("[\n{object},\n  {object}\n]\n"), vec![object, object]),
            ("[\"BEGIN 5\",\"a\\\"]\"]".to_owned(), vec!["\"BEGIN 5\"", "\"a\\\"]\""]),
            ("[1, null,{}]".to_owned(), vec!["1", "null", "{}"]),
            ("[]\n".to_owned(), vec![]),
        ] {
            for piece in [1, 3, 1000] {
                assert_eq!(values(&text, piece), expected, "{text}");
            }
        }
    }
}
