//! Apache Kafka's own `kafka-dump-log` as a judge of the files that a broker wrote.
//!
//! Only directories of brokers that were stopped cleanly belong here. The tool ends with 0 whatever it finds; what counts
//! is what it prints.

use crate::program;
use crate::{Context, Result, bail, ensure};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

const CLASS: &str = "org.apache.kafka.tools.DumpLogSegments";
const DEADLINE: Duration = Duration::from_secs(600);
/// A thousand entries, see [`is_endless`].
const MAX_TIME_INDEX_BYTES: u64 = 12 * 1000;
/// A topic of this name holds what a broker may accept although the tool dislikes it.
pub const UNJUDGED: &str = "unjudged";
/// What it prints, followed by the segment, above the offsets that do not follow each other.
const GAPS: &str = "Non-consecutive offsets in";
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
        let is_judged = |f: &&PathBuf| f.extension().is_some_and(|e| e == ending) && !is_left_reserved(f);
        files.iter().filter(is_judged).cloned().collect()
    };
    let (logs, indexes, times) = (of("log"), of("index"), of("timeindex"));
    ensure!(!logs.is_empty(), "no log below {}", root.display());
    let mut all = logs.clone();
    all.extend(indexes.iter().chain(&times).cloned());
    judge(&all, &["--deep-iteration", "--index-sanity-check"])?;
    let times = times.iter().filter(|path| !is_endless(path));
    let indexes: Vec<PathBuf> = indexes.iter().chain(times).cloned().collect();
    judge(&indexes, &["--verify-index-only", "--max-message-size", "100000000"])?;
    let metadata: Vec<PathBuf> =
        logs.iter().filter(|log| log.to_string_lossy().contains("__cluster_metadata-0")).cloned().collect();
    judge(&metadata, &["--deep-iteration", "--cluster-metadata-decoder"])?;
    Ok(all.len())
}

/// Whether this is an index of the metadata log as Apache Kafka reserves it. Kafka 4.4.0 leaves those of the active segment so
/// at a clean stop, with zeros behind the entries, and its own tool then calls the time index corrupt. Klamm reserves no room
/// in indexes.
fn is_left_reserved(path: &Path) -> bool {
    let reserved = match path.extension().and_then(|ending| ending.to_str()) {
        Some("index") => 10 * 1024 * 1024 / 8 * 8,
        Some("timeindex") => 10 * 1024 * 1024 / 12 * 12,
        _ => return false,
    };
    let is_metadata = path.to_string_lossy().contains("__cluster_metadata-0");
    is_metadata && fs::metadata(path).is_ok_and(|found| found.len() == reserved)
}

