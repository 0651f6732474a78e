//! A transactional producer of the stories, as a client of before KIP-890 or as one of transaction version 2, and what
//! readers of either isolation level find.

use std::collections::{BTreeMap, BTreeSet};

use super::client::Client;
use super::cluster::SharedCluster;
use super::stories::{FETCH, TOPIC, fetch_request};
use super::wire::is_retriable;
use crate::codec::{Message, Reader};
use crate::model::{ApiKey, ErrorCode, TimestampMs};
use crate::record::batches::Batches;
use crate::record::builder::{Builder, Options, Record};
use crate::record::control::EndTxnMarker;
use crate::wire::api::{
    add_offsets_to_txn, add_partitions_to_txn, describe_transactions, end_txn, fetch, find_coordinator,
    init_producer_id, offset_fetch, produce, txn_offset_commit,
};

/// The group whose offsets are committed in transactions.
pub(super) const GROUP: &str = "loop";
const FIND: i16 = 3;
const INIT: i16 = 5;
const ADD_PARTITIONS: i16 = 3;
const ADD_OFFSETS: i16 = 3;
const OFFSET_FETCH: i16 = 7;
/// Steps between two tries, and tries before a story counts as hung.
const BACKOFF_STEPS: u64 = 100;
const TRIES: u32 = 400;
/// Steps that an answer may take.
const PATIENCE_STEPS: u64 = 200_000;
/// What a client says of a request whose connection has ended.
const LOST: ErrorCode = ErrorCode::NetworkException;

/// How a client takes part in its transactions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// It adds partitions before it writes, and its epoch stays.
    First,
    /// Its writes add their partitions, and its epoch rises with each end (transaction version 2).
    Second,
}

impl Way {
    pub(super) const BOTH: [Way; 2] = [Way::First, Way::Second];

    fn versions(self) -> (i16, i16, i16) {
        if self == Way::First { (11, 4, 3) } else { (12, 5, 5) }
    }

    fn produce(self) -> i16 {
        self.versions().0
    }

    fn end(self) -> i16 {
        self.versions().1
    }

    fn commit(self) -> i16 {
        self.versions().2
    }
}

/// See the module.
pub(super) struct Transactor {
    cluster: SharedCluster,
    client: Client,
    pub(super) id: String,
    pub(super) way: Way,
    pub(super) timeout_ms: i32,
    pub(super) producer: (i64, i16),
    /// The next sequence of each partition.
    next: BTreeMap<i32, i32>,
    /// What a client of the first way has added to its transaction.
    added: BTreeSet<i32>,
}

fn error(code: i16) -> ErrorCode {
    ErrorCode::from_code(code).expect("a code of the protocol")
}

/// Asks until the answer is not that it should be asked again.
pub(super) fn until_told(cluster: &SharedCluster, mut ask: impl FnMut() -> ErrorCode) -> ErrorCode {
    for _ in 0..TRIES {
        let told = ask();
        if told != LOST && !is_retriable(told) {
            return told;
        }
        (0..BACKOFF_STEPS).for_each(|_| cluster.borrow_mut().step());
    }
    panic!("it is told to ask again for ever, at last {}", ask());
}

/// The answer; `None` if the broker closed the connection, as it does where it cannot say what became of a request.
fn call<'m>(
    cluster: &SharedCluster,
    client: &mut Client,
    key: ApiKey,
    version: i16,
    body: &impl Message<'m>,
) -> Option<Vec<u8>> {
    client.send(key, version, body);
    wait(cluster, client, key, version)
}

fn wait(cluster: &SharedCluster, client: &mut Client, key: ApiKey, version: i16) -> Option<Vec<u8>> {
    for _ in 0..PATIENCE_STEPS {
        let is_open = client.pump();
        if let Some(answer) = client.take_answer(key, version) {
            return Some(answer);
        }
        if !is_open {
            *client = Client::connect(&cluster.borrow());
            return None;
        }
        cluster.borrow_mut().step();
    }
    panic!("no answer to {key}");
}

impl Transactor {
    pub(super) fn new(cluster: &SharedCluster, id: &str, way: Way) -> Transactor {
        Transactor {
            cluster: cluster.clone(),
            client: Client::connect(&cluster.borrow()),
            id: id.into(),
            way,
            timeout_ms: 60_000,
            producer: (-1, -1),
            next: BTreeMap::new(),
            added: BTreeSet::new(),
        }
    }

