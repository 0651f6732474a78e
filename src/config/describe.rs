//! What DescribeConfigs answers about a topic, a group or the broker: value, source, type and synonyms by precedence.
//!
//! Follows Kafka's `ConfigHelper`: all keys that are not internal, plus everything that was set; passwords and values
//! of unknown type are never shown. The documentation is our own (`documentation`).

use super::definitions::{self, Broker, Group, Mode};
use super::documentation;
use super::group_rules;
use super::settings::{self, Settings};
use super::topic;
use super::value::{Type, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// `DescribeConfigsResponse.ConfigSource`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    DynamicTopic = 1,
    DynamicBroker = 2,
    DynamicDefaultBroker = 3,
    StaticBroker = 4,
    Default = 5,
    ClientMetrics = 7,
    DynamicGroup = 8,
}

/// One line of the answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub name: String,
    pub value: Option<String>,
    pub source: Source,
    /// `None` for keys that neither Kafka nor Klamm has.
    pub kind: Option<Type>,
    pub is_sensitive: bool,
    pub read_only: bool,
    /// The places of a value by their precedence: the first one is where the value comes from.
    pub synonyms: Vec<Synonym>,
    pub documentation: Option<Cow<'static, str>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Synonym {
    pub name: String,
    pub value: Option<String>,
    pub source: Source,
}

/// All configurations of a topic with these overrides, sorted by name.
pub fn describe_topic(settings: &Settings<'_>, overrides: &BTreeMap<String, String>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for definition in definitions::topic_all() {
        if definition.internal && !overrides.contains_key(definition.name) {
            continue;
        }
        let value = topic::effective(settings, overrides, definition).map(|v| v.to_string());
        let mut synonyms = Vec::new();
        if overrides.contains_key(definition.name) {
            let name = definition.name.to_string();
            synonyms.push(Synonym { name, value: value.clone(), source: Source::DynamicTopic });
        }
        if let Some((broker_name, _)) = definition.synonyms.first() {
            synonyms.extend(broker_synonyms(settings, broker_name, false));
        }
        entries.push(Entry {
            name: definition.name.to_string(),
            value,
            source: source_of(&synonyms),
            kind: Some(definition.kind),
            is_sensitive: false,
            read_only: false,
            synonyms,
            documentation: documentation::of_topic(definition.name),
        });
    }
    entries
}

/// All configurations of a group with these overrides, sorted by name: also of one that does not exist. Values are shown
/// as they were set, even where the broker's bounds have moved since.
pub fn describe_group(settings: &Settings<'_>, overrides: &BTreeMap<String, String>) -> Vec<Entry> {
    let is_shown = |d: &&Group| !d.internal || overrides.contains_key(d.name);
    let known = definitions::group_all().iter().filter(is_shown).map(|d| group_entry(settings, overrides, d));
    let is_unknown = |name: &&String| definitions::group_named(name).is_none();
    let unknown = overrides.keys().filter(is_unknown).map(|name| Entry {
        name: name.clone(),
        value: None,
        source: Source::DynamicGroup,
        kind: None,
        is_sensitive: true,
        read_only: false,
        synonyms: vec![Synonym { name: name.clone(), value: None, source: Source::DynamicGroup }],
        documentation: None,
    });
    let mut entries: Vec<Entry> = known.chain(unknown).collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

fn group_entry(settings: &Settings<'_>, overrides: &BTreeMap<String, String>, definition: &Group) -> Entry {
    let name = definition.name.to_string();
    let value = group_rules::effective(settings, overrides, definition.name).map(|value| value.to_string());
    let mut synonyms = Vec::new();
    if overrides.contains_key(definition.name) {
        synonyms.push(Synonym { name: name.clone(), value: value.clone(), source: Source::DynamicGroup });
    }
    match definition.synonym {
        Some(broker_name) => synonyms.extend(broker_synonyms(settings, broker_name, false)),
        None => synonyms.push(Synonym {
            name: name.clone(),
            value: Some(definition.default.to_string()),
            source: Source::Default,
        }),
    }
    let (source, kind) = (source_of(&synonyms), Some(definition.kind));
    let documentation = documentation::of_group(definition.name);
    Entry { name, value, source, kind, is_sensitive: false, read_only: false, synonyms, documentation }
}

/// All configurations of this broker, sorted by name.
pub fn describe_broker(settings: &Settings<'_>) -> Vec<Entry> {
    let mut names: Vec<&str> = definitions::broker_all().iter().filter(|d| !d.internal).map(|d| d.name).collect();
    names.extend(settings.names());
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| broker_entry(settings, name)).collect()
}

