//! `range`: each topic's partitions in contiguous ranges, one to each subscriber.
//!
//! Members stand in the order of their instance ids, those without one behind them by member id, so that topics of equal
//! partition counts are co-partitioned and a static member finds its range again. Nothing is sticky beyond that.
//! Costs: members × topics of each.

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
    /// The next range, one longer for the first `partitions % subscribers`.
    fn cut(&mut self) -> std::ops::Range<i32> {
        let extra = i32::from(self.served < self.partitions % self.subscribers);
        let start = self.cut;
        self.cut = (start + self.partitions / self.subscribers + extra).min(self.partitions);
        self.served += 1;
        start..self.cut
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

    // With `homogeneous` the first member speaks for all, as in Kafka.
    let spokesman = order[0];
    let wants = |member: usize| &members[if homogeneous { spokesman } else { member }].spec.subscribed_topics;
    let mut topics: HashMap<TopicId, Topic> = HashMap::new();
    for member in &order {
        for topic in wants(*member) {
            if let Some(known) = topics.get_mut(topic) {
                known.subscribers += 1;
                continue;
            }
            let partitions = describer.partitions(*topic);
            let partitions =
                partitions.ok_or_else(|| AssignError("Member is subscribed to a non-existent topic".into()))?;
            topics.insert(*topic, Topic { partitions, subscribers: 1, cut: 0, served: 0 });
        }
    }

    let mut targets = vec![Assignment::new(); members.len()];
    for member in order {
        for id in wants(member) {
            let range = topics.get_mut(id).map(Topic::cut).unwrap_or_default();
            if !range.is_empty() {
                targets[member].insert(*id, range.collect());
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
