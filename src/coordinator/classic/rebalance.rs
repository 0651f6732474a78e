//! How a group of the classic protocol goes from generation to generation, and what its timers do
//! (`GroupMetadataManager`: `prepareRebalance`, `completeClassicGroupJoin`, ...).
//!
//! A request that waits is answered exactly once, also where Kafka forgets one: a member that leaves while it waits for
//! its assignment, and a request that the same member repeats.

use std::sync::Arc;
use std::time::Duration;

use super::group::{Initial, Member, State};
use super::{Group, JoinReply, SyncReply, Timer};
use crate::coordinator::groups::{self, Groups, TimerKey};
use crate::coordinator::step::{Reply, Step, Waiter};
use crate::coordinator::timers::Timers;
use crate::model::ErrorCode;

/// How long a member that is new may wait for its first join (`classicGroupNewMemberJoinTimeoutMs`): it cannot send
/// heartbeats yet, and without an end those that gave up would pile up.
pub const NEW_MEMBER_JOIN_TIMEOUT: Duration = Duration::from_secs(300);

/// A group in a step that may change it.
pub(in crate::coordinator) struct Live<'a, 's> {
    pub group: &'a mut Group,
    pub timers: &'a mut Timers<TimerKey>,
    pub step: &'a mut Step<'s>,
}

impl Live<'_, '_> {
    fn key(&self, timer: Timer) -> TimerKey {
        TimerKey { group_id: self.group.id.clone(), timer: groups::Timer::Classic(timer) }
    }

    fn set(&mut self, timer: Timer, after: Duration) {
        self.timers.set(self.key(timer), self.step.now + after);
    }

    pub(super) fn cancel(&mut self, timer: Timer) {
        self.timers.cancel(&self.key(timer));
    }

    pub(super) fn reply_join(&mut self, waiter: Waiter, reply: JoinReply) {
        self.step.out.replies.push((waiter, Reply::Join(reply)));
    }

    pub(super) fn reply_sync(&mut self, waiter: Waiter, reply: SyncReply) {
        self.step.out.replies.push((waiter, Reply::Sync(reply)));
    }

    pub(super) fn set_session(&mut self, member_id: &Arc<str>, timeout: Duration) {
        self.set(Timer::Session(member_id.clone()), timeout);
    }

    /// A member was heard of: its session begins anew.
    pub fn touch(&mut self, member_id: &str) {
        let Some(member) = self.group.member(member_id) else { return };
        let (id, timeout) = (member.id.clone(), member.session_timeout());
        self.set_session(&id, timeout);
    }

    /// All sessions begin anew (`onLoaded`, or the group came from the other protocol).
    pub fn touch_all(&mut self) {
        let sessions: Vec<_> = self.group.members().map(|m| (m.id.clone(), m.session_timeout())).collect();
        for (id, timeout) in sessions {
            self.set_session(&id, timeout);
        }
    }

    /// Removes a member or a pending one. If it waits, it is told that it is unknown, so that one who is still there
    /// comes again.
    pub(super) fn remove(&mut self, member_id: &str) {
        self.cancel(Timer::Session(member_id.into()));
        let Some(removed) = self.group.remove(member_id) else { return };
        if let Some(waiter) = removed.awaiting_join {
            self.reply_join(waiter, JoinReply::refused("", ErrorCode::UnknownMemberId));
        }
        if let Some(waiter) = removed.awaiting_sync {
            self.reply_sync(waiter, SyncReply::refused(ErrorCode::UnknownMemberId));
        }
    }

    pub(super) fn prepare_rebalance_or_complete_join(&mut self) {
        match self.group.state {
            State::PreparingRebalance => self.maybe_complete_join(),
            _ => self.prepare_rebalance(),
        }
    }

