//! Consumers that are sent to followers, and what those serve (KIP-392).

use super::versions::versions;
use crate::handlers::testing::{Broker, batch};
use crate::metadata::record::PartitionChangeRecord;
use crate::metadata::{Play, Record};
use crate::model::{ApiKey, Offset};
use crate::replica::played::{Extent, Follower, Staging, ToldLeader};
use crate::wire::api::{describe_cluster, fetch, list_offsets, metadata, produce};

const SELECTOR: (&str, &str) = ("replica.selector.class", "org.apache.kafka.common.replica.RackAwareReplicaSelector");
const THREE_REPLICAS: (&str, &str) = ("default.replication.factor", "3");
const NEWEST: i16 = 17;
const NOT_LEADER: i16 = 6;
const OUT_OF_RANGE: i16 = 1;

/// What is told of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Told {
    error: i16,
    preferred: i32,
    /// High watermark, last stable offset and log start offset.
    offsets: (i64, i64, i64),
    has_records: bool,
}

/// Three brokers, of which the first leads `t`, with so many records, each in a batch.
fn three(more: &[(&str, &str)], records: usize) -> Broker {
    let mut brokers = Broker::start_several(3, &[&[THREE_REPLICAS], more].concat(), None);
    brokers.create_topic("t", 1);
    move_leader(&mut brokers, 1);
    for _ in 0..records {
        let partition_data = vec![produce::PartitionProduceData { index: 0, records: Some(batch(b"x").into()) }];
        let topic_data = vec![produce::TopicProduceData { name: "t".into(), partition_data, ..Default::default() }];
        let request = produce::Request { acks: 1, timeout_ms: 1000, topic_data, ..Default::default() };
        let response: produce::Response = brokers.ask(ApiKey::Produce, 9, &request);
        assert_eq!(response.responses[0].partition_responses[0].error_code, 0);
    }
    brokers
}

fn move_leader(brokers: &mut Broker, to: i32) {
    brokers.play(Play::MoveLeader { topic: "t".into(), partition: 0, to });
}

fn follow(brokers: &mut Broker, follower: Option<(i32, Extent)>) {
    let follower = follower.map(|(broker, extent)| Follower { broker, extent });
    brokers.stage(Staging::Follow { topic: "t".into(), partition: 0, follower });
}

