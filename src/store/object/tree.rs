//! The operations of a file system on the objects of a bucket.

use std::env;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use object_store::{PutMode, UpdateVersion};
use tracing::debug;

use super::blocks::Blocks;
use super::failure::{io_error, is_absent};
use super::generation::{GENERATION, expect_generation, generation_of};
use super::objects::{Bucket, Objects};
use super::probe::probe;
use super::staged_object::StagedObject;
use super::ticket::{SUFFIX, Ticket, ticket_path};
use crate::store::layout::{BASES, LOG, STAGING};
use crate::store::{ObjectOperations, ObjectVersion, Store, StoreFile, StoredFile, is_refusal};

/// Bytes of a part of an upload; a file that has fewer is one object.
const PART_BYTES: usize = 8 << 20;
/// How often a reader looks for a file whose upload is not completed yet, and the pause in between: the run completes it right after its entry.
const LOOKS: usize = 20;
const PAUSE: Duration = Duration::from_millis(100);
/// How often something is put while it is neither there nor something else, and the first pause in between.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The files of one book as the objects below a prefix.
#[derive(Clone)]
pub struct ObjectTree {
    objects: Objects,
    blocks: Arc<Blocks>,
    part_bytes: usize,
}

impl ObjectTree {
    /// The objects of `bucket` whose keys begin with `prefix` and a slash; all if it is empty.
    pub fn new(bucket: Arc<dyn Bucket>, prefix: &str) -> ObjectTree {
        ObjectTree { objects: Objects::new(bucket, prefix), blocks: Arc::default(), part_bytes: PART_BYTES }
    }

    /// The same in a store whose answer to a copy does not mean that it is done.
    #[must_use]
    pub fn with_late_copies(self) -> ObjectTree {
        ObjectTree { objects: self.objects.with_late_copies(), ..self }
    }

    /// The same with parts of another size: what a store requires of it is the caller's care.
    #[must_use]
    pub fn with_part_bytes(self, part_bytes: usize) -> ObjectTree {
        ObjectTree { part_bytes: part_bytes.max(1), ..self }
    }

    fn begin(&self, path: &str, destination: Option<&str>) -> Box<dyn StoreFile> {
        Box::new(StagedObject::new(self.objects.clone(), path, destination, self.part_bytes))
    }

    /// Makes a staged file of rows visible: nothing replaces it later, so this may be repeated at any time.
    fn place(&self, from: &str, to: &str) -> io::Result<()> {
        match self.objects.copy(from, to) {
            Ok(()) => {
                if is_staged(to) {
                    // What a suspended run takes away may be a newer run's meanwhile.
                    expect_generation(&self.objects, to)?;
                }
                self.objects.delete(vec![from.to_owned()])
            }
            Err(error) if is_absent(&error) => match Ticket::read(&self.objects, from)? {
                Some(ticket) if ticket.path == to => {
                    ticket.complete(&self.objects)?;
                    self.objects.delete(vec![ticket_path(from)])
                }
                Some(ticket) => {
                    let reason = format!("its upload is to {:?}", ticket.path);
                    Err(io::Error::new(ErrorKind::InvalidData, reason))
                }
                None => Err(io_error(error)),
            },
            Err(error) => Err(io_error(error)),
        }
    }

    /// Replaces `to` by the bytes of `from`, unless another process has replaced it since this began; then looks again whether `from` is there.
    fn replace_by(&self, from: &str, to: &str) -> io::Result<()> {
        for _ in 0..ATTEMPTS {
            let version = self.version(to)?;
            // After the version: the start of a newer run removes what is staged before it replaces anything again.
            let (_, bytes) = self.objects.get(from, None).map_err(io_error)?;
            if self.replace(to, &bytes, &version)? {
                return self.objects.delete(vec![from.to_owned()]);
            }
        }
        Err(io::Error::other(format!("{to:?} was replaced by others again and again")))
    }

