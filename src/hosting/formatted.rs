//! Whether the log directories may be taken as they are found, asked before anything in them is touched
//! (`KafkaRaftServer.initializeLogDirs`, `MetaPropertiesEnsemble.verify`).
//!
//! A broker that begins anew where its metadata log is only somewhere else takes every partition for a stray. So:
//!
//! | found | done |
//! | --- | --- |
//! | no directory is formatted, no log lies in any | all of them are formatted |
//! | no directory is formatted, a log lies in one | refused |
//! | the metadata log lies in a directory that is not the metadata directory | refused |
//! | the metadata directory is not formatted, another one is | refused |
//! | a directory is not formatted, and the metadata directory has a metadata log | refused |
//! | a directory is not formatted, and the metadata directory is formatted but was never used | formatted: the first start was cut off |
//! | two directories have the same directory.id | refused |
//!
//! Deviation: Apache Kafka never formats by itself, and refuses a directory that is not formatted in any case.
//! Decides only: who the cluster and the node are is asked by `LogDirectory::claim`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::io::disk::Disk;
use crate::model::Uuid;
use crate::quorum::metadata_log;
use crate::storage::Error;
use crate::storage::meta_properties::{self, MetaProperties};
use crate::storage::names::{self, DirectoryName};

/// What lies in a directory that can be read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Found {
    path: PathBuf,
    is_formatted: bool,
    directory_id: Option<Uuid>,
    has_metadata_log: bool,
    /// One of the partitions that lie there.
    partition: Option<String>,
}

/// Refuses directories that are not what the last start left. Blocks.
pub fn check(disk: &dyn Disk, config: &Config) -> Result<(), Error> {
    let metadata = Path::new(&config.metadata_log_dir);
    let others = config.log_dirs.iter().map(Path::new).filter(|path| *path != metadata);
    let mut found = vec![look(disk, metadata)?];
    for path in others {
        match look(disk, path) {
            // The broker does without it, and says so, where the directory is opened.
            Err(failure) if failure.is_io() => {}
            looked => found.push(looked?),
        }
    }
    decide(&found)
}

fn look(disk: &dyn Disk, path: &Path) -> Result<Found, Error> {
    let meta = MetaProperties::read(disk, path)?;
    let entries = match disk.list(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        listed => listed.map_err(Error::io("list", path))?,
    };
    let mut found = Found { path: path.to_path_buf(), is_formatted: meta.is_some(), ..Found::default() };
    found.directory_id = meta.and_then(|meta| meta.directory_id);
    for entry in entries.into_iter().filter(|entry| entry.is_directory) {
        if entry.name == metadata_log::DIRECTORY {
            found.has_metadata_log = true;
        } else if matches!(names::parse_directory(&entry.name), DirectoryName::Partition { .. }) {
            found.partition = Some(entry.name);
        }
    }
    Ok(found)
}

/// The first of `found` is the metadata directory.
fn decide(found: &[Found]) -> Result<(), Error> {
    let Some((metadata, others)) = found.split_first() else { return Ok(()) };
    let refuse = |path: &Path, why: String| Err(Error::Unusable { path: path.to_path_buf(), why });
    let place = metadata.path.display();
    if let Some(other) = others.iter().find(|other| other.has_metadata_log) {
        let path = other.path.join(metadata_log::DIRECTORY);
        let why = format!(
            "the metadata log lies here, but the metadata directory is {place} (metadata.log.dir, or else the first of log.dirs)"
        );
        return refuse(&path, why);
    }
    let file = meta_properties::FILE_NAME;
    if let Some(formatted) = others.iter().find(|other| other.is_formatted && !metadata.is_formatted) {
        let why = format!(
            "the metadata directory has no {file}, but {} has one: the cluster's metadata is missing",
            formatted.path.display()
        );
        return refuse(&metadata.path, why);
    }
    let unformatted = |one: &&Found| !one.is_formatted;
    for one in found.iter().filter(unformatted) {
        let log = one.partition.as_deref().or(one.has_metadata_log.then_some(metadata_log::DIRECTORY));
        if let Some(log) = log {
            return refuse(&one.path, format!("has no {file}, but {log} lies in it"));
        }
    }
    if let Some(one) = found.iter().find(unformatted).filter(|_| metadata.has_metadata_log) {
        let why = format!(
            "has no {file}, but the metadata directory {place} is in use: is a disk not mounted? `klamm format \
             --ignore-formatted` makes an empty directory part of this node"
        );
        return refuse(&one.path, why);
    }
    for (at, one) in found.iter().enumerate() {
        let same = |other: &&Found| one.directory_id.is_some() && other.directory_id == one.directory_id;
        if let Some(other) = found[..at].iter().find(same) {
            let why = format!("has the same directory.id as {}: one is a copy of the other", other.path.display());
            return refuse(&one.path, why);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, is_formatted: bool, has_metadata_log: bool, partition: bool) -> Found {
        let partition = partition.then(|| "t-0".to_string());
        Found { path: path.into(), is_formatted, directory_id: None, has_metadata_log, partition }
    }

    /// Every state of two directories: formatted, with a metadata log, with a partition.
    #[test]
    fn only_fresh_directories_and_those_of_one_node_are_taken() {
        let bits = |n: usize| (n & 1 > 0, n & 2 > 0, n & 4 > 0);
        for (first, second) in (0..8).flat_map(|first| (0..8).map(move |second| (first, second))) {
            let (a, b) = (bits(first), bits(second));
            let taken = decide(&[found("/a", a.0, a.1, a.2), found("/b", b.0, b.1, b.2)]).is_ok();
            let b_is_blank = second == 0;
            let expected = match first {
                0 => b_is_blank,
                // Formatted, never used.
                1 | 5 => b_is_blank || (b.0 && !b.1),
                3 | 7 => b.0 && !b.1,
                _ => false,
            };
            assert_eq!(taken, expected, "{a:?} {b:?}");
        }
    }

    #[test]
    fn a_refusal_names_the_directory_and_why() {
        let of = |found: &[Found]| decide(found).unwrap_err().to_string();
        let used = found("/a", true, true, true);
        let elsewhere = of(&[found("/b", true, false, true), used.clone()]);
        assert!(elsewhere.starts_with("/a/__cluster_metadata-0: the metadata log lies here"), "{elsewhere}");
        let emptied = of(&[found("/b", false, false, false), found("/c", true, false, true)]);
        assert!(emptied.starts_with("/b: the metadata directory has no meta.properties, but /c has one"), "{emptied}");
        let unmounted = of(&[used.clone(), found("/b", false, false, false)]);
        assert!(unmounted.starts_with("/b: has no meta.properties"), "{unmounted}");
        assert!(of(&[found("/a", false, false, true)]).ends_with("but t-0 lies in it"));
        let copied = |path: &str| Found { directory_id: Some(Uuid([7; 16])), ..found(path, true, false, false) };
        assert!(of(&[copied("/a"), copied("/b")]).contains("one is a copy of the other"));
    }
}
