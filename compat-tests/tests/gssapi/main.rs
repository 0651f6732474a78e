//! Logins by Kerberos (GSSAPI) at a Klamm that is built with the Cargo feature `gssapi`: a KDC of Debian's in a directory of its
//! own, Java's clients with the official tools, kcat with Cyrus SASL. Keys that are exchanged, names that rules shorten, and what
//! those are told that may not come in.

mod realm;
mod tap;

use compat_tests::broker::{Broker, Peer, Setup, peer};
use compat_tests::program::{self, Input, Output};
use compat_tests::raw::Raw;
use compat_tests::suite::{BOTH, ONE, Suite};
use compat_tests::{Context, Result, cache, ensure, klamm};
use realm::{REALM, Realm, SERVICE};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;
use tap::Tap;

/// How long the broker's build may take.
const BUILT_WITHIN: Duration = Duration::from_secs(900);
/// What Kafka tells a client of every failure of Kerberos.
const REFUSED: &str =
    "Authentication failed during authentication due to invalid credentials with SASL mechanism GSSAPI";

fn main() -> ExitCode {
    if peer() == Peer::Klamm && !std::env::args().any(|argument| argument == "--list") {
        match build() {
            // SAFETY: this is the only thread yet.
            Ok(path) => unsafe { std::env::set_var("KLAMM_BIN", path) },
            Err(error) => {
                println!("cannot build klamm with gssapi: {error:#}\ngssapi: 0 passed, 1 failed");
                return ExitCode::FAILURE;
            }
        }
    }
    Suite::new("gssapi")
        .own_start("clients", BOTH, &[], clients)
        .own_start("names", ONE, &[], names)
        .own_start("refused", ONE, &[], refused)
        .own_start("replayed", ONE, &[], replayed)
        .own_start("exchanged_keys", ONE, &[], exchanged_keys)
        .own_start("old_handshake", ONE, &[], old_handshake)
        .own_start("stopped_starts", ONE, &[], stopped_starts)
        .run()
}

/// Klamm with the feature, in the profile that is built fastest.
fn build() -> Result<PathBuf> {
    let manifest = cache::package().parent().context("no parent folder")?.join("Cargo.toml");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--locked", "--bin", "klamm", "--features", "gssapi", "--message-format=json"]);
    // With it, what Klamm depends on is what its unit tests have been built with.
    command.arg("--manifest-path").arg(manifest).env("CARGO_PROFILE_DEV_PANIC", "unwind");
    let built = program::run_within(command, Input::Nothing, BUILT_WITHIN)?;
    let executable = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        (message["target"]["name"] == "klamm").then(|| message["executable"].as_str().map(PathBuf::from))?
    };
    built.text().lines().filter_map(executable).next_back().context("cargo named no executable")
}

/// A node whose clients log in by Kerberos, and do what an authorizer allows to `alice` and `alice-team`.
const PROPERTIES: &str = r#"
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:@CONTROLLER@
controller.listener.names=CONTROLLER
listeners=PLAIN://127.0.0.1:@PLAIN@,KERBEROS://127.0.0.1:@KERBEROS@,CONTROLLER://127.0.0.1:@CONTROLLER@
advertised.listeners=PLAIN://localhost:@PLAIN@,KERBEROS://localhost:@KERBEROS@
listener.security.protocol.map=PLAIN:PLAINTEXT,KERBEROS:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAIN
sasl.enabled.mechanisms=GSSAPI
sasl.kerberos.service.name=kafka
sasl.kerberos.principal.to.local.rules=RULE:[2:$1-$2](alice-.*)/L,DEFAULT
listener.name.kerberos.gssapi.sasl.jaas.config=com.sun.security.auth.module.Krb5LoginModule required \
    useKeyTab=true storeKey=true keyTab="@KEYTAB@" principal="@SERVICE@";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:alice;User:alice-team
log.dirs=@DATA@
auto.create.topics.enable=true
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
"#;

fn text(keytab: &Path) -> String {
    PROPERTIES.replace("@KEYTAB@", &keytab.display().to_string()).replace("@SERVICE@", &format!("{SERVICE}@{REALM}"))
}

