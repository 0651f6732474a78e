//! Files and directories behind an interface, so that the broker runs on a simulated disk too.
//!
//! Everything here acts at once and may be called on any thread. What can wait for the device (`sync_data`, cold
//! reads) must not be called on a shard's thread: the shard hands it to its driver.

pub use super::file::{File, is_device_failure};
use super::file_pool::OpenFiles;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Open {
    /// Must exist.
    Read,
    /// Must exist.
    ReadWrite,
    /// Made where it is missing, kept as it is where it exists.
    Create,
}

/// One name in a directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub name: String,
    pub is_directory: bool,
}

/// The space on a file system, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    pub total_bytes: u64,
    /// What a process without privileges may still use.
    pub usable_bytes: u64,
}

/// Held as long as the directory is ours; dropping it gives the lock back.
pub trait Lock: Send + Sync {}

/// A file system.
pub trait Disk: Send + Sync {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>>;
    /// The files of this disk that are open by their names and closed when there are too many of them.
    fn open_files(&self) -> &Arc<OpenFiles>;
    /// The names in a directory, in no order. Names that are not UTF-8 are left out.
    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>>;
    fn create_directories(&self, path: &Path) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    fn remove_directory_tree(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable. Blocks.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
    /// Makes everything on the path's file system durable with one call, where the system has such a call; else
    /// `Unsupported`. For a stop, when syncing thousands of small files one by one would take seconds. Blocks.
    fn sync_file_system(&self, path: &Path) -> io::Result<()>;
    /// Takes an exclusive lock on a file (made if missing), as Kafka's `.lock`; `WouldBlock` if another has it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>>;

    /// The space on the file system that the path is on.
    fn space(&self, path: &Path) -> io::Result<Space>;

    /// The path from the root on, for people who look for it.
    fn absolute(&self, path: &Path) -> PathBuf {
        path.to_path_buf()
    }

    /// The size of a file, without opening it where that can be.
    fn size_bytes(&self, path: &Path) -> io::Result<u64> {
        self.open(path, Open::Read)?.size()
    }

    fn exists(&self, path: &Path) -> bool {
        self.open(path, Open::Read).is_ok()
    }

    /// The whole content of a small file; `InvalidData` if it has more than `limit_bytes`.
    fn read_small(&self, path: &Path, limit_bytes: u64) -> io::Result<Vec<u8>> {
        let file = self.open(path, Open::Read)?;
        let size = file.size()?;
        if size > limit_bytes {
            let message = format!("{} has {size} bytes, more than the {limit_bytes} allowed", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let mut content = vec![0; size as usize];
        let read = file.read_at(&mut content, 0)?;
        content.truncate(read);
        Ok(content)
    }

    /// Replaces a small file as a whole, durably: `<name>.tmp`, sync, rename, sync of the directory. Blocks.
    fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        let file = self.open(&temporary, Open::Create)?;
        file.set_size(0)?;
        file.write_at(&[IoSlice::new(content)], 0)?;
        file.sync_data()?;
        self.rename(&temporary, path)?;
        match path.parent() {
            Some(parent) => self.sync_directory(parent),
            None => Ok(()),
        }
    }
}
