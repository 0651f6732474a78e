//! Tokens of providers and their keys: whatever they are, nothing is good that was not signed, and no claims are that do not say
//! what is asked for.

use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::model::TimestampMs;
use crate::security::sasl::jwks::KeySet;
use crate::security::sasl::jwt::SignedValidator;
use crate::security::sasl::oauth::TokenValidator;
use crate::security::sasl::signing_keys::SigningKeys;
use crate::security::sasl::unsecured::UnsecuredValidator;

/// Tokens that Apache Kafka judged, and the keys.
const RECORDED: &str = include_str!("../security/sasl/testdata/tokens-4.4.0.tsv");
const NOW: i64 = 1_700_000_000;
const SKEW: i64 = 30;

fn recorded(kind: &str, name: &str, field: usize) -> &'static str {
    let line = RECORDED.lines().find(|line| line.starts_with(&format!("{kind}\t{name}\t")));
    line.and_then(|line| line.split('\t').nth(field)).expect("it was recorded")
}

/// Every token that a key of the recording has signed.
fn signed() -> impl Iterator<Item = &'static str> {
    RECORDED.lines().filter(|line| line.starts_with("token\t")).filter_map(|line| line.split('\t').nth(4))
}

fn validator(keys: KeySet) -> SignedValidator {
    SignedValidator {
        audiences: vec!["a".into(), "b".into()],
        issuer: Some("i".into()),
        clock_skew_seconds: SKEW,
        scope_claim: "scope".into(),
        subject_claim: "sub".into(),
        keys: Arc::new(SigningKeys::new(keys, Box::new(|| {}))),
    }
}

/// A byte says what the rest is: a token that must be signed, one that must not be, or claims as if they were signed.
pub fn jwts(bytes: &[u8]) {
    static VALIDATOR: OnceLock<TokenValidator> = OnceLock::new();
    static UNSECURED: OnceLock<TokenValidator> = OnceLock::new();
    let Some((which, rest)) = bytes.split_first() else { return };
    let now = TimestampMs(NOW * 1000);
    let Ok(text) = std::str::from_utf8(rest) else { return };
    match which % 3 {
        0 => {
            let keys = || KeySet::parse(recorded("jwks", "all", 2).as_bytes()).expect("keys");
            let validator = VALIDATOR.get_or_init(|| TokenValidator::Signed(Arc::new(validator(keys()))));
            if validator.judge(text, now).is_ok() {
                let of = |token: &str| token.rsplit_once('.').map(|(signed, _)| signed.to_string());
                assert!(signed().any(|token| of(token) == of(text)), "a token that no key has signed");
            }
        }
        1 => {
            let unsecured = UNSECURED.get_or_init(|| {
                TokenValidator::Unsecured(Arc::new(UnsecuredValidator {
                    principal_claim: "sub".into(),
                    scope_claim: "scope".into(),
                    required_scopes: vec!["r".into()],
                    clock_skew_ms: 0,
                }))
            });
            if let Ok(bearer) = unsecured.judge(text, now) {
                assert!(bearer.expires > now && !bearer.principal.trim().is_empty());
            }
        }
        _ => claims(rest, now),
    }
}

fn claims(bytes: &[u8], now: TimestampMs) {
    let Ok(bearer) = validator(KeySet::default()).judge_claims(bytes, now) else { return };
    let claims: Value = serde_json::from_slice(bytes).expect("what was judged is JSON");
    let number = |name: &str| claims[name].as_f64().expect("a number");
    assert!(number("exp") > (NOW - SKEW) as f64 && number("iat") < number("exp") + 1.0);
    assert!(bearer.expires.0 / 1000 > NOW - SKEW);
    assert!(claims["nbf"].as_f64().is_none_or(|not_before| not_before < (NOW + SKEW + 1) as f64));
    assert_eq!(claims["iss"], "i");
    let audiences = match &claims["aud"] {
        Value::Array(several) => several.clone(),
        one => vec![one.clone()],
    };
    assert!(audiences.iter().any(|own| own == "a" || own == "b"), "{audiences:?}");
    let subject = claims["sub"].as_str().expect("a text");
    assert!(!bearer.principal.is_empty() && subject.contains(&bearer.principal));
}

/// The keys of a provider, to which good tokens are put.
pub fn jwks(bytes: &[u8]) {
    let Ok(keys) = KeySet::parse(bytes) else { return };
    assert!(keys.len() <= bytes.len());
    static TOKENS: OnceLock<[&str; 8]> = OnceLock::new();
    let tokens = TOKENS.get_or_init(|| {
        ["RS256 rsa", "PS384 rsa", "ES256 p256", "ES384 p384", "ES512 p521", "EdDSA ed25519", "no kid", "x5t"]
            .map(|name| recorded("token", name, 4))
    });
    let validator = TokenValidator::Signed(Arc::new(validator(keys)));
    for token in tokens {
        let _ = validator.judge(token, TimestampMs(NOW * 1000));
    }
}

/// What the fuzzers begin with.
#[cfg(test)]
pub fn seeds() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let behind = |which: u8, text: &str| [&[which], text.as_bytes()].concat();
    let kinds =
        ["RS256 rsa", "PS512 rsa3072", "ES256 p256", "ES512 p521", "EdDSA ed25519", "HS256 with the modulus", "none"];
    let mut tokens: Vec<_> = kinds.iter().map(|name| behind(0, recorded("token", name, 4))).collect();
    let part = |text: &str| crate::stdx::base64::encode(text.as_bytes()).trim_end_matches('=').replace('+', "-");
    let unsecured = r#"{"sub":"a","exp":1700000100,"iat":1,"scope":["r","w"]}"#;
    tokens.push(behind(1, &format!("{}.{}.", part(r#"{"alg":"none"}"#), part(unsecured))));
    let good = r#"{"sub":" al ","aud":["x","b"],"iss":"i","iat":1700000000,"nbf":1700000030,"exp":1700000100.5,"scope":["r"]}"#;
    assert!(validator(KeySet::default()).judge_claims(good.as_bytes(), TimestampMs(NOW * 1000)).is_ok());
    tokens
        .extend([behind(2, good), behind(2, &good.replace("1700000100.5", "1.7000001e9").replace("[\"r\"]", "\"r\""))]);
    let sets = ["all", "strange ones", "thumbs", "ops"].map(|name| recorded("jwks", name, 2).as_bytes().to_vec());
    vec![("jwts", tokens), ("jwks", sets.to_vec())]
}
