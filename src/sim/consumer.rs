//! A consumer of all partitions of a topic, with or without a fetch session, and the reader of everything at rest.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest, ListOffsetsRequest, TopicName};
use kafka_protocol::records::RecordBatchDecoder;

use super::history::Object;
use super::oracle::records::Seen;
use super::plan::ConsumerPlan;
use super::producer::parse;
use super::scene::{Actor, Known, Scene, text};
use super::wire::{Got, Wire, decode};
use crate::model::{ErrorCode, Instant};

/// From here on a Fetch names its topics by id.
const TOPIC_ID_SINCE: i16 = 13;
const SESSION_SINCE: i16 = 7;
const LIST_OFFSETS: i16 = 7;
const EARLIEST: i64 = -2;
const PATIENCE_MS: u64 = 15_000;
const BACKOFF_MS: u64 = 50;
const MAX_WAIT_MS: i32 = 400;
/// The position of a partition whose beginning must be asked for.
const UNKNOWN: i64 = -1;
const BATCH_HEADER_BYTES: usize = 61;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Nothing,
    Fetch,
    Earliest(i32),
}

/// What a reader has found in a partition.
pub(super) struct Found {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) records: Vec<Seen>,
    /// The last fetch brought nothing.
    is_stuck: bool,
}

/// See the module.
pub(super) struct Consumer {
    number: u32,
    plan: ConsumerPlan,
    wire: Wire,
    asked: Asked,
    /// Where it reads next, by partition.
    positions: BTreeMap<i32, i64>,
    /// The positions that the last request was about.
    requested: BTreeMap<i32, i64>,
    /// What the broker's session believes.
    in_session: BTreeMap<i32, i64>,
    session: (i32, i32),
    due: Instant,
    /// Of a reader of everything: what it has found.
    found: Option<BTreeMap<i32, Found>>,
}

impl Consumer {
    pub(super) fn new(number: u32, plan: ConsumerPlan) -> Consumer {
        Consumer {
            number,
            plan,
            wire: Wire::default(),
            asked: Asked::Nothing,
            positions: BTreeMap::new(),
            requested: BTreeMap::new(),
            in_session: BTreeMap::new(),
            session: (0, 0),
            due: Instant(0),
            found: None,
        }
    }

    /// One that reads everything of a topic from its beginning.
    pub(super) fn of_everything(number: u32, topic: usize, version: i16) -> Consumer {
        let plan = ConsumerPlan { topic, version, has_session: false };
        Consumer { found: Some(BTreeMap::new()), ..Consumer::new(number, plan) }
    }

    /// What a reader of everything has found, once it has read up to the end of every partition; `is_hole` says whether
    /// nothing need be there between two offsets.
    pub(super) fn everything(
        &self,
        partitions: i32,
        is_hole: impl Fn(i32, Range<i64>) -> bool,
    ) -> Option<&BTreeMap<i32, Found>> {
        let found = self.found.as_ref()?;
        let is_whole = |partition: i32| {
            let position = self.positions.get(&partition).copied().filter(|position| *position != UNKNOWN);
            let at_end = |(found, position): (&Found, i64)| {
                let is_at = position == found.end || (found.is_stuck && is_hole(partition, position..found.end));
                found.end != UNKNOWN && is_at
            };
            found.get(&partition).zip(position).is_some_and(at_end)
        };
        (0..partitions).all(is_whole).then_some(found)
    }

    fn topic<'s>(&self, scene: &'s Scene<'_>) -> &'s Known {
        &scene.topics[self.plan.topic]
    }

    fn has_session(&self) -> bool {
        self.plan.has_session && self.plan.version >= SESSION_SINCE
    }

    fn lose(&mut self) {
        self.asked = Asked::Nothing;
        self.session = (0, 0);
    }

    fn ask(&mut self, scene: &mut Scene<'_>) {
        let first = if self.found.is_some() { UNKNOWN } else { 0 };
        for partition in 0..self.topic(scene).partitions {
            self.positions.entry(partition).or_insert(first);
        }
        let unknown =
            self.positions.iter().find(|(_, position)| **position == UNKNOWN).map(|(partition, _)| *partition);
        let asked = match unknown {
            Some(partition) => self.ask_earliest(scene, partition),
            None => self.fetch(scene),
        };
        self.asked = asked.unwrap_or(Asked::Nothing);
        if asked.is_none() {
            self.due = scene.in_ms(BACKOFF_MS);
        }
    }

