//! What every shard reads without a lock: the cluster's image and the partitions that this broker has, as one value.
//!
//! Only the metadata thread makes a new one; a shard that holds an old one goes on seeing the old world.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rpds::RedBlackTreeMapSync as Map;

use crate::metadata::{self, Image, KRAFT_VERSION, NO_LEADER, SPOKEN_FEATURES, Topic, topic_name};
use crate::model::{ErrorCode, LeaderEpoch, Offset, TopicId, TopicIdPartition, Uuid};
use crate::replica::partition::Partition;
use crate::replica::played::{Extent, Played};
use crate::storage::log::Log;

/// A feature (KIP-584) that this broker speaks: the levels that it could, and the one that the cluster has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Feature {
    pub name: &'static str,
    pub min_level: i16,
    pub max_level: i16,
    pub level: i16,
}

/// What this node is in the quorum that keeps the metadata log: its leader and only voter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Leadership {
    pub leader_epoch: LeaderEpoch,
    /// The finalized level of `kraft.version`.
    pub kraft_version: i16,
    /// The voter's directory; zero where voters stand in the configuration (kraft.version 0).
    pub directory_id: Uuid,
    /// Where the voter can be reached, as the newest VotersRecord says.
    pub endpoints: Vec<VoterEndpoint>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VoterEndpoint {
    pub listener: String,
    pub host: String,
    pub port: u16,
}

/// The partitions of one topic that are on this broker; `None` where one is not, or could not be opened.
pub type Hosted = Arc<[Option<Arc<Partition>>]>;

/// The copy of a partition's log that is to replace it from another log directory.
pub struct Future {
    pub topic: Arc<str>,
    pub log: Log,
    /// The metadata thread was told that the copy is complete.
    pub is_announced: AtomicBool,
}

/// The image and the partitions, as one immutable value.
#[derive(Clone)]
pub struct View {
    pub image: Image,
    pub leadership: Leadership,
    /// Elections of leaders that were not in sync, since the broker started (`UncleanLeaderElectionsPerSec`).
    pub unclean_elections: u64,
    cluster_id: Arc<str>,
    hosted: Map<TopicId, Hosted>,
    futures: Map<TopicIdPartition, Arc<Future>>,
    /// A log directory could not be used at the start: what is missing may be in it.
    pub lacks_directory: bool,
    /// What a test wants of the brokers that this process plays.
    pub played: Arc<Played>,
    /// The broker that sees it, of several that this process plays: partitions that it does not lead are not its own.
    seen_by: Option<i32>,
}

impl View {
    pub fn new(cluster_id: &str) -> View {
        View {
            image: Image::default(),
            leadership: Leadership::default(),
            unclean_elections: 0,
            cluster_id: cluster_id.into(),
            hosted: Map::new_sync(),
            futures: Map::new_sync(),
            lacks_directory: false,
            played: Arc::default(),
            seen_by: None,
        }
    }

    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The offset of the last metadata record that this view shows.
    pub fn applied_offset(&self) -> Offset {
        Offset(self.image.offset())
    }

    /// The features that ApiVersions tells of.
    pub fn features(&self) -> Vec<Feature> {
        let feature = |&(name, min_level, max_level): &(&'static str, i16, i16)| {
            let level = match name {
                KRAFT_VERSION => self.leadership.kraft_version,
                _ => self.image.feature(name),
            };
            let level = level.min(max_level);
            Feature { name, min_level, max_level, level }
        };
        SPOKEN_FEATURES.iter().map(feature).collect()
    }

