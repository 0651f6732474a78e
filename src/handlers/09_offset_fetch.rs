//! OffsetFetch (key 9), versions 1–10: what groups have committed.
//!
//! Versions: 2 null asks for everything, an error for the whole answer; 3 throttle time; 5 leader epochs (KIP-320); 6
//! flexible; 7 `require_stable` (KIP-447); 8 several groups at once (KIP-709); 9 members of consumer groups say who
//! they are (KIP-848); 10 topic ids.
//!
//! Needs Describe of each group and of each topic. Where everything is asked for, the topics that may not be described are left
//! out; an error of the group's coordinator is told before those of topics (`KafkaApis.fetchOffsetsForGroup`).

use std::collections::HashMap;

use super::room::Room;
use super::{Outcome, Request, State, group_job};
use crate::coordinator::offsets::{Fetch, FetchTopic, FetchedPartition, FetchedTopic};
use crate::coordinator_runtime::Barrier;
use crate::model::{ErrorCode, TopicId};
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::offset_fetch::{
    self as message, OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponseGroup,
    OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};

/// The first version that asks for several groups.
const GROUPS_SINCE: i16 = 8;
/// The first version that names topics by id.
const TOPIC_ID_SINCE: i16 = 10;
/// The first version whose null asks for everything and which has an error for the whole answer.
const TOP_LEVEL_ERROR_SINCE: i16 = 2;
/// `OffsetFetchResponse.INVALID_OFFSET`
const INVALID_OFFSET: i64 = -1;
const NO_LEADER_EPOCH: i32 = -1;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    if request.head.version < GROUPS_SINCE {
        return handle_one(context, request, &body);
    }
    let mut asking = Asking { context, request, room: request.head.room(), barriers: Vec::new() };
    let by_id = request.head.version >= TOPIC_ID_SINCE;
    let fetch = |group: &OffsetFetchRequestGroup<'_>| asking.fetch_group(group, by_id, body.require_stable);
    match body.groups.iter().map(fetch).collect() {
        Ok(groups) => asking.answer(&message::Response { groups, ..Default::default() }),
        Err(early) => early,
    }
}

fn handle_one(context: &Context<'_>, request: &Request<'_>, body: &message::Request<'_>) -> Outcome {
    let version = request.head.version;
    let asked = body.topics.as_ref();
    let failed = |topic: &message::OffsetFetchRequestTopic<'_>, error| OffsetFetchResponseTopic {
        name: topic.name.to_string().into(),
        partitions: topic.partition_indexes.iter().map(|p| partition(nothing(*p, error))).collect(),
    };
    let mut asking = Asking { context, request, room: request.head.room(), barriers: Vec::new() };
    let mut response = message::Response::default();
    match asking.fetch_one(body) {
        Ok((Err(early), _)) => return early,
        Ok((Ok(topics), refused)) => {
            let refused = refused.into_iter().map(|topic| failed(topic, ErrorCode::TopicAuthorizationFailed));
            response.topics = topics.into_iter().chain(refused).collect();
        }
        Err(error) if version >= TOP_LEVEL_ERROR_SINCE => response.error_code = error.code(),
        Err(error) => response.topics = asked.into_iter().flatten().map(|topic| failed(topic, error)).collect(),
    }
    asking.answer(&response)
}

/// Topics as they are answered, if there is room for them.
type Told<T> = Result<Vec<T>, Outcome>;
type Refused<'b, 'm> = Vec<&'b message::OffsetFetchRequestTopic<'m>>;

/// A request with what is left of its answer's room, and what its answer waits for.
struct Asking<'a> {
    context: &'a Context<'a>,
    request: &'a Request<'a>,
    room: Room,
    barriers: Vec<Barrier>,
}

