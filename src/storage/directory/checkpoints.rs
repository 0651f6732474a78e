//! The checkpoints of a log directory: for each partition the offsets that its next opening, and its leader, need.

use super::{LogDirectory, Name};
use crate::io::disk::Disk;
use crate::model::{Offset, PartitionIndex};
use crate::storage::checkpoint;
use crate::storage::error::Error;
use crate::storage::log::{Checkpointed, Identity};
use log::warn;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{MutexGuard, PoisonError};

const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
const LOG_START_OFFSETS: &str = "log-start-offset-checkpoint";
const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";

type Offsets = BTreeMap<Name, Offset>;

/// What the checkpoints keep of one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionState {
    pub topic: String,
    pub partition: PartitionIndex,
    pub recovery_point: Offset,
    pub log_start_offset: Offset,
    pub high_watermark: Offset,
}

/// The files that keep an offset of each partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Checkpoint {
    LogStartOffsets,
    RecoveryPoints,
    HighWatermarks,
}

impl Checkpoint {
    /// All of them, in the order in which they are written: a recovery point without its start offset would bring deleted records
    /// back.
    pub const ALL: [Checkpoint; 3] =
        [Checkpoint::LogStartOffsets, Checkpoint::RecoveryPoints, Checkpoint::HighWatermarks];

    fn file_name(self) -> &'static str {
        match self {
            Checkpoint::LogStartOffsets => LOG_START_OFFSETS,
            Checkpoint::RecoveryPoints => RECOVERY_POINTS,
            Checkpoint::HighWatermarks => HIGH_WATERMARKS,
        }
    }

    /// What follows where the file cannot be read.
    fn without(self) -> &'static str {
        match self {
            Checkpoint::LogStartOffsets => "every log begins with its first segment, deleted records may come back",
            Checkpoint::RecoveryPoints => "every log is read from its beginning",
            Checkpoint::HighWatermarks => "every log counts as committed up to its end",
        }
    }

    fn offset_of(self, state: &PartitionState) -> Offset {
        match self {
            Checkpoint::LogStartOffsets => state.log_start_offset,
            Checkpoint::RecoveryPoints => state.recovery_point,
            Checkpoint::HighWatermarks => state.high_watermark,
        }
    }
}

const _: () = {
    let mut at = 0;
    while at < Checkpoint::ALL.len() {
        assert!(Checkpoint::ALL[at] as usize == at, "what is kept of a file stands in its place");
        at += 1;
    }
};

/// What one checkpoint file should say.
#[derive(Default)]
struct Kept {
    offsets: Offsets,
    /// The file says something else, so that an idle broker writes nothing.
    is_changed: bool,
}

/// What all checkpoint files of a directory should say.
#[derive(Default)]
pub(super) struct Checkpoints {
    kept: [Kept; Checkpoint::ALL.len()],
    /// The files may name partitions that are gone.
    has_forgotten: bool,
}

impl Checkpoints {
    /// What the files of a directory say. A damaged one is no reason to stop: recovery then reads more than it would have
    /// to.
    pub(super) fn read(disk: &dyn Disk, directory: &Path) -> Checkpoints {
        let read = |which: Checkpoint| match read_offsets(disk, &directory.join(which.file_name())) {
            Ok(offsets) => Kept { offsets, is_changed: false },
            Err(failure) => {
                warn!("{failure}: {}", which.without());
                Kept { is_changed: true, ..Kept::default() }
            }
        };
        Checkpoints { kept: Checkpoint::ALL.map(read), has_forgotten: false }
    }

    pub(super) fn has_forgotten(&self) -> bool {
        self.has_forgotten
    }

