//! What settings of a broker must satisfy beyond their own types and ranges (`KafkaConfig.validateValues`), at the start
//! and while the broker runs. The sentences are Kafka's.

use super::Invalid;
use super::settings::Settings;
use super::value::Value;

pub(super) const REPLICA_SELECTOR: &str = "replica.selector.class";
const RACK_AWARE_SELECTOR: &str = "org.apache.kafka.common.replica.RackAwareReplicaSelector";

/// The least room of a cleaner's map of keys.
const LEAST_DEDUPE_BYTES: i64 = 1 << 20;

pub(super) fn check(settings: &Settings<'_>) -> Result<(), Invalid> {
    for (key, min) in [("log.roll.ms", 1), ("log.roll.jitter.ms", 0)] {
        let is_less = |value: &Value| matches!(value, Value::Int(number) if *number < min);
        if let Some(value) = settings.value(key).filter(is_less) {
            let reason = format!("{key} must be greater than or equal to {min}");
            return Err(Invalid::new(key, value.to_string(), reason));
        }
    }
    for key in ["log.retention.ms", "log.retention.minutes", "log.retention.hours"] {
        if settings.value(key) == Some(Value::Int(0)) {
            let reason = "log.retention.ms must be unlimited (-1) or, greater than or equal to 1";
            return Err(Invalid::new(key, "0", reason));
        }
    }
    let (key, longer) = ("connection.failed.authentication.delay.ms", "connections.max.idle.ms");
    let (delay, idle) = (settings.long(key), settings.long(longer));
    if idle >= 0 && delay >= idle {
        let reason = format!(
            "{key}={delay} should always be less than {longer}={idle} to prevent failed authentication responses from \
             timing out"
        );
        return Err(Invalid::new(key, delay.to_string(), reason));
    }
    let key = "log.cleaner.dedupe.buffer.size";
    let (bytes, threads) = (settings.long(key), settings.long("log.cleaner.threads").max(1));
    if bytes / threads <= LEAST_DEDUPE_BYTES {
        let reason = format!("{key} must be at least 1MB per cleaner thread.");
        return Err(Invalid::new(key, bytes.to_string(), reason));
    }
    if let Some(class) = settings.text(REPLICA_SELECTOR).filter(|class| class != RACK_AWARE_SELECTOR) {
        let reason = format!("only {RACK_AWARE_SELECTOR} is built in; classes are not loaded here");
        return Err(Invalid::new(REPLICA_SELECTOR, class, reason));
    }
    Ok(())
}
