//! Counts of 2^31-1 in every API that the broker advertises, in every version. For the APIs below a true request is
//! spoilt at every byte; every other one gets bodies made of huge counts alone. What comes back is an error answer or a
//! closed connection; no answer only where the spoilt field says how long to wait.

use crate::guard::Guard;
use compat_tests::broker::Broker;
use compat_tests::raw::{self, Answer, Raw};
use compat_tests::{Result, ensure};
use kafka_protocol::messages::RequestKind as Kind;
use kafka_protocol::messages::*;
use std::time::Duration;

/// Enough for any answer that comes at once; a field that was spoilt may ask for waiting, and then this is lost time.
const PATIENCE: Duration = Duration::from_millis(250);
/// A fixed count of 2^31-1, and one more than that as compact arrays, strings and tagged fields have it.
const FIXED: &[u8] = &[0x7f, 0xff, 0xff, 0xff];
const COMPACT: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0x07];
const COMPACT_UNSIGNED: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0x0f];
const SHORT: &[u8] = &[0x7f, 0xff];
const COUNTS: &[&[u8]] = &[FIXED, COMPACT, COMPACT_UNSIGNED, SHORT];

pub fn array_counts(broker: &mut Broker) -> Result<()> {
    let mut guard = Guard::new(broker)?;
    let advertised = Raw::connect(broker.port())?.api_versions()?.api_keys;
    ensure!(advertised.len() >= 10, "only {} APIs are advertised", advertised.len());
    let templates = templates();
    let mut offender = Offender { raw: Raw::connect(broker.port())?, port: broker.port(), silent: 0 };
    for api in &advertised {
        for version in api.min_version..=api.max_version {
            for body in bodies(&templates, api.api_key, version) {
                offender.try_body(api.api_key, version, &body)?;
            }
        }
        guard.check(broker)?;
    }
    Ok(())
}

struct Offender {
    raw: Raw,
    port: u16,
    silent: usize,
}

impl Offender {
    fn try_body(&mut self, key: i16, version: i16, body: &[u8]) -> Result<()> {
        let id = self.raw.next_correlation_id();
        self.raw.send_frame(&raw::frame(key, version, id, raw::header_version(key, version), body));
        match self.raw.answer(PATIENCE)? {
            Answer::Frame(frame) => {
                ensure!(frame.starts_with(&id.to_be_bytes()), "key {key} version {version}: not the answer to {id}");
                return Ok(());
            }
            Answer::Closed => {}
            Answer::Silent => self.silent += 1,
        }
        ensure!(
            self.silent <= 400,
            "too many requests without answer; the last: key {key} version {version} {body:02x?}"
        );
        self.raw = Raw::connect(self.port)?;
        Ok(())
    }
}

fn bodies(templates: &[Kind], key: i16, version: i16) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    for count in COUNTS {
        for zeros in [0, 1, 2, 4, 6, 8] {
            bodies.push([vec![0; zeros], count.to_vec()].concat());
            bodies.push([vec![0; zeros], count.repeat(16)].concat());
        }
    }
    bodies.push(vec![0xff; 64]);
    bodies.push(Vec::new());
    for template in templates.iter().filter(|template| key_of(template) == key) {
        let mut body = bytes::BytesMut::new();
        // A template that says something this version cannot say is for the others.
        if template.encode(&mut body, version).is_ok() {
            for at in 0..body.len() {
                bodies.extend(COUNTS.iter().map(|count| spoilt(&body, at, count)));
                bodies.push(body[..at].to_vec());
            }
        }
    }
    bodies
}

fn spoilt(body: &[u8], at: usize, count: &[u8]) -> Vec<u8> {
    let mut spoilt = body.to_vec();
    spoilt.truncate(at);
    spoilt.extend_from_slice(count);
    spoilt.extend_from_slice(body.get(at + count.len()..).unwrap_or_default());
    spoilt
}

