//! Tokens without a signature, for tests (`OAuthBearerUnsecuredValidatorCallbackHandler`, `OAuthBearerUnsecuredJws`): a client
//! is whom it says.
//!
//! Deviation: a header without an algorithm is an invalid token; Kafka's validator fails there, and the connection ends.

use serde_json::{Map, Value};

use super::oauth::{BadToken, Bearer};
use crate::model::TimestampMs;
use crate::stdx::base64;

/// What a token must say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnsecuredValidator {
    pub principal_claim: String,
    pub scope_claim: String,
    pub required_scopes: Vec<String>,
    pub clock_skew_ms: i64,
}

type Claims = Map<String, Value>;

impl UnsecuredValidator {
    pub(super) fn judge(&self, token: &str, now: TimestampMs) -> Result<Bearer, BadToken> {
        let claims = self.claims(token).map_err(|reason| BadToken { scope: None, reason, claimed: None })?;
        let claimed = || claims.get(&self.principal_claim).and_then(Value::as_str).map(str::to_string);
        let refused = |reason| BadToken { scope: None, reason, claimed: claimed() };
        let bearer = self.bearer(&claims, now).map_err(refused)?;
        let scopes = self.scopes(&claims).map_err(refused)?;
        match self.required_scopes.iter().find(|required| !scopes.contains(required)) {
            None => Ok(bearer),
            Some(missing) => {
                let scope = format!("[{}]", self.required_scopes.join(", "));
                let reason = format!("The scope {missing} is missing");
                Err(BadToken { scope: Some(scope), reason, claimed: claimed() })
            }
        }
    }

    fn claims(&self, token: &str) -> Result<Claims, String> {
        if token.contains("..") {
            return Err("Malformed compact serialization contains '..'".into());
        }
        let parts: Vec<&str> = token.split('.').collect();
        let [header, claims, signature] = parts[..] else {
            return Err(
                "Unsecured JWS compact serializations must have 3 dot-separated Base64URL-encoded values".into()
            );
        };
        let (header, claims) = (object(header)?, object(claims)?);
        if header.get("alg").and_then(Value::as_str) != Some("none") {
            return Err("Unsecured JWS must have 'none' for an algorithm".into());
        }
        match signature {
            "" => Ok(claims),
            _ => Err("Unsecured JWS must not contain a digital signature".into()),
        }
    }

    fn bearer(&self, claims: &Claims, now: TimestampMs) -> Result<Bearer, String> {
        let expires = seconds(claims, "exp")?.ok_or("No expiration time in JWT")?;
        let principal = match claims.get(&self.principal_claim) {
            Some(Value::String(name)) if !name.trim().is_empty() => name.clone(),
            _ => return Err(format!("No principal name in JWT claim: {}", self.principal_claim)),
        };
        let (now, skew) = (now.0 as f64, self.clock_skew_ms as f64);
        if let Some(issued) = seconds(claims, "iat")? {
            if 1000.0 * issued > now + skew {
                return Err("The Issued At value was after the indicated time plus allowable clock skew".into());
            }
            if expires <= issued {
                return Err("The Expiration Time time was not after the Issued At time".into());
            }
        }
        if now - skew >= 1000.0 * expires {
            return Err(
                "The indicated time minus allowable clock skew was on or after the Expiration Time value".into()
            );
        }
        // What is out of range becomes the first or the last moment.
        Ok(Bearer { principal, expires: TimestampMs((expires * 1000.0).round() as i64) })
    }

    /// A text is one scope, whatever blanks are in it.
    fn scopes(&self, claims: &Claims) -> Result<Vec<String>, String> {
        let scopes = match claims.get(&self.scope_claim) {
            None => Vec::new(),
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            Some(_) => return Err(format!("The '{}' claim was not of type List", self.scope_claim)),
        };
        Ok(scopes.into_iter().map(str::trim).filter(|scope| !scope.is_empty()).map(str::to_string).collect())
    }
}

fn object(part: &str) -> Result<Claims, String> {
    let json = base64::decode_url(part.trim_end_matches('=').as_bytes()).ok_or("malformed Base64 URL encoded value")?;
    match serde_json::from_slice(&json) {
        Ok(Value::Object(claims)) => Ok(claims),
        _ => Err("malformed JSON".into()),
    }
}

