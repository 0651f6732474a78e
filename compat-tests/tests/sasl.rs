//! Logins by SASL as users make them: kcat, the official tools and kafka-python by PLAIN and SCRAM; what each is told that may
//! not come in; users that are made, changed and removed by `kafka-configs`, and by `klamm format --add-scram`; delegation tokens.

#[path = "sasl/tokens.rs"]
mod tokens;

use compat_tests::broker::{self, Broker, Setup};
use compat_tests::program::{self, Input, Output};
use compat_tests::raw::Raw;
use compat_tests::suite::{BOTH, ONE, Suite};
use compat_tests::{Result, cache, ensure, tools};
use std::fs;
use std::process::{Command, ExitCode};

const PLAIN_MODULE: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";
const SCRAM_MODULE: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";
const CONFIGS: &str = "org.apache.kafka.tools.ConfigCommand";
const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";

/// A listener that asks for logins. Its name stays, so that the same settings serve both brokers.
const SECURED: &[(&str, &str)] = &[
    ("listener.security.protocol.map", "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"),
    ("inter.broker.listener.name", "PLAINTEXT"),
    ("sasl.mechanism.inter.broker.protocol", "PLAIN"),
    ("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"),
    (
        "listener.name.plaintext.plain.sasl.jaas.config",
        "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"admin\" password=\"of admin\" \
         user_admin=\"of admin\" user_alice=\"of alice\";",
    ),
    (
        "listener.name.plaintext.scram-sha-256.sasl.jaas.config",
        "org.apache.kafka.common.security.scram.ScramLoginModule required;",
    ),
    (
        "listener.name.plaintext.scram-sha-512.sasl.jaas.config",
        "org.apache.kafka.common.security.scram.ScramLoginModule required;",
    ),
];
const PLAIN_ONLY: &[(&str, &str)] = &[
    SECURED[0],
    SECURED[1],
    SECURED[2],
    ("sasl.enabled.mechanisms", "PLAIN"),
    SECURED[4],
    ("connection.failed.authentication.delay.ms", "300"),
];

fn main() -> ExitCode {
    Suite::new("sasl")
        .test("librdkafka", BOTH, SECURED, librdkafka_logs_in)
        .test("java", BOTH, SECURED, java_logs_in)
        .test("python", BOTH, SECURED, python_logs_in)
        .test("refused", BOTH, PLAIN_ONLY, refused)
        .test("without_a_login", BOTH, PLAIN_ONLY, without_a_login)
        .own_start("first_users", BOTH, SECURED, first_users)
        .test("tokens", BOTH, tokens::WITH_KEY, tokens::tools)
        .own_start("tokens_move", ONE, tokens::WITH_KEY, tokens::move_with_the_directory)
        .run()
}

#[derive(Clone, Copy)]
struct User {
    mechanism: &'static str,
    name: &'static str,
    password: &'static str,
}

const ADMIN: User = User { mechanism: "PLAIN", name: "admin", password: "of admin" };
const ALICE: User = User { mechanism: "PLAIN", name: "alice", password: "of alice" };
const CAROL: User = User { mechanism: "SCRAM-SHA-256", name: "carol", password: "of=carol" };
const DAVE: User = User { mechanism: "SCRAM-SHA-512", name: "da,v=e", password: "of dave" };
const ZOE: User = User { mechanism: "SCRAM-SHA-512", name: "zoe", password: "of zoe" };

fn kcat_command(broker: &Broker, user: User, arguments: &[&str]) -> Command {
    let mut command = program::command("kcat", &["-b", &broker.bootstrap(), "-X", "security.protocol=SASL_PLAINTEXT"]);
    for (key, value) in [("mechanism", user.mechanism), ("username", user.name), ("password", user.password)] {
        command.arg("-X").arg(format!("sasl.{key}={value}"));
    }
    command.args(arguments);
    command
}

fn kcat(broker: &Broker, user: User, arguments: &[&str], input: &str) -> Result<String> {
    Ok(program::run(kcat_command(broker, user, arguments), Input::Bytes(input.as_bytes().to_vec()))?.text())
}

/// The settings of a user, for the official tools.
fn properties(broker: &Broker, user: User) -> Result<String> {
    let module = if user.mechanism == "PLAIN" { PLAIN_MODULE } else { SCRAM_MODULE };
    let file = broker.scratch(&format!("{}.properties", user.mechanism));
    let User { mechanism, name, password } = user;
    fs::write(
        &file,
        format!(
            "security.protocol=SASL_PLAINTEXT\nsasl.mechanism={mechanism}\n\
             sasl.jaas.config={module} required username=\"{name}\" password=\"{password}\";\n"
        ),
    )?;
    Ok(file.display().to_string())
}

