//! A group as its coordinator and the logs of its partitions know it, whatever its protocol.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::coordinator::classic;
use crate::coordinator::consumer::{DescribedPartitions, embedded};
use crate::coordinator::consumer_protocol::ConsumerProtocolAssignment;
use crate::coordinator::groups::GroupSummary;
use crate::coordinator::transactions::{Filter, State};
use crate::replica::view::View;
use crate::shard::context::Shared;

/// Members and partitions of one group that are shown.
const MOST_MEMBERS: usize = 1000;
const MOST_PLACES: usize = 10_000;
/// Open transactions that are looked at.
const MOST_OPEN: usize = 1000;

/// Partitions by topic.
pub(super) type Topics = Vec<(String, Vec<i32>)>;

pub(super) struct GroupLook {
    pub group: Arc<str>,
    pub group_type: &'static str,
    pub state: String,
    /// The assignor of a group of consumers.
    pub protocol: String,
    pub members: Vec<MemberLook>,
    pub more_members: usize,
    pub places: Vec<PlaceLook>,
    pub more_places: usize,
}

pub(super) struct MemberLook {
    pub id: String,
    pub instance: Option<String>,
    pub client_id: String,
    pub host: String,
    pub subscribed: Vec<String>,
    pub regex: Option<String>,
    /// `None`: it is no consumer, and what it is assigned is its own matter.
    pub assigned: Option<Topics>,
    /// What it is to have; `None` in groups of the classic protocol.
    pub target: Option<Topics>,
}

/// A partition that a member has, or for which something is committed.
pub(super) struct PlaceLook {
    pub topic: String,
    pub partition: i32,
    pub member: Option<usize>,
    pub committed: Option<i64>,
    /// `None`: it is not on this broker.
    pub log: Option<LogLook>,
}

#[derive(Clone, Copy)]
pub(super) struct LogLook {
    pub start: i64,
    /// The high watermark.
    pub end: i64,
    pub last_stable: i64,
}

/// A transaction that is open.
pub(super) struct OpenTransaction {
    pub id: String,
    pub state: &'static str,
    pub start_ms: i64,
    pub topics: BTreeMap<String, Vec<i32>>,
}

impl PlaceLook {
    pub fn lag(&self) -> Option<i64> {
        Some(self.log?.end.saturating_sub(self.committed?).max(0))
    }

    pub fn name(&self) -> String {
        format!("{}-{}", self.topic, self.partition)
    }
}

impl GroupLook {
    /// What it has not read of the partitions for which it has committed; `None` where there are none.
    pub fn lag(&self) -> Option<i64> {
        self.places.iter().filter_map(PlaceLook::lag).reduce(i64::saturating_add)
    }

    /// The places that a member has and for which nothing is committed.
    pub fn without_commit(&self) -> impl Iterator<Item = &PlaceLook> {
        self.places.iter().filter(|place| place.member.is_some() && place.committed.is_none())
    }

    /// A transaction is open in one of its partitions.
    pub fn is_held_back(&self) -> bool {
        self.places.iter().any(|place| place.log.is_some_and(|log| log.last_stable < log.end))
    }
}

/// What is shown of a group.
pub(super) fn group(shared: &Shared, view: &View, summary: GroupSummary) -> GroupLook {
    let mut look = whole(shared, view, summary);
    look.more_members = look.members.len().saturating_sub(MOST_MEMBERS);
    look.members.truncate(MOST_MEMBERS);
    look.more_places = look.places.len().saturating_sub(MOST_PLACES);
    look.places.truncate(MOST_PLACES);
    for place in &mut look.places {
        place.member = place.member.filter(|at| *at < MOST_MEMBERS);
    }
    look
}

