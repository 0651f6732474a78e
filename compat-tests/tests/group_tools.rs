//! The official tools that look at groups and change them, and the Java admin client's calls for the same
//! (`clients/java/GroupScenarios.java`).

use compat_tests::broker::Broker;
use compat_tests::clients::{self, Acks};
use compat_tests::member::{Crowd, Library, Spec};
use compat_tests::program::{self, Input, Output};
use compat_tests::raw::Raw;
use compat_tests::suite::{BOTH, ONE, Suite};
use compat_tests::{Context, Result, ensure, tools};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use std::process::ExitCode;

const QUICK: &[(&str, &str)] = &[("group.initial.rebalance.delay.ms", "0")];
const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
const PARTITIONS: i32 = 3;
const RECORDS: i64 = 20;
/// The records' timestamps begin here, one a minute.
const FIRST: i64 = 1_700_000_000_000;

fn main() -> ExitCode {
    Suite::new("group_tools")
        .test("console_consumer", ONE, QUICK, console_consumer)
        .test("describe", BOTH, QUICK, describe)
        .test("reset_offsets", ONE, QUICK, reset_offsets)
        .test("delete", ONE, QUICK, delete)
        .test("groups", ONE, QUICK, groups)
        .test("configs", ONE, QUICK, configs)
        .test("admin", BOTH, QUICK, admin)
        .test("patterns", BOTH, QUICK, patterns)
        .run()
}

fn run(broker: &Broker, class: &str, arguments: &[&str]) -> Result<Output> {
    let bootstrap = broker.bootstrap();
    tools::output(class, &[&["--bootstrap-server", &bootstrap], arguments].concat(), "")
}

fn tool(broker: &Broker, class: &str, arguments: &[&str]) -> Result<String> {
    let output = run(broker, class, arguments)?;
    ensure!(output.code == Some(0), "{arguments:?} ended with {:?}\n{}", output.code, output.tail());
    Ok(output.text())
}

/// Both streams of a call that says what is wrong; some of these tools end with 0 all the same.
fn complains(broker: &Broker, class: &str, arguments: &[&str], why: &str) -> Result<()> {
    let output = run(broker, class, arguments)?;
    let said = format!("{}{}", output.text(), String::from_utf8_lossy(&output.stderr));
    ensure!(said.contains(why), "{arguments:?}: expected `{why}`\n{}", output.tail());
    Ok(())
}

/// The lines of a table, as words.
fn rows(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect()).collect()
}

/// A topic with records in every partition.
fn fill(broker: &Broker, topic: &str) -> Result<()> {
    // Its records are old on purpose, and must not go for it.
    Raw::connect(broker.port())?.create_topic(topic, PARTITIONS, &[("retention.ms", "-1")])?;
    add(broker, topic)
}

fn add(broker: &Broker, topic: &str) -> Result<()> {
    let producer: ThreadedProducer<Acks> = clients::librdkafka(broker).create_with_context(Acks::default())?;
    for partition in 0..PARTITIONS {
        for i in 0..RECORDS {
            let payload = format!("{i}");
            let record = BaseRecord::<(), str>::to(topic).partition(partition).payload(&payload);
            producer.send(record.timestamp(FIRST + i * 60_000)).map_err(|(error, _)| error)?;
        }
    }
    producer.flush(program::DEADLINE)?;
    producer.context().wait_for((PARTITIONS as i64 * RECORDS) as usize)
}

/// One librdkafka member that has consumed and committed all of a topic.
fn consumed(broker: &Broker, crowd: &mut Crowd, spec: &Spec) -> Result<usize> {
    let member = crowd.join(broker, Library::Librdkafka, spec)?;
    crowd.settle(&[member], &spec.topic, PARTITIONS as usize)?;
    crowd.wait("all records", |told| told[member].records.len() as i64 == i64::from(PARTITIONS) * RECORDS)?;
    Ok(member)
}

fn of_group(mut spec: Spec, group: &str, topic: &str) -> Spec {
    (spec.group, spec.topic) = (group.into(), topic.into());
    spec
}

