//! Decisions about delegation tokens (`DelegationTokenControlManager`, KIP-48, KIP-373).
//!
//! Times are of the wall clock. A token that has expired is there until it is swept, and can only be removed meanwhile. The
//! HMAC of a token is in no record: it follows from the token's id and the cluster's key. Kafka has a map by it; here it is kept
//! with each token, once it was computed.
//!
//! Deviation: where `now` and a period exceed 64 bits, Kafka's renewal wraps around into the past; here it is the largest
//! time, as Kafka has it for the other ends.

use std::sync::Arc;

use super::change::{Decided, Decision};
use super::image::Image;
use super::inputs::Inputs;
use super::levels::knows_delegation_tokens;
use super::record::{Record, RemoveDelegationTokenRecord};
use super::security::{DelegationToken, KnownHmac};
use crate::config::DelegationTokenSettings;
use crate::model::{ErrorCode, TimestampMs};
use crate::security::delegation;
use crate::security::principal::Principal;
use crate::stdx::secret::Secret;

/// `DelegationTokenControlManager.MAX_RECORDS_PER_EXPIRATION`
const MAX_SWEPT: usize = 1000;

/// A token that shall be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewDelegationToken {
    /// The user that it stands for.
    pub owner: Principal,
    /// The user that asks for it.
    pub requester: Principal,
    pub renewers: Vec<Principal>,
    /// What is not above 0 is the longest that may be.
    pub max_lifetime_ms: i64,
}

/// A token of which a client knows the HMAC, and what that client wants of its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenPeriod {
    pub hmac: Secret,
    pub requester: Principal,
    pub period_ms: i64,
}

impl DelegationToken {
    /// Whether its time is over (`maxTimestamp < now || expiryTimestamp < now`).
    fn is_expired(&self, now: TimestampMs) -> bool {
        self.max_timestamp < now.0 || self.expiration_timestamp < now.0
    }

    /// Who may move its end. Its requester may not.
    fn may_be_renewed_by(&self, principal: &Principal) -> bool {
        self.owner == principal.text() || self.renewers.iter().any(|renewer| renewer == principal.text())
    }

    fn until(&self, expiration_timestamp: i64) -> Record<'static> {
        let token = DelegationToken { expiration_timestamp, ..self.clone() };
        Record::DelegationToken(token.to_record())
    }

    fn removal(&self) -> Record<'static> {
        Record::RemoveDelegationToken(RemoveDelegationTokenRecord { token_id: self.token_id.clone().into() })
    }
}

/// What a decision about tokens needs beside the image; the error where there are none.
fn settings<'a>(image: &Image, inputs: &Inputs<'a>) -> Result<&'a DelegationTokenSettings, ErrorCode> {
    let settings = inputs.config.delegation_tokens.as_ref().ok_or(ErrorCode::DelegationTokenAuthDisabled)?;
    match knows_delegation_tokens(image.metadata_version()) {
        true => Ok(settings),
        false => Err(ErrorCode::UnsupportedVersion),
    }
}

pub(super) fn create_token(image: &Image, asked: &NewDelegationToken, inputs: &mut Inputs<'_>) -> Decision {
    let settings = match settings(image, inputs) {
        Ok(settings) => settings,
        Err(error) => return Decision { records: Vec::new(), answer: Decided::TokenCreated(Err(error)) },
    };
    let now = inputs.now.0;
    let lifetime_ms = shorter(settings.max_lifetime_ms, asked.max_lifetime_ms);
    let max_timestamp = now.saturating_add(lifetime_ms);
    let token = DelegationToken {
        owner: asked.owner.to_string(),
        requester: asked.requester.to_string(),
        renewers: asked.renewers.iter().map(Principal::to_string).collect(),
        issue_timestamp: now,
        max_timestamp,
        expiration_timestamp: max_timestamp.min(now.saturating_add(settings.expiry_time_ms)),
        token_id: (inputs.new_id)().to_string(),
        hmac: KnownHmac::default(),
    };
    let record = Record::DelegationToken(token.to_record());
    Decision { records: vec![record], answer: Decided::TokenCreated(Ok(Arc::new(token))) }
}

pub(super) fn renew_token(image: &Image, asked: &TokenPeriod, inputs: &Inputs<'_>) -> Decision {
    ends(renewed(image, asked, inputs))
}

/// The record of a token and its new end.
type Moved = Result<(Record<'static>, i64), ErrorCode>;

fn renewed(image: &Image, asked: &TokenPeriod, inputs: &Inputs<'_>) -> Moved {
    let settings = settings(image, inputs)?;
    let token = find(image, settings, &asked.hmac)?;
    if token.is_expired(inputs.now) {
        return Err(ErrorCode::DelegationTokenExpired);
    }
    if !token.may_be_renewed_by(&asked.requester) {
        return Err(ErrorCode::DelegationTokenOwnerMismatch);
    }
    let period_ms = shorter(settings.expiry_time_ms, asked.period_ms);
    let end = token.max_timestamp.min(inputs.now.0.saturating_add(period_ms));
    Ok((token.until(end), end))
}

pub(super) fn expire_token(image: &Image, asked: &TokenPeriod, inputs: &Inputs<'_>) -> Decision {
    ends(expired(image, asked, inputs))
}

fn expired(image: &Image, asked: &TokenPeriod, inputs: &Inputs<'_>) -> Moved {
    let settings = settings(image, inputs)?;
    let token = find(image, settings, &asked.hmac)?;
    if !token.may_be_renewed_by(&asked.requester) {
        return Err(ErrorCode::DelegationTokenOwnerMismatch);
    }
    if asked.period_ms < 0 {
        return Ok((token.removal(), inputs.now.0));
    }
    if token.is_expired(inputs.now) {
        return Err(ErrorCode::DelegationTokenExpired);
    }
    let end = token.max_timestamp.min(inputs.now.0.saturating_add(asked.period_ms));
    Ok((token.until(end), end))
}

fn ends(moved: Moved) -> Decision {
    match moved {
        Ok((record, end)) => Decision { records: vec![record], answer: Decided::TokenEnds(Ok(end)) },
        Err(error) => Decision { records: Vec::new(), answer: Decided::TokenEnds(Err(error)) },
    }
}

/// Removes tokens that have expired, so many at a time.
pub(super) fn sweep_tokens(image: &Image, now: TimestampMs) -> Vec<Record<'static>> {
    let expired = image.tokens.values().filter(|token| token.is_expired(now));
    expired.take(MAX_SWEPT).map(|token| token.removal()).collect()
}

/// What holds where a client may ask for less than `most_ms`.
fn shorter(most_ms: i64, asked_ms: i64) -> i64 {
    if asked_ms > 0 { most_ms.min(asked_ms) } else { most_ms }
}

/// Looks at each token. Its HMAC is computed once, and not for each request that names any of them: every user may
/// make tokens and ask for their ends, and the metadata thread decides.
fn find<'i>(
    image: &'i Image,
    settings: &DelegationTokenSettings,
    hmac: &Secret,
) -> Result<&'i DelegationToken, ErrorCode> {
    let has_hmac = |token: &&Arc<DelegationToken>| {
        token.hmac.get(|| delegation::hmac(&settings.secret_key, &token.token_id)) == hmac
    };
    image.tokens.values().find(has_hmac).map(|token| &**token).ok_or(ErrorCode::DelegationTokenNotFound)
}

#[cfg(test)]
pub(super) mod tests;
