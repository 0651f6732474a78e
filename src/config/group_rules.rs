//! Which settings of groups go together: of the broker at its start, of one group when a request alters it.
//!
//! The sentences and their order are those of `GroupCoordinatorConfig`, `ShareGroupConfig` and `GroupConfig.validateValues`.

use super::Invalid;
use super::definitions::{self, group_all, group_named};
use super::group_table::{BOUNDS, Bounds, SESSIONS};
use super::settings::Settings;
use super::value::{Type, Value};
use crate::model::CompressionType;
use std::collections::BTreeMap;

#[derive(Clone, Copy)]
enum Relation {
    AtLeast,
    AtMost,
    Above,
    Below,
}

use Relation::*;

impl Relation {
    fn holds(self, left: i64, right: i64) -> bool {
        match self {
            AtLeast => left >= right,
            AtMost => left <= right,
            Above => left > right,
            Below => left < right,
        }
    }

    fn words(self) -> &'static str {
        match self {
            AtLeast => "greater than or equal to",
            AtMost => "less than or equal to",
            Above => "greater than",
            Below => "less than",
        }
    }

    fn sentence(self, left: &str, right: &str) -> String {
        format!("{left} must be {} {right}", self.words())
    }
}

const STREAMS_ASSIGNOR: &str = "streams.assignor.name";
const RACK_TAGS: &str = "streams.rack.aware.assignment.tags";
const BROKER_RACK_TAGS: &str = "group.streams.rack.aware.assignment.tags";
const TAGS_TWICE: &str = "must not contain duplicate tag keys.";
const DEAD_LETTERS: &str = "errors.deadletterqueue.topic.name";

/// What must hold for the three kinds of groups that have server-side assignors; the names follow `group.<kind>.`.
const OF_EVERY_KIND: &[(&str, Relation, &str)] = &[
    ("max.heartbeat.interval.ms", AtLeast, "min.heartbeat.interval.ms"),
    ("heartbeat.interval.ms", AtLeast, "min.heartbeat.interval.ms"),
    ("heartbeat.interval.ms", AtMost, "max.heartbeat.interval.ms"),
    ("max.session.timeout.ms", AtLeast, "min.session.timeout.ms"),
    ("session.timeout.ms", AtLeast, "min.session.timeout.ms"),
    ("session.timeout.ms", AtMost, "max.session.timeout.ms"),
    ("heartbeat.interval.ms", Below, "session.timeout.ms"),
    ("max.assignment.interval.ms", AtLeast, "min.assignment.interval.ms"),
    ("assignment.interval.ms", AtLeast, "min.assignment.interval.ms"),
    ("assignment.interval.ms", AtMost, "max.assignment.interval.ms"),
];

const OF_STREAMS_GROUPS: &[(&str, Relation, &str)] = &[
    ("group.streams.num.standby.replicas", AtMost, "group.streams.max.standby.replicas"),
    ("group.streams.task.offset.interval.ms", AtLeast, "group.streams.min.task.offset.interval.ms"),
    ("group.streams.num.warmup.replicas", AtMost, "group.streams.max.warmup.replicas"),
];

const OF_SHARE_GROUPS: &[(&str, Relation, &str)] = &[
    ("group.share.max.delivery.count.limit", AtLeast, "group.share.delivery.count.limit"),
    ("group.share.delivery.count.limit", AtLeast, "group.share.min.delivery.count.limit"),
    ("group.share.max.partition.max.record.locks", AtLeast, "group.share.partition.max.record.locks"),
    ("group.share.partition.max.record.locks", AtLeast, "group.share.min.partition.max.record.locks"),
    ("group.share.record.lock.duration.ms", AtLeast, "group.share.min.record.lock.duration.ms"),
    ("group.share.max.record.lock.duration.ms", AtLeast, "group.share.record.lock.duration.ms"),
    ("group.share.max.share.sessions", AtLeast, "group.share.max.size"),
];

