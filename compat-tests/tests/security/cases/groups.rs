//! Groups and what they have committed.

use super::{About, Case, Step, each, id};
use serde_json::{Value, json};

pub fn cases() -> Vec<Case> {
    [offsets(), classic(), consumer()].into_iter().flatten().collect()
}

const TOPICS: &[&str] = &["r-seen", "r-none", "f-seen", "__consumer_offsets"];

fn offsets() -> Vec<Case> {
    use About::*;
    vec![
        Case::of("OffsetCommit", "of a group", Groups, |names| committed(names[0], TOPICS)),
        Case::of("OffsetCommit", "of topics", Topics, |names| committed("r-group", names)),
        Case::of("OffsetCommit", "of a member", Topics, |names| {
            let mut request = committed("r-group", names);
            (request["GenerationIdOrMemberEpoch"], request["MemberId"]) = (json!(5), json!("m"));
            request
        }),
        Case::of("OffsetFetch", "of groups", Groups, |names| {
            let topics = each(TOPICS, |name| json!({ "Name": name, "TopicId": id(name), "PartitionIndexes": [0] }));
            let old = each(TOPICS, |name| json!({ "Name": name, "PartitionIndexes": [0] }));
            let groups = each(names, |name| json!({ "GroupId": name, "Topics": topics }));
            json!({ "GroupId": names[0], "Topics": old, "Groups": groups })
        })
        .also(&[2, 7, 8, 9]),
        Case::of("OffsetFetch", "all of groups", Groups, |names| {
            let groups = each(names, |name| json!({ "GroupId": name, "Topics": null }));
            json!({ "GroupId": names[0], "Topics": null, "Groups": groups })
        })
        .from(2)
        .also(&[7, 8, 9]),
        Case::of("OffsetFetch", "of a member", Topics, |names| {
            let topics = each(names, |name| json!({ "Name": name, "TopicId": id(name), "PartitionIndexes": [0] }));
            json!({ "Groups": [{ "GroupId": "r-group", "MemberId": "m", "MemberEpoch": 3, "Topics": topics }] })
        })
        .from(9),
        Case::of("OffsetDelete", "of a group", Groups, |names| {
            let topics = each(TOPICS, |name| json!({ "Name": name, "Partitions": [{ "PartitionIndex": 7 }] }));
            json!({ "GroupId": names[0], "Topics": topics })
        }),
        Case::of("DeleteGroups", "present", Fresh, |names| json!({ "GroupsNames": names }))
            .behind(|names| names.iter().map(|name| ("OffsetCommit", 8, committed(name, &["r-seen"]))).collect()),
        Case::of("DeleteGroups", "absent", Fresh, |names| json!({ "GroupsNames": names })),
    ]
}

pub fn committed(group: &str, topics: &[&str]) -> Value {
    let partitions = json!([{ "PartitionIndex": 0, "CommittedOffset": 1, "CommittedMetadata": "" },
                            { "PartitionIndex": 7, "CommittedOffset": 1, "CommittedMetadata": "" }]);
    let topics = each(topics, |name| json!({ "Name": name, "TopicId": id(name), "Partitions": partitions }));
    json!({ "GroupId": group, "Topics": topics })
}

