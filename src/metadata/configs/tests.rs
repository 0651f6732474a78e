//! Changes of the configurations of groups, answered as Apache Kafka 4.4.0 answered the same questions
//! (`config/testdata/RecordGroups.java`): error codes and sentences.

use super::*;
use crate::config::{Config, Layers};
use crate::model::ErrorCode;

const RECORDED: &str = include_str!("../../config/testdata/groups-4.4.0.tsv");

fn set(key: &str, value: &str) -> ConfigChange {
    ConfigChange { name: key.into(), operation: Some(Operation::Set), value: Some(value.into()) }
}

fn alter(image: &mut Image, config: &Config, asked: ResourceChanges) -> Result<(), Refusal> {
    let settings = config.settings(image.default_broker_configs(), image.broker_configs(1));
    let mut decision = incremental_alter_configs(image, &settings, config.cast(), &[asked], false);
    for (offset, record) in (image.offset() + 1..).zip(&decision.records) {
        assert_eq!(image.apply(record, offset), None);
    }
    decision.results.remove(0).result
}

/// `NAME (SET key value | DELETE key | APPEND key value | SUBTRACT key value)...`
fn question(text: &str) -> ResourceChanges {
    let mut words = text.split(' ').map(|word| if word == "<empty>" { "" } else { word });
    let name = words.next().unwrap();
    let (resource_type, name) = match name.strip_prefix("BROKER:") {
        Some(broker) => (ResourceType::Broker, broker),
        None => (ResourceType::Group, name),
    };
    let mut changes = Vec::new();
    while let Some(operation) = words.next() {
        let operation = match operation {
            "SET" => Operation::Set,
            "DELETE" => Operation::Delete,
            "APPEND" => Operation::Append,
            "SUBTRACT" => Operation::Subtract,
            other => panic!("no operation: {other}"),
        };
        let name = words.next().unwrap().to_string();
        let value = (operation != Operation::Delete).then(|| words.next().unwrap().to_string());
        changes.push(ConfigChange { name, operation: Some(operation), value });
    }
    ResourceChanges { resource_type: resource_type as i8, resource_name: name.into(), changes }
}

fn group(name: &str, changes: Vec<ConfigChange>) -> ResourceChanges {
    ResourceChanges { resource_type: ResourceType::Group as i8, resource_name: name.into(), changes }
}

#[test]
fn groups_are_altered_or_refused_as_by_apache_kafka() {
    let settings = [
        ("group.consumer.session.timeout.ms", "50000"),
        ("group.consumer.heartbeat.interval.ms", "6000"),
        ("group.share.delivery.count.limit", "4"),
        ("group.streams.max.standby.replicas", "3"),
    ];
    let file = settings.map(|(key, value)| (key.to_string(), value.to_string())).to_vec();
    let (config, _) = Config::load(&Layers { file, ..Layers::default() }).unwrap();
    let mut recorded = Image::default();
    let g2 = group("g2", vec![set("consumer.session.timeout.ms", "55000"), set("streams.num.standby.replicas", "3")]);
    alter(&mut recorded, &config, g2).unwrap();
    let lines = RECORDED.lines().filter_map(|line| line.strip_prefix("ALTER\t"));
    let mut compared = 0;
    for line in lines {
        let (asked, answer) = line.split_once('\t').unwrap();
        let (code, message) = match alter(&mut recorded.clone(), &config, question(asked)) {
            Ok(()) => (ErrorCode::None, None),
            Err(refusal) => (refusal.error, refusal.message),
        };
        assert_eq!(format!("{}\t{}", code.code(), message.unwrap_or_default()), answer, "{asked}");
        compared += 1;
    }
    assert_eq!(compared, 110);
}

#[test]
fn a_group_without_settings_is_no_resource() {
    let (config, mut image) = (Config::defaults(), Image::default());
    let names = |image: &Image| image.config_resources(ResourceType::Group).map(str::to_string).collect::<Vec<_>>();
    alter(&mut image, &config, group("g", vec![set("consumer.session.timeout.ms", "50000")])).unwrap();
    assert_eq!(names(&image), ["g"]);
    // The old way deletes what it does not name, and judges what is left.
    let none = Configs::new();
    let settings = config.settings(&none, &none);
    let asked = group("g", vec![set("share.isolation.level", "read_committed")]);
    let decision = alter_configs(&image, &settings, config.cast(), &[asked], false);
    assert_eq!((decision.records.len(), &decision.results[0].result), (2, &Ok(())));
    let delete =
        ConfigChange { operation: Some(Operation::Delete), value: None, ..set("consumer.session.timeout.ms", "") };
    alter(&mut image, &config, group("g", vec![delete])).unwrap();
    assert_eq!(names(&image), [] as [&str; 0]);
}

/// To compare each resource with all others would take minutes.
#[test]
fn very_many_resources_are_told_apart() {
    const MANY: usize = 150_000;
    let (image, (config, _)) = (Image::default(), Config::load(&Layers::default()).unwrap());
    let settings = config.settings(image.default_broker_configs(), image.broker_configs(1));
    let resource = |number: usize| ResourceChanges {
        resource_type: 99,
        resource_name: format!("name-{number}"),
        changes: Vec::new(),
    };
    // The last is the first once more.
    let asked: Vec<_> = (0..MANY).chain([0]).map(resource).collect();
    let results = incremental_alter_configs(&image, &settings, config.cast(), &asked, false).results;
    let is_twice = |result: &ResourceResult| {
        let message = result.result.as_ref().unwrap_err().message.as_deref();
        message == Some(RESOURCE_TWICE)
    };
    let twice: Vec<usize> = (0..=MANY).filter(|place| is_twice(&results[*place])).collect();
    assert_eq!((results.len(), twice), (MANY + 1, vec![0, MANY]));
}

/// The same of the items of a list.
#[test]
fn very_many_items_are_added_to_a_list_and_taken_from_it() {
    let items = |range: std::ops::Range<usize>| range.map(|item| item.to_string()).collect::<Vec<_>>().join(",");
    const MANY: usize = 150_000;
    assert_eq!(edited_list(&items(0..MANY), Operation::Append, &items(1..MANY + 1)), items(0..MANY + 1));
    assert_eq!(edited_list(&items(0..MANY), Operation::Subtract, &items(1..MANY)), "0");
    assert_eq!(edited_list("a,a,b", Operation::Append, "b,c,c"), "a,a,b,c");
    assert_eq!(edited_list("a,a,b", Operation::Subtract, "a"), "b");
}
