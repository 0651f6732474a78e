//! AlterReplicaLogDirs (key 34), versions 1–2: moves logs between the log directories of this broker (KIP-113).
//!
//! The answer says that a move has begun, or why not; DescribeLogDirs shows how far it is. A directory that is none of
//! `log.dirs` is LOG_DIR_NOT_FOUND, one that is offline, or a partition that is, KAFKA_STORAGE_ERROR; a name that leaves no
//! room for the copy's suffix INVALID_TOPIC_EXCEPTION. For a partition that does not exist the wish is kept until it is
//! made or the broker ends, and the answer is UNKNOWN_TOPIC_OR_PARTITION (`ReplicaManager.alterReplicaLogDirs`). A later
//! request for the same partition replaces an earlier one. Version 2 is flexible.

use std::collections::BTreeMap;

use super::metadata_job::{self, Decided};
use super::{Outcome, Request, State};
use crate::model::ErrorCode;
use crate::replication::controller::{MoveJob, Work};
use crate::replication::moving::Move;
use crate::shard::context::Context;
use crate::wire::api::alter_replica_log_dirs::{
    self as message, AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};

/// The request has none of its own: what `request.timeout.ms` is for clients.
const TIMEOUT_MS: i32 = 30_000;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    // A partition named twice goes where it was named last, as in Kafka's map.
    let mut wanted: BTreeMap<(String, i32), String> = BTreeMap::new();
    for dir in &body.dirs {
        for topic in &dir.topics {
            for partition in &topic.partitions {
                wanted.insert((topic.name.to_string(), *partition), dir.path.to_string());
            }
        }
    }
    let asked: Vec<_> = wanted.keys().cloned().collect();
    let moves = wanted.into_iter().map(|((topic, partition), log_dir)| Move { topic, partition, log_dir }).collect();
    let head = request.head;
    let finish = move |_: &mut State, _: &Context<'_>, codes: Decided<Vec<ErrorCode>>| {
        let codes = codes.unwrap_or_else(|error| vec![error; asked.len()]);
        let mut topics: BTreeMap<&str, Vec<AlterReplicaLogDirPartitionResult>> = BTreeMap::new();
        for ((topic, partition_index), error) in asked.iter().zip(codes) {
            let result =
                AlterReplicaLogDirPartitionResult { partition_index: *partition_index, error_code: error.code() };
            topics.entry(topic).or_default().push(result);
        }
        let topic = |(name, partitions): (&'_ str, _)| AlterReplicaLogDirTopicResult {
            topic_name: name.to_string().into(),
            partitions,
        };
        let results = topics.into_iter().map(topic).collect();
        head.encode(&message::Response { results, ..Default::default() })
    };
    let work = |answer, reply| Work::Move(MoveJob { moves, answer, reply });
    metadata_job::submit_work(context, TIMEOUT_MS, work, finish)
}