impl Asking<'_> {
    fn answer(self, response: &message::Response<'_>) -> Outcome {
        self.request.head.answer_behind(self.context, self.barriers, response)
    }

    /// Asks a group's coordinator. What it has is made an answer of at once, so that only that is held for which there is
    /// room.
    fn ask<'f, T>(
        &mut self,
        fetch: &Fetch<'f>,
        mut tell: impl FnMut(&mut Room, FetchedTopic<'_>) -> Result<Option<T>, Outcome>,
    ) -> Result<Told<T>, ErrorCode> {
        let room = &mut self.room;
        let (told, barrier) = group_job::look(self.context, fetch.group_id, |groups| {
            let topics = groups.fetch_offsets(fetch)?;
            Ok(topics.into_iter().filter_map(|topic| tell(room, topic).transpose()).collect())
        })?;
        self.barriers.push(barrier);
        told
    }

    /// What the group has committed, and the topics that the client may not describe.
    fn fetch_one<'b, 'm>(
        &mut self,
        body: &'b message::Request<'m>,
    ) -> Result<(Told<OffsetFetchResponseTopic<'static>>, Refused<'b, 'm>), ErrorCode> {
        let (context, request) = (self.context, self.request);
        if !may_describe_group(context, request, &body.group_id) {
            return Err(ErrorCode::GroupAuthorizationFailed);
        }
        let mut refused = Vec::new();
        let topics = body.topics.as_ref().map(|topics| {
            let (told, others): (Vec<_>, Vec<_>) =
                topics.iter().partition(|topic| may_describe(context, request, &topic.name));
            refused = others;
            told.into_iter().map(|topic| wanted(&topic.name, TopicId::default(), &topic.partition_indexes)).collect()
        });
        let names_all = topics.is_none();
        let fetch = Fetch {
            group_id: &body.group_id,
            member_id: None,
            member_epoch: -1,
            topics,
            require_stable: body.require_stable,
        };
        let told = self.ask(&fetch, |room, fetched| {
            if names_all && !shows(context, request, fetched.name) {
                return Ok(None);
            }
            topic(room, fetched).map(Some)
        })?;
        Ok((told, refused))
    }

    /// One group of a request that asks for several.
    fn fetch_group(
        &mut self,
        group: &OffsetFetchRequestGroup<'_>,
        by_id: bool,
        require_stable: bool,
    ) -> Result<OffsetFetchResponseGroup<'static>, Outcome> {
        let (context, request) = (self.context, self.request);
        let view = &**context.view;
        let mut response =
            OffsetFetchResponseGroup { group_id: group.group_id.to_string().into(), ..Default::default() };
        if !may_describe_group(context, request, &group.group_id) {
            response.error_code = ErrorCode::GroupAuthorizationFailed.code();
            return Ok(response);
        }
        let (mut refused, mut ids) = (Vec::new(), HashMap::new());
        let topics = group.topics.as_ref().map(|topics| {
            let mut named = Vec::new();
            for topic in topics {
                match find(context, request, topic, by_id) {
                    Ok((name, id)) => {
                        ids.insert(name, id);
                        named.push(wanted(name, id, &topic.partition_indexes));
                    }
                    Err((name, error)) => {
                        let nothing = topic.partition_indexes.iter().map(|p| nothing(*p, error));
                        refused.push((topic.topic_id, FetchedTopic { name, partitions: nothing.collect() }));
                    }
                }
            }
            named
        });
        let names_all = topics.is_none();
        let fetch = Fetch {
            group_id: &group.group_id,
            member_id: group.member_id.as_deref(),
            member_epoch: group.member_epoch,
            topics,
            require_stable,
        };
        let told = self.ask(&fetch, |room, topic| {
            if names_all && !shows(context, request, topic.name) {
                return Ok(None);
            }
            // A topic that has lost its id cannot be told to who knows topics by their ids only.
            let id_now = || view.topic(topic.name).map(|topic| topic.id);
            let id = if by_id { ids.get(topic.name).copied().or_else(id_now) } else { Some(TopicId::default()) };
            id.map(|id| topic_of_group(room, id, topic)).transpose()
        });
        match told {
            Err(error) => response.error_code = error.code(),
            Ok(told) => {
                response.topics = told?;
                for (id, topic) in refused {
                    response.topics.push(topic_of_group(&mut self.room, id, topic)?);
                }
            }
        }
        Ok(response)
    }
}

