//! The requests of groups: members, offsets, and what is told of groups.

use super::*;
use crate::model::ErrorCode;
use crate::security::principal::Principal;
use crate::wire::api::{
    consumer_group_describe, consumer_group_heartbeat, delete_groups, describe_groups, heartbeat, join_group,
    leave_group, list_groups, offset_commit, offset_delete, offset_fetch, sync_group,
};

const GROUPS: [&str; 2] = ["mine", "other"];

fn with_groups() -> Broker {
    let mut broker = start();
    GROUPS.into_iter().for_each(|group| commit(&mut broker, group));
    broker
}

#[test]
fn members_are_refused_by_a_group_that_they_may_not_read() {
    let mut broker = with_groups();
    broker.allow(AclOperation::Describe, AclResource::Group, EVERY);
    let group = || "mine".into();
    for version in 0..=9 {
        let request = join_group::Request { group_id: group(), member_id: "m".into(), ..Default::default() };
        let answer: join_group::Response = broker.ask(ApiKey::JoinGroup, version, &request);
        let name = (version < 7).then_some("");
        assert_eq!((answer.error_code, answer.generation_id), (GROUP_REFUSED, -1));
        assert_eq!((answer.protocol_name.as_deref(), &*answer.member_id, &*answer.leader), (name, "", ""));
        assert!(answer.members.is_empty());
    }
    for version in 0..=4 {
        let request = heartbeat::Request { group_id: group(), ..Default::default() };
        let answer: heartbeat::Response = broker.ask(ApiKey::Heartbeat, version, &request);
        assert_eq!(answer.error_code, GROUP_REFUSED);
    }
    for version in 0..=5 {
        let answer: leave_group::Response =
            broker.ask(ApiKey::LeaveGroup, version, &leave_group::Request { group_id: group(), ..Default::default() });
        assert_eq!((answer.error_code, answer.members.len()), (GROUP_REFUSED, 0));
    }
    for version in 0..=5 {
        let says = || (version >= 5).then(|| "p".into());
        let request = sync_group::Request {
            group_id: group(),
            protocol_type: says(),
            protocol_name: says(),
            ..Default::default()
        };
        let answer: sync_group::Response = broker.ask(ApiKey::SyncGroup, version, &request);
        assert_eq!((answer.error_code, answer.assignment.len(), answer.protocol_name), (GROUP_REFUSED, 0, None));
    }
    // What every request of the version must say is looked at first.
    let bare = sync_group::Request { group_id: group(), ..Default::default() };
    let answer: sync_group::Response = broker.ask(ApiKey::SyncGroup, 5, &bare);
    assert_eq!(answer.error_code, ErrorCode::InconsistentGroupProtocol.code());
}

