//! Offsets whose time is over (`cleanupExpiredOffsets`, `ClassicGroup.offsetExpirationCondition`, KIP-211).

use super::Committed;
use crate::coordinator::classic::{self, State};
use crate::coordinator::groups::{Group, Groups};
use crate::coordinator::step::Step;

/// The moment from which an offset's retention counts.
enum Since {
    Commit,
    /// Since the group has lost its last member.
    Moment(i64),
    /// The offsets are in use.
    Never,
}

fn since(group: &Group) -> Since {
    let group = match group {
        Group::Classic(group) => group,
        Group::Consumer(_) => return Since::Commit,
    };
    match group.state() {
        _ if group.protocol_type().is_none() => Since::Commit,
        State::Empty => group.state_since().map_or(Since::Commit, Since::Moment),
        State::Stable if knows_what_it_reads(group) => Since::Commit,
        _ => Since::Never,
    }
}

fn knows_what_it_reads(group: &classic::Group) -> bool {
    group.uses_consumer_protocol() && group.knows_subscribed_topics()
}

impl Groups {
    /// Deletes the offsets of a group whose time is over; whether none are left, those of open transactions included.
    pub(in crate::coordinator) fn expire_group_offsets(&mut self, step: &mut Step<'_>, group_id: &str) -> bool {
        let is_open = self.offsets.pending.contains_group(group_id);
        let Some(topics) = self.offsets.group(group_id) else { return !is_open };
        let Some(group) = self.groups.get(group_id) else { return false };
        let (now, retention) = (step.wall.0, step.settings.offsets_retention.as_millis());
        let retention = i64::try_from(retention).unwrap_or(i64::MAX);
        let since = since(group);
        let is_expired = |committed: &Committed| {
            let from = match since {
                Since::Never => return false,
                _ if committed.expire_timestamp != -1 => return now >= committed.expire_timestamp,
                Since::Commit => committed.commit_timestamp,
                Since::Moment(moment) => moment,
            };
            now.saturating_sub(from) >= retention
        };
        let mut expired = Vec::new();
        let mut all = true;
        for (topic, partitions) in topics {
            let subscribed = group.is_subscribed_to_topic(topic);
            for (partition, committed) in partitions {
                let is_pending = self.offsets.pending.contains(group_id, topic, *partition);
                match !subscribed && !is_pending && is_expired(committed) {
                    true => expired.push((topic.clone(), *partition)),
                    false => all = false,
                }
            }
        }
        for (topic, partition) in expired {
            self.delete_offset(step, group_id, &topic, partition);
        }
        assert!(!all || self.offsets.group(group_id).is_none(), "all offsets of {group_id:?} are deleted");
        all && !is_open
    }
}
