//! The settings that the coordinators of groups obey, typed (`GroupCoordinatorConfig`, `GroupConfigManager`).
//!
//! They are read from [`Settings`], so dynamic settings of brokers count; a group's own are bounded by the broker's. What
//! they are used for is not known here.

use super::definitions;
use super::group_rules::clamped;
use super::settings::Settings;
use crate::model::CompressionType;
use std::collections::BTreeMap;
use std::time::Duration;

/// `group.consumer.migration.policy`
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MigrationPolicy {
    #[default]
    Bidirectional,
    Upgrade,
    Downgrade,
    Disabled,
}

impl MigrationPolicy {
    /// `name` in any case, as the definition has checked it.
    fn from_name(name: &str) -> MigrationPolicy {
        match name.to_ascii_uppercase().as_str() {
            "UPGRADE" => MigrationPolicy::Upgrade,
            "DOWNGRADE" => MigrationPolicy::Downgrade,
            "DISABLED" => MigrationPolicy::Disabled,
            _ => MigrationPolicy::Bidirectional,
        }
    }

    pub fn allows_upgrade(self) -> bool {
        matches!(self, MigrationPolicy::Bidirectional | MigrationPolicy::Upgrade)
    }

    pub fn allows_downgrade(self) -> bool {
        matches!(self, MigrationPolicy::Bidirectional | MigrationPolicy::Downgrade)
    }
}

/// The broker's settings that hold for all groups.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupSettings {
    /// `group.min.session.timeout.ms`
    pub min_session_timeout: Duration,
    /// `group.max.session.timeout.ms`
    pub max_session_timeout: Duration,
    /// `group.initial.rebalance.delay.ms`
    pub initial_rebalance_delay: Duration,
    /// `group.max.size`
    pub max_size: usize,
    /// `group.consumer.max.size`
    pub consumer_max_size: usize,
    /// `group.consumer.assignors`, the first one the default; by their short names.
    pub consumer_assignors: Vec<String>,
    /// `group.consumer.migration.policy`
    pub migration_policy: MigrationPolicy,
    /// `group.consumer.regex.refresh.interval.ms`
    pub regex_refresh_interval: Duration,
    /// `offset.metadata.max.bytes`
    pub offset_metadata_max_bytes: usize,
    /// `offsets.retention.minutes`
    pub offsets_retention: Duration,
}

impl GroupSettings {
    pub fn resolve(settings: &Settings<'_>) -> GroupSettings {
        let assignors = settings.list("group.consumer.assignors");
        let short = assignors.iter().filter_map(|name| definitions::consumer_assignor(name));
        GroupSettings {
            min_session_timeout: millis(settings, "group.min.session.timeout.ms"),
            max_session_timeout: millis(settings, "group.max.session.timeout.ms"),
            initial_rebalance_delay: millis(settings, "group.initial.rebalance.delay.ms"),
            max_size: settings.size("group.max.size") as usize,
            consumer_max_size: settings.size("group.consumer.max.size") as usize,
            consumer_assignors: short.map(str::to_string).collect(),
            migration_policy: MigrationPolicy::from_name(
                &settings.text("group.consumer.migration.policy").unwrap_or_default(),
            ),
            regex_refresh_interval: millis(settings, "group.consumer.regex.refresh.interval.ms"),
            offset_metadata_max_bytes: settings.size("offset.metadata.max.bytes") as usize,
            offsets_retention: Duration::from_secs(u64::from(settings.size("offsets.retention.minutes")) * 60),
        }
    }
}

/// The settings of a broker that was told nothing.
impl Default for GroupSettings {
    fn default() -> GroupSettings {
        GroupSettings::resolve(&Settings::of_nothing())
    }
}

/// The settings of one consumer group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConsumerGroupSettings {
    /// `consumer.session.timeout.ms`
    pub session_timeout: Duration,
    /// `consumer.heartbeat.interval.ms`
    pub heartbeat_interval: Duration,
    /// `consumer.assignment.interval.ms`
    pub assignment_interval: Duration,
}

impl ConsumerGroupSettings {
    /// `overrides`: the dynamic configs of the group.
    pub fn resolve(settings: &Settings<'_>, overrides: &BTreeMap<String, String>) -> ConsumerGroupSettings {
        let bounded = |name: &str| Duration::from_millis(clamped(settings, overrides, name).max(0) as u64);
        ConsumerGroupSettings {
            session_timeout: bounded("consumer.session.timeout.ms"),
            heartbeat_interval: bounded("consumer.heartbeat.interval.ms"),
            assignment_interval: bounded("consumer.assignment.interval.ms"),
        }
    }
}

impl Default for ConsumerGroupSettings {
    fn default() -> ConsumerGroupSettings {
        ConsumerGroupSettings::resolve(&Settings::of_nothing(), &BTreeMap::new())
    }
}

/// The settings of what surrounds the coordinators: their topic, their writes, the protocols that they speak.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CoordinatorSettings {
    /// `offsets.topic.num.partitions`
    pub topic_partitions: i32,
    /// `offsets.topic.replication.factor`
    pub topic_replication_factor: i16,
    /// `offsets.topic.segment.bytes`
    pub topic_segment_bytes: i32,
    /// `offsets.topic.compression.codec`
    pub topic_compression: CompressionType,
    /// `offsets.commit.timeout.ms`: how long a write may wait for the replicas.
    pub commit_timeout: Duration,
    /// `offsets.retention.check.interval.ms`
    pub retention_check_interval: Duration,
    /// Whether `group.coordinator.rebalance.protocols` names the consumer protocol; `group.version` must allow it, too.
    pub consumer_protocol: bool,
}

impl CoordinatorSettings {
    pub fn resolve(settings: &Settings<'_>) -> CoordinatorSettings {
        let codec = u8::try_from(settings.int("offsets.topic.compression.codec")).ok();
        let protocols = settings.list("group.coordinator.rebalance.protocols");
        CoordinatorSettings {
            topic_partitions: settings.int("offsets.topic.num.partitions"),
            topic_replication_factor: settings.int("offsets.topic.replication.factor") as i16,
            topic_segment_bytes: settings.int("offsets.topic.segment.bytes"),
            topic_compression: codec.and_then(CompressionType::from_id).unwrap_or(CompressionType::None),
            commit_timeout: millis(settings, "offsets.commit.timeout.ms"),
            retention_check_interval: millis(settings, "offsets.retention.check.interval.ms"),
            consumer_protocol: protocols.iter().any(|protocol| protocol == "consumer"),
        }
    }
}

fn millis(settings: &Settings<'_>, name: &str) -> Duration {
    Duration::from_millis(settings.long(name).max(0) as u64)
}

#[cfg(test)]
mod tests;
