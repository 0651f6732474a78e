//! How a member comes from its current assignment to its target (`CurrentAssignmentBuilder`), as a pure function.
//!
//! No partition is given to a member while another one owns it, so at any time each has one owner at most. A member that
//! has to give something up stays in its epoch until it has done so; then it goes to the target's epoch and gets what is
//! free, and the rest as it becomes free.

use std::collections::BTreeSet;

use super::member::{Current, MemberState, Partitions};
use crate::coordinator::assignor::Assignment;
use crate::model::TopicId;

/// What a member is reconciled with.
pub struct Reconciliation<'a> {
    pub target_epoch: i32,
    pub target: &'a Assignment,
    /// Whether it subscribes to a topic that exists.
    pub is_subscribed: &'a dyn Fn(TopicId) -> bool,
    pub subscribes_to_nothing: bool,
    /// It changed its subscription in this very heartbeat.
    pub subscription_changed: bool,
    /// Whether a partition has an owner, this member included.
    pub is_owned: &'a dyn Fn(TopicId, i32) -> bool,
    /// What the member itself says that it owns; `None`: it says nothing.
    pub reported: Option<&'a [(TopicId, Vec<i32>)]>,
}

impl Reconciliation<'_> {
    /// The member's next assignment, which may be the current one.
    pub fn next(&self, current: &Current) -> Current {
        match current.state {
            MemberState::Stable if current.epoch != self.target_epoch => self.compute(current, current.epoch),
            MemberState::Stable if self.subscription_changed => self.shrink(current),
            MemberState::Stable => current.clone(),
            MemberState::UnrevokedPartitions if !self.still_reports(&current.pending_revocation) => {
                self.compute(current, current.epoch)
            }
            MemberState::UnrevokedPartitions if self.subscription_changed => self.shrink(current),
            MemberState::UnrevokedPartitions => current.clone(),
            MemberState::UnreleasedPartitions => self.compute(current, current.epoch),
            // The caller has made sure that the member owns nothing: it begins anew.
            MemberState::Unknown => self.compute(current, self.target_epoch),
        }
    }

    /// Whether the member may still own one of these: also if it does not say.
    fn still_reports(&self, partitions: &Partitions) -> bool {
        let Some(reported) = self.reported else { return true };
        reported.iter().any(|(topic, reported)| {
            let of = partitions.get(topic);
            of.is_some_and(|of| reported.iter().any(|partition| of.contains_key(partition)))
        })
    }

    /// Takes away the topics that the member does not subscribe to any more, and nothing else; cheaper than
    /// [`Reconciliation::compute`].
    fn shrink(&self, current: &Current) -> Current {
        let mut assigned = Partitions::new();
        let mut pending = current.pending_revocation.clone();
        let everything = self.subscribes_to_nothing && current.pending_revocation.is_empty();
        for (topic, partitions) in &current.assigned {
            if !everything && (self.is_subscribed)(*topic) {
                assigned.insert(*topic, partitions.clone());
            } else {
                pending.entry(*topic).or_default().extend(partitions);
            }
        }
        if assigned == current.assigned && !everything {
            return current.clone();
        }
        let mut next = Current { previous_epoch: current.epoch, assigned, ..current.clone() };
        if !pending.is_empty() && self.still_reports(&pending) {
            next.state = MemberState::UnrevokedPartitions;
            next.pending_revocation = pending;
        }
        next
    }

    fn compute(&self, current: &Current, epoch: i32) -> Current {
        let mut assigned = Partitions::new();
        let mut pending_revocation = Partitions::new();
        let mut pending_assignment = Assignment::new();
        let mut has_unreleased = false;
        let nothing = BTreeSet::new();

        let topics: BTreeSet<TopicId> = self.target.keys().chain(current.assigned.keys()).copied().collect();
        for topic in topics {
            let owned = current.assigned.get(&topic);
            let target = self.target.get(&topic).filter(|_| (self.is_subscribed)(topic)).unwrap_or(&nothing);
            let revoked = current.pending_revocation.get(&topic);

            // assigned = owned ∩ target
            // pending revocation = owned − assigned
            for (partition, since) in owned.into_iter().flatten() {
                let to = if target.contains(partition) { &mut assigned } else { &mut pending_revocation };
                to.entry(topic).or_default().insert(*partition, *since);
            }

            // pending assignment = target − assigned − unreleased,
            // where unreleased is what any member owns, but for what this member has just revoked
            for partition in target {
                if owned.is_some_and(|owned| owned.contains_key(partition)) {
                    continue;
                }
                let was_own = revoked.is_some_and(|revoked| revoked.contains_key(partition));
                if (self.is_owned)(topic, *partition) && !was_own {
                    has_unreleased = true;
                } else {
                    pending_assignment.entry(topic).or_default().insert(*partition);
                }
            }
        }

        if !pending_revocation.is_empty() && self.still_reports(&pending_revocation) {
            let state = MemberState::UnrevokedPartitions;
            assert!(assigned.keys().all(|topic| self.target.contains_key(topic)), "more is kept than the target wants");
            return Current { epoch, previous_epoch: current.epoch, state, assigned, pending_revocation };
        }
        for (topic, partitions) in pending_assignment {
            let got = partitions.into_iter().map(|partition| (partition, self.target_epoch));
            assigned.entry(topic).or_default().extend(got);
        }
        let state = if has_unreleased { MemberState::UnreleasedPartitions } else { MemberState::Stable };
        let wanted = self.target.iter().filter(|(topic, _)| (self.is_subscribed)(**topic)).map(|(_, of)| of.len());
        let (has, wanted) = (assigned.values().map(|of| of.len()).sum::<usize>(), wanted.sum::<usize>());
        assert!(if has_unreleased { has < wanted } else { has == wanted }, "a stable member has its target");
        let pending_revocation = Partitions::new();
        Current { epoch: self.target_epoch, previous_epoch: current.epoch, state, assigned, pending_revocation }
    }
}
