//! The doors of the listeners: their stores are read and their TLS is made. What cannot be made as it was asked for stops the
//! start with one sentence.

use std::path::Path;
use std::time::Duration;

use log::{error, info, warn};

use crate::config::security::{self, KeyStoreSettings, TlsSettings, TrustStoreSettings};
use crate::config::{Config, Listener};
use crate::io::disk::Disk;
use crate::model::TimestampMs;
use crate::security::principal::mapping;
use crate::security::store::{self, Identity, pem};
use crate::security::tls;
use crate::shard::doors::{Door, TlsDoor};

/// A store that is larger is none.
const MAX_STORE_BYTES: u64 = 16 * 1024 * 1024;
/// How long before its end a certificate is spoken of.
const EXPIRES_SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// Makes them in the order of the listeners. Blocks.
pub(super) fn open(config: &Config, disk: &dyn Disk, now: TimestampMs) -> Result<Vec<Door>, String> {
    let door = |listener: &Listener| match &listener.security.tls {
        None => Ok(Door::Plain),
        Some(settings) => tls_door(listener, settings, disk, now).map(Door::Tls),
    };
    config.listeners.iter().map(door).collect()
}

fn tls_door(listener: &Listener, settings: &TlsSettings, disk: &dyn Disk, now: TimestampMs) -> Result<TlsDoor, String> {
    let name = &listener.name;
    let told = |reason: String| format!("listener {name}: {reason}");
    let settings_of_tls = tls::Settings {
        identities: identities(&settings.key_store, disk).map_err(told)?,
        trusted: match &settings.trust_store {
            Some(trust_store) => trusted(trust_store, disk).map_err(told)?,
            None => Vec::new(),
        },
        client_auth: match settings.client_auth {
            security::ClientAuth::None => tls::ClientAuth::None,
            security::ClientAuth::Requested => tls::ClientAuth::Requested,
            security::ClientAuth::Required => tls::ClientAuth::Required,
        },
        is_v12: settings.versions.v12,
        is_v13: settings.versions.v13,
        cipher_suites: settings.cipher_suites.clone(),
    };
    let (server, notices) = tls::Server::new(&settings_of_tls).map_err(told)?;
    notices.iter().for_each(|notice| warn!("listener {name}: {notice}"));
    tell(name, server.facts(), now);
    let rules = mapping::Rules::parse(&settings.principal_rules)
        .map_err(|reason| told(format!("ssl.principal.mapping.rules: {reason}")))?;
    Ok(TlsDoor { server, rules })
}

/// What people want to know of the certificate.
fn tell(listener: &str, facts: &tls::Facts, now: TimestampMs) {
    let subject = &facts.subject;
    let left = facts.not_after.saturating_sub(now.0 / 1000);
    let days = left / (24 * 3600);
    if left <= 0 {
        error!("listener {listener}: its certificate ({subject}) has expired: clients will refuse it");
    } else if left.unsigned_abs() < EXPIRES_SOON.as_secs() {
        warn!("listener {listener}: its certificate ({subject}) expires in {days} days");
    } else {
        info!("listener {listener}: TLS with the certificate ({subject}), which holds for {days} days");
    }
}

fn identities(settings: &KeyStoreSettings, disk: &dyn Disk) -> Result<Vec<Identity>, String> {
    match settings {
        KeyStoreSettings::Pem { key, chain, key_password } => {
            let identity = pem::identity(key.expose(), chain.expose(), key_password.as_ref());
            identity.map(|identity| vec![identity]).map_err(|reason| format!("ssl.keystore.key: {reason}"))
        }
        KeyStoreSettings::PemFile { path, key_password } => of_file("key store", path, disk, |text| {
            pem::identity(text, text, key_password.as_ref()).map(|identity| vec![identity])
        }),
        KeyStoreSettings::File { path, password, key_password } => {
            of_file("key store", path, disk, |bytes| store::identities(bytes, password, key_password.as_ref()))
        }
    }
}

fn trusted(settings: &TrustStoreSettings, disk: &dyn Disk) -> Result<Vec<Vec<u8>>, String> {
    match settings {
        TrustStoreSettings::Pem(text) => {
            pem::certificates(text.expose()).map_err(|reason| format!("ssl.truststore.certificates: {reason}"))
        }
        TrustStoreSettings::PemFile { path } => of_file("trust store", path, disk, pem::certificates),
        TrustStoreSettings::File { path, password } => {
            of_file("trust store", path, disk, |bytes| store::trusted(bytes, password.as_ref()))
        }
    }
}

