//! What protects: how each listener is secured, and who decides what clients may do.
//!
//! Typed and checked from the texts of the settings, with Kafka's sentences. Files are only named here: the caller that opens the
//! listener reads them. A setting with the prefix of a listener goes before the one without
//! (`AbstractConfig.valuesWithPrefixOverride`), one with the prefix of listener and mechanism before both, where Kafka
//! falls back at all.

mod kerberos;
mod oauth;
mod sasl;
mod tls;

pub use kerberos::KerberosSettings;
pub(super) use oauth::ALLOWED_URLS;
pub use oauth::{JwksSource, SignedTokens, TokenValidation, UnsecuredTokens};
pub use sasl::{MechanismKind, MechanismSettings, SaslSettings, WITHOUT_GSSAPI};
pub use tls::{ClientAuth, KeyStoreSettings, TlsSettings, TlsVersions, TrustStoreSettings};

use std::collections::BTreeMap;

use super::definitions::{self, Broker};
use super::jaas::{self, LoginModule};
use super::settings::{self, Settings};
use super::value::Value;
use super::{Invalid, Listener};
use crate::model::SecurityProtocol;
use crate::stdx::secret::Secret;

/// How a listener is secured; neither is PLAINTEXT.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ListenerSecurity {
    pub tls: Option<TlsSettings>,
    pub sasl: Option<SaslSettings>,
}

/// `StandardAuthorizer`'s own settings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuthorizerSettings {
    /// Principals as texts, `Type:Name`.
    pub super_users: Vec<String>,
    pub allow_everyone_if_no_acl_found: bool,
}

const AUTHORIZER: &str = "authorizer.class.name";
const STANDARD_AUTHORIZER: &str = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";

/// Keys of `StandardAuthorizer`. Kafka's brokers do not know them either, so they are in no table.
pub(super) const OF_AUTHORIZER: &[&str] = &["super.users", "allow.everyone.if.no.acl.found"];

/// `None`: every client may do everything.
pub(super) fn authorizer(settings: &Settings<'_>) -> Result<Option<AuthorizerSettings>, Invalid> {
    match settings.text(AUTHORIZER).as_deref() {
        None | Some("") => return Ok(None),
        Some(STANDARD_AUTHORIZER) => {}
        Some(other) => {
            let reason = format!("only {STANDARD_AUTHORIZER} is built in; another one's rules would not hold");
            return Err(Invalid::new(AUTHORIZER, other, reason));
        }
    }
    let super_users = settings.raw("super.users").unwrap_or_default();
    let super_users = super_users.split(';').map(str::trim).filter(|user| !user.is_empty()).map(str::to_string);
    let super_users: Vec<String> = super_users.collect();
    if let Some(user) = super_users.iter().find(|user| !user.contains(':')) {
        let reason = format!("expected a string in format principalType:principalName but got {user}");
        return Err(Invalid::new("super.users", user, reason));
    }
    let allow = settings.raw("allow.everyone.if.no.acl.found").unwrap_or_default();
    let allow_everyone_if_no_acl_found = allow.trim().eq_ignore_ascii_case("true");
    Ok(Some(AuthorizerSettings { super_users, allow_everyone_if_no_acl_found }))
}

/// The JAAS file of this process, which its caller has read.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoginFile<'a> {
    pub(super) path: &'a str,
    pub(super) text: &'a Secret,
}

