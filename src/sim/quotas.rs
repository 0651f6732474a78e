//! Stories of quotas: clients of several shards that ask for as much as they can get what their quota says, within five
//! percent, and a connection that is throttled is left alone for as long as its answer says, and no longer.

use std::time::Duration;

use super::client::Client;
use super::cluster::SharedCluster;
use super::stories::{
    FETCH, PRODUCE, TOPIC, alter_config, batch, cluster, create_topic, delete_records_before, fetch_request,
    produce_request,
};
use crate::codec::{Message, Reader};
use crate::model::{ApiKey, Instant};
use crate::stdx::random::Random;
use crate::wire::api::{alter_client_quotas, create_topics, delete_topics, describe_quorum, fetch, metadata, produce};
use crate::wire::frame;

const METADATA: i16 = 12;
const STEP: Duration = Duration::from_millis(4);
/// The first answers come out of what the windows before the start hold.
const WARM_UP: Duration = Duration::from_secs(25);
const MEASURED: Duration = Duration::from_secs(60);
/// How late an answer may be after the time for which its client was throttled.
const LATE: Duration = Duration::from_millis(200);

const ANONYMOUS: (&str, Option<&str>) = ("user", Some("ANONYMOUS"));

pub(super) fn set_quota(
    cluster: &SharedCluster,
    (entity_type, entity_name): (&str, Option<&str>),
    key: &str,
    value: Option<f64>,
) {
    use alter_client_quotas::request::{EntityData, EntryData, OpData};
    let entity = EntityData { entity_type: entity_type.into(), entity_name: entity_name.map(Into::into) };
    let op = OpData { key: key.into(), value: value.unwrap_or(0.0), remove: value.is_none() };
    let entries = vec![EntryData { entity: vec![entity], ops: vec![op] }];
    let request = alter_client_quotas::Request { entries, validate_only: false };
    let mut client = Client::connect(&cluster.borrow());
    let answer = client.call(cluster, ApiKey::AlterClientQuotas, 1, &request);
    let answer = alter_client_quotas::Response::decode(&mut Reader::new(&answer), 1).unwrap();
    assert_eq!(answer.entries[0].error_code, 0, "{:?}", answer.entries[0].error_message);
}

/// Changes a config of the broker while it runs.
pub(super) fn alter_broker(cluster: &SharedCluster, client: &mut Client, name: &str, value: &str) {
    assert_eq!(alter_config(client, cluster, (4, ""), name, Some(value)), (0, String::new()));
}

/// A client that has one request under way, or several.
struct Asking {
    client: Client,
    /// Bytes of the produces under way.
    sizes: Vec<usize>,
    last_answer: Instant,
    throttle: Duration,
    offset: i64,
}

impl Asking {
    fn new(cluster: &SharedCluster) -> Asking {
        let (client, last_answer) = (Client::connect(&cluster.borrow()), cluster.borrow().world.now());
        Asking { client, sizes: Vec::new(), last_answer, throttle: Duration::ZERO, offset: 0 }
    }

    /// An answer came: not before the time that the last one has told of, and not much later.
    fn answered(&mut self, now: Instant, throttle_ms: i32) {
        let waited = now.since(self.last_answer);
        assert!(waited + 2 * STEP >= self.throttle, "{waited:?}, but throttled for {:?}", self.throttle);
        assert!(waited <= self.throttle + LATE, "{waited:?}, and was throttled for {:?}", self.throttle);
        (self.last_answer, self.throttle) = (now, Duration::from_millis(throttle_ms as u64));
    }