/// An official tool with the settings of a user, in a JVM of its own.
fn tool_command(broker: &Broker, user: User, class: &str, arguments: &[&str]) -> Result<Command> {
    let mut command = program::java(class, &["--bootstrap-server", &broker.bootstrap()]);
    command.arg("--command-config").arg(properties(broker, user)?).args(arguments);
    Ok(command)
}

fn tool(broker: &Broker, user: User, class: &str, arguments: &[&str]) -> Result<String> {
    let (bootstrap, properties) = (broker.bootstrap(), properties(broker, user)?);
    let own = ["--bootstrap-server", &bootstrap, "--command-config", &properties];
    Ok(tools::run(class, &[&own, arguments].concat(), "")?.text())
}

/// Gives a user a credential, as the documentation of Apache Kafka says.
fn add(broker: &Broker, user: User) -> Result<()> {
    let config = format!("{}=[iterations=8192,password={}]", user.mechanism, user.password);
    let arguments = ["--alter", "--add-config", &config, "--entity-type", "users", "--entity-name", user.name];
    let text = tool(broker, ADMIN, CONFIGS, &arguments)?;
    ensure!(text.contains("Completed updating config for user"), "{text}");
    Ok(())
}

fn round_trip(broker: &Broker, user: User, topic: &str) -> Result<()> {
    kcat(broker, user, &["-P", "-t", topic], "one\ntwo\n")?;
    let read = kcat(broker, user, &["-C", "-q", "-e", "-o", "beginning", "-t", topic], "")?;
    ensure!(read == "one\ntwo\n", "{read}");
    Ok(())
}

const CONFLUENT: &str = r#"
import sys
from confluent_kafka import Consumer, Producer
bootstrap, mechanism, user, password, topic = sys.argv[1:]
login = {"bootstrap.servers": bootstrap, "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": mechanism,
         "sasl.username": user, "sasl.password": password}
producer = Producer(login)
for value in (b"one", b"two"):
    producer.produce(topic, value)
assert producer.flush(30) == 0
consumer = Consumer(login | {"group.id": topic, "auto.offset.reset": "earliest"})
consumer.subscribe([topic])
values = []
while len(values) < 2:
    message = consumer.poll(30)
    assert message is not None and message.error() is None, message
    values.append(message.value().decode())
print(" ".join(values))
consumer.close()
"#;

/// kcat of the machine may have PLAIN alone; SCRAM is librdkafka's of the Python package.
fn librdkafka_logs_in(broker: &mut Broker) -> Result<()> {
    round_trip(broker, ALICE, "kcat")?;
    add(broker, CAROL)?;
    add(broker, DAVE)?;
    for (user, topic) in [(ALICE, "alice"), (CAROL, "carol"), (DAVE, "dave")] {
        python(broker, CONFLUENT, user, topic)?;
    }
    Ok(())
}

/// A script that writes and reads two records as a user.
fn python(broker: &Broker, script: &str, user: User, topic: &str) -> Result<()> {
    let mut python = Command::new(cache::root().join("venv/bin/python"));
    python.args(["-B", "-c", script, &broker.bootstrap(), user.mechanism, user.name, user.password, topic]);
    let read = program::run(python, Input::Nothing)?.text();
    ensure!(read == "one two\n", "{read}");
    Ok(())
}

fn java_logs_in(broker: &mut Broker) -> Result<()> {
    add(broker, CAROL)?;
    add(broker, ZOE)?;
    for (user, topic) in [(ALICE, "alice"), (CAROL, "carol"), (ZOE, "zoe")] {
        tool(broker, user, TOPICS, &["--create", "--topic", topic, "--partitions", "1"])?;
        let listed = tool(broker, user, TOPICS, &["--list"])?;
        ensure!(listed.lines().any(|line| line == topic), "{listed}");
        kcat(broker, ALICE, &["-P", "-t", topic], "one\ntwo\n")?;
        let consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer";
        let arguments = ["--topic", topic, "--partition", "0", "--offset", "earliest", "--max-messages", "2"];
        let read = tool(broker, user, consumer, &arguments)?;
        ensure!(read == "one\ntwo\n", "{read}");
    }
    let described = tool(broker, ADMIN, CONFIGS, &["--describe", "--entity-type", "users", "--entity-name", "carol"])?;
    ensure!(described.contains("SCRAM credential configs for user-principal 'carol'"), "{described}");
    ensure!(described.contains("SCRAM-SHA-256=iterations=8192"), "{described}");
    // Another password, and then none.
    let changed = User { password: "changed", ..CAROL };
    add(broker, changed)?;
    tool(broker, changed, TOPICS, &["--list"])?;
    let generic =
        "Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-256";
    refuses(tool_command(broker, CAROL, TOPICS, &["--list"])?, generic)?;
    let entity = ["--entity-type", "users", "--entity-name", "carol"];
    let delete = [&["--alter", "--delete-config", "SCRAM-SHA-256"][..], &entity].concat();
    tool(broker, ADMIN, CONFIGS, &delete)?;
    refuses(tool_command(broker, changed, TOPICS, &["--list"])?, generic)?;
    refuses(tool_command(broker, ADMIN, CONFIGS, &delete)?, "Attempt to delete a user credential that does not exist")
}

