//! A group of the classic protocol as its record (`GroupCoordinatorRecordHelpers`, `replay` of `GroupMetadataValue`).

use std::sync::Arc;

use super::group::Member;
use super::rebalance::{Live, cancel_timers};
use super::{Group, State};
use crate::codec::{Bytes, Str};
use crate::coordinator::groups::{self, Groups};
use crate::coordinator::record::offsets::{GroupMetadataKey, GroupMetadataValue, Key, MemberMetadata, Value};
use crate::coordinator::step::Step;
use crate::model::TimestampMs;

/// The version in which Kafka 4.3 writes the value.
const VALUE_VERSION: i16 = 3;

pub(in crate::coordinator) fn key(group_id: &str) -> Key<'_> {
    Key::GroupMetadata(GroupMetadataKey { group: Str::Borrowed(group_id) })
}

impl Group {
    /// Its record as it is now.
    pub fn write(&self, step: &mut Step<'_>) {
        let protocol = self.protocol().unwrap_or_default();
        let value = Value::GroupMetadata(GroupMetadataValue {
            protocol_type: Str::Borrowed(self.protocol_type().unwrap_or_default()),
            generation: self.generation,
            protocol: self.protocol().map(Str::Borrowed),
            leader: self.leader.as_deref().map(Str::Borrowed),
            current_state_timestamp: self.state_since.map_or(-1, |since| since.0),
            members: self.members().map(|member| record(member, protocol)).collect(),
        });
        groups::write(step, &key(&self.id), Some((&value, VALUE_VERSION)));
    }

    /// A group that has no members yet, of generation 0: so that it is there after a load.
    fn write_new(&self, step: &mut Step<'_>) {
        Group::new(self.id.clone(), self.state_since).write(step);
    }

    fn from_record(id: Arc<str>, value: &GroupMetadataValue<'_>) -> Group {
        let since = Some(value.current_state_timestamp).filter(|since| *since != -1).map(TimestampMs);
        let mut group = Group::stable(id, value.generation, &value.protocol_type, since);
        group.leader = value.leader.as_deref().map(Arc::from);
        for record in &value.members {
            let member = member(record, value.protocol.as_deref().unwrap_or_default());
            if group.member(&member.id).is_none() {
                group.add(member, &value.protocol_type);
            }
        }
        if value.members.is_empty() {
            group.state = State::Empty;
        }
        group.set_protocol(value.protocol.as_deref().map(str::to_string));
        group
    }
}

fn record<'a>(member: &'a Member, protocol: &str) -> MemberMetadata<'a> {
    MemberMetadata {
        member_id: Str::Borrowed(&member.id),
        group_instance_id: member.instance_id.as_deref().map(Str::Borrowed),
        client_id: Str::Borrowed(&member.client_id),
        client_host: Str::Borrowed(&member.client_host),
        rebalance_timeout: member.rebalance_timeout_ms,
        session_timeout: member.session_timeout_ms,
        subscription: Bytes::Borrowed(member.metadata(protocol)),
        assignment: Bytes::Borrowed(&member.assignment),
    }
}

/// The record knows only the protocol that was chosen.
fn member(record: &MemberMetadata<'_>, protocol: &str) -> Member {
    let instance_id = record.group_instance_id.as_deref().map(Arc::from);
    let new = Member::new(record.member_id.as_ref().into(), instance_id, &record.client_id, &record.client_host);
    Member {
        rebalance_timeout_ms: match record.rebalance_timeout {
            -1 => record.session_timeout,
            timeout => timeout,
        },
        session_timeout_ms: record.session_timeout,
        protocols: vec![(protocol.to_string(), record.subscription.to_vec())],
        assignment: record.assignment.to_vec(),
        ..new
    }
}

impl Live<'_, '_> {
    pub(super) fn write_group(&mut self) {
        self.group.write(self.step);
    }

    pub(super) fn write_new_group(&mut self) {
        self.group.write_new(self.step);
    }
}

impl Groups {
    /// The record of a group, or its tombstone.
    pub(in crate::coordinator) fn apply_group_metadata(
        &mut self,
        key: &GroupMetadataKey<'_>,
        value: Option<&GroupMetadataValue<'_>>,
    ) {
        let group_id = key.group.as_ref();
        if let Some(groups::Group::Classic(group)) = self.groups.get(group_id) {
            cancel_timers(group, &mut self.timers);
            self.groups.remove(group_id);
        }
        if let Some(value) = value {
            let id: Arc<str> = group_id.into();
            let group = Group::from_record(id.clone(), value);
            assert!(group.size() <= value.members.len(), "members come from the record");
            assert_eq!(group.is_empty(), group.size() == 0, "only a group without members is empty");
            self.groups.insert(id, groups::Group::Classic(group));
        }
    }
}
