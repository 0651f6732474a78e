//! ListOffsets (key 2), versions 1–11.
//!
//! Special timestamps (`ListOffsetsRequest`): -1 the end that the isolation level may read to, -2 the log start, -3 the
//! record with the largest timestamp (version 7, KIP-734), -4 the first offset that is on this broker (8, KIP-405), -5
//! the last one that is tiered (9, KIP-1005) and -6 the first that is not uploaded yet (11, KIP-1023). Without tiered
//! storage -4 is the log start, -5 and -6 have no answer (offset -1). A partition named twice is INVALID_REQUEST.
//!
//! Needs Describe of each topic, which is asked before it is looked for.

use std::collections::{HashMap, HashSet};

use super::{Outcome, Request, State};
use crate::model::{ErrorCode, IsolationLevel, LeaderEpoch, Offset, TimestampMs};
use crate::replica::partition::Partition;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::list_offsets::{
    self as message, ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsTopic, ListOffsetsTopicResponse,
};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// The first version whose answer has room for an epoch; in an older one it could not be encoded.
const EPOCH_SINCE: i16 = 4;
/// The first version that may ask for a special timestamp below -2.
const SPECIAL_SINCE: [(i64, i16); 4] =
    [(MAX_TIMESTAMP, 7), (EARLIEST_LOCAL, 8), (LATEST_TIERED, 9), (EARLIEST_PENDING_UPLOAD, 11)];

struct Answered {
    timestamp: TimestampMs,
    offset: Offset,
    epoch: Option<LeaderEpoch>,
}

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let version = request.head.version;
    // A level that does not exist fails the request as a whole: each partition says so.
    let isolation = IsolationLevel::from_id(body.isolation_level).ok_or(ErrorCode::UnknownServerError);
    let repeated = repeated(&body);
    let partition = |topic: &ListOffsetsTopic<'_>, asked: &ListOffsetsPartition| {
        let is_repeated = repeated[&*topic.name].contains(&asked.partition_index);
        let result = match isolation {
            Err(error) => Err(error),
            Ok(_) if is_repeated => Err(ErrorCode::InvalidRequest),
            Ok(isolation) => answer(context, version, isolation, topic, asked),
        };
        respond(version, asked.partition_index, result)
    };
    let refused = |asked: &ListOffsetsPartition| {
        respond(version, asked.partition_index, Err(ErrorCode::TopicAuthorizationFailed))
    };
    let topics = body.topics.iter().map(|topic| {
        let is_told = request.may(context, AclOperation::Describe, AclResource::Topic, &topic.name);
        let partitions =
            topic.partitions.iter().map(|asked| if is_told { partition(topic, asked) } else { refused(asked) });
        ListOffsetsTopicResponse { name: topic.name.clone(), partitions: partitions.collect() }
    });
    request.head.answer(&message::Response { topics: topics.collect(), ..Default::default() })
}

/// The partitions of each topic that are named more than once.
fn repeated<'r>(body: &'r message::Request<'_>) -> HashMap<&'r str, HashSet<i32>> {
    let mut seen: HashMap<&str, HashSet<i32>> = HashMap::new();
    let mut repeated: HashMap<&str, HashSet<i32>> = HashMap::new();
    for topic in &body.topics {
        let (seen, repeated) = (seen.entry(&topic.name).or_default(), repeated.entry(&topic.name).or_default());
        let indexes = topic.partitions.iter().map(|partition| partition.partition_index);
        repeated.extend(indexes.filter(|index| !seen.insert(*index)));
    }
    repeated
}

fn answer(
    context: &Context<'_>,
    version: i16,
    isolation: IsolationLevel,
    topic: &ListOffsetsTopic<'_>,
    asked: &ListOffsetsPartition,
) -> Result<Answered, ErrorCode> {
    let known = SPECIAL_SINCE.iter().find(|(special, _)| *special == asked.timestamp);
    let is_refused = match known {
        Some((_, since)) => version < *since,
        None => asked.timestamp < EARLIEST,
    };
    if is_refused {
        return Err(ErrorCode::UnsupportedVersion);
    }
    let partition = context.view.partition_by_name(&topic.name, asked.partition_index)?;
    partition.check_leader_epoch(asked.current_leader_epoch)?;
    look_up(partition, isolation, asked.timestamp)
}

fn look_up(partition: &Partition, isolation: IsolationLevel, timestamp: i64) -> Result<Answered, ErrorCode> {
    const NONE: Answered = Answered { timestamp: TimestampMs(-1), offset: Offset(-1), epoch: None };
    let log = &partition.log;
    let end = partition.readable_end(isolation);
    match timestamp {
        LATEST => Ok(Answered { offset: end, epoch: Some(partition.leader_epoch()), ..NONE }),
        EARLIEST | EARLIEST_LOCAL => {
            Ok(Answered { offset: log.log_start_offset(), epoch: log.earliest_epoch(), ..NONE })
        }
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => Ok(NONE),
        _ => {
            let found = match timestamp {
                MAX_TIMESTAMP => log.max_timestamp(),
                _ => log.offset_for_timestamp(TimestampMs(timestamp)),
            };
            let found = found.map_err(|failure| {
                log::error!("cannot search {}-{} by time: {failure}", partition.topic, partition.index);
                ErrorCode::KafkaStorageError
            })?;
            Ok(found.filter(|found| found.offset < end).map_or(NONE, |found| Answered {
                timestamp: found.timestamp,
                offset: found.offset,
                epoch: found.leader_epoch,
            }))
        }
    }
}

fn respond(version: i16, partition_index: i32, result: Result<Answered, ErrorCode>) -> ListOffsetsPartitionResponse {
    match result {
        Ok(answered) => ListOffsetsPartitionResponse {
            partition_index,
            timestamp: answered.timestamp.0,
            offset: answered.offset.0,
            leader_epoch: answered.epoch.filter(|_| version >= EPOCH_SINCE).map_or(-1, |epoch| epoch.0),
            ..Default::default()
        },
        Err(error) => ListOffsetsPartitionResponse { partition_index, error_code: error.code(), ..Default::default() },
    }
}