    fn fetch(&mut self, scene: &mut Scene<'_>) -> Option<Asked> {
        let (session, epoch) = if self.has_session() { self.session } else { (0, -1) };
        if epoch <= 0 {
            self.in_session.clear();
        }
        let is_news = |(partition, position): &(&i32, &i64)| self.in_session.get(partition) != Some(position);
        let news: Vec<_> = self.positions.iter().filter(is_news).map(|(p, o)| (*p, *o)).collect();
        self.in_session.extend(news.iter().copied());
        self.requested = self.positions.clone();
        let max_bytes = [200, 5000, 100_000][scene.random.below(3) as usize];
        let max_bytes = if self.found.is_some() { 1 << 24 } else { max_bytes };
        let partition = |(partition, offset): &(i32, i64)| {
            let wanted = FetchPartition::default().with_partition(*partition).with_fetch_offset(*offset);
            wanted.with_partition_max_bytes(max_bytes)
        };
        let topic = self.topic(scene);
        let wanted = FetchTopic::default()
            .with_topic(TopicName(text(&topic.plan.name)))
            .with_topic_id(topic.id)
            .with_partitions(news.iter().map(partition).collect());
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(if self.found.is_some() { 0 } else { MAX_WAIT_MS })
            .with_min_bytes(1)
            .with_max_bytes(max_bytes * 2)
            .with_session_id(session)
            .with_session_epoch(epoch)
            .with_topics(if news.is_empty() { Vec::new() } else { vec![wanted] });
        self.wire.post(scene, self.plan.version, &request).map(|_| Asked::Fetch)
    }

    fn ask_earliest(&mut self, scene: &mut Scene<'_>, partition: i32) -> Option<Asked> {
        let wanted = ListOffsetsPartition::default().with_partition_index(partition).with_timestamp(EARLIEST);
        let name = TopicName(text(&self.topic(scene).plan.name));
        let topic = ListOffsetsTopic::default().with_name(name).with_partitions(vec![wanted]);
        let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
        self.wire.post(scene, LIST_OFFSETS, &request).map(|_| Asked::Earliest(partition))
    }

    fn take_earliest(&mut self, scene: &mut Scene<'_>, partition: i32, body: Bytes) {
        let Some(response) = decode::<ListOffsetsRequest>(scene, LIST_OFFSETS, body) else { return };
        let answered = response.topics.first().and_then(|topic| topic.partitions.first());
        match answered.map(|answered| (answered.error_code, answered.offset)) {
            Some((0, start)) => {
                let (object, number) = (self.topic(scene).object(partition), self.number);
                scene.history.note(|| object, || format!("consumer {number}: it begins at {start}"));
                self.positions.insert(partition, start);
                if let Some(found) = &mut self.found {
                    found.insert(partition, Found { start, end: UNKNOWN, records: Vec::new(), is_stuck: false });
                }
            }
            Some(_) => self.due = scene.in_ms(BACKOFF_MS),
            None => scene.violated("ListOffsets answers for its partition", &[], String::new()).unwrap_or(()),
        }
    }

    fn take_fetched(&mut self, scene: &mut Scene<'_>, body: Bytes) {
        let Some(response) = decode::<FetchRequest>(scene, self.plan.version, body) else { return };
        match ErrorCode::from_code(response.error_code) {
            Some(ErrorCode::None) => {}
            Some(ErrorCode::FetchSessionIdNotFound | ErrorCode::InvalidFetchSessionEpoch) => {
                self.session = (0, 0);
                return;
            }
            error => return scene.violated("a good fetch is answered", &[], format!("{error:?}")).unwrap_or(()),
        }
        if self.has_session() {
            self.session = if response.session_id == 0 { (0, 0) } else { (response.session_id, self.session.1 + 1) };
        }
        let by_id = self.plan.version >= TOPIC_ID_SINCE;
        for topic in response.responses {
            let known = self.topic(scene);
            let is_right = if by_id { topic.topic_id == known.id } else { topic.topic.0.as_str() == known.plan.name };
            if !is_right {
                let text = format!("{:?} {}", topic.topic, topic.topic_id);
                return scene.violated("a fetch is answered for its topic", &[], text).unwrap_or(());
            }
            for partition in topic.partitions {
                self.take_partition(scene, partition);
            }
        }
    }

