//! What several answers tell alike about the cluster: this node, the state of a partition.
//!
//! This process is the controller and all brokers that serve: one, or several that it plays for a test.

use super::Request;
use crate::metadata::{self, NO_LEADER, Topic, topic_name};
use crate::model::{ErrorCode, java_hash};
use crate::shard::context::Context;
use crate::shard::session::Route;

/// A broker's address as the client that came in by this route can reach it.
pub(super) struct Node<'a> {
    pub(super) id: i32,
    pub(super) host: &'a str,
    pub(super) port: i32,
    pub(super) rack: Option<&'a str>,
}

/// The broker that leads the partition of a coordinator's topic which this key belongs to.
pub(super) fn coordinator<'a>(
    context: &'a Context<'_>,
    route: &'a Route,
    (topic, key): (&str, &str),
) -> Option<Node<'a>> {
    let cast = context.shared.config.cast();
    if cast.is_one() {
        return node(context, route, context.broker);
    }
    let topic = context.view.topic(topic)?;
    let partition = topic.partition(java_hash::partition_for(key, topic.partitions.len()))?;
    node(context, route, partition.leader).filter(|_| context.view.has(topic, partition.index))
}

/// A broker that serves, if it is one.
pub(super) fn node<'a>(context: &'a Context<'_>, route: &'a Route, broker: i32) -> Option<Node<'a>> {
    let config = &context.shared.config;
    let endpoint = context.shared.endpoint(config.cast().listener_of(broker, route.listener)?)?;
    let registered = context.view.image.broker(broker);
    let told = context.view.played.address(broker);
    (config.cast().is_one() || registered.is_some_and(|broker| broker.is_active())).then(|| Node {
        id: broker,
        host: told.map_or(route.host.as_deref().unwrap_or(&endpoint.host), |(host, _)| host),
        port: told.map_or(endpoint.port, |(_, port)| port).into(),
        rack: registered.and_then(|broker| broker.rack.as_deref()),
    })
}

/// The brokers that serve, in the order of their ids, but for those that a test hides.
pub(super) fn nodes<'a>(context: &'a Context<'_>, route: &'a Route) -> Vec<Node<'a>> {
    let shown = context.shared.config.cast().ids().filter(|broker| !context.view.played.is_hidden(*broker));
    shown.filter_map(|broker| node(context, route, broker)).collect()
}

/// The broker that is told to be the controller: the first that serves and is told of. Any of them takes what is for it.
pub(super) fn controller(context: &Context<'_>) -> i32 {
    let cast = context.shared.config.cast();
    let is_active = |id: &i32| {
        context.view.image.broker(*id).is_some_and(|broker| broker.is_active()) && !context.view.played.is_hidden(*id)
    };
    cast.ids().find(is_active).unwrap_or(context.shared.config.node_id)
}

/// Who leads a partition, and which of its replicas cannot be reached.
pub(super) struct PartitionState {
    /// -1: no broker.
    pub(super) leader: i32,
    pub(super) offline_replicas: Vec<i32>,
}

/// Looks whether the partition's log is in order here.
pub(super) fn partition_state(context: &Context<'_>, topic: &Topic, partition: &metadata::Partition) -> PartitionState {
    let is_here = context.view.has(topic, partition.index);
    let cast = context.shared.config.cast();
    let is_up = |node: i32| cast.is_one() || context.view.image.broker(node).is_some_and(|broker| broker.is_active());
    let serves = |node: i32| is_here && cast.plays(node) && is_up(node);
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
    /// The brokers that serve, as the client of this request can reach them.
    pub(super) fn nodes<'c>(&'c self, context: &'c Context<'_>) -> Vec<Node<'c>> {
        nodes(context, &self.session.route)
    }
}
