//! Topics and what is in them.

use super::{About, Case, each, id};
use serde_json::json;

pub fn cases() -> Vec<Case> {
    [records(), topics(), configs()].into_iter().flatten().collect()
}

fn records() -> Vec<Case> {
    use About::*;
    vec![
        Case::of("Produce", "plain", Topics, |names| {
            let data = json!([{ "Index": 0, "Records": "@batch" }, { "Index": 7, "Records": "@batch" }]);
            let topics = each(names, |name| json!({ "Name": name, "TopicId": id(name), "PartitionData": data }));
            json!({ "Acks": -1, "TimeoutMs": 1000, "TopicData": topics })
        })
        .also(&[12]),
        Case::of("Produce", "acks 0", Topics, |names| {
            let data = json!([{ "Index": 0, "Records": "@batch" }]);
            let topics = each(names, |name| json!({ "Name": name, "TopicId": id(name), "PartitionData": data }));
            json!({ "Acks": 0, "TimeoutMs": 1000, "TopicData": topics })
        }),
        Case::of("Produce", "in a transaction", Ids, |names| {
            let data = json!([{ "Index": 0, "Records": "@transactional" }]);
            let topics =
                each(&["r-seen", "f-seen"], |name| json!({ "Name": name, "TopicId": id(name), "PartitionData": data }));
            json!({ "Acks": -1, "TimeoutMs": 1000, "TransactionalId": names[0], "TopicData": topics })
        })
        .also(&[11, 12]),
        Case::of("Fetch", "consumer", Topics, |names| {
            let partition = json!({ "Partition": 0, "FetchOffset": 0, "PartitionMaxBytes": 100_000 });
            let topics = each(names, |name| json!({ "Topic": name, "TopicId": id(name), "Partitions": [partition] }));
            json!({ "MaxWaitMs": 0, "MinBytes": 0, "Topics": topics })
        })
        .also(&[12]),
        Case::of("Fetch", "follower", Topics, |names| {
            let partition = json!({ "Partition": 0, "FetchOffset": 0, "PartitionMaxBytes": 100_000 });
            let topics = each(names, |name| json!({ "Topic": name, "TopicId": id(name), "Partitions": [partition] }));
            json!({ "ReplicaId": 7, "ReplicaState": { "ReplicaId": 7 }, "MaxWaitMs": 0, "MinBytes": 0, "Topics": topics })
        }),
        Case::of("ListOffsets", "latest", Topics, |names| {
            let partitions =
                json!([{ "PartitionIndex": 0, "Timestamp": -1 }, { "PartitionIndex": 7, "Timestamp": -1 }]);
            let topics = each(names, |name| json!({ "Name": name, "Partitions": partitions }));
            json!({ "ReplicaId": -1, "Topics": topics })
        }),
        Case::of("DeleteRecords", "to the beginning", Topics, |names| {
            let partitions = json!([{ "PartitionIndex": 0, "Offset": 0 }, { "PartitionIndex": 7, "Offset": 0 }]);
            json!({ "TimeoutMs": 1000, "Topics": each(names, |name| json!({ "Name": name, "Partitions": partitions })) })
        }),
        Case::of("OffsetForLeaderEpoch", "epoch 0", Topics, |names| {
            let partitions = json!([{ "Partition": 0, "LeaderEpoch": 0 }]);
            json!({ "Topics": each(names, |name| json!({ "Topic": name, "Partitions": partitions })) })
        }),
        Case::of(
            "DescribeProducers",
            "of topics",
            Topics,
            |names| json!({ "Topics": each(names, |name| json!({ "Name": name, "PartitionIndexes": [0, 7] })) }),
        ),
        Case::of(
            "DescribeProducers",
            "no name",
            Nothing,
            |_| json!({ "Topics": [{ "Name": "a b", "PartitionIndexes": [0] }, { "Name": "", "PartitionIndexes": [0] }] }),
        ),
    ]
}

