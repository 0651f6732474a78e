//! The known configuration keys: looking one up, its synonyms, the nearest name to an unknown one.
//!
//! The tables are constant; nothing is built at start. Those of brokers and topics are sorted by name. Knows no values that are set.

use super::broker_table::BROKER;
use super::group_table::GROUP;
use super::topic_table::TOPIC;
use super::value::{self, Type, Valid, Value};

/// What setting a key does in Klamm today.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// The broker acts on it.
    Effective,
    /// It has no meaning here and never will, by design: sizes of thread pools, purgatories, a quorum of others.
    NoEffect,
    /// Known, checked, answered by DescribeConfigs, but nothing acts on it yet: what it changes is done another way.
    NotYet,
    /// It speaks about TLS or SASL: without a listener that has either, Kafka ignores it, too.
    OfSecureListeners,
    /// It protects, and nothing acts on it yet: where it asks for something, the start stops, with these words.
    OpensDoor(&'static str),
    /// It protects in a way that is not done here: where it asks for something, the start stops, with these words.
    Refused(&'static str),
    /// Without it data would be out of reach or in two places: where it asks for something, the start stops, with these
    /// words.
    SplitsData(&'static str),
}

/// `DynamicBrokerConfig`: whether and where a running broker's value may be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    ReadOnly,
    PerBroker,
    ClusterWide,
}

/// One broker configuration.
#[derive(Debug)]
pub struct Broker {
    pub name: &'static str,
    pub kind: Type,
    /// `None` is Java's null, or no default at all.
    pub default: Option<&'static str>,
    pub valid: Valid,
    pub mode: Mode,
    pub effect: Effect,
    /// Kafka shows it only where it is set.
    pub internal: bool,
}

/// One topic configuration.
#[derive(Debug)]
pub struct Topic {
    pub name: &'static str,
    pub kind: Type,
    pub default: Option<&'static str>,
    pub valid: Valid,
    pub internal: bool,
    pub effect: Effect,
    /// Broker keys that stand in for it, by precedence, each with the factor from its unit to the topic's.
    pub synonyms: &'static [(&'static str, i64)],
}

/// One configuration of groups.
#[derive(Debug)]
pub struct Group {
    pub name: &'static str,
    pub kind: Type,
    pub default: &'static str,
    pub valid: Valid,
    /// The broker key that stands in for it.
    pub synonym: Option<&'static str>,
    pub effect: Effect,
    /// Kafka shows it only where it is set.
    pub internal: bool,
}

pub(super) const fn key(
    name: &'static str,
    kind: Type,
    default: Option<&'static str>,
    valid: Valid,
    mode: Mode,
    effect: Effect,
) -> Broker {
    Broker { name, kind, default, valid, mode, effect, internal: false }
}

pub(super) const fn internal(
    name: &'static str,
    kind: Type,
    default: Option<&'static str>,
    valid: Valid,
    mode: Mode,
    effect: Effect,
) -> Broker {
    Broker { name, kind, default, valid, mode, effect, internal: true }
}

pub(super) const fn topic(
    name: &'static str,
    kind: Type,
    default: Option<&'static str>,
    valid: Valid,
    internal: bool,
    effect: Effect,
    synonyms: &'static [(&'static str, i64)],
) -> Topic {
    Topic { name, kind, default, valid, internal, effect, synonyms }
}

pub(super) const fn group(
    name: &'static str,
    kind: Type,
    default: &'static str,
    valid: Valid,
    synonym: Option<&'static str>,
    effect: Effect,
) -> Group {
    Group { name, kind, default, valid, synonym, effect, internal: false }
}

pub(super) const fn internal_group(
    name: &'static str,
    kind: Type,
    default: &'static str,
    valid: Valid,
    synonym: Option<&'static str>,
    effect: Effect,
) -> Group {
    Group { name, kind, default, valid, synonym, effect, internal: true }
}

impl Broker {
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        value::parse(text, self.kind, self.valid)
    }

    pub fn is_sensitive(&self) -> bool {
        self.kind == Type::Password
    }

    /// What a user may read of this text.
    pub fn shown<'t>(&self, text: &'t str) -> &'t str {
        if self.is_sensitive() { "[hidden]" } else { text }
    }
}

impl Topic {
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        value::parse(text, self.kind, self.valid)
    }
}

impl Group {
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        value::parse(text, self.kind, self.valid)
    }
}

/// All broker configurations, sorted by name.
pub fn broker_all() -> &'static [Broker] {
    BROKER
}

/// All topic configurations, sorted by name.
pub fn topic_all() -> &'static [Topic] {
    TOPIC
}

/// All configurations of groups, in Kafka's order.
pub fn group_all() -> &'static [Group] {
    GROUP
}

pub fn group_named(name: &str) -> Option<&'static Group> {
    GROUP.iter().find(|d| d.name == name)
}

/// The short name of a server-side assignor of consumer groups, which may be given as the name of Kafka's class.
pub(super) fn consumer_assignor(name: &str) -> Option<&'static str> {
    match name.strip_prefix("org.apache.kafka.coordinator.group.assignor.").unwrap_or(name) {
        "uniform" | "UniformAssignor" => Some("uniform"),
        "range" | "RangeAssignor" => Some("range"),
        _ => None,
    }
}

