//! TLS of one listener (`DefaultSslEngineFactory`): which stores, which versions, which clients.
//!
//! Deviations: a listener without a key store is refused, where Kafka starts and fails every handshake; of the JVM's own
//! settings those that Kafka would obey are refused or said to have no effect.

use super::OfListener;
use crate::config::Invalid;
use crate::model::SecurityProtocol;
use crate::stdx::secret::Secret;

#[derive(Clone, PartialEq, Debug)]
pub struct TlsSettings {
    pub key_store: KeyStoreSettings,
    /// `None`: no client can show a certificate that is trusted.
    pub trust_store: Option<TrustStoreSettings>,
    pub client_auth: ClientAuth,
    pub versions: TlsVersions,
    /// As they are written; empty: all that there are.
    pub cipher_suites: Vec<String>,
    /// `ssl.principal.mapping.rules`
    pub principal_rules: String,
    pub allow_dn_changes: bool,
    pub allow_san_changes: bool,
}

/// Where the listener's key and its certificates are.
#[derive(Clone, PartialEq, Debug)]
pub enum KeyStoreSettings {
    Pem {
        key: Secret,
        chain: Secret,
        key_password: Option<Secret>,
    },
    PemFile {
        path: String,
        key_password: Option<Secret>,
    },
    /// JKS or PKCS12: the file itself says which.
    File {
        path: String,
        password: Secret,
        key_password: Option<Secret>,
    },
}

