//! The password file: `host:port:database:user:password` a line, `*` for any (PostgreSQL, libpq-pgpass).

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tracing::warn;

/// What is connected to, as a line must name it.
pub(super) struct Wanted<'a> {
    /// The names that the host goes by.
    pub(super) hosts: &'a [&'a str],
    pub(super) port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

/// The password of the first line that fits. A file that others may read is ignored with a warning, as in libpq.
pub(super) fn look_up(path: &Path, wanted: &Wanted<'_>) -> Option<String> {
    let about = match fs::metadata(path) {
        Ok(about) => about,
        // Most people have none.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            warn!(file = %path.display(), %error, "could not read the password file");
            return None;
        }
    };
    if !about.is_file() {
        warn!(file = %path.display(), "the password file is ignored: it is no plain file");
        return None;
    }
    if about.permissions().mode() & 0o077 != 0 {
        warn!(file = %path.display(), "the password file is ignored: others may read it; run chmod 600 on it");
        return None;
    }
    match fs::read_to_string(path) {
        Ok(text) => text.lines().find_map(|line| password_in(line, wanted)),
        Err(error) => {
            warn!(file = %path.display(), %error, "could not read the password file");
            None
        }
    }
}

fn password_in(line: &str, wanted: &Wanted<'_>) -> Option<String> {
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
    let port_is = wanted.port.to_string();
    let fits = (host == "*" || wanted.hosts.contains(&plain(host).as_str()))
        && [(port, port_is.as_str()), (database, wanted.database), (user, wanted.user)]
            .iter()
            .all(|(field, wanted)| *field == "*" || plain(field) == *wanted);
    // The password ends at a colon too, if one is there.
    let password = split(rest).map_or(rest, |(password, _)| password);
    fits.then(|| plain(password)).filter(|password| !password.is_empty())
}

/// The text before the first colon that no backslash protects, and the text behind it.
fn split(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    let colon = text.bytes().position(|byte| {
        let ends = byte == b':' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some((&text[..colon], &text[colon + 1..]))
}

/// Without the protecting backslashes.
fn plain(text: &str) -> String {
    let mut letters = text.chars();
    let mut plain = String::new();
    while let Some(letter) = letters.next() {
        plain.push(if letter == '\\' { letters.next().unwrap_or('\\') } else { letter });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted<'_> = Wanted { hosts: &["db", "10.0.0.1"], port: 5432, database: "shop", user: "u" };

    #[test]
    fn the_first_line_that_fits_has_the_password() {
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
            assert_eq!(password_in(line, &WANTED).as_deref(), password, "{line}");
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_ignored() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("pgpass");
        assert_eq!(look_up(&path, &WANTED), None);
        fs::write(&path, "x:1:y:z:no\n*:*:*:*:secret\n").expect("the folder is ours");
        for (mode, password) in [(0o600, Some("secret")), (0o400, Some("secret")), (0o640, None), (0o604, None)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("the file is ours");
            assert_eq!(look_up(&path, &WANTED).as_deref(), password, "{mode:o}");
        }
        assert_eq!(look_up(folder.path(), &WANTED), None);
    }
}