    /// All members have to join again.
    pub fn prepare_rebalance(&mut self) {
        if self.group.state == State::CompletingRebalance {
            self.group.members_mut().for_each(|member| member.assignment.clear());
            self.propagate_assignments(ErrorCode::RebalanceInProgress);
        }
        self.group.pending_sync.clear();
        self.cancel(Timer::Sync);
        assert!(self.group.members().all(|member| member.awaiting_sync.is_none()), "there is nothing to sync any more");
        let initial = self.group.is_empty();
        self.group.transition(State::PreparingRebalance, self.step.wall);
        if initial {
            let delay = self.step.settings.initial_rebalance_delay;
            let remaining = self.group.rebalance_timeout().saturating_sub(delay);
            self.group.initial = Some(Initial { delay, remaining });
            self.set(Timer::Join, delay);
        } else if self.group.has_all_members_joined() {
            self.complete_join();
        } else {
            self.set(Timer::Join, self.group.rebalance_timeout());
        }
    }

    /// The first rebalance of a group is ended by its timer alone.
    pub(super) fn maybe_complete_join(&mut self) {
        let preparing = self.group.state == State::PreparingRebalance && self.group.initial.is_none();
        if preparing && self.group.has_all_members_joined() {
            self.complete_join();
        }
    }

    /// After a member was removed whose session had ended, an initial rebalance is not waited for either if all others
    /// have joined (`removeMemberAndUpdateClassicGroup`).
    fn complete_join_if_all_joined(&mut self) {
        if self.group.state == State::PreparingRebalance && self.group.has_all_members_joined() {
            self.complete_join();
        }
    }

    /// The next generation, without the dynamic members that have not joined.
    pub(super) fn complete_join(&mut self) {
        self.cancel(Timer::Join);
        let missing = |member: &&Member| member.awaiting_join.is_none() && member.instance_id.is_none();
        let missing: Vec<_> = self.group.members().filter(missing).map(|member| member.id.clone()).collect();
        for id in missing {
            self.remove(&id);
        }
        if !self.group.elect_joined_leader() && self.group.size() > 0 {
            // Only static members are left, and none has joined: their sessions decide.
            self.set(Timer::Join, self.group.rebalance_timeout());
            return;
        }
        self.group.init_next_generation(self.step.wall);
        if self.group.is_empty() {
            assert!(self.group.pending_sync.is_empty() && self.group.protocol.is_none(), "nothing is left to sync");
            self.write_group();
        } else {
            assert_eq!(self.group.state, State::CompletingRebalance, "members have joined");
            self.answer_joined();
        }
    }

    fn answer_joined(&mut self) {
        let ids: Vec<_> = self.group.members().map(|member| member.id.clone()).collect();
        for id in ids {
            if let Some(waiter) = self.group.take_join_waiter(&id) {
                let reply = self.join_reply(&id);
                self.reply_join(waiter, reply);
            }
            if let Some(member) = self.group.member_mut(&id) {
                member.is_new = false;
            }
            self.touch(&id);
            self.group.pending_sync.insert(id);
        }
        assert_eq!(self.group.awaiting_join(), 0, "all who have joined are told");
        assert_eq!(self.group.pending_sync.len(), self.group.size(), "all members have to sync");
        self.set(Timer::Sync, self.group.rebalance_timeout());
    }

    /// What a member of the current generation is told of it.
    pub(super) fn join_reply(&self, member_id: &str) -> JoinReply {
        let is_leader = self.group.is_leader(member_id);
        JoinReply {
            error: ErrorCode::None,
            generation_id: self.group.generation,
            protocol_type: self.group.protocol_type.clone(),
            protocol_name: self.group.protocol.clone(),
            leader: self.group.leader.as_deref().unwrap_or_default().to_string(),
            skip_assignment: false,
            member_id: member_id.to_string(),
            members: if is_leader { self.group.joined_members() } else { Vec::new() },
        }
    }

    pub(super) fn sync_reply(&self, assignment: Vec<u8>) -> SyncReply {
        SyncReply {
            error: ErrorCode::None,
            protocol_type: self.group.protocol_type.clone(),
            protocol_name: self.group.protocol.clone(),
            assignment,
        }
    }

