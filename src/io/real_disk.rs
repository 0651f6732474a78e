//! The machine's own file system behind [`Disk`].
//!
//! Every call here is a plain system call on the calling thread. What a platform lacks (reserving space, knowing what
//! is cached) is left out silently, because nothing depends on it but speed.

use super::clock;
use super::disk::{Disk, Entry, File, Lock, Open, Space};
use super::file_pool::OpenFiles;
use crate::model::TimestampMs;
use crate::stdx::mutex::Mutex;
use rustix::fs::FlockOperation;
use std::collections::HashSet;
use std::fs;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file system of this machine. Clones have one count of open files.
#[derive(Clone, Default)]
pub struct RealDisk {
    open_files: Arc<OpenFiles>,
}

impl RealDisk {
    pub fn new(open_files: Arc<OpenFiles>) -> RealDisk {
        RealDisk { open_files }
    }
}

struct RealFile(fs::File);

impl Disk for RealDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(how != Open::Read).create(how == Open::Create);
        Ok(Arc::new(RealFile(self.open_files.make_room(|| options.open(path))?)))
    }

    fn open_files(&self) -> &Arc<OpenFiles> {
        &self.open_files
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in self.open_files.make_room(|| fs::read_dir(directory))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // A file may vanish between its listing and the question for its kind, which few file systems need.
            match entry.file_type() {
                Ok(kind) => entries.push(Entry { name, is_directory: kind.is_dir() }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(entries)
    }

    fn create_directories(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_directory_tree(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.open_files.make_room(|| fs::File::open(path))?.sync_all()
    }

    #[cfg(target_os = "linux")]
    fn sync_file_system(&self, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::syncfs(self.open_files.make_room(|| fs::File::open(path))?)?)
    }

    #[cfg(not(target_os = "linux"))]
    fn sync_file_system(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        HeldLock::take(path).map(|lock| Box::new(lock) as Box<dyn Lock>)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let found = rustix::fs::statvfs(path)?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Ok(Space { total_bytes: bytes(found.f_blocks), usable_bytes: bytes(found.f_bavail) })
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
    }

    fn size_bytes(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
}

impl File for RealFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.0.read_at(&mut buffer[done..], position + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        if let [one] = slices {
            return self.0.write_all_at(one, position);
        }
        write_vectored_at(&self.0, slices, position)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn modified(&self) -> io::Result<TimestampMs> {
        Ok(clock::timestamp(self.0.metadata()?.modified()?))
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        // ext4 and xfs give back what was reserved behind the end even when the size stays the same.
        self.0.set_len(size)
    }

    fn allocate(&self, position: u64, length: u64) -> io::Result<()> {
        allocate_keeping_size(&self.0, position, length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn is_resident(&self, position: u64, length: u64) -> bool {
        residency::is_resident(self.0.as_raw_fd(), position, length)
    }

    fn descriptor(&self) -> Option<RawFd> {
        Some(self.0.as_raw_fd())
    }
}

#[cfg(target_os = "linux")]
fn write_vectored_at(file: &fs::File, slices: &[IoSlice<'_>], mut position: u64) -> io::Result<()> {
    /// The kernel refuses longer vectors (`UIO_MAXIOV`).
    const MOST_SLICES: usize = 1024;
    let began = position;
    let mut first = 0;
    let mut skip = 0;
    while first < slices.len() {
        if skip >= slices[first].len() {
            skip -= slices[first].len();
            first += 1;
            continue;
        }
        let written = if skip > 0 {
            // The rest of a slice that a short write cut.
            file.write_at(&slices[first][skip..], position)
        } else {
            let last = slices.len().min(first + MOST_SLICES);
            rustix::io::pwritev(file, &slices[first..last], position).map_err(io::Error::from)
        };
        match written {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                position += written as u64;
                skip += written;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let total: usize = slices.iter().map(|slice| slice.len()).sum();
    assert_eq!(position - began, total as u64, "every byte was written once");
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn write_vectored_at(file: &fs::File, slices: &[IoSlice<'_>], mut position: u64) -> io::Result<()> {
    for slice in slices {
        file.write_all_at(slice, position)?;
        position += slice.len() as u64;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn allocate_keeping_size(file: &fs::File, position: u64, length: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    match fallocate(file, FallocateFlags::KEEP_SIZE, position, length) {
        // Not every file system can; a full disk is for the write itself to find out, which may need less.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::NOSPC | Errno::INTR | Errno::FBIG) => Ok(()),
        other => Ok(other?),
    }
}

#[cfg(not(target_os = "linux"))]
fn allocate_keeping_size(_: &fs::File, _: u64, _: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod residency {
    //! `cachestat(2)`, Linux 6.5: counts the cached pages of a range without touching them.

    use std::os::fd::RawFd;
    use std::sync::atomic::{AtomicBool, Ordering};

    const SYS_CACHESTAT: libc::c_long = 451;
    const PAGE_SIZE: u64 = 4096;

    #[repr(C)]
    struct Range {
        offset: u64,
        length: u64,
    }

    #[repr(C)]
    #[derive(Default)]
    struct Statistics {
        cached: u64,
        dirty: u64,
        writeback: u64,
        evicted: u64,
        recently_evicted: u64,
    }

    /// Set when the kernel, or a container's filter, does not know the call: then nothing is asked again. Of the process,
    /// because the kernel is the same for every broker in it.
    static MISSING: AtomicBool = AtomicBool::new(false);

    pub fn is_resident(descriptor: RawFd, position: u64, length: u64) -> bool {
        if length == 0 || MISSING.load(Ordering::Relaxed) {
            return true;
        }
        let range = Range { offset: position, length };
        let mut found = Statistics::default();
        // SAFETY: both pointers lead to live structures of the layout that the kernel defines (linux/mman.h), and the
        // kernel keeps neither of them; a descriptor that is not open is answered with an error.
        let answer = unsafe { libc::syscall(SYS_CACHESTAT, descriptor, &raw const range, &raw mut found, 0u32) };
        if answer != 0 {
            MISSING.store(true, Ordering::Relaxed);
            return true;
        }
        let first = position / PAGE_SIZE;
        let last = (position + length - 1) / PAGE_SIZE;
        found.cached > last - first
    }
}

#[cfg(not(target_os = "linux"))]
mod residency {
    //! Without `cachestat` everything is taken for cached.

    pub fn is_resident(_: std::os::fd::RawFd, _: u64, _: u64) -> bool {
        true
    }
}

/// The locks that this process holds: POSIX record locks exclude other processes only, and closing any second
/// descriptor of the file would give the lock away, so a path that is here is never opened again. The kernel counts them for
/// the process, and so do we: one broker of it excludes another.
static HELD: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);

/// A record lock over the whole file, the kind that Java's `FileChannel.tryLock` takes.
struct HeldLock {
    path: PathBuf,
    _file: fs::File,
}

impl Lock for HeldLock {}

impl HeldLock {
    fn take(path: &Path) -> io::Result<HeldLock> {
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let path = parent.canonicalize()?.join(path.file_name().unwrap_or_default());
        let mut held = HELD.lock();
        let held = held.get_or_insert_default();
        if held.contains(&path) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            // POSIX allows both answers for "another process has it".
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => return Err(error.into()),
        }
        assert!(held.insert(path.clone()), "one lock at a time");
        Ok(HeldLock { path, _file: file })
    }
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        let mut held = HELD.lock();
        assert!(held.get_or_insert_default().remove(&self.path), "a lock is noted as long as it is held");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_written_one_behind_the_other_however_many() {
        let home = tempfile::tempdir().unwrap();
        let file = RealDisk::default().open(&home.path().join("f"), Open::Create).unwrap();
        let pieces: Vec<Vec<u8>> = (0..3000u32).map(|n| vec![n as u8; (n % 7) as usize]).collect();
        let slices: Vec<IoSlice<'_>> = pieces.iter().map(|p| IoSlice::new(p)).collect();
        file.write_at(&slices, 5).unwrap();
        let expected = pieces.concat();
        let mut read = vec![0; expected.len() + 10];
        assert_eq!(file.read_at(&mut read, 5).unwrap(), expected.len());
        assert_eq!(read[..expected.len()], expected);
        assert!(file.is_resident(0, expected.len() as u64));
    }

    #[test]
    fn allocation_keeps_the_size_and_setting_the_size_gives_it_back() {
        use std::os::unix::fs::MetadataExt;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("f");
        let file = RealDisk::default().open(&path, Open::Create).unwrap();
        file.write_at(&[IoSlice::new(b"abc")], 0).unwrap();
        file.allocate(0, 1 << 20).unwrap();
        assert_eq!(file.size().unwrap(), 3);
        file.set_size(3).unwrap();
        assert!(fs::metadata(&path).unwrap().blocks() < 100);
    }

    #[test]
    fn a_lock_excludes_until_it_is_dropped() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(".lock");
        let lock = RealDisk::default().lock(&path).unwrap();
        assert_eq!(RealDisk::default().lock(&path).err().unwrap().kind(), io::ErrorKind::WouldBlock);
        drop(lock);
        RealDisk::default().lock(&path).unwrap();
    }
}
