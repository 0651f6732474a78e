//! Where settings come from, laid over each other: file < `KAFKA_*` environment < `--override`.
//!
//! Also says what is worth telling the user about the keys: unknown ones with the nearest known name, known ones that
//! nothing acts on yet. Does not judge values.

use super::Invalid;
use super::definitions::{self, Effect};
use super::providers::{self, Provided, ProviderRequest, Providers, Resolved};
use super::security;
use super::settings;
use crate::stdx::secret::Secret;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Key and value pairs by source, each in the order of its source.
#[derive(Clone, Default)]
pub struct Layers {
    /// The pairs of the configuration file, as `properties::parse` gives them.
    pub file: Vec<(String, String)>,
    /// The process's environment, whole: [`Layers::merge`] picks what is meant.
    pub environment: Vec<(String, String)>,
    /// `--override key=value`
    pub overrides: Vec<(String, String)>,
    /// Whether a host name is this machine's; `None` where the caller has no way to ask the machine.
    pub is_own_host: Option<fn(&str) -> bool>,
    /// The path and the text of the JAAS file, which [`login_config_path`] finds in the environment.
    pub login_file: Option<(String, Secret)>,
    /// Whether this Klamm was built with the machine's library of Kerberos.
    pub has_gssapi: bool,
    /// What the caller has read for [`Layers::requests`].
    pub provided: Provided,
}

/// Without values: there are passwords among them.
impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = |pairs: &[(String, String)]| pairs.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
        let Layers { file, environment, overrides, login_file, .. } = self;
        f.debug_struct("Layers")
            .field("file", &keys(file))
            .field("environment", &keys(environment))
            .field("overrides", &keys(overrides))
            .field("login_file", login_file)
            .finish_non_exhaustive()
    }
}

/// The JAAS file that `KAFKA_OPTS` names to Java: `-Djava.security.auth.login.config=PATH`.
pub fn login_config_path(environment: &[(String, String)]) -> Option<&str> {
    let path = java_property(environment, "java.security.auth.login.config")?;
    // A second sign says that it stands alone, which it does anyway.
    Some(path.strip_prefix('=').unwrap_or(path)).filter(|path| !path.is_empty())
}

/// What Kerberos's library reads, which `KAFKA_OPTS` names to Java: `-Djava.security.krb5.conf=PATH`.
pub fn kerberos_configuration_path(environment: &[(String, String)]) -> Option<&str> {
    java_property(environment, "java.security.krb5.conf").filter(|path| !path.is_empty())
}

/// A property that `KAFKA_OPTS` sets for Java, the last of several.
pub(super) fn java_property<'e>(environment: &'e [(String, String)], name: &str) -> Option<&'e str> {
    let (_, options) = environment.iter().find(|(key, _)| key == "KAFKA_OPTS")?;
    let value = |option: &'e str| option.strip_prefix("-D")?.strip_prefix(name)?.strip_prefix('=');
    options.split_whitespace().filter_map(value).next_back()
}

/// Something about the configuration that the user should read; nothing that stops the start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    Unknown {
        key: String,
        nearest: Option<&'static str>,
    },
    /// Known to Kafka before 4.0.
    Removed {
        key: String,
    },
    NotYet {
        keys: Vec<String>,
    },
    /// Keys that have no effect with this configuration, in Apache Kafka either.
    Idle {
        keys: Vec<String>,
        because: &'static str,
    },
    /// Settings of Confluent's own server.
    Confluent {
        keys: Vec<String>,
    },
    NoEffect {
        keys: Vec<String>,
    },
    ControllerListeners {
        names: Vec<String>,
    },
    /// A variable for which no provider has a value.
    Unresolved {
        key: String,
        variable: String,
    },
    /// What looks like a variable of a provider that is not configured. It is not shown: it may be part of a password.
    UnknownProvider {
        key: String,
    },
    /// About how a listener is secured.
    Security {
        sentence: String,
    },
}

impl Notice {
    pub fn is_warning(&self) -> bool {
        match self {
            Notice::Unknown { .. } | Notice::Removed { .. } | Notice::NotYet { .. } | Notice::Idle { .. } => true,
            Notice::Security { .. } | Notice::Unresolved { .. } | Notice::UnknownProvider { .. } => true,
            Notice::Confluent { .. } | Notice::NoEffect { .. } | Notice::ControllerListeners { .. } => false,
        }
    }
}

