//! Every configuration of groups of Apache Kafka 4.4.0, with what its values are held against, in Kafka's order.
//!
//! From `GroupConfig.CONFIG_DEF`, `ALL_GROUP_CONFIG_SYNONYMS` and `validateValues` of the published 4.4.0 jars. The order
//! decides which of several bad values is named.

use super::definitions::Effect::*;
use super::definitions::{Group, group, internal_group};
use super::value::Type::*;
use super::value::Valid::*;

pub(super) const GROUP: &[Group] = &[
    group(
        "consumer.session.timeout.ms",
        Int,
        "45000",
        AtLeast(1),
        Some("group.consumer.session.timeout.ms"),
        Effective,
    ),
    group(
        "consumer.heartbeat.interval.ms",
        Int,
        "5000",
        AtLeast(1),
        Some("group.consumer.heartbeat.interval.ms"),
        Effective,
    ),
    group(
        "consumer.assignment.interval.ms",
        Int,
        "1000",
        AtLeast(0),
        Some("group.consumer.assignment.interval.ms"),
        Effective,
    ),
    internal_group(
        "consumer.assignor.offload.enable",
        Boolean,
        "true",
        Any,
        Some("group.consumer.assignor.offload.enable"),
        NoEffect,
    ),
    group("share.session.timeout.ms", Int, "45000", AtLeast(1), Some("group.share.session.timeout.ms"), NotYet),
    group("share.heartbeat.interval.ms", Int, "5000", AtLeast(1), Some("group.share.heartbeat.interval.ms"), NotYet),
    group(
        "share.record.lock.duration.ms",
        Int,
        "30000",
        AtLeast(1000),
        Some("group.share.record.lock.duration.ms"),
        NotYet,
    ),
    group("share.delivery.count.limit", Int, "5", AtLeast(2), Some("group.share.delivery.count.limit"), NotYet),
    group(
        "share.partition.max.record.locks",
        Int,
        "2000",
        AtLeast(100),
        Some("group.share.partition.max.record.locks"),
        NotYet,
    ),
    group("share.auto.offset.reset", Text, "latest", ShareAutoOffsetReset, None, NotYet),
    group(
        "share.isolation.level",
        Text,
        "read_uncommitted",
        OneOf(&["read_committed", "read_uncommitted"]),
        None,
        NotYet,
    ),
    group("share.renew.acknowledge.enable", Boolean, "true", Any, None, NotYet),
    group("share.assignment.interval.ms", Int, "1000", AtLeast(0), Some("group.share.assignment.interval.ms"), NotYet),
    internal_group(
        "share.assignor.offload.enable",
        Boolean,
        "true",
        Any,
        Some("group.share.assignor.offload.enable"),
        NoEffect,
    ),
    group("streams.session.timeout.ms", Int, "45000", AtLeast(1), Some("group.streams.session.timeout.ms"), NotYet),
    group(
        "streams.heartbeat.interval.ms",
        Int,
        "5000",
        AtLeast(1),
        Some("group.streams.heartbeat.interval.ms"),
        NotYet,
    ),
    group("streams.num.standby.replicas", Int, "0", AtLeast(0), Some("group.streams.num.standby.replicas"), NotYet),
    group(
        "streams.initial.rebalance.delay.ms",
        Int,
        "3000",
        AtLeast(0),
        Some("group.streams.initial.rebalance.delay.ms"),
        NotYet,
    ),
    group(
        "streams.assignment.interval.ms",
        Int,
        "1000",
        AtLeast(0),
        Some("group.streams.assignment.interval.ms"),
        NotYet,
    ),
    internal_group(
        "streams.assignor.offload.enable",
        Boolean,
        "true",
        Any,
        Some("group.streams.assignor.offload.enable"),
        NoEffect,
    ),
    internal_group(
        "streams.task.offset.interval.ms",
        Int,
        "60000",
        AtLeast(1),
        Some("group.streams.task.offset.interval.ms"),
        NotYet,
    ),
    internal_group(
        "streams.num.warmup.replicas",
        Int,
        "2",
        AtLeast(0),
        Some("group.streams.num.warmup.replicas"),
        NotYet,
    ),
    group(
        "streams.rack.aware.assignment.tags",
        List,
        "",
        Any,
        Some("group.streams.rack.aware.assignment.tags"),
        NotYet,
    ),
    internal_group(
        "streams.acceptable.recovery.lag",
        Long,
        "10000",
        AtLeast(0),
        Some("group.streams.acceptable.recovery.lag"),
        NotYet,
    ),
    // The first one of the broker's list, where it is not set.
    group("streams.assignor.name", Text, "sticky", Any, Some("group.streams.assignors"), NotYet),
    group("errors.deadletterqueue.topic.name", Text, "", Any, None, NotYet),
    group("errors.deadletterqueue.copy.record.enable", Boolean, "false", Any, None, NotYet),
];

