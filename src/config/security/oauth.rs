//! OAUTHBEARER of one listener: how tokens are judged (`OAuthBearerUnsecuredValidatorCallbackHandler`,
//! `OAuthBearerValidatorCallbackHandler` with `BrokerJwtValidator`). Every `sasl.oauthbearer.*` may have the prefix of the
//! mechanism (`ConfigurationUtils.get`).
//!
//! Deviations: a clock skew that is not a number stops the start; Kafka fails at every login. So do a backoff that is longer than
//! the longest, with which Kafka never looks for keys again, and options of the login module that ask for a TLS of their own,
//! but for the trust store.

use std::collections::BTreeMap;

use super::sasl::handler;
use super::{Invalid, OfListener, TrustStoreSettings, as_number, not_loaded, tls};
use crate::config::jaas::LoginModule;
use crate::config::settings::Settings;
use crate::config::value::Value;
use crate::stdx::url::Url;

/// Java's property with the addresses that keys may be fetched from: without it, none.
pub(in crate::config) const ALLOWED_URLS: &str = "org.apache.kafka.sasl.oauthbearer.allowed.urls";

/// Which tokens are taken.
#[derive(Clone, PartialEq, Debug)]
pub enum TokenValidation {
    Unsecured(UnsecuredTokens),
    Signed(Box<SignedTokens>),
}

/// Tokens without a signature, for tests: the options of the login module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnsecuredTokens {
    pub principal_claim: String,
    pub scope_claim: String,
    pub required_scopes: Vec<String>,
    pub clock_skew_ms: i64,
}

/// Tokens that a provider has signed.
#[derive(Clone, PartialEq, Debug)]
pub struct SignedTokens {
    /// As it is written.
    pub jwks_url: String,
    pub source: JwksSource,
    /// Whom a provider's certificate must be vouched for by; `None`: those whom the machine trusts.
    pub trust_store: Option<TrustStoreSettings>,
    pub refresh_ms: i64,
    pub retry_backoff_ms: i64,
    pub retry_backoff_max_ms: i64,
    /// Empty: whatever audience, as the user has allowed.
    pub audiences: Vec<String>,
    /// `None`: whatever issuer, likewise.
    pub issuer: Option<String>,
    pub clock_skew_seconds: i64,
    pub scope_claim: String,
    pub subject_claim: String,
}

/// Where the keys of a provider are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum JwksSource {
    File(String),
    Web(Url),
}

/// The handlers that are built in; it is the first one where none is named.
const HANDLERS: &[&str] = &[
    "org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler",
    "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler",
    "org.apache.kafka.common.security.oauthbearer.secured.OAuthBearerValidatorCallbackHandler",
];
const VALIDATORS: &[&str] = &[
    "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
    "org.apache.kafka.common.security.oauthbearer.BrokerJwtValidator",
];

pub(super) fn resolve(
    of: &OfListener<'_>,
    mechanism: &str,
    modules: &[LoginModule],
    allowed_urls: &str,
) -> Result<TokenValidation, Invalid> {
    let [module] = modules else {
        let size = modules.len();
        let reason = format!("Must supply exactly 1 non-null JAAS mechanism configuration (size was {size})");
        return Err(of.refused_of_mechanism(mechanism, "sasl.jaas.config", reason));
    };
    match handler(of, mechanism, HANDLERS)? {
        Some(class) if class != HANDLERS[0] => signed(&OfTokens { of, mechanism }, module, allowed_urls)
            .map(|tokens| TokenValidation::Signed(Box::new(tokens))),
        _ => unsecured(of, mechanism, module).map(TokenValidation::Unsecured),
    }
}

fn unsecured(of: &OfListener<'_>, mechanism: &str, module: &LoginModule) -> Result<UnsecuredTokens, Invalid> {
    let refused = |reason: String| Err(of.refused_of_mechanism(mechanism, "sasl.jaas.config", reason));
    let option =
        |name: &str| module.option(&format!("unsecuredValidator{name}")).filter(|text| !text.trim().is_empty());
    let skew = option("AllowableClockSkewMs").unwrap_or_else(|| "0".into());
    let clock_skew_ms = match skew.parse::<i64>() {
        Ok(ms) if ms >= 0 => ms,
        _ => return refused("unsecuredValidatorAllowableClockSkewMs must be a number that is not negative".into()),
    };
    let scopes = option("RequiredScope").unwrap_or_default();
    Ok(UnsecuredTokens {
        principal_claim: option("PrincipalClaimName").unwrap_or_else(|| "sub".into()),
        scope_claim: option("ScopeClaimName").unwrap_or_else(|| "scope".into()),
        required_scopes: scopes.split_whitespace().map(str::to_string).collect(),
        clock_skew_ms,
    })
}