/// Where the certificates are that vouch for clients.
#[derive(Clone, PartialEq, Debug)]
pub enum TrustStoreSettings {
    Pem(Secret),
    PemFile {
        path: String,
    },
    /// Without a password its integrity is not looked at.
    File {
        path: String,
        password: Option<Secret>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClientAuth {
    None,
    Requested,
    Required,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TlsVersions {
    pub v12: bool,
    pub v13: bool,
}

const OLD_VERSIONS: &[&str] = &["SSLv2Hello", "SSLv3", "TLSv1", "TLSv1.1"];
const ENGINES: &[&str] = &[
    "org.apache.kafka.common.security.ssl.DefaultSslEngineFactory",
    "org.apache.kafka.common.security.ssl.CommonNameLoggingSslEngineFactory",
];
/// What the JVM would do another way.
const OF_THE_JVM: &[&str] =
    &["ssl.provider", "ssl.keymanager.algorithm", "ssl.trustmanager.algorithm", "ssl.secure.random.implementation"];
const PEM: &str = "PEM";

pub(super) fn resolve(
    of: &OfListener<'_>,
    protocol: SecurityProtocol,
    notices: &mut Vec<String>,
) -> Result<TlsSettings, Invalid> {
    of.only("ssl.engine.factory.class", ENGINES)?;
    for key in OF_THE_JVM.iter().filter(|key| of.raw(key).is_some()) {
        notices.push(format!("{} is without effect, it speaks of the JVM", of.key(key)));
    }
    let key_store = key_store(of)?.ok_or_else(|| {
        let reason = format!("listener {} asks for TLS and has no key store, so no client could connect", of.name);
        of.refused("ssl.keystore.location", reason)
    })?;
    Ok(TlsSettings {
        key_store,
        trust_store: trust_store(of)?,
        client_auth: client_auth(of, protocol, notices),
        versions: versions(of, notices)?,
        cipher_suites: of.list("ssl.cipher.suites"),
        principal_rules: of.text("ssl.principal.mapping.rules").unwrap_or_default(),
        allow_dn_changes: of.boolean("ssl.allow.dn.changes"),
        allow_san_changes: of.boolean("ssl.allow.san.changes"),
    })
}

/// A listener of SASL_SSL obeys its own setting only (`ChannelBuilders.create`).
fn client_auth(of: &OfListener<'_>, protocol: SecurityProtocol, notices: &mut Vec<String>) -> ClientAuth {
    const KEY: &str = "ssl.client.auth";
    let asked = match of.text(KEY).as_deref() {
        Some("required") => ClientAuth::Required,
        Some("requested") => ClientAuth::Requested,
        _ => ClientAuth::None,
    };
    let is_own = of.settings.is_set(&of.prefixed(KEY));
    if protocol == SecurityProtocol::SaslSsl && !is_own && asked != ClientAuth::None {
        let own = of.prefixed(KEY);
        notices.push(format!("{KEY} is applied only to SSL listeners: {own} is what asks clients for certificates"));
        return ClientAuth::None;
    }
    asked
}

fn versions(of: &OfListener<'_>, notices: &mut Vec<String>) -> Result<TlsVersions, Invalid> {
    const KEY: &str = "ssl.enabled.protocols";
    let context = of.text("ssl.protocol").unwrap_or_default();
    if !["TLS", "TLSv1.2", "TLSv1.3"].contains(&context.as_str()) {
        return Err(of.refused("ssl.protocol", "there are TLS, TLSv1.2 and TLSv1.3"));
    }
    let named = of.list(KEY);
    if named.is_empty() {
        return Ok(TlsVersions { v12: true, v13: context != "TLSv1.2" });
    }
    let (mut versions, mut old) = (TlsVersions { v12: false, v13: false }, Vec::new());
    for name in &named {
        match name.as_str() {
            "TLSv1.2" => versions.v12 = true,
            "TLSv1.3" => versions.v13 = true,
            name if OLD_VERSIONS.contains(&name) => old.push(name),
            _ => return Err(of.refused(KEY, format!("Unsupported protocol {name}"))),
        }
    }
    if !versions.v12 && !versions.v13 {
        return Err(of.refused(KEY, "there are TLSv1.2 and TLSv1.3; older ones are not safe"));
    }
    if !old.is_empty() {
        notices.push(format!("{} names what is not offered, as it is not safe: {}", of.key(KEY), old.join(", ")));
    }
    Ok(versions)
}

/// `DefaultSslEngineFactory.createKeystore`
fn key_store(of: &OfListener<'_>) -> Result<Option<KeyStoreSettings>, Invalid> {
    const KEY: &str = "ssl.keystore.key";
    const CHAIN: &str = "ssl.keystore.certificate.chain";
    const PATH: &str = "ssl.keystore.location";
    const PASSWORD: &str = "ssl.keystore.password";
    let kind = of.text("ssl.keystore.type").unwrap_or_default();
    let refused = |key: &str, reason: &str| Err(of.refused(key, reason));
    match (of.secret(KEY), of.secret(CHAIN)) {
        (Some(_), _) if kind != PEM => {
            refused(KEY, &format!("SSL private key can be specified only for PEM, but key store type is {kind}."))
        }
        (Some(_), None) => refused(KEY, "SSL private key is specified, but certificate chain is not specified."),
        (Some(_), Some(_)) if of.text(PATH).is_some() => {
            refused(PATH, "Both SSL key store location and separate private key are specified.")
        }
        (Some(_), Some(_)) if of.secret(PASSWORD).is_some() => refused(
            PASSWORD,
            "SSL key store password cannot be specified with PEM format, only key password may be specified.",
        ),
        (Some(key), Some(chain)) => {
            Ok(Some(KeyStoreSettings::Pem { key, chain, key_password: of.secret("ssl.key.password") }))
        }
        (None, Some(_)) => refused(CHAIN, "SSL certificate chain is specified, but private key is not specified"),
        (None, None) => key_store_file(of, &kind),
    }
}

fn key_store_file(of: &OfListener<'_>, kind: &str) -> Result<Option<KeyStoreSettings>, Invalid> {
    const PATH: &str = "ssl.keystore.location";
    const PASSWORD: &str = "ssl.keystore.password";
    let key_password = of.secret("ssl.key.password");
    let refused = |key: &str, reason: &str| Err(of.refused(key, reason));
    match (of.text(PATH), of.secret(PASSWORD)) {
        (Some(_), Some(_)) if kind == PEM => refused(
            PASSWORD,
            "SSL key store password cannot be specified with PEM format, only key password may be specified",
        ),
        (Some(path), None) if kind == PEM => Ok(Some(KeyStoreSettings::PemFile { path, key_password })),
        (None, Some(_)) => refused(PASSWORD, "SSL key store is not specified, but key store password is specified."),
        (Some(_), None) => refused(PATH, "SSL key store is specified, but key store password is not specified."),
        (Some(path), Some(password)) => {
            is_readable(of, "ssl.keystore.type", kind)?;
            Ok(Some(KeyStoreSettings::File { path, password, key_password }))
        }
        (None, None) => Ok(None),
    }
}

/// `DefaultSslEngineFactory.createTruststore`
pub(super) fn trust_store(of: &OfListener<'_>) -> Result<Option<TrustStoreSettings>, Invalid> {
    const KIND: &str = "ssl.truststore.type";
    const PATH: &str = "ssl.truststore.location";
    const PASSWORD: &str = "ssl.truststore.password";
    const CERTIFICATES: &str = "ssl.truststore.certificates";
    const NO_PASSWORD: &str = "SSL trust store password cannot be specified for PEM format.";
    let kind = of.text(KIND).unwrap_or_default();
    let refused = |key: &str, reason: &str| Err(of.refused(key, reason));
    match (of.secret(CERTIFICATES), of.text(PATH), of.secret(PASSWORD)) {
        (Some(_), _, _) if kind != PEM => {
            let reason =
                format!("SSL trust store certs can be specified only for PEM, but trust store type is {kind}.");
            refused(CERTIFICATES, &reason)
        }
        (Some(_), Some(_), _) => {
            refused(PATH, "Both SSL trust store location and separate trust certificates are specified.")
        }
        (Some(_), None, Some(_)) => refused(PASSWORD, NO_PASSWORD),
        (Some(certificates), None, None) => Ok(Some(TrustStoreSettings::Pem(certificates))),
        (None, Some(_), Some(_)) if kind == PEM => refused(PASSWORD, NO_PASSWORD),
        (None, Some(path), None) if kind == PEM => Ok(Some(TrustStoreSettings::PemFile { path })),
        (None, None, Some(_)) => {
            refused(PASSWORD, "SSL trust store is not specified, but trust store password is specified.")
        }
        (None, Some(path), password) => {
            is_readable(of, KIND, &kind)?;
            Ok(Some(TrustStoreSettings::File { path, password }))
        }
        (None, None, None) => Ok(None),
    }
}

/// Java takes the names of its own stores in any case, and reads either kind under either name.
fn is_readable(of: &OfListener<'_>, key: &str, kind: &str) -> Result<(), Invalid> {
    match ["JKS", "PKCS12"].iter().any(|known| known.eq_ignore_ascii_case(kind)) {
        true => Ok(()),
        false => Err(of.refused(key, "stores of the types JKS, PKCS12 and PEM are read")),
    }
}
