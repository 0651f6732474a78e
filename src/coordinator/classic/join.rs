//! JoinGroup to a group of the classic protocol, or to one that does not exist yet (`classicGroupJoin`).

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use super::group::{Member, State, millis};
use super::rebalance::{Live, NEW_MEMBER_JOIN_TIMEOUT};
use super::{Group, Join, JoinReply, Timer};
use crate::coordinator::groups::{self, Groups};
use crate::coordinator::settings::Settings;
use crate::coordinator::step::{Reply, Step, Waiter};
use crate::model::{ErrorCode, Uuid};

/// The longest text that the record of a group can hold.
const MAX_STRING: usize = i16::MAX as usize;

impl Groups {
    /// JoinGroup. The answer comes now or in a later step.
    pub fn join(&mut self, step: &mut Step<'_>, request: &Join<'_>, waiter: Waiter) {
        if let Err(error) = validate_join(step.settings, request.group_id, request.session_timeout_ms) {
            return refuse(step, waiter, request.member_id, error);
        }
        match self.groups.get(request.group_id) {
            Some(groups::Group::Consumer(group)) if !group.is_empty() => {
                return self.join_consumer_group(step, request, waiter);
            }
            // Kafka removes the empty group first and then finds that the member is unknown.
            Some(groups::Group::Consumer(_)) | None if !request.member_id.is_empty() => {
                return refuse(step, waiter, request.member_id, ErrorCode::UnknownMemberId);
            }
            Some(groups::Group::Consumer(_)) => self.delete_consumer_group(step, request.group_id),
            _ => {}
        }
        let is_new_group = !self.groups.contains_key(request.group_id);
        if is_new_group {
            let id: Arc<str> = request.group_id.into();
            self.groups.insert(id.clone(), groups::Group::Classic(Group::new(id, Some(step.wall))));
        }
        let Some(mut live) = self.classic(step, request.group_id) else { return };
        live.join(request, waiter);
        if is_new_group {
            live.write_new_group();
        }
    }
}

fn refuse(step: &mut Step<'_>, waiter: Waiter, member_id: &str, error: ErrorCode) {
    step.out.replies.push((waiter, Reply::Join(JoinReply::refused(member_id, error))));
}

/// What is wrong with a JoinGroup whatever the group (`GroupCoordinatorService.joinGroup`).
pub fn validate_join(settings: &Settings, group_id: &str, session_timeout_ms: i32) -> Result<(), ErrorCode> {
    if group_id.is_empty() {
        return Err(ErrorCode::InvalidGroupId);
    }
    let allowed = settings.min_session_timeout..=settings.max_session_timeout;
    let timeout = u64::try_from(session_timeout_ms).map(Duration::from_millis);
    match timeout.is_ok_and(|timeout| allowed.contains(&timeout)) {
        true => Ok(()),
        false => Err(ErrorCode::InvalidSessionTimeout),
    }
}

/// Each protocol once: a member has one vote for each.
pub(in crate::coordinator) fn distinct<'a>(protocols: &[(&'a str, &'a [u8])]) -> Vec<(&'a str, &'a [u8])> {
    let mut seen = BTreeSet::new();
    protocols.iter().copied().filter(|(name, _)| seen.insert(*name)).collect()
}

