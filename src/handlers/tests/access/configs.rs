//! DescribeConfigs, AlterConfigs, IncrementalAlterConfigs.

use super::*;
use crate::wire::api::{alter_configs, describe_configs, incremental_alter_configs};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

const TOPIC_TEXT: Option<&str> = Some("Topic authorization failed.");
const GROUP_TEXT: Option<&str> = Some("Group authorization failed.");
const CLUSTER_TEXT: Option<&str> = Some("Cluster authorization failed.");

fn describe(broker: &mut Broker, resources: &[(i8, &'static str)]) -> Vec<(i16, Option<String>, usize)> {
    let resource = |(resource_type, name): &(i8, &'static str)| describe_configs::DescribeConfigsResource {
        resource_type: *resource_type,
        resource_name: (*name).into(),
        configuration_keys: None,
    };
    let request =
        describe_configs::Request { resources: resources.iter().map(resource).collect(), ..Default::default() };
    let answer: describe_configs::Response = broker.ask(ApiKey::DescribeConfigs, 4, &request);
    let echoed: Vec<_> = answer.results.iter().map(|r| (r.resource_type, r.resource_name.to_string())).collect();
    assert_eq!(echoed, resources.iter().map(|(kind, name)| (*kind, name.to_string())).collect::<Vec<_>>());
    let result = |r: &describe_configs::DescribeConfigsResult<'_>| {
        (r.error_code, r.error_message.as_deref().map(str::to_string), r.configs.len())
    };
    answer.results.iter().map(result).collect()
}

#[test]
fn configs_are_shown_to_those_who_may_see_them() {
    let mut broker = start();
    let all = [
        (TOPIC, "seen"),
        (TOPIC, "hidden"),
        (TOPIC, "no/name"),
        (GROUP, "mine"),
        (GROUP, "other"),
        (BROKER, "1"),
        (BROKER_LOGGER, "1"),
        (CLIENT_METRICS, "m"),
    ];
    let refused = |error, text: Option<&str>| (error, text.map(str::to_string), 0);
    let (topic, group) = (refused(TOPIC_REFUSED, TOPIC_TEXT), refused(GROUP_REFUSED, GROUP_TEXT));
    let cluster = refused(CLUSTER_REFUSED, CLUSTER_TEXT);
    let none = [&topic, &topic, &topic, &group, &group, &cluster, &cluster, &cluster].map(Clone::clone);
    assert_eq!(describe(&mut broker, &all), none);
    broker.allow(AclOperation::DescribeConfigs, AclResource::Topic, "seen");
    broker.allow(AclOperation::AlterConfigs, AclResource::Group, "mine");
    let told = describe(&mut broker, &all);
    assert!(told[0].0 == 0 && told[0].2 > 10 && told[3].0 == 0 && told[3].2 > 3);
    assert_eq!([&told[1..3], &told[4..]].concat(), [&none[1..3], &none[4..]].concat());
    broker.allow(AclOperation::DescribeConfigs, AclResource::Cluster, EVERY);
    let told = describe(&mut broker, &all);
    assert!(told[5..].iter().all(|(error, ..)| *error == 0));
    // A type that there is not refuses all, whatever the client may do.
    let odd = describe(&mut broker, &[(TOPIC, "seen"), (1, "x")]);
    assert!(odd.iter().all(|(error, text, count)| *error == 42 && text.is_some() && *count == 0));
}

/// A resource with one config, and what is answered.
type Asked<'a> = (i8, &'static str, &'a [(&'static str, Option<&'static str>)]);
type Told = Vec<(i16, Option<String>)>;
type Ask = fn(&mut Broker, &[Asked<'_>]) -> Told;

fn alter(broker: &mut Broker, resources: &[Asked<'_>]) -> Told {
    let config = |(name, value): &(&'static str, Option<&'static str>)| alter_configs::AlterableConfig {
        name: (*name).into(),
        value: value.map(Into::into),
    };
    let resource = |(resource_type, name, configs): &Asked<'_>| alter_configs::AlterConfigsResource {
        resource_type: *resource_type,
        resource_name: (*name).into(),
        configs: configs.iter().map(config).collect(),
    };
    let request = alter_configs::Request { resources: resources.iter().map(resource).collect(), validate_only: false };
    let answer: alter_configs::Response = broker.ask(ApiKey::AlterConfigs, 2, &request);
    answer.responses.iter().map(|r| (r.error_code, r.error_message.as_deref().map(str::to_string))).collect()
}

fn alter_one_by_one(broker: &mut Broker, resources: &[Asked<'_>]) -> Told {
    let config = |(name, value): &(&'static str, Option<&'static str>)| incremental_alter_configs::AlterableConfig {
        name: (*name).into(),
        config_operation: 0,
        value: value.map(Into::into),
    };
    let resource = |(resource_type, name, configs): &Asked<'_>| incremental_alter_configs::AlterConfigsResource {
        resource_type: *resource_type,
        resource_name: (*name).into(),
        configs: configs.iter().map(config).collect(),
    };
    let resources = resources.iter().map(resource).collect();
    let request = incremental_alter_configs::Request { resources, validate_only: false };
    let answer: incremental_alter_configs::Response = broker.ask(ApiKey::IncrementalAlterConfigs, 1, &request);
    answer.responses.iter().map(|r| (r.error_code, r.error_message.as_deref().map(str::to_string))).collect()
}

const RETENTION: &[(&str, Option<&str>)] = &[("retention.ms", Some("1000"))];

#[test]
fn configs_are_altered_by_those_who_may() {
    for (is_old, ask) in [(true, alter as Ask), (false, alter_one_by_one)] {
        let mut broker = start();
        let told = |error: i16, text: Option<&str>| (error, text.map(str::to_string));
        let all: [Asked<'_>; 6] = [
            (TOPIC, "hidden", RETENTION),
            (TOPIC, "seen", RETENTION),
            (GROUP, "other", &[("consumer.session.timeout.ms", Some("50000"))]),
            (TOPIC, "gone", RETENTION),
            (CLIENT_METRICS, "m", &[("interval.ms", Some("1000"))]),
            (BROKER, "", &[("log.retention.ms", Some("1000"))]),
        ];
        broker.allow(AclOperation::AlterConfigs, AclResource::Topic, "seen");
        let expected = [
            told(TOPIC_REFUSED, TOPIC_TEXT),
            told(0, None),
            told(GROUP_REFUSED, GROUP_TEXT),
            told(TOPIC_REFUSED, TOPIC_TEXT),
            told(CLUSTER_REFUSED, CLUSTER_TEXT),
            told(CLUSTER_REFUSED, None),
        ];
        assert_eq!(ask(&mut broker, &all), expected);
        broker.allow(AclOperation::AlterConfigs, AclResource::Cluster, EVERY);
        broker.allow(AclOperation::AlterConfigs, AclResource::Group, "other");
        let answer = ask(&mut broker, &all);
        assert_eq!([answer[2].0, answer[4].0], [0; 2], "{answer:?}");
        // The old API would delete what the cluster must have: that is said by the controller, behind the check.
        assert_eq!(answer[5].0, if is_old { 40 } else { 0 }, "{answer:?}");
    }
}

/// What contradicts itself is said before the client's rights are looked at, and what this broker cannot have behind them.
#[test]
fn what_is_wrong_with_a_change_is_said_first() {
    for ask in [alter, alter_one_by_one] {
        let mut broker = start();
        let all: [Asked<'_>; 5] = [
            (TOPIC, "hidden", &[("retention.ms", Some("1")), ("retention.ms", Some("2"))]),
            (GROUP, "other", &[("consumer.session.timeout.ms", None)]),
            (TOPIC, "twice", RETENTION),
            (TOPIC, "twice", RETENTION),
            (BROKER, "7", &[("log.retention.ms", None)]),
        ];
        let answer = ask(&mut broker, &all);
        assert!(answer.iter().all(|(error, _)| *error == 42), "{answer:?}");
        let texts: Vec<&str> = answer.iter().map(|(_, text)| text.as_deref().unwrap_or_default()).collect();
        let expected = [
            "Error due to duplicate config keys",
            "Null value not supported for : consumer.session.timeout.ms",
            "Each resource must appear at most once.",
            "Each resource must appear at most once.",
            "Null value not supported for : log.retention.ms",
        ];
        assert_eq!(texts, expected);
        let brokers: [Asked<'_>; 2] =
            [(BROKER, "7", &[("log.retention.ms", Some("1000"))]), (BROKER, "", &[("log.retention.ms", Some("many"))])];
        assert_eq!(ask(&mut broker, &brokers), [(CLUSTER_REFUSED, None), (CLUSTER_REFUSED, None)]);
        // A value of a topic is judged behind the check.
        let odd: [Asked<'_>; 1] = [(TOPIC, "hidden", &[("retention.ms", Some("many"))])];
        assert_eq!(ask(&mut broker, &odd), [(TOPIC_REFUSED, TOPIC_TEXT.map(str::to_string))]);
    }
}

#[test]
fn loggers_are_altered_by_those_who_may() {
    let mut broker = start();
    let level: &[(&str, Option<&str>)] = &[("no.such.logger", Some("INFO"))];
    let all: [Asked<'_>; 3] = [(TOPIC, "hidden", RETENTION), (BROKER_LOGGER, "1", level), (BROKER_LOGGER, "x", level)];
    let refused = |error, text: Option<&str>| (error, text.map(str::to_string));
    let cluster = refused(CLUSTER_REFUSED, None);
    assert_eq!(alter_one_by_one(&mut broker, &all), [refused(TOPIC_REFUSED, TOPIC_TEXT), cluster.clone(), cluster]);
    broker.allow(AclOperation::AlterConfigs, AclResource::Cluster, EVERY);
    let answer = alter_one_by_one(&mut broker, &all);
    assert_eq!(answer.iter().map(|(error, _)| *error).collect::<Vec<_>>(), [TOPIC_REFUSED, 40, 42]);
    // The old API knows no loggers, whatever the client may do.
    assert_eq!(alter(&mut broker, &all[1..2])[0].0, 42);
}