fn console_consumer(broker: &mut Broker) -> Result<()> {
    let class = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    let end = PARTITIONS as i64 * RECORDS;
    // Apache Kafka's tool commits all that it has fetched where it takes only part of it with the new protocol.
    for (protocol, first) in [("classic", end - 35), ("consumer", end)] {
        let group = format!("console-{protocol}");
        fill(broker, &group)?;
        let setting = format!("group.protocol={protocol}");
        let mut seen: Vec<i64> = Vec::new();
        for (count, begins) in [(first, true), (2 * end - first, false)] {
            let max = count.to_string();
            let mut arguments = vec!["--topic", &group, "--group", &group, "--max-messages", &max];
            arguments.extend(["--command-property", &setting, "--timeout-ms", "60000"]);
            if begins {
                arguments.push("--from-beginning");
            } else {
                add(broker, &group)?;
            }
            let text = tool(broker, class, &arguments)?;
            seen.extend(text.lines().filter_map(|line| line.parse::<i64>().ok()));
        }
        seen.sort();
        let expected: Vec<i64> = (0..RECORDS).flat_map(|i| [i; 2 * PARTITIONS as usize]).collect();
        ensure!(seen == expected, "{protocol}: two calls of one group saw {seen:?}");
    }
    Ok(())
}

fn describe(broker: &mut Broker) -> Result<()> {
    fill(broker, "seen")?;
    let mut crowd = Crowd::new();
    let classic = of_group(Spec::classic("range"), "old", "seen");
    let consumer = of_group(Spec::consumer("uniform"), "new", "seen");
    let members = [consumed(broker, &mut crowd, &classic)?, consumed(broker, &mut crowd, &consumer)?];
    let text = tool(broker, GROUPS, &["--list"])?;
    let mut names: Vec<&str> = text.lines().collect();
    names.sort();
    ensure!(names == ["new", "old"], "--list: {text}");
    let text = tool(broker, GROUPS, &["--list", "--state", "--type"])?;
    ensure!(rows(&text).contains(&vec!["new", "Consumer", "Stable"]), "--list --state --type: {text}");
    ensure!(rows(&text).contains(&vec!["old", "Classic", "Stable"]), "--list --state --type: {text}");

    let text = tool(broker, GROUPS, &["--describe", "--all-groups"])?;
    for group in ["old", "new"] {
        let lines = rows(&text).into_iter().filter(|row| row.first() == Some(&group)).count();
        ensure!(lines == PARTITIONS as usize, "--describe --all-groups: {text}");
    }
    let text = tool(broker, GROUPS, &["--describe", "--all-groups", "--state"])?;
    let state = |group: &str, assignor: &str| {
        rows(&text).iter().any(|row| row.first() == Some(&group) && row.contains(&assignor) && row.contains(&"Stable"))
    };
    ensure!(state("old", "range") && state("new", "uniform"), "--state: {text}");
    for (group, version) in [("old", "-"), ("new", "-1")] {
        let text = tool(broker, GROUPS, &["--describe", "--group", group, "--offsets"])?;
        let end = RECORDS.to_string();
        let at_end = rows(&text).into_iter().filter(|row| row.len() > 5 && row[3] == end && row[5] == "0").count();
        ensure!(at_end == PARTITIONS as usize, "--offsets of {group} ({version}): {text}");
        let text = tool(broker, GROUPS, &["--describe", "--group", group, "--members", "--verbose"])?;
        ensure!(text.contains("seen:0,1,2") || text.contains("seen(0,1,2)"), "--members --verbose of {group}: {text}");
        let text = tool(broker, GROUPS, &["--describe", "--group", group, "--offsets", "--verbose"])?;
        ensure!(text.contains("LEADER-EPOCH"), "--offsets --verbose of {group}: {text}");
    }
    complains(broker, GROUPS, &["--describe", "--group", "none"], "Group none not found.")?;
    members.into_iter().try_for_each(|member| crowd.leave(member))?;
    let text = run(broker, GROUPS, &["--describe", "--group", "old"])?;
    let said = format!("{}{}", text.text(), String::from_utf8_lossy(&text.stderr));
    ensure!(said.contains("Consumer group 'old' has no active members."), "{said}");
    Ok(())
}

/// A call of `--reset-offsets` and the new offsets that it names, by partition.
fn reset(broker: &Broker, arguments: &[&str]) -> Result<Vec<i64>> {
    let text = tool(broker, GROUPS, &[&["--reset-offsets", "--group", "reset"], arguments].concat())?;
    let mut found: Vec<(i32, i64)> = rows(&text)
        .iter()
        .filter(|row| row.len() == 4 && row[0] == "reset")
        .filter_map(|row| Some((row[2].parse().ok()?, row[3].parse().ok()?)))
        .collect();
    found.sort();
    ensure!(!found.is_empty(), "{arguments:?}: {text}");
    Ok(found.into_iter().map(|(_, offset)| offset).collect())
}

