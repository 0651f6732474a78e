//! Apache Kafka's own `kafka-dump-log` as a judge of the files that a broker wrote.
//!
//! Only directories of brokers that were stopped cleanly belong here. The tool ends with 0 whatever it finds; what counts
//! is what it prints.

use crate::program::{self, Input};
use crate::{Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const CLASS: &str = "org.apache.kafka.tools.DumpLogSegments";
const DEADLINE: Duration = Duration::from_secs(600);
/// What the tool prints about a batch whose checksum does not fit.
const INVALID: &str = "isvalid: false";
/// What it prints about bytes after the last whole batch.
const TRAILING: &str = "invalid bytes at the end";

/// Every `.log`, `.index` and `.timeindex` below `root` must be accepted; returns how many files that were.
pub fn check_all(root: &Path) -> Result<usize> {
    let mut files = Vec::new();
    collect(root, &mut files)?;
    files.sort();
    let of = |ending: &str| -> Vec<PathBuf> {
        files.iter().filter(|f| f.extension().is_some_and(|e| e == ending)).cloned().collect()
    };
    let (logs, indexes, times) = (of("log"), of("index"), of("timeindex"));
    ensure!(!logs.is_empty(), "no log below {}", root.display());
    let mut all = logs.clone();
    all.extend(indexes.iter().chain(&times).cloned());
    judge(&all, &["--deep-iteration", "--index-sanity-check"])?;
    let indexes: Vec<PathBuf> = indexes.iter().chain(&times).cloned().collect();
    judge(&indexes, &["--verify-index-only"])?;
    let metadata: Vec<PathBuf> =
        logs.iter().filter(|log| log.to_string_lossy().contains("__cluster_metadata-0")).cloned().collect();
    judge(&metadata, &["--deep-iteration", "--cluster-metadata-decoder"])?;
    Ok(all.len())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        // A deleted topic's directory waits for its removal under this name; nobody promises what it holds.
        if path.to_string_lossy().ends_with("-delete") {
            continue;
        }
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn judge(files: &[PathBuf], flags: &[&str]) -> Result<()> {
    // One virtual machine for as many files as fit on a command line.
    for some in files.chunks(400) {
        let list = some.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(",");
        let mut command = program::java(CLASS, &["--files", &list]);
        command.args(flags);
        let output = program::run_within(command, Input::Nothing, DEADLINE)?;
        let complaints = String::from_utf8_lossy(&output.stderr);
        let mut problems: Vec<&str> = complaints.lines().filter(|line| !is_noise(line)).collect();
        let text = String::from_utf8_lossy(&output.stdout);
        problems.extend(text.lines().filter(|line| line.contains(INVALID) || line.contains(TRAILING)));
        if !problems.is_empty() {
            problems.truncate(40);
            bail!("kafka-dump-log {} complains:\n    {}", flags.join(" "), problems.join("\n    "));
        }
    }
    Ok(())
}

/// Lines on stderr that are no finding: the logging library talking about itself.
fn is_noise(line: &str) -> bool {
    line.trim().is_empty() || line.contains("SLF4J") || line.starts_with("WARNING: ")
}
