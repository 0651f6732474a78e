//! Transactions over a raw connection. Requests are built from their parts, so that a test can say what no client says;
//! [`Producer`] says what a client says, in order. What the crate `kafka-protocol` does not know yet (TxnOffsetCommit 6,
//! WriteTxnMarkers 2) is encoded here.

use crate::batch::{Incoming, TRANSACTIONAL};
use crate::raw::{self, Batch, PATIENCE, Raw, text, topic_name};
use crate::{Context, Result, ensure};
use bytes::{Buf, Bytes};
use kafka_protocol::messages::add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, BrokerId, DescribeTransactionsRequest, EndTxnRequest,
    FetchRequest, FindCoordinatorRequest, GroupId, InitProducerIdRequest, OffsetFetchRequest, ProduceRequest,
    ProduceResponse, ProducerId, TransactionalId, TxnOffsetCommitRequest, WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
};
use kafka_protocol::protocol::{Decodable, Request};
use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub const CONCURRENT_TRANSACTIONS: i16 = 51;
/// While a coordinator comes to be: loading, not available, not this one, no leader yet.
const PASSING: &[i16] = &[3, 5, 6, 14, 15, 16, CONCURRENT_TRANSACTIONS];
/// The coordinator of a transactional id, for FindCoordinator.
pub const TRANSACTION: i8 = 1;
const GROUP: i8 = 0;
const WRITE_TXN_MARKERS: i16 = 27;
const TXN_OFFSET_COMMIT: i16 = 28;
/// The first version of Produce and of Fetch that names topics by their ids.
const TOPIC_IDS: i16 = 13;
/// The first version of TxnOffsetCommit that does.
pub const OFFSETS_BY_TOPIC_ID: i16 = 6;
const PAUSE: Duration = Duration::from_millis(5);
const FETCH_BYTES: i32 = 50 << 20;

/// A topic's name and a partition's index.
pub type Partition = (String, i32);

/// In whose name a request is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub transactional_id: String,
    pub producer_id: i64,
    pub epoch: i16,
}

pub fn init_producer_id(id: Option<&str>, timeout_ms: i32, expected: (i64, i16)) -> InitProducerIdRequest {
    InitProducerIdRequest::default()
        .with_transactional_id(id.map(|id| TransactionalId(text(id))))
        .with_transaction_timeout_ms(timeout_ms)
        .with_producer_id(ProducerId(expected.0))
        .with_producer_epoch(expected.1)
}

/// What one transaction of an AddPartitionsToTxn asks for.
#[derive(Clone, Debug)]
pub struct Addition {
    pub identity: Identity,
    pub verify_only: bool,
    pub partitions: Vec<Partition>,
}

/// The clients' form has room for the first of them only.
pub fn add_partitions(version: i16, additions: &[Addition]) -> AddPartitionsToTxnRequest {
    let topics = |addition: &Addition| {
        let topic = |(name, indexes): (String, Vec<i32>)| {
            AddPartitionsToTxnTopic::default().with_name(topic_name(&name)).with_partitions(indexes)
        };
        by_topic(&addition.partitions).into_iter().map(topic).collect::<Vec<_>>()
    };
    if version >= 4 {
        let transaction = |addition: &Addition| {
            AddPartitionsToTxnTransaction::default()
                .with_transactional_id(TransactionalId(text(&addition.identity.transactional_id)))
                .with_producer_id(ProducerId(addition.identity.producer_id))
                .with_producer_epoch(addition.identity.epoch)
                .with_verify_only(addition.verify_only)
                .with_topics(topics(addition))
        };
        return AddPartitionsToTxnRequest::default().with_transactions(additions.iter().map(transaction).collect());
    }
    let Some(first) = additions.first() else { return AddPartitionsToTxnRequest::default() };
    AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(TransactionalId(text(&first.identity.transactional_id)))
        .with_v3_and_below_producer_id(ProducerId(first.identity.producer_id))
        .with_v3_and_below_producer_epoch(first.identity.epoch)
        .with_v3_and_below_topics(topics(first))
}

pub fn add_offsets(identity: &Identity, group: &str) -> AddOffsetsToTxnRequest {
    AddOffsetsToTxnRequest::default()
        .with_transactional_id(TransactionalId(text(&identity.transactional_id)))
        .with_producer_id(ProducerId(identity.producer_id))
        .with_producer_epoch(identity.epoch)
        .with_group_id(GroupId(text(group)))
}

