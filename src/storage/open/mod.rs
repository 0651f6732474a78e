//! Opening a log: finishing what was interrupted, loading what is sound, recovering what may be torn (`LogLoader`).
//!
//! What is done about what is found is decided in [`recovery`](super::recovery); here it is looked at and done. Nothing
//! below the recovery point is ever cut. The steps in their order: this file finds the segments and plans, `trusted` and
//! `producers` load what is believed, `recover` reads what is not, `settle` makes the log.

mod notes;
mod producers;
mod recover;
mod settle;
mod trusted;

use super::checkpoint;
use super::epochs::Epochs;
use super::error::Error;
use super::health::Health;
use super::index::{MemoryIndex, OFFSET_ENTRY_BYTES, TIME_ENTRY_BYTES, replace_unsynced};
use super::interrupted::list_settled;
use super::log::{Checkpointed, Identity, Log, LogConfig};
use super::loss::{Cut, Removed};
use super::names::{self, Kind};
use super::producers::Producers;
use super::recovery::{self, Indexes, MetadataPlan, Plan, SegmentFound};
use super::removal::ignore_missing;
use super::transactions::AbortedTxn;
use crate::io::disk::{Disk, File};
use crate::io::open_files::LazyFile;
use crate::model::{Offset, TimestampMs};
use log::warn;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A segment as it was found, then as it was made.
struct Found {
    base_offset: Offset,
    log: LazyFile,
    size_bytes: u64,
    offset_index_bytes: Option<u64>,
    time_index_bytes: Option<u64>,
    /// The entries of its `.txnindex`; `None` if there is no such file, or one that is damaged.
    aborted: Option<Vec<AbortedTxn>>,
    has_transaction_index: bool,
    /// In memory if it was rebuilt or belongs to the active segment.
    index: Option<MemoryIndex>,
}

struct Opening<'a> {
    disk: &'a Arc<dyn Disk>,
    directory: &'a Path,
    config: &'a LogConfig,
    now: TimestampMs,
    segments: Vec<Found>,
    /// Offsets of the producer snapshots on disk.
    snapshots: Vec<Offset>,
    epochs: Epochs,
    /// As the file has them, if there is a sound one.
    epochs_on_disk: Option<Epochs>,
    producers: Producers,
    snapshot_offset: Offset,
    unsynced: Vec<PathBuf>,
    cut: Option<Cut>,
    removed: Option<Removed>,
}

impl Log {
    /// As [`Log::open_in`], for a log that shares its directory's state with no other.
    pub fn open(
        disk: Arc<dyn Disk>,
        directory: PathBuf,
        config: LogConfig,
        identity: Identity,
        checkpointed: Checkpointed,
        now: TimestampMs,
    ) -> Result<Log, Error> {
        let health = Health::new(disk.clone(), directory.parent().unwrap_or(Path::new("/")));
        Log::open_in(&Arc::new(health), disk, directory, config, identity, checkpointed, now)
    }

    /// Opens a partition's log, or makes it. Reads all that is not known to be on the platter. Blocks.
    pub fn open_in(
        health: &Arc<Health>,
        disk: Arc<dyn Disk>,
        directory: PathBuf,
        config: LogConfig,
        identity: Identity,
        checkpointed: Checkpointed,
        now: TimestampMs,
    ) -> Result<Log, Error> {
        if !disk.exists(&directory) {
            disk.create_directories(&directory).map_err(Error::io("create", &directory))?;
        }
        let metadata = claim(&*disk, &directory, &identity)?;
        let mut opening = Opening::find(&disk, &directory, &config, now)?;
        opening.unsynced.extend(metadata);
        let end_offset = opening.load(&checkpointed)?;
        let end_offset = opening.settle(end_offset, &checkpointed)?;
        opening.into_log(identity, &checkpointed, end_offset, health.clone())
    }
}

/// Checks or writes `partition.metadata`; its path if it was written.
fn claim(disk: &dyn Disk, directory: &Path, identity: &Identity) -> Result<Option<PathBuf>, Error> {
    let path = directory.join(names::PARTITION_METADATA);
    let found = checkpoint::read_partition_metadata(disk, &path)?;
    match recovery::metadata_plan(found, identity.topic_id) {
        MetadataPlan::Refuse => {
            let found = found.unwrap_or_default();
            let why = format!("holds the topic id {found}, but the topic's is {}", identity.topic_id);
            Err(Error::NotOurs { path, why })
        }
        MetadataPlan::Keep => Ok(None),
        MetadataPlan::Write => {
            let content = checkpoint::encode_partition_metadata(identity.topic_id);
            replace_unsynced(disk, &path, content.as_bytes()).map(Some)
        }
    }
}

