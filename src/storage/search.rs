//! Finding offsets by timestamp, for ListOffsets (`UnifiedLog.fetchOffsetByTimestamp`). No lock; may read cold pages and
//! unpack a batch, so not for a shard's thread where that must not block.

use super::batches::{BatchAt, Batches, LOOKUP_BUFFER_BYTES};
use super::error::Error;
use super::index::{NO_TIMESTAMP, TimestampOffset};
use super::log::Log;
use super::names::{self, Kind};
use super::view::View;
use crate::model::{LeaderEpoch, Offset, TimestampMs};
use crate::record::batches::Batch;
use crate::record::validate::DEFAULT_MAX_UNPACKED_BYTES;
use std::io;

/// A record found by its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimedOffset {
    pub timestamp: TimestampMs,
    pub offset: Offset,
    pub leader_epoch: Option<LeaderEpoch>,
}

impl Log {
    /// The first record whose timestamp is not below the given one.
    pub fn offset_for_timestamp(&self, timestamp: TimestampMs) -> Result<Option<TimedOffset>, Error> {
        self.with_view(|view| self.search(view, timestamp))
    }

    fn search(&self, view: &View, timestamp: TimestampMs) -> Result<Option<TimedOffset>, Error> {
        // The first segment that has such a timestamp has the record, unless that lies below the start of the log.
        for at in 0..view.segments.len() {
            let found =
                self.search_segment(view, at, timestamp).map_err(|cause| self.cannot_search(view, at, cause))?;
            if let Some(found) = found {
                assert!(found.timestamp >= timestamp, "the record is older than asked for");
                assert!(found.offset >= view.log_start_offset, "the record was deleted");
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn search_segment(&self, view: &View, at: usize, timestamp: TimestampMs) -> io::Result<Option<TimedOffset>> {
        if self.max_timestamp_of(view, at)?.timestamp < timestamp {
            return Ok(None);
        }
        let segment = &view.segments[at];
        let start = view.log_start_offset;
        let hint = segment.index.floor_time(&*self.disk, segment.base_offset, timestamp).max(start);
        let size_bytes = view.segment_size_bytes(at);
        let position = segment.locate(&*self.disk, hint, size_bytes)?.map_or(0, |placed| placed.position);
        let mut batches = Batches::new(segment.file(&*self.disk)?, position, size_bytes, LOOKUP_BUFFER_BYTES);
        while let Some(placed) = batches.next_header()? {
            if placed.header.max_timestamp < timestamp.0 || placed.header.last_offset() < start {
                continue;
            }
            let wanted = |time: i64, offset: i64| time >= timestamp.0 && offset >= start.0;
            if let Some(found) = self.find_record(view, at, &placed, wanted)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The record with the largest timestamp, the first of them; where no record has one, the first record.
    pub fn max_timestamp(&self) -> Result<Option<TimedOffset>, Error> {
        self.with_view(|view| self.search_max(view))
    }

    fn search_max(&self, view: &View) -> Result<Option<TimedOffset>, Error> {
        let mut best: Option<(usize, TimestampOffset)> = None;
        for at in 0..view.segments.len() {
            let max = self.max_timestamp_of(view, at).map_err(|cause| self.cannot_search(view, at, cause))?;
            if best.is_none_or(|(_, best)| max.timestamp > best.timestamp) {
                best = Some((at, max));
            }
        }
        let Some((at, max)) = best else { return Ok(None) };
        self.find_max_timestamp(view, at, max).map_err(|cause| self.cannot_search(view, at, cause))
    }

    fn find_max_timestamp(&self, view: &View, at: usize, max: TimestampOffset) -> io::Result<Option<TimedOffset>> {
        let segment = &view.segments[at];
        let offset = if max.timestamp.0 > NO_TIMESTAMP { max.offset } else { segment.base_offset };
        let located = segment.locate(&*self.disk, offset, view.segment_size_bytes(at))?;
        let Some(placed) = located else { return Ok(None) };
        self.find_record(view, at, &placed, |time, _| time == placed.header.max_timestamp)
    }

    fn max_timestamp_of(&self, view: &View, at: usize) -> io::Result<TimestampOffset> {
        if view.is_active(at) {
            Ok(view.active_max_timestamp)
        } else {
            view.segments[at].sealed_max_timestamp(&*self.disk)
        }
    }

    /// The first record of a batch whose timestamp and offset are wanted.
    fn find_record(
        &self,
        view: &View,
        at: usize,
        placed: &BatchAt,
        wanted: impl Fn(i64, i64) -> bool,
    ) -> io::Result<Option<TimedOffset>> {
        // A batch in the log is as long as it says, and was within the broker's limits when it was appended.
        let mut bytes = vec![0; placed.size_bytes as usize];
        let read = view.segments[at].file(&*self.disk)?.read_at(&mut bytes, placed.position)?;
        let damaged = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_string());
        let batch = Batch::first(&bytes[..read]).map_err(|error| damaged(&error.to_string()))?;
        let found = first_record(&batch, &wanted).unwrap_or_else(|_| {
            // The log takes batches without a look inside. One that cannot be read is found by its header: a consumer that
            // begins there finds out by itself, and those that begin elsewhere go on.
            let header = &placed.header;
            let ends = [header.base_offset, header.last_offset().0];
            ends.map(|offset| (header.max_timestamp, offset)).into_iter().find(|(time, offset)| wanted(*time, *offset))
        });
        Ok(found.map(|(time, offset)| timed(placed, time, offset)))
    }

    fn cannot_search(&self, view: &View, at: usize, cause: io::Error) -> Error {
        if self.is_deleted() {
            return Error::Offline;
        }
        let path = names::file(&self.directory, view.segments[at].base_offset, Kind::Log);
        Error::io("search by time in", &path)(cause)
    }
}

/// The timestamp and the offset of the first record that is wanted; an error where the batch's inside cannot be read.
fn first_record(batch: &Batch<'_>, wanted: impl Fn(i64, i64) -> bool) -> Result<Option<(i64, i64)>, String> {
    let unpacked = batch.unpack(DEFAULT_MAX_UNPACKED_BYTES).map_err(|error| error.to_string())?;
    let mut records = batch.records(&unpacked);
    while let Some(record) = records.next() {
        let record = record.map_err(|error| error.to_string())?;
        let (time, offset) = (records.timestamp(&record), records.offset(&record));
        if wanted(time, offset) {
            return Ok(Some((time, offset)));
        }
    }
    Ok(None)
}

fn timed(placed: &BatchAt, timestamp: i64, offset: i64) -> TimedOffset {
    TimedOffset {
        timestamp: TimestampMs(timestamp),
        offset: Offset(offset),
        leader_epoch: Some(placed.header.leader_epoch()).filter(|epoch| epoch.0 >= 0),
    }
}