    /// Reads a file; for a staged one that is an upload, which cannot be read, waits until it is in its place.
    fn when_completed<T>(&self, path: &str, read: impl Fn(&str) -> io::Result<T>) -> io::Result<T> {
        let is_absent = |read: &io::Result<T>| read.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound);
        let found = read(path);
        if !is_absent(&found) || !is_staged(path) {
            return found;
        }
        let Some(ticket) = Ticket::read(&self.objects, path)? else { return found };
        for _ in 0..LOOKS {
            let completed = read(&ticket.path);
            if !is_absent(&completed) {
                return completed;
            }
            thread::sleep(PAUSE);
        }
        found
    }

    fn version(&self, path: &str) -> io::Result<ObjectVersion> {
        let about = self.objects.head(path)?;
        Ok(about
            .map_or(ObjectVersion::Absent, |about| ObjectVersion::Present { tag: about.e_tag, number: about.version }))
    }

    /// Whether there is any object below a folder.
    fn has_any(&self, folder: &str) -> io::Result<bool> {
        Ok(!self.objects.list_all(folder, 1)?.is_empty())
    }
}

impl Store for ObjectTree {
    fn create(&self, path: &str) -> io::Result<Box<dyn StoreFile>> {
        Ok(self.begin(path, None))
    }

    fn create_for(&self, staged: &str, destination: &str) -> io::Result<Box<dyn StoreFile>> {
        Ok(self.begin(staged, Some(destination)))
    }

    /// Copies the object: it has no second name.
    fn hard_link(&self, from: &str, to: &str) -> io::Result<()> {
        if is_entry(to) || is_base(to) {
            // A copy does not say whether the key was taken: see `ObjectOperations::put_new`.
            return Err(ErrorKind::Unsupported.into());
        }
        expect_generation(&self.objects, to)?;
        self.objects.copy(from, to).map_err(io_error)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        if is_staged(to) {
            expect_generation(&self.objects, to)?;
        }
        match is_staged(from) && !is_rows(to) && !is_staged(to) {
            true => self.replace_by(from, to),
            false => self.place(from, to),
        }
    }

    fn exchange(&self, _one: &str, _other: &str) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        let deleted = self.objects.delete(vec![path.to_owned()]);
        self.blocks.forget(path);
        deleted
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        // First of all, so that its run stages nothing more.
        if let Some(generation) = generation_at(path) {
            self.objects.delete(vec![generation])?;
        }
        let paths = self.objects.list_all(path, usize::MAX)?;
        for staged in paths.iter().filter_map(|path| path.strip_suffix(SUFFIX)) {
            if let Some(ticket) = Ticket::read(&self.objects, staged)? {
                debug!(path = ticket.path, "ending an upload that no entry names");
                ticket.abort(&self.objects);
            }
        }
        if paths.is_empty() { Ok(()) } else { self.objects.delete(paths) }
    }

    /// Marks the folder of a generation; all other folders are there when something is in them.
    fn create_folder(&self, path: &str) -> io::Result<()> {
        match generation_at(path) {
            Some(generation) => self.objects.put(&generation, b"", PutMode::Overwrite).map_err(io_error),
            None => Ok(()),
        }
    }

    /// Notices a generation that was swept; everything else is durable already.
    fn sync_folder(&self, path: &str) -> io::Result<()> {
        expect_generation(&self.objects, &format!("{path}/"))
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let names = self.objects.list(path)?;
        let mut names: Vec<String> = names.objects.into_iter().chain(names.folders).collect();
        names.retain(|name| !name.is_empty() && name != GENERATION);
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        if is_entry(path) || is_rows(path) {
            return self.blocks.read(&self.objects, path);
        }
        self.when_completed(path, |path| {
            let (_, bytes) = self.objects.get(path, None).map_err(io_error)?;
            Ok(bytes.into())
        })
    }

    fn open(&self, path: &str) -> io::Result<StoredFile> {
        self.when_completed(path, |path| self.blocks.open(&self.objects, path))
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        if path.is_empty() {
            return self.has_any(path);
        }
        if let Some(generation) = generation_at(path) {
            return Ok(self.objects.head(&generation)?.is_some());
        }
        if self.objects.head(path)?.is_some() {
            return Ok(true);
        }
        match path.rsplit_once('.').map(|(_, extension)| extension) {
            Some("json" | "parquet") => Ok(false),
            Some("inprogress") => Ok(self.objects.head(&ticket_path(path))?.is_some()),
            _ => self.has_any(path),
        }
    }

    fn temporary_folder(&self, _folder: &str) -> PathBuf {
        env::temp_dir()
    }

    fn objects(&self) -> Option<&dyn ObjectOperations> {
        Some(self)
    }
}

