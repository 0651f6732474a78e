//! librdkafka's own tests, one process per number, out of the package that carries the newest of them. Numbers that never
//! speak to a broker (LOCAL and manual ones) are left out by librdkafka's own flags. In the run of all suites those are left
//! out, too, that `librdkafka.slow.txt` names; the suite called by its name runs everything, and the tests of groups once
//! more with the consumer protocol.

use crate::QUICK;
use crate::librdkafka_secured::{self as secured, SECURED, Secured};
use compat_tests::broker::{Broker, Setup};
use compat_tests::foreign::{Addresses, Ended, Finding, Foreign, Outcome, Unit};
use compat_tests::secured::WITH_RULES;
use compat_tests::{Context, Result, cache, ensure};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(400);
const VERSION: &str = "4.3.0";
/// The brokers of its two scenarios.
const SCENARIOS: [&str; 2] = ["default", "noautocreate"];
/// What a unit's name ends with that is run with `group.protocol=consumer`.
const CONSUMER: &str = "+consumer";

/// From the folder of the tests.
const RUNNER: &str = "./test-runner";

pub struct Librdkafka;

/// A test as the runner's own table has it.
struct Test {
    name: String,
    scenario: usize,
}

fn folder() -> PathBuf {
    cache::root().join("suites/librdkafka/tests")
}

/// The entries of the table in `test.c` that need a broker and are not manual.
fn table() -> Result<Vec<Test>> {
    let text = std::fs::read_to_string(folder().join("test.c"))?;
    let table = text.split_once("struct test tests[] = {").context("no table in test.c")?.1;
    let table = table.split_once("{NULL}").context("no end of the table in test.c")?.0;
    let entry = |text: &str| {
        let name = text.split([',', ')']).next().unwrap_or_default().trim().to_string();
        let is_left_out = ["TEST_F_LOCAL", "TEST_F_MANUAL", "TEST_F_KNOWN_ISSUE,", "TEST_F_KNOWN_ISSUE)"];
        let scenario = usize::from(text.contains("\"noautocreate\""));
        (!is_left_out.iter().any(|flag| text.contains(flag))).then_some(Test { name, scenario })
    };
    Ok(table.split("_TEST(").skip(1).filter_map(entry).collect())
}

fn number(name: &str) -> &str {
    name.split(['_', '/', '+']).next().unwrap_or(name)
}

/// Whether a test's source has groups in it, which can speak either protocol.
fn has_groups(number: &str) -> bool {
    let sources = std::fs::read_dir(folder()).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_its = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(number));
    let text: String = sources.filter(is_its).filter_map(|path| std::fs::read_to_string(path).ok()).collect();
    text.contains("subscribe") && !text.contains("share_consumer")
}

fn is_quick() -> bool {
    std::env::var_os(QUICK).is_some()
}

/// The units that the run of all suites leaves out.
fn slow() -> impl Iterator<Item = &'static str> {
    let lines = include_str!("librdkafka.slow.txt").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_whitespace().next())
}