fn classic() -> Vec<Case> {
    use About::*;
    let joining: fn(&[&str]) -> Value = |names| {
        json!({ "GroupId": names[0], "SessionTimeoutMs": 600_000, "RebalanceTimeoutMs": 600_000,
                "ProtocolType": "consumer", "Protocols": [{ "Name": "range", "Metadata": "" }] })
    };
    vec![
        Case::of("FindCoordinator", "of groups", Groups, |names| {
            json!({ "Key": names[0], "KeyType": 0, "CoordinatorKeys": names })
        })
        .also(&[3, 4]),
        Case::of("FindCoordinator", "of transactional ids", Ids, |names| {
            json!({ "Key": names[0], "KeyType": 1, "CoordinatorKeys": names })
        })
        .from(1)
        .also(&[3, 4]),
        Case::of("FindCoordinator", "of share groups", Groups, |names| {
            let keys = each(names, |name| json!(format!("{name}:aaaaaaaaaaaaaaaaaaaaaa:0")));
            json!({ "Key": keys[0], "KeyType": 2, "CoordinatorKeys": keys })
        })
        .from(5),
        Case::of("FindCoordinator", "of an unknown kind", Groups, |names| {
            json!({ "Key": names[0], "KeyType": 9, "CoordinatorKeys": names })
        })
        .from(1)
        .also(&[4]),
        Case::of("JoinGroup", "a new member", Fresh, joining).also(&[6, 7]),
        Case::of("JoinGroup", "a member that is not known", Groups, |names| {
            json!({ "GroupId": names[0], "SessionTimeoutMs": 600_000, "RebalanceTimeoutMs": 600_000, "MemberId": "m",
                    "ProtocolType": "consumer", "Protocols": [{ "Name": "range", "Metadata": "" }] })
        })
        .also(&[6, 7]),
        Case::of("Heartbeat", "of a group", Groups, |names| json!({ "GroupId": names[0], "GenerationId": 1, "MemberId": "m" })),
        Case::of("LeaveGroup", "of a group", Groups, |names| {
            json!({ "GroupId": names[0], "MemberId": "m", "Members": [{ "MemberId": "m" }] })
        })
        .also(&[2, 3]),
        Case::of("SyncGroup", "of a group", Groups, |names| {
            json!({ "GroupId": names[0], "GenerationId": 1, "MemberId": "m", "ProtocolType": "consumer", "ProtocolName": "range" })
        })
        .also(&[4]),
        Case::of("SyncGroup", "without its protocol", Groups, |names| {
            json!({ "GroupId": names[0], "GenerationId": 1, "MemberId": "m", "ProtocolType": null, "ProtocolName": null })
        })
        .from(5),
        Case::of("DescribeGroups", "of groups", Groups, |names| {
            json!({ "Groups": names, "IncludeAuthorizedOperations": true })
        })
        .also(&[3, 5]),
        Case::of("ListGroups", "all", Nothing, |_| json!({})),
    ]
}

fn consumer() -> Vec<Case> {
    use About::*;
    vec![
        Case::of("ConsumerGroupHeartbeat", "a new member", Fresh, |names| joined(names[0], &["r-seen"])),
        Case::of("ConsumerGroupHeartbeat", "of topics that it may not see", Fresh, |names| {
            joined(names[0], &["r-seen", "f-seen", "r-none"])
        }),
        Case::of(
            "ConsumerGroupHeartbeat",
            "that is not known",
            Groups,
            |names| json!({ "GroupId": names[0], "MemberId": "m", "MemberEpoch": 5 }),
        ),
        Case::of(
            "ConsumerGroupDescribe",
            "of groups",
            Groups,
            |names| json!({ "GroupIds": names, "IncludeAuthorizedOperations": true }),
        ),
        Case::of(
            "ConsumerGroupDescribe",
            "with a member",
            Fresh,
            |names| json!({ "GroupIds": names, "IncludeAuthorizedOperations": true }),
        )
        .behind(|names| names.iter().map(|name| join(name, &["r-seen"])).collect()),
        Case::of(
            "ConsumerGroupDescribe",
            "with a member of two topics",
            Fresh,
            |names| json!({ "GroupIds": names, "IncludeAuthorizedOperations": true }),
        )
        .behind(|names| names.iter().map(|name| join(name, &["r-seen", "f-seen"])).collect()),
        Case::of(
            "DescribeGroups",
            "of the other protocol",
            Fresh,
            |names| json!({ "Groups": names, "IncludeAuthorizedOperations": true }),
        )
        .behind(|names| names.iter().map(|name| join(name, &["r-seen"])).collect()),
    ]
}

fn joined(group: &str, topics: &[&str]) -> Value {
    json!({ "GroupId": group, "MemberId": "member-of-the-matrix", "MemberEpoch": 0, "RebalanceTimeoutMs": 600_000,
            "SubscribedTopicNames": topics, "TopicPartitions": [] })
}

fn join(group: &str, topics: &[&str]) -> Step {
    ("ConsumerGroupHeartbeat", 1, joined(group, topics))
}
