//! README's page about a secured listener: its commands, run as they stand there, on a port of the test's own.

use compat_tests::port::Port;
use compat_tests::program::{self, Input};
use compat_tests::suite::Suite;
use compat_tests::{Context, Result, cache, ensure, klamm};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
const MARKS: (&str, &str) = ("<!-- recipe -->", "<!-- /recipe -->");
/// The port that README names.
const PORT: &str = "9093";
/// What the broker's log says of it.
const DENIED: &str = "Principal = User:alice is Denied operation = DESCRIBE";
/// Nine runs of a JVM.
const WITHIN: Duration = Duration::from_secs(240);

/// The scripts of Apache Kafka's download, by the classes that they run.
const TOOLS: &[(&str, &str)] = &[
    ("kafka-acls.sh", "org.apache.kafka.tools.AclCommand"),
    ("kafka-configs.sh", "org.apache.kafka.tools.ConfigCommand"),
    ("kafka-console-consumer.sh", "org.apache.kafka.tools.consumer.ConsoleConsumer"),
    ("kafka-console-producer.sh", "org.apache.kafka.tools.ConsoleProducer"),
    ("kafka-topics.sh", "org.apache.kafka.tools.TopicCommand"),
];

fn main() -> ExitCode {
    let directory = Arc::new(tempfile::tempdir().expect("a temporary directory"));
    let place = Arc::clone(&directory);
    Suite::new("recipe")
        .plain("a_secured_listener", move || a_secured_listener(place.path()))
        .finally(move |written| {
            let data = directory.path().join("klamm-data");
            if data.exists() { Ok(fs::rename(data, written.join("recipe"))?) } else { Ok(()) }
        })
        .run()
}

/// All commands between the marks.
fn commands(page: &str) -> Result<String> {
    let (_, rest) = page.split_once(MARKS.0).context("README has no recipe")?;
    let (recipe, _) = rest.split_once(MARKS.1).context("the recipe has no end")?;
    let blocks = recipe.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap_or_default());
    Ok(blocks.collect())
}

fn a_secured_listener(directory: &Path) -> Result<()> {
    let recipe = commands(&fs::read_to_string(README)?)?;
    ensure!(recipe.contains(PORT) && recipe.contains("klamm server.properties"), "no recipe:\n{recipe}");
    let port = Port::reserve()?;
    let recipe = recipe.replace(PORT, &port.number().to_string());
    // Programs by these names, so that what the shell starts in the background is what it can stop.
    let programs = directory.join("programs");
    fs::create_dir(&programs)?;
    std::os::unix::fs::symlink(klamm::binary()?, programs.join("klamm"))?;
    for (tool, class) in TOOLS {
        let run = format!("#!/bin/sh\nexec java -Xshare:auto -cp '{}' {class} \"$@\"\n", cache::kafka_class_path());
        fs::write(programs.join(tool), run)?;
        fs::set_permissions(programs.join(tool), fs::Permissions::from_mode(0o755))?;
    }
    // What she was not allowed, she may not.
    let other = "kafka-topics.sh $admin --create --topic other\n\
                 echo no | kafka-console-producer.sh $alice --topic other 2>&1 || true\n";
    let script = format!("set -euo pipefail\ntrap 'kill $(jobs -p); wait' EXIT\n{recipe}echo told\n{other}");
    let path = std::env::var("PATH")?;
    let mut command = program::command("bash", &["-c", &script]);
    command.current_dir(directory).env("PATH", format!("{}:{path}", programs.display()));
    let output = program::run_within(command, Input::Nothing, WITHIN)?;
    let text = output.text();
    let (recipe, refused) = text.split_once("told\n").context("it did not come to its end")?;
    ensure!(recipe.lines().any(|line| line == "a first order"), "the record did not come back\n{}", output.tail());
    ensure!(refused.contains("Not authorized to access topics"), "alice may write everywhere\n{}", output.tail());
    ensure!(text.contains(DENIED), "the refusal left no trace\n{}", output.tail());
    Ok(())
}
