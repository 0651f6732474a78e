//! One file per API key: `ls` is the table of what the protocol offers here.
//!
//! The rows of the [`table`] say what there is and what the server must know of it. A handler decides at once or answers
//! [`Outcome::Wait`] with a value that knows what it waits for.

// What several of them use.
mod access;
mod acls;
pub mod authentication;
mod broker_loggers;
mod cluster_state;
mod committed_topics;
mod config_changes;
mod current_leaders;
mod delegation_tokens;
mod effective;
mod fetch_refused;
pub mod fetch_session;
mod fetch_wanted;
mod group_job;
mod markers;
mod metadata_job;
mod mutations;
mod producer_ids;
mod rebalance;
mod room;
pub mod table;
mod transactional;
mod transactional_produce;

// One for each API; `ls` shows them in the order of their keys.
#[path = "25_add_offsets_to_txn.rs"]
mod add_offsets_to_txn;
#[path = "24_add_partitions_to_txn.rs"]
mod add_partitions_to_txn;
#[path = "49_alter_client_quotas.rs"]
mod alter_client_quotas;
#[path = "33_alter_configs.rs"]
mod alter_configs;
#[path = "45_alter_partition_reassignments.rs"]
mod alter_partition_reassignments;
#[path = "34_alter_replica_log_dirs.rs"]
mod alter_replica_log_dirs;
#[path = "51_alter_user_scram_credentials.rs"]
mod alter_user_scram_credentials;
#[path = "18_api_versions.rs"]
mod api_versions;
#[path = "69_consumer_group_describe.rs"]
mod consumer_group_describe;
#[path = "68_consumer_group_heartbeat.rs"]
mod consumer_group_heartbeat;
#[path = "30_create_acls.rs"]
mod create_acls;
#[path = "38_create_delegation_token.rs"]
mod create_delegation_token;
#[path = "37_create_partitions.rs"]
mod create_partitions;
#[path = "19_create_topics.rs"]
mod create_topics;
#[path = "31_delete_acls.rs"]
mod delete_acls;
#[path = "42_delete_groups.rs"]
mod delete_groups;
#[path = "21_delete_records.rs"]
mod delete_records;
#[path = "20_delete_topics.rs"]
mod delete_topics;
#[path = "29_describe_acls.rs"]
mod describe_acls;
#[path = "48_describe_client_quotas.rs"]
mod describe_client_quotas;
#[path = "60_describe_cluster.rs"]
mod describe_cluster;
#[path = "32_describe_configs.rs"]
mod describe_configs;
#[path = "41_describe_delegation_token.rs"]
mod describe_delegation_token;
#[path = "15_describe_groups.rs"]
mod describe_groups;
#[path = "35_describe_log_dirs.rs"]
mod describe_log_dirs;
#[path = "61_describe_producers.rs"]
mod describe_producers;
#[path = "55_describe_quorum.rs"]
mod describe_quorum;
#[path = "75_describe_topic_partitions.rs"]
mod describe_topic_partitions;
#[path = "65_describe_transactions.rs"]
mod describe_transactions;
#[path = "50_describe_user_scram_credentials.rs"]
mod describe_user_scram_credentials;
#[path = "43_elect_leaders.rs"]
mod elect_leaders;
#[path = "26_end_txn.rs"]
mod end_txn;
#[path = "40_expire_delegation_token.rs"]
mod expire_delegation_token;
#[path = "01_fetch.rs"]
mod fetch;
#[path = "10_find_coordinator.rs"]
mod find_coordinator;
mod followers;
#[path = "12_heartbeat.rs"]
mod heartbeat;
#[path = "44_incremental_alter_configs.rs"]
mod incremental_alter_configs;
#[path = "22_init_producer_id.rs"]
mod init_producer_id;
#[path = "11_join_group.rs"]
mod join_group;
#[path = "13_leave_group.rs"]
mod leave_group;
#[path = "74_list_config_resources.rs"]
mod list_config_resources;
#[path = "16_list_groups.rs"]
mod list_groups;
#[path = "02_list_offsets.rs"]
mod list_offsets;
#[path = "46_list_partition_reassignments.rs"]
mod list_partition_reassignments;
#[path = "66_list_transactions.rs"]
mod list_transactions;
#[path = "03_metadata.rs"]
mod metadata;
#[path = "08_offset_commit.rs"]
mod offset_commit;
#[path = "47_offset_delete.rs"]
mod offset_delete;
#[path = "09_offset_fetch.rs"]
mod offset_fetch;
#[path = "23_offset_for_leader_epoch.rs"]
mod offset_for_leader_epoch;
#[path = "00_produce.rs"]
mod produce;
#[path = "39_renew_delegation_token.rs"]
mod renew_delegation_token;
#[path = "36_sasl_authenticate.rs"]
mod sasl_authenticate;
#[path = "17_sasl_handshake.rs"]
mod sasl_handshake;
#[path = "14_sync_group.rs"]
mod sync_group;
#[path = "28_txn_offset_commit.rs"]
mod txn_offset_commit;
#[path = "64_unregister_broker.rs"]
mod unregister_broker;
#[path = "57_update_features.rs"]
mod update_features;
#[path = "27_write_txn_markers.rs"]
mod write_txn_markers;