fn committing(version: i16, topics: &[(&'static str, crate::model::Uuid)]) -> offset_commit::Request<'static> {
    let topic = |(name, topic_id): &(&'static str, crate::model::Uuid)| offset_commit::OffsetCommitRequestTopic {
        name: if version < 10 { (*name).into() } else { "".into() },
        topic_id: *topic_id,
        partitions: vec![offset_commit::OffsetCommitRequestPartition::default()],
    };
    offset_commit::Request {
        group_id: "mine".into(),
        generation_id_or_member_epoch: -1,
        topics: topics.iter().map(topic).collect(),
        ..Default::default()
    }
}

fn committed(answer: &offset_commit::Response<'_>) -> Vec<i16> {
    answer.topics.iter().map(|topic| topic.partitions[0].error_code).collect()
}

#[test]
fn offsets_are_committed_of_what_may_be_read() {
    let mut broker = with_groups();
    let view = broker.view();
    let id = |name: &str| view.topic(name).map_or(crate::model::Uuid([9; 16]), |topic| topic.id);
    let topics = |version| {
        ["seen", "hidden", "gone"].map(|name| (name, if version < 10 { Default::default() } else { id(name) }))
    };
    for version in 2..=10 {
        let request = committing(version, &topics(version));
        let answer: offset_commit::Response = broker.ask(ApiKey::OffsetCommit, version, &request);
        assert_eq!(committed(&answer), [GROUP_REFUSED; 3]);
        assert_eq!(answer.topics.iter().map(|topic| topic.topic_id).collect::<Vec<_>>(), topics(version).map(|t| t.1));
        broker.allow(AclOperation::Read, AclResource::Group, "mine");
        broker.allow(AclOperation::Read, AclResource::Topic, "seen");
        let answer: offset_commit::Response = broker.ask(ApiKey::OffsetCommit, version, &request);
        let gone = if version < 10 { TOPIC_REFUSED } else { ErrorCode::UnknownTopicId.code() };
        assert_eq!(committed(&answer), [0, TOPIC_REFUSED, gone]);
        broker.forget_rules();
    }
    // The coordinator is not asked where nothing is left for it: the member that there is not is not missed.
    broker.allow(AclOperation::Read, AclResource::Group, "mine");
    let request = offset_commit::Request { member_id: "unknown".into(), ..committing(8, &topics(8)[1..2]) };
    let answer: offset_commit::Response = broker.ask(ApiKey::OffsetCommit, 8, &request);
    assert_eq!(committed(&answer), [TOPIC_REFUSED]);
}

fn asking_one(topics: Option<&[&'static str]>) -> offset_fetch::Request<'static> {
    let topic = |name: &&'static str| offset_fetch::OffsetFetchRequestTopic {
        name: (*name).into(),
        partition_indexes: vec![0],
    };
    let topics = topics.map(|topics| topics.iter().map(topic).collect());
    offset_fetch::Request { group_id: "mine".into(), topics, ..Default::default() }
}

#[test]
fn offsets_are_told_of_what_may_be_described_before_there_were_several_groups() {
    let mut broker = with_groups();
    let both = asking_one(Some(&["hidden", "seen"]));
    for version in 1..=7 {
        let answer: offset_fetch::Response = broker.ask(ApiKey::OffsetFetch, version, &both);
        if version == 1 {
            let partition = &answer.topics[0].partitions[0];
            assert_eq!((partition.error_code, partition.committed_offset), (GROUP_REFUSED, -1));
        } else {
            assert_eq!((answer.error_code, answer.topics.len()), (GROUP_REFUSED, 0));
        }
        broker.allow(AclOperation::Describe, AclResource::Group, "mine");
        broker.allow(AclOperation::Describe, AclResource::Topic, "seen");
        let answer: offset_fetch::Response = broker.ask(ApiKey::OffsetFetch, version, &both);
        let told = |answer: &offset_fetch::Response<'_>| -> Vec<(String, i64, i16)> {
            let of = |t: &offset_fetch::OffsetFetchResponseTopic<'_>| {
                (t.name.to_string(), t.partitions[0].committed_offset, t.partitions[0].error_code)
            };
            answer.topics.iter().map(of).collect()
        };
        let (seen, hidden) = (("seen".to_string(), 7, 0), ("hidden".to_string(), -1, TOPIC_REFUSED));
        assert_eq!((answer.error_code, told(&answer)), (0, vec![seen.clone(), hidden]));
        let refused = &answer.topics[1].partitions[0];
        assert_eq!((refused.committed_leader_epoch, refused.metadata.as_deref()), (-1, Some("")));
        if version >= 2 {
            let answer: offset_fetch::Response = broker.ask(ApiKey::OffsetFetch, version, &asking_one(None));
            assert_eq!(told(&answer), [seen]);
        }
        broker.forget_rules();
    }
}

#[test]
fn offsets_are_told_of_what_may_be_described() {
    let mut broker = with_groups();
    broker.allow(AclOperation::Describe, AclResource::Group, "mine");
    broker.allow(AclOperation::Describe, AclResource::Topic, "seen");
    let view = broker.view();
    let [seen, hidden] = ["seen", "hidden"].map(|name| view.topic(name).unwrap().id);
    for version in 8..=10 {
        let topic = |name: &'static str, id| offset_fetch::OffsetFetchRequestTopics {
            name: if version < 10 { name.into() } else { "".into() },
            topic_id: if version < 10 { Default::default() } else { id },
            partition_indexes: vec![0],
        };
        let named = Some(vec![topic("hidden", hidden), topic("seen", seen)]);
        let group = |group_id: &'static str, topics| offset_fetch::OffsetFetchRequestGroup {
            group_id: group_id.into(),
            topics,
            member_epoch: -1,
            ..Default::default()
        };
        let groups = vec![group("mine", named.clone()), group("other", named), group("mine", None)];
        let request = offset_fetch::Request { groups, ..Default::default() };
        let answer: offset_fetch::Response = broker.ask(ApiKey::OffsetFetch, version, &request);
        let told: Vec<Vec<(i64, i16)>> = answer
            .groups
            .iter()
            .map(|group| {
                let partitions = group.topics.iter().map(|topic| &topic.partitions[0]);
                partitions.map(|partition| (partition.committed_offset, partition.error_code)).collect()
            })
            .collect();
        let errors: Vec<i16> = answer.groups.iter().map(|group| group.error_code).collect();
        assert_eq!(errors, [0, GROUP_REFUSED, 0]);
        assert_eq!(told, [vec![(7, 0), (-1, TOPIC_REFUSED)], vec![], vec![(7, 0)]]);
        if version == 10 {
            assert_eq!((answer.groups[0].topics[1].topic_id, answer.groups[2].topics[0].topic_id), (hidden, seen));
        }
    }
}

