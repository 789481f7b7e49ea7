//! A file system in memory that knows what would survive a crash.
//!
//! Bytes survive once their file is synced, names once their folder is. What is not synced may or may not survive, each
//! change by itself, as a seed decides; only a rename is atomic, as on every journalling file system: the file has its old name,
//! its new one, or both, and syncing the folder it left promises nothing. An exchange happens whole or not at all.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};

type Inode = usize;

#[derive(Clone, Debug)]
enum Node {
    File { bytes: Vec<u8>, durable: Vec<u8> },
    Folder { names: BTreeMap<String, Inode>, durable: BTreeMap<String, Inode> },
}

/// A change of names that no sync has made durable.
#[derive(Clone, Debug)]
enum Pending {
    Add {
        folder: Inode,
        name: String,
        inode: Inode,
    },
    Remove {
        folder: Inode,
        name: String,
    },
    Rename {
        from: (Inode, String),
        to: (Inode, String),
        inode: Inode,
    },
    /// What each of two names has since.
    Exchange([(Inode, String, Inode); 2]),
}

#[derive(Clone, Debug)]
pub(super) struct MemoryDisk {
    nodes: Vec<Node>,
    pending: Vec<Pending>,
}

const ROOT: Inode = 0;

impl MemoryDisk {
    pub(super) fn new() -> MemoryDisk {
        MemoryDisk { nodes: vec![folder()], pending: Vec::new() }
    }

    pub(super) fn create(&mut self, path: &str) -> io::Result<Inode> {
        let (parent, name) = self.parent(path)?;
        if self.names(parent)?.contains_key(&name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.nodes.push(Node::File { bytes: Vec::new(), durable: Vec::new() });
        let inode = self.nodes.len() - 1;
        self.add(parent, name, inode)?;
        Ok(inode)
    }

    /// Writing goes on when the file's name is gone, as it does on a real file system.
    pub(super) fn append(&mut self, file: Inode, more: &[u8]) {
        if let Node::File { bytes, .. } = &mut self.nodes[file] {
            bytes.extend_from_slice(more);
        }
    }

    pub(super) fn sync_file(&mut self, file: Inode) {
        if let Node::File { bytes, durable } = &mut self.nodes[file] {
            durable.clone_from(bytes);
        }
    }

    pub(super) fn hard_link(&mut self, from: &str, to: &str) -> io::Result<()> {
        let inode = self.find(from)?;
        let (parent, name) = self.parent(to)?;
        if self.names(parent)?.contains_key(&name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.add(parent, name, inode)
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let inode = self.find(from)?;
        let (source, old) = self.parent(from)?;
        let (target, new) = self.parent(to)?;
        match self.names(target)?.get(&new) {
            // POSIX: two names of one file stay both.
            Some(there) if *there == inode => return Ok(()),
            Some(there) if self.is_folder(*there) || self.is_folder(inode) => {
                return Err(ErrorKind::AlreadyExists.into());
            }
            _ => {}
        }
        self.names_mut(source)?.remove(&old);
        self.names_mut(target)?.insert(new.clone(), inode);
        self.pending.push(Pending::Rename { from: (source, old), to: (target, new), inode });
        Ok(())
    }

    pub(super) fn exchange(&mut self, one: &str, other: &str) -> io::Result<()> {
        let (first, second) = (self.find(one)?, self.find(other)?);
        let (here, there) = (self.parent(one)?, self.parent(other)?);
        self.names_mut(here.0)?.insert(here.1.clone(), second);
        self.names_mut(there.0)?.insert(there.1.clone(), first);
        self.pending.push(Pending::Exchange([(here.0, here.1, second), (there.0, there.1, first)]));
        Ok(())
    }

    pub(super) fn remove_file(&mut self, path: &str) -> io::Result<()> {
        let inode = self.find(path)?;
        if self.is_folder(inode) {
            return Err(ErrorKind::IsADirectory.into());
        }
        self.remove(path)
    }

    pub(super) fn remove_folder(&mut self, path: &str) -> io::Result<()> {
        for name in self.list(path)? {
            let child = format!("{path}/{name}");
            if self.is_folder(self.find(&child)?) { self.remove_folder(&child)? } else { self.remove(&child)? }
        }
        self.remove(path)
    }

    pub(super) fn create_folder(&mut self, path: &str) -> io::Result<()> {
        match self.find(path) {
            Ok(there) if self.is_folder(there) => return Ok(()),
            Ok(_) => return Err(ErrorKind::AlreadyExists.into()),
            Err(_) => {}
        }
        let (parent, name) = self.parent(path)?;
        self.nodes.push(folder());
        let inode = self.nodes.len() - 1;
        self.add(parent, name, inode)
    }

    pub(super) fn sync_folder(&mut self, path: &str) -> io::Result<()> {
        let synced = self.find(path)?;
        self.names(synced)?;
        for change in std::mem::take(&mut self.pending) {
            match change {
                Pending::Add { folder, name, inode } if folder == synced => self.keep(folder, name, Some(inode)),
                Pending::Remove { folder, name } if folder == synced => self.keep(folder, name, None),
                Pending::Rename { from, to, inode } if to.0 == synced => {
                    self.keep(to.0, to.1, Some(inode));
                    self.pending.push(Pending::Remove { folder: from.0, name: from.1 });
                }
                Pending::Exchange(both) if both.iter().any(|(folder, ..)| *folder == synced) => {
                    both.into_iter().for_each(|(folder, name, inode)| self.keep(folder, name, Some(inode)));
                }
                other => self.pending.push(other),
            }
        }
        Ok(())
    }

    pub(super) fn list(&self, path: &str) -> io::Result<Vec<String>> {
        Ok(self.names(self.find(path)?)?.keys().cloned().collect())
    }

    pub(super) fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        match &self.nodes[self.find(path)?] {
            Node::File { bytes, .. } => Ok(bytes.clone()),
            Node::Folder { .. } => Err(ErrorKind::IsADirectory.into()),
        }
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.find(path).is_ok()
    }

    /// The disk after a power cut: what was synced, and of the rest what `decide` keeps; it answers below the number given.
    pub(super) fn after_crash(&self, decide: &mut dyn FnMut(usize) -> usize) -> MemoryDisk {
        let mut disk = self.clone();
        for change in std::mem::take(&mut disk.pending) {
            match change {
                Pending::Add { folder, name, inode } if decide(2) == 1 => disk.keep(folder, name, Some(inode)),
                Pending::Remove { folder, name } if decide(2) == 1 => disk.keep(folder, name, None),
                Pending::Rename { from, to, inode } => {
                    let fate = decide(3);
                    if fate > 0 {
                        disk.keep(to.0, to.1, Some(inode));
                    }
                    if fate > 1 {
                        disk.keep(from.0, from.1, None);
                    }
                }
                Pending::Exchange(both) if decide(2) == 1 => {
                    both.into_iter().for_each(|(folder, name, inode)| disk.keep(folder, name, Some(inode)));
                }
                _ => {}
            }
        }
        for node in &mut disk.nodes {
            match node {
                Node::File { bytes, durable } => {
                    let unsynced = bytes.len() - durable.len();
                    bytes.truncate(durable.len() + decide(unsynced + 1));
                    durable.clone_from(bytes);
                }
                Node::Folder { names, durable } => names.clone_from(durable),
            }
        }
        disk
    }

    /// All files with their bytes, by path.
    pub(super) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![(String::new(), ROOT)];
        while let Some((path, inode)) = folders.pop() {
            match &self.nodes[inode] {
                Node::File { bytes, .. } => drop(files.insert(path, bytes.clone())),
                Node::Folder { names, .. } => {
                    let separator = if path.is_empty() { "" } else { "/" };
                    folders.extend(names.iter().map(|(name, inode)| (format!("{path}{separator}{name}"), *inode)));
                }
            }
        }
        files
    }