    /// One with its producer id.
    pub(super) fn started(cluster: &SharedCluster, id: &str, way: Way) -> Transactor {
        find_coordinators(cluster, id);
        let mut transactor = Transactor::new(cluster, id, way);
        transactor.start();
        transactor
    }

    pub(super) fn start(&mut self) {
        let cluster = self.cluster.clone();
        assert_eq!(until_told(&cluster, || self.init()), ErrorCode::None);
    }

    pub(super) fn reconnect(&mut self) {
        self.client = Client::connect(&self.cluster.borrow());
    }

    fn wait(&mut self, key: ApiKey, version: i16) -> Option<Vec<u8>> {
        wait(&self.cluster, &mut self.client, key, version)
    }

    pub(super) fn init(&mut self) -> ErrorCode {
        self.send_init();
        let Some(answer) = self.wait(ApiKey::InitProducerId, INIT) else { return LOST };
        let response = init_producer_id::Response::decode(&mut Reader::new(&answer), INIT).unwrap();
        if response.error_code == 0 {
            self.producer = (response.producer_id, response.producer_epoch);
            self.next.clear();
            self.added.clear();
        }
        error(response.error_code)
    }

    pub(super) fn send_init(&mut self) {
        let id = self.id.clone();
        let request = init_producer_id::Request {
            transactional_id: Some(id.as_str().into()),
            transaction_timeout_ms: self.timeout_ms,
            ..Default::default()
        };
        self.client.send(ApiKey::InitProducerId, INIT, &request);
        self.client.pump();
    }

    /// Adds a partition, as clients of the first way do.
    pub(super) fn add(&mut self, partition: i32) -> ErrorCode {
        self.send_add(partition);
        let answer = self.wait(ApiKey::AddPartitionsToTxn, ADD_PARTITIONS);
        answer.map_or(LOST, |answer| told_of_partition(&answer))
    }

    pub(super) fn send_add(&mut self, partition: i32) {
        let id = self.id.clone();
        let topic = add_partitions_to_txn::AddPartitionsToTxnTopic { name: TOPIC.into(), partitions: vec![partition] };
        let request = add_partitions_to_txn::Request {
            v3_and_below_transactional_id: id.as_str().into(),
            v3_and_below_producer_id: self.producer.0,
            v3_and_below_producer_epoch: self.producer.1,
            v3_and_below_topics: vec![topic],
            ..Default::default()
        };
        self.client.send(ApiKey::AddPartitionsToTxn, ADD_PARTITIONS, &request);
        self.client.pump();
    }

    /// Writes a record in the transaction.
    pub(super) fn write(&mut self, partition: i32, value: &str) -> ErrorCode {
        if self.way == Way::First && !self.added.contains(&partition) {
            match self.add(partition) {
                ErrorCode::None => self.added.insert(partition),
                refused => return refused,
            };
        }
        let answered = self.produce(partition, value);
        if answered == ErrorCode::None {
            *self.next.entry(partition).or_default() += 1;
        }
        answered
    }

    /// Writes a record, whatever the coordinator knows of its partition.
    pub(super) fn produce(&mut self, partition: i32, value: &str) -> ErrorCode {
        self.send_produce(partition, value);
        let answer = self.wait(ApiKey::Produce, self.way.produce());
        answer.map_or(LOST, |answer| self.produced(&answer))
    }

    pub(super) fn send_produce(&mut self, partition: i32, value: &str) {
        let (id, version) = (self.id.clone(), self.way.produce());
        let records = self.batch(partition, value);
        let data = produce::PartitionProduceData { index: partition, records: Some((&records[..]).into()) };
        let topic = produce::TopicProduceData { name: TOPIC.into(), partition_data: vec![data], ..Default::default() };
        let request = produce::Request {
            transactional_id: Some(id.as_str().into()),
            acks: -1,
            timeout_ms: 30_000,
            topic_data: vec![topic],
        };
        self.client.send(ApiKey::Produce, version, &request);
        self.client.pump();
    }

    /// The answer to what was sent, if it has come.
    pub(super) fn take_produced(&mut self) -> Option<ErrorCode> {
        self.client.pump();
        let answer = self.client.take_answer(ApiKey::Produce, self.way.produce())?;
        Some(self.produced(&answer))
    }

