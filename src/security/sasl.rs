//! SASL, the server's side: one exchange of tokens by one mechanism. Time, randomness and credentials come in; nothing is
//! looked up here.
//!
//! What a client is told of a failure is Kafka's: the text of a `SaslAuthenticationException`, or, where Kafka throws a
//! `SaslException`, nothing but that it failed, as the rest would help to guess.

pub mod gssapi;
mod json;
pub mod jwks;
pub mod jwt;
pub mod oauth;
pub mod plain;
pub mod scram;
pub mod signing_keys;
pub mod unsecured;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Mechanism, TimestampMs};
use crate::security::crypto::Hash;
use crate::security::sasl::oauth::TokenValidator;
use crate::stdx::secret::Secret;

/// What a listener has for a mechanism, shared by its connections.
#[derive(Clone, Debug)]
pub enum Verifier {
    /// Passwords by user.
    Plain(Arc<BTreeMap<String, Secret>>),
    Scram(Hash),
    OAuthBearer(TokenValidator),
    Gssapi(gssapi::GssVerifier),
}

impl Verifier {
    pub fn mechanism(&self) -> Mechanism {
        match self {
            Verifier::Plain(_) => Mechanism::Plain,
            Verifier::Scram(Hash::Sha256) => Mechanism::ScramSha256,
            Verifier::Scram(Hash::Sha512) => Mechanism::ScramSha512,
            Verifier::OAuthBearer(_) => Mechanism::OAuthBearer,
            Verifier::Gssapi(_) => Mechanism::Gssapi,
        }
    }
}

/// What became of a token.
#[derive(PartialEq, Eq, Debug)]
pub enum Step {
    /// The next token for the client.
    Challenge(Vec<u8>),
    /// The exchange needs a credential; [`Exchange::resume`] goes on with it.
    Needs(CredentialNeed),
    /// This token is for a thread that may wait for the disk; [`Exchange::step_waiting`] goes on with it.
    MayWait(Vec<u8>),
    Done {
        token: Vec<u8>,
        identity: Authenticated,
    },
    Failed(Failure),
}

/// What an exchange cannot know by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CredentialNeed {
    /// The credential of a user.
    Scram { user: String, hash: Hash },
    /// The credential of a delegation token.
    Token { id: String, hash: Hash },
}

/// What was found for a [`CredentialNeed`].
#[derive(Debug)]
pub struct FoundCredential {
    pub credential: scram::Credential,
    /// The owner of a delegation token and its end.
    pub token: Option<(String, TimestampMs)>,
}

/// Who a client has proved to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Authenticated {
    pub name: String,
    /// The end of the credential.
    pub expires: Option<TimestampMs>,
    pub by_delegation_token: bool,
}

/// Why an exchange has failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// What the client is told; `None`: the mechanism only.
    pub told: Option<String>,
    /// What the log says; it has no part of a token in it.
    pub reason: String,
    /// Who the client has said to be, where it has. Proved it has not.
    pub claimed: Option<String>,
}

impl Failure {
    /// As by a `SaslAuthenticationException`, whose text is for the client.
    fn told(reason: impl Into<String>) -> Failure {
        let reason = reason.into();
        Failure { told: Some(reason.clone()), reason, claimed: None }
    }

    /// As by a `SaslException`.
    fn hidden(reason: impl Into<String>) -> Failure {
        Failure { told: None, reason: reason.into(), claimed: None }
    }

    /// The same of a client that has named itself.
    fn by(self, name: impl Into<String>) -> Failure {
        Failure { claimed: Some(name.into()), ..self }
    }
}

impl From<Failure> for Step {
    fn from(failure: Failure) -> Step {
        Step::Failed(failure)
    }
}

/// One exchange. After [`Step::Done`] or [`Step::Failed`] it takes no more.
#[derive(Debug)]
pub enum Exchange {
    Plain(Arc<BTreeMap<String, Secret>>),
    Scram(Box<scram::ScramServer>),
    OAuthBearer(oauth::BearerServer),
    Gssapi(gssapi::GssServer),
    Over,
}

impl Exchange {
    /// `nonce` must not be guessed from outside, and be another one each time.
    pub fn begin(verifier: &Verifier, nonce: [u8; 16]) -> Exchange {
        match verifier {
            Verifier::Plain(users) => Exchange::Plain(users.clone()),
            Verifier::Scram(hash) => Exchange::Scram(Box::new(scram::ScramServer::new(*hash, &nonce))),
            Verifier::OAuthBearer(validator) => Exchange::OAuthBearer(oauth::BearerServer::new(validator.clone())),
            Verifier::Gssapi(verifier) => Exchange::Gssapi(gssapi::GssServer::new(verifier)),
        }
    }

    /// Takes the client's next token. `now` is the time by which tokens with an end are judged.
    pub fn step(&mut self, token: &[u8], now: TimestampMs) -> Step {
        let step = match self {
            Exchange::Plain(users) => plain::judge(users, token),
            Exchange::Scram(server) => server.step(token),
            Exchange::OAuthBearer(server) => server.step(token, now),
            Exchange::Gssapi(_) => Step::MayWait(token.into()),
            Exchange::Over => Failure::hidden("a token after the last").into(),
        };
        self.note_end(step)
    }

    /// Goes on with a token of [`Step::MayWait`]. Blocks.
    pub fn step_waiting(&mut self, token: &[u8]) -> Step {
        let Exchange::Gssapi(server) = self else { return Failure::hidden("no token had to wait").into() };
        let step = server.step(token);
        self.note_end(step)
    }

    /// Goes on with what was found for what it needed; `None`: there is none.
    pub fn resume(&mut self, found: Option<FoundCredential>) -> Step {
        let step = match self {
            Exchange::Scram(server) => server.resume(found),
            Exchange::Plain(_) | Exchange::OAuthBearer(_) | Exchange::Gssapi(_) | Exchange::Over => {
                Failure::hidden("nothing was asked for").into()
            }
        };
        self.note_end(step)
    }

    fn note_end(&mut self, step: Step) -> Step {
        if matches!(step, Step::Done { .. } | Step::Failed(_)) {
            *self = Exchange::Over;
        }
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: TimestampMs = TimestampMs(0);

    #[test]
    fn an_exchange_ends_once() {
        let users = BTreeMap::from([("alice".to_string(), Secret::new("secret"))]);
        let plain = Verifier::Plain(Arc::new(users));
        for (token, is_done) in [(&b"\0alice\0secret"[..], true), (b"\0alice\0secreT", false)] {
            let mut exchange = Exchange::begin(&plain, [0; 16]);
            assert_eq!(matches!(exchange.step(token, NOW), Step::Done { .. }), is_done);
            for _ in 0..2 {
                assert!(matches!(exchange.step(b"\0alice\0secret", NOW), Step::Failed(_)));
                assert!(matches!(exchange.resume(None), Step::Failed(_)));
            }
        }
        let mut scram = Exchange::begin(&Verifier::Scram(Hash::Sha256), [0; 16]);
        assert!(matches!(scram.resume(None), Step::Failed(_)));
        assert!(matches!(scram.step(b"n,,n=a,r=b", NOW), Step::Failed(_)));
    }

    #[test]
    fn verifiers_know_their_mechanism() {
        let all = [Verifier::Plain(Arc::default()), Verifier::Scram(Hash::Sha256), Verifier::Scram(Hash::Sha512)];
        let names = all.map(|verifier| verifier.mechanism().name());
        assert_eq!(names, ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]);
    }
}
