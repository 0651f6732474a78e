//! Kafka's small text files: a version, a count, then so many lines (`CheckpointFile`); and `partition.metadata`.

use super::error::Error;
use crate::io::disk::Disk;
use crate::model::{TopicId, Uuid};
use std::fmt::Write;
use std::path::Path;

const VERSION: &str = "0";
/// Room for a line per partition of the largest broker.
const MAX_FILE_BYTES: u64 = 256 << 20;
const MAX_METADATA_BYTES: u64 = 4096;

/// The text of a checkpoint with these lines.
pub fn encode(lines: impl ExactSizeIterator<Item = String>) -> String {
    let mut text = format!("{VERSION}\n{}\n", lines.len());
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// The entries of a checkpoint, each made of a line's words; `None` if the file is not there.
pub fn read<T>(disk: &dyn Disk, path: &Path, entry: impl Fn(&[&str]) -> Option<T>) -> Result<Option<Vec<T>>, Error> {
    let content = match disk.read_small(path, MAX_FILE_BYTES) {
        Ok(content) => content,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let wrong = |why: &str| Error::Unusable { path: path.to_path_buf(), why: why.to_string() };
    let text = str::from_utf8(&content).map_err(|_| wrong("the checkpoint is not text"))?;
    let mut lines = text.lines();
    if lines.next().map(str::trim) != Some(VERSION) {
        return Err(wrong("the checkpoint's first line is not the version 0"));
    }
    let count: Option<usize> = lines.next().and_then(|count| count.trim().parse().ok());
    let entries: Option<Vec<T>> = lines
        .filter(|line| !line.trim().is_empty())
        .map(|line| entry(&line.split_ascii_whitespace().collect::<Vec<_>>()))
        .collect();
    match entries {
        Some(entries) if count == Some(entries.len()) => Ok(Some(entries)),
        Some(_) => Err(wrong("the checkpoint has another number of lines than it says")),
        None => Err(wrong("a line of the checkpoint cannot be understood")),
    }
}

/// The content of `partition.metadata`.
pub fn encode_partition_metadata(topic_id: TopicId) -> String {
    let mut text = String::from("version: 0\n");
    let _ = write!(text, "topic_id: {topic_id}");
    text
}

/// The topic id in `partition.metadata`; `None` if the file is missing or does not say one.
pub fn read_partition_metadata(disk: &dyn Disk, path: &Path) -> Result<Option<TopicId>, Error> {
    let content = match disk.read_small(path, MAX_METADATA_BYTES) {
        Ok(content) => content,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let text = String::from_utf8_lossy(&content);
    let id = text.lines().find_map(|line| line.strip_prefix("topic_id:"));
    Ok(id.and_then(|id| Uuid::parse(id.trim())).filter(|id| !id.is_zero()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::simulated_disk::SimulatedDisk;

    fn numbers(text: &str) -> Result<Option<Vec<i32>>, Error> {
        let disk = SimulatedDisk::default();
        disk.replace(Path::new("/c"), text.as_bytes()).unwrap();
        read(&disk, Path::new("/c"), |words| words.first()?.parse().ok())
    }

    #[test]
    fn checkpoints_are_read_as_written_or_refused() {
        let text = encode([1, 2].iter().map(|n| n.to_string()));
        assert_eq!(text, "0\n2\n1\n2\n");
        assert_eq!(numbers(&text).unwrap(), Some(vec![1, 2]));
        for wrong in ["", "1\n0\n", "0\n", "0\n2\n1\n", "0\n1\n1\n2\n", "0\n1\nx\n", "0\n-1\n"] {
            assert!(numbers(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(numbers("0\n0\n").unwrap(), Some(vec![]));
    }

    #[test]
    fn partition_metadata_is_kafkas() {
        let disk = SimulatedDisk::default();
        let text = encode_partition_metadata(Uuid::ONE);
        assert_eq!(text, "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ");
        disk.replace(Path::new("/m"), text.as_bytes()).unwrap();
        assert_eq!(read_partition_metadata(&disk, Path::new("/m")).unwrap(), Some(Uuid::ONE));
        assert_eq!(read_partition_metadata(&disk, Path::new("/none")).unwrap(), None);
    }
}