fn seconds(claims: &Claims, name: &str) -> Result<Option<f64>, String> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or_else(|| format!("The '{name}' claim was not of type Number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: TimestampMs = TimestampMs(1_000_000);

    fn part(text: &str) -> String {
        base64::encode(text.as_bytes()).trim_end_matches('=').replace('+', "-").replace('/', "_")
    }

    fn judge(claims: &str, change: impl Fn(&mut UnsecuredValidator)) -> Result<String, String> {
        let mut validator = UnsecuredValidator {
            principal_claim: "sub".into(),
            scope_claim: "scope".into(),
            required_scopes: Vec::new(),
            clock_skew_ms: 0,
        };
        change(&mut validator);
        let token = format!("{}.{}.", part("{\"alg\":\"none\"}"), part(claims));
        let judged = validator.judge(&token, NOW);
        judged.map(|bearer| format!("{} {}", bearer.principal, bearer.expires.0)).map_err(|bad| {
            let scope = bad.scope.map(|scope| format!(" {scope}")).unwrap_or_default();
            format!("{}{scope}", bad.reason)
        })
    }

    /// `OAuthBearerUnsecuredValidatorCallbackHandlerTest` and `OAuthBearerUnsecuredJwsTest`, with times at their edges.
    #[test]
    fn claims_are_judged_as_by_kafka() {
        let plain = |claims: &str| judge(claims, |_| {});
        assert_eq!(plain(r#"{"sub":"a","exp":1000.001}"#).unwrap(), "a 1000001");
        assert!(plain(r#"{"sub":"a","exp":1000}"#).unwrap_err().starts_with("The indicated time"));
        assert_eq!(judge(r#"{"sub":"a","exp":1000}"#, |v| v.clock_skew_ms = 1).unwrap(), "a 1000000");
        assert_eq!(plain(r#"{"sub":"a","exp":2000,"iat":1000}"#).unwrap(), "a 2000000");
        assert!(plain(r#"{"sub":"a","exp":2000,"iat":1000.001}"#).unwrap_err().starts_with("The Issued At value"));
        assert_eq!(judge(r#"{"sub":"a","exp":2000,"iat":1000.001}"#, |v| v.clock_skew_ms = 1).unwrap(), "a 2000000");
        let late = judge(r#"{"sub":"a","exp":900,"iat":900}"#, |v| v.clock_skew_ms = 1_000_000);
        assert!(late.unwrap_err().starts_with("The Expiration Time time was not after"));
        assert_eq!(plain(r#"{"sub":"a"}"#).unwrap_err(), "No expiration time in JWT");
        assert_eq!(plain(r#"{"sub":"a","exp":"2000"}"#).unwrap_err(), "The 'exp' claim was not of type Number");
        for claims in [r#"{"exp":2000}"#, r#"{"sub":" ","exp":2000}"#, r#"{"sub":7,"exp":2000}"#] {
            assert_eq!(plain(claims).unwrap_err(), "No principal name in JWT claim: sub");
        }
        assert_eq!(judge(r#"{"me":"b","exp":2000}"#, |v| v.principal_claim = "me".into()).unwrap(), "b 2000000");
        assert_eq!(plain(r#"{"sub":"a","exp":1e300}"#).unwrap(), format!("a {}", i64::MAX));
    }

    #[test]
    fn scopes_are_those_of_the_token() {
        let required = |claims: &str| {
            judge(claims, |v| v.required_scopes = vec!["a".into(), "b".into()]).map_err(|reason| {
                assert!(reason.ends_with("[a, b]") || reason.contains("claim"), "{reason}");
            })
        };
        assert!(required(r#"{"sub":"x","exp":2000,"scope":["b"," a ",""]}"#).is_ok());
        for scope in [r#""a b""#, r#"["a"]"#, r#""""#, "[]", "5"] {
            assert!(required(&format!(r#"{{"sub":"x","exp":2000,"scope":{scope}}}"#)).is_err(), "{scope}");
        }
        assert!(required(r#"{"sub":"x","exp":2000}"#).is_err());
        assert!(judge(r#"{"sub":"x","exp":2000,"scope":"a b"}"#, |v| v.required_scopes = vec!["a b".into()]).is_ok());
    }

    #[test]
    fn what_is_no_unsecured_token_is_refused() {
        let validator = UnsecuredValidator {
            principal_claim: "sub".into(),
            scope_claim: "scope".into(),
            required_scopes: Vec::new(),
            clock_skew_ms: 0,
        };
        let claims = part(r#"{"sub":"a","exp":2000}"#);
        let none = part(r#"{"alg":"none"}"#);
        for token in [
            String::new(),
            format!("{none}.{claims}"),
            format!("{none}.{claims}.."),
            format!("{none}.{claims}.x"),
            format!("{none}.{claims}..x"),
            format!("{}.{claims}.", part(r#"{"alg":"HS256"}"#)),
            format!("{}.{claims}.", part(r#"{"alg":"None"}"#)),
            format!("{}.{claims}.", part("{}")),
            format!("{}.{claims}.", part("[]")),
            format!("{none}.{}.", part("{")),
            format!("{none}.*.",),
            format!("{none}.{}.", part(&"[".repeat(5000))),
        ] {
            assert!(validator.judge(&token, NOW).is_err_and(|bad| bad.scope.is_none()), "{token}");
        }
        assert!(validator.judge(&format!("{none}.{claims}."), NOW).is_ok());
    }
}
