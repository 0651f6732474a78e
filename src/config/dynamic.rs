//! Whether a running broker may be given a setting (`DynamicBrokerConfig.validateConfigs` and what follows it).
//!
//! The sentences are Kafka's, where Kafka would refuse. Deviations: `listeners` and `listener.security.protocol.map` are
//! read-only here, because sockets are opened at the start only; what would stop the start (`stops`) is refused. What has
//! the prefix of a listener is checked by its type only, but for stores of TLS, into which it is looked where the caller may block.

use std::collections::BTreeSet;

use super::definitions::{self, Mode};
use super::settings::{self, Settings};
use super::value::Value;
use super::{Invalid, cordoned, group_rules, limits, providers, rules, security, stops};

/// Kafka keeps stores and keys of TLS by listener (`SslConfigs.RECONFIGURABLE_CONFIGS`).
const ONLY_OF_LISTENERS: &[&str] = &[
    "ssl.keystore.type",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.key.password",
    "ssl.truststore.type",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.truststore.certificates",
];

/// What of a listener may be set for all brokers (`CLUSTER_LEVEL_LISTENER_CONFIGS`).
const OF_ALL_BROKERS: &[&str] = &["max.connections", "max.connection.creation.rate", "num.network.threads"];

/// Whether a change of dynamic configs may be made, of this broker's or of those of all: texts to set, and `None` for
/// what is deleted, which may be anything. The error is the message that goes with INVALID_REQUEST.
pub fn validate_broker(
    settings: &Settings<'_>,
    for_all_brokers: bool,
    changes: &[(String, Option<String>)],
) -> Result<(), String> {
    let set = || changes.iter().filter_map(|(name, text)| Some((name.as_str(), text.as_deref()?)));
    let names = || set().map(|(name, _)| name);
    none(names().filter(|name| !settings::is_dynamic(name)), "Cannot update these configs dynamically")?;
    none(
        names().filter(|name| ONLY_OF_LISTENERS.contains(name)),
        "These security configs can be dynamically updated only per-listener using the listener prefix",
    )?;
    for (name, text) in set() {
        if let Some(definition) = definitions::broker(name).or_else(|| definitions::listener_override(name)) {
            let refused = |reason| Invalid::new(definition.name, definition.shown(text), reason).to_string();
            definition.parse(text).map_err(refused)?;
        }
    }
    if for_all_brokers {
        none(
            names().filter(|name| needs_broker(name)),
            "Cannot update these configs at default cluster level, broker id must be specified",
        )?;
    }
    set().try_for_each(|(name, text)| check_one(settings, name, text))?;
    check_together(settings, for_all_brokers, changes)
}

/// What would hold after the change.
fn check_together(
    settings: &Settings<'_>,
    for_all_brokers: bool,
    changes: &[(String, Option<String>)],
) -> Result<(), String> {
    let mut layer = if for_all_brokers { settings.dynamic_default } else { settings.dynamic_broker }.clone();
    for (name, text) in changes {
        match text {
            Some(text) => layer.insert(name.clone(), text.clone()),
            None => layer.remove(name),
        };
    }
    let changed = match for_all_brokers {
        true => Settings { dynamic_default: &layer, ..*settings },
        false => Settings { dynamic_broker: &layer, ..*settings },
    };
    let of_tls = changes.iter().filter_map(|(name, _)| {
        let listener = name.strip_prefix("listener.name.")?.split_once('.')?.0;
        definitions::listener_override(name).filter(|of| of.name.starts_with("ssl.")).map(|of| (listener, of.name))
    });
    let mut listeners = BTreeSet::new();
    for (listener, key) in of_tls {
        if !ONLY_OF_LISTENERS.contains(&key) {
            return Err(format!(
                "Configs cannot be updated dynamically for existing listener ListenerName({}), restart broker or create a \
                 new listener for update",
                listener.to_uppercase()
            ));
        }
        listeners.insert(listener);
    }
    listeners.iter().try_for_each(|listener| security::check_tls_change(settings, &changed, listener))?;
    let refused = |invalid: Invalid| format!("requirement failed: {}", invalid.reason);
    let checked = rules::check(&changed).and_then(|()| limits::check(&changed));
    checked.and_then(|()| cordoned::check(&changed)).map_err(refused)
}

fn none<'c>(found: impl Iterator<Item = &'c str>, sentence: &str) -> Result<(), String> {
    let found: Vec<&str> = found.collect();
    if found.is_empty() { Ok(()) } else { Err(format!("{sentence}: [{}]", found.join(", "))) }
}

fn needs_broker(name: &str) -> bool {
    match (definitions::broker(name), definitions::listener_override(name)) {
        (Some(definition), _) => definition.mode == Mode::PerBroker,
        (None, Some(of_listener)) => !OF_ALL_BROKERS.contains(&of_listener.name),
        (None, None) => false,
    }
}

/// What one setting must satisfy beyond its type.
fn check_one(settings: &Settings<'_>, name: &str, text: &str) -> Result<(), String> {
    stops::check_setting(name, text).map_err(|invalid| invalid.to_string())?;
    if name == providers::KEY || name.starts_with("config.providers.") {
        let reason = "config providers are asked at the start only, for what the process is configured with";
        return Err(Invalid::new(name, text, reason).to_string());
    }
    match definitions::broker(name).map(|definition| definition.parse(text)) {
        Some(Ok(Value::Int(number))) => group_rules::validate_group_default(settings, name, number),
        _ => Ok(()),
    }
}