fn key_of(template: &Kind) -> i16 {
    (match template {
        Kind::Produce(_) => ApiKey::Produce,
        Kind::Fetch(_) => ApiKey::Fetch,
        Kind::ListOffsets(_) => ApiKey::ListOffsets,
        Kind::Metadata(_) => ApiKey::Metadata,
        Kind::FindCoordinator(_) => ApiKey::FindCoordinator,
        Kind::ApiVersions(_) => ApiKey::ApiVersions,
        Kind::CreateTopics(_) => ApiKey::CreateTopics,
        Kind::DeleteTopics(_) => ApiKey::DeleteTopics,
        Kind::DeleteRecords(_) => ApiKey::DeleteRecords,
        Kind::InitProducerId(_) => ApiKey::InitProducerId,
        Kind::OffsetForLeaderEpoch(_) => ApiKey::OffsetForLeaderEpoch,
        Kind::DescribeConfigs(_) => ApiKey::DescribeConfigs,
        Kind::CreatePartitions(_) => ApiKey::CreatePartitions,
        Kind::DescribeCluster(_) => ApiKey::DescribeCluster,
        Kind::DescribeTopicPartitions(_) => ApiKey::DescribeTopicPartitions,
        Kind::AlterConfigs(_) => ApiKey::AlterConfigs,
        Kind::IncrementalAlterConfigs(_) => ApiKey::IncrementalAlterConfigs,
        Kind::ListPartitionReassignments(_) => ApiKey::ListPartitionReassignments,
        Kind::ListConfigResources(_) => ApiKey::ListConfigResources,
        Kind::CreateAcls(_) => ApiKey::CreateAcls,
        Kind::DeleteAcls(_) => ApiKey::DeleteAcls,
        Kind::CreateDelegationToken(_) => ApiKey::CreateDelegationToken,
        Kind::DescribeDelegationToken(_) => ApiKey::DescribeDelegationToken,
        Kind::DescribeClientQuotas(_) => ApiKey::DescribeClientQuotas,
        Kind::DescribeUserScramCredentials(_) => ApiKey::DescribeUserScramCredentials,
        Kind::DescribeProducers(_) => ApiKey::DescribeProducers,
        Kind::DescribeTransactions(_) => ApiKey::DescribeTransactions,
        Kind::ListTransactions(_) => ApiKey::ListTransactions,
        Kind::AddPartitionsToTxn(_) => ApiKey::AddPartitionsToTxn,
        Kind::AddOffsetsToTxn(_) => ApiKey::AddOffsetsToTxn,
        Kind::EndTxn(_) => ApiKey::EndTxn,
        Kind::WriteTxnMarkers(_) => ApiKey::WriteTxnMarkers,
        Kind::TxnOffsetCommit(_) => ApiKey::TxnOffsetCommit,
        _ => unreachable!("no template of this kind"),
    }) as i16
}

/// Requests with one element in each array. Where versions differ in what they can say there are two of a kind.
fn templates() -> Vec<Kind> {
    let mut all = data_templates();
    all.extend(topic_templates());
    all.extend(config_templates());
    all.extend(security_templates());
    all.extend(transaction_templates());
    all.extend(transactional_templates());
    all.extend([
        Kind::FindCoordinator(FindCoordinatorRequest::default().with_key(raw::text("group"))),
        Kind::FindCoordinator(FindCoordinatorRequest::default().with_coordinator_keys(vec![raw::text("group")])),
        Kind::ApiVersions(ApiVersionsRequest::default()),
        Kind::InitProducerId(InitProducerIdRequest::default().with_producer_id(ProducerId(-1)).with_producer_epoch(-1)),
        Kind::DescribeCluster(DescribeClusterRequest::default()),
    ]);
    all
}

fn data_templates() -> Vec<Kind> {
    use fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
    use list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
    use offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
    use produce_request::{PartitionProduceData, TopicProduceData};
    let name = || raw::topic_name("absent");
    let id = uuid_of(7);
    let data = PartitionProduceData::default().with_records(Some(raw::Batch::of(&[b"x"]).encode().into()));
    let data = TopicProduceData::default().with_partition_data(vec![data]);
    let produce = |topic| Kind::Produce(ProduceRequest::default().with_acks(1).with_topic_data(vec![topic]));
    let partition = FetchPartition::default().with_partition_max_bytes(100);
    let wanted = FetchTopic::default().with_partitions(vec![partition]);
    let forgotten = ForgottenTopic::default().with_partitions(vec![0]);
    let fetch = |topic, forgotten| {
        let request = FetchRequest::default().with_replica_id(BrokerId(-1)).with_max_bytes(1000).with_session_epoch(-1);
        Kind::Fetch(request.with_topics(vec![topic]).with_forgotten_topics_data(vec![forgotten]))
    };
    let offsets = ListOffsetsPartition::default().with_timestamp(-1);
    let offsets = ListOffsetsTopic::default().with_name(name()).with_partitions(vec![offsets]);
    let epochs = OffsetForLeaderPartition::default().with_current_leader_epoch(-1);
    let epochs = OffsetForLeaderTopic::default().with_topic(name()).with_partitions(vec![epochs]);
    vec![
        produce(data.clone().with_name(name())),
        produce(data.with_topic_id(id)),
        fetch(wanted.clone().with_topic(name()), forgotten.clone().with_topic(name())),
        fetch(wanted.clone().with_topic_id(id), forgotten.with_topic_id(id)),
        Kind::Fetch(FetchRequest::default().with_max_bytes(1000).with_topics(vec![wanted.with_topic(name())])),
        Kind::ListOffsets(ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![offsets])),
        Kind::OffsetForLeaderEpoch(
            OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-2)).with_topics(vec![epochs]),
        ),
    ]
}

