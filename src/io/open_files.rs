//! Files that are opened when somebody wants them and closed again when too many are open.
//!
//! Descriptors belong to the process, so there is one count of them, [`OPEN_FILES`]. Whoever wants a file that is open
//! takes no lock. Beyond the limit those go first that nobody has wanted for the longest time (a clock with a second
//! chance); one that somebody holds at the moment, such as the slice that `sendfile` sends or the list of a flush, stays
//! open until it is let go, whatever the limit says.
//!
//! Deliberately unknown here: whether a file was synced. A write that the kernel could not bring to the platter while the
//! file was closed is told to the next who syncs it, as long as the kernel remembers the file at all (Linux 4.16).

use super::descriptors;
use super::disk::{Disk, File, Open};
use arc_swap::ArcSwapOption;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The count of this process.
pub static OPEN_FILES: OpenFiles = OpenFiles::new(DEFAULT_LIMIT);

/// Before anybody has said how many descriptors there are: what fits below the usual soft limit of 1024.
const DEFAULT_LIMIT: usize = 512;
/// More would only make the kernel remember more; opening a file again costs microseconds.
const MOST_OPEN: usize = 1 << 15;
/// From so many files on that are gone the list is looked through for them.
const LEAST_FORGOTTEN: usize = 1024;

/// What is open, and how much may be.
pub struct OpenFiles {
    limit: AtomicUsize,
    open: AtomicUsize,
    /// Counts the openings: what is used is stamped with it.
    time: AtomicU64,
    /// In the order of their opening, or of their last second chance; with the stamp that they had then.
    order: Mutex<VecDeque<(Weak<Slot>, u64)>>,
}

struct Slot {
    file: ArcSwapOption<Opened>,
    used: AtomicU64,
}

/// An open file that is counted as long as anybody has it.
struct Opened {
    file: Arc<dyn File>,
    among: &'static OpenFiles,
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.among.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl OpenFiles {
    pub const fn new(limit: usize) -> OpenFiles {
        OpenFiles {
            limit: AtomicUsize::new(limit),
            open: AtomicUsize::new(0),
            time: AtomicU64::new(1),
            order: Mutex::new(VecDeque::new()),
        }
    }

    /// So many may be open; `None` is no limit.
    pub fn set_limit(&self, limit: Option<u64>) {
        let limit = limit.map_or(MOST_OPEN, |limit| usize::try_from(limit).unwrap_or(MOST_OPEN));
        self.limit.store(limit.clamp(1, MOST_OPEN), Ordering::Relaxed);
    }

    /// Opens something. Where the process has no descriptor left, all files go first that nobody holds.
    pub fn make_room<T>(&self, open: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match open() {
            Err(error) if descriptors::are_exhausted(&error) => {
                let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
                self.close_beyond(0, &mut order);
                drop(order);
                open()
            }
            other => other,
        }
    }

    pub fn count(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Puts a file into its place, closing others if there are too many.
    fn admit(&'static self, slot: &Arc<Slot>, file: Arc<dyn File>) -> Arc<Opened> {
        let open = self.open.fetch_add(1, Ordering::Relaxed);
        let opened = Arc::new(Opened { file, among: self });
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = slot.file.load_full() {
            return before;
        }
        let now = self.time.fetch_add(1, Ordering::Relaxed);
        slot.used.store(now, Ordering::Relaxed);
        slot.file.store(Some(opened.clone()));
        if order.len() > 2 * open + LEAST_FORGOTTEN {
            order.retain(|(slot, _)| slot.strong_count() > 0);
        }
        order.push_back((Arc::downgrade(slot), now));
        self.close_beyond(self.limit.load(Ordering::Relaxed), &mut order);
        opened
    }

    fn close_beyond(&self, limit: usize, order: &mut VecDeque<(Weak<Slot>, u64)>) {
        // Each has one second chance at most; what is in use then is left over.
        for _ in 0..2 * order.len() {
            if self.count() <= limit {
                return;
            }
            let Some((weak, stamp)) = order.pop_front() else { return };
            let Some(slot) = weak.upgrade() else { continue };
            let used = slot.used.load(Ordering::Relaxed);
            // Two: the slot's and ours.
            let is_held = slot.file.load_full().is_some_and(|opened| Arc::strong_count(&opened) > 2);
            if used > stamp || is_held {
                order.push_back((weak, used));
            } else {
                slot.file.store(None);
            }
        }
    }
}

impl File for Opened {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buffer, position)
    }

