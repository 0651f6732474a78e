//! How the process's descriptors are shared out: a third for the files of logs, a few for whatever else is opened for a
//! moment, the rest for connections; and the count of a broker's connections.
//!
//! Without it clients could connect until no file can be opened any more, which looks like a disk that has failed. Does
//! not know who the clients are, nor which files are closed when there are too many (`file_pool` does).

use log::{info, warn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The part for files. They can be opened again at any time; connections cannot.
const FILES_SHARE: u64 = 3;
/// More files would only make the kernel remember more; opening one again costs microseconds.
const MOST_FILES: u64 = 1 << 15;
/// What stays free for checkpoints, directories, rings, libraries: a part of all, within bounds.
const SPARE_SHARE: u64 = 16;
const LEAST_SPARE: u64 = 16;
const MOST_SPARE: u64 = 256;

/// How many descriptors are for what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shares {
    pub files: usize,
    pub connections: usize,
}

/// Shares out so many descriptors; `None` is no limit.
pub fn share(descriptors: Option<u64>) -> Shares {
    let Some(all) = descriptors else { return Shares { files: MOST_FILES as usize, connections: usize::MAX } };
    let (files, spare) = (all / FILES_SHARE, (all / SPARE_SHARE).clamp(LEAST_SPARE, MOST_SPARE));
    let connections = usize::try_from(all.saturating_sub(files + spare)).unwrap_or(usize::MAX);
    Shares { files: files.clamp(1, MOST_FILES) as usize, connections }
}

/// Counts what is open against what may be.
pub struct Connections {
    open: AtomicUsize,
    most: usize,
    /// It was told that there are too many.
    is_full: AtomicBool,
}

impl Connections {
    /// So many may be open.
    pub fn new(most: usize) -> Connections {
        Connections { open: AtomicUsize::new(0), most, is_full: AtomicBool::new(false) }
    }

    /// A place for one more; `None` if there is none.
    pub fn take(self: &Arc<Connections>) -> Option<Place> {
        let most = self.most;
        if self.open.fetch_add(1, Ordering::Relaxed) < most {
            return Some(Place(self.clone()));
        }
        self.open.fetch_sub(1, Ordering::Relaxed);
        if !self.is_full.swap(true, Ordering::Relaxed) {
            warn!("there are {most} connections, all that the limit of open files allows: new ones are closed");
        }
        None
    }

    pub fn count(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

impl Default for Connections {
    /// Without a limit.
    fn default() -> Connections {
        Connections::new(usize::MAX)
    }
}

/// What one connection holds as long as its descriptor is open, on its way from shard to shard too. Given back on drop.
pub struct Place(Arc<Connections>);

impl Drop for Place {
    fn drop(&mut self) {
        let Place(connections) = self;
        let before = connections.open.fetch_sub(1, Ordering::Relaxed);
        assert!(before > 0, "each connection has one place");
        let (left, most) = (before - 1, connections.most);
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
        let connections = Arc::new(Connections::new(4));
        let mut places: Vec<Place> = (0..6).filter_map(|_| connections.take()).collect();
        assert_eq!((places.len(), connections.count()), (4, 4));
        assert!(connections.is_full.load(Ordering::Relaxed));
        places.pop();
        assert!(!connections.is_full.load(Ordering::Relaxed));
        places.extend(connections.take());
        assert!(places.len() == 4 && connections.take().is_none());
        let other = Arc::new(Connections::new(4));
        assert!(other.take().is_some(), "another broker's are counted apart");
        drop(places);
        assert_eq!(connections.count(), 0);
    }

    #[test]
    fn shares_are_within_reason() {
        let table = [
            (None, MOST_FILES as usize, usize::MAX),
            (Some(0), 1, 0),
            (Some(1024), 341, 619),
            (Some(1_000_000), MOST_FILES as usize, 666_411),
            (Some(u64::MAX), MOST_FILES as usize, (u64::MAX / 3 * 2 - MOST_SPARE) as usize),
        ];
        for (descriptors, files, connections) in table {
            assert_eq!(share(descriptors), Shares { files, connections }, "{descriptors:?}");
        }
    }
}