/// A program that fails with these words.
fn refuses(command: Command, why: &str) -> Result<()> {
    let shown = format!("{command:?}");
    let output = program::output(command, Input::Nothing, program::DEADLINE)?;
    ensure!(output.code != Some(0) && said(&output).contains(why), "{shown}: expected `{why}`\n{}", output.tail());
    Ok(())
}

fn said(output: &Output) -> String {
    format!("{}{}", output.text(), String::from_utf8_lossy(&output.stderr))
}

const PYTHON: &str = r#"
import sys
from kafka import KafkaConsumer, KafkaProducer
bootstrap, mechanism, user, password, topic = sys.argv[1:]
login = dict(bootstrap_servers=bootstrap, security_protocol="SASL_PLAINTEXT", sasl_mechanism=mechanism,
             sasl_plain_username=user, sasl_plain_password=password)
producer = KafkaProducer(**login)
for value in (b"one", b"two"):
    producer.send(topic, value).get(timeout=30)
consumer = KafkaConsumer(topic, auto_offset_reset="earliest", consumer_timeout_ms=30000, **login)
values = []
for record in consumer:
    values.append(record.value.decode())
    if len(values) == 2:
        break
print(" ".join(values))
"#;

fn python_logs_in(broker: &mut Broker) -> Result<()> {
    add(broker, CAROL)?;
    add(broker, ZOE)?;
    for (user, topic) in [(ALICE, "alice"), (CAROL, "carol"), (ZOE, "zoe")] {
        python(broker, PYTHON, user, topic)?;
    }
    Ok(())
}

fn refused(broker: &mut Broker) -> Result<()> {
    let wrong = User { password: "wrong", ..ALICE };
    let words = "Authentication failed: Invalid username or password";
    refuses(kcat_command(broker, wrong, &["-L", "-m", "5"]), words)?;
    refuses(tool_command(broker, wrong, TOPICS, &["--list"])?, words)?;
    refuses(
        tool_command(broker, CAROL, TOPICS, &["--list"])?,
        "Client SASL mechanism 'SCRAM-SHA-256' not enabled in the server, enabled mechanisms are [PLAIN]",
    )?;
    // The others are left alone.
    round_trip(broker, ALICE, "neighbour")?;
    let log = broker.log_text();
    ensure!(!log.contains("of alice") && !log.contains("wrong"), "a password is in the log");
    if broker.setup().peer == broker::Peer::Klamm {
        let told = "login refused: principal=User:alice mechanism=PLAIN host=127.0.0.1";
        let lines = log.lines().filter(|line| line.contains(told));
        ensure!(lines.count() >= 2, "the audit log says nothing");
    }
    Ok(())
}

/// A client that has not been told that it must log in is closed, and nothing is told to it.
fn without_a_login(broker: &mut Broker) -> Result<()> {
    ensure!(Raw::connect(broker.port())?.create_topic("intruder", 1, &[]).is_err(), "it was let in");
    let mut kcat = program::command("kcat", &["-b", &broker.bootstrap(), "-L", "-m", "3"]);
    kcat.args(["-X", "api.version.request=true"]);
    ensure!(program::output(kcat, Input::Nothing, program::DEADLINE)?.code != Some(0), "kcat was let in");
    let listed = tool(broker, ALICE, TOPICS, &["--list"])?;
    ensure!(!listed.contains("intruder"), "{listed}");
    Ok(())
}

/// A cluster has its first users from its beginning, by either way to give them.
fn first_users(setup: &Setup) -> Result<Broker> {
    let arguments = [
        "--add-scram",
        "SCRAM-SHA-512=[name=zoe,password=of zoe]",
        "-S",
        "SCRAM-SHA-256=[name=carol,iterations=8192,password=\"of=carol\"]",
    ];
    let broker = Broker::start_formatted_with(setup, &arguments)?;
    python(&broker, CONFLUENT, ZOE, "zoe")?;
    python(&broker, CONFLUENT, CAROL, "carol")?;
    let wrong = User { password: "x", ..ZOE };
    refuses(tool_command(&broker, wrong, TOPICS, &["--list"])?, "Authentication failed during authentication")?;
    Ok(broker)
}
