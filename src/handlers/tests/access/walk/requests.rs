//! For each API a request whose answer depends on a need of its row.

use super::*;
use crate::handlers::testing::NOW;
use crate::record::builder::{Builder, Options, Record};
use crate::wire::api::*;

const TIMEOUT_MS: i32 = 1_000;

/// What must be there before the client asks, made by one that may do everything.
pub(super) fn prepare(broker: &mut Broker, key: ApiKey) {
    match key {
        ApiKey::ListGroups | ApiKey::OffsetDelete => commit(broker, "g"),
        ApiKey::DescribeTransactions | ApiKey::ListTransactions => {
            let request = add_partitions(init(broker, "x"));
            broker.as_admin(|broker| broker.answer(ApiKey::AddPartitionsToTxn, 3, &request));
        }
        ApiKey::DescribeDelegationToken => {
            let request = create_delegation_token::Request::default();
            broker.as_admin(|broker| broker.answer(ApiKey::CreateDelegationToken, 3, &request));
        }
        ApiKey::ConsumerGroupDescribe => {
            broker.as_admin(|broker| broker.answer(ApiKey::ConsumerGroupHeartbeat, 1, &consumer()));
        }
        _ => {}
    }
}

pub(super) fn ask(broker: &mut Broker, key: ApiKey, need: Need) -> Vec<u8> {
    of_data(broker, key, need)
        .or_else(|| of_topics(broker, key))
        .or_else(|| of_offsets(broker, key))
        .or_else(|| of_groups(broker, key))
        .or_else(|| of_producers(broker, key, need))
        .or_else(|| of_transactions(broker, key))
        .or_else(|| of_configs(broker, key, need))
        .or_else(|| of_acls(broker, key))
        .or_else(|| of_tokens(broker, key))
        .or_else(|| of_cluster(broker, key))
        .unwrap_or_else(|| panic!("no request of {key}"))
}

fn of_data(broker: &mut Broker, key: ApiKey, (operation, resource): Need) -> Option<Vec<u8>> {
    let answer = match key {
        ApiKey::Produce => broker.answer(key, 12, &produce_of(resource == TransactionalId)),
        ApiKey::Fetch => {
            let partitions = vec![fetch::FetchPartition { partition_max_bytes: 100, ..Default::default() }];
            let topics = vec![fetch::FetchTopic { topic: "seen".into(), partitions, ..Default::default() }];
            let replica_id = if operation == ClusterAction { 1 } else { -1 };
            broker.answer(key, 12, &fetch::Request { replica_id, session_epoch: -1, topics, ..Default::default() })
        }
        ApiKey::ListOffsets => {
            let partitions = vec![list_offsets::ListOffsetsPartition { timestamp: -1, ..Default::default() }];
            let topics = vec![list_offsets::ListOffsetsTopic { name: "seen".into(), partitions }];
            broker.answer(key, 7, &list_offsets::Request { topics, ..Default::default() })
        }
        ApiKey::DeleteRecords => {
            let partitions = vec![delete_records::DeleteRecordsPartition::default()];
            let topics = vec![delete_records::DeleteRecordsTopic { name: "seen".into(), partitions }];
            broker.answer(key, 2, &delete_records::Request { topics, timeout_ms: TIMEOUT_MS })
        }
        ApiKey::OffsetForLeaderEpoch => {
            use offset_for_leader_epoch::{OffsetForLeaderPartition, OffsetForLeaderTopic};
            let partitions = vec![OffsetForLeaderPartition { current_leader_epoch: -1, ..Default::default() }];
            let topics = vec![OffsetForLeaderTopic { topic: "seen".into(), partitions }];
            broker.answer(key, 4, &offset_for_leader_epoch::Request { topics, ..Default::default() })
        }
        ApiKey::DescribeProducers => {
            let topic = describe_producers::TopicRequest { name: "seen".into(), partition_indexes: vec![0] };
            broker.answer(key, 0, &describe_producers::Request { topics: vec![topic] })
        }
        _ => return None,
    };
    Some(answer)
}

fn produce_of(is_transactional: bool) -> produce::Request<'static> {
    let producer_id = if is_transactional { 1 } else { -1 };
    let mut builder = Builder::new(Options { producer_id, is_transactional, ..Options::default() });
    builder.append(&Record { timestamp: NOW, value: Some(b"value"), ..Record::default() });
    let records: &'static [u8] = builder.build().leak();
    let partition_data = vec![produce::PartitionProduceData { index: 0, records: Some(records.into()) }];
    let topic = produce::TopicProduceData { name: "seen".into(), partition_data, ..Default::default() };
    let transactional_id = is_transactional.then(|| "x".into());
    produce::Request { transactional_id, acks: -1, timeout_ms: TIMEOUT_MS, topic_data: vec![topic] }
}