#[test]
fn groups_that_may_not_be_described_are_hidden_or_refused() {
    let mut broker = with_groups();
    let list = |broker: &mut Broker| -> Vec<String> {
        let answer: list_groups::Response = broker.ask(ApiKey::ListGroups, 5, &list_groups::Request::default());
        assert_eq!(answer.error_code, 0);
        let mut ids: Vec<String> = answer.groups.iter().map(|group| group.group_id.to_string()).collect();
        ids.sort();
        ids
    };
    assert_eq!(list(&mut broker), [""; 0]);
    broker.allow(AclOperation::Describe, AclResource::Group, "mine");
    assert_eq!(list(&mut broker), ["mine"]);
    let groups = ["other", "mine", "gone"].map(Into::into).to_vec();
    let request = describe_groups::Request { groups, include_authorized_operations: true };
    let answer: describe_groups::Response = broker.ask(ApiKey::DescribeGroups, 6, &request);
    let told: Vec<_> = answer.groups.iter().map(|g| (g.error_code, &*g.group_state, g.authorized_operations)).collect();
    assert_eq!(told, [(GROUP_REFUSED, "", NOT_ASKED), (0, "Empty", 1 << 8), (GROUP_REFUSED, "", NOT_ASKED)]);
    assert_eq!(answer.groups[0].error_message, None);
    broker.allow(AclOperation::Describe, AclResource::Cluster, EVERY);
    assert_eq!(list(&mut broker), GROUPS);
}

#[test]
fn groups_and_offsets_are_deleted_by_those_who_may() {
    let mut broker = with_groups();
    let topic = |name: &'static str| offset_delete::OffsetDeleteRequestTopic {
        name: name.into(),
        partitions: vec![offset_delete::OffsetDeleteRequestPartition { partition_index: 0 }],
    };
    let request =
        offset_delete::Request { group_id: "mine".into(), topics: ["hidden", "seen", "gone"].map(topic).to_vec() };
    let answer: offset_delete::Response = broker.ask(ApiKey::OffsetDelete, 0, &request);
    assert_eq!((answer.error_code, answer.topics.len()), (GROUP_REFUSED, 0));
    broker.allow(AclOperation::Delete, AclResource::Group, "mine");
    broker.allow(AclOperation::Read, AclResource::Topic, "seen");
    let answer: offset_delete::Response = broker.ask(ApiKey::OffsetDelete, 0, &request);
    let errors: Vec<i16> = answer.topics.iter().map(|topic| topic.partitions[0].error_code).collect();
    assert_eq!((answer.error_code, errors), (0, vec![TOPIC_REFUSED, 0, TOPIC_REFUSED]));

    let groups_names = ["other", "mine", "other"].map(Into::into).to_vec();
    let answer: delete_groups::Response = broker.ask(ApiKey::DeleteGroups, 2, &delete_groups::Request { groups_names });
    let results: Vec<_> = answer.results.iter().map(|result| (&*result.group_id, result.error_code)).collect();
    assert_eq!(results, [("other", GROUP_REFUSED), ("mine", 0)]);
}

fn member(
    id: &'static str,
    names: Option<&[&'static str]>,
    regex: Option<&'static str>,
) -> consumer_group_heartbeat::Request<'static> {
    consumer_group_heartbeat::Request {
        group_id: "consumers".into(),
        member_id: id.into(),
        rebalance_timeout_ms: 10_000,
        subscribed_topic_names: names.map(|names| names.iter().map(|name| (*name).into()).collect()),
        subscribed_topic_regex: regex.map(Into::into),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    }
}

fn beat(
    broker: &mut Broker,
    request: &consumer_group_heartbeat::Request<'_>,
) -> consumer_group_heartbeat::Response<'static> {
    broker.ask(ApiKey::ConsumerGroupHeartbeat, 1, request)
}