/// `java.util.UUID` as text.
pub(in crate::coordinator) fn uuid_text(id: Uuid) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in id.0.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl Live<'_, '_> {
    fn join(&mut self, request: &Join<'_>, waiter: Waiter) {
        let protocols = distinct(&request.protocols);
        let joining = Joining { request, protocols, waiter };
        if !self.accepts(request.member_id) {
            self.remove(request.member_id);
            self.refuse_join(&joining, "", ErrorCode::GroupMaxSizeReached);
        } else if !self.group.supports(request.protocol_type, &joining.protocols) {
            self.refuse_join(&joining, request.member_id, ErrorCode::InconsistentGroupProtocol);
        } else if request.member_id.is_empty() {
            self.join_new(&joining);
        } else {
            self.join_existing(&joining);
        }
    }

    fn refuse_join(&mut self, joining: &Joining<'_, '_>, member_id: &str, error: ErrorCode) {
        self.reply_join(joining.waiter, JoinReply::refused(member_id, error));
    }

    /// Whether there is room. While the members join, those who have count: the last ones to come back do not fit into
    /// a group whose limit was lowered.
    fn accepts(&self, member_id: &str) -> bool {
        let member = self.group.member(member_id);
        let max_size = self.step.settings.max_size;
        match self.group.state {
            State::Empty => true,
            State::PreparingRebalance => {
                member.is_some_and(|member| member.awaiting_join.is_some()) || self.group.awaiting_join() < max_size
            }
            State::CompletingRebalance | State::Stable => member.is_some() || self.group.size() < max_size,
        }
    }

    fn join_new(&mut self, joining: &Joining<'_, '_>) {
        let request = joining.request;
        let prefix = request.instance_id.unwrap_or(request.client.id);
        let id: Arc<str> = format!("{prefix}-{}", uuid_text((self.step.new_id)())).into();
        if id.len() > MAX_STRING {
            return self.refuse_join(joining, "", ErrorCode::UnknownServerError);
        }
        match request.instance_id {
            Some(instance_id) => match self.group.static_member_id(instance_id).cloned() {
                Some(existing) => self.replace_static(joining, &existing, &id),
                None => self.add(joining, id),
            },
            None if request.requires_known_member_id => {
                self.group.pending_join.insert(id.clone());
                self.set_session(&id, millis(request.session_timeout_ms));
                self.refuse_join(joining, &id, ErrorCode::MemberIdRequired);
            }
            None => self.add(joining, id),
        }
    }

    fn join_existing(&mut self, joining: &Joining<'_, '_>) {
        let request = joining.request;
        if let Some(id) = self.group.pending_join.get(request.member_id).cloned() {
            // A static member never gets its id this way.
            return match request.instance_id {
                Some(_) => self.refuse_join(joining, "", ErrorCode::UnknownServerError),
                None => self.add(joining, id),
            };
        }
        if let Err(error) = self.group.validate_member(request.member_id, request.instance_id) {
            let reply = JoinReply { protocol_name: None, ..JoinReply::refused(request.member_id, error) };
            return self.reply_join(joining.waiter, reply);
        }
        let member = self.group.member(request.member_id);
        let unchanged = member.is_some_and(|member| member.matches(&joining.protocols));
        let tell = match self.group.state {
            // It may not have received the answer to its first one.
            State::CompletingRebalance => unchanged,
            // The leader knows of changes that the metadata does not show.
            State::Stable => unchanged && !self.group.is_leader(request.member_id),
            State::PreparingRebalance => false,
            State::Empty => return self.refuse_join(joining, request.member_id, ErrorCode::UnknownMemberId),
        };
        if tell {
            let reply = self.join_reply(request.member_id);
            return self.reply_join(joining.waiter, reply);
        }
        self.update(joining, request.member_id);
        self.prepare_rebalance_or_complete_join();
    }

    fn add(&mut self, joining: &Joining<'_, '_>, id: Arc<str>) {
        let request = joining.request;
        let client = request.client;
        let mut member = Member::new(id.clone(), request.instance_id.map(Arc::from), client.id, client.host);
        joining.fill(&mut member);
        member.is_new = true;
        self.group.new_member_added |= self.group.initial.is_some();
        self.group.add(member, request.protocol_type);
        self.set_session(&id, NEW_MEMBER_JOIN_TIMEOUT);
        self.prepare_rebalance_or_complete_join();
    }

    /// Takes what the request says; the member waits through this request from now on.
    fn update(&mut self, joining: &Joining<'_, '_>, member_id: &str) {
        let superseded = self.group.update(member_id, |member| {
            let superseded = member.awaiting_join;
            joining.fill(member);
            superseded
        });
        // The member asks again, so it has given up the request before; Kafka never answers that one.
        if let Some(waiter) = superseded.flatten() {
            self.reply_join(waiter, JoinReply::refused(member_id, ErrorCode::RebalanceInProgress));
        }
    }

    /// A static member came back without its member id: it gets a new one, and a client that still has the old one is fenced.
    fn replace_static(&mut self, joining: &Joining<'_, '_>, old: &Arc<str>, new: &Arc<str>) {
        let old_leader = self.group.leader.clone();
        self.fence(old, new);
        self.touch(new);
        self.update(joining, new);
        match self.group.state {
            State::Stable if self.group.select_protocol().as_deref() == self.group.protocol() => {
                self.write_group();
                let Some(waiter) = self.group.take_join_waiter(new) else { return };
                let mut reply = self.join_reply(new);
                if joining.request.supports_skipping_assignment {
                    reply.skip_assignment = self.group.is_leader(new);
                } else {
                    // It is not told that it leads, as it would compute an assignment without being asked.
                    reply.leader = old_leader.as_deref().unwrap_or_default().to_string();
                    reply.members.clear();
                }
                self.reply_join(waiter, reply);
            }
            // The leader may compute an assignment for the old id already.
            State::Stable | State::CompletingRebalance => self.prepare_rebalance(),
            State::PreparingRebalance | State::Empty => self.maybe_complete_join(),
        }
    }

    fn fence(&mut self, old: &Arc<str>, new: &Arc<str>) {
        self.cancel(Timer::Session(old.clone()));
        let Some((join, sync)) = self.group.replace_static(old, new) else { return };
        if let Some(waiter) = join {
            let reply = JoinReply::refused(old, ErrorCode::FencedInstanceId);
            self.reply_join(waiter, JoinReply { protocol_name: None, ..reply });
        }
        if let Some(waiter) = sync {
            self.reply_sync(waiter, super::SyncReply::refused(ErrorCode::FencedInstanceId));
        }
    }
}

/// A JoinGroup that is being handled.
struct Joining<'r, 'a> {
    request: &'r Join<'a>,
    protocols: Vec<(&'a str, &'a [u8])>,
    waiter: Waiter,
}

impl Joining<'_, '_> {
    fn fill(&self, member: &mut Member) {
        let owned = |(name, metadata): &(&str, &[u8])| (name.to_string(), metadata.to_vec());
        member.protocols = self.protocols.iter().map(owned).collect();
        member.session_timeout_ms = self.request.session_timeout_ms;
        member.rebalance_timeout_ms = match self.request.rebalance_timeout_ms {
            -1 => self.request.session_timeout_ms,
            timeout => timeout,
        };
        member.awaiting_join = Some(self.waiter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_look_like_javas() {
        let id = Uuid([0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00]);
        assert_eq!(uuid_text(id), "123e4567-e89b-12d3-a456-426614174000");
    }
}
