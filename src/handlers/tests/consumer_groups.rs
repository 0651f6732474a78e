//! Members of the consumer protocol through the handlers: every version, and the settings that reach them.

use super::versions::versions;
use crate::handlers::testing::Broker;
use crate::model::{ApiKey, ErrorCode};
use crate::wire::api::{
    consumer_group_describe, consumer_group_heartbeat, find_coordinator, incremental_alter_configs,
};

const GROUP: &str = "group";
const GROUP_RESOURCE: i8 = 32;

fn start(overrides: &[(&str, &str)]) -> Broker {
    let mut broker = Broker::start(overrides);
    broker.create_topic("t", 2);
    let request = find_coordinator::Request { key: GROUP.into(), ..Default::default() };
    let response: find_coordinator::Response = broker.ask(ApiKey::FindCoordinator, 3, &request);
    assert_eq!(response.error_code, 0, "{:?}", response.error_message);
    broker
}

fn beat(broker: &mut Broker, version: i16, member: &str, epoch: i32) -> consumer_group_heartbeat::Response<'static> {
    let joins = epoch == 0;
    let request = consumer_group_heartbeat::Request {
        group_id: GROUP.into(),
        member_id: member.to_string().into(),
        member_epoch: epoch,
        rebalance_timeout_ms: if joins { 10_000 } else { -1 },
        subscribed_topic_names: joins.then(|| vec!["t".into()]),
        topic_partitions: joins.then(Vec::new),
        ..Default::default()
    };
    broker.ask(ApiKey::ConsumerGroupHeartbeat, version, &request)
}

fn alter(broker: &mut Broker, resource_type: i8, resource: &str, (name, value): (&str, &str)) {
    let config = incremental_alter_configs::AlterableConfig {
        name: name.to_string().into(),
        config_operation: 0,
        value: Some(value.to_string().into()),
    };
    let resource = incremental_alter_configs::AlterConfigsResource {
        resource_type,
        resource_name: resource.to_string().into(),
        configs: vec![config],
    };
    let request = incremental_alter_configs::Request { resources: vec![resource], ..Default::default() };
    let response: incremental_alter_configs::Response = broker.ask(ApiKey::IncrementalAlterConfigs, 1, &request);
    assert_eq!(response.responses[0].error_code, 0, "{:?}", response.responses[0].error_message);
}

fn describe(broker: &mut Broker, version: i16) -> consumer_group_describe::DescribedGroup<'static> {
    let request = consumer_group_describe::Request { group_ids: vec![GROUP.into()], ..Default::default() };
    let response: consumer_group_describe::Response = broker.ask(ApiKey::ConsumerGroupDescribe, version, &request);
    response.groups.into_iter().next().unwrap()
}

#[test]
fn every_version_joins_is_described_and_leaves() {
    let mut broker = start(&[("group.consumer.assignment.interval.ms", "0")]);
    for version in versions(ApiKey::ConsumerGroupHeartbeat) {
        let joined = beat(&mut broker, version, if version == 0 { "" } else { "of-the-client" }, 0);
        assert_eq!((joined.error_code, joined.heartbeat_interval_ms), (0, 5_000), "{:?}", joined.error_message);
        let (member, assignment) = (joined.member_id.unwrap().to_string(), joined.assignment.unwrap());
        assert_eq!(assignment.topic_partitions[0].partitions, [0, 1]);
        for version in versions(ApiKey::ConsumerGroupDescribe) {
            let group = describe(&mut broker, version);
            assert_eq!((group.error_code, &*group.group_state, group.members.len()), (0, "Stable", 1));
            assert_eq!((&*group.members[0].member_id, group.members[0].member_epoch), (&*member, joined.member_epoch));
        }
        let response = beat(&mut broker, version, &member, joined.member_epoch + 1);
        assert_eq!(response.error_code, ErrorCode::FencedMemberEpoch.code());
        let left = beat(&mut broker, version, &member, -1);
        assert_eq!((left.error_code, left.member_epoch), (0, -1));
        let response = beat(&mut broker, version, &member, joined.member_epoch);
        assert_eq!(response.error_code, ErrorCode::UnknownMemberId.code());
    }
}

#[test]
fn settings_reach_groups_that_run() {
    let mut broker = start(&[("group.consumer.heartbeat.interval.ms", "7000")]);
    let joined = beat(&mut broker, 1, "a", 0);
    assert_eq!((joined.error_code, joined.heartbeat_interval_ms), (0, 7_000));
    alter(&mut broker, GROUP_RESOURCE, GROUP, ("consumer.heartbeat.interval.ms", "9000"));
    assert_eq!(beat(&mut broker, 1, "a", joined.member_epoch).heartbeat_interval_ms, 9_000);
}

#[test]
fn a_broker_that_is_told_so_has_no_consumer_protocol() {
    let mut broker = start(&[("group.coordinator.rebalance.protocols", "classic")]);
    assert_eq!(beat(&mut broker, 1, "a", 0).error_code, ErrorCode::UnsupportedVersion.code());
    assert_eq!(describe(&mut broker, 0).error_code, ErrorCode::UnsupportedVersion.code());
}
