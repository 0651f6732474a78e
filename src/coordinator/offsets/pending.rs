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
use crate::model::TopicId;

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

    /// The partitions for which open transactions of a group have committed, with the topic's id then: once for each transaction.
    pub fn of_group<'p>(&'p self, group: &'p str) -> impl Iterator<Item = (&'p Arc<str>, i32, TopicId)> {
        let topics = self.by_producer.values().filter_map(move |groups| groups.get(group)).flatten();
        topics.flat_map(|(topic, of)| of.iter().map(move |(partition, of)| (topic, *partition, of.topic_id)))
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

#[cfg(test)]
mod tests {
    use crate::coordinator::machine::{Machine, Producer};
    use crate::coordinator::offsets::{Commit, CommitPartition, CommitTopic, Fetch, FetchTopic};
    use crate::coordinator::world::World;
    use crate::model::{ErrorCode, TopicId};
    use std::time::Duration;

    const FIRST: Producer = Producer { id: 7, epoch: 0 };
    const SECOND: Producer = Producer { id: 8, epoch: 3 };

    /// Commits offsets of the topic `t`, within a transaction or not.
    fn commit(world: &mut World, producer: Option<Producer>, offsets: &[(i32, i64)]) {
        let of = |(partition, offset): &(i32, i64)| CommitPartition {
            partition: *partition,
            offset: *offset,
            leader_epoch: -1,
            metadata: None,
        };
        let partitions = offsets.iter().map(of).collect();
        let request = Commit {
            api_version: 9,
            group_id: "g",
            generation_id_or_member_epoch: -1,
            member_id: "",
            instance_id: None,
            retention_time_ms: -1,
            topics: vec![CommitTopic { name: "t", topic_id: TopicId::ZERO, partitions }],
        };
        world.producer = producer;
        let reply = world.step(|groups, step| groups.commit_offsets(step, &request));
        assert_eq!(reply, Ok(vec![vec![ErrorCode::None; offsets.len()]]));
        world.producer = None;
    }

    /// What a consumer that asks for stable offsets is told of two partitions.
    fn told(world: &World) -> Vec<Result<i64, ErrorCode>> {
        let topic = FetchTopic { name: "t", topic_id: TopicId::ZERO, partitions: vec![0, 1] };
        let topics = Some(vec![topic]);
        let request = Fetch { group_id: "g", member_id: None, member_epoch: -1, topics, require_stable: true };
        let topics = world.groups.fetch_offsets(&request).unwrap();
        let all = topics.into_iter().flat_map(|topic| topic.partitions);
        all.map(|of| if of.error.is_error() { Err(of.error) } else { Ok(of.offset) }).collect()
    }

    fn end(world: &mut World, producer: Producer, commit: bool) {
        world.groups.end_transaction(producer, commit);
        world.groups.assert_sound();
    }

    const UNSTABLE: Result<i64, ErrorCode> = Err(ErrorCode::UnstableOffsetCommit);

    #[test]
    fn each_transaction_has_its_own() {
        let mut world = World::default();
        commit(&mut world, None, &[(0, 1)]);
        commit(&mut world, Some(FIRST), &[(0, 5)]);
        commit(&mut world, Some(SECOND), &[(0, 6), (1, 9)]);
        assert_eq!(told(&world), [UNSTABLE, UNSTABLE]);
        end(&mut world, SECOND, false);
        assert_eq!(told(&world), [UNSTABLE, Ok(-1)]);
        end(&mut world, FIRST, true);
        assert_eq!(told(&world), [Ok(5), Ok(-1)]);
        end(&mut world, FIRST, true);
        assert_eq!(told(&world), [Ok(5), Ok(-1)], "a transaction without offsets");
    }

    /// The last commit counts, not the last marker.
    #[test]
    fn a_later_commit_stays() {
        let mut world = World::default();
        commit(&mut world, Some(FIRST), &[(0, 5), (1, 5)]);
        commit(&mut world, Some(SECOND), &[(1, 7)]);
        commit(&mut world, None, &[(0, 6)]);
        end(&mut world, SECOND, true);
        end(&mut world, FIRST, true);
        assert_eq!(told(&world), [Ok(6), Ok(7)]);
    }

    #[test]
    fn deleting_takes_what_is_pending() {
        let mut world = World::default();
        commit(&mut world, None, &[(0, 1)]);
        commit(&mut world, Some(FIRST), &[(0, 5), (1, 6)]);
        let before = world.log.len();
        let gone = [("t", vec![1])];
        assert_eq!(world.step(|groups, step| groups.delete_offsets(step, "g", &gone)), Ok(vec![vec![ErrorCode::None]]));
        assert_eq!(told(&world), [UNSTABLE, Ok(-1)]);
        assert_eq!(world.step(|groups, step| groups.delete_group(step, "g")), Ok(()));
        assert_eq!(world.log.len() - before, 3, "a tombstone for each partition and one for the group");
        end(&mut world, FIRST, true);
        assert_eq!(told(&world), [Ok(-1), Ok(-1)]);
        commit(&mut world, Some(FIRST), &[(0, 5)]);
        world.step(|groups, step| groups.forget_topics(step, &[("t".into(), TopicId::ZERO)].into()));
        end(&mut world, FIRST, true);
        assert_eq!(told(&world), [Ok(-1), Ok(-1)], "the topic is gone");
    }

    #[test]
    fn what_is_pending_does_not_expire_nor_does_its_group() {
        let mut world = World::default();
        commit(&mut world, None, &[(0, 1), (1, 1)]);
        commit(&mut world, Some(FIRST), &[(0, 5)]);
        world.wait(world.settings.offsets_retention + Duration::from_secs(1));
        world.step(|groups, step| groups.expire_offsets(step));
        assert_eq!((told(&world), world.groups.committed().count()), (vec![UNSTABLE, Ok(-1)], 1));
        end(&mut world, FIRST, false);
        assert_eq!((told(&world), world.groups.list(&Default::default()).len()), (vec![Ok(1), Ok(-1)], 1));
        world.step(|groups, step| groups.expire_offsets(step));
        assert_eq!((told(&world), world.groups.list(&Default::default()).len()), (vec![Ok(-1), Ok(-1)], 0));
    }
}
