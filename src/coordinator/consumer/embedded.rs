//! What consumers of the classic protocol say to each other, as far as the coordinator has to understand it to have them
//! in a group of the consumer protocol: subscriptions and assignments (`ConsumerProtocol`).

use std::collections::BTreeMap;

use crate::codec::{Buffer, Message, Reader, Str};
use crate::coordinator::assignor::Assignment;
use crate::coordinator::consumer_protocol::consumer_protocol_assignment::TopicPartition;
use crate::coordinator::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use crate::coordinator::step::Topics;
use crate::model::TopicId;

/// Later versions only append fields.
const NEWEST_VERSION: i16 = 3;

fn decode<'a, M: Message<'a>>(bytes: &'a [u8]) -> Option<M> {
    let mut reader = Reader::new(bytes);
    let version = reader.i16("Version").ok().filter(|version| *version >= 0)?;
    M::decode(&mut reader, version.min(NEWEST_VERSION)).ok()
}

pub fn subscription(metadata: &[u8]) -> Option<ConsumerProtocolSubscription<'_>> {
    decode(metadata)
}

/// The partitions that exist: the member that assigned them may not have known that a topic was deleted and made anew with
/// fewer. Kafka asks only for the topic, and can compute no target from the rest.
pub fn assignment<'a>(bytes: &'a [u8], topics: &dyn Topics) -> Option<(Assignment, ConsumerProtocolAssignment<'a>)> {
    let decoded = assigned(bytes)?;
    let assigned = decoded.assigned_partitions.iter();
    let known = |topic: &TopicPartition<'_>| {
        let id = topics.id(&topic.topic)?;
        let partitions = 0..topics.partitions(id)?;
        Some((id, topic.partitions.iter().copied().filter(|partition| partitions.contains(partition)).collect()))
    };
    Some((assigned.filter_map(known).collect(), decoded))
}

/// What a leader has assigned to a member; `None` where the bytes are no consumer's. A member that has never got an assignment has
/// no bytes.
pub fn assigned(bytes: &[u8]) -> Option<ConsumerProtocolAssignment<'_>> {
    if bytes.is_empty() { Some(Default::default()) } else { decode(bytes) }
}

/// What a consumer says that it owns, of topics that exist.
pub fn owned(subscription: &ConsumerProtocolSubscription<'_>, topics: &dyn Topics) -> Vec<(TopicId, Vec<i32>)> {
    let owned = subscription.owned_partitions.iter();
    owned.filter_map(|of| Some((topics.id(&of.topic)?, of.partitions.clone()))).collect()
}

/// An assignment in the version that the member's metadata has. Metadata too short to have one is taken for version 0.
pub fn assignment_bytes<'p>(
    partitions: impl IntoIterator<Item = (TopicId, Vec<i32>)>,
    metadata: &'p [u8],
    topics: &'p dyn Topics,
) -> Vec<u8> {
    let version = Reader::new(metadata).i16("Version").unwrap_or(0).clamp(0, NEWEST_VERSION);
    let named = partitions.into_iter().filter_map(|(topic, of)| Some((topics.name(topic)?, of)));
    let named: BTreeMap<&str, Vec<i32>> = named.collect();
    let topic = |(name, partitions)| TopicPartition { topic: Str::Borrowed(name), partitions };
    let assigned_partitions = named.into_iter().map(topic).collect();
    let mut bytes = version.to_be_bytes().to_vec();
    let assignment = ConsumerProtocolAssignment { assigned_partitions, user_data: None };
    assignment.write(&mut Buffer::new(&mut bytes), version);
    bytes
}
