//! A transactional producer of a random run: it writes to several partitions in transactions that it commits, aborts, leaves
//! or lets time out; or it is a loop that reads an input, writes an output and commits what it has read with it. Its twin, if
//! it has one, fences it. One request is under way at a time.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, FindCoordinatorRequest, GroupId,
    InitProducerIdRequest, OffsetFetchRequest, ProduceRequest, ProducerId, TopicName, TransactionalId,
    TxnOffsetCommitRequest,
};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};

use super::ledger::{self, FETCH, INPUT, Ledger, OUTPUT};
use super::oracle::transactions::{Fate, Write};
use super::plan::WorkerPlan;
use super::scene::{Actor, Known, Scene, text};
use super::wire::{Got, Wire, decode, is_retriable};
use crate::model::{ErrorCode, Instant};

pub(super) const GROUP: &str = "loop";
const FIND: i16 = 3;
const INIT: i16 = 5;
const ADD_PARTITIONS: i16 = 3;
const ADD_OFFSETS: i16 = 3;
const OFFSET_FETCH: i16 = 7;
const PATIENCE_MS: u64 = 15_000;
const BACKOFF_MS: u64 = 50;
/// A partition of one of the ledgers.
type Place = (usize, i32);

/// What is still to be done in a transaction, in this order.
#[derive(Clone, Debug)]
enum Todo {
    Add(Place),
    Write(Place, Vec<Write>),
    AddOffsets,
    Commit(i32, i64),
    End(bool),
    /// It does nothing until its time is over.
    Linger,
    /// It goes and comes back as if it knew nothing.
    Leave,
}

struct Transaction {
    number: u64,
    left: VecDeque<Todo>,
    has_asked_commit: bool,
    /// A request had no clear answer: its repetition may still come.
    has_lost: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    Find(i8),
    Init,
    Offsets,
    Fetch(i32),
    Todo,
}

/// See the module.
pub(super) struct Worker {
    number: u32,
    plan: WorkerPlan,
    wire: Wire,
    asked: Option<(i32, Ask)>,
    /// An InitProducerId had no answer: the broker may take it behind a later one, and this producer fences itself.
    has_lost_init: bool,
    found: i8,
    producer: Option<(i64, i16)>,
    next: BTreeMap<Place, i32>,
    /// Of a loop: where it reads next.
    positions: Option<BTreeMap<i32, i64>>,
    /// Partitions of the input whose end it has seen, at rest.
    at_end: Vec<i32>,
    next_input: i32,
    transaction: Option<Transaction>,
    due: Instant,
}

enum Told {
    Done,
    Again,
    Fenced,
}

fn told(error: ErrorCode) -> Option<Told> {
    match error {
        ErrorCode::None | ErrorCode::DuplicateSequenceNumber => Some(Told::Done),
        error if is_retriable(error) => Some(Told::Again),
        ErrorCode::RequestTimedOut | ErrorCode::UnstableOffsetCommit => Some(Told::Again),
        ErrorCode::ProducerFenced
        | ErrorCode::InvalidProducerEpoch
        | ErrorCode::InvalidTxnState
        | ErrorCode::InvalidProducerIdMapping
        | ErrorCode::TransactionAbortable => Some(Told::Fenced),
        _ => None,
    }
}

impl Worker {
    pub(super) fn new(number: u32, plan: WorkerPlan) -> Worker {
        Worker {
            number,
            plan,
            wire: Wire::default(),
            asked: None,
            has_lost_init: false,
            found: 0,
            producer: None,
            next: BTreeMap::new(),
            positions: None,
            at_end: Vec::new(),
            next_input: 0,
            transaction: None,
            due: Instant(0),
        }
    }

    fn note(&self, scene: &mut Scene<'_>, what: impl FnOnce() -> String) {
        let (number, transaction) = (self.number, self.transaction.as_ref().map(|transaction| transaction.number));
        scene.history.note(ledger::object, || format!("worker {number}, {transaction:?}: {}", what()));
    }

    fn lose(&mut self) {
        match self.asked.take() {
            Some((_, Ask::Todo)) => {
                self.transaction.iter_mut().for_each(|transaction| transaction.has_lost = true);
            }
            Some((_, Ask::Init)) => self.has_lost_init = true,
            _ => {}
        }
    }

    /// It begins anew, which aborts what it has open.
    fn begin_anew(&mut self) {
        (self.producer, self.positions) = (None, None);
        self.next.clear();
    }

    // ---- Asking -----------------------------------------------------------------------------------------------------