fn of_topics(broker: &mut Broker, key: ApiKey) -> Option<Vec<u8>> {
    let timeout_ms = TIMEOUT_MS;
    let answer = match key {
        ApiKey::Metadata => {
            let topic =
                |name: &'static str| metadata::MetadataRequestTopic { name: Some(name.into()), ..Default::default() };
            let request = metadata::Request {
                topics: Some(vec![topic("seen"), topic("new")]),
                allow_auto_topic_creation: true,
                include_cluster_authorized_operations: true,
                ..Default::default()
            };
            broker.answer(key, 8, &request)
        }
        ApiKey::CreateTopics => {
            let topic = create_topics::CreatableTopic {
                name: "new".into(),
                num_partitions: 1,
                replication_factor: 1,
                ..Default::default()
            };
            broker.answer(key, 7, &create_topics::Request { topics: vec![topic], timeout_ms, validate_only: false })
        }
        ApiKey::DeleteTopics => {
            let topic_names = vec!["seen".into()];
            broker.answer(key, 5, &delete_topics::Request { topic_names, timeout_ms, ..Default::default() })
        }
        ApiKey::CreatePartitions => {
            let topic =
                create_partitions::CreatePartitionsTopic { name: "seen".into(), count: 2, ..Default::default() };
            broker.answer(key, 3, &create_partitions::Request { topics: vec![topic], timeout_ms, validate_only: false })
        }
        ApiKey::DescribeTopicPartitions => {
            let topics = vec![describe_topic_partitions::TopicRequest { name: "seen".into() }];
            broker.answer(key, 0, &describe_topic_partitions::Request { topics, ..Default::default() })
        }
        _ => return None,
    };
    Some(answer)
}

fn of_offsets(broker: &mut Broker, key: ApiKey) -> Option<Vec<u8>> {
    let (group_id, name) = ("g".into(), "seen".into());
    let answer = match key {
        ApiKey::OffsetCommit => {
            let partitions = vec![Default::default()];
            let topics = vec![offset_commit::OffsetCommitRequestTopic { name, partitions, ..Default::default() }];
            let generation_id_or_member_epoch = -1;
            let request =
                offset_commit::Request { group_id, generation_id_or_member_epoch, topics, ..Default::default() };
            broker.answer(key, 8, &request)
        }
        ApiKey::TxnOffsetCommit => {
            let partitions = vec![Default::default()];
            let topics =
                vec![txn_offset_commit::TxnOffsetCommitRequestTopic { name, partitions, ..Default::default() }];
            let transactional_id = "x".into();
            let request = txn_offset_commit::Request { transactional_id, group_id, topics, ..Default::default() };
            broker.answer(key, 4, &request)
        }
        ApiKey::OffsetFetch => {
            let partition_indexes = vec![0];
            let topic = offset_fetch::OffsetFetchRequestTopics { name, partition_indexes, ..Default::default() };
            let topics = Some(vec![topic]);
            let group = offset_fetch::OffsetFetchRequestGroup { group_id, topics, ..Default::default() };
            broker.answer(key, 9, &offset_fetch::Request { groups: vec![group], ..Default::default() })
        }
        ApiKey::OffsetDelete => {
            let partitions = vec![offset_delete::OffsetDeleteRequestPartition { partition_index: 7 }];
            let topics = vec![offset_delete::OffsetDeleteRequestTopic { name, partitions }];
            broker.answer(key, 0, &offset_delete::Request { group_id, topics })
        }
        _ => return None,
    };
    Some(answer)
}

fn of_groups(broker: &mut Broker, key: ApiKey) -> Option<Vec<u8>> {
    let group_id = "g".into();
    let answer = match key {
        ApiKey::JoinGroup => {
            broker.answer(key, 4, &join_group::Request { group_id, session_timeout_ms: 10_000, ..Default::default() })
        }
        ApiKey::Heartbeat => broker.answer(key, 4, &heartbeat::Request { group_id, ..Default::default() }),
        ApiKey::LeaveGroup => broker.answer(key, 2, &leave_group::Request { group_id, ..Default::default() }),
        ApiKey::SyncGroup => broker.answer(key, 4, &sync_group::Request { group_id, ..Default::default() }),
        ApiKey::DescribeGroups => {
            broker.answer(key, 6, &describe_groups::Request { groups: vec![group_id], ..Default::default() })
        }
        ApiKey::ListGroups => broker.answer(key, 5, &list_groups::Request::default()),
        ApiKey::DeleteGroups => broker.answer(key, 2, &delete_groups::Request { groups_names: vec![group_id] }),
        ApiKey::ConsumerGroupHeartbeat => broker.answer(key, 1, &consumer()),
        ApiKey::ConsumerGroupDescribe => {
            broker.answer(key, 1, &consumer_group_describe::Request { group_ids: vec![group_id], ..Default::default() })
        }
        _ => return None,
    };
    Some(answer)
}