pub fn end(identity: &Identity, is_commit: bool) -> EndTxnRequest {
    EndTxnRequest::default()
        .with_transactional_id(TransactionalId(text(&identity.transactional_id)))
        .with_producer_id(ProducerId(identity.producer_id))
        .with_producer_epoch(identity.epoch)
        .with_committed(is_commit)
}

/// Whether a transactional id's state is known, and which it is.
pub fn describe(ids: &[&str]) -> DescribeTransactionsRequest {
    let ids = ids.iter().map(|id| TransactionalId(text(id))).collect();
    DescribeTransactionsRequest::default().with_transactional_ids(ids)
}

/// Who commits offsets within a group.
#[derive(Clone, Debug)]
pub struct Member {
    pub generation: i32,
    pub id: String,
    pub instance: Option<String>,
}

impl Default for Member {
    fn default() -> Member {
        Member { generation: -1, id: String::new(), instance: None }
    }
}

/// Offsets of a group within a transaction, with the metadata `m`.
#[derive(Clone, Debug)]
pub struct Offsets {
    pub identity: Identity,
    pub group: String,
    pub member: Member,
    pub offsets: Vec<(Partition, i64)>,
}

impl Offsets {
    /// The errors by partition. A topic that has no id is named by one that no topic has.
    pub fn commit(&self, raw: &mut Raw, version: i16) -> Result<Vec<(Partition, i16)>> {
        if version >= OFFSETS_BY_TOPIC_ID {
            return self.commit_by_topic_id(raw, version);
        }
        let topics = self.offsets.iter().map(|((topic, index), offset)| {
            let partition = TxnOffsetCommitRequestPartition::default()
                .with_partition_index(*index)
                .with_committed_offset(*offset)
                .with_committed_metadata(Some(text("m")));
            TxnOffsetCommitRequestTopic::default().with_name(topic_name(topic)).with_partitions(vec![partition])
        });
        let mut request = TxnOffsetCommitRequest::default()
            .with_transactional_id(TransactionalId(text(&self.identity.transactional_id)))
            .with_producer_id(ProducerId(self.identity.producer_id))
            .with_producer_epoch(self.identity.epoch)
            .with_group_id(GroupId(text(&self.group)))
            .with_topics(topics.collect());
        // Members are known since version 3.
        if version >= 3 {
            request = request
                .with_generation_id(self.member.generation)
                .with_member_id(text(&self.member.id))
                .with_group_instance_id(self.member.instance.as_deref().map(text));
        }
        let mut found = Vec::new();
        for topic in raw.call(&request, version)?.topics {
            let name = topic.name.to_string();
            found.extend(topic.partitions.iter().map(|p| ((name.clone(), p.partition_index), p.error_code)));
        }
        Ok(found)
    }

    fn commit_by_topic_id(&self, raw: &mut Raw, version: i16) -> Result<Vec<(Partition, i16)>> {
        let mut names = HashMap::new();
        let mut body = Vec::new();
        put_string(&mut body, Some(&self.identity.transactional_id));
        put_string(&mut body, Some(&self.group));
        body.extend(self.identity.producer_id.to_be_bytes());
        body.extend(self.identity.epoch.to_be_bytes());
        body.extend(self.member.generation.to_be_bytes());
        put_string(&mut body, Some(&self.member.id));
        put_string(&mut body, self.member.instance.as_deref());
        put_count(&mut body, self.offsets.len());
        for ((topic, index), offset) in &self.offsets {
            let id = topic_id(raw, topic);
            names.insert(id, topic.clone());
            body.extend(id);
            put_count(&mut body, 1);
            body.extend(index.to_be_bytes());
            body.extend(offset.to_be_bytes());
            body.extend((-1_i32).to_be_bytes());
            put_string(&mut body, Some("m"));
            body.extend([0, 0]); // no tagged fields: the partition's, the topic's
        }
        body.push(0);
        let mut answer = exchange(raw, TXN_OFFSET_COMMIT, version, &body)?;
        let mut found = Vec::new();
        answer.advance(4);
        for _ in 0..take_count(&mut answer)? {
            ensure!(answer.remaining() >= 16, "an answer that is cut");
            let mut id = [0; 16];
            answer.copy_to_slice(&mut id);
            let name = names.get(&id).cloned().unwrap_or_else(|| format!("{id:02x?}"));
            for _ in 0..take_count(&mut answer)? {
                ensure!(answer.remaining() >= 7, "an answer that is cut");
                found.push(((name.clone(), answer.get_i32()), answer.get_i16()));
                answer.advance(1);
            }
            answer.advance(1);
        }
        Ok(found)
    }
}