    fn ask(&mut self, scene: &mut Scene<'_>) {
        let ask = match () {
            () if self.found < 2 => Ask::Find(1 - self.found),
            () if self.producer.is_none() => Ask::Init,
            () if self.plan.is_loop && self.positions.is_none() => Ask::Offsets,
            () if self.transaction.is_some() => Ask::Todo,
            () if self.plan.is_loop => Ask::Fetch(self.next_input),
            () => return self.begin(scene),
        };
        let posted = match ask {
            Ask::Find(kind) => self.ask_coordinator(scene, kind),
            Ask::Init => self.ask_identity(scene),
            Ask::Offsets => self.ask_offsets(scene),
            Ask::Fetch(partition) => self.ask_input(scene, partition),
            Ask::Todo => match self.do_next(scene) {
                Some(posted) => posted,
                None => return,
            },
        };
        self.asked = posted.map(|request| (request, ask));
        if posted.is_none() {
            self.due = scene.in_ms(BACKOFF_MS);
        }
    }

    fn id(&self) -> TransactionalId {
        TransactionalId(text(&self.plan.id))
    }

    fn identity(&self) -> (ProducerId, i16) {
        let (id, epoch) = self.producer.unwrap_or((-1, -1));
        (ProducerId(id), epoch)
    }

    fn ask_coordinator(&mut self, scene: &mut Scene<'_>, kind: i8) -> Option<i32> {
        let key = if kind == 1 { text(&self.plan.id) } else { text(GROUP) };
        self.wire.post(scene, FIND, &FindCoordinatorRequest::default().with_key(key).with_key_type(kind))
    }

    fn ask_identity(&mut self, scene: &mut Scene<'_>) -> Option<i32> {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(self.id()))
            .with_transaction_timeout_ms(self.plan.timeout_ms);
        self.wire.post(scene, INIT, &request)
    }

    fn ask_offsets(&mut self, scene: &mut Scene<'_>) -> Option<i32> {
        let input = &scene.ledgers[INPUT];
        let topic = OffsetFetchRequestTopic::default()
            .with_name(TopicName(text(&input.plan.name)))
            .with_partition_indexes((0..input.partitions).collect());
        let request = OffsetFetchRequest::default()
            .with_group_id(GroupId(text(GROUP)))
            .with_topics(Some(vec![topic]))
            .with_require_stable(true);
        self.wire.post(scene, OFFSET_FETCH, &request)
    }

    fn ask_input(&mut self, scene: &mut Scene<'_>, partition: i32) -> Option<i32> {
        let from = self.positions.as_ref().and_then(|positions| positions.get(&partition)).copied().unwrap_or(0);
        let max_bytes = 100 + scene.random.below(2000) as i32;
        let request = ledger::fetch(&scene.ledgers[INPUT], &[(partition, from)], true, max_bytes);
        self.wire.post(scene, FETCH, &request)
    }

    /// A transaction over some partitions of both ledgers.
    fn begin(&mut self, scene: &mut Scene<'_>) {
        if scene.is_resting || !scene.random.chance(4) {
            return;
        }
        let number = scene.oracle.transactions.begin();
        let mut left = VecDeque::new();
        for _ in 0..1 + scene.random.below(4) {
            let ledger = scene.random.below(2) as usize;
            let place = (ledger, scene.random.below(scene.ledgers[ledger].partitions as u64) as i32);
            let first = left.len() as u32 * 10;
            let writes = (first..=first + scene.random.below(3) as u32).map(|nth| Write { transaction: number, nth });
            self.plan_write(&mut left, place, writes.collect());
        }
        self.plan_end(scene, &mut left);
        self.transaction = Some(Transaction { number, left, has_asked_commit: false, has_lost: false });
    }

    fn plan_write(&self, left: &mut VecDeque<Todo>, place: Place, writes: Vec<Write>) {
        let is_added = left.iter().any(|todo| matches!(todo, Todo::Add(added) if *added == place));
        if !self.plan.is_second && !is_added {
            left.push_back(Todo::Add(place));
        }
        left.push_back(Todo::Write(place, writes));
    }

    fn plan_end(&self, scene: &mut Scene<'_>, left: &mut VecDeque<Todo>) {
        match scene.random.below(12) {
            0 | 1 => left.push_back(Todo::End(false)),
            2 => left.push_back(Todo::Leave),
            3 if self.plan.is_short() => left.extend([Todo::Linger, Todo::End(true)]),
            _ => left.push_back(Todo::End(true)),
        }
    }

