//! The names of files in a partition's directory and of the directory itself, as Kafka's `LogFileUtils` and `LocalLog`
//! make them.

use crate::model::{Offset, PartitionIndex};
use std::path::{Path, PathBuf};

pub const LEADER_EPOCH_CHECKPOINT: &str = "leader-epoch-checkpoint";
pub const PARTITION_METADATA: &str = "partition.metadata";
pub const DELETED_SUFFIX: &str = ".deleted";
pub const CLEANED_SUFFIX: &str = ".cleaned";
pub const SWAP_SUFFIX: &str = ".swap";
pub const DELETE_DIRECTORY_SUFFIX: &str = "-delete";
pub const FUTURE_DIRECTORY_SUFFIX: &str = "-future";
pub const STRAY_DIRECTORY_SUFFIX: &str = "-stray";
/// KRaft's own deleted snapshots (`<offset>-<epoch>.checkpoint.deleted`) are not a log's business.
const SNAPSHOT_DELETED_SUFFIX: &str = ".checkpoint.deleted";
const BASE_OFFSET_DIGITS: usize = 20;
const _: () = assert!((i64::MAX.ilog10() as usize) < BASE_OFFSET_DIGITS, "every offset has its name");
/// The longest name that common file systems take; Kafka shortens the topic to stay below.
const MAX_NAME_BYTES: usize = 255;

/// What a file beside a base offset holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    Log,
    OffsetIndex,
    TimeIndex,
    TransactionIndex,
    ProducerSnapshot,
}

impl Kind {
    pub const ALL: [Kind; 5] =
        [Kind::Log, Kind::OffsetIndex, Kind::TimeIndex, Kind::TransactionIndex, Kind::ProducerSnapshot];

    pub fn suffix(self) -> &'static str {
        match self {
            Kind::Log => ".log",
            Kind::OffsetIndex => ".index",
            Kind::TimeIndex => ".timeindex",
            Kind::TransactionIndex => ".txnindex",
            Kind::ProducerSnapshot => ".snapshot",
        }
    }
}

const _: () = {
    let mut at = 0;
    while at < Kind::ALL.len() {
        assert!(Kind::ALL[at] as usize == at, "the list has every kind once");
        at += 1;
    }
};

/// Where the file of this kind and base offset lies.
pub fn file(directory: &Path, base_offset: Offset, kind: Kind) -> PathBuf {
    assert!(base_offset.0 >= 0, "the name of offset {base_offset} could not be read back");
    directory.join(format!("{:020}{}", base_offset.0, kind.suffix()))
}

/// A path with something behind its name.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Base offset and kind of a file, if its name is that of one.
pub fn parse_file(name: &str) -> Option<(Offset, Kind)> {
    let (digits, suffix) = name.split_at_checked(BASE_OFFSET_DIGITS)?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.suffix() == suffix)?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    Some((Offset(digits.parse().ok().filter(|_| plain)?), kind))
}

/// A file that was on its way out or in when the process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transient {
    /// Unlinked sooner or later; nobody reads it.
    Deleted,
    /// Output of a compaction that was not finished.
    Cleaned(Offset),
    /// A complete replacement for the segments that it covers.
    Swap(Offset, Kind),
}

/// What a name says about a file in transit; `None` for all others.
pub fn parse_transient(name: &str) -> Option<Transient> {
    if name.ends_with(DELETED_SUFFIX) {
        return (!name.ends_with(SNAPSHOT_DELETED_SUFFIX)).then_some(Transient::Deleted);
    }
    if let Some(plain) = name.strip_suffix(CLEANED_SUFFIX) {
        return parse_file(plain).map(|(offset, _)| Transient::Cleaned(offset));
    }
    let (offset, kind) = parse_file(name.strip_suffix(SWAP_SUFFIX)?)?;
    Some(Transient::Swap(offset, kind))
}

/// The name of a partition's directory.
pub fn partition_directory(topic: &str, partition: PartitionIndex) -> String {
    format!("{topic}-{partition}")
}

/// The name that a deleted partition's directory takes until it is gone; `unique` keeps two deletions apart.
pub fn deleted_directory(topic: &str, partition: PartitionIndex, unique: [u8; 16]) -> String {
    transient_directory(topic, partition, unique, DELETE_DIRECTORY_SUFFIX)
}

/// The name of the copy of a partition's log that is to replace it from another log directory (KIP-113).
pub fn future_directory(topic: &str, partition: PartitionIndex, unique: [u8; 16]) -> String {
    transient_directory(topic, partition, unique, FUTURE_DIRECTORY_SUFFIX)
}

/// Whether the name of a future log would be too long (KAFKA-4893).
pub fn is_too_long_to_move(topic: &str, partition: PartitionIndex) -> bool {
    const UNIQUE_DIGITS: usize = 32;
    partition_directory(topic, partition).len() + 1 + UNIQUE_DIGITS + FUTURE_DIRECTORY_SUFFIX.len() > MAX_NAME_BYTES
}

