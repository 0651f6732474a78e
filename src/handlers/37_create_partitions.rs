//! CreatePartitions (key 37), versions 0–3: more partitions for topics (KIP-195).
//!
//! Decided by `metadata::create_partitions`; answered when the new partitions are committed and their logs are open.
//! Versions: 2 flexible; 3 THROTTLING_QUOTA_EXCEEDED (KIP-599), never used.

use super::{Outcome, Request, State, code_and_message, metadata_job};
use crate::metadata::{self, Image, NewPartitions, Refusal, TopicResult};
use crate::shard::context::Context;
use crate::wire::api::create_partitions::{self as message, CreatePartitionsTopic, CreatePartitionsTopicResult};

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let (head, validate_only) = (request.head, body.validate_only);
    let topics: Vec<NewPartitions> = body.topics.iter().map(new_partitions).collect();
    let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
    let decide = move |image: &Image, _: &mut metadata_job::Inputs| {
        let decision = metadata::create_partitions(image, &topics, validate_only);
        (decision.records, decision.results)
    };
    let finish = move |_: &mut State, _: &Context<'_>, decided: metadata_job::Decided<_>| {
        let results = decided.unwrap_or_else(|error| {
            let failed = |name| TopicResult { name, result: Err(Refusal::of(error)) };
            names.into_iter().map(failed).collect::<Vec<_>>()
        });
        let results = results.into_iter().map(respond).collect();
        head.encode(&message::Response { results, ..Default::default() })
    };
    metadata_job::submit(context, body.timeout_ms, decide, finish)
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
