//! A disk that is nowhere but in this process's memory, for a broker whose data are to be gone with it.
//!
//! A file is a list of chunks on the heap, and a name leads to a file. There is no descriptor, no page cache and nothing to
//! sync, so that fifty such brokers, or ten thousand partitions, need no descriptor for their logs. Files of the kernel that
//! have no name (`memfd_create`) were the other way: `sendfile` would work as it is, but each file would hold a descriptor that
//! cannot be closed without losing the file, or all of them would share one and this disk would share out its pages by itself.
//!
//! What goes to a client is sent from where it lies ([`File::lend`]): as many copies as with `sendfile`, which is one. Deviation
//! from the map's "no lock for readers": a file has one, held by readers together, for one copy or one `send` that does not
//! block; the kernel has such a lock in its place.
//!
//! Bounded: chunks are counted before they are asked for. What does not fit is refused like a write to a full disk, as a whole.
//! One directory's files may take a little more than the others, the metadata log's: a topic's deletion is written there, so that
//! a disk that its clients have filled can be emptied by them.

mod content;
mod trouble;

use self::content::{Content, charge};
pub use self::trouble::DiskTrouble;
use super::disk::{Disk, Entry, File, Lock, Open, Space};
use super::environment::Environment;
use super::file_pool::OpenFiles;
use crate::model::TimestampMs;
use crate::stdx::mutex::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Chunks that one send takes: a mebibyte, wherever it begins.
const MOST_PIECES: usize = 17;
/// What the favoured directory has beyond the limit: some thousand deletions, and a snapshot.
const RESERVE_BYTES: u64 = 1 << 20;
/// Closing a file frees nothing here, so that as many are open as there are.
const MOST_OPEN: usize = usize::MAX;

/// The disk. Its content is dropped with it.
pub struct MemoryDisk {
    nodes: Mutex<BTreeMap<PathBuf, Node>>,
    budget: Arc<Budget>,
    favoured: &'static str,
    locks: Arc<Mutex<BTreeSet<PathBuf>>>,
    open_files: Arc<OpenFiles>,
}

#[derive(Clone)]
enum Node {
    Directory,
    File(Arc<MemoryFile>),
}

/// What all files of a disk share.
struct Budget {
    trouble: Arc<DiskTrouble>,
    used_bytes: AtomicU64,
    limit_bytes: AtomicU64,
    environment: Environment,
}

struct MemoryFile {
    budget: Arc<Budget>,
    /// How far beyond the limit it may still grow.
    reserve_bytes: u64,
    content: RwLock<Content>,
}

impl MemoryDisk {
    /// An empty disk that takes so many bytes of memory at most, and the reserve of the directories that have the favoured
    /// name.
    pub fn new(limit_bytes: u64, favoured: &'static str, environment: Environment) -> MemoryDisk {
        MemoryDisk {
            nodes: Mutex::default(),
            budget: Arc::new(Budget {
                trouble: Arc::default(),
                used_bytes: AtomicU64::new(0),
                limit_bytes: limit_bytes.into(),
                environment,
            }),
            favoured,
            locks: Arc::default(),
            open_files: Arc::new(OpenFiles::new(MOST_OPEN)),
        }
    }

    /// What a test may do to it.
    pub fn trouble(&self) -> &Arc<DiskTrouble> {
        &self.budget.trouble
    }

    /// What its files take of the limit.
    pub fn used_bytes(&self) -> u64 {
        self.budget.used_bytes.load(Ordering::Relaxed)
    }

    /// Changes what its files may take. What they have stays, if it is more.
    pub fn set_limit(&self, limit_bytes: u64) {
        self.budget.limit_bytes.store(limit_bytes, Ordering::Relaxed);
    }

    /// The same content on a disk of its own, with a limit of its own. No broker may write here meanwhile.
    pub fn copy(&self, limit_bytes: u64, environment: Environment) -> MemoryDisk {
        let copy = MemoryDisk::new(limit_bytes, self.favoured, environment);
        let nodes = self.nodes.lock();
        let copied = nodes.iter().map(|(path, node)| {
            let node = match node {
                Node::Directory => Node::Directory,
                Node::File(file) => Node::File(Arc::new(file.copy(&copy.budget))),
            };
            (path.clone(), node)
        });
        *copy.nodes.lock() = copied.collect();
        copy
    }

    fn node(&self, path: &Path) -> io::Result<Node> {
        let nodes = self.nodes.lock();
        nodes.get(path).cloned().ok_or_else(|| missing(&nodes, path))
    }

    fn new_file(&self, path: &Path) -> MemoryFile {
        let is_favoured = path.parent().and_then(Path::file_name) == Some(OsStr::new(self.favoured));
        let content = Content { modified: self.budget.environment.wall(), ..Content::default() };
        MemoryFile {
            budget: self.budget.clone(),
            reserve_bytes: if is_favoured { RESERVE_BYTES } else { 0 },
            content: RwLock::new(content),
        }
    }
}

