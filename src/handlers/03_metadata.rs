//! Metadata (key 3), versions 0–13: this broker's address, the topics and who leads their partitions.
//!
//! Topics are asked for all at once (null; in version 0 the empty list), by name or, from 12 on, by id; if one is named
//! by id, names are not looked at, as in Kafka. Topics that are not there are created where the client (4) and
//! `auto.create.topics.enable` allow it.
//!
//! Versions: 1 controller, rack, internal topics; 5 offline replicas; 7 leader epochs (KIP-320); 8–10 authorized
//! operations (KIP-430), of the cluster until 10 (KIP-700); 9 flexible; 10 topic ids (KIP-516), asked for from 12 on; 13
//! an error for the whole answer (KIP-1102), never used.
//!
//! Needs Describe of each topic: all topics are those that the client may describe, and of a topic that is named and may not be
//! described it is not told whether there is one. Ids that are not known are told to all, and so is an id that may not be
//! described, without its name. To create a topic needs Create of the cluster or of the topic
//! (`KafkaApis.handleTopicMetadataRequest`).
//!
//! Deviations: the answer to an automatic creation waits until it is done and tells of the real topic, or why there is
//! none; Kafka answers at once that the topic is unknown. The topic of share groups is not created this way: nothing
//! writes to it yet.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::access::Asker;
use super::cluster_state;
use super::metadata_job::{self, Finish};
use super::mutations::Mutations;
use super::{Answer, Head, Outcome, Request, State};
use crate::coordinator_runtime::GROUPS_TOPIC;
use crate::metadata::{Change, Decided, NO_LEADER, Partition, Topic, topic_name};
use crate::model::{ErrorCode, TopicId, TopicIdPartition};
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::shard::session::Route;
use crate::wire::api::metadata::{
    self as message, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use crate::wire::refusal::WhyRefused;

/// The first version whose empty list of topics means none.
const NULL_IS_ALL_SINCE: i16 = 1;
/// The first version that may ask for topics by id. 10 and 11 have the field and may not use it.
const TOPIC_ID_SINCE: i16 = 12;
/// The versions that can ask what may be done with the cluster.
const CLUSTER_OPERATIONS_IN: std::ops::RangeInclusive<i16> = 8..=10;
/// The first version that can ask what may be done with a topic.
const TOPIC_OPERATIONS_SINCE: i16 = 8;
/// How long an answer waits for topics that are being created: Kafka's `request.timeout.ms`.
const AUTO_CREATE_TIMEOUT_MS: i32 = 30_000;

/// What the client wants to hear about, each once.
enum Topics {
    All,
    Named(Vec<String>),
    ById(Vec<TopicId>),
}

struct Wanted {
    head: Head,
    route: Route,
    topics: Topics,
    /// The names that the client may not describe.
    hidden: BTreeSet<String>,
    /// The names of topics that are not there and that the client may not create.
    not_created: BTreeSet<String>,
    /// What the client may do with the cluster, where it asks.
    cluster_operations: Option<i32>,
    topic_operations: bool,
    asker: Asker,
}

/// What the answer needs when topics are created first.
pub(super) struct Waiting {
    wanted: Wanted,
    names: Vec<String>,
    mutations: Mutations,
}

/// Why topics could not be created.
type Refused = BTreeMap<String, ErrorCode>;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let version = request.head.version;
    let asked = body.topics.as_deref().unwrap_or_default();
    if version < TOPIC_ID_SINCE && asked.iter().any(|topic| topic.name.is_none() || !topic.topic_id.is_zero()) {
        let refused = WhyRefused { code: ErrorCode::InvalidRequest.code(), told: None, standard: None };
        return match request.refuse(&refused) {
            Ok(answer) => answer.map_or(Outcome::Silent, Outcome::Answer),
            Err(reason) => Outcome::Close(reason),
        };
    }
    let asks_cluster = body.include_cluster_authorized_operations && CLUSTER_OPERATIONS_IN.contains(&version);
    let mut wanted = Wanted {
        head: request.head,
        route: request.session.route.clone(),
        topics: Topics::of(&body, version),
        hidden: BTreeSet::new(),
        not_created: BTreeSet::new(),
        cluster_operations: asks_cluster.then(|| request.cluster_operations(context)),
        topic_operations: body.include_topic_authorized_operations && version >= TOPIC_OPERATIONS_SINCE,
        asker: request.asker(),
    };
    let creates = context.shared.config.auto_create_topics_enable && body.allow_auto_topic_creation;
    wanted.judge(context, request, creates);
    let missing = if creates { wanted.missing(context) } else { Vec::new() };
    if missing.is_empty() {
        return request.head.answer(&wanted.response(context, &Refused::new()));
    }
    create(context, request, wanted, missing)
}

