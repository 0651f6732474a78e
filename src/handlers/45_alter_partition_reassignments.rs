//! AlterPartitionReassignments (key 45), versions 0–1: which brokers shall have which partitions (KIP-455).
//!
//! Decided by `metadata::alter_partition_reassignments`. Version 1 may ask that the number of replicas stays (KIP-860).
//! While there is one broker, it is the one that partitions can be moved to.

use super::{Outcome, Request, State, code_and_message, effective, metadata_job};
use crate::metadata::{self, Image, Reassigned, Reassignment};
use crate::model::Refusal;
use crate::shard::context::Context;
use crate::wire::api::alter_partition_reassignments::{
    self as message, ReassignablePartition, ReassignablePartitionResponse, ReassignableTopicResponse,
};

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let (head, shared) = (request.head, context.shared.clone());
    let allow_replication_factor_change = body.allow_replication_factor_change;
    let reassignment =
        |one: &ReassignablePartition| Reassignment { partition: one.partition_index, replicas: one.replicas.clone() };
    let topics: Vec<(String, Vec<Reassignment>)> =
        body.topics.iter().map(|t| (t.name.to_string(), t.partitions.iter().map(reassignment).collect())).collect();
    if topics.is_empty() {
        return head.answer(&message::Response::default());
    }
    let wanted = topics.clone();
    let decide = move |image: &Image, _: &mut metadata_job::Inputs| {
        let settings = effective::settings(&shared, image);
        let allows = allow_replication_factor_change;
        let decision = metadata::alter_partition_reassignments(image, &settings, &wanted, allows);
        (decision.records, decision.results)
    };
    let finish = move |_: &mut State, _: &Context<'_>, decided: metadata_job::Decided<Vec<Reassigned>>| {
        let error_code = decided.as_ref().map_or_else(|error| error.code(), |_| 0);
        let results = decided.unwrap_or_else(|error| {
            let failed = |(topic, wanted): (String, Vec<Reassignment>)| Reassigned {
                topic,
                partitions: wanted.iter().map(|one| (one.partition, Err(Refusal::of(error)))).collect(),
            };
            topics.into_iter().map(failed).collect()
        });
        let responses = results.into_iter().map(respond).collect();
        head.encode(&message::Response { error_code, responses, allow_replication_factor_change, ..Default::default() })
    };
    metadata_job::submit(context, body.timeout_ms, decide, finish)
}

fn respond(reassigned: Reassigned) -> ReassignableTopicResponse<'static> {
    let partition = |(partition_index, result)| {
        let (error_code, error_message) = code_and_message(&result);
        ReassignablePartitionResponse { partition_index, error_code, error_message }
    };
    ReassignableTopicResponse {
        name: reassigned.topic.into(),
        partitions: reassigned.partitions.into_iter().map(partition).collect(),
    }
}