// Tests of several together.
#[cfg(test)]
mod readme;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use self::table::{HANDLERS, Handler, Order};
use crate::codec::{DecodeError, EncodeError, EncodeErrorKind, Message, Reader, Str, ToldErrors};
use crate::metadata::Refusal;
use crate::model::{ApiKey, Instant};
use crate::replica::partition::Partition;
use crate::replica::watch::ShardId;
use crate::shard::context::{Context, News, Shared};
use crate::shard::session::Session;
use crate::stdx::slab::Key;
use crate::stdx::spare;
use crate::storage::log::Slice;
use crate::wire::api::{self, Description};
use crate::wire::frame;
use crate::wire::header::RequestHeader;
use crate::wire::refusal::{self, WhyRefused};

/// An answer ready to be sent: a whole frame, with the ranges of files that belong into it and where.
#[derive(Default)]
pub struct Answer {
    pub bytes: Vec<u8>,
    pub holes: Vec<(usize, Slice)>,
    /// How long its client is to be throttled; the server says so in it.
    pub throttle_ms: u32,
    /// The error codes in it.
    pub errors: ToldErrors,
    /// A rule of a test has cut it off: nothing leaves its connection behind it.
    pub is_last: bool,
}

impl Answer {
    /// Writes into it for how long its client is throttled, where its version has a place for that.
    pub fn tell_throttle(&mut self, api: ApiKey, version: i16, ms: u32) {
        let at = api::describe(api).and_then(|description| description.throttle_at(version, &self.bytes));
        if let Some(told) = at.and_then(|at| self.bytes.get_mut(at..at + size_of::<i32>())) {
            told.copy_from_slice(&i32::try_from(ms).unwrap_or(i32::MAX).to_be_bytes());
        }
    }

    /// Its length, with what belongs into its holes.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len() + self.holes.iter().map(|(_, slice)| slice.length as usize).sum::<usize>()
    }
}

pub use self::markers::write_markers;
/// A produce whose records are appended and not yet written.
pub use self::produce::Waiting as AppendedProduce;

/// What became of a request.
pub enum Outcome {
    Answer(Answer),
    /// No answer, as for a produce with `acks=0`.
    Silent,
    /// Records were appended: the end of the turn writes them, and then it is known whether the request must wait.
    Appended(AppendedProduce),
    Wait {
        parked: Parked,
        deadline: Instant,
        /// Numbers of the partitions whose progress may end the wait.
        watched: Vec<u64>,
    },
    /// The connection cannot go on; the reason is for the log.
    Close(String),
}

/// What polling a parked request found.
pub enum Polled {
    Wait,
    Answer(Answer),
    Silent,
    /// The request goes on, as if it had come now.
    Again(Box<Outcome>),
    /// The connection cannot go on; the reason is for the log.
    Close(String),
}

impl Polled {
    /// The outcome of a request that was polled when it came, and waits if it must.
    fn or_wait(self, wait: impl FnOnce() -> Outcome) -> Outcome {
        match self {
            Polled::Wait => wait(),
            Polled::Answer(answer) => Outcome::Answer(answer),
            Polled::Silent => Outcome::Silent,
            Polled::Again(outcome) => *outcome,
            Polled::Close(reason) => Outcome::Close(reason),
        }
    }
}

