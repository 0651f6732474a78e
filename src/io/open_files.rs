//! Files that are opened when they are wanted and closed again when too many are open (see [`OpenFiles`]). A shard that
//! wants a file that is open takes no lock.
//!
//! Deliberately unknown here: whether a file was synced. A write that the kernel could not bring to the disk while the
//! file was closed is told to the next who syncs it, as long as the kernel remembers the file at all (Linux 4.16).

use super::disk::{Disk, File, Open};
use super::file_pool::Slot;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file by its path. It must exist when it is wanted. Clones share what is open.
#[derive(Clone)]
pub struct LazyFile {
    path: PathBuf,
    slot: Arc<Slot>,
}

impl LazyFile {
    pub fn new(path: PathBuf) -> LazyFile {
        LazyFile { path, slot: Arc::new(Slot::empty()) }
    }

    /// One that is open already on this disk.
    pub fn opened(disk: &dyn Disk, path: PathBuf, file: Arc<dyn File>) -> LazyFile {
        LazyFile::held(disk, path, file).0
    }

    /// One that is open already, and not by this path yet: as long as the second part of the answer lives, it stays so.
    pub fn held(disk: &dyn Disk, path: PathBuf, file: Arc<dyn File>) -> (LazyFile, Arc<dyn File>) {
        let lazy = LazyFile::new(path);
        let opened = disk.open_files().admit(&lazy.slot, file);
        (lazy, opened)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is a clone of the other.
    pub fn is(&self, other: &LazyFile) -> bool {
        Arc::ptr_eq(&self.slot, &other.slot)
    }

    /// As if too many were open and this one had not been wanted for the longest time.
    #[cfg(test)]
    pub fn close(&self) {
        self.slot.close();
    }

    /// The open file, which stays open as long as the answer lives. Can be read where it cannot be written to any more.
    pub fn get(&self, disk: &dyn Disk) -> io::Result<Arc<dyn File>> {
        if let Some(opened) = self.slot.get() {
            return Ok(opened);
        }
        let file = match disk.open(&self.path, Open::ReadWrite) {
            Err(error) if matches!(error.kind(), ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied) => {
                disk.open(&self.path, Open::Read)?
            }
            other => other?,
        };
        Ok(disk.open_files().admit(&self.slot, file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::file_pool::OpenFiles;
    use crate::io::real_disk::RealDisk;
    use crate::io::simulated_disk::SimulatedDisk;

    fn simulated(limit: usize) -> SimulatedDisk {
        SimulatedDisk::with_open_files(Arc::new(OpenFiles::new(limit)))
    }

    fn real(limit: usize) -> RealDisk {
        RealDisk::new(Arc::new(OpenFiles::new(limit)))
    }

    fn files(disk: &dyn Disk, directory: &Path, count: usize) -> Vec<LazyFile> {
        let make = |n: usize| {
            let path = directory.join(n.to_string());
            let file = disk.open(&path, Open::Create).unwrap();
            file.write_at(&[io::IoSlice::new(&[n as u8])], 0).unwrap();
            LazyFile::new(path)
        };
        (0..count).map(make).collect()
    }

    fn read(disk: &dyn Disk, file: &LazyFile) -> u8 {
        let mut byte = [0];
        assert_eq!(file.get(disk).unwrap().read_at(&mut byte, 0).unwrap(), 1);
        byte[0]
    }

    fn is_open(file: &LazyFile) -> bool {
        file.slot.is_open()
    }

    #[test]
    fn no_more_are_open_than_the_limit_says_and_the_oldest_are_closed() {
        let disk = simulated(3);
        let files = files(&disk, Path::new("/"), 10);
        for (n, file) in files.iter().enumerate() {
            assert_eq!(read(&disk, file), n as u8);
            assert_eq!(read(&disk, &files[0]), 0, "one that is wanted again and again");
            assert!(disk.open_files().count() <= 3);
        }
        let open: Vec<_> = (0..10).filter(|n| is_open(&files[*n])).collect();
        assert_eq!(open, [0, 8, 9]);
        drop(files);
        assert_eq!(disk.open_files().count(), 0);
    }

    #[test]
    fn what_is_in_use_stays_open() {
        let disk = simulated(2);
        let files = files(&disk, Path::new("/"), 9);
        let held: Vec<_> = files[..4].iter().map(|file| file.get(&disk).unwrap()).collect();
        assert_eq!(disk.open_files().count(), 4, "more than the limit, because they are in use");
        assert!(files[4..].iter().all(|file| read(&disk, file) >= 4));
        assert!(files[..4].iter().all(is_open));
        drop(held);
        read(&disk, &files[7]);
        assert!(disk.open_files().count() <= 2);
    }

    #[test]
    fn a_limit_of_descriptors_is_kept_by_many_threads() {
        let directory = tempfile::tempdir().unwrap();
        let disk = &real(8);
        let files = files(disk, directory.path(), 64);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let files = &files;
                scope.spawn(move || {
                    for n in 0..2000 {
                        let at = (n * 7 + thread * 13) % files.len();
                        assert_eq!(read(disk, &files[at]), at as u8);
                    }
                });
            }
        });
        assert!(disk.open_files().count() <= 8);
    }

    #[test]
    fn what_may_not_be_written_can_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let disk = real(8);
        let files = files(&disk, directory.path(), 1);
        let mut permissions = std::fs::metadata(files[0].path()).unwrap().permissions();
        permissions.set_readonly(true);
        std::fs::set_permissions(files[0].path(), permissions).unwrap();
        assert_eq!(read(&disk, &files[0]), 0);
    }

    #[test]
    fn files_that_are_not_in_use_make_room_for_what_must_be_opened() {
        let disk = simulated(9);
        let files = files(&disk, Path::new("/"), 9);
        let held: Vec<_> = files.iter().map(|file| file.get(&disk).unwrap()).take(2).collect();
        let among = disk.open_files();
        let mut failures = [libc::EMFILE, libc::ENOENT].into_iter();
        let failures = std::cell::RefCell::new(&mut failures);
        let open = || failures.borrow_mut().next().map_or(Ok(()), |code| Err(io::Error::from_raw_os_error(code)));
        let opened = among.make_room(open);
        assert_eq!(opened.unwrap_err().kind(), ErrorKind::NotFound, "the second answer counts");
        assert_eq!(among.count(), held.len());
        assert!(among.make_room(open).is_ok());
    }
}