    fn write_at(&self, slices: &[io::IoSlice<'_>], position: u64) -> io::Result<()> {
        self.file.write_at(slices, position)
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn modified(&self) -> io::Result<crate::model::TimestampMs> {
        self.file.modified()
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.file.set_size(size)
    }

    fn allocate(&self, position: u64, length: u64) -> io::Result<()> {
        self.file.allocate(position, length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn is_resident(&self, position: u64, length: u64) -> bool {
        self.file.is_resident(position, length)
    }

    fn descriptor(&self) -> Option<std::os::fd::RawFd> {
        self.file.descriptor()
    }
}

/// A file by its path. It must exist when it is wanted. Clones share what is open.
#[derive(Clone)]
pub struct LazyFile {
    path: PathBuf,
    slot: Arc<Slot>,
    among: &'static OpenFiles,
}

impl LazyFile {
    pub fn new(path: PathBuf) -> LazyFile {
        LazyFile::among(&OPEN_FILES, path)
    }

    /// One that is open already.
    pub fn opened(path: PathBuf, file: Arc<dyn File>) -> LazyFile {
        LazyFile::held(path, file).0
    }

    /// One that is open already, and not by this path yet: as long as the second part of the answer lives, it stays so.
    pub fn held(path: PathBuf, file: Arc<dyn File>) -> (LazyFile, Arc<dyn File>) {
        let lazy = LazyFile::new(path);
        let opened = lazy.among.admit(&lazy.slot, file);
        (lazy, opened)
    }

    fn among(among: &'static OpenFiles, path: PathBuf) -> LazyFile {
        let slot = Slot { file: ArcSwapOption::const_empty(), used: AtomicU64::new(0) };
        LazyFile { path, slot: Arc::new(slot), among }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is a clone of the other.
    pub fn is(&self, other: &LazyFile) -> bool {
        Arc::ptr_eq(&self.slot, &other.slot)
    }

    /// As if too many were open and this one had not been wanted for the longest time.
    #[cfg(test)]
    pub fn close(&self) {
        self.slot.file.store(None);
    }

    /// The open file, which stays open as long as the answer lives. Can be read where it cannot be written to any more.
    pub fn get(&self, disk: &dyn Disk) -> io::Result<Arc<dyn File>> {
        if let Some(opened) = self.slot.file.load_full() {
            let now = self.among.time.load(Ordering::Relaxed);
            if self.slot.used.load(Ordering::Relaxed) != now {
                self.slot.used.store(now, Ordering::Relaxed);
            }
            return Ok(opened);
        }
        let file = match disk.open(&self.path, Open::ReadWrite) {
            Err(error) if matches!(error.kind(), ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied) => {
                disk.open(&self.path, Open::Read)?
            }
            other => other?,
        };
        Ok(self.among.admit(&self.slot, file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::real_disk::RealDisk;
    use crate::io::simulated_disk::SimulatedDisk;

    fn files(disk: &dyn Disk, directory: &Path, limit: usize, count: usize) -> Vec<LazyFile> {
        let among = Box::leak(Box::new(OpenFiles::new(limit)));
        let make = |n: usize| {
            let path = directory.join(n.to_string());
            let file = disk.open(&path, Open::Create).unwrap();
            file.write_at(&[io::IoSlice::new(&[n as u8])], 0).unwrap();
            LazyFile::among(among, path)
        };
        (0..count).map(make).collect()
    }

    fn read(disk: &dyn Disk, file: &LazyFile) -> u8 {
        let mut byte = [0];
        assert_eq!(file.get(disk).unwrap().read_at(&mut byte, 0).unwrap(), 1);
        byte[0]
    }

    fn is_open(file: &LazyFile) -> bool {
        file.slot.file.load().is_some()
    }

    #[test]
    fn no_more_are_open_than_the_limit_says_and_the_oldest_are_closed() {
        let disk = SimulatedDisk::default();
        let files = files(&disk, Path::new("/"), 3, 10);
        for (n, file) in files.iter().enumerate() {
            assert_eq!(read(&disk, file), n as u8);
            assert_eq!(read(&disk, &files[0]), 0, "one that is wanted again and again");
            assert!(files[0].among.count() <= 3);
        }
        let open: Vec<_> = (0..10).filter(|n| is_open(&files[*n])).collect();
        assert_eq!(open, [0, 8, 9]);
        let among = files[0].among;
        drop(files);
        assert_eq!(among.count(), 0);
    }

    #[test]
    fn what_somebody_holds_stays_open() {
        let disk = SimulatedDisk::default();
        let files = files(&disk, Path::new("/"), 2, 9);
        let held: Vec<_> = files[..4].iter().map(|file| file.get(&disk).unwrap()).collect();
        assert_eq!(files[0].among.count(), 4, "more than the limit, because they are in use");
        assert!(files[4..].iter().all(|file| read(&disk, file) >= 4));
        assert!(files[..4].iter().all(is_open));
        drop(held);
        read(&disk, &files[7]);
        assert!(files[0].among.count() <= 2);
    }

    #[test]
    fn a_limit_of_descriptors_is_kept_by_many_threads() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(&RealDisk, directory.path(), 8, 64);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let files = &files;
                scope.spawn(move || {
                    for n in 0..2000 {
                        let at = (n * 7 + thread * 13) % files.len();
                        assert_eq!(read(&RealDisk, &files[at]), at as u8);
                    }
                });
            }
        });
        assert!(files[0].among.count() <= 8);
    }

    #[test]
    fn what_may_not_be_written_can_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(&RealDisk, directory.path(), 8, 1);
        let mut permissions = std::fs::metadata(files[0].path()).unwrap().permissions();
        permissions.set_readonly(true);
        std::fs::set_permissions(files[0].path(), permissions).unwrap();
        assert_eq!(read(&RealDisk, &files[0]), 0);
    }

    #[test]
    fn limits_are_within_reason() {
        let among = OpenFiles::new(1);
        for (wanted, limit) in [(Some(10_000), 10_000), (Some(0), 1), (None, MOST_OPEN), (Some(u64::MAX), MOST_OPEN)] {
            among.set_limit(wanted);
            assert_eq!(among.limit.load(Ordering::Relaxed), limit);
        }
    }

    #[test]
    fn files_that_nobody_holds_make_room_for_what_must_be_opened() {
        let disk = SimulatedDisk::default();
        let files = files(&disk, Path::new("/"), 9, 9);
        let held: Vec<_> = files.iter().map(|file| file.get(&disk).unwrap()).take(2).collect();
        let among = files[0].among;
        let mut failures = [libc::EMFILE, libc::ENOENT].into_iter();
        let failures = std::cell::RefCell::new(&mut failures);
        let open = || failures.borrow_mut().next().map_or(Ok(()), |code| Err(io::Error::from_raw_os_error(code)));
        let opened = among.make_room(open);
        assert_eq!(opened.unwrap_err().kind(), ErrorKind::NotFound, "the second answer counts");
        assert_eq!(among.count(), held.len());
        assert!(among.make_room(open).is_ok());
    }
}
