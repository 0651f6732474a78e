//! OAUTHBEARER with tokens that a provider has signed: a provider on this machine (`clients/python/oidc.py`, whose signatures are
//! openssl's), confluent-kafka with a token of its own, the official tools with Kafka's client credentials flow. Keys by HTTP,
//! by TLS and out of a file; keys that are exchanged; tokens that end; what each client is told that may not come in.

use compat_tests::broker::{Broker, Peer, Setup};
use compat_tests::program::{self, Input};
use compat_tests::suite::{BOTH, ONE, Suite};
use compat_tests::{Context, Result, bail, cache, ensure};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const MODULE: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";
const HANDLER: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler";
const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const STORES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../src/security/store/testdata");
/// How long a key that is new may not be known.
const SOON: Duration = Duration::from_secs(15);
/// Between two looks at what is waited for.
const PAUSE: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    Suite::new("oauth")
        .own_start("clients", BOTH, &[], clients)
        .own_start("refused", BOTH, &[], refused)
        .own_start("tokens_that_end", ONE, &[], tokens_that_end)
        .own_start("exchanged_keys", BOTH, &[], exchanged_keys)
        .own_start("keys_of_a_file", ONE, &[], keys_of_a_file)
        .own_start("keys_over_tls", ONE, &[], keys_over_tls)
        .at_once(4)
        .run()
}

/// A provider of tokens; it ends with this.
struct Provider {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
    scheme: &'static str,
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Provider {
    fn start(certificate: &[&str]) -> Result<Provider> {
        let folder = tempfile::tempdir()?;
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/python/oidc.py");
        let mut command = Command::new("python3");
        command.args(["-B", script]).arg(folder.path()).args(certificate).stdout(Stdio::piped()).stdin(Stdio::null());
        program::die_with_us(&mut command);
        let mut child = command.spawn().context("cannot start the provider")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let port = line.trim().parse().context("the provider has not said its port")?;
        Ok(Provider { child, port, folder, scheme: if certificate.is_empty() { "http" } else { "https" } })
    }

    fn url(&self, path: &str) -> String {
        let host = if self.scheme == "https" { "localhost" } else { "127.0.0.1" };
        format!("{}://{host}:{}{path}", self.scheme, self.port)
    }

    /// The body of an answer, where there is no TLS.
    fn ask(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
        ensure!(head.contains(" 200 "), "{head}");
        Ok(body.to_string())
    }

    fn token(&self, query: &str) -> Result<String> {
        self.ask(&format!("/token?{query}"))
    }
}

/// A broker that takes a provider's tokens, by the keys at this address.
fn start(setup: &Setup, url: &str, options: &str, more: &[(&str, &str)]) -> Result<Broker> {
    let module = format!("{MODULE} required{options};");
    let own = [
        ("listener.security.protocol.map", "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"),
        ("inter.broker.listener.name", "PLAINTEXT"),
        ("sasl.mechanism.inter.broker.protocol", "PLAIN"),
        ("sasl.enabled.mechanisms", "PLAIN,OAUTHBEARER"),
        (
            "listener.name.plaintext.plain.sasl.jaas.config",
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"admin\" password=\"of admin\" \
             user_admin=\"of admin\";",
        ),
        ("listener.name.plaintext.oauthbearer.sasl.jaas.config", &module),
        ("listener.name.plaintext.oauthbearer.sasl.server.callback.handler.class", HANDLER),
        ("listener.name.plaintext.oauthbearer.sasl.oauthbearer.jwks.endpoint.url", url),
        ("listener.name.plaintext.oauthbearer.sasl.oauthbearer.expected.audience", "other,klamm"),
        ("listener.name.plaintext.oauthbearer.sasl.oauthbearer.expected.issuer", "https://provider"),
        ("listener.name.plaintext.oauthbearer.sasl.oauthbearer.clock.skew.seconds", "0"),
        ("group.initial.rebalance.delay.ms", "0"),
    ];
    let mut setup = setup.clone().with(&own).with(more);
    setup.java_options = Some(format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={url}"));
    Broker::start(&setup)
}

/// Writes for so many seconds, and reads; each time that librdkafka asks, the provider gives a token. Prints what it is told.
const CONFLUENT: &str = r#"
import base64, json, ssl, sys, time
from urllib.request import urlopen
from confluent_kafka import Consumer, Producer
bootstrap, topic, seconds, url = sys.argv[1:]
asked = 0

def fetch(_):
    global asked
    asked += 1
    tls = ssl._create_unverified_context() if url.startswith("https") else None
    token = urlopen(url, context=tls).read().decode()
    end = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "==="))["exp"]
    # What has ended is not sent by librdkafka, unless it is told something else.
    return token, max(end, time.time() + 60) if "seconds=-" in url else end

