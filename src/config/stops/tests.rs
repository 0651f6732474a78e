//! Tests of what the broker does not start with: doors that would be open, clusters that would be split; and of what it
//! starts with all the same.

use crate::config::definitions::{Effect, broker_all};
use crate::config::tests::{load, map};
use crate::config::*;
use std::collections::HashMap;

/// Each key that stops the start: a value that asks for something, and one that asks for nothing.
const STOPPING: &[(&str, &str, &str)] = &[
    ("alter.config.policy.class.name", "com.example.Policy", ""),
    ("client.quota.callback.class", "com.example.Quotas", ""),
    ("controller.quorum.bootstrap.servers", "localhost:9093,other:9093", "localhost:9093"),
    ("controller.quorum.voters", "1@localhost:9093,2@other:9093", "1@other:9093"),
    ("create.topic.policy.class.name", "com.example.Policy", ""),
    (
        "principal.builder.class",
        "com.example.Builder",
        "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
    ),
    ("process.roles", "broker", "controller,broker"),
    ("remote.log.storage.system.enable", "true", "false"),
    ("security.providers", "com.example.Provider", ""),
];

#[test]
fn every_key_that_stops_the_start_does_so_where_it_asks_for_something() {
    let stops = |d: &&definitions::Broker| {
        matches!(d.effect, Effect::OpensDoor(_) | Effect::Refused(_) | Effect::SplitsData(_))
    };
    let keys: Vec<&str> = broker_all().iter().filter(stops).map(|d| d.name).collect();
    assert_eq!(keys, STOPPING.iter().map(|(key, _, _)| *key).collect::<Vec<_>>());
    for (key, asks, harmless) in STOPPING {
        let refused = load(&[(key, asks)]).unwrap_err();
        assert_eq!(refused.key, *key, "{refused}");
        assert!(["yet", "not loaded"].iter().any(|word| refused.reason.contains(word)), "{refused}");
        assert_eq!(load(&[(key, harmless)]).map(|_| ()), Ok(()), "{key}");
    }
}

#[test]
fn what_stops_the_start_is_said_in_one_sentence() {
    let said = |all: &[(&str, &str)]| load(all).unwrap_err().to_string();
    assert_eq!(
        said(&[("authorizer.class.name", "x.Y")]),
        "Invalid value x.Y for configuration authorizer.class.name: only \
         org.apache.kafka.metadata.authorizer.StandardAuthorizer is built in; another one's rules would not hold"
    );
    assert_eq!(
        said(&[("process.roles", "broker"), ("controller.quorum.voters", "3@c:9093")]),
        "Invalid value broker for configuration process.roles: Klamm does not share a cluster's roles with other nodes \
         yet: it would be a cluster of its own; say broker,controller if it is to be one"
    );
    assert_eq!(
        said(&[("node.id", "2"), ("controller.quorum.voters", "1@a:9093,2@b:9093,3@c:9093")]),
        "Invalid value 1@a:9093,2@b:9093,3@c:9093 for configuration controller.quorum.voters: node.id is 2, and Klamm \
         does not vote with other nodes yet: it would be a cluster of its own; name this node alone, or take the \
         setting out"
    );
    let key = "listener.name.plaintext.max.connections.per.ip";
    assert!(said(&[(key, "5")]).contains(key));
    assert!(said(&[("listener.name.plaintext.principal.builder.class", "x.Y")]).contains("not loaded"));
    let (key, class) = ("replica.selector.class", "org.apache.kafka.common.replica.RackAwareReplicaSelector");
    assert_eq!(
        said(&[(key, "x.Y")]),
        format!("Invalid value x.Y for configuration {key}: only {class} is built in; classes are not loaded here")
    );
    assert!(
        load(&[(key, class)]).unwrap().0.selects_replicas_by_rack && !load(&[]).unwrap().0.selects_replicas_by_rack
    );
}

