//! What must be synced so that what was published survives a loss of power, and the note that it was.

use super::error::Error;
use super::log::Log;
use super::removal::ignore_missing;
use super::segment::Segment;
use super::view::View;
use super::writer::Writer;
use crate::io::disk::{Disk, File, Open};
use crate::model::{Offset, TimestampMs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What must be synced so that everything below `up_to` survives a loss of power.
pub struct Flush {
    pub up_to: Offset,
    pub files: Vec<Arc<dyn File>>,
    /// Files that no segment keeps open: they are opened to be synced. One that is gone by then needs no sync.
    unopened: Vec<PathBuf>,
    /// Directories in which names are new.
    directories: Vec<PathBuf>,
    names_version: u64,
    disk: Arc<dyn Disk>,
    /// The log's directory, which errors name.
    directory: PathBuf,
}

impl Flush {
    /// Syncs all of it. Blocks.
    pub fn run(&self) -> Result<(), Error> {
        for file in &self.files {
            file.sync_data().map_err(Error::io("sync a file in", &self.directory))?;
        }
        let rest = self.names_sync();
        rest.map_or(Ok(()), |sync| sync().map_err(Error::io("sync a file in", &self.directory)))
    }

    /// The files of segments too, which are opened to be synced.
    pub(super) fn add_unopened(&mut self, segments: &[Arc<Segment>]) {
        self.unopened.extend(segments.iter().map(|segment| segment.log.path().to_path_buf()));
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.unopened.is_empty() && self.directories.is_empty()
    }

    /// The sync of all but the open files, for a caller that syncs those itself; `None` if there is nothing. It blocks.
    pub fn names_sync(&self) -> Option<Box<dyn FnOnce() -> std::io::Result<()> + Send>> {
        if self.unopened.is_empty() && self.directories.is_empty() {
            return None;
        }
        let (disk, unopened, directories) = (self.disk.clone(), self.unopened.clone(), self.directories.clone());
        Some(Box::new(move || {
            for path in &unopened {
                ignore_missing(disk.open(path, Open::Read).and_then(|file| file.sync_data()))?;
            }
            directories.iter().try_for_each(|path| disk.sync_directory(path))
        }))
    }
}

impl Log {
    /// Whether `flush.messages` or `flush.ms` asks for a flush.
    pub fn wants_sync(&self, now: TimestampMs) -> bool {
        let config = self.config.load();
        let unflushed = self.unflushed_messages();
        let waited_ms = now.0.saturating_sub(self.last_flush_ms.load(Ordering::Relaxed));
        unflushed > 0 && (unflushed >= config.flush_messages || waited_ms >= config.flush_ms)
    }

    /// What must be synced so that everything published so far survives.
    pub fn flush(&self) -> Result<Flush, Error> {
        let mut writer = self.lock_writer()?;
        let mut flush = self.flush_locked(&mut writer);
        // Now: they may have other names, or none, when the sync comes to them.
        for segment in self.unflushed(&self.view.load()) {
            match segment.file(&*self.disk) {
                Ok(file) => flush.files.push(file),
                Err(error) => {
                    // The next flush has all of it to sync.
                    writer.unsynced.append(&mut flush.unopened);
                    return Err(Error::io("open", segment.log.path())(error));
                }
            }
        }
        Ok(flush)
    }

    /// The segments that hold what is behind the recovery point.
    pub(super) fn unflushed<'v>(&self, view: &'v View) -> &'v [Arc<Segment>] {
        let recovery_point = self.recovery_point();
        let first = if view.end_offset > recovery_point { view.floor(recovery_point) } else { view.segments.len() };
        &view.segments[first..]
    }

    /// All but the segments.
    pub(super) fn flush_locked(&self, writer: &mut Writer) -> Flush {
        let up_to = self.log_end_offset();
        assert!(up_to <= writer.next_offset, "readers see more than was appended");
        let names_synced = self.names_synced.load(Ordering::Acquire);
        assert!(names_synced <= writer.names_version, "names were synced that nothing has made yet");
        let (files, unopened) = (Vec::new(), std::mem::take(&mut writer.unsynced));
        let mut directories = Vec::new();
        if writer.names_version > names_synced {
            directories.push(self.directory.clone());
            // The directory itself may be new.
            directories.extend(self.directory.parent().map(Path::to_path_buf));
        }
        let (names_version, disk, directory) = (writer.names_version, self.disk.clone(), self.directory.clone());
        Flush { up_to, files, unopened, directories, names_version, disk, directory }
    }

    /// Notes that a flush has succeeded. One that failed is told to [`Log::fail_sync`] instead: after a failed sync
    /// it is not known what is durable, and trying again would not find out.
    pub fn flushed(&self, flush: &Flush, now: TimestampMs) {
        assert_eq!(flush.directory, self.directory, "the flush is another log's");
        assert!(flush.up_to <= self.log_end_offset(), "what is durable was published before");
        assert!(self.recovery_point() <= self.log_end_offset(), "recovery would begin behind the log's end");
        self.recovery_point.fetch_max(flush.up_to.0, Ordering::AcqRel);
        self.names_synced.fetch_max(flush.names_version, Ordering::AcqRel);
        // Not the latest: a wall clock that was wrong once must not keep `flush.ms` waiting until its time has come.
        self.last_flush_ms.store(now.0, Ordering::Relaxed);
    }
}