/// A request that waits.
pub enum Parked {
    /// It waits for a sync; boxed, because few produces wait longer than their turn.
    Produce(Box<AppendedProduce>),
    Fetch(fetch::Waiting),
    Metadata(Box<metadata_job::Waiting>),
    /// It waits for a coordinator's records to be committed.
    Barrier(group_job::Waiting),
    /// It waits for other members of its group.
    Rebalance(Box<rebalance::Waiting>),
    /// They wait for the coordinator of their transaction.
    Transactional(Box<transactional_produce::Waiting>),
    TxnOffsetCommit(Box<txn_offset_commit::Waiting>),
    /// It waits for its markers to be committed.
    WriteTxnMarkers(Box<write_txn_markers::Waiting>),
    /// The broker's own work.
    Markers(Box<markers::Waiting>),
}

impl Parked {
    pub fn is_produce(&self) -> bool {
        matches!(self, Parked::Produce(_))
    }

    /// Whether it could be answered now with what there is.
    pub fn waits_for_more(&self) -> bool {
        matches!(self, Parked::Fetch(_) | Parked::Rebalance(_))
    }

    /// What others have to tell.
    pub fn receive(&mut self, news: News) {
        match (self, news) {
            (Parked::Metadata(waiting), News::Metadata(result)) => waiting.receive(result),
            (Parked::Rebalance(waiting), News::Group { reply, barrier }) => waiting.receive(reply, barrier),
            _ => {}
        }
    }

    /// Decides whether the wait is over. An expired request is answered in any case.
    pub fn poll(&mut self, state: &mut State, context: &mut Context<'_>, expired: bool) -> Polled {
        // Nearly always the first poll ends the wait. Only what must go on waiting asks to be told of progress, and is polled
        // again: a shard that has asked is woken by the next write, and a wake-up for nothing costs more than a poll.
        match self.poll_once(state, context, expired, false) {
            Polled::Wait => self.poll_once(state, context, expired, true),
            polled => polled,
        }
    }

    fn poll_once(&mut self, state: &mut State, context: &mut Context<'_>, expired: bool, asks: bool) -> Polled {
        match self {
            Parked::Produce(waiting) => waiting.poll(context, expired, asks),
            Parked::Fetch(waiting) => waiting.poll(state, context, expired, asks),
            Parked::Metadata(waiting) => waiting.poll(context, expired),
            Parked::Barrier(waiting) => waiting.poll(context, expired, asks),
            Parked::Rebalance(waiting) => waiting.poll(context, expired, asks),
            Parked::Transactional(waiting) => waiting.poll(state, context, expired, asks),
            Parked::TxnOffsetCommit(waiting) => waiting.poll(context, expired, asks),
            Parked::WriteTxnMarkers(waiting) => waiting.poll(context, expired, asks),
            Parked::Markers(waiting) => waiting.poll(context, expired, asks),
        }
    }
}

/// What handlers remember between requests; each shard has its own.
pub struct State {
    sessions: fetch_session::Cache,
    /// Lists for produces to come.
    produces: Vec<produce::Lists>,
}

impl State {
    pub fn new(shared: &Shared, shard: ShardId) -> State {
        let shards = shared.shards();
        let slots = fetch_session::Slots {
            all: shared.config.max_incremental_fetch_session_cache_slots as usize,
            taken: shared.fetch_sessions.clone(),
        };
        State {
            sessions: fetch_session::Cache::new(slots, shard.0 as usize, shards, shared.seed),
            produces: Vec::new(),
        }
    }

    /// A partition has made progress; the answer is who may wait for it besides those that watch it.
    pub fn mark_active(&mut self, partition: u64) -> Vec<Key> {
        self.sessions.mark_active(partition)
    }

    /// Any partition may have changed.
    pub fn mark_active_all(&mut self) {
        self.sessions.mark_active_all();
    }
}

/// The parts of a request that its answer needs.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    pub description: &'static Description,
    pub version: i16,
    pub correlation_id: i32,
    /// `klamm.answer.max.bytes`
    pub max_answer_bytes: usize,
}

impl Head {
    /// Encodes an answer, if it is not too large.
    fn encode<'m>(self, body: &impl Message<'m>) -> Result<Answer, String> {
        let mut bytes = spare::take(&spare::ANSWERS);
        let Head { description, version, correlation_id, max_answer_bytes } = self;
        let body = (body, version);
        match frame::append_response_within(&mut bytes, description, correlation_id, body, max_answer_bytes) {
            Ok(errors) => Ok(Answer { bytes, errors, ..Answer::default() }),
            Err(EncodeError { kind: EncodeErrorKind::TooLarge, .. }) => Err(self.too_large()),
            Err(error) => Err(format!("cannot encode the {} answer: {error}", self.description.key)),
        }
    }

    fn answer<'m>(self, body: &impl Message<'m>) -> Outcome {
        self.encode(body).map_or_else(Outcome::Close, Outcome::Answer)
    }

    /// The body of such a request cannot be read.
    fn bad(self, error: &DecodeError) -> Outcome {
        Outcome::Close(format!("bad {} request of version {}: {error}", self.description.key, self.version))
    }

    /// The answer of a request that waited.
    fn polled<'m>(self, body: &impl Message<'m>) -> Polled {
        self.encode(body).map_or_else(Polled::Close, Polled::Answer)
    }
}

