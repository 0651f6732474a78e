//! Tokens that a provider has signed (RFC 7515, 7519; `BrokerJwtValidator`, `SerializedJwt`, `ClaimValidationUtils` and jose4j
//! 0.9.6).
//!
//! Deviations: tokens within tokens (`cty` is JWT) and payloads that are not encoded (`b64`) are refused. Where Kafka fails
//! without a sentence (a scope that is no text, a time beyond all), and the connection ends, the token is refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::json;
use super::jwks::{Algorithm, KeyHint};
use super::oauth::{BadToken, Bearer};
use super::signing_keys::SigningKeys;
use crate::model::TimestampMs;
use crate::security::shown::Shown;
use crate::stdx::base64;

/// What a token must say, and by whom it must be signed.
#[derive(Debug)]
pub struct SignedValidator {
    /// One of them must be the token's; none: whatever it says.
    pub audiences: Vec<String>,
    /// `None`: whatever it says.
    pub issuer: Option<String>,
    pub clock_skew_seconds: i64,
    pub scope_claim: String,
    pub subject_claim: String,
    pub keys: Arc<SigningKeys>,
}

type Claims = Map<String, Value>;

impl SignedValidator {
    pub(super) fn judge(&self, token: &str, now: TimestampMs) -> Result<Bearer, BadToken> {
        let judged = self.claims(token, now).and_then(|claims| self.bearer(&claims, now));
        judged.map_err(|reason| BadToken { scope: None, reason, claimed: self.claimed(token) })
    }

    /// Whom a token names whose signature may not hold: for the log alone.
    fn claimed(&self, token: &str) -> Option<String> {
        let claims = json::object(&decoded(token.split('.').nth(1)?).ok()?).ok()?;
        claims.get(&self.subject_claim)?.as_str().map(str::to_string)
    }

    /// What becomes of claims, as if their signature held.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn judge_claims(&self, claims: &[u8], now: TimestampMs) -> Result<Bearer, String> {
        self.bearer(&json::object(claims)?, now)
    }

    /// The claims of a token whose signature holds.
    fn claims(&self, token: &str, now: TimestampMs) -> Result<Claims, String> {
        let parts: Vec<&str> = token.split('.').collect();
        let [header, claims, signature] = parts[..] else { return Err(MALFORMED.into()) };
        if header.is_empty() || claims.is_empty() || signature.is_empty() {
            return Err(MALFORMED.into());
        }
        let signed = &token[..header.len() + 1 + claims.len()];
        let Header { algorithm, hint } = Header::read(&decoded(header)?)?;
        let keys = self.keys.current();
        let Some(key) = keys.select(algorithm, &hint) else {
            if let Some(kid) = &hint.kid {
                self.keys.note_missing(kid, now);
            }
            let (kid, count) = (hint.kid.as_deref().unwrap_or("none"), keys.len());
            let name = algorithm.name;
            return Err(format!("None of the provider's {count} keys is for {name} and the kid {}", Shown(kid)));
        };
        if !key.has_signed(algorithm, signed.as_bytes(), &decoded(signature)?) {
            return Err("JWT rejected due to invalid signature".into());
        }
        json::object(&decoded(claims)?)
    }

    fn bearer(&self, claims: &Claims, now: TimestampMs) -> Result<Bearer, String> {
        self.check_audience(claims)?;
        let issuer = text(claims, "iss")?;
        match &self.issuer {
            Some(expected) if issuer != Some(expected.as_str()) => {
                return Err("Issuer (iss) claim is not what is expected".into());
            }
            _ => {}
        }
        let expires = self.check_times(claims, now.0.div_euclid(1000))?;
        text(claims, "sub")?;
        text(claims, "jti")?;
        self.check_scopes(claims)?;
        let subject = &self.subject_claim;
        let principal = text(claims, subject)?.ok_or_else(|| format!("{subject} value must be non-null"))?;
        let principal = filled(subject, principal)?.to_string();
        Ok(Bearer { principal, expires })
    }

    fn check_audience(&self, claims: &Claims) -> Result<(), String> {
        if self.audiences.is_empty() {
            return Ok(());
        }
        let audiences: Vec<&str> = match claims.get("aud") {
            None | Some(Value::Null) => return Err("No Audience (aud) claim present.".into()),
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => {
                several.iter().map(Value::as_str).collect::<Option<_>>().ok_or(NO_AUDIENCES)?
            }
            Some(_) => return Err(NO_AUDIENCES.into()),
        };
        match audiences.iter().any(|own| self.audiences.iter().any(|expected| expected == own)) {
            true => Ok(()),
            false => Err("Audience (aud) claim doesn't contain an acceptable identifier.".into()),
        }
    }

    /// `NumericDateValidator`, in whole seconds; answers the token's end.
    fn check_times(&self, claims: &Claims, now: i64) -> Result<TimestampMs, String> {
        let [expires, issued, not_before] = [seconds(claims, "exp")?, seconds(claims, "iat")?, seconds(claims, "nbf")?];
        let expires = expires.ok_or("No Expiration Time (exp) claim present.")?;
        let issued = issued.ok_or("No Issued At (iat) claim present.")?;
        let skew = self.clock_skew_seconds;
        if now.saturating_sub(skew) >= expires {
            return Err("The JWT is no longer valid".into());
        }
        if expires < issued {
            return Err(
                "The Expiration Time (exp) claim value cannot be before the Issued At (iat) claim value.".into()
            );
        }
        if not_before.is_some_and(|not_before| expires < not_before) {
            return Err(
                "The Expiration Time (exp) claim value cannot be before the Not Before (nbf) claim value.".into()
            );
        }
        if not_before.is_some_and(|not_before| now.saturating_add(skew) < not_before) {
            return Err("The JWT is not yet valid".into());
        }
        if issued < 0 || expires < 0 {
            return Err("iat and exp must be non-negative".into());
        }
        expires.checked_mul(1000).map(TimestampMs).ok_or_else(|| "the exp claim is beyond all times".into())
    }

    /// What is no text and no list says nothing.
    fn check_scopes(&self, claims: &Claims) -> Result<(), String> {
        let name = &self.scope_claim;
        let scopes: Vec<&str> = match claims.get(name) {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => {
                let texts: Option<_> = several.iter().map(Value::as_str).collect();
                texts.ok_or_else(|| format!("{name} has a value that is no text"))?
            }
            _ => Vec::new(),
        };
        let mut seen = BTreeSet::new();
        for scope in scopes {
            if !seen.insert(filled(name, scope)?) {
                return Err(format!("{name} value must not contain duplicates"));
            }
        }
        Ok(())
    }
}

