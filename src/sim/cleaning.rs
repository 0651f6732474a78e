//! The cleaner at work beside producers, retention and crashes: whatever is lost, it is never the last record of a key, and
//! nothing comes twice.

use std::collections::{BTreeMap, BTreeSet};

use super::client::Client;
use super::cluster::SharedCluster;
use super::stories::{CREATE_TOPICS, FETCH, PRODUCE, TOPIC, cluster, fetch_request, produce_answer, produce_request};
use crate::codec::{Message, Reader};
use crate::hosting::cleaning::Speed;
use crate::io::simulated_disk::Crash;
use crate::model::{ApiKey, PartitionIndex, TimestampMs};
use crate::record::batches::Batches;
use crate::record::builder::{Builder, Options, Record};
use crate::stdx::random::Random;
use crate::storage::cleaner::Pace;
use crate::wire::api::{create_topics, fetch};

const PRODUCERS: i64 = 3;
const KEYS: u64 = 5;
/// How many records each run sends; a segment holds a dozen of them.
const RECORDS: usize = 400;
const CONFIGS: [(&str, &str); 4] = [
    ("cleanup.policy", "compact"),
    ("min.cleanable.dirty.ratio", "0.0"),
    ("internal.segment.bytes", "1000"),
    ("flush.messages", "1"),
];
/// Steps that pass while the cleaner reads or writes once.
const STEPS_PER_SPEND: u32 = 3;
const PATIENCE_STEPS: u64 = 20_000;

/// An idempotent producer with one batch of one record under way.
struct Producer {
    client: Client,
    id: i64,
    /// Of each sequence number.
    keys: Vec<u8>,
    /// Offsets, by sequence number.
    acknowledged: Vec<i64>,
}

impl Producer {
    fn post(&mut self) {
        let sequence = self.acknowledged.len();
        let (options, key) = (Options::default(), [self.keys[sequence]]);
        let options = Options { producer_id: self.id, producer_epoch: 0, base_sequence: sequence as i32, ..options };
        let mut builder = Builder::new(options);
        let value = format!("{}:{sequence}", self.id);
        let timestamp = TimestampMs(1_767_225_600_000);
        builder.append(&Record { timestamp, key: Some(&key), value: Some(value.as_bytes()), headers: &[] });
        self.client.send(ApiKey::Produce, PRODUCE, &produce_request(0, &builder.build(), -1));
    }

    fn is_waiting(&self) -> bool {
        self.keys.len() > self.acknowledged.len()
    }
}

struct Run {
    cluster: SharedCluster,
    producers: Vec<Producer>,
    random: Random,
    left: usize,
}

