//! PKCS12 stores, as keytool and openssl write them; those that are written here are for tests.
//!
//! Deviation: the keys have the store's password, as the format's other readers have it.

use p12_keystore::error::Error;
use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, Pkcs12Archive, PrivateKey, PrivateKeyChain};

use super::{Content, Identity, too_costly};
use crate::stdx::secret::Secret;

/// How often the password is hashed in what is written here: for tests, where everyone knows it.
const WRITTEN_ITERATIONS: u32 = 2048;

pub(super) fn read(bytes: &[u8], password: &Secret) -> Result<Content, String> {
    let password = std::str::from_utf8(password.expose()).map_err(|_| "the password is not UTF-8")?;
    let archive = Pkcs12Archive::from_pkcs12(bytes, password).map_err(|error| match error {
        Error::InvalidParameters => too_costly(),
        _ => "the PKCS12 store is damaged, or its password is not right".into(),
    })?;
    let mut content = Content::default();
    for key in &archive.keys {
        let id = key.local_key_id.as_ref().map(|id| id.as_ref());
        let own = archive.certs.iter().find(|bag| id.is_some() && bag.local_key_id.as_deref() == id);
        let Some(own) = own else { continue };
        let others: Vec<&Certificate> = archive.certs.iter().map(|bag| &bag.cert).collect();
        content.identities.push(Identity {
            alias: key.friendly_name.clone().unwrap_or_default(),
            key: Secret::new(key.key.as_der()),
            chain: chain(&own.cert, &others).iter().map(|cert| cert.as_der().to_vec()).collect(),
        });
    }
    // Java trusts what has its attribute; of other programs' stores, what no key belongs to.
    let has_attribute = archive.certs.iter().any(|bag| bag.trusted);
    let is_trusted = |trusted: bool| if has_attribute { trusted } else { archive.keys.is_empty() };
    let trusted = archive.certs.iter().filter(|bag| is_trusted(bag.trusted));
    content.trusted = trusted.map(|bag| bag.cert.as_der().to_vec()).collect();
    Ok(content)
}

/// The way from a certificate to its issuer, and on to theirs, as far as the store has them.
fn chain<'a>(own: &'a Certificate, others: &[&'a Certificate]) -> Vec<&'a Certificate> {
    let mut chain = vec![own];
    let mut last = own;
    while last.issuer() != last.subject() {
        let is_new = |cert: &Certificate| chain.iter().all(|known| known.as_der() != cert.as_der());
        match others.iter().find(|cert| cert.subject() == last.issuer() && is_new(cert)) {
            Some(issuer) => last = issuer,
            None => break,
        }
        chain.push(last);
    }
    chain
}

/// A store with these entries, as Java takes it: trusted certificates have its attribute.
pub(super) fn write(content: &Content, password: &Secret) -> Result<Vec<u8>, String> {
    let told = |error: Error| format!("a PKCS12 store cannot be written: {error}");
    let password = std::str::from_utf8(password.expose()).map_err(|_| "the password is not UTF-8")?;
    let certificate = |der: &Vec<u8>| Certificate::from_der(der).map_err(told);
    let mut store = KeyStore::new();
    for identity in &content.identities {
        let key = PrivateKey::from_der(identity.key.expose()).map_err(told)?;
        let chain = identity.chain.iter().map(certificate).collect::<Result<Vec<_>, _>>()?;
        let entry = PrivateKeyChain::new(identity.alias.as_str(), key, chain);
        store.add_entry(&identity.alias, KeyStoreEntry::PrivateKeyChain(entry));
    }
    for (number, der) in content.trusted.iter().enumerate() {
        store.add_entry(&format!("ca{number}"), KeyStoreEntry::Certificate(certificate(der)?));
    }
    let writer = store.writer(password).encryption_iterations(WRITTEN_ITERATIONS).mac_iterations(WRITTEN_ITERATIONS);
    writer.write().map_err(told)
}
