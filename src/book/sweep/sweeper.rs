//! The order of a sweep.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use super::slice::Slice;
use crate::book::BookError;
use crate::book::concurrently::{at_once, concurrently};
use crate::book::error::At;
use crate::book::log::base::{self, Base, ManifestName};
use crate::book::log::checkpoint::{self, SweepLimit};
use crate::book::log::pruning::is_old as is_old_day;
use crate::book::log::{commit_log, digested};
use crate::book::write::entry_parts::write_time;
use crate::book::write::staging::{Staging, gone_is_fine};
use crate::store::layout::{
    BASES, MANIFESTS, PRIVATE, Table, base_path, entry_path, file_name, manifest_name, manifest_path, staging_folder,
};

/// So many entries are worth a base.
const LEAST_ENTRIES: u64 = 1024;
/// The most that one sweep takes, in entries …
const MOST_ENTRIES: u64 = 8192;
/// … and in bytes, which are in memory.
const MOST_BYTES: u64 = 64 << 20;
/// By how much a clock may be set back before the time in an entry counts for nothing.
const LONGEST_STEP: Duration = Duration::from_secs(86_400);

/// Sweeps the log of a book on behalf of the run that owns it.
#[derive(Clone)]
pub struct Sweeper {
    staging: Arc<Staging>,
    least: u64,
}

/// The outcome of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// There is nothing to sweep now, or it was cancelled.
    Nothing,
    /// There is, and the next checkpoints must say so first: see [`Committer::expect_sweep`](crate::book::Committer::expect_sweep).
    AwaitsCheckpoints,
    /// Entries are gone.
    Swept {
        /// How many.
        entries: u64,
        /// The newest of them.
        to: u64,
    },
}

impl Sweeper {
    pub(super) fn new(staging: Arc<Staging>) -> Sweeper {
        Sweeper { staging, least: LEAST_ENTRIES }
    }

    /// Sweeps also when there are fewer entries, but so many at least.
    #[must_use]
    pub fn with_least(self, least: u64) -> Sweeper {
        Sweeper { least: least.max(1), ..self }
    }

    /// Sweeps entries that were written longer than `keep` ago, if there are many; and removes what an earlier sweep has left.
    ///
    /// # Errors
    /// [`BookError::Damaged`] and [`BookError::Unsound`] for a log that is not as it was written, and nothing has changed; [`BookError::Fenced`];
    /// [`BookError::Io`], after which it may be called again.
    pub fn sweep(&self, keep: Duration, is_cancelled: &dyn Fn() -> bool) -> Result<Sweep, BookError> {
        self.try_sweep(keep, is_cancelled).map_err(|error| self.staging.explain_missing(error))
    }

    /// Whether after an error what was written before may be lost, so that nothing must be removed: that of a sync. What an object store has
    /// acknowledged stays.
    pub fn may_have_lost(&self, error: &BookError) -> bool {
        matches!(error, BookError::Io { tried: "sync", .. }) && self.staging.store().objects().is_none()
    }

    fn try_sweep(&self, keep: Duration, is_cancelled: &dyn Fn() -> bool) -> Result<Sweep, BookError> {
        let store = self.staging.store();
        let base = base::read_newest(store)?;
        if let Some(base) = &base {
            let last = entry_path(base.entry());
            // The last entry, or an older base: nothing says that the manifests have gone too.
            let has_older = || Ok::<_, BookError>(commit_log::numbers_in(store, BASES)?.len() > 1);
            if store.exists(&last).at("look up", &last)? || has_older()? {
                self.remove_swept(base, is_cancelled)?;
            }
        }
        let first = base.as_ref().map_or(0, |base| base.state.entries);
        let limit = match checkpoint::sweep_limit(store)? {
            SweepLimit::Below(limit) => limit,
            SweepLimit::Nothing => return Ok(Sweep::Nothing),
            SweepLimit::OldFormat => {
                // Not before there is something to sweep: until then an older version may go on with the book.
                let is_due = self.is_old(first + self.least - 1, keep)?;
                return Ok(if is_due { Sweep::AwaitsCheckpoints } else { Sweep::Nothing });
            }
        };
        if first + self.least > limit || !self.is_old(first + self.least - 1, keep)? {
            return Ok(Sweep::Nothing);
        }
        let Some(slice) = self.slice(base.as_ref(), first..limit, keep, is_cancelled)? else {
            return Ok(Sweep::Nothing);
        };
        let entries = slice.entries;
        let base = self.publish(base, slice)?;
        self.remove_swept(&base, is_cancelled)?;
        Ok(Sweep::Swept { entries, to: base.entry() })
    }

    /// Whether there is an entry of this number, and it is old.
    fn is_old(&self, number: u64, keep: Duration) -> Result<bool, BookError> {
        let store = self.staging.store();
        let logged = commit_log::read_entry(store, number)?;
        Ok(logged.is_some_and(|logged| is_old(logged.entry.written_at, write_time(store), keep)))
    }

