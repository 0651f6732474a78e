//! A disk in memory that forgets what was not synced, for tests of what survives.
//!
//! Each file has two images: what a running program sees, and what is durable. A directory has two lists of names
//! likewise. `sync_data` and `sync_directory` bring the second up to the first; [`SimulatedDisk::crash`] brings the
//! first back to the second, which is the harshest reading of POSIX: a new file whose directory was not synced is gone.

use super::disk::{Disk, Entry, File, Lock, Open, Space};
use super::file_pool::OpenFiles;
use crate::model::TimestampMs;
use crate::stdx::mutex::Mutex;
use crate::stdx::random::Random;
use std::collections::{BTreeMap, HashSet};
use std::io::{self, IoSlice};
use std::os::fd::RawFd;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, MutexGuard};

/// What a disk writes as a whole or not at all.
pub const SECTOR_BYTES: usize = 512;

/// How large the disk says that it is.
const SPACE_BYTES: u64 = 1 << 40;

/// How a crash treats what was written and not synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Crash {
    /// The process died: the kernel still has everything.
    Process,
    /// The power failed: all that was not synced is lost.
    Power,
    /// The power failed while the disk was writing: of the sectors and of the lists of names not synced, some arrived, as
    /// the seed decides.
    Torn { seed: u64 },
    /// The same, and each change of a name arrived or did not, whatever became of those before it: what POSIX allows, and
    /// file systems with an ordered journal do not do.
    Scattered { seed: u64 },
}

/// The disk; clones are the same disk.
#[derive(Clone, Default)]
pub struct SimulatedDisk {
    root: Arc<Directory>,
    faults: Arc<Mutex<Faults>>,
    locks: Arc<Mutex<HashSet<PathBuf>>>,
    open_files: Arc<OpenFiles>,
}

/// How often the disk fails by itself: one operation of so many; 0 is never.
#[derive(Clone, Copy, Default, Debug)]
pub struct Failures {
    pub writes_one_in: u64,
    pub syncs_one_in: u64,
    pub reads_one_in: u64,
    /// One of so many ranges is not in the page cache.
    pub cold_one_in: u64,
    /// One of so many syncs of a file says that it is done and has not been.
    pub forgotten_syncs_one_in: u64,
    /// One of so many writes likewise: zeros are in its place.
    pub forgotten_writes_one_in: u64,
}

#[derive(Default)]
struct Faults {
    failures: Failures,
    seed: u64,
    /// Each path has its own: threads that open several logs at once do not take each other's.
    random: BTreeMap<PathBuf, Random>,
    /// Bytes that may still be written before the disk is full.
    space_left: Option<u64>,
    fail_writes: bool,
    fail_syncs: bool,
    writes: u64,
    syncs: u64,
    /// Bytes read of each file, by the path that it was opened by.
    reads: BTreeMap<PathBuf, u64>,
    /// Reads of open files that succeed before one fails.
    reads_left: Option<u64>,
    /// Operations that succeed before all fail: the moment of a crash.
    operations_left: Option<u64>,
    operations: u64,
    /// Everything below fails so.
    broken: BTreeMap<PathBuf, io::ErrorKind>,
    /// What breaks when there were so many operations.
    breaking: Option<(u64, PathBuf, io::ErrorKind)>,
    /// How many operations fail of what is broken before it is well again.
    mends_after: Option<u64>,
    time: TimestampMs,
}

#[derive(Clone)]
enum Node {
    File(Arc<Content>),
    Directory(Arc<Directory>),
}

#[derive(Default)]
struct Directory(Mutex<Names>);

#[derive(Default)]
struct Names {
    live: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
    /// What has happened to `live` since the two were equal.
    changes: Vec<Change>,
}

/// One change of names: the first is no more, the second leads there. A rename is both at once.
struct Change {
    gone: Option<String>,
    new: Option<(String, Node)>,
}

#[derive(Default)]
struct Content(Mutex<Images>);

#[derive(Default)]
struct Images {
    live: Vec<u8>,
    durable: Vec<u8>,
    modified: TimestampMs,
}

struct SimulatedFile {
    path: PathBuf,
    content: Arc<Content>,
    faults: Arc<Mutex<Faults>>,
    writable: bool,
}

struct SimulatedLock {
    path: PathBuf,
    locks: Arc<Mutex<HashSet<PathBuf>>>,
}

