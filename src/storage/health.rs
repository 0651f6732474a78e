//! What a log directory and all logs in it know together of their disk: whether it serves, and whether it is full
//! (`LogDirFailureChannel`).
//!
//! **A failure** (input/output error, read-only, a name that has vanished) takes the whole directory offline until the
//! next start: one line, all of its logs refuse at once, nothing is tried again. A failed sync is always one, whatever
//! its reason: what it should have made durable may be gone from memory and platter alike, and a second sync would not
//! tell.
//!
//! **A full disk** (ENOSPC, EDQUOT) in a write is none: what was half written is cut off again, what waited for it is
//! refused, and the next write may succeed. One line says that the directory has become full and one that it has room
//! again, whatever comes between. Space that the file system has promised and then denies to the sync is a failed sync.
//!
//! Does not know what the broker does about it: whoever wants to hear of a failure, or of room, leaves a function here.

use super::error::Error;
use crate::io::disk::Disk;
use log::{error, info, warn};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// From so much room on a directory counts as full no longer: the part of the disk in per cent, and bytes that are
/// enough on a large one. Between full and this, single small writes succeed and large ones fail.
const ROOM_PERCENT: u64 = 2;
const ROOM_BYTES: u64 = 64 << 20;
const _: () = assert!(0 < ROOM_PERCENT && ROOM_PERCENT < 100 && ROOM_BYTES > 0, "a full disk can have room again");

pub struct Health {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    offline: AtomicBool,
    full: AtomicBool,
    on_change: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Health {
    pub fn new(disk: Arc<dyn Disk>, path: &Path) -> Health {
        let (offline, full) = (AtomicBool::new(false), AtomicBool::new(false));
        Health { disk, path: path.to_path_buf(), offline, full, on_change: OnceLock::new() }
    }

    /// Whom to tell of a failure and of room; once. A failure that has happened already is told at once.
    pub fn tell(&self, on_change: Box<dyn Fn() + Send + Sync>) {
        let _ = self.on_change.set(on_change);
        if self.is_offline() {
            self.tell_now();
        }
    }

    fn tell_now(&self) {
        self.on_change.get().into_iter().for_each(|tell| tell());
    }

    pub fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Acquire)
    }

    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// The disk has failed for good.
    pub fn fail(&self, why: &dyn Display) {
        if !self.offline.swap(true, Ordering::AcqRel) {
            error!("log directory {} has failed and is offline until the next start: {why}", self.path.display());
            self.tell_now();
        }
    }

    /// Something was not written. Where that was for want of space, the caller has undone the half of it.
    pub fn note(&self, error: &Error) {
        if !error.is_full() {
            return if error.is_io() {
                self.fail(error)
            };
        }
        if !self.full.swap(true, Ordering::Relaxed) {
            warn!("log directory {} is full, writes are refused until there is room: {error}", self.path.display());
        }
    }

    /// Something was written, or somebody looks by the clock.
    pub fn note_written(&self) {
        if self.is_full() {
            self.look_for_room();
        }
    }

    fn look_for_room(&self) {
        let Ok(space) = self.disk.space(&self.path) else { return };
        let enough = (space.total_bytes / 100 * ROOM_PERCENT).min(ROOM_BYTES);
        if space.usable_bytes >= enough && self.full.swap(false, Ordering::Relaxed) {
            info!("log directory {} has room again", self.path.display());
            self.tell_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::simulated_disk::SimulatedDisk;
    use std::io;
    use std::sync::atomic::AtomicUsize;

    fn error(kind: io::ErrorKind) -> Error {
        Error::io("write", Path::new("/data/x"))(kind.into())
    }

    #[test]
    fn a_full_disk_is_no_failure_and_ends_with_the_first_write_that_finds_room() {
        let disk = SimulatedDisk::default();
        disk.create_directories(Path::new("/data")).unwrap();
        let health = Health::new(Arc::new(disk.clone()), Path::new("/data"));
        disk.limit_space(Some(10));
        health.note(&error(io::ErrorKind::StorageFull));
        health.note_written();
        assert_eq!((health.is_full(), health.is_offline()), (true, false), "a small write fits yet");
        disk.limit_space(None);
        health.note_written();
        assert!(!health.is_full());
    }

    #[test]
    fn a_failure_is_told_once_and_for_good() {
        let health = Health::new(Arc::new(SimulatedDisk::default()), Path::new("/data"));
        let told = Arc::new(AtomicUsize::new(0));
        let count = told.clone();
        health.note(&Error::Offline);
        health.note(&Error::Unusable { path: "/data/x".into(), why: "damaged".into() });
        assert!(!health.is_offline(), "nothing that the disk did");
        health.fail(&"EIO");
        health.tell(Box::new(move || _ = count.fetch_add(1, Ordering::Relaxed)));
        health.note(&error(io::ErrorKind::ReadOnlyFilesystem));
        assert!(health.is_offline());
        assert_eq!(told.load(Ordering::Relaxed), 1);
    }
}