fn topics() -> Vec<Case> {
    use About::*;
    vec![
        Case::of("Metadata", "by name", Topics, |names| {
            let topics = each(names, |name| json!({ "Name": name }));
            json!({ "Topics": topics, "AllowAutoTopicCreation": false, "IncludeTopicAuthorizedOperations": true,
                    "IncludeClusterAuthorizedOperations": true })
        })
        .from(4)
        .also(&[8, 10, 12]),
        Case::of("Metadata", "by id", Topics, |names| {
            let topics = each(names, |name| json!({ "Name": null, "TopicId": id(name) }));
            json!({ "Topics": topics, "AllowAutoTopicCreation": false, "IncludeTopicAuthorizedOperations": true })
        })
        .from(12),
        Case::of("Metadata", "all", Nothing, |_| {
            json!({ "Topics": null, "IncludeTopicAuthorizedOperations": true, "IncludeClusterAuthorizedOperations": true })
        })
        .from(1)
        .also(&[8, 10]),
        Case::of("Metadata", "no name", Nothing, |_| {
            json!({ "Topics": [{ "Name": "a b" }], "IncludeTopicAuthorizedOperations": true })
        })
        .from(1),
        Case::of("DescribeTopicPartitions", "by name", Topics, |names| {
            json!({ "Topics": each(names, |name| json!({ "Name": name })) })
        }),
        Case::of("DescribeTopicPartitions", "from a cursor", Topics, |names| {
            let cursor = json!({ "TopicName": names[0], "PartitionIndex": 0 });
            json!({ "Topics": each(names, |name| json!({ "Name": name })), "Cursor": cursor })
        }),
        Case::of("DescribeTopicPartitions", "all", Nothing, |_| json!({ "Topics": [] })),
        Case::of("Metadata", "created", Fresh, |names| {
            json!({ "Topics": each(names, |name| json!({ "Name": name })), "IncludeTopicAuthorizedOperations": true })
        })
        .also(&[4, 8]),
        Case::of("CreateTopics", "validated", Topics, |names| {
            let topics = each(names, |name| json!({ "Name": name, "NumPartitions": 1, "ReplicationFactor": 1 }));
            json!({ "Topics": topics, "validateOnly": true })
        }),
        Case::of("CreateTopics", "made", Fresh, |names| {
            let topics = each(names, |name| {
                json!({ "Name": name, "NumPartitions": 1, "ReplicationFactor": 1,
                        "Configs": [{ "Name": "retention.ms", "Value": "77" }] })
            });
            json!({ "Topics": topics })
        })
        .also(&[4]),
        Case::of("CreateTopics", "twice and the cluster's own", Nothing, |_| {
            let topics = each(&["r-twice", "r-twice", "__cluster_metadata", "a b"], |name| {
                json!({ "Name": name, "NumPartitions": 1, "ReplicationFactor": 1 })
            });
            json!({ "Topics": topics, "validateOnly": true })
        }),
        Case::of("DeleteTopics", "present", Fresh, |names| {
            let topics = each(names, |name| json!({ "Name": name }));
            json!({ "TopicNames": names, "Topics": topics, "TimeoutMs": 10_000 })
        })
        .also(&[5])
        .with_topics(|names| names.iter().map(ToString::to_string).collect()),
        Case::of("DeleteTopics", "by id", Fresh, |names| {
            json!({ "Topics": each(names, |name| json!({ "TopicId": id(name) })), "TimeoutMs": 10_000 })
        })
        .from(6)
        .with_topics(|names| names.iter().map(ToString::to_string).collect()),
        Case::of("DeleteTopics", "absent", Fresh, |names| {
            let topics = each(names, |name| json!({ "Name": name }));
            json!({ "TopicNames": names, "Topics": topics, "TimeoutMs": 10_000 })
        })
        .also(&[5]),
        Case::of("DeleteTopics", "absent by id, both, neither", Nothing, |_| {
            json!({ "Topics": [{ "TopicId": "@r-no-id" }, { "Name": "r-seen", "TopicId": "@r-seen" }, {}], "TimeoutMs": 10_000 })
        })
        .from(6),
        Case::of("DeleteTopics", "by name and id", Fresh, |names| {
            json!({ "Topics": [{ "Name": names[0] }, { "TopicId": id(names[0]) }], "TimeoutMs": 10_000 })
        })
        .from(6)
        .with_topics(|names| names.iter().map(ToString::to_string).collect()),
        Case::of("CreatePartitions", "validated", Topics, |names| {
            let topics = each(names, |name| json!({ "Name": name, "Count": 2, "Assignments": null }));
            json!({ "Topics": topics, "TimeoutMs": 10_000, "ValidateOnly": true })
        }),
        Case::of("CreatePartitions", "twice", Topics, |names| {
            let topics = each(&[names[0], names[0]], |name| json!({ "Name": name, "Count": 2, "Assignments": null }));
            json!({ "Topics": topics, "TimeoutMs": 10_000, "ValidateOnly": true })
        }),
    ]
}

const OF_TOPIC: i8 = 2;
const OF_BROKER: i8 = 4;
const OF_LOGGER: i8 = 8;
const OF_CLIENT_METRICS: i8 = 16;
const OF_GROUP: i8 = 32;

