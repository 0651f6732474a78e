//! Topics that the broker makes at their first use (`AutoTopicCreationManager`).

use super::decision::Decisions;
use super::image::Image;
use super::inputs::Inputs;
use super::topic_name::{GROUPS_TOPIC, TRANSACTIONS_TOPIC};
use super::topics::{CreatedTopic, NewTopic, TopicDefaults, TopicResult, create_topics};
use crate::config::{CoordinatorSettings, TransactionSettings};

/// Creates those of the topics that are not there. One that is there by now is no failure, and has no result.
pub(super) fn auto_create_topics(
    image: &Image,
    names: &[String],
    inputs: &mut Inputs<'_>,
) -> Decisions<TopicResult<CreatedTopic>> {
    let defaults = inputs.topic_defaults(image);
    let missing = names.iter().filter(|name| image.topic(name).is_none());
    let topics: Vec<NewTopic> = missing.map(|name| new_topic(image, &defaults, name)).collect();
    create_topics(image, &defaults, &topics, &mut inputs.new_id, false)
}

fn new_topic(image: &Image, defaults: &TopicDefaults<'_>, name: &str) -> NewTopic {
    let mut topic = match name {
        GROUPS_TOPIC => groups_topic(defaults),
        TRANSACTIONS_TOPIC => transactions_topic(defaults),
        _ => NewTopic {
            name: name.into(),
            num_partitions: -1,
            replication_factor: -1,
            assignments: Vec::new(),
            configs: Vec::new(),
        },
    };
    // Deviation: a coordinators' topic has as many replicas as there are brokers where there are fewer than its setting
    // says, so that one broker needs no setting.
    let brokers = image.brokers().filter(|broker| !broker.fenced).count().max(1);
    topic.replication_factor = topic.replication_factor.min(i16::try_from(brokers).unwrap_or(i16::MAX));
    topic
}

/// How the topic of the groups is made (`GroupCoordinator.groupMetadataTopicConfigs`).
fn groups_topic(defaults: &TopicDefaults<'_>) -> NewTopic {
    let settings = CoordinatorSettings::resolve(&defaults.settings);
    let configs = [
        ("cleanup.policy", "compact".into()),
        ("compression.type", "producer".into()),
        ("segment.bytes", settings.topic_segment_bytes.to_string()),
    ];
    coordinators_topic(GROUPS_TOPIC, settings.topic_partitions, settings.topic_replication_factor, &configs)
}

/// How the topic of the transactions is made (`TransactionCoordinator.transactionStateTopicConfigs`).
fn transactions_topic(defaults: &TopicDefaults<'_>) -> NewTopic {
    let settings = TransactionSettings::resolve(&defaults.settings);
    let configs = [
        ("unclean.leader.election.enable", "false".into()),
        ("compression.type", "uncompressed".into()),
        ("cleanup.policy", "compact".into()),
        ("min.insync.replicas", settings.topic_min_insync_replicas.to_string()),
        ("segment.bytes", settings.topic_segment_bytes.to_string()),
    ];
    coordinators_topic(TRANSACTIONS_TOPIC, settings.topic_partitions, settings.topic_replication_factor, &configs)
}

fn coordinators_topic(
    name: &str,
    num_partitions: i32,
    replication_factor: i16,
    configs: &[(&str, String)],
) -> NewTopic {
    let config = |(name, value): &(&str, String)| (name.to_string(), Some(value.clone()));
    NewTopic {
        name: name.into(),
        num_partitions,
        replication_factor,
        assignments: Vec::new(),
        configs: configs.iter().map(config).collect(),
    }
}
