//! Broker settings that hold now: dynamic ones of this broker over dynamic cluster defaults over static over defaults.
//!
//! Getters are for values that were checked when they were set; a text that is not a value of its type counts as not
//! set (it can come only from a metadata log that others wrote).

use super::definitions::{self, Broker, Mode};
use super::security::LooksIntoStores;
use super::value::Value;
use std::collections::BTreeMap;
use std::fmt;

/// One source of settings: texts by key.
type Layer<'a> = &'a BTreeMap<String, String>;

static NOTHING: BTreeMap<String, String> = BTreeMap::new();

/// A view over the layers; copying it is free.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    pub(super) dynamic_broker: Layer<'a>,
    pub(super) dynamic_default: Layer<'a>,
    pub(super) statics: Layer<'a>,
    /// Looks into the stores that a change names; `None`: its caller does not block.
    pub(super) stores: Option<&'a dyn LooksIntoStores>,
}

/// Keys only: there are passwords among the texts.
impl fmt::Debug for Settings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

impl<'a> Settings<'a> {
    pub fn new(statics: Layer<'a>, dynamic_default: Layer<'a>, dynamic_broker: Layer<'a>) -> Settings<'a> {
        Settings { dynamic_broker, dynamic_default, statics, stores: None }
    }

    /// The same, by which a change of a listener's stores is judged by what is in them. Its caller may block.
    pub fn looking_into(self, stores: Option<&'a dyn LooksIntoStores>) -> Settings<'a> {
        Settings { stores, ..self }
    }

    pub(super) fn of_static(statics: Layer<'a>) -> Settings<'a> {
        Settings::new(statics, &NOTHING, &NOTHING)
    }

    /// The settings of a broker that was told nothing.
    pub(super) fn of_nothing() -> Settings<'static> {
        Settings::new(&NOTHING, &NOTHING, &NOTHING)
    }

    /// The text that was set. A dynamic setting hides static ones of the same thing in another unit
    /// (`DynamicBrokerConfig.overrideProps`).
    pub(super) fn raw(&self, name: &str) -> Option<&'a str> {
        for layer in [self.dynamic_broker, self.dynamic_default] {
            if let Some(text) = layer.get(name).filter(|_| is_dynamic(name)) {
                return Some(text);
            }
            if layer.keys().any(|key| definitions::unit_synonyms(key).contains(&name) && is_dynamic(key)) {
                return None;
            }
        }
        self.statics.get(name).map(String::as_str)
    }

    /// Every key that is set, wherever; one may come more than once.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        let dynamic = self.dynamic_broker.keys().chain(self.dynamic_default.keys()).filter(|key| is_dynamic(key));
        dynamic.chain(self.statics.keys()).map(String::as_str)
    }

    pub(super) fn raw_or_default(&self, name: &str) -> Option<&'a str> {
        self.raw(name).or_else(|| default_of(name))
    }

    pub fn is_set(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// The value that holds; `None` is Kafka's null.
    pub fn value(&self, name: &str) -> Option<Value> {
        let definition = definitions::broker(name)?;
        let set = self.raw(name).and_then(|text| definition.parse(text).ok());
        set.or_else(|| default_value(definition))
    }

    pub fn boolean(&self, name: &str) -> bool {
        matches!(self.value(name), Some(Value::Boolean(true)))
    }

    pub fn long(&self, name: &str) -> i64 {
        match self.value(name) {
            Some(Value::Int(number)) => number,
            _ => 0,
        }
    }

    pub fn int(&self, name: &str) -> i32 {
        let number = self.long(name);
        number.clamp(i32::MIN.into(), i32::MAX.into()) as i32
    }

    /// A number that cannot be negative.
    pub fn size(&self, name: &str) -> u32 {
        self.int(name).max(0) as u32
    }

    /// A secret has none.
    pub fn text(&self, name: &str) -> Option<String> {
        self.value(name).filter(|value| !matches!(value, Value::Secret(_))).map(|value| value.to_string())
    }

    pub fn list(&self, name: &str) -> Vec<String> {
        match self.value(name) {
            Some(Value::List(items)) => items,
            _ => Vec::new(),
        }
    }
}

fn default_of(name: &str) -> Option<&'static str> {
    definitions::broker(name).and_then(|d| d.default).or_else(|| definitions::own_default(name))
}

/// Whether the dynamic layers may hold it: Apache Kafka ignores what else a metadata log says
/// (`DynamicBrokerConfig.fromPersistentProps`).
pub(super) fn is_dynamic(name: &str) -> bool {
    definitions::broker(name).is_none_or(|definition| definition.mode != Mode::ReadOnly)
}

pub(super) fn default_value(definition: &Broker) -> Option<Value> {
    default_of(definition.name).and_then(|text| definition.parse(text).ok())
}