    /// Keeps two produces under way; gives the bytes that were taken.
    fn produce(&mut self, now: Instant, random: &mut Random, most: u64) -> usize {
        let mut taken = 0;
        assert!(self.client.pump());
        while let Some(answer) = self.client.take_answer(ApiKey::Produce, PRODUCE) {
            let answer = produce::Response::decode(&mut Reader::new(&answer), PRODUCE).unwrap();
            self.answered(now, answer.throttle_time_ms);
            taken += self.sizes.remove(0);
        }
        while self.sizes.len() < 2 {
            let records = batch(-1, -1, 1, 1 + random.below(most) as usize);
            let request = produce_request(0, &records, 1);
            self.sizes.push(request.size_bytes(PRODUCE).unwrap() + 14 + frame::SIZE_BYTES);
            self.client.send(ApiKey::Produce, PRODUCE, &request);
        }
        assert!(self.client.pump());
        taken
    }

    /// Keeps one small request under way; gives how many were answered.
    fn ask(&mut self, now: Instant) -> usize {
        assert!(self.client.pump());
        let answer = self.client.take_answer(ApiKey::Metadata, METADATA);
        if let Some(answer) = &answer {
            let answer = metadata::Response::decode(&mut Reader::new(answer), METADATA).unwrap();
            self.answered(now, answer.throttle_time_ms);
            self.sizes.clear();
        }
        if self.sizes.is_empty() {
            self.sizes.push(0);
            let request = metadata::Request { topics: Some(Vec::new()), ..Default::default() };
            self.client.send(ApiKey::Metadata, METADATA, &request);
        }
        assert!(self.client.pump());
        answer.iter().len()
    }

    /// Keeps one fetch under way; gives the bytes that were sent.
    fn fetch(&mut self, now: Instant) -> usize {
        assert!(self.client.pump());
        let mut sent = 0;
        if let Some(answer) = self.client.take_answer(ApiKey::Fetch, FETCH) {
            let size = answer.len();
            let answer = fetch::Response::decode(&mut Reader::new(&answer), FETCH).unwrap();
            self.answered(now, answer.throttle_time_ms);
            assert_eq!(answer.responses.is_empty(), answer.throttle_time_ms > 0, "a throttled answer is empty");
            sent = if answer.responses.is_empty() { 0 } else { size };
            self.sizes.clear();
        }
        if self.sizes.is_empty() {
            self.sizes.push(0);
            self.client.send(ApiKey::Fetch, FETCH, &fetch_request(0, self.offset, 0));
        }
        assert!(self.client.pump());
        sent
    }
}

/// Bytes in a second, as measured behind the warm-up.
fn rate(cluster: &SharedCluster, mut step: impl FnMut(Instant) -> usize) -> f64 {
    let begin = cluster.borrow().world.now();
    let mut bytes = 0;
    loop {
        cluster.borrow_mut().advance(STEP);
        cluster.borrow_mut().step();
        let now = cluster.borrow().world.now();
        let stepped = step(now);
        if now.since(begin) > WARM_UP {
            bytes += stepped;
        }
        if now.since(begin) > WARM_UP + MEASURED {
            return bytes as f64 / MEASURED.as_secs_f64();
        }
    }
}

fn assert_within(rate: f64, limit: f64, what: &str) {
    assert!((limit * 0.95..limit * 1.05).contains(&rate), "{what}: {rate} in a second, the quota is {limit}");
}

#[test]
fn producers_of_all_shards_together_get_their_quota() {
    for seed in 0..4 {
        let cluster = cluster(seed, &[]);
        create_topic(&cluster, 1);
        let mut random = Random::new(seed);
        let limit = 5_000.0 + random.below(50_000) as f64;
        set_quota(&cluster, ANONYMOUS, "producer_byte_rate", Some(limit));
        let mut clients: Vec<Asking> = (0..1 + 2 * seed).map(|_| Asking::new(&cluster)).collect();
        let most = [500, 3_000, 10_000, 2_000][seed as usize];
        let rate = rate(&cluster, |now| clients.iter_mut().map(|client| client.produce(now, &mut random, most)).sum());
        assert_within(rate, limit, &format!("seed {seed}"));
        // Without it they are left alone no more.
        set_quota(&cluster, ANONYMOUS, "producer_byte_rate", None);
        let mut other = Asking::new(&cluster);
        let mut taken = 0;
        for _ in 0..500 {
            cluster.borrow_mut().advance(STEP);
            cluster.borrow_mut().step();
            let now = cluster.borrow().world.now();
            taken += usize::from(other.produce(now, &mut random, most) > 0);
        }
        assert!(taken > 10 && other.throttle.is_zero());
    }
}