/// Those that are too many for the client's quota it finds to be unknown, and asks for again.
fn create(context: &Context<'_>, request: &Request<'_>, wanted: Wanted, mut names: Vec<String>) -> Outcome {
    let mut mutations = Mutations::of(context, request, 0);
    names.retain(|name| mutations.take(cost(context, name)).is_ok());
    if names.is_empty() {
        return request.head.answer(&wanted.response(context, &Refused::new()));
    }
    let finish = Finish::AutoCreate(Waiting { wanted, names: names.clone(), mutations });
    metadata_job::submit(context, AUTO_CREATE_TIMEOUT_MS, Change::AutoCreateTopics { names }, finish)
}

/// How many partitions a client has to have left for a topic; those of the coordinators are for all clients.
fn cost(context: &Context<'_>, name: &str) -> usize {
    if topic_name::is_internal(name) { 0 } else { context.shared.config.num_partitions.max(0) as usize }
}

impl Waiting {
    /// A topic that another client has made meanwhile has no result. If it is gone again, that is the answer.
    pub(super) fn finish(self, context: &Context<'_>, decided: metadata_job::Result) -> Result<Answer, String> {
        let refused: Refused = match decided {
            Ok(Decided::TopicsCreated(results)) => {
                results.into_iter().filter_map(|topic| Some((topic.name, topic.result.err()?.error))).collect()
            }
            other => {
                let error = match metadata_job::why_not(other) {
                    ErrorCode::RequestTimedOut => ErrorCode::LeaderNotAvailable,
                    error => error,
                };
                self.names.into_iter().map(|name| (name, error)).collect()
            }
        };
        self.mutations.give_back(context.now, refused.keys().map(|name| cost(context, name)).sum());
        self.wanted.head.encode(&self.wanted.response(context, &refused))
    }
}

impl Topics {
    fn of(body: &message::Request<'_>, version: i16) -> Topics {
        let Some(asked) = &body.topics else { return Topics::All };
        if version < NULL_IS_ALL_SINCE && asked.is_empty() {
            return Topics::All;
        }
        let mut ids_seen = HashSet::new();
        let ids = asked.iter().map(|topic| topic.topic_id).filter(|id| !id.is_zero() && ids_seen.insert(*id));
        let ids: Vec<TopicId> = ids.collect();
        if !ids.is_empty() {
            return Topics::ById(ids);
        }
        let mut seen = HashSet::new();
        let names = asked.iter().filter_map(|topic| topic.name.as_deref()).filter(|name| seen.insert(*name));
        Topics::Named(names.map(str::to_string).collect())
    }
}

impl Wanted {
    /// Asks what the client may do with the topics that it names. Those that are asked for by id or all together are judged
    /// when they are answered, which is at once.
    fn judge(&mut self, context: &Context<'_>, request: &Request<'_>, creates: bool) {
        let Topics::Named(names) = &self.topics else { return };
        let may = |operation, name: &str| request.may(context, operation, AclResource::Topic, name);
        self.hidden = names.iter().filter(|name| !may(AclOperation::Describe, name)).cloned().collect();
        let is_missing = |name: &&String| !self.hidden.contains(*name) && context.view.topic(name).is_none();
        let missing: Vec<&String> = names.iter().filter(|_| creates).filter(is_missing).collect();
        if !missing.is_empty() && !request.may_cluster_silently(context, AclOperation::Create) {
            let refused = missing.into_iter().filter(|name| !may(AclOperation::Create, name));
            self.not_created = refused.cloned().collect();
        }
    }

    /// Whether nothing is told of a topic that is named.
    fn is_refused(&self, name: &str) -> bool {
        self.hidden.contains(name) || self.not_created.contains(name)
    }

    /// Topics that could be created.
    fn missing(&self, context: &Context<'_>) -> Vec<String> {
        let Topics::Named(names) = &self.topics else { return Vec::new() };
        let may_be_created = |name: &&String| {
            let is_kept = [GROUPS_TOPIC, topic_name::TRANSACTIONS_TOPIC].contains(&name.as_str());
            let is_ours = is_kept || !topic_name::is_internal(name);
            is_ours
                && !self.is_refused(name)
                && context.view.topic(name).is_none()
                && topic_name::validate(name).is_ok()
        };
        names.iter().filter(may_be_created).cloned().collect()
    }