pub fn broker(name: &str) -> Option<&'static Broker> {
    BROKER.binary_search_by(|d| d.name.cmp(name)).ok().map(|at| &BROKER[at])
}

pub fn topic_named(name: &str) -> Option<&'static Topic> {
    TOPIC.binary_search_by(|d| d.name.cmp(name)).ok().map(|at| &TOPIC[at])
}

/// The value that holds without any setting, where Kafka demands one and Klamm does not.
pub fn own_default(name: &str) -> Option<&'static str> {
    match name {
        "node.id" => Some("1"),
        "process.roles" => Some("broker,controller"),
        _ => None,
    }
}

/// Keys that express one setting in several units, by precedence (`DynamicBrokerConfig.brokerConfigSynonyms`); empty
/// where a key stands alone.
pub fn unit_synonyms(name: &str) -> &'static [&'static str] {
    match name {
        "log.roll.ms" | "log.roll.hours" => &["log.roll.ms", "log.roll.hours"],
        "log.roll.jitter.ms" | "log.roll.jitter.hours" => &["log.roll.jitter.ms", "log.roll.jitter.hours"],
        "log.retention.ms" | "log.retention.minutes" | "log.retention.hours" => {
            &["log.retention.ms", "log.retention.minutes", "log.retention.hours"]
        }
        "log.flush.interval.ms" => &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
        _ => &[],
    }
}

/// The key that a `listener.name.<listener>.<key>` or `listener.name.<listener>.<mechanism>.<key>` setting overrides.
pub fn listener_override(name: &str) -> Option<&'static Broker> {
    let (_, mut rest) = name.strip_prefix("listener.name.")?.split_once('.')?;
    if let Some(found) = broker(rest) {
        return Some(found);
    }
    rest = rest.split_once('.')?.1;
    broker(rest)
}

/// The known broker key that looks most like `name`, if one is near enough to be meant.
pub fn nearest(name: &str) -> Option<&'static str> {
    /// Two slips in a short name, more in a long one.
    const LETTERS_PER_SLIP: usize = 5;
    let limit = (name.len() / LETTERS_PER_SLIP).clamp(2, 6);
    if name.len() > BROKER.iter().map(|d| d.name.len()).max().unwrap_or(0) + limit {
        return None;
    }
    let distances = BROKER.iter().map(|d| (edit_distance(name, d.name), d.name));
    distances.min().filter(|(distance, _)| *distance <= limit).map(|(_, found)| found)
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::group_table::BOUNDS;

    #[test]
    fn tables_are_sorted_and_their_defaults_valid() {
        assert!(BROKER.is_sorted_by(|a, b| a.name < b.name));
        assert!(TOPIC.is_sorted_by(|a, b| a.name < b.name));
        for d in BROKER {
            let default = d.default.map(|text| d.parse(text).map(|v| v.to_string()));
            assert_eq!(default.transpose().as_ref().map(|v| v.as_deref()), Ok(d.default), "{}", d.name);
        }
        for d in TOPIC {
            let default = d.default.map(|text| d.parse(text).map(|v| v.to_string()));
            assert_eq!(default.transpose().as_ref().map(|v| v.as_deref()), Ok(d.default), "{}", d.name);
            for (synonym, _) in d.synonyms {
                assert!(broker(synonym).is_some(), "{synonym}");
            }
        }
    }

    #[test]
    fn groups_have_the_defaults_of_their_brokers() {
        for d in GROUP {
            assert_eq!(d.parse(d.default).map(|v| v.to_string()).as_deref(), Ok(d.default), "{}", d.name);
            let synonym = d.synonym.map(|name| broker(name).expect(name));
            assert!(synonym.is_none_or(|b| b.default == Some(d.default)), "{}", d.name);
        }
        for bounds in BOUNDS {
            assert!(group_named(bounds.key).is_some(), "{}", bounds.key);
            assert!(
                [bounds.min, bounds.max].into_iter().flatten().all(|name| broker(name).is_some()),
                "{}",
                bounds.key
            );
        }
    }

    #[test]
    fn a_slip_finds_the_key_that_was_meant() {
        assert_eq!(nearest("log.dir.s"), Some("log.dirs"));
        assert_eq!(nearest("advertised.listener"), Some("advertised.listeners"));
        assert_eq!(nearest("auto.create.topic.enable"), Some("auto.create.topics.enable"));
        assert_eq!(nearest("completely.unrelated.words"), None);
        assert_eq!(nearest(&"x".repeat(100_000)), None);
    }

    #[test]
    fn listener_prefixes_name_their_key() {
        let name = |n: &str| listener_override(n).map(|d| d.name);
        assert_eq!(name("listener.name.external.ssl.keystore.type"), Some("ssl.keystore.type"));
        assert_eq!(name("listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config"), Some("sasl.jaas.config"));
        assert_eq!(name("listener.name.external.nothing"), None);
    }
}