fn start(setup: &Setup, realm: &Realm) -> Result<Broker> {
    let keytab = realm.keytab("broker", SERVICE)?;
    let mut setup = setup.clone().listening(&[("PLAIN", "PLAINTEXT"), ("KERBEROS", "SASL_PLAINTEXT")]);
    setup.java_options = Some(realm.java_option());
    Broker::start_on_file(&setup, &text(&keytab))
}

/// How a client proves who it is.
enum Ticket<'a> {
    /// kinit of librdkafka, and Java, log in by this.
    Keytab(&'a str, &'a Path),
    /// There is one already, or none, in this cache.
    Cache(&'a Path),
}

fn kcat(broker: &Broker, realm: &Realm, ticket: &Ticket<'_>, arguments: &[&str], input: &str) -> Result<Output> {
    kcat_at(broker.port_of("KERBEROS"), realm, ticket, arguments, input)
}

fn kcat_at(port: u16, realm: &Realm, ticket: &Ticket<'_>, arguments: &[&str], input: &str) -> Result<Output> {
    let bootstrap = format!("localhost:{port}");
    let mut command = program::command("kcat", &["-b", &bootstrap]);
    // Cargo puts another librdkafka there.
    command.env_remove("LD_LIBRARY_PATH").envs(realm.variables());
    let mut set = |setting: String| {
        command.args(["-X", &setting]);
    };
    set("security.protocol=sasl_plaintext".into());
    set("sasl.mechanism=GSSAPI".into());
    set("sasl.kerberos.service.name=kafka".into());
    match ticket {
        Ticket::Keytab(principal, keytab) => {
            set(format!("sasl.kerberos.keytab={}", keytab.display()));
            set(format!("sasl.kerberos.principal={principal}@{REALM}"));
            command.env("KRB5CCNAME", realm.path(&format!("kcat-{port}")));
        }
        Ticket::Cache(cache) => {
            set("sasl.kerberos.kinit.cmd=true".into());
            command.env("KRB5CCNAME", cache);
        }
    }
    command.args(arguments);
    program::output(command, Input::Bytes(input.as_bytes().to_vec()), program::DEADLINE)
}

/// Writes two records to a topic and reads them back.
fn round_trip(broker: &Broker, realm: &Realm, ticket: &Ticket<'_>, topic: &str) -> Result<()> {
    let written = kcat(broker, realm, ticket, &["-P", "-t", topic, "-p", "0"], "one\ntwo\n")?;
    ensure!(written.code == Some(0), "kcat has not written\n{}", written.tail());
    let read = kcat(broker, realm, ticket, &["-C", "-q", "-e", "-o", "beginning", "-t", topic, "-p", "0"], "")?;
    ensure!(read.text() == "one\ntwo\n", "kcat has not read\n{}", read.tail());
    Ok(())
}

/// An attempt that comes to nothing; what the client says of it.
fn attempt(broker: &Broker, realm: &Realm, ticket: &Ticket<'_>) -> Result<String> {
    let output = kcat(broker, realm, ticket, &["-L", "-m", "3"], "")?;
    ensure!(output.code != Some(0), "it came in\n{}", output.tail());
    Ok(output.tail())
}

/// One of the official tools as this principal.
fn tool(
    broker: &Broker,
    realm: &Realm,
    class: &str,
    principal: &str,
    arguments: &[&str],
    input: &str,
) -> Result<Output> {
    let keytab = realm.keytab(&principal.replace('/', "-"), principal)?;
    let file = broker.scratch("client.properties");
    let text = format!(
        "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=GSSAPI\nsasl.kerberos.service.name=kafka\n\
         sasl.jaas.config=com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true keyTab=\"{}\" \
         principal=\"{principal}@{REALM}\";\n",
        keytab.display()
    );
    fs::write(&file, text)?;
    let bootstrap = format!("localhost:{}", broker.port_of("KERBEROS"));
    let class = format!("org.apache.kafka.tools.{class}");
    let mut command = program::java(&class, &["--bootstrap-server", &bootstrap, "--command-config"]);
    command.arg(file).args(arguments).env("JAVA_TOOL_OPTIONS", realm.java_option());
    program::output(command, Input::Bytes(input.as_bytes().to_vec()), program::DEADLINE)
}

fn done(output: Output) -> Result<String> {
    ensure!(output.code == Some(0), "a tool ended with {:?}\n{}", output.code, output.tail());
    Ok(output.text())
}

