//! PLAIN (RFC 4616): `[authorization id] NUL user NUL password` in one token (`PlainSaslServer`).

use std::collections::BTreeMap;

use super::{Authenticated, Failure, Step};
use crate::security::crypto;
use crate::stdx::secret::Secret;

const NUL: u8 = 0;
/// More parts than this are not counted.
const MOST_PARTS: usize = 4;

pub(super) fn judge(users: &BTreeMap<String, Secret>, token: &[u8]) -> Step {
    match user(users, token) {
        Ok(name) => {
            let identity = Authenticated { name, expires: None, by_delegation_token: false };
            Step::Done { token: Vec::new(), identity }
        }
        Err(reason) => {
            let failure = Failure::told(reason);
            let claimed = claimed(token).map(|user| String::from_utf8_lossy(user));
            claimed.map_or(failure.clone(), |user| failure.by(user)).into()
        }
    }
}

/// The user that a token names. What has not the form of one may be a password in the wrong place: of it nothing is told.
fn claimed(token: &[u8]) -> Option<&[u8]> {
    match parts(token)[..] {
        [_, user, _] if !user.is_empty() => Some(user),
        _ => None,
    }
}

fn parts(token: &[u8]) -> Vec<&[u8]> {
    token.splitn(MOST_PARTS + 1, |byte| *byte == NUL).take(MOST_PARTS).collect()
}

/// The user, if its password is right.
fn user(users: &BTreeMap<String, Secret>, token: &[u8]) -> Result<String, String> {
    let parts = parts(token);
    let [authorization_id, user, password] = parts[..] else {
        return Err(format!("Invalid SASL/PLAIN response: expected 3 tokens, got {}", parts.len()));
    };
    if user.is_empty() {
        return Err("Authentication failed: username not specified".into());
    }
    if password.is_empty() {
        return Err("Authentication failed: password not specified".into());
    }
    let known = std::str::from_utf8(user).ok().and_then(|user| users.get_key_value(user));
    // An unknown user costs a comparison, too.
    let expected = known.map_or(&[][..], |(_, secret)| secret.expose());
    if !crypto::equal(password, expected) {
        return Err("Authentication failed: Invalid username or password".into());
    }
    let Some((name, _)) = known else { return Err("Authentication failed: Invalid username or password".into()) };
    if !authorization_id.is_empty() && authorization_id != user {
        return Err(
            "Authentication failed: Client requested an authorization id that is different from username".into()
        );
    }
    Ok(name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `PlainSaslServerTest`, and the same with what Kafka's code says beyond it.
    #[test]
    fn tokens_are_judged_as_by_kafka() {
        let users = [("alice", "secret"), ("bob", ""), ("é", "ü")];
        let users = users.map(|(user, password)| (user.to_string(), Secret::new(password))).into();
        let wrong = "Authentication failed: Invalid username or password";
        let parts = |count| format!("Invalid SASL/PLAIN response: expected 3 tokens, got {count}");
        let other = "Authentication failed: Client requested an authorization id that is different from username";
        let cases: &[(&[u8], Result<&str, &str>)] = &[
            (b"\0alice\0secret", Ok("alice")),
            (b"alice\0alice\0secret", Ok("alice")),
            ("\0é\0ü".as_bytes(), Ok("é")),
            (b"bob\0alice\0secret", Err(other)),
            (b"bob\0alice\0wrong", Err(wrong)),
            (b"\0alice\0secre", Err(wrong)),
            (b"\0alice\0secrets", Err(wrong)),
            (b"\0alicf\0secret", Err(wrong)),
            (b"\0\xff\0secret", Err(wrong)),
            (b"\0bob\0", Err("Authentication failed: password not specified")),
            (b"\0\0secret", Err("Authentication failed: username not specified")),
            (b"\0\0", Err("Authentication failed: username not specified")),
            (b"", Err(&parts(1))),
            (b"alice", Err(&parts(1))),
            (b"\0alice", Err(&parts(2))),
            (b"\0alice\0secret\0", Err(&parts(4))),
            (b"\0alice\0secret\0\0\0x", Err(&parts(4))),
        ];
        for (token, expected) in cases {
            let found = user(&users, token);
            assert_eq!(found.as_deref().map_err(String::as_str), *expected, "{}", token.escape_ascii());
            if let Step::Failed(failure) = judge(&users, token) {
                assert!(!failure.reason.contains("secre") && !format!("{:?}", failure.claimed).contains("secre"));
            }
            let told = match judge(&users, token) {
                Step::Done { token, identity } => {
                    assert_eq!((token.len(), identity.expires), (0, None));
                    Ok(identity.name)
                }
                Step::Failed(failure) => Err(failure.told.unwrap()),
                step => panic!("{step:?}"),
            };
            assert_eq!(told, found);
        }
    }

    #[test]
    fn who_is_refused_is_named_and_no_password_is() {
        let named: [(&[u8], Option<&str>); 7] = [
            (b"\0alice\0wrong", Some("alice")),
            (b"bob\0alice\0wrong", Some("alice")),
            (b"\0al\xffice\0wrong", Some("al\u{fffd}ice")),
            (b"\0alice\0", Some("alice")),
            (b"\0\0wrong", None),
            (b"wrong", None),
            (b"\0alice\0wrong\0", None),
        ];
        for (token, expected) in named {
            let Step::Failed(failure) = judge(&BTreeMap::new(), token) else { panic!() };
            assert_eq!(failure.claimed.as_deref(), expected, "{}", token.escape_ascii());
        }
    }
}
