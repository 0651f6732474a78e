//! `--add-scram` of `klamm format`: credentials that a cluster has from its beginning (`ScramParser`).
//!
//! `SCRAM-SHA-256=[name=alice,password=x]`, or with what was derived from the password elsewhere:
//! `[name=alice,iterations=8192,salt="base64",saltedpassword="base64"]`. Sentences are Kafka's, without what may be a password.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use crate::metadata::{Record, scram_record};
use crate::security::crypto::Hash;
use crate::security::sasl::scram::{Credential, MAX_ITERATIONS, MIN_ITERATIONS, mechanism_id, mechanism_named};
use crate::stdx::base64;

/// The record of one argument. `salt` is for one that names none.
pub(super) fn record(argument: &str, salt: [u8; 16]) -> Result<Record<'static>, String> {
    let argument = argument.trim();
    let Some((name, config)) = argument.split_once('=') else {
        return Err(format!("Failed to find equals sign in SCRAM argument '{argument}'"));
    };
    let hash = mechanism_named(name).ok_or_else(|| format!("The add-scram mechanism {name} is not supported."))?;
    let config = config.strip_prefix('[').ok_or("Expected configuration string to start with [")?;
    let config = config.strip_suffix(']').ok_or("Expected configuration string to end with ]")?;
    let mut parts = components(config)?;
    let user = parts.remove("name").ok_or("You must supply 'name' to add-scram")?;
    let given_salt = match parts.remove("salt") {
        Some(text) => {
            Some(base64::decode(text.as_bytes()).ok_or_else(|| format!("Failed to decode given salt: {text}"))?)
        }
        None => None,
    };
    let iterations = iterations(parts.remove("iterations"))?;
    let (password, salted) = (parts.remove("password"), parts.remove("saltedpassword"));
    let has_salt = given_salt.is_some();
    let salt = given_salt.unwrap_or_else(|| salt.to_vec());
    let derive: Box<dyn FnOnce() -> Result<Credential, String>> = match (password, salted) {
        (Some(password), _) => Box::new(move || of_password(hash, password, salt, check(iterations, name)?)),
        (None, Some(_)) if !has_salt => return Err("You must supply 'salt' with 'saltedpassword' to add-scram".into()),
        (None, Some(salted)) => {
            let salted = base64::decode(salted.as_bytes()).filter(|salted| !salted.is_empty());
            let salted = salted.ok_or("Failed to decode given saltedPassword")?;
            Box::new(move || Ok(Credential::of_salted(hash, &salted, salt, check(iterations, name)?.get() as i32)))
        }
        (None, None) => return Err("You must supply one of 'password' or 'saltedpassword' to add-scram".into()),
    };
    if !parts.is_empty() {
        let names = parts.into_keys().collect::<Vec<_>>().join(", ");
        return Err(format!("Unknown SCRAM configurations: {names}"));
    }
    Ok(scram_record(user, mechanism_id(hash), &derive()?))
}

fn of_password(hash: Hash, password: &str, salt: Vec<u8>, iterations: NonZeroU32) -> Result<Credential, String> {
    match password {
        "" => Err("the password of add-scram is empty".into()),
        password => Ok(Credential::of_password(hash, password.as_bytes(), salt, iterations)),
    }
}

/// `name=value` pairs between commas; a value may stand in quotes. As with Java's `split`, what is empty at the end is nothing.
fn components(config: &str) -> Result<BTreeMap<&str, &str>, String> {
    let pair = |part: &'_ str| -> Option<(usize, usize, usize)> {
        let equals = part.find('=')?;
        let value = &part[equals + 1..];
        let quoted = value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
        Some((equals, equals + 1 + usize::from(quoted), part.len() - usize::from(quoted)))
    };
    let parts = config.trim_end_matches(',').split(',');
    let pairs = parts.map(|part| pair(part).map(|(equals, from, to)| (&part[..equals], &part[from..to])));
    pairs.collect::<Option<_>>().ok_or_else(|| "No equals sign found in SCRAM component".to_string())
}

fn iterations(text: Option<&str>) -> Result<i32, String> {
    match text {
        None => Ok(MIN_ITERATIONS),
        Some(text) => text.parse().map_err(|_| format!("Failed to parse iterations count: {text}")),
    }
}