/// The cluster-wide dynamic defaults (the broker resource without a name), sorted by name.
pub fn describe_broker_defaults(settings: &Settings<'_>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for name in settings.dynamic_default.keys().filter(|name| settings::is_dynamic(name)) {
        let mut entry = broker_entry(settings, name);
        entry.synonyms.retain(|s| s.source == Source::DynamicDefaultBroker);
        entry.source = Source::DynamicDefaultBroker;
        entry.value = settings.dynamic_default.get(name).filter(|_| !entry.is_sensitive).cloned();
        entries.push(entry);
    }
    entries
}

fn broker_entry(settings: &Settings<'_>, name: &str) -> Entry {
    let definition = definitions::broker(name);
    let typed_by = definition.or_else(|| definitions::listener_override(name));
    let is_sensitive = typed_by.is_none_or(Broker::is_sensitive);
    let value = if is_sensitive { None } else { shown_value(settings, name, typed_by) };
    let synonyms = broker_synonyms(settings, name, is_sensitive);
    Entry {
        name: name.to_string(),
        value,
        source: source_of(&synonyms),
        kind: typed_by.map(|d| d.kind),
        is_sensitive,
        read_only: definition.is_none_or(|d| d.mode == Mode::ReadOnly),
        synonyms,
        documentation: documentation::of_broker(name),
    }
}

fn shown_value(settings: &Settings<'_>, name: &str, definition: Option<&Broker>) -> Option<String> {
    // Kafka's two names of one setting; where neither is set, Klamm has a node id all the same.
    let id = if name == "broker.id" { "node.id" } else { name };
    let own = || settings.value(id).map(|value: Value| value.to_string());
    let overridden = || definition.and_then(|d| d.parse(settings.raw(name)?).ok()).map(|value| value.to_string());
    own().or_else(overridden)
}

/// The settings that `name` stands for, by precedence. What stands before the first one that carries the name itself
/// belongs to other names and is left out, as Kafka leaves it out.
fn broker_synonyms(settings: &Settings<'_>, name: &str, is_sensitive: bool) -> Vec<Synonym> {
    let units = definitions::unit_synonyms(name);
    let mut names = if units.is_empty() { vec![name] } else { units.to_vec() };
    names.extend(definitions::listener_override(name).map(|d| d.name));
    let layers = [
        (settings.dynamic_broker, Source::DynamicBroker),
        (settings.dynamic_default, Source::DynamicDefaultBroker),
        (settings.statics, Source::StaticBroker),
    ];
    let shown = |text: &str| (!is_sensitive).then(|| text.to_string());
    let mut synonyms = Vec::new();
    for (layer, source) in layers {
        let may_set = |n: &&&str| source == Source::StaticBroker || settings::is_dynamic(n);
        let set = names.iter().filter(may_set).filter_map(|n| Some((*n, layer.get(*n)?)));
        synonyms.extend(set.map(|(n, text)| Synonym { name: n.to_string(), value: shown(text), source }));
    }
    let defaults = names.iter().filter_map(|n| Some((*n, definitions::broker(n)?.default?)));
    synonyms.extend(defaults.map(|(n, text)| Synonym {
        name: n.to_string(),
        value: shown(text),
        source: Source::Default,
    }));
    let own = synonyms.iter().position(|s| s.name == name).unwrap_or(synonyms.len());
    synonyms.split_off(own)
}

fn source_of(synonyms: &[Synonym]) -> Source {
    synonyms.first().map_or(Source::Default, |s| s.source)
}
