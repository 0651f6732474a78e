//! `cordoned.log.dirs`: log directories that get no new logs (KIP-1066).
//!
//! `*` stands for all of them. Each other one must be written as in `log.dirs`; the sentences are those of
//! `KafkaConfig.validateCordonedLogDirs`. Where a log is placed is decided elsewhere.

use super::settings::Settings;
use super::{Invalid, log_dirs};

const KEY: &str = "cordoned.log.dirs";
const ALL: &str = "*";

/// Whether the setting that holds may stay so.
pub(super) fn check(settings: &Settings<'_>) -> Result<(), Invalid> {
    let cordoned = settings.list(KEY);
    check_dirs(settings, &cordoned).map_err(|reason| Invalid::new(KEY, cordoned.join(","), reason))
}

/// Whether these directories may be cordoned.
pub(super) fn check_dirs(settings: &Settings<'_>, cordoned: &[String]) -> Result<(), String> {
    let known = log_dirs(settings).map_err(|invalid| invalid.reason)?;
    if cordoned.iter().any(|dir| dir == ALL) {
        return match cordoned.len() {
            1 => Ok(()),
            _ => Err(format!("When {KEY} is set to {ALL}, it must not contain other values")),
        };
    }
    let missing: Vec<&str> = cordoned.iter().filter(|dir| !known.contains(dir)).map(String::as_str).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(", ");
    Err(format!("All entries in {KEY} must be present in log.dirs or log.dir. Missing entries : {missing}"))
}

impl Settings<'_> {
    /// The log directories that get no new logs, written as in `log.dirs`. What names none of them (it was set when
    /// `log.dirs` was another) counts for nothing.
    pub fn cordoned_log_dirs(&self) -> Vec<String> {
        let known = log_dirs(self).unwrap_or_default();
        let cordoned = self.list(KEY);
        let is_cordoned = |dir: &String| cordoned.iter().any(|c| c == dir || c == ALL);
        known.into_iter().filter(is_cordoned).collect()
    }
}