/// The settings of the mechanism, which fall back to the listener's.
struct OfTokens<'a, 'b> {
    of: &'b OfListener<'a>,
    mechanism: &'b str,
}

impl OfTokens<'_, '_> {
    fn value(&self, key: &str) -> Option<Value> {
        let own = self.of.settings.is_set(&self.of.mechanism_key(self.mechanism, key));
        if own { self.of.of_mechanism(self.mechanism, key) } else { self.of.value(key) }
    }

    /// A text that is not blank (`ConfigurationUtils.validateString`).
    fn text(&self, key: &str) -> Option<String> {
        self.value(key).map(|value| value.to_string().trim().to_string()).filter(|text| !text.is_empty())
    }

    fn needed(&self, key: &str) -> Result<String, Invalid> {
        self.text(key)
            .ok_or_else(|| self.refused(key, format!("The OAuth configuration option {key} value is required")))
    }

    fn number(&self, key: &str) -> i64 {
        as_number(self.value(key))
    }

    fn refused(&self, key: &str, reason: String) -> Invalid {
        match self.of.settings.is_set(&self.of.mechanism_key(self.mechanism, key)) {
            true => self.of.refused_of_mechanism(self.mechanism, key, reason),
            false => self.of.refused(key, reason),
        }
    }
}

const URL: &str = "sasl.oauthbearer.jwks.endpoint.url";

fn signed(settings: &OfTokens<'_, '_>, module: &LoginModule, allowed_urls: &str) -> Result<SignedTokens, Invalid> {
    const VALIDATOR: &str = "sasl.oauthbearer.jwt.validator.class";
    if settings.text(VALIDATOR).is_some_and(|class| !VALIDATORS.contains(&class.as_str())) {
        return Err(settings.refused(VALIDATOR, not_loaded(VALIDATORS)));
    }
    let jwks_url = settings.text(URL).ok_or_else(|| {
        let reason = format!(
            "The OAuth validator for the broker requires \"{URL}\" to be configured so that JWT signatures can be \
             verified, but it was not set. Set \"{URL}\" to the OAuth/OIDC provider's JWKS endpoint URL for this \
             listener, or configure a signature-verifying \"{VALIDATOR}\"."
        );
        settings.refused(URL, reason)
    })?;
    let audiences = match settings.value("sasl.oauthbearer.expected.audience") {
        Some(Value::List(items)) => items,
        _ => Vec::new(),
    };
    let issuer = settings.text("sasl.oauthbearer.expected.issuer");
    if audiences.is_empty() {
        may_go_unverified(settings, "audience", "aud", "audience(s) that identify this cluster")?;
    }
    if issuer.is_none() {
        may_go_unverified(settings, "issuer", "iss", "issuer URL of the OAuth/OIDC provider that signs the tokens")?;
    }
    let source = source(&jwks_url, allowed_urls).map_err(|reason| settings.refused(URL, reason))?;
    let [refresh_ms, retry_backoff_ms, retry_backoff_max_ms] = pace(settings)?;
    Ok(SignedTokens {
        trust_store: trust_store(settings, module)?,
        source,
        jwks_url,
        refresh_ms,
        retry_backoff_ms,
        retry_backoff_max_ms,
        audiences,
        issuer,
        clock_skew_seconds: settings.number("sasl.oauthbearer.clock.skew.seconds"),
        scope_claim: settings.needed("sasl.oauthbearer.scope.claim.name")?,
        subject_claim: settings.needed("sasl.oauthbearer.sub.claim.name")?,
    })
}