impl Notice {
    /// Whether it is about no key at all.
    fn is_empty(&self) -> bool {
        match self {
            Notice::Unknown { .. } | Notice::Removed { .. } | Notice::Security { .. } => false,
            Notice::Unresolved { .. } | Notice::UnknownProvider { .. } => false,
            Notice::NotYet { keys } | Notice::Idle { keys, .. } => keys.is_empty(),
            Notice::Confluent { keys } | Notice::NoEffect { keys } => keys.is_empty(),
            Notice::ControllerListeners { names } => names.is_empty(),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Unknown { key, nearest: Some(nearest) } => {
                write!(f, "unknown configuration {key} is ignored; did you mean {nearest}?")
            }
            Notice::Unresolved { key, variable } => {
                write!(f, "{key} has {variable}, for which there is no value: it stays as it is written")
            }
            Notice::UnknownProvider { key } => {
                write!(f, "{key} names a provider that is not in config.providers: its value stays as it is written")
            }
            Notice::Unknown { key, nearest: None } => write!(f, "unknown configuration {key} is ignored"),
            Notice::Removed { key } => {
                write!(f, "configuration {key} is ignored: Apache Kafka removed it with release 4.0")
            }
            Notice::NotYet { keys } => write!(f, "not supported yet, so without effect: {}", keys.join(", ")),
            Notice::Idle { keys, because } => write!(f, "without effect, {because}: {}", keys.join(", ")),
            Notice::Confluent { keys } => write!(f, "ignored, they are Confluent's own: {}", keys.join(", ")),
            Notice::NoEffect { keys } => write!(f, "accepted, of no meaning in Klamm: {}", keys.join(", ")),
            Notice::Security { sentence } => f.write_str(sentence),
            Notice::ControllerListeners { names } => {
                write!(f, "controller listeners are not opened, Klamm keeps its metadata itself: {}", names.join(", "))
            }
        }
    }
}

/// `KAFKA_` variables of the official images that are not configurations (`KafkaDockerWrapper` of Kafka 4), and
/// those that its shell scripts read.
const NOT_CONFIGURATIONS: &[&str] = &[
    "KAFKA_VERSION",
    "KAFKA_HEAP_OPTS",
    "KAFKA_LOG4J_OPTS",
    "KAFKA_OPTS",
    "KAFKA_JMX_OPTS",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_LOG4J_ROOT_LOGLEVEL",
    "KAFKA_LOG4J_LOGGERS",
    "KAFKA_TOOLS_LOG4J_LOGLEVEL",
    "KAFKA_JMX_HOSTNAME",
    "KAFKA_JMX_PORT",
    "KAFKA_HOME",
    "KAFKA_CLUSTER_ID",
    "KAFKA_DEBUG",
];

/// The configuration key that an environment variable of the official images stands for: `_` is a dot, `__` an
/// underscore, `___` a dash.
pub fn environment_key(variable: &str) -> Option<String> {
    let rest = variable.strip_prefix("KAFKA_").filter(|rest| !rest.is_empty())?;
    let shaped = rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-' || b == b'.');
    if !shaped || NOT_CONFIGURATIONS.contains(&variable) || is_service_link(rest) {
        return None;
    }
    Some(rest.to_lowercase().replace('_', ".").replace("...", "-").replace("..", "_"))
}

/// Variables that Kubernetes and Docker links set for a service named `kafka`: `KAFKA_PORT`, `KAFKA_SERVICE_HOST`,
/// `KAFKA_PORT_9092_TCP_ADDR`, …
fn is_service_link(rest: &str) -> bool {
    let after_port = rest.strip_prefix("PORT_").is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()));
    rest == "PORT" || rest.starts_with("SERVICE_HOST") || rest.starts_with("SERVICE_PORT") || after_port
}

impl Layers {
    /// The settings that hold, one per key.
    pub fn merge(&self) -> BTreeMap<String, String> {
        let environment = self.environment.iter().filter_map(|(k, v)| Some((environment_key(k)?, v.clone())));
        let mut merged: BTreeMap<String, String> = self.file.iter().cloned().collect();
        merged.extend(environment);
        merged.extend(self.overrides.iter().cloned());
        mirror_node_id(&mut merged);
        open_advertised(&mut merged);
        merged
    }