/// One marker of a WriteTxnMarkers.
#[derive(Clone, Debug)]
pub struct Marker {
    pub producer_id: i64,
    pub epoch: i16,
    pub is_commit: bool,
    pub coordinator_epoch: i32,
    /// Since version 2.
    pub transaction_version: i8,
    pub partitions: Vec<Partition>,
}

pub fn write_markers(raw: &mut Raw, version: i16, markers: &[Marker]) -> Result<WriteTxnMarkersResponse> {
    if version < 2 {
        let marker = |marker: &Marker| {
            let topic = |(name, indexes): (String, Vec<i32>)| {
                WritableTxnMarkerTopic::default().with_name(topic_name(&name)).with_partition_indexes(indexes)
            };
            WritableTxnMarker::default()
                .with_producer_id(ProducerId(marker.producer_id))
                .with_producer_epoch(marker.epoch)
                .with_transaction_result(marker.is_commit)
                .with_coordinator_epoch(marker.coordinator_epoch)
                .with_topics(by_topic(&marker.partitions).into_iter().map(topic).collect())
        };
        return raw
            .call(&WriteTxnMarkersRequest::default().with_markers(markers.iter().map(marker).collect()), version);
    }
    let mut body = Vec::new();
    put_count(&mut body, markers.len());
    for marker in markers {
        body.extend(marker.producer_id.to_be_bytes());
        body.extend(marker.epoch.to_be_bytes());
        body.push(u8::from(marker.is_commit));
        let topics = by_topic(&marker.partitions);
        put_count(&mut body, topics.len());
        for (name, indexes) in topics {
            put_string(&mut body, Some(&name));
            put_count(&mut body, indexes.len());
            indexes.iter().for_each(|index| body.extend(index.to_be_bytes()));
            body.push(0);
        }
        body.extend(marker.coordinator_epoch.to_be_bytes());
        body.push(marker.transaction_version as u8);
        body.push(0);
    }
    body.push(0);
    let mut answer = exchange(raw, WRITE_TXN_MARKERS, version, &body)?;
    WriteTxnMarkersResponse::decode(&mut answer, 1)
}

/// Bytes for each partition; a topic that has no id is named by one that no topic has.
pub fn produce(
    raw: &mut Raw,
    version: i16,
    id: Option<&str>,
    data: &[(Partition, Vec<u8>)],
) -> Result<ProduceResponse> {
    let mut topics: Vec<(String, Vec<PartitionProduceData>)> = Vec::new();
    for ((topic, index), bytes) in data {
        let bytes = Bytes::from(bytes.clone());
        let partition = PartitionProduceData::default().with_index(*index).with_records(Some(bytes));
        match topics.last_mut().filter(|(last, _)| last == topic) {
            Some((_, partitions)) => partitions.push(partition),
            None => topics.push((topic.clone(), vec![partition])),
        }
    }
    let mut named = Vec::new();
    for (topic, partitions) in topics {
        let data = TopicProduceData::default().with_partition_data(partitions);
        named.push(match version >= TOPIC_IDS {
            true => data.with_topic_id(uuid::Uuid::from_bytes(topic_id(raw, &topic))),
            false => data.with_name(topic_name(&topic)),
        });
    }
    let request = ProduceRequest::default()
        .with_transactional_id(id.map(|id| TransactionalId(text(id))))
        .with_acks(-1)
        .with_timeout_ms(30_000)
        .with_topic_data(named);
    raw.call(&request, version)
}

/// Writes to an internal topic, which brokers allow to a client of this name only.
pub fn produce_internally(raw: &mut Raw, partition: &Partition, bytes: Vec<u8>) -> Result<()> {
    const ADMIN_CLIENT: &str = "__admin_client";
    const VERSION: i16 = 7;
    let data = PartitionProduceData::default().with_index(partition.1).with_records(Some(Bytes::from(bytes)));
    let topic = TopicProduceData::default().with_name(topic_name(&partition.0)).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![topic]);
    let (id, body) = (raw.next_correlation_id(), raw::body(&request, VERSION)?);
    raw.send_frame(&raw::frame_of(ADMIN_CLIENT, ProduceRequest::KEY, VERSION, id, 1, &body));
    let mut answer = Bytes::from(raw.frame()?);
    ensure!(answer.remaining() >= 4 && answer.get_i32() == id, "another correlation id");
    let answer = ProduceResponse::decode(&mut answer, VERSION)?;
    let found = answer.responses.first().and_then(|topic| topic.partition_responses.first());
    let error = found.context("no partition in the answer")?.error_code;
    ensure!(error == 0, "Produce {partition:?}: error {error}");
    Ok(())
}

