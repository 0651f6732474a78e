//! Produce (key 0), versions 3–13.
//!
//! Records go from the request's bytes into the log's pending chunk, checked once, never copied elsewhere. The answer
//! waits until the turn has written them (`acks=1` and `acks=all` are the same for one replica), and for the sync where
//! the topic asks for one. `acks=0` gets no answer; if anything of such a request fails, the connection is closed, which
//! is the only way to tell (`KafkaApis.handleProduceRequest`).
//!
//! Versions: 9 flexible; 8 errors of single records (KIP-467); 13 topic ids (KIP-516). 0–2 are advertised and refused.
//! Not built yet: transactions. A batch with the transactional bit is refused with INVALID_TXN_STATE.
//!
//! Deviation: where a request names a partition twice, each of its batches is written and answered; Kafka writes the last
//! one and drops the others without a word.

use std::sync::Arc;
use std::time::Duration;

use super::{Head, Outcome, Polled, Request, State, numbers};
use crate::model::{ErrorCode, Instant, Offset, Uuid};
use crate::record::header::Header;
use crate::replica::partition::{Partition, Refused};
use crate::shard::context::Context;
use crate::storage::log::Appended;
use crate::wire::api::produce::{BatchIndexAndErrorMessage, PartitionProduceResponse, Response, TopicProduceResponse};
use crate::wire::produce::{RequestView, TopicView};

/// The first version that names topics by id.
const TOPIC_ID_SINCE: i16 = 13;
/// The one client that may write to internal topics (`AdminUtils.ADMIN_CLIENT_ID`).
const ADMIN_CLIENT_ID: &str = "__admin_client";

struct TopicResult {
    name: String,
    topic_id: Uuid,
    partitions: Vec<PartitionResult>,
}

struct PartitionResult {
    index: i32,
    result: Result<(Arc<Partition>, Appended), Refused>,
}

/// A produce whose records are on their way to the disk.
pub struct Waiting {
    head: Head,
    acks: i16,
    deadline: Instant,
    topics: Vec<TopicResult>,
}

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let view = match RequestView::parse(request.body, request.head.version) {
        Ok(view) => view,
        Err(error) => return request.bad(error),
    };
    let topics: Vec<_> = view.topics().map(|topic| append_topic(context, request, &view, &topic)).collect();
    let deadline = context.now + Duration::from_millis(u64::try_from(view.timeout_ms).unwrap_or(0));
    let waiting = Waiting { head: request.head, acks: view.acks, deadline, topics };
    if waiting.acks == 0 {
        return waiting.silent();
    }
    if waiting.appended().next().is_none() {
        return request.head.answer(&waiting.response());
    }
    Outcome::Appended(waiting)
}

fn append_topic(
    context: &mut Context<'_>,
    request: &Request<'_>,
    view: &RequestView<'_>,
    topic: &TopicView<'_>,
) -> TopicResult {
    let append = |partition: crate::wire::produce::PartitionView<'_>| PartitionResult {
        index: partition.index,
        result: append(context, request, view, topic, partition.index, partition.records),
    };
    let partitions = topic.partitions().map(append).collect();
    TopicResult { name: topic.name.into(), topic_id: topic.topic_id, partitions }
}

fn append(
    context: &mut Context<'_>,
    request: &Request<'_>,
    view: &RequestView<'_>,
    topic: &TopicView<'_>,
    index: i32,
    records: Option<&[u8]>,
) -> Result<(Arc<Partition>, Appended), Refused> {
    let version = request.head.version;
    let found = match version {
        TOPIC_ID_SINCE.. => context.view.partition_by_id(topic.topic_id, index),
        _ => context.view.partition_by_name(topic.name, index),
    };
    let partition = found?.clone();
    if !(-1..=1).contains(&view.acks) {
        return Err(ErrorCode::InvalidRequiredAcks.into());
    }
    if partition.topic.starts_with("__")
        && context.view.is_internal(&partition.topic)
        && request.client_id != ADMIN_CLIENT_ID
    {
        return Err(ErrorCode::InvalidTopicException.into());
    }
    let records = records.unwrap_or_default();
    if Header::parse(records).is_some_and(|header| header.is_transactional()) {
        let message = Some(super::no_transactions::REASON.to_string());
        return Err(Refused { message, ..ErrorCode::InvalidTxnState.into() });
    }
    let appended = partition.append(version, records, context.wall)?;
    context.dirty.add(&partition);
    Ok((partition, appended))
}

impl Waiting {
    fn partitions(&self) -> impl Iterator<Item = &PartitionResult> {
        self.topics.iter().flat_map(|topic| &topic.partitions)
    }

    fn appended(&self) -> impl Iterator<Item = &Arc<Partition>> {
        self.partitions().filter_map(|partition| partition.result.as_ref().ok()).map(|(partition, _)| partition)
    }

    /// When it is answered at the latest.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Numbers of the partitions whose progress may end the wait.
    pub(crate) fn watched(&self) -> Vec<u64> {
        numbers(self.appended())
    }

    fn silent(&self) -> Outcome {
        match self.partitions().find_map(|partition| partition.result.as_ref().err()) {
            None => Outcome::Silent,
            Some(refused) => Outcome::Close(format!("a produce with acks=0 failed: {}", refused.error.name())),
        }
    }

    /// Looks whether everything is committed, or will never be.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>, expired: bool, asks: bool) -> Polled {
        let mut all_decided = true;
        for partition in self.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            let Ok((log, appended)) = &partition.result else { continue };
            if asks {
                log.waiting.add(context.shard);
            }
            match log.is_committed(appended.mark()) {
                Ok(true) => {}
                Ok(false) if expired => partition.result = Err(ErrorCode::RequestTimedOut.into()),
                Ok(false) => all_decided = false,
                Err(error) => partition.result = Err(error.into()),
            }
        }
        if all_decided { self.head.polled(&self.response()) } else { Polled::Wait }
    }

    fn response(&self) -> Response<'_> {
        Response { responses: self.topics.iter().map(answer_topic).collect(), ..Default::default() }
    }
}

fn answer_topic(topic: &TopicResult) -> TopicProduceResponse<'_> {
    TopicProduceResponse {
        name: topic.name.as_str().into(),
        topic_id: topic.topic_id,
        partition_responses: topic.partitions.iter().map(answer_partition).collect(),
    }
}

fn answer_partition(partition: &PartitionResult) -> PartitionProduceResponse<'_> {
    let index = partition.index;
    match &partition.result {
        Ok((_, appended)) => PartitionProduceResponse {
            index,
            base_offset: appended.base_offset.0,
            log_append_time_ms: appended.log_append_time.0,
            log_start_offset: appended.log_start_offset.0,
            ..Default::default()
        },
        Err(refused) => PartitionProduceResponse {
            index,
            error_code: refused.error.code(),
            base_offset: Offset(-1).0,
            log_start_offset: refused.log_start_offset.unwrap_or(Offset(-1)).0,
            record_errors: refused.record_errors.iter().map(record_error).collect(),
            error_message: refused.message.as_deref().map(Into::into),
            ..Default::default()
        },
    }
}

fn record_error(error: &crate::record::validate::RecordError) -> BatchIndexAndErrorMessage<'_> {
    BatchIndexAndErrorMessage {
        batch_index: error.batch_index,
        batch_index_error_message: error.message.as_deref().map(Into::into),
    }
}