fn check(iterations: i32, mechanism: &str) -> Result<NonZeroU32, String> {
    let wrong = |must: String| {
        let mechanism = mechanism.replace('-', "_");
        Err(format!("The 'iterations' value must be {must} for add-scram using {mechanism}"))
    };
    match u32::try_from(iterations).ok().and_then(NonZeroU32::new) {
        Some(count) if (MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations) => Ok(count),
        _ if iterations < MIN_ITERATIONS => wrong(format!(">= {MIN_ITERATIONS}")),
        _ => wrong(format!("<= {MAX_ITERATIONS}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(argument: &str) -> Result<(String, i8, Vec<u8>, i32), String> {
        match record(argument, [7; 16])? {
            Record::UserScramCredential(r) => Ok((r.name.to_string(), r.mechanism, r.salt.to_vec(), r.iterations)),
            other => panic!("{other:?}"),
        }
    }

    /// `ScramParserTest`, and Kafka's code beyond it.
    #[test]
    fn arguments_are_read_as_by_kafka() {
        let salt = vec![7; 16];
        assert_eq!(read("SCRAM-SHA-256=[name=alice,password=x]"), Ok(("alice".into(), 1, salt.clone(), 4096)));
        assert_eq!(
            read(" SCRAM-SHA-512=[name=\"bob\",iterations=16384,salt=\"c2FsdA==\",password=a=b,] "),
            Ok(("bob".into(), 2, b"salt".to_vec(), 16384))
        );
        let salted = base64::encode(Hash::Sha256.pbkdf2(b"x", b"salt", NonZeroU32::new(8192).unwrap()).expose());
        let by_salted = format!("SCRAM-SHA-256=[name=a,iterations=8192,salt=c2FsdA==,saltedpassword=\"{salted}\"]");
        let by_password = "SCRAM-SHA-256=[name=a,iterations=8192,salt=c2FsdA==,password=x]";
        assert_eq!(record(&by_salted, [0; 16]), record(by_password, [0; 16]));
        assert!(record(by_password, [0; 16]).is_ok());
    }

    #[test]
    fn what_is_wrong_is_said_in_kafkas_words() {
        let cases = [
            ("abc", "Failed to find equals sign in SCRAM argument 'abc'"),
            ("scram-sha-256=[]", "The add-scram mechanism scram-sha-256 is not supported."),
            ("SCRAM-SHA-256=name=a]", "Expected configuration string to start with ["),
            ("SCRAM-SHA-256=[name=a", "Expected configuration string to end with ]"),
            ("SCRAM-SHA-256=[]", "No equals sign found in SCRAM component"),
            ("SCRAM-SHA-256=[name=a,,password=b]", "No equals sign found in SCRAM component"),
            ("SCRAM-SHA-256=[password=b]", "You must supply 'name' to add-scram"),
            ("SCRAM-SHA-256=[name=b]", "You must supply one of 'password' or 'saltedpassword' to add-scram"),
            ("SCRAM-SHA-256=[name=b,saltedpassword=AAAA]", "You must supply 'salt' with 'saltedpassword' to add-scram"),
            ("SCRAM-SHA-256=[name=b,password=c,salt=?]", "Failed to decode given salt: ?"),
            ("SCRAM-SHA-256=[name=b,salt=AAAA,saltedpassword=?]", "Failed to decode given saltedPassword"),
            ("SCRAM-SHA-256=[name=b,password=c,z=1,y=2]", "Unknown SCRAM configurations: y, z"),
            ("SCRAM-SHA-256=[name=b,password=c,iterations=x]", "Failed to parse iterations count: x"),
            (
                "SCRAM-SHA-256=[name=b,password=c,iterations=4095]",
                "The 'iterations' value must be >= 4096 for add-scram using SCRAM_SHA_256",
            ),
            (
                "SCRAM-SHA-512=[name=b,password=c,iterations=16385]",
                "The 'iterations' value must be <= 16384 for add-scram using SCRAM_SHA_512",
            ),
            ("SCRAM-SHA-256=[name=b,password=]", "the password of add-scram is empty"),
        ];
        for (argument, expected) in cases {
            assert_eq!(read(argument).unwrap_err(), expected, "{argument}");
        }
    }
}
