//! The settings that the coordinators obey at the moment: the broker's own with the dynamic ones of the cluster over them.
//!
//! They are resolved again when the dynamic configs of an image are not those that they were resolved from, so that no
//! thread has to tell the coordinators of a change.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::config::{Config, CoordinatorSettings, TransactionSettings};
use crate::coordinator::settings::{ConsumerSettings, Settings};
use crate::metadata::Image;
use crate::metadata::ResourceType;

type Configs = BTreeMap<String, String>;

/// What holds for all groups and all transactions.
pub struct Resolved {
    /// The dynamic configs that it was resolved from.
    cluster: Configs,
    broker: Configs,
    pub groups: Settings,
    /// What holds for consumer groups that have no configs of their own.
    consumer: ConsumerSettings,
    pub surroundings: CoordinatorSettings,
    pub transactions: TransactionSettings,
}

impl Resolved {
    fn of(config: &Config, cluster: &Configs, broker: &Configs) -> Resolved {
        let settings = config.settings(cluster, broker);
        Resolved {
            cluster: cluster.clone(),
            broker: broker.clone(),
            groups: Settings::resolve(&settings),
            consumer: ConsumerSettings::resolve(&settings, &Configs::new()),
            surroundings: CoordinatorSettings::resolve(&settings),
            transactions: TransactionSettings::resolve(&settings),
        }
    }
}

/// The settings as they were last resolved.
pub(super) struct Current {
    config: Config,
    /// The name of this broker's own dynamic configs.
    broker: String,
    resolved: ArcSwap<Resolved>,
}

impl Current {
    pub fn new(config: Config) -> Current {
        let resolved = ArcSwap::from_pointee(Resolved::of(&config, &Configs::new(), &Configs::new()));
        Current { broker: config.node_id.to_string(), config, resolved }
    }

    pub fn resolved(&self, image: &Image) -> Arc<Resolved> {
        let (cluster, broker) = (image.default_broker_configs(), image.configs(ResourceType::Broker, &self.broker));
        let known = self.resolved.load_full();
        if (&known.cluster, &known.broker) == (cluster, broker) {
            return known;
        }
        let new = Arc::new(Resolved::of(&self.config, cluster, broker));
        self.resolved.store(new.clone());
        new
    }

    /// The settings of one consumer group.
    pub fn of_group(&self, image: &Image, resolved: &Resolved, group: &str) -> ConsumerSettings {
        let own = image.configs(ResourceType::Group, group);
        if own.is_empty() {
            return resolved.consumer;
        }
        ConsumerSettings::resolve(&self.config.settings(&resolved.cluster, &resolved.broker), own)
    }
}