/// `ConfigurationUtils.validateUrl`: an address must be named by the one who starts the process, too.
fn source(url: &str, allowed_urls: &str) -> Result<JwksSource, String> {
    let bad = |what: &str| format!("The OAuth configuration option {URL} contains a URL ({url}) that {what}");
    let malformed = |why: &str| bad(&format!("is malformed: {why}"));
    let (protocol, rest) = url.split_once(':').ok_or_else(|| malformed("no protocol"))?;
    let source = match protocol.to_ascii_lowercase().as_str() {
        "http" | "https" => JwksSource::Web(Url::parse(url).map_err(malformed)?),
        "file" => {
            // The host of a file, if there is one, is not looked at.
            let path = match rest.strip_prefix("//") {
                Some(rest) => rest.find('/').map(|at| &rest[at..]),
                None => Some(rest),
            };
            let path = path.filter(|path| path.starts_with('/')).ok_or_else(|| malformed("no path from the root"))?;
            JwksSource::File(path.to_string())
        }
        protocol => {
            return Err(bad(&format!(
                "contains an invalid protocol ({protocol}); only \"http\", \"https\", and \"file\" protocol are supported"
            )));
        }
    };
    match allowed_urls.split(',').any(|allowed| allowed.trim() == url) {
        true => Ok(source),
        false => Err(format!(
            "The URL cannot be accessed due to restrictions. Update the system property '{ALLOWED_URLS}' to allow the URL to \
             be accessed. (KAFKA_OPTS=-D{ALLOWED_URLS}={url} does so)"
        )),
    }
}

/// How often keys are looked for, and after failures (`RefreshingHttpsJwks`, `Retry`).
fn pace(settings: &OfTokens<'_, '_>) -> Result<[i64; 3], Invalid> {
    const REFRESH: &str = "sasl.oauthbearer.jwks.endpoint.refresh.ms";
    const BACKOFF: &str = "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms";
    const LONGEST: &str = "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms";
    let [refresh, backoff, longest] = [REFRESH, BACKOFF, LONGEST].map(|key| settings.number(key));
    if refresh <= 0 {
        let reason = "JWKS validation key refresh configuration value retryWaitMs value must be positive";
        return Err(settings.refused(REFRESH, reason.into()));
    }
    if backoff < 0 {
        return Err(settings.refused(BACKOFF, format!("retryBackoffMs value ({backoff}) must be non-negative")));
    }
    if longest < backoff {
        let reason = format!("retryBackoffMaxMs value ({longest}) is less than retryBackoffMs value ({backoff})");
        return Err(settings.refused(LONGEST, reason));
    }
    Ok([refresh, backoff, longest])
}

/// Options of the login module are how a broker reaches its provider (`JaasOptionsUtils.createSSLSocketFactory`).
fn trust_store(settings: &OfTokens<'_, '_>, module: &LoginModule) -> Result<Option<TrustStoreSettings>, Invalid> {
    const OWN: &str = "ssl.truststore.";
    // Java looks at the name in a provider's certificate, whatever the last of them says.
    let is_asked = |name: &str| name.starts_with("ssl.") && name != "ssl.endpoint.identification.algorithm";
    let options = module.options.iter().filter(|(name, _)| is_asked(name));
    let options: BTreeMap<String, String> =
        options.map(|(name, value)| (name.clone(), String::from_utf8_lossy(value.expose()).into_owned())).collect();
    let refused = |reason: String| settings.of.refused_of_mechanism(settings.mechanism, "sasl.jaas.config", reason);
    if let Some(name) = options.keys().find(|name| !name.starts_with(OWN)) {
        return Err(refused(format!("the option {name} has no effect here: only ssl.truststore.* has")));
    }
    let of = OfListener { settings: &Settings::of_static(&options), name: settings.of.name.clone() };
    tls::trust_store(&of).map_err(|invalid| refused(format!("the option {}: {}", invalid.key, invalid.reason)))
}

/// A claim of the tokens that is not verified must be allowed (`BrokerJwtValidator.configure`).
fn may_go_unverified(settings: &OfTokens<'_, '_>, what: &str, claim: &str, it_is: &str) -> Result<(), Invalid> {
    let key = format!("sasl.oauthbearer.expected.{what}");
    let allow = format!("sasl.oauthbearer.allow.unverified.{what}");
    if settings.value(&allow) == Some(Value::Boolean(true)) {
        return Ok(());
    }
    let reason = format!(
        "The OAuth validator for the broker requires \"{key}\" to be configured so that the token's {what} (\"{claim}\") \
         claim can be verified, but it was not set. Set \"{key}\" to the {it_is}, or set \"{allow}\" to true to accept \
         tokens regardless of their {what}."
    );
    Err(settings.refused(&key, reason))
}
