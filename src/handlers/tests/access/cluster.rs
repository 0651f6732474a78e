//! What belongs to the cluster as a whole.

use super::*;
use crate::wire::api::{
    alter_client_quotas, alter_partition_reassignments, alter_replica_log_dirs, create_acls, delete_acls,
    describe_acls, describe_client_quotas, describe_user_scram_credentials, elect_leaders,
    list_partition_reassignments, update_features,
};

const ALTER: Option<&str> = Some("The request needs ALTER permission.");
const DESCRIBE: Option<&str> = Some("The request needs DESCRIBE permission.");
/// `SECURITY_DISABLED` is told to those who may; where there are rules it is something else.
const NOTHING_OF_ACLS: i16 = CLUSTER_REFUSED;

#[test]
fn acls_are_for_those_who_may_alter_or_describe_the_cluster() {
    let mut broker = start();
    let (refused, told): (describe_acls::Response, describe_acls::Response) =
        both(&mut broker, ApiKey::DescribeAcls, 3, &all_acls());
    assert_eq!((refused.error_code, refused.error_message.as_deref()), (CLUSTER_REFUSED, DESCRIBE));
    assert!(refused.resources.is_empty() && told.error_code != NOTHING_OF_ACLS);

    let request = create_acls::Request { creations: vec![an_acl(), an_acl()] };
    let (refused, told): (create_acls::Response, create_acls::Response) =
        both(&mut broker, ApiKey::CreateAcls, 3, &request);
    let results: Vec<_> = refused.results.iter().map(|r| (r.error_code, r.error_message.as_deref())).collect();
    assert_eq!(results, [(CLUSTER_REFUSED, ALTER); 2]);
    assert_ne!(told.results[0].error_code, NOTHING_OF_ACLS);

    let filter = delete_acls::DeleteAclsFilter {
        resource_type_filter: 1,
        pattern_type_filter: 1,
        operation: 1,
        permission_type: 1,
        ..Default::default()
    };
    let request = delete_acls::Request { filters: vec![filter] };
    let (refused, told): (delete_acls::Response, delete_acls::Response) =
        both(&mut broker, ApiKey::DeleteAcls, 3, &request);
    let result = &refused.filter_results[0];
    assert_eq!((result.error_code, result.error_message.as_deref()), (CLUSTER_REFUSED, ALTER));
    assert!(result.matching_acls.is_empty() && told.filter_results[0].error_code != NOTHING_OF_ACLS);
}

#[test]
fn logs_are_moved_by_those_who_may_alter_the_cluster() {
    let mut broker = start();
    let topic = |name: &'static str| alter_replica_log_dirs::AlterReplicaLogDirTopic {
        name: name.into(),
        partitions: vec![0, 1],
    };
    let topics = vec![topic("seen"), topic("gone")];
    let dirs = vec![alter_replica_log_dirs::AlterReplicaLogDir { path: "/data".into(), topics }];
    let (refused, told): (alter_replica_log_dirs::Response, alter_replica_log_dirs::Response) =
        both(&mut broker, ApiKey::AlterReplicaLogDirs, 2, &alter_replica_log_dirs::Request { dirs });
    let errors = |answer: &alter_replica_log_dirs::Response<'_>| -> Vec<i16> {
        answer.results.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.error_code).collect()
    };
    assert_eq!(errors(&refused), [CLUSTER_REFUSED; 4]);
    assert!(!errors(&told).contains(&CLUSTER_REFUSED));
}

#[test]
fn leaders_are_elected_by_those_who_may_alter_the_cluster() {
    let mut broker = start();
    let topic = elect_leaders::TopicPartitions { topic: "seen".into(), partitions: vec![0] };
    for version in 0..=2 {
        for topic_partitions in [None, Some(vec![topic.clone()])] {
            let is_named = topic_partitions.is_some();
            let request = elect_leaders::Request { topic_partitions, timeout_ms: 1000, ..Default::default() };
            let (refused, told): (elect_leaders::Response, elect_leaders::Response) =
                both(&mut broker, ApiKey::ElectLeaders, version, &request);
            let whole = if version > 0 { CLUSTER_REFUSED } else { 0 };
            assert_eq!((refused.error_code, told.error_code), (whole, 0));
            let results: Vec<_> = refused.replica_election_results.iter().flat_map(|t| &t.partition_result).collect();
            assert_eq!(results.len(), usize::from(is_named));
            assert!(results.iter().all(|r| (r.error_code, r.error_message.as_deref()) == (CLUSTER_REFUSED, ALTER)));
        }
    }
}

