//! What holds of every group of the classic protocol between two steps, whatever clients ask and logs hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::group::State;
use super::{Group, Timer};
use crate::model::Instant;

impl Group {
    /// Asserts that the group is one that our own code can have made. `timer` finds out when one of its timers is due.
    pub(in crate::coordinator) fn assert_sound(&self, timer: impl Fn(Timer) -> Option<Instant>) {
        self.assert_counts();
        self.assert_waiters();
        let has_session = |id: &Arc<str>| timer(Timer::Session(id.clone())).is_some();
        for member in self.members() {
            assert!(member.has_satisfied_heartbeat() || has_session(&member.id), "{} would stay forever", member.id);
        }
        assert!(self.pending_join.iter().all(has_session), "what is to become a member has a session");
        let is_preparing = self.state == State::PreparingRebalance;
        assert_eq!(timer(Timer::Join).is_some(), is_preparing, "a rebalance ends, and nothing else is ended");
        assert!(self.pending_sync.is_empty() || timer(Timer::Sync).is_some(), "late members are waited for in vain");
    }

    /// Whether a timer is one of the group as it is.
    pub(in crate::coordinator) fn is_timer_of_member(&self, timer: &Timer) -> bool {
        match timer {
            Timer::Session(id) => self.member(id).is_some() || self.pending_join.contains(id),
            Timer::Join => self.state == State::PreparingRebalance,
            Timer::Sync => matches!(self.state, State::CompletingRebalance | State::Stable),
        }
    }

    fn assert_counts(&self) {
        let mut supported: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members() {
            member.protocols.iter().for_each(|(name, _)| *supported.entry(name).or_default() += 1);
            assert!(self.member(&member.id).is_some(), "a member is found by its id");
            assert!(!self.pending_join.contains(&member.id), "{} has joined already", member.id);
        }
        assert_eq!(supported.len(), self.supported.len(), "each supported protocol is counted");
        assert!(self.supported.iter().all(|(name, count)| supported.get(name.as_str()) == Some(count)));
        assert!(self.pending_sync.iter().all(|id| self.member(id).is_some()), "only members can sync");
        for (instance_id, id) in &self.static_members {
            let member = self.member(id);
            let is_its_own = member.is_some_and(|member| member.instance_id.as_ref() == Some(instance_id));
            assert!(is_its_own, "the instance {instance_id} is that of a member");
        }
    }

    fn assert_waiters(&self) {
        let joining = self.members().filter(|member| member.awaiting_join.is_some()).count();
        assert_eq!(self.awaiting_join(), joining, "those who wait are counted");
        let syncing = self.members().filter(|member| member.awaiting_sync.is_some()).count();
        match self.state {
            State::Empty => assert_eq!(self.size(), 0, "an empty group has no members"),
            State::PreparingRebalance => assert_eq!(syncing, 0, "there is nothing to wait for"),
            State::CompletingRebalance => assert_eq!(joining, 0, "all have been told of their generation"),
            State::Stable => assert_eq!((joining, syncing), (0, 0), "in a stable group no member waits"),
        }
        let has_assignments = matches!(self.state, State::CompletingRebalance | State::Stable);
        assert!(!has_assignments || self.size() > 0, "a group without members has no assignments");
        assert!(self.pending_sync.is_empty() || has_assignments, "there is no generation to sync");
        assert!(self.initial.is_none() || self.state == State::PreparingRebalance, "only a rebalance is the first one");
    }
}
