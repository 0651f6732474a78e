//! The marker of a clean stop (`.kafka_cleanshutdown`): read and removed at the start, written last at the stop.

use super::LogDirectory;
use crate::io::disk::{Disk, Open};
use crate::storage::error::Error;
use std::io::IoSlice;
use std::path::Path;
use std::sync::PoisonError;

const CLEAN_SHUTDOWN_FILE: &str = ".kafka_cleanshutdown";
const MAX_MARKER_BYTES: u64 = 4096;

impl LogDirectory {
    /// Says that all logs were closed and checkpointed. The last thing to be written. Blocks.
    pub fn mark_clean(&self, broker_epoch: i64) -> Result<(), Error> {
        let path = self.path.join(CLEAN_SHUTDOWN_FILE);
        if !self.unopened.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            let why = "is not marked as clean, because a log in it could not be opened".to_string();
            return Err(Error::Unusable { path: self.path.clone(), why });
        }
        let content = format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}");
        assert!(content.len() as u64 <= MAX_MARKER_BYTES, "the next start could not read the marker");
        assert_eq!(self::broker_epoch(&content), Some(broker_epoch), "the next start would read another epoch");
        let write = || {
            let file = self.disk.open(&path, Open::Create)?;
            file.set_size(0)?;
            file.write_at(&[IoSlice::new(content.as_bytes())], 0)?;
            file.sync_data()?;
            self.disk.sync_directory(&self.path)
        };
        write().map_err(Error::io("write", &path))
    }
}

/// Reads and removes the marker: whether it was there, and the broker epoch in it.
pub(super) fn take(disk: &dyn Disk, directory: &Path) -> Result<(bool, Option<i64>), Error> {
    let path = directory.join(CLEAN_SHUTDOWN_FILE);
    let content = match disk.read_small(&path, MAX_MARKER_BYTES) {
        Ok(content) => content,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((false, None)),
        Err(error) => return Err(Error::io("read", &path)(error)),
    };
    disk.remove_file(&path).map_err(Error::io("remove", &path))?;
    disk.sync_directory(directory).map_err(Error::io("sync", directory))?;
    Ok((true, broker_epoch(&String::from_utf8_lossy(&content))))
}

/// The one number wanted out of `{"version":0,"brokerEpoch":N}`; older brokers wrote an empty file.
fn broker_epoch(json: &str) -> Option<i64> {
    let (_, rest) = json.split_once("\"brokerEpoch\"")?;
    let value = rest.trim_start().strip_prefix(':')?.trim_start();
    let end = value.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(value.len());
    value[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_markers_epoch_is_found() {
        assert_eq!(broker_epoch("{\"version\":0,\"brokerEpoch\":12}"), Some(12));
        assert_eq!(broker_epoch("{ \"brokerEpoch\" : -1 }"), Some(-1));
        assert_eq!(broker_epoch(""), None);
        assert_eq!(broker_epoch("{\"brokerEpoch\":null}"), None);
    }
}