/// How each listener is secured; beside it what is worth saying of it. `allowed_urls` is Java's property [`ALLOWED_URLS`].
pub(super) fn secure(
    settings: &Settings<'_>,
    login_file: Option<LoginFile<'_>>,
    (allowed_urls, has_gssapi): (&str, bool),
    listeners: &mut [Listener],
) -> Result<Vec<String>, Invalid> {
    let mut notices = Vec::new();
    let sections = match login_file {
        Some(file) if listeners.iter().any(|l| l.security_protocol.has_sasl()) => {
            jaas::of_file(&String::from_utf8_lossy(file.text.expose()))
                .map(|sections| Logins { path: Some(file.path), sections, allowed_urls, has_gssapi })
                .map_err(|reason| Invalid::new(sasl::LOGIN_CONFIG, file.path, reason))?
        }
        other => Logins { path: other.map(|file| file.path), sections: BTreeMap::new(), allowed_urls, has_gssapi },
    };
    for listener in listeners {
        let protocol = listener.security_protocol;
        let of = OfListener::new(settings, &listener.name);
        listener.security = ListenerSecurity {
            tls: protocol.has_tls().then(|| tls::resolve(&of, protocol, &mut notices)).transpose()?,
            sasl: protocol.has_sasl().then(|| sasl::resolve(&of, &sections, &mut notices)).transpose()?,
        };
    }
    Ok(notices)
}

/// What can read the stores of TLS that settings name: the doors of the listeners.
pub trait LooksIntoStores: Send + Sync {
    /// Whether a listener, by its name in keys, can go on with these: the error is a sentence. Blocks.
    fn look_into(&self, listener: &str, settings: &TlsSettings) -> Result<(), String>;
}

/// TLS of each listener that has it, as it is set now.
pub(super) fn tls_of_listeners(
    settings: &Settings<'_>,
    listeners: &[Listener],
) -> Result<Vec<Option<TlsSettings>>, Invalid> {
    let of = |listener: &Listener| {
        let protocol = listener.security_protocol;
        let resolve = || tls::resolve(&OfListener::new(settings, &listener.name), protocol, &mut Vec::new());
        protocol.has_tls().then(resolve).transpose()
    };
    listeners.iter().map(of).collect()
}

/// What a change of stores does to a listener of this name, if it has any: the error is Kafka's sentence
/// (`DynamicBrokerConfig.validateReconfiguration`, `SslFactory.validateReconfiguration`).
pub(super) fn check_tls_change(before: &Settings<'_>, after: &Settings<'_>, listener: &str) -> Result<(), String> {
    let of = |settings| tls::resolve(&OfListener::new(settings, listener), SecurityProtocol::Ssl, &mut Vec::new());
    // It has no TLS.
    let Ok(old) = of(before) else { return Ok(()) };
    let failed = |reason: &str| Err(format!("Validation of dynamic config update of SSLFactory failed: {reason}"));
    match of(after) {
        Err(invalid) => failed(&invalid.reason),
        Ok(new) if old.trust_store.is_none() && new.trust_store.is_some() => {
            failed("Cannot add SSL truststore to an existing listener for which no truststore was configured.")
        }
        Ok(new) if old.trust_store.is_some() && new.trust_store.is_none() => {
            failed("Cannot remove the SSL truststore from an existing listener for which a truststore was configured.")
        }
        Ok(new) => match after.stores.map_or(Ok(()), |stores| stores.look_into(listener, &new)) {
            Err(reason) => failed(&reason),
            Ok(()) => Ok(()),
        },
    }
}

/// `KafkaConfig.validateValues`: the broker could not speak to itself.
pub(super) fn check_inter_broker(settings: &Settings<'_>, listeners: &[Listener]) -> Result<(), Invalid> {
    const KEY: &str = "sasl.mechanism.inter.broker.protocol";
    let Some(name) = super::chosen_inter_broker_listener(settings) else { return Ok(()) };
    let listener = listeners.iter().find(|l| l.name == name);
    let Some(sasl) = listener.and_then(|l| l.security.sasl.as_ref()) else { return Ok(()) };
    let wanted = settings.text(KEY).unwrap_or_default();
    match sasl.mechanisms.iter().any(|offered| offered.kind.mechanism().name() == wanted) {
        true => Ok(()),
        false => {
            let reason = format!(
                "{KEY} must be included in sasl.enabled.mechanisms when SASL is used for inter-broker communication"
            );
            Err(Invalid::new(KEY, wanted, reason))
        }
    }
}

