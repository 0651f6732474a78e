//! Each finding from facts that are made up.

use std::path::PathBuf;

use super::*;
use crate::config::{Config, Layers};
use crate::io::machine::Choice;
use crate::security::tls;

const DAY: i64 = SECONDS_PER_DAY;

fn config(pairs: &[(&str, &str)]) -> Config {
    let overrides = pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    Config::load(&Layers { overrides, ..Layers::default() }).expect("it is valid").0
}

fn look() -> DirectoryLook {
    DirectoryLook {
        path: PathBuf::from("/data"),
        nearest: PathBuf::from("/data"),
        is_directory: true,
        is_writable: true,
        owner: 7,
        asking: 7,
        kind: FileSystemKind::Other,
        total_bytes: 1 << 40,
        usable_bytes: 1 << 39,
        is_locked: false,
    }
}

/// The facts of a configuration whose every name resolves to this machine.
fn facts(pairs: &[(&str, &str)]) -> Facts {
    let config = config(pairs);
    let listeners = config.listeners.iter().map(|listener| {
        let advertised = listener.advertised.as_ref().filter(|told| !told.is_by_connection);
        ListenerFacts {
            told_host: advertised.map(|told| told.host.clone().unwrap_or("machine".into())),
            told_port: advertised.and_then(|told| told.port).unwrap_or(listener.port),
            told_addresses: Ok(vec![[192, 0, 2, 1].into()]),
            is_own: true,
            listens: Ok(()),
            certificate: None,
            listener: listener.clone(),
        }
    });
    Facts {
        listeners: listeners.collect(),
        http_listeners: config.http.iter().flat_map(|http| &http.listeners).map(|one| (one.clone(), Ok(()))).collect(),
        directories: vec![("data".into(), Ok(look()))],
        most_descriptors: None,
        driver: Ok(Choice { backend: Backend::Uring, reason: String::new() }),
        now: 0,
        notices: Vec::new(),
        config,
    }
}

/// The only finding, whose sentence has these words.
fn one(facts: &Facts, severity: Severity, words: &str) {
    let found = of(facts);
    let right = found.iter().filter(|one| one.severity == severity && one.sentence.contains(words)).count();
    assert!(right == 1 && found.len() == 1, "{severity:?} {words:?}: {found:#?}");
}

fn has(facts: &Facts, severity: Severity, words: &str) {
    let found = of(facts);
    let is_it = |one: &&Finding| one.severity == severity && one.sentence.contains(words);
    assert_eq!(found.iter().filter(is_it).count(), 1, "{severity:?} {words:?}: {found:#?}");
}

#[test]
fn nothing_is_wrong_with_a_broker_that_was_told_nothing() {
    assert_eq!(of(&facts(&[])), []);
}

#[test]
fn advertised_addresses() {
    let everywhere = ("listeners", "PLAINTEXT://:9092");
    has(&facts(&[everywhere]), Severity::Note, "by which it came");
    let local = facts(&[everywhere, ("advertised.listeners", "PLAINTEXT://localhost:9092")]);
    has(&local, Severity::Warning, "every address, port 9092 and tells clients to connect to localhost:9092");
    let mut named = facts(&[everywhere, ("advertised.listeners", "PLAINTEXT://broker:9092")]);
    named.listeners[0].told_addresses = Err("unknown".into());
    has(&named, Severity::Warning, "finds no address of that name");
    named.listeners[0].told_addresses = Ok(vec![[192, 0, 2, 2].into()]);
    named.listeners[0].is_own = false;
    has(&named, Severity::Note, "which is not an address of this machine (192.0.2.2)");
    let inside =
        facts(&[("listeners", "PLAINTEXT://127.0.0.1:9092"), ("advertised.listeners", "PLAINTEXT://broker:9092")]);
    one(&inside, Severity::Error, "and it listens on 127.0.0.1:9092 only");
    let mapped =
        facts(&[("listeners", "PLAINTEXT://127.0.0.1:9092"), ("advertised.listeners", "PLAINTEXT://127.0.0.1:19092")]);
    one(&mapped, Severity::Note, "told the port 19092, and it listens on 9092");
    let two = facts(&[
        ("listeners", "A://127.0.0.1:1,B://127.0.0.1:2"),
        ("listener.security.protocol.map", "A:PLAINTEXT,B:PLAINTEXT"),
        ("inter.broker.listener.name", "A"),
        ("advertised.listeners", "A://127.0.0.1:1"),
    ]);
    one(&two, Severity::Warning, "leaves it out");
}

