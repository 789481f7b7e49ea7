//! The log of one table: read up to its newest version, and continued.
//!
//! `_delta_log/<version, 20 digits>.json` has the actions of a version, `<version>.checkpoint.parquet` all that is in force at it.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use serde_json::json;

use super::actions::{Action, Add, MetaData, Protocol, Remove, Txn, decode, encode};
use super::checkpoint;
use super::error::{At, DeltaError};
use super::writer::Writer;
use crate::change::CommitNumber;
use crate::store::Store;
use crate::store::layout::{DELTA_LOG, number};

/// How many versions follow a checkpoint until the next one.
pub const CHECKPOINT_INTERVAL: u64 = 100;

/// Keeps programs that vacuum, and do not look at what a writer must know, from removing the files of the book itself, which no version names.
const RETENTION: (&str, &str) = ("delta.deletedFileRetentionDuration", "interval 36500 days");

/// A table at its newest version.
#[derive(Clone, Debug, Default)]
pub struct TableLog {
    /// Its folder in the book.
    pub folder: String,
    /// The newest version; `None` where there is none.
    pub version: Option<u64>,
    /// The entry of the book's log that it covers.
    pub covers: Option<u64>,
    /// Its columns.
    pub metadata: Option<MetaData>,
    /// What its readers and writers must know.
    pub protocol: Option<Protocol>,
    /// Its files by path.
    pub files: BTreeMap<String, Add>,
    /// The newest checkpoint.
    pub checkpoint: Option<u64>,
    /// When this run has put it, in milliseconds since 1970-01-01 UTC.
    checkpoint_at: Option<i64>,
}

/// What a table is to have.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The files by path below the folder of the table.
    pub(super) files: BTreeMap<String, Add>,
    /// The columns as JSON; `None` where there is no file to know them from.
    pub(super) schema: Option<String>,
    /// Whether `day` is a partition column.
    pub(super) has_days: bool,
}

/// At which entry of the book's log that is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut<'a> {
    pub(super) book: &'a str,
    pub(super) entry: u64,
    pub(super) commit: CommitNumber,
}

/// The path of a version.
pub(super) fn version_path(folder: &str, version: u64) -> String {
    format!("{folder}/{DELTA_LOG}/{version:020}.json")
}

/// The path of a checkpoint.
pub(super) fn checkpoint_path(folder: &str, version: u64) -> String {
    format!("{folder}/{DELTA_LOG}/{version:020}.checkpoint.parquet")
}

/// The versions and checkpoints that are there, ascending.
pub(super) fn list(store: &dyn Store, folder: &str) -> Result<(Vec<u64>, Vec<u64>), DeltaError> {
    let log = format!("{folder}/{DELTA_LOG}");
    let names = match store.list(&log) {
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        names => names.at("list", &log)?,
    };
    let checkpoint = |name: &String| number(&format!("{}.json", name.strip_suffix(".checkpoint.parquet")?));
    let mut checkpoints: Vec<u64> = names.iter().filter_map(checkpoint).collect();
    let mut versions: Vec<u64> = names.iter().filter_map(|name| number(name)).collect();
    versions.sort_unstable();
    checkpoints.sort_unstable();
    Ok((versions, checkpoints))
}

impl TableLog {
    /// Reads a table up to its newest version.
    ///
    /// # Errors
    /// [`DeltaError::Damaged`] for what walbook does not write; [`DeltaError::Io`].
    pub fn read(store: &dyn Store, folder: &str, book: &str) -> Result<TableLog, DeltaError> {
        let (versions, checkpoints) = list(store, folder)?;
        let mut table = TableLog { folder: folder.to_owned(), ..TableLog::default() };
        if let Some(newest) = checkpoints.last() {
            let path = checkpoint_path(folder, *newest);
            let bytes = store.read(&path).at("read", &path)?;
            let actions = checkpoint::decode(bytes.into()).map_err(|reason| DeltaError::damaged(&path, reason))?;
            table.follow(&path, *newest, actions, book)?;
            table.checkpoint = Some(*newest);
        }
        for version in versions {
            let next = table.next_version();
            if version < next {
                continue;
            }
            let path = version_path(folder, version);
            if version > next {
                return Err(DeltaError::damaged(&path, format!("version {next} before it is missing")));
            }
            let bytes = store.read(&path).at("read", &path)?;
            let actions = decode(&bytes).map_err(|reason| DeltaError::damaged(&path, reason))?;
            table.follow(&path, version, actions, book)?;
        }
        Ok(table)
    }

    /// The number of the version that can follow.
    pub(super) fn next_version(&self) -> u64 {
        self.version.map_or(0, |version| version + 1)
    }

    fn follow(&mut self, path: &str, version: u64, actions: Vec<Action>, book: &str) -> Result<(), DeltaError> {
        for action in actions {
            match action {
                Action::CommitInfo(_) => {}
                Action::Protocol(protocol) => self.protocol = Some(protocol),
                Action::MetaData(metadata) => self.metadata = Some(metadata),
                Action::Txn(txn) if txn.app_id != book => {
                    return Err(DeltaError::damaged(path, format!("it is of book {}", txn.app_id)));
                }
                Action::Txn(txn) => self.covers = u64::try_from(txn.version).ok(),
                Action::Add(add) => drop(self.files.insert(add.path.clone(), add)),
                Action::Remove(remove) => drop(self.files.remove(&remove.path)),
            }
        }
        self.version = Some(version);
        Ok(())
    }