impl Foreign for Librdkafka {
    fn name(&self) -> &'static str {
        "librdkafka"
    }

    fn brokers(&self, plain: &Setup) -> Vec<Setup> {
        let common = plain.clone().with(&[("num.partitions", "4"), ("group.initial.rebalance.delay.ms", "100")]);
        // Some of its tests make rules with `kafka-acls.sh`, which then comes by a listener without a login.
        let common = common.with(WITH_RULES);
        let scenario = |auto| common.clone().with(&[("auto.create.topics.enable", auto)]);
        vec![scenario("true"), scenario("false"), secured::broker(&scenario("true"))]
    }

    fn units(&self) -> Result<Vec<Unit>> {
        let mut units: Vec<Unit> = Vec::new();
        let mut add = |name: String, broker: usize| {
            let is_new = !units.iter().any(|unit| unit.name == name);
            if is_new && !(is_quick() && slow().any(|unit| unit == name)) {
                units.push(Unit { name, deadline: DEADLINE, broker });
            }
        };
        let table = table()?;
        ensure!(table.len() > 100, "only {} entries in the table of test.c", table.len());
        // What is left out without a listener of its kind runs before such ones, and there alone.
        let is_secured = |test: &&Test| !SECURED.iter().any(|one| one.number == number(&test.name));
        let table: Vec<&Test> = table.iter().filter(is_secured).collect();
        SECURED.iter().for_each(|one| add(one.unit(), secured::BROKER));
        for test in &table {
            add(format!("{}/{}", number(&test.name), SCENARIOS[test.scenario]), test.scenario);
        }
        for test in table.into_iter().filter(|test| !is_quick() && has_groups(number(&test.name))) {
            add(format!("{}/{}{CONSUMER}", number(&test.name), SCENARIOS[test.scenario]), test.scenario);
        }
        Ok(units)
    }

    fn command(&self, unit: &Unit, broker: &Broker, at: &Addresses, directory: &Path) -> Result<Command> {
        let tests = directory.join("tests");
        std::fs::create_dir(&tests)?;
        for entry in std::fs::read_dir(folder())? {
            let entry = entry?;
            symlink(entry.path(), tests.join(entry.file_name()))?;
        }
        // Some of them look for files of the folders beside theirs, or make their Java programs with what is there.
        for entry in std::fs::read_dir(folder().join(".."))? {
            let entry = entry?;
            if entry.file_name() != "tests" {
                symlink(entry.path(), directory.join(entry.file_name()))?;
            }
        }
        let config = directory.join("klamm.conf");
        let common = "broker.address.family=v4\ntest.timeout.multiplier=2\n";
        let secured = Secured::of(&unit.name);
        let bootstrap = at.of(secured.map_or("PLAINTEXT", |one| one.listener));
        let login = secured.map_or(String::new(), Secured::settings);
        std::fs::write(&config, format!("bootstrap.servers={bootstrap}\n{common}{login}"))?;
        let mut command = secured.map_or_else(|| Ok(Command::new(RUNNER)), |one| one.command(RUNNER, directory))?;
        // On what it takes for a build server it leaves out a test, and what is counted must not depend on the caller.
        command.env_remove("CI");
        let scenario = if secured.is_some() { SCENARIOS[0] } else { SCENARIOS[unit.broker] };
        command.args(["-L", "-p1", "-s", scenario]).current_dir(tests);
        command.args((!secured.is_some_and(|one| one.is_whole)).then_some("-Q"));
        command.env("TESTS", number(&unit.name)).env("TEST_KAFKA_VERSION", VERSION);
        command.env("RDKAFKA_TEST_CONF", &config).env("TEST_REPORT", directory.join("report.json"));
        let source = folder().join("..");
        let libraries = format!("{0}/src:{0}/src-cpp", source.display());
        command.env("LD_LIBRARY_PATH", libraries).env("BROKERS", broker.bootstrap());
        command.env("KAFKA_PATH", cache::root().join("suites/kafka_path"));
        command.env("LD_PRELOAD", cache::root().join("suites/one_replica.so"));
        // The names of topics follow from the seed; the topics of the first run are still there in the second.
        let (protocol, seed) = if unit.name.ends_with(CONSUMER) { ("consumer", "2") } else { ("classic", "1") };
        command.env("TEST_CONSUMER_GROUP_PROTOCOL", protocol).env("TEST_SEED", seed);
        Ok(command)
    }

    fn door(&self, unit: &Unit) -> Option<Duration> {
        Secured::of(&unit.name).and_then(Secured::door)
    }

    fn findings(&self, unit: &Unit, ended: &Ended) -> Result<Vec<Finding>> {
        let report = std::fs::read_to_string(ended.directory.join("report.json")).unwrap_or_default();
        let secured = Secured::of(&unit.name);
        let consumer = if unit.name.ends_with(CONSUMER) { CONSUMER } else { "" };
        let suffix = secured.map_or(consumer.to_string(), |one| format!("/{}", one.name));
        let scenario = if secured.is_some() { 0 } else { unit.broker };
        let mine = |test: &Test| number(&test.name) == number(&unit.name) && test.scenario == scenario;
        let finding = |test: Test| {
            let told = format!("\"name\": \"{}\", \"state\": \"", test.name);
            let state = report.split_once(&told).map_or("", |(_, rest)| rest);
            let outcome = match state.split_once('"').map_or("", |(state, _)| state) {
                "PASSED" => Outcome::Passed,
                "SKIPPED" => Outcome::Skipped,
                _ => Outcome::Failed,
            };
            Finding::new(format!("{}{suffix}", test.name), outcome)
        };
        let mut found: Vec<Finding> = table()?.into_iter().filter(mine).map(finding).collect();
        // A runner that a failing test took down with it has told nothing, and a clean result needs a clean end.
        if ended.code != Some(0) && found.iter().all(|f| f.outcome != Outcome::Failed) {
            found.iter_mut().for_each(|finding| finding.outcome = Outcome::Failed);
        }
        Ok(found)
    }

    fn list(&self) -> &'static str {
        include_str!("librdkafka.txt")
    }

    fn leaves_out(&self, test: &str) -> bool {
        is_quick() && (test.ends_with(CONSUMER) || slow().any(|unit| number(unit) == number(test)))
    }
}
