//! The official command line tools of Apache Kafka 4.4.0. `kafka-dump-log` runs at the end of every suite over all files.

use compat_tests::broker::Broker;
use compat_tests::program::Output;
use compat_tests::suite::{BOTH, Suite};
use compat_tests::{Result, ensure, tools};
use std::process::ExitCode;

fn main() -> ExitCode {
    Suite::new("tools")
        .test("topics", BOTH, &[], topics)
        .test("console", BOTH, &[], console)
        .test("get_offsets", BOTH, &[], get_offsets)
        .test("delete_records", BOTH, &[], delete_records)
        .test("group_configs", BOTH, &[], group_configs)
        .test("api_versions", BOTH, &[], api_versions)
        .run()
}

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";

fn tool_with_input(broker: &Broker, class: &str, arguments: &[&str], input: &str) -> Result<Output> {
    let bootstrap = broker.bootstrap();
    tools::run(class, &[&["--bootstrap-server", &bootstrap], arguments].concat(), input)
}

fn tool(broker: &Broker, class: &str, arguments: &[&str]) -> Result<String> {
    Ok(tool_with_input(broker, class, arguments, "")?.text())
}

fn refused(broker: &Broker, class: &str, arguments: &[&str], why: &str) -> Result<()> {
    let bootstrap = broker.bootstrap();
    let output = tools::output(class, &[&["--bootstrap-server", &bootstrap], arguments].concat(), "")?;
    ensure!(output.code == Some(1), "{arguments:?} was accepted\n{}", output.tail());
    let said = format!("{}{}", output.text(), String::from_utf8_lossy(&output.stderr));
    ensure!(said.contains(why), "{arguments:?}: expected `{why}`\n{}", output.tail());
    Ok(())
}

fn topics(broker: &mut Broker) -> Result<()> {
    let create = ["--create", "--topic", "tools", "--partitions", "2", "--config", "retention.ms=86400001"];
    ensure!(tool(broker, TOPICS, &create)?.contains("Created topic tools."), "not created");
    refused(broker, TOPICS, &create, "Topic 'tools' already exists")?;
    refused(broker, TOPICS, &["--create", "--topic", "too/ls"], "Topic name is invalid: 'too/ls'")?;
    ensure!(tool(broker, TOPICS, &["--list"])?.lines().any(|line| line == "tools"), "not listed");
    tool(broker, TOPICS, &["--alter", "--topic", "tools", "--partitions", "3"])?;
    let text = tool(broker, TOPICS, &["--describe", "--topic", "tools"])?;
    let head = "PartitionCount: 3\tReplicationFactor: 1\tConfigs: ";
    ensure!(text.contains(head) && text.contains("retention.ms=86400001"), "{text}");
    ensure!(text.contains("Partition: 2\tLeader: ") && text.contains("Isr: "), "{text}");
    tool(broker, TOPICS, &["--delete", "--topic", "tools"])?;
    ensure!(!tool(broker, TOPICS, &["--list"])?.lines().any(|line| line == "tools"), "still listed");
    Ok(())
}

fn numbered(count: usize) -> String {
    (0..count).map(|i| format!("key{i}:value {i}\n")).collect()
}

fn console_produce(broker: &Broker, topic: &str, lines: &str) -> Result<()> {
    let class = "org.apache.kafka.tools.ConsoleProducer";
    let arguments = ["--topic", topic, "--reader-property", "parse.key=true", "--reader-property", "key.separator=:"];
    tool_with_input(broker, class, &arguments, lines).map(drop)
}

fn console(broker: &mut Broker) -> Result<()> {
    let lines = numbered(1000);
    tool(broker, TOPICS, &["--create", "--topic", "console", "--partitions", "1"])?;
    console_produce(broker, "console", &lines)?;
    let class = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    let mut arguments =
        vec!["--topic", "console", "--partition", "0", "--offset", "earliest", "--max-messages", "1000"];
    arguments.extend(["--formatter-property", "print.key=true", "--formatter-property", "key.separator=:"]);
    ensure!(tool(broker, class, &arguments)? == lines, "the lines came back changed");
    let tail = ["--topic", "console", "--partition", "0", "--offset", "998", "--max-messages", "2"];
    ensure!(tool(broker, class, &tail)? == "value 998\nvalue 999\n", "the tail came back changed");
    Ok(())
}

