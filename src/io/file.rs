//! An open file, and what an operating system says when it has failed.

use crate::model::TimestampMs;
use std::io::{self, IoSlice};
use std::os::fd::RawFd;

/// The device has failed (EIO), whatever was asked of it.
pub fn is_device_failure(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EIO)
}

/// The process, or the machine, has no descriptor left.
pub fn are_descriptors_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// An open file. Positions and lengths in bytes.
pub trait File: Send + Sync {
    /// Reads up to `buffer.len()` bytes; fewer only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;
    /// Writes all the slices one behind the other, extending the file where needed.
    fn write_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<()>;
    fn size(&self) -> io::Result<u64>;
    /// When the content changed last.
    fn modified(&self) -> io::Result<TimestampMs>;
    /// Cuts or extends (with zeros) the file, and gives back what was allocated behind its end.
    fn set_size(&self, size: u64) -> io::Result<()>;
    /// Reserves disk space for the range without changing the file's size. A file system that cannot is no error.
    fn allocate(&self, position: u64, length: u64) -> io::Result<()>;
    /// Makes content and size durable. Blocks.
    fn sync_data(&self) -> io::Result<()>;
    /// Whether the whole range can be read without waiting for the device; `true` where that cannot be known.
    fn is_resident(&self, position: u64, length: u64) -> bool;
    /// The descriptor, for the drivers' own calls; `None` on a simulated disk and on one in memory.
    fn descriptor(&self) -> Option<RawFd>;

    /// Hands out the bytes from a position on, at most so many and perhaps fewer, where they lie in memory, and answers what
    /// is made of them; nothing is handed out behind the end. No writer changes them meanwhile. `None`: they lie on a disk.
    fn lend(
        &self,
        _position: u64,
        _length: usize,
        _to: &mut dyn FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> Option<io::Result<usize>> {
        None
    }
}
