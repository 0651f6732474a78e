//! The server-side partition assignors of KIP-848: what each member of a consumer group shall own.
//!
//! `uniform` (`UniformAssignor`, for groups of equal and of different subscriptions) and `range` (`RangeAssignor`), as
//! pure functions. For the same input the result is that of Apache Kafka 4.4.0, partition for partition; the suite
//! `assignors` holds them against Kafka's own classes on thousands of random groups. Neither looks at racks: Kafka's do
//! not since 4.0.
//!
//! Kafka's `uniform` depends on the order in which Java walks its hash maps: who comes first among the members gets the
//! partition that is left over, who comes first among the topics is given away first. That order is a function of the
//! keys, and [`java_order`] computes it. Two things Kafka itself does not determine by the input: keys that fall into one
//! bucket stand in the order of their insertion, which is the group's history (here: ascending), and more than ten
//! partitions of a topic whose numbers agree modulo 64 make a tree of the bucket, whose order we do not follow. Both
//! change only which of equal choices is taken: sizes and the number of partitions that move stay the same. `range` and
//! the topics of `uniform` with different subscriptions depend on no such order.

mod balancer;
mod heterogeneous;
mod java_order;
mod range;
mod uniform;

#[cfg(test)]
mod tests;

pub(super) use java_order::compare_strings;

use crate::model::{TopicId, java_hash};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

/// The partitions of each topic.
pub type Assignment = BTreeMap<TopicId, BTreeSet<i32>>;

/// What one member wants (`MemberSubscription`) and its current target assignment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberSpec {
    pub instance_id: Option<String>,
    pub rack_id: Option<String>,
    pub subscribed_topics: BTreeSet<TopicId>,
    pub current: Assignment,
}

/// What is known of the topics (`SubscribedTopicDescriber`).
pub trait TopicDescriber {
    /// How many partitions the topic has; nothing if there is no such topic.
    fn partitions(&self, topic: TopicId) -> Option<i32>;
    /// The racks of the partition's replicas.
    fn racks(&self, topic: TopicId, partition: i32) -> Vec<String>;
}

/// A group as the assignors see it. `homogeneous` says that all members subscribe to the same topics.
pub struct GroupSpec<'a> {
    pub members: &'a BTreeMap<String, MemberSpec>,
    pub homogeneous: bool,
}

/// `group.consumer.assignors`: those that come with the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Assignor {
    Uniform,
    Range,
}

impl Assignor {
    pub const ALL: [Assignor; 2] = [Assignor::Uniform, Assignor::Range];

    pub fn name(self) -> &'static str {
        match self {
            Assignor::Uniform => "uniform",
            Assignor::Range => "range",
        }
    }

    pub fn parse(name: &str) -> Option<Assignor> {
        Assignor::ALL.into_iter().find(|assignor| assignor.name() == name)
    }
}

/// No assignment could be computed (`PartitionAssignorException`). The text is Kafka's where Kafka has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignError(String);

impl AssignError {
    fn unknown_topic(topic: TopicId) -> AssignError {
        AssignError(format!("Members are subscribed to topic {topic} which doesn't exist in the topic metadata."))
    }
}

impl fmt::Display for AssignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AssignError {}

/// A member while an assignment is computed. The slice of all of them is in Java's order.
struct Member<'a> {
    id: &'a str,
    spec: &'a MemberSpec,
}

fn are_disjoint(targets: &[Assignment]) -> bool {
    let mut seen = HashSet::new();
    let all = targets.iter().flatten().flat_map(|(topic, of)| of.iter().map(|partition| (*topic, *partition)));
    all.into_iter().all(|partition| seen.insert(partition))
}

/// The target assignment of every member of the group; members that get nothing are there with nothing.
pub fn assign(
    assignor: Assignor,
    spec: &GroupSpec,
    topics: &dyn TopicDescriber,
) -> Result<BTreeMap<String, Assignment>, AssignError> {
    let members = spec.members.iter().map(|(id, spec)| Member { id, spec });
    let members = java_order::of_grown_map(members, |member| java_hash::string_hash(member.id));
    let Some(first) = members.first() else {
        return Ok(BTreeMap::new());
    };
    let targets = match (assignor, spec.homogeneous) {
        (Assignor::Uniform, true) => uniform::assign(&members, &first.spec.subscribed_topics, topics)?,
        (Assignor::Uniform, false) => heterogeneous::assign(&members, topics)?,
        (Assignor::Range, homogeneous) => range::assign(&members, homogeneous, topics)?,
    };
    assert_eq!(targets.len(), members.len(), "each member has a target");
    debug_assert!(are_disjoint(&targets), "no partition is given twice");
    Ok(members.iter().map(|member| member.id.to_string()).zip(targets).collect())
}
