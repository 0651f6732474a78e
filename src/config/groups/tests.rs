//! Tests of the configurations of groups: DescribeConfigs equals Apache Kafka's answer, settings of the broker that
//! contradict each other stop the start, a group obeys its own settings within the broker's bounds.

use crate::config::tests::{load, map, told};
use crate::config::*;
use std::time::Duration;

/// What Apache Kafka 4.4.0 said; `testdata/RecordGroups.java` wrote it.
const RECORDED: &str = include_str!("../testdata/groups-4.4.0.tsv");

/// The broker of the recording.
fn recorded_broker() -> Config {
    let settings = [
        ("group.consumer.session.timeout.ms", "50000"),
        ("group.consumer.heartbeat.interval.ms", "6000"),
        ("group.share.delivery.count.limit", "4"),
        ("group.streams.max.standby.replicas", "3"),
    ];
    load(&settings).unwrap().0
}

/// Its dynamic settings for all brokers.
fn recorded_defaults() -> BTreeMap<String, String> {
    map(&[("group.consumer.assignment.interval.ms", "2000"), ("group.share.assignment.interval.ms", "3000")])
}

#[test]
fn describe_configs_of_groups_equals_apache_kafkas_answer() {
    let (config, default, none) = (recorded_broker(), recorded_defaults(), BTreeMap::new());
    let settings = config.settings(&default, &none);
    let g2 = map(&[
        ("consumer.session.timeout.ms", "55000"),
        ("consumer.assignment.interval.ms", "4000"),
        ("share.auto.offset.reset", "by_duration:PT1H"),
        ("share.renew.acknowledge.enable", "FALSE"),
        ("streams.num.standby.replicas", "3"),
        ("streams.task.offset.interval.ms", "20000"),
        ("streams.assignor.name", "sticky"),
        ("errors.deadletterqueue.topic.name", "dlq.g2"),
    ]);
    // An internal key is shown where it is set.
    for (name, overrides, count) in [("g1", &none, 21), ("g2", &g2, 22)] {
        let ours: Vec<String> = describe_group(&settings, overrides).iter().map(told).collect();
        let prefix = format!("DESCRIBE\t{name}\t");
        let theirs: Vec<String> =
            RECORDED.lines().filter_map(|line| line.strip_prefix(&prefix)).map(str::to_string).collect();
        assert_eq!(ours, theirs);
        assert_eq!(theirs.len(), count);
    }
    let of_later_releases = map(&[("errors.of.a.later.release", "dlq")]);
    let entries = describe_group(&settings, &of_later_releases);
    assert_eq!(
        told(&entries[5]),
        "errors.of.a.later.release\tnull\tDYNAMIC_GROUP_CONFIG\tUNKNOWN\tS\t[errors.of.a.later.release=null@DYNAMIC_GROUP_CONFIG]"
    );
}

#[test]
fn contradictions_stop_the_start() {
    let table: &[(&[(&str, &str)], &str)] = &[
        (
            &[("group.consumer.max.heartbeat.interval.ms", "4000")],
            "group.consumer.max.heartbeat.interval.ms must be greater than or equal to \
             group.consumer.min.heartbeat.interval.ms",
        ),
        (
            &[("group.consumer.session.timeout.ms", "5000")],
            "group.consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
        ),
        (
            &[("group.share.session.timeout.ms", "60001")],
            "group.share.session.timeout.ms must be less than or equal to group.share.max.session.timeout.ms",
        ),
        (
            &[("group.streams.min.session.timeout.ms", "1"), ("group.streams.session.timeout.ms", "5000")],
            "group.streams.heartbeat.interval.ms must be less than group.streams.session.timeout.ms",
        ),
        (
            &[("group.consumer.assignment.interval.ms", "15001")],
            "group.consumer.assignment.interval.ms must be less than or equal to \
             group.consumer.max.assignment.interval.ms",
        ),
        (
            &[("group.streams.num.standby.replicas", "3")],
            "group.streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas",
        ),
        (
            &[("group.streams.task.offset.interval.ms", "14999")],
            "group.streams.task.offset.interval.ms must be greater than or equal to \
             group.streams.min.task.offset.interval.ms",
        ),
        (
            &[("group.streams.num.warmup.replicas", "21")],
            "group.streams.num.warmup.replicas must be less than or equal to group.streams.max.warmup.replicas",
        ),
        (
            &[("group.streams.rack.aware.assignment.tags", "zone, rack,zone")],
            "group.streams.rack.aware.assignment.tags must not contain duplicate tag keys.",
        ),
        (
            &[("group.share.max.share.sessions", "199")],
            "group.share.max.share.sessions must be greater than or equal to group.share.max.size",
        ),
        (
            &[("group.share.assignors", "simple,another")],
            "group.share.assignors must contain exactly one assignor, but found 2",
        ),
        (&[("group.consumer.assignors", "range,best")], "Class best cannot be found"),
        (&[("group.consumer.assignors", "")], "Configuration 'group.consumer.assignors' must not be empty."),
        (
            &[("group.coordinator.rebalance.protocols", "consumer")],
            "Disabling the 'classic' protocol is not supported.",
        ),
        (&[("offsets.topic.compression.codec", "9")], "Unknown compression type id: 9"),
    ];
    for (settings, reason) in table {
        assert_eq!(load(settings).unwrap_err().reason, *reason);
    }
}