fn consumer() -> consumer_group_heartbeat::Request<'static> {
    consumer_group_heartbeat::Request {
        group_id: "g".into(),
        member_id: "m".into(),
        rebalance_timeout_ms: 10_000,
        subscribed_topic_names: Some(vec!["seen".into()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    }
}

fn of_producers(broker: &mut Broker, key: ApiKey, (operation, resource): Need) -> Option<Vec<u8>> {
    let answer = match key {
        ApiKey::FindCoordinator => {
            let (key_type, version) = match resource {
                Group => (0, 4),
                TransactionalId => (1, 4),
                _ => (2, 6),
            };
            let coordinator_keys = vec!["x".into()];
            broker.answer(key, version, &find_coordinator::Request { key_type, coordinator_keys, ..Default::default() })
        }
        ApiKey::InitProducerId => {
            let request = init_producer_id::Request {
                transactional_id: (resource == TransactionalId).then(|| "x".into()),
                transaction_timeout_ms: 60_000,
                producer_id: -1,
                producer_epoch: -1,
                enable2_pc: operation == TwoPhaseCommit,
                ..Default::default()
            };
            broker.answer(key, 6, &request)
        }
        ApiKey::AddPartitionsToTxn if resource == Cluster => {
            broker.answer(key, 4, &add_partitions_to_txn::Request::default())
        }
        ApiKey::AddPartitionsToTxn => broker.answer(key, 3, &add_partitions((1, 0))),
        ApiKey::AddOffsetsToTxn => {
            let (transactional_id, group_id) = ("x".into(), "g".into());
            let request = add_offsets_to_txn::Request { transactional_id, group_id, ..Default::default() };
            broker.answer(key, 4, &request)
        }
        _ => return None,
    };
    Some(answer)
}

fn add_partitions((producer_id, producer_epoch): (i64, i16)) -> add_partitions_to_txn::Request<'static> {
    let topic = add_partitions_to_txn::AddPartitionsToTxnTopic { name: "seen".into(), partitions: vec![0] };
    add_partitions_to_txn::Request {
        v3_and_below_transactional_id: "x".into(),
        v3_and_below_producer_id: producer_id,
        v3_and_below_producer_epoch: producer_epoch,
        v3_and_below_topics: vec![topic],
        ..Default::default()
    }
}

fn of_transactions(broker: &mut Broker, key: ApiKey) -> Option<Vec<u8>> {
    let answer = match key {
        ApiKey::EndTxn => {
            broker.answer(key, 4, &end_txn::Request { transactional_id: "x".into(), ..Default::default() })
        }
        ApiKey::WriteTxnMarkers => {
            let partition_indexes = vec![0];
            let topic = write_txn_markers::WritableTxnMarkerTopic { name: "none".into(), partition_indexes };
            let marker = write_txn_markers::WritableTxnMarker { topics: vec![topic], ..Default::default() };
            broker.answer(key, 1, &write_txn_markers::Request { markers: vec![marker] })
        }
        ApiKey::DescribeTransactions => {
            broker.answer(key, 0, &describe_transactions::Request { transactional_ids: vec!["x".into()] })
        }
        ApiKey::ListTransactions => broker.answer(key, 0, &list_transactions::Request::default()),
        _ => return None,
    };
    Some(answer)
}

fn of_configs(broker: &mut Broker, key: ApiKey, (_, resource): Need) -> Option<Vec<u8>> {
    let (resource_type, name) = match resource {
        Topic => (2, "seen"),
        Group => (32, "g"),
        _ => (16, "subscription"),
    };
    let resource_name = name.into();
    let answer = match key {
        ApiKey::DescribeConfigs => {
            use describe_configs::DescribeConfigsResource;
            let resource = DescribeConfigsResource { resource_type, resource_name, configuration_keys: None };
            broker.answer(key, 4, &describe_configs::Request { resources: vec![resource], ..Default::default() })
        }
        ApiKey::AlterConfigs => {
            let configs = Vec::new();
            let resource = alter_configs::AlterConfigsResource { resource_type, resource_name, configs };
            broker.answer(key, 2, &alter_configs::Request { resources: vec![resource], validate_only: true })
        }
        ApiKey::IncrementalAlterConfigs => {
            let configs = Vec::new();
            let resource = incremental_alter_configs::AlterConfigsResource { resource_type, resource_name, configs };
            let request = incremental_alter_configs::Request { resources: vec![resource], validate_only: true };
            broker.answer(key, 1, &request)
        }
        _ => return None,
    };
    Some(answer)
}

