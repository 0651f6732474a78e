//! Delegation tokens: with which key they are made, and how long they last (`DelegationTokenManagerConfigs`).

use std::time::Duration;

use super::settings::Settings;
use super::value::Value;
use crate::stdx::secret::Secret;

/// What holds for delegation tokens where there are any.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DelegationTokenSettings {
    /// `delegation.token.secret.key`; it is not empty.
    pub secret_key: Secret,
    /// `delegation.token.max.lifetime.ms`
    pub max_lifetime_ms: i64,
    /// `delegation.token.expiry.time.ms`: how long a token lasts that is not renewed.
    pub expiry_time_ms: i64,
    /// `delegation.token.expiry.check.interval.ms`
    pub check_interval: Duration,
}

/// `None` without a key: then there are no tokens.
pub(super) fn resolve(settings: &Settings<'_>) -> Option<DelegationTokenSettings> {
    let Some(Value::Secret(secret_key)) = settings.value("delegation.token.secret.key") else { return None };
    let interval_ms = settings.long("delegation.token.expiry.check.interval.ms");
    let resolved = DelegationTokenSettings {
        secret_key,
        max_lifetime_ms: settings.long("delegation.token.max.lifetime.ms"),
        expiry_time_ms: settings.long("delegation.token.expiry.time.ms"),
        check_interval: Duration::from_millis(u64::try_from(interval_ms).unwrap_or(0)),
    };
    Some(resolved).filter(|resolved| !resolved.secret_key.expose().is_empty())
}
