//! kafka-python's own integration tests out of its source package, one process per test. The package lacks two of the files
//! that its tests import; `scripts/prepare.sh` adds them: an empty `__init__.py`, and services that start nothing. Those of
//! SASL and TLS would start brokers of their own; a plugin (`clients/python/klamm_broker.py`) gives them this one.

use compat_tests::broker::{Broker, Setup};
use compat_tests::foreign::{Addresses, Ended, Finding, Foreign, Outcome, Unit};
use compat_tests::program::{self, Input};
use compat_tests::secured::{WITH_RULES, secured, store};
use compat_tests::{Result, cache};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// pytest's own limit ends a test with the stacks of its threads, the deadline without.
const TEST_LIMIT: &str = "90";
const DEADLINE: Duration = Duration::from_secs(120);
const FILES: [&str; 5] = ["producer", "consumer", "admin", "sasl", "ssl"];
/// The files whose tests leave themselves out, or start a broker, where they are told of one.
const SECURED: [&str; 2] = ["test_sasl_", "test_ssl_"];

pub struct KafkaPython;

fn pytest(bootstrap: &str) -> Command {
    let mut command = Command::new(cache::root().join("venv/bin/python"));
    command.args(["-B", "-m", "pytest", "-o", "addopts=", "-p", "no:cacheprovider", "-p", "no:logging"]);
    command.current_dir(cache::root().join("suites/kafka_python"));
    command.env("KAFKA_ROOT", cache::root().join("suites/kafka_path")).env("KAFKA_VERSION", "4.3.0");
    command.env("KAFKA_URI", format!("kafka://{bootstrap}"));
    command
}

/// For the tests of SASL and TLS.
fn secured_pytest(at: &Addresses) -> Command {
    let mut command = pytest("");
    command.env_remove("KAFKA_URI").env("PYTHONPATH", cache::package().join("clients/python"));
    command.args(["-p", "klamm_broker"]).env("KLAMM_CA", store("ca.pem"));
    for listener in ["SASL_PLAINTEXT", "SSL"] {
        command.env(format!("KLAMM_{listener}"), at.of(listener));
    }
    command
}

impl Foreign for KafkaPython {
    fn name(&self) -> &'static str {
        "kafka_python"
    }

    fn brokers(&self, plain: &Setup) -> Vec<Setup> {
        // As in its own server.properties; its tests know the number of the node, and want short sessions.
        vec![secured(plain).with(WITH_RULES).with(&[
            ("group.initial.rebalance.delay.ms", "0"),
            ("num.partitions", "4"),
            ("node.id", "0"),
            ("group.min.session.timeout.ms", "1000"),
        ])]
    }

    fn units(&self) -> Result<Vec<Unit>> {
        let mut collect = pytest("127.0.0.1:1");
        collect.args(["--collect-only", "-q"]);
        collect.args(FILES.map(|file| format!("test/integration/test_{file}_integration.py")));
        let printed = program::run(collect, Input::Nothing)?.text();
        let tests = printed.lines().filter_map(|line| line.strip_prefix("test/integration/"));
        Ok(tests.map(|test| Unit { name: test.into(), deadline: DEADLINE, broker: 0 }).collect())
    }

    fn command(&self, unit: &Unit, _: &Broker, at: &Addresses, directory: &Path) -> Result<Command> {
        let is_secured = SECURED.iter().any(|file| unit.name.starts_with(file));
        let mut command = if is_secured { secured_pytest(at) } else { pytest(&at.bootstrap()) };
        command.args(["--timeout", TEST_LIMIT, "--timeout-method=signal", "-rs"]);
        command.arg(format!("test/integration/{}", unit.name)).env("TMPDIR", directory);
        Ok(command)
    }

    fn findings(&self, unit: &Unit, ended: &Ended) -> Result<Vec<Finding>> {
        let last = ended.text.lines().rev().find(|line| line.starts_with("==")).unwrap_or_default();
        let outcome = match (ended.code, last.contains(" skipped"), last.contains(" passed")) {
            (Some(0), true, _) => Outcome::Skipped,
            (Some(0), false, true) => Outcome::Passed,
            _ => Outcome::Failed,
        };
        Ok(vec![Finding::new(&unit.name, outcome)])
    }

    fn list(&self) -> &'static str {
        include_str!("kafka_python.txt")
    }
}
