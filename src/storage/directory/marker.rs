//! The marker of a clean stop (`.kafka_cleanshutdown`): removed at the start, written last at the stop.

use super::LogDirectory;
use crate::io::disk::{Disk, Open};
use crate::storage::error::Error;
use std::io::IoSlice;
use std::path::Path;
use std::sync::PoisonError;

const CLEAN_SHUTDOWN_FILE: &str = ".kafka_cleanshutdown";

impl LogDirectory {
    /// Says that all logs were closed and checkpointed. The last thing to be written. Blocks.
    pub fn mark_clean(&self, broker_epoch: i64) -> Result<(), Error> {
        let path = self.path.join(CLEAN_SHUTDOWN_FILE);
        if !self.unopened.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            let why = "is not marked as clean, because a log in it could not be opened".to_string();
            return Err(Error::Unusable { path: self.path.clone(), why });
        }
        let content = format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}");
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

/// Removes the marker, durably; whether it was there. What it says, the broker epoch, is for a controller elsewhere.
pub(super) fn take(disk: &dyn Disk, directory: &Path) -> Result<bool, Error> {
    let path = directory.join(CLEAN_SHUTDOWN_FILE);
    match disk.remove_file(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::io("remove", &path)(error)),
    }
    disk.sync_directory(directory).map_err(Error::io("sync", directory))?;
    Ok(true)
}
