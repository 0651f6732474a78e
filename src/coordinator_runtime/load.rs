//! Reading a coordinator's log into its machine.
//!
//! Offsets that were committed within a transaction count when its marker says so, and not before
//! (`CoordinatorLoaderImpl`). What cannot be read is not guessed: the coordinator stays away.

use std::collections::HashMap;
use std::sync::Arc;

use log::{error, info, warn};

use super::{Coordinator, Machine, Moment, State, World};
use crate::coordinator::groups::Groups;
use crate::coordinator::record::offsets::{Key, Value};
use crate::model::java_hash;
use crate::record::batches::Batch;
use crate::record::control::EndTxnMarker;
use crate::replica::walk::walk;
use crate::storage::log::Mark;

/// No batch of a coordinator unpacks to more: Kafka's limit for a request is 100 MiB.
const MAX_UNPACKED_BYTES: usize = 1 << 30;

/// A record as bytes, kept until its transaction ends.
type Held = (Vec<u8>, Option<Vec<u8>>);

#[derive(Default)]
struct Loading {
    groups: Groups,
    records: u64,
    /// By producer id.
    open_transactions: HashMap<i64, Vec<Held>>,
}

impl Loading {
    fn apply(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), String> {
        self.records += 1;
        let Some(key) = Key::decode(key).map_err(|error| format!("a record's key: {error}"))? else {
            return Ok(());
        };
        let value = value.map(|bytes| Value::decode(key.type_id(), bytes)).transpose();
        // A version that is newer than this broker: what it says is not known, what it would replace neither.
        let Ok(value) = value.inspect_err(|error| warn!("a record of {GROUPS}: {error}", GROUPS = super::GROUPS_TOPIC))
        else {
            return Ok(());
        };
        self.groups.apply(&key, value.flatten().map(|(value, _)| value).as_ref());
        Ok(())
    }

    fn take(&mut self, batch: &Batch<'_>) -> Result<(), String> {
        if !batch.is_intact() {
            return Err(format!("the batch at offset {} is damaged", batch.header.base_offset));
        }
        let unpacked = batch.unpack(MAX_UNPACKED_BYTES).map_err(|error| error.to_string())?;
        for record in batch.records(&unpacked) {
            let record = record.map_err(|error| error.to_string())?;
            let key = record.key.unwrap_or_default();
            if batch.header.is_control() {
                self.end_transaction(batch.header.producer_id, key, record.value.unwrap_or_default())?;
            } else if batch.header.is_transactional() {
                let held = (key.to_vec(), record.value.map(<[u8]>::to_vec));
                self.open_transactions.entry(batch.header.producer_id).or_default().push(held);
            } else {
                self.apply(key, record.value)?;
            }
        }
        Ok(())
    }

    fn end_transaction(&mut self, producer_id: i64, key: &[u8], value: &[u8]) -> Result<(), String> {
        let Some(marker) = EndTxnMarker::parse(key, value) else { return Ok(()) };
        let held = self.open_transactions.remove(&producer_id).unwrap_or_default();
        if marker.commit {
            held.into_iter().try_for_each(|(key, value)| self.apply(&key, value.as_deref()))?;
        }
        Ok(())
    }
}

/// Reads a coordinator's log, with what a coordinator before it has left to be written; it answers from then on. Blocks.
pub(super) fn load(coordinator: &Arc<Coordinator>, world: &World<'_>, moment: Moment) {
    let log = &coordinator.partition.log;
    coordinator.partition.write_and_sync(moment.wall);
    let (mark, from) = (log.mark(), log.log_start_offset());
    let mut loading = Loading::default();
    if let Err(failure) = walk(log, from, mark.end, |batch| loading.take(batch)) {
        error!("group coordinator {} cannot be loaded: {failure}", coordinator.partition.index);
        return coordinator.end();
    }
    let (records, groups) = (loading.records, loading.groups);
    if records > 0 {
        info!("group coordinator {} loaded: {records} records up to offset {}", coordinator.partition.index, mark.end);
    }
    tell_misplaced(coordinator, &groups, world);
    begin(coordinator, groups, mark);
    let begun = coordinator.step(world, moment, |groups, step| groups.handle_loaded(step));
    debug_assert!(begun.is_err() || begun.is_ok_and(|stepped| stepped.replies.is_empty()), "nobody waits yet");
}

/// Earlier builds kept groups whose names have a negative hash in other partitions than Kafka does. They are not moved, and
/// no client finds them where they are: the user hears of it.
fn tell_misplaced(coordinator: &Coordinator, groups: &Groups, world: &World<'_>) {
    let partitions = world.image.topic(super::GROUPS_TOPIC).map_or(0, |topic| topic.partitions.len());
    let here = coordinator.partition.index;
    for (group, belongs) in misplaced(groups, here.0, partitions) {
        let topic = super::GROUPS_TOPIC;
        warn!(
            "the group {group:?} lies in partition {here} of {topic}, where no client finds it; it belongs to {belongs} \
             (an earlier build of Klamm wrote it, see CHANGELOG)"
        );
    }
}

/// Groups that lie in a partition and belong to another one: to which.
fn misplaced(groups: &Groups, here: i32, partitions: usize) -> Vec<(String, i32)> {
    let listed = groups.list(&[], &[]).into_iter().map(|listed| listed.group_id);
    let placed = listed.map(|group| (java_hash::partition_for(&group, partitions), group));
    placed.filter(|(belongs, _)| *belongs != here).map(|(belongs, group)| (group, belongs)).collect()
}

fn begin(coordinator: &Coordinator, groups: Groups, end: Mark) {
    let mut state = coordinator.lock();
    if matches!(state.machine, Machine::Loading) {
        *state = State { machine: Machine::Active(Box::new(groups)), end };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::record::offsets::{OffsetCommitKey, OffsetCommitValue};

    #[test]
    fn groups_of_an_earlier_build_are_found() {
        let mut groups = Groups::default();
        for group in ["test-consumer-group", "grp", "polygenelubricants"] {
            let key = OffsetCommitKey { group: group.into(), topic: "t".into(), partition: 0 };
            let value = Value::OffsetCommit(OffsetCommitValue { offset: 1, ..Default::default() });
            groups.apply(&Key::OffsetCommit(key), Some(&value));
        }
        let found = |here| misplaced(&groups, here, 50);
        let of = |group: &str, belongs| (group.to_string(), belongs);
        assert_eq!(found(29), [of("polygenelubricants", 0), of("test-consumer-group", 31)]);
        assert_eq!(found(31), [of("grp", 29), of("polygenelubricants", 0)]);
    }
}
