//! Whole `server.properties` in the shapes of known images, with what secures them: `klamm FILE` serves clients, and tells others
//! that they may not come in. The files were written for this test.

use compat_tests::broker::{Broker, Setup};
use compat_tests::login::{Case, Library, Program, Transport, Turn};
use compat_tests::program::{self, Input};
use compat_tests::secured::{SCOPE, STORE_PASSWORD, store};
use compat_tests::suite::{ONE, Suite};
use compat_tests::{Result, ensure};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

use Transport::{Mutual, Plain, Tls};

const WITHIN: Duration = Duration::from_secs(120);

struct Shape {
    name: &'static str,
    text: &'static str,
    listeners: &'static [(&'static str, &'static str)],
    cases: &'static [Case],
}

const SHAPES: &[Shape] = &[
    Shape {
        name: "confluent",
        text: include_str!("confluent.properties"),
        listeners: &[("SASL_SSL", "SASL_SSL"), ("SSL", "SSL")],
        cases: &[
            Case::new("plain", "SASL_SSL", Tls, "PLAIN", Turn::In),
            Case::new("scram", "SASL_SSL", Tls, "SCRAM-SHA-512", Turn::In),
            Case::new("certificate", "SSL", Mutual, "", Turn::In),
            Case::new("wrong-plain", "SASL_SSL", Tls, "PLAIN", Turn::WrongPassword),
            Case::new("no-certificate", "SSL", Tls, "", Turn::NoCertificate),
        ],
    },
    Shape {
        name: "bitnami",
        text: include_str!("bitnami.properties"),
        listeners: &[("CLIENT", "SASL_SSL"), ("INTERNAL", "SASL_PLAINTEXT"), ("EXTERNAL", "SASL_PLAINTEXT")],
        cases: &[
            Case::new("client-plain", "CLIENT", Tls, "PLAIN", Turn::In),
            Case::new("client-scram-256", "CLIENT", Tls, "SCRAM-SHA-256", Turn::In),
            Case::new("internal", "INTERNAL", Plain, "SCRAM-SHA-512", Turn::In),
            Case::new("external", "EXTERNAL", Plain, "PLAIN", Turn::In),
            Case::new("internal-plain", "INTERNAL", Plain, "PLAIN", Turn::NotOffered),
            Case::new("wrong-scram", "CLIENT", Tls, "SCRAM-SHA-512", Turn::WrongPassword),
        ],
    },
    Shape {
        name: "strimzi",
        text: include_str!("strimzi.properties"),
        listeners: &[
            ("REPLICATION-9091", "SSL"),
            ("TLS-9093", "SSL"),
            ("EXTERNAL-9094", "SASL_SSL"),
            ("OAUTH-9095", "SASL_PLAINTEXT"),
        ],
        cases: &[
            Case::new("replication", "REPLICATION-9091", Mutual, "", Turn::In),
            Case::new("tls", "TLS-9093", Mutual, "", Turn::In),
            Case::new("external", "EXTERNAL-9094", Tls, "SCRAM-SHA-512", Turn::In),
            Case::new("oauth", "OAUTH-9095", Plain, "OAUTHBEARER", Turn::In),
            Case::new("no-certificate", "TLS-9093", Tls, "", Turn::NoCertificate),
            Case::new("external-plain", "EXTERNAL-9094", Tls, "PLAIN", Turn::NotOffered),
        ],
    },
];
const LIBRARIES: &[Library] = &[
    Library { name: "java", program: Program::Java, cannot: &[], says: &[] },
    Library { name: "confluent", program: Program::Python, cannot: &[], says: &[] },
];

fn main() -> ExitCode {
    let mut suite = Suite::new("secured_servers");
    for shape in SHAPES {
        suite = suite.own_start(shape.name, ONE, &[], move |setup| serves(setup, shape));
    }
    suite.run()
}

