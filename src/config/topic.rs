//! The configuration of one topic: overrides over the broker's settings over defaults, checked and typed.
//!
//! [`validate_topic`] is for what users send; [`TopicConfig::resolve`] is for what the metadata image holds and cannot
//! fail: an override that is no value of its type counts as not set.

use super::definitions::{self, Topic};
use super::settings::Settings;
use super::value::Value;
use super::{Invalid, definitions::topic_all};
use crate::model::{CompressionType, TimestampType};
use std::collections::BTreeMap;

/// `compression.type`: what is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompressionConfig {
    /// The broker stores a batch as the producer sent it.
    Producer,
    /// The broker recompresses a batch whose producer chose something else.
    Fixed(CompressionType),
}

/// The configuration that holds for a topic now.
#[derive(Clone, PartialEq, Debug)]
pub struct TopicConfig {
    pub cleanup_compact: bool,
    pub cleanup_delete: bool,
    pub compression: CompressionConfig,
    pub compression_gzip_level: i32,
    pub compression_lz4_level: i32,
    pub compression_zstd_level: i32,
    pub delete_retention_ms: i64,
    pub file_delete_delay_ms: i64,
    pub flush_messages: i64,
    pub flush_ms: i64,
    pub index_interval_bytes: u32,
    pub max_compaction_lag_ms: i64,
    pub max_decompressed_message_bytes: u32,
    pub max_message_bytes: u32,
    pub message_timestamp_after_max_ms: i64,
    pub message_timestamp_before_max_ms: i64,
    pub message_timestamp_type: TimestampType,
    pub min_cleanable_dirty_ratio: f64,
    pub min_compaction_lag_ms: i64,
    pub min_insync_replicas: i32,
    pub preallocate: bool,
    pub retention_bytes: i64,
    /// -1 is no limit.
    pub retention_ms: i64,
    pub segment_bytes: u32,
    pub segment_index_bytes: u32,
    pub segment_jitter_ms: i64,
    pub segment_ms: i64,
    pub unclean_leader_election_enable: bool,
}

/// Overrides with the broker's settings behind them.
struct Values<'a> {
    settings: &'a Settings<'a>,
    overrides: &'a BTreeMap<String, String>,
}

impl Values<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        let definition = definitions::topic_named(name)?;
        effective(self.settings, self.overrides, definition)
    }

    fn boolean(&self, name: &str) -> bool {
        matches!(self.value(name), Some(Value::Boolean(true)))
    }

    fn long(&self, name: &str) -> i64 {
        match self.value(name) {
            Some(Value::Int(number)) => number,
            _ => 0,
        }
    }

    fn int(&self, name: &str) -> i32 {
        self.long(name).clamp(i32::MIN.into(), i32::MAX.into()) as i32
    }

    fn size(&self, name: &str) -> u32 {
        self.int(name).max(0) as u32
    }

    fn has(&self, name: &str, item: &str) -> bool {
        matches!(self.value(name), Some(Value::List(items)) if items.iter().any(|i| i == item))
    }

    fn compression(&self) -> CompressionConfig {
        use CompressionType::*;
        match self.value("compression.type").map(|value| value.to_string()).as_deref() {
            Some("uncompressed") => CompressionConfig::Fixed(None),
            Some("gzip") => CompressionConfig::Fixed(Gzip),
            Some("snappy") => CompressionConfig::Fixed(Snappy),
            Some("lz4") => CompressionConfig::Fixed(Lz4),
            Some("zstd") => CompressionConfig::Fixed(Zstd),
            _ => CompressionConfig::Producer,
        }
    }

    fn timestamp_type(&self) -> TimestampType {
        match self.value("message.timestamp.type") {
            Some(Value::Text(text)) if text == "LogAppendTime" => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        }
    }

    fn ratio(&self) -> f64 {
        match self.value("min.cleanable.dirty.ratio") {
            Some(Value::Double(ratio)) => ratio,
            _ => 0.5,
        }
    }

    /// `internal.segment.bytes` has no lower bound: Kafka's tests, and ours, make small segments with it.
    fn segment_bytes(&self) -> u32 {
        match self.value("internal.segment.bytes") {
            Some(Value::Int(bytes)) if bytes > 0 => bytes.min(i32::MAX.into()) as u32,
            _ => self.size("segment.bytes"),
        }
    }
}