    fn produced(&self, answer: &[u8]) -> ErrorCode {
        let response = produce::Response::decode(&mut Reader::new(answer), self.way.produce()).unwrap();
        error(response.responses[0].partition_responses[0].error_code)
    }

    fn batch(&self, partition: i32, value: &str) -> Vec<u8> {
        let mut builder = Builder::new(Options {
            producer_id: self.producer.0,
            producer_epoch: self.producer.1,
            base_sequence: self.next.get(&partition).copied().unwrap_or_default(),
            is_transactional: true,
            ..Options::default()
        });
        let timestamp = TimestampMs(1_767_225_600_000);
        builder.append(&Record { timestamp, key: None, value: Some(value.as_bytes()), headers: &[] });
        builder.build()
    }

    /// Writes to several partitions, however often it must be sent.
    pub(super) fn write_all(&mut self, partitions: &[i32], value: &str) {
        let cluster = self.cluster.clone();
        for partition in partitions {
            assert_eq!(until_told(&cluster, || self.write(*partition, value)), ErrorCode::None, "{value}");
        }
    }

    /// Commits an offset of the group in the transaction.
    pub(super) fn commit_offset(&mut self, offset: i64) -> ErrorCode {
        if self.way == Way::First {
            self.send_add_offsets();
            let Some(answer) = self.wait(ApiKey::AddOffsetsToTxn, ADD_OFFSETS) else { return LOST };
            let added = told_of_group(&answer);
            if added.is_error() {
                return added;
            }
        }
        self.send_commit_offset(offset);
        let answer = self.wait(ApiKey::TxnOffsetCommit, self.way.commit());
        answer.map_or(LOST, |answer| told_of_offset(&answer, self.way))
    }

    /// Adds the group's partition, as clients of the first way do.
    pub(super) fn send_add_offsets(&mut self) {
        let id = self.id.clone();
        let request = add_offsets_to_txn::Request {
            transactional_id: id.as_str().into(),
            producer_id: self.producer.0,
            producer_epoch: self.producer.1,
            group_id: GROUP.into(),
        };
        self.client.send(ApiKey::AddOffsetsToTxn, ADD_OFFSETS, &request);
        self.client.pump();
    }

    pub(super) fn send_commit_offset(&mut self, offset: i64) {
        let id = self.id.clone();
        let partition = txn_offset_commit::TxnOffsetCommitRequestPartition {
            partition_index: 0,
            committed_offset: offset,
            committed_leader_epoch: -1,
            committed_metadata: Some("".into()),
        };
        let topic = txn_offset_commit::TxnOffsetCommitRequestTopic {
            name: TOPIC.into(),
            partitions: vec![partition],
            ..Default::default()
        };
        let request = txn_offset_commit::Request {
            transactional_id: id.as_str().into(),
            group_id: GROUP.into(),
            producer_id: self.producer.0,
            producer_epoch: self.producer.1,
            generation_id_or_member_epoch: -1,
            topics: vec![topic],
            ..Default::default()
        };
        self.client.send(ApiKey::TxnOffsetCommit, self.way.commit(), &request);
        self.client.pump();
    }

    /// The answer to what was sent last and adds to the transaction, if it has come, or that none will come.
    pub(super) fn take_added(&mut self, key: ApiKey) -> Option<ErrorCode> {
        let is_open = self.client.pump();
        let mut take = |version| self.client.take_answer(key, version);
        let told = match key {
            ApiKey::AddPartitionsToTxn => take(ADD_PARTITIONS).map(|answer| told_of_partition(&answer)),
            ApiKey::AddOffsetsToTxn => take(ADD_OFFSETS).map(|answer| told_of_group(&answer)),
            _ => take(self.way.commit()).map(|answer| told_of_offset(&answer, self.way)),
        };
        told.or((!is_open).then_some(LOST))
    }

    /// Sends what ends the transaction, and does not wait for the answer.
    pub(super) fn send_end(&mut self, commit: bool) {
        let id = self.id.clone();
        let request = end_txn::Request {
            transactional_id: id.as_str().into(),
            producer_id: self.producer.0,
            producer_epoch: self.producer.1,
            committed: commit,
        };
        self.client.send(ApiKey::EndTxn, self.way.end(), &request);
        self.client.pump();
    }