/// Nothing here changes anything: names are absent, creations are for validation only.
fn topic_templates() -> Vec<Kind> {
    use create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
    use create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig};
    use delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
    use delete_topics_request::DeleteTopicState;
    use describe_configs_request::DescribeConfigsResource;
    use describe_topic_partitions_request::{Cursor, TopicRequest};
    use metadata_request::MetadataRequestTopic;
    let name = || raw::topic_name("absent");
    let assignment = CreatableReplicaAssignment::default().with_broker_ids(vec![BrokerId(1)]);
    let config = CreatableTopicConfig::default().with_name(raw::text("retention.ms")).with_value(Some(raw::text("1")));
    let topic = CreatableTopic::default().with_name(name()).with_num_partitions(-1).with_replication_factor(-1);
    let topic = topic.with_assignments(vec![assignment]).with_configs(vec![config]);
    let more = CreatePartitionsAssignment::default().with_broker_ids(vec![BrokerId(1)]);
    let more = CreatePartitionsTopic::default().with_name(name()).with_count(2).with_assignments(Some(vec![more]));
    let delete =
        DeleteRecordsTopic::default().with_name(name()).with_partitions(vec![DeleteRecordsPartition::default()]);
    let resource = DescribeConfigsResource::default().with_resource_type(2).with_resource_name(raw::text("absent"));
    let resource = resource.with_configuration_keys(Some(vec![raw::text("retention.ms")]));
    let cursor = Cursor::default().with_topic_name(name());
    let describe =
        DescribeTopicPartitionsRequest::default().with_response_partition_limit(10).with_cursor(Some(cursor));
    let metadata = MetadataRequestTopic::default().with_name(Some(name()));
    vec![
        Kind::CreateTopics(CreateTopicsRequest::default().with_topics(vec![topic]).with_validate_only(true)),
        Kind::CreatePartitions(CreatePartitionsRequest::default().with_topics(vec![more]).with_validate_only(true)),
        Kind::DeleteTopics(DeleteTopicsRequest::default().with_topic_names(vec![name()])),
        Kind::DeleteTopics(
            DeleteTopicsRequest::default().with_topics(vec![DeleteTopicState::default().with_name(Some(name()))]),
        ),
        Kind::DeleteRecords(DeleteRecordsRequest::default().with_topics(vec![delete])),
        Kind::DescribeConfigs(DescribeConfigsRequest::default().with_resources(vec![resource])),
        Kind::DescribeTopicPartitions(describe.with_topics(vec![TopicRequest::default().with_name(name())])),
        Kind::Metadata(MetadataRequest::default().with_topics(Some(vec![metadata.clone()]))),
        Kind::Metadata(
            MetadataRequest::default().with_topics(Some(vec![metadata])).with_allow_auto_topic_creation(false),
        ),
    ]
}

fn config_templates() -> Vec<Kind> {
    let (name, key, value) = (raw::text("absent"), raw::text("retention.ms"), Some(raw::text("1")));
    let config = alter_configs_request::AlterableConfig::default().with_name(key.clone()).with_value(value.clone());
    let resource = alter_configs_request::AlterConfigsResource::default().with_resource_type(2);
    let alter = resource.with_resource_name(name.clone()).with_configs(vec![config]);
    let config = incremental_alter_configs_request::AlterableConfig::default().with_name(key).with_value(value);
    let resource = incremental_alter_configs_request::AlterConfigsResource::default().with_resource_type(2);
    let change = resource.with_resource_name(name).with_configs(vec![config]);
    let moved = list_partition_reassignments_request::ListPartitionReassignmentsTopics::default()
        .with_name(raw::topic_name("absent"))
        .with_partition_indexes(vec![0]);
    vec![
        Kind::AlterConfigs(AlterConfigsRequest::default().with_resources(vec![alter]).with_validate_only(true)),
        Kind::IncrementalAlterConfigs(
            IncrementalAlterConfigsRequest::default().with_resources(vec![change]).with_validate_only(true),
        ),
        Kind::ListPartitionReassignments(ListPartitionReassignmentsRequest::default().with_topics(Some(vec![moved]))),
        Kind::ListConfigResources(ListConfigResourcesRequest::default().with_resource_types(vec![2])),
    ]
}

