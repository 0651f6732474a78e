//! OffsetFetch (key 9), versions 1–10: what groups have committed.
//!
//! Versions: 2 null asks for everything, an error for the whole answer; 3 throttle time; 5 leader epochs (KIP-320); 6
//! flexible; 7 `require_stable` (KIP-447); 8 several groups at once (KIP-709); 9 members of consumer groups say who
//! they are (KIP-848); 10 topic ids.
//!
//! Needs Describe of each group and of each topic. Where everything is asked for, the topics that may not be described are left
//! out; an error of the group's coordinator is told before those of topics (`KafkaApis.fetchOffsetsForGroup`).

use std::collections::HashMap;

use super::{Outcome, Request, State, group_job};
use crate::coordinator::offsets::{Fetch, FetchReply, FetchTopic, FetchedPartition, FetchedTopic};
use crate::coordinator_runtime::Barrier;
use crate::model::{ErrorCode, TopicId};
use crate::replica::view::View;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::offset_fetch::{
    self as message, OffsetFetchRequestGroup, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
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
    let mut barriers = Vec::new();
    let ids = request.head.version >= TOPIC_ID_SINCE;
    let fetch = |group: &OffsetFetchRequestGroup<'_>| {
        fetch_group(context, request, group, ids, body.require_stable, &mut barriers)
    };
    let groups = body.groups.iter().map(fetch).collect();
    request.head.answer_behind(context, barriers, &message::Response { groups, ..Default::default() })
}

fn handle_one(context: &Context<'_>, request: &Request<'_>, body: &message::Request<'_>) -> Outcome {
    let version = request.head.version;
    let asked = body.topics.as_ref();
    let failed = |topic: &message::OffsetFetchRequestTopic<'_>, error| OffsetFetchResponseTopic {
        name: topic.name.to_string().into(),
        partitions: topic.partition_indexes.iter().map(|p| partition(nothing(*p, error))).collect(),
    };
    let mut barriers = Vec::new();
    let mut response = message::Response::default();
    match fetch_one(context, request, body, &mut barriers) {
        Ok((topics, refused)) => {
            let refused = refused.into_iter().map(|topic| failed(topic, ErrorCode::TopicAuthorizationFailed));
            response.topics = topics.into_iter().map(topic).chain(refused).collect();
        }
        Err(error) if version >= TOP_LEVEL_ERROR_SINCE => response.error_code = error.code(),
        Err(error) => response.topics = asked.into_iter().flatten().map(|topic| failed(topic, error)).collect(),
    }
    request.head.answer_behind(context, barriers, &response)
}

type Refused<'b, 'm> = Vec<&'b message::OffsetFetchRequestTopic<'m>>;

/// What the group has committed, and the topics that the client may not describe.
fn fetch_one<'b, 'm>(
    context: &Context<'_>,
    request: &Request<'_>,
    body: &'b message::Request<'m>,
    barriers: &mut Vec<Barrier>,
) -> Result<(Vec<FetchedTopic>, Refused<'b, 'm>), ErrorCode> {
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
    let fetch = Fetch {
        group_id: &body.group_id,
        member_id: None,
        member_epoch: -1,
        topics,
        require_stable: body.require_stable,
    };
    let mut fetched = ask(context, &fetch, barriers)?;
    if fetch.topics.is_none() {
        fetched.retain(|topic| shows(context, request, &topic.name));
    }
    Ok((fetched, refused))
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

fn ask(context: &Context<'_>, fetch: &Fetch<'_>, barriers: &mut Vec<Barrier>) -> FetchReply {
    let (reply, barrier) = group_job::look(context, fetch.group_id, |groups| groups.fetch_offsets(fetch))?;
    barriers.push(barrier);
    reply
}

fn nothing(partition: i32, error: ErrorCode) -> FetchedPartition {
    let (offset, leader_epoch, metadata) = (INVALID_OFFSET, NO_LEADER_EPOCH, String::new());
    FetchedPartition { partition, offset, leader_epoch, metadata, error }
}

fn topic(topic: FetchedTopic) -> OffsetFetchResponseTopic<'static> {
    let partitions = topic.partitions.into_iter().map(partition).collect();
    OffsetFetchResponseTopic { name: topic.name.into(), partitions }
}

