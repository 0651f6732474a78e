//! What several answers tell alike about the cluster: this node, the state of a partition.
//!
//! One node: it is the only broker that serves, and the controller.

use super::Request;
use crate::metadata::{self, NO_LEADER, Topic, topic_name};
use crate::model::ErrorCode;
use crate::shard::context::Context;
use crate::shard::session::Route;

/// A broker's address as the client that came in by this route can reach it.
pub(super) struct Node<'a> {
    pub(super) id: i32,
    pub(super) host: &'a str,
    pub(super) port: i32,
    pub(super) rack: Option<&'a str>,
}

pub(super) fn this_node<'a>(context: &'a Context<'_>, route: &'a Route) -> Option<Node<'a>> {
    let config = &context.shared.config;
    let endpoint = context.shared.endpoint(route.listener)?;
    Some(Node {
        id: config.node_id,
        host: route.host.as_deref().unwrap_or(&endpoint.host),
        port: endpoint.port.into(),
        rack: config.broker_rack.as_deref(),
    })
}

/// Who leads a partition, and which of its replicas cannot be reached.
pub(super) struct PartitionState {
    /// -1: no broker.
    pub(super) leader: i32,
    pub(super) offline_replicas: Vec<i32>,
}

/// Looks whether the partition's log is in order here.
pub(super) fn partition_state(context: &Context<'_>, topic: &Topic, partition: &metadata::Partition) -> PartitionState {
    let is_here = context.view.partition_by_id(topic.id, partition.index).is_ok();
    let serves = |node: i32| is_here && node == context.shared.config.node_id;
    PartitionState {
        leader: if serves(partition.leader) { partition.leader } else { NO_LEADER },
        offline_replicas: partition.replicas.iter().copied().filter(|replica| !serves(*replica)).collect(),
    }
}

/// The error for a topic that is not there: the name may be one that no topic can have.
pub(super) fn unknown_topic(name: &str) -> ErrorCode {
    match topic_name::validate(name) {
        Ok(()) => ErrorCode::UnknownTopicOrPartition,
        Err(_) => ErrorCode::InvalidTopicException,
    }
}

impl Request<'_> {
    /// This broker as the client of this request can reach it.
    pub(super) fn this_node<'c>(&'c self, context: &'c Context<'_>) -> Option<Node<'c>> {
        this_node(context, &self.session.route)
    }
}
