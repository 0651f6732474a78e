//! A look at the machine for `klamm doctor`: what a start would find, without starting anything and without leaving anything.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, FlockOperation};

/// What is known of a place where data are to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirectoryLook {
    pub path: PathBuf,
    /// The path, or the nearest folder above it that is there.
    pub nearest: PathBuf,
    pub is_directory: bool,
    /// Names can be made in `nearest`.
    pub is_writable: bool,
    /// The user whom `nearest` belongs to, and who asks.
    pub owner: u32,
    pub asking: u32,
    pub kind: FileSystemKind,
    pub total_bytes: u64,
    pub usable_bytes: u64,
    /// Another process has this lock file.
    pub is_locked: bool,
}

impl DirectoryLook {
    pub fn exists(&self) -> bool {
        self.path == self.nearest
    }
}

/// The kinds of file systems that are worth a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileSystemKind {
    /// It is in memory: gone with the machine's next start.
    Memory,
    /// A container's own layer: gone with the container.
    Overlay,
    Other,
}

/// Looks at a directory; `lock` is the name of the file by which its user keeps others out.
pub fn directory(path: &Path, lock: &str) -> io::Result<DirectoryLook> {
    let path = std::path::absolute(path)?;
    let nearest = path.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/")).to_path_buf();
    let found = fs::metadata(&nearest)?;
    let space = rustix::fs::statvfs(&nearest)?;
    let bytes = |blocks: u64| blocks.saturating_mul(space.f_frsize);
    Ok(DirectoryLook {
        is_directory: found.is_dir(),
        is_writable: rustix::fs::access(&nearest, Access::WRITE_OK | Access::EXEC_OK).is_ok(),
        owner: found.uid(),
        asking: rustix::process::geteuid().as_raw(),
        kind: kind(&nearest),
        total_bytes: bytes(space.f_blocks),
        usable_bytes: bytes(space.f_bavail),
        is_locked: is_locked(&path.join(lock)),
        path,
        nearest,
    })
}

#[cfg(target_os = "linux")]
fn kind(path: &Path) -> FileSystemKind {
    const TMPFS: i128 = 0x0102_1994;
    const RAMFS: i128 = 0x8584_58f6;
    const OVERLAYFS: i128 = 0x794c_7630;
    match rustix::fs::statfs(path).map(|found| i128::from(found.f_type)) {
        Ok(TMPFS | RAMFS) => FileSystemKind::Memory,
        Ok(OVERLAYFS) => FileSystemKind::Overlay,
        _ => FileSystemKind::Other,
    }
}

#[cfg(not(target_os = "linux"))]
fn kind(_: &Path) -> FileSystemKind {
    FileSystemKind::Other
}

/// A lock is tried and given back at once; the file is not made where it is not there.
fn is_locked(path: &Path) -> bool {
    let Ok(file) = fs::OpenOptions::new().read(true).write(true).open(path) else { return false };
    let tried = rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive);
    matches!(tried, Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS))
}

/// Whether an address could be listened on; it is given back at once.
pub fn listens(address: SocketAddr) -> io::Result<()> {
    TcpListener::bind(address).map(drop)
}

/// The most descriptors that this process may have when it asks for more (`threads::raise_descriptor_limit`); `None` is no
/// limit.
pub fn most_descriptors() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_looked_at_and_left_as_it_is() {
        let home = tempfile::tempdir().unwrap();
        let missing = home.path().join("a/b");
        let look = directory(&missing, ".lock").unwrap();
        assert!(!look.exists() && look.nearest == home.path() && look.is_directory && look.is_writable);
        assert!(!look.is_locked && look.owner == look.asking && look.usable_bytes <= look.total_bytes);
        assert!(!home.path().join("a").exists());
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(!directory(&file, ".lock").unwrap().is_directory);
        assert!(directory(home.path(), "file").is_ok_and(|look| look.exists() && !look.is_locked));
    }

    #[test]
    fn an_address_that_is_taken_is_found_out() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert_eq!(listens(address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(taken);
        listens(address).unwrap();
    }
}
