//! The settings that transactions obey, typed (`TransactionStateManagerConfig`, `TransactionLogConfig`,
//! `AddPartitionsToTxnConfig`).
//!
//! They are read from [`Settings`], so dynamic settings of brokers count. Kafka relates none of them to another at the
//! start. The two of `producer.id.expiration` belong to each log and are not here.

use super::settings::Settings;
use std::time::Duration;

/// The broker's settings that hold for all transactions, and for the topic that they are kept in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransactionSettings {
    /// `transaction.max.timeout.ms`: the longest that a producer may ask for.
    pub max_timeout: Duration,
    /// `transactional.id.expiration.ms`
    pub id_expiration: Duration,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`
    pub abort_interval: Duration,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`
    pub expiration_interval: Duration,
    /// `transaction.two.phase.commit.enable` (KIP-939)
    pub two_phase_commit: bool,
    /// `transaction.partition.verification.enable`; what Produce 12 and later adds is added in any case.
    pub verifies_partitions: bool,
    /// `add.partitions.to.txn.retry.backoff.max.ms`: how long such a produce goes on asking; no longer than
    /// `request.timeout.ms`.
    pub add_timeout: Duration,
    /// `transaction.state.log.num.partitions`
    pub topic_partitions: i32,
    /// `transaction.state.log.replication.factor`
    pub topic_replication_factor: i16,
    /// `transaction.state.log.min.isr`
    pub topic_min_insync_replicas: i32,
    /// `transaction.state.log.segment.bytes`
    pub topic_segment_bytes: i32,
}

impl TransactionSettings {
    pub fn resolve(settings: &Settings<'_>) -> TransactionSettings {
        let millis = |name: &str| Duration::from_millis(settings.size(name).into());
        TransactionSettings {
            max_timeout: millis("transaction.max.timeout.ms"),
            id_expiration: millis("transactional.id.expiration.ms"),
            abort_interval: millis("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
            expiration_interval: millis("transaction.remove.expired.transaction.cleanup.interval.ms"),
            two_phase_commit: settings.boolean("transaction.two.phase.commit.enable"),
            verifies_partitions: settings.boolean("transaction.partition.verification.enable"),
            add_timeout: millis("add.partitions.to.txn.retry.backoff.max.ms").min(millis("request.timeout.ms")),
            topic_partitions: settings.int("transaction.state.log.num.partitions"),
            topic_replication_factor: settings.int("transaction.state.log.replication.factor") as i16,
            topic_min_insync_replicas: settings.int("transaction.state.log.min.isr"),
            topic_segment_bytes: settings.int("transaction.state.log.segment.bytes"),
        }
    }
}

/// The settings of a broker that was told nothing.
impl Default for TransactionSettings {
    fn default() -> TransactionSettings {
        TransactionSettings::resolve(&Settings::of_nothing())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::{load, map};
    use std::collections::BTreeMap;

    #[test]
    fn a_broker_that_is_told_nothing_has_kafkas_defaults() {
        let expected = TransactionSettings {
            max_timeout: Duration::from_secs(15 * 60),
            id_expiration: Duration::from_secs(7 * 24 * 60 * 60),
            abort_interval: Duration::from_secs(10),
            expiration_interval: Duration::from_secs(60 * 60),
            two_phase_commit: false,
            verifies_partitions: true,
            add_timeout: Duration::from_millis(100),
            topic_partitions: 50,
            topic_replication_factor: 3,
            topic_min_insync_replicas: 2,
            topic_segment_bytes: 100 << 20,
        };
        assert_eq!(TransactionSettings::default(), expected);
    }

    /// None of them is without effect, so the start has nothing to say.
    #[test]
    fn every_setting_is_typed() {
        let (config, notices) = load(&[
            ("transaction.max.timeout.ms", "1"),
            ("transactional.id.expiration.ms", "2"),
            ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "3"),
            ("transaction.remove.expired.transaction.cleanup.interval.ms", "4"),
            ("transaction.two.phase.commit.enable", "true"),
            ("transaction.partition.verification.enable", "false"),
            ("add.partitions.to.txn.retry.backoff.max.ms", "60000"),
            ("request.timeout.ms", "6"),
            ("transaction.state.log.num.partitions", "7"),
            ("transaction.state.log.replication.factor", "8"),
            ("transaction.state.log.min.isr", "9"),
            ("transaction.state.log.segment.bytes", "10"),
        ])
        .unwrap();
        assert_eq!(notices, []);
        let none = BTreeMap::new();
        let expected = TransactionSettings {
            max_timeout: Duration::from_millis(1),
            id_expiration: Duration::from_millis(2),
            abort_interval: Duration::from_millis(3),
            expiration_interval: Duration::from_millis(4),
            two_phase_commit: true,
            verifies_partitions: false,
            add_timeout: Duration::from_millis(6),
            topic_partitions: 7,
            topic_replication_factor: 8,
            topic_min_insync_replicas: 9,
            topic_segment_bytes: 10,
        };
        assert_eq!(TransactionSettings::resolve(&config.settings(&none, &none)), expected);
        // Only the verification may be changed while the broker runs.
        let dynamic =
            map(&[("transaction.partition.verification.enable", "true"), ("transaction.max.timeout.ms", "77")]);
        let changed = TransactionSettings { verifies_partitions: true, ..expected };
        assert_eq!(TransactionSettings::resolve(&config.settings(&dynamic, &none)), changed);
    }

    #[test]
    fn values_out_of_range_stop_the_start() {
        for key in [
            "transaction.max.timeout.ms",
            "transactional.id.expiration.ms",
            "transaction.abort.timed.out.transaction.cleanup.interval.ms",
            "transaction.remove.expired.transaction.cleanup.interval.ms",
            "add.partitions.to.txn.retry.backoff.ms",
            "transaction.state.log.num.partitions",
            "transaction.state.log.replication.factor",
            "transaction.state.log.min.isr",
            "transaction.state.log.segment.bytes",
        ] {
            assert_eq!(load(&[(key, "0")]).unwrap_err().reason, "Value must be at least 1", "{key}");
        }
        let key = "add.partitions.to.txn.retry.backoff.max.ms";
        assert_eq!(load(&[(key, "-1")]).unwrap_err().reason, "Value must be at least 0");
        // Kafka allows any; a negative one leaves no time.
        let (config, _) = load(&[("request.timeout.ms", "-1")]).unwrap();
        let none = BTreeMap::new();
        assert_eq!(TransactionSettings::resolve(&config.settings(&none, &none)).add_timeout, Duration::ZERO);
    }
}