#[test]
fn a_node_among_others_does_not_start() {
    let controller: &[(&str, &str)] = &[
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("controller.listener.names", "CONTROLLER"),
        ("advertised.listeners", "PLAINTEXT://broker:9092"),
        ("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"),
    ];
    let with = |more: &[(&str, &str)]| load(&[controller, more].concat()).map(|_| ()).map_err(|refused| refused.key);
    let voters = |text: &str| with(&[("controller.quorum.voters", text)]);
    let servers = |text: &str| with(&[("controller.quorum.bootstrap.servers", text)]);
    for own in ["1@localhost:9094", "1@whatever:1", " 1@[::1]:9093 ", ""] {
        assert_eq!(voters(own), Ok(()), "{own}");
    }
    for other in ["2@localhost:9094", "1@a:1,2@b:1", "a:9093", "x@a:9093", "1@a", "1@a:b"] {
        assert_eq!(voters(other), Err("controller.quorum.voters".into()), "{other}");
    }
    for own in
        ["localhost:9093", "127.0.0.1:9093", "[::1]:9093", "broker:9093", "BROKER:9093", "localhost:9093,broker:9093"]
    {
        assert_eq!(servers(own), Ok(()), "{own}");
    }
    for other in ["localhost:9094", "elsewhere:9093", "broker:9093,elsewhere:9093", "broker"] {
        assert_eq!(servers(other), Err("controller.quorum.bootstrap.servers".into()), "{other}");
    }
    // A listener of controllers that is none of this node's.
    let names = load(&[("controller.listener.names", "CONTROLLER")]).unwrap_err();
    assert_eq!((&*names.key, &*names.value), ("controller.listener.names", "CONTROLLER"));
}

#[test]
fn a_bootstrap_server_may_be_this_machine_by_another_name() {
    let file = map(&[("controller.quorum.bootstrap.servers", "alias:9093")]).into_iter().collect::<Vec<_>>();
    let start = |is_own_host| Config::load(&Layers { file: file.clone(), is_own_host, ..Layers::default() }).is_ok();
    assert!(start(Some(|host| host == "alias")) && !start(Some(|_| false)) && !start(None));
}

/// The variables of a section of packaging/testcontainers.txt.
fn of_module(section: &str) -> impl Iterator<Item = (String, String)> {
    let table = include_str!("../../../packaging/testcontainers.txt");
    let (_, below) = table.split_once(&format!("\n[{section}]\n")).unwrap();
    below.lines().take_while(|line| !line.starts_with('[')).filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        Some((key.to_string(), value.to_string()))
    })
}

/// Each module's configuration is taken, and what of it means nothing here is said.
#[test]
fn testcontainers_start() {
    let confluent = ["KAFKA_CONFLUENT_SUPPORT_METRICS_ENABLE", "KAFKA_CONFLUENT_LICENSE_TOPIC_REPLICATION_FACTOR"];
    let advertised = ("KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT://localhost:32768,BROKER://5f1c0c5ffd3a:9093");
    let with_all = ["java", "java-legacy", "go", "node", "python", "rust"].map(|module| vec!["all", module]);
    let by_themselves = ["java-legacy-zookeeper", "python-zookeeper", "rust-confluent"].map(|module| vec![module]);
    for sections in with_all.into_iter().chain(by_themselves) {
        let mut environment: HashMap<String, String> = sections.iter().flat_map(|section| of_module(section)).collect();
        environment.insert(advertised.0.into(), advertised.1.into());
        environment.extend(confluent.map(|key| (key.to_string(), "1".to_string())));
        let environment = environment.into_iter().collect();
        let (config, notices) = Config::load(&Layers { environment, ..Layers::default() }).unwrap();
        assert_eq!(config.listeners.len(), 2, "{sections:?}");
        let said: Vec<String> = notices.iter().map(ToString::to_string).collect();
        let ignored = "ignored, they are Confluent's own: confluent.license.topic.replication.factor, \
                       confluent.support.metrics.enable";
        assert_eq!(said.iter().filter(|line| line.contains("onfluent")).collect::<Vec<_>>(), [ignored], "{sections:?}");
    }
}