    fn response<'r>(&'r self, context: &'r Context<'_>, refused: &Refused) -> message::Response<'r> {
        let nodes = cluster_state::nodes(context, &self.route);
        let brokers = nodes.into_iter().map(|node| MetadataResponseBroker {
            node_id: node.id,
            host: node.host.into(),
            port: node.port,
            rack: node.rack.map(Into::into),
        });
        let mut response = message::Response {
            brokers: brokers.collect(),
            cluster_id: Some(context.view.cluster_id().into()),
            controller_id: cluster_state::controller(context),
            topics: self.topics(context, refused),
            ..Default::default()
        };
        if let Some(operations) = self.cluster_operations {
            response.cluster_authorized_operations = operations;
        }
        response
    }

    fn topics<'r>(&'r self, context: &'r Context<'_>, refused: &Refused) -> Vec<MetadataResponseTopic<'r>> {
        match &self.topics {
            Topics::All => {
                let may_describe = |name: &str| self.asker.may_describe(context.shared, context.view, name);
                let shown = context.view.image.topics().filter(|topic| may_describe(&topic.name));
                shown.map(|topic| self.topic(context, topic)).collect()
            }
            Topics::Named(names) => names.iter().map(|name| self.named(context, name, refused)).collect(),
            Topics::ById(ids) => ids.iter().map(|id| self.by_id(context, *id)).collect(),
        }
    }

    fn named<'r>(&'r self, context: &'r Context<'_>, name: &'r str, refused: &Refused) -> MetadataResponseTopic<'r> {
        if self.is_refused(name) {
            return MetadataResponseTopic {
                error_code: ErrorCode::TopicAuthorizationFailed.code(),
                name: Some(name.into()),
                // What is hidden is not told to be internal, either.
                is_internal: !self.hidden.contains(name) && topic_name::is_internal(name),
                ..Default::default()
            };
        }
        if let Some(topic) = context.view.topic(name) {
            return self.topic(context, topic);
        }
        let error = refused.get(name).copied().unwrap_or_else(|| cluster_state::unknown_topic(name));
        let mut answer = MetadataResponseTopic {
            error_code: error.code(),
            name: Some(name.into()),
            is_internal: topic_name::is_internal(name),
            ..Default::default()
        };
        self.set_operations(context, &mut answer);
        answer
    }

    fn by_id<'r>(&'r self, context: &'r Context<'_>, topic_id: TopicId) -> MetadataResponseTopic<'r> {
        let error = match context.view.image.topic_by_id(topic_id) {
            Some(topic) if self.asker.may_describe(context.shared, context.view, &topic.name) => {
                return self.topic(context, topic);
            }
            Some(_) => ErrorCode::TopicAuthorizationFailed,
            None => ErrorCode::UnknownTopicId,
        };
        MetadataResponseTopic { error_code: error.code(), name: None, topic_id, ..Default::default() }
    }

    fn topic<'r>(&self, context: &'r Context<'_>, topic: &'r Topic) -> MetadataResponseTopic<'r> {
        let mut answer = MetadataResponseTopic {
            name: Some((&*topic.name).into()),
            topic_id: topic.id,
            is_internal: topic_name::is_internal(&topic.name),
            partitions: topic.partitions.iter().map(|p| partition(context, topic, p)).collect(),
            ..Default::default()
        };
        self.set_operations(context, &mut answer);
        answer
    }

    fn set_operations(&self, context: &Context<'_>, answer: &mut MetadataResponseTopic<'_>) {
        if let Some(name) = answer.name.as_deref().filter(|_| self.topic_operations) {
            answer.topic_authorized_operations = self.asker.operations(context, AclResource::Topic, name);
        }
    }
}

fn partition(context: &Context<'_>, topic: &Topic, partition: &Partition) -> MetadataResponsePartition {
    let state = cluster_state::partition_state(context, topic, partition);
    let told = context.view.played.leader(TopicIdPartition { topic_id: topic.id, index: partition.index });
    let (leader, epoch) = told.map_or((state.leader, partition.leader_epoch), |told| (told.id, told.epoch));
    let error = if leader == NO_LEADER { ErrorCode::LeaderNotAvailable } else { ErrorCode::None };
    MetadataResponsePartition {
        error_code: error.code(),
        partition_index: partition.index,
        leader_id: leader,
        leader_epoch: epoch,
        replica_nodes: partition.replicas.to_vec(),
        isr_nodes: partition.isr.to_vec(),
        offline_replicas: state.offline_replicas,
    }
}