fn reset_offsets(broker: &mut Broker) -> Result<()> {
    fill(broker, "back")?;
    let mut crowd = Crowd::new();
    let spec = of_group(Spec::classic("range"), "reset", "back");
    let member = consumed(broker, &mut crowd, &spec)?;
    let all = ["--all-topics", "--execute"];
    let refused = "Assignments can only be reset if the group 'reset' is inactive";
    complains(broker, GROUPS, &["--reset-offsets", "--group", "reset", "--to-earliest", all[0], all[1]], refused)?;
    crowd.leave(member)?;

    let to = |arguments: &[&str], expected: [i64; 3]| -> Result<()> {
        let found = reset(broker, &[arguments, &all[..]].concat())?;
        ensure!(found == expected, "{arguments:?}: {found:?} instead of {expected:?}");
        Ok(())
    };
    to(&["--to-offset", "5"], [5; 3])?;
    to(&["--shift-by", "3"], [8; 3])?;
    to(&["--shift-by", "-30"], [0; 3])?;
    to(&["--to-latest"], [RECORDS; 3])?;
    to(&["--to-current"], [RECORDS; 3])?;
    // A time between the records 9 and 10; the tool takes it as UTC.
    to(&["--to-datetime", "2023-11-14T22:22:50.000Z"], [10; 3])?;
    to(&["--by-duration", "PT1S"], [RECORDS; 3])?;
    to(&["--to-earliest"], [0; 3])?;
    let one = reset(broker, &["--topic", "back:1", "--to-offset", "7", "--execute"])?;
    ensure!(one == [7], "one partition: {one:?}");
    let dry = reset(broker, &["--all-topics", "--to-latest", "--dry-run"])?;
    ensure!(dry == [RECORDS; 3], "--dry-run: {dry:?}");
    let exported = tool(
        broker,
        GROUPS,
        &["--reset-offsets", "--group", "reset", "--all-topics", "--to-current", "--dry-run", "--export"],
    )?;
    let mut lines: Vec<&str> = exported.lines().filter(|line| line.contains("back")).collect();
    lines.sort();
    ensure!(lines == ["back,0,0", "back,1,7", "back,2,0"], "--export: {exported}");
    let file = broker.scratch("plan.csv");
    std::fs::write(&file, "back,0,1\nback,1,2\nback,2,3\n")?;
    let planned = reset(broker, &["--from-file", &file.display().to_string(), "--execute"])?;
    ensure!(planned == [1, 2, 3], "--from-file: {planned:?}");
    // A member goes on from what was set.
    let again = crowd.join(broker, Library::Librdkafka, &spec)?;
    let expected = i64::from(PARTITIONS) * RECORDS - 6;
    crowd.wait("the records behind the plan's offsets", |told| told[again].records.len() as i64 == expected)?;
    crowd.leave(again)
}

fn delete(broker: &mut Broker) -> Result<()> {
    fill(broker, "gone")?;
    let mut crowd = Crowd::new();
    let spec = of_group(Spec::classic("range"), "doomed", "gone");
    let member = consumed(broker, &mut crowd, &spec)?;
    complains(broker, GROUPS, &["--delete", "--group", "doomed"], "not empty")?;
    let offsets = ["--delete-offsets", "--group", "doomed", "--topic", "gone:0"];
    complains(broker, GROUPS, &offsets, "actively subscribed to it")?;
    crowd.leave(member)?;
    let text = tool(broker, GROUPS, &offsets)?;
    ensure!(rows(&text).contains(&vec!["gone", "0", "Successful"]), "--delete-offsets: {text}");
    let text = tool(broker, GROUPS, &["--describe", "--group", "doomed", "--offsets"])?;
    let left = rows(&text).into_iter().filter(|row| row.first() == Some(&"doomed")).count();
    ensure!(left == 2, "after --delete-offsets: {text}");
    let text = tool(broker, GROUPS, &["--delete", "--group", "doomed"])?;
    ensure!(text.contains("Deletion of requested consumer groups ('doomed') was successful."), "--delete: {text}");
    complains(broker, GROUPS, &["--delete", "--group", "doomed"], "does not exist")?;
    ensure!(tool(broker, GROUPS, &["--list"])?.trim().is_empty(), "still listed");
    Ok(())
}

