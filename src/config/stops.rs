//! Settings that the broker does not start with, and does not take while it runs, until it obeys them: they protect, or
//! keep data together.
//!
//! What decides is what Apache Kafka would do with the same file: a value that asks for nothing (the default, an empty
//! text) stops nothing. Those that tell a node who its controllers are have rules of their own (`quorum`).

use super::Invalid;
use super::definitions::{self, Broker, Effect};
use super::quorum;
use super::settings::{self, Settings};
use super::value::Value;

/// Whether the broker may run with everything that is set.
pub(super) fn check(settings: &Settings<'_>) -> Result<(), Invalid> {
    let controllers = settings.list("controller.listener.names");
    for name in settings.names() {
        // Listeners of controllers are not opened.
        let of_controller = listener_of(name).is_some_and(|l| controllers.iter().any(|c| c.eq_ignore_ascii_case(l)));
        if let Some(text) = settings.raw(name).filter(|_| !of_controller && !quorum::KEYS.contains(&name)) {
            check_setting(name, text)?;
        }
    }
    Ok(())
}

/// Whether a running broker may be given this setting.
pub(super) fn check_setting(name: &str, text: &str) -> Result<(), Invalid> {
    // What has the prefix of a listener protects that listener.
    let definition = definitions::broker(name).or_else(|| definitions::listener_override(name));
    let Some(definition) = definition.filter(|definition| asks(definition, text)) else { return Ok(()) };
    match definition.effect {
        Effect::OpensDoor(why) | Effect::Refused(why) | Effect::SplitsData(why) => {
            Err(Invalid::new(name, definition.shown(text), why))
        }
        Effect::Effective | Effect::NoEffect | Effect::NotYet | Effect::OfSecureListeners => Ok(()),
    }
}

fn listener_of(name: &str) -> Option<&str> {
    Some(name.strip_prefix("listener.name.")?.split_once('.')?.0)
}

fn asks(definition: &Broker, text: &str) -> bool {
    let is_empty = |value: &Value| match value {
        Value::Secret(secret) => secret.expose().is_empty(),
        other => other.to_string().is_empty(),
    };
    let value = definition.parse(text).ok();
    value.as_ref().is_some_and(|value| !is_empty(value)) && value != settings::default_value(definition)
}

#[cfg(test)]
mod tests;
