//! Offsets that transactions have committed and that do not count before the transaction is: its marker decides
//! (`OffsetMetadataManager.pendingTransactionalOffsets`, `OpenTransactions`).
//!
//! They belong to their producer. For requests, `open` knows the producers of each partition; the two maps hold the same
//! partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Committed, GroupOffsets, entry, remove};
use crate::coordinator::groups::Groups;
use crate::coordinator::record::offsets::OffsetCommitKey;

/// The producers with open transactions, by topic and partition.
type Producers = BTreeMap<Arc<str>, BTreeMap<i32, BTreeSet<i64>>>;

/// The offsets of open transactions.
#[derive(Default)]
pub(super) struct Pending {
    by_producer: BTreeMap<i64, BTreeMap<Arc<str>, GroupOffsets>>,
    /// Who has them, by group, topic and partition. No map or set in it is empty.
    open: BTreeMap<Arc<str>, Producers>,
}

impl Pending {
    pub fn put(&mut self, producer_id: i64, key: &OffsetCommitKey<'_>, value: Committed) {
        let groups = self.by_producer.entry(producer_id).or_default();
        entry(entry(groups, &key.group), &key.topic).insert(key.partition, value);
        let partitions = entry(entry(&mut self.open, &key.group), &key.topic);
        partitions.entry(key.partition).or_default().insert(producer_id);
    }

    /// Asserts that both maps hold the same.
    pub fn assert_sound(&self, applied: u64) {
        let producers = self.open.values().flat_map(BTreeMap::values).flat_map(BTreeMap::values);
        assert!(
            producers.clone().all(|producers| !producers.is_empty()),
            "a partition without a transaction is not open"
        );
        let open: usize = producers.map(BTreeSet::len).sum();
        let topics = self.by_producer.values().flat_map(BTreeMap::values).flat_map(BTreeMap::values);
        assert_eq!(topics.clone().map(BTreeMap::len).sum::<usize>(), open, "what is open is pending");
        assert!(topics.flat_map(BTreeMap::values).all(|committed| committed.order <= applied));
    }

    /// A tombstone takes what is pending as well, whatever the transaction.
    pub fn remove(&mut self, key: &OffsetCommitKey<'_>) {
        for producer_id in self.close_all(&key.group, &key.topic, key.partition) {
            let removed = self.by_producer.get_mut(&producer_id).and_then(|groups| remove(groups, key));
            assert!(removed.is_some(), "what is open is pending");
        }
    }

    /// Takes out what a transaction has committed.
    fn take(&mut self, producer_id: i64) -> BTreeMap<Arc<str>, GroupOffsets> {
        let taken = self.by_producer.remove(&producer_id).unwrap_or_default();
        for (group, topics) in &taken {
            for (topic, partitions) in topics {
                for partition in partitions.keys() {
                    self.close(group, topic, *partition, producer_id);
                }
            }
        }
        assert!(!self.by_producer.contains_key(&producer_id), "a transaction ends once");
        taken
    }

    fn close(&mut self, group: &str, topic: &str, partition: i32, producer_id: i64) {
        let producers = self.open.get_mut(group).and_then(|topics| topics.get_mut(topic)?.get_mut(&partition));
        let is_last = producers.is_some_and(|producers| {
            assert!(producers.remove(&producer_id), "what is pending is open");
            producers.is_empty()
        });
        if is_last {
            self.close_all(group, topic, partition);
        }
    }

    fn close_all(&mut self, group: &str, topic: &str, partition: i32) -> BTreeSet<i64> {
        let Some(topics) = self.open.get_mut(group) else { return BTreeSet::new() };
        let Some(partitions) = topics.get_mut(topic) else { return BTreeSet::new() };
        let producers = partitions.remove(&partition).unwrap_or_default();
        if partitions.is_empty() {
            topics.remove(topic);
            if topics.is_empty() {
                self.open.remove(group);
            }
        }
        producers
    }

    pub fn contains_group(&self, group: &str) -> bool {
        self.open.contains_key(group)
    }

    pub fn contains(&self, group: &str, topic: &str, partition: i32) -> bool {
        self.open.get(group).and_then(|topics| topics.get(topic)?.get(&partition)).is_some()
    }

    /// Groups with offsets of open transactions.
    pub fn groups(&self) -> impl Iterator<Item = &Arc<str>> {
        self.open.keys()
    }

    /// The partitions of a group with offsets of open transactions.
    pub fn partitions(&self, group: &str) -> impl Iterator<Item = (&Arc<str>, i32)> {
        let topics = self.open.get(group).into_iter().flatten();
        topics.flat_map(|(topic, partitions)| partitions.keys().map(move |partition| (topic, *partition)))
    }
}

impl Groups {
    /// A transaction has ended. Of several commits of a partition the last one counts, not the one whose transaction
    /// ended last: a commit that came behind those of the transaction stays (`replayEndTransactionMarker`).
    pub(in crate::coordinator) fn end_offset_transaction(&mut self, producer_id: i64, commit: bool) {
        let taken = self.offsets.pending.take(producer_id);
        if !commit {
            return;
        }
        for (group, topics) in taken {
            self.ensure_group(&group);
            for (topic, partitions) in topics {
                for (partition, committed) in partitions {
                    let partitions = entry(entry(&mut self.offsets.by_group, &group), &topic);
                    let is_newest = partitions.get(&partition).is_none_or(|known| known.order < committed.order);
                    if is_newest {
                        partitions.insert(partition, committed);
                    }
                }
            }
        }
    }
}