fn of_acls(broker: &mut Broker, key: ApiKey) -> Option<Vec<u8>> {
    let answer = match key {
        ApiKey::DescribeAcls => broker.answer(key, 3, &all_acls()),
        ApiKey::CreateAcls => broker.answer(key, 3, &create_acls::Request { creations: vec![an_acl()] }),
        ApiKey::DeleteAcls => {
            let filter = delete_acls::DeleteAclsFilter {
                resource_type_filter: 1,
                pattern_type_filter: 1,
                operation: 1,
                permission_type: 1,
                ..Default::default()
            };
            broker.answer(key, 3, &delete_acls::Request { filters: vec![filter] })
        }
        _ => return None,
    };
    Some(answer)
}

fn of_tokens(broker: &mut Broker, key: ApiKey) -> Option<Vec<u8>> {
    let answer = match key {
        ApiKey::CreateDelegationToken => {
            let (owner_principal_type, owner_principal_name) = (Some("User".into()), Some("bob".into()));
            let request =
                create_delegation_token::Request { owner_principal_type, owner_principal_name, ..Default::default() };
            broker.answer(key, 3, &request)
        }
        ApiKey::DescribeDelegationToken => broker.answer(key, 3, &describe_delegation_token::Request { owners: None }),
        _ => return None,
    };
    Some(answer)
}

fn of_cluster(broker: &mut Broker, key: ApiKey) -> Option<Vec<u8>> {
    let timeout_ms = TIMEOUT_MS;
    let answer = match key {
        ApiKey::AlterReplicaLogDirs => {
            use alter_replica_log_dirs::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
            let topics = vec![AlterReplicaLogDirTopic { name: "none".into(), partitions: vec![0] }];
            let dirs = vec![AlterReplicaLogDir { path: "/data".into(), topics }];
            broker.answer(key, 2, &alter_replica_log_dirs::Request { dirs })
        }
        ApiKey::AlterClientQuotas => {
            use alter_client_quotas::request::{EntityData, EntryData, OpData};
            let entity = vec![EntityData { entity_type: "user".into(), entity_name: None }];
            let ops = vec![OpData { key: "request_percentage".into(), value: 50.0, remove: false }];
            let entries = vec![EntryData { entity, ops }];
            broker.answer(key, 1, &alter_client_quotas::Request { entries, validate_only: false })
        }
        ApiKey::AlterUserScramCredentials => {
            let deletion = alter_user_scram_credentials::ScramCredentialDeletion { name: "new".into(), mechanism: 1 };
            let request = alter_user_scram_credentials::Request { deletions: vec![deletion], ..Default::default() };
            broker.answer(key, 0, &request)
        }
        ApiKey::DescribeLogDirs => broker.answer(key, 5, &describe_log_dirs::Request { topics: None }),
        ApiKey::ElectLeaders => broker.answer(key, 2, &elect_leaders::Request { timeout_ms, ..Default::default() }),
        ApiKey::AlterPartitionReassignments => {
            broker.answer(key, 1, &alter_partition_reassignments::Request::default())
        }
        ApiKey::ListPartitionReassignments => broker.answer(key, 0, &list_partition_reassignments::Request::default()),
        ApiKey::DescribeClientQuotas => broker.answer(key, 1, &describe_client_quotas::Request::default()),
        ApiKey::DescribeUserScramCredentials => {
            broker.answer(key, 0, &describe_user_scram_credentials::Request::default())
        }
        ApiKey::DescribeQuorum => broker.answer(key, 2, &describe_quorum::Request::default()),
        ApiKey::UpdateFeatures => broker.answer(key, 1, &update_features::Request { timeout_ms, ..Default::default() }),
        ApiKey::DescribeCluster => {
            let include_cluster_authorized_operations = true;
            let request = describe_cluster::Request { include_cluster_authorized_operations, ..Default::default() };
            broker.answer(key, 1, &request)
        }
        ApiKey::UnregisterBroker => broker.answer(key, 0, &unregister_broker::Request { broker_id: 7 }),
        ApiKey::ListConfigResources => broker.answer(key, 1, &list_config_resources::Request::default()),
        _ => return None,
    };
    Some(answer)
}