/// What a consumer of this isolation level is told of a partition from an offset on.
pub fn fetch(raw: &mut Raw, version: i16, partition: &Partition, offset: i64, isolation: i8) -> Result<PartitionData> {
    let asked = FetchPartition::default()
        .with_partition(partition.1)
        .with_current_leader_epoch(-1)
        .with_fetch_offset(offset)
        .with_log_start_offset(-1)
        .with_partition_max_bytes(FETCH_BYTES);
    let named = FetchTopic::default().with_partitions(vec![asked]);
    let named = match version >= TOPIC_IDS {
        true => named.with_topic_id(uuid::Uuid::from_bytes(topic_id(raw, &partition.0))),
        false => named.with_topic(topic_name(&partition.0)),
    };
    let mut request = FetchRequest::default()
        .with_max_wait_ms(0)
        .with_min_bytes(0)
        .with_max_bytes(FETCH_BYTES)
        .with_isolation_level(isolation)
        .with_topics(vec![named]);
    if version < 15 {
        request = request.with_replica_id(BrokerId(-1));
    }
    if version >= 7 {
        request = request.with_session_epoch(-1);
    }
    let response = raw.call(&request, version)?;
    let topic = response.responses.into_iter().next().context("no topic in the answer")?;
    topic.partitions.into_iter().next().context("no partition in the answer")
}

/// Waits until the coordinators of as many ids and groups as there may be partitions of `__transaction_state` and
/// `__consumer_offsets` answer.
pub fn await_coordinators(raw: &mut Raw) -> Result<()> {
    let find = FindCoordinatorRequest::default().with_key(text("first")).with_key_type(TRANSACTION);
    patiently("a transaction coordinator", || Ok(Some(raw.call(&find, 1)?).filter(|found| found.error_code == 0)))?;
    for n in 0..64 {
        let request = describe(&[&format!("coordinator-{n}")]);
        patiently("a loaded coordinator", || {
            let states = raw.call(&request, 0)?.transaction_states;
            Ok(states.first().filter(|state| !PASSING.contains(&state.error_code)).map(|_| ()))
        })?;
    }
    let find = FindCoordinatorRequest::default().with_key(text("first")).with_key_type(GROUP);
    patiently("a group coordinator", || Ok(Some(raw.call(&find, 1)?).filter(|found| found.error_code == 0)))?;
    for n in 0..64 {
        let group = GroupId(text(&format!("coordinator-{n}")));
        let request = OffsetFetchRequest::default().with_group_id(group).with_topics(None);
        patiently("a loaded coordinator", || {
            Ok(Some(raw.call(&request, 7)?).filter(|answer| !PASSING.contains(&answer.error_code)))
        })?;
    }
    Ok(())
}

/// Looks again and again, until there is something to be seen.
pub fn patiently<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        ensure!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        thread::sleep(PAUSE);
    }
}

/// A producer that does what clients do: of transaction version 2 (Produce 12, TxnOffsetCommit and EndTxn 5, each
/// transaction with an epoch of its own) or of the versions before it.
pub struct Producer {
    pub identity: Identity,
    is_v2: bool,
    sequences: HashMap<Partition, i32>,
    added: Vec<Partition>,
}

impl Producer {
    pub fn init(raw: &mut Raw, transactional_id: &str, timeout_ms: i32, is_v2: bool) -> Result<Producer> {
        let request = init_producer_id(Some(transactional_id), timeout_ms, (-1, -1));
        let given = patiently("a producer id", || {
            let answer = raw.call(&request, 5)?;
            ensure!(PASSING.contains(&answer.error_code) || answer.error_code == 0, "error {}", answer.error_code);
            Ok(Some(answer).filter(|answer| answer.error_code == 0))
        })?;
        let identity = Identity {
            transactional_id: transactional_id.to_string(),
            producer_id: given.producer_id.0,
            epoch: given.producer_epoch,
        };
        Ok(Producer { identity, is_v2, sequences: HashMap::new(), added: Vec::new() })
    }

