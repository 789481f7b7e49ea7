//! The names of files and folders in a book, read back.

use std::path::{Path, PathBuf};

use crate::change::{CommitNumber, Day, SealedFile};

/// The day of a day folder, if the name is exactly that of one.
pub(crate) fn day_of_folder(name: &str) -> Option<Day> {
    name.strip_prefix("day=")?.parse().ok()
}

/// The commit that a file of rows belongs to, if the name is exactly that of one: `c0000000412-w003-0.parquet`.
pub(crate) fn commit_of_file(name: &str) -> Option<CommitNumber> {
    let (commit, rest) = name.strip_prefix('c')?.strip_suffix(".parquet")?.split_once("-w")?;
    let (worker, index) = rest.split_once('-')?;
    let [commit, worker, index] = [commit, worker, index].map(|number| number.parse::<u64>().ok());
    let (commit, worker, index) = (commit?, worker?, index?);
    (format!("c{commit:010}-w{worker:03}-{index}.parquet") == name).then_some(commit)
}

/// Table, day and commit of a path of a file of rows: `events/day=2026-11-22/c0000000412-w003-0.parquet`.
pub(crate) fn split_path(path: &str) -> Option<(&str, Day, CommitNumber)> {
    let mut parts = path.splitn(3, '/');
    Some((parts.next()?, day_of_folder(parts.next()?)?, commit_of_file(parts.next()?)?))
}

/// The day of a file of events; `None` for any other path.
pub(crate) fn day_of_events(path: &str) -> Option<Day> {
    split_path(path).filter(|(table, ..)| *table == "events").map(|(_, day, _)| day)
}

/// Where a file stands until it is put in its place.
pub(crate) fn staged_path(root: &Path, generation: &str, path: &str) -> PathBuf {
    root.join("_walbook/staging").join(generation).join(SealedFile::staged_name(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_walbooks_own_names_are_understood() {
        assert_eq!(commit_of_file("c0000000412-w003-0.parquet"), Some(412));
        assert_eq!(commit_of_file("c12345678901-w1003-17.parquet"), Some(12_345_678_901));
        for name in ["c412-w003-0.parquet", "c0000000412-w003-00.parquet", "c0000000412-w003-0.parquet.tmp", "x"] {
            assert_eq!(commit_of_file(name), None, "{name}");
        }
        let day = "2026-11-22".parse().expect("a day");
        assert_eq!(split_path("rejects/day=2026-11-22/c0000000412-w003-0.parquet"), Some(("rejects", day, 412)));
        assert_eq!(split_path("rejects/day=2026-11-22/x/c0000000412-w003-0.parquet"), None);
        assert_eq!(day_of_events("rejects/day=2026-11-22/c0000000412-w003-0.parquet"), None);
    }
}
