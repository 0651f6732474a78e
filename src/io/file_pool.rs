//! How many files are open, and which of them are closed when there are too many.
//!
//! A disk has one such count, [`OpenFiles`], and a broker has one disk. Beyond the limit those files are closed first that
//! no shard has wanted for the longest time (a clock with a second chance); one that is in use at the moment, such as the
//! slice that `sendfile` sends or the list of a flush, stays open until it is let go, whatever the limit says.

use super::file::{self, File};
use crate::stdx::mutex::Mutex;
use arc_swap::ArcSwapOption;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

/// What fits below the usual soft limit of 1024 descriptors, where no other limit is known.
const DEFAULT_LIMIT: usize = 512;
/// The list is looked through for files that are gone once there may be so many of them.
const LEAST_FORGOTTEN: usize = 1024;

/// What is open, and how much may be.
pub struct OpenFiles {
    limit: usize,
    open: AtomicUsize,
    /// Counts the openings: what is used is stamped with it.
    time: AtomicU64,
    /// The open files by the order of their opening, or of their last second chance; with the stamp that they had then.
    order: Mutex<VecDeque<(Weak<Slot>, u64)>>,
}

impl Default for OpenFiles {
    fn default() -> OpenFiles {
        OpenFiles::new(DEFAULT_LIMIT)
    }
}

/// The place of one file: whether it is open, and when it was used.
pub(super) struct Slot {
    file: ArcSwapOption<Opened>,
    used: AtomicU64,
}

impl Slot {
    pub(super) fn empty() -> Slot {
        Slot { file: ArcSwapOption::const_empty(), used: AtomicU64::new(0) }
    }

    /// The file, if it is open; it has been used now.
    pub(super) fn get(&self) -> Option<Arc<Opened>> {
        let opened = self.file.load_full()?;
        let now = opened.among.time.load(Ordering::Relaxed);
        if self.used.load(Ordering::Relaxed) != now {
            self.used.store(now, Ordering::Relaxed);
        }
        Some(opened)
    }

    /// As if too many were open and this one had not been wanted for the longest time.
    #[cfg(test)]
    pub(super) fn close(&self) {
        self.file.store(None);
    }

    #[cfg(test)]
    pub(super) fn is_open(&self) -> bool {
        self.file.load().is_some()
    }
}

/// An open file, counted until its last user lets it go.
pub(super) struct Opened {
    file: Arc<dyn File>,
    among: Arc<OpenFiles>,
}

impl Drop for Opened {
    fn drop(&mut self) {
        let before = self.among.open.fetch_sub(1, Ordering::Relaxed);
        assert!(before > 0, "each open file is counted once");
    }
}

impl OpenFiles {
    /// So many may be open.
    pub fn new(limit: usize) -> OpenFiles {
        assert!(limit > 0, "a file must be open to be read");
        OpenFiles { limit, open: AtomicUsize::new(0), time: AtomicU64::new(1), order: Mutex::default() }
    }

    /// Opens something. Where the process has no descriptor left, all files are closed first that are not in use.
    pub fn make_room<T>(&self, open: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match open() {
            Err(error) if file::are_descriptors_exhausted(&error) => {
                let mut order = self.order.lock();
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
    pub(super) fn admit(self: &Arc<OpenFiles>, slot: &Arc<Slot>, file: Arc<dyn File>) -> Arc<Opened> {
        let open = self.open.fetch_add(1, Ordering::Relaxed);
        let opened = Arc::new(Opened { file, among: self.clone() });
        let mut order = self.order.lock();
        if let Some(before) = slot.file.load_full() {
            assert!(Arc::ptr_eq(&before.among, self), "a file is opened on one disk only");
            return before;
        }
        let now = self.time.fetch_add(1, Ordering::Relaxed);
        slot.used.store(now, Ordering::Relaxed);
        slot.file.store(Some(opened.clone()));
        if order.len() > 2 * open + LEAST_FORGOTTEN {
            order.retain(|(slot, _)| slot.strong_count() > 0);
        }
        order.push_back((Arc::downgrade(slot), now));
        self.close_beyond(self.limit, &mut order);
        assert!(self.count() > 0, "the file that was opened is in use");
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

    fn lend(
        &self,
        position: u64,
        length: usize,
        to: &mut dyn FnMut(&[io::IoSlice<'_>]) -> io::Result<usize>,
    ) -> Option<io::Result<usize>> {
        self.file.lend(position, length, to)
    }

    fn descriptor(&self) -> Option<std::os::fd::RawFd> {
        self.file.descriptor()
    }
}
