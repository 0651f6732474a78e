//! `klamm explore` on the sample applications of `examples/explore`, each with one planted bug, which it must find; mended they pass.
//! And what it says and does where there is nothing to explore.

use compat_tests::broker::signal;
use compat_tests::klamm;
use compat_tests::program::{self, Input, Output, die_with_us};
use compat_tests::suite::Suite;
use compat_tests::{Context, Result, cache, ensure};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

/// An exploration runs its command some tens of times.
const PATIENCE: Duration = Duration::from_secs(400);
/// Longer than any run takes on a busy machine that does not hang.
const LIMIT: &str = "45";
const NOTHING_FOUND: Option<i32> = Some(0);
const FOUND: Option<i32> = Some(1);
const NOT_EXPLORED: Option<i32> = Some(2);

fn main() -> ExitCode {
    Suite::new("explore")
        .leaving_nothing()
        .plain("python_loses_an_invoice", python_loses_an_invoice)
        .plain("node_doubles_an_order", node_doubles_an_order)
        .plain("java_counts_twice", java_counts_twice)
        .plain("mended_they_pass", mended_they_pass)
        .plain("two_harms_together", two_harms_together)
        .plain("what_is_not_explored", what_is_not_explored)
        .plain("a_signal_ends_everything", a_signal_ends_everything)
        .run()
}

fn sample(path: &str) -> PathBuf {
    cache::package().join("../examples/explore").join(path)
}

fn explore(options: &[&str], command: &[&str]) -> Result<Output> {
    program::output(explorer(options, command)?, Input::Nothing, PATIENCE)
}

fn explorer(options: &[&str], command: &[&str]) -> Result<Command> {
    let mut explorer = Command::new(klamm::binary()?);
    explorer.args(["explore", "--timeout", LIMIT]).args(options).arg("--").args(command);
    explorer.env("NODE_PATH", cache::root().join("js/node_modules"));
    die_with_us(&mut explorer);
    Ok(explorer)
}

fn python(options: &[&str]) -> Result<Output> {
    let (python, script) = (cache::root().join("venv/bin/python"), sample("python/invoices.py"));
    let command = [python.to_str().context("a path")?, script.to_str().context("a path")?];
    explore(options, &command)
}

fn node(options: &[&str], arguments: &[&str]) -> Result<Output> {
    let script = sample("node/shop.js");
    explore(options, &[&["node", script.to_str().context("a path")?], arguments].concat())
}

