//! AlterPartitionReassignments (key 45), versions 0–1: which brokers shall have which partitions (KIP-455).
//!
//! Decided by `metadata::alter_partition_reassignments`. Version 1 may ask that the number of replicas stays (KIP-860).
//! While there is one broker, it is the one that partitions can be moved to. Needs Alter of the cluster.

use super::metadata_job::{self, Finish};
use super::{Answer, Head, Outcome, Request, State, code_and_message};
use crate::metadata::{Change, Decided, Reassigned, Reassignment};
use crate::model::Refusal;
use crate::security::access::AclOperation;
use crate::shard::context::Context;
use crate::wire::api::alter_partition_reassignments::{
    self as message, ReassignablePartition, ReassignablePartitionResponse, ReassignableTopicResponse,
};

/// What the answer needs.
pub(super) struct Waiting {
    head: Head,
    topics: Vec<(String, Vec<Reassignment>)>,
    allows_other_factor: bool,
}

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let head = request.head;
    let allows_other_factor = body.allow_replication_factor_change;
    let reassignment =
        |one: &ReassignablePartition| Reassignment { partition: one.partition_index, replicas: one.replicas.clone() };
    let topics: Vec<(String, Vec<Reassignment>)> =
        body.topics.iter().map(|t| (t.name.to_string(), t.partitions.iter().map(reassignment).collect())).collect();
    if let Err(refusal) = request.must_cluster(context, AclOperation::Alter) {
        let (error_code, error_message) = code_and_message::<()>(&Err(refusal.clone()));
        let responses = refuse_each(topics, &refusal).into_iter().map(respond).collect();
        return head.answer(&message::Response { error_code, error_message, responses, ..Default::default() });
    }
    if topics.is_empty() {
        return head.answer(&message::Response { error_message: None, ..Default::default() });
    }
    let finish = Finish::Reassign(Waiting { head, topics: topics.clone(), allows_other_factor });
    let change = Change::AlterPartitionReassignments { topics, allows_other_factor };
    metadata_job::submit(context, body.timeout_ms, change, finish)
}

impl Waiting {
    pub(super) fn finish(self, decided: metadata_job::Result) -> Result<Answer, String> {
        let (error_code, results) = match decided {
            Ok(Decided::Reassigned(results)) => (0, results),
            other => {
                let error = metadata_job::why_not(other);
                (error.code(), refuse_each(self.topics, &Refusal::of(error)))
            }
        };
        self.head.encode(&message::Response {
            error_code,
            error_message: None,
            responses: results.into_iter().map(respond).collect(),
            allow_replication_factor_change: self.allows_other_factor,
            ..Default::default()
        })
    }
}

fn refuse_each(topics: Vec<(String, Vec<Reassignment>)>, refusal: &Refusal) -> Vec<Reassigned> {
    let refused = |(topic, wanted): (String, Vec<Reassignment>)| Reassigned {
        topic,
        partitions: wanted.iter().map(|one| (one.partition, Err(refusal.clone()))).collect(),
    };
    topics.into_iter().map(refused).collect()
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
