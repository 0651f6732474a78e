//! How many records of a topic a reader of committed records gets: markers, aborted records and those of open transactions are not
//! among them, though they have offsets.
//!
//! It is known how far each partition was counted, so that a wait reads each batch once. What compaction takes away meanwhile
//! stays counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::http::log_pieces;
use crate::metadata::Topic;
use crate::model::Uuid;
use crate::replica::partition::Partition;
use crate::replica::view::View;

/// Bytes of logs that are read for one look, beyond the piece that ends it, so that other looks have their turn.
const MOST_BYTES_OF_A_LOOK: u64 = 64 << 20;

#[derive(Default)]
pub(super) struct Counted {
    /// The topic: another of its name is counted anew.
    topic: Option<Uuid>,
    partitions: BTreeMap<i32, CountedPartition>,
}

/// The records between two offsets.
#[derive(Clone, Copy)]
struct CountedPartition {
    start: i64,
    next: i64,
    records: u64,
}

/// What one look has found.
pub(super) struct Found {
    pub records: u64,
    /// Offsets of open transactions, and what is behind the first of them.
    pub open: u64,
    /// Not all was counted: that was enough, or too much for one look.
    pub is_cut: bool,
}

/// The partitions of a topic that are on this broker.
fn partitions(view: &View, topic: &Topic) -> Vec<Arc<Partition>> {
    let hosted = |index| view.partition_by_name(&topic.name, index).ok().cloned();
    topic.partitions.iter().filter_map(|partition| hosted(partition.index)).collect()
}

/// So many records a topic cannot exceed. Reads memory only.
pub(super) fn upper_bound(view: &View, topic: &Topic) -> u64 {
    let offsets = |of: &Arc<Partition>| of.last_stable_offset().0.saturating_sub(of.log.log_start_offset().0).max(0);
    partitions(view, topic).iter().map(offsets).fold(0, i64::saturating_add) as u64
}

impl Counted {
    /// Counts on until there are so many, or this look has read enough. Blocks.
    pub(super) fn look(&mut self, view: &View, topic: &Topic, least: u64) -> Result<Found, String> {
        if self.topic.replace(topic.id) != Some(topic.id) {
            self.partitions.clear();
        }
        let (mut left, mut found) = (MOST_BYTES_OF_A_LOOK, Found { records: 0, open: 0, is_cut: false });
        for partition in partitions(view, topic) {
            // Before the batches are read: which of those below it were aborted is known by then.
            let last_stable = partition.last_stable_offset().0;
            let open = partition.high_watermark().0.saturating_sub(last_stable);
            found.open += u64::try_from(open).unwrap_or_default();
            let start = partition.log.log_start_offset().0;
            let counted = self.partitions.entry(partition.index.0);
            let counted = counted.or_insert(CountedPartition { start, next: start, records: 0 });
            // Its first records have gone, or it is another log.
            if counted.start != start || counted.next > partition.high_watermark().0 {
                *counted = CountedPartition { start, next: start, records: 0 };
            }
            let wanted = least.saturating_sub(found.records);
            counted.go_on(&partition, last_stable, wanted, &mut left)?;
            found.records += counted.records;
            found.is_cut |= counted.next < last_stable;
        }
        Ok(found)
    }
}

impl CountedPartition {
    fn go_on(&mut self, of: &Partition, last_stable: i64, wanted: u64, left: &mut u64) -> Result<(), String> {
        if self.records >= wanted || *left == 0 {
            return Ok(());
        }
        let mut goes_on = true;
        log_pieces::walk(of, self.next, last_stable, |batch, is_aborted| {
            let last = batch.header.last_offset().0;
            if !is_aborted && !batch.header.is_control() {
                // The log may begin within its first batch.
                let shown = last.saturating_sub(self.next.max(batch.header.base_offset)) + 1;
                self.records += i64::from(batch.header.records_count).clamp(0, shown.max(0)) as u64;
            }
            self.next = last + 1;
            *left = left.saturating_sub(batch.size_bytes() as u64);
            goes_on = self.records < wanted && *left > 0;
            goes_on
        })?;
        if goes_on {
            // What compaction has taken away behind the last batch is counted, too.
            self.next = self.next.max(last_stable);
        }
        Ok(())
    }
}
