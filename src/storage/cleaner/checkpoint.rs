//! `cleaner-offset-checkpoint` of a log directory: up to which offset each partition was cleaned.
//!
//! It is a note, not a promise: an offset too low means that a part is looked at once more, one too high that it is
//! looked at later.

use super::super::checkpoint;
use super::super::error::Error;
use crate::io::disk::Disk;
use crate::model::{Offset, PartitionIndex};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FILE: &str = "cleaner-offset-checkpoint";

/// Offsets by topic and partition.
pub type CleanedTo = BTreeMap<(String, PartitionIndex), Offset>;

/// The file of one log directory.
pub struct CleanerCheckpoint {
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

impl CleanerCheckpoint {
    pub fn of(disk: Arc<dyn Disk>, log_directory: &Path) -> CleanerCheckpoint {
        CleanerCheckpoint { disk, path: log_directory.join(FILE) }
    }

    /// What it holds; nothing if there is none.
    pub fn read(&self) -> Result<CleanedTo, Error> {
        let entry = |words: &[&str]| match words {
            [topic, partition, offset] => {
                let name = (topic.to_string(), PartitionIndex(partition.parse().ok()?));
                Some((name, Offset(offset.parse().ok().filter(|offset| *offset >= 0)?)))
            }
            _ => None,
        };
        Ok(checkpoint::read(&*self.disk, &self.path, entry)?.unwrap_or_default().into_iter().collect())
    }

    /// Replaces what it holds. Blocks.
    pub fn write(&self, cleaned_to: &CleanedTo) -> Result<(), Error> {
        assert!(cleaned_to.values().all(|offset| offset.0 >= 0), "a negative offset could not be read back");
        let lines = cleaned_to.iter().map(|((topic, partition), offset)| format!("{topic} {partition} {offset}"));
        let text = checkpoint::encode(lines);
        self.disk.replace(&self.path, text.as_bytes()).map_err(Error::io("write", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::simulated_disk::SimulatedDisk;

    #[test]
    fn what_is_written_is_read() {
        let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::default());
        let checkpoint = CleanerCheckpoint::of(disk.clone(), Path::new("/"));
        assert!(checkpoint.read().unwrap().is_empty());
        let cleaned_to: CleanedTo = [(("t-1".into(), PartitionIndex(3)), Offset(70))].into();
        checkpoint.write(&cleaned_to).unwrap();
        assert_eq!(checkpoint.read().unwrap(), cleaned_to);
        assert_eq!(disk.read_small(Path::new("/cleaner-offset-checkpoint"), 99).unwrap(), b"0\n1\nt-1 3 70\n");
    }
}