impl<'a> Opening<'a> {
    fn find(
        disk: &'a Arc<dyn Disk>,
        directory: &'a Path,
        config: &'a LogConfig,
        now: TimestampMs,
    ) -> Result<Self, Error> {
        let mut files: BTreeMap<Offset, BTreeSet<Kind>> = BTreeMap::new();
        for name in list_settled(&**disk, directory)? {
            if let Some((offset, kind)) = names::parse_file(&name) {
                files.entry(offset).or_default().insert(kind);
            }
        }
        let size_of = |offset, kind| {
            let path = names::file(directory, offset, kind);
            disk.size_bytes(&path).map_err(Error::io("ask for the size of", &path))
        };
        let mut segments = Vec::new();
        let mut snapshots = Vec::new();
        for (base_offset, kinds) in files {
            snapshots.extend(kinds.get(&Kind::ProducerSnapshot).map(|_| base_offset));
            if !kinds.contains(&Kind::Log) {
                continue;
            }
            let path = names::file(directory, base_offset, Kind::Log);
            let log = LazyFile::new(path);
            let index_bytes = |kind| kinds.contains(&kind).then(|| size_of(base_offset, kind)).transpose();
            segments.push(Found {
                base_offset,
                log,
                size_bytes: size_of(base_offset, Kind::Log)?,
                offset_index_bytes: index_bytes(Kind::OffsetIndex)?,
                time_index_bytes: index_bytes(Kind::TimeIndex)?,
                aborted: None,
                has_transaction_index: kinds.contains(&Kind::TransactionIndex),
                index: None,
            });
        }
        Ok(Opening {
            disk,
            directory,
            config,
            now,
            segments,
            snapshots,
            epochs: Epochs::default(),
            epochs_on_disk: None,
            producers: Producers::default(),
            snapshot_offset: Offset(-1),
            unsynced: Vec::new(),
            cut: None,
            removed: None,
        })
    }

    /// Brings segments, epochs and producers up to the end of the log, which is returned.
    fn load(&mut self, checkpointed: &Checkpointed) -> Result<Offset, Error> {
        let known = Epochs::read(&**self.disk, &self.directory.join(names::LEADER_EPOCH_CHECKPOINT));
        let known = match known {
            Err(failure @ Error::Unusable { .. }) => {
                warn!("{failure}: the leader epochs are read from the batches");
                Epochs::default()
            }
            other => {
                let known = other?;
                self.epochs_on_disk = Some(known.clone());
                known
            }
        };
        let (mut sound, mut end_offset) = (self.segments.len(), None);
        let plans = self.plans(checkpointed);
        let is_looked_at = |plan: &Plan| matches!(plan, Plan::CheckThenTrust | Plan::Recover);
        assert!(plans.last().is_none_or(is_looked_at), "where the log ends is never taken on trust");
        for (at, plan) in plans.into_iter().enumerate() {
            match plan {
                Plan::Trust => {}
                Plan::RebuildIndexes => self.rebuild_index(at)?,
                Plan::CheckThenTrust => {
                    assert_eq!(at + 1, self.segments.len(), "only the last segment is active");
                    end_offset = self.load_active()?;
                    sound -= usize::from(end_offset.is_none());
                }
                Plan::Recover => sound = sound.min(at),
            }
        }
        assert!(sound <= self.segments.len(), "there are not so many segments");
        assert!(end_offset.is_none() || sound == self.segments.len(), "the end is known, so nothing is recovered");
        for at in 0..sound {
            self.load_aborted(at)?;
        }
        let scan_from = self.segments.get(sound).map(|segment| segment.base_offset);
        let state_at = end_offset.or(scan_from).unwrap_or(checkpointed.log_start_offset);
        self.epochs = if known.entries().is_empty() { self.epochs_from_batches(sound)? } else { known };
        self.load_producers(state_at, sound, checkpointed.log_start_offset)?;
        match end_offset {
            Some(end_offset) => Ok(end_offset),
            None => self.recover(sound, state_at),
        }
    }

    fn plans(&self, checkpointed: &Checkpointed) -> Vec<Plan> {
        let with_recovery_point =
            self.segments.partition_point(|segment| segment.base_offset <= checkpointed.recovery_point);
        let plan = |(at, segment): (usize, &Found)| {
            let found = SegmentFound {
                clean: checkpointed.clean,
                is_below: at + 1 < with_recovery_point,
                is_last: at + 1 == self.segments.len(),
                indexes: segment.indexes(),
            };
            found.plan()
        };
        self.segments.iter().enumerate().map(plan).collect()
    }
}

impl Found {
    /// As most partitions of a broker with many: nothing in it to be read, mended or written.
    fn is_empty(&self) -> bool {
        let index_bytes = self.offset_index_bytes.unwrap_or(0) + self.time_index_bytes.unwrap_or(0);
        self.size_bytes == 0 && index_bytes == 0 && !self.has_transaction_index
    }

    fn file(&self, disk: &dyn Disk) -> Result<Arc<dyn File>, Error> {
        self.log.get(disk).map_err(Error::io("open", self.log.path()))
    }

    fn indexes(&self) -> Indexes {
        let (Some(offsets), Some(times)) = (self.offset_index_bytes, self.time_index_bytes) else {
            return Indexes::Missing;
        };
        let are_whole = offsets % OFFSET_ENTRY_BYTES as u64 == 0 && times % TIME_ENTRY_BYTES as u64 == 0;
        if are_whole { Indexes::Plausible } else { Indexes::WrongSize }
    }
}

fn remove_segment(disk: &dyn Disk, directory: &Path, base_offset: Offset) -> Result<(), Error> {
    for kind in Kind::ALL {
        let path = names::file(directory, base_offset, kind);
        ignore_missing(disk.remove_file(&path)).map_err(Error::io("remove", &path))?;
    }
    Ok(())
}