/// A group's configuration and the broker's keys with the least and the greatest value that a group may have.
pub(super) struct Bounds {
    pub key: &'static str,
    pub min: Option<&'static str>,
    pub max: Option<&'static str>,
}

const fn between(key: &'static str, min: &'static str, max: &'static str) -> Bounds {
    Bounds { key, min: Some(min), max: Some(max) }
}

pub(super) const BOUNDS: &[Bounds] = &[
    between(
        "consumer.heartbeat.interval.ms",
        "group.consumer.min.heartbeat.interval.ms",
        "group.consumer.max.heartbeat.interval.ms",
    ),
    between(
        "consumer.session.timeout.ms",
        "group.consumer.min.session.timeout.ms",
        "group.consumer.max.session.timeout.ms",
    ),
    between(
        "consumer.assignment.interval.ms",
        "group.consumer.min.assignment.interval.ms",
        "group.consumer.max.assignment.interval.ms",
    ),
    between(
        "share.heartbeat.interval.ms",
        "group.share.min.heartbeat.interval.ms",
        "group.share.max.heartbeat.interval.ms",
    ),
    between("share.session.timeout.ms", "group.share.min.session.timeout.ms", "group.share.max.session.timeout.ms"),
    between(
        "share.record.lock.duration.ms",
        "group.share.min.record.lock.duration.ms",
        "group.share.max.record.lock.duration.ms",
    ),
    between(
        "share.delivery.count.limit",
        "group.share.min.delivery.count.limit",
        "group.share.max.delivery.count.limit",
    ),
    between(
        "share.partition.max.record.locks",
        "group.share.min.partition.max.record.locks",
        "group.share.max.partition.max.record.locks",
    ),
    between(
        "share.assignment.interval.ms",
        "group.share.min.assignment.interval.ms",
        "group.share.max.assignment.interval.ms",
    ),
    between(
        "streams.heartbeat.interval.ms",
        "group.streams.min.heartbeat.interval.ms",
        "group.streams.max.heartbeat.interval.ms",
    ),
    between(
        "streams.session.timeout.ms",
        "group.streams.min.session.timeout.ms",
        "group.streams.max.session.timeout.ms",
    ),
    Bounds { key: "streams.num.standby.replicas", min: None, max: Some("group.streams.max.standby.replicas") },
    between(
        "streams.assignment.interval.ms",
        "group.streams.min.assignment.interval.ms",
        "group.streams.max.assignment.interval.ms",
    ),
    Bounds {
        key: "streams.task.offset.interval.ms",
        min: Some("group.streams.min.task.offset.interval.ms"),
        max: None,
    },
    Bounds { key: "streams.num.warmup.replicas", min: None, max: Some("group.streams.max.warmup.replicas") },
];

/// Timeouts of sessions with the intervals of heartbeats that they must exceed.
pub(super) const SESSIONS: &[(&str, &str)] = &[
    ("consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"),
    ("share.session.timeout.ms", "share.heartbeat.interval.ms"),
    ("streams.session.timeout.ms", "streams.heartbeat.interval.ms"),
];