    /// Asks for what is next of the transaction; `None` if nothing was to be asked for.
    fn do_next(&mut self, scene: &mut Scene<'_>) -> Option<Option<i32>> {
        let transaction = self.transaction.as_mut()?;
        let todo = transaction.left.front().cloned()?;
        let posted = match &todo {
            Todo::Add(place) => self.add_partition(scene, *place),
            Todo::Write(place, writes) => self.write(scene, *place, writes),
            Todo::AddOffsets => {
                let (id, epoch) = self.identity();
                let request = AddOffsetsToTxnRequest::default()
                    .with_transactional_id(self.id())
                    .with_producer_id(id)
                    .with_producer_epoch(epoch)
                    .with_group_id(GroupId(text(GROUP)));
                self.wire.post(scene, ADD_OFFSETS, &request)
            }
            Todo::Commit(partition, offset) => self.commit(scene, *partition, *offset),
            Todo::End(commit) => self.end(scene, *commit),
            Todo::Linger => {
                transaction.left.pop_front();
                self.due = scene.some_time(self.plan.timeout_ms as u64 / 2, self.plan.timeout_ms as u64 * 2);
                return None;
            }
            Todo::Leave => {
                self.note(scene, || "leaves".into());
                self.transaction = None;
                self.begin_anew();
                self.due = scene.some_time(0, 1000);
                return None;
            }
        };
        self.note(scene, || format!("{todo:?} of {:?}: {posted:?}", self.producer));
        Some(posted)
    }

    fn add_partition(&mut self, scene: &mut Scene<'_>, (ledger, partition): Place) -> Option<i32> {
        let (id, epoch) = self.identity();
        let topic = AddPartitionsToTxnTopic::default()
            .with_name(TopicName(text(&scene.ledgers[ledger].plan.name)))
            .with_partitions(vec![partition]);
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(self.id())
            .with_v3_and_below_producer_id(id)
            .with_v3_and_below_producer_epoch(epoch)
            .with_v3_and_below_topics(vec![topic]);
        self.wire.post(scene, ADD_PARTITIONS, &request)
    }

    fn write(&mut self, scene: &mut Scene<'_>, place: Place, writes: &[Write]) -> Option<i32> {
        let ledger = scene.ledgers[place.0].clone();
        for write in writes {
            // The inputs that they stand for were told when the transaction was planned.
            scene.oracle.transactions.writes(*write, (ledger.id, place.1), None);
        }
        let sequence = self.next.get(&place).copied().unwrap_or_default();
        let bytes = encode(writes, self.producer.unwrap_or((-1, -1)), sequence, scene.wall.0);
        let data = PartitionProduceData::default().with_index(place.1).with_records(Some(bytes));
        let topic = TopicProduceData::default()
            .with_name(TopicName(text(&ledger.plan.name)))
            .with_topic_id(ledger.id)
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_transactional_id(Some(self.id()))
            .with_acks(-1)
            .with_timeout_ms(5000)
            .with_topic_data(vec![topic]);
        self.wire.post(scene, self.plan.produce_version, &request)
    }

