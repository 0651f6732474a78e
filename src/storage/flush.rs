//! What outlives the process: flushes, the orderly close, and what is removed for good.

use super::error::Error;
use super::log::{Log, LogConfig};
use super::names::{self, Kind};
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
    /// Files that nobody keeps open: they are opened to be synced. One that is gone by then needs no sync.
    unopened: Vec<PathBuf>,
    /// Directories in which names are new.
    directories: Vec<PathBuf>,
    names_version: u64,
    disk: Arc<dyn Disk>,
    /// Of the log, for messages.
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
            let path = segment.log.path();
            flush.files.push(segment.file(&*self.disk).map_err(Error::io("open", path))?);
        }
        Ok(flush)
    }

    /// The segments that hold what is behind the recovery point.
    fn unflushed<'v>(&self, view: &'v View) -> &'v [Arc<Segment>] {
        let recovery_point = self.recovery_point();
        let first = if view.end_offset > recovery_point { view.floor(recovery_point) } else { view.segments.len() };
        &view.segments[first..]
    }

    /// All but the segments.
    fn flush_locked(&self, writer: &mut Writer) -> Flush {
        let up_to = self.log_end_offset();
        let (files, unopened) = (Vec::new(), std::mem::take(&mut writer.unsynced));
        let mut directories = Vec::new();
        if writer.names_version > self.names_synced.load(Ordering::Acquire) {
            directories.push(self.directory.clone());
            // The directory itself may be new.
            directories.extend(self.directory.parent().map(Path::to_path_buf));
        }
        let (names_version, disk, directory) = (writer.names_version, self.disk.clone(), self.directory.clone());
        Flush { up_to, files, unopened, directories, names_version, disk, directory }
    }

    /// Notes that a flush has succeeded. One that failed is told to [`Log::set_offline`] instead: after a failed sync
    /// nobody knows what is on the platter, and trying again would not find out.
    pub fn flushed(&self, flush: &Flush, now: TimestampMs) {
        self.recovery_point.fetch_max(flush.up_to.0, Ordering::AcqRel);
        self.names_synced.fetch_max(flush.names_version, Ordering::AcqRel);
        self.last_flush_ms.fetch_max(now.0, Ordering::Relaxed);
    }

    /// Moves the start of the log up, never down, and never behind its end; whole segments below it leave the log. The
    /// caller keeps it below the high watermark.
    pub fn delete_records_before(&self, offset: Offset) -> Result<Removal, Error> {
        let mut writer = self.lock_writer()?;
        let view = self.view.load();
        let offset = offset.min(view.end_offset);
        if offset <= view.log_start_offset {
            return Ok(Removal { disk: self.disk.clone(), files: Vec::new(), directory: None });
        }
        self.drop_segments_below(&mut writer, offset)
    }

    /// Moves the start of the log up to the offset, if it is below, and takes out the segments below it.
    pub(super) fn drop_segments_below(&self, writer: &mut Writer, offset: Offset) -> Result<Removal, Error> {
        let view = self.view.load_full();
        let offset = offset.max(view.log_start_offset);
        let mut removal = Removal { disk: self.disk.clone(), files: Vec::new(), directory: None };
        let keep_from = view.floor(offset);
        let (gone, kept) = view.segments.split_at(keep_from);
        self.view.store(Arc::new(View { segments: kept.into(), log_start_offset: offset, ..(*view).clone() }));
        for (segment, kind) in gone.iter().flat_map(|s| Kind::ALL.map(|kind| (s, kind))) {
            let path = names::file(&self.directory, segment.base_offset, kind);
            let aside = names::with_suffix(&path, names::DELETED_SUFFIX);
            ignore_missing(self.disk.rename(&path, &aside)).map_err(Error::io("rename", &path))?;
            removal.files.push(aside);
        }
        let epochs = self.epochs.load().cut_from_start(offset);
        if epochs != **self.epochs.load() {
            let stored = self.store_epochs(writer, epochs);
            stored.map_err(|error| self.fail(writer, error))?;
        }
        Ok(removal)
    }

    /// Writes and syncs everything, so that the log can be opened as clean at the end offset returned. Takes nothing more
    /// afterwards. Blocks.
    pub fn close(&self, now: TimestampMs) -> Result<Offset, Error> {
        let flush = self.close_unsynced()?;
        flush.run()?;
        self.flushed(&flush, now);
        Ok(flush.up_to)
    }

    /// As [`Log::close`], but what must be synced is left to the caller, who may do it for many logs at once.
    pub fn close_unsynced(&self) -> Result<Flush, Error> {
        let config = self.config.load();
        let mut writer = self.lock_writer()?;
        let finished = self.finish(&mut writer, &config);
        finished.map_err(|error| self.fail(&mut writer, error))?;
        let mut flush = self.flush_locked(&mut writer);
        let unflushed = self.view.load_full();
        flush.unopened.extend(self.unflushed(&unflushed).iter().map(|segment| segment.log.path().to_path_buf()));
        self.set_offline();
        Ok(flush)
    }

    fn finish(&self, writer: &mut Writer, config: &LogConfig) -> Result<(), Error> {
        self.write_locked(writer, config)?;
        // Where nothing was appended the files are as opening found or made them.
        if writer.indexes_on_disk_to != Some(writer.next_offset) {
            let view = self.view.load_full();
            self.finish_active(writer, &view)?;
        }
        self.take_snapshot(writer)
    }

    /// Takes the log's directory out of sight; the removal does the rest. `unique` distinguishes two deletions of the
    /// same name. Whoever reads at the moment still can.
    pub fn delete(&self, unique: [u8; 16]) -> Result<Removal, Error> {
        let _writer = self.writer.lock().map_err(|_| Error::Offline)?;
        self.set_offline();
        self.deleted.store(true, Ordering::Release);
        let name = names::deleted_directory(&self.identity.topic, self.identity.partition, unique);
        let aside = self.directory.with_file_name(name);
        self.disk.rename(&self.directory, &aside).map_err(Error::io("rename", &self.directory))?;
        Ok(Removal::of_directory(self.disk.clone(), aside))
    }
}
