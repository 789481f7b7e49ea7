//! The password file: `host:port:database:user:password` a line, `*` for any (PostgreSQL, libpq-pgpass).

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tracing::warn;

/// The connection for which a line must match.
pub(super) struct PasswordQuery<'a> {
    /// All names of the host.
    pub(super) hosts: &'a [&'a str],
    pub(super) port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

/// The password of the first line that matches. A file that others may read is ignored with a warning, as in libpq.
pub(super) fn look_up(path: &Path, query: &PasswordQuery<'_>) -> Option<String> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        // The file is optional.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            warn!(file = %path.display(), %error, "could not read the password file");
            return None;
        }
    };
    if !metadata.is_file() {
        warn!(file = %path.display(), "the password file is ignored: it is not a regular file");
        return None;
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        warn!(file = %path.display(), "the password file is ignored: others may read it; run chmod 600 on it");
        return None;
    }
    match fs::read_to_string(path) {
        Ok(text) => text.lines().find_map(|line| password_in(line, query)),
        Err(error) => {
            warn!(file = %path.display(), %error, "could not read the password file");
            None
        }
    }
}

fn password_in(line: &str, query: &PasswordQuery<'_>) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut rest = line;
    let mut field = || {
        let (field, after) = split(rest)?;
        rest = after;
        Some(field)
    };
    let (host, port, database, user) = (field()?, field()?, field()?, field()?);
    let port_is = query.port.to_string();
    let matches = (host == "*" || query.hosts.contains(&unescape(host).as_str()))
        && [(port, port_is.as_str()), (database, query.database), (user, query.user)]
            .iter()
            .all(|(field, wanted)| *field == "*" || unescape(field) == *wanted);
    // A further colon ends the password.
    let password = split(rest).map_or(rest, |(password, _)| password);
    matches.then(|| unescape(password)).filter(|password| !password.is_empty())
}

/// The text before the first colon that is not escaped, and the text after it.
fn split(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    let colon = text.bytes().position(|byte| {
        let ends = byte == b':' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some((&text[..colon], &text[colon + 1..]))
}

/// The field without its escapes.
fn unescape(text: &str) -> String {
    let mut letters = text.chars();
    let mut unescaped = String::new();
    while let Some(letter) = letters.next() {
        unescaped.push(if letter == '\\' { letters.next().unwrap_or('\\') } else { letter });
    }
    unescaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: PasswordQuery<'_> =
        PasswordQuery { hosts: &["db", "10.0.0.1"], port: 5432, database: "shop", user: "u" };

    #[test]
    fn the_first_line_that_matches_has_the_password() {
        for (line, password) in [
            ("db:5432:shop:u:secret", Some("secret")),
            ("10.0.0.1:5432:*:*:secret", Some("secret")),
            ("*:*:*:*:se\\:cr\\\\et", Some("se:cr\\et")),
            ("*:*:*:*:secret:more", Some("secret")),
            ("*:*:*:*:", None),
            ("*:*:*:u", None),
            ("#db:5432:shop:u:secret", None),
            ("db:5433:shop:u:secret", None),
            ("db:5432:replication:u:secret", None),
            ("d\\b:5432:shop:u:secret", Some("secret")),
            ("db:5432:shop:\\*:secret", None),
        ] {
            assert_eq!(password_in(line, &QUERY).as_deref(), password, "{line}");
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_ignored() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("pgpass");
        assert_eq!(look_up(&path, &QUERY), None);
        fs::write(&path, "x:1:y:z:no\n*:*:*:*:secret\n").expect("the folder is ours");
        for (mode, password) in [(0o600, Some("secret")), (0o400, Some("secret")), (0o640, None), (0o604, None)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("the file is ours");
            assert_eq!(look_up(&path, &QUERY).as_deref(), password, "{mode:o}");
        }
        assert_eq!(look_up(folder.path(), &QUERY), None);
    }
}
