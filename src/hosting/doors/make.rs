//! From a listener's settings to the server's side of its TLS: its stores are read, and what cannot be made as it was asked for
//! is an error with a sentence.

use std::path::Path;

use ring::digest::{Context, SHA256};

use crate::config::security::{self, KeyStoreSettings, TlsSettings, TrustStoreSettings};
use crate::io::disk::Disk;
use crate::security::store::{self, Identity, pem};
use crate::security::tls;
use crate::stdx::secret::Secret;

/// A store that is larger is none.
const MAX_STORE_BYTES: u64 = 16 * 1024 * 1024;

/// The bytes of the stores.
pub(super) struct Stores {
    key_store: Secret,
    trust_store: Option<Secret>,
}

impl Stores {
    /// The same only if both are the same.
    pub(super) fn digest(&self) -> Vec<u8> {
        let mut context = Context::new(&SHA256);
        for store in [Some(&self.key_store), self.trust_store.as_ref()].into_iter().flatten() {
            context.update(&store.expose().len().to_be_bytes());
            context.update(store.expose());
        }
        context.finish().as_ref().to_vec()
    }
}

pub(super) fn read(settings: &TlsSettings, disk: &dyn Disk) -> Result<Stores, String> {
    let file = |what: &str, path: &str| file(what, path, disk);
    let key_store = match &settings.key_store {
        KeyStoreSettings::Pem { key, chain, .. } => Secret::new([key.expose(), b"\n", chain.expose()].concat()),
        KeyStoreSettings::PemFile { path, .. } | KeyStoreSettings::File { path, .. } => file("key store", path)?,
    };
    let trust_store = settings.trust_store.as_ref().map(|trust_store| trust_store_bytes(trust_store, disk));
    Ok(Stores { key_store, trust_store: trust_store.transpose()? })
}

fn file(what: &str, path: &str, disk: &dyn Disk) -> Result<Secret, String> {
    let bytes = disk.read_small(Path::new(path), MAX_STORE_BYTES);
    bytes.map(Secret::new).map_err(|error| format!("the {what} {path} cannot be read: {error}"))
}

fn trust_store_bytes(settings: &TrustStoreSettings, disk: &dyn Disk) -> Result<Secret, String> {
    match settings {
        TrustStoreSettings::Pem(text) => Ok(text.clone()),
        TrustStoreSettings::PemFile { path } | TrustStoreSettings::File { path, .. } => file("trust store", path, disk),
    }
}

/// The certificates of a trust store, DER.
pub(in crate::hosting) fn certificates(settings: &TrustStoreSettings, disk: &dyn Disk) -> Result<Vec<Vec<u8>>, String> {
    trusted(settings, trust_store_bytes(settings, disk)?.expose())
}

/// Beside it what is worth saying.
pub(super) fn server(settings: &TlsSettings, stores: &Stores) -> Result<(tls::Server, Vec<String>), String> {
    let trusted = match (&settings.trust_store, &stores.trust_store) {
        (Some(of), Some(bytes)) => trusted(of, bytes.expose())?,
        _ => Vec::new(),
    };
    tls::Server::new(&tls::Settings {
        identities: identities(&settings.key_store, stores.key_store.expose())?,
        trusted,
        client_auth: match settings.client_auth {
            security::ClientAuth::None => tls::ClientAuth::None,
            security::ClientAuth::Requested => tls::ClientAuth::Requested,
            security::ClientAuth::Required => tls::ClientAuth::Required,
        },
        is_v12: settings.versions.v12,
        is_v13: settings.versions.v13,
        cipher_suites: settings.cipher_suites.clone(),
    })
}

/// A change that keeps the listener what it is for its clients (`SslFactory.CertificateEntries.ensureCompatible`).
pub(super) fn check_change(settings: &TlsSettings, old: &tls::Facts, new: &tls::Facts) -> Result<(), String> {
    if !settings.allow_dn_changes && old.subject != new.subject {
        let (old, new) = (&old.subject, &new.subject);
        return Err(format!("Keystore DistinguishedName does not match: existing={{DN={old}}}, new={{DN={new}}}"));
    }
    let lost = old.other_names.iter().find(|name| !new.other_names.contains(*name));
    match lost.filter(|_| !settings.allow_san_changes) {
        Some(name) => Err(format!("Keystore SubjectAltNames do not match: the new certificate lacks {name}")),
        None => Ok(()),
    }
}

fn identities(settings: &KeyStoreSettings, bytes: &[u8]) -> Result<Vec<Identity>, String> {
    let told = |path: &str| {
        let path = path.to_string();
        move |reason: String| format!("the key store {path}: {reason}")
    };
    match settings {
        KeyStoreSettings::Pem { key_password, .. } => pem::identity(bytes, bytes, key_password.as_ref())
            .map(|identity| vec![identity])
            .map_err(|reason| format!("ssl.keystore.key: {reason}")),
        KeyStoreSettings::PemFile { path, key_password } => {
            pem::identity(bytes, bytes, key_password.as_ref()).map(|identity| vec![identity]).map_err(told(path))
        }
        KeyStoreSettings::File { path, password, key_password } => {
            store::identities(bytes, password, key_password.as_ref()).map_err(told(path))
        }
    }
}

fn trusted(settings: &TrustStoreSettings, bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    match settings {
        TrustStoreSettings::Pem(_) => {
            pem::certificates(bytes).map_err(|reason| format!("ssl.truststore.certificates: {reason}"))
        }
        TrustStoreSettings::PemFile { path } => {
            pem::certificates(bytes).map_err(|reason| format!("the trust store {path}: {reason}"))
        }
        TrustStoreSettings::File { path, password } => {
            store::trusted(bytes, password.as_ref()).map_err(|reason| format!("the trust store {path}: {reason}"))
        }
    }
}
