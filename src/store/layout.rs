//! The paths of everything in a book: only this file builds and parses them.
//!
//! ```text
//! events/day=2026-11-22/c0000000412-w003-0.parquet   commit %010d, worker %03d, index
//! rejects/day=2026-11-22/c0000000412-w003-0.parquet
//! events/day=2026-11-22/m0000000977-0.parquet        merged by entry %010d, index; also rejects
//! counts/day=2026-11-22/counts.parquet
//! views/NAME/day=2026-11-22/view.parquet             without the day where the view has none
//! _walbook/views/NAME/day=2026-11-22/state.parquet   what the view's rows follow from
//! _walbook/views/NAME/day=2026-11-22/values-3.parquet
//! _walbook/log/00000000000000000412.json             entry, 20 digits
//! _walbook/checkpoint/00000000000000000384.json      newest entry it holds, 20 digits
//! _walbook/base/00000000000000000320.json            stands for the entries up to this one, which were swept
//! _walbook/files/00000000000000000320.events.day=2026-11-22.json   the files of a day in that base and later ones; also rejects
//! _walbook/staging/g0000000410-1f0c93aa/             fence entry %010d, 8 random hexadecimal digits
//! _walbook/staging/g0000000410-1f0c93aa/lease.json   the sign of life of that run
//! _walbook/staging/g0000000410-1f0c93aa/0000000977.events.day=2026-11-22/   the day folder of entry 977, while it is built
//! _walbook/replaced/0000000977.events.day=2026-11-22/     the files that entry 977 removed, for readers that have listed them
//! ```

use uuid::Uuid;

use crate::change::{CommitNumber, Day};

/// Log, checkpoints and staging: everything that is not output.
pub const PRIVATE: &str = "_walbook";
/// The commit log.
pub const LOG: &str = "_walbook/log";
/// The folded states.
pub const CHECKPOINTS: &str = "_walbook/checkpoint";
/// Files being written, in one folder for each generation.
pub const STAGING: &str = "_walbook/staging";

/// What stands for the entries that were swept.
pub const BASES: &str = "_walbook/base";
/// The files that those entries have named, by table and day.
pub const MANIFESTS: &str = "_walbook/files";

/// Folders of files that were merged, kept for a while.
pub const REPLACED: &str = "_walbook/replaced";

/// The name of the lease in its generation's staging folder.
pub const LEASE: &str = "lease.json";

/// The folder of the rows of views.
pub const VIEWS: &str = "views";
/// The folder of what they follow from.
pub const VIEW_STATES: &str = "_walbook/views";

/// The log of a Delta table, in the folder of a table or view.
pub const DELTA_LOG: &str = "_delta_log";
/// The names that versions of a Delta table have for files which the book replaces or moves, in the same place.
pub const DELTA_FILES: &str = "_delta_files";

/// One of the files of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ViewFileKind {
    /// The rows.
    Rows,
    /// The accumulators.
    State,
    /// The distinct values of the accumulator at this place.
    Values(u16),
}

/// The parts of the path of a view's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewPlace {
    /// The view's name.
    pub view: String,
    /// The day of its rows, in a view that has a folder for each.
    pub day: Option<Day>,
    /// What it holds.
    pub kind: ViewFileKind,
}

impl ViewPlace {
    /// Parses a path; `None` for any text that [`ViewPlace::path`] does not return.
    pub fn parse(path: &str) -> Option<ViewPlace> {
        let rest = path.strip_prefix(PRIVATE).and_then(|rest| rest.strip_prefix('/')).unwrap_or(path);
        let mut parts = rest.strip_prefix(VIEWS)?.strip_prefix('/')?.split('/');
        let (view, mut name) = (parts.next()?.to_owned(), parts.next()?);
        let day = day_of_folder(name);
        if day.is_some() {
            name = parts.next()?;
        }
        let kind = match name.strip_suffix(".parquet")? {
            "view" => ViewFileKind::Rows,
            "state" => ViewFileKind::State,
            values => ViewFileKind::Values(values.strip_prefix("values-")?.parse().ok()?),
        };
        let place = ViewPlace { view, day, kind };
        (place.path() == path).then_some(place)
    }

    /// The path of the file in the book.
    pub fn path(&self) -> String {
        let folder = view_folder(if self.kind == ViewFileKind::Rows { VIEWS } else { VIEW_STATES }, &self.view);
        let day = self.day.map(|day| format!("day={day}/")).unwrap_or_default();
        match self.kind {
            ViewFileKind::Rows => format!("{folder}/{day}view.parquet"),
            ViewFileKind::State => format!("{folder}/{day}state.parquet"),
            ViewFileKind::Values(place) => format!("{folder}/{day}values-{place}.parquet"),
        }
    }
}