    fn of(&self, which: Checkpoint) -> &Kept {
        &self.kept[which as usize]
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&Name) -> bool) {
        for kept in &mut self.kept {
            let before = kept.offsets.len();
            kept.offsets.retain(|name, _| keep(name));
            if kept.offsets.len() < before {
                kept.is_changed = true;
                self.has_forgotten = true;
            }
        }
    }

    fn note(&mut self, which: Checkpoint, state: &PartitionState) {
        let kept = &mut self.kept[which as usize];
        let offset = which.offset_of(state);
        assert!(offset.0 >= 0, "a negative offset could not be read back");
        let name = (state.topic.clone(), state.partition);
        kept.is_changed |= kept.offsets.insert(name, offset) != Some(offset);
    }

    /// The new content of the file, if it is another than before.
    fn take_changed(&mut self, which: Checkpoint) -> Option<String> {
        let kept = &mut self.kept[which as usize];
        if !std::mem::take(&mut kept.is_changed) {
            return None;
        }
        let is_told = |offset: Offset| which != Checkpoint::LogStartOffsets || offset.0 > 0;
        let lines = kept.offsets.iter().filter(|(_, offset)| is_told(**offset));
        let lines: Vec<_> = lines.map(|((topic, n), offset)| format!("{topic} {n} {offset}")).collect();
        Some(checkpoint::encode(lines.into_iter()))
    }
}

impl LogDirectory {
    /// What the checkpoints say of a partition. One that was not here at the start has nothing to be recovered.
    pub(super) fn checkpointed(&self, identity: &Identity) -> Checkpointed {
        let name = (identity.topic.clone(), identity.partition);
        let clean = self.clean && self.partitions.binary_search(&name).is_ok();
        let checkpoints = self.checkpoints();
        let of = |which| checkpoints.of(which).offsets.get(&name).copied().unwrap_or_default();
        let (log_start_offset, recovery_point) = (of(Checkpoint::LogStartOffsets), of(Checkpoint::RecoveryPoints));
        assert!(log_start_offset.0 >= 0 && recovery_point.0 >= 0, "negative offsets are refused when the file is read");
        Checkpointed { log_start_offset, recovery_point, clean }
    }

    /// The high watermark as it was last written down.
    #[cfg(test)]
    pub fn high_watermark(&self, topic: &str, partition: PartitionIndex) -> Option<Offset> {
        let name = (topic.to_string(), partition);
        self.checkpoints().of(Checkpoint::HighWatermarks).offsets.get(&name).copied()
    }

    /// Drops a deleted partition from the checkpoints; they are written before the next log is made.
    pub fn forget(&self, topic: &str, partition: PartitionIndex) {
        self.checkpoints().retain(|(t, p)| (t.as_str(), *p) != (topic, partition));
    }

    /// Writes these checkpoints, where they say something new. Partitions that are not named keep what was known of them;
    /// `states` is looked at when no partition can be forgotten at the same time. Blocks.
    pub fn checkpoint(
        &self,
        which: &[Checkpoint],
        states: impl IntoIterator<Item = PartitionState>,
    ) -> Result<(), Error> {
        if self.is_offline() {
            return Err(Error::Offline);
        }
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut checkpoints = self.checkpoints();
        for state in states {
            which.iter().for_each(|which| checkpoints.note(*which, &state));
        }
        let has_forgotten = std::mem::take(&mut checkpoints.has_forgotten);
        drop(checkpoints);
        // A partition that is gone leaves all the files.
        for which in Checkpoint::ALL.iter().filter(|some| has_forgotten || which.contains(some)) {
            let Some(text) = self.checkpoints().take_changed(*which) else { continue };
            let path = self.path.join(which.file_name());
            self.disk.replace(&path, text.as_bytes()).map_err(|failure| {
                let mut checkpoints = self.checkpoints();
                checkpoints.kept[*which as usize].is_changed = true;
                checkpoints.has_forgotten |= has_forgotten;
                let failure = Error::io("write", &path)(failure);
                self.health.note(&failure);
                failure
            })?;
        }
        self.health.note_written();
        Ok(())
    }

    pub(super) fn checkpoints(&self) -> MutexGuard<'_, Checkpoints> {
        // A map of offsets is whole at every step: poisoned or not, it can be used.
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_offsets(disk: &dyn Disk, path: &Path) -> Result<Offsets, Error> {
    let entry = |words: &[&str]| match words {
        [topic, partition, offset] => {
            let name = (topic.to_string(), PartitionIndex(partition.parse().ok()?));
            Some((name, Offset(offset.parse().ok().filter(|offset| *offset >= 0)?)))
        }
        _ => None,
    };
    Ok(checkpoint::read(disk, path, entry)?.unwrap_or_default().into_iter().collect())
}
