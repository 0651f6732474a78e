//! What a topic's configuration means for its log and for what is accepted into it.

use crate::config::{CompressionConfig, Settings, TopicConfig};
use crate::model::CompressionType;
use crate::record::builder::Codec;
use crate::record::validate::Rules;
use crate::storage::cleaner::Policy;
use crate::storage::log::{LogConfig, RetentionConfig};

pub fn log_config(topic: &TopicConfig, settings: &Settings<'_>) -> LogConfig {
    LogConfig {
        segment_bytes: topic.segment_bytes.into(),
        segment_ms: max_segment_ms(topic),
        segment_jitter_ms: topic.segment_jitter_ms,
        segment_index_bytes: topic.segment_index_bytes.into(),
        index_interval_bytes: topic.index_interval_bytes.into(),
        preallocate: topic.preallocate,
        flush_messages: topic.flush_messages,
        flush_ms: topic.flush_ms,
        producer_id_expiration_ms: settings.long("producer.id.expiration.ms"),
        copy_max_bytes: settings.size("klamm.copy.max.bytes") as usize,
    }
}

/// A segment that is written to is never compacted: it must end before the time by which its records must be
/// (`LogConfig.maxSegmentMs`).
fn max_segment_ms(topic: &TopicConfig) -> i64 {
    if topic.cleanup_compact { topic.segment_ms.min(topic.max_compaction_lag_ms) } else { topic.segment_ms }
}

pub fn retention(topic: &TopicConfig) -> RetentionConfig {
    RetentionConfig {
        delete: topic.cleanup_delete,
        retention_ms: topic.retention_ms,
        retention_bytes: topic.retention_bytes,
    }
}

pub fn compaction(topic: &TopicConfig) -> Policy {
    Policy {
        delete_retention_ms: topic.delete_retention_ms,
        min_compaction_lag_ms: topic.min_compaction_lag_ms,
        max_compaction_lag_ms: topic.max_compaction_lag_ms,
        min_cleanable_dirty_ratio: topic.min_cleanable_dirty_ratio,
    }
}

pub fn rules(topic: &TopicConfig) -> Rules {
    Rules {
        max_message_bytes: topic.max_message_bytes as usize,
        segment_bytes: topic.segment_bytes as usize,
        timestamp_type: topic.message_timestamp_type,
        timestamp_before_max_ms: topic.message_timestamp_before_max_ms,
        timestamp_after_max_ms: topic.message_timestamp_after_max_ms,
        compacted: topic.cleanup_compact,
        codec: codec(topic),
        max_decompressed_message_bytes: topic.max_decompressed_message_bytes as usize,
        ..Rules::default()
    }
}

fn codec(topic: &TopicConfig) -> Option<Codec> {
    let CompressionConfig::Fixed(kind) = topic.compression else { return None };
    let level = match kind {
        CompressionType::Gzip => Some(topic.compression_gzip_level),
        CompressionType::Lz4 => Some(topic.compression_lz4_level),
        CompressionType::Zstd => Some(topic.compression_zstd_level),
        CompressionType::None | CompressionType::Snappy => None,
    };
    Some(Codec { kind, level })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Layers};
    use std::collections::BTreeMap;

    fn segment_ms(policy: &str) -> i64 {
        let layers = Layers::default();
        let config = Config::load(&layers).unwrap().0;
        let overrides = [("cleanup.policy", policy), ("segment.ms", "5000"), ("max.compaction.lag.ms", "300")];
        let overrides = overrides.map(|(name, value)| (name.to_string(), value.to_string())).into();
        let nothing = BTreeMap::new();
        let settings = config.settings(&nothing, &nothing);
        log_config(&TopicConfig::resolve(&settings, &overrides), &settings).segment_ms
    }

    #[test]
    fn records_that_must_be_compacted_soon_do_not_wait_in_the_active_segment() {
        assert_eq!(["delete", "compact", "compact,delete"].map(segment_ms), [5000, 300, 300]);
    }
}
