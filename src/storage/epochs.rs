//! Where each leader epoch of a partition begins: `leader-epoch-checkpoint` (`LeaderEpochFileCache`).
//!
//! Immutable: a change makes a new value. Both the epochs and their start offsets rise strictly.

use super::checkpoint;
use super::error::Error;
use crate::io::disk::Disk;
use crate::model::{LeaderEpoch, Offset};
use std::path::Path;

/// `OffsetsForLeaderEpochResponse.UNDEFINED_EPOCH`
const UNDEFINED: LeaderEpoch = LeaderEpoch(-1);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochStart {
    pub epoch: LeaderEpoch,
    pub start_offset: Offset,
}

#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Epochs(Vec<EpochStart>);

impl Epochs {
    /// Reads the checkpoint; no file is no epochs.
    pub fn read(disk: &dyn Disk, path: &Path) -> Result<Epochs, Error> {
        let entry = |words: &[&str]| match words {
            [epoch, start] => Some(EpochStart {
                epoch: LeaderEpoch(epoch.parse().ok().filter(|e| *e >= 0)?),
                start_offset: Offset(start.parse().ok().filter(|o| *o >= 0)?),
            }),
            _ => None,
        };
        let entries = checkpoint::read(disk, path, entry)?.unwrap_or_default();
        Ok(entries.into_iter().fold(Epochs::default(), |epochs, e| epochs.with(e).unwrap_or(epochs)))
    }

    /// The one way to a new value but for none.
    fn rising(entries: Vec<EpochStart>) -> Epochs {
        let rises = |a: &EpochStart, b: &EpochStart| a.epoch < b.epoch && a.start_offset < b.start_offset;
        debug_assert!(entries.is_sorted_by(rises), "epochs and their starts rise: {entries:?}");
        assert!(entries.first().is_none_or(|first| first.epoch.0 >= 0), "an unknown epoch is not kept");
        Epochs(entries)
    }

    pub fn encode(&self) -> String {
        checkpoint::encode(self.0.iter().map(|e| format!("{} {}", e.epoch, e.start_offset)))
    }

    pub fn entries(&self) -> &[EpochStart] {
        &self.0
    }

    pub fn latest(&self) -> Option<EpochStart> {
        self.0.last().copied()
    }

    pub fn earliest(&self) -> Option<EpochStart> {
        self.0.first().copied()
    }

    /// Adds one more epoch, if it says something new. What contradicts it (an epoch or a start not below) goes.
    pub fn with(&self, entry: EpochStart) -> Option<Epochs> {
        let known = |latest: EpochStart| entry.epoch == latest.epoch && entry.start_offset >= latest.start_offset;
        if self.latest().is_some_and(known) || entry.epoch.0 < 0 {
            return None;
        }
        let below = |e: &&EpochStart| e.epoch < entry.epoch && e.start_offset < entry.start_offset;
        let mut entries: Vec<_> = self.0.iter().take_while(below).copied().collect();
        entries.push(entry);
        assert!(entries.len() <= self.0.len() + 1, "one epoch adds one entry");
        Some(Epochs::rising(entries))
    }

    /// Leaves out the epochs that begin at or after the end of the log.
    pub fn cut_from_end(&self, end_offset: Offset) -> Epochs {
        Epochs::rising(self.0.iter().filter(|e| e.start_offset < end_offset).copied().collect())
    }

    /// Lets the first epoch begin no earlier than the log does.
    pub fn cut_from_start(&self, log_start_offset: Offset) -> Epochs {
        let covered = self.0.partition_point(|e| e.start_offset <= log_start_offset);
        let mut entries = self.0[covered.saturating_sub(1)..].to_vec();
        if covered > 0 {
            assert!(entries[0].start_offset <= log_start_offset, "the epoch that covers the start begins before it");
            entries[0].start_offset = log_start_offset;
        }
        Epochs::rising(entries)
    }

    /// The largest known epoch not above the asked one, and the offset behind its last record; `None` if the epoch is
    /// unknown here (`LeaderEpochFileCache.endOffsetFor`).
    pub fn end_offset_for(&self, epoch: LeaderEpoch, log_end_offset: Offset) -> Option<(LeaderEpoch, Offset)> {
        if epoch == UNDEFINED {
            return None;
        }
        if self.latest().is_some_and(|latest| latest.epoch == epoch) {
            return Some((epoch, log_end_offset));
        }
        let above = self.0.partition_point(|e| e.epoch <= epoch);
        let next = self.0.get(above)?;
        // Below the first known epoch nothing but the asked one can be said: what it wrote is gone from the log.
        let found = above.checked_sub(1).map_or(epoch, |at| self.0[at].epoch);
        assert!(found <= epoch && epoch < next.epoch, "the answer is for the epoch that was asked for");
        Some((found, next.start_offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> Epochs {
        Epochs(entries.iter().map(|(e, o)| EpochStart { epoch: LeaderEpoch(*e), start_offset: Offset(*o) }).collect())
    }

    fn with(epochs: &Epochs, epoch: i32, start: i64) -> Option<Epochs> {
        epochs.with(EpochStart { epoch: LeaderEpoch(epoch), start_offset: Offset(start) })
    }

    #[test]
    fn new_epochs_displace_what_contradicts_them() {
        let some = epochs(&[(1, 0), (3, 10), (5, 20)]);
        assert_eq!(with(&some, 6, 30), Some(epochs(&[(1, 0), (3, 10), (5, 20), (6, 30)])));
        assert_eq!(with(&some, 5, 25), None);
        assert_eq!(with(&some, 6, 20), Some(epochs(&[(1, 0), (3, 10), (6, 20)])));
        assert_eq!(with(&some, 2, 30), Some(epochs(&[(1, 0), (2, 30)])));
        assert_eq!(with(&some, -1, 30), None);
    }

    #[test]
    fn cutting_keeps_what_the_log_holds() {
        let some = epochs(&[(1, 0), (3, 10), (5, 20)]);
        assert_eq!(some.cut_from_end(Offset(20)), epochs(&[(1, 0), (3, 10)]));
        assert_eq!(some.cut_from_start(Offset(15)), epochs(&[(3, 15), (5, 20)]));
        assert_eq!(some.cut_from_start(Offset(20)), epochs(&[(5, 20)]));
        assert_eq!(epochs(&[(3, 10)]).cut_from_start(Offset(5)), epochs(&[(3, 10)]));
        assert_eq!(epochs(&[]).cut_from_start(Offset(5)), epochs(&[]));
    }

    #[test]
    fn end_offsets_are_kafkas() {
        let some = epochs(&[(1, 5), (3, 10), (5, 20)]);
        let end = |epoch| some.end_offset_for(LeaderEpoch(epoch), Offset(99)).map(|(e, o)| (e.0, o.0));
        assert_eq!(end(-1), None);
        assert_eq!(end(-2), Some((-2, 5)), "a number like others");
        assert_eq!(end(0), Some((0, 5)));
        assert_eq!(end(1), Some((1, 10)));
        assert_eq!(end(2), Some((1, 10)));
        assert_eq!(end(4), Some((3, 20)));
        assert_eq!(end(5), Some((5, 99)));
        assert_eq!(end(6), None);
    }
}
