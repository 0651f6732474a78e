//! `config.providers`: values that stand elsewhere, and are named `${provider:path:key}` where they belong (`ConfigTransformer`,
//! `AbstractConfig`, KIP-297, KIP-421).
//!
//! Three passes, of which the caller makes the second: [`Providers::requests`] says what is to be read, the caller reads it, and
//! [`Providers::resolve`] puts it into the settings. Every setting may have such names, some of them in the middle of a text;
//! what comes for one is not looked through again. A name of no provider, or for which there is no value, stays as it is written,
//! and is told of: misspelled, it may stand where a password should.
//!
//! `org.apache.kafka.automatic.config.providers` says to Java which classes may be loaded. None is loaded here, so it means
//! nothing. Deviations: a provider without a class stops the start, where Kafka passes over it; dynamic configs are not looked
//! through.

mod hidden;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;

use regex::{Captures, Regex, bytes};

use self::hidden::HIDDEN;
use super::Invalid;
use super::value;
use crate::stdx::secret::Secret;

pub(super) const KEY: &str = "config.providers";
/// `ConfigTransformer.DEFAULT_PATTERN`: provider, path with its colon, path, key.
static VARIABLE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\$\{([^}]*?):(([^}]*?):)?([^}]*?)\}").expect("a pattern that a test knows"));
const PACKAGE: &str = "org.apache.kafka.common.config.provider.";

type Settings = BTreeMap<String, String>;

/// What the caller is to read for a provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderRequest {
    pub provider: String,
    pub place: ProviderPlace,
    /// `allowed.paths`: nothing else may be read; `None`: everything may. They are there, or the start stops.
    pub allowed_paths: Option<Vec<String>>,
    /// Keys by path.
    pub wanted: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProviderPlace {
    /// A path is a file of properties.
    Properties,
    /// A path is a directory, and a key the name of a file in it, whose text is the value.
    Directory,
}

/// What the caller has read, by provider, path and key.
#[derive(Clone, Default, Debug)]
pub struct Provided(BTreeMap<(String, String, String), Secret>);

impl Provided {
    pub fn put(&mut self, provider: &str, path: &str, key: &str, value: Secret) {
        self.0.insert((provider.into(), path.into(), key.into()), value);
    }
}

/// The providers by their names.
pub(super) struct Providers(BTreeMap<String, Provider>);

enum Provider {
    Files(ProviderPlace, Option<Vec<String>>),
    /// Variables of the environment whose names fit.
    Environment(bytes::Regex),
}

/// Settings with what providers gave.
pub(super) struct Resolved {
    pub(super) settings: Settings,
    /// Keys with a variable for which there is no value, each with the first such.
    pub(super) unresolved: Vec<(String, String)>,
    /// Keys of texts with what looks like the variable of a provider that is not configured.
    pub(super) unknown: BTreeSet<String>,
    /// Settings with something of a provider in them, and what that is.
    provided: BTreeSet<String>,
    secrets: Vec<Secret>,
}

/// A variable in a text.
struct Variable<'t> {
    provider: &'t str,
    path: &'t str,
    key: &'t str,
}

impl<'t> Variable<'t> {
    fn of(found: &Captures<'t>) -> Variable<'t> {
        let group = |number| found.get(number).map_or("", |group| group.as_str());
        Variable { provider: group(1), path: group(3), key: group(4) }
    }
}

/// Whether it may have variables. Most configurations have none, and a start is too short to look with an expression.
fn may_vary(text: &str) -> bool {
    text.contains("${")
}

impl Providers {
    pub(super) fn of(settings: &Settings) -> Result<Providers, Invalid> {
        let names = settings.get(KEY).map_or("", String::as_str);
        let provider = |name: &str| Ok((name.to_string(), Provider::of(settings, name)?));
        match names {
            "" => Ok(Providers(BTreeMap::new())),
            names => names.split(',').map(provider).collect::<Result<_, _>>().map(Providers),
        }
    }

    /// What the caller is to read, of every provider that reads files.
    pub(super) fn requests(&self, settings: &Settings) -> Result<Vec<ProviderRequest>, Invalid> {
        let mut requests: BTreeMap<&str, ProviderRequest> = BTreeMap::new();
        for (name, provider) in &self.0 {
            if let Provider::Files(place, allowed_paths) = provider {
                let (place, allowed_paths) = (*place, allowed_paths.clone());
                let request = ProviderRequest { provider: name.clone(), place, allowed_paths, wanted: BTreeMap::new() };
                requests.insert(name, request);
            }
        }
        for (setting, text) in settings.iter().filter(|(_, text)| may_vary(text)) {
            for found in VARIABLE.captures_iter(text) {
                let Variable { provider, path, key } = Variable::of(&found);
                match (requests.get_mut(provider), self.0.get(provider)) {
                    (Some(_), _) if path.is_empty() => {}
                    (Some(request), _) => {
                        request.wanted.entry(path.into()).or_default().insert(key.into());
                    }
                    (None, Some(_)) if !path.is_empty() => {
                        let reason = format!("Path is not supported for EnvVarConfigProvider, invalid value '{path}'");
                        return Err(Invalid::new(setting, &found[0], reason));
                    }
                    _ => {}
                }
            }
        }
        Ok(requests.into_values().collect())
    }

