//! CreateTopics (key 19), versions 2–7.
//!
//! Decided by `metadata::create_topics`; the answer is sent when the topics are committed and their logs are open.
//! Versions: 4 -1 for the defaults of partitions and replication factor (KIP-464); 5 flexible, the answer tells of the
//! created topic and its configs (KIP-525); 6 THROTTLING_QUOTA_EXCEEDED (KIP-599); 7 topic ids (KIP-516).
//! Results come as in Kafka: what the controller has decided, then names that came twice, then what may not be created. Deviation:
//! what is too much for the quota comes behind what the controller has decided, not in its place.
//!
//! Needs Create of the cluster or of each topic; whether a refused topic exists is not told. What the configs of a new topic
//! are is told with DescribeConfigs of it (`ControllerApis.createTopics`).

use std::collections::BTreeSet;

use super::metadata_job::{self, Finish};
use super::mutations::Mutations;
use super::{Answer, Head, Outcome, Request, State, code_and_message, effective};
use crate::config;
use crate::metadata::topic_name::CLUSTER_METADATA_TOPIC;
use crate::metadata::{self, Change, CreatedTopic, Decided, NewTopic, Refusal, TopicResult};
use crate::model::ErrorCode;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::create_topics::{self as message, CreatableTopic, CreatableTopicConfigs, CreatableTopicResult};

/// The first version whose answer tells of configs.
const CONFIGS_SINCE: i16 = 5;
/// The first version that can be told of too many changes.
const STRICT_SINCE: i16 = 6;
/// What is said of a topic that may not be created.
const REFUSED: &str = "Authorization failed.";

/// What the answer needs.
pub(super) struct Waiting {
    head: Head,
    names: Vec<String>,
    /// The results of those that are named twice, and of those that the client may not create.
    refused: Vec<TopicResult<CreatedTopic>>,
    /// Topics whose configs the client may not see.
    undescribed: BTreeSet<String>,
    /// The results of those that are too many for the client's quota.
    throttled: Vec<TopicResult<CreatedTopic>>,
    mutations: Mutations,
}

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let mut topics: Vec<NewTopic> = body.topics.iter().map(new_topic).collect();
    let refused = refuse(context, request, &mut topics);
    let may_describe =
        |name: &String| request.may_silently(context, AclOperation::DescribeConfigs, AclResource::Topic, name);
    let undescribed = topics.iter().map(|topic| &topic.name).filter(|name| !may_describe(name)).cloned().collect();
    let mut mutations = Mutations::of(context, request, STRICT_SINCE);
    let throttled = mutations.grant(&mut topics, |topic| (&topic.name, partitions(context, topic)));
    let names = topics.iter().map(|topic| topic.name.clone()).collect();
    let waiting = Waiting { head: request.head, names, refused, undescribed, throttled, mutations };
    let finish = Finish::CreateTopics(waiting);
    let change = Change::CreateTopics { topics, validate_only: body.validate_only };
    metadata_job::submit(context, body.timeout_ms, change, finish)
}

/// Takes out the topics that are named twice, and then those that the client may not create. The metadata log's is for no
/// client, and is not asked about.
fn refuse(context: &Context<'_>, request: &Request<'_>, topics: &mut Vec<NewTopic>) -> Vec<TopicResult<CreatedTopic>> {
    let twice = metadata::take_twice(topics, |topic| topic.name.clone());
    let mut refused: Vec<_> = twice.iter().map(|name| metadata::duplicate_name(name)).collect();
    let may_all = request.may_cluster_silently(context, AclOperation::Create);
    topics.retain(|topic| {
        let refusal = if topic.name == CLUSTER_METADATA_TOPIC {
            metadata::prohibited_name()
        } else if may_all || request.may(context, AclOperation::Create, AclResource::Topic, &topic.name) {
            return true;
        } else {
            Refusal::new(ErrorCode::TopicAuthorizationFailed, REFUSED)
        };
        refused.push(TopicResult { name: topic.name.clone(), result: Err(refusal) });
        false
    });
    refused
}

impl Waiting {
    pub(super) fn finish(self, context: &Context<'_>, decided: metadata_job::Result) -> Result<Answer, String> {
        let mut results = match decided {
            Ok(Decided::TopicsCreated(results)) => results,
            other => {
                let error = metadata_job::why_not(other);
                let failed = |name| TopicResult { name, result: Err(Refusal::of(error)) };
                self.names.into_iter().map(failed).collect()
            }
        };
        self.mutations.give_back_refused(context.now, &results);
        results.extend(self.throttled);
        results.extend(self.refused);
        let respond = |topic: TopicResult<_>| {
            let shows_configs = !self.undescribed.contains(&topic.name);
            respond(context, self.head.version, topic, shows_configs)
        };
        let topics = results.into_iter().map(respond).collect();
        let answer = self.head.encode(&message::Response { topics, ..Default::default() })?;
        Ok(self.mutations.throttle(context.now, answer))
    }
}

/// How many partitions a topic asks for.
fn partitions(context: &Context<'_>, topic: &NewTopic) -> usize {
    match (topic.assignments.len(), topic.num_partitions) {
        (0, -1) => context.shared.config.num_partitions.max(0) as usize,
        (0, count) => count.max(0) as usize,
        (assigned, _) => assigned,
    }
}

fn new_topic(topic: &CreatableTopic<'_>) -> NewTopic {
    let configs = topic.configs.iter().map(|c| (c.name.to_string(), c.value.as_ref().map(|value| value.to_string())));
    NewTopic {
        name: topic.name.to_string(),
        num_partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: topic.assignments.iter().map(|a| (a.partition_index, a.broker_ids.clone())).collect(),
        configs: configs.collect(),
    }
}

fn respond(
    context: &Context<'_>,
    version: i16,
    topic: TopicResult<CreatedTopic>,
    shows_configs: bool,
) -> CreatableTopicResult<'static> {
    let (error_code, error_message) = code_and_message(&topic.result);
    let failed = CreatableTopicResult { name: topic.name.into(), error_code, error_message, ..Default::default() };
    match topic.result {
        Err(_) => failed,
        Ok(created) if !shows_configs => CreatableTopicResult {
            topic_id: created.id,
            topic_config_error_code: ErrorCode::TopicAuthorizationFailed.code(),
            ..failed
        },
        Ok(created) => CreatableTopicResult {
            topic_id: created.id,
            num_partitions: created.num_partitions,
            replication_factor: created.replication_factor,
            configs: Some(if version >= CONFIGS_SINCE { configs(context, &created) } else { Vec::new() }),
            ..failed
        },
    }
}

fn configs(context: &Context<'_>, created: &CreatedTopic) -> Vec<CreatableTopicConfigs<'static>> {
    let settings = effective::settings(context.shared, &context.view.image);
    let entries = config::describe_topic(&settings, &created.configs).into_iter();
    let entry = |entry: config::Entry| CreatableTopicConfigs {
        name: entry.name.into(),
        value: entry.value.map(Into::into),
        read_only: entry.read_only,
        config_source: entry.source as i8,
        is_sensitive: entry.is_sensitive,
    };
    entries.map(entry).collect()
}
