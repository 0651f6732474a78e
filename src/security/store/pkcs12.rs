//! PKCS12 stores, as keytool and openssl write them.
//!
//! Deviation: the keys have the store's password, as the format's other readers have it.

use p12_keystore::error::Error;
use p12_keystore::{Certificate, Pkcs12Archive};

use super::{Content, Identity, too_costly};
use crate::stdx::secret::Secret;

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
