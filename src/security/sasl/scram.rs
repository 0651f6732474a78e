//! SCRAM (RFC 5802, RFC 7677), the server's side, as Kafka speaks it (`ScramSaslServer`, `ScramMessages`): without channel
//! binding, and without SASLprep, so that names and passwords are bytes.
//!
//! Deviation: extensions count for the signature in the order in which the client has sent them, in Kafka in that of a hash.

use std::num::NonZeroU32;

use super::{Authenticated, CredentialNeed, Failure, FoundCredential, Step};
use crate::model::Mechanism;
use crate::security::crypto::{self, Hash};
use crate::stdx::base64;
use crate::stdx::secret::Secret;

/// `ScramMechanism.minIterations`, of both.
pub const MIN_ITERATIONS: i32 = 4096;
/// `ScramMechanism.maxIterations`, of both.
pub const MAX_ITERATIONS: i32 = 16384;

/// The number that the protocol and the metadata log have for SCRAM with a hash (`ScramMechanism`).
pub fn mechanism_id(hash: Hash) -> i8 {
    match hash {
        Hash::Sha256 => 1,
        Hash::Sha512 => 2,
    }
}

/// The hash of a mechanism that is named by its number; `None` if there is no such.
pub fn mechanism_hash(id: i8) -> Option<Hash> {
    [Hash::Sha256, Hash::Sha512].into_iter().find(|hash| mechanism_id(*hash) == id)
}

/// The name of SCRAM with a hash, as clients ask for it.
pub fn mechanism_name(hash: Hash) -> &'static str {
    match hash {
        Hash::Sha256 => Mechanism::ScramSha256.name(),
        Hash::Sha512 => Mechanism::ScramSha512.name(),
    }
}

/// The hash of a mechanism by that name; `None` if it is not SCRAM.
pub fn mechanism_named(name: &str) -> Option<Hash> {
    [Hash::Sha256, Hash::Sha512].into_iter().find(|hash| mechanism_name(*hash) == name)
}

/// What is kept of a password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credential {
    pub salt: Vec<u8>,
    pub stored_key: Secret,
    pub server_key: Secret,
    pub iterations: i32,
}

impl Credential {
    /// `salted_password` is what [`Hash::pbkdf2`] makes of the password.
    pub fn of_salted(hash: Hash, salted_password: &[u8], salt: Vec<u8>, iterations: i32) -> Credential {
        let client_key = Secret::new(hash.hmac(salted_password, b"Client Key"));
        Credential {
            salt,
            stored_key: Secret::new(hash.of(client_key.expose())),
            server_key: Secret::new(hash.hmac(salted_password, b"Server Key")),
            iterations,
        }
    }

    pub fn of_password(hash: Hash, password: &[u8], salt: Vec<u8>, iterations: NonZeroU32) -> Credential {
        let salted = hash.pbkdf2(password, &salt, iterations);
        Credential::of_salted(hash, salted.expose(), salt, iterations.get() as i32)
    }
}

/// One exchange.
#[derive(Debug)]
pub struct ScramServer {
    hash: Hash,
    /// The server's half of the nonce.
    nonce: String,
    state: State,
}

#[derive(Debug)]
enum State {
    First,
    AwaitsCredential(First),
    Final(Box<Sent>),
}

/// The client's first message, as far as it is needed.
#[derive(Clone, PartialEq, Eq, Debug)]
struct First {
    /// As written.
    authorization_id: String,
    user: String,
    nonce: String,
    is_token: bool,
    /// Without the header and what is reserved.
    bare: String,
}

/// What the client's proof is about.
#[derive(Debug)]
struct Sent {
    identity: Authenticated,
    credential: Credential,
    nonce: String,
    /// The first two messages of the signature.
    messages: String,
}

impl ScramServer {
    pub(super) fn new(hash: Hash, nonce: &[u8]) -> ScramServer {
        ScramServer { hash, nonce: base64::encode(nonce), state: State::First }
    }

    pub(super) fn step(&mut self, token: &[u8]) -> Step {
        match &self.state {
            State::First => self.take_first(token).map_or_else(Step::Failed, Step::Needs),
            State::AwaitsCredential(_) => Failure::hidden("a token before the answer to the last").into(),
            State::Final(sent) => match verify(self.hash, sent, token) {
                Ok(signature) => Step::Done {
                    token: format!("v={}", base64::encode(&signature)).into_bytes(),
                    identity: sent.identity.clone(),
                },
                Err(failure) => failure.by(&sent.identity.name).into(),
            },
        }
    }

    fn take_first(&mut self, token: &[u8]) -> Result<CredentialNeed, Failure> {
        let malformed = || Failure::hidden("Invalid SCRAM client first message format");
        let first = First::parse(token).ok_or_else(malformed)?;
        let (user, hash) = (first.user.clone(), self.hash);
        let need = if first.is_token {
            CredentialNeed::Token { id: user, hash }
        } else {
            CredentialNeed::Scram { user, hash }
        };
        self.state = State::AwaitsCredential(first);
        Ok(need)
    }

    pub(super) fn resume(&mut self, found: Option<FoundCredential>) -> Step {
        let State::AwaitsCredential(first) = &self.state else {
            return Failure::hidden("nothing was asked for").into();
        };
        match answer_first(first, found, &self.nonce) {
            Ok((sent, challenge)) => {
                self.state = State::Final(Box::new(sent));
                Step::Challenge(challenge)
            }
            Err(failure) => failure.by(&first.user).into(),
        }
    }
}