/// A fetch of a consumer from a broker.
fn read(brokers: &mut Broker, broker: i32, version: i16, (rack, offset): (&'static str, i64)) -> Told {
    let topic_id = brokers.view().topic("t").unwrap().id;
    brokers.session.route.listener = broker as usize - 1;
    let partition = fetch::FetchPartition {
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
        partition_max_bytes: 1000,
        fetch_offset: offset,
        ..Default::default()
    };
    let named = if version < 13 { ("t", Default::default()) } else { ("", topic_id) };
    let topics = vec![fetch::FetchTopic { topic: named.0.into(), topic_id: named.1, partitions: vec![partition] }];
    let rack_id = if version < 11 { "" } else { rack };
    let request =
        fetch::Request { session_epoch: -1, max_bytes: 1000, rack_id: rack_id.into(), topics, ..Default::default() };
    let response: fetch::Response = brokers.ask_for_records(ApiKey::Fetch, version, &request);
    let told = &response.responses[0].partitions[0];
    // Version 4 does not tell where a log starts.
    let start = if version < 5 && told.error_code == 0 { 0 } else { told.log_start_offset };
    Told {
        error: told.error_code,
        preferred: told.preferred_read_replica,
        offsets: (told.high_watermark, told.last_stable_offset, start),
        has_records: told.records.as_ref().is_some_and(|records| !records.is_empty()),
    }
}

/// Records from a broker with all of five.
const SERVED: Told = Told { error: 0, preferred: -1, offsets: (5, 5, 0), has_records: true };
const NOTHING: Told = Told { error: 0, preferred: -1, offsets: (5, 5, 0), has_records: false };

fn refused(error: i16) -> Told {
    Told { error, preferred: -1, offsets: (-1, -1, -1), has_records: false }
}

fn sent_to(preferred: i32) -> Told {
    Told { preferred, ..NOTHING }
}

#[test]
fn a_consumer_is_sent_to_a_replica_of_its_rack() {
    let mut brokers = three(&[SELECTOR], 5);
    for version in versions(ApiKey::Fetch) {
        let may_follow = version >= 11;
        // A broker that does not lead serves those that could have been sent to it.
        let followed = if may_follow { SERVED } else { refused(NOT_LEADER) };
        assert_eq!(read(&mut brokers, 1, version, ("rack-1", 0)), SERVED, "the leader is near");
        assert_eq!(read(&mut brokers, 1, version, ("", 0)), SERVED);
        assert_eq!(read(&mut brokers, 1, version, ("elsewhere", 0)), SERVED);
        let sent = if may_follow { sent_to(3) } else { SERVED };
        assert_eq!(read(&mut brokers, 1, version, ("rack-3", 0)), sent, "version {version}");
        assert_eq!(read(&mut brokers, 3, version, ("rack-3", 0)), followed, "version {version}");
        assert_eq!(read(&mut brokers, 2, version, ("rack-3", 0)), followed, "a follower sends no client on");
    }
    // What is not in the log is the leader's to say.
    assert_eq!(read(&mut brokers, 1, NEWEST, ("rack-3", 6)), refused(OUT_OF_RANGE));
    assert_eq!(read(&mut brokers, 1, NEWEST, ("rack-3", 5)), sent_to(3), "the end is in it");
    // Of two in the rack it is the greatest, of none the leader itself.
    brokers.play(Play::SetRack(2, Some("rack-3".into())));
    assert_eq!(read(&mut brokers, 1, NEWEST, ("rack-3", 0)), sent_to(3));
    brokers.play(Play::TakeDown(3));
    assert_eq!(read(&mut brokers, 1, NEWEST, ("rack-3", 0)), sent_to(2));
    brokers.play(Play::SetRack(1, Some("rack-3".into())));
    assert_eq!(read(&mut brokers, 1, NEWEST, ("rack-3", 0)), SERVED);
}

#[test]
fn a_replica_that_is_not_in_sync_is_not_read_from() {
    let mut brokers = three(&[SELECTOR], 5);
    assert_eq!(read(&mut brokers, 1, NEWEST, ("rack-3", 0)), sent_to(3));
    let topic_id = brokers.view().topic("t").unwrap().id;
    let isr = Some(vec![1, 2]);
    let change = PartitionChangeRecord { partition_id: 0, topic_id, isr, ..Default::default() };
    brokers.commit(vec![Record::PartitionChange(change)]);
    assert_eq!(read(&mut brokers, 1, NEWEST, ("rack-3", 0)), SERVED);
    assert_eq!(read(&mut brokers, 1, NEWEST, ("rack-2", 0)), sent_to(2));
}

#[test]
fn without_the_selector_and_alone_no_consumer_is_sent_away() {
    let mut brokers = three(&[], 5);
    assert_eq!(read(&mut brokers, 1, NEWEST, ("rack-3", 0)), SERVED);
    assert_eq!(read(&mut brokers, 3, NEWEST, ("rack-3", 0)), SERVED, "a replica serves any consumer");
    let mut alone = Broker::start(&[SELECTOR, ("broker.rack", "a")]);
    alone.create_topic("t", 1);
    assert_eq!(read(&mut alone, 1, NEWEST, ("a", 0)), Told { offsets: (0, 0, 0), ..NOTHING });
}

#[test]
fn a_broker_without_a_replica_serves_where_a_test_wants_it_to_follow() {
    let mut brokers = Broker::start_several(3, &[], None);
    brokers.create_topic("t", 1);
    move_leader(&mut brokers, 1);
    let empty = Told { offsets: (0, 0, 0), ..NOTHING };
    assert_eq!(read(&mut brokers, 2, NEWEST, ("", 0)), refused(NOT_LEADER));
    follow(&mut brokers, Some((2, Extent::WHOLE)));
    assert_eq!(read(&mut brokers, 1, NEWEST, ("", 0)), Told { preferred: 2, ..empty }, "whatever its rack");
    assert_eq!(read(&mut brokers, 1, 10, ("", 0)), empty);
    assert_eq!(read(&mut brokers, 2, NEWEST, ("", 0)), empty);
    assert_eq!(read(&mut brokers, 2, 10, ("", 0)), refused(NOT_LEADER));
    assert_eq!(read(&mut brokers, 3, NEWEST, ("", 0)), refused(NOT_LEADER));
    // A broker that is none of the cluster a client finds out about by itself; of one that is down the leader knows.
    follow(&mut brokers, Some((19, Extent::WHOLE)));
    assert_eq!(read(&mut brokers, 1, NEWEST, ("", 0)), Told { preferred: 19, ..empty });
    assert_eq!(read(&mut brokers, 2, NEWEST, ("", 0)), refused(NOT_LEADER));
    follow(&mut brokers, Some((3, Extent::WHOLE)));
    brokers.play(Play::TakeDown(3));
    assert_eq!(read(&mut brokers, 1, NEWEST, ("", 0)), empty);
    // The follower leads now: it sends consumers to none.
    follow(&mut brokers, Some((2, Extent::WHOLE)));
    move_leader(&mut brokers, 2);
    assert_eq!(read(&mut brokers, 2, NEWEST, ("", 0)), empty);
    assert_eq!(read(&mut brokers, 1, NEWEST, ("", 0)), refused(NOT_LEADER));
    follow(&mut brokers, None);
    assert_eq!(read(&mut brokers, 2, NEWEST, ("", 0)), empty);
}

#[test]
fn a_follower_has_as_much_of_the_log_as_a_test_says() {
    let mut brokers = three(&[], 5);
    let extent = |start, end| Extent { start: Offset(start), end: Offset(end) };
    follow(&mut brokers, Some((2, extent(1, 3))));
    let less = |has_records| Told { offsets: (3, 3, 1), has_records, ..NOTHING };
    let told = [0, 1, 2, 3, 4].map(|offset| read(&mut brokers, 2, NEWEST, ("", offset)));
    assert_eq!(told, [refused(OUT_OF_RANGE), less(true), less(true), less(false), refused(OUT_OF_RANGE)]);
    // The leader sends those away that the follower can serve.
    let told = [0, 1, 3, 4].map(|offset| read(&mut brokers, 1, NEWEST, ("", offset)));
    assert_eq!(told, [SERVED, sent_to(2), sent_to(2), SERVED]);
    // Another replica has everything.
    assert_eq!(read(&mut brokers, 3, NEWEST, ("", 4)), SERVED);
    follow(&mut brokers, Some((2, extent(0, 100))));
    assert_eq!(read(&mut brokers, 2, NEWEST, ("", 5)), NOTHING, "no more than there is");
    assert_eq!(read(&mut brokers, 2, NEWEST, ("", 6)), refused(OUT_OF_RANGE));
}

/// What else is asked about a partition is the leader's to answer.
#[test]
fn a_follower_serves_nothing_but_reads() {
    let mut brokers = three(&[], 1);
    brokers.session.route.listener = 1;
    let partition =
        list_offsets::ListOffsetsPartition { timestamp: -1, current_leader_epoch: -1, ..Default::default() };
    let topics = vec![list_offsets::ListOffsetsTopic { name: "t".into(), partitions: vec![partition] }];
    let request = list_offsets::Request { replica_id: -1, topics, ..Default::default() };
    let response: list_offsets::Response = brokers.ask(ApiKey::ListOffsets, 7, &request);
    assert_eq!(response.topics[0].partitions[0].error_code, NOT_LEADER);
    assert_eq!(read(&mut brokers, 2, NEWEST, ("", 0)).error, 0);
}

/// The ids, hosts and ports, and racks of the brokers that a client is told.
type Nodes = Vec<(i32, (String, i32), Option<String>)>;

fn told_nodes(brokers: &mut Broker) -> (i32, Nodes) {
    let request = metadata::Request { topics: None, ..Default::default() };
    let told: metadata::Response = brokers.ask(ApiKey::Metadata, 12, &request);
    let node = |of: &metadata::MetadataResponseBroker<'_>| {
        let rack = of.rack.as_ref().map(|rack| rack.to_string());
        (of.node_id, (of.host.to_string(), of.port), rack)
    };
    let nodes: Nodes = told.brokers.iter().map(node).collect();
    let described: describe_cluster::Response =
        brokers.ask(ApiKey::DescribeCluster, 1, &describe_cluster::Request { endpoint_type: 1, ..Default::default() });
    let ids = |all: &Nodes| all.iter().map(|(id, ..)| *id).collect::<Vec<_>>();
    assert_eq!(described.brokers.iter().map(|of| of.broker_id).collect::<Vec<_>>(), ids(&nodes));
    assert_eq!(described.controller_id, told.controller_id);
    assert_eq!(told.topics[0].partitions[0].leader_id, 1, "what a broker leads is told as ever");
    (told.controller_id, nodes)
}