#[test]
fn partitions_are_reassigned_by_those_who_may_alter_the_cluster() {
    let mut broker = start();
    let partitions =
        vec![alter_partition_reassignments::ReassignablePartition { partition_index: 0, replicas: Some(vec![1]) }];
    let topics = vec![alter_partition_reassignments::ReassignableTopic { name: "seen".into(), partitions }];
    let request = alter_partition_reassignments::Request { topics, timeout_ms: 1000, ..Default::default() };
    let (refused, told): (alter_partition_reassignments::Response, alter_partition_reassignments::Response) =
        both(&mut broker, ApiKey::AlterPartitionReassignments, 1, &request);
    let partition = &refused.responses[0].partitions[0];
    assert_eq!((refused.error_code, refused.error_message.as_deref()), (CLUSTER_REFUSED, ALTER));
    assert_eq!((partition.error_code, partition.error_message.as_deref()), (CLUSTER_REFUSED, ALTER));
    assert_eq!(told.error_code, 0);

    let topic = list_partition_reassignments::ListPartitionReassignmentsTopics {
        name: "seen".into(),
        partition_indexes: vec![0],
    };
    let request = list_partition_reassignments::Request { topics: Some(vec![topic]), ..Default::default() };
    let (refused, told): (list_partition_reassignments::Response, list_partition_reassignments::Response) =
        both(&mut broker, ApiKey::ListPartitionReassignments, 0, &request);
    assert_eq!((refused.error_code, refused.error_message.as_deref()), (CLUSTER_REFUSED, DESCRIBE));
    let named = &refused.topics[0];
    assert_eq!((&*named.name, named.partitions[0].partition_index, named.partitions[0].replicas.len()), ("seen", 0, 0));
    assert_eq!((told.error_code, told.topics.len()), (0, 0));
}

#[test]
fn quotas_and_credentials_are_shown_to_those_who_may_see_them() {
    let mut broker = start();
    // It is asked before the filter is read.
    let component = describe_client_quotas::ComponentData { entity_type: "odd".into(), ..Default::default() };
    let request = describe_client_quotas::Request { components: vec![component], ..Default::default() };
    let (refused, told): (describe_client_quotas::Response, describe_client_quotas::Response) =
        both(&mut broker, ApiKey::DescribeClientQuotas, 1, &request);
    assert_eq!((refused.error_code, refused.error_message.as_deref()), (CLUSTER_REFUSED, None));
    assert!(refused.entries.is_none() && told.error_code != CLUSTER_REFUSED);

    let user = |name: &'static str| describe_user_scram_credentials::UserName { name: name.into() };
    for (users, count) in [(None, 0), (Some(vec![user("a"), user("b")]), 2)] {
        let request = describe_user_scram_credentials::Request { users };
        let (refused, told): (describe_user_scram_credentials::Response, describe_user_scram_credentials::Response) =
            both(&mut broker, ApiKey::DescribeUserScramCredentials, 0, &request);
        assert_eq!((refused.error_code, refused.error_message.as_deref()), (CLUSTER_REFUSED, None));
        let results: Vec<_> = refused.results.iter().map(|result| (&*result.user, result.error_code)).collect();
        assert_eq!(results, vec![("", CLUSTER_REFUSED); count]);
        assert_eq!(told.error_code, 0);
    }
}

#[test]
fn features_are_updated_by_those_who_may_alter_the_cluster() {
    let mut broker = start();
    let request = update_features::Request { timeout_ms: 1000, ..Default::default() };
    for version in 0..=2 {
        let (refused, told): (update_features::Response, update_features::Response) =
            both(&mut broker, ApiKey::UpdateFeatures, version, &request);
        assert_eq!((refused.error_code, refused.error_message.as_deref()), (CLUSTER_REFUSED, ALTER));
        assert!(refused.results.is_empty() && told.error_code != CLUSTER_REFUSED);
    }
}

/// Every entity is told so, and none of them gets what was asked for it.
#[test]
fn quotas_are_altered_by_those_who_may_alter_the_configs_of_the_cluster() {
    use alter_client_quotas::request::{EntityData, EntryData, OpData};
    let mut broker = start();
    let entry = |entity_type: &'static str, entity_name: Option<&'static str>, key: &'static str| EntryData {
        entity: vec![EntityData { entity_type: entity_type.into(), entity_name: entity_name.map(Into::into) }],
        ops: vec![OpData { key: key.into(), value: 50.0, remove: false }],
    };
    let entries = vec![entry("user", None, "producer_byte_rate"), entry("ip", Some("10.0.0.1"), "nonsense")];
    let request = alter_client_quotas::Request { entries, validate_only: false };
    let told = |answer: &alter_client_quotas::Response<'_>| -> Vec<_> {
        let entity = |e: &alter_client_quotas::response::EntityData<'_>| {
            (e.entity_type.to_string(), e.entity_name.as_deref().map(str::to_string))
        };
        let entry = |e: &alter_client_quotas::response::EntryData<'_>| {
            let message = e.error_message.as_deref().map(str::to_string);
            (e.error_code, message, e.entity.iter().map(entity).collect::<Vec<_>>())
        };
        answer.entries.iter().map(entry).collect()
    };
    let entities = [("user".to_string(), None), ("ip".to_string(), Some("10.0.0.1".to_string()))];
    for version in 0..=1 {
        let refused: alter_client_quotas::Response = broker.ask(ApiKey::AlterClientQuotas, version, &request);
        let message = Some("Cluster authorization failed.".to_string());
        let expected = entities.clone().map(|entity| (CLUSTER_REFUSED, message.clone(), vec![entity]));
        assert_eq!((told(&refused), refused.throttle_time_ms), (expected.to_vec(), 0));
        assert!(broker.view().image.client_quotas().is_empty(), "nothing was altered");
    }
    broker.allow(AclOperation::AlterConfigs, AclResource::Cluster, EVERY);
    let answer: alter_client_quotas::Response = broker.ask(ApiKey::AlterClientQuotas, 1, &request);
    let message = Some("Invalid configuration key nonsense".to_string());
    let expected = [(0, None, vec![entities[0].clone()]), (42, message, vec![entities[1].clone()])];
    assert_eq!(told(&answer), expected);
    assert!(!broker.view().image.client_quotas().is_empty());
}