    /// One batch; where it lies.
    pub fn send(&mut self, raw: &mut Raw, topic: &str, index: i32, values: &[&[u8]]) -> Result<i64> {
        let partition = (topic.to_string(), index);
        if !self.is_v2 && !self.added.contains(&partition) {
            self.add(raw, &partition)?;
        }
        let sequence = self.sequences.get(&partition).copied().unwrap_or(0);
        let batch = Batch {
            attributes: TRANSACTIONAL,
            producer_id: self.identity.producer_id,
            producer_epoch: self.identity.epoch,
            base_sequence: sequence,
            timestamp: SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64,
            ..Batch::of(values)
        };
        let (version, id) = (if self.is_v2 { 12 } else { 11 }, Some(self.identity.transactional_id.as_str()));
        let data = [(partition.clone(), batch.encode())];
        let offset = patiently("a place for records", || {
            let answer = produce(raw, version, id, &data)?;
            let topic = answer.responses.first().context("no topic in the answer")?;
            let found = topic.partition_responses.first().context("no partition in the answer")?;
            let error = found.error_code;
            ensure!(PASSING.contains(&error) || error == 0, "Produce {topic:?}");
            Ok((error == 0).then_some(found.base_offset))
        })?;
        self.sequences.insert(partition, sequence + values.len() as i32);
        Ok(offset)
    }

    fn add(&mut self, raw: &mut Raw, partition: &Partition) -> Result<()> {
        let addition =
            Addition { identity: self.identity.clone(), verify_only: false, partitions: vec![partition.clone()] };
        let request = add_partitions(3, &[addition]);
        patiently("a partition in the transaction", || {
            let answer = raw.call(&request, 3)?;
            let topic = answer.results_by_topic_v3_and_below.first().context("no topic in the answer")?;
            let error = topic.results_by_partition.first().context("no partition")?.partition_error_code;
            ensure!(PASSING.contains(&error) || error == 0, "AddPartitionsToTxn: error {error}");
            Ok((error == 0).then_some(()))
        })?;
        self.added.push(partition.clone());
        Ok(())
    }

    /// Offsets of a group without members.
    pub fn send_offsets(&mut self, raw: &mut Raw, group: &str, offsets: &[(Partition, i64)]) -> Result<()> {
        if !self.is_v2 {
            let request = add_offsets(&self.identity, group);
            patiently("a group in the transaction", || {
                let error = raw.call(&request, 4)?.error_code;
                ensure!(PASSING.contains(&error) || error == 0, "AddOffsetsToTxn: error {error}");
                Ok((error == 0).then_some(()))
            })?;
        }
        let (identity, offsets) = (self.identity.clone(), offsets.to_vec());
        let request = Offsets { identity, group: group.to_string(), member: Member::default(), offsets };
        let version = if self.is_v2 { 5 } else { 4 };
        patiently("offsets in the transaction", || {
            let errors = request.commit(raw, version)?;
            let bad = errors.iter().find(|(_, error)| *error != 0);
            ensure!(bad.is_none_or(|(_, error)| PASSING.contains(error)), "TxnOffsetCommit: {errors:?}");
            Ok(bad.is_none().then_some(()))
        })
    }

    pub fn commit(&mut self, raw: &mut Raw) -> Result<()> {
        self.end(raw, true)
    }

    pub fn abort(&mut self, raw: &mut Raw) -> Result<()> {
        self.end(raw, false)
    }

    fn end(&mut self, raw: &mut Raw, is_commit: bool) -> Result<()> {
        let (request, version) = (end(&self.identity, is_commit), if self.is_v2 { 5 } else { 4 });
        let answer = patiently("the end of the transaction", || {
            let answer = raw.call(&request, version)?;
            let error = answer.error_code;
            ensure!(PASSING.contains(&error) || error == 0, "EndTxn: error {error}");
            Ok(Some(answer).filter(|answer| answer.error_code == 0))
        })?;
        if self.is_v2 {
            (self.identity.producer_id, self.identity.epoch) = (answer.producer_id.0, answer.producer_epoch);
            self.sequences.clear();
        }
        self.added.clear();
        Ok(())
    }
}

/// The name of the state that DescribeTransactions tells of, or the error.
pub fn state(raw: &mut Raw, transactional_id: &str) -> Result<std::result::Result<String, i16>> {
    let states = raw.call(&describe(&[transactional_id]), 0)?.transaction_states;
    let state = states.into_iter().next().context("no state in the answer")?;
    Ok(if state.error_code == 0 { Ok(state.transaction_state.to_string()) } else { Err(state.error_code) })
}

/// Waits until no marker of a transactional id's is missing.
pub fn await_markers(raw: &mut Raw, transactional_id: &str) -> Result<()> {
    patiently("all markers", || {
        let state = state(raw, transactional_id)?;
        Ok((!state.is_ok_and(|state| state.starts_with("Prepare"))).then_some(()))
    })
}