impl SimulatedDisk {
    /// An empty disk with its own limit of open files.
    #[cfg(test)]
    pub fn with_open_files(open_files: Arc<OpenFiles>) -> SimulatedDisk {
        SimulatedDisk { open_files, ..SimulatedDisk::default() }
    }

    /// Loses what the crash loses, all locks included. Files still open stay readable but lead nowhere.
    pub fn crash(&self, how: Crash) {
        held(&self.locks).clear();
        let mut random = match how {
            Crash::Process => return,
            Crash::Power => None,
            Crash::Torn { seed } | Crash::Scattered { seed } => Some(seed | 1),
        };
        self.root.crash(&mut random, matches!(how, Crash::Scattered { .. }));
    }

    /// Lets only so many bytes be added from now on; `None` lifts the limit.
    pub fn limit_space(&self, bytes_left: Option<u64>) {
        held(&self.faults).space_left = bytes_left;
    }

    /// What files that are written from now on bear as the time of their last change.
    pub fn set_time(&self, time: TimestampMs) {
        held(&self.faults).time = time;
    }

    /// Lets the disk fail by itself from now on, as the seed decides.
    pub fn set_failures(&self, failures: Failures, seed: u64) {
        let mut faults = held(&self.faults);
        (faults.failures, faults.seed) = (failures, seed);
        faults.random.clear();
    }

    /// Turns one bit of a file, in memory and in the durable image.
    pub fn flip_bit(&self, path: &Path, position: usize, bit: u8) {
        let Ok((directory, name)) = self.parent(path) else { return };
        let node = held(&directory.0).live.get(&name).cloned();
        let Some(Node::File(content)) = node else { return };
        let images = &mut *held(&content.0);
        for image in [&mut images.live, &mut images.durable] {
            if let Some(byte) = image.get_mut(position) {
                *byte ^= 1 << (bit & 7);
            }
        }
    }

    /// Every directory with its files: name, bytes in memory and durable bytes, `-` where it has not that
    /// name.
    pub fn listing(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        self.root.list_into("", &mut found);
        found
    }

    /// A copy that shares nothing with this disk and has no faults.
    pub fn copy(&self) -> SimulatedDisk {
        SimulatedDisk { root: self.root.copy(), ..SimulatedDisk::default() }
    }

    pub fn fail_writes(&self, fail: bool) {
        held(&self.faults).fail_writes = fail;
    }

    pub fn fail_syncs(&self, fail: bool) {
        held(&self.faults).fail_syncs = fail;
    }

    /// Whatever is done below a path fails in this way from now on, but reading what is open; where that is
    /// `StorageFull`, only what makes new names fails. `None` mends it.
    pub fn break_below(&self, path: &Path, how: Option<io::ErrorKind>) {
        let mut faults = held(&self.faults);
        match how {
            Some(how) => drop(faults.broken.insert(path.to_path_buf(), how)),
            None => drop(faults.broken.remove(path)),
        }
    }

    /// As [`SimulatedDisk::break_below`], after so many operations more anywhere.
    pub fn break_later(&self, path: &Path, how: io::ErrorKind, after: u64) {
        let mut faults = held(&self.faults);
        faults.breaking = Some((faults.operations + after, path.to_path_buf(), how));
    }

    /// What breaks next fails so many operations, and is well again.
    pub fn mend_after(&self, failures: Option<u64>) {
        held(&self.faults).mends_after = failures;
    }

    /// Lets only so many operations succeed from now on that are not reads of open files; `None` lifts the limit.
    pub fn limit_operations(&self, left: Option<u64>) {
        held(&self.faults).operations_left = left;
    }

    /// After so many reads of open files one fails; `None` calls it off. Answers whether it was still to come.
    pub fn fail_a_read(&self, after: Option<u64>) -> bool {
        std::mem::replace(&mut held(&self.faults).reads_left, after).is_some()
    }

    /// How many operations there were that are not reads of open files.
    pub fn operations(&self) -> u64 {
        held(&self.faults).operations
    }

    /// How many bytes of each file were read since the last time that this was asked.
    pub fn take_reads(&self) -> BTreeMap<PathBuf, u64> {
        std::mem::take(&mut held(&self.faults).reads)
    }