fn set_up(plain: &Setup, shape: &Shape) -> Setup {
    let users = [
        "--add-scram",
        "SCRAM-SHA-512=[name=admin,password=admin-secret]",
        "--add-scram",
        "SCRAM-SHA-512=[name=alice,password=alice-secret]",
        "--add-scram",
        "SCRAM-SHA-256=[name=alice,password=alice-secret]",
    ];
    let mut setup = plain.clone().listening(shape.listeners).formatted(&users);
    // What Strimzi's containers have.
    setup.variables = vec![("CERTS_STORE_PASSWORD", STORE_PASSWORD.into())];
    setup
}

/// The file as the test needs it: with stores, and a place of the test's own for what is made.
fn text(shape: &Shape, scratch: &tempfile::TempDir) -> Result<String> {
    let pem = std::fs::read_to_string(store("key.pem"))? + &std::fs::read_to_string(store("chain.pem"))?;
    std::fs::write(scratch.path().join("kafka.keystore.pem"), pem)?;
    // As an init container leaves it.
    std::fs::create_dir(scratch.path().join("init"))?;
    std::fs::write(scratch.path().join("init/rack.id"), "eu-1a")?;
    std::fs::write(scratch.path().join("oauth.properties"), format!("name=thePrincipalName\nscope={SCOPE}\n"))?;
    let stores = store("");
    let text = shape.text.replace("@STORES@", stores.trim_end_matches('/'));
    Ok(text.replace("@SCRATCH@", &scratch.path().display().to_string()))
}

fn serves(setup: &Setup, shape: &Shape) -> Result<Broker> {
    let scratch = tempfile::tempdir()?;
    let text = text(shape, &scratch)?;
    let mut broker = Broker::start_on_file(&set_up(setup, shape), &text)?;
    for library in LIBRARIES {
        let answers = library.log_in(&broker, shape.cases, WITHIN)?;
        ensure!(answers.len() == shape.cases.len(), "{} answers of {}", answers.len(), library.name);
        let problems: Vec<String> = shape.cases.iter().zip(&answers).filter_map(problem).collect();
        ensure!(problems.is_empty(), "{}: {}", library.name, problems.join("\n"));
    }
    if shape.name == "strimzi" {
        let rack = rack(&broker)?;
        ensure!(rack.contains("rack: eu-1a"), "the broker is in another rack\n{rack}");
    }
    broker.assert_alive()?;
    let log = broker.log_text();
    ensure!(
        !["storepass", "-secret", "controller_password"].iter().any(|secret| log.contains(secret)),
        "a password is in the log"
    );
    Ok(broker)
}

/// What the official tool says of the brokers, among it their racks.
fn rack(broker: &Broker) -> Result<String> {
    let file = broker.scratch("client.properties");
    let ca = store("ca.pem");
    let text = format!(
        "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\nssl.truststore.type=PEM\nssl.truststore.location={ca}\n\
         sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username=\"admin\" \
         password=\"admin-secret\";\n"
    );
    std::fs::write(&file, text)?;
    let bootstrap = format!("localhost:{}", broker.port_of("EXTERNAL-9094"));
    let class = "org.apache.kafka.tools.BrokerApiVersionsCommand";
    let mut command = program::java(class, &["--bootstrap-server", &bootstrap, "--command-config"]);
    command.arg(file);
    Ok(program::run(command, Input::Nothing)?.text())
}

fn problem((case, answer): (&Case, &Value)) -> Option<String> {
    let right = match case.turn {
        Turn::In => *answer == json!({ "read": ["one", "two"] }),
        Turn::NotOffered => says(answer, "not enabled in the server") || says(answer, "nsupported"),
        Turn::WrongPassword => says(answer, "Authentication failed"),
        _ => says(answer, "certificate_required") || says(answer, "certificate required") || says(answer, "bad"),
    };
    (!right).then(|| format!("{}: {answer}", case.name))
}

fn says(answer: &Value, words: &str) -> bool {
    answer["error"].as_str().is_some_and(|error| error.contains(words))
}
