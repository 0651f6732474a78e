//! The settings that hold for a decision: the static ones with the dynamic ones of the image laid over them.

use crate::config::Settings;
use crate::metadata::Image;
use crate::shard::context::Shared;

pub(super) fn settings<'a>(shared: &'a Shared, image: &'a Image) -> Settings<'a> {
    let config = &shared.config;
    config.settings(image.default_broker_configs(), image.broker_configs(config.node_id))
}