    /// Puts other bytes into a file, as a bad disk does.
    pub(super) fn replace(&mut self, path: &str, with: Vec<u8>) -> io::Result<()> {
        let inode = self.find(path)?;
        self.nodes[inode] = Node::File { durable: with.clone(), bytes: with };
        Ok(())
    }

    fn add(&mut self, folder: Inode, name: String, inode: Inode) -> io::Result<()> {
        self.names_mut(folder)?.insert(name.clone(), inode);
        self.pending.push(Pending::Add { folder, name, inode });
        Ok(())
    }

    fn remove(&mut self, path: &str) -> io::Result<()> {
        let (folder, name) = self.parent(path)?;
        self.names_mut(folder)?.remove(&name);
        self.pending.push(Pending::Remove { folder, name });
        Ok(())
    }

    fn keep(&mut self, folder: Inode, name: String, inode: Option<Inode>) {
        if let Node::Folder { durable, .. } = &mut self.nodes[folder] {
            match inode {
                Some(inode) => durable.insert(name, inode),
                None => durable.remove(&name),
            };
        }
    }

    fn find(&self, path: &str) -> io::Result<Inode> {
        let parts = path.split('/').filter(|part| !part.is_empty());
        parts.into_iter().try_fold(ROOT, |inode, part| {
            self.names(inode)?.get(part).copied().ok_or_else(|| ErrorKind::NotFound.into())
        })
    }

    fn parent(&self, path: &str) -> io::Result<(Inode, String)> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if name.is_empty() {
            return Err(ErrorKind::InvalidInput.into());
        }
        Ok((self.find(folder)?, name.to_owned()))
    }

    fn is_folder(&self, inode: Inode) -> bool {
        matches!(self.nodes[inode], Node::Folder { .. })
    }

    fn names(&self, inode: Inode) -> io::Result<&BTreeMap<String, Inode>> {
        match &self.nodes[inode] {
            Node::Folder { names, .. } => Ok(names),
            Node::File { .. } => Err(ErrorKind::NotADirectory.into()),
        }
    }

    fn names_mut(&mut self, inode: Inode) -> io::Result<&mut BTreeMap<String, Inode>> {
        match &mut self.nodes[inode] {
            Node::Folder { names, .. } => Ok(names),
            Node::File { .. } => Err(ErrorKind::NotADirectory.into()),
        }
    }
}

fn folder() -> Node {
    Node::Folder { names: BTreeMap::new(), durable: BTreeMap::new() }
}