    fn commit(&mut self, scene: &mut Scene<'_>, partition: i32, offset: i64) -> Option<i32> {
        let (id, epoch) = self.identity();
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_partition_index(partition)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(text("")));
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(TopicName(text(&scene.ledgers[INPUT].plan.name)))
            .with_partitions(vec![partition]);
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(self.id())
            .with_group_id(GroupId(text(GROUP)))
            .with_producer_id(id)
            .with_producer_epoch(epoch)
            .with_topics(vec![topic]);
        self.wire.post(scene, self.plan.commit_version(), &request)
    }

    fn end(&mut self, scene: &mut Scene<'_>, commit: bool) -> Option<i32> {
        let (id, epoch) = self.identity();
        let request = EndTxnRequest::default()
            .with_transactional_id(self.id())
            .with_producer_id(id)
            .with_producer_epoch(epoch)
            .with_committed(commit);
        let posted = self.wire.post(scene, self.plan.end_version(), &request);
        if let Some(transaction) = self.transaction.as_mut().filter(|_| commit && posted.is_some()) {
            transaction.has_asked_commit = true;
            scene.oracle.transactions.becomes(transaction.number, Fate::Unknown);
        }
        posted
    }

    // ---- Answers ----------------------------------------------------------------------------------------------------

    fn take_in(&mut self, scene: &mut Scene<'_>, ask: Ask, body: Bytes) {
        let error = match ask {
            Ask::Find(_) => decode::<FindCoordinatorRequest>(scene, FIND, body).map(|found| found.error_code),
            Ask::Init => self.take_identity(scene, body),
            Ask::Offsets => self.take_offsets(scene, body),
            Ask::Fetch(partition) => return self.take_input(scene, partition, body),
            Ask::Todo => return self.take_done(scene, body),
        };
        let Some(error) = error.and_then(ErrorCode::from_code) else { return };
        match told(error) {
            Some(Told::Done) if matches!(ask, Ask::Find(_)) => self.found += 1,
            Some(Told::Done) => {}
            Some(Told::Again) => self.due = scene.in_ms(BACKOFF_MS),
            // A twin comes between: the one that asks again may be the later one.
            Some(Told::Fenced) if ask == Ask::Init => self.due = scene.in_ms(BACKOFF_MS),
            _ => self.unexpected(scene, error),
        }
    }

    fn unexpected(&self, scene: &mut Scene<'_>, error: ErrorCode) {
        let text = format!("worker {} was told {error}", self.number);
        scene.violated::<()>("a transactional client is told what it can understand", &[ledger::object()], text);
    }

    fn take_identity(&mut self, scene: &mut Scene<'_>, body: Bytes) -> Option<i16> {
        let response = decode::<InitProducerIdRequest>(scene, INIT, body)?;
        if response.error_code == 0 {
            self.producer = Some((response.producer_id.0, response.producer_epoch));
            self.next.clear();
            self.note(scene, || format!("is {:?}", self.producer));
        }
        Some(response.error_code)
    }

    fn take_offsets(&mut self, scene: &mut Scene<'_>, body: Bytes) -> Option<i16> {
        let response = decode::<OffsetFetchRequest>(scene, OFFSET_FETCH, body)?;
        let partitions = response.topics.first().map(|topic| topic.partitions.clone()).unwrap_or_default();
        let refused = partitions.iter().map(|partition| partition.error_code).find(|code| *code != 0);
        let code = if response.error_code != 0 { response.error_code } else { refused.unwrap_or(0) };
        if code == 0 {
            let position =
                |partition: &kafka_protocol::messages::offset_fetch_response::OffsetFetchResponsePartition| {
                    (partition.partition_index, partition.committed_offset.max(0))
                };
            let positions: BTreeMap<_, _> = partitions.iter().map(position).collect();
            self.note(scene, || format!("reads from {positions:?}"));
            self.positions = Some(positions);
        }
        Some(code)
    }

    fn take_input(&mut self, scene: &mut Scene<'_>, partition: i32, body: Bytes) {
        let partitions = scene.ledgers[INPUT].partitions;
        let Some(got) = ledger::take(scene, INPUT, body).and_then(|mut got| got.pop()) else {
            self.due = scene.in_ms(BACKOFF_MS);
            return;
        };
        let from = self.positions.as_ref().and_then(|positions| positions.get(&partition)).copied().unwrap_or(0);
        let (next, records) = ledger::unpack(scene, &got, from, true).unwrap_or_default();
        self.next_input = (partition + 1) % partitions;
        if !scene.is_resting {
            self.at_end.clear();
        } else if next == from && got.last_stable_offset == got.high_watermark && got.high_watermark == from {
            self.at_end.push(partition);
        } else {
            self.at_end.clear();
        }
        if records.is_empty() {
            self.due = scene.in_ms(BACKOFF_MS);
            if next > from {
                // Markers and what was aborted: the position moves with the next transaction.
                self.positions.get_or_insert_default().insert(partition, next);
            }
            return;
        }
        let number = scene.oracle.transactions.begin();
        let place = (OUTPUT, scene.random.below(scene.ledgers[OUTPUT].partitions as u64) as i32);
        let (input, output) = (scene.ledgers[INPUT].id, scene.ledgers[OUTPUT].id);
        let mut writes = Vec::new();
        for (nth, (offset, _)) in (0..).zip(&records) {
            let write = Write { transaction: number, nth };
            scene.oracle.transactions.writes(write, (output, place.1), Some(((input, partition), *offset)));
            writes.push(write);
        }
        let mut left = VecDeque::new();
        self.plan_write(&mut left, place, writes);
        if !self.plan.is_second {
            left.push_back(Todo::AddOffsets);
        }
        left.push_back(Todo::Commit(partition, next));
        if scene.is_resting {
            left.push_back(Todo::End(true));
        } else {
            self.plan_end(scene, &mut left);
        }
        self.transaction = Some(Transaction { number, left, has_asked_commit: false, has_lost: false });
    }

    fn take_done(&mut self, scene: &mut Scene<'_>, body: Bytes) {
        let Some(todo) = self.transaction.as_ref().and_then(|transaction| transaction.left.front().cloned()) else {
            return;
        };
        let code = match &todo {
            Todo::Add(_) => decode::<AddPartitionsToTxnRequest>(scene, ADD_PARTITIONS, body).and_then(|response| {
                Some(response.results_by_topic_v3_and_below.first()?.results_by_partition.first()?.partition_error_code)
            }),
            Todo::Write(..) => decode::<ProduceRequest>(scene, self.plan.produce_version, body)
                .and_then(|response| Some(response.responses.first()?.partition_responses.first()?.error_code)),
            Todo::AddOffsets => {
                decode::<AddOffsetsToTxnRequest>(scene, ADD_OFFSETS, body).map(|response| response.error_code)
            }
            Todo::Commit(..) => decode::<TxnOffsetCommitRequest>(scene, self.plan.commit_version(), body)
                .and_then(|response| Some(response.topics.first()?.partitions.first()?.error_code)),
            Todo::End(_) => {
                let ended = decode::<EndTxnRequest>(scene, self.plan.end_version(), body);
                ended.map(|response| {
                    if response.error_code == 0 && self.plan.is_second {
                        self.producer = Some((response.producer_id.0, response.producer_epoch));
                        self.next.clear();
                    }
                    response.error_code
                })
            }
            Todo::Linger | Todo::Leave => return,
        };
        let Some(error) = code.and_then(ErrorCode::from_code) else { return };
        self.note(scene, || format!("{todo:?} -> {error}"));
        match told(error) {
            Some(Told::Done) => self.done(scene, &todo),
            Some(Told::Again) => {
                self.transaction.iter_mut().for_each(|transaction| transaction.has_lost = true);
                self.due = scene.in_ms(BACKOFF_MS);
            }
            Some(Told::Fenced) => self.fenced(scene, &todo, error),
            None => self.unexpected(scene, error),
        }
    }

    fn done(&mut self, scene: &mut Scene<'_>, todo: &Todo) {
        if let Todo::Write(place, writes) = todo {
            *self.next.entry(*place).or_default() += writes.len() as i32;
        }
        let Some(transaction) = &mut self.transaction else { return };
        transaction.left.pop_front();
        let Todo::End(commit) = todo else { return };
        if *commit {
            scene.oracle.transactions.becomes(transaction.number, Fate::Committed);
        }
        let must_renew = transaction.has_lost && !self.plan.is_second;
        self.transaction = None;
        self.positions = None;
        if must_renew {
            // Without a new epoch a request that was lost may still come, and take part in the next transaction.
            self.begin_anew();
        }
    }

    /// Its transaction is over without it.
    fn fenced(&mut self, scene: &mut Scene<'_>, todo: &Todo, error: ErrorCode) {
        if !self.plan.may_be_fenced && !self.has_lost_init {
            let text = format!("worker {}: {todo:?} was told {error}", self.number);
            scene.violated::<()>("a producer that is alone is not fenced", &[ledger::object()], text);
        }
        let is_first = matches!(todo, Todo::End(true));
        if let Some(transaction) = self.transaction.take().filter(|transaction| is_first && !transaction.has_lost) {
            scene.oracle.transactions.becomes(transaction.number, Fate::Aborted);
        }
        self.begin_anew();
        self.due = scene.some_time(0, 2000);
    }
}