fn configs() -> Vec<Case> {
    use About::*;
    vec![
        Case::of("DescribeConfigs", "of topics", Topics, |names| {
            let of = |name: &str| json!({ "ResourceType": OF_TOPIC, "ResourceName": name, "ConfigurationKeys": ["retention.ms"] });
            json!({ "Resources": each(names, of) })
        }),
        Case::of("DescribeConfigs", "of groups", Groups, |names| {
            let of = |name: &str| {
                json!({ "ResourceType": OF_GROUP, "ResourceName": name,
                        "ConfigurationKeys": ["consumer.session.timeout.ms"] })
            };
            json!({ "Resources": each(names, of) })
        }),
        Case::of("DescribeConfigs", "of the broker and others", Nothing, |_| {
            let of = |kind: i8, name: &str| json!({ "ResourceType": kind, "ResourceName": name, "ConfigurationKeys": ["node.id"] });
            let all = [
                of(OF_BROKER, "1"),
                of(OF_BROKER, ""),
                of(OF_BROKER, "2"),
                of(OF_BROKER, "x"),
                of(OF_LOGGER, "1"),
                of(OF_LOGGER, "2"),
                of(OF_CLIENT_METRICS, "r-metrics"),
            ];
            json!({ "Resources": all })
        }),
        Case::of("DescribeConfigs", "of an unknown kind", Topics, |names| {
            let of = |kind: i8, name: &str| json!({ "ResourceType": kind, "ResourceName": name, "ConfigurationKeys": ["node.id"] });
            json!({ "Resources": [of(OF_TOPIC, names[0]), of(99, "x")] })
        }),
        Case::of(
            "AlterConfigs",
            "of topics",
            Topics,
            |names| json!({ "Resources": altered(OF_TOPIC, names, "retention.ms"), "ValidateOnly": true }),
        ),
        Case::of(
            "AlterConfigs",
            "of groups",
            Groups,
            |names| json!({ "Resources": altered(OF_GROUP, names, "consumer.session.timeout.ms"), "ValidateOnly": true }),
        ),
        Case::of(
            "AlterConfigs",
            "of the broker",
            Nothing,
            |_| json!({ "Resources": altered(OF_BROKER, &["1"], "log.retention.ms"), "ValidateOnly": true }),
        ),
        Case::of("AlterConfigs", "of another broker, a bad value, client metrics", Nothing, |_| {
            let bad = json!({ "ResourceType": OF_BROKER, "ResourceName": "1", "Configs": [{ "Name": "log.retention.ms", "Value": "x" }] });
            let all = [
                altered(OF_BROKER, &["2"], "log.retention.ms")[0].clone(),
                bad,
                altered(OF_CLIENT_METRICS, &["r-metrics"], "interval.ms")[0].clone(),
                altered(99, &["x"], "y")[0].clone(),
            ];
            json!({ "Resources": all, "ValidateOnly": true })
        }),
        Case::of(
            "IncrementalAlterConfigs",
            "of topics",
            Topics,
            |names| json!({ "Resources": altered(OF_TOPIC, names, "retention.ms"), "ValidateOnly": true }),
        ),
        Case::of(
            "IncrementalAlterConfigs",
            "of groups",
            Groups,
            |names| json!({ "Resources": altered(OF_GROUP, names, "consumer.session.timeout.ms"), "ValidateOnly": true }),
        ),
        Case::of(
            "IncrementalAlterConfigs",
            "of the broker",
            Nothing,
            |_| json!({ "Resources": altered(OF_BROKER, &["1"], "log.retention.ms"), "ValidateOnly": true }),
        ),
        Case::of(
            "IncrementalAlterConfigs",
            "of a logger",
            Nothing,
            |_| json!({ "Resources": altered(OF_LOGGER, &["1"], "no.such.logger"), "ValidateOnly": true }),
        ),
        Case::of("IncrementalAlterConfigs", "of another broker, a bad value, client metrics", Nothing, |_| {
            let bad = json!({ "ResourceType": OF_BROKER, "ResourceName": "1", "Configs": [{ "Name": "log.retention.ms", "Value": "x" }] });
            let all = [
                altered(OF_BROKER, &["2"], "log.retention.ms")[0].clone(),
                bad,
                altered(OF_CLIENT_METRICS, &["r-metrics"], "interval.ms")[0].clone(),
                altered(99, &["x"], "y")[0].clone(),
            ];
            json!({ "Resources": all, "ValidateOnly": true })
        }),
        Case::of("ListConfigResources", "all", Nothing, |_| json!({})),
        Case::of("ListConfigResources", "of topics", Nothing, |_| json!({ "ResourceTypes": [OF_TOPIC] })).from(1),
    ]
}

/// `ConfigOperation` is left at SET.
fn altered(kind: i8, names: &[&str], key: &str) -> serde_json::Value {
    each(
        names,
        |name| json!({ "ResourceType": kind, "ResourceName": name, "Configs": [{ "Name": key, "Value": "50000" }] }),
    )
}
