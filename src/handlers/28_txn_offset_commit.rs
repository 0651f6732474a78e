//! TxnOffsetCommit (key 28), versions 0–6: offsets of a group that count when a producer's transaction is committed.
//!
//! The transaction's coordinator must know that the group's partition of `__consumer_offsets` takes part, as for a Produce
//! (`transactional`). Needs Write of the transactional id, Read of the group, and Read of each topic, all of which is asked when
//! the request comes. Versions: 3 flexible, the member that commits (KIP-447); 4 TRANSACTION_ABORTABLE; 5 the partition is
//! added to the transaction as it comes (KIP-890); 6 topic ids, GROUP_ID_NOT_FOUND and STALE_MEMBER_EPOCH (KIP-1319).
//! Sources: `KafkaApis.handleTxnOffsetCommitRequest`, `OffsetMetadataManager.commitTransactionalOffset`.

use std::sync::Arc;

use super::committed_topics::{self, Named, Topics};
use super::transactional::{ADMISSION_TIMEOUT, Form, Known, Seen, Writer};
use super::{Head, Outcome, Parked, Polled, Request, State};
use crate::codec::{Message, Reader};
use crate::coordinator::machine::Producer;
use crate::coordinator::offsets::{Commit, CommitPartition, CommitReply};
use crate::coordinator_runtime::{Barrier, Coordinator, TransactionCoordinator};
use crate::model::{ErrorCode, Instant};
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::storage::log::Admission;
use crate::wire::api::txn_offset_commit::{
    self as message, TxnOffsetCommitRequestTopic, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};

const LOADING_KNOWN_SINCE: i16 = 2;
const ABORTABLE_SINCE: i16 = 4;
const ADDS_SINCE: i16 = 5;
const TOPIC_ID_SINCE: i16 = 6;

/// A commit that waits for the transaction's coordinator.
pub struct Waiting {
    head: Head,
    body: Vec<u8>,
    /// [`committed_topics::denied`]
    denied: Vec<usize>,
    coordinator: Arc<TransactionCoordinator>,
    seen: Seen,
    until: Instant,
}

/// What became of a commit.
enum Done {
    Reply(CommitReply, Option<Barrier>),
    /// What the coordinator has shown must be committed first.
    Wait(Arc<TransactionCoordinator>, Seen),
}

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    if !request.may(context, AclOperation::Write, AclResource::TransactionalId, &body.transactional_id) {
        return refuse_all(request.head, &body, ErrorCode::TransactionalIdAuthorizationFailed);
    }
    if !request.may(context, AclOperation::Read, AclResource::Group, &body.group_id) {
        return refuse_all(request.head, &body, ErrorCode::GroupAuthorizationFailed);
    }
    let names = body.topics.iter().map(|topic| (&*topic.name, topic.topic_id));
    let denied = committed_topics::denied(context, request, request.head.version >= TOPIC_ID_SINCE, names);
    let until = context.now + ADMISSION_TIMEOUT;
    go_on(context, Asked { head: request.head, bytes: request.body, denied: &denied, until }, &body, None)
}

/// The parts of a request that are looked at again where it has to wait.
#[derive(Clone, Copy)]
struct Asked<'a> {
    head: Head,
    bytes: &'a [u8],
    denied: &'a [usize],
    until: Instant,
}

fn go_on(context: &mut Context<'_>, asked: Asked<'_>, body: &message::Request<'_>, waited: Option<&Seen>) -> Outcome {
    let Asked { head, until, .. } = asked;
    let view = context.view.clone();
    let by_id = head.version >= TOPIC_ID_SINCE;
    let mut topics = Topics::find(&view, by_id, asked.denied, body.topics.iter().map(named));
    let mut barrier = None;
    if !topics.known.is_empty() {
        let commit = Commit {
            api_version: head.version,
            group_id: &body.group_id,
            generation_id_or_member_epoch: body.generation_id_or_member_epoch,
            member_id: &body.member_id,
            instance_id: body.group_instance_id.as_deref(),
            retention_time_ms: -1,
            topics: std::mem::take(&mut topics.known),
        };
        match commit_offsets(context, head, body, &commit, waited) {
            Ok(Done::Wait(coordinator, seen)) if context.now < until => {
                let (body, denied) = (asked.bytes.to_vec(), asked.denied.to_vec());
                return wait(context, Waiting { head, body, denied, coordinator, seen, until });
            }
            Ok(Done::Wait(..)) => topics.answer(&Err(ErrorCode::CoordinatorNotAvailable)),
            Ok(Done::Reply(reply, passes)) => {
                topics.answer(&reply.map_err(|error| told(error, head.version)));
                barrier = passes;
            }
            Err(error) => topics.answer(&Err(told(error, head.version))),
        }
    }
    let topics = body.topics.iter().zip(&topics.errors).map(respond).collect();
    head.answer_behind(context, barrier, &message::Response { topics, ..Default::default() })
}

/// Every partition is refused (`TxnOffsetCommitRequest.getErrorResponse`).
fn refuse_all(head: Head, body: &message::Request<'_>, error: ErrorCode) -> Outcome {
    let errors: Vec<Vec<ErrorCode>> = body.topics.iter().map(|topic| vec![error; topic.partitions.len()]).collect();
    let topics = body.topics.iter().zip(&errors).map(respond).collect();
    head.answer(&message::Response { topics, ..Default::default() })
}

