//! The names of the modules that write log lines, which a user may give a level: `klamm.storage.open`.
//!
//! Found in the sources, so that the list cannot fall behind them. Tests, the simulation and the fuzzers are no loggers.

use std::fs;
use std::path::{Path, PathBuf};

const MACROS: [&str; 5] = ["error!(", "warn!(", "info!(", "debug!(", "trace!("];
/// What is not in the broker.
const LEFT_OUT: [&str; 3] = ["sim", "fuzzing", "tidy"];

/// A Rust expression: the names, sorted.
pub fn list(sources: &Path) -> String {
    let mut names = Vec::new();
    collect(sources, "klamm", &mut names);
    names.sort();
    names.dedup();
    format!("&{names:?}")
}

fn collect(folder: &Path, module: &str, names: &mut Vec<String>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    entries.sort();
    for path in entries {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        // `43_elect_leaders.rs` is the module `elect_leaders`.
        let word = stem.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_');
        if LEFT_OUT.contains(&word) || word.starts_with("test") {
            continue;
        }
        let inner = format!("{module}.{word}");
        if path.is_dir() {
            collect(&path, &inner, names);
        } else if path.extension().is_some_and(|e| e == "rs") && speaks(&path) {
            names.push(if matches!(word, "mod" | "lib" | "main") { module.to_string() } else { inner });
        }
    }
}

fn speaks(path: &Path) -> bool {
    let text = fs::read_to_string(path).unwrap_or_default();
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let before = |at: usize| code[..at].chars().next_back();
    let is_call = |at: usize| before(at).is_none_or(|c| !(c.is_alphanumeric() || c == '_'));
    MACROS.iter().any(|name| code.match_indices(name).any(|(at, _)| is_call(at))) || code.contains("log::log!(")
}
