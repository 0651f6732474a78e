//! Tests of providers: which names stand for something, what is asked for, and that nothing of it is shown.

use super::*;
use crate::config::tests::{map, pairs};
use crate::config::{Config, Layers};

/// Strimzi's three, with a fourth that may not read everything.
const STRIMZI: &[(&str, &str)] = &[
    ("config.providers", "strimzienv,strimzifile,strimzidir,some"),
    ("config.providers.strimzienv.class", "org.apache.kafka.common.config.provider.EnvVarConfigProvider"),
    ("config.providers.strimzienv.param.allowlist.pattern", ".*"),
    ("config.providers.strimzifile.class", "org.apache.kafka.common.config.provider.FileConfigProvider"),
    ("config.providers.strimzifile.param.allowed.paths", "/opt/kafka,/tmp"),
    ("config.providers.strimzidir.class", "org.apache.kafka.common.config.provider.DirectoryConfigProvider"),
    ("config.providers.strimzidir.param.allowed.paths", ""),
    ("config.providers.some.class", "org.apache.kafka.common.config.provider.EnvVarConfigProvider"),
    ("config.providers.some.param.allowlist.pattern", "MY_.|B"),
];

fn settings(more: &[(&str, &str)]) -> Settings {
    map(&[STRIMZI, more].concat())
}

fn requests(more: &[(&str, &str)]) -> Result<Vec<ProviderRequest>, Invalid> {
    let settings = settings(more);
    Providers::of(&settings)?.requests(&settings)
}

/// What becomes of a text.
fn resolved(text: &str) -> String {
    let settings = settings(&[("x", text)]);
    let environment = pairs(&[("A", "of-a"), ("B", "of-b"), ("MY_C", "of-c"), ("AGAIN", "${strimzienv:A}")]);
    let mut provided = Provided::default();
    provided.put("strimzifile", "/f.properties", "k", Secret::new("of-k"));
    provided.put("strimzidir", "/d", "rack.id", Secret::new("zone-1\n"));
    let resolved = Providers::of(&settings).unwrap().resolve(settings, &environment, &provided);
    resolved.settings["x"].clone()
}

#[test]
fn names_are_replaced_as_kafka_replaces_them() {
    let table = [
        ("plain", "plain"),
        ("${strimzienv:A}", "of-a"),
        ("<${strimzienv:A}|${some:B}>", "<of-a|of-b>"),
        ("${strimzienv::A}", "of-a"),
        ("${strimzifile:/f.properties:k}", "of-k"),
        ("${strimzidir:/d:rack.id}", "zone-1\n"),
        // Not looked through again.
        ("${strimzienv:AGAIN}", "${strimzienv:A}"),
        // Whole names are allowed, or not.
        ("${some:MY_C} ${some:A} ${some:BB}", "of-c ${some:A} ${some:BB}"),
        // Nothing stands there, or no provider has that name.
        ("${strimzienv:NONE}", "${strimzienv:NONE}"),
        ("${strimzifile:/f.properties:other}", "${strimzifile:/f.properties:other}"),
        ("${strimzifile:k}", "${strimzifile:k}"),
        ("${other:A} ${A} ${} ${strimzienv:A", "${other:A} ${A} ${} ${strimzienv:A"),
        // The first brace begins it.
        ("${x ${strimzienv:A}", "${x ${strimzienv:A}"),
        ("$${strimzienv:A}}", "$of-a}"),
    ];
    for (text, wanted) in table {
        assert_eq!(resolved(text), wanted, "{text}");
    }
}

#[test]
fn the_caller_is_asked_for_what_files_have() {
    let more = [
        ("a", "${strimzifile:/opt/f:one} ${strimzifile:/opt/f:two} ${strimzifile:/tmp/g:a:b}"),
        ("b", "${strimzidir:/opt/init:rack.id} ${strimzidir:nowhere} ${strimzienv:A} ${other:/x:y}"),
    ];
    let asked = requests(&more).unwrap();
    let wanted = |all: &[(&str, &[&str])]| {
        all.iter().map(|(path, keys)| (path.to_string(), keys.iter().map(|key| key.to_string()).collect())).collect()
    };
    let of_directory = ProviderRequest {
        provider: "strimzidir".into(),
        place: ProviderPlace::Directory,
        allowed_paths: None,
        wanted: wanted(&[("/opt/init", &["rack.id"])]),
    };
    let of_file = ProviderRequest {
        provider: "strimzifile".into(),
        place: ProviderPlace::Properties,
        allowed_paths: Some(vec!["/opt/kafka".into(), "/tmp".into()]),
        wanted: wanted(&[("/opt/f", &["one", "two"]), ("/tmp/g", &["a:b"])]),
    };
    assert_eq!(asked, [of_directory, of_file]);
    let refused = requests(&[("a", "${strimzienv:/path:A}")]).unwrap_err();
    assert_eq!(refused.reason, "Path is not supported for EnvVarConfigProvider, invalid value '/path'");
    assert_eq!(Providers::of(&map(&[])).unwrap().requests(&map(&[("a", "${x:y}")])).unwrap(), []);
}

#[test]
fn providers_that_are_not_built_in_stop_the_start() {
    let of = |more: &[(&str, &str)]| Providers::of(&settings(more)).err().map(|refused| (refused.key, refused.value));
    let class = ("config.providers.some.class", "io.strimzi.kafka.KubernetesSecretConfigProvider");
    assert_eq!(of(&[class]), Some((class.0.into(), class.1.into())));
    assert_eq!(of(&[("config.providers", "some,none")]), Some(("config.providers".into(), "none".into())));
    let pattern = ("config.providers.some.param.allowlist.pattern", "(");
    assert_eq!(of(&[pattern]), Some((pattern.0.into(), pattern.1.into())));
}

fn loaded(more: &[(&str, &str)]) -> Result<(Config, Vec<String>), Invalid> {
    let environment = pairs(&[("SECRET", "Marker-1"), ("PORT", "19"), ("NUMBER", "Marker-2")]);
    let layers = Layers { file: pairs(&[STRIMZI, more].concat()), environment, ..Layers::default() };
    let (config, notices) = Config::load(&layers)?;
    Ok((config, notices.iter().map(ToString::to_string).collect()))
}

#[test]
fn a_broker_has_what_stands_elsewhere_and_does_not_show_it() {
    let own = [
        ("broker.rack", "r-${strimzienv:PORT}"),
        ("ssl.keystore.password", "${strimzienv:SECRET}"),
        ("ssl.truststore.password", "${strimzienv:NONE}"),
    ];
    let (config, notices) = loaded(&own).unwrap();
    assert_eq!(config.broker_rack.as_deref(), Some("r-19"));
    assert_eq!(config.statics["ssl.keystore.password"], "Marker-1");
    assert_eq!(config.statics["ssl.truststore.password"], "${strimzienv:NONE}");
    let told = "ssl.truststore.password has ${strimzienv:NONE}, for which there is no value: it stays as it is written";
    assert!(notices.iter().any(|notice| notice == told), "{notices:?}");
    let shown = format!("{config:?} {notices:?}");
    assert!(!shown.contains("Marker"), "{shown}");
    // Neither is it in a complaint.
    for key in ["num.partitions", "super.users", "listeners"] {
        let own = [
            (key, "${strimzienv:NUMBER}"),
            ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
        ];
        let refused = loaded(&own).unwrap_err();
        assert!(refused.to_string().contains("[hidden]"), "{key}: {refused}");
        assert!(!refused.to_string().contains("Marker"), "{key}: {refused}");
    }
}
