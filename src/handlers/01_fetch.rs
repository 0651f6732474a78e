//! Fetch (key 1), versions 4–18.
//!
//! Without a lock: the session says which partitions are covered, each gives a range of a segment file, and the answer
//! is the head with holes that the ranges fill on their way out. Too few bytes yet: the request waits for its
//! partitions' progress or its time (`DelayedFetch`).
//!
//! Versions: 7 sessions (KIP-227), 12 flexible and diverging epochs (KIP-595), 13 topic ids (KIP-516), 15 replica state,
//! 11 may be sent to a follower (KIP-392, see `followers`), 16 who leads instead (KIP-951), 18 high watermark of the follower. A
//! follower's fetch is refused: there is no other broker yet.
//!
//! Needs Read of each topic. It is asked when the request comes, for the partitions that it looks at: those of a session that
//! it passes over were seen for the same client under the same rules, as a session looks at all of its partitions when either
//! is another. A follower needs ClusterAction, and is told without it that it may not read any topic (`KafkaApis.handleFetchRequest`).

use std::sync::Arc;
use std::time::Duration;

use super::access;
use super::current_leaders::{CurrentLeaders, LeaderNode};
use super::fetch_refused::{refuse_all, refuse_follower, whole_error};
use super::fetch_session::{Answering, Asked, Judging, NO_SESSION, Name, Seen, Told, Wanted};
use super::fetch_wanted::{forgotten, wanted};
use super::followers::{self, NO_REPLICA, Reader, Sight};
use super::{Answer, Head, Outcome, Parked, Polled, Request, State, numbers};
use crate::model::{ErrorCode, Instant, IsolationLevel, LeaderEpoch, Offset};
use crate::replica::partition::Partition;
use crate::security::access::{AclOperation, AclResource};
use crate::security::quota::Kind;
use crate::shard::context::Context;
use crate::shard::quotas::Metered;
use crate::stdx::spare;
use crate::storage::log::{AbortedTxn, Slice};
use crate::wire::api::fetch::{
    self as message, AbortedTransaction, EpochEndOffset, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use crate::wire::fetch::{Hole, Opening, ResponseWriter};

/// The first version that names topics by id.
pub(super) const TOPIC_ID_SINCE: i16 = 13;
/// The first version that can be told of a diverging epoch.
const DIVERGING_SINCE: i16 = 12;
/// The first version that is told who leads instead. Older ones have a place for the leader, which Kafka leaves empty.
const CURRENT_LEADER_SINCE: i16 = 16;

/// What is known of a client that has a quota, or may be sent elsewhere.
struct Client {
    /// What it may be sent.
    metered: Option<Metered>,
    /// It may be sent to a follower.
    reader: Option<Reader>,
}

/// A fetch that waits for more bytes.
pub struct Waiting {
    head: Head,
    isolation: IsolationLevel,
    min_bytes: u32,
    max_bytes: u32,
    answering: Answering,
    partitions: Vec<(Name, Wanted)>,
    /// Boxed, as most have nothing of it and a parked fetch is to be small.
    client: Option<Box<Client>>,
}

type Read = Result<(Option<Slice>, Option<(LeaderEpoch, Offset)>), ErrorCode>;

/// What one partition has for the client.
struct Found {
    partition: Option<Arc<Partition>>,
    error: ErrorCode,
    diverging: Option<(LeaderEpoch, Offset)>,
    slice: Option<Slice>,
    /// What is seen of it that is less than all, or elsewhere.
    sight: Option<Box<Sight>>,
}

/// What all partitions of a fetch have.
struct Gathered {
    found: Vec<Found>,
    size_bytes: u64,
    /// Something must be said now, however few bytes there are.
    is_urgent: bool,
}

pub(super) fn handle(state: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let replica_id = if request.head.version >= 15 { body.replica_state.replica_id } else { body.replica_id };
    if replica_id >= 0 && !request.may_cluster(context, AclOperation::ClusterAction) {
        return refuse_follower(request.head, &body);
    }
    if replica_id >= 0 {
        return refuse_all(request.head, &body, ErrorCode::ClusterAuthorizationFailed);
    }
    // Kafka finds a level that does not exist in the middle of handling the request.
    let Some(isolation) = IsolationLevel::from_id(body.isolation_level) else {
        return refuse_all(request.head, &body, ErrorCode::UnknownServerError);
    };
    let asked = Asked {
        session_id: body.session_id,
        session_epoch: body.session_epoch,
        uses_topic_ids: request.head.version >= TOPIC_ID_SINCE,
        isolation,
        judging: Judging {
            subject: request.session.subject(),
            is_own: request.session.is_own(),
            rules_epoch: access::rules_epoch(context),
        },
    };
    let begun = state.sessions.begin(context.now, asked, wanted(&body), &forgotten(&body));
    let (answering, partitions) = match begun {
        Ok(begun) => begun,
        Err(error) => return whole_error(request.head, error),
    };
    let metered = context.meter(Kind::Fetch, request.session, request.client_id);
    let quota = metered.as_ref().map_or(u64::MAX, Metered::most_at_once);
    let limit = context.shared.config.fetch_max_bytes.min(u32::try_from(quota).unwrap_or(u32::MAX));
    let max_bytes = u32::try_from(body.max_bytes).unwrap_or(0).min(limit);
    let denied = denied(context, request, &partitions);
    let waiting = Waiting {
        head: request.head,
        isolation: asked.isolation,
        // Waiting for more than may be answered would be waiting for nothing.
        min_bytes: u32::try_from(body.min_bytes).unwrap_or(0).min(max_bytes),
        max_bytes,
        answering,
        partitions,
        client: Client::of(metered, Reader::of(context, request, &body.rack_id)),
    };
    let mut gathered = waiting.gather(context, false, &denied);
    gathered.found.iter().filter_map(|found| found.partition.as_ref()).for_each(|of| of.traffic.note_look());
    if body.max_wait_ms > 0 && !waiting.is_enough(&gathered) {
        // It will wait, unless what it waits for has come before the shard's bits were set.
        gathered = waiting.gather(context, true, &denied);
    }
    if body.max_wait_ms <= 0 || waiting.is_enough(&gathered) {
        return waiting.answer(state, context, gathered).map_or_else(Outcome::Close, Outcome::Answer);
    }
    state.sessions.park(waiting.answering, context.ticket());
    let deadline = context.now + Duration::from_millis(body.max_wait_ms as u64);
    let watched = numbers(gathered.found.iter().filter_map(|found| found.partition.as_ref()));
    Outcome::Wait { parked: Parked::Fetch(waiting), deadline, watched }
}

/// The places of the partitions whose topics the client may not read. Of ids that are not known nothing is asked.
fn denied(context: &Context<'_>, request: &Request<'_>, partitions: &[(Name, Wanted)]) -> Vec<usize> {
    if !request.is_judged(context) {
        return Vec::new();
    }
    let mut last: Option<(&Name, bool)> = None;
    let mut is_denied = |name| {
        if let Some((before, denied)) = last.filter(|(before, _)| Name::are_of_one_topic(before, name)) {
            last = Some((before, denied));
            return denied;
        }
        let topic = match request.head.version {
            TOPIC_ID_SINCE.. => context.view.image.topic_by_id(name.topic_id).map(|topic| &*topic.name),
            _ => Some(&*name.topic),
        };
        let may_not = |topic| !request.may(context, AclOperation::Read, AclResource::Topic, topic);
        let denied = topic.is_some_and(may_not);
        last = Some((name, denied));
        denied
    };
    let places = partitions.iter().enumerate().filter(|(_, (name, _))| is_denied(name));
    places.map(|(place, _)| place).collect()
}

impl Client {
    fn of(metered: Option<Metered>, reader: Option<Reader>) -> Option<Box<Client>> {
        (metered.is_some() || reader.is_some()).then(|| Box::new(Client { metered, reader }))
    }
}

impl Waiting {
    fn metered(&self) -> Option<&Metered> {
        self.client.as_ref()?.metered.as_ref()
    }

    /// Looks again; if it `asks`, with the shard's bit set first, so that no progress is missed.
    pub(super) fn poll(&mut self, state: &mut State, context: &mut Context<'_>, expired: bool, asks: bool) -> Polled {
        if let Some(covered) = state.sessions.covered(self.answering) {
            self.partitions = covered;
        }
        // What may not be read is answered at once: a fetch that waits may read all that it asks for.
        let gathered = self.gather(context, asks, &[]);
        if !expired && !self.is_enough(&gathered) {
            return Polled::Wait;
        }
        self.answer(state, context, gathered).map_or_else(Polled::Close, Polled::Answer)
    }

    fn is_enough(&self, gathered: &Gathered) -> bool {
        // A session whose partitions are all idle waits for them; a request without partitions has nothing to wait for.
        let has_none = self.partitions.is_empty() && matches!(self.answering, Answering::Full { .. });
        gathered.is_urgent || has_none || gathered.size_bytes >= u64::from(self.min_bytes)
    }

    /// `denied` are the places of the partitions that the client may not read, in order.
    fn gather(&self, context: &Context<'_>, watch: bool, denied: &[usize]) -> Gathered {
        let mut gathered =
            Gathered { found: Vec::with_capacity(self.partitions.len()), size_bytes: 0, is_urgent: false };
        for (place, (name, wanted)) in self.partitions.iter().enumerate() {
            let left = u64::from(self.max_bytes).saturating_sub(gathered.size_bytes);
            let found = match denied.binary_search(&place) {
                Ok(_) => Found::failed(ErrorCode::TopicAuthorizationFailed),
                Err(_) => self.find(context, name, wanted, left, gathered.size_bytes == 0, watch),
            };
            gathered.is_urgent |= found.error.is_error() || found.diverging.is_some() || found.is_elsewhere();
            // What lies in the next segment cannot be part of this answer, so waiting would bring nothing.
            gathered.is_urgent |= found.slice.as_ref().is_some_and(|slice| slice.is_followed);
            gathered.size_bytes += found.slice.as_ref().map_or(0, |slice| slice.length);
            gathered.found.push(found);
        }
        gathered
    }

    fn find(
        &self,
        context: &Context<'_>,
        name: &Name,
        wanted: &Wanted,
        left: u64,
        is_first: bool,
        watch: bool,
    ) -> Found {
        let (partition, sight) = match self.see(context, name, wanted) {
            Ok(seen) => seen,
            Err(error) => return Found::failed(error),
        };
        if watch {
            partition.waiting.add(context.shard);
        }
        let mut read = self.read((partition, sight.as_deref()), wanted, left, is_first);
        // What a session finds at rest it does not look at again before it is told of progress, which it asks for first.
        if !watch && matches!(read, Ok((None, None))) && self.answering.session_id() != NO_SESSION {
            partition.waiting.add(context.shard);
            read = self.read((partition, sight.as_deref()), wanted, left, is_first);
        }
        let found = Found { partition: Some(partition.clone()), sight, ..Found::failed(ErrorCode::None) };
        match read {
            Ok((slice, diverging)) => Found { slice, diverging, ..found },
            Err(error) => Found { error, ..found },
        }
    }

    /// The partition, if it is this broker's to read, and what is less or elsewhere than usual.
    fn see<'v>(
        &self,
        context: &'v Context<'_>,
        name: &Name,
        wanted: &Wanted,
    ) -> Result<(&'v Arc<Partition>, Option<Box<Sight>>), ErrorCode> {
        let is_by_id = self.head.version >= TOPIC_ID_SINCE;
        let partition = match is_by_id {
            true => context.view.partition_by_id(name.topic_id, name.partition),
            false => context.view.partition_by_name(&name.topic, name.partition),
        };
        let reader = self.client.as_ref().and_then(|client| client.reader.as_ref());
        let Some(reader) = reader else { return Ok((partition?, None)) };
        let topic = match is_by_id {
            true => context.view.image.topic_by_id(name.topic_id),
            false => context.view.topic(&name.topic),
        };
        reader.see(context, (topic, name.partition), partition, wanted.fetch_offset)
    }

    /// The records that there are, or where the logs part.
    fn read(
        &self,
        (partition, sight): (&Partition, Option<&Sight>),
        wanted: &Wanted,
        left: u64,
        is_first: bool,
    ) -> Read {
        partition.check_leader_epoch(wanted.current_leader_epoch)?;
        if sight.is_some_and(Sight::is_elsewhere) {
            return Ok((None, None));
        }
        let extent = followers::extent(sight);
        if self.head.version >= DIVERGING_SINCE && wanted.last_fetched_epoch >= 0 {
            let diverging = diverging(partition, wanted)?;
            if diverging.is_some() {
                return Ok((None, diverging));
            }
        }
        if !extent.has(wanted.fetch_offset) {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        let limit = left.min(u64::try_from(wanted.partition_max_bytes).unwrap_or(0));
        let from = Offset(wanted.fetch_offset);
        let slice = partition.read_below(extent.end, from, self.isolation, limit, is_first)?;
        Ok((slice, None))
    }

    /// What a client beyond its quota is told: nothing, for so long. The session stays as it was, so that the client is told
    /// then (`FetchContext.getThrottledResponse`).
    fn throttled(&self, now: Instant, size_bytes: usize) -> Option<u32> {
        let metered = self.metered()?;
        let throttle_ms = metered.charge(size_bytes as f64, now);
        if throttle_ms > 0 {
            metered.charge(-(size_bytes as f64), now);
        }
        (throttle_ms > 0).then_some(throttle_ms)
    }

    /// Encodes what was gathered and is worth telling, or that its client must wait.
    fn answer(&self, state: &mut State, context: &Context<'_>, gathered: Gathered) -> Result<Answer, String> {
        let estimate = self.metered().map_or(0, |_| self.size_bytes(&gathered));
        if let Some(throttle_ms) = self.throttled(context.now, estimate) {
            let session_id = state.sessions.give_up(self.answering);
            let empty = self.head.encode(&message::Response { session_id, ..Default::default() })?;
            return Ok(Answer { throttle_ms, ..empty });
        }
        self.tell_all(state, context, gathered)
    }

    /// The size of the answer, about: names are as long as they are, what else is told of a partition has a usual size.
    fn size_bytes(&self, gathered: &Gathered) -> usize {
        const PARTITION_BYTES: usize = 50;
        gathered.size_bytes as usize + gathered.found.len() * PARTITION_BYTES
    }

    fn tell_all(&self, state: &mut State, context: &Context<'_>, gathered: Gathered) -> Result<Answer, String> {
        let all = self.partitions.iter().zip(gathered.found);
        let told: Vec<_> = all.filter(|((name, _), found)| self.tell(state, name, found)).collect();
        let leaders = self.current_leaders(context, &told);
        let topics: Vec<_> =
            told.chunk_by(|((a, _), _), ((b, _), _)| a.topic_id == b.topic_id && a.topic == b.topic).collect();
        let mut answer = Answer { bytes: spare::take(&spare::ANSWERS), ..Answer::default() };
        let mut holes = Vec::new();
        let opening = Opening {
            correlation_id: self.head.correlation_id,
            session_id: self.answering.session_id(),
            topic_count: topics.len(),
            ..Default::default()
        };
        let mut writer = ResponseWriter::new(&mut answer.bytes, &mut holes, self.head.version, &opening);
        let mut places = 0..;
        for topic in topics {
            let name = &topic[0].0.0;
            writer.topic(&name.topic, name.topic_id, topic.len());
            for (((name, _), found), place) in topic.iter().zip(&mut places) {
                let leader = leaders.at(place);
                let current_leader = LeaderIdAndEpoch { leader_id: leader.id, leader_epoch: leader.epoch };
                let data = PartitionData { current_leader, ..self.data(name, found) };
                writer.partition(&data, Some(found.records_bytes()));
            }
        }
        let errors = writer.take_errors();
        let endpoints: Vec<_> = leaders.nodes().iter().map(endpoint).collect();
        writer.finish(&endpoints).map_err(|error| format!("cannot encode a Fetch answer: {error}"))?;
        for (_, found) in &told {
            if let (Some(partition), Some(slice)) = (&found.partition, &found.slice) {
                partition.traffic.note_fetch(slice.length);
            }
        }
        let slices = told.into_iter().filter_map(|(_, found)| found.slice).filter(|slice| slice.length > 0);
        let filled = holes.iter().filter(|hole: &&Hole| hole.size_bytes > 0);
        answer.errors = errors;
        answer.holes = filled.map(|hole| hole.position).zip(slices).collect();
        Ok(answer)
    }

    /// The leaders of partitions that this broker does not lead, or whose leader epoch the client does not know yet.
    fn current_leaders(&self, context: &Context<'_>, told: &[(&(Name, Wanted), Found)]) -> CurrentLeaders {
        let mut leaders = CurrentLeaders::default();
        if self.head.version < CURRENT_LEADER_SINCE {
            return leaders;
        }
        for (place, ((name, _), found)) in told.iter().enumerate() {
            if matches!(found.error, ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch) {
                let topic = context.view.image.topic_by_id(name.topic_id).map(|topic| &**topic);
                leaders.note(context, place, (topic, name.partition));
            }
        }
        leaders
    }

    fn tell(&self, state: &mut State, name: &Name, found: &Found) -> bool {
        let told = Told {
            high_watermark: found.high_watermark(),
            log_start_offset: found.log_start_offset(),
            is_error: found.error.is_error() || found.diverging.is_some() || found.is_elsewhere(),
        };
        let has_rest = !told.is_error && found.slice.is_none();
        let at_rest = found.partition.as_ref().filter(|_| has_rest).map(|partition| partition.number);
        state.sessions.tell(self.answering, name, Seen { told, records_bytes: found.records_bytes(), at_rest })
    }

    fn data(&self, name: &Name, found: &Found) -> PartitionData<'static> {
        let is_committed = self.isolation == IsolationLevel::ReadCommitted && !found.error.is_error();
        let diverging = found.diverging.map(|(epoch, end)| EpochEndOffset { epoch: epoch.0, end_offset: end.0 });
        PartitionData {
            partition_index: name.partition,
            error_code: found.error.code(),
            high_watermark: found.high_watermark(),
            last_stable_offset: found.last_stable_offset(),
            log_start_offset: found.log_start_offset(),
            diverging_epoch: diverging.unwrap_or_default(),
            aborted_transactions: (is_committed || found.is_no_partition()).then(|| found.aborted()),
            preferred_read_replica: found.sight.as_ref().map_or(NO_REPLICA, |sight| sight.preferred),
            ..Default::default()
        }
    }
}