/// The sections of the JAAS file, what else Java's properties say of logins, and whether this Klamm has GSSAPI.
struct Logins<'a> {
    path: Option<&'a str>,
    sections: BTreeMap<String, Vec<LoginModule>>,
    allowed_urls: &'a str,
    has_gssapi: bool,
}

/// The settings of one listener, as they hold for it.
struct OfListener<'a> {
    settings: &'a Settings<'a>,
    /// As it stands in keys, in lower case.
    name: String,
}

impl<'a> OfListener<'a> {
    fn new(settings: &'a Settings<'a>, name: &str) -> OfListener<'a> {
        OfListener { settings, name: name.to_lowercase() }
    }

    fn prefixed(&self, key: &str) -> String {
        format!("listener.name.{}.{key}", self.name)
    }

    /// The key by which this one is set for the listener.
    fn key(&self, key: &str) -> String {
        let prefixed = self.prefixed(key);
        if self.settings.is_set(&prefixed) { prefixed } else { key.to_string() }
    }

    fn raw(&self, key: &str) -> Option<&'a str> {
        self.settings.raw(&self.key(key))
    }

    fn value(&self, key: &str) -> Option<Value> {
        typed(key, self.raw(key))
    }

    fn text(&self, key: &str) -> Option<String> {
        self.value(key).map(|value| value.to_string())
    }

    fn list(&self, key: &str) -> Vec<String> {
        match self.value(key) {
            Some(Value::List(items)) => items,
            _ => Vec::new(),
        }
    }

    fn number(&self, key: &str) -> i64 {
        as_number(self.value(key))
    }

    fn boolean(&self, key: &str) -> bool {
        self.value(key) == Some(Value::Boolean(true))
    }

    fn secret(&self, key: &str) -> Option<Secret> {
        match self.value(key) {
            Some(Value::Secret(secret)) => Some(secret),
            _ => None,
        }
    }

    /// What is set for one mechanism of this listener, and only so.
    fn of_mechanism(&self, mechanism: &str, key: &str) -> Option<Value> {
        typed(key, Some(self.settings.raw(&self.mechanism_key(mechanism, key))?))
    }

    fn mechanism_key(&self, mechanism: &str, key: &str) -> String {
        self.prefixed(&format!("{}.{key}", mechanism.to_lowercase()))
    }

    /// The setting is refused.
    fn refused(&self, key: &str, reason: impl Into<String>) -> Invalid {
        refused(self.key(key), key, self.raw(key), reason)
    }

    fn refused_of_mechanism(&self, mechanism: &str, key: &str, reason: impl Into<String>) -> Invalid {
        let named = self.mechanism_key(mechanism, key);
        let text = self.settings.raw(&named);
        refused(named, key, text, reason)
    }

    /// A class that Kafka would load, of which only these are built in.
    fn only(&self, key: &str, known: &[&str]) -> Result<(), Invalid> {
        match self.text(key) {
            Some(class) if !known.contains(&class.as_str()) => Err(self.refused(key, not_loaded(known))),
            _ => Ok(()),
        }
    }
}

fn refused(named: String, key: &str, text: Option<&str>, reason: impl Into<String>) -> Invalid {
    let is_sensitive = definitions::broker(key).is_none_or(Broker::is_sensitive);
    let shown = if is_sensitive { text.map(|_| "[hidden]") } else { text };
    Invalid::new(named, shown.unwrap_or("null"), reason)
}

fn not_loaded(known: &[&str]) -> String {
    format!("classes are not loaded here, so what it protects would be open; there is {}", known.join(", "))
}

fn as_number(value: Option<Value>) -> i64 {
    match value {
        Some(Value::Int(number)) => number,
        _ => 0,
    }
}

/// A text as a value of the key that it belongs to; the default where there is none.
fn typed(key: &str, text: Option<&str>) -> Option<Value> {
    let definition = definitions::broker(key).expect("a key of the table");
    text.and_then(|text| definition.parse(text).ok()).or_else(|| settings::default_value(definition))
}

#[cfg(test)]
mod tests;
