//! DescribeLogDirs (key 35), versions 1–5: the log directories, the space on their file systems, the partitions in them
//! (KIP-113).
//!
//! Without topics all partitions are meant, an empty list means none. Version 2 is flexible, 3 has an error of its own,
//! 4 tells the space (KIP-827), 5 whether a directory takes no new partitions (`cordoned.log.dirs`, KIP-1066, from
//! metadata.version 4.3-IV0 on). A directory that cannot be asked is answered with KAFKA_STORAGE_ERROR and nothing else. The space is asked for on the shard: the call
//! does not wait for a local disk.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::{Outcome, Request, State, effective};
use crate::metadata;
use crate::model::{ErrorCode, TopicIdPartition};
use crate::replica::partition::Partition;
use crate::security::access::AclOperation;
use crate::shard::context::Context;
use crate::storage::directory::LogDirectory;
use crate::storage::log::Log;
use crate::wire::api::describe_log_dirs::{
    self as message, DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};

/// The first version with an error of its own.
const ERROR_SINCE: i16 = 3;

/// Topics and partitions that were asked for; `None`: all.
type Asked<'r> = Option<HashSet<(&'r str, i32)>>;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    if !request.may_cluster(context, AclOperation::Describe) {
        // Before version 3 there is no place for the error (`DescribeLogDirsResponse.error` of the request).
        let error_code =
            if request.head.version >= ERROR_SINCE { ErrorCode::ClusterAuthorizationFailed.code() } else { 0 };
        return request.head.answer(&message::Response { error_code, ..Default::default() });
    }
    let asked: Asked<'_> = body.topics.as_ref().map(|topics| {
        topics.iter().flat_map(|topic| topic.partitions.iter().map(|index| (&*topic.topic, *index))).collect()
    });
    let cordoned = cordoned(context);
    let describe = |directory: &'_ LogDirectory| describe(context, directory, &asked, &cordoned);
    let results = context.shared.directories.iter().map(describe).collect();
    request.head.answer(&message::Response { results, ..Default::default() })
}

/// The directories that take no new partitions, as far as the cluster may know of it.
fn cordoned(context: &Context<'_>) -> Vec<String> {
    let image = &context.view.image;
    match metadata::knows_cordoned_directories(image.metadata_version()) {
        true => effective::settings(context.shared, image).cordoned_log_dirs(),
        false => Vec::new(),
    }
}

fn describe<'c>(
    context: &'c Context<'_>,
    directory: &LogDirectory,
    asked: &Asked<'_>,
    cordoned: &[String],
) -> DescribeLogDirsResult<'c> {
    let log_dir = directory.absolute_path().to_string_lossy().into_owned().into();
    match directory.space_if_online() {
        Ok(space) => DescribeLogDirsResult {
            log_dir,
            topics: topics_in(context, directory, asked),
            total_bytes: i64::try_from(space.total_bytes).unwrap_or(i64::MAX),
            usable_bytes: i64::try_from(space.usable_bytes).unwrap_or(i64::MAX),
            is_cordoned: cordoned.iter().any(|dir| directory.path() == Path::new(dir)),
            ..Default::default()
        },
        Err(failure) => {
            log::debug!("{failure}");
            let error_code = ErrorCode::KafkaStorageError.code();
            DescribeLogDirsResult { log_dir, error_code, ..Default::default() }
        }
    }
}

fn topics_in<'c>(
    context: &'c Context<'_>,
    directory: &LogDirectory,
    asked: &Asked<'_>,
) -> Vec<DescribeLogDirsTopic<'c>> {
    let is_meant = |partition: &Partition| {
        !partition.log.is_offline()
            && directory.holds(&partition.log)
            && asked.as_ref().is_none_or(|asked| asked.contains(&(&*partition.topic, partition.index.0)))
    };
    let mut topics: BTreeMap<&str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for partition in context.view.partitions().filter(|partition| is_meant(partition)) {
        topics.entry(&partition.topic).or_default().push(DescribeLogDirsPartition {
            partition_index: partition.index.0,
            partition_size: i64::try_from(partition.log.size_bytes()).unwrap_or(i64::MAX),
            offset_lag: 0,
            is_future_key: false,
        });
    }
    let is_meant = |topic: &str, index: i32, log: &Log| {
        directory.holds(log) && asked.as_ref().is_none_or(|asked| asked.contains(&(topic, index)))
    };
    for (&TopicIdPartition { topic_id, index }, future) in context.view.futures() {
        let current = context.view.partition_by_id(topic_id, index);
        if !future.log.is_offline() && is_meant(&future.topic, index, &future.log) {
            let end = future.log.log_end_offset().0;
            topics.entry(&future.topic).or_default().push(DescribeLogDirsPartition {
                partition_index: index,
                partition_size: i64::try_from(future.log.size_bytes()).unwrap_or(i64::MAX),
                // -1: the log that it follows is offline.
                offset_lag: current.map_or(-1, |current| current.log.log_end_offset().0 - end),
                is_future_key: true,
            });
        }
    }
    let topic = |(name, partitions): (&'c str, _)| DescribeLogDirsTopic { name: name.into(), partitions };
    topics.into_iter().map(topic).collect()
}
