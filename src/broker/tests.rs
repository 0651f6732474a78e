//! Brokers with real sockets and threads, in the test process.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::codec::{Message, Reader};
use crate::config::Layers;
use crate::metrics::Ending;
use crate::model::{ApiKey, TimestampMs};
use crate::record::batches::Batches;
use crate::record::builder::{Builder, Options, Record};
use crate::server::inlet::Asking;
use crate::shard::inquiry::InquiryReply;
use crate::shard::session::Session;
use crate::wire::api::{self, create_topics, fetch, produce};
use crate::wire::frame::{self, Split};
use crate::wire::header::ResponseHeader;

const TOPIC: &str = "stream";
const CREATE_TOPICS: i16 = 7;
const PRODUCE: i16 = 9;
const FETCH: i16 = 12;
const PATIENCE: Duration = Duration::from_secs(30);
const MAX_FRAME_BYTES: usize = 1 << 20;

fn start(directory: &Path, io: &str) -> Broker {
    start_with(directory, io, &[])
}

fn start_with(directory: &Path, io: &str, also: &[(&str, &str)]) -> Broker {
    let directory = directory.display().to_string();
    let overrides = [
        ("log.dirs", directory.as_str()),
        ("listeners", "PLAINTEXT://127.0.0.1:0"),
        ("klamm.shards", "2"),
        ("klamm.io", io),
    ];
    let overrides = overrides.iter().chain(also);
    let overrides = overrides.map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let (config, _) = Config::load(&Layers { overrides, ..Layers::default() }).unwrap();
    Broker::start(config, None).unwrap()
}

/// A request as on the wire, the size in front.
fn frame_of<'m>(key: ApiKey, version: i16, correlation_id: i32, body: &impl Message<'m>) -> Vec<u8> {
    let mut request = Vec::new();
    let description = api::describe(key).unwrap();
    frame::append_request(&mut request, description, (correlation_id, "test"), body, version).unwrap();
    request
}

/// The body of an answer, which is left to the test process.
fn body_of<R: Message<'static>>(key: ApiKey, version: i16, correlation_id: i32, answer: Vec<u8>) -> R {
    let mut reader = Reader::new(answer.leak());
    let header_version = api::describe(key).unwrap().response_header_version(version);
    let header = ResponseHeader::decode(&mut reader, header_version).unwrap();
    assert_eq!(header.correlation_id, correlation_id);
    R::decode(&mut reader, version).unwrap()
}

fn fetch_from(offset: i64, max_wait_ms: i32) -> fetch::Request<'static> {
    let partition = fetch::FetchPartition { fetch_offset: offset, partition_max_bytes: 1 << 16, ..Default::default() };
    let topic = fetch::FetchTopic { topic: TOPIC.into(), partitions: vec![partition], ..Default::default() };
    fetch::Request {
        max_wait_ms,
        min_bytes: 1,
        max_bytes: 1 << 16,
        session_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    }
}