fn respond<'a>(
    (topic, errors): (&TxnOffsetCommitRequestTopic<'a>, &Vec<ErrorCode>),
) -> TxnOffsetCommitResponseTopic<'a> {
    let partitions = topic.partitions.iter().zip(errors);
    let partitions = partitions.map(|(partition, error)| TxnOffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code: error.code(),
    });
    let (name, topic_id) = (topic.name.clone(), topic.topic_id);
    TxnOffsetCommitResponseTopic { name, topic_id, partitions: partitions.collect() }
}

fn named<'a>(topic: &'a TxnOffsetCommitRequestTopic<'_>) -> Named<'a> {
    let partitions = topic.partitions.iter().map(|partition| CommitPartition {
        partition: partition.partition_index,
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition.committed_metadata.as_deref(),
    });
    Named { name: &topic.name, topic_id: topic.topic_id, partitions: partitions.collect() }
}

fn commit_offsets(
    context: &mut Context<'_>,
    head: Head,
    body: &message::Request<'_>,
    commit: &Commit<'_>,
    waited: Option<&Seen>,
) -> Result<Done, ErrorCode> {
    if commit.group_id.is_empty() {
        return Err(ErrorCode::InvalidGroupId);
    }
    let group = context.coordinator(commit.group_id)?;
    let form = Form::of(head.version, ABORTABLE_SINCE, ADDS_SINCE);
    let producer = Producer { id: body.producer_id, epoch: body.producer_epoch };
    let is_open = group.partition.has_open_transaction(producer.id, producer.epoch);
    if is_open.map_err(|refused| refused.error)? {
        return step(context, &group, producer, Admission::None, commit);
    }
    let settings = context.shared.transactions().settings(context.view);
    if form != Form::Adds && !settings.transactions.verifies_partitions {
        if producer.id < 0 || producer.epoch < 0 {
            // What Kafka says when it cannot make a batch of it.
            return Err(ErrorCode::UnknownServerError);
        }
        return step(context, &group, producer, Admission::Verified, commit);
    }
    let writer = Writer { transactional_id: &body.transactional_id, producer, form };
    let partition = (group.partition.topic.clone(), group.partition.index.0);
    let Known { coordinator, seen, errors } = writer.ask(context, std::slice::from_ref(&partition))?;
    if let Some(error) = errors.into_iter().find(|error| error.is_error()) {
        return Err(error);
    }
    if let Some(lacking) = seen.clone().lacks(waited)? {
        return Ok(Done::Wait(coordinator, lacking));
    }
    let stepped = coordinator.look(|machine| {
        let is_open = writer.is_open(machine, &seen, &partition);
        let admission = if is_open { form.admission() } else { Admission::None };
        step(context, &group, producer, admission, commit)
    });
    stepped?.0
}

fn step(
    context: &mut Context<'_>,
    group: &Arc<Coordinator>,
    producer: Producer,
    admission: Admission,
    commit: &Commit<'_>,
) -> Result<Done, ErrorCode> {
    let stepped = context.step_in_transaction(group, producer, admission, |groups, step| {
        groups.commit_offsets_in_transaction(step, commit)
    });
    stepped.map(|(reply, barrier)| Done::Reply(reply, Some(barrier)))
}

/// `CoordinatorOperationExceptionHelper.handleOperationException`, and what clients of before Kafka 2.0 cannot bear.
fn told(error: ErrorCode, version: i16) -> ErrorCode {
    match error {
        ErrorCode::CoordinatorLoadInProgress if version < LOADING_KNOWN_SINCE => ErrorCode::CoordinatorNotAvailable,
        ErrorCode::KafkaStorageError | ErrorCode::NotLeaderOrFollower => ErrorCode::NotCoordinator,
        ErrorCode::UnknownTopicOrPartition => ErrorCode::CoordinatorNotAvailable,
        error => error,
    }
}

fn wait(context: &mut Context<'_>, waiting: Waiting) -> Outcome {
    let (deadline, watched) = (waiting.until, vec![waiting.coordinator.partition.number]);
    let mut waiting = Box::new(waiting);
    let polled = waiting.poll(context, false, true);
    polled.or_wait(|| Outcome::Wait { parked: Parked::TxnOffsetCommit(waiting), deadline, watched })
}

impl Waiting {
    pub(super) fn poll(&mut self, context: &mut Context<'_>, expired: bool, asks: bool) -> Polled {
        if asks {
            self.coordinator.partition.waiting.add(context.shard);
        }
        if !expired && !self.coordinator.has_ended() && self.seen.is_committed() == Ok(false) {
            return Polled::Wait;
        }
        let asked = Asked { head: self.head, bytes: &self.body, denied: &self.denied, until: self.until };
        let outcome = match Message::decode(&mut Reader::new(asked.bytes), asked.head.version) {
            Ok(body) => go_on(context, asked, &body, Some(&self.seen)),
            Err(error) => asked.head.bad(&error),
        };
        Polled::Again(Box::new(outcome))
    }
}
