//! Produce (key 0), versions 3–13.
//!
//! Records go from the request's bytes into the log's pending chunk, checked once, never copied elsewhere. The answer
//! waits until the turn has written them (`acks=1` and `acks=all` are the same for one replica), and for the sync where
//! the topic asks for one. `acks=0` gets no answer; if anything of such a request fails, the connection is closed, which
//! is the only way to tell (`KafkaApis.handleProduceRequest`).
//!
//! Needs Write of each topic, and of the transactional id where a batch is transactional. A topic that may not be written to is
//! refused whether it exists or not; an id that is not known is told to all.
//!
//! Versions: 8 errors of single records (KIP-467); 9 flexible; 10 who leads instead (KIP-951); 13 topic ids (KIP-516). 0–2 are
//! advertised and refused. 11 TRANSACTION_ABORTABLE; 12 partitions are added to the producer's transaction as they come (KIP-890). What the
//! transaction's coordinator has to do with it is in `transactional_produce`.
//!
//! Deviation: where a request names a partition twice, each of its batches is written and answered; Kafka writes the last
//! one and drops the others without a word.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::current_leaders::{CurrentLeaders, LeaderNode};
use super::{Answer, Head, Outcome, Polled, Request, State, numbers, transactional_produce};
use crate::metadata::Topic;
use crate::model::{ErrorCode, Instant, Offset, Uuid};
use crate::record::header::Header;
use crate::replica::partition::{Partition, Refused};
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::stdx::spare;
use crate::storage::log::{Admission, Appended};
use crate::wire::api::produce::{BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse};
use crate::wire::produce::{RequestView, ResponseWriter, TopicView};

/// The first version that names topics by id.
const TOPIC_ID_SINCE: i16 = 13;
/// The first version that is told who leads instead.
const CURRENT_LEADER_SINCE: i16 = 10;
/// The one client that may write to internal topics (`AdminUtils.ADMIN_CLIENT_ID`).
const ADMIN_CLIENT_ID: &str = "__admin_client";

/// Lists that a shard keeps for produces to come: for as many as may wait for a sync at the same time, of a usual size.
const MOST_SPARE_LISTS: usize = 64;
const MOST_SPARE_PARTITIONS: usize = 1024;

struct TopicResult {
    /// Where its name stands in [`Lists::names`].
    name: Range<usize>,
    topic_id: Uuid,
    partition_count: usize,
}

struct PartitionResult {
    index: i32,
    result: Result<(Arc<Partition>, Appended), Refused>,
}

/// What became of each partition. Lists of the shard, which are used again for each produce.
#[derive(Default)]
pub(super) struct Lists {
    names: String,
    topics: Vec<TopicResult>,
    /// Those of all topics, one after the other.
    partitions: Vec<PartitionResult>,
}

/// A produce whose records are on their way to the disk.
pub struct Waiting {
    head: Head,
    acks: i16,
    deadline: Instant,
    lists: Lists,
    /// Boxed, as most have none.
    leaders: Option<Box<CurrentLeaders>>,
}

/// The parts of the request that are looked at again where it has to wait.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) head: Head,
    pub(super) client_id: &'a str,
    pub(super) body: &'a [u8],
    /// The places of the topics that the client may not write to, in order, as was found when the request came.
    pub(super) denied: &'a [usize],
}

pub(super) fn handle(state: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let mut has_transactions = false;
    let see = |records: &[u8]| has_transactions |= is_transactional(records);
    let view = match RequestView::parse_with(request.body, request.head.version, see) {
        Ok(view) => view,
        Err(error) => return request.bad(error),
    };
    let denied = denied(context, request, &view);
    let asked = Asked { head: request.head, client_id: request.client_id, body: request.body, denied: &denied };
    if has_transactions && !may_write_transactions(context, request, &view) {
        return refuse_all(state, asked, &view, &ErrorCode::TransactionalIdAuthorizationFailed.into());
    }
    if view.transactional_id.is_some() {
        return transactional_produce::handle(state, context, asked, &view);
    }
    let (version, now) = (asked.head.version, context.wall);
    append_all(state, context, asked, &view, |partition, records| {
        partition.append(version, records, now, Admission::None)
    })
}

