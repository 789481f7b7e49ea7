//! The store of one simulated run: each operation may fail, end the run or the machine, or let others continue meanwhile.

use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use uuid::Uuid;
use walbook::store::{Store, StoreFile};

use super::driver;
use super::plan::{Fault, Mutation};
use super::world::{Life, World};
use crate::support::MemoryStore;

/// One run's view of the disk.
#[derive(Clone)]
pub(crate) struct SimulatedStore {
    world: World,
    life: Arc<Life>,
    disk: MemoryStore,
    /// A put that a mutation delays: from, to.
    delayed_put: Arc<Mutex<Option<(String, String)>>>,
}

impl SimulatedStore {
    /// The disk as a run sees it.
    pub(crate) fn new(world: World, life: Arc<Life>) -> SimulatedStore {
        let disk = world.disk();
        SimulatedStore { world, life, disk, delayed_put: Arc::default() }
    }

    fn operate<T>(
        &self,
        verb: &str,
        path: &str,
        changes_disk: bool,
        act: impl FnOnce(&MemoryStore) -> io::Result<T>,
    ) -> io::Result<T> {
        let (world, run) = (&self.world, self.life.run);
        self.check_alive()?;
        driver::suspend(run);
        self.check_alive()?;
        world.count_operation();
        let outcome = self.operate_with_faults(changes_disk, act);
        let seen = outcome.as_ref().err().map(io::Error::to_string);
        world.note(format_args!("run {run}: {verb} {path}: {}", seen.as_deref().unwrap_or("done")));
        outcome
    }

    fn operate_with_faults<T>(
        &self,
        changes_disk: bool,
        act: impl FnOnce(&MemoryStore) -> io::Result<T>,
    ) -> io::Result<T> {
        let (world, life) = (&self.world, &self.life);
        let cuts_power = changes_disk && world.strikes(Fault::PowerCut);
        if cuts_power || (changes_disk && world.strikes(Fault::Kill)) {
            if world.one_in(2) {
                act(&self.disk)?;
            }
            if cuts_power {
                world.cut_power()
            } else {
                life.kill()
            }
            return Err(io::Error::other("the run has ended"));
        }
        let fail = |kind: ErrorKind| {
            life.mark_faulted();
            Err(kind.into())
        };
        if changes_disk && world.strikes(Fault::DiskFull) {
            return fail(ErrorKind::StorageFull);
        }
        if world.strikes(Fault::DiskError) {
            return fail(ErrorKind::Other);
        }
        let outcome = act(&self.disk);
        if changes_disk && outcome.is_ok() && world.strikes(Fault::LostAnswer) {
            return fail(ErrorKind::TimedOut);
        }
        outcome
    }

    fn check_alive(&self) -> io::Result<()> {
        if self.world.is_alive(&self.life) { Ok(()) } else { Err(io::Error::other("the run has ended")) }
    }

    fn has(&self, mutation: Mutation) -> bool {
        self.world.mutation() == Some(mutation)
    }
}

fn is_data(path: &str) -> bool {
    path.contains(".parquet")
}

fn is_entry(path: &str) -> bool {
    path.starts_with("_walbook/log/")
}

impl Store for SimulatedStore {
    fn create(&self, path: &str) -> io::Result<Box<dyn StoreFile>> {
        let file = self.operate("create", path, true, |disk| disk.create(path))?;
        Ok(Box::new(SimulatedFile { store: self.clone(), path: path.to_owned(), file }))
    }

    fn hard_link(&self, from: &str, to: &str) -> io::Result<()> {
        self.operate("link", to, true, |disk| {
            if self.has(Mutation::LatePut) && is_entry(to) && !disk.exists(to)? {
                let copy = format!("{from}.late");
                disk.hard_link(from, &copy)?;
                *self.delayed_put.lock().expect("no panic") = Some((copy, to.to_owned()));
                return Ok(());
            }
            if self.has(Mutation::OverwritingPut) && is_entry(to) && disk.exists(to)? {
                disk.remove_file(to)?;
            }
            disk.hard_link(from, to)
        })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.operate("rename", to, true, |disk| {
            if self.has(Mutation::UnsweptStaging) && to.contains("/staging/") {
                return Ok(());
            }
            disk.rename(from, to)
        })
    }

    fn exchange(&self, one: &str, other: &str) -> io::Result<()> {
        self.operate("exchange", other, true, |disk| disk.exchange(one, other))
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        self.operate("remove", path, true, |disk| disk.remove_file(path))
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        self.operate("remove-folder", path, true, |disk| disk.remove_folder(path))
    }

    fn create_folder(&self, path: &str) -> io::Result<()> {
        self.operate("make-folder", path, true, |disk| disk.create_folder(path))
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        self.operate("sync-folder", path, true, |disk| {
            let is_place = path.starts_with("events") || path.starts_with("rejects");
            let is_skipped = match self.world.mutation() {
                Some(Mutation::UnsyncedStaging) => path.starts_with("_walbook/staging/"),
                Some(Mutation::UnsyncedLog) => path == "_walbook/log",
                Some(Mutation::UnsyncedPlaces) => is_place,
                _ => false,
            };
            if is_place && let Some((from, to)) = self.delayed_put.lock().expect("no panic").take() {
                disk.rename(&from, &to)?;
                disk.sync_folder("_walbook/log")?;
            }
            if is_skipped { Ok(()) } else { disk.sync_folder(path) }
        })
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.operate("list", path, false, |disk| disk.list(path))
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.operate("read", path, false, |disk| disk.read(path))
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        self.operate("look-up", path, false, |disk| disk.exists(path))
    }

    fn temporary_folder(&self, folder: &str) -> PathBuf {
        self.disk.temporary_folder(folder)
    }

    fn new_id(&self) -> Uuid {
        Uuid::from_u64_pair(self.world.number(), self.world.number())
    }

    fn write_time(&self) -> SystemTime {
        // 2026-11-22 12:00 UTC.
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_348_800) + self.world.time()
    }
}

struct SimulatedFile {
    store: SimulatedStore,
    path: String,
    file: Box<dyn StoreFile>,
}

impl Write for SimulatedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let SimulatedFile { store, path, file } = self;
        let is_flipped = store.has(Mutation::FlippedByte) && is_data(path) && store.world.one_in(10);
        store.operate("write", path, true, |_| {
            if !is_flipped {
                return file.write(bytes);
            }
            let mut flipped = bytes.to_vec();
            flipped[bytes.len() / 2] ^= 1;
            file.write(&flipped)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl StoreFile for SimulatedFile {
    fn sync(&mut self) -> io::Result<()> {
        let SimulatedFile { store, path, file, .. } = self;
        let is_skipped = match store.world.mutation() {
            Some(Mutation::UnsyncedFiles) => is_data(path),
            Some(Mutation::UnsyncedEntries) => path.contains("/entry-"),
            _ => false,
        };
        store.operate("sync", path, true, |_| if is_skipped { Ok(()) } else { file.sync() })
    }
}
