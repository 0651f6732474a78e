//! The start of a log moves up: by DeleteRecords, and when retention lets segments go.

use super::error::Error;
use super::log::Log;
use super::names::{self, Kind};
use super::removal::{Removal, ignore_missing};
use super::view::View;
use super::writer::Writer;
use crate::model::Offset;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Log {
    /// Moves the start of the log up, never down, and never behind its end. The segments below it go with the next look
    /// for old ones (`UnifiedLog.maybeIncrementLogStartOffset`). The caller keeps it below the high watermark.
    pub fn delete_records_before(&self, offset: Offset) -> Result<(), Error> {
        let mut writer = self.lock_writer()?;
        let view = self.view.load_full();
        let offset = offset.min(view.end_offset);
        if offset <= view.log_start_offset {
            return Ok(());
        }
        self.publish(&mut writer, View { log_start_offset: offset, ..(*view).clone() });
        self.cut_epochs(&mut writer, offset)
    }

    /// Moves the start of the log up to the offset, if it is below, and takes out the segments below it.
    pub(super) fn drop_segments_below(&self, writer: &mut Writer, offset: Offset) -> Result<Removal, Error> {
        let view = self.view.load_full();
        let offset = offset.max(view.log_start_offset);
        let mut files = Vec::new();
        let keep_from = view.floor(offset);
        let (gone, kept) = view.segments.split_at(keep_from);
        assert!(!kept.is_empty(), "the active segment stays");
        assert!(gone.is_empty() || kept[0].base_offset <= offset, "records at or behind the new start would go");
        let are_names_durable = writer.names_version <= self.names_synced.load(Ordering::Acquire);
        assert!(gone.is_empty() || are_names_durable, "a loss of power could leave neither old segments nor new ones");
        self.publish(writer, View { segments: kept.into(), log_start_offset: offset, ..(*view).clone() });
        for (segment, kind) in gone.iter().flat_map(|s| Kind::ALL.map(|kind| (s, kind))) {
            let path = names::file(&self.directory, segment.base_offset, kind);
            let aside = names::with_suffix(&path, names::DELETED_SUFFIX);
            let renamed = ignore_missing(self.disk.rename(&path, &aside)).map_err(Error::io("rename", &path));
            renamed.map_err(|error| self.fail(writer, error))?;
            files.push(aside);
        }
        self.cut_epochs(writer, offset)?;
        Ok(Removal::of_files(self.disk.clone(), files))
    }

    fn cut_epochs(&self, writer: &mut Writer, log_start_offset: Offset) -> Result<(), Error> {
        let epochs = self.epochs.load().cut_from_start(log_start_offset);
        if epochs == **self.epochs.load() {
            return Ok(());
        }
        match self.store_epochs(writer, epochs.clone()) {
            // The next opening cuts what the file says too much; and this is what makes room.
            Err(error) if error.is_full() => {
                self.epochs.store(Arc::new(epochs));
                Ok(())
            }
            stored => stored.map_err(|error| self.fail(writer, error)),
        }
    }
}
