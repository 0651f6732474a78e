//! ElectLeaders (key 43), versions 0–2: makes the first replica of a partition its leader, or any that is there (KIP-460).
//!
//! Decided by `metadata::elect_leaders`; without partitions it means all of them, and those that have the leader already
//! are left out of the answer. Versions: 1 unclean elections, before there are preferred ones only, and an error of the
//! whole request; 2 flexible. Needs Alter of the cluster.

use super::metadata_job::{self, Finish};
use super::{Answer, Head, Outcome, Request, State, code_and_message};
use crate::metadata::{Change, Decided, Elected, ElectionType};
use crate::model::ErrorCode;
use crate::security::access::AclOperation;
use crate::shard::context::Context;
use crate::wire::api::elect_leaders::{self as message, PartitionResult, ReplicaElectionResult};

/// The first version that says which election.
const TYPES_SINCE: i16 = 1;

/// Topics with their partitions; `None` is all of them.
type Asked = Option<Vec<(String, Vec<i32>)>>;

/// What the answer needs.
pub(super) struct Waiting {
    head: Head,
    asked: Asked,
}

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let head = request.head;
    let asked = body.topic_partitions.as_ref();
    let asked: Asked =
        asked.map(|topics| topics.iter().map(|topic| (topic.topic.to_string(), topic.partitions.clone())).collect());
    if let Err(refusal) = request.must_cluster(context, AclOperation::Alter) {
        return head.answer(&failed(head.version, asked, refusal.error, refusal.message.as_deref()));
    }
    let election = match head.version {
        ..TYPES_SINCE => Some(ElectionType::Preferred),
        _ => ElectionType::from_id(body.election_type),
    };
    let Some(election) = election else {
        let message = format!("Unknown election type {}", body.election_type);
        return head.answer(&failed(head.version, asked, ErrorCode::InvalidRequest, Some(&message)));
    };
    if asked.as_ref().is_some_and(Vec::is_empty) {
        return head.answer(&message::Response::default());
    }
    let change = Change::ElectLeaders { election, partitions: asked.clone() };
    metadata_job::submit(context, body.timeout_ms, change, Finish::ElectLeaders(Waiting { head, asked }))
}

impl Waiting {
    pub(super) fn finish(self, decided: metadata_job::Result) -> Result<Answer, String> {
        let response = match decided {
            Ok(Decided::Elected(elected)) => message::Response {
                replica_election_results: elected.into_iter().map(respond).collect(),
                ..Default::default()
            },
            other => failed(self.head.version, self.asked, metadata_job::why_not(other), None),
        };
        self.head.encode(&response)
    }
}

fn respond(elected: Elected) -> ReplicaElectionResult<'static> {
    let result = |(partition_id, result)| {
        let (error_code, error_message) = code_and_message(&result);
        PartitionResult { partition_id, error_code, error_message }
    };
    ReplicaElectionResult {
        topic: elected.topic.into(),
        partition_result: elected.partitions.into_iter().map(result).collect(),
    }
}

/// The error is told of the request, where the version can, and of each partition that was named.
///
/// The sentence is lent: a client without rights names a partition in four bytes.
fn failed(version: i16, asked: Asked, error: ErrorCode, why: Option<&str>) -> message::Response<'_> {
    let result =
        |partition_id| PartitionResult { partition_id, error_code: error.code(), error_message: why.map(Into::into) };
    let topic = |(topic, partitions): (String, Vec<i32>)| ReplicaElectionResult {
        topic: topic.into(),
        partition_result: partitions.into_iter().map(result).collect(),
    };
    message::Response {
        error_code: if version < TYPES_SINCE { 0 } else { error.code() },
        replica_election_results: asked.into_iter().flatten().map(topic).collect(),
        ..Default::default()
    }
}
