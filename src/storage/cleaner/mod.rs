//! Compaction: of each key only the last record stays (`LogCleaner`, `Cleaner`).
//!
//! A round reads the dirty part of a log into a map of each key's latest offset (`offset_map`), then copies all segments
//! up to there without what the map makes superfluous (`copy`), and puts each copy in the place of its originals
//! (`swap`). It never touches the active segment, moves no offset and holds the writer's lock only to swap. Nothing here
//! decides when to clean: [`Log::dirtiness`] says what could be won, the caller chooses.

pub mod checkpoint;
mod copy;
mod offset_map;
mod reader;
mod swap;
#[cfg(test)]
mod tests;
mod transactions;

use super::batches::{Batches, LOOKUP_BUFFER_BYTES};
use super::error::Error;
use super::log::Log;
use super::names::{self, Kind};
use super::read::collect;
use super::removal::Removal;
use super::segment::Segment;
use super::view::View;
use crate::model::{Offset, TimestampMs};
use offset_map::OffsetMap;
use reader::Reader;
use std::io::ErrorKind;
use std::sync::Arc;
use transactions::Transactions;

/// The part of a topic's configuration that compaction obeys.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Policy {
    /// `delete.retention.ms`
    pub delete_retention_ms: i64,
    /// `min.compaction.lag.ms`
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`
    pub max_compaction_lag_ms: i64,
    /// `min.cleanable.dirty.ratio`
    pub min_cleanable_dirty_ratio: f64,
}

/// What a round may use.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Means {
    /// `log.cleaner.dedupe.buffer.size`: the most that the map takes; a small dirty part takes less.
    pub dedupe_buffer_bytes: u64,
    /// `log.cleaner.io.buffer.load.factor`
    pub load_factor: f64,
    /// `log.cleaner.io.buffer.size`
    pub io_buffer_bytes: usize,
    /// What the map's digests are keyed with: new for each round.
    pub random: [u8; 16],
}

/// What could be cleaned of a log.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Dirtiness {
    /// All below was cleaned before.
    pub first_dirty_offset: Offset,
    /// The base offset of the first segment that may not be cleaned.
    pub first_uncleanable_offset: Offset,
    pub clean_bytes: u64,
    pub cleanable_bytes: u64,
    /// Something has waited for longer than `max.compaction.lag.ms`.
    pub is_overdue: bool,
}

impl Dirtiness {
    /// The part of the bytes that is dirty: the log with the largest is cleaned first (`grabFilthiestCompactedLog`).
    pub fn ratio(&self) -> f64 {
        let total = self.clean_bytes + self.cleanable_bytes;
        if total == 0 { 0.0 } else { self.cleanable_bytes as f64 / total as f64 }
    }

    /// Whether the topic asks for a round now.
    pub fn wants_cleaning(&self, policy: &Policy) -> bool {
        self.cleanable_bytes > 0 && (self.is_overdue || self.ratio() > policy.min_cleanable_dirty_ratio)
    }
}

/// Told of all bytes that are read and written, so that it can slow them down; `false` ends the round.
pub trait Pace {
    fn spend(&mut self, bytes: u64) -> bool;
}

/// Why a round ended early. The log is as sound as before; what is swapped in already stays.
#[derive(Debug)]
pub enum Stopped {
    /// The caller's [`Pace`] wanted it.
    Asked,
    /// The log has lost the segments meanwhile (deletion), or is gone itself.
    Overtaken,
    Failed(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Stopped {
        Stopped::Failed(error)
    }
}

/// What a round did.
pub struct Cleaned {
    /// The first offset that is dirty now.
    pub end_offset: Offset,
    pub map_records: usize,
    pub bytes_read: u64,
    pub bytes_written: u64,
    pub records_read: u64,
    pub records_written: u64,
    /// The originals, renamed and of no more use.
    pub removals: Vec<Removal>,
}

impl Log {
    /// What could be cleaned. `cleaned_to` is the checkpoint, `stable_end` the offset above which records may still be
    /// taken back (`LogCleanerManager.cleanableOffsets`).
    pub fn dirtiness(
        &self,
        cleaned_to: Option<Offset>,
        stable_end: Offset,
        policy: &Policy,
        now: TimestampMs,
    ) -> Result<Dirtiness, Error> {
        self.with_view(|view| self.dirtiness_in(view, cleaned_to, stable_end, policy, now))
    }

    fn dirtiness_in(
        &self,
        view: &View,
        cleaned_to: Option<Offset>,
        stable_end: Offset,
        policy: &Policy,
        now: TimestampMs,
    ) -> Result<Dirtiness, Error> {
        let in_log = |offset: &Offset| *offset >= view.log_start_offset && *offset <= view.end_offset;
        let first_dirty_offset = cleaned_to.filter(in_log).unwrap_or(view.log_start_offset);
        let sealed = view.segments.len() - 1;
        let dirty_from = view.floor(first_dirty_offset).min(sealed);
        let dirty = &view.segments[dirty_from..sealed];
        let mut until = view.active().base_offset.min(stable_end);
        if policy.min_compaction_lag_ms > 0 {
            for segment in dirty {
                let newest = segment.sealed_max_timestamp(&*self.disk).map_err(|e| self.unreadable(segment, e))?;
                if newest.timestamp.0 > now.0.saturating_sub(policy.min_compaction_lag_ms) {
                    until = until.min(segment.base_offset);
                    break;
                }
            }
        }
        let first_uncleanable_offset = view.segments[view.floor(until.max(first_dirty_offset))].base_offset;
        let bytes = |range: std::ops::Range<usize>| range.map(|at| view.segment_size_bytes(at)).sum();
        let uncleanable = view.segments.partition_point(|s| s.base_offset < first_uncleanable_offset);
        let clean = view.segments.partition_point(|s| s.base_offset < first_dirty_offset);
        assert!(uncleanable <= sealed, "the active segment is never cleaned");
        assert!(first_dirty_offset >= view.log_start_offset, "what is below the log's start is not dirty");
        Ok(Dirtiness {
            first_dirty_offset,
            first_uncleanable_offset,
            clean_bytes: bytes(0..clean),
            cleanable_bytes: bytes(dirty_from.min(uncleanable)..uncleanable),
            is_overdue: self.is_overdue(dirty, policy, now)?,
        })
    }

    /// Whether the first batch of a dirty segment is older than `max.compaction.lag.ms`.
    fn is_overdue(&self, dirty: &[Arc<Segment>], policy: &Policy, now: TimestampMs) -> Result<bool, Error> {
        let Some(before) = now.0.checked_sub(policy.max_compaction_lag_ms).filter(|before| *before > 0) else {
            return Ok(false);
        };
        for segment in dirty {
            let file = segment.file(&*self.disk).map_err(|error| self.unreadable(segment, error))?;
            let mut batches = Batches::new(file, 0, segment.sealed_size_bytes, LOOKUP_BUFFER_BYTES);
            let first = batches.next_header().map_err(|error| self.unreadable(segment, error))?;
            if first.is_some_and(|first| first.header.max_timestamp > 0 && first.header.max_timestamp < before) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// One round. Blocks, and takes long: not for a shard's thread.
    pub fn clean(
        &self,
        dirtiness: &Dirtiness,
        policy: &Policy,
        means: &Means,
        now: TimestampMs,
        pace: &mut dyn Pace,
    ) -> Result<Cleaned, Stopped> {
        let gone = |error: &Error| matches!(error, Error::Io { cause, .. } if cause.kind() == ErrorKind::NotFound);
        match self.clean_round(dirtiness, policy, means, now, pace) {
            // The directory of a deleted partition has another name, and so have the files that retention takes out.
            Err(Stopped::Failed(error)) if gone(&error) && (self.is_offline() || self.is_whole()) => {
                Err(Stopped::Overtaken)
            }
            other => other,
        }
    }

    /// Whether every segment has its file.
    fn is_whole(&self) -> bool {
        self.view.load().segments.iter().all(|segment| self.disk.exists(segment.log.path()))
    }

    fn clean_round(
        &self,
        dirtiness: &Dirtiness,
        policy: &Policy,
        means: &Means,
        now: TimestampMs,
        pace: &mut dyn Pace,
    ) -> Result<Cleaned, Stopped> {
        let view = self.view.load_full();
        let mut reader = Reader::new(&*self.disk, means.io_buffer_bytes, pace);
        let map = self.build_map(&view, dirtiness, means, &mut reader)?;
        let mut cleaned = Cleaned {
            end_offset: map.latest_offset.next(),
            map_records: map.len(),
            bytes_read: 0,
            bytes_written: 0,
            records_read: 0,
            records_written: 0,
            removals: Vec::new(),
        };
        let below = view.segments.partition_point(|segment| segment.base_offset < cleaned.end_offset);
        let below = below.min(view.segments.len() - 1);
        let mut transactions = Transactions::default();
        assert!(cleaned.end_offset >= dirtiness.first_dirty_offset, "a round does not make clean records dirty");
        for group in self.groups(&view, below)? {
            let round = copy::Round {
                map: &map,
                policy: *policy,
                now,
                upper_bound: dirtiness.first_uncleanable_offset,
                io_buffer_bytes: means.io_buffer_bytes,
            };
            let copied = self.copy_group(&view, &group, &round, &mut transactions, &mut reader);
            let copy = match copied {
                Ok(copy) => copy,
                Err(stopped) => {
                    // What is left of it would make a later swap look incomplete.
                    self.remove_cleaned(group[0].base_offset)?;
                    return Err(stopped);
                }
            };
            cleaned.records_read += copy.records_read;
            cleaned.records_written += copy.records_written;
            cleaned.bytes_read += group.iter().map(|segment| segment.sealed_size_bytes).sum::<u64>();
            cleaned.bytes_written += copy.segment.sealed_size_bytes;
            cleaned.removals.push(self.swap_in(&group, copy)?);
        }
        Ok(cleaned)
    }

    /// The latest offset of each key in the dirty part, as far as the map has room (`Cleaner.buildOffsetMap`).
    fn build_map(
        &self,
        view: &View,
        dirtiness: &Dirtiness,
        means: &Means,
        reader: &mut Reader<'_>,
    ) -> Result<OffsetMap, Stopped> {
        let (from, to) = (dirtiness.first_dirty_offset, dirtiness.first_uncleanable_offset);
        let records = u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0);
        let mut map = OffsetMap::new(records, means.dedupe_buffer_bytes, means.load_factor, means.random);
        map.latest_offset = Offset(from.0 - 1);
        let below = view.segments.partition_point(|segment| segment.base_offset < to).min(view.segments.len() - 1);
        let first = view.floor(from).min(below);
        let mut transactions = Transactions::default();
        // Not those that have ended below: the walk does not come to their markers, which take them out again.
        transactions.add(collect(&view.segments[first..], from, to));
        for at in first..below {
            let segment = &view.segments[at];
            let within = from > segment.base_offset;
            let start = if within { segment.index.floor_position(&*self.disk, segment.base_offset, from) } else { 0 };
            let path = names::file(&self.directory, segment.base_offset, Kind::Log);
            let is_whole = reader.each_batch(segment, start, &path, |batch, unpack| {
                if batch.header.last_offset() < from {
                    return Ok(Some(0));
                }
                let is_aborted = if batch.header.is_control() {
                    transactions.read_control(batch);
                    true
                } else {
                    transactions.read_data(&batch.header)
                };
                if !is_aborted {
                    let unpacked = unpack(batch)?;
                    let mut records = batch.records(&unpacked);
                    while let Some(record) = records.next() {
                        let record = record.map_err(|why| reader::unusable(&path, why))?;
                        let offset = Offset(records.offset(&record));
                        let has_room = record.key.is_none_or(|key| offset < from || map.put(key, offset));
                        if !has_room {
                            return Ok(None);
                        }
                    }
                }
                map.latest_offset = map.latest_offset.max(batch.header.last_offset());
                Ok(Some(0))
            })?;
            if !is_whole {
                break;
            }
            map.latest_offset = map.latest_offset.max(Offset(view.segment_end_offset(at).min(to).0 - 1));
        }
        if map.latest_offset < from && records > 0 {
            let why = "the cleaner's map (log.cleaner.dedupe.buffer.size) is too small for one batch".to_string();
            return Err(Error::Unusable { path: self.directory.clone(), why }.into());
        }
        Ok(map)
    }

    /// Segments that fit into one, each as long as can be (`Cleaner.groupSegmentsBySize`).
    fn groups(&self, view: &View, below: usize) -> Result<Vec<Vec<Arc<Segment>>>, Error> {
        let config = self.config.load();
        let mut groups: Vec<Vec<Arc<Segment>>> = Vec::new();
        let mut sums = [0; 3];
        for at in 0..below {
            let segment = &view.segments[at];
            let (offsets, times) = segment.index.sizes_bytes(&*self.disk).map_err(|e| self.unreadable(segment, e))?;
            let sizes = [segment.sealed_size_bytes, offsets, times];
            let limits = [config.segment_bytes(), config.segment_index_bytes, config.segment_index_bytes];
            let fits = (0..3).all(|n| sums[n] + sizes[n] <= limits[n]);
            let last_offset = view.segment_end_offset(at).0 - 1;
            let reaches = |group: &Vec<Arc<Segment>>| last_offset - group[0].base_offset.0 <= i64::from(i32::MAX);
            match groups.last_mut().filter(|group| fits && (segment.sealed_size_bytes == 0 || reaches(group))) {
                Some(group) => {
                    group.push(segment.clone());
                    (0..3).for_each(|n| sums[n] += sizes[n]);
                }
                None => {
                    groups.push(vec![segment.clone()]);
                    sums = sizes;
                }
            }
        }
        assert_eq!(groups.iter().map(Vec::len).sum::<usize>(), below, "every segment is in one group");
        Ok(groups)
    }

    fn unreadable(&self, segment: &Segment, cause: std::io::Error) -> Error {
        Error::io("read", &names::file(&self.directory, segment.base_offset, Kind::Log))(cause)
    }
}