fn answer_first(first: &First, found: Option<FoundCredential>, nonce: &str) -> Result<(Sent, Vec<u8>), Failure> {
    let Some(FoundCredential { credential, token }) = found else {
        return Err(Failure::hidden(match first.is_token {
            true => format!("Token Authentication failed: Invalid tokenId : {:?}", first.user),
            false => format!("Authentication failed: Invalid user credentials of {:?}", first.user),
        }));
    };
    if !first.authorization_id.is_empty() && first.authorization_id != first.user {
        return Err(Failure::told(
            "Authentication failed: Client requested an authorization id that is different from username",
        ));
    }
    if credential.iterations < MIN_ITERATIONS {
        let iterations = credential.iterations;
        return Err(Failure::hidden(format!("Iterations {iterations} is less than the minimum {MIN_ITERATIONS}")));
    }
    let identity = match token {
        Some((owner, expires)) => Authenticated { name: owner, expires: Some(expires), by_delegation_token: true },
        None => Authenticated { name: first.user.clone(), expires: None, by_delegation_token: false },
    };
    let nonce = format!("{}{nonce}", first.nonce);
    let challenge = format!("r={nonce},s={},i={}", base64::encode(&credential.salt), credential.iterations);
    let messages = format!("{},{challenge}", first.bare);
    Ok((Sent { identity, credential, nonce, messages }, challenge.into_bytes()))
}

/// The server's signature, if the client has proved that it knows the password.
fn verify(hash: Hash, sent: &Sent, token: &[u8]) -> Result<Vec<u8>, Failure> {
    let malformed = || Failure::hidden("Invalid SCRAM client final message format");
    let last = Last::parse(token).ok_or_else(malformed)?;
    if last.nonce != sent.nonce {
        return Err(Failure::hidden("Invalid client nonce in the final client message."));
    }
    // The channel binding is not looked at, only signed.
    let channel = base64::encode(&last.channel_binding);
    let message = format!("{},c={channel},r={}", sent.messages, last.nonce);
    let credential = &sent.credential;
    let signature = hash.hmac(credential.stored_key.expose(), message.as_bytes());
    let wrong = || Failure::hidden(format!("Invalid client credentials of {:?}", sent.identity.name));
    if last.proof.len() != signature.len() {
        return Err(wrong());
    }
    let client_key: Vec<u8> = signature.iter().zip(&last.proof).map(|(one, other)| one ^ other).collect();
    let client_key = Secret::new(client_key);
    if !crypto::equal(&hash.of(client_key.expose()), credential.stored_key.expose()) {
        return Err(wrong());
    }
    Ok(hash.hmac(credential.server_key.expose(), message.as_bytes()))
}

impl First {
    /// `n,[a=NAME],[m=VALUE,]n=NAME,r=NONCE[,KEY=VALUE]*`
    fn parse(token: &[u8]) -> Option<First> {
        let text = std::str::from_utf8(token).ok().filter(|text| text.bytes().all(|c| (1..0x80).contains(&c)))?;
        let mut parts = text.split(',');
        if parts.next()? != "n" {
            return None;
        }
        let authorization_id = match parts.next()? {
            "" => "",
            part => part.strip_prefix("a=").filter(|name| is_sasl_name(name))?,
        };
        let mut part = parts.next()?;
        if let Some(reserved) = part.strip_prefix("m=") {
            part = parts.next().filter(|_| !reserved.is_empty())?;
        }
        let name = part.strip_prefix("n=").filter(|name| is_sasl_name(name))?;
        let nonce = parts.next()?.strip_prefix("r=").filter(|nonce| is_printable(nonce))?;
        let mut bare = format!("n={name},r={nonce}");
        let mut is_token = false;
        for part in parts {
            let (key, value) = extension(part)?;
            if key == "tokenauth" {
                is_token = value.eq_ignore_ascii_case("true");
            }
            bare.push(',');
            bare.push_str(part);
        }
        let user = name.replace("=2C", ",").replace("=3D", "=");
        Some(First { authorization_id: authorization_id.into(), user, nonce: nonce.into(), is_token, bare })
    }
}

/// The client's last message.
struct Last {
    channel_binding: Vec<u8>,
    nonce: String,
    proof: Vec<u8>,
}

impl Last {
    /// `c=BASE64,r=NONCE[,KEY=VALUE]*,p=BASE64`
    fn parse(token: &[u8]) -> Option<Last> {
        let text = std::str::from_utf8(token).ok().filter(|text| text.bytes().all(|c| (1..0x80).contains(&c)))?;
        let (rest, proof) = text.rsplit_once(",p=")?;
        let mut parts = rest.split(',');
        let channel = parts.next()?.strip_prefix("c=")?;
        let nonce = parts.next()?.strip_prefix("r=").filter(|nonce| is_printable(nonce))?;
        parts.all(|part| extension(part).is_some()).then_some(())?;
        let (channel_binding, proof) = (base64::decode(channel.as_bytes())?, base64::decode(proof.as_bytes())?);
        Some(Last { channel_binding, nonce: nonce.into(), proof })
    }
}

/// Any characters but `=` and `,`, which are written `=3D` and `=2C`.
fn is_sasl_name(name: &str) -> bool {
    !name.is_empty() && !name.split('=').skip(1).any(|rest| !rest.starts_with("2C") && !rest.starts_with("3D"))
}

fn is_printable(nonce: &str) -> bool {
    !nonce.is_empty() && nonce.bytes().all(|c| (0x21..=0x7e).contains(&c))
}

fn extension(part: &str) -> Option<(&str, &str)> {
    let (key, value) = part.split_once('=')?;
    (!key.is_empty() && key.bytes().all(|c| c.is_ascii_alphabetic()) && !value.is_empty()).then_some((key, value))
}

#[cfg(test)]
mod tests;
