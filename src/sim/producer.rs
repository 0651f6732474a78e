//! A producer as real ones behave: batches under way in order, sent again until they are acknowledged, with sequence
//! numbers where it is idempotent. Its record says who wrote it and which of its partition's it is.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{InitProducerIdRequest, ProduceRequest, TopicName};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};

use super::oracle::records::{Id, Manner};
use super::plan::ProducerPlan;
use super::scene::{Actor, Known, Scene, text};
use super::wire::{Got, Wire, decode};
use crate::model::{ErrorCode, Instant};

const INIT_PRODUCER_ID: i16 = 4;
/// Nobody waits longer for an answer than this.
const PATIENCE_MS: u64 = 15_000;
const BACKOFF_MS: u64 = 50;
/// Of values: less than a segment in any case.
const MAX_BATCH_BYTES: u64 = 1600;
const NO_IDENTITY: (i64, i16) = (-1, -1);
/// Batches of a producer that a broker knows again (`ProducerStateEntry.NUM_BATCHES_TO_RETAIN`).
const KNOWN_BATCHES: u64 = 5;

struct Batch {
    /// How many there were in its lane before it.
    nth: u64,
    numbers: Range<u64>,
    keys: Vec<Option<u8>>,
    padding: usize,
    sequence: i32,
    /// The request that it is in.
    request: Option<i32>,
    timestamp: i64,
    /// How often the broker had opened the log when it was made, or got the sequence that it has.
    openings: u64,
}

/// What one partition is sent.
#[derive(Default)]
struct Lane {
    made: u64,
    made_batches: u64,
    next_sequence: i32,
    /// How many batches there were when the latest of those was made that were sent by who it is now.
    sent_batches: u64,
    batches: VecDeque<Batch>,
}

/// See the module.
pub(super) struct Producer {
    number: u32,
    plan: ProducerPlan,
    wire: Wire,
    identity: Option<(i64, i16)>,
    asks_identity: bool,
    lanes: BTreeMap<i32, Lane>,
    due: Instant,
    /// It must become somebody new once nothing is under way.
    must_renew: bool,
}

impl Producer {
    pub(super) fn new(number: u32, plan: ProducerPlan) -> Producer {
        Producer {
            number,
            plan,
            wire: Wire::default(),
            identity: None,
            asks_identity: false,
            lanes: BTreeMap::new(),
            due: Instant(0),
            must_renew: false,
        }
    }

    fn topic<'s>(&self, scene: &'s Scene<'_>) -> &'s Known {
        &scene.topics[self.plan.topic]
    }

    fn note(&self, scene: &mut Scene<'_>, partition: i32, what: impl FnOnce() -> String) {
        let object = self.topic(scene).object(partition);
        scene.history.note(|| object, || format!("producer {}: {}", self.number, what()));
    }

    fn lose(&mut self) {
        self.asks_identity = false;
        self.lanes.values_mut().flat_map(|lane| &mut lane.batches).for_each(|batch| batch.request = None);
    }

    fn under_way(&self) -> usize {
        let batches = self.lanes.values().flat_map(|lane| &lane.batches);
        batches.filter(|batch| batch.request.is_some()).count()
    }

    fn take_in(&mut self, scene: &mut Scene<'_>, request: i32, body: Bytes) {
        if self.asks_identity {
            self.asks_identity = false;
            let Some(response) = decode::<InitProducerIdRequest>(scene, INIT_PRODUCER_ID, body) else { return };
            match response.error_code {
                0 => self.begin_as(scene, (response.producer_id.0, response.producer_epoch)),
                _ => self.due = scene.in_ms(BACKOFF_MS),
            }
            return;
        }
        let Some(response) = decode::<ProduceRequest>(scene, self.plan.version, body) else { return };
        let answered = response.responses.first().and_then(|topic| topic.partition_responses.first());
        let Some(answered) = answered else {
            return scene.violated("a produce is answered for its partition", &[], String::new()).unwrap_or(());
        };
        let (code, base_offset) = (answered.error_code, answered.base_offset);
        let error = ErrorCode::from_code(code).unwrap_or(ErrorCode::UnknownServerError);
        self.settle(scene, answered.index, request, (error, base_offset));
    }