/// The name of a topic and, where it is named by it, its id; else what is told of the name, and the error.
fn find<'r>(
    context: &'r Context<'_>,
    request: &Request<'_>,
    topic: &'r OffsetFetchRequestTopics<'_>,
    by_id: bool,
) -> Result<(&'r str, TopicId), (&'r str, ErrorCode)> {
    let (name, id) = match by_id {
        false => (&*topic.name, TopicId::default()),
        true => match context.view.image.topic_by_id(topic.topic_id) {
            Some(found) => (&*found.name, found.id),
            None => return Err(("", ErrorCode::UnknownTopicId)),
        },
    };
    match may_describe(context, request, name) {
        true => Ok((name, id)),
        false => Err((if by_id { "" } else { name }, ErrorCode::TopicAuthorizationFailed)),
    }
}

fn may_describe_group(context: &Context<'_>, request: &Request<'_>, group_id: &str) -> bool {
    request.may(context, AclOperation::Describe, AclResource::Group, group_id)
}

fn may_describe(context: &Context<'_>, request: &Request<'_>, topic: &str) -> bool {
    request.may(context, AclOperation::Describe, AclResource::Topic, topic)
}

/// The same of a topic that the client has not named.
fn shows(context: &Context<'_>, request: &Request<'_>, topic: &str) -> bool {
    request.may_silently(context, AclOperation::Describe, AclResource::Topic, topic)
}

fn wanted<'a>(name: &'a str, topic_id: TopicId, partitions: &[i32]) -> FetchTopic<'a> {
    FetchTopic { name, topic_id, partitions: partitions.to_vec() }
}

fn nothing<'a>(partition: i32, error: ErrorCode) -> FetchedPartition<'a> {
    let (offset, leader_epoch, metadata) = (INVALID_OFFSET, NO_LEADER_EPOCH, "");
    FetchedPartition { partition, offset, leader_epoch, metadata, error }
}

fn topic(room: &mut Room, topic: FetchedTopic<'_>) -> Result<OffsetFetchResponseTopic<'static>, Outcome> {
    room.take_bytes(topic.name.len())?;
    let partitions: Result<_, _> = topic.partitions.into_iter().map(|fetched| room.take(partition(fetched))).collect();
    Ok(OffsetFetchResponseTopic { name: topic.name.to_string().into(), partitions: partitions? })
}

fn partition(fetched: FetchedPartition<'_>) -> OffsetFetchResponsePartition<'static> {
    OffsetFetchResponsePartition {
        partition_index: fetched.partition,
        committed_offset: fetched.offset,
        committed_leader_epoch: fetched.leader_epoch,
        metadata: Some(fetched.metadata.to_string().into()),
        error_code: fetched.error.code(),
    }
}

fn topic_of_group(
    room: &mut Room,
    topic_id: TopicId,
    topic: FetchedTopic<'_>,
) -> Result<OffsetFetchResponseTopics<'static>, Outcome> {
    room.take_bytes(topic.name.len())?;
    let partition = |fetched: FetchedPartition<'_>| OffsetFetchResponsePartitions {
        partition_index: fetched.partition,
        committed_offset: fetched.offset,
        committed_leader_epoch: fetched.leader_epoch,
        metadata: Some(fetched.metadata.to_string().into()),
        error_code: fetched.error.code(),
    };
    let partitions: Result<_, _> = topic.partitions.into_iter().map(|fetched| room.take(partition(fetched))).collect();
    Ok(OffsetFetchResponseTopics { name: topic.name.to_string().into(), topic_id, partitions: partitions? })
}
