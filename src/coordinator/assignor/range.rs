//! `range`: each topic's partitions in contiguous ranges, one to each subscriber.
//!
//! Members stand in the order of their instance ids, those without one behind them by member id, so that topics of equal
//! partition counts are co-partitioned and a static member finds its range again. Nothing is sticky beyond that.
//! Costs: the partitions; where subscriptions differ, members × topics of each.

use super::{AssignError, Assignment, Member, TopicDescriber, java_order};
use crate::model::TopicId;
use std::cmp::Ordering;
use std::collections::HashMap;

/// What is left of a topic while its ranges are cut off, one after the other.
struct Topic {
    partitions: i32,
    subscribers: i32,
    cut: i32,
    served: i32,
}

impl Topic {
    fn find(describer: &dyn TopicDescriber, id: TopicId, subscribers: usize) -> Result<Topic, AssignError> {
        let partitions = describer.partitions(id);
        let partitions =
            partitions.ok_or_else(|| AssignError("Member is subscribed to a non-existent topic".into()))?;
        Ok(Topic { partitions, subscribers: subscribers as i32, cut: 0, served: 0 })
    }

    /// Gives the next range to a member, one longer for the first `partitions % subscribers`.
    fn cut_for(&mut self, id: TopicId, target: &mut Assignment) {
        assert!(self.served < self.subscribers, "each subscriber has one range");
        let extra = i32::from(self.served < self.partitions % self.subscribers);
        let start = self.cut;
        self.cut = (start + self.partitions / self.subscribers + extra).min(self.partitions);
        self.served += 1;
        if start < self.cut {
            target.insert(id, (start..self.cut).collect());
        }
    }
}

/// The targets in the order of `members`.
pub(super) fn assign(
    members: &[Member],
    homogeneous: bool,
    describer: &dyn TopicDescriber,
) -> Result<Vec<Assignment>, AssignError> {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by(|a, b| compare(&members[*a], &members[*b]));
    if homogeneous { assign_equal(members, &order, describer) } else { assign_different(members, &order, describer) }
}

fn assign_equal(
    members: &[Member],
    order: &[usize],
    describer: &dyn TopicDescriber,
) -> Result<Vec<Assignment>, AssignError> {
    let mut targets = vec![Assignment::new(); members.len()];
    let subscribed = order.first().map(|first| &members[*first].spec.subscribed_topics);
    for id in subscribed.into_iter().flatten() {
        let mut topic = Topic::find(describer, *id, members.len())?;
        for member in order.iter().take(usize::try_from(topic.partitions).unwrap_or(0)) {
            topic.cut_for(*id, &mut targets[*member]);
        }
    }
    Ok(targets)
}

fn assign_different(
    members: &[Member],
    order: &[usize],
    describer: &dyn TopicDescriber,
) -> Result<Vec<Assignment>, AssignError> {
    let mut topics: HashMap<TopicId, Topic> = HashMap::new();
    for id in order.iter().flat_map(|member| &members[*member].spec.subscribed_topics) {
        match topics.get_mut(id) {
            Some(topic) => topic.subscribers += 1,
            None => _ = topics.insert(*id, Topic::find(describer, *id, 1)?),
        }
    }
    let mut targets = vec![Assignment::new(); members.len()];
    for member in order {
        for id in &members[*member].spec.subscribed_topics {
            if let Some(topic) = topics.get_mut(id) {
                topic.cut_for(*id, &mut targets[*member]);
            }
        }
    }
    Ok(targets)
}

fn compare(a: &Member, b: &Member) -> Ordering {
    match (&a.spec.instance_id, &b.spec.instance_id) {
        (Some(a), Some(b)) => java_order::compare_strings(a, b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => java_order::compare_strings(a.id, b.id),
    }
}