/// The folder of a view below [`VIEWS`] or [`VIEW_STATES`].
pub fn view_folder(below: &str, view: &str) -> String {
    format!("{below}/{view}")
}

/// The name of a view's file in its generation's staging folder: a later file of this path has another.
pub fn staged_view_name(path: &str, xxh3: &str) -> String {
    format!("{}.{xxh3}.inprogress", path.replace('/', "."))
}

/// Ends the name of a generation's folder that is being deleted.
pub const SWEPT: &str = ".swept";

/// A table of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// One row for each change.
    Events,
    /// The changes by key.
    Counts,
    /// Records that could not be read.
    Rejects,
}

impl Table {
    /// All tables.
    pub const ALL: [Table; 3] = [Table::Events, Table::Counts, Table::Rejects];

    /// The name of its folder.
    pub fn folder(self) -> &'static str {
        match self {
            Table::Events => "events",
            Table::Counts => "counts",
            Table::Rejects => "rejects",
        }
    }
}

/// The parts of the path of an events or rejects file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilePlace {
    /// Events or rejects.
    pub table: Table,
    /// The day of its rows.
    pub day: Day,
    /// The commit in its name.
    pub commit: CommitNumber,
    /// The worker that wrote it.
    pub worker: usize,
    /// Its number among the files of this commit, worker and day.
    pub index: usize,
}

impl FilePlace {
    /// Parses a path; `None` for any text that [`FilePlace::path`] does not return.
    pub fn parse(path: &str) -> Option<FilePlace> {
        let (table, rest) = path.split_once('/')?;
        let (folder, name) = rest.split_once('/')?;
        let table = [Table::Events, Table::Rejects].into_iter().find(|known| known.folder() == table)?;
        let mut parts = name.strip_prefix('c')?.strip_suffix(".parquet")?.splitn(3, '-');
        let commit = parts.next()?.parse().ok()?;
        let worker = parts.next()?.strip_prefix('w')?.parse().ok()?;
        let index = parts.next()?.parse().ok()?;
        let place = FilePlace { table, day: day_of_folder(folder)?, commit, worker, index };
        // One file has one name: `+5`, missing zeros and the like are refused.
        (place.path() == path).then_some(place)
    }

    /// The path of the file in the book.
    pub fn path(&self) -> String {
        let FilePlace { table, day, commit, worker, index } = *self;
        format!("{}/c{commit:010}-w{worker:03}-{index}.parquet", day_folder(table, day))
    }
}

/// The parts of the path of a file that a compaction has merged from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergedPlace {
    /// Events or rejects.
    pub table: Table,
    /// The day of its rows.
    pub day: Day,
    /// The entry that adds it.
    pub entry: u64,
    /// Its number among the files of this entry.
    pub index: usize,
}

impl MergedPlace {
    /// Parses a path; `None` for any text that [`MergedPlace::path`] does not return.
    pub fn parse(path: &str) -> Option<MergedPlace> {
        let (table, rest) = path.split_once('/')?;
        let (folder, name) = rest.split_once('/')?;
        let table = [Table::Events, Table::Rejects].into_iter().find(|known| known.folder() == table)?;
        let (entry, index) = name.strip_prefix('m')?.strip_suffix(".parquet")?.split_once('-')?;
        let (entry, index) = (entry.parse().ok()?, index.parse().ok()?);
        let place = MergedPlace { table, day: day_of_folder(folder)?, entry, index };
        (place.path() == path).then_some(place)
    }

    /// The path of the file in the book.
    pub fn path(&self) -> String {
        let MergedPlace { table, day, entry, index } = *self;
        format!("{}/m{entry:010}-{index}.parquet", day_folder(table, day))
    }
}

/// A file of rows, by its path: as a commit has written it, or merged from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowsPlace {
    /// Of a commit.
    Committed(FilePlace),
    /// Of a compaction.
    Merged(MergedPlace),
}

impl RowsPlace {
    /// Parses a path; `None` for one that no file of events or rejects has.
    pub fn parse(path: &str) -> Option<RowsPlace> {
        let committed = FilePlace::parse(path).map(RowsPlace::Committed);
        committed.or_else(|| MergedPlace::parse(path).map(RowsPlace::Merged))
    }

