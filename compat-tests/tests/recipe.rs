//! README's page about a secured listener: its commands, run as they stand there, on a port of the test's own.

use compat_tests::broker;
use compat_tests::port::Port;
use compat_tests::program::{self, Input};
use compat_tests::suite::Suite;
use compat_tests::{Context, Result, cache, ensure};
use std::fs;
use std::process::ExitCode;
use std::time::Duration;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
const MARKS: (&str, &str) = ("<!-- recipe -->", "<!-- /recipe -->");
/// The port that README names.
const PORT: &str = "9093";
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
    Suite::new("recipe").plain("a_secured_listener", a_secured_listener).run()
}

/// All commands between the marks.
fn commands(page: &str) -> Result<String> {
    let (_, rest) = page.split_once(MARKS.0).context("README has no recipe")?;
    let (recipe, _) = rest.split_once(MARKS.1).context("the recipe has no end")?;
    let blocks = recipe.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap_or_default());
    Ok(blocks.collect())
}

fn a_secured_listener() -> Result<()> {
    let recipe = commands(&fs::read_to_string(README)?)?;
    ensure!(recipe.contains(PORT) && recipe.contains("klamm server.properties"), "no recipe:\n{recipe}");
    let (directory, port) = (tempfile::tempdir()?, Port::reserve()?);
    let recipe = recipe.replace(PORT, &port.number().to_string());
    let mut script = String::from("set -euo pipefail\ntrap 'kill $(jobs -p)' EXIT\n");
    script += &format!("klamm() {{ {} \"$@\"; }}\n", broker::klamm_binary()?.display());
    for (tool, class) in TOOLS {
        script += &format!("{tool}() {{ java -Xshare:auto -cp '{}' {class} \"$@\"; }}\n", cache::kafka_class_path());
    }
    script += &recipe;
    // What she was not allowed, she may not.
    script += &format!(
        "echo told\nkafka-topics.sh --bootstrap-server localhost:{0} --command-config admin.properties --create --topic other\n\
         echo no | kafka-console-producer.sh --bootstrap-server localhost:{0} --command-config alice.properties \
         --topic other 2>&1 | grep -o TopicAuthorizationException | head -n 1\n",
        port.number()
    );
    let mut command = program::command("bash", &["-c", &script]);
    command.current_dir(directory.path());
    let output = program::run_within(command, Input::Nothing, WITHIN)?;
    let text = output.text();
    let (recipe, refused) = text.split_once("told\n").context("it did not come to its end")?;
    ensure!(recipe.lines().any(|line| line == "a first order"), "the record did not come back\n{}", output.tail());
    ensure!(refused.contains("TopicAuthorizationException"), "alice may write everywhere\n{}", output.tail());
    ensure!(text.contains("klamm.audit"), "the refusal left no trace\n{}", output.tail());
    Ok(())
}