    /// Puts the version that makes the table what is wanted, if it is not that already; returns whether there is a new one.
    ///
    /// Where another run has put the next version, or this one before a crash, the difference to that one is put.
    pub(super) fn bring_to(&mut self, writer: &mut Writer, wanted: &Wanted, cut: Cut<'_>) -> Result<bool, DeltaError> {
        loop {
            if self.covers >= Some(cut.entry) {
                return Ok(false);
            }
            let Some(actions) = self.difference(writer, wanted, cut) else { return Ok(false) };
            let version = self.next_version();
            let path = version_path(&self.folder, version);
            if writer.put(&path, &encode(&actions))? {
                self.follow(&path, version, actions, cut.book)?;
                return Ok(true);
            }
            *self = TableLog::read(writer.store(), &self.folder, cut.book)?;
            if self.next_version() <= version {
                return Err(DeltaError::damaged(&path, "its name is taken, and it is not in the list of its folder"));
            }
        }
    }

    /// The actions of the next version; `None` where nothing changes.
    fn difference(&self, writer: &Writer, wanted: &Wanted, cut: Cut<'_>) -> Option<Vec<Action>> {
        let now = writer.now();
        let mut changes = Vec::new();
        for (path, file) in self.files.iter().filter(|(path, _)| !wanted.files.contains_key(*path)) {
            changes.push(Action::Remove(Remove {
                path: path.clone(),
                deletion_timestamp: Some(now),
                data_change: true,
                extended_file_metadata: Some(true),
                partition_values: file.partition_values.clone(),
                size: Some(file.size),
            }));
        }
        let removed = changes.len();
        let added = wanted.files.iter().filter(|(path, _)| !self.files.contains_key(*path));
        changes.extend(added.map(|(_, file)| Action::Add(Add { modification_time: now, ..file.clone() })));
        let added = changes.len() - removed;
        let metadata = self.new_metadata(writer, wanted, now);
        if changes.is_empty() && metadata.is_none() {
            return None;
        }
        let is_first = self.version.is_none();
        let txn = Txn {
            app_id: cut.book.to_owned(),
            version: i64::try_from(cut.entry).unwrap_or(i64::MAX),
            last_updated: Some(now),
        };
        let mut actions = vec![Action::CommitInfo(json!({
            "timestamp": now,
            "operation": if is_first { "CREATE TABLE" } else { "WRITE" },
            "operationParameters": {},
            "operationMetrics": { "numAddedFiles": added.to_string(), "numRemovedFiles": removed.to_string() },
            "engineInfo": concat!("walbook/", env!("CARGO_PKG_VERSION")),
            "isBlindAppend": removed == 0,
            "walbookEntry": cut.entry,
            "walbookCommit": cut.commit,
            // What two runs put differs, so that neither takes the other's for its own.
            "walbookWrite": writer.store().new_id().to_string(),
        }))];
        if let Some(metadata) = metadata {
            let protocol = Protocol::of(&metadata.schema_string);
            if self.protocol.as_ref() != Some(&protocol) {
                actions.push(Action::Protocol(protocol));
            }
            actions.push(Action::MetaData(metadata));
        }
        actions.push(Action::Txn(txn));
        actions.extend(changes);
        Some(actions)
    }

    /// The columns, where they are not those of the table.
    fn new_metadata(&self, writer: &Writer, wanted: &Wanted, now: i64) -> Option<MetaData> {
        let schema = wanted.schema.as_ref()?;
        let partition_columns: Vec<String> = wanted.has_days.then(|| "day".to_owned()).into_iter().collect();
        let held = self.metadata.as_ref();
        if held.is_some_and(|held| held.schema_string == *schema && held.partition_columns == partition_columns) {
            return None;
        }
        Some(MetaData {
            id: held.map_or_else(|| writer.store().new_id().to_string(), |held| held.id.clone()),
            name: Some(self.folder.rsplit('/').next().unwrap_or_default().to_owned()),
            format: Default::default(),
            schema_string: schema.clone(),
            partition_columns,
            configuration: BTreeMap::from([RETENTION].map(|(key, value)| (key.to_owned(), value.to_owned()))),
            created_time: Some(held.and_then(|held| held.created_time).unwrap_or(now)),
        })
    }

    /// Puts a checkpoint if so many versions follow the last one, or any do and it was written before `limit`; returns whether it did.
    pub(super) fn checkpoint_if_due(
        &mut self,
        writer: &mut Writer,
        book: &str,
        interval: u64,
        limit: Option<i64>,
    ) -> Result<bool, DeltaError> {
        let (Some(version), Some(metadata), Some(protocol)) = (self.version, &self.metadata, &self.protocol) else {
            return Ok(false);
        };
        let since = version - self.checkpoint.unwrap_or(0);
        let written_at = self.checkpoint_at.or(metadata.created_time).unwrap_or(0);
        let is_old = since > 0 && limit.is_some_and(|limit| written_at <= limit);
        if since < interval && !is_old {
            return Ok(false);
        }
        let covers = i64::try_from(self.covers.unwrap_or(0)).unwrap_or(i64::MAX);
        let mut actions = vec![
            Action::Protocol(protocol.clone()),
            Action::MetaData(metadata.clone()),
            Action::Txn(Txn { app_id: book.to_owned(), version: covers, last_updated: Some(writer.now()) }),
        ];
        actions.extend(self.files.values().cloned().map(Action::Add));
        let path = checkpoint_path(&self.folder, version);
        // One of another run is of the same version.
        writer.put(&path, &checkpoint::encode(&actions))?;
        (self.checkpoint, self.checkpoint_at) = (Some(version), Some(writer.now()));
        let last = json!({ "version": version, "size": actions.len() }).to_string();
        writer.replace(&format!("{}/{DELTA_LOG}/_last_checkpoint", self.folder), last.as_bytes())?;
        Ok(true)
    }
}