impl ObjectOperations for ObjectTree {
    fn put_new(&self, path: &str, bytes: &[u8]) -> io::Result<bool> {
        let mut pauses = Pauses::default();
        loop {
            let Err(error) = self.objects.put(path, bytes, PutMode::Create) else { return Ok(true) };
            match self.objects.get(path, None) {
                Ok((_, present)) => return Ok(present == bytes),
                Err(absent) if is_absent(&absent) => pauses.again_after(io_error(error))?,
                Err(unknown) => return Err(io_error(unknown)),
            }
        }
    }

    fn put_staged(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        expect_generation(&self.objects, path)?;
        self.objects.put(path, bytes, PutMode::Overwrite).map_err(io_error)
    }

    fn read_version(&self, path: &str) -> io::Result<(Option<Vec<u8>>, ObjectVersion)> {
        match self.objects.get(path, None) {
            Ok((about, bytes)) => {
                let version = ObjectVersion::Present { tag: about.e_tag, number: about.version };
                Ok((Some(bytes.into()), version))
            }
            Err(error) if is_absent(&error) => Ok((None, ObjectVersion::Absent)),
            Err(error) => Err(io_error(error)),
        }
    }

    fn replace(&self, path: &str, bytes: &[u8], read: &ObjectVersion) -> io::Result<bool> {
        let mut pauses = Pauses::default();
        loop {
            let mode = match read.clone() {
                ObjectVersion::Absent => PutMode::Create,
                ObjectVersion::Present { tag, number } => {
                    PutMode::Update(UpdateVersion { e_tag: tag, version: number })
                }
            };
            let Err(error) = self.objects.put(path, bytes, mode) else { return Ok(true) };
            // Whatever it says: the answer to a conflict, or to a request that was sent again, may be wrong.
            let (present, version) = self.read_version(path)?;
            if present.as_deref() == Some(bytes) {
                return Ok(true);
            }
            if version != *read {
                return Ok(false);
            }
            pauses.again_after(io_error(error))?;
        }
    }

    fn forget_another_book(&self) -> io::Result<()> {
        self.blocks.forget_another_book(&self.objects)
    }

    fn probe(&self, folder: &str) -> io::Result<()> {
        let probed = probe(&self.objects, folder);
        let removed = self.remove_folder(folder);
        probed.and(removed)
    }
}

/// The pauses between attempts of one request.
#[derive(Default)]
struct Pauses {
    failed: u32,
}

impl Pauses {
    /// Waits until the next attempt; each pause is twice as long as the one before.
    ///
    /// # Errors
    /// The error of the last attempt when there is no other one, or none would help.
    fn again_after(&mut self, error: io::Error) -> io::Result<()> {
        self.failed += 1;
        if self.failed == ATTEMPTS || is_refusal(&error) {
            return Err(error);
        }
        thread::sleep(FIRST_PAUSE * 2u32.pow(self.failed - 1));
        Ok(())
    }
}

/// Whether a path is that of a log entry, which nothing replaces.
fn is_entry(path: &str) -> bool {
    path.strip_prefix(LOG).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a path is that of a base, which is put as an entry is.
fn is_base(path: &str) -> bool {
    path.strip_prefix(BASES).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a path is below the tables of rows, where nothing is replaced.
fn is_rows(path: &str) -> bool {
    ["events/", "rejects/"].iter().any(|table| path.starts_with(table))
}

fn is_staged(path: &str) -> bool {
    path.strip_prefix(STAGING).is_some_and(|rest| rest.starts_with('/'))
}

/// The object that stands for the folder of a generation, if that is what a path is.
fn generation_at(path: &str) -> Option<String> {
    let is_generation = path.strip_prefix(STAGING).is_some_and(|rest| rest.matches('/').count() == 1);
    generation_of(&format!("{path}/")).filter(|_| is_generation)
}
