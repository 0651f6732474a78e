//! Groups of both protocols and their committed offsets: each broker finds those of the others, wherever their names'
//! hashes put them in `__consumer_offsets`.

use crate::SEQUENCE;
use bytes::Bytes;
use compat_tests::raw::{PATIENCE, Raw, text, topic_name};
use compat_tests::{Result, bail, ensure};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, DescribeGroupsRequest, FindCoordinatorRequest,
    GroupId, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest, OffsetFetchRequest,
    SyncGroupRequest,
};
use std::time::{Duration, Instant};

/// Of negative, positive and least `String.hashCode`, for each protocol.
const CLASSIC: [&str; 3] = ["test-consumer-group", "grp", "polygenelubricants"];
const CONSUMER: [&str; 3] = ["schema-registry", "my-consumer-group", "GydZG_"];
const MEMBER: &str = "VVVVVVVVVVVVVVVVVVVVVA";
const JOINING: i32 = 0;
const LEAVING: i32 = -1;
/// The coordinator is loading, not there yet, not here yet; a member must wait for a rebalance.
const PASSING: &[i16] = &[14, 15, 16, 27];
const PAUSE: Duration = Duration::from_millis(50);

/// UNSUPPORTED_VERSION
const NO_CONSUMER_PROTOCOL: i16 = 35;

pub struct Groups {
    /// The directory's group.version is 1 (Kafka 4.0): without it no broker speaks the consumer protocol.
    has_consumer_protocol: bool,
    /// What each has committed; nothing at first.
    committed: i64,
}

fn id(group: &str) -> GroupId {
    GroupId(text(group))
}

/// Asks until the coordinator is there; the answer without an error.
fn patiently<T>(what: &str, mut ask: impl FnMut() -> Result<(i16, T)>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask()? {
            (0, answer) => return Ok(answer),
            (error, _) if PASSING.contains(&error) && Instant::now() < deadline => std::thread::sleep(PAUSE),
            (error, _) => bail!("{what}: error {error}"),
        }
    }
}

impl Groups {
    pub fn begin(has_consumer_protocol: bool) -> Groups {
        Groups { has_consumer_protocol, committed: 0 }
    }

    fn of_consumer_protocol(&self) -> &'static [&'static str] {
        if self.has_consumer_protocol { &CONSUMER } else { &[] }
    }

    /// Each group gets a member, which commits and leaves.
    pub fn go_on(&mut self, raw: &mut Raw) -> Result<()> {
        self.committed += 1;
        for group in CLASSIC {
            self.commit_as_classic_member(raw, group)?;
        }
        for group in self.of_consumer_protocol() {
            self.commit_as_consumer(raw, group)?;
        }
        if !self.has_consumer_protocol {
            let error = raw.call(&joining(CONSUMER[0]), 1)?.error_code;
            ensure!(error == NO_CONSUMER_PROTOCOL, "ConsumerGroupHeartbeat with group.version 0: error {error}");
        }
        Ok(())
    }

    fn commit_as_classic_member(&self, raw: &mut Raw, group: &str) -> Result<()> {
        find(raw, group)?;
        let protocol = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(subscription());
        // Version 3: a member may come without an id.
        let join = JoinGroupRequest::default()
            .with_group_id(id(group))
            .with_session_timeout_ms(10_000)
            .with_rebalance_timeout_ms(10_000)
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol]);
        let joined = patiently(&format!("JoinGroup {group}"), || {
            let joined = raw.call(&join, 3)?;
            Ok((joined.error_code, joined))
        })?;
        let sync = SyncGroupRequest::default()
            .with_group_id(id(group))
            .with_generation_id(joined.generation_id)
            .with_member_id(joined.member_id.clone());
        patiently(&format!("SyncGroup {group}"), || Ok((raw.call(&sync, 2)?.error_code, ())))?;
        self.commit(raw, group, joined.generation_id, joined.member_id.as_str())?;
        let member = MemberIdentity::default().with_member_id(joined.member_id);
        let leave = LeaveGroupRequest::default().with_group_id(id(group)).with_members(vec![member]);
        patiently(&format!("LeaveGroup {group}"), || Ok((raw.call(&leave, 3)?.error_code, ())))
    }

    fn commit_as_consumer(&self, raw: &mut Raw, group: &str) -> Result<()> {
        find(raw, group)?;
        let join = joining(group);
        let epoch = patiently(&format!("ConsumerGroupHeartbeat {group}"), || {
            let joined = raw.call(&join, 1)?;
            Ok((joined.error_code, joined.member_epoch))
        })?;
        self.commit(raw, group, epoch, MEMBER)?;
        let leave = beat(group).with_member_epoch(LEAVING);
        patiently(&format!("leaving {group}"), || Ok((raw.call(&leave, 1)?.error_code, ())))
    }

    fn commit(&self, raw: &mut Raw, group: &str, epoch: i32, member: &str) -> Result<()> {
        let partition = OffsetCommitRequestPartition::default()
            .with_committed_offset(self.committed)
            .with_committed_metadata(Some(text(group)));
        let topic =
            OffsetCommitRequestTopic::default().with_name(topic_name(SEQUENCE)).with_partitions(vec![partition]);
        let commit = OffsetCommitRequest::default()
            .with_group_id(id(group))
            .with_generation_id_or_member_epoch(epoch)
            .with_member_id(text(member))
            .with_topics(vec![topic]);
        patiently(&format!("OffsetCommit {group}"), || {
            let answer = raw.call(&commit, 9)?;
            Ok((answer.topics[0].partitions[0].error_code, ()))
        })
    }

    /// Each group is there once, without members, with what it has committed last.
    pub fn check(&self, raw: &mut Raw) -> Result<()> {
        if self.committed == 0 {
            return Ok(());
        }
        for (groups, kind) in [(&CLASSIC[..], "classic"), (self.of_consumer_protocol(), "consumer")] {
            for group in groups.iter().copied() {
                let found = committed(raw, group)?;
                ensure!(found == Some((self.committed, group.into())), "{group} has committed {found:?}");
                let state =
                    if kind == "classic" { state_of_classic(raw, group)? } else { state_of_consumer(raw, group)? };
                ensure!(state == "Empty", "{group} is {state}");
                let listed = kinds(raw, group)?;
                ensure!(listed == [kind], "{group} is listed as {listed:?}");
            }
        }
        Ok(())
    }
}

