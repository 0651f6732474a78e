//! One partition's records: what was acknowledged is there, at its place, in its producer's order, once.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::{Wrong, wrong};

/// Who wrote a record and the how manyeth of this partition it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::sim) struct Id {
    pub(in crate::sim) producer: u32,
    pub(in crate::sim) number: u64,
}

/// A record as it was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::sim) struct Seen {
    pub(in crate::sim) offset: i64,
    pub(in crate::sim) id: Id,
}

/// What a producer promises of its own records.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(in crate::sim) struct Manner {
    pub(in crate::sim) is_idempotent: bool,
    /// It sends one request at a time, so that first occurrences come in its order.
    pub(in crate::sim) is_ordered: bool,
}

/// See the module.
#[derive(Default)]
pub(in crate::sim) struct Records {
    pub(in crate::sim) is_compacted: bool,
    producers: BTreeMap<u32, Manner>,
    /// How many records each producer has made.
    made: BTreeMap<u32, u64>,
    /// What was acknowledged or read, by offset.
    places: BTreeMap<i64, Id>,
    where_is: BTreeMap<Id, i64>,
    acknowledged: BTreeMap<Id, i64>,
    keys: BTreeMap<Id, u8>,
    /// The largest offset that somebody asked to delete up to.
    deleted_up_to: i64,
    /// The end of what was acknowledged or read.
    promised_end: i64,
    /// Something that had been written was lost: producers may find the broker behind them.
    has_lost: bool,
    /// What an unclean end may have taken out of the middle: whole segments of which nothing had been synced.
    holes: Vec<Range<i64>>,
    /// How often the broker has opened this log: at its starts, and where it has moved to another directory.
    openings: u64,
    /// Records that their producer sent again as somebody new.
    may_repeat: BTreeSet<Id>,
    /// A snapshot that alone knew a producer may have been damaged: whose batches are all gone may be taken for new.
    has_forgotten_producers: bool,
}

impl Records {
    pub(in crate::sim) fn made(&mut self, manner: Manner, id: Id, key: Option<u8>) {
        self.producers.insert(id.producer, manner);
        self.made.insert(id.producer, id.number + 1);
        if let Some(key) = key {
            self.keys.insert(id, key);
        }
    }

    pub(in crate::sim) fn may_repeat(&mut self, id: Id) {
        self.may_repeat.insert(id);
    }

    /// A bit of a snapshot was flipped. The log tells the same, unless something was cleaned away or deleted.
    pub(in crate::sim) fn note_damaged_snapshot(&mut self) {
        self.has_forgotten_producers |= self.is_compacted || self.deleted_up_to > 0;
    }

    pub(in crate::sim) fn wants_deletion(&mut self, up_to: i64) {
        self.deleted_up_to = self.deleted_up_to.max(up_to);
    }

    pub(in crate::sim) fn deleted_up_to(&self) -> i64 {
        self.deleted_up_to
    }

    pub(in crate::sim) fn has_lost(&self) -> bool {
        self.has_lost
    }

    pub(in crate::sim) fn openings(&self) -> u64 {
        self.openings
    }

    pub(in crate::sim) fn note_opened(&mut self) {
        self.openings += 1;
    }

    pub(in crate::sim) fn promised_end(&self) -> i64 {
        self.promised_end
    }

    /// A batch was acknowledged; `base_offset` is `None` where the broker does not say where it is.
    pub(in crate::sim) fn acknowledged(&mut self, ids: &[Id], base_offset: Option<i64>) -> Result<(), Wrong> {
        let Some(base_offset) = base_offset else { return Ok(()) };
        for (at, id) in ids.iter().enumerate() {
            let offset = base_offset + at as i64;
            self.put(Seen { offset, id: *id })?;
            self.acknowledged.insert(*id, offset);
        }
        Ok(())
    }

    fn may_be_repeated(&self, id: &Id) -> bool {
        self.has_forgotten_producers || self.may_repeat.contains(id)
    }

    fn manner(&self, id: Id) -> Manner {
        self.producers.get(&id.producer).copied().unwrap_or_default()
    }

    fn put(&mut self, seen: Seen) -> Result<(), Wrong> {
        let Seen { offset, id } = seen;
        if let Some(before) = self.places.insert(offset, id).filter(|before| *before != id) {
            return wrong("an offset keeps its record", format!("{offset} held {before:?} and holds {id:?}"));
        }
        self.promised_end = self.promised_end.max(offset + 1);
        let before = self.where_is.insert(id, offset).filter(|before| *before != offset);
        let may_be_twice = !self.manner(id).is_idempotent || self.may_be_repeated(&id);
        if let Some(before) = before.filter(|_| !may_be_twice) {
            return wrong("an idempotent record is there once", format!("{id:?} is at {before} and at {offset}"));
        }
        Ok(())
    }