#[test]
fn what_kafka_would_not_obey_either_is_said_and_stops_nothing() {
    let said = |all: &[(&str, &str)]| load(all).unwrap().1.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        said(&[("ssl.client.auth", "required"), ("listener.name.plaintext.ssl.keystore.location", "/k")]),
        [
            "without effect, no listener asks for TLS or SASL: listener.name.plaintext.ssl.keystore.location, ssl.client.auth"
        ]
    );
    assert_eq!(
        said(&[("super.users", "User:a"), ("allow.everyone.if.no.acl.found", "true")]),
        ["without effect, authorizer.class.name is not set: allow.everyone.if.no.acl.found, super.users"]
    );
    let authorized = [("super.users", "User:a"), ("authorizer.class.name", "x.Y")];
    assert_eq!(load(&authorized).unwrap_err().key, "authorizer.class.name");
    // Klamm opens no listener of controllers, so no client can connect to one.
    let of_controller = [
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("controller.listener.names", "CONTROLLER"),
        ("listener.security.protocol.map", "CONTROLLER:SASL_SSL,PLAINTEXT:PLAINTEXT"),
        ("listener.name.controller.max.connections", "5"),
    ];
    assert!(load(&of_controller).is_ok());
}

#[test]
fn dynamic_configs_of_the_cluster_stop_the_start_too() {
    let config = Config::defaults();
    let none = map(&[]);
    let limited = map(&[("principal.builder.class", "x.Y")]);
    assert_eq!(config.check_dynamic(&limited, &none).unwrap_err().key, "principal.builder.class");
    let left_over = map(&[("listeners", "PLAINTEXT://:1"), ("log.cleaner.threads", "2"), ("log.retention.ms", "5")]);
    let notices = config.check_dynamic(&none, &left_over).unwrap();
    let said: Vec<String> = notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "not supported yet, so without effect: log.cleaner.threads",
            "without effect, read at the start only, from the configuration of the process: listeners"
        ]
    );
    // Nor is it shown as if it held.
    let settings = config.settings(&none, &left_over);
    let entries = describe_broker(&settings);
    let listeners = entries.iter().find(|entry| entry.name == "listeners").unwrap();
    assert_eq!((listeners.value.as_deref(), listeners.source), (Some("PLAINTEXT://127.0.0.1:9092"), Source::Default));
    assert_eq!(describe_broker_defaults(&config.settings(&left_over, &none)).len(), 2);
}

#[test]
fn cordoned_directories_are_log_directories() {
    let dirs = ("log.dirs", "/a,/b");
    let cordoned = |text: &str| load(&[dirs, ("cordoned.log.dirs", text)]).map_err(|refused| refused.reason);
    let obeyed = |text: &str| {
        let none = map(&[]);
        cordoned(text).unwrap().0.settings(&none, &none).cordoned_log_dirs()
    };
    assert_eq!(obeyed(""), [""; 0]);
    assert_eq!(obeyed("/b"), ["/b"]);
    assert_eq!(obeyed("*"), ["/a", "/b"]);
    let missing = "All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : /c, /d";
    assert_eq!(cordoned("/a,/c,/d").map(|_| ()), Err(missing.into()));
    let alone = "When cordoned.log.dirs is set to *, it must not contain other values";
    assert_eq!(cordoned("*,/a").map(|_| ()), Err(alone.into()));
    // Set while the broker ran with other directories.
    let (config, none, of_broker) = (cordoned("").unwrap().0, map(&[]), map(&[("cordoned.log.dirs", "/b,/gone")]));
    assert_eq!(config.settings(&none, &of_broker).cordoned_log_dirs(), ["/b"]);
}

#[test]
fn the_broker_id_is_the_node_id() {
    let id = |all: &[(&str, &str)]| {
        let (config, none) = (load(all).unwrap().0, map(&[]));
        let entries = describe_broker(&config.settings(&none, &none));
        let value = |name: &str| entries.iter().find(|entry| entry.name == name).unwrap().value.clone().unwrap();
        (value("broker.id"), value("node.id"))
    };
    let both = |id: &str| (id.to_string(), id.to_string());
    assert_eq!(id(&[]), both("1"));
    assert_eq!(id(&[("broker.id", "7")]), both("7"));
    assert_eq!(id(&[("node.id", "8")]), both("8"));
}