    /// What config providers want of files, which the caller reads into [`Layers::provided`].
    pub fn requests(&self) -> Result<Vec<ProviderRequest>, Invalid> {
        if !self.has_providers() {
            return Ok(Vec::new());
        }
        let merged = self.merge();
        Providers::of(&merged)?.requests(&merged)
    }

    /// Whether a layer sets `config.providers`: most do not, and need not be merged to know that nothing is wanted.
    fn has_providers(&self) -> bool {
        let mut environment = self.environment.iter().filter_map(|(variable, _)| environment_key(variable));
        let mut pairs = self.file.iter().chain(&self.overrides);
        pairs.any(|(key, _)| key == providers::KEY) || environment.any(|key| key == providers::KEY)
    }

    /// The settings that hold, with what config providers have for them.
    pub(super) fn resolve(&self) -> Result<Resolved, Invalid> {
        let merged = self.merge();
        let providers = Providers::of(&merged)?;
        // A caller that reads nothing hears of what cannot be read, too.
        providers.requests(&merged)?;
        Ok(providers.resolve(merged, &self.environment, &self.provided))
    }
}

/// `node.id` and `broker.id` are one setting under two names (`KafkaConfig.populateSynonyms`); a contradiction stays
/// visible as two values.
fn mirror_node_id(merged: &mut BTreeMap<String, String>) {
    let node = merged.get("node.id").cloned();
    let broker = merged.get("broker.id").cloned();
    if let Some(id) = node.as_ref().or(broker.as_ref()) {
        merged.entry("node.id".into()).or_insert_with(|| id.clone());
        merged.entry("broker.id".into()).or_insert_with(|| id.clone());
    }
}

/// A broker that advertises an address is to be reached there: then `listeners` gets Kafka's own default, all interfaces,
/// instead of our loopback address. Compose files rely on it.
fn open_advertised(merged: &mut BTreeMap<String, String>) {
    if merged.contains_key("advertised.listeners") {
        merged.entry("listeners".into()).or_insert_with(|| "PLAINTEXT://:9092".into());
    }
}

/// Everything to say about the keys of these settings, warnings first.
///
/// `is_secure` and `is_authorized` say that a listener asks for TLS or SASL, and that there is an authorizer.
pub(super) fn notices(settings: &BTreeMap<String, String>, is_secure: bool, is_authorized: bool) -> Vec<Notice> {
    let mut notices = Vec::new();
    for key in settings.keys().filter(|key| said_of(key).is_none()) {
        match was_removed(key) {
            true => notices.push(Notice::Removed { key: key.clone() }),
            false => notices.push(Notice::Unknown { key: key.clone(), nearest: definitions::nearest(key) }),
        }
    }
    let keys_of = |said: Said| settings.keys().filter(|key| said_of(key) == Some(said)).cloned().collect::<Vec<_>>();
    let keys_unless = |obeyed: bool, said: Said| if obeyed { Vec::new() } else { keys_of(said) };
    let together = [
        Notice::NotYet { keys: keys_of(Said::NotYet) },
        Notice::Idle {
            keys: keys_unless(is_secure, Said::OfSecureListeners),
            because: "no listener asks for TLS or SASL",
        },
        Notice::Idle {
            keys: keys_unless(is_authorized, Said::OfAuthorizer),
            because: "authorizer.class.name is not set",
        },
        Notice::NoEffect { keys: keys_of(Said::NoEffect) },
        Notice::Confluent { keys: keys_of(Said::Confluent) },
    ];
    notices.extend(together.into_iter().filter(|notice| !notice.is_empty()));
    notices
}

/// What to say about dynamic configs of a broker.
pub fn notices_of_dynamic<'k>(keys: impl Iterator<Item = &'k String> + Clone) -> Vec<Notice> {
    let not_yet = keys.clone().filter(|key| said_of(key) == Some(Said::NotYet));
    let read_only = keys.filter(|key| !settings::is_dynamic(key));
    let because = "read at the start only, from the configuration of the process";
    let notices = [Notice::NotYet { keys: unique(not_yet) }, Notice::Idle { keys: unique(read_only), because }];
    notices.into_iter().filter(|notice| !notice.is_empty()).collect()
}