    /// What a fetch from an offset brought; `end` is the high watermark that came with it.
    pub(in crate::sim) fn fetched(&mut self, from: i64, end: i64, records: &[Seen]) -> Result<(), Wrong> {
        let mut next = from;
        for seen in records {
            if self.made.get(&seen.id.producer).is_none_or(|made| seen.id.number >= *made) {
                return wrong("what is read was sent", format!("{seen:?}"));
            }
            if seen.offset >= end {
                return wrong("nothing past the high watermark is served", format!("{seen:?}, and it is {end}"));
            }
            let is_missing = seen.offset > next && !self.is_compacted && !self.is_hole(next..seen.offset);
            if seen.offset < next || is_missing {
                return wrong("a fetch leaves nothing out", format!("{} instead of {next}", seen.offset));
            }
            next = seen.offset + 1;
            self.put(*seen)?;
        }
        Ok(())
    }

    /// Whether a loss of power may have taken out all of this.
    pub(in crate::sim) fn is_hole(&self, missing: Range<i64>) -> bool {
        missing.clone().all(|offset| self.holes.iter().any(|hole| hole.contains(&offset)))
    }

    /// The broker has no record at an offset that a client asked for.
    pub(in crate::sim) fn out_of_range(&self, from: i64) -> Result<(), Wrong> {
        if from < self.deleted_up_to || from > self.promised_end || self.has_lost {
            return Ok(());
        }
        let text = format!("{from}, deleted up to {}, promised up to {}", self.deleted_up_to, self.promised_end);
        wrong("what nobody deleted is in range", text)
    }

    /// The broker is back with a log up to `end`. What must be there is at least `least`, and everything promised unless it
    /// `may_lose`. A loss of power may also leave holes in what was not promised: later segments may have reached the
    /// platter, and earlier ones not.
    pub(in crate::sim) fn recovered(
        &mut self,
        end: i64,
        least: i64,
        may_lose: bool,
        has_lost_power: bool,
    ) -> Result<(), Wrong> {
        let needed = if may_lose { least } else { least.max(self.promised_end) };
        if end < needed {
            return wrong("a start finds what was promised", format!("the log ends at {end}, not at {needed}"));
        }
        if has_lost_power && least < end {
            self.holes.push(least..end);
        }
        if end < self.promised_end {
            self.has_lost = true;
            self.promised_end = end;
            self.places.retain(|offset, _| *offset < end);
            self.where_is.retain(|_, offset| *offset < end);
            self.acknowledged.retain(|_, offset| *offset < end);
        }
        Ok(())
    }

    /// Something that was written is gone, though perhaps nothing that was promised.
    pub(in crate::sim) fn note_loss(&mut self) {
        self.has_lost = true;
    }

    /// Everything that is there, read in one go at rest.
    pub(in crate::sim) fn read_whole(&mut self, start: i64, end: i64, records: &[Seen]) -> Result<(), Wrong> {
        if start > self.deleted_up_to && !self.is_compacted {
            return wrong("only what somebody deleted is gone", format!("it begins at {start}"));
        }
        self.fetched(start, end, records)?;
        let last = records.last().map_or(start, |last| last.offset + 1);
        if !self.is_compacted && last < end && !self.is_hole(last..end) {
            return wrong("a log has no gaps", format!("it ends at {last}, not at {end}"));
        }
        self.check_acknowledged(start, records)?;
        if self.is_compacted { Ok(()) } else { self.check_order(start, records) }
    }

    fn check_acknowledged(&self, start: i64, records: &[Seen]) -> Result<(), Wrong> {
        let there: BTreeMap<i64, Id> = records.iter().map(|seen| (seen.offset, seen.id)).collect();
        let mut latest: BTreeMap<u8, i64> = BTreeMap::new();
        for seen in records {
            self.keys.get(&seen.id).map(|key| latest.insert(*key, seen.offset));
        }
        let is_expected = |offset: i64| (offset >= start || self.is_compacted) && !self.is_hole(offset..offset + 1);
        for (id, offset) in self.acknowledged.iter().filter(|(_, offset)| is_expected(**offset)) {
            let is_superseded =
                || self.keys.get(id).and_then(|key| latest.get(key)).is_some_and(|later| later > offset);
            if there.get(offset) != Some(id) && !(self.is_compacted && is_superseded()) {
                return wrong("what was acknowledged is there", format!("{id:?} at {offset}"));
            }
        }
        Ok(())
    }

    fn check_order(&self, start: i64, records: &[Seen]) -> Result<(), Wrong> {
        let mut latest: BTreeMap<u32, u64> = BTreeMap::new();
        let mut seen_before: BTreeSet<Id> = BTreeSet::new();
        for Seen { offset, id } in records {
            let (manner, may_repeat) = (self.manner(*id), self.may_be_repeated(id));
            if !seen_before.insert(*id) {
                if manner.is_idempotent && !may_repeat {
                    return wrong("an idempotent record is there once", format!("{id:?}, also at {offset}"));
                }
                continue;
            }
            // Where the beginning is gone, a repetition may be all that is left of a record.
            let has_order = manner.is_idempotent || (manner.is_ordered && start == 0);
            let before = latest.get(&id.producer).copied().filter(|before| *before > id.number);
            if let Some(before) = before.filter(|_| has_order && !may_repeat) {
                return wrong("a producer's order is kept", format!("{before} before {id:?} at {offset}"));
            }
            latest.insert(id.producer, id.number);
        }
        Ok(())
    }
}