#[test]
fn consumers_of_all_shards_together_get_their_quota() {
    for seed in 0..2 {
        let cluster = cluster(seed, &[]);
        create_topic(&cluster, 1);
        let mut writer = Client::connect(&cluster.borrow());
        for _ in 0..2 {
            writer.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(0, &batch(-1, -1, 5, 400), 1));
        }
        let limit = 40_000.0;
        set_quota(&cluster, ANONYMOUS, "consumer_byte_rate", Some(limit));
        let mut clients: Vec<Asking> = (0..1 + 2 * seed).map(|_| Asking::new(&cluster)).collect();
        let rate = rate(&cluster, |now| clients.iter_mut().map(|client| client.fetch(now)).sum());
        assert_within(rate, limit, &format!("seed {seed}"));
    }
}

/// A fetch with a session whose answers are throttled is told of everything in the end.
#[test]
fn a_throttled_session_loses_nothing() {
    let cluster = cluster(1, &[]);
    create_topic(&cluster, 2);
    let mut client = Client::connect(&cluster.borrow());
    for partition in 0..2 {
        client.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(partition, &batch(-1, -1, 1, 700), 1));
    }
    // The start of a log is told once, and not again with the next records.
    set_quota(&cluster, ANONYMOUS, "consumer_byte_rate", Some(100.0));
    let mut ask = |session_id, session_epoch, offset: Option<i64>| {
        let mut request = fetch_request(0, offset.unwrap_or(0), 0);
        (request.session_id, request.session_epoch) = (session_id, session_epoch);
        let end = fetch::FetchPartition { partition: 1, fetch_offset: 1, ..request.topics[0].partitions[0].clone() };
        request.topics[0].partitions.push(end);
        if offset.is_none() {
            request.topics.clear();
        }
        let answer = client.call(&cluster, ApiKey::Fetch, FETCH, &request);
        let answer = fetch::Response::decode(&mut Reader::new(&answer), FETCH).unwrap();
        assert_eq!(answer.error_code, 0);
        let bytes: usize = answer
            .responses
            .iter()
            .flat_map(|t| &t.partitions)
            .map(|p| p.records.as_deref().map_or(0, <[u8]>::len))
            .sum();
        let starts =
            answer.responses.iter().flat_map(|t| &t.partitions).map(|p| (p.partition_index, p.log_start_offset));
        let mut starts: Vec<_> = starts.collect();
        starts.sort_unstable();
        (answer.session_id, bytes, answer.throttle_time_ms, starts)
    };
    let (id, bytes, throttle, starts) = ask(0, 0, Some(0));
    assert!(id != 0 && bytes > 700 && throttle == 0 && starts == [(0, 0), (1, 0)]);
    assert_eq!(delete_records_before(&cluster, 1, 1), 1);
    // Once more: that is too much, so the session goes on and nothing is told.
    let (same, bytes, throttle, starts) = ask(id, 1, Some(0));
    assert!(same == id && bytes == 0 && throttle > 500 && starts.is_empty(), "{throttle}");
    // The partition is still of interest: what was not told comes, in this session, when there is room.
    let told = (2..40).map(|epoch| ask(id, epoch, None)).find(|(_, bytes, ..)| *bytes > 0);
    assert_eq!(told.map(|(_, _, _, starts)| starts), Some(vec![(0, 0), (1, 1)]));
    // A session that would begin with a throttled answer does not begin.
    let (id, bytes, throttle, _) = ask(0, 0, Some(0));
    assert!(id == 0 && bytes == 0 && throttle > 0);
}

