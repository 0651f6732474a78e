//! The offsets that one group has committed: none that was acknowledged is forgotten, and none comes back.
//!
//! What is committed for a partition counts up, whoever of the group commits it, so that a later one is never mistaken for
//! an earlier.

use std::collections::{BTreeMap, BTreeSet};

use super::{Wrong, wrong};

pub(in crate::sim) type Slot = (String, i32);

#[derive(Default)]
struct Committed {
    made: i64,
    /// The latest that was acknowledged.
    acknowledged: Option<i64>,
    /// Sent, and nobody knows what became of them: they may still come.
    open: BTreeSet<i64>,
    /// The log has lost something: any earlier one may be back.
    is_in_doubt: bool,
}

/// See the module.
#[derive(Default)]
pub(in crate::sim) struct Offsets {
    slots: BTreeMap<Slot, Committed>,
    /// How often everything came into doubt.
    doubts: u64,
}

/// What was known when somebody asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::sim) struct Before {
    acknowledged: Option<i64>,
    doubts: u64,
}

impl Offsets {
    fn slot(&mut self, slot: &Slot) -> &mut Committed {
        self.slots.entry(slot.clone()).or_default()
    }

    pub(in crate::sim) fn next(&mut self, slot: &Slot) -> i64 {
        let committed = self.slot(slot);
        committed.made += 1;
        committed.open.insert(committed.made);
        committed.made
    }

    pub(in crate::sim) fn acknowledged(&mut self, slot: &Slot, offset: i64) {
        let committed = self.slot(slot);
        committed.open.remove(&offset);
        committed.acknowledged = committed.acknowledged.max(Some(offset));
        committed.is_in_doubt = false;
    }

    pub(in crate::sim) fn refused(&mut self, slot: &Slot, offset: i64) {
        self.slot(slot).open.remove(&offset);
    }

    pub(in crate::sim) fn before(&mut self, slot: &Slot) -> Before {
        let acknowledged = self.slot(slot).acknowledged;
        Before { acknowledged, doubts: self.doubts }
    }

    /// What OffsetFetch answered; -1 is nothing.
    pub(in crate::sim) fn fetched(&mut self, slot: &Slot, before: Before, found: i64) -> Result<(), Wrong> {
        let doubts = self.doubts;
        let committed = self.slot(slot);
        let found = (found >= 0).then_some(found);
        if found > Some(committed.made) {
            return wrong("what is committed was sent", format!("{slot:?}: {found:?}"));
        }
        if before.doubts != doubts {
            return Ok(());
        }
        if committed.is_in_doubt {
            committed.is_in_doubt = false;
            committed.acknowledged = found;
            return Ok(());
        }
        let is_open = found.is_some_and(|found| committed.open.contains(&found));
        if found < before.acknowledged && !is_open {
            let text = format!("{slot:?}: {found:?}, and {:?} was acknowledged", before.acknowledged);
            return wrong("an acknowledged commit stays", text);
        }
        Ok(())
    }

    pub(in crate::sim) fn doubt(&mut self) {
        self.doubts += 1;
        for committed in self.slots.values_mut() {
            committed.is_in_doubt = true;
            committed.acknowledged = None;
        }
    }

    pub(in crate::sim) fn slots(&self) -> Vec<Slot> {
        self.slots.keys().cloned().collect()
    }
}
