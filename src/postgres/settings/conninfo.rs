//! The connection text → keys and values: a URL, or `key=value …` (PostgreSQL, libpq-connect).
//!
//! An error does not repeat the text around the mistake, because that may be a password.

use percent_encoding::percent_decode_str;

use super::keys;

/// A key of libpq that walbook supports, and its value.
pub(super) type Pair = (String, String);

/// How a password is written in a URL: the hint for most mistakes.
const ENCODE: &str = "in a URL the characters @ / ? # % : of a user or a password are written %40 %2F %3F %23 %25 %3A";

/// The same for the other form.
const QUOTE: &str = "a value with spaces is written in single quotes";

/// Reads either form. Several hosts are one `host` and one `port` with commas between, as in libpq.
pub(super) fn pairs(text: &str) -> Result<Vec<Pair>, String> {
    let text = text.trim();
    match text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://")) {
        Some(rest) => url(rest),
        None if text.contains("://") => Err("a URL begins with postgresql://".to_owned()),
        None => words(text),
    }
}

/// `user:password@host:port,[::1]:port/database?key=value&…`
fn url(rest: &str) -> Result<Vec<Pair>, String> {
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = before.split_once('/').unwrap_or((before, ""));
    if database.contains('@') && !authority.contains('@') {
        return Err(format!("there is an @ after the host: {ENCODE}"));
    }
    let mut pairs = Vec::new();
    let mut put = |key: &str, value: &str| -> Result<(), String> {
        if !value.is_empty() {
            pairs.push((key.to_owned(), decode(value)?));
        }
        Ok(())
    };
    let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    put("user", user)?;
    put("password", password)?;
    put("dbname", database)?;
    let (names, ports) = hosts_and_ports(hosts)?;
    put("host", &names)?;
    put("port", &ports)?;
    for (place, parameter) in query.split('&').filter(|parameter| !parameter.is_empty()).enumerate() {
        let (key, value) =
            parameter.split_once('=').ok_or_else(|| format!("a parameter after the ? is not key=value ({ENCODE})"))?;
        let (key, value) = (decode(key)?, decode(value)?);
        let (key, value) = match (key.as_str(), value.as_str()) {
            // JDBC's spelling.
            ("ssl", "true") => ("sslmode".to_owned(), "require".to_owned()),
            _ => (key, value),
        };
        keys::check(&key, &value, &format!("parameter {} after the ?; {ENCODE}", place + 1))?;
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// `h1:p1,h2` → `h1,h2` and `p1,`; both empty when nothing was given.
fn hosts_and_ports(hosts: &str) -> Result<(String, String), String> {
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for host in hosts.split(',') {
        let (name, port) = match host.strip_prefix('[') {
            Some(address) => {
                let (name, rest) = address.split_once(']').ok_or("a [ of an IPv6 address is not closed")?;
                match rest.strip_prefix(':') {
                    Some(port) => (name, port),
                    None if rest.is_empty() => (name, ""),
                    None => return Err("after ] of an IPv6 address only :port may follow".to_owned()),
                }
            }
            None => host.split_once(':').unwrap_or((host, "")),
        };
        if port.contains(':') {
            return Err("a host has two colons: an IPv6 address is written in brackets, as in [::1]:5432".to_owned());
        }
        names.push(name);
        ports.push(port);
    }
    let joined =
        |parts: &[&str]| if parts.iter().all(|part| part.is_empty()) { String::new() } else { parts.join(",") };
    Ok((joined(&names), joined(&ports)))
}

fn decode(text: &str) -> Result<String, String> {
    let bytes = text.as_bytes();
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%') {
        let digits = bytes.get(at + 1..at + 3).unwrap_or_default();
        if digits.len() < 2 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(format!("a % is not followed by two hexadecimal digits ({ENCODE})"));
        }
        if digits == b"00" {
            return Err("%00 is not allowed in a URL".to_owned());
        }
    }
    percent_decode_str(text).decode_utf8().map(|text| text.into_owned()).map_err(|_| "it is not UTF-8".to_owned())
}

