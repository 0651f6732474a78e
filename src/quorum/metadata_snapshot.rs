//! Snapshots of the metadata log: `<end offset>-<epoch>.checkpoint`, as Kafka's own (KIP-630): written, and deleted with
//! the part of the log that they stand for (`RecordsSnapshotWriter`, `SnapshotGenerator`, `KafkaRaftLog.maybeClean`).
//!
//! A snapshot begins with control records (header; kraft.version and voters where the quorum keeps them in its log) and
//! ends with the footer, without which no reader believes it. It gets its name when it is durable: `.part`, sync,
//! rename, sync of the directory. Nothing of the log goes before a snapshot stands for it, and the newest stays always.
//!
//! Deviation: it is written by the metadata thread between two changes, where Kafka has a thread for it.

use std::io::IoSlice;
use std::path::{Path, PathBuf};

use log::info;

use crate::codec::Message;
use crate::io::disk::{Disk, Open};
use crate::metadata::record::FeatureLevelRecord;
use crate::metadata::{FRESH_FEATURES, Image, Record, at_level};
use crate::model::{LeaderEpoch, Offset, TimestampMs};
use crate::quorum::replay::BOOTSTRAP_FILE;
use crate::record::builder::{self, Builder, Options};
use crate::record::control::ControlType;
use crate::record::control_messages::kraft_version_record::KRaftVersionRecord;
use crate::record::control_messages::snapshot_footer_record::SnapshotFooterRecord;
use crate::record::control_messages::snapshot_header_record::SnapshotHeaderRecord;
use crate::storage::Error;
use crate::storage::log::{Log, LogConfig};

const SUFFIX: &str = ".checkpoint";
/// Behind the name of one that is being written.
const PART_SUFFIX: &str = ".part";
const OFFSET_DIGITS: usize = 20;
const EPOCH_DIGITS: usize = 10;
/// Records gather up to here before they become a batch.
const BATCH_BYTES: usize = 1 << 20;

/// When snapshots are made and how long they stay, and how the log rolls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// `metadata.log.max.record.bytes.between.snapshots`
    pub max_bytes_between: u64,
    /// `metadata.log.max.snapshot.interval.ms`; 0: never by time.
    pub max_interval_ms: i64,
    /// `metadata.max.retention.bytes`, of log and snapshots together; negative is no limit.
    pub retention_bytes: i64,
    /// `metadata.max.retention.ms`; negative is no limit.
    pub retention_ms: i64,
    /// `metadata.log.segment.bytes`, `metadata.log.segment.ms`
    pub log: LogConfig,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            max_bytes_between: 20 << 20,
            max_interval_ms: 3_600_000,
            retention_bytes: 100 << 20,
            retention_ms: 7 * 24 * 3_600_000,
            log: LogConfig::default(),
        }
    }
}

/// A snapshot's place: everything below the offset is in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SnapshotId {
    pub end_offset: Offset,
    pub epoch: LeaderEpoch,
}

impl SnapshotId {
    fn path(self, directory: &Path) -> PathBuf {
        directory.join(format!("{:020}-{:010}{SUFFIX}", self.end_offset.0, self.epoch.0))
    }

    /// `<end offset>-<epoch>.checkpoint`, with leading zeros; anything else is no finished snapshot.
    pub fn parse(name: &str) -> Option<SnapshotId> {
        let (offset, epoch) = name.strip_suffix(SUFFIX)?.split_once('-')?;
        let is_number = |text: &str, digits| text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
        if !is_number(offset, OFFSET_DIGITS) || !is_number(epoch, EPOCH_DIGITS) {
            return None;
        }
        Some(SnapshotId { end_offset: Offset(offset.parse().ok()?), epoch: LeaderEpoch(epoch.parse().ok()?) })
    }
}

/// What of the quorum stands in the log's control records, and so in its snapshots.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Quorum {
    /// The finalized level of `kraft.version`.
    pub kraft_version: i16,
    /// The newest VotersRecord as it was found.
    pub voters_record: Option<Vec<u8>>,
}