/// Java and librdkafka, by a keytab and by a ticket that is there already.
fn clients(setup: &Setup) -> Result<Broker> {
    let realm = Realm::start()?;
    let broker = start(setup, &realm)?;
    let keytab = realm.keytab("alice", "alice")?;
    done(tool(&broker, &realm, "TopicCommand", "alice", &["--create", "--topic", "java"], "")?)?;
    done(tool(&broker, &realm, "ConsoleProducer", "alice", &["--topic", "java"], "one\ntwo\n")?)?;
    let whole = ["--topic", "java", "--from-beginning", "--max-messages", "2", "--timeout-ms", "30000"];
    let read = done(tool(&broker, &realm, "consumer.ConsoleConsumer", "alice", &whole, "")?)?;
    ensure!(read == "one\ntwo\n", "Java has read {read:?}");
    round_trip(&broker, &realm, &Ticket::Keytab("alice", &keytab), "keytab")?;
    let cache = realm.ticket("alice", &keytab, "10m")?;
    round_trip(&broker, &realm, &Ticket::Cache(&cache), "ticket")?;
    Ok(broker)
}

/// A rule makes `alice-team` of a name with two components; the other's `DEFAULT` makes a name without rights.
fn names(setup: &Setup) -> Result<Broker> {
    let realm = Realm::start()?;
    let broker = start(setup, &realm)?;
    let team = realm.keytab("team", "alice/Team")?;
    round_trip(&broker, &realm, &Ticket::Keytab("alice/Team", &team), "team")?;
    let bob = realm.keytab("bob", "bob")?;
    let ticket = realm.ticket("bob", &bob, "10m")?;
    let written = kcat(&broker, &realm, &Ticket::Cache(&ticket), &["-P", "-t", "team", "-p", "0"], "three\n")?;
    ensure!(written.tail().contains("authorization failed"), "bob may write\n{}", written.tail());
    if setup.peer == Peer::Klamm {
        ensure!(broker.log_text().contains("Principal = User:bob is Denied"), "the log does not know bob");
    }
    Ok(broker)
}

/// What a client meets that does not prove who it is; the others go on.
fn refused(setup: &Setup) -> Result<Broker> {
    let realm = Realm::start()?;
    let mut broker = start(setup, &realm)?;
    let keytab = realm.keytab("alice", "alice")?;
    let alice = realm.ticket("alice", &keytab, "10m")?;
    round_trip(&broker, &realm, &Ticket::Cache(&alice), "before")?;
    // These say so themselves.
    let none = attempt(&broker, &realm, &Ticket::Cache(&realm.path("no-such-cache")))?;
    ensure!(none.contains("No Kerberos credentials available"), "{none}");
    let short = realm.expired("alice", &keytab)?;
    let expired = attempt(&broker, &realm, &Ticket::Cache(&short))?;
    // In the second of its end the KDC still takes it, and the library does not.
    ensure!(expired.contains("Ticket expired") || expired.contains("context has expired"), "{expired}");
    // A name that no rule shortens: Kafka lets its client in and closes with the next request.
    let long = realm.keytab("long", "a/b/c")?;
    let long = realm.ticket("a/b/c", &long, "10m")?;
    let told = attempt(&broker, &realm, &Ticket::Cache(&long))?;
    if setup.peer == Peer::Klamm {
        ensure!(told.contains(REFUSED), "{told}");
        ensure!(broker.log_text().contains("Malformed Kerberos name: a/b/c@KLAMM.TEST"), "the log has another reason");
    }
    // Tickets for a key that the broker does not have.
    realm.exchange_key(SERVICE)?;
    let wrong = realm.ticket("alice", &keytab, "10m")?;
    let told = attempt(&broker, &realm, &Ticket::Cache(&wrong))?;
    ensure!(told.contains(REFUSED), "{told}");
    let java = tool(&broker, &realm, "TopicCommand", "carol", &["--list"], "")?;
    ensure!(java.code != Some(0) && java.tail().contains(REFUSED), "{}", java.tail());
    // The ticket from before is as good as it was, as is the connection of one who has it.
    round_trip(&broker, &realm, &Ticket::Cache(&alice), "after")?;
    broker.assert_alive()?;
    Ok(broker)
}