/// The name under which a partition's directory waits that no topic claims.
pub fn stray_directory(topic: &str, partition: PartitionIndex, unique: [u8; 16]) -> String {
    transient_directory(topic, partition, unique, STRAY_DIRECTORY_SUFFIX)
}

fn transient_directory(topic: &str, partition: PartitionIndex, unique: [u8; 16], suffix: &str) -> String {
    let tail = format!("-{partition}.{:032x}{suffix}", u128::from_be_bytes(unique));
    let room = MAX_NAME_BYTES.saturating_sub(tail.len());
    // Topic names are ASCII; for any other the cut moves back to a character's start.
    let cut = (0..=room.min(topic.len())).rev().find(|at| topic.is_char_boundary(*at)).unwrap_or(0);
    let name = format!("{}{tail}", &topic[..cut]);
    assert!(name.len() <= MAX_NAME_BYTES, "no file system takes {name}");
    name
}

/// What a directory's name in a log directory says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DirectoryName {
    Partition {
        topic: String,
        partition: PartitionIndex,
    },
    /// `<topic>-<n>.<id>-delete`: to be removed.
    Deleted,
    /// `<topic>-<n>.<id>-future`: a copy that is not complete, or not in its place yet.
    Future {
        topic: String,
        partition: PartitionIndex,
    },
    /// `-stray`: left for the operator.
    Aside,
    /// Not a partition's: Apache Kafka refuses to start with such a directory.
    Unknown,
}

pub fn parse_directory(name: &str) -> DirectoryName {
    if name.ends_with(DELETE_DIRECTORY_SUFFIX) && name.contains('.') {
        return DirectoryName::Deleted;
    }
    if name.ends_with(STRAY_DIRECTORY_SUFFIX) {
        return DirectoryName::Aside;
    }
    if let Some(plain) = name.strip_suffix(FUTURE_DIRECTORY_SUFFIX) {
        return match plain.rsplit_once('.').map(|(partition, _)| parse_directory(partition)) {
            Some(DirectoryName::Partition { topic, partition }) => DirectoryName::Future { topic, partition },
            _ => DirectoryName::Aside,
        };
    }
    let parsed = name.rsplit_once('-').filter(|(topic, _)| !topic.is_empty());
    match parsed.and_then(|(topic, number)| Some((topic, number.parse::<u32>().ok()?))) {
        Some((topic, number)) if number <= i32::MAX as u32 => {
            DirectoryName::Partition { topic: topic.to_string(), partition: PartitionIndex(number as i32) }
        }
        _ => DirectoryName::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_kafkas() {
        assert_eq!(file(Path::new("d"), Offset(42), Kind::TimeIndex), Path::new("d/00000000000000000042.timeindex"));
        assert_eq!(parse_file("00000000000000000042.log"), Some((Offset(42), Kind::Log)));
        for wrong in
            ["42.log", "00000000000000000042.logs", "+0000000000000000042.log", "99999999999999999999.log", "é"]
        {
            assert_eq!(parse_file(wrong), None, "{wrong}");
        }
        assert_eq!(parse_transient("00000000000000000042.log.deleted"), Some(Transient::Deleted));
        assert_eq!(parse_transient("00000000000000000042-0000000001.checkpoint.deleted"), None);
        assert_eq!(parse_transient("00000000000000000007.index.cleaned"), Some(Transient::Cleaned(Offset(7))));
        assert_eq!(parse_transient("00000000000000000007.log.swap"), Some(Transient::Swap(Offset(7), Kind::Log)));
    }

    #[test]
    fn directories_are_told_apart() {
        let partition = |topic: &str, n| DirectoryName::Partition { topic: topic.into(), partition: PartitionIndex(n) };
        assert_eq!(parse_directory("a-b-3"), partition("a-b", 3));
        assert_eq!(parse_directory("__cluster_metadata-0"), partition("__cluster_metadata", 0));
        assert_eq!(parse_directory("a-3.0123-delete"), DirectoryName::Deleted);
        let future = DirectoryName::Future { topic: "a.b".into(), partition: PartitionIndex(3) };
        assert_eq!(parse_directory("a.b-3.0123-future"), future);
        assert_eq!(parse_directory("a-b.0123-future"), DirectoryName::Aside);
        assert_eq!(parse_directory("a-3.0123-stray"), DirectoryName::Aside);
        assert!(!is_too_long_to_move(&"t".repeat(213), PartitionIndex(0)));
        assert!(is_too_long_to_move(&"t".repeat(214), PartitionIndex(0)));
        for wrong in ["a", "-3", "a-", "a-4294967296", "remote-log-index-cache"] {
            assert_eq!(parse_directory(wrong), DirectoryName::Unknown, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_name_is_parsed_without_harm(name: String, topic in "[a-zA-Z0-9._-]{1,249}", n in 0..i32::MAX) {
            let _ = (parse_file(&name), parse_transient(&name), parse_directory(&name));
            let deleted = deleted_directory(&topic, PartitionIndex(n), [0xab; 16]);
            prop_assert!(deleted.len() <= MAX_NAME_BYTES);
            prop_assert_eq!(parse_directory(&deleted), DirectoryName::Deleted);
        }
    }
}