    /// How many writes and how many syncs of files there were.
    pub fn writes_and_syncs(&self) -> (u64, u64) {
        let faults = held(&self.faults);
        (faults.writes, faults.syncs)
    }

    /// The directory that holds the last name of a path, and that name.
    fn parent(&self, path: &Path) -> io::Result<(Arc<Directory>, String)> {
        let name = path.file_name().and_then(|n| n.to_str()).ok_or(io::ErrorKind::InvalidInput)?;
        Ok((self.directory(path.parent().unwrap_or(Path::new("")))?, name.to_string()))
    }

    fn directory(&self, path: &Path) -> io::Result<Arc<Directory>> {
        let mut at = self.root.clone();
        for name in names(path) {
            let next = held(&at.0).live.get(name).cloned();
            at = match next.ok_or(io::ErrorKind::NotFound)? {
                Node::Directory(directory) => directory,
                Node::File(_) => return Err(io::ErrorKind::NotADirectory.into()),
            };
        }
        Ok(at)
    }
}

impl Faults {
    /// Whether it is this operation that fails, of which one in so many does.
    fn strikes(&mut self, path: &Path, one_in: u64) -> bool {
        if one_in == 0 {
            return false;
        }
        let seed = path
            .as_os_str()
            .as_encoded_bytes()
            .iter()
            .fold(self.seed, |seed, byte| (seed ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        let random = self.random.entry(path.to_path_buf()).or_insert_with(|| Random::new(seed));
        random.chance(one_in)
    }

    fn check_write(&mut self, path: &Path) -> io::Result<()> {
        if self.fail_writes || self.strikes(path, self.failures.writes_one_in) {
            return Err(io::Error::other("the simulated disk fails to write"));
        }
        Ok(())
    }

    fn check_sync(&mut self, path: &Path) -> io::Result<()> {
        if self.fail_syncs || self.strikes(path, self.failures.syncs_one_in) {
            return Err(io::Error::other("the simulated disk fails to sync"));
        }
        Ok(())
    }

    fn check_read(&mut self, path: &Path) -> io::Result<()> {
        if self.strikes(path, self.failures.reads_one_in) {
            return Err(io::Error::other("the simulated disk fails to read"));
        }
        Ok(())
    }

    fn check(&mut self, path: &Path) -> io::Result<()> {
        self.operations += 1;
        if let Some((_, path, how)) = self.breaking.take_if(|(at, ..)| *at < self.operations) {
            self.broken.insert(path, how);
        }
        match &mut self.operations_left {
            Some(0) => return Err(io::Error::other("the simulated disk is gone")),
            Some(left) => *left -= 1,
            None => {}
        }
        self.check_broken(path, |how| how != io::ErrorKind::StorageFull)
    }

    fn check_new_name(&mut self, path: &Path) -> io::Result<()> {
        self.check(path)?;
        self.check_broken(path, |_| true)
    }

    fn check_broken(&mut self, path: &Path, matters: impl Fn(io::ErrorKind) -> bool) -> io::Result<()> {
        let how = self.broken.iter().find(|(broken, _)| path.starts_with(broken)).map(|(_, how)| *how);
        let Some(how) = how.filter(|how| matters(*how)) else { return Ok(()) };
        match &mut self.mends_after {
            Some(0) => return Ok(()),
            Some(left) => *left -= 1,
            None => {}
        }
        Err(how.into())
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}

fn names(path: &Path) -> impl Iterator<Item = &str> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    })
}

/// xorshift64: the same seed gives the same crash.
fn next_random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

impl Directory {
    fn copy(&self) -> Arc<Directory> {
        let names = held(&self.0);
        let copy = |(name, node): (&String, &Node)| {
            let node = match node {
                Node::File(content) => {
                    let images = held(&content.0);
                    let (live, durable) = (images.live.clone(), images.durable.clone());
                    Node::File(Arc::new(Content(Mutex::new(Images { live, durable, modified: images.modified }))))
                }
                Node::Directory(directory) => Node::Directory(directory.copy()),
            };
            (name.clone(), node)
        };
        let live: BTreeMap<_, _> = names.live.iter().map(copy).collect();
        Arc::new(Directory(Mutex::new(Names { durable: live.clone(), live, changes: Vec::new() })))
    }