    /// Answers all members that wait for an assignment.
    pub(super) fn propagate_assignments(&mut self, error: ErrorCode) {
        let waiting = |member: &mut Member| Some((member.id.clone(), member.awaiting_sync.take()?));
        let waiting: Vec<_> = self.group.members_mut().filter_map(waiting).collect();
        for (id, waiter) in waiting {
            let reply = match self.group.member(&id) {
                Some(member) if error == ErrorCode::None => self.sync_reply(member.assignment.clone()),
                _ => SyncReply::refused(error),
            };
            self.reply_sync(waiter, reply);
            // If the session ended while the member waited, that was ignored.
            self.touch(&id);
        }
    }

    /// Answers all members that wait with an error (`completeAllJoinFutures`, `completeAllSyncFutures`).
    pub fn refuse_all(&mut self, error: ErrorCode) {
        let ids: Vec<_> = self.group.members().map(|member| member.id.clone()).collect();
        for id in ids {
            if let Some(waiter) = self.group.take_join_waiter(&id) {
                self.reply_join(waiter, JoinReply::refused(&id, error));
            }
            if let Some(waiter) = self.group.member_mut(&id).and_then(|member| member.awaiting_sync.take()) {
                self.reply_sync(waiter, SyncReply::refused(error));
            }
        }
        assert_eq!(self.group.awaiting_join(), 0, "no request is forgotten");
    }

    pub(super) fn remove_pending_sync(&mut self, member_id: &str) {
        self.group.pending_sync.remove(member_id);
        if self.group.pending_sync.is_empty() {
            self.cancel(Timer::Sync);
        }
    }

    fn handle_session_end(&mut self, member_id: &str) {
        if self.group.pending_join.contains(member_id) {
            self.remove(member_id);
            self.complete_join_if_all_joined();
            return;
        }
        let Some(member) = self.group.member(member_id) else { return };
        if member.has_satisfied_heartbeat() {
            return;
        }
        self.remove(member_id);
        match self.group.state {
            State::Stable | State::CompletingRebalance => self.prepare_rebalance(),
            State::PreparingRebalance => self.complete_join_if_all_joined(),
            State::Empty => {}
        }
    }

    fn handle_join_end(&mut self) {
        match self.group.initial {
            Some(initial) if self.group.new_member_added && !initial.remaining.is_zero() => {
                self.group.new_member_added = false;
                let delay = self.step.settings.initial_rebalance_delay.min(initial.remaining);
                let remaining = initial.remaining.saturating_sub(initial.delay);
                self.group.initial = Some(Initial { delay, remaining });
                self.set(Timer::Join, delay);
            }
            _ => self.complete_join(),
        }
    }

    fn handle_sync_end(&mut self) {
        let late: Vec<_> = self.group.pending_sync.iter().cloned().collect();
        if late.is_empty() || !matches!(self.group.state, State::CompletingRebalance | State::Stable) {
            return;
        }
        for id in late {
            self.remove(&id);
        }
        assert!(self.group.pending_sync.is_empty(), "all who were late are removed");
        self.prepare_rebalance();
    }
}

pub(super) fn cancel_timers(group: &Group, timers: &mut Timers<TimerKey>) {
    let sessions = group.members().map(|member| &member.id).chain(&group.pending_join).cloned().map(Timer::Session);
    for timer in sessions.chain([Timer::Join, Timer::Sync]) {
        timers.cancel(&TimerKey { group_id: group.id.clone(), timer: groups::Timer::Classic(timer) });
    }
}

impl Groups {
    pub(in crate::coordinator) fn handle_classic_timer(&mut self, step: &mut Step<'_>, group_id: &str, timer: &Timer) {
        let Some(mut live) = self.classic(step, group_id) else { return };
        match timer {
            Timer::Session(member_id) => live.handle_session_end(member_id),
            Timer::Join => live.handle_join_end(),
            Timer::Sync => live.handle_sync_end(),
        }
    }

    /// Sessions begin anew; a group that is larger than allowed has to shrink.
    pub(in crate::coordinator) fn handle_classic_loaded(&mut self, step: &mut Step<'_>, group_id: &str) {
        let Some(mut live) = self.classic(step, group_id) else { return };
        live.touch_all();
        if live.group.size() > live.step.settings.max_size {
            live.prepare_rebalance();
        }
    }
}
