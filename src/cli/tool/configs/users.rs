//! Users of SCRAM (`alterUserScramCredentialConfigs`). Kafka's tool changes quotas of users as well.

use std::num::NonZeroU32;

use super::Changes;
use crate::broker::first::{FirstUser, upsertion};
use crate::cli::client::{Client, check};
use crate::cli::tool::say;
use crate::model::{ApiKey, ErrorCode};
use crate::security::crypto::Hash;
use crate::security::sasl::scram::{
    MAX_ITERATIONS, MIN_ITERATIONS, mechanism_hash, mechanism_id, mechanism_name, mechanism_named,
};
use crate::stdx::secret::Secret;
use crate::wire::api::alter_user_scram_credentials as alter_scram;
use crate::wire::api::describe_user_scram_credentials as scram;

fn hash(mechanism: &str) -> Result<Hash, String> {
    mechanism_named(mechanism).ok_or_else(|| {
        format!("{mechanism} of a user is not changed here, SCRAM-SHA-256 and SCRAM-SHA-512 are; Kafka's own tool knows quotas")
    })
}

/// What a user gets and loses. Deriving keys takes its time, so that nothing is derived before all of it is judged.
pub(super) fn alterations(user: &str, changes: &Changes) -> Result<alter_scram::Request<'static>, String> {
    let deletions = changes.deleted.iter().map(|name| {
        let mechanism = mechanism_id(hash(name)?);
        Ok(alter_scram::ScramCredentialDeletion { name: user.to_string().into(), mechanism })
    });
    let deletions = deletions.collect::<Result<Vec<_>, String>>()?;
    let added = changes.added.iter().map(|(name, value)| {
        let hash = hash(name)?;
        Ok((hash, credential(hash, value)?))
    });
    let added = added.collect::<Result<Vec<_>, String>>()?;
    let upsertions = added.into_iter().map(|(hash, (iterations, password))| {
        upsertion(&FirstUser { name: user.to_string(), password }, hash, Some(iterations))
    });
    Ok(alter_scram::Request { deletions, upsertions: upsertions.collect() })
}

/// The iterations and the password of `iterations=N,password=P`. All that stands behind `password=` is the password
/// (`parseIterationsAndPasswordBytes`). No sentence has it.
fn credential(hash: Hash, text: &str) -> Result<(NonZeroU32, Secret), String> {
    let name = mechanism_name(hash);
    let invalid = || format!("Invalid credential property {}", name.replace('-', "_"));
    let (iterations, rest) = match text.strip_prefix("iterations=").map(|rest| rest.split_once(',')) {
        None => (None, text),
        Some(None) => return Err(invalid()),
        Some(Some((digits, rest))) => (Some(digits), rest),
    };
    let is_number = |digits: &str| digits.strip_prefix('-').unwrap_or(digits).bytes().all(|c| c.is_ascii_digit());
    // What the dot of an expression of Java's does not stand for.
    let is_end_of_line = |c: char| matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let password = rest.strip_prefix("password=").filter(|password| !password.contains(is_end_of_line));
    let password = password.filter(|_| iterations.is_none_or(is_number)).ok_or_else(invalid)?;
    let iterations = match iterations {
        None | Some("-1") => MIN_ITERATIONS,
        Some(digits) => digits.parse::<i32>().map_err(|_| format!("For input string: {digits:?}"))?,
    };
    if iterations < MIN_ITERATIONS {
        return Err(format!("Iterations {iterations} is less than the minimum {MIN_ITERATIONS} required for {name}"));
    }
    // The broker's sentence: Kafka's tool derives the key first and is refused then.
    if iterations > MAX_ITERATIONS {
        return Err("Too many iterations".into());
    }
    if password.is_empty() {
        return Err("Password must not be empty".into());
    }
    let iterations = u32::try_from(iterations).ok().and_then(NonZeroU32::new).ok_or_else(invalid)?;
    Ok((iterations, Secret::new(password)))
}

pub(super) fn alter(client: &mut Client, request: &alter_scram::Request<'_>) -> Result<(), String> {
    let told: alter_scram::Response<'_> = client.ask(ApiKey::AlterUserScramCredentials, request)?;
    told.results.iter().try_for_each(|found| check(found.error_code, found.error_message.as_deref()))
}

/// `None`: all users.
pub(super) fn describe(client: &mut Client, user: Option<&str>) -> Result<(), String> {
    let users = user.map(|user| vec![scram::UserName { name: user.to_string().into() }]);
    let told: scram::Response<'_> = client.ask(ApiKey::DescribeUserScramCredentials, &scram::Request { users })?;
    check(told.error_code, told.error_message.as_deref())?;
    for found in &told.results {
        if found.error_code == ErrorCode::ResourceNotFound.code() {
            continue;
        }
        check(found.error_code, found.error_message.as_deref())?;
        let name = |number: i8| mechanism_hash(number).map_or("UNKNOWN", mechanism_name);
        let each = found.credential_infos.iter();
        let each: Vec<_> =
            each.map(|info| format!("{}=iterations={}", name(info.mechanism), info.iterations)).collect();
        say(&format!("SCRAM credential configs for user-principal '{}' are {}", found.user, each.join(", ")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn all_behind_the_word_is_the_password() {
        let of = |text: &str| {
            let (iterations, password) = credential(Hash::Sha256, text).unwrap();
            (iterations.get(), String::from_utf8(password.expose().to_vec()).unwrap())
        };
        for (text, iterations, password) in [
            ("password=x", 4096, "x"),
            ("password=a,b=c,iterations=1", 4096, "a,b=c,iterations=1"),
            ("iterations=8192,password=a,b", 8192, "a,b"),
            ("iterations=-1,password=é", 4096, "é"),
            ("iterations=16384,password=password=", 16384, "password="),
        ] {
            assert_eq!(of(text), (iterations, password.to_string()), "{text}");
        }
    }

    #[test]
    fn iterations_are_judged_before_anything_is_derived() {
        for (text, expected) in [
            ("", "Invalid credential property SCRAM_SHA_512"),
            ("password", "Invalid credential property SCRAM_SHA_512"),
            ("iterations=4096", "Invalid credential property SCRAM_SHA_512"),
            ("iterations=x,password=secret", "Invalid credential property SCRAM_SHA_512"),
            ("password=secret\nof two lines", "Invalid credential property SCRAM_SHA_512"),
            ("iterations=,password=secret", "For input string: \"\""),
            ("iterations=99999999999,password=secret", "For input string: \"99999999999\""),
            ("iterations=-2,password=secret", "Iterations -2 is less than the minimum 4096 required for SCRAM-SHA-512"),
            (
                "iterations=4095,password=secret",
                "Iterations 4095 is less than the minimum 4096 required for SCRAM-SHA-512",
            ),
            ("iterations=2147483647,password=secret", "Too many iterations"),
            ("password=", "Password must not be empty"),
        ] {
            assert_eq!(credential(Hash::Sha512, text).unwrap_err(), expected, "{text}");
        }
        let added = [("SCRAM-SHA-256", "password=x"), ("SCRAM-SHA-512", "password=")];
        let added = added.iter().map(|(key, value)| (key.to_string(), value.to_string()));
        let changes = Changes { added: BTreeMap::from_iter(added), ..Changes::default() };
        assert_eq!(alterations("u", &changes).unwrap_err(), "Password must not be empty");
        let quota = Changes { deleted: vec!["producer_byte_rate".into()], ..Changes::default() };
        assert!(alterations("u", &quota).unwrap_err().starts_with("producer_byte_rate of a user is not changed here"));
    }
}