    /// Events or rejects.
    pub fn table(&self) -> Table {
        match self {
            RowsPlace::Committed(place) => place.table,
            RowsPlace::Merged(place) => place.table,
        }
    }

    /// The day of its rows.
    pub fn day(&self) -> Day {
        match self {
            RowsPlace::Committed(place) => place.day,
            RowsPlace::Merged(place) => place.day,
        }
    }

    /// Its number among the files of its commit, worker and day, or of its compaction.
    pub fn index(&self) -> usize {
        match self {
            RowsPlace::Committed(place) => place.index,
            RowsPlace::Merged(place) => place.index,
        }
    }
}

/// The folder of one day of a table.
pub fn day_folder(table: Table, day: Day) -> String {
    format!("{}/day={day}", table.folder())
}

/// The day in the name of a day folder.
pub fn day_of_folder(name: &str) -> Option<Day> {
    name.strip_prefix("day=")?.parse().ok()
}

/// A day's counts file.
pub fn counts_path(day: Day) -> String {
    format!("{}/counts.parquet", day_folder(Table::Counts, day))
}

/// A day's folder of events.
pub fn events_folder(day: Day) -> String {
    day_folder(Table::Events, day)
}

/// A day's folder of rejects.
pub fn rejects_folder(day: Day) -> String {
    day_folder(Table::Rejects, day)
}

/// The file of a log entry.
pub fn entry_path(entry: u64) -> String {
    format!("{LOG}/{}", numbered(entry))
}

/// The file of the checkpoint that holds everything up to `entry`.
pub fn checkpoint_path(entry: u64) -> String {
    format!("{CHECKPOINTS}/{}", numbered(entry))
}

/// The file of the base that stands for all entries up to `entry`.
pub fn base_path(entry: u64) -> String {
    format!("{BASES}/{}", numbered(entry))
}

/// The manifest of a table and day that the base of `entry` was the first to name.
pub fn manifest_path(entry: u64, table: Table, day: Day) -> String {
    format!("{MANIFESTS}/{entry:020}{}.json", replaced_suffix(table, day))
}

/// The entry, table and day in the name of a manifest; `None` for any other name.
pub fn manifest_name(name: &str) -> Option<(u64, Table, Day)> {
    let mut parts = name.strip_suffix(".json")?.splitn(3, '.');
    let (entry, table, day) = (parts.next()?.parse().ok()?, parts.next()?, day_of_folder(parts.next()?)?);
    let table = [Table::Events, Table::Rejects].into_iter().find(|known| known.folder() == table)?;
    (file_name(&manifest_path(entry, table, day)) == name).then_some((entry, table, day))
}

/// The name of a log entry, checkpoint or base in its folder.
pub fn numbered(entry: u64) -> String {
    format!("{entry:020}.json")
}

/// The number of an entry in a name in the log's or the checkpoints' folder; `None` for a foreign name.
pub fn number(name: &str) -> Option<u64> {
    let number = name.strip_suffix(".json")?.parse().ok()?;
    (numbered(number) == name).then_some(number)
}

/// The staging folder of a generation.
pub fn staging_folder(generation: &str) -> String {
    format!("{STAGING}/{generation}")
}

/// The lease of a generation.
pub fn lease_path(generation: &str) -> String {
    format!("{}/{LEASE}", staging_folder(generation))
}

/// The name of a file of rows in its generation's staging folder.
pub fn staged_name(path: &str) -> String {
    format!("{}.inprogress", path.replace('/', "."))
}

/// Where a file of rows stands until it is put in its place.
pub fn staged_path(generation: &str, path: &str) -> String {
    format!("{}/{}", staging_folder(generation), staged_name(path))
}

/// Where a merged file stands until it is put in its place: its number is not known before its entry is put.
pub fn staged_merged_path(generation: &str, xxh3: &str) -> String {
    format!("{}/{}", staging_folder(generation), staged_merged_name(xxh3))
}

/// The name of a merged file in its generation's staging folder.
pub fn staged_merged_name(xxh3: &str) -> String {
    format!("merged-{xxh3}.inprogress")
}

/// Where the folder of a day is built anew for a compaction, and where the replaced one is right after the exchange.
pub fn staged_day_folder(generation: &str, entry: u64, table: Table, day: Day) -> String {
    format!("{}/{}", staging_folder(generation), file_name(&replaced_folder(entry, table, day)))
}

