//! Reading a coordinator's log into its machine.
//!
//! Records of transactions are applied as such: the machine keeps them until the marker, which may come when the
//! coordinator has long been loaded. Records that the machine cannot read are skipped and told (`CoordinatorLoaderImpl`).
//! What is no batch, or a key that cannot be read, is not guessed: the coordinator stays away. Deviation: a value of a newer
//! version is skipped like a record of an unknown type; Kafka's coordinator stays away.

use std::collections::BTreeMap;
use std::sync::Arc;

use log::{error, info, warn};

use super::{Coordinator, Kind, LOAD_AGAIN, Moment, Stepped, World};
use crate::coordinator::machine::Producer;
use crate::coordinator::record::Unreadable;
use crate::model::Offset;
use crate::record::batches::Batch;
use crate::record::control::EndTxnMarker;
use crate::replica::walk::walk;

/// No batch of a coordinator unpacks to more: Kafka's limit for a request is 100 MiB.
const MAX_UNPACKED_BYTES: usize = 1 << 30;

/// Records of one type that were skipped.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Skipped {
    /// The offset of the first one.
    offset: Offset,
    why: String,
    records: u64,
}

struct Loading<M> {
    machine: M,
    records: u64,
    /// How many there were by the type of the record, which Kafka calls the version of its key.
    skipped: BTreeMap<i16, Skipped>,
}

impl<M: Kind> Loading<M> {
    fn new() -> Loading<M> {
        Loading { machine: M::default(), records: 0, skipped: BTreeMap::new() }
    }

    fn apply(
        &mut self,
        offset: Offset,
        key: &[u8],
        value: Option<&[u8]>,
        producer_id: Option<i64>,
    ) -> Result<(), String> {
        self.records += 1;
        let applied = M::decode(key, value).and_then(|entry| self.machine.apply(&entry, producer_id));
        let (type_id, why) = match applied {
            Ok(()) => return Ok(()),
            Err(Unreadable::Key(error)) => return Err(format!("the key of the record at offset {offset}: {error}")),
            Err(Unreadable::Type(type_id)) => (type_id, "this type of record is not known here".to_string()),
            Err(Unreadable::Value { type_id, error }) => (type_id, format!("the value cannot be read: {error}")),
        };
        self.skipped.entry(type_id).or_insert(Skipped { offset, why, records: 0 }).records += 1;
        Ok(())
    }

    fn take(&mut self, batch: &Batch<'_>) -> Result<(), String> {
        let header = &batch.header;
        if !batch.is_intact() {
            return Err(format!("the batch at offset {} is damaged", header.base_offset));
        }
        let producer = Producer { id: header.producer_id, epoch: header.producer_epoch };
        let unpacked = batch.unpack(MAX_UNPACKED_BYTES).map_err(|error| error.to_string())?;
        for record in batch.records(&unpacked) {
            let record = record.map_err(|error| error.to_string())?;
            let key = record.key.unwrap_or_default();
            if header.is_control() {
                if let Some(marker) = EndTxnMarker::parse(key, record.value.unwrap_or_default()) {
                    self.machine.end_transaction(producer, marker.commit);
                }
            } else {
                let offset = Offset(header.base_offset.saturating_add(i64::from(record.offset_delta)));
                let producer_id = header.is_transactional().then_some(producer.id);
                self.apply(offset, key, record.value, producer_id)?;
            }
        }
        Ok(())
    }
}

/// What is said of records that were skipped.
fn warning(topic: &str, partition: i32, type_id: i16, skipped: &Skipped) -> String {
    let Skipped { offset, why, records } = skipped;
    format!(
        "{topic}-{partition}: records with key version {type_id} are ignored, {records} of them, the first at offset \
         {offset}: {why}. They may be left over from a newer broker."
    )
}

