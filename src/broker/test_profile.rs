//! How a broker for tests differs from one for production: the settings, each with the reason. What is not here is as Kafka has
//! it. The same table is applied and shown (`klamm test --explain`).

/// One setting that is not as it would be without the profile.
pub struct Deviation {
    pub key: &'static str,
    pub value: &'static str,
    pub reason: &'static str,
}

const fn deviation(key: &'static str, value: &'static str, reason: &'static str) -> Deviation {
    Deviation { key, value, reason }
}

/// All of them.
pub const PROFILE: &[Deviation] = &[
    deviation("group.initial.rebalance.delay.ms", "0", "a group's first member need not wait for others"),
    deviation("group.min.session.timeout.ms", "1", "tests of members that vanish ask for short sessions"),
    deviation("group.consumer.min.session.timeout.ms", "1", "the same for the consumer protocol"),
    deviation("group.consumer.heartbeat.interval.ms", "100", "a rebalance takes a few heartbeats of its members"),
    deviation("group.consumer.min.heartbeat.interval.ms", "10", "tests may ask for shorter ones"),
    deviation("offsets.topic.num.partitions", "1", "one coordinator is made and loaded at once"),
    deviation("offsets.topic.replication.factor", "1", "there is one broker"),
    deviation("transaction.state.log.num.partitions", "1", "one coordinator is made and loaded at once"),
    deviation("transaction.state.log.replication.factor", "1", "there is one broker"),
    deviation("transaction.state.log.min.isr", "1", "there is one broker"),
    deviation("log.retention.check.interval.ms", "1000", "tests of retention see it work"),
    deviation("log.initial.task.delay.ms", "1000", "the same right after the start"),
    deviation("log.cleaner.backoff.ms", "1000", "tests of compaction see it work"),
    deviation("log.cleaner.dedupe.buffer.size", "4194304", "what is compacted in a test has few keys"),
    deviation("log.segment.delete.delay.ms", "0", "no consumer of another broker reads what is deleted"),
    deviation("klamm.shards", "1", "one thread serves the clients of a test, and many brokers run side by side"),
    deviation("klamm.crypto.threads", "1", "the same for handshakes of TLS"),
    deviation("klamm.spin.us", "0", "a broker that rests leaves the processor to the test"),
    deviation("klamm.stop.grace.ms", "0", "clients of a test end before their broker"),
    deviation("klamm.stop.patience.ms", "0", "the clients of a test that has ended wait for no answer"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Layers, definitions};

    #[test]
    fn the_profile_is_a_valid_configuration_of_known_keys_that_differ() {
        for Deviation { key, value, reason } in PROFILE {
            let definition = definitions::broker(key).unwrap_or_else(|| panic!("{key} is no setting"));
            assert_ne!(definition.default, Some(*value), "{key}");
            assert!(!reason.is_empty() && !reason.ends_with('.'), "{key}");
        }
        let file = PROFILE.iter().map(|d| (d.key.to_string(), d.value.to_string())).collect();
        let (config, notices) = Config::load(&Layers { file, ..Layers::default() }).unwrap();
        assert_eq!(config.shards, Some(1));
        assert!(
            notices.iter().all(|notice| !notice.is_warning()),
            "{:?}",
            notices.iter().map(|n| n.to_string()).collect::<Vec<_>>()
        );
    }
}