#[test]
fn clients_are_told_of_brokers_what_a_test_wants() {
    let mut brokers = three(&[], 0);
    let own = |id: i32| (id, ("broker.test".to_string(), 9091 + id), Some(format!("rack-{id}")));
    assert_eq!(told_nodes(&mut brokers), (1, vec![own(1), own(2), own(3)]));
    brokers.stage(Staging::Hide { broker: 1, is_hidden: true });
    assert_eq!(told_nodes(&mut brokers), (2, vec![own(2), own(3)]));
    assert_eq!(read(&mut brokers, 1, NEWEST, ("", 0)).error, 0, "it serves those that know it");
    brokers.stage(Staging::Hide { broker: 1, is_hidden: false });
    brokers.stage(Staging::Readdress { broker: 2, address: Some(("elsewhere".into(), 7)) });
    brokers.play(Play::SetRack(3, None));
    let moved = (2, ("elsewhere".to_string(), 7), Some("rack-2".to_string()));
    let (id, address, _) = own(3);
    assert_eq!(told_nodes(&mut brokers), (1, vec![own(1), moved, (id, address, None)]));
    brokers.stage(Staging::Readdress { broker: 2, address: None });
    assert_eq!(told_nodes(&mut brokers).1[1], own(2));
}

#[test]
fn a_leader_that_never_was_is_told_as_any_other() {
    let mut brokers = Broker::start_several(2, &[], None);
    brokers.create_topic("t", 1);
    move_leader(&mut brokers, 1);
    let tell = |leader| Staging::TellLeader { topic: "t".into(), partition: 0, leader };
    let told = |brokers: &mut Broker| {
        let request = metadata::Request { topics: None, ..Default::default() };
        let response: metadata::Response = brokers.ask(ApiKey::Metadata, 12, &request);
        let of = &response.topics[0].partitions[0];
        (of.error_code, of.leader_id, of.leader_epoch)
    };
    let own = told(&mut brokers);
    brokers.stage(tell(Some(ToldLeader { id: 19, epoch: 7 })));
    assert_eq!(told(&mut brokers), (0, 19, 7));
    assert_eq!(read(&mut brokers, 1, NEWEST, ("", 0)).error, 0, "its leader is who it was");
    brokers.stage(tell(Some(ToldLeader { id: -1, epoch: 7 })));
    assert_eq!(told(&mut brokers), (5, -1, 7), "LEADER_NOT_AVAILABLE");
    brokers.stage(tell(None));
    assert_eq!(told(&mut brokers), own);
}