#[test]
fn partitions_are_made_and_deleted_at_the_rate_of_their_quota() {
    let cluster = cluster(3, &[("controller.quota.window.num", "2")]);
    set_quota(&cluster, ANONYMOUS, "controller_mutation_rate", Some(1.0));
    let mut client = Client::connect(&cluster.borrow());
    let create = |client: &mut Client, names: &[&'static str], version| {
        let topic = |name: &&'static str| create_topics::CreatableTopic {
            name: (*name).into(),
            num_partitions: 4,
            replication_factor: 1,
            ..Default::default()
        };
        let topics = names.iter().map(topic).collect();
        let request = create_topics::Request { topics, timeout_ms: 10_000, ..Default::default() };
        let answer = client.call(&cluster, ApiKey::CreateTopics, version, &request);
        let answer = create_topics::Response::decode(&mut Reader::new(&answer), version).unwrap();
        let codes: Vec<_> = answer.topics.iter().map(|t| (t.name.to_string(), t.error_code)).collect();
        (codes, answer.throttle_time_ms)
    };
    let told = |pairs: &[(&str, i16)]| pairs.iter().map(|(name, code)| (name.to_string(), *code)).collect::<Vec<_>>();
    // The bucket holds two: the first topic is made, and takes more than there is.
    let before = cluster.borrow().world.now();
    let (codes, throttle) = create(&mut client, &["a", "b"], 7);
    assert_eq!(codes, told(&[("a", 0), ("b", 89)]));
    assert!((1900..=2000).contains(&throttle), "{throttle}");
    // What is refused for another reason costs nothing; the connection was left alone meanwhile.
    let (codes, throttle) = create(&mut client, &["a"], 7);
    assert_eq!((codes, throttle), (told(&[("a", 36)]), 0));
    assert!(cluster.borrow().world.now().since(before) >= Duration::from_millis(1900));
    // An old client does not know the error: it is done, and throttled.
    let (codes, throttle) = create(&mut client, &["c", "d"], 5);
    assert_eq!(codes, told(&[("c", 0), ("d", 0)]));
    assert!((7000..=8000).contains(&throttle), "{throttle}");
    let request = delete_topics::Request {
        topics: vec![delete_topics::DeleteTopicState { name: Some(TOPIC.into()), ..Default::default() }],
        ..Default::default()
    };
    let answer = client.call(&cluster, ApiKey::DeleteTopics, 6, &request);
    let answer = delete_topics::Response::decode(&mut Reader::new(&answer), 6).unwrap();
    assert_eq!((answer.responses[0].error_code, answer.throttle_time_ms), (3, 0), "what is not there costs nothing");
    // So it is with topics that are created because they are asked for.
    let found = |client: &mut Client| {
        let topic =
            |name: &'static str| metadata::MetadataRequestTopic { name: Some(name.into()), ..Default::default() };
        let topics = Some(vec![topic("e"), topic("f")]);
        let request = metadata::Request { topics, allow_auto_topic_creation: true, ..Default::default() };
        let answer = client.call(&cluster, ApiKey::Metadata, METADATA, &request);
        let answer = metadata::Response::decode(&mut Reader::new(&answer), METADATA).unwrap();
        answer.topics.iter().map(|topic| topic.error_code).collect::<Vec<_>>()
    };
    assert_eq!(found(&mut client), [0, 3]);
    assert_eq!(found(&mut client), [0, 3]);
    cluster.borrow_mut().advance(Duration::from_secs(1));
    assert_eq!(found(&mut client), [0, 0]);
}