const MALFORMED: &str = "Malformed JWT provided; expected three sections (header, payload, and signature)";
const NO_AUDIENCES: &str = "The value of the 'aud' claim is not an array of strings or a single string value.";

/// What a token says of its signature.
struct Header {
    algorithm: Algorithm,
    hint: KeyHint,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Header, String> {
        let header = json::object(bytes)?;
        let own = |name: &str| text(&header, name).map(|text| text.map(str::to_string));
        let name = text(&header, "alg")?.ok_or("Signature algorithm header (alg) not set.")?;
        let algorithm = Algorithm::named(name)
            .ok_or_else(|| format!("{} is an unknown, unsupported or unavailable alg algorithm", Shown(name)))?;
        match header.get("crit") {
            None | Some(Value::Null) => {}
            Some(Value::Array(names)) if names.is_empty() => {}
            Some(_) => return Err("Unrecognized header marked as critical.".into()),
        }
        let content = text(&header, "cty")?.unwrap_or_default().to_ascii_lowercase();
        if content == "jwt" || content == "application/jwt" || header.contains_key("b64") {
            return Err("a token within a token, or one that is not encoded, is not read".into());
        }
        Ok(Header { algorithm, hint: KeyHint { kid: own("kid")?, thumbs: [own("x5t")?, own("x5t#S256")?] } })
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, String> {
    base64::decode_url(part.as_bytes()).ok_or_else(|| "malformed Base64 URL encoded value".into())
}

/// A claim that, if it is there, must be a text.
fn text<'a>(claims: &'a Claims, name: &str) -> Result<Option<&'a str>, String> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("The value of the '{name}' claim is not the expected type")),
    }
}

/// A time, without the fraction of its last second.
fn seconds(claims: &Claims, name: &str) -> Result<Option<i64>, String> {
    let bad = || format!("The value of the '{name}' claim is not the expected type");
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(seconds), _) => Ok(Some(seconds)),
            // It is exact up to 2^53, and beyond 2^63 there is none.
            (None, Some(seconds)) if seconds.abs() < i64::MAX as f64 => Ok(Some(seconds as i64)),
            _ => Err(bad()),
        },
        Some(_) => Err(bad()),
    }
}

/// A text without what Java's `trim` takes from its ends, which is not all of it.
fn filled<'a>(name: &str, text: &'a str) -> Result<&'a str, String> {
    match text.trim_matches(|c| c <= ' ') {
        "" => Err(format!("{name} value must be non-empty")),
        trimmed => Ok(trimmed),
    }
}

#[cfg(test)]
mod tests;
