//! A real directory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Store, StoreFile, StoredFile};

/// A directory of the real file system.
#[derive(Debug, Clone)]
pub struct Disk {
    root: PathBuf,
}

impl Disk {
    /// The tree below `root`; `create_folder("")` creates it, with the folders above it.
    pub fn new(root: impl Into<PathBuf>) -> Disk {
        Disk { root: root.into() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }
}

impl Store for Disk {
    fn create(&self, path: &str) -> io::Result<Box<dyn StoreFile>> {
        let file = OpenOptions::new().write(true).create_new(true).open(self.at(path))?;
        Ok(Box::new(DiskFile(file)))
    }

    fn hard_link(&self, from: &str, to: &str) -> io::Result<()> {
        fs::hard_link(self.at(from), self.at(to))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.at(from), self.at(to))
    }

    fn exchange(&self, one: &str, other: &str) -> io::Result<()> {
        exchange(&self.at(one), &self.at(other))
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.at(path))
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        fs::remove_dir_all(self.at(path))
    }

    fn create_folder(&self, path: &str) -> io::Result<()> {
        if path.is_empty() {
            return create_with_parents(&self.root);
        }
        match fs::create_dir(self.at(path)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && self.at(path).is_dir() => Ok(()),
            made => made,
        }
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        File::open(self.at(path))?.sync_all()
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.at(path))? {
            // We write no names that are not UTF-8.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        fs::read(self.at(path))
    }

    fn open(&self, path: &str) -> io::Result<StoredFile> {
        StoredFile::of_disk(File::open(self.at(path))?)
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        self.at(path).try_exists()
    }

    fn temporary_folder(&self, folder: &str) -> PathBuf {
        self.at(folder)
    }
}

#[cfg(target_os = "linux")]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).map_err(|error| match error {
        // An old kernel, a file system such as NFS, or a folder that is in a lower layer or in another project's quota.
        Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::XDEV => {
            io::Error::new(io::ErrorKind::Unsupported, error)
        }
        error => error.into(),
    })
}

#[cfg(not(target_os = "linux"))]
fn exchange(_one: &Path, _other: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Creates a folder and those above it, and syncs their names; also that of the first existing one, because the process
/// that created it may have been stopped before its sync.
fn create_with_parents(folder: &Path) -> io::Result<()> {
    let Some(parent) = folder.parent() else { return Ok(()) };
    let exists = folder.is_dir();
    if !exists {
        create_with_parents(parent)?;
        match fs::create_dir(folder) {
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
            made => made?,
        }
    }
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    match File::open(parent).and_then(|parent| parent.sync_all()) {
        // An existing folder may be a mount, or in a folder that we cannot read: others have synced its name.
        Err(error) if exists && is_refusal(error.kind()) => Ok(()),
        synced => synced,
    }
}

fn is_refusal(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    matches!(kind, PermissionDenied | InvalidInput | Unsupported)
}

struct DiskFile(File);

impl Write for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl StoreFile for DiskFile {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn makers_of_one_folder_do_not_disturb_each_other() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for round in 0..50 {
            let disk = Disk::new(folder.path().join(format!("{round}/made/with/parents")));
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        disk.create_folder("").expect("it is created, or exists");
                        disk.create_folder("table").expect("it is created, or exists");
                    });
                }
            });
            assert_eq!(disk.list("").expect("it exists"), ["table"]);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn folders_change_places_with_what_is_in_them() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let disk = Disk::new(folder.path());
        for name in ["one", "other"] {
            disk.create_folder(name).expect("a writable folder");
            fs::write(folder.path().join(name).join(name), "").expect("a writable folder");
        }
        disk.exchange("one", "other").expect("Linux and its file systems can");
        assert_eq!((disk.list("one").expect("there"), disk.list("other").expect("there")), {
            (vec!["other".to_owned()], vec!["one".to_owned()])
        });
        let missing = disk.exchange("one", "nothing").expect_err("there is nothing of this name");
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_in_the_way_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("file"), "").expect("a writable folder");
        for path in ["file", "file/below"] {
            assert!(Disk::new(folder.path().join(path)).create_folder("").is_err(), "{path}");
        }
        assert!(Disk::new(folder.path()).create_folder("file").is_err());
    }
}