/// What a thread spends on requests: a look at the clock takes a millisecond here, so each request costs that much.
#[test]
fn the_time_of_a_thread_is_shared_out() {
    let cluster = cluster(2, &[]);
    cluster.borrow().world.set_time_between_looks(Duration::from_millis(1));
    set_quota(&cluster, ANONYMOUS, "request_percentage", Some(2.0));
    let mut clients: Vec<Asking> = (0..3).map(|_| Asking::new(&cluster)).collect();
    let rate = rate(&cluster, |now| clients.iter_mut().map(|client| client.ask(now)).sum());
    assert_within(rate, 20.0, "requests of a millisecond, of two percents of a thread");
    // A client is left alone for a window at most, however much it has used: this one asks for as much as it can.
    set_quota(&cluster, ANONYMOUS, "request_percentage", Some(0.001));
    let mut other = Asking::new(&cluster);
    let mut longest = Duration::ZERO;
    for _ in 0..2000 {
        cluster.borrow_mut().advance(STEP);
        cluster.borrow_mut().step();
        let now = cluster.borrow().world.now();
        other.ask(now);
        longest = longest.max(other.throttle);
    }
    assert_eq!(longest, Duration::from_secs(1));
    // What other brokers depend on is never held back, and costs nothing.
    let mut other = Client::connect(&cluster.borrow());
    for _ in 0..100 {
        let before = cluster.borrow().world.now();
        other.call(&cluster, ApiKey::DescribeQuorum, 2, &describe_quorum::Request::default());
        assert!(cluster.borrow().world.now().since(before) < Duration::from_millis(200));
    }
}

/// A client that wants no answer cannot be told, and is left alone all the same, also by what it asks next.
#[test]
fn a_produce_without_an_answer_is_throttled_all_the_same() {
    let cluster = cluster(4, &[]);
    create_topic(&cluster, 1);
    set_quota(&cluster, ANONYMOUS, "producer_byte_rate", Some(1_000.0));
    let mut client = Client::connect(&cluster.borrow());
    let ask = |client: &mut Client| {
        let request = metadata::Request { topics: Some(Vec::new()), ..Default::default() };
        let before = cluster.borrow().world.now();
        let answer = client.call(&cluster, ApiKey::Metadata, METADATA, &request);
        let answer = metadata::Response::decode(&mut Reader::new(&answer), METADATA).unwrap();
        (cluster.borrow().world.now().since(before), answer.throttle_time_ms)
    };
    assert!(ask(&mut client).0 < LATE);
    // Twelve seconds' worth, where ten are free.
    client.send_silently(ApiKey::Produce, PRODUCE, &produce_request(0, &batch(-1, -1, 1, 12_000), 0));
    let (waited, throttle_ms) = ask(&mut client);
    assert!((2_000..2_400).contains(&waited.as_millis()), "{waited:?}");
    assert_eq!(throttle_ms, 0, "the next request is not what was too much");
    assert!(ask(&mut client).0 < LATE);
}

/// A client that is left alone for longer than a connection may be idle is closed as an idle one, as by Kafka.
#[test]
fn who_is_left_alone_is_idle() {
    let cluster = cluster(5, &[("connections.max.idle.ms", "20000")]);
    create_topic(&cluster, 1);
    set_quota(&cluster, ANONYMOUS, "producer_byte_rate", Some(1_000.0));
    for (bytes, is_closed) in [(25_000, false), (200_000, true)] {
        let mut client = Client::connect(&cluster.borrow());
        let records = batch(-1, -1, 1, bytes);
        let answer = client.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(0, &records, 1));
        let answer = produce::Response::decode(&mut Reader::new(&answer), PRODUCE).unwrap();
        assert_eq!(answer.throttle_time_ms > 30_000, is_closed);
        let until = cluster.borrow().world.now() + Duration::from_secs(30);
        let request = metadata::Request { topics: Some(Vec::new()), ..Default::default() };
        client.send(ApiKey::Metadata, METADATA, &request);
        let (mut is_open, mut is_answered) = (true, false);
        while cluster.borrow().world.now() < until && is_open && !is_answered {
            cluster.borrow_mut().advance(STEP);
            cluster.borrow_mut().step();
            is_open = client.pump();
            is_answered = client.take_answer(ApiKey::Metadata, METADATA).is_some();
        }
        assert_eq!((is_open, is_answered), (!is_closed, !is_closed), "{bytes} bytes");
    }
}
