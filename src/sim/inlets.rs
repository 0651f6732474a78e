//! Stories of requests without a socket, and of what the shards count.

use std::sync::mpsc::{Receiver, channel};

use super::client::Client;
use super::cluster::SharedCluster;
use super::stories::{
    CREATE_TOPICS, FETCH, PRODUCE, TOPIC, batch, cluster, create_topic, fetch_request, produce_answer, produce_request,
};
use crate::codec::{Message, Reader};
use crate::metrics::{Counts, Ending};
use crate::model::{ApiKey, ErrorCode};
use crate::server::inlet::{Asking, Inlet};
use crate::shard::inquiry::InquiryReply;
use crate::shard::session::Session;
use crate::wire::api::{self, create_topics, fetch, join_group};
use crate::wire::frame;
use crate::wire::header::ResponseHeader;

const CORRELATION_ID: i32 = 77;
const JOIN_GROUP: i16 = 5;
const PATIENCE_STEPS: u64 = 200_000;

/// A frame as on the wire, without the size in front.
fn request<'m>(key: ApiKey, version: i16, body: &impl Message<'m>) -> Vec<u8> {
    let mut frame = Vec::new();
    let description = api::describe(key).unwrap();
    frame::append_request(&mut frame, description, (CORRELATION_ID, "inlet"), body, version).unwrap();
    frame.split_off(frame::SIZE_BYTES)
}

struct Asked {
    key: ApiKey,
    version: i16,
    told: Receiver<InquiryReply>,
    asking: Asking,
}

fn ask_raw(inlet: &Inlet, frame: Vec<u8>) -> (Asking, Receiver<InquiryReply>) {
    let (sender, told) = channel();
    let session = Session::anonymous(0, ([127, 0, 0, 1], 1).into());
    let tell = Box::new(move |reply| drop(sender.send(reply)));
    (inlet.ask(session, frame, tell), told)
}

fn ask<'m>(cluster: &SharedCluster, shard: u8, key: ApiKey, version: i16, body: &impl Message<'m>) -> Asked {
    let (asking, told) = ask_raw(&cluster.borrow().inlet(shard), request(key, version, body));
    Asked { key, version, told, asking }
}

/// Steps until the reply is there.
fn reply(cluster: &SharedCluster, told: &Receiver<InquiryReply>) -> InquiryReply {
    for _ in 0..PATIENCE_STEPS {
        if let Ok(reply) = told.try_recv() {
            return reply;
        }
        cluster.borrow_mut().step();
    }
    panic!("no reply");
}

impl Asked {
    /// The body of the answer.
    fn answer(self, cluster: &SharedCluster) -> Vec<u8> {
        match reply(cluster, &self.told) {
            InquiryReply::Answer(bytes) => {
                let mut reader = Reader::new(&bytes);
                let header_version = api::describe(self.key).unwrap().response_header_version(self.version);
                let header = ResponseHeader::decode(&mut reader, header_version).unwrap();
                assert_eq!(header.correlation_id, CORRELATION_ID);
                bytes[bytes.len() - reader.remaining()..].to_vec()
            }
            other => panic!("no answer but {other:?}"),
        }
    }

    fn has_reply(&self, cluster: &SharedCluster, steps: u64) -> bool {
        (0..steps).for_each(|_| cluster.borrow_mut().step());
        self.told.try_recv().is_ok()
    }
}