impl Found {
    /// Nothing but an error.
    fn failed(error: ErrorCode) -> Found {
        Found { partition: None, error, diverging: None, slice: None, sight: None }
    }

    /// Whether no partition was looked at: of such Kafka tells that no transactions were aborted, of other errors nothing
    /// (`FetchResponse.partitionResponse`).
    fn is_no_partition(&self) -> bool {
        use ErrorCode::{TopicAuthorizationFailed, UnknownTopicId, UnknownTopicOrPartition};
        matches!(self.error, TopicAuthorizationFailed | UnknownTopicId | UnknownTopicOrPartition)
    }

    fn records_bytes(&self) -> usize {
        self.slice.as_ref().map_or(0, |slice| slice.length as usize)
    }

    fn aborted(&self) -> Vec<AbortedTransaction> {
        let aborted = self.slice.iter().flat_map(|slice| &slice.aborted);
        let told =
            |txn: &AbortedTxn| AbortedTransaction { producer_id: txn.producer_id, first_offset: txn.first_offset.0 };
        aborted.map(told).collect()
    }

    /// The partition, where there is no error that hides its offsets.
    fn readable(&self) -> Option<&Arc<Partition>> {
        self.partition.as_ref().filter(|_| !self.error.is_error())
    }

    fn high_watermark(&self) -> i64 {
        self.readable().map_or(-1, |partition| self.below_end(partition.high_watermark()))
    }

