//! `cordoned.log.dirs`: log directories that get no new logs (KIP-1066).
//!
//! `*` stands for all of them. Each other one must be written as in `log.dirs`; the sentences are those of
//! `KafkaConfig.validateCordonedLogDirs`. Where a log is placed is decided elsewhere.

use super::settings::Settings;
use super::{Invalid, log_dirs};

const KEY: &str = "cordoned.log.dirs";
const ALL: &str = "*";

/// Whether these directories may be cordoned.
pub(super) fn check(settings: &Settings<'_>) -> Result<(), Invalid> {
    let (known, cordoned) = (log_dirs(settings)?, settings.list(KEY));
    let refused = |reason| Err(Invalid::new(KEY, cordoned.join(","), reason));
    if cordoned.iter().any(|dir| dir == ALL) {
        return match cordoned.len() {
            1 => Ok(()),
            _ => refused(format!("When {KEY} is set to {ALL}, it must not contain other values")),
        };
    }
    let missing: Vec<&str> = cordoned.iter().filter(|dir| !known.contains(dir)).map(String::as_str).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(", ");
    refused(format!("All entries in {KEY} must be present in log.dirs or log.dir. Missing entries : {missing}"))
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
