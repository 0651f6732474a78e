//! Tests of providers: which names stand for something, what is asked for, and that nothing of it is shown.

use super::*;
use crate::config::tests::{map, pairs};
use crate::config::{Config, Layers, Notice};

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
    for names in ["(", "(?<=a)b", r"\w{1000}{1000}"] {
        let pattern = ("config.providers.some.param.allowlist.pattern", names);
        assert_eq!(of(&[pattern]), Some((pattern.0.into(), pattern.1.into())));
    }
}

#[test]
fn names_may_be_allowed_by_classes() {
    let allowed = |pattern: &str| {
        let pattern = ("config.providers.some.param.allowlist.pattern", pattern);
        let settings = settings(&[pattern, ("x", "${some:MY_1}")]);
        let environment = pairs(&[("MY_1", "value")]);
        let resolved = Providers::of(&settings).unwrap().resolve(settings, &environment, &Provided::default());
        resolved.settings["x"] == "value"
    };
    assert!([r"\w+", r"MY_\d", r"\S+", "(?i)my_.", r"[^\s]*"].iter().all(|pattern| allowed(pattern)));
    assert!([r"\d+", "MY_", "(?-i)my_."].iter().all(|pattern| !allowed(pattern)));
}

#[test]
fn a_provider_that_is_not_configured_is_told_of() {
    let told = |file: &[(&str, &str)]| {
        let (_, notices) = Config::load(&Layers { file: pairs(file), ..Layers::default() }).unwrap();
        let unknown = notices.iter().filter(|notice| matches!(notice, Notice::UnknownProvider { .. }));
        unknown.inspect(|notice| assert!(notice.is_warning())).map(ToString::to_string).collect::<Vec<_>>()
    };
    let sentence =
        |key: &str| format!("{key} names a provider that is not in config.providers: its value stays as it is written");
    let password = ("ssl.keystore.password", "${fil:/x:k} and ${fil:k}");
    assert_eq!(told(&[password]), [sentence("ssl.keystore.password")]);
    let with = [STRIMZI, &[password, ("broker.rack", "${env:RACK}"), ("log.dir", "${strimzienv:NONE}")]].concat();
    assert_eq!(told(&with), ["broker.rack", "ssl.keystore.password"].map(sentence));
    assert!(told(&[("broker.rack", "${RACK} $x {a:b} ${a:b"), ("log.dir", "/d")]).is_empty());
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
        let refused = refused(&[(key, "${strimzienv:NUMBER}")], "");
        assert!(refused.contains("[hidden]"), "{key}: {refused}");
    }
}

const JAAS: &str = "listener.name.sasl_plaintext.plain.sasl.jaas.config";

/// The complaint, with an authorizer, a listener that asks for logins and one with TLS; `file` is the text of a file in a directory.
fn refused(own: &[(&str, &str)], file: &str) -> String {
    const SECURED: &[(&str, &str)] = &[
        ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
        ("listeners", "PLAINTEXT://:1,SASL_PLAINTEXT://:2,SSL://:3"),
        ("ssl.keystore.location", "/store"),
        ("ssl.keystore.password", "password"),
        ("sasl.enabled.mechanisms", "PLAIN"),
        (JAAS, "org.apache.kafka.common.security.plain.PlainLoginModule required user_a=\"b\";"),
    ];
    let mut layers = Layers { file: pairs(&[STRIMZI, SECURED, own].concat()), ..Layers::default() };
    layers.environment =
        pairs(&[("SECRET", "Marker-1"), ("NUMBER", "Marker-2"), ("LIST", "User:a;Marker"), ("ONE", "b;Marker")]);
    layers.provided.put("strimzidir", "/d", "f", Secret::new(file));
    let refused = Config::load(&layers).unwrap_err().to_string();
    assert!(!refused.to_lowercase().contains("marker"), "{refused}");
    refused
}

#[test]
fn no_complaint_shows_a_piece_of_what_a_provider_gave() {
    let module = "org.apache.kafka.common.security.plain.PlainLoginModule";
    let of_directory = |key: &str, file: &str| refused(&[(key, "${strimzidir:/d:f}")], file);
    let complaints = [
        refused(&[("super.users", "${strimzienv:LIST}")], ""),
        refused(&[("super.users", "User:x;My${strimzienv:ONE}")], ""),
        of_directory("super.users", "User:a;Marker\n"),
        of_directory("num.partitions", "Marker\n"),
        of_directory("sasl.enabled.mechanisms", "PLAIN, marker\n"),
        of_directory("listeners", "PLAINTEXT://127.0.0.1:0, MARKER://127.0.0.1:Marker\n"),
        of_directory("listener.security.protocol.map", "PLAINTEXT:MARKER\n"),
        of_directory("max.connections.per.ip.overrides", "Marker:5\n"),
        of_directory("max.connections.per.ip.overrides", "127.0.0.1:Marker\n"),
        of_directory(JAAS, "Marker\n"),
        of_directory(JAAS, &format!("{module} Marker;\n")),
        of_directory(JAAS, &format!("{module} required user_a=\"Marker\" Marker=;\n")),
        of_directory("ssl.enabled.protocols", "TLSv1.2,Marker\n"),
        of_directory("group.consumer.assignors", "uniform,Marker\n"),
    ];
    assert!(complaints.iter().all(|complaint| complaint.contains("[hidden]")), "{complaints:#?}");
    assert!(complaints[0].ends_with("principalType:principalName but got [hidden]"), "{}", complaints[0]);
}
