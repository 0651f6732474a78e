//! ConsumerGroupDescribe (`ConsumerGroup.asDescribedGroup`).

use std::collections::BTreeMap;

use super::member::Member;
use super::{DescribedMember, DescribedPartitions, Description, Group};
use crate::coordinator::groups::{self, Groups};
use crate::coordinator::settings::Settings;
use crate::coordinator::step::Topics;
use crate::model::{ErrorCode, Refusal, TopicId};

/// Partitions of topics that exist, as they are described.
fn described<'p>(
    partitions: impl Iterator<Item = (&'p TopicId, Vec<i32>)>,
    topics: &dyn Topics,
) -> Vec<DescribedPartitions> {
    let mut by_topic: BTreeMap<TopicId, Vec<i32>> = BTreeMap::new();
    for (topic, partitions) in partitions {
        by_topic.entry(*topic).or_default().extend(partitions);
    }
    let known = |(topic_id, partitions)| {
        let topic_name = topics.name(topic_id)?.to_string();
        Some(DescribedPartitions { topic_id, topic_name, partitions })
    };
    by_topic.into_iter().filter_map(known).collect()
}

impl Group {
    fn describe_member(&self, member: &Member, topics: &dyn Topics) -> DescribedMember {
        let (metadata, current) = (&member.metadata, &member.current);
        // It answers for what it has yet to give up, too.
        let owned = current.assigned.iter().chain(&current.pending_revocation);
        let owned = owned.map(|(topic, partitions)| (topic, partitions.keys().copied().collect()));
        let target = self.target.get(&member.id).into_iter().flatten();
        let target = target.map(|(topic, partitions)| (topic, partitions.iter().copied().collect()));
        DescribedMember {
            member_id: member.id.to_string(),
            instance_id: metadata.instance_id.as_deref().map(str::to_string),
            rack_id: metadata.rack_id.as_deref().map(str::to_string),
            member_epoch: current.epoch,
            client_id: metadata.client_id.to_string(),
            client_host: metadata.client_host.to_string(),
            subscribed_topic_names: metadata.topics.iter().map(|topic| topic.to_string()).collect(),
            subscribed_topic_regex: metadata.regex.as_deref().map(str::to_string),
            assignment: described(owned, topics),
            target_assignment: described(target, topics),
            is_classic: member.is_classic(),
        }
    }
}

impl Groups {
    pub(super) fn existing_consumer_group(&self, group_id: &str) -> Result<&Group, Refusal> {
        let not_found = |message| Err(Refusal::new(ErrorCode::GroupIdNotFound, message));
        match self.groups.get(group_id) {
            Some(groups::Group::Consumer(group)) => Ok(group),
            Some(groups::Group::Classic(_)) => not_found(format!("Group {group_id} is not a consumer group.")),
            None => not_found(format!("Group {group_id} not found.")),
        }
    }

    /// ConsumerGroupDescribe. The first assignor of the settings is that of groups whose members want none.
    pub fn describe_consumer(
        &self,
        topics: &dyn Topics,
        settings: &Settings,
        group_id: &str,
    ) -> Result<Description, Refusal> {
        if group_id.is_empty() {
            return Err(Refusal::of(ErrorCode::InvalidGroupId));
        }
        let group = self.existing_consumer_group(group_id)?;
        let default = settings.consumer_assignors.first().map(String::as_str);
        let assignor = group.preferred_assignor().map(|name| &**name).or(default);
        Ok(Description {
            state: group.state_name().to_string(),
            group_epoch: group.epoch,
            assignment_epoch: group.assignment_epoch,
            assignor_name: assignor.unwrap_or_default().to_string(),
            members: group.members.values().map(|member| group.describe_member(member, topics)).collect(),
        })
    }
}
