//! The cluster: rules, credentials, quotas, directories, leaders, features.

use super::{About, Case};
use serde_json::{Value, json};

pub fn cases() -> Vec<Case> {
    [rules(), people(), brokers(), logins()].into_iter().flatten().collect()
}

/// Of a user whom no case asks as.
fn rule() -> Value {
    json!({ "ResourceType": 2, "ResourceName": "x-rule", "ResourcePatternType": 3, "Principal": "User:stranger", "Host": "*",
            "Operation": 3, "PermissionType": 3 })
}

fn filter() -> Value {
    any_rule(&json!("x-rule"))
}

/// A filter for the rules of a name, or of all.
pub fn any_rule(name: &Value) -> Value {
    json!({ "ResourceTypeFilter": 1, "ResourceNameFilter": name, "PatternTypeFilter": 1, "PrincipalFilter": null,
            "HostFilter": null, "Operation": 1, "PermissionType": 1 })
}

fn rules() -> Vec<Case> {
    use About::*;
    vec![
        Case::of("DescribeAcls", "of a name", Nothing, |_| filter()),
        Case::of("CreateAcls", "one and a wrong one", Nothing, |_| {
            let mut wrong = rule();
            wrong["Principal"] = json!("stranger");
            json!({ "Creations": [rule(), wrong] })
        }),
        Case::of("CreateAcls", "none", Nothing, |_| json!({})),
        Case::of("CreateAcls", "that cannot be decoded", Nothing, |_| {
            let mut wrong = rule();
            wrong["Operation"] = json!(0);
            json!({ "Creations": [wrong] })
        }),
        Case::of("DeleteAcls", "of another name", Nothing, |_| {
            let mut other = filter();
            other["ResourceNameFilter"] = json!("x-none");
            json!({ "Filters": [other] })
        }),
    ]
}

fn people() -> Vec<Case> {
    use About::*;
    vec![
        Case::of(
            "DescribeUserScramCredentials",
            "of two",
            Nothing,
            |_| json!({ "Users": [{ "Name": "x" }, { "Name": "y" }] }),
        ),
        Case::of(
            "AlterUserScramCredentials",
            "that are not there",
            Nothing,
            |_| json!({ "Deletions": [{ "Name": "x", "Mechanism": 1 }, { "Name": "y", "Mechanism": 2 }] }),
        ),
        Case::of("DescribeClientQuotas", "all", Nothing, |_| json!({})),
        Case::of("AlterClientQuotas", "validated", Nothing, |_| {
            let entity = json!([{ "EntityType": "user", "EntityName": "x" }]);
            let ops = json!([{ "Key": "producer_byte_rate", "Value": 1000.0, "Remove": false }]);
            json!({ "Entries": [{ "Entity": entity, "Ops": ops }], "ValidateOnly": true })
        }),
        Case::of("CreateDelegationToken", "for oneself", Nothing, |_| json!({})),
        Case::of(
            "CreateDelegationToken",
            "for another",
            Nothing,
            |_| json!({ "OwnerPrincipalType": "User", "OwnerPrincipalName": "other" }),
        )
        .from(3),
        Case::of("RenewDelegationToken", "of no token", Nothing, |_| json!({ "Hmac": "00" })),
        Case::of("ExpireDelegationToken", "of no token", Nothing, |_| json!({ "Hmac": "00" })),
        Case::of("DescribeDelegationToken", "all", Nothing, |_| json!({ "Owners": null })),
    ]
}

fn brokers() -> Vec<Case> {
    use About::*;
    vec![
        Case::of("DescribeCluster", "with operations", Nothing, |_| json!({ "IncludeClusterAuthorizedOperations": true })),
        Case::of("DescribeCluster", "without", Nothing, |_| json!({})),
        Case::of("DescribeQuorum", "of the metadata", Nothing, |_| {
            json!({ "Topics": [{ "TopicName": "__cluster_metadata", "Partitions": [{ "PartitionIndex": 0 }] }] })
        }),
        Case::of("DescribeLogDirs", "of topics", Topics, |names| {
            let topics: Vec<Value> = names.iter().map(|name| json!({ "Topic": name, "Partitions": [0] })).collect();
            json!({ "Topics": topics })
        })
        .also(&[2, 3]),
        Case::of("AlterReplicaLogDirs", "of topics", Topics, |names| {
            let topics: Vec<Value> = names.iter().map(|name| json!({ "Name": name, "Partitions": [7] })).collect();
            json!({ "Dirs": [{ "Path": "/no/such/directory", "Topics": topics }] })
        }),
        Case::of("ElectLeaders", "of topics", Topics, |names| {
            let topics: Vec<Value> = names.iter().map(|name| json!({ "Topic": name, "Partitions": [0] })).collect();
            json!({ "TopicPartitions": topics })
        }),
        Case::of("ElectLeaders", "all", Nothing, |_| json!({ "TopicPartitions": null })),
        Case::of("AlterPartitionReassignments", "of topics", Topics, |names| {
            let partitions = json!([{ "PartitionIndex": 0, "Replicas": null }]);
            let topics: Vec<Value> = names.iter().map(|name| json!({ "Name": name, "Partitions": partitions })).collect();
            json!({ "Topics": topics })
        }),
        Case::of("ListPartitionReassignments", "of topics", Topics, |names| {
            let topics: Vec<Value> = names.iter().map(|name| json!({ "Name": name, "PartitionIndexes": [0] })).collect();
            json!({ "Topics": topics })
        }),
        Case::of("ListPartitionReassignments", "all", Nothing, |_| json!({ "Topics": null })),
        Case::of("UpdateFeatures", "none", Nothing, |_| json!({})),
        Case::of("UpdateFeatures", "validated", Nothing, |_| {
            json!({ "FeatureUpdates": [{ "Feature": "no.such.feature", "MaxVersionLevel": 1 }], "ValidateOnly": true })
        })
        .from(1),
        Case::of("UnregisterBroker", "that is not there", Nothing, |_| json!({ "BrokerId": 7 })),
    ]
}

fn logins() -> Vec<Case> {
    use About::*;
    vec![
        Case::of(
            "ApiVersions",
            "again",
            Nothing,
            |_| json!({ "ClientSoftwareName": "a", "ClientSoftwareVersion": "1" }),
        ),
        Case::of("SaslHandshake", "again", Nothing, |_| json!({ "Mechanism": "SCRAM-SHA-256" })),
        Case::of("SaslAuthenticate", "again", Nothing, |_| json!({ "AuthBytes": "00" })),
    ]
}
