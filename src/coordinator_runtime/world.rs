//! The cluster's metadata and settings as the coordinators may see them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ProducerIds;
use super::settings::{Current, Resolved};
use crate::coordinator::settings::ConsumerSettings;
use crate::coordinator::step::Topics;
use crate::io::environment::Environment;
use crate::metadata::Image;
use crate::model::TopicId;

/// What a step may see.
#[derive(Clone)]
pub struct World<'a> {
    pub image: &'a Image,
    pub resolved: Arc<Resolved>,
    pub(super) settings: &'a Current,
    pub environment: &'a Environment,
    pub(super) producer_ids: &'a ProducerIds,
    /// Which topics the client of the step may describe; all of them where there is none.
    pub(super) may_describe: Option<&'a dyn Fn(&str) -> bool>,
}

impl World<'_> {
    /// What a client sees of it.
    pub fn seen_by<'b>(&'b self, may_describe: &'b dyn Fn(&str) -> bool) -> World<'b> {
        World { may_describe: Some(may_describe), ..self.clone() }
    }

    /// The settings of one group.
    pub(super) fn group(&self, group: &str) -> ConsumerSettings {
        self.settings.of_group(self.image, &self.resolved, group)
    }
}

impl Topics for World<'_> {
    fn version(&self) -> i64 {
        self.image.offset()
    }

    fn id(&self, name: &str) -> Option<TopicId> {
        self.image.topic(name).map(|topic| topic.id)
    }

    fn name(&self, id: TopicId) -> Option<&str> {
        self.image.topic_by_id(id).map(|topic| &*topic.name)
    }

    fn partitions(&self, id: TopicId) -> Option<i32> {
        self.image.topic_by_id(id).and_then(|topic| i32::try_from(topic.partitions.len()).ok())
    }

    fn racks(&self, id: TopicId, partition: i32) -> BTreeSet<String> {
        let Some(partition) = self.image.partition(id, partition) else { return BTreeSet::new() };
        let rack = |broker: &i32| self.image.broker(*broker)?.rack.as_deref().map(str::to_string);
        partition.replicas.iter().filter_map(rack).collect()
    }

    fn may_describe(&self, topic: &str) -> bool {
        self.may_describe.is_none_or(|may_describe| may_describe(topic))
    }

    fn names(&self) -> Vec<&str> {
        self.image.topics().map(|topic| &*topic.name).collect()
    }
}