fn security_templates() -> Vec<Kind> {
    let acl = create_acls_request::AclCreation::default().with_resource_type(2).with_resource_name(raw::text("absent"));
    let acl = acl.with_operation(3).with_permission_type(3);
    let filter = delete_acls_request::DeleteAclsFilter::default().with_resource_type_filter(2);
    let filter = filter.with_operation(3).with_permission_type(3);
    let renewer = create_delegation_token_request::CreatableRenewers::default().with_principal_type(raw::text("User"));
    let owner = describe_delegation_token_request::DescribeDelegationTokenOwner::default();
    let owner = owner.with_principal_type(raw::text("User"));
    let component = describe_client_quotas_request::ComponentData::default().with_entity_type(raw::text("user"));
    let component = component.with_match(Some(raw::text("absent")));
    let user = describe_user_scram_credentials_request::UserName::default().with_name(raw::text("absent"));
    vec![
        Kind::CreateAcls(CreateAclsRequest::default().with_creations(vec![acl])),
        Kind::DeleteAcls(DeleteAclsRequest::default().with_filters(vec![filter])),
        Kind::CreateDelegationToken(CreateDelegationTokenRequest::default().with_renewers(vec![renewer])),
        Kind::DescribeDelegationToken(DescribeDelegationTokenRequest::default().with_owners(Some(vec![owner]))),
        Kind::DescribeClientQuotas(DescribeClientQuotasRequest::default().with_components(vec![component])),
        Kind::DescribeUserScramCredentials(DescribeUserScramCredentialsRequest::default().with_users(Some(vec![user]))),
    ]
}

fn transaction_templates() -> Vec<Kind> {
    let topic = describe_producers_request::TopicRequest::default().with_name(raw::topic_name("absent"));
    let topic = topic.with_partition_indexes(vec![0]);
    let list = ListTransactionsRequest::default().with_state_filters(vec![raw::text("Ongoing")]);
    let ids = vec![TransactionalId(raw::text("absent"))];
    vec![
        Kind::DescribeProducers(DescribeProducersRequest::default().with_topics(vec![topic])),
        Kind::DescribeTransactions(DescribeTransactionsRequest::default().with_transactional_ids(ids)),
        Kind::ListTransactions(list.clone().with_producer_id_filters(vec![ProducerId(1)])),
        Kind::ListTransactions(list.with_transactional_id_pattern(Some(raw::text("a.*")))),
    ]
}

/// What a transactional producer sends, and WriteTxnMarkers; its id has no transaction.
fn transactional_templates() -> Vec<Kind> {
    use add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction};
    use txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
    use write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
    let id = || TransactionalId(raw::text("absent"));
    let (name, group) = (|| raw::topic_name("absent"), || GroupId(raw::text("absent")));
    let added = || vec![AddPartitionsToTxnTopic::default().with_name(name()).with_partitions(vec![0])];
    let of_one = AddPartitionsToTxnRequest::default().with_v3_and_below_transactional_id(id());
    let transaction = AddPartitionsToTxnTransaction::default().with_transactional_id(id()).with_topics(added());
    let of_several = AddPartitionsToTxnRequest::default().with_transactions(vec![transaction]);
    let marked = WritableTxnMarkerTopic::default().with_name(name()).with_partition_indexes(vec![0]);
    let marker = WritableTxnMarker::default().with_topics(vec![marked]);
    let offset = TxnOffsetCommitRequestPartition::default().with_committed_metadata(Some(raw::text("m")));
    let offsets = TxnOffsetCommitRequestTopic::default().with_name(name()).with_partitions(vec![offset]);
    let commit = TxnOffsetCommitRequest::default().with_transactional_id(id()).with_group_id(group());
    vec![
        Kind::AddPartitionsToTxn(of_one.with_v3_and_below_topics(added())),
        Kind::AddPartitionsToTxn(of_several),
        Kind::AddOffsetsToTxn(AddOffsetsToTxnRequest::default().with_transactional_id(id()).with_group_id(group())),
        Kind::EndTxn(EndTxnRequest::default().with_transactional_id(id())),
        Kind::WriteTxnMarkers(WriteTxnMarkersRequest::default().with_markers(vec![marker])),
        Kind::TxnOffsetCommit(commit.with_topics(vec![offsets])),
    ]
}

fn uuid_of(last: u8) -> uuid::Uuid {
    uuid::Uuid::from_bytes([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, last])
}