fn partition(fetched: FetchedPartition) -> OffsetFetchResponsePartition<'static> {
    OffsetFetchResponsePartition {
        partition_index: fetched.partition,
        committed_offset: fetched.offset,
        committed_leader_epoch: fetched.leader_epoch,
        metadata: Some(fetched.metadata.into()),
        error_code: fetched.error.code(),
    }
}

/// One group of a request that asks for several.
fn fetch_group(
    context: &Context<'_>,
    request: &Request<'_>,
    group: &OffsetFetchRequestGroup<'_>,
    by_id: bool,
    require_stable: bool,
    barriers: &mut Vec<Barrier>,
) -> OffsetFetchResponseGroup<'static> {
    let view = &**context.view;
    let mut response = OffsetFetchResponseGroup { group_id: group.group_id.to_string().into(), ..Default::default() };
    if !may_describe_group(context, request, &group.group_id) {
        response.error_code = ErrorCode::GroupAuthorizationFailed.code();
        return response;
    }
    let (mut refused, mut ids) = (Vec::new(), HashMap::new());
    let topics = group.topics.as_ref().map(|topics| {
        let mut named = Vec::new();
        for topic in topics {
            let found = match by_id {
                false => Some((&*topic.name, TopicId::default())),
                true => view.image.topic_by_id(topic.topic_id).map(|found| (&*found.name, found.id)),
            };
            let mut refuse = |name: &str, error| {
                let partitions = topic.partition_indexes.iter().map(|p| nothing(*p, error)).collect();
                refused.push((topic.topic_id, FetchedTopic { name: name.to_string(), partitions }));
            };
            match found {
                None => refuse("", ErrorCode::UnknownTopicId),
                Some((name, _)) if !may_describe(context, request, name) => {
                    refuse(if by_id { "" } else { name }, ErrorCode::TopicAuthorizationFailed);
                }
                Some((name, id)) => {
                    ids.insert(name.to_string(), id);
                    named.push(wanted(name, id, &topic.partition_indexes));
                }
            }
        }
        named
    });
    let fetch = Fetch {
        group_id: &group.group_id,
        member_id: group.member_id.as_deref(),
        member_epoch: group.member_epoch,
        topics,
        require_stable,
    };
    match ask(context, &fetch, barriers) {
        Err(error) => response.error_code = error.code(),
        Ok(topics) => {
            let names_all = group.topics.is_none();
            let told = topics.into_iter().filter(|topic| !names_all || shows(context, request, &topic.name));
            let told = told.filter_map(|topic| respond(view, topic, by_id, &ids));
            let refused = refused.into_iter().map(|(id, topic)| topics_of_group(id, topic));
            response.topics = told.chain(refused).collect();
        }
    }
    response
}

/// A topic that has lost its id cannot be told to who knows topics by their ids only.
fn respond(
    view: &View,
    topic: FetchedTopic,
    by_id: bool,
    ids: &HashMap<String, TopicId>,
) -> Option<OffsetFetchResponseTopics<'static>> {
    if !by_id {
        return Some(topics_of_group(TopicId::default(), topic));
    }
    let id = ids.get(&topic.name).copied().or_else(|| view.topic(&topic.name).map(|topic| topic.id))?;
    Some(topics_of_group(id, topic))
}

fn topics_of_group(topic_id: TopicId, topic: FetchedTopic) -> OffsetFetchResponseTopics<'static> {
    let partition = |fetched: FetchedPartition| OffsetFetchResponsePartitions {
        partition_index: fetched.partition,
        committed_offset: fetched.offset,
        committed_leader_epoch: fetched.leader_epoch,
        metadata: Some(fetched.metadata.into()),
        error_code: fetched.error.code(),
    };
    let partitions = topic.partitions.into_iter().map(partition).collect();
    OffsetFetchResponseTopics { name: topic.name.into(), topic_id, partitions }
}