/// `key = value key = 'a value'`; after `\` the next character has no special meaning.
fn words(text: &str) -> Result<Vec<Pair>, String> {
    let mut pairs = Vec::new();
    let mut letters = text.chars().peekable();
    loop {
        while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
        if letters.peek().is_none() {
            return Ok(pairs);
        }
        let mut key = String::new();
        while let Some(letter) = letters.next_if(|letter| *letter != '=' && !letter.is_whitespace()) {
            key.push(letter);
        }
        while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
        if key.is_empty() || letters.next_if_eq(&'=').is_none() {
            return Err(format!("word {} is not key=value; {QUOTE}; a URL begins with postgresql://", pairs.len() + 1));
        }
        while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
        let quoted = letters.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        loop {
            match letters.next() {
                Some('\'') if quoted => break,
                None if quoted => {
                    return Err(format!("the quote of the value of word {} is not closed", pairs.len() + 1));
                }
                None => break,
                Some(letter) if !quoted && letter.is_whitespace() => break,
                Some('\\') => value.extend(letters.next()),
                Some(letter) => value.push(letter),
            }
        }
        keys::check(&key, &value, &format!("word {}; {QUOTE}", pairs.len() + 1))?;
        pairs.push((key, value));
    }
}

#[cfg(test)]
mod tests {
    use super::pairs;

    fn read(text: &str) -> String {
        match pairs(text) {
            Ok(pairs) => pairs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" | "),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn urls_are_read_as_libpq_reads_them() {
        for (text, expected) in [
            ("postgresql://", ""),
            ("postgres://localhost", "host=localhost"),
            ("postgresql://localhost:5433/db", "dbname=db | host=localhost | port=5433"),
            ("postgresql://u@h/db", "user=u | dbname=db | host=h"),
            ("postgresql://u:p%40w%2F@h", "user=u | password=p@w/ | host=h"),
            ("postgresql://u:a:b@h", "user=u | password=a:b | host=h"),
            ("postgresql://h1:1,h2:2,h3/db", "dbname=db | host=h1,h2,h3 | port=1,2,"),
            ("postgresql://[2001:db8::1234]:5/db", "dbname=db | host=2001:db8::1234 | port=5"),
            ("postgresql:///db?host=/tmp&port=7", "dbname=db | host=/tmp | port=7"),
            ("postgresql://%2Fvar%2Frun/db", "dbname=db | host=/var/run"),
            ("postgresql://h?connect_timeout=3&options=-c%20a%3Db", "host=h | connect_timeout=3 | options=-c a=b"),
            ("postgresql://h/?ssl=true", "host=h | sslmode=require"),
            ("postgresql://h/caf%C3%A9", "dbname=café | host=h"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn words_are_read_as_libpq_reads_them() {
        for (text, expected) in [
            ("", ""),
            ("host=h port = 5 dbname=d", "host=h | port=5 | dbname=d"),
            (r"password='it\'s \\ ' user=u", r"password=it's \  | user=u"),
            (r"password=a\ b user=''", "password=a b | user="),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn errors_never_hold_the_password() {
        for text in [
            "postgresql://u:se/cret@h/db",
            "postgresql://u:se?cret@h/db",
            "postgresql://u:%secret@h/db",
            "postgresql://u:secret@h:1:2/db",
            "postgresql://u:secret@[::1/db",
            "postgresql://u:secret@h?secret",
            "postgresql://u:secret%00@h",
            "mysql://u:secret@h",
            "host=h password=my secret",
            "host=h password='secret",
            "postgresql://u:my?topsecret=1@h/db",
            "postgresql://u:my?user=x&topsecret=1@h/db",
            "password=my secret='x",
            "password=my secret='x'",
            "password=my secret=x",
        ] {
            let error = read(text);
            assert!(error.starts_with("error: "), "{text}: {error}");
            assert!(!error.contains("secret") && !error.contains("cret@"), "{error}");
        }
    }
}
