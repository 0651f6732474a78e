//! The binary to test, and the one way in which these suites call it.

use crate::program::{self, Input, die_with_us};
use crate::{Context, Result, bail, cache};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// As long as a release build may take on a machine that does other things.
const BUILDS_WITHIN: Duration = Duration::from_secs(1800);

/// Calls it with these arguments, and with nothing of this process's environment that it would take for its configuration. It ends
/// with this process.
pub fn command(arguments: &[&str]) -> Result<Command> {
    Ok(command_of(&binary()?, arguments))
}

/// The same of another binary.
pub fn command_of(binary: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary);
    command.args(arguments);
    let configures = |name: &str| name.starts_with("KAFKA_") || ["CLUSTER_ID", "KLAMM_HTTP"].contains(&name);
    for (name, _) in std::env::vars_os().filter(|(name, _)| configures(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    die_with_us(&mut command);
    command
}

/// The binary to test: `KLAMM_BIN`, else a release build of the package beside this one.
pub fn binary() -> Result<PathBuf> {
    static BUILT: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
    if let Some(path) = std::env::var_os("KLAMM_BIN") {
        return Ok(PathBuf::from(path));
    }
    match BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}"))) {
        Ok(path) => Ok(path.clone()),
        Err(error) => bail!("cannot build klamm: {error}"),
    }
}

fn build() -> Result<PathBuf> {
    let manifest = cache::package().parent().context("no parent folder")?.join("Cargo.toml");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--bin", "klamm", "--message-format=json", "--manifest-path"]).arg(manifest);
    let built = program::run_within(command, Input::Nothing, BUILDS_WITHIN)?;
    let executable = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        (message["target"]["name"] == "klamm").then(|| message["executable"].as_str().map(PathBuf::from))?
    };
    built.text().lines().filter_map(executable).next_back().context("cargo named no executable")
}