fn java(folder: &Path, options: &[&str], arguments: &[&str]) -> Result<Output> {
    let jars = cache::kafka_class_path();
    let source = sample("java/Turnover.java");
    let mut compile = Command::new("javac");
    compile.args(["-nowarn", "-cp", &jars, "-d"]).args([folder, &source]);
    program::run(compile, Input::Nothing)?;
    let path = format!("{}:{jars}", folder.display());
    explore(
        options,
        &[&["java", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", &path, "Turnover"], arguments].concat(),
    )
}

/// What is said of a harm.
fn told(output: &Output, harm: &str) -> Result<String> {
    let text = output.text();
    let line = text.lines().find_map(|line| line.split_once(" of ")?.1.split_once(harm));
    let (_, told) = line.with_context(|| format!("it says nothing of {harm:?}\n{}", output.tail()))?;
    Ok(told.trim_start_matches(": ").to_string())
}

fn ensure_code(output: &Output, expected: Option<i32>) -> Result<()> {
    ensure!(output.code == expected, "it ended with {:?}, not {expected:?}\n{}", output.code, output.tail());
    Ok(())
}

/// It commits first. The broker's records tell, as the command passes. The schedule that is written may be one that fails only where
/// confluent-kafka reports an error instead of committing again, which it does by chance: so one that always fails is replayed.
fn python_loses_an_invoice() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("faults.json");
    let file = file.to_str().context("a path")?;
    let output = python(&["--jobs", "2", "--allow", "doubled:invoices", "--output", file])?;
    ensure_code(&output, FOUND)?;
    let cut = told(&output, r#"the connection is cut before the 3rd Produce to invoices by "invoices""#)?;
    let expected = r#"FOUND: invoices lacks 1 record: "customer-0": "invoice of order-2""#;
    ensure!(cut == expected, "{cut}");
    let harmless = told(&output, r#"the connection is cut before the 2nd Produce to orders by "shop""#)?;
    ensure!(harmless == "the command passes", "{harmless}");
    let rules: Vec<Value> = serde_json::from_str(&fs::read_to_string(file)?)?;
    ensure!(rules.len() == 1 && rules[0]["match"]["client_id"] == "invoices", "{rules:?}");
    let match_third = json!({ "api": "Produce", "client_id": "invoices", "topic": "invoices", "nth": 3 });
    fs::write(file, json!([{ "match": match_third, "action": { "close": true }, "count": 1 }]).to_string())?;
    let again = python(&["--replay", file, "--allow", "doubled"])?;
    ensure_code(&again, FOUND)?;
    ensure!(again.text().contains("invoices lacks"), "{}", again.tail());
    Ok(())
}

/// It sends again what may have come; and the schedule that is written fails again.
fn node_doubles_an_order() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("faults.json");
    let file = file.to_str().context("a path")?;
    let output = node(&["--output", file], &[])?;
    ensure_code(&output, FOUND)?;
    let lost = told(&output, r#"the answer to the 2nd Produce to orders by "shop" is lost"#)?;
    ensure!(lost == r#"FOUND: orders has 1 record too many, written twice: "customer-1": "order-1""#, "{lost}");
    let cut = told(&output, r#"the connection is cut before the 2nd Produce to orders by "shop""#)?;
    ensure!(cut == "the command passes", "{cut}");
    ensure!(output.text().contains(r#""action":{"after":true,"close":true}"#), "{}", output.tail());
    ensure_code(&node(&["--replay", file], &[])?, FOUND)?;
    // A topic that may have doubles is not complained about.
    ensure_code(&node(&["--allow", "doubled:orders", "--only", "Produce"], &[])?, NOTHING_FOUND)
}

/// It goes on when its session has ended. Its own test tells.
fn java_counts_twice() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let output = java(folder.path(), &["--jobs", "2", "--only", "OffsetCommit", "--only", "SyncGroup"], &[])?;
    ensure_code(&output, FOUND)?;
    let harm = r#"the session has ended before the 1st OffsetCommit to orders of the group turnover by "turnover""#;
    let ended = told(&output, harm)?;
    ensure!(ended == "FOUND: the command ends with the code 1", "{ended}");
    ensure!(output.text().contains("    | the turnover is 42, not 321\n"), "{}", output.tail());
    ensure!(output.text().matches("FOUND").count() == 1, "{}", output.tail());
    Ok(())
}

fn mended_they_pass() -> Result<()> {
    let output = node(&[], &["--mended"])?;
    ensure_code(&output, NOTHING_FOUND)?;
    let again = told(&output, r#"the answer to the 2nd Produce to orders by "shop" is lost"#)?;
    ensure!(again == "the command passes", "{again}");
    let folder = tempfile::tempdir()?;
    ensure_code(&java(folder.path(), &["--jobs", "2", "--only", "OffsetCommit"], &["--mended"])?, NOTHING_FOUND)
}

/// An order is tried twice, so that one harm does nothing; and three rules of a file are too many.
fn two_harms_together() -> Result<()> {
    const SCRIPT: &str = "
        const { Kafka, logLevel } = require('kafkajs')
        const producer = new Kafka({ clientId: 'shop', brokers: [process.argv[1]], logLevel: logLevel.NOTHING,
          retry: { retries: 0 } }).producer()
        const send = (value) => producer.send({ topic: 'orders', messages: [{ value }] })
        const main = async () => {
          await producer.connect()
          for (const value of ['a', 'b', 'c']) await send(value).catch(() => send(value))
          await producer.disconnect()
        }
        main().then(() => process.exit(0), () => process.exit(7))";
    let command = ["node", "-e", SCRIPT, "{bootstrap}"];
    let options = ["--topic", "orders", "--only", "Produce", "--allow", "doubled", "--allow", "out-of-order"];
    ensure_code(&explore(&options, &command)?, NOTHING_FOUND)?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("faults.json");
    let file = file.to_str().context("a path")?;
    let output = explore(&[&options[..], &["--depth", "2", "--output", file]].concat(), &command)?;
    ensure_code(&output, FOUND)?;
    let both = told(
        &output,
        r#"the connection is cut before the 2nd Produce to orders by "shop", and the connection is cut before the 3rd Produce to orders by "shop""#,
    )?;
    ensure!(both.starts_with("FOUND: the command ends with the code 7"), "{both}");
    let found: Vec<Value> = serde_json::from_str(&fs::read_to_string(file)?)?;
    ensure!(found.len() == 2, "{found:?}");

    let cut = |nth: u64| json!({ "match": { "api": "Produce", "nth": nth }, "action": { "close": true }, "count": 1 });
    // The third rule sees what the others have left: the second try of the second order is its second.
    fs::write(file, json!([cut(9), cut(1), cut(1), cut(8)]).to_string())?;
    let output = explore(&[&options[..], &["--replay", file, "--output", file]].concat(), &command)?;
    ensure_code(&output, FOUND)?;
    let shortest: Vec<Value> = serde_json::from_str(&fs::read_to_string(file)?)?;
    ensure!(shortest == [cut(1), cut(1)], "{shortest:?}\n{}", output.tail());
    Ok(())
}

fn what_is_not_explored() -> Result<()> {
    let said = |options: &[&str], command: &[&str]| -> Result<String> {
        let output = explore(options, command)?;
        ensure_code(&output, NOT_EXPLORED)?;
        Ok(String::from_utf8_lossy(&output.stderr).into_owned() + &output.text())
    };
    let failed = said(&[], &["sh", "-c", "echo oh; exit 3"])?;
    ensure!(
        failed.contains("without any harm the command ends with the code 3") && failed.contains("    | oh"),
        "{failed}"
    );
    let silent =
        said(&[], &["sh", "-c", "test -n \"$BOOTSTRAP_SERVERS\" && test {bootstrap} = $KLAMM_BOOTSTRAP_SERVERS"])?;
    ensure!(silent.contains("has asked the broker nothing: KLAMM_BOOTSTRAP_SERVERS"), "{silent}");
    let late = said(&["--timeout", "0.3"], &["sh", "-c", "sleep 600"])?;
    ensure!(late.contains("has not ended within"), "{late}");
    ensure!(said(&[], &["/no/such/program"])?.contains("cannot run \"/no/such/program\""), "a sentence");
    let harmless = said(&["--only", "Produce"], &["kcat", "-L", "-b", "{bootstrap}"])?;
    ensure!(harmless.contains("nothing that a harm could come to"), "{harmless}");
    ensure!(said(&["--only", "Nothing"], &["true"])?.contains("there is no API \"Nothing\""), "a sentence");
    Ok(())
}

/// What the command has started ends with the explorer.
fn a_signal_ends_everything() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (pipe, held) = (folder.path().join("pipe"), folder.path().join("pid"));
    program::run(program::command("mkfifo", &[pipe.to_str().context("a path")?]), Input::Nothing)?;
    let script = format!("sleep 600 & echo $! >{}; echo >{}; wait", held.display(), pipe.display());
    let mut explorer = explorer(&[], &["sh", "-c", &script])?;
    let mut running = explorer.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // It runs when it has written there.
    BufReader::new(fs::File::open(&pipe)?).read_line(&mut String::new())?;
    signal(running.id(), libc::SIGINT);
    let status = compat_tests::program::wait_within(&mut running, Duration::from_secs(20))?;
    ensure!(status.code() == NOT_EXPLORED, "{status}");
    let stat = format!("/proc/{}/stat", fs::read_to_string(&held)?.trim());
    // The system reaps it in its own time.
    let is_gone = fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
    ensure!(is_gone, "what the command has started goes on");
    Ok(())
}