/// Whether the request may have transactional batches. Without an id the coordinator cannot be asked
/// (`RequestUtils.hasTransactionalRecords`).
fn may_write_transactions(context: &Context<'_>, request: &Request<'_>, view: &RequestView<'_>) -> bool {
    let may = |id| request.may(context, AclOperation::Write, AclResource::TransactionalId, id);
    view.transactional_id.is_some_and(may)
}

/// The places of the topics that the client may not write to. Of ids that are not known nothing is asked. Nearly always it is
/// empty, and then it asks for no memory.
fn denied(context: &Context<'_>, request: &Request<'_>, view: &RequestView<'_>) -> Vec<usize> {
    if !request.is_judged(context) {
        return Vec::new();
    }
    let is_denied = |topic: &TopicView<'_>| {
        let name = match request.head.version {
            TOPIC_ID_SINCE.. => context.view.image.topic_by_id(topic.topic_id).map(|topic| &*topic.name),
            _ => Some(topic.name),
        };
        name.is_some_and(|name| !request.may(context, AclOperation::Write, AclResource::Topic, name))
    };
    view.topics().enumerate().filter(|(_, topic)| is_denied(topic)).map(|(place, _)| place).collect()
}

fn is_transactional(records: &[u8]) -> bool {
    Header::parse(records).is_some_and(|header| header.is_transactional())
}

/// Refuses every partition of a request, whether it can be found or not.
pub(super) fn refuse_all(state: &mut State, asked: Asked<'_>, view: &RequestView<'_>, refused: &Refused) -> Outcome {
    let mut lists = state.produces.pop().unwrap_or_default();
    for topic in view.topics() {
        let before = lists.partitions.len();
        let results = topic.partitions().map(|of| PartitionResult { index: of.index, result: Err(refused.clone()) });
        lists.partitions.extend(results);
        lists.close_topic(&topic, before);
    }
    let waiting = Waiting { head: asked.head, acks: view.acks, deadline: Instant::NEVER, lists, leaders: None };
    waiting.finish(state)
}

/// Appends what the request has for each partition that can be found. `append` is the way into the log.
pub(super) fn append_all(
    state: &mut State,
    context: &mut Context<'_>,
    asked: Asked<'_>,
    view: &RequestView<'_>,
    mut append: impl FnMut(&Arc<Partition>, &[u8]) -> Result<Appended, Refused>,
) -> Outcome {
    let mut lists = state.produces.pop().unwrap_or_default();
    let mut leaders = None;
    for (place, topic) in view.topics().enumerate() {
        let before = lists.partitions.len();
        for of in topic.partitions() {
            let appended = find(context, asked, view, (place, &topic), of.index).and_then(|partition| {
                let appended = append(&partition, of.records.unwrap_or_default())?;
                context.dirty.add(&partition);
                Ok((partition, appended))
            });
            if asked.head.version >= CURRENT_LEADER_SINCE
                && matches!(&appended, Err(refused) if refused.error == ErrorCode::NotLeaderOrFollower)
            {
                let leaders = leaders.get_or_insert_with(Box::<CurrentLeaders>::default);
                leaders.note(context, lists.partitions.len(), (described(context, asked, &topic), of.index));
            }
            lists.partitions.push(PartitionResult { index: of.index, result: appended });
        }
        lists.close_topic(&topic, before);
    }
    let deadline = context.now + Duration::from_millis(u64::try_from(view.timeout_ms).unwrap_or(0));
    let waiting = Waiting { head: asked.head, acks: view.acks, deadline, lists, leaders };
    waiting.finish(state)
}

/// The topic that is named, in the metadata.
fn described<'c>(context: &'c Context<'_>, asked: Asked<'_>, topic: &TopicView<'_>) -> Option<&'c Topic> {
    let found = match asked.head.version {
        TOPIC_ID_SINCE.. => context.view.image.topic_by_id(topic.topic_id),
        _ => context.view.image.topic(topic.name),
    };
    found.map(|topic| &**topic)
}