    fn list_into(&self, path: &str, found: &mut Vec<(String, String)>) {
        let names = held(&self.0);
        let size = |node: Option<&Node>, of: fn(&Images) -> &Vec<u8>| match node {
            Some(Node::File(content)) => of(&held(&content.0)).len().to_string(),
            _ => "-".to_string(),
        };
        let mut files = Vec::new();
        for (name, node) in names.durable.iter().chain(&names.live).collect::<BTreeMap<_, _>>() {
            match node {
                Node::Directory(directory) => directory.list_into(&format!("{path}/{name}"), found),
                Node::File(_) => {
                    let live = size(names.live.get(name), |images| &images.live);
                    let durable = size(names.durable.get(name), |images| &images.durable);
                    files.push(format!("{name} {live}/{durable}"));
                }
            }
        }
        found.push((path.to_string(), files.join(", ")));
    }

    fn sync(&self) {
        let mut names = held(&self.0);
        names.sync();
        for node in names.live.values() {
            match node {
                Node::File(content) => {
                    let images = &mut *held(&content.0);
                    images.durable.clone_from(&images.live);
                }
                Node::Directory(directory) => directory.sync(),
            }
        }
    }

    fn crash(&self, random: &mut Option<u64>, is_scattered: bool) {
        let mut names = held(&self.0);
        if let Some(state) = random {
            if is_scattered {
                names.scatter(state);
            } else if next_random(state).is_multiple_of(4) {
                // What was done to the names may have arrived without having been synced.
                names.sync();
            }
        }
        names.live = names.durable.clone();
        names.changes.clear();
        for node in names.live.values() {
            match node {
                Node::File(content) => content.crash(random),
                Node::Directory(directory) => directory.crash(random, is_scattered),
            }
        }
    }
}

impl Names {
    fn add(&mut self, name: String, node: Node) {
        self.live.insert(name.clone(), node.clone());
        self.changes.push(Change { gone: None, new: Some((name, node)) });
    }

    fn remove(&mut self, name: &str) -> Option<Node> {
        let node = self.live.remove(name)?;
        self.changes.push(Change { gone: Some(name.to_string()), new: None });
        Some(node)
    }

    fn rename(&mut self, from: &str, to: String) -> Option<()> {
        let node = self.live.remove(from)?;
        self.live.insert(to.clone(), node.clone());
        self.changes.push(Change { gone: Some(from.to_string()), new: Some((to, node)) });
        Some(())
    }

    fn sync(&mut self) {
        self.durable = self.live.clone();
        self.changes.clear();
    }

    fn scatter(&mut self, state: &mut u64) {
        for change in std::mem::take(&mut self.changes) {
            if next_random(state) & 1 == 0 {
                change.gone.and_then(|name| self.durable.remove(&name));
                change.new.and_then(|(name, node)| self.durable.insert(name, node));
            }
        }
    }
}

impl Content {
    fn crash(&self, random: &mut Option<u64>) {
        let images = &mut *held(&self.0);
        if let Some(state) = random {
            let size = match next_random(state) % 3 {
                0 => images.durable.len(),
                1 => images.live.len(),
                _ => usize::midpoint(images.durable.len(), images.live.len()),
            };
            let mut torn = images.durable.clone();
            torn.resize(size, 0);
            for (at, sector) in torn.chunks_mut(SECTOR_BYTES).enumerate() {
                let written = images.live.get(at * SECTOR_BYTES..at * SECTOR_BYTES + sector.len());
                if let Some(written) = written.filter(|_| next_random(state) & 1 == 0) {
                    sector.copy_from_slice(written);
                }
            }
            images.durable = torn;
        }
        images.live = images.durable.clone();
    }
}