    fn last_stable_offset(&self) -> i64 {
        self.readable().map_or(-1, |partition| self.below_end(partition.last_stable_offset()))
    }

    fn log_start_offset(&self) -> i64 {
        let start = followers::extent(self.sight.as_deref()).start;
        self.readable().map_or(-1, |partition| partition.log.log_start_offset().max(start).0)
    }

    fn below_end(&self, offset: Offset) -> i64 {
        offset.min(followers::extent(self.sight.as_deref()).end).0
    }

    /// The client is sent to another broker for it.
    fn is_elsewhere(&self) -> bool {
        self.sight.as_deref().is_some_and(Sight::is_elsewhere)
    }
}

fn endpoint(node: &LeaderNode) -> NodeEndpoint<'_> {
    let rack = node.rack.as_deref().map(Into::into);
    NodeEndpoint { node_id: node.id, host: node.host.as_str().into(), port: node.port, rack }
}

/// Where the client's log and ours part, if they do (KIP-595): the client's last epoch ends before its fetch offset.
fn diverging(partition: &Partition, wanted: &Wanted) -> Result<Option<(LeaderEpoch, Offset)>, ErrorCode> {
    let last_epoch = LeaderEpoch(wanted.last_fetched_epoch);
    let (epoch, end) = partition.log.end_offset_for_epoch(last_epoch).ok_or(ErrorCode::OffsetOutOfRange)?;
    let parts = epoch < last_epoch || end < Offset(wanted.fetch_offset);
    Ok(parts.then_some((epoch, end)))
}