/// The value that holds for one topic configuration; `None` is Kafka's null.
pub(super) fn effective(
    settings: &Settings<'_>,
    overrides: &BTreeMap<String, String>,
    definition: &Topic,
) -> Option<Value> {
    let overridden = overrides.get(definition.name).and_then(|text| definition.parse(text).ok());
    let own_default = || definition.default.and_then(|text| definition.parse(text).ok());
    overridden.or_else(|| from_broker(settings, definition)).or_else(own_default)
}

fn from_broker(settings: &Settings<'_>, definition: &Topic) -> Option<Value> {
    let mut synonyms = definition.synonyms.iter();
    let (value, factor) = synonyms.find_map(|(name, factor)| Some((settings.value(name)?, *factor)))?;
    Some(match value {
        // Any negative retention means "for ever" (`KafkaConfig.logRetentionTimeMillis`).
        Value::Int(number) if definition.name == "retention.ms" && number < 0 => Value::Int(-1),
        Value::Int(number) => Value::Int(number.saturating_mul(factor)),
        other => other,
    })
}

impl TopicConfig {
    pub fn resolve(settings: &Settings<'_>, overrides: &BTreeMap<String, String>) -> TopicConfig {
        let v = Values { settings, overrides };
        TopicConfig {
            cleanup_compact: v.has("cleanup.policy", "compact"),
            cleanup_delete: v.has("cleanup.policy", "delete"),
            compression: v.compression(),
            compression_gzip_level: v.int("compression.gzip.level"),
            compression_lz4_level: v.int("compression.lz4.level"),
            compression_zstd_level: v.int("compression.zstd.level"),
            delete_retention_ms: v.long("delete.retention.ms"),
            file_delete_delay_ms: v.long("file.delete.delay.ms"),
            flush_messages: v.long("flush.messages"),
            flush_ms: v.long("flush.ms"),
            index_interval_bytes: v.size("index.interval.bytes"),
            max_compaction_lag_ms: v.long("max.compaction.lag.ms"),
            max_decompressed_message_bytes: v.size("max.decompressed.message.bytes"),
            max_message_bytes: v.size("max.message.bytes"),
            message_timestamp_after_max_ms: v.long("message.timestamp.after.max.ms"),
            message_timestamp_before_max_ms: v.long("message.timestamp.before.max.ms"),
            message_timestamp_type: v.timestamp_type(),
            min_cleanable_dirty_ratio: v.ratio(),
            min_compaction_lag_ms: v.long("min.compaction.lag.ms"),
            min_insync_replicas: v.int("min.insync.replicas"),
            preallocate: v.boolean("preallocate"),
            retention_bytes: v.long("retention.bytes"),
            retention_ms: v.long("retention.ms"),
            segment_bytes: v.segment_bytes(),
            segment_index_bytes: v.size("segment.index.bytes"),
            segment_jitter_ms: v.long("segment.jitter.ms"),
            segment_ms: v.long("segment.ms"),
            unclean_leader_election_enable: v.boolean("unclean.leader.election.enable"),
        }
    }
}

/// Whether these overrides may be given to a topic. The error is the message that goes with INVALID_CONFIG
/// (`LogConfig.validate`).
pub fn validate_topic(settings: &Settings<'_>, overrides: &BTreeMap<String, String>) -> Result<(), String> {
    if let Some(unknown) = overrides.keys().find(|name| definitions::topic_named(name).is_none()) {
        return Err(format!("Unknown topic config name: {unknown}"));
    }
    for definition in topic_all() {
        if let Some(text) = overrides.get(definition.name) {
            let refused = |reason| Invalid::new(definition.name, text, reason).to_string();
            definition.parse(text).map_err(refused)?;
        }
    }
    if is_tiered(overrides) {
        let disabled = "Tiered Storage functionality is disabled in the broker.";
        return Err(format!("{disabled} Topic cannot be configured with remote log storage."));
    }
    check_compaction_lags(&TopicConfig::resolve(settings, overrides)).map_err(|invalid| invalid.reason)
}

/// Whether a topic with these overrides keeps data in tiered storage.
pub fn is_tiered(overrides: &BTreeMap<String, String>) -> bool {
    let (settings, key) = (Settings::of_nothing(), "remote.storage.enable");
    Values { settings: &settings, overrides }.boolean(key)
}

pub(super) fn check_compaction_lags(config: &TopicConfig) -> Result<(), Invalid> {
    let (min, max) = (config.min_compaction_lag_ms, config.max_compaction_lag_ms);
    if min <= max {
        return Ok(());
    }
    let reason = format!("conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})");
    Err(Invalid::new("log.cleaner.min.compaction.lag.ms", min.to_string(), reason))
}