impl Disk for SimulatedDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        held(&self.faults).check(path)?;
        let (directory, name) = self.parent(path)?;
        let mut names = held(&directory.0);
        if how == Open::Create && !names.live.contains_key(&name) {
            held(&self.faults).check_new_name(path)?;
        }
        let content = match names.live.get(&name) {
            Some(Node::File(content)) => content.clone(),
            Some(Node::Directory(_)) => return Err(io::ErrorKind::IsADirectory.into()),
            None if how == Open::Create => {
                let content = Arc::new(Content::default());
                names.add(name, Node::File(content.clone()));
                content
            }
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        let (path, writable) = (path.to_path_buf(), how != Open::Read);
        Ok(Arc::new(SimulatedFile { path, content, faults: self.faults.clone(), writable }))
    }

    fn open_files(&self) -> &Arc<OpenFiles> {
        &self.open_files
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        held(&self.faults).check(directory)?;
        let directory = self.directory(directory)?;
        let names = held(&directory.0);
        let describe = |(name, node): (&String, &Node)| {
            let is_directory = matches!(node, Node::Directory(_));
            Entry { name: name.clone(), is_directory }
        };
        Ok(names.live.iter().map(describe).collect())
    }

    fn create_directories(&self, path: &Path) -> io::Result<()> {
        held(&self.faults).check_new_name(path)?;
        let mut at = self.root.clone();
        for name in names(path) {
            let mut names = held(&at.0);
            if !names.live.contains_key(name) {
                names.add(name.to_string(), Node::Directory(Arc::default()));
            }
            let next = names.live[name].clone();
            drop(names);
            at = match next {
                Node::Directory(directory) => directory,
                Node::File(_) => return Err(io::ErrorKind::AlreadyExists.into()),
            };
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        held(&self.faults).check(from)?;
        held(&self.faults).check_new_name(to)?;
        let (source, old) = self.parent(from)?;
        let (target, new) = self.parent(to)?;
        if Arc::ptr_eq(&source, &target) {
            return held(&source.0).rename(&old, new).ok_or(io::ErrorKind::NotFound.into());
        }
        let node = held(&source.0).remove(&old).ok_or(io::ErrorKind::NotFound)?;
        held(&target.0).add(new, node);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        held(&self.faults).check(path)?;
        let (directory, name) = self.parent(path)?;
        let mut names = held(&directory.0);
        match names.live.get(&name) {
            Some(Node::File(_)) => names.remove(&name).map(|_| ()).ok_or(io::ErrorKind::NotFound.into()),
            Some(Node::Directory(_)) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn remove_directory_tree(&self, path: &Path) -> io::Result<()> {
        held(&self.faults).check(path)?;
        self.directory(path)?;
        let (directory, name) = self.parent(path)?;
        held(&directory.0).remove(&name);
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        held(&self.faults).check(path)?;
        held(&self.faults).check_sync(path)?;
        held(&self.directory(path)?.0).sync();
        Ok(())
    }

    fn sync_file_system(&self, path: &Path) -> io::Result<()> {
        held(&self.faults).check_sync(path)?;
        self.root.sync();
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        self.open(path, Open::Create)?;
        if !held(&self.locks).insert(path.to_path_buf()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(SimulatedLock { path: path.to_path_buf(), locks: self.locks.clone() }))
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.directory(path)?;
        let usable_bytes = held(&self.faults).space_left.unwrap_or(SPACE_BYTES);
        Ok(Space { total_bytes: SPACE_BYTES, usable_bytes: usable_bytes.min(SPACE_BYTES) })
    }

    fn exists(&self, path: &Path) -> bool {
        held(&self.faults).check(path).is_ok() && (self.directory(path).is_ok() || self.open(path, Open::Read).is_ok())
    }
}

impl Lock for SimulatedLock {}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        held(&self.locks).remove(&self.path);
    }
}

