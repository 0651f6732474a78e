//! CreatePartitions (key 37), versions 0–3: more partitions for topics (KIP-195).
//!
//! Decided by `metadata::create_partitions`; answered when the new partitions are committed and their logs are open.
//! Versions: 2 flexible; 3 THROTTLING_QUOTA_EXCEEDED (KIP-599). Needs Alter of each topic; whether a refused topic exists is
//! not told.

use super::metadata_job::{self, Finish};
use super::mutations::Mutations;
use super::{Answer, Head, Outcome, Request, State, code_and_message};
use crate::metadata::{self, Change, Decided, NewPartitions, Refusal, TopicResult};
use crate::model::ErrorCode;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::create_partitions::{self as message, CreatePartitionsTopic, CreatePartitionsTopicResult};

/// The first version that can be told of too many changes.
const STRICT_SINCE: i16 = 3;

/// What the answer needs.
pub(super) struct Waiting {
    head: Head,
    names: Vec<String>,
    /// The results of those that are named twice, and of those that the client may not alter.
    refused: Vec<TopicResult<()>>,
    /// The results of those that are too many for the client's quota.
    throttled: Vec<TopicResult<()>>,
    mutations: Mutations,
}

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let mut topics: Vec<NewPartitions> = body.topics.iter().map(new_partitions).collect();
    let refused = refuse(context, request, &mut topics);
    let mut mutations = Mutations::of(context, request, STRICT_SINCE);
    let throttled = mutations.grant(&mut topics, |topic| (&topic.name, added(context, topic)));
    let names = topics.iter().map(|topic| topic.name.clone()).collect();
    let waiting = Waiting { head: request.head, names, refused, throttled, mutations };
    let finish = Finish::CreatePartitions(waiting);
    let change = Change::CreatePartitions { topics, validate_only: body.validate_only };
    metadata_job::submit(context, body.timeout_ms, change, finish)
}

/// Takes out the topics that are named twice, and then those that the client may not alter.
fn refuse(context: &Context<'_>, request: &Request<'_>, topics: &mut Vec<NewPartitions>) -> Vec<TopicResult<()>> {
    let twice = metadata::take_twice(topics, |topic| topic.name.clone());
    let mut refused: Vec<_> = twice.iter().map(|name| metadata::duplicate_name(name)).collect();
    topics.retain(|NewPartitions { name, .. }| {
        let may = request.may(context, AclOperation::Alter, AclResource::Topic, name);
        if !may {
            let result = Err(Refusal::of(ErrorCode::TopicAuthorizationFailed));
            refused.push(TopicResult { name: name.clone(), result });
        }
        may
    });
    refused
}

impl Waiting {
    pub(super) fn finish(self, context: &Context<'_>, decided: metadata_job::Result) -> Result<Answer, String> {
        let results = match decided {
            Ok(Decided::PartitionsCreated(results)) => results,
            other => {
                let error = metadata_job::why_not(other);
                let failed = |name| TopicResult { name, result: Err(Refusal::of(error)) };
                self.names.into_iter().map(failed).collect()
            }
        };
        self.mutations.give_back_refused(context.now, &results);
        // As `ControllerApis.createPartitions` has them: what the controller has not seen comes first.
        let results = self.refused.into_iter().chain(results).chain(self.throttled).map(respond).collect();
        let answer = self.head.encode(&message::Response { results, ..Default::default() })?;
        Ok(self.mutations.throttle(context.now, answer))
    }
}

/// How many partitions a topic is to get.
fn added(context: &Context<'_>, topic: &NewPartitions) -> usize {
    let there = context.view.image.topic(&topic.name).map_or(usize::MAX, |found| found.partitions.len());
    usize::try_from(topic.count).unwrap_or(0).saturating_sub(there)
}

fn new_partitions(topic: &CreatePartitionsTopic<'_>) -> NewPartitions {
    let assignments = topic.assignments.as_ref();
    NewPartitions {
        name: topic.name.to_string(),
        count: topic.count,
        assignments: assignments.map(|all| all.iter().map(|one| one.broker_ids.clone()).collect()),
    }
}

fn respond(topic: TopicResult<()>) -> CreatePartitionsTopicResult<'static> {
    let (error_code, error_message) = code_and_message(&topic.result);
    CreatePartitionsTopicResult { name: topic.name.into(), error_code, error_message }
}
