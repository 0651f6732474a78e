//! Requests with very many items, from clients that may do nothing: each costs what its size does. Where the work grew with the
//! square of the items, one of these tests would take minutes, and the shard would stand still for as long.

use crate::handlers::testing::Broker;
use crate::model::ApiKey;
use crate::wire::api::{incremental_alter_configs, produce, write_txn_markers};

const MANY: usize = 150_000;
const TOPIC_REFUSED: i16 = 29;
const CLUSTER_REFUSED: i16 = 31;

#[test]
fn topics_that_may_not_be_written_to() {
    let mut broker = Broker::guarded(&[]);
    let topic = |number: usize| produce::TopicProduceData {
        name: format!("t{number}").into(),
        partition_data: vec![produce::PartitionProduceData::default()],
        ..Default::default()
    };
    let topic_data = (0..MANY).map(topic).collect();
    let request = produce::Request { transactional_id: None, acks: 1, timeout_ms: 1000, topic_data };
    let answer: produce::Response = broker.ask(ApiKey::Produce, 9, &request);
    assert_eq!(answer.responses.len(), MANY);
    assert!(answer.responses.iter().all(|topic| topic.partition_responses[0].error_code == TOPIC_REFUSED));
}

#[test]
fn markers_of_producers_that_may_not_be_written() {
    let mut broker = Broker::guarded(&[]);
    let marker = |number: usize| write_txn_markers::WritableTxnMarker {
        producer_id: number as i64,
        topics: vec![write_txn_markers::WritableTxnMarkerTopic { name: "t".into(), partition_indexes: vec![7] }],
        ..Default::default()
    };
    // The first producer comes once more, at the end.
    let markers = (0..MANY).chain([0]).map(marker).collect();
    let answer: write_txn_markers::Response =
        broker.ask(ApiKey::WriteTxnMarkers, 1, &write_txn_markers::Request { markers });
    assert_eq!(answer.markers.len(), MANY);
    assert!(answer.markers.iter().map(|marker| marker.producer_id).eq(0..MANY as i64));
    assert_eq!((answer.markers[0].topics.len(), answer.markers[0].topics[0].partitions.len()), (1, 2));
    let mut partitions = answer.markers.iter().flat_map(|marker| &marker.topics).flat_map(|topic| &topic.partitions);
    assert!(partitions.all(|partition| partition.error_code == CLUSTER_REFUSED));
}

#[test]
fn configs_that_may_not_be_changed() {
    let mut broker = Broker::guarded(&[]);
    let resource = |number: usize| incremental_alter_configs::AlterConfigsResource {
        resource_type: 2,
        resource_name: format!("t{}", number / 2).into(),
        configs: Vec::new(),
    };
    // Each name stands twice, and what is so is refused for that.
    let resources = (0..MANY).map(resource).collect();
    let request = incremental_alter_configs::Request { resources, validate_only: false };
    let answer: incremental_alter_configs::Response = broker.ask(ApiKey::IncrementalAlterConfigs, 1, &request);
    let names = answer.responses.iter().map(|resource| resource.resource_name.to_string());
    assert!(names.eq((0..MANY).map(|number| format!("t{}", number / 2))));
    assert!(answer.responses.iter().all(|resource| resource.error_code == 42));
}
