//! DeleteRecords (key 21), versions 0–2: moves the start of a log forward (KIP-107).
//!
//! The offset -1 means the high watermark. An offset beyond the high watermark or below 0 is OFFSET_OUT_OF_RANGE; one
//! below the log's start changes nothing and is answered with the start that is. Internal topics and topics that are
//! compacted and nothing else refuse (`Partition.deleteRecordsOnLeader`). Readers see the new start at once; the segments
//! below it go with the next look of the housekeeping thread (`log.retention.check.interval.ms`). Version 2 is flexible. The timeout has no meaning with one replica.

use std::collections::{HashMap, HashSet};

use super::{Outcome, Request, State, effective};
use crate::config::TopicConfig;
use crate::metadata::topic_name;
use crate::model::{ErrorCode, Offset};
use crate::replication::partition::Partition;
use crate::shard::context::Context;
use crate::wire::api::delete_records::{
    self as message, DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsTopic, DeleteRecordsTopicResult,
};

/// `DeleteRecordsRequest.HIGH_WATERMARK`
const HIGH_WATERMARK: i64 = -1;
/// `DeleteRecordsResponse.INVALID_LOW_WATERMARK`
const INVALID_LOW_WATERMARK: i64 = -1;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let mut seen: HashMap<&str, HashSet<i32>> = HashMap::new();
    let topics =
        body.topics.iter().map(|topic| delete_of(context, topic, seen.entry(&topic.name).or_default())).collect();
    request.head.answer(&message::Response { topics, ..Default::default() })
}

fn delete_of<'r>(
    context: &Context<'_>,
    topic: &'r DeleteRecordsTopic<'_>,
    seen: &mut HashSet<i32>,
) -> DeleteRecordsTopicResult<'r> {
    let result = |asked: &DeleteRecordsPartition| {
        let partition_index = asked.partition_index;
        // Kafka's answer has one place for each partition, too.
        if !seen.insert(partition_index) {
            return None;
        }
        let (low_watermark, error) = match delete(context, &topic.name, asked) {
            Ok(low_watermark) => (low_watermark.0, ErrorCode::None),
            Err(error) => (INVALID_LOW_WATERMARK, error),
        };
        Some(DeleteRecordsPartitionResult { partition_index, low_watermark, error_code: error.code() })
    };
    DeleteRecordsTopicResult {
        name: (&*topic.name).into(),
        partitions: topic.partitions.iter().filter_map(result).collect(),
    }
}

fn delete(context: &Context<'_>, topic: &str, asked: &DeleteRecordsPartition) -> Result<Offset, ErrorCode> {
    let partition = context.view.partition_by_name(topic, asked.partition_index)?;
    if topic_name::is_internal(topic) {
        return Err(ErrorCode::InvalidTopicException);
    }
    let image = &context.view.image;
    let config = TopicConfig::resolve(&effective::settings(context.shared, image), image.topic_configs(topic));
    if config.cleanup_compact && !config.cleanup_delete {
        return Err(ErrorCode::PolicyViolation);
    }
    let high_watermark = partition.high_watermark();
    let offset = if asked.offset == HIGH_WATERMARK { high_watermark } else { Offset(asked.offset) };
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
