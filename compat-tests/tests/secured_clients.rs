//! Ten client libraries at each kind of secured listener, with each mechanism: they write and read, and are refused in their own
//! words. The table of cases is `src/login.rs`; what a library cannot do stands here with its reason.

use compat_tests::broker::{Broker, Setup};
use compat_tests::login::{CASES, Case, Library, Program, Turn};
use compat_tests::raw::Raw;
use compat_tests::secured::secured;
use compat_tests::suite::{BOTH, Suite};
use compat_tests::{Result, ensure};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

/// For all cases of a library, where those that are refused may wait for time-outs.
const WITHIN: Duration = Duration::from_secs(240);

/// What the broker says of a wrong password; most libraries hand it on.
const WRONG_PLAIN: (&str, &[&str]) = ("wrong-plain", &["Authentication failed: Invalid username or password"]);
const WRONG_SCRAM: (&str, &[&str]) = ("wrong-scram", &["due to invalid credentials with SASL mechanism SCRAM-SHA-512"]);
const WRONG_SCOPE: (&str, &[&str]) =
    ("wrong-scope", &["{\"status\":\"insufficient_scope\", \"scope\":\"[requiredScope]\"}"]);
/// librdkafka says it in its own words or in OpenSSL's, as it comes to see it.
const UNKNOWN_AUTHORITY: &[&str] = &["broker certificate could not be verified", "certificate verify failed"];
/// What OpenSSL and Go call the alerts by which Klamm (116) and Apache Kafka (42) tell that a certificate is wanted: of the two
/// ours names what is wrong (ARCHITECTURE.md, `server/`).
const CERTIFICATE_IS_WANTED: &[&str] = &["certificate required", "bad certificate"];
const SELF_SIGNED: &[&str] = &["self-signed certificate in certificate chain"];
const DISCONNECTED: &str = "socket disconnected";
const CLOSED: &[&str] = &["losed"];

const PROOF_OF_OLD: &str = "Debian's librdkafka 2.0.2 is refused with the right password by Apache Kafka, too";