#[test]
fn a_consumer_names_no_topic_that_it_may_not_describe() {
    let mut broker = start();
    let request = member("m", Some(&["seen", "hidden"]), None);
    let answer = beat(&mut broker, &request);
    assert_eq!((answer.error_code, answer.error_message.as_deref(), answer.member_id), (GROUP_REFUSED, None, None));
    broker.allow(AclOperation::Read, AclResource::Group, "consumers");
    broker.allow(AclOperation::Describe, AclResource::Topic, "seen");
    let answer = beat(&mut broker, &request);
    assert_eq!((answer.error_code, answer.error_message.as_deref()), (TOPIC_REFUSED, None));
    assert!(answer.assignment.is_none() && answer.member_epoch == 0);
    assert_eq!(beat(&mut broker, &member("m", Some(&["seen", "seen"]), None)).error_code, 0);
    assert_eq!(beat(&mut broker, &member("n", Some(&[]), None)).error_code, 0);
}

/// The topics of members, as one that may do all is told.
fn described(broker: &mut Broker) -> consumer_group_describe::DescribedGroup<'static> {
    let request = consumer_group_describe::Request { group_ids: vec!["consumers".into()], ..Default::default() };
    let mut answer: consumer_group_describe::Response = broker.ask(ApiKey::ConsumerGroupDescribe, 1, &request);
    answer.groups.remove(0)
}

#[test]
fn an_expression_finds_what_its_member_may_describe() {
    for shown in [&["seen"][..], &["seen", "hidden"]] {
        let mut broker = start();
        broker.allow(AclOperation::Read, AclResource::Group, "consumers");
        shown.iter().for_each(|topic| broker.allow(AclOperation::Describe, AclResource::Topic, topic));
        let answer = beat(&mut broker, &member("m", None, Some("seen|hidden")));
        assert_eq!(answer.error_code, 0);
        let group = broker.as_admin(described);
        let assigned = &group.members[0].target_assignment.topic_partitions;
        let mut topics: Vec<&str> = assigned.iter().map(|topic| &*topic.topic_name).collect();
        topics.sort_by_key(|topic| *topic == "hidden");
        assert_eq!(topics, shown);
    }
}

#[test]
fn an_expression_is_resolved_by_the_rights_of_who_comes() {
    let mut broker = start();
    broker.allow(AclOperation::Read, AclResource::Group, "consumers");
    assert_eq!(beat(&mut broker, &member("m", None, Some("seen|hidden"))).error_code, 0);
    let topics = |broker: &mut Broker| {
        let group = broker.as_admin(described);
        group.members.iter().map(|member| member.target_assignment.topic_partitions.len()).sum::<usize>()
    };
    assert_eq!(topics(&mut broker), 0);
    // Another member of other rights, with another expression, in a group of its own.
    let alice = std::mem::replace(&mut broker.session.principal, Principal::new(Principal::USER, "bob"));
    broker.allow(AclOperation::Read, AclResource::Group, EVERY);
    broker.allow(AclOperation::Describe, AclResource::Topic, "hidden");
    let of_bob = consumer_group_heartbeat::Request { group_id: "bobs".into(), ..member("b", None, Some(".*")) };
    assert_eq!(beat(&mut broker, &of_bob).assignment.unwrap().topic_partitions.len(), 1);
    broker.session.principal = alice;
    assert_eq!(topics(&mut broker), 0);
}

#[test]
fn a_group_with_hidden_topics_is_not_told() {
    let mut broker = start();
    let joined = broker.as_admin(|broker| beat(broker, &member("m", Some(&["seen", "hidden"]), None)));
    assert_eq!(joined.error_code, 0);
    let refused = described(&mut broker);
    assert_eq!((refused.error_code, refused.error_message.as_deref()), (GROUP_REFUSED, None));
    broker.allow(AclOperation::Describe, AclResource::Group, "consumers");
    broker.allow(AclOperation::Describe, AclResource::Topic, "seen");
    let include_authorized_operations = true;
    let group_ids = vec!["consumers".into()];
    let request = consumer_group_describe::Request { group_ids, include_authorized_operations };
    let answer: consumer_group_describe::Response = broker.ask(ApiKey::ConsumerGroupDescribe, 1, &request);
    let group = &answer.groups[0];
    let message = "The group has described topic(s) that the client is not authorized to describe.";
    assert_eq!((group.error_code, group.error_message.as_deref()), (TOPIC_REFUSED, Some(message)));
    assert_eq!((&*group.group_id, &*group.group_state, group.group_epoch), ("consumers", "", 0));
    assert_eq!((group.members.len(), group.authorized_operations), (0, NOT_ASKED));
    broker.allow(AclOperation::Describe, AclResource::Topic, "hidden");
    let answer: consumer_group_describe::Response = broker.ask(ApiKey::ConsumerGroupDescribe, 1, &request);
    let group = &answer.groups[0];
    assert_eq!((group.error_code, group.members.len(), group.authorized_operations), (0, 1, 1 << 8));
}