    fn take_partition(&mut self, scene: &mut Scene<'_>, data: PartitionData) {
        let partition = data.partition_index;
        let Some(from) = self.requested.get(&partition).copied() else {
            return scene.violated("a fetch is answered for its partitions", &[], partition.to_string()).unwrap_or(());
        };
        let known = self.topic(scene);
        let (key, object) = ((known.id, partition), known.object(partition));
        let is_added = partition >= known.plan.partitions;
        if data.error_code != 0 {
            let object = object.clone();
            scene.history.note(|| object, || format!("consumer {}: error {}", self.number, data.error_code));
        }
        match ErrorCode::from_code(data.error_code) {
            Some(ErrorCode::None) => {}
            Some(ErrorCode::OffsetOutOfRange) => {
                scene.history.note(|| object, || format!("consumer {}: {from} is out of range", self.number));
                scene.oracle.judge(key, |records| records.out_of_range(from));
                self.positions.insert(partition, UNKNOWN);
                return;
            }
            Some(ErrorCode::KafkaStorageError | ErrorCode::NotLeaderOrFollower) => {
                return self.wait_for(scene, partition);
            }
            // Whoever made it knows of it a moment earlier than every shard.
            Some(ErrorCode::UnknownTopicOrPartition) if is_added => return self.wait_for(scene, partition),
            error => return scene.violated("a good fetch is answered", &[object], format!("{error:?}")).unwrap_or(()),
        }
        let records = data.records.unwrap_or_default();
        let Some((next, seen)) = unpack(scene, &object, from, records) else { return };
        scene.history.note(
            || object,
            || {
                let span = seen.first().map(|first| first.offset).zip(seen.last().map(|last| last.offset));
                let (start, end) = (data.log_start_offset, data.high_watermark);
                format!("consumer {}: from {from}: {span:?}, begins at {start}, high watermark {end}", self.number)
            },
        );
        scene.oracle.judge(key, |records| records.fetched(from, data.high_watermark, &seen));
        self.positions.insert(partition, next);
        if let Some(found) = self.found.as_mut().and_then(|found| found.get_mut(&partition)) {
            (found.end, found.is_stuck) = (data.high_watermark, next == from);
            found.records.extend(seen);
        }
    }

    fn wait_for(&mut self, scene: &Scene<'_>, partition: i32) {
        self.due = scene.in_ms(BACKOFF_MS);
        self.in_session.remove(&partition);
    }
}

/// The records from an offset on, and where the next fetch begins. The last batch may be cut off.
fn unpack(scene: &mut Scene<'_>, object: &Object, from: i64, mut records: Bytes) -> Option<(i64, Vec<Seen>)> {
    let (mut next, mut seen) = (from, Vec::new());
    let objects = std::slice::from_ref(object);
    while records.len() >= BATCH_HEADER_BYTES {
        let size = 12 + i32::from_be_bytes(records[8..12].try_into().unwrap_or_default()) as usize;
        if records.len() < size {
            break;
        }
        let base = i64::from_be_bytes(records[..8].try_into().unwrap_or_default());
        let last = i64::from(i32::from_be_bytes(records[23..27].try_into().unwrap_or_default()));
        let mut batch = records.split_to(size);
        let decoded = match RecordBatchDecoder::decode(&mut batch) {
            Ok(decoded) => decoded,
            Err(error) => return scene.violated("what is served is whole", objects, format!("at {base}: {error}")),
        };
        for record in decoded.records.iter().filter(|record| record.offset >= from) {
            let Some(id) = record.value.as_deref().and_then(parse) else {
                return scene.violated("what is read was sent", objects, format!("at {}", record.offset));
            };
            seen.push(Seen { offset: record.offset, id });
        }
        next = next.max(base + last + 1);
    }
    Some((next, seen))
}

impl Actor for Consumer {
    fn act(&mut self, scene: &mut Scene<'_>) {
        loop {
            match self.wire.poll(scene) {
                Got::Nothing => break,
                Got::Lost => self.lose(),
                Got::Answer(_, body) => match std::mem::replace(&mut self.asked, Asked::Nothing) {
                    Asked::Fetch => self.take_fetched(scene, body),
                    Asked::Earliest(partition) => self.take_earliest(scene, partition, body),
                    Asked::Nothing => {}
                },
            }
        }
        self.wire.lose_patience(scene.now, PATIENCE_MS);
        if self.asked != Asked::Nothing && !self.wire.is_waiting() {
            self.lose();
        }
        let may_ask = !scene.is_resting || self.found.is_some();
        if self.asked == Asked::Nothing && scene.now >= self.due && may_ask {
            self.ask(scene);
        }
    }

    fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    fn is_settled(&self, _: &[Known]) -> bool {
        self.asked == Asked::Nothing
    }

    fn name(&self) -> String {
        format!("consumer {}", self.number)
    }
}