/// The values that a fetch brought.
fn values(response: &fetch::Response<'_>) -> Vec<String> {
    let partition = &response.responses[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    let mut values = Vec::new();
    for batch in Batches::new(partition.records.as_deref().unwrap_or_default()).map_while(Result::ok) {
        let unpacked = batch.unpack(1 << 20).unwrap();
        for record in batch.records(&unpacked) {
            values.push(String::from_utf8(record.unwrap().value.unwrap().to_vec()).unwrap());
        }
    }
    values
}

/// A way to a broker.
trait Asks {
    /// Sends a request and waits for its answer.
    fn call<'m, R: Message<'static>>(&mut self, key: ApiKey, version: i16, body: &impl Message<'m>) -> R;

    fn create_topic(&mut self, partitions: i32) {
        let topic = create_topics::CreatableTopic {
            name: TOPIC.into(),
            num_partitions: partitions,
            replication_factor: 1,
            ..Default::default()
        };
        let request = create_topics::Request { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
        let response: create_topics::Response = self.call(ApiKey::CreateTopics, CREATE_TOPICS, &request);
        assert_eq!(response.topics[0].error_code, 0, "{:?}", response.topics[0].error_message);
    }

    /// Appends one record; its offset.
    fn produce(&mut self, value: &str) -> i64 {
        let mut builder = Builder::new(Options::default());
        let timestamp = TimestampMs(1_767_225_600_000);
        builder.append(&Record { timestamp, key: None, value: Some(value.as_bytes()), headers: &[] });
        let records = builder.build();
        let partition = produce::PartitionProduceData { index: 0, records: Some(records.as_slice().into()) };
        let topic =
            produce::TopicProduceData { name: TOPIC.into(), partition_data: vec![partition], ..Default::default() };
        let request = produce::Request { acks: -1, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() };
        let response: produce::Response = self.call(ApiKey::Produce, PRODUCE, &request);
        let answer = &response.responses[0].partition_responses[0];
        assert_eq!(answer.error_code, 0);
        answer.base_offset
    }

    /// The values from the beginning on.
    fn fetch(&mut self) -> Vec<String> {
        values(&self.call(ApiKey::Fetch, FETCH, &fetch_from(0, 100)))
    }
}

struct Client {
    stream: TcpStream,
    sent: i32,
}

impl Client {
    fn connect(broker: &Broker) -> Client {
        let stream = TcpStream::connect(broker.addresses()[0]).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { stream, sent: 0 }
    }
}

impl Asks for Client {
    fn call<'m, R: Message<'static>>(&mut self, key: ApiKey, version: i16, body: &impl Message<'m>) -> R {
        self.sent += 1;
        self.stream.write_all(&frame_of(key, version, self.sent, body)).unwrap();
        let mut received = Vec::new();
        loop {
            if let Split::Complete(answer) = frame::split(&received, MAX_FRAME_BYTES) {
                return body_of(key, version, self.sent, answer.to_vec());
            }
            let mut piece = [0; 4096];
            let length = match self.stream.read(&mut piece) {
                // The ring that the start probes on this thread may interrupt it.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                read => read.unwrap(),
            };
            assert!(length > 0, "the broker closed the connection");
            received.extend_from_slice(&piece[..length]);
        }
    }
}

/// Hands in a request without a socket.
fn hand_in<'m>(inlet: &Inlet, key: ApiKey, version: i16, body: &impl Message<'m>) -> (Asking, Receiver<InquiryReply>) {
    let (sender, told) = channel();
    let session = Session::anonymous(0, ([127, 0, 0, 1], 1).into());
    let frame = frame_of(key, version, 1, body).split_off(frame::SIZE_BYTES);
    (inlet.ask(session, frame, Box::new(move |reply| drop(sender.send(reply)))), told)
}

fn answer(told: &Receiver<InquiryReply>) -> Vec<u8> {
    match told.recv_timeout(PATIENCE).unwrap() {
        InquiryReply::Answer(answer) => answer,
        other => panic!("no answer but {other:?}"),
    }
}

impl Asks for Inlet {
    fn call<'m, R: Message<'static>>(&mut self, key: ApiKey, version: i16, body: &impl Message<'m>) -> R {
        let (_asking, told) = hand_in(self, key, version, body);
        body_of(key, version, 1, answer(&told))
    }
}

/// Waits for what a broker does soon after its client has acted.
fn wait_until(is_so: impl Fn() -> bool) {
    let until = clock::now() + PATIENCE;
    while !is_so() {
        assert!(clock::now() < until, "it is not so");
        thread::sleep(Duration::from_millis(1));
    }
}

fn two_brokers(io: &str) {
    let (one_home, other_home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, other) = (start(one_home.path(), io), start(other_home.path(), io));
    assert_ne!(one.addresses(), other.addresses());
    let (one_before, other_before) = (one.open_files(), other.open_files());
    let (mut to_one, mut to_other) = (Client::connect(&one), Client::connect(&other));
    let (_second, _third) = (Client::connect(&one), Client::connect(&one));
    to_one.create_topic(5);
    assert_eq!(other.open_files(), other_before, "the files of one broker are not counted by the other");
    assert!(one.open_files() >= one_before + 5, "each partition of the topic has its log open");
    to_other.create_topic(1);
    wait_until(|| (one.connections(), other.connections()) == (3, 1));

    assert_eq!((to_one.produce("a"), to_one.produce("b"), to_other.produce("z")), (0, 1, 0));
    assert_eq!((to_one.fetch(), to_other.fetch()), (vec!["a".into(), "b".into()], vec!["z".to_string()]));

    let (files, connections) = (one.open_files.clone(), one.connections.clone());
    one.stop().unwrap();
    assert_eq!((files.count(), connections.count()), (0, 0), "a broker that has stopped holds nothing open");
    assert_eq!(to_one.stream.read(&mut [0; 1]).unwrap_or(0), 0, "it has stopped");
    assert_eq!((to_other.produce("y"), other.connections()), (1, 1));
    assert_eq!(to_other.fetch(), ["z", "y"]);
    let again = start(one_home.path(), io);
    assert_eq!(Client::connect(&again).fetch(), ["a", "b"], "nothing of its neighbour's");
    again.stop().unwrap();
    drop(to_other);
    wait_until(|| other.connections() == 0);
    other.stop().unwrap();
}

#[test]
fn two_brokers_of_one_process_do_not_know_of_each_other() {
    two_brokers("epoll");
    if machine::choose(Preference::Uring).is_ok() {
        two_brokers("uring");
    }
}

#[test]
fn a_directory_belongs_to_one_broker_of_a_process() {
    let home = tempfile::tempdir().unwrap();
    let broker = start(home.path(), "epoll");
    let path = home.path().display().to_string();
    let overrides = [("log.dirs".to_string(), path.clone()), ("listeners".into(), "PLAINTEXT://127.0.0.1:0".into())];
    let (config, _) = Config::load(&Layers { overrides: overrides.into(), ..Layers::default() }).unwrap();
    let why = Broker::start(config, None).err().expect("it must not start");
    assert!(why.contains(&path), "{why}");
    broker.stop().unwrap();
    start(home.path(), "epoll").stop().unwrap();
}

/// Shards on threads of their own answer each other's inlets, and what waits in one is woken by what comes in by another.
fn requests_without_a_socket(io: &str) {
    let home = tempfile::tempdir().unwrap();
    let broker = start(home.path(), io);
    let (mut zero, mut one) = (broker.inlet(ShardId(0)), broker.inlet(ShardId(1)));
    one.create_topic(4);
    assert_eq!((zero.produce("a"), one.produce("b")), (0, 1));
    assert_eq!(broker.connections(), 0, "there is no socket");
    let mut client = Client::connect(&broker);
    assert_eq!(client.produce("c"), 2);
    assert_eq!([zero.fetch(), one.fetch(), client.fetch()], [["a", "b", "c"]; 3]);

    for (waiter, mut producer, offset) in [(&zero, one.clone(), 3), (&one, zero.clone(), 4)] {
        let fetch = fetch_from(offset, PATIENCE.as_millis() as i32);
        let (_asking, told) = hand_in(waiter, ApiKey::Fetch, FETCH, &fetch);
        assert!(told.recv_timeout(Duration::from_millis(20)).is_err(), "there is nothing to fetch yet");
        assert_eq!(producer.produce("d"), offset);
        assert_eq!(values(&body_of(ApiKey::Fetch, FETCH, 1, answer(&told))), ["d"]);
    }
    let (asking, told) = hand_in(&zero, ApiKey::Fetch, FETCH, &fetch_from(5, PATIENCE.as_millis() as i32));
    drop(asking);
    let told = told.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(told, InquiryReply::Ended(Ending::Client, _)), "its asker has gone, but {told:?}");

    broker.stop().unwrap();
    for inlet in [zero, one] {
        let (_asking, told) = hand_in(&inlet, ApiKey::Fetch, FETCH, &fetch_from(0, 0));
        let told = told.try_recv().unwrap();
        assert!(matches!(told, InquiryReply::Ended(Ending::Stop, _)), "the broker has stopped, but {told:?}");
    }
}

/// What waits for a moment is done when the clock has been moved there, without waiting for it.
fn a_clock_that_is_moved(io: &str) {
    const HOUR: Duration = Duration::from_secs(3600);
    let home = tempfile::tempdir().unwrap();
    let broker = start_with(home.path(), io, &[("klamm.clock", "settable")]);
    let clock = broker.clock().expect("it can be set").clone();
    let (zero, mut one) = (broker.inlet(ShardId(0)), broker.inlet(ShardId(1)));
    one.create_topic(4);
    clock.freeze().unwrap();
    assert_eq!(one.produce("a"), 0);
    let fetch = fetch_from(1, HOUR.as_millis() as i32);
    let (_asking, told) = hand_in(&zero, ApiKey::Fetch, FETCH, &fetch);
    clock.settle().unwrap();
    clock.advance(HOUR - Duration::from_millis(1)).unwrap();
    assert!(told.try_recv().is_err(), "its time is not over");
    let before = clock.wall();
    clock.advance(Duration::from_millis(1)).unwrap();
    let told = told.try_recv().expect("its time is over");
    let InquiryReply::Answer(bytes) = told else { panic!("it is answered, but {told:?}") };
    assert_eq!(values(&body_of(ApiKey::Fetch, FETCH, 1, bytes)), Vec::<String>::new());
    assert_eq!(clock.wall().0 - before.0, 1);
    // Records are stamped by it, and it does not hinder the stop.
    clock.advance(24 * HOUR).unwrap();
    assert_eq!(one.produce("b"), 1);
    // It stops though its clock stands still and a client is there.
    let _client = Client::connect(&broker);
    broker.stop().unwrap();
}

#[test]
fn the_clock_can_be_moved() {
    a_clock_that_is_moved("epoll");
    if machine::choose(Preference::Uring).is_ok() {
        a_clock_that_is_moved("uring");
    }
}

#[test]
fn shards_take_requests_without_a_socket() {
    requests_without_a_socket("epoll");
    if machine::choose(Preference::Uring).is_ok() {
        requests_without_a_socket("uring");
    }
}