/// The partition that a client names, if the client may write to it.
pub(super) fn find(
    context: &Context<'_>,
    asked: Asked<'_>,
    view: &RequestView<'_>,
    (place, topic): (usize, &TopicView<'_>),
    index: i32,
) -> Result<Arc<Partition>, Refused> {
    if asked.denied.binary_search(&place).is_ok() {
        return Err(ErrorCode::TopicAuthorizationFailed.into());
    }
    let found = match asked.head.version {
        TOPIC_ID_SINCE.. => context.view.partition_by_id(topic.topic_id, index),
        _ => context.view.partition_by_name(topic.name, index),
    };
    let partition = found?.clone();
    if !(-1..=1).contains(&view.acks) {
        return Err(ErrorCode::InvalidRequiredAcks.into());
    }
    if partition.topic.starts_with("__")
        && context.view.is_internal(&partition.topic)
        && asked.client_id != ADMIN_CLIENT_ID
    {
        return Err(ErrorCode::InvalidTopicException.into());
    }
    Ok(partition)
}

impl State {
    /// Takes the lists of a produce that is answered, for the next one.
    pub fn finish_produce(&mut self, Waiting { mut lists, .. }: Waiting) {
        if self.produces.len() < MOST_SPARE_LISTS && lists.partitions.capacity() <= MOST_SPARE_PARTITIONS {
            lists.names.clear();
            lists.topics.clear();
            lists.partitions.clear();
            self.produces.push(lists);
        }
    }
}

impl Lists {
    /// The partitions from `first` on are those of a topic.
    fn close_topic(&mut self, topic: &TopicView<'_>, first: usize) {
        let begins = self.names.len();
        self.names.push_str(topic.name);
        let (name, partition_count) = (begins..self.names.len(), self.partitions.len() - first);
        self.topics.push(TopicResult { name, topic_id: topic.topic_id, partition_count });
    }
}

impl Waiting {
    /// The outcome, if nothing has to be written before it is known.
    fn finish(self, state: &mut State) -> Outcome {
        let outcome = if self.acks == 0 {
            self.silent()
        } else if self.appended().next().is_some() {
            return Outcome::Appended(self);
        } else {
            self.answer().map_or_else(Outcome::Close, Outcome::Answer)
        };
        state.finish_produce(self);
        outcome
    }

    fn appended(&self) -> impl Iterator<Item = &Arc<Partition>> {
        let appended = self.lists.partitions.iter().filter_map(|partition| partition.result.as_ref().ok());
        appended.map(|(partition, _)| partition)
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
        match self.lists.partitions.iter().find_map(|partition| partition.result.as_ref().err()) {
            None => Outcome::Silent,
            Some(refused) => Outcome::Close(format!("a produce with acks=0 failed: {}", refused.error.name())),
        }
    }

    /// Looks whether everything is committed, or will never be.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>, expired: bool, asks: bool) -> Polled {
        let mut all_decided = true;
        for partition in &mut self.lists.partitions {
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
        if all_decided { self.answer().map_or_else(Polled::Close, Polled::Answer) } else { Polled::Wait }
    }

    fn answer(&self) -> Result<Answer, String> {
        let Lists { names, topics, partitions } = &self.lists;
        let mut bytes = spare::take(&spare::ANSWERS);
        let mut writer = ResponseWriter::new(&mut bytes, self.head.version, self.head.correlation_id, topics.len());
        let mut partitions = partitions.iter().enumerate();
        for topic in topics {
            writer.topic(&names[topic.name.clone()], topic.topic_id, topic.partition_count);
            for (place, partition) in partitions.by_ref().take(topic.partition_count) {
                let mut answer = answer_partition(partition);
                if let Some(leaders) = &self.leaders {
                    let leader = leaders.at(place);
                    answer.current_leader = LeaderIdAndEpoch { leader_id: leader.id, leader_epoch: leader.epoch };
                }
                writer.partition(&answer);
            }
        }
        let nodes = self.leaders.iter().flat_map(|leaders| leaders.nodes());
        let errors = writer.finish(&nodes.map(endpoint).collect::<Vec<_>>());
        let errors = errors.map_err(|error| format!("cannot encode the Produce answer: {error}"))?;
        Ok(Answer { bytes, errors, ..Answer::default() })
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

fn endpoint(node: &LeaderNode) -> NodeEndpoint<'_> {
    let rack = node.rack.as_deref().map(Into::into);
    NodeEndpoint { node_id: node.id, host: node.host.as_str().into(), port: node.port, rack }
}

fn record_error(error: &crate::record::validate::RecordError) -> BatchIndexAndErrorMessage<'_> {
    BatchIndexAndErrorMessage {
        batch_index: error.batch_index,
        batch_index_error_message: error.message.as_deref().map(Into::into),
    }
}
