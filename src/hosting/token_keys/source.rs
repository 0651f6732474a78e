//! Where the keys of a provider come from: a file, or an address that is asked.

use std::sync::Arc;

use rustls::ClientConfig;

use super::{Disk, JwksSource, KeySet, Path, SignedTokens, Source};
use crate::hosting::doors::make;
use crate::io::https;
use crate::security::store::pem;
use crate::security::tls;
use crate::stdx::url::Url;

/// Keys that are larger are none (`org.jose4j.http.Get`).
const MAX_BYTES: u64 = 512 * 1024;
/// Where systems keep the certificates that they trust, as PEM; the first one that is there counts.
const TRUSTED_BY_SYSTEM: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
const MAX_BUNDLE_BYTES: u64 = 16 * 1024 * 1024;
const OPTION: &str = "The OAuth configuration option sasl.oauthbearer.jwks.endpoint.url";

/// An error is a sentence for people.
pub(super) fn open(tokens: &SignedTokens, disk: &Arc<dyn Disk>) -> Result<Box<dyn Source>, String> {
    match &tokens.source {
        JwksSource::File(path) => Ok(Box::new(KeyFile { path: path.clone(), disk: disk.clone(), last: None })),
        JwksSource::Web(url) => {
            let tls = url.is_tls.then(|| tls_of(tokens, &**disk)).transpose()?;
            Ok(Box::new(Endpoint { url: url.clone(), tls }))
        }
    }
}

fn tls_of(tokens: &SignedTokens, disk: &dyn Disk) -> Result<Arc<ClientConfig>, String> {
    let trusted = match &tokens.trust_store {
        Some(settings) => make::certificates(settings, disk)?,
        None => {
            let read = |path: &&str| disk.read_small(Path::new(path), MAX_BUNDLE_BYTES).ok();
            let bundle = TRUSTED_BY_SYSTEM.iter().find_map(read).ok_or_else(|| {
                format!(
                    "{} is fetched over TLS, and this machine has no file with the certificates that it trusts: name a trust \
                     store by the options ssl.truststore.* of the login module",
                    tokens.jwks_url
                )
            })?;
            pem::certificates(&bundle)?
        }
    };
    tls::client_config(&trusted)
}

/// `JwksFileVerificationKeyResolver`
struct KeyFile {
    path: String,
    disk: Arc<dyn Disk>,
    last: Option<Vec<u8>>,
}

impl Source for KeyFile {
    fn fetch(&mut self) -> Result<Option<KeySet>, String> {
        let path = &self.path;
        let bytes = self.disk.read_small(Path::new(path), MAX_BYTES).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => format!("{OPTION} contains a file ({path}) that doesn't exist"),
            std::io::ErrorKind::PermissionDenied => {
                format!("{OPTION} contains a file ({path}) that doesn't have read permission")
            }
            std::io::ErrorKind::IsADirectory => format!("{OPTION} references a directory ({path}), not a file"),
            _ => format!("Error reading the file contents of OAuth resource {path} for caching: {error}"),
        })?;
        if self.last.as_ref() == Some(&bytes) {
            return Ok(None);
        }
        let keys = KeySet::parse(&bytes).map_err(|reason| format!("the keys of {path} cannot be read: {reason}"))?;
        self.last = Some(bytes);
        Ok(Some(keys))
    }
}

/// `org.jose4j.jwk.HttpsJwks`
struct Endpoint {
    url: Url,
    tls: Option<Arc<ClientConfig>>,
}

impl Source for Endpoint {
    fn fetch(&mut self) -> Result<Option<KeySet>, String> {
        let answer = https::get(&self.url, self.tls.as_ref());
        let body = answer.map_err(|error| format!("Could not refresh JWKS: {}", error.reason))?;
        KeySet::parse(&body).map(Some).map_err(|reason| format!("Could not refresh JWKS: {reason}"))
    }
}
