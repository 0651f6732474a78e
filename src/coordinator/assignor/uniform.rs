//! `uniform` for groups whose members all subscribe to the same topics (`UniformHomogeneousAssignmentBuilder`).
//!
//! Balance first: no two members differ by more than one partition. Then stickiness: a member keeps what it has up to its
//! quota. Costs: members + partitions, with a logarithm for the ordered sets.

use super::{AssignError, Assignment, Member, TopicDescriber, java_order};
use crate::model::TopicId;
use std::collections::{BTreeSet, HashMap};

/// What each member may have: `least`, and one more for `extras` of them.
struct Quotas {
    least: usize,
    extras: usize,
}

/// The targets in the order of `members`.
pub(super) fn assign(
    members: &[Member],
    subscribed: &BTreeSet<TopicId>,
    describer: &dyn TopicDescriber,
) -> Result<Vec<Assignment>, AssignError> {
    if subscribed.is_empty() {
        return Ok(vec![Assignment::new(); members.len()]);
    }
    let (mut free, total) = unassigned(members, subscribed, describer)?;
    let mut quotas = Quotas { least: total / members.len(), extras: total % members.len() };

    let mut targets = Vec::with_capacity(members.len());
    let mut unfilled = Vec::new();
    for (at, member) in members.iter().enumerate() {
        let extra = quotas.extras > 0;
        let (target, mut room) = keep(member, subscribed, quotas.least + usize::from(extra), &mut free);
        // The extra one is left to a member that has it already, unless only as many members follow as must take one.
        let gives_up = room > 0 && extra && members.len() - at > quotas.extras;
        room -= usize::from(gives_up);
        quotas.extras -= usize::from(extra && !gives_up);
        if room > 0 {
            unfilled.push((at, room));
        }
        targets.push(target);
    }

    let mut free = free.into_iter();
    assert_eq!(targets.len(), members.len(), "each member has kept what it may");
    for (at, room) in unfilled {
        for (topic, partition) in free.by_ref().take(room) {
            targets[at].entry(topic).or_default().insert(partition);
        }
    }
    // Only if the current assignments give a partition to several members.
    if free.next().is_some() {
        return Err(AssignError("Partitions were left unassigned".into()));
    }
    Ok(targets)
}

/// The partitions that no member has, in the order in which they are given away, and the number of all.
#[allow(clippy::type_complexity)]
fn unassigned(
    members: &[Member],
    subscribed: &BTreeSet<TopicId>,
    describer: &dyn TopicDescriber,
) -> Result<(Vec<(TopicId, i32)>, usize), AssignError> {
    let order = java_order::of_copied_set(subscribed.iter().copied(), |topic| java_order::uuid_hash(*topic));
    let mut assigned: HashMap<TopicId, Vec<bool>> = HashMap::with_capacity(order.len());
    for topic in &order {
        let partitions = describer.partitions(*topic).ok_or_else(|| AssignError::unknown_topic(*topic))?;
        assigned.insert(*topic, vec![false; usize::try_from(partitions).unwrap_or(0)]);
    }
    for (topic, partitions) in members.iter().flat_map(|member| &member.spec.current) {
        let Some(assigned) = assigned.get_mut(topic) else { continue };
        for partition in partitions {
            if let Some(one) = usize::try_from(*partition).ok().and_then(|at| assigned.get_mut(at)) {
                *one = true;
            }
        }
    }
    let mut free = Vec::new();
    let mut total = 0;
    for topic in order {
        let partitions = &assigned[&topic];
        total += partitions.len();
        free.extend((0..).zip(partitions).filter(|(_, taken)| !**taken).map(|(partition, _)| (topic, partition)));
    }
    Ok((free, total))
}

/// What the member keeps of its partitions within the quota, and how many it may still get. The others become free.
fn keep(
    member: &Member,
    subscribed: &BTreeSet<TopicId>,
    quota: usize,
    free: &mut Vec<(TopicId, i32)>,
) -> (Assignment, usize) {
    let mut target = member.spec.current.clone();
    target.retain(|topic, _| subscribed.contains(topic));
    let had: usize = target.values().map(BTreeSet::len).sum();
    if had <= quota {
        return (target, quota - had);
    }
    let mut room = quota;
    let topics: Vec<TopicId> = member.spec.current.keys().copied().collect();
    for topic in java_order::of_grown_map(topics, |topic| java_order::uuid_hash(*topic)) {
        let Some(partitions) = target.get_mut(&topic) else { continue };
        if partitions.len() <= room {
            room -= partitions.len();
            continue;
        }
        let revoked = java_order::of_copied_set(partitions.iter().copied(), |partition| *partition).split_off(room);
        room = 0;
        for partition in revoked {
            partitions.remove(&partition);
            free.push((topic, partition));
        }
        if partitions.is_empty() {
            target.remove(&topic);
        }
    }
    (target, room)
}