fn get_offsets(broker: &mut Broker) -> Result<()> {
    tool(broker, TOPICS, &["--create", "--topic", "counted", "--partitions", "2"])?;
    console_produce(broker, "counted", &numbered(100))?;
    let class = "org.apache.kafka.tools.GetOffsetShell";
    let sum =
        |text: &str| -> i64 { text.lines().filter_map(|line| line.rsplit(':').next()?.parse::<i64>().ok()).sum() };
    let latest = tool(broker, class, &["--topic", "counted"])?;
    ensure!(latest.lines().count() == 2 && sum(&latest) == 100, "latest: {latest}");
    let earliest = tool(broker, class, &["--topic", "counted", "--time", "earliest"])?;
    ensure!(earliest == "counted:0:0\ncounted:1:0\n", "earliest: {earliest}");
    let newest = tool(broker, class, &["--topic", "counted", "--time", "max-timestamp"])?;
    ensure!(newest.lines().count() == 2, "max-timestamp: {newest}");
    Ok(())
}

fn delete_records(broker: &mut Broker) -> Result<()> {
    tool(broker, TOPICS, &["--create", "--topic", "trimmed", "--partitions", "1"])?;
    console_produce(broker, "trimmed", &numbered(100))?;
    let file = broker.scratch("offsets.json");
    std::fs::write(&file, r#"{"partitions":[{"topic":"trimmed","partition":0,"offset":30}],"version":1}"#)?;
    let class = "org.apache.kafka.tools.DeleteRecordsCommand";
    let text = tool(broker, class, &["--offset-json-file", &file.display().to_string()])?;
    ensure!(text.contains("low_watermark: 30"), "{text}");
    let earliest =
        tool(broker, "org.apache.kafka.tools.GetOffsetShell", &["--topic", "trimmed", "--time", "earliest"])?;
    ensure!(earliest == "trimmed:0:30\n", "{earliest}");
    Ok(())
}

fn group_configs(broker: &mut Broker) -> Result<()> {
    let class = "org.apache.kafka.tools.ConfigCommand";
    let group = ["--entity-type", "groups", "--entity-name", "settled"];
    let alter = |what: &'static str, value: &'static str| [&group[..], &["--alter", what, value]].concat();
    let added = "consumer.session.timeout.ms=50000,share.auto.offset.reset=by_duration:PT1H";
    let text = tool(broker, class, &alter("--add-config", added))?;
    ensure!(text.contains("Completed updating config for group settled."), "{text}");
    let outside = "consumer.session.timeout.ms must be in the range 45000 to 60000 inclusive.";
    refused(broker, class, &alter("--add-config", "consumer.session.timeout.ms=1"), outside)?;
    let text = tool(broker, class, &["--entity-type", "groups", "--describe"])?;
    ensure!(text.contains("Dynamic configs for group settled are:"), "{text}");
    ensure!(text.contains("  share.auto.offset.reset=by_duration:PT1H sensitive=false synonyms={"), "{text}");
    let text = tool(broker, class, &[&group[..], &["--describe", "--all"]].concat())?;
    let synonyms = "{DYNAMIC_GROUP_CONFIG:consumer.session.timeout.ms=50000, \
                    DEFAULT_CONFIG:group.consumer.session.timeout.ms=45000}";
    ensure!(text.contains(&format!("consumer.session.timeout.ms=50000 sensitive=false synonyms={synonyms}")), "{text}");
    ensure!(text.contains("  streams.num.standby.replicas=0 "), "{text}");
    tool(broker, class, &alter("--delete-config", "consumer.session.timeout.ms,share.auto.offset.reset"))?;
    let text = tool(broker, class, &["--entity-type", "groups", "--describe"])?;
    ensure!(!text.contains("settled"), "{text}");
    Ok(())
}

fn api_versions(broker: &mut Broker) -> Result<()> {
    let text = tool(broker, "org.apache.kafka.tools.BrokerApiVersionsCommand", &[])?;
    ensure!(text.contains(&format!("{} (id: ", broker.bootstrap())), "{text}");
    ensure!(text.contains("Produce(0): 0 to 13") || text.contains("Produce(0): 3 to 13"), "{text}");
    ensure!(text.contains("Fetch(1): 4 to 18"), "{text}");
    Ok(())
}
