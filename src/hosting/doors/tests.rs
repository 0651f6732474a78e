//! Doors on a simulated disk, with the stores of `security/store/testdata`.

use super::*;
use std::path::Path;

use crate::config::{self, Layers};
use crate::io::simulated_disk::SimulatedDisk;

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../../security/store/testdata/", $name)).as_slice()
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
    let doors = Doors::open(&config, (&Configs::new(), &Configs::new()), &disk, NOW)?;
    assert!(matches!(&doors.0[..], [Door::Tls(_)]) && doors.have_stores());
    Ok(())
}

#[test]
fn stores_of_each_kind_open_a_door() {
    let pem = [("ssl.keystore.type", "PEM"), ("ssl.keystore.location", "own.pem")];
    assert_eq!(started(&pem), Ok(()));
    let key = std::str::from_utf8(file!("key.pem")).unwrap();
    let chain = std::str::from_utf8(file!("chain.pem")).unwrap();
    let inline = [("ssl.keystore.type", "PEM"), ("ssl.keystore.key", key), ("ssl.keystore.certificate.chain", chain)];
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

const NOW: TimestampMs = TimestampMs(1_800_000_000_000);

/// The certificate that new connections get.
fn subject(doors: &Doors) -> String {
    let Door::Tls(door) = doors.get(0) else { panic!("the listener has TLS") };
    door.server.load().facts().subject.clone()
}

fn of_pem_file(more: &[(&str, &str)]) -> (Config, SimulatedDisk) {
    let disk = SimulatedDisk::default();
    disk.replace(Path::new("own.pem"), &[file!("key.pem"), file!("chain.pem")].concat()).unwrap();
    disk.replace(Path::new("stranger.pem"), &[file!("key.pem"), file!("stranger.pem")].concat()).unwrap();
    let own = [
        ("listener.security.protocol.map", "PLAINTEXT:SSL"),
        ("ssl.keystore.type", "PEM"),
        ("ssl.keystore.location", "own.pem"),
    ];
    let overrides = own.iter().chain(more).map(|(key, value)| (key.to_string(), value.to_string())).collect();
    (Config::load(&Layers { overrides, ..Layers::default() }).unwrap().0, disk)
}

const BOTH_CHANGES: &[(&str, &str)] = &[("ssl.allow.dn.changes", "true"), ("ssl.allow.san.changes", "true")];

#[test]
fn a_changed_file_gives_new_connections_another_certificate() {
    let none = Configs::new();
    let (config, disk) = of_pem_file(BOTH_CHANGES);
    let doors = Doors::open(&config, (&none, &none), &disk, NOW).unwrap();
    let old = subject(&doors);
    assert_eq!(old, "CN=localhost,OU=a,O=Klamm\\, Inc.,C=AT");
    // What cannot be used, or is not there for a moment, changes nothing.
    disk.replace(Path::new("own.pem"), b"half a ke").unwrap();
    doors.look(&config, (&none, &none), &disk, NOW);
    disk.remove_file(Path::new("own.pem")).unwrap();
    doors.look(&config, (&none, &none), &disk, NOW);
    assert_eq!(subject(&doors), old);
    disk.replace(Path::new("own.pem"), &[file!("key.pem"), file!("stranger.pem")].concat()).unwrap();
    doors.look(&config, (&none, &none), &disk, NOW);
    assert_eq!(subject(&doors), "CN=stranger");
}

#[test]
fn a_dynamic_config_names_another_store() {
    let none = Configs::new();
    let (config, disk) = of_pem_file(BOTH_CHANGES);
    let key = "listener.name.plaintext.ssl.keystore.location".to_string();
    let dynamic = Configs::from([(key, "stranger.pem".to_string())]);
    let doors = Doors::open(&config, (&none, &none), &disk, NOW).unwrap();
    doors.look(&config, (&none, &dynamic), &disk, NOW);
    assert_eq!(subject(&doors), "CN=stranger");
    // At the next start, too.
    assert_eq!(subject(&Doors::open(&config, (&none, &dynamic), &disk, NOW).unwrap()), "CN=stranger");
}

#[test]
fn another_name_is_taken_only_where_that_is_allowed() {
    let none = Configs::new();
    for more in [&[][..], &BOTH_CHANGES[..1], &BOTH_CHANGES[1..]] {
        let (config, disk) = of_pem_file(more);
        let doors = Doors::open(&config, (&none, &none), &disk, NOW).unwrap();
        let old = subject(&doors);
        disk.replace(Path::new("own.pem"), &[file!("key.pem"), file!("stranger.pem")].concat()).unwrap();
        doors.look(&config, (&none, &none), &disk, NOW);
        assert_eq!(subject(&doors), old, "{more:?}");
    }
}

/// A change of configs is judged by what is in the stores that it names, before it is one.
#[test]
fn stores_are_looked_into_before_a_change() {
    let none = Configs::new();
    let (config, disk) = of_pem_file(&[]);
    disk.replace(Path::new("again.pem"), &[file!("key.pem"), file!("own.pem")].concat()).unwrap();
    disk.replace(Path::new("damaged.pem"), b"half a ke").unwrap();
    let doors = Arc::new(Doors::open(&config, (&none, &none), &disk, NOW).unwrap());
    let stores = Stores::new(doors.clone(), Arc::new(disk.clone()));
    let judge = |broker: &str, location: &str| {
        let key = "listener.name.plaintext.ssl.keystore.location".to_string();
        let settings = config.settings(&none, &none).looking_into(Some(&stores));
        config::validate_broker(&settings, broker.is_empty(), &[(key, Some(location.to_string()))])
    };
    assert_eq!(judge("1", "again.pem"), Ok(()));
    for (location, why) in [
        ("nowhere.pem", "the key store nowhere.pem cannot be read: "),
        ("damaged.pem", "the key store damaged.pem: Private key not provided"),
        ("stranger.pem", "Keystore DistinguishedName does not match: "),
    ] {
        let told = judge("1", location).unwrap_err();
        assert!(
            told.starts_with(&format!("Validation of dynamic config update of SSLFactory failed: {why}")),
            "{told}"
        );
    }
    // Another listener, which this broker does not have, and a caller that does not block.
    let of_other = ("listener.name.other.ssl.keystore.location".to_string(), Some("nowhere.pem".to_string()));
    let settings = config.settings(&none, &none);
    assert_eq!(config::validate_broker(&settings.looking_into(Some(&stores)), false, &[of_other]), Ok(()));
    let unseen = ("listener.name.plaintext.ssl.keystore.location".to_string(), Some("nowhere.pem".to_string()));
    assert_eq!(config::validate_broker(&settings, false, &[unseen]), Ok(()));
    assert_eq!(subject(&doors), "CN=localhost,OU=a,O=Klamm\\, Inc.,C=AT", "nothing has changed");
}