/// What a group has committed in a partition, once no offset is pending; -1 for nothing.
pub fn stable_offset(raw: &mut Raw, group: &str, partition: &Partition) -> Result<i64> {
    const UNSTABLE_OFFSET_COMMIT: i16 = 88;
    let topic = OffsetFetchRequestTopic::default().with_name(topic_name(&partition.0));
    let request = OffsetFetchRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_topics(Some(vec![topic.with_partition_indexes(vec![partition.1])]))
        .with_require_stable(true);
    let mut last = String::new();
    let found = patiently("a stable offset", || {
        let answer = raw.call(&request, 7)?;
        last = format!("{answer:?}");
        let found = answer.topics.first().and_then(|topic| topic.partitions.first());
        let Some(found) = found.filter(|_| answer.error_code == 0) else { return Ok(None) };
        ensure!([0, UNSTABLE_OFFSET_COMMIT].contains(&found.error_code), "{group}: error {}", found.error_code);
        Ok((found.error_code == 0).then_some(found.committed_offset))
    });
    found.with_context(|| format!("{group} is told {last}"))
}

/// The values of all records that a read_committed consumer sees in a partition, as a client sorts them out.
pub fn read_committed(raw: &mut Raw, partition: &Partition) -> Result<Vec<String>> {
    let (mut next, mut values) = (0, Vec::new());
    loop {
        let found = fetch(raw, 12, partition, next, 1)?;
        ensure!(found.error_code == 0, "Fetch {partition:?}: error {}", found.error_code);
        let mut bytes = found.records.unwrap_or_default();
        let aborted = found.aborted_transactions.unwrap_or_default();
        let mut aborted: Vec<(i64, i64)> = aborted.iter().map(|a| (a.first_offset, a.producer_id.0)).collect();
        aborted.sort();
        let (mut ended_by, before) = (Vec::new(), next);
        while let Some(batch) = Incoming::take(&mut bytes)? {
            next = batch.last_offset + 1;
            while aborted.first().is_some_and(|(first, _)| *first <= batch.last_offset) {
                ended_by.push(aborted.remove(0).1);
            }
            if batch.is_control() {
                ended_by.retain(|id| *id != batch.producer_id);
            } else if !(batch.is_transactional() && ended_by.contains(&batch.producer_id)) {
                let texts = batch.records.iter().map(|(_, record)| record.value.as_deref().unwrap_or_default());
                values.extend(texts.map(|text| String::from_utf8_lossy(text).into_owned()));
            }
        }
        if next == before {
            return Ok(values);
        }
    }
}

/// Neighbours with the same topic belong together.
fn by_topic(partitions: &[Partition]) -> Vec<(String, Vec<i32>)> {
    let mut topics: Vec<(String, Vec<i32>)> = Vec::new();
    for (topic, index) in partitions {
        match topics.last_mut().filter(|(last, _)| last == topic) {
            Some((_, indexes)) => indexes.push(*index),
            None => topics.push((topic.clone(), vec![*index])),
        }
    }
    topics
}

/// A topic's id, or one that no topic has.
fn topic_id(raw: &mut Raw, topic: &str) -> [u8; 16] {
    raw.topic_id(topic).unwrap_or([7; 16])
}

/// Sends a body in a flexible version and returns the answer's.
fn exchange(raw: &mut Raw, key: i16, version: i16, body: &[u8]) -> Result<Bytes> {
    let id = raw.next_correlation_id();
    raw.send_frame(&raw::frame(key, version, id, 2, body));
    let mut answer = Bytes::from(raw.frame()?);
    ensure!(answer.remaining() >= 5 && answer.get_i32() == id, "another correlation id");
    answer.advance(1);
    Ok(answer)
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    put_varint(out, count + 1);
}

fn put_string(out: &mut Vec<u8>, string: Option<&str>) {
    put_varint(out, string.map_or(0, |string| string.len() + 1));
    out.extend(string.unwrap_or_default().as_bytes());
}

fn put_varint(out: &mut Vec<u8>, mut rest: usize) {
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn take_count(bytes: &mut Bytes) -> Result<usize> {
    let (mut value, mut shift) = (0_usize, 0);
    loop {
        ensure!(bytes.has_remaining() && shift < 32, "a count without end");
        let byte = bytes.get_u8();
        value |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return Ok(value.saturating_sub(1));
        }
    }
}