#[test]
fn addresses_that_cannot_be_listened_on() {
    let mut facts = facts(&[]);
    for (failure, words) in [
        (ListenFailure::Taken, "is taken by another process"),
        (ListenFailure::Forbidden, "may not listen"),
        (ListenFailure::NotOurs, "is not an address of this machine"),
        (ListenFailure::Other("why".into()), "cannot listen on 127.0.0.1:9092: why"),
    ] {
        facts.listeners[0].listens = Err(failure);
        one(&facts, Severity::Error, words);
    }
    facts.listeners[0].listens = Err(ListenFailure::Taken);
    facts.directories = vec![("data".into(), Ok(DirectoryLook { is_locked: true, ..look() }))];
    has(&facts, Severity::Note, "by the running broker");
    has(&facts, Severity::Note, "a running broker has /data");
}

#[test]
fn the_http_side_is_looked_at_as_well() {
    let http = |place: &str| facts(&[("klamm.http.listeners", place), ("klamm.http.token", "0123456789abcdef0123")]);
    assert_eq!(of(&http("http://127.0.0.1:8080")), []);
    one(&http("http://0.0.0.0:8080"), Severity::Warning, "the HTTP side at every address, port 8080 has no TLS");
    let mut taken = http("http://127.0.0.1:8080");
    taken.http_listeners[0].1 = Err(ListenFailure::Taken);
    one(&taken, Severity::Error, "127.0.0.1:8080 is taken by another process");
    assert!(of(&taken)[0].advice.contains("another port in klamm.http.listeners"));
}

#[test]
fn certificates() {
    let shown = |hosts: &[&str], not_after| tls::Facts {
        subject: "CN=named".into(),
        common_name: Some("named".into()),
        other_names: hosts.iter().map(|host| format!("DNSName({host})")).collect(),
        host_names: hosts.iter().map(|host| host.to_string()).collect(),
        addresses: vec![[127, 0, 0, 1].into()],
        not_after,
    };
    let mut facts = facts(&[]);
    let mut with = |host: &str, certificate| {
        facts.listeners[0].told_host = Some(host.into());
        facts.listeners[0].certificate = Some(certificate);
        certificates_of(&facts)
    };
    let fine = shown(&["broker", "*.example.org"], 400 * DAY);
    for host in ["broker", "BROKER", "a.example.org", "127.0.0.1"] {
        assert_eq!(with(host, Ok(fine.clone())), [], "{host}");
    }
    for host in ["other", "example.org", "a.b.example.org", "127.0.0.2"] {
        let found = with(host, Ok(fine.clone()));
        assert!(found.len() == 1 && found[0].severity == Severity::Error, "{host} {found:?}");
    }
    let found = with("named", Ok(shown(&[], 400 * DAY)));
    assert!(found.len() == 1 && found[0].severity == Severity::Warning, "{found:?}");
    assert!(found[0].sentence.contains("as the common name only"), "{found:?}");
    for (host, names) in [("named", &["other"][..]), ("127.0.0.2", &[])] {
        assert_eq!(with(host, Ok(shown(names, 400 * DAY)))[0].severity, Severity::Error, "{host}");
    }
    assert_eq!(with("broker", Ok(shown(&["broker"], 0)))[0].severity, Severity::Error);
    assert!(with("broker", Ok(shown(&["broker"], 3 * DAY)))[0].sentence.contains("expires in 3 days"));
    assert!(with("broker", Err("no key".into()))[0].sentence.contains("does not start: no key"));
}

fn certificates_of(facts: &Facts) -> Vec<Finding> {
    certificate(&facts.listeners[0], facts.now)
}

