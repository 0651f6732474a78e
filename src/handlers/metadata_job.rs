//! A request that changes the cluster's metadata: decided by the metadata thread on the newest image, answered when the
//! records are on the disk.
//!
//! The handler gives the change and what its answer will need. The answer is made on the request's own shard, with a view
//! that shows the change already.

use std::time::Duration;

use super::{
    Answer, Outcome, Parked, Polled, alter_client_quotas, alter_partition_reassignments, alter_replica_log_dirs,
    alter_user_scram_credentials, config_changes, create_acls, create_delegation_token, create_partitions,
    create_topics, delete_acls, delete_topics, elect_leaders, end_txn, expire_delegation_token, find_coordinator,
    init_producer_id, metadata, renew_delegation_token, unregister_broker, update_features,
};
use crate::controller::{Answered, ReplyTo, Task};
use crate::hosting::futures::Move;
use crate::metadata::{Change, Decided};
use crate::model::ErrorCode;
use crate::shard::context::Context;

/// What a finished request gets: what was decided and is committed, or why there is nothing.
pub(super) type Result<T = Decided> = std::result::Result<T, ErrorCode>;

/// Why a request has no decision of the kind that it asked for.
pub(super) fn why_not(decided: Result) -> ErrorCode {
    decided.err().unwrap_or(ErrorCode::UnknownServerError)
}

/// What a request needs for its answer.
pub(super) enum Finish {
    AutoCreate(metadata::Waiting),
    FindCoordinator(find_coordinator::Waiting),
    CreateTopics(create_topics::Waiting),
    DeleteTopics(delete_topics::Waiting),
    InitProducerId(init_producer_id::Waiting),
    EndTxn(end_txn::Waiting),
    CreatePartitions(create_partitions::Waiting),
    Configs(config_changes::Waiting),
    ElectLeaders(elect_leaders::Waiting),
    Reassign(alter_partition_reassignments::Waiting),
    UpdateFeatures(update_features::Waiting),
    UnregisterBroker(unregister_broker::Waiting),
    AlterClientQuotas(alter_client_quotas::Waiting),
    CreateAcls(create_acls::Waiting),
    DeleteAcls(delete_acls::Waiting),
    AlterScram(alter_user_scram_credentials::Waiting),
    CreateToken(create_delegation_token::Waiting),
    RenewToken(renew_delegation_token::Waiting),
    ExpireToken(expire_delegation_token::Waiting),
    MoveLogs(alter_replica_log_dirs::Waiting),
}

/// A request on its way through the metadata thread.
pub struct Waiting {
    answered: Option<Result<Answered>>,
    finish: Option<Finish>,
}

/// Hands a change to the metadata thread. The answer says what was decided, or why nothing was: the request's time is
/// over, or the metadata log has failed.
pub(super) fn submit(context: &Context<'_>, timeout_ms: i32, change: Change, finish: Finish) -> Outcome {
    context.shared.send_to_controller(Task::Change { change, reply: reply_to(context) });
    wait_for(context, timeout_ms, finish)
}

/// Hands moves of logs to the metadata thread, which are no change of metadata yet.
pub(super) fn submit_moves(context: &Context<'_>, timeout_ms: i32, moves: Vec<Move>, finish: Finish) -> Outcome {
    context.shared.send_to_controller(Task::Move { moves, reply: reply_to(context) });
    wait_for(context, timeout_ms, finish)
}

/// The place in which this request will wait.
fn reply_to(context: &Context<'_>) -> ReplyTo {
    ReplyTo { shard: context.shard.0, key: context.ticket().to_u64() }
}

fn wait_for(context: &Context<'_>, timeout_ms: i32, finish: Finish) -> Outcome {
    let waiting = Waiting { answered: None, finish: Some(finish) };
    let deadline = context.now + Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
    Outcome::Wait { parked: Parked::Metadata(Box::new(waiting)), deadline, watched: Vec::new() }
}

impl Waiting {
    pub(super) fn receive(&mut self, answered: Result<Answered>) {
        self.answered = Some(answered);
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>, expired: bool) -> Polled {
        let answered = match self.answered.take() {
            Some(answered) => answered,
            None if expired => Err(ErrorCode::RequestTimedOut),
            None => return Polled::Wait,
        };
        let Some(finish) = self.finish.take() else { return Polled::Silent };
        finish.finish(context, answered)
    }
}

impl Finish {
    /// Goes on with the request.
    fn finish(self, context: &mut Context<'_>, answered: Result<Answered>) -> Polled {
        let decided = match answered {
            Ok(Answered::Change(decided)) => Ok(decided),
            Ok(Answered::Move(codes)) => {
                return self.finish_moves(Ok(codes)).map_or_else(Polled::Close, Polled::Answer);
            }
            Err(error) => Err(error),
        };
        match self {
            Finish::InitProducerId(waiting) => Polled::Again(Box::new(waiting.finish(context, decided))),
            Finish::EndTxn(waiting) => Polled::Again(Box::new(waiting.finish(context, decided))),
            other => other.answer(context, decided).map_or_else(Polled::Close, Polled::Answer),
        }
    }

    /// The answer of a request that needs no more than the decision.
    fn answer(self, context: &Context<'_>, decided: Result) -> std::result::Result<Answer, String> {
        match self {
            Finish::InitProducerId(_) | Finish::EndTxn(_) => Err("a producer's request goes on by itself".into()),
            Finish::AutoCreate(waiting) => waiting.finish(context, decided),
            Finish::FindCoordinator(waiting) => waiting.finish(context, decided),
            Finish::CreateTopics(waiting) => waiting.finish(context, decided),
            Finish::DeleteTopics(waiting) => waiting.finish(context, decided),
            Finish::CreatePartitions(waiting) => waiting.finish(context, decided),
            Finish::Configs(waiting) => waiting.finish(decided),
            Finish::ElectLeaders(waiting) => waiting.finish(decided),
            Finish::Reassign(waiting) => waiting.finish(decided),
            Finish::UpdateFeatures(waiting) => waiting.finish(decided),
            Finish::UnregisterBroker(waiting) => waiting.finish(decided),
            Finish::AlterClientQuotas(waiting) => waiting.finish(decided),
            Finish::CreateAcls(waiting) => waiting.finish(decided),
            Finish::DeleteAcls(waiting) => waiting.finish(decided),
            Finish::AlterScram(waiting) => waiting.finish(decided),
            Finish::CreateToken(waiting) => waiting.finish(context, decided),
            Finish::RenewToken(waiting) => waiting.finish(decided),
            Finish::ExpireToken(waiting) => waiting.finish(decided),
            Finish::MoveLogs(waiting) => waiting.finish(Err(why_not(decided))),
        }
    }

    fn finish_moves(self, codes: Result<Vec<ErrorCode>>) -> std::result::Result<Answer, String> {
        match self {
            Finish::MoveLogs(waiting) => waiting.finish(codes),
            _ => Err("moves were answered to a request that asked for none".into()),
        }
    }
}