/// For each entry of a time index the tool reads the headers of all batches behind it. In a coordinator's log, where a batch
/// is a commit or a transaction's state, that took longer than ten minutes; its sanity is checked nevertheless.
fn is_endless(time_index: &Path) -> bool {
    let path = time_index.to_string_lossy();
    let is_coordinators = ["__consumer_offsets-", "__transaction_state-"].iter().any(|topic| path.contains(topic));
    is_coordinators && fs::metadata(time_index).is_ok_and(|found| found.len() > MAX_TIME_INDEX_BYTES)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        // A deleted topic's directory waits for its removal under this name; nobody promises what it holds.
        let name = entry_name(&path);
        if name.ends_with("-delete") || name.starts_with(UNJUDGED) {
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

/// Where the tool was when it gave up.
fn last_lines(printed: &Path) -> String {
    let text = fs::read(printed).unwrap_or_default();
    let text = String::from_utf8_lossy(&text[text.len().saturating_sub(1000)..]).into_owned();
    format!("kafka-dump-log gave up after printing\n{text}")
}

fn entry_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn judge(files: &[PathBuf], flags: &[&str]) -> Result<()> {
    let printed = tempfile::NamedTempFile::new()?;
    // One virtual machine for as many files as fit on a command line.
    for some in files.chunks(400) {
        let list = some.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(",");
        let mut command = program::java(CLASS, &["--files", &list]);
        command.args(flags);
        let output =
            program::run_to_file(command, printed.path(), DEADLINE).with_context(|| last_lines(printed.path()))?;
        let complaints = String::from_utf8_lossy(&output.stderr);
        let mut problems: Vec<String> = findings(&complaints).into_iter().map(str::to_string).collect();
        for line in BufReader::new(fs::File::open(printed.path())?).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            if line.contains(INVALID) || line.contains(TRAILING) {
                problems.push(line);
            }
        }
        if !problems.is_empty() {
            problems.truncate(40);
            bail!("kafka-dump-log {} complains:\n    {}", flags.join(" "), problems.join("\n    "));
        }
    }
    Ok(())
}

/// The lines of stderr that are findings. Release 4.3.1 itself calls the first record of every segment that does not begin
/// at 0 non-consecutive ("-1 is followed by"), in Apache Kafka's own segments too.
fn findings(complaints: &str) -> Vec<&str> {
    let first_of_segment = |line: &&str| line.trim_start().starts_with("-1 is followed by");
    let lines = complaints.lines().filter(|line| !is_noise(line)).filter(|line| !first_of_segment(line));
    let is_head = |line: &str| line.starts_with(GAPS);
    let mut compacted = false;
    let mut lines: Vec<&str> = lines
        .filter(|line| {
            let path = line.strip_prefix(GAPS);
            compacted = path.map_or(compacted && line.starts_with(' '), |path| may_have_gaps(Path::new(path.trim())));
            !compacted
        })
        .collect();
    // A head with nothing left below it says nothing.
    let bare: Vec<bool> = (0..lines.len())
        .map(|i| is_head(lines[i]) && lines.get(i + 1).is_none_or(|next| !next.starts_with(' ')))
        .collect();
    let mut bare = bare.into_iter();
    lines.retain(|_| !bare.next().unwrap_or(false));
    lines
}

/// Whether the cleaner has been at the log with this segment: then records are missing in it.
fn may_have_gaps(segment: &Path) -> bool {
    let partition = segment.parent().unwrap_or(segment);
    let name = entry_name(partition).rsplit_once('-').map(|(topic, index)| format!("{topic} {index} "));
    let Some(name) = name else { return false };
    let checkpoint = fs::read_to_string(partition.with_file_name("cleaner-offset-checkpoint"));
    checkpoint.unwrap_or_default().lines().any(|line| line.starts_with(&name))
}

/// Lines on stderr that are no finding: the logging library talking about itself.
fn is_noise(line: &str) -> bool {
    line.trim().is_empty() || line.contains("SLF4J") || line.starts_with("WARNING: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_record_of_a_segment_is_no_finding() {
        let head = "Non-consecutive offsets in /a/1.log";
        assert!(findings(&format!("{head}\n  -1 is followed by 140\n")).is_empty());
        let real = format!("{head}\n  -1 is followed by 140\n  141 is followed by 143\n");
        assert_eq!(findings(&real), [head, "  141 is followed by 143"]);
        assert_eq!(findings("Mismatches in :/a/1.index\n"), ["Mismatches in :/a/1.index"]);
    }

    #[test]
    fn gaps_in_a_compacted_log_are_no_finding() {
        let data = tempfile::tempdir().unwrap();
        let gaps = |partition: &str| {
            let segment = data.path().join(partition).join("1.log");
            format!("{GAPS} {}\n  1 is followed by 4\n", segment.display())
        };
        let complaints = format!("{}{}Mismatches in :x\n", gaps("a-b-0"), gaps("a-b-1"));
        assert_eq!(findings(&complaints).len(), 5);
        fs::write(data.path().join("cleaner-offset-checkpoint"), "0\n1\na-b 0 7\n").unwrap();
        let left = findings(&complaints);
        assert_eq!(left.len(), 3);
        assert!(left[0].contains("a-b-1") && left[2].starts_with("Mismatches"));
    }
}