const LIBRARIES: &[Library] = &[
    Library {
        name: "kcat",
        program: Program::Kcat,
        cannot: &[
            ("scram-256", PROOF_OF_OLD),
            ("scram-512", PROOF_OF_OLD),
            ("tls-scram-256", PROOF_OF_OLD),
            ("tls-scram-512", PROOF_OF_OLD),
            ("wrong-scram", PROOF_OF_OLD),
        ],
        says: &[
            WRONG_PLAIN,
            WRONG_SCOPE,
            ("unknown-authority", UNKNOWN_AUTHORITY),
            ("no-certificate", CERTIFICATE_IS_WANTED),
        ],
    },
    Library {
        name: "java",
        program: Program::Java,
        cannot: &[],
        says: &[
            WRONG_PLAIN,
            WRONG_SCRAM,
            WRONG_SCOPE,
            ("unknown-authority", &["unable to find valid certification path to requested target"]),
            ("no-certificate", &["certificate_required", "bad_certificate"]),
        ],
    },
    Library {
        name: "franz-go",
        program: Program::Go,
        cannot: &[],
        says: &[
            WRONG_PLAIN,
            WRONG_SCRAM,
            ("wrong-scope", &["unexpected data in oauth response"]),
            ("unknown-authority", &["certificate signed by unknown authority"]),
            ("no-certificate", CERTIFICATE_IS_WANTED),
        ],
    },
    Library {
        name: "sarama",
        program: Program::Go,
        cannot: &[],
        says: &[
            WRONG_PLAIN,
            WRONG_SCRAM,
            ("wrong-scope", &["due to invalid credentials with SASL mechanism OAUTHBEARER"]),
            ("unknown-authority", &["certificate signed by unknown authority"]),
            ("no-certificate", CERTIFICATE_IS_WANTED),
        ],
    },
    Library {
        name: "kafkajs",
        program: Program::Node,
        cannot: &[],
        says: &[
            WRONG_PLAIN,
            WRONG_SCRAM,
            // It takes the broker's challenge for the end of the exchange, and goes on.
            ("wrong-scope", &["Request is not valid given the current SASL state"]),
            ("unknown-authority", SELF_SIGNED),
            ("no-certificate", CERTIFICATE_IS_WANTED),
        ],
    },
    Library {
        name: "platformatic",
        program: Program::Node,
        cannot: &[],
        says: &[
            ("wrong-plain", &["SASL authentication failed"]),
            ("wrong-scram", &["SASL authentication failed"]),
            // It takes the broker's challenge for the end of the exchange, and goes on.
            ("wrong-scope", &["Request is not valid given the current SASL state"]),
            ("unknown-authority", SELF_SIGNED),
            ("no-certificate", CLOSED),
        ],
    },
    Library {
        name: "kafka-python",
        program: Program::Python,
        cannot: &[],
        says: &[
            // An answer with the end of the connection behind it, it often does not read, from Apache Kafka either.
            ("wrong-plain", &["Authentication failed: Invalid username or password", DISCONNECTED]),
            ("wrong-scram", &["due to invalid credentials with SASL mechanism SCRAM-SHA-512", DISCONNECTED]),
            ("wrong-scope", &["insufficient_scope", DISCONNECTED]),
            ("unknown-authority", SELF_SIGNED),
            ("no-certificate", &["ALERT_CERTIFICATE_REQUIRED", "ALERT_BAD_CERTIFICATE"]),
        ],
    },
    Library {
        name: "aiokafka",
        program: Program::Python,
        cannot: &[],
        says: &[
            WRONG_PLAIN,
            WRONG_SCRAM,
            // It takes the broker's challenge for the end of the exchange, goes on, and does not read that it may not.
            ("wrong-scope", &["No broker metadata found in MetadataResponse"]),
            ("unknown-authority", SELF_SIGNED),
            ("no-certificate", CLOSED),
        ],
    },
    Library {
        name: "confluent",
        program: Program::Python,
        cannot: &[],
        says: &[
            WRONG_PLAIN,
            WRONG_SCRAM,
            WRONG_SCOPE,
            ("unknown-authority", UNKNOWN_AUTHORITY),
            ("no-certificate", CERTIFICATE_IS_WANTED),
        ],
    },
    Library {
        name: "rskafka",
        program: Program::Rust,
        cannot: &[],
        says: &[
            // It shows the code, and not the broker's words.
            ("wrong-plain", &["SaslAuthenticationFailed"]),
            ("wrong-scram", &["SaslAuthenticationFailed"]),
            // It has nothing that takes the broker's challenge.
            ("wrong-scope", &["Sasl session error: callback error"]),
            ("unknown-authority", &["invalid peer certificate: UnknownIssuer"]),
            ("no-certificate", &["fatal alert: CertificateRequired", "fatal alert: BadCertificate"]),
        ],
    },
];

fn main() -> ExitCode {
    let mut suite = Suite::new("secured_clients");
    for library in LIBRARIES {
        suite = suite.own_start(library.name, BOTH, &[], move |setup| comes_in(setup, library));
    }
    suite.run()
}

fn comes_in(setup: &Setup, library: &Library) -> Result<Broker> {
    let unknown = library.cannot.iter().find(|(name, _)| !CASES.iter().any(|case| case.name == *name));
    ensure!(unknown.is_none(), "no case is called so: {unknown:?}");
    let mut broker = Broker::start(&secured(setup).with(&[("group.initial.rebalance.delay.ms", "0")]))?;
    let can = |case: &&Case| !library.cannot.iter().any(|(name, _)| *name == case.name);
    let cases: Vec<Case> = CASES.iter().filter(can).copied().collect();
    let mut raw = Raw::connect(broker.port())?;
    cases.iter().try_for_each(|case| raw.create_topic(&library.topic(case), 1, &[]))?;
    let answers = library.log_in(&broker, &cases, WITHIN)?;
    ensure!(answers.len() == cases.len(), "{} answers for {} cases", answers.len(), cases.len());
    let judged = cases.iter().zip(&answers).filter_map(|(case, answer)| problem(library, case, answer));
    let problems: Vec<String> = judged.collect();
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    broker.assert_alive()?;
    Ok(broker)
}

/// What is wrong with an answer.
fn problem(library: &Library, case: &Case, answer: &Value) -> Option<String> {
    if case.turn == Turn::In {
        let came_in = *answer == json!({ "read": ["one", "two"] });
        return (!came_in).then(|| format!("{}: {answer}", case.name));
    }
    let words = library.says.iter().find(|(name, _)| *name == case.name).map_or(&[][..], |(_, words)| words);
    let error = answer["error"].as_str().unwrap_or_default();
    let is_right = words.iter().any(|words| error.contains(words));
    (!is_right).then(|| format!("{}: none of {words:?} in {answer}", case.name))
}