/// The finished snapshots in a directory, oldest first.
pub fn list(disk: &dyn Disk, directory: &Path) -> Result<Vec<(SnapshotId, PathBuf)>, Error> {
    let entries = disk.list(directory).map_err(Error::io("list", directory))?;
    let mut found: Vec<_> =
        entries.iter().filter_map(|e| Some((SnapshotId::parse(&e.name)?, directory.join(&e.name)))).collect();
    found.sort();
    Ok(found)
}

/// Removes what a crash left unfinished.
pub fn remove_unfinished(disk: &dyn Disk, directory: &Path) -> Result<(), Error> {
    let unfinished = format!("{SUFFIX}{PART_SUFFIX}");
    for entry in disk.list(directory).map_err(Error::io("list", directory))? {
        if entry.name.ends_with(&unfinished) {
            let path = directory.join(entry.name);
            disk.remove_file(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}

/// Writes an image as a snapshot. Blocks.
pub fn write(
    disk: &dyn Disk,
    directory: &Path,
    id: SnapshotId,
    image: &Image,
    quorum: &Quorum,
    last_timestamp: TimestampMs,
    now: TimestampMs,
) -> Result<(), Error> {
    assert!(!image.in_transaction(), "a snapshot holds what is visible");
    let path = id.path(directory);
    let name = path.file_name().and_then(|name| name.to_str());
    assert_eq!(name.and_then(SnapshotId::parse), Some(id), "the next start finds it by its name");
    let content = encode(id, image, quorum, last_timestamp, now);
    let content = content.map_err(|why| Error::Unusable { path: path.clone(), why })?;
    put(disk, directory, &path, &content)?;
    info!("metadata snapshot {} written, {} bytes", path.display(), content.len());
    Ok(())
}

/// Leaves what a fresh cluster begins with beside its features, for its first start: as `kafka-storage format` of Apache Kafka
/// does up to 4.3, and later ones read it. Blocks.
pub fn write_first(disk: &dyn Disk, log_directory: &Path, first: &[Record<'_>], now: TimestampMs) -> Result<(), Error> {
    let path = log_directory.join(BOOTSTRAP_FILE);
    let mut image = Image::default();
    let feature = |(name, level): &(&'static str, i16)| {
        Record::FeatureLevel(FeatureLevelRecord { name: (*name).into(), feature_level: *level })
    };
    let features: Vec<_> = FRESH_FEATURES.iter().map(feature).collect();
    for (offset, record) in features.iter().chain(first).enumerate() {
        assert_eq!(image.apply(record, offset as i64), None, "the first records depend on none before");
    }
    let id = SnapshotId { end_offset: Offset(0), epoch: LeaderEpoch(0) };
    let content = encode(id, &image, &Quorum::default(), now, now);
    let content = content.map_err(|why| Error::Unusable { path: path.clone(), why })?;
    put(disk, log_directory, &path, &content)
}

/// Writes a file as a whole or not at all.
fn put(disk: &dyn Disk, directory: &Path, path: &Path, content: &[u8]) -> Result<(), Error> {
    let mut part = path.to_path_buf().into_os_string();
    part.push(PART_SUFFIX);
    let part = PathBuf::from(part);
    let write = || {
        let file = disk.open(&part, Open::Create)?;
        file.set_size(0)?;
        file.write_at(&[IoSlice::new(content)], 0)?;
        file.sync_data()?;
        disk.rename(&part, path)?;
        disk.sync_directory(directory)
    };
    // What is left of it would hold room that others need; where it cannot be removed, the next start does it.
    write().inspect_err(|_| drop(disk.remove_file(&part))).map_err(Error::io("write", path))
}

/// The batches of a snapshot one behind the other; their offsets count the records within it.
struct Batches {
    bytes: Vec<u8>,
    epoch: LeaderEpoch,
    now: TimestampMs,
    next_offset: i64,
    builder: Builder,
}

impl Batches {
    fn options(&self, is_control: bool) -> Options {
        Options { base_offset: Offset(self.next_offset), leader_epoch: self.epoch, is_control, ..Options::default() }
    }

    fn put(&mut self, key: Option<&[u8]>, value: &[u8]) {
        self.builder.append(&builder::Record { timestamp: self.now, key, value: Some(value), headers: &[] });
        assert!(self.next_offset < i64::MAX, "a snapshot's records are counted");
        self.next_offset += 1;
    }

    /// Ends the batch; the next one is of this kind.
    fn end(&mut self, next_is_control: bool) {
        let next = Builder::new(self.options(next_is_control));
        let done = std::mem::replace(&mut self.builder, next);
        if !done.is_empty() {
            self.bytes.extend(done.build());
        }
    }
}

fn encode(
    id: SnapshotId,
    image: &Image,
    quorum: &Quorum,
    last_timestamp: TimestampMs,
    now: TimestampMs,
) -> Result<Vec<u8>, String> {
    let (epoch, next_offset) = (id.epoch, 0);
    let builder = Builder::new(Options { leader_epoch: epoch, is_control: true, ..Options::default() });
    let mut batches = Batches { bytes: Vec::new(), epoch, now, next_offset, builder };
    let header = SnapshotHeaderRecord { version: 0, last_contained_log_timestamp: last_timestamp.0 };
    batches.put(Some(&ControlType::SnapshotHeader.key()), &encoded(&header)?);
    if quorum.kraft_version > 0 {
        let version = KRaftVersionRecord { version: 0, kraft_version: quorum.kraft_version };
        batches.put(Some(&ControlType::KRaftVersion.key()), &encoded(&version)?);
        if let Some(voters) = &quorum.voters_record {
            batches.put(Some(&ControlType::KRaftVoters.key()), voters);
        }
    }
    batches.end(false);
    let mut value = Vec::new();
    for record in image.to_records() {
        let Some((record, version)) = at_level(&record, image.metadata_version()) else { continue };
        value.clear();
        record.encode(&mut value, version).map_err(|error| error.to_string())?;
        batches.put(None, &value);
        if batches.builder.size_bytes() >= BATCH_BYTES {
            batches.end(false);
        }
    }
    batches.end(true);
    let footer = SnapshotFooterRecord { version: 0 };
    batches.put(Some(&ControlType::SnapshotFooter.key()), &encoded(&footer)?);
    batches.end(true);
    Ok(batches.bytes)
}

fn encoded(message: &impl for<'a> Message<'a>) -> Result<Vec<u8>, String> {
    let mut value = Vec::new();
    message.encode(&mut value, 0).map_err(|error| error.to_string())?;
    Ok(value)
}

/// Lets old snapshots go, and the part of the log that they stood for. Of two that follow each other the older one goes
/// if log and snapshots are larger than allowed, or if it is too old. `timestamp` tells when a snapshot's last record
/// was written. Blocks.
pub fn clean(
    disk: &dyn Disk,
    log: &Log,
    policy: &Policy,
    timestamp: impl Fn(&Path) -> Option<TimestampMs>,
    now: TimestampMs,
) -> Result<(), Error> {
    let snapshots = list(disk, log.directory())?;
    let size_of = |path: &Path| disk.size_bytes(path).map_err(Error::io("ask for the size of", path));
    let mut kept_bytes = 0;
    for (_, path) in &snapshots {
        kept_bytes += size_of(path)? as i64;
    }
    for pair in snapshots.windows(2) {
        let [(id, old), (next, _)] = pair else { break };
        assert!(id < next, "the oldest snapshot goes first");
        let bytes = log.size_bytes() as i64 + kept_bytes;
        let is_large = policy.retention_bytes >= 0 && bytes > policy.retention_bytes;
        let age_ms = || timestamp(old).map_or(0, |written| now.0.saturating_sub(written.0));
        let is_old = policy.retention_ms >= 0 && age_ms() > policy.retention_ms;
        if !is_large && !is_old {
            break;
        }
        kept_bytes -= size_of(old)? as i64;
        // The next snapshot is durable and stands for all that goes here.
        log.delete_records_before(next.end_offset)?;
        log.unlink_below_start()?;
        disk.remove_file(old).map_err(Error::io("remove", old))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
