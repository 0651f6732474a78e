//! DescribeTopicPartitions (key 75), version 0: topics and their partitions, page by page (KIP-966).
//!
//! Topics come by name, all of them where none is named. A page holds at most what the client wants and
//! `max.request.partition.size.limit` allows, one partition at least; the cursor of the answer is where the next page
//! begins. A cursor that is below partition 0 or outside of the topics that are named is INVALID_REQUEST
//! (`DescribeTopicPartitionsRequestHandler`).
//!
//! Needs Describe of each topic. Those that are not named are left out without it, the named ones are refused, behind the others
//! of each page, and it is not told whether there are such topics.

use std::collections::BTreeSet;

use super::cluster_state;
use super::{Outcome, Request, State};
use crate::metadata::{Partition, Topic, topic_name};
use crate::model::ErrorCode;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::describe_topic_partitions::request::Cursor as Asked;
use crate::wire::api::describe_topic_partitions::response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic, Response,
};
use crate::wire::api::describe_topic_partitions::{self as message};

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let named: BTreeSet<&str> = body.topics.iter().map(|topic| &*topic.name).collect();
    let cursor = body.cursor.as_ref();
    let outside = |cursor: &Asked<'_>| !named.is_empty() && !named.contains(&*cursor.topic_name);
    if cursor.is_some_and(|cursor| cursor.partition_index < 0 || outside(cursor)) {
        return request.head.answer(&invalid(&named));
    }
    let limit = context.shared.config.max_request_partition_size_limit;
    let limit = u32::try_from(body.response_partition_limit).unwrap_or(0).min(limit).max(1);
    let mut page = Page { context, request, room: limit as usize, topics: Vec::new(), next_cursor: None };
    let from = cursor.map_or("", |cursor| &cursor.topic_name);
    let first_index = |name: &str| cursor.filter(|cursor| cursor.topic_name == name).map_or(0, |c| c.partition_index);
    if named.is_empty() {
        let may = |name: &&str| request.may(context, AclOperation::Describe, AclResource::Topic, name);
        let all = context.view.image.topics().map(|topic| &*topic.name).filter(|name| *name >= from).filter(may);
        page.fill(all, first_index);
    } else {
        let may = |name: &&str| request.may(context, AclOperation::Describe, AclResource::Topic, name);
        let (shown, others): (Vec<&str>, Vec<&str>) = named.range(from..).copied().partition(may);
        page.fill(shown.into_iter(), first_index);
        page.topics.extend(others.into_iter().map(|name| failed(name, ErrorCode::TopicAuthorizationFailed)));
    }
    let (topics, next_cursor) = (page.topics, page.next_cursor);
    request.head.answer(&Response { topics, next_cursor, ..Default::default() })
}

fn invalid<'r>(named: &BTreeSet<&'r str>) -> Response<'r> {
    let topic = |name: &&'r str| failed(name, ErrorCode::InvalidRequest);
    Response { topics: named.iter().map(topic).collect(), next_cursor: None, ..Default::default() }
}

fn failed(name: &str, error: ErrorCode) -> DescribeTopicPartitionsResponseTopic<'_> {
    DescribeTopicPartitionsResponseTopic { error_code: error.code(), name: Some(name.into()), ..Default::default() }
}

/// An answer as it grows.
struct Page<'r> {
    context: &'r Context<'r>,
    request: &'r Request<'r>,
    /// Partitions that still fit.
    room: usize,
    topics: Vec<DescribeTopicPartitionsResponseTopic<'r>>,
    next_cursor: Option<Cursor<'r>>,
}

impl<'r> Page<'r> {
    fn fill(&mut self, names: impl Iterator<Item = &'r str>, first_index: impl Fn(&str) -> i32) {
        for name in names {
            if self.room == 0 {
                self.next_cursor = Some(Cursor { topic_name: name.into(), partition_index: 0 });
            } else {
                self.add(name, first_index(name));
            }
            if self.next_cursor.is_some() {
                return;
            }
        }
    }

    fn add(&mut self, name: &'r str, first_index: i32) {
        let mut answer = DescribeTopicPartitionsResponseTopic {
            name: Some(name.into()),
            is_internal: topic_name::is_internal(name),
            topic_authorized_operations: self.request.operations(self.context, AclResource::Topic, name),
            ..Default::default()
        };
        match self.context.view.topic(name) {
            None => answer.error_code = cluster_state::unknown_topic(name).code(),
            Some(topic) => {
                answer.topic_id = topic.id;
                let rest = topic.partitions.iter().filter(|partition| partition.index >= first_index);
                answer.partitions = rest.clone().take(self.room).map(|p| describe(self.context, topic, p)).collect();
                self.room -= answer.partitions.len();
                if let Some(next) = rest.clone().nth(answer.partitions.len()) {
                    self.next_cursor = Some(Cursor { topic_name: name.into(), partition_index: next.index });
                }
            }
        }
        self.topics.push(answer);
    }
}

fn describe(context: &Context<'_>, topic: &Topic, partition: &Partition) -> DescribeTopicPartitionsResponsePartition {
    let state = cluster_state::partition_state(context, topic, partition);
    DescribeTopicPartitionsResponsePartition {
        error_code: 0,
        partition_index: partition.index,
        leader_id: state.leader,
        leader_epoch: partition.leader_epoch,
        replica_nodes: partition.replicas.to_vec(),
        isr_nodes: partition.isr.to_vec(),
        eligible_leader_replicas: Some(partition.eligible_leader_replicas.to_vec()),
        last_known_elr: Some(partition.last_known_elr.to_vec()),
        offline_replicas: state.offline_replicas,
    }
}
