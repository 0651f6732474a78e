//! What was found on disk → what is done about it: the decisions of opening a log, each a table (`LogLoader`).
//!
//! | segment | indexes missing or of a wrong size | indexes plausible |
//! | --- | --- | --- |
//! | after a clean stop, not the last | rebuild the indexes | trust |
//! | after a clean stop, the last | recover | check, then trust; recover if they contradict the batches |
//! | all of it below the recovery point | rebuild the indexes | trust |
//! | the one with the recovery point, all behind it | recover | recover |
//!
//! *Recover* reads every batch with its checksum and cuts the log at the first that is torn. *Rebuild* reads headers and
//! cuts nothing. *Trust* reads nothing. So what is read is what was not known to be durable, and the batches
//! behind the newest usable snapshot of producers.
//!
//! | found | done |
//! | --- | --- |
//! | `.deleted`, `.cleaned` | removed |
//! | `.swap` below every `.cleaned` | takes the place of what it covers |
//! | `.swap` at or above a `.cleaned` | removed: its set was not complete |
//! | `leader-epoch-checkpoint` missing, empty or damaged | rebuilt from the batches |
//! | newest snapshot at or below the first offset to be recovered, sound | loaded |
//! | the same, damaged | removed, the next older one is looked at |
//! | a snapshot behind that offset, or at the log's start | passed over: recovery writes its own |
//! | `partition.metadata` missing | written |
//! | `partition.metadata` with another topic's id | the log is refused |
//! | log ends below its start | all of it goes, it begins anew at its start |
//!
//! Pure: no disk, no offsets beyond those given. `open` does what is said here; `recovery::tests` walks every
//! combination on a simulated disk.

#[cfg(test)]
mod tests;

use super::names::Transient;
use crate::model::{Offset, TopicId};

/// What can be told of a segment's index files from their sizes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Indexes {
    Missing,
    /// Not whole entries.
    WrongSize,
    Plausible,
}

/// A segment as it was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentFound {
    /// The broker that had it before stopped in order.
    pub clean: bool,
    /// All of it is below the recovery point.
    pub is_below: bool,
    pub is_last: bool,
    pub indexes: Indexes,
}

/// What is done with a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plan {
    Trust,
    CheckThenTrust,
    RebuildIndexes,
    Recover,
}

impl SegmentFound {
    pub fn plan(self) -> Plan {
        let is_plausible = self.indexes == Indexes::Plausible;
        match (self.clean, self.is_last, self.is_below) {
            (true, true, _) if is_plausible => Plan::CheckThenTrust,
            (true, true, _) => Plan::Recover,
            (true, false, _) | (false, _, true) if is_plausible => Plan::Trust,
            (true, false, _) | (false, _, true) => Plan::RebuildIndexes,
            (false, _, false) => Plan::Recover,
        }
    }
}

/// What is done with a file in transit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransientPlan {
    Remove,
    SwapIn,
}

/// `first_cleaned` is the lowest base offset of a `.cleaned`, if there is one.
pub fn transient_plan(found: Transient, first_cleaned: Option<Offset>) -> TransientPlan {
    match found {
        Transient::Swap(offset, _) if first_cleaned.is_none_or(|cleaned| offset < cleaned) => TransientPlan::SwapIn,
        Transient::Swap(..) | Transient::Cleaned(_) | Transient::Deleted => TransientPlan::Remove,
    }
}

/// What is done with a snapshot of the producers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SnapshotPlan {
    PassOver,
    /// Load it; if it is damaged, remove it and look at the next older one.
    LoadOrRemove,
}

/// `state_at` is the offset as of which the producers are wanted: the first that is recovered, or the log's end.
pub fn snapshot_plan(snapshot: Offset, state_at: Offset, log_start_offset: Offset) -> SnapshotPlan {
    // One at the log's start tells of those whose records were all deleted: they are known as long as the broker runs, and
    // so they are behind a start. Kafka forgets them there (`ProducerStateManager.truncateAndReload`).
    let is_usable = snapshot <= state_at && snapshot >= log_start_offset;
    if is_usable { SnapshotPlan::LoadOrRemove } else { SnapshotPlan::PassOver }
}

/// What is done about `partition.metadata`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetadataPlan {
    Keep,
    Write,
    Refuse,
}

/// `found` is the topic id in the file, `None` without one; a log that has none itself (zero) asks for nothing.
pub fn metadata_plan(found: Option<TopicId>, wanted: TopicId) -> MetadataPlan {
    match found {
        _ if wanted.is_zero() => MetadataPlan::Keep,
        Some(found) if found == wanted => MetadataPlan::Keep,
        Some(_) => MetadataPlan::Refuse,
        None => MetadataPlan::Write,
    }
}