fn of_file<T>(
    what: &str,
    path: &str,
    disk: &dyn Disk,
    read: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Result<T, String> {
    let bytes = disk.read_small(Path::new(path), MAX_STORE_BYTES);
    let bytes = bytes.map_err(|error| format!("the {what} {path} cannot be read: {error}"))?;
    read(&bytes).map_err(|reason| format!("the {what} {path}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layers;
    use crate::io::simulated_disk::SimulatedDisk;

    macro_rules! file {
        ($name:literal) => {
            include_bytes!(concat!("../security/store/testdata/", $name)).as_slice()
        };
    }

    /// What a start with these settings of a listener that asks for TLS comes to.
    fn started(pairs: &[(&str, &str)]) -> Result<(), String> {
        let disk = SimulatedDisk::default();
        let both = [file!("key.pem"), file!("chain.pem")].concat();
        let files = [
            ("own.pem", &both[..]),
            ("ca.pem", file!("ca.pem")),
            ("java.jks", file!("java.jks")),
            ("java.p12", file!("java.p12")),
            ("trust.p12", file!("trust.p12")),
        ];
        for (path, content) in files {
            disk.replace(Path::new(path), content).unwrap();
        }
        let own = [("listener.security.protocol.map", "PLAINTEXT:SSL"), ("ssl.principal.mapping.rules", "DEFAULT")];
        let overrides = own.iter().chain(pairs).map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let (config, _) = Config::load(&Layers { overrides, ..Layers::default() }).unwrap();
        let doors = open(&config, &disk, TimestampMs(1_800_000_000_000))?;
        assert!(matches!(&doors[..], [Door::Tls(_)]));
        Ok(())
    }

    #[test]
    fn stores_of_each_kind_open_a_door() {
        let pem = [("ssl.keystore.type", "PEM"), ("ssl.keystore.location", "own.pem")];
        assert_eq!(started(&pem), Ok(()));
        let key = std::str::from_utf8(file!("key.pem")).unwrap();
        let chain = std::str::from_utf8(file!("chain.pem")).unwrap();
        let inline =
            [("ssl.keystore.type", "PEM"), ("ssl.keystore.key", key), ("ssl.keystore.certificate.chain", chain)];
        assert_eq!(started(&inline), Ok(()));
        for (kind, path) in [("JKS", "java.jks"), ("PKCS12", "java.jks"), ("JKS", "java.p12")] {
            let password = if path == "java.jks" { "keypass" } else { "storepass" };
            let store = [
                ("ssl.keystore.type", kind),
                ("ssl.keystore.location", path),
                ("ssl.keystore.password", "storepass"),
                ("ssl.key.password", password),
                ("ssl.truststore.location", "trust.p12"),
                ("ssl.truststore.password", "storepass"),
                ("ssl.client.auth", "required"),
            ];
            assert_eq!(started(&store), Ok(()), "{path}");
        }
    }

    #[test]
    fn a_door_that_cannot_be_made_stops_the_start_with_a_sentence() {
        let pem = [("ssl.keystore.type", "PEM"), ("ssl.keystore.location", "own.pem")];
        let with = |more: &[(&str, &str)]| started(&[&pem[..], more].concat()).unwrap_err();
        let why = with(&[("ssl.client.auth", "required")]);
        assert_eq!(
            why,
            "listener PLAINTEXT: clients are asked for certificates, and there is no trust store to judge them by"
        );
        let why = with(&[("ssl.cipher.suites", "TLS_RSA_WITH_AES_128_CBC_SHA")]);
        assert!(why.starts_with("listener PLAINTEXT: none of ssl.cipher.suites is offered"), "{why}");
        let why = with(&[("ssl.principal.mapping.rules", "RULE:x")]);
        assert!(why.starts_with("listener PLAINTEXT: ssl.principal.mapping.rules: Invalid rule"), "{why}");
        let why = with(&[("ssl.truststore.type", "PEM"), ("ssl.truststore.location", "java.p12")]);
        assert!(why.starts_with("listener PLAINTEXT: the trust store java.p12: At least one"), "{why}");
        let why = started(&[("ssl.keystore.location", "java.p12"), ("ssl.keystore.password", "secret")]).unwrap_err();
        assert!(why.contains("its password is not right") && !why.contains("secret"), "{why}");
    }
}
