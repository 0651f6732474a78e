//! AlterReplicaLogDirs (key 34), versions 1–2: moves logs between the log directories of this broker (KIP-113).
//!
//! The answer says that a move has begun, or why not; DescribeLogDirs shows how far it is. A directory that is none of
//! `log.dirs` is LOG_DIR_NOT_FOUND, one that is offline, or a partition that is, KAFKA_STORAGE_ERROR, a cordoned one
//! INVALID_REPLICA_ASSIGNMENT; a name that leaves no room for the copy's suffix is INVALID_TOPIC_EXCEPTION. For a partition
//! that does not exist the wish is kept until it is made or the broker ends, and the answer is UNKNOWN_TOPIC_OR_PARTITION
//! (`ReplicaManager.alterReplicaLogDirs`). A later request for the same partition replaces an earlier one. Version 2 is
//! flexible. Needs Alter of the cluster.

use std::collections::BTreeMap;
use std::path::Path;

use super::metadata_job::{self, Finish};
use super::{Answer, Head, Outcome, Request, State, effective};
use crate::hosting::futures::Move;
use crate::model::{ErrorCode, PartitionIndex};
use crate::security::access::AclOperation;
use crate::shard::context::Context;
use crate::storage::directory::LogDirectory;
use crate::wire::api::alter_replica_log_dirs::{
    self as message, AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};

/// The request has none of its own: what `request.timeout.ms` is for clients.
const TIMEOUT_MS: i32 = 30_000;

/// What the answer needs.
pub(super) struct Waiting {
    head: Head,
    /// Partitions, and whether the move of each was refused before it was asked for.
    asked: Vec<((String, i32), bool)>,
}

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
    if !request.may_cluster(context, AclOperation::Alter) {
        let refused = |partition_index| AlterReplicaLogDirPartitionResult {
            partition_index,
            error_code: ErrorCode::ClusterAuthorizationFailed.code(),
        };
        let topics = body.dirs.iter().flat_map(|dir| &dir.topics);
        let results = topics.map(|topic| AlterReplicaLogDirTopicResult {
            topic_name: topic.name.to_string().into(),
            partitions: topic.partitions.iter().copied().map(refused).collect(),
        });
        return request.head.answer(&message::Response { results: results.collect(), ..Default::default() });
    }
    let cordoned = effective::settings(context.shared, &context.view.image).cordoned_log_dirs();
    // What is refused here keeps its place in the answer.
    let (mut asked, mut moves) = (Vec::new(), Vec::new());
    for ((topic, partition), log_dir) in wanted {
        let is_refused = is_cordoned(context, &cordoned, &topic, partition, &log_dir);
        asked.push(((topic.clone(), partition), is_refused));
        if !is_refused {
            moves.push(Move { topic, partition, log_dir });
        }
    }
    let finish = Finish::MoveLogs(Waiting { head: request.head, asked });
    metadata_job::submit_moves(context, TIMEOUT_MS, moves, finish)
}

impl Waiting {
    pub(super) fn finish(self, codes: metadata_job::Result<Vec<ErrorCode>>) -> Result<Answer, String> {
        let mut codes = codes.unwrap_or_else(|error| vec![error; self.asked.len()]).into_iter();
        let mut code = |is_refused| match is_refused {
            true => ErrorCode::InvalidReplicaAssignment,
            false => codes.next().unwrap_or(ErrorCode::UnknownServerError),
        };
        let mut topics: BTreeMap<&str, Vec<AlterReplicaLogDirPartitionResult>> = BTreeMap::new();
        for ((topic, partition_index), is_refused) in &self.asked {
            let error_code = code(*is_refused).code();
            let result = AlterReplicaLogDirPartitionResult { partition_index: *partition_index, error_code };
            topics.entry(topic).or_default().push(result);
        }
        let topic = |(name, partitions): (&'_ str, _)| AlterReplicaLogDirTopicResult {
            topic_name: name.to_string().into(),
            partitions,
        };
        let results = topics.into_iter().map(topic).collect();
        self.head.encode(&message::Response { results, ..Default::default() })
    }
}

/// Whether the directory takes no new logs and nothing else is wrong with the wish.
fn is_cordoned(context: &Context<'_>, cordoned: &[String], topic: &str, partition: i32, log_dir: &str) -> bool {
    let is_meant = |directory: &&LogDirectory| directory.absolute_path().to_string_lossy() == log_dir;
    let directory = context.shared.directories.iter().find(is_meant);
    directory.is_some_and(|directory| {
        cordoned.iter().any(|dir| directory.path() == Path::new(dir))
            && !directory.is_offline()
            && !LogDirectory::cannot_move(topic, PartitionIndex(partition))
    })
}