/// All of its members and partitions.
pub(super) fn whole(shared: &Shared, view: &View, summary: GroupSummary) -> GroupLook {
    let (group, mut members) = (summary.group, Vec::new());
    let (mut state, mut protocol) = (summary.state.to_string(), String::new());
    let world = shared.coordinators().world(view);
    if let Ok(coordinator) = shared.coordinators().of_key(view, &group) {
        // It may have gone, or changed its protocol, since it was listed.
        if summary.group_type == "classic" {
            let described = coordinator.look(|groups| groups.describe_classic(&group));
            if let Ok((Ok(described), _)) = described {
                let is_consumer = described.protocol_type == classic::CONSUMER_PROTOCOL_TYPE;
                (state, protocol) = (described.state, described.protocol);
                members = described.members.into_iter().map(|member| of_classic(member, is_consumer)).collect();
            }
        } else {
            let described = coordinator.look(|groups| groups.describe_consumer(&world, &world.resolved.groups, &group));
            if let Ok((Ok(described), _)) = described {
                (state, protocol) = (described.state, described.assignor_name);
                members = described.members.into_iter().map(of_consumer).collect();
            }
        }
    }
    let places = places(shared, view, &group, &members);
    let group_type = summary.group_type;
    GroupLook { group, group_type, state, protocol, members, more_members: 0, places, more_places: 0 }
}

fn of_classic(member: classic::DescribedMember, is_consumer: bool) -> MemberLook {
    let subscription = embedded::subscription(&member.metadata).filter(|_| is_consumer);
    let assigned = embedded::assigned(&member.assignment).filter(|_| is_consumer);
    MemberLook {
        id: member.member_id,
        instance: member.instance_id,
        client_id: member.client_id,
        host: member.client_host,
        subscribed: subscription.iter().flat_map(|of| &of.topics).map(|topic| topic.to_string()).collect(),
        regex: None,
        assigned: assigned.map(|assigned| topics(&assigned)),
        target: None,
    }
}

fn topics(of: &ConsumerProtocolAssignment<'_>) -> Topics {
    of.assigned_partitions.iter().map(|topic| (topic.topic.to_string(), topic.partitions.clone())).collect()
}

fn of_consumer(member: crate::coordinator::consumer::DescribedMember) -> MemberLook {
    let topics = |all: Vec<DescribedPartitions>| all.into_iter().map(|of| (of.topic_name, of.partitions)).collect();
    MemberLook {
        id: member.member_id,
        instance: member.instance_id,
        client_id: member.client_id,
        host: member.client_host,
        subscribed: member.subscribed_topic_names,
        regex: member.subscribed_topic_regex.filter(|regex| !regex.is_empty()),
        assigned: Some(topics(member.assignment)),
        target: Some(topics(member.target_assignment)),
    }
}

/// The partitions of a group, in the order of their names.
fn places(shared: &Shared, view: &View, group: &str, members: &[MemberLook]) -> Vec<PlaceLook> {
    let mut found: BTreeMap<(String, i32), (Option<usize>, Option<i64>)> = BTreeMap::new();
    for (at, member) in members.iter().enumerate() {
        for (topic, partitions) in member.assigned.iter().flatten() {
            partitions.iter().for_each(|partition| {
                found.entry((topic.clone(), *partition)).or_default().0 = Some(at);
            });
        }
    }
    for lag in shared.coordinators().lags_of(view, group) {
        found.entry((lag.topic.to_string(), lag.partition)).or_default().1 = Some(lag.committed_offset);
    }
    let place = |((topic, partition), (member, committed)): ((String, i32), _)| {
        let log = view.partition_by_name(&topic, partition).ok().map(|hosted| LogLook {
            start: hosted.log.log_start_offset().0,
            end: hosted.high_watermark().0,
            last_stable: hosted.last_stable_offset().0,
        });
        PlaceLook { topic, partition, member, committed, log }
    };
    found.into_iter().map(place).collect()
}

pub(super) fn open_transactions(shared: &Shared, view: &View) -> Vec<OpenTransaction> {
    let filter = Filter {
        producer_ids: Default::default(),
        states: Some(vec![State::Ongoing, State::PrepareCommit, State::PrepareAbort]),
        duration_ms: -1,
        matches_id: &|_| true,
        now: shared.environment.wall(),
    };
    let mut open = Vec::new();
    for coordinator in shared.transactions().all(view).into_iter().flatten() {
        let Ok((listed, _)) = coordinator.look(|machine| machine.list(&filter)) else { continue };
        for listed in listed.into_iter().take(MOST_OPEN - open.len()) {
            let described = coordinator.look(|machine| machine.describe(&listed.transactional_id));
            if let Ok((Ok(described), _)) = described {
                let (id, state) = (listed.transactional_id, described.state.name());
                open.push(OpenTransaction { id, state, start_ms: described.start_ms, topics: described.topics });
            }
        }
    }
    open
}
