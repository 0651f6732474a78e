//! A broker with a listener of each security protocol beside PLAINTEXT, users for each mechanism, and what a client needs
//! to come in. The certificates are those of the broker's own tests.

use crate::Result;
use crate::broker::Setup;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;

/// A listener's name and its protocol. Behind MTLS a client without a certificate is refused.
pub const LISTENERS: &[(&str, &str)] =
    &[("SSL", "SSL"), ("MTLS", "SSL"), ("SASL_PLAINTEXT", "SASL_PLAINTEXT"), ("SASL_SSL", "SASL_SSL")];
/// Everybody's name and password; those of a mechanism of SCRAM are made with the directory.
pub const USERS: &[(&str, &str)] = &[("admin", "admin-secret"), ("alice", "alice-secret")];
/// What the certificates' stores are closed with.
pub const STORE_PASSWORD: &str = "storepass";
/// What the broker's unsecured tokens need not be signed with, but must say.
pub const SCOPE: &str = "requiredScope";

const SCRAM: &[&str] = &[
    "--add-scram",
    "SCRAM-SHA-256=[name=admin,password=admin-secret]",
    "--add-scram",
    "SCRAM-SHA-512=[name=admin,password=admin-secret]",
    "--add-scram",
    "SCRAM-SHA-256=[name=alice,password=alice-secret]",
    "--add-scram",
    "SCRAM-SHA-512=[name=alice,password=alice-secret]",
];

/// A file of the certificates: `ca.pem` is the authority, `chain.pem` with `key.pem` the one certificate of all.
pub fn store(name: &str) -> String {
    format!("{}/../src/security/store/testdata/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The stores of a broker with that certificate, which takes those of its authority's clients.
pub fn stores() -> Vec<(String, String)> {
    vec![
        ("ssl.keystore.type".into(), "PKCS12".into()),
        ("ssl.keystore.location".into(), store("openssl.p12")),
        ("ssl.keystore.password".into(), STORE_PASSWORD.into()),
        ("ssl.truststore.type".into(), "PKCS12".into()),
        ("ssl.truststore.location".into(), store("trust.p12")),
        ("ssl.truststore.password".into(), STORE_PASSWORD.into()),
    ]
}

/// A client that shows this certificate, with the key of `key.pem`.
pub fn showing(certificate: &Path) -> Result<Arc<ClientConfig>> {
    let mut authorities = RootCertStore::empty();
    for authority in CertificateDer::pem_file_iter(store("ca.pem"))? {
        authorities.add(authority?)?;
    }
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(store("key.pem"))?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions()?.with_root_certificates(authorities);
    Ok(Arc::new(config.with_client_auth_cert(chain, key)?))
}

/// The same broker with these listeners, users and stores.
pub fn secured(plain: &Setup) -> Setup {
    let mut settings = stores();
    settings.push(("listener.name.mtls.ssl.client.auth".into(), "required".into()));
    settings.push(("sasl.enabled.mechanisms".into(), "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER".into()));
    for listener in ["sasl_plaintext", "sasl_ssl"] {
        settings.extend(jaas(listener));
    }
    let settings: Vec<_> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    plain.clone().listening(LISTENERS).formatted(SCRAM).with(&settings)
}

/// An authorizer that lets everybody do what no rule forbids, as tests want it that make rules.
pub const WITH_RULES: &[(&str, &str)] = &[
    ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
    ("allow.everyone.if.no.acl.found", "true"),
];

/// The login modules of a listener.
fn jaas(listener: &str) -> Vec<(String, String)> {
    let security = "org.apache.kafka.common.security";
    let users: String = USERS.iter().map(|(name, password)| format!(" user_{name}=\"{password}\"")).collect();
    let modules = [
        ("plain", format!("{security}.plain.PlainLoginModule required{users};")),
        ("scram-sha-256", format!("{security}.scram.ScramLoginModule required;")),
        ("scram-sha-512", format!("{security}.scram.ScramLoginModule required;")),
        (
            "oauthbearer",
            format!(
                "{security}.oauthbearer.OAuthBearerLoginModule required unsecuredValidatorRequiredScope=\"{SCOPE}\" \
                 unsecuredLoginStringClaim_sub=\"broker\";"
            ),
        ),
    ];
    let key = |mechanism: &str| format!("listener.name.{listener}.{mechanism}.sasl.jaas.config");
    modules.map(|(mechanism, module)| (key(mechanism), module)).into()
}
