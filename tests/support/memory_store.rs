//! A [`Store`] in memory that counts its operations and is struck at the one a test names.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use walbook::store::{Store, StoreFile};

use super::TestDisk;
use super::memory_disk::MemoryDisk;

/// What happens at an operation.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The machine stops before it: this and every later operation fails.
    CrashBefore,
    /// The machine stops after it.
    CrashAfter,
    /// It fails and has done nothing.
    Fail(ErrorKind),
    /// It is done and fails all the same: the answer was lost.
    DoneButFailed(ErrorKind),
    /// The process sleeps before it until it is woken.
    Sleep(Pause),
}

/// A sleep that a test ends.
#[derive(Clone, Debug, Default)]
pub struct Pause(Arc<(Mutex<Sleep>, Condvar)>);

#[derive(Debug, Default)]
struct Sleep {
    reached: bool,
    woken: bool,
}

impl Pause {
    /// A sleep that was not reached yet.
    pub fn new() -> Pause {
        Pause::default()
    }

    /// Waits until the operation is reached.
    pub fn wait(&self) {
        let (sleep, changed) = &*self.0;
        let sleep = lock(sleep);
        drop(changed.wait_while(sleep, |sleep| !sleep.reached).expect("no test panics while it holds the lock"));
    }

    /// Lets the operation, and all that follow, go on.
    pub fn wake(&self) {
        lock(&self.0.0).woken = true;
        self.0.1.notify_all();
    }

    /// Lets the waiting test continue although the operation was never reached.
    pub fn pass(&self) {
        lock(&self.0.0).reached = true;
        self.0.1.notify_all();
    }

    /// Sleeps until it is woken.
    pub fn sleep(&self) {
        self.pass();
        let (sleep, changed) = &*self.0;
        let sleep = lock(sleep);
        drop(changed.wait_while(sleep, |sleep| !sleep.woken).expect("no test panics while it holds the lock"));
    }
}

/// Counts how many planned strikes hit: where threads race, an operation may come after the end of the run.
///
/// A sweep whose strikes miss would pass without testing anything, so [`Strikes::assert_most_hit`] stands at its end.
#[derive(Debug, Default)]
pub struct Strikes {
    planned: usize,
    hit: usize,
}

impl Strikes {
    /// Counts a strike that was planned in this store's process, when that sleeps or has ended.
    pub fn count(&mut self, store: &impl TestDisk) {
        self.planned += 1;
        self.hit += usize::from(store.is_struck());
    }

    /// Requires that more than four in five strikes hit.
    ///
    /// # Panics
    /// If fewer did, or none was planned.
    pub fn assert_most_hit(&self) {
        let Strikes { planned, hit } = self;
        assert!(hit * 5 > planned * 4, "only {hit} of {planned} strikes hit");
    }
}

/// One process's view of a disk in memory; [`MemoryStore::process`] gives another process its own.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    disk: Arc<Mutex<MemoryDisk>>,
    process: Arc<Mutex<Process>>,
}

#[derive(Debug, Default)]
struct Process {
    operations: Vec<String>,
    faults: BTreeMap<usize, Fault>,
    crashed: bool,
    cannot_exchange: bool,
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore::new()
    }
}

impl MemoryStore {
    /// An empty disk.
    pub fn new() -> MemoryStore {
        MemoryStore::on(MemoryDisk::new())
    }

    fn on(disk: MemoryDisk) -> MemoryStore {
        MemoryStore { disk: Arc::new(Mutex::new(disk)), process: Arc::default() }
    }

    /// The same disk for another process, which counts its own operations and has no faults.
    #[must_use]
    pub fn process(&self) -> MemoryStore {
        MemoryStore { disk: Arc::clone(&self.disk), process: Arc::default() }
    }

    /// Strikes at operation `number`, counted from 0.
    pub fn strike(&self, number: usize, fault: Fault) {
        lock(&self.process).faults.insert(number, fault);
    }

    /// Makes this a file system that cannot exchange folders, for this process.
    pub fn forbid_exchange(&self) {
        lock(&self.process).cannot_exchange = true;
    }

    /// Whether all operations that were to be struck were reached.
    pub fn is_struck(&self) -> bool {
        let process = lock(&self.process);
        process.faults.keys().all(|number| *number < process.operations.len())
    }

    /// The operations so far, as `verb path`.
    pub fn operations(&self) -> Vec<String> {
        lock(&self.process).operations.clone()
    }