/// Reads a coordinator's log, with what a coordinator before it has left to be written; it answers from then on, and its
/// first step is the answer; `None` if it stays away. Blocks.
pub(super) fn load<M: Kind>(
    coordinator: &Arc<Coordinator<M>>,
    world: &World<'_>,
    moment: Moment,
) -> Option<Stepped<(), M>> {
    let (log, index) = (&coordinator.partition.log, coordinator.partition.index);
    coordinator.partition.write_and_sync(moment.wall);
    let from = log.log_start_offset();
    let mark = log.mark();
    assert!(from <= mark.end, "the log begins at {from} and ends at {}", mark.end);
    let mut loading = Loading::<M>::new();
    if let Err(failure) = walk(log, from, mark.end, |batch| loading.take(batch)) {
        let seconds = LOAD_AGAIN.as_secs();
        error!("{} {index} cannot be loaded, it is tried again in {seconds} s: {failure}", M::NAME);
        coordinator.rest(moment.now);
        return None;
    }
    for (type_id, skipped) in &loading.skipped {
        warn!("{}", warning(M::TOPIC, index.0, *type_id, skipped));
    }
    if loading.records > 0 {
        info!("{} {index} loaded: {} records up to offset {}", M::NAME, loading.records, mark.end);
    }
    loading.machine.tell_loaded(index, world.image.topic(M::TOPIC).map_or(0, |topic| topic.partitions.len()));
    let begun = coordinator.begin(world, moment, loading.machine, mark).ok();
    assert!(begun.as_ref().is_none_or(|stepped| stepped.replies.is_empty()), "no request waits yet");
    begun
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::groups::Groups;
    use crate::coordinator::record::offsets::{
        Key, LegacyOffsetCommitKey, LegacyOffsetCommitValue, OffsetCommitKey, OffsetCommitValue, ShareGroupMetadataKey,
        Value,
    };
    use crate::model::{LeaderEpoch, TimestampMs};
    use crate::record::batches::Batches;
    use crate::record::builder::{Builder, Options, Record};

    fn load(loading: &mut Loading<Groups>, batch: &[u8]) -> Result<(), String> {
        loading.take(&Batches::new(batch).next().unwrap().unwrap())
    }

    fn batch(at: i64, producer: Option<(i64, i16)>, records: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut options = Options { base_offset: Offset(at), ..Options::default() };
        if let Some((id, epoch)) = producer {
            (options.producer_id, options.producer_epoch, options.is_transactional) = (id, epoch, true);
        }
        let mut builder = Builder::new(options);
        for (key, value) in records {
            builder.append(&Record { key: Some(key), value: Some(value), ..Record::default() });
        }
        builder.build()
    }

    fn commit(offset: i64) -> (Vec<u8>, Vec<u8>) {
        let key = OffsetCommitKey { group: "g".into(), topic: "t".into(), partition: 0 };
        encoded(&Key::OffsetCommit(key), &Value::OffsetCommit(OffsetCommitValue { offset, ..Default::default() }))
    }

    fn encoded(key: &Key<'_>, value: &Value<'_>) -> (Vec<u8>, Vec<u8>) {
        let (mut key_bytes, mut value_bytes) = (Vec::new(), Vec::new());
        key.encode(&mut key_bytes).unwrap();
        value.encode(&mut value_bytes, 0).unwrap();
        (key_bytes, value_bytes)
    }

    fn marker(at: i64, producer: (i64, i16), commit: bool) -> Vec<u8> {
        EndTxnMarker { commit, coordinator_epoch: 0 }.batch(producer, TimestampMs(0), Offset(at), LeaderEpoch(0))
    }

    fn committed(groups: &Groups) -> Vec<i64> {
        groups.committed().map(|(.., offset)| offset).collect()
    }

    #[test]
    fn what_is_not_known_is_skipped_and_told_once_for_each_type() {
        let mut loading = Loading::<Groups>::new();
        let (key, value) = commit(7);
        let share = ShareGroupMetadataKey { group_id: "s".into() };
        let share = encoded(&Key::ShareGroupMetadata(share), &Value::ShareGroupMetadata(Default::default()));
        let records: Vec<(&[u8], &[u8])> = vec![
            (&share.0, &share.1),
            (b"\x03\xe7new", b"\0\0"),
            (&key, b"\0\x09newer"),
            (b"\x03\xe7newer", b"\0\0"),
            (&key, &value),
        ];
        load(&mut loading, &batch(40, None, &records)).unwrap();
        assert_eq!((committed(&loading.machine), loading.records), (vec![7], 5));
        let told = loading.skipped.iter().map(|(type_id, skipped)| warning("__consumer_offsets", 3, *type_id, skipped));
        let told: Vec<String> = told.collect();
        assert_eq!(loading.skipped.keys().copied().collect::<Vec<_>>(), [1, 11, 999]);
        assert_eq!(
            told[2],
            "__consumer_offsets-3: records with key version 999 are ignored, 2 of them, the first at offset 41: this type \
             of record is not known here. They may be left over from a newer broker."
        );
        assert!(told[1].contains("key version 11") && told[1].contains("offset 40"), "{}", told[1]);
        assert!(told[0].contains("key version 1 ") && told[0].contains("cannot be read"), "{}", told[0]);
    }

    /// `GroupCoordinatorShard.replay` takes them for what they are today.
    #[test]
    fn offsets_of_before_kafka_0_9_are_taken() {
        let mut loading = Loading::<Groups>::new();
        let key = LegacyOffsetCommitKey { group: "g".into(), topic: "t".into(), partition: 4 };
        let value = LegacyOffsetCommitValue { offset: 12, metadata: "m".into(), commit_timestamp: 1 };
        let old = encoded(&Key::LegacyOffsetCommit(key), &Value::LegacyOffsetCommit(value));
        load(&mut loading, &batch(0, None, &[(&old.0, &old.1)])).unwrap();
        assert_eq!(loading.machine.committed().collect::<Vec<_>>(), [("g", "t", 4, 12)]);
        assert!(loading.skipped.is_empty());
    }

    #[test]
    fn a_key_that_cannot_be_read_ends_the_load() {
        let failure = load(&mut Loading::new(), &batch(5, None, &[(b"\0\x01\0", b"")])).unwrap_err();
        assert!(failure.contains("at offset 5"), "{failure}");
    }

    #[test]
    fn a_transaction_that_is_open_at_the_end_of_the_log_waits_for_its_marker() {
        for (commits, then) in [(true, vec![9]), (false, vec![3])] {
            let mut loading = Loading::<Groups>::new();
            let (before, within) = (commit(3), commit(9));
            load(&mut loading, &batch(0, None, &[(&before.0, &before.1)])).unwrap();
            load(&mut loading, &batch(1, Some((4, 2)), &[(&within.0, &within.1)])).unwrap();
            let mut machine = loading.machine;
            assert_eq!(committed(&machine), [3], "it does not count yet");
            crate::coordinator::machine::Machine::end_transaction(&mut machine, Producer { id: 4, epoch: 2 }, commits);
            assert_eq!(committed(&machine), then);
        }
    }

    #[test]
    fn a_marker_in_the_log_ends_the_transaction_of_its_producer_only() {
        let mut loading = Loading::<Groups>::new();
        let (first, second) = (commit(5), commit(6));
        load(&mut loading, &batch(0, Some((4, 0)), &[(&first.0, &first.1)])).unwrap();
        load(&mut loading, &batch(1, Some((5, 0)), &[(&second.0, &second.1)])).unwrap();
        load(&mut loading, &marker(2, (4, 0), true)).unwrap();
        assert_eq!(committed(&loading.machine), [5]);
        load(&mut loading, &marker(3, (5, 0), false)).unwrap();
        assert_eq!(committed(&loading.machine), [5]);
        load(&mut loading, &marker(4, (6, 0), true)).unwrap();
        assert_eq!(committed(&loading.machine), [5], "a marker without offsets");
    }
}
