//! The topics of a commit of offsets: found by name or by id, so that a group's coordinator gets only what the cluster has,
//! and answered for each partition in the order of the request.

use super::Request;
use crate::coordinator::offsets::{CommitPartition, CommitReply, CommitTopic};
use crate::model::{ErrorCode, TopicId};
use crate::replica::view::View;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;

/// A topic as the client names it.
pub(super) struct Named<'a> {
    pub(super) name: &'a str,
    pub(super) topic_id: TopicId,
    pub(super) partitions: Vec<CommitPartition<'a>>,
}

/// The places of the topics that the client may not read. Of ids that are not known nothing is asked.
pub(super) fn denied<'a>(
    context: &Context<'_>,
    request: &Request<'_>,
    by_id: bool,
    asked: impl Iterator<Item = (&'a str, TopicId)>,
) -> Vec<usize> {
    let is_denied = |(name, topic_id)| {
        let name = match by_id {
            true => context.view.image.topic_by_id(topic_id).map(|topic| &*topic.name),
            false => Some(name),
        };
        name.is_some_and(|name| !request.may(context, AclOperation::Read, AclResource::Topic, name))
    };
    asked.enumerate().filter(|(_, topic)| is_denied(*topic)).map(|(place, _)| place).collect()
}

/// What of a request is known, and what becomes of each of its partitions.
pub(super) struct Topics<'a> {
    /// What goes to the coordinator.
    pub(super) known: Vec<CommitTopic<'a>>,
    /// What each partition of each topic of the request is answered.
    pub(super) errors: Vec<Vec<ErrorCode>>,
    /// Where the partitions of each known topic stand in the request.
    places: Vec<Vec<(usize, usize)>>,
}

impl<'a> Topics<'a> {
    /// `denied` are the places of those that the client may not read, in order.
    pub(super) fn find(
        view: &'a View,
        by_id: bool,
        denied: &[usize],
        asked: impl Iterator<Item = Named<'a>>,
    ) -> Topics<'a> {
        let mut topics = Topics { known: Vec::new(), errors: Vec::new(), places: Vec::new() };
        for (at, Named { name, topic_id, partitions: named }) in asked.enumerate() {
            let found = if denied.binary_search(&at).is_ok() {
                Err(ErrorCode::TopicAuthorizationFailed)
            } else if by_id {
                view.image.topic_by_id(topic_id).ok_or(ErrorCode::UnknownTopicId)
            } else {
                view.topic(name).ok_or(ErrorCode::UnknownTopicOrPartition)
            };
            topics.errors.push(vec![found.as_ref().err().copied().unwrap_or(ErrorCode::None); named.len()]);
            let Ok(found) = found else { continue };
            let (mut partitions, mut places) = (Vec::new(), Vec::new());
            for (place, partition) in named.into_iter().enumerate() {
                if found.partition(partition.partition).is_none() {
                    topics.errors[at][place] = ErrorCode::UnknownTopicOrPartition;
                    continue;
                }
                places.push((at, place));
                partitions.push(partition);
            }
            if !partitions.is_empty() {
                topics.known.push(CommitTopic { name: &found.name, topic_id: found.id, partitions });
                topics.places.push(places);
            }
        }
        topics
    }

    /// Takes in what the coordinator says.
    pub(super) fn answer(&mut self, reply: &CommitReply) {
        for (topic, places) in self.places.iter().enumerate() {
            for (partition, (at, place)) in places.iter().enumerate() {
                let error = reply.as_ref().map_or_else(|error| *error, |errors| errors[topic][partition]);
                self.errors[*at][*place] = error;
            }
        }
    }
}
