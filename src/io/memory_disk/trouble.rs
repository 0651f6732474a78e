//! What a test does to a disk in memory: it is full, syncs take their time, or they fail.

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use crate::io::threads;

/// The device has failed, as Linux says it.
const EIO: i32 = 5;

#[derive(Default, Debug)]
pub struct DiskTrouble {
    is_full: AtomicBool,
    syncs_fail: AtomicBool,
    sync_ms: AtomicU32,
}

impl DiskTrouble {
    /// Whether no file may grow but those of the favoured directory.
    pub fn set_full(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::Relaxed);
    }

    /// Whether each sync fails.
    pub fn set_syncs_fail(&self, fail: bool) {
        self.syncs_fail.store(fail, Ordering::Relaxed);
    }

    /// Ends all of it.
    pub fn end(&self) {
        self.set_full(false);
        self.set_syncs_fail(false);
        self.set_sync_ms(0);
    }

    /// How many milliseconds each sync takes.
    pub fn set_sync_ms(&self, ms: u32) {
        self.sync_ms.store(ms, Ordering::Relaxed);
    }

    pub(super) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    pub(super) fn check_growth(&self) -> io::Result<()> {
        match self.is_full() {
            true => Err(io::Error::new(ErrorKind::StorageFull, "the disk in memory is full, as a test wants it")),
            false => Ok(()),
        }
    }

    /// Blocks as long as a sync takes.
    pub(super) fn sync(&self) -> io::Result<()> {
        let ms = self.sync_ms.load(Ordering::Relaxed);
        if ms > 0 {
            threads::wait(Duration::from_millis(ms.into()));
        }
        match self.syncs_fail.load(Ordering::Relaxed) {
            true => Err(io::Error::from_raw_os_error(EIO)),
            false => Ok(()),
        }
    }
}
