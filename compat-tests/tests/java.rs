//! The Java client of Apache Kafka with its defaults: idempotent producer, consumer by `assign`, admin client. The scenarios
//! are in `clients/java/Scenarios.java`; one virtual machine runs all of them.
//!
//! And Apache Kafka's own group coordinator, from its jar: what the stories and the table of ours say, it says too.

use compat_tests::broker::Broker;
use compat_tests::program::{self, Input};
use compat_tests::suite::{ALL, ONE, Suite};
use compat_tests::{Result, cache, ensure};
use std::process::ExitCode;

fn main() -> ExitCode {
    Suite::new("java").test("scenarios", ALL, &[], scenarios).test("group_stories", ONE, &[], group_stories).run()
}

/// What Apache Kafka is not told, as it is meant to be otherwise here.
const OUR_OWN: [(&str, &str); 2] = [
    ("consumer_regex.story", "Kafka resolves a regular expression in a step of its own, after the answer"),
    ("migration_without_topics.story", "Kafka leaves partitions that the classic leader did not know without an owner"),
];

/// The broker is not asked: its own unit tests hold it to the same files.
fn group_stories(_: &mut Broker) -> Result<()> {
    let folder = cache::package().join("../src/coordinator/testdata");
    let mut files: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        let told = path.extension().is_some_and(|extension| extension == "story" || extension == "table");
        let is_our_own = OUR_OWN.iter().any(|(name, _)| path.ends_with(name));
        files.extend((told && !is_our_own).then(|| path.display().to_string()));
    }
    ensure!(!files.is_empty(), "no stories in {}", folder.display());
    let arguments: Vec<&str> = files.iter().map(String::as_str).collect();
    let teller = program::java("GroupStories", &arguments);
    let output = program::output(teller, Input::Nothing, program::DEADLINE)?;
    ensure!(output.code == Some(0), "{}", output.tail());
    let text = output.text();
    let failed: Vec<&str> = text.lines().filter(|line| line.starts_with("failed ")).collect();
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    let held = text.lines().filter(|line| line.starts_with("ok ")).count();
    ensure!(held == files.len(), "{held} of {} files: {}", files.len(), output.tail());
    Ok(())
}

fn scenarios(broker: &mut Broker) -> Result<()> {
    let output =
        program::output(program::java("Scenarios", &[&broker.bootstrap()]), Input::Nothing, program::DEADLINE)?;
    ensure!(output.code == Some(0), "{}", output.tail());
    ensure!(output.text().lines().filter(|line| line.starts_with("ok ")).count() >= 10, "{}", output.tail());
    Ok(())
}