fn groups(broker: &mut Broker) -> Result<()> {
    fill(broker, "both")?;
    let mut crowd = Crowd::new();
    let members = [
        consumed(broker, &mut crowd, &of_group(Spec::classic("range"), "old", "both"))?,
        consumed(broker, &mut crowd, &of_group(Spec::consumer("uniform"), "new", "both"))?,
    ];
    let class = "org.apache.kafka.tools.GroupsCommand";
    let text = tool(broker, class, &["--list"])?;
    let (old, new) = (vec!["old", "Classic", "consumer"], vec!["new", "Consumer", "consumer"]);
    ensure!(rows(&text).contains(&old) && rows(&text).contains(&new), "--list: {text}");
    let text = tool(broker, class, &["--list", "--group-type", "consumer"])?;
    ensure!(!rows(&text).contains(&old) && rows(&text).contains(&new), "--group-type consumer: {text}");
    let text = tool(broker, class, &["--list", "--protocol", "consumer"])?;
    ensure!(rows(&text).contains(&old) && rows(&text).contains(&new), "--protocol consumer: {text}");
    let text = tool(broker, class, &["--list", "--share"])?;
    ensure!(!rows(&text).contains(&old) && !rows(&text).contains(&new), "--share: {text}");
    members.into_iter().try_for_each(|member| crowd.leave(member))
}

fn configs(broker: &mut Broker) -> Result<()> {
    let class = "org.apache.kafka.tools.ConfigCommand";
    let entity = ["--entity-type", "groups", "--entity-name", "tuned"];
    let call = |more: &[&str]| tool(broker, class, &[&entity[..], more].concat());
    let text = call(&["--alter", "--add-config", "consumer.session.timeout.ms=50000"])?;
    ensure!(text.contains("Completed updating config for group tuned."), "--alter: {text}");
    let text = call(&["--describe"])?;
    ensure!(text.contains("consumer.session.timeout.ms=50000"), "--describe: {text}");
    let wrong = [&entity[..], &["--alter", "--add-config", "consumer.session.timeout.ms=1"]].concat();
    complains(broker, class, &wrong, "consumer.session.timeout.ms")?;
    let text = call(&["--alter", "--delete-config", "consumer.session.timeout.ms"])?;
    ensure!(text.contains("Completed updating config for group tuned."), "--delete-config: {text}");
    let text = call(&["--describe"])?;
    ensure!(!text.contains("consumer.session.timeout.ms=50000"), "after --delete-config: {text}");
    Ok(())
}

fn admin(broker: &mut Broker) -> Result<()> {
    let command = program::java("GroupScenarios", &[&broker.bootstrap()]);
    let output = program::output(command, Input::Nothing, program::DEADLINE)?;
    ensure!(output.code == Some(0), "{}", output.tail());
    ensure!(output.text().lines().filter(|line| line.starts_with("ok ")).count() == 6, "{}", output.tail());
    Ok(())
}

/// Subscriptions to what a regular expression matches: evaluated by the broker for members of the consumer protocol, by the
/// client for the others. Topics that come later are found.
fn patterns(broker: &mut Broker) -> Result<()> {
    let mut raw = Raw::connect(broker.port())?;
    ["news.a", "news.b", "other"].iter().try_for_each(|topic| raw.create_topic(topic, 2, &[]))?;
    let mut crowd = Crowd::new();
    let mut members = Vec::new();
    for (library, spec, pattern) in [
        (Library::Java, Spec::consumer("uniform"), "^news\\..*$"),
        (Library::Librdkafka, Spec::consumer("uniform"), "^news\\..*$"),
        (Library::Java, Spec::classic("range"), "^news\\..*$"),
        (Library::FranzGo, Spec::classic("range"), "^news\\..*$"),
    ] {
        let group = format!("{library:?}-{}", spec.protocol);
        let spec = Spec { pattern: Some(pattern.into()), ..of_group(spec, &group, "unused") };
        members.push(crowd.join(broker, library, &spec)?);
    }
    let has = |topics: &[&str]| {
        let all = topics.iter().flat_map(|topic| [format!("{topic}-0"), format!("{topic}-1")]);
        Some(all.collect::<std::collections::BTreeSet<String>>())
    };
    let (two, three) = (has(&["news.a", "news.b"]), has(&["news.a", "news.b", "news.c"]));
    crowd.wait("both topics", |told| members.iter().all(|&m| told[m].assigned == two)).context("at first")?;
    raw.create_topic("news.c", 2, &[])?;
    crowd.wait("the third topic", |told| members.iter().all(|&m| told[m].assigned == three)).context("later")?;
    let text = tool(broker, GROUPS, &["--describe", "--group", "Java-consumer", "--members", "--verbose"])?;
    ensure!(text.contains("news.c"), "--members of a pattern's group: {text}");
    members.into_iter().try_for_each(|member| crowd.leave(member))
}
