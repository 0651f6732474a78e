//! What a decision may use beside the image and the change.

use super::feature_updates::Decider;
use super::image::Image;
use super::topics::TopicDefaults;
use crate::config::{Config, LooksIntoStores, Settings};
use crate::model::{Offset, TimestampMs, Uuid};

/// The node that decides, and what comes from outside of the image.
pub struct Inputs<'a> {
    /// The static settings of the node that decides.
    pub config: &'a Config,
    /// The finalized level of `kraft.version`, which stands in the metadata log beside the image.
    pub kraft_version: i16,
    /// Where the first record will stand in the metadata log.
    pub next_offset: Offset,
    /// The wall clock.
    pub now: TimestampMs,
    pub new_id: &'a mut dyn FnMut() -> Uuid,
    /// Looks into the stores that a change names.
    pub stores: Option<&'a dyn LooksIntoStores>,
}

impl<'a> Inputs<'a> {
    pub(super) fn settings<'i>(&self, image: &'i Image) -> Settings<'i>
    where
        'a: 'i,
    {
        let dynamic = (image.default_broker_configs(), image.broker_configs(self.config.node_id));
        self.config.settings(dynamic.0, dynamic.1).looking_into(self.stores)
    }

    pub(super) fn topic_defaults<'i>(&self, image: &'i Image) -> TopicDefaults<'i>
    where
        'a: 'i,
    {
        TopicDefaults {
            num_partitions: self.config.num_partitions,
            replication_factor: self.config.default_replication_factor,
            settings: self.settings(image),
        }
    }

    pub(super) fn decider(&self) -> Decider {
        Decider {
            node_id: self.config.node_id,
            kraft_version: self.kraft_version,
            static_min_insync_replicas: self.config.topic_defaults.min_insync_replicas,
        }
    }
}