    /// Folds the old ones among some entries; `None` where they are too few, or it was cancelled.
    fn slice(
        &self,
        base: Option<&Base>,
        entries: std::ops::Range<u64>,
        keep: Duration,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Slice>, BookError> {
        let store = self.staging.store();
        let now = write_time(store);
        let (mut slice, mut bytes) = (None, 0);
        for number in entries.take(MOST_ENTRIES as usize) {
            if is_cancelled() {
                return Ok(None);
            }
            let logged = commit_log::required(store, number)?;
            if !is_old(logged.entry.written_at, now, keep) || bytes >= MOST_BYTES {
                break;
            }
            bytes += logged.bytes;
            slice.get_or_insert_with(|| Slice::after(base, &logged.entry)).add(logged)?;
        }
        Ok(slice.filter(|slice: &Slice| slice.entries >= self.least || bytes >= MOST_BYTES))
    }

    /// Writes the base that stands for a slice and all before it, after its manifests.
    fn publish(&self, before: Option<Base>, slice: Slice) -> Result<Base, BookError> {
        let store = self.staging.store();
        for folder in [BASES, MANIFESTS] {
            store.create_folder(folder).at("make", folder)?;
        }
        store.sync_folder(PRIVATE).at("sync", PRIVATE)?;
        let Slice { state, made_at, read, mut days, pruned, entries: _ } = slice;
        let to = state.newest_entry().expect("a slice has an entry");
        let (base_entry, mut manifests) = before.map(|before| (before.entry(), before.manifests)).unwrap_or_default();
        for table in [Table::Events, Table::Rejects] {
            let old = manifests.of(table).map(|(day, _)| day);
            let pruned = old.filter(|day| pruned.is_some_and(|pruned| is_old_day(*day, pruned.before)));
            for day in pruned {
                days.entry((table, day)).or_default();
            }
        }
        for ((table, day), change) in days {
            let known = manifests.read(store, base_entry, table, day)?.unwrap_or_default();
            let (bytes, sha256) = digested::write(&change.applied_to(known, state.pruned));
            let path = manifest_path(to, table, day);
            let name = format!("{}.inprogress", file_name(&path));
            self.stage(&name, &bytes)?;
            self.staging.publish(&name, &path)?;
            manifests.insert(table, day, ManifestName { entry: to, sha256 });
        }
        // Before the base: it must not name what a power cut takes away.
        store.sync_folder(MANIFESTS).at("sync", MANIFESTS)?;
        let base = Base { state, made_at, swept_at: write_time(store), read, manifests };
        self.put_base(to, &base::encode(&base))?;
        Ok(base)
    }

    /// Puts a base where there is none; another one of this entry says the same.
    fn put_base(&self, entry: u64, bytes: &[u8]) -> Result<(), BookError> {
        let (store, path) = (self.staging.store(), base_path(entry));
        if let Some(objects) = store.objects() {
            // That of a run which is fenced right after this look is true as well, and so are the manifests that it names.
            let own = staging_folder(self.staging.generation());
            store.sync_folder(&own).map_err(|error| self.staging.explain(error, "look up", &own))?;
            return objects.put_new(&path, bytes).at("put", &path).map(drop);
        }
        let name = format!("base-{entry:020}.json.inprogress");
        self.stage(&name, bytes)?;
        match store.hard_link(&self.staging.path(&name), &path) {
            // The answer to an earlier attempt was lost.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            linked => linked.map_err(|error| self.staging.explain(error, "link", &path))?,
        }
        self.staging.remove(&name)
    }

    /// Removes what a base stands for, the oldest first.
    fn remove_swept(&self, base: &Base, is_cancelled: &dyn Fn() -> bool) -> Result<(), BookError> {
        let store = self.staging.store();
        // A run that was killed may have put the base, and not have made it durable.
        store.sync_folder(BASES).at("sync", BASES)?;
        let remove = |path: &str| gone_is_fine(store.remove_file(path)).at("remove", path);
        let swept = commit_log::numbers(store)?.into_iter().take_while(|number| *number <= base.entry());
        let swept: Vec<u64> = swept.collect();
        // The last one by itself: as long as it is there, the next sweep looks for others.
        let (last, before) = swept.split_last().map_or((None, &swept[..]), |(last, before)| (Some(last), before));
        for some in before.chunks(at_once(store)).chain(last.map(std::slice::from_ref)) {
            if is_cancelled() {
                return Ok(());
            }
            concurrently(store, some, |number| remove(&entry_path(*number)))?;
        }
        for number in commit_log::numbers_in(store, BASES)?.into_iter().take_while(|number| *number < base.entry()) {
            remove(&base_path(number))?;
        }
        for name in gone_is_fine(store.list(MANIFESTS)).at("list", MANIFESTS)? {
            let Some((entry, table, day)) = manifest_name(&name) else { continue };
            let is_named = base.manifests.get(table, day).is_some_and(|named| named.entry == entry);
            // Those of later bases are not known here, if this run is not the newest one any more.
            if entry <= base.entry() && !is_named {
                remove(&manifest_path(entry, table, day))?;
            }
        }
        Ok(())
    }

    /// Writes a file into staging, also where an earlier attempt has left one.
    fn stage(&self, name: &str, bytes: &[u8]) -> Result<(), BookError> {
        let path = self.staging.path(name);
        gone_is_fine(self.staging.store().remove_file(&path)).at("remove", &path)?;
        self.staging.write(name, bytes)
    }
}

/// Whether that time is longer than `keep` ago. One in the future is of a clock that was set back since, and waits for it, but not for ever.
fn is_old(written_at: i64, now: i64, keep: Duration) -> bool {
    let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    let age = now.saturating_sub(written_at);
    age >= micros(keep) || age < -micros(LONGEST_STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_old_after_the_time_for_which_it_is_kept() {
        let week = Duration::from_secs(7 * 86_400);
        let micros = |days: i64| days * 86_400_000_000;
        assert!(is_old(0, micros(7), week) && !is_old(1, micros(7), week));
        assert!(!is_old(micros(1), 0, week), "written in the future");
        assert!(is_old(micros(1) + 1, 0, week), "that clock was wrong");
        assert!(is_old(5, 5, Duration::ZERO));
    }
}
