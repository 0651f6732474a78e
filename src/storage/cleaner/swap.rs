//! Puts a finished copy in the place of its originals, so that a crash at any moment leaves the one or the others.
//!
//! The order on disk, each step durable before the next begins: `.cleaned` becomes `.swap` (from here on recovery
//! finishes the swap; one `.cleaned` that is left makes it throw the copy away); the originals become `.deleted`; `.swap`
//! loses its suffix. Readers see the copy between the first two. The writer's lock is held for renames only, never for a
//! sync.

use super::super::error::Error;
use super::super::log::Log;
use super::super::names::{self, DELETED_SUFFIX, Kind, SWAP_SUFFIX};
use super::super::removal::{Removal, ignore_missing};
use super::super::segment::Segment;
use super::super::view::View;
use super::super::writer::Writer;
use super::Stopped;
use super::copy::Copy;
use crate::model::Offset;
use std::path::PathBuf;
use std::sync::Arc;

impl Log {
    /// Swaps a finished copy in, in the order that the file's head gives. The answer is what the originals were renamed to.
    pub(super) fn swap_in(&self, group: &[Arc<Segment>], copy: Copy) -> Result<Removal, Stopped> {
        let base_offset = copy.segment.base_offset;
        assert_eq!(base_offset, group[0].base_offset, "a copy bears the name of its first original");
        assert!(copy.kinds.contains(&Kind::Log), "recovery takes a swap without its .log for none");
        self.sync_names()?;
        for kind in &copy.kinds {
            let (from, to) = (self.cleaned(base_offset, *kind), self.swap(base_offset, *kind));
            self.disk.rename(&from, &to).map_err(Error::io("rename", &from))?;
        }
        self.sync_names()?;
        let removal = match self.replace(group, &copy.segment) {
            Ok(removal) => removal,
            Err(stopped) => {
                self.remove_swap(&copy)?;
                return Err(stopped);
            }
        };
        self.sync_swap()?;
        self.name_copy(&copy)?;
        self.sync_swap()?;
        Ok(removal)
    }

    /// Shows the copy to readers and renames the originals.
    fn replace(&self, group: &[Arc<Segment>], copy: &Arc<Segment>) -> Result<Removal, Stopped> {
        let mut writer = self.lock_writer().map_err(|_| Stopped::Overtaken)?;
        let view = self.view.load_full();
        let first = view.segments.iter().position(|segment| Arc::ptr_eq(segment, &group[0]));
        let first = first.ok_or(Stopped::Overtaken)?;
        let after = first + group.len();
        assert!(after > first, "a copy replaces something");
        let same = |(a, b): (&Arc<Segment>, &Arc<Segment>)| Arc::ptr_eq(a, b);
        if after >= view.segments.len() || !view.segments[first..after].iter().zip(group).all(same) {
            return Err(Stopped::Overtaken);
        }
        let mut segments = view.segments[..first].to_vec();
        segments.push(copy.clone());
        segments.extend_from_slice(&view.segments[after..]);
        self.publish(&mut writer, View { segments: segments.into(), ..(*view).clone() });
        let mut files = Vec::new();
        for segment in group {
            self.set_aside(segment.base_offset, copy.base_offset, &mut files)
                .map_err(|error| self.fail_swap(&mut writer, error))?;
        }
        Ok(Removal::of_files(self.disk.clone(), files))
    }

    fn set_aside(&self, base_offset: Offset, of_copy: Offset, files: &mut Vec<PathBuf>) -> Result<(), Error> {
        for kind in Kind::ALL {
            // The producers as of the copy's base offset are still needed.
            if kind == Kind::ProducerSnapshot && base_offset == of_copy {
                continue;
            }
            let path = names::file(&self.directory, base_offset, kind);
            let aside = names::with_suffix(&path, DELETED_SUFFIX);
            ignore_missing(self.disk.rename(&path, &aside)).map_err(Error::io("rename", &path))?;
            files.push(aside);
        }
        Ok(())
    }

    /// Gives the copy its final names, unless it has left the log in the meantime.
    fn name_copy(&self, copy: &Copy) -> Result<(), Stopped> {
        let mut writer = self.lock_writer().map_err(|_| Stopped::Overtaken)?;
        let is_there = self.view.load().segments.iter().any(|segment| Arc::ptr_eq(segment, &copy.segment));
        let named = if is_there { self.rename_swap(copy) } else { self.remove_swap(copy) };
        named.map_err(|error| self.fail_swap(&mut writer, error))
    }

    fn rename_swap(&self, copy: &Copy) -> Result<(), Error> {
        let base_offset = copy.segment.base_offset;
        for kind in &copy.kinds {
            let path = self.swap(base_offset, *kind);
            self.disk
                .rename(&path, &names::file(&self.directory, base_offset, *kind))
                .map_err(Error::io("rename", &path))?;
        }
        Ok(())
    }

    /// Takes back a copy that is not to count: back to `.cleaned`, so that recovery throws it away whatever part of the
    /// removal survives (an index without its `.log` would replace that of the original).
    fn remove_swap(&self, copy: &Copy) -> Result<(), Error> {
        let base_offset = copy.segment.base_offset;
        for kind in &copy.kinds {
            let path = self.swap(base_offset, *kind);
            let renamed = self.disk.rename(&path, &self.cleaned(base_offset, *kind));
            ignore_missing(renamed).map_err(Error::io("rename", &path))?;
        }
        self.sync_names()?;
        self.remove_cleaned(base_offset)
    }

    /// A swap that has begun must be finished, which the next opening does: even where only room was wanting.
    fn fail_swap(&self, writer: &mut Writer, error: Error) -> Stopped {
        let error = self.fail(writer, error);
        self.set_offline();
        Stopped::Failed(error)
    }

    fn sync_swap(&self) -> Result<(), Stopped> {
        self.sync_names().map_err(|error| {
            self.fail_sync(&error.to_string());
            Stopped::Failed(error)
        })
    }

    fn sync_names(&self) -> Result<(), Error> {
        self.disk.sync_directory(&self.directory).map_err(Error::io("sync", &self.directory))
    }

    fn swap(&self, base_offset: Offset, kind: Kind) -> PathBuf {
        names::with_suffix(&names::file(&self.directory, base_offset, kind), SWAP_SUFFIX)
    }
}
