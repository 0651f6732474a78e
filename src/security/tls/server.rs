//! The server's side of a listener: its identities, whom it trusts, what it offers.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, NoClientAuth, ResolvesServerCert, ServerSessionMemoryCache};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion, version};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

use super::connection::Connection;
use super::suites;
use super::verifier::Verifier;
use crate::security::principal::dn;
use crate::security::store::{self, Identity};

/// Sessions of TLS 1.2 that are remembered for clients that take no tickets.
const REMEMBERED_SESSIONS: usize = 1024;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ClientAuth {
    None,
    Requested,
    Required,
}

/// What a listener's TLS is made from.
pub(crate) struct Settings {
    /// There is at least one.
    pub(crate) identities: Vec<Identity>,
    /// Certificates that vouch for clients, DER.
    pub(crate) trusted: Vec<Vec<u8>>,
    pub(crate) client_auth: ClientAuth,
    pub(crate) is_v12: bool,
    pub(crate) is_v13: bool,
    /// Names; none means all.
    pub(crate) cipher_suites: Vec<String>,
}

/// What people want to know of the certificate that is shown first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Facts {
    pub(crate) subject: String,
    /// The last one of the subject, in small letters.
    pub(crate) common_name: Option<String>,
    /// What else it vouches for, in order.
    pub(crate) other_names: Vec<String>,
    /// Those of them that clients compare with the name of a host, in small letters, and with an address.
    pub(crate) host_names: Vec<String>,
    pub(crate) addresses: Vec<IpAddr>,
    /// Seconds since 1970 behind which clients refuse it.
    pub(crate) not_after: i64,
}

pub(crate) struct Server {
    config: Arc<ServerConfig>,
    facts: Facts,
}

impl Server {
    /// Beside it what is worth saying. An error is a sentence for people, without the listener's name.
    pub(crate) fn new(settings: &Settings) -> Result<(Server, Vec<String>), String> {
        let (cipher_suites, unknown) = suites::chosen(&settings.cipher_suites);
        let provider = Arc::new(CryptoProvider { cipher_suites, ..ring::default_provider() });
        let versions = versions(settings, &provider)?;
        let own = settings.identities.iter().map(|identity| certified(identity, &provider));
        let keys = Keys(own.collect::<Result<_, _>>()?);
        let facts = facts(&settings.identities[0])?;
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&versions)
            .map_err(|error| error.to_string())?;
        let builder = match settings.client_auth {
            ClientAuth::None => builder.with_client_cert_verifier(Arc::new(NoClientAuth)),
            _ if settings.trusted.is_empty() => {
                return Err("clients are asked for certificates, and there is no trust store to judge them by".into());
            }
            asked => {
                let verifier = Verifier::new(&settings.trusted, asked == ClientAuth::Required, provider)?;
                builder.with_client_cert_verifier(Arc::new(verifier))
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(keys));
        config.ignore_client_order = true;
        config.session_storage = ServerSessionMemoryCache::new(REMEMBERED_SESSIONS);
        // Keys of its own: what another server (before a change of the trust store) has given out resumes nothing here.
        config.ticketer = ring::Ticketer::new().map_err(|error| error.to_string())?;
        let notices = unknown.iter().map(|name| format!("the cipher suite {name} is not offered"));
        Ok((Server { config: Arc::new(config), facts }, notices.collect()))
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Its end of a new connection.
    pub(crate) fn accept(&self) -> Connection {
        Connection::new(self.config.clone())
    }
}

/// Each with a suite to use it with.
fn versions(settings: &Settings, provider: &CryptoProvider) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let asked = [(settings.is_v13, &version::TLS13, "TLSv1.3"), (settings.is_v12, &version::TLS12, "TLSv1.2")];
    let mut versions = Vec::new();
    for (_, version, name) in asked.into_iter().filter(|(is_asked, ..)| *is_asked) {
        if !provider.cipher_suites.iter().any(|suite| suite.version() == version) {
            return Err(format!("none of ssl.cipher.suites is offered for {name}, which ssl.enabled.protocols names"));
        }
        versions.push(version);
    }
    Ok(versions)
}

fn certified(identity: &Identity, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, String> {
    let own = identity.chain.first().ok_or("the private key has no certificate")?;
    let key = store::key::completed(&identity.key, own);
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.expose().to_vec()));
    let key = provider.key_provider.load_private_key(key).map_err(|_| {
        "the private key cannot be used: keys of RSA from 2048 bits, of the curves P-256 and P-384, and of Ed25519 are"
    })?;
    let chain = identity.chain.iter().map(|der| der.clone().into()).collect();
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match().map_err(|error| format!("the certificate does not belong to the private key: {error}"))?;
    Ok(Arc::new(certified))
}

fn facts(identity: &Identity) -> Result<Facts, String> {
    let own = identity.chain.first().ok_or("the private key has no certificate")?;
    let (_, certificate) = parse_x509_certificate(own).map_err(|_| "the certificate cannot be read")?;
    let subject = dn::of_certificate(own).unwrap_or_default();
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|names| &names.value.general_names);
    let (mut other_names, mut host_names, mut addresses) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        other_names.push(format!("{name}"));
        match name {
            GeneralName::DNSName(name) => host_names.push(name.to_lowercase()),
            GeneralName::IPAddress(bytes) => addresses.extend(address(bytes)),
            _ => {}
        }
    }
    other_names.sort_unstable();
    let not_after = certificate.validity().not_after.timestamp();
    let common_name = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok()).last();
    let common_name = common_name.map(str::to_lowercase);
    Ok(Facts { subject, common_name, other_names, host_names, addresses, not_after })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    v4().or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}

impl Facts {
    /// Whether a client that came to this host takes the certificate for the host's.
    pub(crate) fn vouch_for(&self, host: &str) -> bool {
        match host.parse::<IpAddr>() {
            Ok(address) => self.addresses.contains(&address),
            Err(_) => self.host_names.iter().any(|name| fits(name, host)),
        }
    }

    /// Whether a client does that looks at the common name where there is no name of a host beside it, as Java's and OpenSSL's do.
    pub(crate) fn vouch_by_subject(&self, host: &str) -> bool {
        let is_name = self.host_names.is_empty() && host.parse::<IpAddr>().is_err();
        is_name && self.common_name.as_ref().is_some_and(|name| fits(name, host))
    }
}

/// Whether a name of a certificate, in small letters, stands for a host (RFC 6125: a star stands for the first label).
fn fits(name: &str, host: &str) -> bool {
    let host = host.trim_end_matches('.').to_lowercase();
    let rest = host.split_once('.').map(|(_, rest)| rest);
    *name == host || (rest.is_some() && name.strip_prefix("*.") == rest)
}

/// The first identity that the client can judge.
#[derive(Debug)]
struct Keys(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for Keys {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let fits = |own: &&Arc<CertifiedKey>| own.key.choose_scheme(hello.signature_schemes()).is_some();
        self.0.iter().find(fits).cloned()
    }
}
