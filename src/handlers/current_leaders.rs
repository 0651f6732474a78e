//! Whom a client is told of that asks a broker which does not lead a partition, or knows an older epoch of its leader: the leader,
//! its epoch and its address (KIP-951). So the client goes there without asking for metadata (`KafkaApis.getCurrentLeader`).

use super::cluster_state;
use crate::metadata::{NO_LEADER, Topic};
use crate::model::TopicIdPartition;
use crate::shard::context::Context;

const NO_EPOCH: i32 = -1;

/// The leader of a partition as the metadata have it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CurrentLeader {
    /// -1: no broker leads it, or there is no such partition.
    pub(super) id: i32,
    pub(super) epoch: i32,
}

impl CurrentLeader {
    const UNKNOWN: CurrentLeader = CurrentLeader { id: NO_LEADER, epoch: NO_EPOCH };
}

/// A broker that leads, at the address by which the client reaches it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct LeaderNode {
    pub(super) id: i32,
    pub(super) host: String,
    pub(super) port: i32,
    pub(super) rack: Option<String>,
}

/// The leaders that one answer tells of. Most answers have none, and then it holds no memory.
#[derive(Clone, Default, Debug)]
pub(super) struct CurrentLeaders {
    /// Each with the place of its partition in the answer, rising.
    told: Vec<(usize, CurrentLeader)>,
    /// Those that serve, each once.
    nodes: Vec<LeaderNode>,
}

impl CurrentLeaders {
    /// The partition at this place of the answer is to tell of its leader. Places rise from call to call.
    pub(super) fn note(&mut self, context: &Context<'_>, place: usize, (topic, index): (Option<&Topic>, i32)) {
        assert!(self.told.last().is_none_or(|(before, _)| *before < place), "partitions are noted in their order");
        let described = topic.and_then(|topic| topic.partition(index));
        let topic_id = topic.map(|topic| topic.id);
        let told = topic_id.and_then(|topic_id| context.view.played.leader(TopicIdPartition { topic_id, index }));
        let known =
            told.map(|told| (told.id, told.epoch)).or(described.map(|found| (found.leader, found.leader_epoch)));
        let leader = known.map_or(CurrentLeader::UNKNOWN, |(id, epoch)| CurrentLeader { id, epoch });
        self.told.push((place, leader));
        if self.nodes.iter().all(|node| node.id != leader.id) {
            let node = context.route.and_then(|route| cluster_state::node(context, route, leader.id));
            self.nodes.extend(node.map(|node| LeaderNode {
                id: node.id,
                host: node.host.to_string(),
                port: node.port,
                rack: node.rack.map(str::to_string),
            }));
        }
    }

    /// What the partition at this place tells.
    pub(super) fn at(&self, place: usize) -> CurrentLeader {
        let found = self.told.binary_search_by_key(&place, |(place, _)| *place);
        found.map_or(CurrentLeader::UNKNOWN, |at| self.told[at].1)
    }

    pub(super) fn nodes(&self) -> &[LeaderNode] {
        &self.nodes
    }
}