    /// Puts what was provided into the settings.
    pub(super) fn resolve(
        &self,
        mut settings: Settings,
        environment: &[(String, String)],
        provided: &Provided,
    ) -> Resolved {
        let (mut unresolved, mut changed, mut secrets) = (Vec::new(), BTreeSet::new(), Vec::new());
        let mut unknown = BTreeSet::new();
        for (setting, text) in settings.iter_mut().filter(|(_, text)| may_vary(text)) {
            let replaced = VARIABLE.replace_all(text, |found: &Captures<'_>| {
                let variable = Variable::of(found);
                let Some(provider) = self.0.get(variable.provider) else {
                    unknown.insert(setting.clone());
                    return found[0].to_string();
                };
                match provider.value(&variable, environment, provided) {
                    Some(value) => {
                        changed.insert(setting.clone());
                        secrets.push(Secret::new(value.clone()));
                        value
                    }
                    None => {
                        unresolved.push((setting.clone(), found[0].to_string()));
                        found[0].to_string()
                    }
                }
            });
            *text = replaced.into_owned();
        }
        Resolved { settings, unresolved, unknown, provided: changed, secrets }
    }
}

impl Provider {
    fn of(settings: &Settings, name: &str) -> Result<Provider, Invalid> {
        let class_key = format!("{KEY}.{name}.class");
        let param = |param: &str| {
            let key = format!("{KEY}.{name}.param.{param}");
            settings.get(&key).map(|value| (key, value.as_str()))
        };
        let Some(class) = settings.get(&class_key) else {
            return Err(Invalid::new(KEY, name, format!("{class_key} is not set")));
        };
        let allowed = || param("allowed.paths").map(|(_, paths)| paths).filter(|paths| !paths.is_empty());
        let allowed = || allowed().map(|paths| paths.split(',').map(str::to_string).collect());
        match class.strip_prefix(PACKAGE) {
            Some("FileConfigProvider") => Ok(Provider::Files(ProviderPlace::Properties, allowed())),
            Some("DirectoryConfigProvider") => Ok(Provider::Files(ProviderPlace::Directory, allowed())),
            Some("EnvVarConfigProvider") => {
                let (key, names) = param("allowlist.pattern").unwrap_or((String::new(), ".*"));
                let whole = format!(r"\A(?:{names})\z");
                let built = value::pattern(&whole).map(Provider::Environment);
                built.ok_or_else(|| Invalid::new(key, names, "no such pattern is supported"))
            }
            _ => {
                let reason = format!(
                    "classes are not loaded here; there are {PACKAGE}FileConfigProvider, DirectoryConfigProvider and \
                     EnvVarConfigProvider"
                );
                Err(Invalid::new(class_key, class, reason))
            }
        }
    }

    fn value(&self, variable: &Variable<'_>, environment: &[(String, String)], provided: &Provided) -> Option<String> {
        let Variable { provider, path, key } = variable;
        match self {
            Provider::Environment(names) => {
                let found = environment.iter().find(|(name, _)| name == key && names.is_match(name.as_bytes()));
                found.map(|(_, value)| value.clone())
            }
            Provider::Files(..) => {
                let found = provided.0.get(&(provider.to_string(), path.to_string(), key.to_string()));
                found.map(|value| String::from_utf8_lossy(value.expose()).into_owned())
            }
        }
    }
}

impl Resolved {
    /// The same complaint, without what came from a provider.
    pub(super) fn hide(&self, invalid: Invalid) -> Invalid {
        let Invalid { key, value, reason } = invalid;
        let value = if self.provided.contains(&key) { HIDDEN.into() } else { self.without_secrets(&value) };
        Invalid { key, value, reason: self.without_secrets(&reason) }
    }

    fn without_secrets(&self, sentence: &str) -> String {
        let secrets: Vec<_> = self.secrets.iter().map(|secret| String::from_utf8_lossy(secret.expose())).collect();
        let texts = self.provided.iter().filter_map(|key| self.settings.get(key));
        hidden::without(sentence, secrets.iter().map(|secret| &**secret), texts.map(String::as_str))
    }
}

/// Without what came from a provider.
impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolved").field("unresolved", &self.unresolved).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