/// Whether the broker's settings of groups contradict each other.
pub(super) fn check_broker(settings: &Settings<'_>) -> Result<(), Invalid> {
    for kind in ["consumer", "share", "streams"] {
        for (left, relation, right) in OF_EVERY_KIND {
            check_pair(settings, &format!("group.{kind}.{left}"), *relation, &format!("group.{kind}.{right}"))?;
        }
    }
    for (left, relation, right) in OF_STREAMS_GROUPS {
        check_pair(settings, left, *relation, right)?;
    }
    // A list holds each item once, so that the text is looked at (`GroupCoordinatorConfig.rawRackAwareAssignmentTags`).
    let tags = settings.raw(BROKER_RACK_TAGS).unwrap_or_default();
    if has_twice(&rack_tags(tags)) {
        return Err(Invalid::new(BROKER_RACK_TAGS, tags, format!("{BROKER_RACK_TAGS} {TAGS_TWICE}")));
    }
    for (left, relation, right) in OF_SHARE_GROUPS {
        check_pair(settings, left, *relation, right)?;
    }
    check_lists(settings)?;
    let codec = settings.int("offsets.topic.compression.codec");
    if u8::try_from(codec).ok().and_then(CompressionType::from_id).is_none() {
        let reason = format!("Unknown compression type id: {codec}");
        return Err(Invalid::new("offsets.topic.compression.codec", codec.to_string(), reason));
    }
    Ok(())
}

fn check_pair(settings: &Settings<'_>, left: &str, relation: Relation, right: &str) -> Result<(), Invalid> {
    let value = settings.long(left);
    match relation.holds(value, settings.long(right)) {
        true => Ok(()),
        false => Err(Invalid::new(left, value.to_string(), relation.sentence(left, right))),
    }
}

fn check_lists(settings: &Settings<'_>) -> Result<(), Invalid> {
    for key in ["group.consumer.assignors", "group.share.assignors", "group.coordinator.rebalance.protocols"] {
        if settings.list(key).is_empty() {
            return Err(Invalid::new(key, "", format!("Configuration '{key}' must not be empty.")));
        }
    }
    for name in settings.list("group.consumer.assignors") {
        if definitions::consumer_assignor(&name).is_none() {
            return Err(Invalid::new("group.consumer.assignors", &name, format!("Class {name} cannot be found")));
        }
    }
    let share = settings.list("group.share.assignors");
    if share.len() != 1 {
        let key = "group.share.assignors";
        let reason = format!("{key} must contain exactly one assignor, but found {}", share.len());
        return Err(Invalid::new(key, share.join(","), reason));
    }
    let protocols = settings.list("group.coordinator.rebalance.protocols");
    if !protocols.iter().any(|protocol| protocol == "classic") {
        let reason = "Disabling the 'classic' protocol is not supported.";
        return Err(Invalid::new("group.coordinator.rebalance.protocols", protocols.join(","), reason));
    }
    Ok(())
}

/// Whether a broker setting that may change while the broker runs stays within the broker's bounds. The error is the
/// message.
pub(super) fn validate_group_default(settings: &Settings<'_>, key: &str, value: i64) -> Result<(), String> {
    let synonym_of = |bounds: &&Bounds| group_named(bounds.key).is_some_and(|d| d.synonym == Some(key));
    match BOUNDS.iter().find(synonym_of) {
        Some(bounds) => check_bounds(settings, bounds, key, value),
        None => Ok(()),
    }
}

fn check_bounds(settings: &Settings<'_>, bounds: &Bounds, key: &str, value: i64) -> Result<(), String> {
    for (bound, relation) in [(bounds.min, AtLeast), (bounds.max, AtMost)] {
        if let Some(bound) = bound.filter(|bound| !relation.holds(value, settings.long(bound))) {
            return Err(relation.sentence(key, bound));
        }
    }
    Ok(())
}

