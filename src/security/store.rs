//! Stores of keys and certificates, from their bytes: PEM, PKCS12 and JKS (`DefaultSslEngineFactory`, `java.security.KeyStore`).
//!
//! JKS and PKCS12 are told apart by their content, as Java reads either under either name. Knows no path.

pub(in crate::security) mod der;
mod jks;
pub(crate) mod key;
pub(crate) mod pem;
mod pkcs12;

use ring::rand::{SecureRandom, SystemRandom};

use crate::stdx::secret::Secret;

/// A private key with the certificates that vouch for it, the own one first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    /// Its name in the store; PEM has none, and Kafka calls it so.
    pub(crate) alias: String,
    /// PKCS#8, DER.
    pub(crate) key: Secret,
    /// DER.
    pub(crate) chain: Vec<Vec<u8>>,
}

/// The identities of a JKS or PKCS12 store. `key_password` is that of the keys; the store's own where there is none.
pub(crate) fn identities(
    bytes: &[u8],
    password: &Secret,
    key_password: Option<&Secret>,
) -> Result<Vec<Identity>, String> {
    let found = match kind(bytes)? {
        Kind::Jks => jks::read(bytes, Some(password), Some(key_password.unwrap_or(password)))?.identities,
        Kind::Pkcs12 if key_password.is_some_and(|own| own != password) => {
            return Err("the password of the keys must be that of the store in a PKCS12 store".into());
        }
        Kind::Pkcs12 => pkcs12::read(bytes, password)?.identities,
    };
    match found.is_empty() {
        true => Err("the store has no private key with a certificate".into()),
        false => Ok(found),
    }
}

/// The certificates that a JKS or PKCS12 store trusts. Without a password a JKS store's integrity is not looked at.
pub(crate) fn trusted(bytes: &[u8], password: Option<&Secret>) -> Result<Vec<Vec<u8>>, String> {
    let found = match (kind(bytes)?, password) {
        (Kind::Jks, password) => jks::read(bytes, password, None)?.trusted,
        (Kind::Pkcs12, Some(password)) => pkcs12::read(bytes, password)?.trusted,
        (Kind::Pkcs12, None) => return Err("a PKCS12 store cannot be read without its password".into()),
    };
    match found.is_empty() {
        true => Err("the store has no trusted certificate".into()),
        false => Ok(found),
    }
}

/// A JKS store of an identity, of trusted certificates, or of both.
pub(crate) fn write_jks(
    identity: Option<Identity>,
    trusted: Vec<Vec<u8>>,
    password: &Secret,
) -> Result<Vec<u8>, String> {
    let content = Content { identities: identity.into_iter().collect(), trusted };
    let random = SystemRandom::new();
    let mut salts = vec![0; jks::SALT_BYTES * content.identities.len()];
    random.fill(&mut salts).map_err(|_| "the system has no randomness".to_string())?;
    Ok(jks::write(&content, password, &salts))
}

/// The same as PKCS12, as Java reads it.
pub(crate) fn write_pkcs12(
    identity: Option<Identity>,
    trusted: Vec<Vec<u8>>,
    password: &Secret,
) -> Result<Vec<u8>, String> {
    pkcs12::write(&Content { identities: identity.into_iter().collect(), trusted }, password)
}

/// How often a password may be hashed for one key of it: a store that asks for more would keep a thread busy for long. As
/// `p12-keystore` has it; OpenSSL takes 2,048, Java 10,000.
pub(super) const MOST_ITERATIONS: u32 = 1_000_000;

/// What is told of a store that asks for more.
fn too_costly() -> String {
    format!("it asks for more than {MOST_ITERATIONS} iterations of its password's hash, or its parameters are damaged")
}

/// What a store holds.
#[derive(Default)]
struct Content {
    identities: Vec<Identity>,
    trusted: Vec<Vec<u8>>,
}

enum Kind {
    Jks,
    Pkcs12,
}

fn kind(bytes: &[u8]) -> Result<Kind, String> {
    match bytes {
        [0xfe, 0xed, 0xfe, 0xed, ..] => Ok(Kind::Jks),
        [0xce, 0xce, 0xce, 0xce, ..] => {
            Err("stores of the type JCEKS are not read: make a PKCS12 store of it with keytool -importkeystore".into())
        }
        // A sequence of DER.
        [0x30, ..] => Ok(Kind::Pkcs12),
        _ => Err("the file is neither a JKS nor a PKCS12 store".into()),
    }
}

#[cfg(test)]
mod tests;