    fn settle(&mut self, scene: &mut Scene<'_>, partition: i32, request: i32, (error, base_offset): (ErrorCode, i64)) {
        let (key, object) = ((self.topic(scene).id, partition), self.topic(scene).object(partition));
        let batches = self.lanes.get(&partition).map(|lane| &lane.batches);
        let Some(at) = batches.and_then(|b| b.iter().position(|batch| batch.request == Some(request))) else { return };
        let numbers = self.lanes[&partition].batches[at].numbers.clone();
        self.note(scene, partition, || format!("records {numbers:?} -> {error} {base_offset}"));
        let Some(lane) = self.lanes.get_mut(&partition) else { return };
        match error {
            ErrorCode::None | ErrorCode::DuplicateSequenceNumber => {
                let ids: Vec<_> = numbers.map(|number| Id { producer: self.number, number }).collect();
                lane.batches.remove(at);
                let base = (error == ErrorCode::None && base_offset >= 0).then_some(base_offset);
                scene.oracle.judge(key, |records| records.acknowledged(&ids, base));
            }
            ErrorCode::OutOfOrderSequenceNumber | ErrorCode::UnknownProducerId if self.plan.is_idempotent => {
                lane.batches[at].request = None;
                if at == 0 {
                    self.must_renew = true;
                    // As Kafka's, a broker that opens a log knows of each producer the last batch, and of whom it has
                    // never taken one any sequence: the log may have been away while this one was sent, and back when
                    // the next one was. And it knows no more than five: where a batch is not answered in time, those
                    // behind it may be, and real clients too then send more behind it when they send it again.
                    let (records, batch) = (scene.oracle.records(key), &lane.batches[at]);
                    let behind = lane.sent_batches.saturating_sub(batch.nth + 1);
                    let may_forget = records.openings() > batch.openings || behind >= KNOWN_BATCHES;
                    let is_forgotten = self.plan.max_in_flight > 1 && may_forget;
                    if !records.has_lost() && !is_forgotten {
                        let text = format!("producer {} was told {error}", self.number);
                        scene.violated::<()>("a producer's sequence is remembered", &[object], text);
                    }
                }
            }
            ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError | ErrorCode::RequestTimedOut => {
                lane.batches[at].request = None;
                self.due = scene.in_ms(BACKOFF_MS);
            }
            _ => {
                let text = format!("producer {} was told {error}", self.number);
                scene.violated::<()>("a good batch is taken, or the error says to try again", &[object], text);
            }
        }
    }

    /// As somebody new it counts from nought; what was not acknowledged goes first.
    fn begin_as(&mut self, scene: &mut Scene<'_>, identity: (i64, i16)) {
        self.identity = Some(identity);
        let topic = self.topic(scene).id;
        for (partition, lane) in &mut self.lanes {
            let openings = scene.oracle.records((topic, *partition)).openings();
            (lane.next_sequence, lane.sent_batches) = (0, 0);
            for batch in &mut lane.batches {
                batch.openings = openings;
                batch.sequence = lane.next_sequence;
                lane.next_sequence += (batch.numbers.end - batch.numbers.start) as i32;
            }
        }
    }

    fn make(&mut self, scene: &mut Scene<'_>) {
        let topic = self.topic(scene).clone();
        let partition = scene.random.below(topic.partitions as u64) as i32;
        let count = 1 + scene.random.below(6);
        let lane = self.lanes.entry(partition).or_default();
        let numbers = lane.made..lane.made + count;
        lane.made += count;
        let is_compacted = topic.plan.is_compacted;
        let keys: Vec<_> = numbers.clone().map(|_| is_compacted.then(|| scene.random.below(8) as u8)).collect();
        let manner = Manner {
            is_idempotent: self.plan.is_idempotent,
            is_ordered: self.plan.max_in_flight == 1 && self.plan.acks != 0,
        };
        let records = scene.oracle.records((topic.id, partition));
        records.is_compacted = is_compacted;
        let openings = records.openings();
        for (number, key) in numbers.clone().zip(&keys) {
            records.made(manner, Id { producer: self.number, number }, *key);
        }
        let sequence = lane.next_sequence;
        lane.next_sequence += count as i32;
        let most = if scene.random.chance(8) { MAX_BATCH_BYTES } else { MAX_BATCH_BYTES / 6 };
        let padding = (scene.random.below(most) / count) as usize;
        let timestamp = scene.wall.0;
        let nth = lane.made_batches;
        lane.made_batches += 1;
        lane.batches.push_back(Batch { nth, numbers, keys, padding, sequence, request: None, timestamp, openings });
    }

    fn send(&mut self, scene: &mut Scene<'_>) {
        let mut room = self.plan.max_in_flight.saturating_sub(self.under_way());
        let partitions: Vec<i32> = self.lanes.keys().copied().collect();
        for partition in partitions {
            while room > 0 && self.send_next(scene, partition) {
                room -= 1;
            }
        }
    }