/// Whether a group may have these overrides. The error is the message that goes with INVALID_CONFIG
/// (`GroupConfig.validate`). What is not overridden is the broker's, which was checked at the start.
pub fn validate_group(settings: &Settings<'_>, overrides: &BTreeMap<String, String>) -> Result<(), String> {
    if let Some(unknown) = overrides.keys().find(|name| group_named(name).is_none()) {
        return Err(format!("Unknown group config name: {unknown}"));
    }
    let tags = overrides.get(RACK_TAGS).map(|tags| rack_tags(tags)).unwrap_or_default();
    if has_twice(&tags) {
        return Err(format!("{RACK_TAGS} {TAGS_TWICE}"));
    }
    for definition in group_all() {
        if definition.name == RACK_TAGS && tags.contains(&"") {
            return Err(format!("Configuration '{RACK_TAGS}' values must not be empty."));
        }
        if let Some(text) = overrides.get(definition.name) {
            let refused = |reason| Invalid::new(definition.name, text, reason).to_string();
            definition.parse(text).map_err(refused)?;
        }
    }
    for bounds in BOUNDS.iter().filter(|bounds| overrides.contains_key(bounds.key)) {
        check_range(settings, bounds, number(settings, overrides, bounds.key))?;
    }
    check_streams_assignor(settings, overrides)?;
    for (session, heartbeat) in SESSIONS {
        if !Above.holds(number(settings, overrides, session), number(settings, overrides, heartbeat)) {
            return Err(Above.sentence(session, heartbeat));
        }
    }
    match overrides.get(DEAD_LETTERS) {
        Some(topic) if topic.starts_with("__") => {
            Err(format!("{DEAD_LETTERS}: DLQ topic name must not start with '__'"))
        }
        _ => Ok(()),
    }
}

/// The tags as they were set.
fn rack_tags(text: &str) -> Vec<&str> {
    let text = text.trim();
    if text.is_empty() { Vec::new() } else { text.split(',').map(str::trim).collect() }
}

fn has_twice(names: &[&str]) -> bool {
    (1..names.len()).any(|at| names[..at].contains(&names[at]))
}

/// What a group sets within the broker's bounds, in Kafka's words for it.
fn check_range(settings: &Settings<'_>, bounds: &Bounds, value: i64) -> Result<(), String> {
    let key = bounds.key;
    match (bounds.min.map(|min| settings.long(min)), bounds.max.map(|max| settings.long(max))) {
        (Some(min), Some(max)) if !(min..=max).contains(&value) => {
            Err(format!("{key} must be in the range {min} to {max} inclusive."))
        }
        (Some(min), None) if value < min => Err(AtLeast.sentence(key, &min.to_string())),
        (None, Some(max)) if value > max => Err(AtMost.sentence(key, &max.to_string())),
        _ => Ok(()),
    }
}

/// A task assignor that a group names must be one that the broker has.
fn check_streams_assignor(settings: &Settings<'_>, overrides: &BTreeMap<String, String>) -> Result<(), String> {
    let Some(name) = overrides.get(STREAMS_ASSIGNOR) else { return Ok(()) };
    let registered = settings.list("group.streams.assignors");
    if registered.iter().any(|registered| registered == name.trim()) {
        return Ok(());
    }
    Err(format!(
        "{STREAMS_ASSIGNOR} '{}' is not a registered task assignor. Registered assignors are: [{}].",
        name.trim(),
        registered.join(", ")
    ))
}

/// The value of a group's configuration as it was set, or as the broker has it.
pub(super) fn effective(settings: &Settings<'_>, overrides: &BTreeMap<String, String>, name: &str) -> Option<Value> {
    let definition = group_named(name)?;
    let overridden = overrides.get(name).and_then(|text| definition.parse(text).ok());
    let of_broker = || match settings.value(definition.synonym?)? {
        Value::List(names) if definition.kind == Type::Text => names.into_iter().next().map(Value::Text),
        value => Some(value),
    };
    overridden.or_else(of_broker).or_else(|| definition.parse(definition.default).ok())
}

fn number(settings: &Settings<'_>, overrides: &BTreeMap<String, String>, name: &str) -> i64 {
    match effective(settings, overrides, name) {
        Some(Value::Int(number)) => number,
        _ => 0,
    }
}

/// The value that a group obeys: the broker's bounds may have moved since it was set (`GroupConfig.evaluate`).
pub(super) fn clamped(settings: &Settings<'_>, overrides: &BTreeMap<String, String>, name: &str) -> i64 {
    let value = number(settings, overrides, name);
    let Some(bounds) = BOUNDS.iter().find(|bounds| bounds.key == name) else { return value };
    let at_least = bounds.min.map_or(value, |min| value.max(settings.long(min)));
    bounds.max.map_or(at_least, |max| at_least.min(settings.long(max)))
}