/// A request as a handler gets it.
pub struct Request<'a> {
    pub head: Head,
    pub client_id: &'a str,
    pub body: &'a [u8],
    /// What the connection that it came by knows of its client.
    pub session: &'a Session,
}

impl<'a> Request<'a> {
    /// Decodes the body. Bytes behind it are ignored, as Kafka does.
    fn decode<M: Message<'a>>(&self) -> Result<M, Outcome> {
        M::decode(&mut Reader::new(self.body), self.head.version).map_err(|error| self.bad(error))
    }

    /// The answer that refuses all of it, in the form of its own (`getErrorResponse`); `None`: the client waits for none.
    fn refuse(&self, why: &WhyRefused<'_>) -> Result<Option<Answer>, String> {
        let Head { description, version, correlation_id, .. } = self.head;
        let refused = refusal::frame(description, version, correlation_id, &mut Reader::new(self.body), why)?;
        Ok(refused.map(|(bytes, errors)| Answer { bytes, errors, ..Answer::default() }))
    }

    /// Kafka closes the connection of a client that sends what cannot be read.
    fn bad(&self, error: DecodeError) -> Outcome {
        self.head.bad(&error)
    }
}

/// Handles one frame. `handler` is the row that [`table::of_frame`] finds for it.
pub fn handle(
    state: &mut State,
    context: &mut Context<'_>,
    handler: &'static Handler,
    frame: &[u8],
    session: &Session,
) -> Outcome {
    let Some((key, version)) = key_and_version(frame) else {
        return Outcome::Close(unknown(frame));
    };
    let Some(description) = api::describe(handler.key) else { return Outcome::Close(unknown(frame)) };
    assert_eq!(handler.key.id(), key, "a frame is handled by its own row");
    assert!(session.authentication.is_open(), "nothing is handled of a client that has not logged in");
    let mut reader = Reader::new(frame);
    let header = match RequestHeader::decode(&mut reader, description.request_header_version(version)) {
        Ok(header) => header,
        Err(error) => return Outcome::Close(format!("bad header of a {} request: {error}", handler.key)),
    };
    let max_answer_bytes = context.shared.config.max_answer_bytes;
    let head = Head { description, version, correlation_id: header.correlation_id, max_answer_bytes };
    let is_offered = handler.offers(version, &context.shared.config) || (session.is_own() && handler.has(version));
    if !is_offered {
        return match handler.key {
            ApiKey::ApiVersions => api_versions::unsupported(context, head),
            _ => Outcome::Close(format!("{} request of version {version}, which is not offered", handler.key)),
        };
    }
    let client_id = header.client_id.as_deref().unwrap_or_default();
    let body = &frame[frame.len() - reader.remaining()..];
    (handler.handle)(state, context, &Request { head, client_id, body, session })
}

/// Why a frame that no row handles ends its connection.
pub fn unknown(frame: &[u8]) -> String {
    match key_and_version(frame) {
        Some((key, version)) => format!("request of an API that is not offered: key {key}, version {version}"),
        None => "a frame too short for a request".into(),
    }
}

fn key_and_version(frame: &[u8]) -> Option<(i16, i16)> {
    let &[a, b, c, d, ..] = frame else { return None };
    Some((i16::from_be_bytes([a, b]), i16::from_be_bytes([c, d])))
}

/// What an item of an answer says of its result; the code alone where it says it all.
fn code_and_message<T>(result: &Result<T, Refusal>) -> (i16, Option<Str<'static>>) {
    match result {
        Ok(_) => (0, None),
        Err(refusal) => (refusal.error.code(), refusal.message.clone().map(Into::into)),
    }
}

/// Partitions to be watched.
fn numbers<'a>(partitions: impl Iterator<Item = &'a Arc<Partition>>) -> Vec<u64> {
    partitions.map(|partition| partition.number).collect()
}