    pub fn is_internal(&self, topic: &str) -> bool {
        topic_name::is_internal(topic)
    }

    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.image.topic(name)
    }

    pub fn partition_by_name(&self, topic: &str, index: i32) -> Result<&Arc<Partition>, ErrorCode> {
        let topic = self.image.topic(topic).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        self.partition(topic, index)
    }

    pub fn partition_by_id(&self, topic_id: TopicId, index: i32) -> Result<&Arc<Partition>, ErrorCode> {
        let topic = self.image.topic_by_id(topic_id).ok_or(ErrorCode::UnknownTopicId)?;
        self.partition(topic, index)
    }

    /// The same as one of several brokers sees it that this process plays.
    pub fn as_seen_by(&self, broker: i32) -> View {
        View { seen_by: Some(broker), ..self.clone() }
    }

    /// Whether a partition is the viewer's, as far as the metadata say so.
    pub fn is_own(&self, described: &metadata::Partition) -> bool {
        self.seen_by.is_none_or(|broker| broker == described.leader)
    }

    /// A partition that the viewer does not lead and follows: it has a replica, or a test wants it to follow. With it what the
    /// viewer has of the log, where that is said.
    pub fn followed(
        &self,
        topic: &Topic,
        described: &metadata::Partition,
    ) -> Result<(&Arc<Partition>, Option<Extent>), ErrorCode> {
        let viewer = self.seen_by.ok_or(ErrorCode::NotLeaderOrFollower)?;
        let wanted = self.played.follower(TopicIdPartition { topic_id: topic.id, index: described.index });
        let own = wanted.filter(|follower| follower.broker == viewer);
        if own.is_none() && !described.replicas.contains(&viewer) {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        Ok((self.log_of(topic, described)?, own.map(|follower| follower.extent)))
    }

    /// Whether a partition's log is in order here, whichever broker leads it.
    pub fn has(&self, topic: &Topic, index: i32) -> bool {
        topic.partition(index).is_some_and(|described| self.log_of(topic, described).is_ok())
    }

    fn partition(&self, topic: &Topic, index: i32) -> Result<&Arc<Partition>, ErrorCode> {
        let described = topic.partition(index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        if !self.is_own(described) {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        self.log_of(topic, described)
    }

    fn log_of(&self, topic: &Topic, described: &metadata::Partition) -> Result<&Arc<Partition>, ErrorCode> {
        let index = described.index;
        let hosted = self.hosted.get(&topic.id).and_then(|hosted| hosted.get(usize::try_from(index).ok()?));
        match hosted {
            Some(Some(partition)) if partition.log.is_offline() => Err(ErrorCode::KafkaStorageError),
            Some(Some(partition)) => Ok(partition),
            // Its directory was left out of this start (`ReplicaManager.getPartitionOrError`).
            _ if described.leader == NO_LEADER && !self.lacks_directory => Err(ErrorCode::NotLeaderOrFollower),
            // It is in the image with us as its replica, and its log could not be opened.
            _ => Err(ErrorCode::KafkaStorageError),
        }
    }

    /// All partitions on this broker.
    pub fn partitions(&self) -> impl Iterator<Item = &Arc<Partition>> {
        self.hosted.values().flat_map(|hosted| hosted.iter().flatten())
    }

    /// The logs that are being moved, by partition.
    pub fn futures(&self) -> impl Iterator<Item = (&TopicIdPartition, &Arc<Future>)> {
        self.futures.iter()
    }

    pub fn future(&self, key: TopicIdPartition) -> Option<&Arc<Future>> {
        self.futures.get(&key)
    }

    pub fn set_future(&mut self, key: TopicIdPartition, future: Option<Arc<Future>>) {
        match future {
            Some(future) => self.futures.insert_mut(key, future),
            None => drop(self.futures.remove_mut(&key)),
        }
    }

    pub fn hosted(&self, topic_id: TopicId) -> Option<&Hosted> {
        self.hosted.get(&topic_id)
    }

    pub fn set_hosted(&mut self, topic_id: TopicId, hosted: Hosted) {
        let is_its = |partition: &Arc<Partition>| partition.topic_id == topic_id;
        assert!(hosted.iter().flatten().all(is_its), "a partition stands under its topic");
        self.hosted.insert_mut(topic_id, hosted);
    }

    pub fn remove_hosted(&mut self, topic_id: TopicId) -> Option<Hosted> {
        let removed = self.hosted.get(&topic_id).cloned();
        self.hosted.remove_mut(&topic_id);
        removed
    }
}
