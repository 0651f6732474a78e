//! franz-go's own tests of `pkg/kgo`, one process per test. Its chains of groups check every offset for loss, duplication
//! and order. Tests that the broker's ApiVersions makes it skip are skips and have to be on the list.

use compat_tests::broker::{Broker, Setup};
use compat_tests::foreign::{Addresses, Ended, Finding, Foreign, Outcome, Unit};
use compat_tests::program::{self, Input};
use compat_tests::secured::{USERS, secured};
use compat_tests::{Result, cache};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The tests' own number of records is 500,000.
const RECORDS: &str = "20000";
/// Go's own limit ends a test with the stacks of all that runs, the deadline without.
const GO_LIMIT: &str = "240s";
const DEADLINE: Duration = Duration::from_secs(260);

/// Its case of the consumer protocol asks for what an earlier test of the process has found out about the broker, and skips
/// itself without: such a test runs twice, and the second run counts.
const TWICE: [&str; 1] = ["TestGroupSimple"];

/// They look at what a client was told, and end without asking a broker: whether the client has connected by then is a matter of luck,
/// so that the number of tests before the broker would be as well.
const NEED_NO_BROKER: [&str; 2] = ["TestConsumeTopicRetrieval", "TestConsumeTopicRetrieval_Many"];

pub struct Kgo;

fn binary() -> PathBuf {
    cache::root().join("go/kgo.test")
}

impl Foreign for Kgo {
    fn name(&self) -> &'static str {
        "kgo"
    }

    fn brokers(&self, plain: &Setup) -> Vec<Setup> {
        vec![secured(plain).with(&[("group.initial.rebalance.delay.ms", "0")])]
    }

    fn units(&self) -> Result<Vec<Unit>> {
        let mut list = Command::new(binary());
        list.args(["-test.list", "."]);
        let printed = program::run(list, Input::Nothing)?.text();
        let tests = printed.lines().filter(|line| line.starts_with("Test"));
        Ok(tests.map(|test| Unit { name: test.into(), deadline: DEADLINE, broker: 0 }).collect())
    }

    fn command(&self, unit: &Unit, _: &Broker, at: &Addresses, _: &Path) -> Result<Command> {
        let mut command = Command::new(binary());
        command.args(["-test.v", "-test.timeout", GO_LIMIT]);
        command.arg(format!("-test.count={}", if TWICE.contains(&unit.name.as_str()) { 2 } else { 1 }));
        command.arg(format!("-test.run=^{}$", unit.name)).current_dir(cache::root().join("go/kgo.source"));
        command.env("KGO_SEEDS", at.bootstrap()).env("KGO_TEST_RF", "1").env("KGO_TEST_RECORDS", RECORDS);
        command.env("KGO_LOG_LEVEL", "none");
        let (name, password) = USERS[1];
        command.env("KGO_TEST_SCRAM_SEEDS", at.of("SASL_PLAINTEXT"));
        command.env("KGO_TEST_SCRAM", format!("{name}:{password}"));
        Ok(command)
    }

    fn findings(&self, unit: &Unit, ended: &Ended) -> Result<Vec<Finding>> {
        let mut found = results(&ended.text);
        if TWICE.contains(&unit.name.as_str()) {
            found = second(found);
        }
        let is_told = found.iter().any(|finding| finding.test == unit.name);
        if !is_told || (ended.code != Some(0) && found.iter().all(|f| f.outcome != Outcome::Failed)) {
            found.retain(|finding| finding.test != unit.name);
            found.push(Finding::new(&unit.name, Outcome::Failed));
        }
        // What never came to the broker says nothing about it.
        let needs_none = ended.connections == 0 || NEED_NO_BROKER.contains(&unit.name.as_str());
        if needs_none && found.iter().all(|finding| finding.outcome == Outcome::Passed) {
            found = vec![Finding::new(&unit.name, Outcome::Local)];
        }
        Ok(leaves(found))
    }

    fn door(&self, _: &Unit) -> Option<Duration> {
        Some(Duration::ZERO)
    }

    fn list(&self) -> &'static str {
        include_str!("kgo.txt")
    }
}

/// The lines `--- PASS: TestX/sub (0.1s)`.
fn results(text: &str) -> Vec<Finding> {
    let result = |line: &str| {
        let (outcome, rest) = line.trim_start().strip_prefix("--- ")?.split_once(": ")?;
        let outcome = match outcome {
            "PASS" => Outcome::Passed,
            "FAIL" => Outcome::Failed,
            "SKIP" => Outcome::Skipped,
            _ => return None,
        };
        Some(Finding::new(rest.split_once(" (")?.0, outcome))
    };
    text.lines().filter_map(result).collect()
}

/// Of two runs the second's results, and every failure.
fn second(found: Vec<Finding>) -> Vec<Finding> {
    let is_last = |i: usize| !found[i + 1..].iter().any(|later| later.test == found[i].test);
    (0..found.len()).filter(|&i| is_last(i) || found[i].outcome == Outcome::Failed).map(|i| found[i].clone()).collect()
}

/// Without the tests that only sum up their subtests: a failed one is kept if no subtest explains it.
fn leaves(found: Vec<Finding>) -> Vec<Finding> {
    let below = |parent: &Finding, other: &Finding| other.test.starts_with(&format!("{}/", parent.test));
    let is_sum = |parent: &Finding| {
        let mut children = found.iter().filter(|other| below(parent, other)).peekable();
        children.peek().is_some()
            && (parent.outcome != Outcome::Failed || children.any(|child| child.outcome == Outcome::Failed))
    };
    found.iter().filter(|finding| !is_sum(finding)).cloned().collect()
}
