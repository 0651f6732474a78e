//! OAUTHBEARER of one listener: how tokens are judged (`OAuthBearerUnsecuredValidatorCallbackHandler`,
//! `OAuthBearerValidatorCallbackHandler` with `BrokerJwtValidator`). Every `sasl.oauthbearer.*` may have the prefix of the
//! mechanism (`ConfigurationUtils.get`).
//!
//! Deviation: a clock skew that is not a number stops the start; Kafka fails at every login.

use super::sasl::handler;
use super::{Invalid, OfListener, as_number, not_loaded};
use crate::config::jaas::LoginModule;
use crate::config::value::Value;

/// Which tokens are taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TokenValidation {
    Unsecured(UnsecuredTokens),
    Signed(SignedTokens),
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
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedTokens {
    /// `file:`, `http:` or `https:`
    pub jwks_url: String,
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
) -> Result<TokenValidation, Invalid> {
    match handler(of, mechanism, HANDLERS)? {
        Some(class) if class != HANDLERS[0] => signed(&OfTokens { of, mechanism }).map(TokenValidation::Signed),
        _ => unsecured(of, mechanism, modules).map(TokenValidation::Unsecured),
    }
}

fn unsecured(of: &OfListener<'_>, mechanism: &str, modules: &[LoginModule]) -> Result<UnsecuredTokens, Invalid> {
    let refused = |reason: String| Err(of.refused_of_mechanism(mechanism, "sasl.jaas.config", reason));
    let [module] = modules else {
        let size = modules.len();
        return refused(format!("Must supply exactly 1 non-null JAAS mechanism configuration (size was {size})"));
    };
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

    /// A text that is not empty.
    fn text(&self, key: &str) -> Option<String> {
        self.value(key).map(|value| value.to_string()).filter(|text| !text.is_empty())
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

fn signed(settings: &OfTokens<'_, '_>) -> Result<SignedTokens, Invalid> {
    const URL: &str = "sasl.oauthbearer.jwks.endpoint.url";
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
    Ok(SignedTokens {
        jwks_url,
        refresh_ms: settings.number("sasl.oauthbearer.jwks.endpoint.refresh.ms"),
        retry_backoff_ms: settings.number("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms"),
        retry_backoff_max_ms: settings.number("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms"),
        audiences,
        issuer,
        clock_skew_seconds: settings.number("sasl.oauthbearer.clock.skew.seconds"),
        scope_claim: settings.text("sasl.oauthbearer.scope.claim.name").unwrap_or_default(),
        subject_claim: settings.text("sasl.oauthbearer.sub.claim.name").unwrap_or_default(),
    })
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
