//! SASL of one listener (`SaslChannelBuilder`, `JaasContext`): its mechanisms, and what each of them needs.
//!
//! Deviations: a mechanism that is not built in, a login module that is not Kafka's, and a listener without a mechanism are
//! refused, where Kafka loads classes, or starts and refuses every client.

use std::collections::BTreeMap;

use super::kerberos::{self, KerberosSettings};
use super::oauth::{self, TokenValidation};
use super::{Logins, OfListener, as_number, not_loaded};
use crate::config::Invalid;
use crate::config::jaas::{self, LoginModule};
use crate::config::value::Value;
use crate::model::Mechanism;
use crate::stdx::secret::Secret;

#[derive(Clone, PartialEq, Debug)]
pub struct SaslSettings {
    /// There is at least one, and each only once.
    pub mechanisms: Vec<MechanismSettings>,
    /// `sasl.server.max.receive.size`; -1 is no limit.
    pub max_receive_size: i64,
}

impl SaslSettings {
    pub fn has_kerberos(&self) -> bool {
        self.mechanisms.iter().any(|mechanism| matches!(mechanism.kind, MechanismKind::Gssapi(_)))
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct MechanismSettings {
    pub kind: MechanismKind,
    /// `connections.max.reauth.ms`; what is not positive is no limit.
    pub max_reauth_ms: i64,
}

/// A mechanism, with what it needs of the configuration.
#[derive(Clone, PartialEq, Debug)]
pub enum MechanismKind {
    /// Passwords by user.
    Plain(BTreeMap<String, Secret>),
    ScramSha256,
    ScramSha512,
    OAuthBearer(TokenValidation),
    Gssapi(KerberosSettings),
}

impl MechanismKind {
    pub fn mechanism(&self) -> Mechanism {
        match self {
            MechanismKind::Plain(_) => Mechanism::Plain,
            MechanismKind::ScramSha256 => Mechanism::ScramSha256,
            MechanismKind::ScramSha512 => Mechanism::ScramSha512,
            MechanismKind::OAuthBearer(_) => Mechanism::OAuthBearer,
            MechanismKind::Gssapi(_) => Mechanism::Gssapi,
        }
    }

    /// Whether others vouch for its clients, whose words are long.
    pub fn has_large_tokens(&self) -> bool {
        matches!(self, MechanismKind::OAuthBearer(_) | MechanismKind::Gssapi(_))
    }
}

const MECHANISMS: &str = "sasl.enabled.mechanisms";
pub(super) const JAAS: &str = "sasl.jaas.config";
/// Why GSSAPI is refused by a Klamm that was built without it.
pub const WITHOUT_GSSAPI: &str =
    "GSSAPI is for a Klamm that was built with the Cargo feature gssapi, which this one was not";
/// The property of Java that names the JAAS file.
pub(super) const LOGIN_CONFIG: &str = "java.security.auth.login.config";
const PLAIN_MODULE: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";
const PLAIN_HANDLER: &str = "org.apache.kafka.common.security.plain.internals.PlainServerCallbackHandler";
const SCRAM_HANDLER: &str = "org.apache.kafka.common.security.scram.internals.ScramServerCallbackHandler";
const MODULES: &[&str] = &[
    PLAIN_MODULE,
    "org.apache.kafka.common.security.scram.ScramLoginModule",
    "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule",
    kerberos::MODULE,
];
/// Options of [`PLAIN_MODULE`] begin so, and go on with a user's name.
const USER_OPTION: &str = "user_";
/// What a broker that logs in somewhere would load; this one logs in nowhere. Kafka's own classes change nothing.
const OF_LOGINS: &[&str] =
    &["sasl.client.callback.handler.class", "sasl.login.class", "sasl.login.callback.handler.class"];

pub(super) fn resolve(
    of: &OfListener<'_>,
    logins: &Logins<'_>,
    notices: &mut Vec<String>,
) -> Result<SaslSettings, Invalid> {
    if of.raw(JAAS).is_some() {
        // `JaasContext.loadServerContext`
        let key = of.key(JAAS);
        notices.push(format!("Server config {key} should be prefixed with SASL mechanism name, ignoring config"));
    }
    let names = of.list(MECHANISMS);
    if names.is_empty() {
        let reason = format!("listener {} has no mechanism, so no client could connect", of.name);
        return Err(of.refused(MECHANISMS, reason));
    }
    let mechanisms = names.iter().map(|name| mechanism(of, logins, name)).collect::<Result<_, _>>()?;
    Ok(SaslSettings { mechanisms, max_receive_size: of.number("sasl.server.max.receive.size") })
}

fn mechanism(of: &OfListener<'_>, logins: &Logins<'_>, name: &str) -> Result<MechanismSettings, Invalid> {
    let Some(mechanism) = Mechanism::parse(name) else {
        let known = "there are PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER and GSSAPI";
        return Err(of.refused(MECHANISMS, format!("{name} is not known: {known}")));
    };
    if mechanism == Mechanism::Gssapi && !logins.has_gssapi {
        let default = if of.raw(MECHANISMS).is_none() { " (GSSAPI is Kafka's default)" } else { "" };
        return Err(of.refused(MECHANISMS, format!("{WITHOUT_GSSAPI}{default}; name others for listener {}", of.name)));
    }
    let modules = modules(of, logins, name)?;
    for key in OF_LOGINS {
        let is_other = |value: Value| !value.to_string().starts_with("org.apache.kafka.common.security.");
        if of.of_mechanism(name, key).is_some_and(is_other) {
            return Err(of.refused_of_mechanism(name, key, not_loaded(&["Kafka's own"])));
        }
    }
    let kind = match mechanism {
        Mechanism::Plain => {
            handler(of, name, &[PLAIN_HANDLER])?;
            MechanismKind::Plain(users(&modules))
        }
        Mechanism::ScramSha256 => handler(of, name, &[SCRAM_HANDLER]).map(|_| MechanismKind::ScramSha256)?,
        Mechanism::ScramSha512 => handler(of, name, &[SCRAM_HANDLER]).map(|_| MechanismKind::ScramSha512)?,
        Mechanism::OAuthBearer => MechanismKind::OAuthBearer(oauth::resolve(of, name, &modules, logins.allowed_urls)?),
        Mechanism::Gssapi => MechanismKind::Gssapi(kerberos::resolve(of, name, &modules)?),
    };
    Ok(MechanismSettings { kind, max_reauth_ms: max_reauth_ms(of, name) })
}

/// The class of `sasl.server.callback.handler.class`, which Kafka looks for with the prefix of the mechanism only: one of
/// those that are built in.
pub(super) fn handler(of: &OfListener<'_>, mechanism: &str, known: &[&str]) -> Result<Option<String>, Invalid> {
    const KEY: &str = "sasl.server.callback.handler.class";
    match of.of_mechanism(mechanism, KEY).map(|value| value.to_string()) {
        Some(class) if !known.contains(&class.as_str()) => {
            Err(of.refused_of_mechanism(mechanism, KEY, not_loaded(known)))
        }
        class => Ok(class),
    }
}

fn max_reauth_ms(of: &OfListener<'_>, mechanism: &str) -> i64 {
    const KEY: &str = "connections.max.reauth.ms";
    let own = of.of_mechanism(mechanism, KEY);
    if own.is_some() { as_number(own) } else { of.number(KEY) }
}

/// `JaasContext.load`: the mechanism's own setting, else the file's section for this listener, else that for all.
fn modules(of: &OfListener<'_>, logins: &Logins<'_>, mechanism: &str) -> Result<Vec<LoginModule>, Invalid> {
    let (key, modules) = match of.of_mechanism(mechanism, JAAS) {
        Some(Value::Secret(text)) => {
            let read = jaas::of_setting(&String::from_utf8_lossy(text.expose()));
            let module = read.map_err(|reason| of.refused_of_mechanism(mechanism, JAAS, reason))?;
            (of.mechanism_key(mechanism, JAAS), vec![module])
        }
        _ => (LOGIN_CONFIG.to_string(), of_file(of, logins, mechanism)?),
    };
    match modules.iter().find(|module| !MODULES.contains(&module.class.trim())) {
        Some(module) => Err(Invalid::new(key, &module.class, not_loaded(MODULES))),
        None => Ok(modules),
    }
}

fn of_file(of: &OfListener<'_>, logins: &Logins<'_>, mechanism: &str) -> Result<Vec<LoginModule>, Invalid> {
    let own = format!("{}.KafkaServer", of.name);
    let section = [own.as_str(), "KafkaServer"].iter().find_map(|name| logins.sections.get(*name));
    section.filter(|modules| !modules.is_empty()).cloned().ok_or_else(|| {
        let path = logins.path.unwrap_or("not set");
        let reason = format!(
            "Could not find a 'KafkaServer' or '{own}' entry in the JAAS configuration. System property '{LOGIN_CONFIG}' \
             is {path}"
        );
        of.refused_of_mechanism(mechanism, JAAS, reason)
    })
}

/// The users of PLAIN; where two modules name one, the first counts.
fn users(modules: &[LoginModule]) -> BTreeMap<String, Secret> {
    let mut users = BTreeMap::new();
    for module in modules.iter().filter(|module| module.class == PLAIN_MODULE) {
        for (option, password) in &module.options {
            if let Some(user) = option.strip_prefix(USER_OPTION) {
                users.entry(user.to_string()).or_insert_with(|| password.clone());
            }
        }
    }
    users
}
