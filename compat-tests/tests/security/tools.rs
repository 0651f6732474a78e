//! `kafka-acls` as its documentation says, and clients that are told what they may not do in their own words.

use compat_tests::broker::Broker;
use compat_tests::program::{self, Input, Output};
use compat_tests::{Result, ensure};
use std::fs;
use std::process::Command;

const ACLS: &str = "org.apache.kafka.tools.AclCommand";
const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const CONSOLE_CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";

/// All clients log in, so that nobody but Apache Kafka's broker, at its controller, is `User:ANONYMOUS`.
pub const SETTINGS: &[(&str, &str)] = &[
    ("listener.security.protocol.map", "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"),
    ("inter.broker.listener.name", "PLAINTEXT"),
    ("sasl.mechanism.inter.broker.protocol", "PLAIN"),
    ("sasl.enabled.mechanisms", "PLAIN"),
    (
        "listener.name.plaintext.plain.sasl.jaas.config",
        "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"admin\" password=\"p\" \
         user_admin=\"p\" user_alice=\"p\" user_bob=\"p\" user_carol=\"p\";",
    ),
    ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
    ("super.users", "User:admin;User:ANONYMOUS"),
    ("offsets.topic.num.partitions", "1"),
    ("group.initial.rebalance.delay.ms", "0"),
];

fn kcat(broker: &Broker, user: &str, arguments: &[&str], input: &str) -> Result<Output> {
    let mut command = program::command("kcat", &["-b", &broker.bootstrap(), "-X", "security.protocol=SASL_PLAINTEXT"]);
    command.args(["-X", "sasl.mechanism=PLAIN", "-X", "sasl.password=p", "-X", &format!("sasl.username={user}")]);
    command.args(arguments);
    program::output(command, Input::Bytes(input.as_bytes().to_vec()), program::DEADLINE)
}

fn produce(broker: &Broker, user: &str, topic: &str, value: &str) -> Result<Output> {
    kcat(broker, user, &["-P", "-t", topic, "-p", "0"], value)
}

/// An official tool; each names the option for its settings otherwise.
fn tool(broker: &Broker, user: &str, class: &str, option: &str, arguments: &[&str]) -> Result<Command> {
    let file = broker.scratch(&format!("{user}.properties"));
    let module = "org.apache.kafka.common.security.plain.PlainLoginModule";
    let text = format!(
        "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n\
         sasl.jaas.config={module} required username=\"{user}\" password=\"p\";\n"
    );
    fs::write(&file, text)?;
    let mut command = program::java(class, &["--bootstrap-server", &broker.bootstrap()]);
    command.arg(option).arg(file).args(arguments);
    Ok(command)
}

fn acls(broker: &Broker, user: &str, arguments: &[&str]) -> Result<String> {
    Ok(program::run(tool(broker, user, ACLS, "--command-config", arguments)?, Input::Nothing)?.text())
}

fn refused(output: &Output, words: &str) -> Result<()> {
    let said = output.tail();
    ensure!(said.contains(words), "it should have said `{words}` and said\n{said}");
    Ok(())
}

fn allowed(output: &Output) -> Result<()> {
    ensure!(output.code == Some(0), "it ended with {:?}\n{}", output.code, output.tail());
    Ok(())
}

fn expect(said: &str, lines: &[&str]) -> Result<()> {
    lines.iter().try_for_each(|line| {
        ensure!(said.contains(line), "`{line}` is not in\n{said}");
        Ok(())
    })
}

pub fn rules_by_hand(broker: &mut Broker) -> Result<()> {
    let create = ["--create", "--topic", "orders", "--partitions", "1", "--replication-factor", "1"];
    program::run(tool(broker, "admin", TOPICS, "--command-config", &create)?, Input::Nothing)?;
    conveniences(broker)?;
    patterns_and_hosts(broker)?;
    lists_and_removal(broker)
}