#[test]
fn listeners_that_are_open() {
    let authorizer = ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer");
    let everywhere = ("listeners", "PLAINTEXT://:9092");
    has(&facts(&[everywhere]), Severity::Warning, "may read, write and delete everything");
    has(&facts(&[everywhere, authorizer]), Severity::Warning, "User:ANONYMOUS");
    assert_eq!(of(&facts(&[authorizer])), [], "only this machine reaches it");
    let mixed = facts(&[
        ("listeners", "INSIDE://:9092,OUTSIDE://127.0.0.1:9093"),
        ("listener.security.protocol.map", "INSIDE:PLAINTEXT,OUTSIDE:SASL_PLAINTEXT"),
        ("inter.broker.listener.name", "INSIDE"),
        ("sasl.enabled.mechanisms", "PLAIN"),
        (
            "listener.name.outside.plain.sasl.jaas.config",
            "org.apache.kafka.common.security.plain.PlainLoginModule required user_a=\"b\";",
        ),
    ]);
    has(&mixed, Severity::Warning, "the listener between brokers, INSIDE, is PLAINTEXT");
}

#[test]
fn directories() {
    let with = |look: DirectoryLook| Facts { directories: vec![("data".into(), Ok(look))], ..facts(&[]) };
    let above = || PathBuf::from("/");
    one(&with(DirectoryLook { is_directory: false, ..look() }), Severity::Error, "is not a directory");
    one(&with(DirectoryLook { is_writable: false, ..look() }), Severity::Error, "nothing can be written");
    let foreign = DirectoryLook { is_writable: false, owner: 0, ..look() };
    one(&with(foreign), Severity::Error, "it belongs to user 0, and this is user 7");
    one(&with(DirectoryLook { owner: 0, ..look() }), Severity::Warning, "belongs to user 0, and this is user 7");
    one(&with(DirectoryLook { nearest: above(), ..look() }), Severity::Note, "the first start makes it");
    let hopeless = DirectoryLook { nearest: above(), is_writable: false, ..look() };
    one(&with(hopeless), Severity::Error, "is not there and cannot be made in /");
    one(&with(DirectoryLook { kind: FileSystemKind::Memory, ..look() }), Severity::Warning, "(tmpfs)");
    one(&with(DirectoryLook { kind: FileSystemKind::Overlay, ..look() }), Severity::Note, "container's own layer");
    one(&with(DirectoryLook { usable_bytes: 500 << 20, ..look() }), Severity::Warning, "500 MiB of");
    one(&with(DirectoryLook { usable_bytes: 0, ..look() }), Severity::Error, "0 MiB of");
    let unseen = Facts { directories: vec![("data".into(), Err("no".into()))], ..facts(&[]) };
    one(&unseen, Severity::Error, "data cannot be looked at: no");
}

#[test]
fn the_machine_and_the_keys() {
    one(&Facts { most_descriptors: Some(1024), ..facts(&[]) }, Severity::Warning, "may have 1024 files");
    let without = Choice { backend: Backend::Readiness, reason: "EPERM".into() };
    one(&Facts { driver: Ok(without), ..facts(&[]) }, Severity::Note, "(EPERM); epoll is used instead");
    let chosen = Choice { backend: Backend::Readiness, reason: "klamm.io=epoll".into() };
    assert_eq!(of(&Facts { driver: Ok(chosen), ..facts(&[]) }), []);
    one(&Facts { driver: Err("EPERM".into()), ..facts(&[]) }, Severity::Error, "io_uring cannot be had");
    let notices = vec![
        Notice::Unknown { key: "num.partition".into(), nearest: Some("num.partitions") },
        Notice::ControllerListeners { names: vec!["CONTROLLER".into()] },
    ];
    let told = Facts { notices, ..facts(&[]) };
    has(&told, Severity::Warning, "did you mean num.partitions?");
    has(&told, Severity::Note, "controller listeners are not opened");
    assert!(of_invalid("num.io is bad").sentence.contains("does not start: num.io is bad"));
}
