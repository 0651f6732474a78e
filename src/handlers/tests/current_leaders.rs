//! Whom a client is told of that asks a broker which does not lead (KIP-951).

use super::versions::versions;
use crate::handlers::testing::{Broker, batch};
use crate::metadata::Play;
use crate::metadata::Record;
use crate::metadata::record::PartitionChangeRecord;
use crate::model::{ApiKey, ErrorCode, Uuid};
use crate::wire::api::{fetch, produce};

const PRODUCE_SINCE: i16 = 10;
const FETCH_SINCE: i16 = 16;
const TOPIC_IDS_OF_PRODUCE_SINCE: i16 = 13;

/// An error, the leader and its epoch, and the nodes that are told of with their ports.
type Told = (i16, (i32, i32), Vec<(i32, i32)>);

fn send(broker: &mut Broker, version: i16, topic_id: Uuid) -> Told {
    let records = Some(batch(b"x").into());
    let (name, topic_id) = if version < TOPIC_IDS_OF_PRODUCE_SINCE { ("t", Uuid::ZERO) } else { ("", topic_id) };
    let partition_data = vec![produce::PartitionProduceData { index: 0, records }];
    let topic_data = vec![produce::TopicProduceData { name: name.into(), topic_id, partition_data }];
    let request = produce::Request { acks: 1, timeout_ms: 1000, topic_data, ..Default::default() };
    let response: produce::Response = broker.ask(ApiKey::Produce, version, &request);
    let told = &response.responses[0].partition_responses[0];
    let nodes = response.node_endpoints.iter().inspect(|node| assert_eq!(node.host, "broker.test"));
    let leader = (told.current_leader.leader_id, told.current_leader.leader_epoch);
    (told.error_code, leader, nodes.map(|node| (node.node_id, node.port)).collect())
}

/// `epoch` is the one that the client knows.
fn read(broker: &mut Broker, version: i16, topic_id: Uuid, epoch: i32) -> Told {
    // Behind all records: they would come from a file.
    let end = broker.view().partition_by_name("t", 0).unwrap().high_watermark().0;
    let partition = fetch::FetchPartition {
        current_leader_epoch: if version < 9 { -1 } else { epoch },
        last_fetched_epoch: -1,
        partition_max_bytes: 1000,
        fetch_offset: end,
        ..Default::default()
    };
    let (name, topic_id) = if version < 13 { ("t", Uuid::ZERO) } else { ("", topic_id) };
    let topics = vec![fetch::FetchTopic { topic: name.into(), topic_id, partitions: vec![partition] }];
    let request = fetch::Request { session_epoch: -1, max_bytes: 1000, topics, ..Default::default() };
    let response: fetch::Response = broker.ask(ApiKey::Fetch, version, &request);
    let told = &response.responses[0].partitions[0];
    let nodes = response.node_endpoints.iter().inspect(|node| assert_eq!(node.host, "broker.test"));
    let leader = (told.current_leader.leader_id, told.current_leader.leader_epoch);
    (told.error_code, leader, nodes.map(|node| (node.node_id, node.port)).collect())
}

#[test]
fn another_broker_tells_who_leads() {
    let mut brokers = Broker::start_several(2, &[], None);
    let topic_id = brokers.create_topic("t", 1);
    let not_leader = ErrorCode::NotLeaderOrFollower.code();
    for leader in [2, 1, 2] {
        brokers.play(Play::MoveLeader { topic: "t".into(), partition: 0, to: leader });
        let epoch = brokers.view().image.topic("t").unwrap().partitions[0].leader_epoch;
        let leads = leader as usize - 1;
        let told = ((leader, epoch), vec![(leader, 9092 + leads as i32)]);
        let nothing = ((-1, -1), Vec::new());
        for version in versions(ApiKey::Produce) {
            brokers.session.route.listener = leads;
            assert_eq!(send(&mut brokers, version, topic_id), (0, nothing.0, nothing.1.clone()));
            brokers.session.route.listener = 1 - leads;
            let (who, nodes) = if version < PRODUCE_SINCE { nothing.clone() } else { told.clone() };
            assert_eq!(send(&mut brokers, version, topic_id), (not_leader, who, nodes), "version {version}");
        }
        for version in versions(ApiKey::Fetch) {
            brokers.session.route.listener = leads;
            assert_eq!(read(&mut brokers, version, topic_id, epoch), (0, nothing.0, nothing.1.clone()));
            brokers.session.route.listener = 1 - leads;
            let (who, nodes) = if version < FETCH_SINCE { nothing.clone() } else { told.clone() };
            assert_eq!(read(&mut brokers, version, topic_id, epoch), (not_leader, who, nodes), "version {version}");
        }
    }
    // A leader that is down is no address to go to.
    brokers.play(Play::TakeDown(1));
    brokers.play(Play::TakeDown(2));
    let epoch = brokers.view().image.topic("t").unwrap().partitions[0].leader_epoch;
    brokers.session.route.listener = 0;
    assert_eq!(send(&mut brokers, PRODUCE_SINCE, topic_id), (not_leader, (-1, epoch), Vec::new()));
}

/// The leader itself tells a client that knows an older epoch, and one that asks while there is no leader.
#[test]
fn one_broker_tells_its_epoch() {
    let mut broker = Broker::start(&[]);
    let topic_id = broker.create_topic("t", 1);
    let change = |leader, isr| {
        let change = PartitionChangeRecord { partition_id: 0, topic_id, leader, isr: Some(isr), ..Default::default() };
        vec![Record::PartitionChange(change)]
    };
    broker.commit(change(-1, Vec::new()));
    broker.commit(change(1, vec![1]));
    let fenced = ErrorCode::FencedLeaderEpoch.code();
    let (error, (leader, epoch), nodes) = read(&mut broker, FETCH_SINCE, topic_id, 0);
    assert_eq!((error, leader, nodes), (fenced, 1, vec![(1, 9092)]));
    assert!(epoch > 0);
    assert_eq!(read(&mut broker, FETCH_SINCE - 1, topic_id, 0), (fenced, (-1, -1), Vec::new()));
    assert_eq!(read(&mut broker, FETCH_SINCE, topic_id, epoch).0, 0);
}
