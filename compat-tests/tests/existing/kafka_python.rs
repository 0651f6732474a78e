//! kafka-python's own integration tests out of its source package, one process per test. The package lacks two of the files
//! that its tests import; `scripts/prepare.sh` adds them: an empty `__init__.py`, and services that start nothing.

use compat_tests::broker::Broker;
use compat_tests::foreign::{Ended, Finding, Foreign, Outcome, Unit};
use compat_tests::program::{self, Input};
use compat_tests::{Result, cache};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// pytest's own limit ends a test with the stacks of its threads, the deadline without.
const TEST_LIMIT: &str = "90";
const DEADLINE: Duration = Duration::from_secs(120);
const FILES: [&str; 3] = ["producer", "consumer", "admin"];

pub struct KafkaPython;

fn pytest(bootstrap: &str) -> Command {
    let mut command = Command::new(cache::root().join("venv/bin/python"));
    command.args(["-B", "-m", "pytest", "-o", "addopts=", "-p", "no:cacheprovider", "-p", "no:logging"]);
    command.current_dir(cache::root().join("suites/kafka_python"));
    command.env("KAFKA_ROOT", "/tmp").env("KAFKA_VERSION", "4.3.0");
    command.env("KAFKA_URI", format!("kafka://{bootstrap}"));
    command
}

impl Foreign for KafkaPython {
    fn name(&self) -> &'static str {
        "kafka_python"
    }

    fn brokers(&self) -> Vec<Vec<(&'static str, &'static str)>> {
        // As in its own server.properties; its tests know the number of the node, and want short sessions.
        vec![vec![
            ("group.initial.rebalance.delay.ms", "0"),
            ("num.partitions", "4"),
            ("node.id", "0"),
            ("group.min.session.timeout.ms", "1000"),
        ]]
    }

    fn units(&self) -> Result<Vec<Unit>> {
        let mut collect = pytest("127.0.0.1:1");
        collect.args(["--collect-only", "-q"]);
        collect.args(FILES.map(|file| format!("test/integration/test_{file}_integration.py")));
        let printed = program::run(collect, Input::Nothing)?.text();
        let tests = printed.lines().filter_map(|line| line.strip_prefix("test/integration/"));
        Ok(tests.map(|test| Unit { name: test.into(), deadline: DEADLINE, broker: 0 }).collect())
    }

    fn command(&self, unit: &Unit, _: &Broker, bootstrap: &str, directory: &Path) -> Result<Command> {
        let mut command = pytest(bootstrap);
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
