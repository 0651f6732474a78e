//! The integration tests of the crates `rdkafka` and `rskafka`, one process per test. The second is a Kafka client in Rust
//! alone, an implementation of the protocol that shares nothing with librdkafka.

use compat_tests::broker::{Broker, Setup};
use compat_tests::foreign::{Addresses, Ended, Finding, Foreign, Outcome, Unit};
use compat_tests::program::{self, Input};
use compat_tests::secured::secured;
use compat_tests::{Context, Result, cache};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(120);

pub struct RustCrate {
    name: &'static str,
    list: &'static str,
    environment: fn(&mut Command, &Addresses),
    broker: &'static [(&'static str, &'static str)],
    /// What a test means that ended well and never opened a connection.
    silent: Outcome,
}

pub static RDKAFKA: RustCrate = RustCrate {
    name: "rust_rdkafka",
    list: include_str!("rust_rdkafka.txt"),
    environment: |command, at| {
        command.env("KAFKA_HOST", at.bootstrap()).env("KAFKA_VERSION", "4.3");
    },
    // The broker of its own test script; its tests know the node's number.
    // It sends records of 1970, and the first look for old segments comes half a minute after the start.
    broker: &[
        ("group.initial.rebalance.delay.ms", "0"),
        ("num.partitions", "3"),
        ("node.id", "0"),
        ("log.retention.ms", "-1"),
    ],
    silent: Outcome::Local,
};

pub static RSKAFKA: RustCrate = RustCrate {
    name: "rskafka",
    list: include_str!("rskafka.txt"),
    environment: |command, at| {
        command.env("TEST_INTEGRATION", "1").env("TEST_BROKER_IMPL", "kafka");
        // Its authors put an address first that does not exist, on purpose.
        command.env("KAFKA_CONNECT", format!("invalid:9013,{}", at.bootstrap()));
        // It logs in as `admin` with a password of its own, which is ours, too.
        command.env("KAFKA_SASL_CONNECT", at.of("SASL_PLAINTEXT"));
    },
    // So it is in its authors' set-up.
    broker: &[("auto.create.topics.enable", "false")],
    // All of them need a broker; those that want more return early.
    silent: Outcome::Skipped,
};

impl RustCrate {
    fn folder(&self) -> PathBuf {
        cache::root().join("suites").join(self.name)
    }

    /// The test programs that `scripts/prepare.sh` built, each with its name.
    fn programs(&self) -> Result<Vec<(String, PathBuf)>> {
        let file = self.folder().join("programs.json");
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let program = |line: &str| {
            let message: serde_json::Value = serde_json::from_str(line).ok()?;
            let is_test = message["target"]["kind"][0] == "test" && message["executable"].is_string();
            let name = message["target"]["name"].as_str()?.to_string();
            is_test.then(|| Some((name, PathBuf::from(message["executable"].as_str()?))))?
        };
        Ok(text.lines().filter_map(program).collect())
    }
}

impl Foreign for RustCrate {
    fn name(&self) -> &'static str {
        self.name
    }

    fn brokers(&self, plain: &Setup) -> Vec<Setup> {
        vec![secured(plain).with(self.broker)]
    }

    fn units(&self) -> Result<Vec<Unit>> {
        let mut units = Vec::new();
        for (name, program) in self.programs()? {
            let mut list = Command::new(program);
            list.args(["--list", "--format", "terse"]).current_dir(self.folder());
            let printed = program::run(list, Input::Nothing)?.text();
            let tests = printed.lines().filter_map(|line| line.strip_suffix(": test"));
            units.extend(tests.map(|test| Unit { name: format!("{name}::{test}"), deadline: DEADLINE, broker: 0 }));
        }
        Ok(units)
    }

    fn command(&self, unit: &Unit, _: &Broker, at: &Addresses, directory: &Path) -> Result<Command> {
        let (name, test) = unit.name.split_once("::").context("a unit has a program and a test")?;
        let programs = self.programs()?;
        let (_, program) = programs.iter().find(|(found, _)| found == name).context("no such program")?;
        let mut command = Command::new(program);
        command.args(["--exact", test, "--nocapture"]).current_dir(directory);
        (self.environment)(&mut command, at);
        Ok(command)
    }

    fn findings(&self, unit: &Unit, ended: &Ended) -> Result<Vec<Finding>> {
        let has_passed = ended.code == Some(0) && ended.text.contains("test result: ok. 1 passed");
        let is_ignored = ended.code == Some(0) && ended.text.contains("0 passed; 0 failed; 1 ignored");
        let outcome = match (has_passed, is_ignored, ended.connections) {
            (true, _, 0) => self.silent.clone(),
            (true, ..) => Outcome::Passed,
            (_, true, _) => Outcome::Skipped,
            _ => Outcome::Failed,
        };
        Ok(vec![Finding::new(&unit.name, outcome)])
    }

    fn door(&self, _: &Unit) -> Option<Duration> {
        Some(Duration::ZERO)
    }

    fn list(&self) -> &'static str {
        self.list
    }
}