/// What to say about configs of topics or groups.
pub fn notice_of_resources<'k>(keys: impl Iterator<Item = &'k String>) -> Option<Notice> {
    let effect = |key: &str| {
        let of_topic = definitions::topic_named(key).map(|d| d.effect);
        of_topic.or_else(|| definitions::group_named(key).map(|d| d.effect))
    };
    let keys = unique(keys.filter(|key| effect(key) == Some(Effect::NotYet)));
    (!keys.is_empty()).then_some(Notice::NotYet { keys })
}

fn unique<'k>(keys: impl Iterator<Item = &'k String>) -> Vec<String> {
    keys.collect::<BTreeSet<_>>().into_iter().cloned().collect()
}

/// What a key that is known belongs to, of what is said about the configuration.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    NotYet,
    NoEffect,
    OfSecureListeners,
    OfAuthorizer,
    Confluent,
}

fn said_of(key: &str) -> Option<Said> {
    /// Settings of plug-ins: the names after the prefix are theirs.
    const PLUG_IN_PREFIXES: &[&str] = &["rsm.config.", "rlmm.config.", "principal."];
    if let Some(found) = definitions::broker(key).or_else(|| definitions::listener_override(key)) {
        let of_listener = definitions::broker(key).is_none();
        return Some(match found.effect {
            Effect::OfSecureListeners => Said::OfSecureListeners,
            Effect::NotYet => Said::NotYet,
            _ if of_listener => Said::NotYet,
            Effect::NoEffect => Said::NoEffect,
            // These have stopped the start where they ask for something.
            Effect::Effective | Effect::OpensDoor(_) | Effect::Refused(_) | Effect::SplitsData(_) => Said::Nothing,
        });
    }
    if key.starts_with("config.providers.") {
        return Some(Said::Nothing);
    }
    if key.starts_with("confluent.") {
        return Some(Said::Confluent);
    }
    if security::OF_AUTHORIZER.contains(&key) {
        return Some(Said::OfAuthorizer);
    }
    PLUG_IN_PREFIXES.iter().any(|prefix| key.starts_with(prefix)).then_some(Said::NotYet)
}

fn was_removed(key: &str) -> bool {
    const REMOVED: &[&str] = &[
        "inter.broker.protocol.version",
        "log.message.format.version",
        "log.message.timestamp.difference.max.ms",
        "log.message.downconversion.enable",
        "broker.id.generation.enable",
        "reserved.broker.max.id",
        "control.plane.listener.name",
        "group.coordinator.new.enable",
        "delegation.token.master.key",
        "auto.include.jmx.reporter",
    ];
    let prefixed = key.starts_with("zookeeper.") || key.starts_with("password.encoder.");
    prefixed || REMOVED.contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_names_map_as_in_the_official_images() {
        let table = [
            ("KAFKA_NODE_ID", Some("node.id")),
            ("KAFKA_ADVERTISED_LISTENERS", Some("advertised.listeners")),
            ("KAFKA_A__B", Some("a_b")),
            ("KAFKA_A___B", Some("a-b")),
            ("KAFKA_KLAMM_IO", Some("klamm.io")),
            ("KAFKA_KAFKA_METRICS_REPORTERS", Some("kafka.metrics.reporters")),
            ("KAFKA_HEAP_OPTS", None),
            ("KAFKA_VERSION", None),
            ("KAFKA_PORT", None),
            ("KAFKA_PORT_9092_TCP_ADDR", None),
            ("KAFKA_SERVICE_HOST", None),
            ("KAFKA_", None),
            ("KAFKA_a b", None),
            ("PATH", None),
        ];
        for (variable, key) in table {
            assert_eq!(environment_key(variable).as_deref(), key, "{variable}");
        }
    }

    #[test]
    fn later_layers_win() {
        let pairs = |all: &[(&str, &str)]| all.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let layers = Layers {
            file: pairs(&[("a", "file"), ("b", "file"), ("c", "file"), ("c", "file again")]),
            environment: pairs(&[("KAFKA_A", "env"), ("KAFKA_B", "env"), ("HOME", "/")]),
            overrides: pairs(&[("a", "override"), ("broker.id", "7")]),
            ..Layers::default()
        };
        let merged = layers.merge();
        let expected = [("a", "override"), ("b", "env"), ("broker.id", "7"), ("c", "file again"), ("node.id", "7")];
        assert!(merged.iter().map(|(k, v)| (k.as_str(), v.as_str())).eq(expected));
    }
}