def failed(error):
    print(error.str(), flush=True)
    sys.exit(1)

login = {"bootstrap.servers": bootstrap, "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "OAUTHBEARER",
         "oauth_cb": fetch, "error_cb": failed}
producer = Producer(login)
until = time.time() + float(seconds)
count = 0
while True:
    producer.produce(topic, b"x", on_delivery=lambda error, _: error and failed(error))
    count += 1
    assert producer.flush(30) == 0
    if time.time() > until and count > 1:
        break
    time.sleep(0.2)
consumer = Consumer(login | {"group.id": topic, "auto.offset.reset": "earliest"})
consumer.subscribe([topic])
read = 0
while read < count:
    message = consumer.poll(30)
    assert message is not None and message.error() is None, message
    read += 1
print("asked", asked > 3)
consumer.close()
"#;

fn python(broker: &Broker, topic: &str, seconds: u32, provider: &Provider, query: &str) -> Command {
    let mut python = Command::new(cache::root().join("venv/bin/python"));
    python.args(["-B", "-c", CONFLUENT, &broker.bootstrap(), topic, &seconds.to_string()]);
    python.arg(provider.url(&format!("/token?{query}")));
    python
}

/// An official tool as the client `alice` of the provider.
fn tool(broker: &Broker, provider: &Provider, arguments: &[&str]) -> Result<Command> {
    let file = broker.scratch("client.properties");
    let url = provider.url("/token");
    let text = format!(
        "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=OAUTHBEARER\n\
         sasl.login.callback.handler.class=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler\n\
         sasl.oauthbearer.token.endpoint.url={url}\nsasl.oauthbearer.client.credentials.client.id=alice\n\
         sasl.oauthbearer.client.credentials.client.secret=of alice\nsasl.jaas.config={MODULE} required;\n"
    );
    fs::write(&file, text)?;
    let mut command = program::java(TOPICS, &["--bootstrap-server", &broker.bootstrap()]);
    command.env("JAVA_TOOL_OPTIONS", format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={url}"));
    command.arg("--command-config").arg(file).args(arguments);
    Ok(command)
}

fn clients(setup: &Setup) -> Result<Broker> {
    let provider = Provider::start(&[])?;
    let broker = start(setup, &provider.url("/keys"), "", &[])?;
    let confluent = python(&broker, "confluent", 0, &provider, "");
    let listed = thread::scope(|scope| {
        let beside = scope.spawn(|| program::run(confluent, Input::Nothing));
        program::run(tool(&broker, &provider, &["--create", "--topic", "java"])?, Input::Nothing)?;
        let listed = program::run(tool(&broker, &provider, &["--list"])?, Input::Nothing)?.text();
        beside.join().expect("no panic").map(|_| listed)
    })?;
    ensure!(listed.lines().any(|line| line == "java"), "{listed}");
    Ok(broker)
}

/// Every client is told the same, whatever is wrong with its token, and the log does not have the token.
fn refused(setup: &Setup) -> Result<Broker> {
    let provider = Provider::start(&[])?;
    let broker = start(setup, &provider.url("/keys"), "", &[])?;
    let is_refused = &|query: &str| -> Result<()> {
        let output = program::output(python(&broker, "x", 0, &provider, query), Input::Nothing, program::DEADLINE)?;
        let said = output.tail();
        let words = "SASL authentication error: {\"status\":\"invalid_token\"}";
        ensure!(output.code != Some(0) && said.contains(words), "{query}: expected {words}\n{said}");
        Ok(())
    };
    let queries = ["by=stranger", "seconds=-2", "aud=another", "iss=https://another", "sub=%20", "scope=%20"];
    thread::scope(|scope| {
        let asked = queries.map(|query| scope.spawn(move || is_refused(query)));
        asked.into_iter().try_for_each(|one| one.join().expect("no panic"))
    })?;
    program::run(python(&broker, "neighbour", 0, &provider, ""), Input::Nothing)?;
    let claims = provider.token("by=stranger")?.split('.').nth(1).unwrap_or_default()[..40].to_string();
    if broker.setup().peer == Peer::Klamm {
        ensure!(!broker.log_text().contains(&claims), "a token is in the log");
        let lines = broker.log_text();
        let is_told = |line: &&str| {
            line.contains("login refused: principal=") && line.contains(" mechanism=OAUTHBEARER host=127.0.0.1")
        };
        let lines = lines.lines().filter(is_told);
        ensure!(lines.count() >= 1, "the audit log says nothing");
    }
    Ok(broker)
}

/// A session lasts as long as its token; a client that logs in again goes on. librdkafka does so when nine tenths of the
/// time have passed, and a second before that it may still have the old token, so that shorter tokens are none for it.
fn tokens_that_end(setup: &Setup) -> Result<Broker> {
    let provider = Provider::start(&[])?;
    let broker = start(setup, &provider.url("/keys"), "", &[])?;
    let said = program::run(python(&broker, "short", 45, &provider, "seconds=20"), Input::Nothing)?.text();
    ensure!(said.contains("asked True"), "{said}");
    Ok(broker)
}

/// A token by a key that is not known yet is refused, and makes the broker look for it.
fn exchanged_keys(setup: &Setup) -> Result<Broker> {
    let provider = Provider::start(&[])?;
    let broker = start(setup, &provider.url("/keys"), "", &[])?;
    program::run(python(&broker, "first", 0, &provider, ""), Input::Nothing)?;
    provider.ask("/rotate")?;
    let refused = program::output(python(&broker, "early", 0, &provider, ""), Input::Nothing, program::DEADLINE)?;
    ensure!(refused.code != Some(0), "the new key was known\n{}", refused.tail());
    until_let_in(&broker, &provider)?;
    Ok(broker)
}

fn until_let_in(broker: &Broker, provider: &Provider) -> Result<()> {
    let began = Instant::now();
    loop {
        let output = program::output(python(broker, "second", 0, provider, ""), Input::Nothing, program::DEADLINE)?;
        match output.code {
            Some(0) => return Ok(()),
            _ if began.elapsed() > SOON => bail!("the new key is not taken\n{}", output.tail()),
            _ => thread::sleep(PAUSE),
        }
    }
}

fn keys_of_a_file(setup: &Setup) -> Result<Broker> {
    let provider = Provider::start(&[])?;
    let path = provider.folder.path().join("jwks.json");
    fs::write(&path, provider.ask("/keys")?)?;
    let url = format!("file:{}", path.display());
    let broker = start(setup, &url, "", &[])?;
    program::run(python(&broker, "first", 0, &provider, ""), Input::Nothing)?;
    provider.ask("/rotate")?;
    fs::write(&path, provider.ask("/keys")?)?;
    until_let_in(&broker, &provider)?;
    fs::write(&path, "{")?;
    if broker.setup().peer == Peer::Klamm {
        let began = Instant::now();
        while !broker.log_text().contains("encountered an error; the keys stay") {
            ensure!(began.elapsed() < SOON, "the log says nothing");
            thread::sleep(PAUSE);
        }
        program::run(python(&broker, "third", 0, &provider, ""), Input::Nothing)?;
    }
    Ok(broker)
}

/// The provider's certificate must be vouched for by the trust store of the login module's options.
fn keys_over_tls(setup: &Setup) -> Result<Broker> {
    let (chain, key) = (format!("{STORES}/chain.pem"), format!("{STORES}/key.pem"));
    let provider = Provider::start(&[&chain, &key])?;
    // With options, Apache Kafka's module makes a token for the broker itself, which needs a name.
    let trust = |name: &str| {
        format!(
            " unsecuredLoginStringClaim_sub=\"broker\" ssl.truststore.type=\"PEM\" \
             ssl.truststore.location=\"{STORES}/{name}\""
        )
    };
    let stranger = start(setup, &provider.url("/keys"), &trust("stranger.pem"), &[]);
    ensure!(stranger.is_err(), "keys were taken from a stranger");
    let broker = start(setup, &provider.url("/keys"), &trust("ca.pem"), &[])?;
    program::run(python(&broker, "tls", 0, &provider, ""), Input::Nothing)?;
    Ok(broker)
}