/// Why a path that leads nowhere does so.
fn missing(nodes: &BTreeMap<PathBuf, Node>, path: &Path) -> io::Error {
    let is_below_file = path.ancestors().any(|at| matches!(nodes.get(at), Some(Node::File(_))));
    if is_below_file { ErrorKind::NotADirectory.into() } else { ErrorKind::NotFound.into() }
}

/// Whether names may be made in the directory that the path is in.
fn check_parent(nodes: &BTreeMap<PathBuf, Node>, path: &Path) -> io::Result<()> {
    match path.parent().and_then(|parent| nodes.get(parent)) {
        Some(Node::Directory) => Ok(()),
        _ => Err(missing(nodes, path)),
    }
}

/// The paths below a directory.
fn below<'n>(
    nodes: &'n BTreeMap<PathBuf, Node>,
    directory: &'n Path,
) -> impl Iterator<Item = (&'n PathBuf, &'n Node)> + 'n {
    // Paths are ordered by their names, so that what is below a directory follows it.
    let from = nodes.range(directory.to_path_buf()..);
    from.take_while(move |(path, _)| path.starts_with(directory)).filter(move |(path, _)| path.as_path() != directory)
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let mut nodes = self.nodes.lock();
        match nodes.get(path) {
            Some(Node::File(file)) => Ok(file.clone()),
            Some(Node::Directory) => Err(ErrorKind::IsADirectory.into()),
            None if how == Open::Create => {
                check_parent(&nodes, path)?;
                let file = Arc::new(self.new_file(path));
                nodes.insert(path.to_path_buf(), Node::File(file.clone()));
                Ok(file)
            }
            None => Err(missing(&nodes, path)),
        }
    }

    fn open_files(&self) -> &Arc<OpenFiles> {
        &self.open_files
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        let nodes = self.nodes.lock();
        match nodes.get(directory) {
            Some(Node::Directory) => {}
            Some(Node::File(_)) => return Err(ErrorKind::NotADirectory.into()),
            None => return Err(missing(&nodes, directory)),
        }
        let own = below(&nodes, directory).filter(|(path, _)| path.parent() == Some(directory));
        let entry = |(path, node): (&PathBuf, &Node)| {
            let name = path.file_name()?.to_str()?.to_string();
            Some(Entry { name, is_directory: matches!(node, Node::Directory) })
        };
        Ok(own.filter_map(entry).collect())
    }

    fn create_directories(&self, path: &Path) -> io::Result<()> {
        let mut nodes = self.nodes.lock();
        if path.ancestors().any(|at| matches!(nodes.get(at), Some(Node::File(_)))) {
            return Err(ErrorKind::NotADirectory.into());
        }
        for directory in path.ancestors() {
            nodes.insert(directory.to_path_buf(), Node::Directory);
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut nodes = self.nodes.lock();
        check_parent(&nodes, from)?;
        check_parent(&nodes, to)?;
        let moved = nodes.get(from).cloned().ok_or(ErrorKind::NotFound)?;
        if from == to {
            return Ok(());
        }
        match (&moved, nodes.get(to)) {
            (Node::Directory, _) if to.starts_with(from) => return Err(ErrorKind::InvalidInput.into()),
            _ if from.starts_with(to) => return Err(ErrorKind::DirectoryNotEmpty.into()),
            (Node::Directory, Some(Node::Directory)) if below(&nodes, to).next().is_some() => {
                return Err(ErrorKind::DirectoryNotEmpty.into());
            }
            (Node::Directory, Some(Node::File(_))) => return Err(ErrorKind::NotADirectory.into()),
            (Node::File(_), Some(Node::Directory)) => return Err(ErrorKind::IsADirectory.into()),
            _ => {}
        }
        let inside: Vec<PathBuf> = below(&nodes, from).map(|(path, _)| path.clone()).collect();
        nodes.remove(from);
        nodes.insert(to.to_path_buf(), moved);
        for old in inside {
            if let (Some(node), Ok(rest)) = (nodes.remove(&old), old.strip_prefix(from)) {
                nodes.insert(to.join(rest), node);
            }
        }
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut nodes = self.nodes.lock();
        match nodes.get(path) {
            Some(Node::File(_)) => drop(nodes.remove(path)),
            Some(Node::Directory) => return Err(ErrorKind::IsADirectory.into()),
            None => return Err(missing(&nodes, path)),
        }
        Ok(())
    }

    fn remove_directory_tree(&self, path: &Path) -> io::Result<()> {
        let mut nodes = self.nodes.lock();
        match nodes.get(path) {
            Some(Node::Directory) => {}
            Some(Node::File(_)) => return Err(ErrorKind::NotADirectory.into()),
            None => return Err(missing(&nodes, path)),
        }
        let mut gone: Vec<PathBuf> = below(&nodes, path).map(|(path, _)| path.clone()).collect();
        gone.push(path.to_path_buf());
        let removed: Vec<_> = gone.iter().map(|path| nodes.remove(path)).collect();
        // Their memory is freed while others use the disk.
        drop(nodes);
        drop(removed);
        Ok(())
    }

    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        self.budget.trouble.sync()
    }

    fn sync_file_system(&self, _: &Path) -> io::Result<()> {
        self.budget.trouble.sync()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        self.open(path, Open::Create)?;
        if !self.locks.lock().insert(path.to_path_buf()) {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(MemoryLock { path: path.to_path_buf(), locks: self.locks.clone() }))
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        let total_bytes = self.budget.limit_bytes.load(Ordering::Relaxed);
        let usable_bytes = match self.budget.trouble.is_full() {
            true => 0,
            false => total_bytes.saturating_sub(self.used_bytes()),
        };
        Ok(Space { total_bytes, usable_bytes })
    }

    fn exists(&self, path: &Path) -> bool {
        self.node(path).is_ok()
    }
}