/// The folder of the files that a compaction of a day has replaced.
pub fn replaced_folder(entry: u64, table: Table, day: Day) -> String {
    format!("{REPLACED}/{entry:010}{}", replaced_suffix(table, day))
}

/// The entry in the name of a folder of replaced files of some table and day; `None` for any other name.
pub fn replaced_entry(name: &str) -> Option<u64> {
    let (entry, rest) = name.split_once('.')?;
    let (table, day) = rest.split_once('.')?;
    let is_known = [Table::Events, Table::Rejects].iter().any(|known| known.folder() == table);
    (is_known && day_of_folder(day).is_some()).then_some(entry.parse().ok()?)
}

/// How the name of a folder of replaced files of a table and day ends.
pub fn replaced_suffix(table: Table, day: Day) -> String {
    format!(".{}.day={day}", table.folder())
}

/// The name of a file in its folder.
pub fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The generation that the fence `entry` opens.
pub fn generation(entry: u64, random: u32) -> String {
    format!("g{entry:010}-{random:08x}")
}

/// A folder in which an object store is tried: not in staging, which the start of a run sweeps.
pub fn probe_folder(id: Uuid) -> String {
    format!("{PRIVATE}/probe-{id}")
}

/// The fence entry in a generation's name.
pub fn fence_of(generation: &str) -> Option<u64> {
    let (entry, random) = generation.strip_prefix('g')?.split_once('-')?;
    (random.len() == 8 && entry.len() >= 10).then_some(entry.parse().ok()?)
}

/// The folder that holds `path`; empty for the book's own.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_promised() {
        let day: Day = "2026-11-22".parse().expect("a day");
        let place = FilePlace { table: Table::Events, day, commit: 412, worker: 3, index: 0 };
        assert_eq!(place.path(), "events/day=2026-11-22/c0000000412-w003-0.parquet");
        assert_eq!(counts_path(day), "counts/day=2026-11-22/counts.parquet");
        assert_eq!(rejects_folder(day), "rejects/day=2026-11-22");
        assert_eq!(entry_path(412), "_walbook/log/00000000000000000412.json");
        assert_eq!(checkpoint_path(384), "_walbook/checkpoint/00000000000000000384.json");
        assert_eq!(staging_folder(&generation(410, 0x1f0c_93aa)), "_walbook/staging/g0000000410-1f0c93aa");
        assert_eq!(lease_path("g0000000410-1f0c93aa"), "_walbook/staging/g0000000410-1f0c93aa/lease.json");
        assert_eq!(fence_of("g0000000410-1f0c93aa"), Some(410));
        assert_eq!(base_path(320), "_walbook/base/00000000000000000320.json");
        let manifest = manifest_path(320, Table::Rejects, day);
        assert_eq!(manifest, "_walbook/files/00000000000000000320.rejects.day=2026-11-22.json");
        assert_eq!(manifest_name(file_name(&manifest)), Some((320, Table::Rejects, day)));
        for other in ["320.rejects.day=2026-11-22.json", "00000000000000000320.counts.day=2026-11-22.json", "x"] {
            assert_eq!(manifest_name(other), None, "{other}");
        }
        assert_eq!(number("00000000000000000412.json"), Some(412));
    }

    #[test]
    fn a_path_parses_as_it_prints() {
        for commit in [0, 1, 9_999_999_999, 10_000_000_000, u64::MAX] {
            for (worker, index) in [(0, 0), (999, 10), (1000, 7)] {
                let place = FilePlace { table: Table::Rejects, day: Day::EPOCH, commit, worker, index };
                assert_eq!(FilePlace::parse(&place.path()), Some(place));
            }
        }
    }

    #[test]
    fn other_paths_are_refused() {
        for path in [
            "",
            "events",
            "counts/day=2026-11-22/counts.parquet",
            "counts/day=2026-11-22/c0000000412-w003-0.parquet",
            "events/day=2026-11-22/c412-w003-0.parquet",
            "events/day=2026-11-22/c+000000412-w003-0.parquet",
            "events/day=2026-11-22/c0000000412-w003-0.parquet.inprogress",
            "events/day=2026-11-22/../c0000000412-w003-0.parquet",
            "events/2026-11-22/c0000000412-w003-0.parquet",
            "/events/day=2026-11-22/c0000000412-w003-0.parquet",
        ] {
            assert_eq!(FilePlace::parse(path), None, "{path}");
        }
        for name in ["412.json", "0000000000000000412.json", "00000000000000000412.json.tmp", ".json"] {
            assert_eq!(number(name), None, "{name}");
        }
    }
}
