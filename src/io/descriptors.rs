//! How the process's descriptors are shared out: a third for the files of logs, a few for whatever else is opened for a
//! moment, the rest for connections.
//!
//! Without it clients could connect until no file can be opened any more, which looks like a disk that has failed. Does
//! not know who the clients are, nor which files are closed when there are too many ([`OPEN_FILES`] does).

use super::open_files::OPEN_FILES;
use log::{info, warn};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The part for files. They can be opened again at any time; connections cannot.
const FILES_SHARE: u64 = 3;
/// What stays free for checkpoints, directories, rings, libraries: a part of all, within bounds.
const SPARE_SHARE: u64 = 16;
const LEAST_SPARE: u64 = 16;
const MOST_SPARE: u64 = 256;

/// The connections of this process.
pub static CONNECTIONS: Connections = Connections::new();

/// Shares out so many descriptors; `None` is no limit.
pub fn share(descriptors: Option<u64>) {
    let files = descriptors.map(|all| all / FILES_SHARE);
    OPEN_FILES.set_limit(files);
    let rest = |all: u64| all.saturating_sub(all / FILES_SHARE + (all / SPARE_SHARE).clamp(LEAST_SPARE, MOST_SPARE));
    let most = descriptors.and_then(|all| usize::try_from(rest(all)).ok()).unwrap_or(usize::MAX);
    CONNECTIONS.most.store(most, Ordering::Relaxed);
}

/// The process, or the machine, has no descriptor left.
pub fn are_exhausted(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE].iter().any(|e| error.raw_os_error() == Some(e.raw_os_error()))
}

/// Counts what is open against what may be.
pub struct Connections {
    open: AtomicUsize,
    most: AtomicUsize,
    /// It was told that there are too many.
    is_full: AtomicBool,
}

impl Connections {
    const fn new() -> Connections {
        Connections { open: AtomicUsize::new(0), most: AtomicUsize::new(usize::MAX), is_full: AtomicBool::new(false) }
    }

    /// A place for one more; `None` if there is none.
    pub fn take(&'static self) -> Option<Place> {
        let most = self.most.load(Ordering::Relaxed);
        if self.open.fetch_add(1, Ordering::Relaxed) < most {
            return Some(Place(self));
        }
        self.open.fetch_sub(1, Ordering::Relaxed);
        if !self.is_full.swap(true, Ordering::Relaxed) {
            warn!("there are {most} connections, all that the limit of open files allows: new ones are closed");
        }
        None
    }
}

/// What one connection holds as long as its descriptor is open, on its way from shard to shard too. Given back on drop.
pub struct Place(&'static Connections);

impl Drop for Place {
    fn drop(&mut self) {
        let Place(connections) = self;
        let left = connections.open.fetch_sub(1, Ordering::Relaxed).saturating_sub(1);
        let most = connections.most.load(Ordering::Relaxed);
        // With some way to go, so that one that comes and goes is not told each time.
        let is_full = &connections.is_full;
        if left <= most / 4 * 3 && is_full.load(Ordering::Relaxed) && is_full.swap(false, Ordering::Relaxed) {
            info!("new connections are taken again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_than_places() {
        static CONNECTIONS: Connections = Connections::new();
        CONNECTIONS.most.store(4, Ordering::Relaxed);
        let mut places: Vec<Place> = (0..6).filter_map(|_| CONNECTIONS.take()).collect();
        assert_eq!(places.len(), 4);
        assert!(CONNECTIONS.is_full.load(Ordering::Relaxed));
        places.pop();
        assert!(!CONNECTIONS.is_full.load(Ordering::Relaxed));
        places.extend(CONNECTIONS.take());
        assert!(places.len() == 4 && CONNECTIONS.take().is_none());
        drop(places);
        assert_eq!(CONNECTIONS.open.load(Ordering::Relaxed), 0);
    }
}
