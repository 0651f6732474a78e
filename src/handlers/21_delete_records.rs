//! DeleteRecords (key 21), versions 0–2: moves the start of a log forward (KIP-107).
//!
//! The offset -1 means the high watermark. An offset beyond the high watermark or below 0 is OFFSET_OUT_OF_RANGE; one
//! below the log's start changes nothing and is answered with the start that is. Internal topics and topics that are
//! compacted and nothing else refuse (`Partition.deleteRecordsOnLeader`). Readers see the new start at once; the segments
//! below it go with the next look of the housekeeping thread (`log.retention.check.interval.ms`). Version 2 is flexible. The timeout has no meaning with one replica.
//! Needs Delete of each topic, which is asked before it is looked for.

use indexmap::IndexMap;

use super::{Outcome, Request, State, effective};
use crate::config::TopicConfig;
use crate::metadata::topic_name;
use crate::model::{ErrorCode, Offset};
use crate::replica::partition::Partition;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::delete_records::{self as message, DeleteRecordsPartitionResult, DeleteRecordsTopicResult};

/// `DeleteRecordsRequest.HIGH_WATERMARK`
const HIGH_WATERMARK: i64 = -1;
/// `DeleteRecordsResponse.INVALID_LOW_WATERMARK`
const INVALID_LOW_WATERMARK: i64 = -1;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    // A partition that is named twice is cut once, at what was said last (`KafkaApis.handleDeleteRecordsRequest`).
    let mut wanted: IndexMap<&str, IndexMap<i32, i64>> = IndexMap::new();
    for topic in &body.topics {
        let partitions = topic.partitions.iter().map(|partition| (partition.partition_index, partition.offset));
        wanted.entry(&topic.name).or_default().extend(partitions);
    }
    let topics = wanted.into_iter().map(|(name, partitions)| delete_of(context, request, name, partitions)).collect();
    request.head.answer(&message::Response { topics, ..Default::default() })
}

fn delete_of<'r>(
    context: &Context<'_>,
    request: &Request<'_>,
    name: &'r str,
    wanted: IndexMap<i32, i64>,
) -> DeleteRecordsTopicResult<'r> {
    let may = request.may(context, AclOperation::Delete, AclResource::Topic, name);
    let result = |(partition_index, offset)| {
        let deleted = match may {
            true => delete(context, name, partition_index, offset),
            false => Err(ErrorCode::TopicAuthorizationFailed),
        };
        let (low_watermark, error) = match deleted {
            Ok(low_watermark) => (low_watermark.0, ErrorCode::None),
            Err(error) => (INVALID_LOW_WATERMARK, error),
        };
        DeleteRecordsPartitionResult { partition_index, low_watermark, error_code: error.code() }
    };
    DeleteRecordsTopicResult { name: name.into(), partitions: wanted.into_iter().map(result).collect() }
}

fn delete(context: &Context<'_>, topic: &str, partition_index: i32, offset: i64) -> Result<Offset, ErrorCode> {
    let partition = context.view.partition_by_name(topic, partition_index)?;
    if topic_name::is_internal(topic) {
        return Err(ErrorCode::InvalidTopicException);
    }
    let image = &context.view.image;
    let config = TopicConfig::resolve(&effective::settings(context.shared, image), image.topic_configs(topic));
    if config.cleanup_compact && !config.cleanup_delete {
        return Err(ErrorCode::PolicyViolation);
    }
    let high_watermark = partition.high_watermark();
    let offset = if offset == HIGH_WATERMARK { high_watermark } else { Offset(offset) };
    if offset.0 < 0 || offset > high_watermark {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    partition.log.delete_records_before(offset).map_err(|failure| {
        log::error!("cannot delete records of {}-{}: {failure}", partition.topic, partition.index);
        ErrorCode::KafkaStorageError
    })?;
    // The start of the log is a part of what a fetch tells.
    context.shared.tell_progress(partition, None);
    Ok(low_watermark(partition))
}

/// The smallest start of all replicas' logs: with one replica, its own.
fn low_watermark(partition: &Partition) -> Offset {
    partition.log.log_start_offset()
}
