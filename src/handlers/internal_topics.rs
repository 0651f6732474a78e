//! The topics that the broker makes for itself at their first use (`AutoTopicCreationManager`).

use super::effective;
use crate::config::CoordinatorSettings;
use crate::coordinator_runtime::GROUPS_TOPIC;
use crate::metadata::{self, Image, NewTopic, Record};
use crate::model::Uuid;
use crate::shard::context::Shared;

/// How the topic of the groups is made (`GroupCoordinator.groupMetadataTopicConfigs`). Deviation: it has as many replicas
/// as there are brokers where there are fewer than `offsets.topic.replication.factor`, so that one broker needs no setting.
pub(super) fn groups_topic(shared: &Shared, image: &Image) -> NewTopic {
    let settings = CoordinatorSettings::resolve(&effective::settings(shared, image));
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

/// The records that make the topic of the groups; none if it is there.
pub(super) fn create_groups_topic(
    shared: &Shared,
    image: &Image,
    new_id: impl FnMut() -> Uuid,
) -> (Vec<Record<'static>>, Result<(), metadata::Refusal>) {
    if image.topic(GROUPS_TOPIC).is_some() {
        return (Vec::new(), Ok(()));
    }
    let topic = groups_topic(shared, image);
    let defaults = effective::topic_defaults(shared, image);
    let mut decision = metadata::create_topics(image, &defaults, &[topic], new_id, false);
    let result = decision.results.pop().map_or(Ok(()), |topic| topic.result.map(drop));
    (decision.records, result)
}