struct MemoryLock {
    path: PathBuf,
    locks: Arc<Mutex<BTreeSet<PathBuf>>>,
}

impl Lock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        assert!(self.locks.lock().remove(&self.path), "a lock is noted as long as it is held");
    }
}

impl Budget {
    fn take(&self, bytes: u64, reserve_bytes: u64) -> io::Result<()> {
        let limit_bytes = self.limit_bytes.load(Ordering::Relaxed).saturating_add(reserve_bytes);
        let taken = self.used_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|used| bytes == 0 || *used <= limit_bytes)
        });
        taken.map(|_| ()).map_err(|_| {
            io::Error::new(ErrorKind::StorageFull, format!("the disk in memory is full, it has {limit_bytes} bytes"))
        })
    }

    fn give_back(&self, bytes: u64) {
        let before = self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
        assert!(before >= bytes, "what is given back was taken");
    }
}

impl MemoryFile {
    /// The same content in a file of another disk, which has room for it.
    fn copy(&self, budget: &Arc<Budget>) -> MemoryFile {
        let content = self.read();
        budget.used_bytes.fetch_add(charge(content.size()), Ordering::Relaxed);
        let content = Content { chunks: content.chunks.clone(), modified: content.modified };
        MemoryFile { budget: budget.clone(), reserve_bytes: self.reserve_bytes, content: RwLock::new(content) }
    }

    fn read(&self) -> RwLockReadGuard<'_, Content> {
        // As with `stdx::mutex`: the binary never sees it poisoned.
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the content, which then has this size. What it will take is counted before, what it does not, after.
    fn change(&self, size: impl Fn(u64) -> u64, change: impl FnOnce(&mut Content) -> io::Result<()>) -> io::Result<()> {
        let mut content: RwLockWriteGuard<'_, Content> = self.content.write().unwrap_or_else(PoisonError::into_inner);
        let before = content.size();
        let after = size(before);
        if after > before && self.reserve_bytes == 0 {
            self.budget.trouble.check_growth()?;
        }
        self.budget.take(charge(after).saturating_sub(charge(before)), self.reserve_bytes)?;
        let changed = change(&mut content);
        content.modified = self.budget.environment.wall();
        if changed.is_err() {
            // The machine has less memory than the disk may take.
            content.cut(before);
        }
        let least = charge(content.size());
        self.budget.give_back(charge(after.max(before)) - least);
        changed
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        let size = self.read().size();
        self.budget.give_back(charge(size));
    }
}

impl File for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let content = self.read();
        let mut done = 0;
        for piece in content.pieces(position, buffer.len()) {
            buffer[done..done + piece.len()].copy_from_slice(piece);
            done += piece.len();
        }
        Ok(done)
    }

    fn write_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        let length = slices.iter().map(|slice| slice.len() as u64).sum();
        let end = position.checked_add(length).ok_or(ErrorKind::FileTooLarge)?;
        self.change(
            |before| before.max(end),
            |content| {
                content.fill(position)?;
                let mut at = position;
                for slice in slices {
                    content.put(at, slice)?;
                    at += slice.len() as u64;
                }
                Ok(())
            },
        )
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.read().size())
    }

    fn modified(&self) -> io::Result<TimestampMs> {
        Ok(self.read().modified)
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.change(
            |_| size,
            |content| {
                content.cut(size);
                content.fill(size)
            },
        )
    }

    fn allocate(&self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.budget.trouble.sync()
    }

    fn is_resident(&self, _: u64, _: u64) -> bool {
        true
    }

    fn descriptor(&self) -> Option<RawFd> {
        None
    }

    fn lend(
        &self,
        position: u64,
        length: usize,
        to: &mut dyn FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> Option<io::Result<usize>> {
        let content = self.read();
        let mut slices = [IoSlice::new(&[]); MOST_PIECES];
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(content.pieces(position, length)) {
            *slice = IoSlice::new(piece);
            count += 1;
        }
        Some(if count == 0 { Ok(0) } else { to(&slices[..count]) })
    }
}

#[cfg(test)]
mod tests;
