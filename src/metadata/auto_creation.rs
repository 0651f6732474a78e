//! Topics that the broker makes at their first use (`AutoTopicCreationManager`).

use super::decision::Decisions;
use super::image::Image;
use super::inputs::Inputs;
use super::topic_name::GROUPS_TOPIC;
use super::topics::{CreatedTopic, NewTopic, TopicDefaults, TopicResult, create_topics};
use crate::config::CoordinatorSettings;

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
    if name == GROUPS_TOPIC {
        return groups_topic(image, defaults);
    }
    NewTopic {
        name: name.into(),
        num_partitions: -1,
        replication_factor: -1,
        assignments: Vec::new(),
        configs: Vec::new(),
    }
}

/// How the topic of the groups is made (`GroupCoordinator.groupMetadataTopicConfigs`). Deviation: it has as many replicas
/// as there are brokers where there are fewer than `offsets.topic.replication.factor`, so that one broker needs no setting.
fn groups_topic(image: &Image, defaults: &TopicDefaults<'_>) -> NewTopic {
    let settings = CoordinatorSettings::resolve(&defaults.settings);
    let brokers = image.brokers().filter(|broker| !broker.fenced).count().max(1);
    let brokers = i16::try_from(brokers).unwrap_or(i16::MAX);
    let config = |name: &str, value: String| (name.to_string(), Some(value));
    NewTopic {
        name: GROUPS_TOPIC.into(),
        num_partitions: settings.topic_partitions,
        replication_factor: settings.topic_replication_factor.min(brokers),
        assignments: Vec::new(),
        configs: vec![
            config("cleanup.policy", "compact".into()),
            config("compression.type", "producer".into()),
            config("segment.bytes", settings.topic_segment_bytes.to_string()),
        ],
    }
}