    fn send_next(&mut self, scene: &mut Scene<'_>, partition: i32) -> bool {
        let batches = &self.lanes[&partition].batches;
        let Some(at) = batches.iter().position(|batch| batch.request.is_none()) else { return false };
        // One that must be sent again waits until those behind it are back, or they would overtake it.
        if batches.iter().skip(at).any(|batch| batch.request.is_some()) {
            return false;
        }
        let bytes = encode(&batches[at], self.number, self.identity.unwrap_or(NO_IDENTITY));
        let numbers = batches[at].numbers.clone();
        self.note(scene, partition, || format!("sends records {numbers:?}"));
        let request = produce(self.topic(scene), partition, bytes, self.plan.acks);
        let is_silent = self.plan.acks == 0;
        let sent = match is_silent {
            true => self.wire.post_silently(scene, self.plan.version, &request),
            false => self.wire.post(scene, self.plan.version, &request),
        };
        let Some(lane) = self.lanes.get_mut(&partition) else { return false };
        if sent.is_some() {
            lane.sent_batches = lane.sent_batches.max(lane.batches[at].nth + 1);
        }
        match sent {
            Some(_) if is_silent => drop(lane.batches.remove(at)),
            Some(request) => lane.batches[at].request = Some(request),
            None => self.due = scene.in_ms(BACKOFF_MS),
        }
        sent.is_some()
    }

    fn ask_identity(&mut self, scene: &mut Scene<'_>) {
        let request = InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(60_000);
        self.asks_identity = self.wire.post(scene, INIT_PRODUCER_ID, &request).is_some();
        if !self.asks_identity {
            self.due = scene.in_ms(BACKOFF_MS);
        }
    }

    fn renew(&mut self, scene: &mut Scene<'_>) {
        let id = self.topic(scene).id;
        (self.must_renew, self.identity) = (false, None);
        for (partition, lane) in &self.lanes {
            for number in lane.batches.iter().flat_map(|batch| batch.numbers.clone()) {
                scene.oracle.records((id, *partition)).may_repeat(Id { producer: self.number, number });
            }
        }
    }
}

fn produce(topic: &Known, partition: i32, bytes: Bytes, acks: i16) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(bytes));
    let topic = TopicProduceData::default()
        .with_name(TopicName(text(&topic.plan.name)))
        .with_topic_id(topic.id)
        .with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(acks).with_timeout_ms(5000).with_topic_data(vec![topic])
}

fn encode(batch: &Batch, producer: u32, (producer_id, producer_epoch): (i64, i16)) -> Bytes {
    let record = |(at, number): (usize, u64)| Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id,
        producer_epoch,
        timestamp_type: TimestampType::Creation,
        offset: at as i64,
        // The crate begins a new batch where these do not count up, also where there is no sequence.
        sequence: at as i32 + if producer_id < 0 { -1 } else { batch.sequence },
        timestamp: batch.timestamp,
        key: batch.keys[at].map(|key| Bytes::copy_from_slice(&[key])),
        value: Some(Bytes::from(format!("{producer}:{number}:{}", "x".repeat(batch.padding)))),
        headers: Default::default(),
    };
    let records: Vec<_> = batch.numbers.clone().enumerate().map(record).collect();
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut bytes, &records, &options).expect("records can be encoded");
    bytes.freeze()
}

/// The reverse of what is in a record's value.
pub(super) fn parse(value: &[u8]) -> Option<Id> {
    let text = std::str::from_utf8(value).ok()?;
    let mut parts = text.split(':');
    let (producer, number) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some(Id { producer, number })
}

impl Actor for Producer {
    fn act(&mut self, scene: &mut Scene<'_>) {
        loop {
            match self.wire.poll(scene) {
                Got::Nothing => break,
                Got::Answer(request, body) => self.take_in(scene, request, body),
                Got::Lost => self.lose(),
            }
        }
        if self.wire.lose_patience(scene.now, PATIENCE_MS) || !self.wire.is_waiting() {
            self.lose();
        }
        if scene.now < self.due || self.asks_identity {
            return;
        }
        if self.must_renew && self.under_way() == 0 {
            self.renew(scene);
        }
        if self.must_renew {
            return;
        }
        if self.plan.is_idempotent && self.identity.is_none() {
            return self.ask_identity(scene);
        }
        let open: usize = self.lanes.values().map(|lane| lane.batches.len()).sum();
        if !scene.is_resting && open < self.plan.max_in_flight && scene.random.chance(3) {
            self.make(scene);
        }
        self.send(scene);
    }

    fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    fn is_settled(&self, _: &[Known]) -> bool {
        self.lanes.values().all(|lane| lane.batches.is_empty())
    }

    fn name(&self) -> String {
        format!("producer {}", self.number)
    }
}