/// A login that was listened to is worth nothing for another connection.
fn replayed(setup: &Setup) -> Result<Broker> {
    let realm = Realm::start()?;
    let broker = start(setup, &realm)?;
    let keytab = realm.keytab("alice", "alice")?;
    let ticket = Ticket::Cache(&realm.ticket("alice", &keytab, "10m")?);
    let tap = Tap::on(broker.port_of("KERBEROS"))?;
    let listed = kcat_at(tap.port(), &realm, &ticket, &["-L", "-m", "10"], "")?;
    ensure!(listed.code == Some(0), "{}", listed.tail());
    let frames = tap.frames()?;
    // ApiVersions, SaslHandshake, the token with the ticket.
    ensure!(frames.len() > 3, "{} frames", frames.len());
    let mut other = Raw::connect(broker.port_of("KERBEROS"))?;
    for frame in &frames[..2] {
        other.send_frame(frame);
        other.frame()?;
    }
    other.send_frame(&frames[2]);
    let told = other.frame()?;
    ensure!(String::from_utf8_lossy(&told).contains(REFUSED), "{}", told.escape_ascii());
    other.expect_closed()?;
    if setup.peer == Peer::Klamm {
        ensure!(broker.log_text().contains("Request is a replay"), "the log has another reason");
    }
    round_trip(&broker, &realm, &ticket, "after")?;
    Ok(broker)
}

/// A keytab that gets a new key is read without a restart.
fn exchanged_keys(setup: &Setup) -> Result<Broker> {
    let realm = Realm::start()?;
    let broker = start(setup, &realm)?;
    let keytab = realm.keytab("alice", "alice")?;
    let before = realm.ticket("alice", &keytab, "10m")?;
    round_trip(&broker, &realm, &Ticket::Cache(&before), "first")?;
    realm.exchange_key(SERVICE)?;
    realm.keytab("broker", SERVICE)?;
    let after = realm.ticket("alice", &keytab, "10m")?;
    round_trip(&broker, &realm, &Ticket::Cache(&after), "second")?;
    round_trip(&broker, &realm, &Ticket::Cache(&before), "third")?;
    Ok(broker)
}

/// A client of before SaslAuthenticate, whose tokens are no requests; behind the last one it hears nothing.
fn old_handshake(setup: &Setup) -> Result<Broker> {
    let realm = Realm::start()?;
    let broker = start(setup, &realm)?;
    let keytab = realm.keytab("alice", "alice")?;
    let ticket = realm.ticket("alice", &keytab, "10m")?;
    let old = ["-X", "api.version.request=false", "-X", "broker.version.fallback=0.10.0.0", "-L", "-m", "10"];
    let listed = kcat(&broker, &realm, &Ticket::Cache(&ticket), &old, "")?;
    ensure!(listed.code == Some(0) && listed.text().contains("1 brokers"), "{}", listed.tail());
    Ok(broker)
}

/// What a broker must have is looked at before it serves.
fn stopped_starts(setup: &Setup) -> Result<Broker> {
    let realm = Realm::start()?;
    let broker = start(setup, &realm)?;
    if setup.peer == Peer::Kafka {
        return Ok(broker);
    }
    let good = realm.keytab("other", "kafka/other")?;
    let cases = [
        ("no such keytab", text(&realm.path("no.keytab")), "no key of kafka/localhost@KLAMM.TEST in "),
        ("another's key", text(&good), "no key of kafka/localhost@KLAMM.TEST in "),
        ("bad rule", text(&realm.path("broker.keytab")).replace("/L,DEFAULT", "/l,DEFAULT"), "Invalid rule: "),
    ];
    for (name, text, sentence) in cases {
        let file = broker.scratch("stopped.properties");
        let mut text = text.replace("@DATA@", &broker.scratch("stopped").display().to_string());
        for port in ["@CONTROLLER@", "@PLAIN@", "@KERBEROS@"] {
            text = text.replace(port, "0");
        }
        fs::write(&file, text)?;
        let mut command = klamm::command(&[])?;
        command.arg(file).env("KAFKA_OPTS", realm.java_option());
        let output = program::output(command, Input::Nothing, program::DEADLINE)?;
        let said = output.tail();
        ensure!(output.code != Some(0) && said.contains(sentence), "{name}: expected {sentence}\n{said}");
    }
    Ok(broker)
}