impl Run {
    fn start(seed: u64) -> Run {
        let cluster = cluster(seed, &[]);
        let mut client = Client::connect(&cluster.borrow());
        let config = |(name, value): (&'static str, &'static str)| create_topics::CreatableTopicConfig {
            name: name.into(),
            value: Some(value.into()),
        };
        let configs = CONFIGS.into_iter().map(config).collect();
        let (num_partitions, replication_factor) = (1, 1);
        let topic = create_topics::CreatableTopic {
            name: TOPIC.into(),
            num_partitions,
            replication_factor,
            configs,
            ..Default::default()
        };
        let request = create_topics::Request { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
        let answer = client.call(&cluster, ApiKey::CreateTopics, CREATE_TOPICS, &request);
        let response = create_topics::Response::decode(&mut Reader::new(&answer), CREATE_TOPICS).unwrap();
        assert_eq!(response.topics[0].error_code, 0);
        let producer = |id| {
            let client = Client::connect(&cluster.borrow());
            Producer { client, id, keys: Vec::new(), acknowledged: Vec::new() }
        };
        let producers = (0..PRODUCERS).map(producer).collect();
        Run { cluster, producers, random: Random::new(seed), left: RECORDS }
    }

    /// Time passes; whoever has its answer sends the next record.
    fn step(&mut self) {
        self.cluster.borrow_mut().step();
        for producer in &mut self.producers {
            producer.client.pump();
            while let Some(answer) = producer.client.take_answer(ApiKey::Produce, PRODUCE) {
                let (error, offset) = produce_answer(&answer);
                assert_eq!(error, 0);
                producer.acknowledged.push(offset);
            }
            if !producer.is_waiting() && self.left > 0 {
                self.left -= 1;
                producer.keys.push(self.random.below(KEYS) as u8);
                producer.post();
            }
        }
    }

    fn crash(&mut self, crash: Crash) {
        self.cluster.borrow_mut().crash(crash);
        self.cluster.borrow_mut().restart();
        for producer in &mut self.producers {
            producer.client = Client::connect(&self.cluster.borrow());
            // Nobody knows whether it had arrived.
            if producer.is_waiting() {
                producer.post();
            }
        }
    }

    fn finish(&mut self) {
        for _ in 0..PATIENCE_STEPS {
            if self.left == 0 && !self.producers.iter().any(Producer::is_waiting) {
                return;
            }
            self.step();
        }
        panic!("{} records are not sent", self.left);
    }

    /// Offset, key, value of what is in the log.
    fn read(&self) -> Vec<(i64, u8, String)> {
        let mut client = Client::connect(&self.cluster.borrow());
        let (mut found, mut next) = (Vec::new(), 0);
        loop {
            let answer = client.call(&self.cluster, ApiKey::Fetch, FETCH, &fetch_request(0, next, 0));
            let response = fetch::Response::decode(&mut Reader::new(&answer), FETCH).unwrap();
            let partition = &response.responses[0].partitions[0];
            assert_eq!(partition.error_code, 0);
            let before = next;
            for batch in Batches::new(partition.records.as_deref().unwrap_or_default()).map_while(Result::ok) {
                assert!(batch.is_intact());
                next = batch.header.last_offset().0 + 1;
                let unpacked = batch.unpack(1 << 20).unwrap();
                let mut records = batch.records(&unpacked);
                while let Some(record) = records.next() {
                    let record = record.unwrap();
                    let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
                    found.push((records.offset(&record), record.key.unwrap()[0], value));
                }
            }
            if next == before {
                return found;
            }
        }
    }

    /// `cleaned_to`: below, every key is there once.
    fn check(&self, cleaned_to: i64) {
        let found = self.read();
        let mut latest = BTreeMap::new();
        for (offset, key, _) in &found {
            if let Some(before) = latest.insert(*key, *offset) {
                assert!(*offset >= cleaned_to, "{before} and {offset} have one key");
            }
        }
        let values: BTreeSet<&String> = found.iter().map(|(_, _, value)| value).collect();
        assert_eq!(values.len(), found.len(), "a record is there twice");
        for producer in &self.producers {
            for (sequence, offset) in producer.acknowledged.iter().enumerate() {
                let (key, value) = (producer.keys[sequence], format!("{}:{sequence}", producer.id));
                let is_there = found.contains(&(*offset, key, value));
                assert!(is_there || latest[&key] > *offset, "the last record of key {key} at {offset} is lost");
            }
        }
    }
}

/// The world goes on while the cleaner works, and perhaps it ends.
struct Beside<'r> {
    run: &'r mut Run,
    crash: Option<(u64, Crash)>,
}

impl Pace for Beside<'_> {
    fn spend(&mut self, _: u64) -> bool {
        (0..STEPS_PER_SPEND).for_each(|_| self.run.step());
        match &mut self.crash {
            Some((0, crash)) => {
                let crash = *crash;
                self.crash = None;
                self.run.crash(crash);
                false
            }
            Some((spends, _)) => {
                *spends -= 1;
                true
            }
            None => true,
        }
    }
}

impl Speed for Beside<'_> {
    fn set_bytes_per_second(&mut self, _: f64) {}
}

fn clean_beside_producers(seed: u64, how: impl Fn(u64) -> Crash) {
    let mut run = Run::start(seed);
    let mut crashes = 0;
    while run.left > 0 {
        let mut cleaner = run.cluster.borrow().open_cleaner();
        // A round of these logs takes some dozens of reads and writes: the crash comes in one of them, or between two.
        let at = run.random.below(60);
        let mut beside = Beside { run: &mut run, crash: Some((at, how(seed * 100 + crashes))) };
        while beside.crash.is_some() && beside.run.left > 0 {
            if !cleaner.step(&mut beside) {
                beside.run.step();
            }
        }
        crashes += 1;
    }
    assert!(crashes > 3, "only {crashes} crashes");
    run.finish();
    run.check(0);
    let mut cleaner = run.cluster.borrow().open_cleaner();
    while cleaner.step(&mut Beside { run: &mut run, crash: None }) {}
    let cleaned_to = cleaner.cleaned_to(TOPIC, PartitionIndex(0)).expect("it was cleaned");
    assert!(cleaned_to.0 > RECORDS as i64 / 2);
    run.check(cleaned_to.0);
}

#[test]
fn the_last_record_of_a_key_outlives_crashes_of_the_process() {
    for seed in 1..6 {
        clean_beside_producers(seed, |_| Crash::Process);
    }
}

#[test]
fn the_last_record_of_a_key_outlives_losses_of_power() {
    for seed in 1..6 {
        clean_beside_producers(seed, |n| if n % 2 == 0 { Crash::Power } else { Crash::Torn { seed: n } });
    }
}