    /// The answer, if it has come, or that none will come.
    pub(super) fn take_end(&mut self) -> Option<ErrorCode> {
        let is_open = self.client.pump();
        match self.client.take_answer(ApiKey::EndTxn, self.way.end()) {
            Some(answer) => Some(self.ended(&answer)),
            None => (!is_open).then_some(LOST),
        }
    }

    fn ended(&mut self, answer: &[u8]) -> ErrorCode {
        let response = end_txn::Response::decode(&mut Reader::new(answer), self.way.end()).unwrap();
        if response.error_code == 0 {
            self.added.clear();
            if self.way == Way::Second {
                self.producer = (response.producer_id, response.producer_epoch);
                self.next.clear();
            }
        }
        error(response.error_code)
    }

    pub(super) fn end_once(&mut self, commit: bool) -> ErrorCode {
        self.send_end(commit);
        let answer = self.wait(ApiKey::EndTxn, self.way.end());
        answer.map_or(LOST, |answer| self.ended(&answer))
    }

    /// Ends the transaction, however often it must be asked.
    pub(super) fn end(&mut self, commit: bool) -> ErrorCode {
        let cluster = self.cluster.clone();
        until_told(&cluster, || self.end_once(commit))
    }
}

fn told_of_partition(answer: &[u8]) -> ErrorCode {
    let response = add_partitions_to_txn::Response::decode(&mut Reader::new(answer), ADD_PARTITIONS).unwrap();
    error(response.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code)
}

fn told_of_group(answer: &[u8]) -> ErrorCode {
    error(add_offsets_to_txn::Response::decode(&mut Reader::new(answer), ADD_OFFSETS).unwrap().error_code)
}

fn told_of_offset(answer: &[u8], way: Way) -> ErrorCode {
    let response = txn_offset_commit::Response::decode(&mut Reader::new(answer), way.commit()).unwrap();
    error(response.topics[0].partitions[0].error_code)
}

/// Both coordinators' topics are there.
pub(super) fn find_coordinators(cluster: &SharedCluster, id: &str) {
    let mut client = Client::connect(&cluster.borrow());
    for (key, key_type) in [(id, 1), (GROUP, 0)] {
        let found = until_told(cluster, || {
            let request = find_coordinator::Request { key: key.into(), key_type, ..Default::default() };
            let Some(answer) = call(cluster, &mut client, ApiKey::FindCoordinator, FIND, &request) else { return LOST };
            error(find_coordinator::Response::decode(&mut Reader::new(&answer), FIND).unwrap().error_code)
        });
        assert_eq!(found, ErrorCode::None);
    }
}

/// What a reader finds in a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Found {
    pub(super) values: Vec<String>,
    pub(super) high_watermark: i64,
    pub(super) last_stable_offset: i64,
}

/// Everything of a partition, read from its beginning as far as a reader may.
pub(super) fn read(cluster: &SharedCluster, partition: i32, is_committed: bool) -> Found {
    let mut client = Client::connect(&cluster.borrow());
    let (mut next, mut values) = (0, Vec::new());
    loop {
        let mut request = fetch_request(partition, next, 0);
        request.isolation_level = i8::from(is_committed);
        let answer = client.call(cluster, ApiKey::Fetch, FETCH, &request);
        let response = fetch::Response::decode(&mut Reader::new(&answer), FETCH).unwrap();
        let data = &response.responses[0].partitions[0];
        if is_retriable(error(data.error_code)) {
            cluster.borrow_mut().step();
            continue;
        }
        assert_eq!(data.error_code, 0);
        let (high_watermark, last_stable_offset) = (data.high_watermark, data.last_stable_offset);
        assert!(last_stable_offset <= high_watermark, "what is stable is committed");
        let end = if is_committed { last_stable_offset } else { high_watermark };
        let aborted: Vec<(i64, i64)> = data
            .aborted_transactions
            .iter()
            .flatten()
            .map(|aborted| (aborted.first_offset, aborted.producer_id))
            .collect();
        let before = next;
        for (offset, value) in unpack(data.records.as_deref().unwrap_or_default(), &aborted, &mut next) {
            assert!(offset < end, "a reader is shown {offset}, which is not below {end}");
            values.extend((offset >= before).then_some(value));
        }
        if next == before {
            assert_eq!(next, end, "a reader comes to the end");
            return Found { values, high_watermark, last_stable_offset };
        }
    }
}