fn records(answer: &[u8]) -> Vec<u8> {
    let response = fetch::Response::decode(&mut Reader::new(answer), FETCH).unwrap();
    let partition = &response.responses[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    partition.records.as_deref().unwrap_or_default().to_vec()
}

/// Makes the topic through the inlet.
fn started(seed: u64) -> SharedCluster {
    let cluster = cluster(seed, &[("message.max.bytes", "10000000")]);
    let topic = create_topics::CreatableTopic {
        name: TOPIC.into(),
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    };
    let body = create_topics::Request { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
    let answer = ask(&cluster, 1, ApiKey::CreateTopics, CREATE_TOPICS, &body).answer(&cluster);
    let response = create_topics::Response::decode(&mut Reader::new(&answer), CREATE_TOPICS).unwrap();
    assert_eq!(response.topics[0].error_code, 0, "{:?}", response.topics[0].error_message);
    cluster
}

fn produce(cluster: &SharedCluster, shard: u8, batch: &[u8]) -> (i16, i64) {
    produce_answer(&ask(cluster, shard, ApiKey::Produce, PRODUCE, &produce_request(0, batch, -1)).answer(cluster))
}

/// Answers come from memory or from files, by the seed, and are the same as those that come by a socket.
#[test]
fn what_is_produced_by_an_inlet_is_fetched_by_it() {
    for seed in 0..4 {
        let cluster = started(seed);
        let large = 3 * crate::server::FILE_STEP_BYTES / 1000;
        let written: Vec<Vec<u8>> = [1, 2, large as i32].map(|count| batch(-1, 0, count, 1000)).into();
        for (number, batch) in written.iter().enumerate() {
            let (error, base_offset) = produce(&cluster, (number % 2) as u8, batch);
            assert_eq!((error, base_offset), (0, [0, 1, 3][number]));
        }
        for (number, offset) in [0, 1, 3].into_iter().enumerate() {
            let mut body = fetch_request(0, offset, 0);
            body.max_bytes = 50 << 20;
            body.topics[0].partitions[0].partition_max_bytes = 50 << 20;
            let found = records(&ask(&cluster, 0, ApiKey::Fetch, FETCH, &body).answer(&cluster));
            assert_eq!(found.len(), written[number..].iter().map(Vec::len).sum::<usize>());
            let mut client = Client::connect(&cluster.borrow());
            assert_eq!(records(&client.call(&cluster, ApiKey::Fetch, FETCH, &body)), found);
        }
        assert_eq!(cluster.borrow().request_memory_bytes(), 0, "what is answered is held no more");
    }
}

#[test]
fn a_produce_that_wants_no_answer_is_silent() {
    let cluster = started(1);
    let records = batch(-1, 0, 1, 10);
    let asked = ask(&cluster, 0, ApiKey::Produce, PRODUCE, &produce_request(0, &records, 0));
    assert_eq!(reply(&cluster, &asked.told), InquiryReply::Silent);
    assert_eq!(produce(&cluster, 1, &records), (0, 1));
}

/// A long poll waits on a shard that sleeps, and is woken by a produce that comes to the other one.
#[test]
fn a_long_poll_ends_when_something_is_produced() {
    let cluster = started(2);
    let asked = ask(&cluster, 0, ApiKey::Fetch, FETCH, &fetch_request(0, 0, 60_000));
    assert!(!asked.has_reply(&cluster, 1000));
    assert_eq!(cluster.borrow().parked(), 1);
    let written = batch(-1, 0, 1, 10);
    assert_eq!(produce(&cluster, 1, &written), (0, 0));
    let found = records(&asked.answer(&cluster));
    assert_eq!(found.len(), written.len());
    assert_eq!(cluster.borrow().parked(), 0);
}

#[test]
fn a_request_goes_with_its_asker() {
    let cluster = started(3);
    let Asked { told, asking, .. } = ask(&cluster, 0, ApiKey::Fetch, FETCH, &fetch_request(0, 0, 60_000));
    (0..100).for_each(|_| cluster.borrow_mut().step());
    assert_eq!(cluster.borrow().parked(), 1);
    drop(asking);
    (0..10).for_each(|_| cluster.borrow_mut().step());
    assert_eq!(cluster.borrow().parked(), 0);
    assert!(matches!(told.try_recv(), Ok(InquiryReply::Ended(..))));
    // Before the shard has looked at it: its records are not written.
    let records = batch(-1, 0, 1, 10);
    drop(ask(&cluster, 0, ApiKey::Produce, PRODUCE, &produce_request(0, &records, -1)).asking);
    assert_eq!(produce(&cluster, 1, &records), (0, 0));
}

fn join(cluster: &SharedCluster, shard: u8, member_id: &str) -> Asked {
    let protocol = join_group::JoinGroupRequestProtocol { name: "range".into(), ..Default::default() };
    let body = join_group::Request {
        group_id: "group".into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        member_id: member_id.to_string().into(),
        protocol_type: "consumer".into(),
        protocols: vec![protocol],
        ..Default::default()
    };
    ask(cluster, shard, ApiKey::JoinGroup, JOIN_GROUP, &body)
}

fn joined(answer: &[u8]) -> (i16, i32, String, usize) {
    let response = join_group::Response::decode(&mut Reader::new(answer), JOIN_GROUP).unwrap();
    (response.error_code, response.generation_id, response.member_id.to_string(), response.members.len())
}

/// Both members come by inlets of different shards; the first one's join waits for the second.
#[test]
fn two_members_join_a_group() {
    let cluster = cluster(4, &[("group.initial.rebalance.delay.ms", "2000")]);
    let body = api::find_coordinator::Request { key: "group".into(), ..Default::default() };
    ask(&cluster, 0, ApiKey::FindCoordinator, 1, &body).answer(&cluster);
    let named = |shard| loop {
        let (error, _, member_id, _) = joined(&join(&cluster, shard, "").answer(&cluster));
        if error == ErrorCode::MemberIdRequired.code() {
            return member_id;
        }
    };
    let (one, two) = (named(0), named(1));
    let (first, second) = (join(&cluster, 0, &one), join(&cluster, 1, &two));
    let (first, second) = (joined(&first.answer(&cluster)), joined(&second.answer(&cluster)));
    assert_eq!((first.0, second.0, first.1), (0, 0, second.1));
    assert_eq!(first.3 + second.3, 2, "the leader alone is told of both");
}

/// Where a connection would be closed the asker is told why, and the shard goes on.
#[test]
fn what_cannot_be_handled_is_ended_with_its_reason() {
    let cluster = started(5);
    let inlet = cluster.borrow().inlet(0);
    let mut too_new = request(ApiKey::Fetch, FETCH, &fetch_request(0, 0, 0));
    too_new[3] = 99;
    for (frame, sentence) in [
        (vec![], "a frame too short for a request"),
        (vec![0, 1, 0], "a frame too short for a request"),
        (vec![0, 76, 0, 1, 0, 0, 0, 0], "request of an API that is not offered: key 76, version 1"),
        (vec![0, 1, 0, 12, 0, 0], "bad header of a Fetch request"),
        (too_new, "Fetch request of version 99, which is not offered"),
    ] {
        let (_asking, told) = ask_raw(&inlet, frame);
        let InquiryReply::Ended(Ending::Refused, why) = reply(&cluster, &told) else { panic!("{sentence}") };
        assert!(why.starts_with(sentence), "{why}");
    }
    let limit = 1024;
    let small = super::stories::cluster(5, &[("socket.request.max.bytes", "1024")]);
    let (_asking, told) = ask_raw(&small.borrow().inlet(1), vec![0; limit + 1]);
    assert!(matches!(reply(&small, &told), InquiryReply::Ended(Ending::BadFrame, _)));
    assert_eq!(produce(&cluster, 0, &batch(-1, 0, 1, 10)), (0, 0));
}

/// What is there is answered at a stop, later requests are refused, and a crash tells its askers, too.
#[test]
fn no_asker_is_left_without_a_word() {
    let cluster = started(6);
    let inlet = cluster.borrow().inlet(0);
    let polling = ask(&cluster, 0, ApiKey::Fetch, FETCH, &fetch_request(0, 0, 60_000));
    (0..10).for_each(|_| cluster.borrow_mut().step());
    let waiting = ask(&cluster, 1, ApiKey::Fetch, FETCH, &fetch_request(0, 0, 0));
    cluster.borrow_mut().stop();
    for asked in [polling, waiting] {
        assert!(matches!(asked.told.try_recv(), Ok(InquiryReply::Answer(_))));
    }
    let refuse = |inlet: &Inlet| {
        let (_asking, told) = ask_raw(inlet, request(ApiKey::Fetch, FETCH, &fetch_request(0, 0, 0)));
        assert!(matches!(told.try_recv(), Ok(InquiryReply::Ended(Ending::Stop, _))));
    };
    refuse(&inlet);
    cluster.borrow_mut().restart();
    refuse(&inlet);
    let inlet = cluster.borrow().inlet(0);
    let polling = ask(&cluster, 0, ApiKey::Fetch, FETCH, &fetch_request(0, 0, 60_000));
    (0..100).for_each(|_| cluster.borrow_mut().step());
    let untouched = ask(&cluster, 1, ApiKey::Fetch, FETCH, &fetch_request(0, 0, 60_000));
    cluster.borrow_mut().crash(crate::io::simulated_disk::Crash::Process);
    for asked in [polling, untouched] {
        assert!(matches!(asked.told.try_recv(), Ok(InquiryReply::Ended(Ending::Stop, _))));
    }
    refuse(&inlet);
}

/// There is no socket to leave a request in: while memory is short it is refused, and taken again afterwards.
#[test]
fn short_memory_refuses_and_lets_go() {
    let cluster = cluster(7, &[("queued.max.request.bytes", "100000")]);
    create_topic(&cluster, 1);
    // A client that does not take its answers holds the memory.
    let written = batch(-1, 0, 1, 400_000);
    assert_eq!(produce(&cluster, 0, &written), (0, 0));
    let mut greedy = Client::connect(&cluster.borrow());
    greedy.send(ApiKey::Produce, PRODUCE, &produce_request(0, &written, -1));
    let whole = greedy.hold_back(1);
    while greedy.has_unsent() {
        assert!(greedy.push());
        cluster.borrow_mut().step();
    }
    (0..100).for_each(|_| cluster.borrow_mut().step());
    assert!(cluster.borrow().request_memory_bytes() > 100_000);
    let asked = ask(&cluster, 0, ApiKey::Fetch, FETCH, &fetch_request(0, 0, 0));
    assert!(matches!(reply(&cluster, &asked.told), InquiryReply::Ended(Ending::Memory, _)));
    greedy.send_raw(&whole);
    greedy.wait(&cluster, ApiKey::Produce, PRODUCE);
    assert_eq!(produce(&cluster, 0, &batch(-1, 0, 1, 10)).0, 0);
}

fn sum(cluster: &SharedCluster) -> Counts {
    let mut sum = Counts::default();
    cluster.borrow().metrics().iter().for_each(|counts| sum.add(counts));
    sum
}

/// Every request, its bytes and its time are counted, by sockets and by inlets alike.
#[test]
fn requests_bytes_and_times_are_counted() {
    let cluster = started(8);
    let mut client = Client::connect(&cluster.borrow());
    let before = sum(&cluster);
    let body = fetch_request(0, 0, 300);
    let size = (request(ApiKey::Fetch, FETCH, &body).len() + frame::SIZE_BYTES) as u64;
    // Its client's name differs in length from the inlet's.
    let by_socket = size - "inlet".len() as u64 + "sim".len() as u64;
    let answer = client.call(&cluster, ApiKey::Fetch, FETCH, &body);
    ask(&cluster, 0, ApiKey::Fetch, FETCH, &body).answer(&cluster);
    let after = sum(&cluster);
    let fetches = &after.apis[ApiKey::Fetch as usize];
    assert_eq!((fetches.requests, fetches.times.count(), fetches.bytes_in), (2, 2, size + by_socket));
    // Both have waited for their whole time.
    let waited = fetches.times.percentile(50);
    assert!(waited.as_millis() >= 300 && waited.as_millis() < 400, "{waited:?}");
    assert_eq!(after.bytes_in - before.bytes_in, by_socket);
    let header = 9; // Size, correlation id, tagged fields.
    assert_eq!(after.bytes_out - before.bytes_out, answer.len() as u64 + header);
    assert_eq!(fetches.bytes_out, 2 * (answer.len() as u64 + header));
    let produces = &after.apis[ApiKey::Produce as usize];
    assert_eq!((produces.requests, produces.times.count()), (0, 0));
    assert!(after.turns > before.turns);
    drop(client);
    let mut rude = Client::connect(&cluster.borrow());
    rude.send_raw(&[0, 0, 0, 8, 0, 17, 0, 1, 0, 0, 0, 0]);
    for _ in 0..1000 {
        rude.pump();
        cluster.borrow_mut().step();
    }
    let last = sum(&cluster);
    let ended = |counts: &Counts, ending| counts.ended[ending as usize];
    assert_eq!(last.accepted, 2);
    assert_eq!((ended(&last, Ending::Client), ended(&last, Ending::Refused)), (1, 1));
    assert_eq!(last.ended.iter().sum::<u64>(), 2);
}
