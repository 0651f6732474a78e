//! Tokens beside what Apache Kafka says of them, and keys that are not there yet.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::security::sasl::jwks::KeySet;

/// What Apache Kafka 4.4.0 said; `testdata/RecordTokens.java` wrote it.
const RECORDED: &str = include_str!("../testdata/tokens-4.4.0.tsv");
const NOW: TimestampMs = TimestampMs(1_700_000_000_999);

/// Tokens that Kafka takes and that are not taken here, by their names.
const NOT_TAKEN: &[&str] = &["EdDSA ed448", "HS256 oct"];

fn keys(json: &str) -> Arc<SigningKeys> {
    Arc::new(SigningKeys::new(KeySet::parse(json.as_bytes()).unwrap(), Box::new(|| {})))
}

pub(super) fn validator(keys: Arc<SigningKeys>) -> SignedValidator {
    SignedValidator {
        audiences: vec!["a".into()],
        issuer: Some("i".into()),
        clock_skew_seconds: 30,
        scope_claim: "scope".into(),
        subject_claim: "sub".into(),
        keys,
    }
}

/// With settings as the recording has them.
fn with(keys: Arc<SigningKeys>, settings: &str) -> SignedValidator {
    let mut validator = validator(keys);
    for (name, value) in settings.split(';').filter_map(|setting| setting.split_once('=')) {
        match name {
            "audience" => {
                validator.audiences = value.split(',').filter(|a| !a.is_empty()).map(str::to_string).collect()
            }
            "issuer" => validator.issuer = Some(value.to_string()).filter(|issuer| !issuer.is_empty()),
            "skew" => validator.clock_skew_seconds = value.parse().unwrap(),
            "scope" => validator.scope_claim = value.into(),
            "sub" => validator.subject_claim = value.into(),
            _ => panic!("{name}"),
        }
    }
    validator
}

#[test]
fn tokens_are_judged_as_by_kafka() {
    let mut sets = BTreeMap::new();
    let (mut taken, mut refused, mut wrong) = (0, 0, Vec::new());
    for line in RECORDED.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        match fields[..] {
            ["jwks", name, json] => drop(sets.insert(name, keys(json))),
            ["token", name, set, settings, token, ref result @ ..] => {
                let judged = with(sets[set].clone(), settings).judge(token, NOW);
                let expected = match result {
                    ["ok", principal, expires] if !NOT_TAKEN.contains(&name) => Some(format!("{principal} {expires}")),
                    _ => None,
                };
                match expected.is_some() {
                    true => taken += 1,
                    false => refused += 1,
                }
                let said = judged.as_ref().ok().map(|bearer| format!("{} {}", bearer.principal, bearer.expires.0));
                if said != expected || judged.as_ref().is_err_and(|bad| bad.scope.is_some() || bad.reason.is_empty()) {
                    wrong.push(format!("{name} ({set}, {settings}): {judged:?}, Kafka: {result:?}"));
                }
            }
            _ => panic!("{line}"),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(taken > 60 && refused > 150, "{taken} taken, {refused} refused");
}

/// A token of the recording, with the keys that judge it.
fn recorded(name: &str) -> (&'static str, &'static str) {
    let field = |kind: &str, name: &str, at: usize| {
        let line = RECORDED.lines().find(|line| line.starts_with(&format!("{kind}\t{name}\t"))).unwrap();
        line.split('\t').nth(at).unwrap()
    };
    (field("token", name, 4), field("jwks", "all", 2))
}

#[test]
fn each_algorithm_takes_its_own_tokens_only() {
    let kinds = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];
    let names = ["rsa", "rsa", "rsa", "rsa", "rsa", "rsa", "p256", "p384", "p521", "ed25519"];
    for (kind, name) in kinds.into_iter().zip(names) {
        let (token, json) = recorded(&format!("{kind} {name}"));
        let keys = keys(json);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let signature = decoded(signature).unwrap();
        for other in kinds {
            let hint = KeyHint { kid: Some(name.into()), ..KeyHint::default() };
            let algorithm = Algorithm::named(other).unwrap();
            let set = keys.current();
            let is_good =
                set.select(algorithm, &hint).is_some_and(|k| k.has_signed(algorithm, signed.as_bytes(), &signature));
            assert_eq!(is_good, other == kind, "{kind} as {other}");
            // Whatever key it is put to.
            let all = kinds
                .iter()
                .zip(names)
                .filter(|(_, name)| *name != names[kinds.iter().position(|k| *k == kind).unwrap()]);
            for (_, name) in all {
                let hint = KeyHint { kid: Some(name.into()), ..KeyHint::default() };
                let own = kinds.iter().zip(names).find(|(_, other)| *other == name).unwrap().0;
                let key = set.select(Algorithm::named(own).unwrap(), &hint).unwrap();
                assert!(!key.has_signed(algorithm, signed.as_bytes(), &signature), "{kind} by {name} as {other}");
            }
        }
    }
    for name in ["none", "HS256", "HS384", "HS512", "ES256K", "rs256", "RSA1_5", "dir", "", "NONE"] {
        assert!(Algorithm::named(name).is_none(), "{name}");
    }
}