/// The values that a reader shows to its application: it leaves out what the list of aborted transactions names, up to
/// each one's marker (`CompletedFetch` of Kafka's client).
fn unpack(records: &[u8], aborted: &[(i64, i64)], next: &mut i64) -> Vec<(i64, String)> {
    let mut aborted: BTreeSet<(i64, i64)> = aborted.iter().copied().collect();
    let (mut skipped, mut values) = (BTreeSet::new(), Vec::new());
    for batch in Batches::new(records).map_while(Result::ok) {
        let (header, unpacked) = (batch.header, batch.unpack(1 << 30).unwrap());
        while aborted.first().is_some_and(|(first, _)| *first <= header.last_offset().0) {
            skipped.extend(aborted.pop_first().map(|(_, producer)| producer));
        }
        let mut records = batch.records(&unpacked);
        while let Some(record) = records.next() {
            let (record, value) = (record.unwrap(), record.unwrap().value);
            if header.is_control() {
                let marker = EndTxnMarker::parse(record.key.unwrap(), value.unwrap()).expect("a marker");
                if !marker.commit {
                    skipped.remove(&header.producer_id);
                }
            } else if !(header.is_transactional() && skipped.contains(&header.producer_id)) {
                values.push((records.offset(&record), String::from_utf8(value.unwrap().to_vec()).unwrap()));
            }
        }
        *next = (*next).max(header.last_offset().0 + 1);
    }
    values
}

/// The offset of the group that counts; -1 where there is none.
pub(super) fn offset(cluster: &SharedCluster, require_stable: bool) -> Result<i64, ErrorCode> {
    let mut client = Client::connect(&cluster.borrow());
    let mut told = None;
    let ask = || {
        let topic = offset_fetch::OffsetFetchRequestTopic { name: TOPIC.into(), partition_indexes: vec![0] };
        let topics = Some(vec![topic]);
        let request = offset_fetch::Request { group_id: GROUP.into(), topics, require_stable, ..Default::default() };
        let Some(answer) = call(cluster, &mut client, ApiKey::OffsetFetch, OFFSET_FETCH, &request) else { return LOST };
        let response = offset_fetch::Response::decode(&mut Reader::new(&answer), OFFSET_FETCH).unwrap();
        if response.error_code != 0 {
            return error(response.error_code);
        }
        let partition = &response.topics[0].partitions[0];
        let refused = Some(error(partition.error_code)).filter(|error| error.is_error());
        told = Some(refused.map_or(Ok(partition.committed_offset), Err));
        ErrorCode::None
    };
    assert_eq!(until_told(cluster, ask), ErrorCode::None);
    told.expect("it was told")
}

/// The state of a transactional id.
pub(super) fn state(cluster: &SharedCluster, id: &str) -> Result<String, ErrorCode> {
    described(cluster, id).map(|(state, _)| state)
}

/// The state of a transactional id, and the partitions of its transaction.
pub(super) fn described(cluster: &SharedCluster, id: &str) -> Result<(String, BTreeSet<(String, i32)>), ErrorCode> {
    let mut client = Client::connect(&cluster.borrow());
    let mut told = None;
    let ask = || {
        let request = describe_transactions::Request { transactional_ids: vec![id.into()] };
        let Some(answer) = call(cluster, &mut client, ApiKey::DescribeTransactions, 0, &request) else { return LOST };
        let response = describe_transactions::Response::decode(&mut Reader::new(&answer), 0).unwrap();
        let described = &response.transaction_states[0];
        let refused = error(described.error_code);
        if is_retriable(refused) {
            return refused;
        }
        let partitions =
            described.topics.iter().flat_map(|of| of.partitions.iter().map(|at| (of.topic.to_string(), *at)));
        told = Some(match refused {
            ErrorCode::None => Ok((described.transaction_state.to_string(), partitions.collect())),
            refused => Err(refused),
        });
        ErrorCode::None
    };
    until_told(cluster, ask);
    told.expect("it was told")
}

/// Lets the broker end what is decided; the state that remains.
pub(super) fn settled(cluster: &SharedCluster, id: &str) -> Result<String, ErrorCode> {
    for _ in 0..TRIES {
        let state = state(cluster, id);
        if !state.as_ref().is_ok_and(|state| state.starts_with("Prepare")) {
            return state;
        }
        (0..BACKOFF_STEPS).for_each(|_| cluster.borrow_mut().step());
    }
    panic!("the transaction of {id} does not end: {:?}", state(cluster, id));
}