fn encode(writes: &[Write], (producer_id, producer_epoch): (i64, i16), sequence: i32, timestamp: i64) -> Bytes {
    let record = |(at, write): (usize, &Write)| Record {
        transactional: true,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id,
        producer_epoch,
        timestamp_type: TimestampType::Creation,
        offset: at as i64,
        sequence: at as i32 + sequence,
        timestamp,
        key: None,
        value: Some(Bytes::from(format!("{}:{}", write.transaction, write.nth))),
        headers: Default::default(),
    };
    let records: Vec<_> = writes.iter().enumerate().map(record).collect();
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut bytes, &records, &options).expect("records can be encoded");
    bytes.freeze()
}

impl Actor for Worker {
    fn act(&mut self, scene: &mut Scene<'_>) {
        loop {
            match self.wire.poll(scene) {
                Got::Nothing => break,
                Got::Lost => self.lose(),
                Got::Answer(request, body) => match self.asked.take() {
                    Some((asked, ask)) if asked == request => self.take_in(scene, ask, body),
                    other => self.asked = other,
                },
            }
        }
        if self.wire.lose_patience(scene.now, PATIENCE_MS) || !self.wire.is_waiting() {
            self.lose();
        }
        if self.asked.is_none() && scene.now >= self.due {
            self.ask(scene);
        }
    }

    fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    fn is_settled(&self, _: &[Known]) -> bool {
        let is_idle = self.producer.is_some() && self.transaction.is_none();
        is_idle && (!self.plan.is_loop || self.at_end.len() > Ledger::MOST_PARTITIONS as usize * 2)
    }

    fn name(&self) -> String {
        format!("worker {} ({})", self.number, self.plan.id)
    }
}