fn conveniences(broker: &Broker) -> Result<()> {
    refused(&produce(broker, "alice", "orders", "one\n")?, "Topic authorization failed")?;
    let said = acls(broker, "admin", &["--add", "--allow-principal", "User:alice", "--producer", "--topic", "orders"])?;
    let entry = |user: &str, operation: &str| {
        format!("(principal=User:{user}, host=*, operation={operation}, permissionType=ALLOW)")
    };
    expect(
        &said,
        &["Adding ACLs for resource `ResourcePattern(resourceType=TOPIC, name=orders, patternType=LITERAL)`"],
    )?;
    expect(&said, &[&entry("alice", "WRITE"), &entry("alice", "DESCRIBE"), &entry("alice", "CREATE")])?;
    allowed(&produce(broker, "alice", "orders", "one\n")?)?;
    refused(&produce(broker, "bob", "orders", "two\n")?, "Topic authorization failed")?;
    // May write and not read.
    refused(
        &kcat(broker, "alice", &["-C", "-t", "orders", "-p", "0", "-o", "beginning", "-e"], "")?,
        "Topic authorization failed",
    )?;
    let consumer =
        ["--add", "--allow-principal", "User:carol", "--consumer", "--topic", "orders", "--group", "readers"];
    let said = acls(broker, "admin", &consumer)?;
    expect(&said, &["resourceType=GROUP, name=readers, patternType=LITERAL", &entry("carol", "READ")])?;
    let consume =
        ["--topic", "orders", "--group", "readers", "--from-beginning", "--max-messages", "1", "--timeout-ms", "30000"];
    let read = program::run(tool(broker, "carol", CONSOLE_CONSUMER, "--command-config", &consume)?, Input::Nothing)?;
    ensure!(read.text() == "one\n", "{}", read.text());
    let other = ["--topic", "orders", "--group", "others", "--from-beginning", "--timeout-ms", "30000"];
    let command = tool(broker, "carol", CONSOLE_CONSUMER, "--command-config", &other)?;
    refused(
        &program::output(command, Input::Nothing, program::DEADLINE)?,
        "GroupAuthorizationException: Not authorized to access group: others",
    )?;
    let listed = acls(broker, "carol", &["--list"]);
    let said = listed.err().map_or("it may".into(), |error| format!("{error:#}"));
    expect(&said, &["ClusterAuthorizationException"])
}

fn patterns_and_hosts(broker: &Broker) -> Result<()> {
    let add = |host: &str, name: &str| {
        let arguments = [
            "--add",
            "--allow-principal",
            "User:bob",
            "--allow-host",
            host,
            "--operation",
            "All",
            "--topic",
            name,
            "--resource-pattern-type",
            "prefixed",
        ];
        acls(broker, "admin", &arguments)
    };
    expect(&add("127.0.0.0/24", "inv-")?, &["patternType=PREFIXED", "host=127.0.0.0/24"])?;
    add("10.0.0.1", "far-")?;
    allowed(&produce(broker, "bob", "inv-1", "one\n")?)?;
    refused(&produce(broker, "bob", "far-1", "one\n")?, "Topic authorization failed")?;
    let deny = ["--add", "--deny-principal", "User:bob", "--operation", "Write", "--topic", "inv-secret"];
    expect(&acls(broker, "admin", &deny)?, &["permissionType=DENY"])?;
    refused(&produce(broker, "bob", "inv-secret", "one\n")?, "Topic authorization failed")
}

fn lists_and_removal(broker: &Broker) -> Result<()> {
    let all = acls(broker, "admin", &["--list"])?;
    expect(
        &all,
        &["name=orders, patternType=LITERAL", "name=inv-, patternType=PREFIXED", "name=readers", "host=10.0.0.1"],
    )?;
    let matching = acls(broker, "admin", &["--list", "--topic", "inv-secret", "--resource-pattern-type", "match"])?;
    expect(&matching, &["name=inv-, patternType=PREFIXED", "name=inv-secret, patternType=LITERAL"])?;
    ensure!(!matching.contains("far-") && !matching.contains("orders"), "{matching}");
    let of_bob = acls(broker, "admin", &["--list", "--principal", "User:bob"])?;
    ensure!(of_bob.contains("far-") && !of_bob.contains("alice"), "{of_bob}");
    let remove = ["--remove", "--force", "--allow-principal", "User:alice", "--producer", "--topic", "orders"];
    let left = acls(broker, "admin", &remove)?;
    ensure!(!left.contains("User:alice"), "{left}");
    refused(&produce(broker, "alice", "orders", "two\n")?, "Topic authorization failed")?;
    acls(broker, "admin", &["--remove", "--force", "--topic", "inv-", "--resource-pattern-type", "prefixed"])?;
    refused(&produce(broker, "bob", "inv-1", "two\n")?, "Topic authorization failed")
}