impl SimulatedFile {
    fn check_writable(&self) -> io::Result<()> {
        held(&self.faults).check(&self.path)?;
        if self.writable { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }
}

impl File for SimulatedFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        held(&self.faults).check_read(&self.path)?;
        let images = held(&self.content.0);
        let rest = usize::try_from(position).ok().and_then(|at| images.live.get(at..)).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        let mut faults = held(&self.faults);
        match faults.reads_left {
            Some(0) => {
                faults.reads_left = None;
                return Err(io::Error::other("the simulated disk fails to read"));
            }
            left => faults.reads_left = left.map(|left| left - 1),
        }
        match faults.reads.get_mut(&self.path) {
            Some(bytes) => *bytes += read as u64,
            None => drop(faults.reads.insert(self.path.clone(), read as u64)),
        }
        Ok(read)
    }

    fn write_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        self.check_writable()?;
        let mut at = usize::try_from(position).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut images = held(&self.content.0);
        for slice in slices {
            let mut faults = held(&self.faults);
            faults.writes += 1;
            images.modified = faults.time;
            faults.check_write(&self.path)?;
            let grown = (at + slice.len()).saturating_sub(images.live.len()) as u64;
            // A full disk takes what fits, as a real one may.
            let fits = faults.space_left.map_or(slice.len(), |left| slice.len().min(left as usize));
            let fits = if grown == 0 { slice.len() } else { fits };
            if images.live.len() < at + fits {
                images.live.resize(at + fits, 0);
            }
            let one_in = faults.failures.forgotten_writes_one_in;
            if !faults.strikes(&self.path, one_in) {
                images.live[at..at + fits].copy_from_slice(&slice[..fits]);
            }
            if let Some(left) = &mut faults.space_left {
                *left = left.saturating_sub(grown);
            }
            if fits < slice.len() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            at += slice.len();
        }
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(held(&self.content.0).live.len() as u64)
    }

    fn modified(&self) -> io::Result<TimestampMs> {
        Ok(held(&self.content.0).modified)
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.check_writable()?;
        let size = usize::try_from(size).map_err(|_| io::ErrorKind::FileTooLarge)?;
        held(&self.content.0).live.resize(size, 0);
        Ok(())
    }

    fn allocate(&self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        {
            let mut faults = held(&self.faults);
            faults.check(&self.path)?;
            faults.syncs += 1;
            faults.check_sync(&self.path)?;
            let one_in = faults.failures.forgotten_syncs_one_in;
            if faults.strikes(&self.path, one_in) {
                return Ok(());
            }
        }
        let images = &mut *held(&self.content.0);
        images.durable.clone_from(&images.live);
        Ok(())
    }

    fn is_resident(&self, _: u64, _: u64) -> bool {
        let mut faults = held(&self.faults);
        let cold_one_in = faults.failures.cold_one_in;
        !faults.strikes(&self.path, cold_one_in)
    }

    fn descriptor(&self) -> Option<RawFd> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(disk: &SimulatedDisk, path: &str, content: &[u8]) -> Arc<dyn File> {
        let file = disk.open(Path::new(path), Open::Create).unwrap();
        file.write_at(&[IoSlice::new(content)], 0).unwrap();
        file
    }

    fn read(disk: &SimulatedDisk, path: &str) -> Option<Vec<u8>> {
        disk.read_small(Path::new(path), 1 << 20).ok()
    }

    #[test]
    fn a_power_failure_keeps_what_was_synced() {
        let disk = SimulatedDisk::default();
        disk.create_directories(Path::new("/d")).unwrap();
        disk.sync_directory(Path::new("/")).unwrap();
        let file = write(&disk, "/d/named", b"one");
        file.sync_data().unwrap();
        write(&disk, "/d/unsynced", b"x");
        disk.sync_directory(Path::new("/d")).unwrap();
        write(&disk, "/d/unnamed", b"x").sync_data().unwrap();
        file.write_at(&[IoSlice::new(b"two")], 0).unwrap();
        disk.rename(Path::new("/d/named"), Path::new("/d/renamed")).unwrap();
        disk.crash(Crash::Process);
        assert_eq!(read(&disk, "/d/renamed").unwrap(), b"two");
        disk.crash(Crash::Power);
        assert_eq!(read(&disk, "/d/named").unwrap(), b"one");
        assert_eq!(read(&disk, "/d/unsynced").unwrap(), b"");
        assert_eq!(read(&disk, "/d/unnamed"), None);
        assert_eq!(read(&disk, "/d/renamed"), None);
    }

    #[test]
    fn a_torn_write_arrives_by_sectors() {
        let disk = SimulatedDisk::default();
        let file = write(&disk, "/f", &[1; 8 * SECTOR_BYTES]);
        file.sync_data().unwrap();
        disk.sync_directory(Path::new("/")).unwrap();
        file.write_at(&[IoSlice::new(&[2; 8 * SECTOR_BYTES])], 0).unwrap();
        disk.crash(Crash::Torn { seed: 7 });
        let found = read(&disk, "/f").unwrap();
        for sector in found.chunks(SECTOR_BYTES) {
            assert!(sector.iter().all(|b| *b == sector[0]));
        }
        assert!(found.contains(&1) && found.contains(&2));
    }

    #[test]
    fn a_full_disk_takes_what_fits() {
        let disk = SimulatedDisk::default();
        disk.limit_space(Some(3));
        let file = disk.open(Path::new("/f"), Open::Create).unwrap();
        let error = file.write_at(&[IoSlice::new(b"abcdef")], 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(read(&disk, "/f").unwrap(), b"abc");
    }
}
