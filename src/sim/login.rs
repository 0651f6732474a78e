//! The client's side of a login, by the words of RFC 4616 and RFC 5802 and the crate `ring`: it shares no code with the broker's
//! but the letters of base64.

use std::num::NonZeroU32;

use ring::{digest, hmac, pbkdf2};

use crate::stdx::base64;

/// A user and how it proves itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct User {
    pub(super) mechanism: &'static str,
    pub(super) name: &'static str,
    pub(super) password: &'static str,
    /// It is a delegation token: `name` is its id.
    pub(super) is_token: bool,
}

/// What a client says next.
#[derive(Debug)]
pub(super) enum Says {
    Token(Vec<u8>),
    /// It has proved itself, and the broker has, too.
    Done,
    /// The broker is not the one that knows the password.
    Distrusts,
}

/// A login that goes on.
#[derive(Debug)]
pub(super) struct ClientLogin {
    user: User,
    nonce: String,
    /// The signature that the broker must show.
    expects: Option<Vec<u8>>,
    tokens: usize,
}

impl ClientLogin {
    pub(super) fn new(user: User, nonce: u64) -> ClientLogin {
        ClientLogin { user, nonce: format!("n{nonce:x}"), expects: None, tokens: 0 }
    }

    fn bare(&self) -> String {
        let extension = if self.user.is_token { ",tokenauth=true" } else { "" };
        format!("n={},r={}{extension}", self.user.name, self.nonce)
    }

    /// What it says to what the broker has said last, which is nothing at the beginning.
    pub(super) fn next(&mut self, told: &[u8]) -> Says {
        self.tokens += 1;
        let User { mechanism, name, password, .. } = self.user;
        match (mechanism, self.tokens) {
            ("PLAIN", 1) => Says::Token(format!("\0{name}\0{password}").into_bytes()),
            ("PLAIN", _) => Says::Done,
            (_, 1) => Says::Token(format!("n,,{}", self.bare()).into_bytes()),
            (_, 2) => self.prove(told),
            (_, _) => match self.expects.as_deref().is_some_and(|expected| told == expected) {
                true => Says::Done,
                false => Says::Distrusts,
            },
        }
    }

    fn prove(&mut self, challenge: &[u8]) -> Says {
        let challenge = String::from_utf8(challenge.to_vec()).unwrap_or_default();
        let part = |name: &str| challenge.split(',').find_map(|part| part.strip_prefix(name));
        let (Some(nonce), Some(salt), Some(iterations)) = (part("r="), part("s="), part("i=")) else {
            return Says::Distrusts;
        };
        let salt = base64::decode(salt.as_bytes());
        let (Some(salt), Ok(iterations)) = (salt, iterations.parse::<NonZeroU32>()) else { return Says::Distrusts };
        if !nonce.starts_with(&self.nonce) || nonce.len() < self.nonce.len() + 16 {
            return Says::Distrusts;
        }
        let (derivation, mac, hash, length) = match self.user.mechanism {
            "SCRAM-SHA-256" => (pbkdf2::PBKDF2_HMAC_SHA256, hmac::HMAC_SHA256, &digest::SHA256, 32),
            _ => (pbkdf2::PBKDF2_HMAC_SHA512, hmac::HMAC_SHA512, &digest::SHA512, 64),
        };
        let mut salted = vec![0; length];
        pbkdf2::derive(derivation, iterations, &salt, self.user.password.as_bytes(), &mut salted);
        let signed = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(mac, key), text).as_ref().to_vec();
        let client_key = signed(&salted, b"Client Key");
        let stored_key = digest::digest(hash, &client_key);
        let last = format!("c=biws,r={nonce}");
        let message = format!("{},{challenge},{last}", self.bare());
        let signature = signed(stored_key.as_ref(), message.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(one, other)| one ^ other).collect();
        let of_broker = signed(&signed(&salted, b"Server Key"), message.as_bytes());
        self.expects = Some(format!("v={}", base64::encode(&of_broker)).into_bytes());
        Says::Token(format!("{last},p={}", base64::encode(&proof)).into_bytes())
    }
}

/// A password salted, as a client sends it to have it kept.
pub(super) fn salted(mechanism: &str, password: &str, salt: &[u8], iterations: u32) -> Vec<u8> {
    let (derivation, length) = match mechanism {
        "SCRAM-SHA-256" => (pbkdf2::PBKDF2_HMAC_SHA256, 32),
        _ => (pbkdf2::PBKDF2_HMAC_SHA512, 64),
    };
    let mut salted = vec![0; length];
    let iterations = NonZeroU32::new(iterations).expect("a salt is used at least once");
    pbkdf2::derive(derivation, iterations, salt, password.as_bytes(), &mut salted);
    salted
}