fn beat(group: &str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default().with_group_id(id(group)).with_member_id(text(MEMBER))
}

fn joining(group: &str) -> ConsumerGroupHeartbeatRequest {
    beat(group)
        .with_member_epoch(JOINING)
        .with_rebalance_timeout_ms(10_000)
        .with_subscribed_topic_names(Some(vec![topic_name(SEQUENCE)]))
        .with_topic_partitions(Some(Vec::new()))
}

/// Kafka makes the topic of the groups when it is asked for one.
fn find(raw: &mut Raw, group: &str) -> Result<()> {
    let find = FindCoordinatorRequest::default().with_key(text(group));
    patiently(&format!("FindCoordinator {group}"), || Ok((raw.call(&find, 3)?.error_code, ())))
}

/// A subscription of a consumer, version 0.
fn subscription() -> Bytes {
    let mut bytes = vec![0, 0, 0, 0, 0, 1, 0, SEQUENCE.len() as u8];
    bytes.extend(SEQUENCE.bytes());
    bytes.extend((-1i32).to_be_bytes());
    bytes.into()
}

/// Offset and metadata.
fn committed(raw: &mut Raw, group: &str) -> Result<Option<(i64, String)>> {
    let asked = OffsetFetchRequestGroup::default().with_group_id(id(group)).with_topics(None);
    let fetch = OffsetFetchRequest::default().with_groups(vec![asked]);
    let topics = patiently(&format!("OffsetFetch {group}"), || {
        let mut answer = raw.call(&fetch, 8)?;
        let group = answer.groups.remove(0);
        Ok((group.error_code, group.topics))
    })?;
    let partition = topics.first().and_then(|topic| topic.partitions.first());
    Ok(partition.map(|p| (p.committed_offset, p.metadata.as_deref().unwrap_or_default().to_string())))
}

fn state_of_classic(raw: &mut Raw, group: &str) -> Result<String> {
    let describe = DescribeGroupsRequest::default().with_groups(vec![id(group)]);
    patiently(&format!("DescribeGroups {group}"), || {
        let group = raw.call(&describe, 5)?.groups.remove(0);
        Ok((group.error_code, group.group_state.to_string()))
    })
}

fn state_of_consumer(raw: &mut Raw, group: &str) -> Result<String> {
    let describe = ConsumerGroupDescribeRequest::default().with_group_ids(vec![id(group)]);
    patiently(&format!("ConsumerGroupDescribe {group}"), || {
        let group = raw.call(&describe, 0)?.groups.remove(0);
        Ok((group.error_code, group.group_state.to_string()))
    })
}

/// As what kind ListGroups tells of a group, once for each time that it does.
fn kinds(raw: &mut Raw, group: &str) -> Result<Vec<String>> {
    let listed = patiently("ListGroups", || {
        let answer = raw.call(&ListGroupsRequest::default(), 5)?;
        Ok((answer.error_code, answer.groups))
    })?;
    Ok(listed.iter().filter(|one| one.group_id == id(group)).map(|one| one.group_type.to_string()).collect())
}