#[test]
fn a_key_that_comes_later_is_asked_for_and_taken() {
    let (token, json) = recorded("RS256 rsa");
    let count = Arc::new(AtomicUsize::new(0));
    let asked = count.clone();
    let keys = SigningKeys::new(KeySet::default(), Box::new(move || _ = asked.fetch_add(1, Ordering::Relaxed)));
    let validator = validator(Arc::new(keys));
    for _ in 0..3 {
        assert!(validator.judge(token, NOW).unwrap_err().reason.ends_with("is for RS256 and the kid rsa"));
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }
    validator.keys.begin();
    validator.keys.publish(KeySet::parse(json.as_bytes()).unwrap());
    assert_eq!(validator.judge(token, NOW).unwrap().principal, "alice");
    // What is wrong otherwise asks for nothing, nor does a token that names no key.
    for name in ["RS256 rsa other signature", "HS256 with the RSA key", "none", "exp at the edge", "unknown alg"] {
        assert!(validator.judge(recorded(name).0, NOW).is_err());
    }
    validator.keys.publish(KeySet::default());
    assert!(validator.judge(recorded("no kid").0, NOW).is_err());
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[test]
fn what_is_no_set_of_keys_is_refused() {
    for text in ["", "[]", "{}", r#"{"keys":null}"#, r#"{"keys":{}}"#, r#"{"keys":[1]}"#, r#"{"keys":[],"keys":[]}"#] {
        assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
    }
    let read = |key: &str| KeySet::parse(format!(r#"{{"keys":[{key}]}}"#).as_bytes()).unwrap().len();
    assert_eq!(read(r#"{"kty":"oct","k":"AA"},{"kty":"oct"},{"k":"AA"},{"kty":5}"#), 1);
    let n = "A".repeat(100);
    for key in [
        r#"{"kty":"RSA","n":"_w","e":"AQAB"}"#.to_string(),
        format!(r#"{{"kty":"RSA","n":"{n}","e":"AQAB"}}"#),
        format!(r#"{{"kty":"RSA","n":"_{n}","e":"?"}}"#),
        format!(r#"{{"kty":"EC","crv":"P-256","x":"_{n}","y":"AQ"}}"#),
        r#"{"kty":"EC","crv":"P-255","x":"AQ","y":"AQ"}"#.to_string(),
        r#"{"kty":"OKP","crv":"Ed25518","x":"AQ"}"#.to_string(),
        r#"{"kty":"oct","k":"AA","x5c":["?"]}"#.to_string(),
        r#"{"kty":"oct","k":"AA","x5c":"AA"}"#.to_string(),
        r#"{"kty":"oct","k":"AA","key_ops":"verify"}"#.to_string(),
    ] {
        assert_eq!(read(&key), 0, "{key}");
    }
    // A point that is on no curve signs nothing.
    let strange = KeySet::parse(
        br#"{"keys":[{"kty":"EC","crv":"P-521","x":"AQ","y":"AQ"},{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}]}"#,
    );
    let strange = strange.unwrap();
    for (name, size) in [("ES512", 132), ("ES256", 64)] {
        let algorithm = Algorithm::named(name).unwrap();
        let key = strange.select(algorithm, &KeyHint::default()).unwrap();
        assert!(!key.has_signed(algorithm, b"x", &vec![1; size]));
    }
}
