//! Topic names and sizes that are not allowed.

use crate::guard::Guard;
use compat_tests::broker::Broker;
use compat_tests::raw::{self, Raw};
use compat_tests::{Result, bail};
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{CreatePartitionsRequest, MetadataRequest};

const NONE: i16 = 0;
const INVALID_TOPIC: i16 = 17;
const INVALID_PARTITIONS: i16 = 37;
const INVALID_CONFIG: i16 = 40;
const POLICY_VIOLATION: i16 = 44;

pub fn topics(broker: &mut Broker) -> Result<()> {
    let mut guard = Guard::new(broker)?;
    let mut raw = Raw::connect(broker.port())?;
    let mut wrong = Vec::new();
    let mut expect = |what: String, expected: i16, found: i16| {
        if expected != found {
            wrong.push(format!("{what}: expected error {expected}, found {found}"));
        }
    };
    let longest = "x".repeat(249);
    let too_long = "x".repeat(250);
    let very_long = "x".repeat(30_000);
    for name in ["", ".", "..", "a/b", "../escape", "a b", "ü", "a\0b", &too_long, &very_long] {
        let shown: String = name.chars().take(20).collect();
        expect(format!("CreateTopics {shown:?}"), INVALID_TOPIC, raw.try_create_topic(name, 1, &[])?);
        expect(format!("Metadata {shown:?}"), INVALID_TOPIC, metadata_error(&mut raw, name)?);
    }
    expect("the longest name".into(), NONE, raw.try_create_topic(&longest, 1, &[])?);
    expect("a.b".into(), NONE, raw.try_create_topic("a.b", 1, &[])?);
    expect("a_b collides with a.b".into(), INVALID_TOPIC, raw.try_create_topic("a_b", 1, &[])?);
    for (count, error) in [(0, INVALID_PARTITIONS), (-2, INVALID_PARTITIONS), (i32::MAX, POLICY_VIOLATION)] {
        expect(format!("{count} partitions"), error, raw.try_create_topic("counted", count, &[])?);
    }
    for (key, value) in [("retention.ms", "many"), ("no.such.key", "1"), ("cleanup.policy", "burn")] {
        expect(format!("{key}={value}"), INVALID_CONFIG, raw.try_create_topic("configured", 1, &[(key, value)])?);
    }
    // Apache Kafka answers 2^31-1 partitions with an empty list (-1 here); naming the error is better.
    let huge = match create_partitions(&mut raw, "a.b", i32::MAX)? {
        POLICY_VIOLATION | INVALID_PARTITIONS | -1 => -1,
        other => other,
    };
    expect("CreatePartitions to 2^31-1".into(), -1, huge);
    for (count, error) in [(1, INVALID_PARTITIONS), (0, INVALID_PARTITIONS)] {
        expect(format!("CreatePartitions to {count}"), error, create_partitions(&mut raw, "a.b", count)?);
    }
    expect("CreatePartitions of nothing".into(), 3, create_partitions(&mut raw, "absent", 2)?);
    guard.check(broker)?;
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(())
}

/// Metadata with automatic creation allowed: it must not create what may not exist.
fn metadata_error(raw: &mut Raw, name: &str) -> Result<i16> {
    let topic = MetadataRequestTopic::default().with_name(Some(raw::topic_name(name)));
    let request = MetadataRequest::default().with_topics(Some(vec![topic])).with_allow_auto_topic_creation(true);
    Ok(raw.call(&request, 8)?.topics.first().map_or(-1, |topic| topic.error_code))
}

fn create_partitions(raw: &mut Raw, topic: &str, count: i32) -> Result<i16> {
    let topic = CreatePartitionsTopic::default().with_name(raw::topic_name(topic)).with_count(count);
    let topic = topic.with_assignments(None);
    let request = CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000);
    Ok(raw.call(&request, 1)?.results.first().map_or(-1, |result| result.error_code))
}