#[test]
fn settings_are_typed() {
    let (config, notices) = load(&[
        ("group.consumer.assignors", "org.apache.kafka.coordinator.group.assignor.RangeAssignor, uniform"),
        ("group.consumer.migration.policy", "upgrade"),
        ("group.max.size", "7"),
        ("offsets.retention.minutes", "2"),
        ("offsets.topic.compression.codec", "4"),
        ("group.coordinator.rebalance.protocols", "classic"),
    ])
    .unwrap();
    assert_eq!(notices, []);
    let none = BTreeMap::new();
    let settings = config.settings(&none, &none);
    let typed = GroupSettings::resolve(&settings);
    assert_eq!(typed.consumer_assignors, ["range", "uniform"]);
    assert_eq!((typed.migration_policy, typed.max_size), (MigrationPolicy::Upgrade, 7));
    assert_eq!(typed.offsets_retention, Duration::from_secs(120));
    let rest = GroupSettings { consumer_assignors: vec!["uniform".into(), "range".into()], ..GroupSettings::default() };
    assert_eq!(rest, GroupSettings::default());
    let around = CoordinatorSettings::resolve(&settings);
    assert_eq!((around.topic_partitions, around.topic_replication_factor), (50, 3));
    assert_eq!((around.topic_compression, around.consumer_protocol), (crate::model::CompressionType::Zstd, false));
    assert_eq!((around.topic_segment_bytes, around.commit_timeout), (100 << 20, Duration::from_secs(5)));
    assert_eq!(around.retention_check_interval, Duration::from_secs(600));
}

#[test]
fn a_group_obeys_its_own_settings_within_the_brokers_bounds() {
    let (config, default, none) = (recorded_broker(), recorded_defaults(), BTreeMap::new());
    let settings = config.settings(&default, &none);
    let millis = |overrides: &[(&str, &str)]| {
        let of = ConsumerGroupSettings::resolve(&settings, &map(overrides));
        (of.session_timeout.as_millis(), of.heartbeat_interval.as_millis(), of.assignment_interval.as_millis())
    };
    assert_eq!(millis(&[]), (50_000, 6_000, 2_000));
    assert_eq!(millis(&[("consumer.session.timeout.ms", "55000")]), (55_000, 6_000, 2_000));
    // The log may hold what was allowed under other bounds, or by another broker.
    let old = [("consumer.session.timeout.ms", "1"), ("consumer.heartbeat.interval.ms", "99999")];
    assert_eq!(millis(&old), (45_000, 15_000, 2_000));
    assert_eq!(millis(&[("consumer.assignment.interval.ms", "junk")]), (50_000, 6_000, 2_000));
    let far = map(&[("group.consumer.assignment.interval.ms", "99999")]);
    let of = ConsumerGroupSettings::resolve(&config.settings(&far, &none), &none);
    assert_eq!(of.assignment_interval, Duration::from_millis(15_000));
    let standard = ConsumerGroupSettings::default();
    assert_eq!(
        (standard.session_timeout, standard.heartbeat_interval),
        (Duration::from_secs(45), Duration::from_secs(5))
    );
}
