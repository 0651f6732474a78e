//! What is removed for good: files and directories under names that no log has any more.

use super::error::Error;
use crate::io::disk::Disk;
use std::path::PathBuf;
use std::sync::Arc;

/// Files that nobody needs any more; unlinking large ones takes time.
pub struct Removal {
    disk: Arc<dyn Disk>,
    files: Vec<PathBuf>,
    directory: Option<PathBuf>,
}

impl Removal {
    pub(super) fn of_directory(disk: Arc<dyn Disk>, directory: PathBuf) -> Removal {
        Removal { disk, files: Vec::new(), directory: Some(directory) }
    }

    pub(super) fn of_files(disk: Arc<dyn Disk>, files: Vec<PathBuf>) -> Removal {
        Removal { disk, files, directory: None }
    }

    /// Unlinks them. What is gone already is fine. Blocks.
    pub fn run(&self) -> Result<(), Error> {
        for path in &self.files {
            ignore_missing(self.disk.remove_file(path)).map_err(Error::io("remove", path))?;
        }
        match &self.directory {
            Some(path) => ignore_missing(self.disk.remove_directory_tree(path)).map_err(Error::io("remove", path)),
            None => Ok(()),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.directory.is_none()
    }
}

pub(super) fn ignore_missing(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