    /// The disk after a power cut now; `seed` decides what survives of the bytes and names that were not synced. Seed 0 keeps none of
    /// them, seed 1 all.
    #[must_use]
    pub fn survive(&self, seed: u64) -> MemoryStore {
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut decide = |below: usize| match seed {
            0 => 0,
            1 => below - 1,
            _ => {
                // xorshift64: enough to vary the cases, and the same everywhere.
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                usize::try_from(random >> 33).expect("31 bits") % below
            }
        };
        MemoryStore::on(lock(&self.disk).after_crash(&mut decide))
    }

    /// All files with their bytes, by path.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        lock(&self.disk).files()
    }

    /// Replaces the bytes of a file, as damage would.
    ///
    /// # Errors
    /// `NotFound` when there is no such file.
    pub fn damage(&self, path: &str, bytes: Vec<u8>) -> io::Result<()> {
        lock(&self.disk).replace(path, bytes)
    }

    /// Writes all files below a real directory, which is made.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn write_to(&self, root: &Path) -> io::Result<()> {
        fs::create_dir_all(root)?;
        for (path, bytes) in self.files() {
            let path = root.join(path);
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(path, bytes)?;
        }
        Ok(())
    }

    /// Counts an operation, and does it as the faults allow.
    fn operate<T>(&self, verb: &str, path: &str, act: impl FnOnce(&mut MemoryDisk) -> io::Result<T>) -> io::Result<T> {
        let fault = {
            let mut process = lock(&self.process);
            if process.crashed {
                return Err(io::Error::other("the machine has stopped"));
            }
            process.operations.push(format!("{verb} {path}"));
            let number = process.operations.len() - 1;
            let fault = process.faults.get(&number).cloned();
            process.crashed = matches!(fault, Some(Fault::CrashBefore | Fault::CrashAfter));
            fault
        };
        match fault {
            None => act(&mut lock(&self.disk)),
            Some(Fault::CrashBefore) => Err(io::Error::other("the machine stops")),
            Some(Fault::CrashAfter) => {
                act(&mut lock(&self.disk))?;
                Err(io::Error::other("the machine stops"))
            }
            Some(Fault::Fail(kind)) => Err(kind.into()),
            Some(Fault::DoneButFailed(kind)) => {
                act(&mut lock(&self.disk))?;
                Err(kind.into())
            }
            Some(Fault::Sleep(pause)) => {
                pause.sleep();
                act(&mut lock(&self.disk))
            }
        }
    }
}

impl Store for MemoryStore {
    fn create(&self, path: &str) -> io::Result<Box<dyn StoreFile>> {
        let inode = self.operate("create", path, |disk| disk.create(path))?;
        Ok(Box::new(MemoryFile { store: self.clone(), path: path.to_owned(), inode }))
    }

    fn hard_link(&self, from: &str, to: &str) -> io::Result<()> {
        self.operate("link", to, |disk| disk.hard_link(from, to))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.operate("rename", to, |disk| disk.rename(from, to))
    }

    fn exchange(&self, one: &str, other: &str) -> io::Result<()> {
        if lock(&self.process).cannot_exchange {
            return Err(ErrorKind::Unsupported.into());
        }
        self.operate("exchange", other, |disk| disk.exchange(one, other))
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        self.operate("remove", path, |disk| disk.remove_file(path))
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        self.operate("remove-folder", path, |disk| disk.remove_folder(path))
    }

    fn create_folder(&self, path: &str) -> io::Result<()> {
        self.operate("make-folder", path, |disk| disk.create_folder(path))
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        self.operate("sync-folder", path, |disk| disk.sync_folder(path))
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.operate("list", path, |disk| disk.list(path))
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.operate("read", path, |disk| disk.read(path))
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        self.operate("look-up", path, |disk| Ok(disk.exists(path)))
    }

    fn temporary_folder(&self, _folder: &str) -> PathBuf {
        std::env::temp_dir()
    }
}

struct MemoryFile {
    store: MemoryStore,
    path: String,
    inode: usize,
}

impl Write for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.store.operate("write", &self.path, |disk| {
            disk.append(self.inode, bytes);
            Ok(bytes.len())
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl StoreFile for MemoryFile {
    fn sync(&mut self) -> io::Result<()> {
        self.store.operate("sync", &self.path, |disk| {
            disk.sync_file(self.inode);
            Ok(())
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics while it holds the lock")
}
