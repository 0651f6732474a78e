//! Finishing what a crash interrupted: files of compactions and deletions in transit between two names (`LogLoader`).
//!
//! What is done with each is decided in [`recovery`](super::recovery); when this is through, a directory holds whole
//! segments under their own names and nothing else. Does not look into them.

use super::batches::{Batches, SCAN_BUFFER_BYTES};
use super::error::Error;
use super::names::{self, Kind, Transient};
use super::recovery::{self, TransientPlan};
use super::removal::ignore_missing;
use crate::io::disk::{Disk, Open};
use crate::model::Offset;
use std::io;
use std::path::Path;

/// Deals with what compaction or deletion left unfinished, as Kafka does: `.deleted` and `.cleaned` go; a `.swap` is
/// complete and replaces what it covers, unless a `.cleaned` at or below it shows that its set was not complete.
///
/// The answer is the names of the files that are there then.
pub(super) fn list_settled(disk: &dyn Disk, directory: &Path) -> Result<Vec<String>, Error> {
    let files = list_files(disk, directory)?;
    if files.iter().all(|name| names::parse_transient(name).is_none()) {
        return Ok(files);
    }
    finish_interrupted(disk, directory, &files)?;
    list_files(disk, directory)
}

fn list_files(disk: &dyn Disk, directory: &Path) -> Result<Vec<String>, Error> {
    let entries = disk.list(directory).map_err(Error::io("list", directory))?;
    Ok(entries.into_iter().filter(|entry| !entry.is_directory).map(|entry| entry.name).collect())
}

fn finish_interrupted(disk: &dyn Disk, directory: &Path, files: &[String]) -> Result<(), Error> {
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    let transient: Vec<_> = names.iter().filter_map(|name| Some((*name, names::parse_transient(name)?))).collect();
    let first_cleaned = transient.iter().filter_map(|(_, t)| match t {
        Transient::Cleaned(offset) => Some(*offset),
        _ => None,
    });
    let first_cleaned = first_cleaned.min();
    let mut swaps = Vec::new();
    for (name, what) in transient {
        match (recovery::transient_plan(what, first_cleaned), what) {
            (TransientPlan::SwapIn, Transient::Swap(offset, kind)) => swaps.push((name, offset, kind)),
            _ => {
                let path = directory.join(name);
                ignore_missing(disk.remove_file(&path)).map_err(Error::io("remove", &path))?;
            }
        }
    }
    if swaps.is_empty() { Ok(()) } else { swap_in(disk, directory, &names, &swaps) }
}

fn swap_in(disk: &dyn Disk, directory: &Path, names: &[&str], swaps: &[(&str, Offset, Kind)]) -> Result<(), Error> {
    let (mut from, mut to) = (Offset(i64::MAX), Offset(i64::MIN));
    for (name, base_offset, _) in swaps.iter().filter(|(_, _, kind)| *kind == Kind::Log) {
        let path = directory.join(name);
        let end = end_of_file(disk, &path, *base_offset).map_err(Error::io("read", &path))?;
        (from, to) = (from.min(*base_offset), to.max(end));
    }
    let covered = |name: &&&str| names::parse_file(name).is_some_and(|(offset, _)| from <= offset && offset < to);
    for name in names.iter().filter(covered) {
        let path = directory.join(name);
        ignore_missing(disk.remove_file(&path)).map_err(Error::io("remove", &path))?;
    }
    for (name, base_offset, kind) in swaps {
        let path = directory.join(name);
        disk.rename(&path, &names::file(directory, *base_offset, *kind)).map_err(Error::io("rename", &path))?;
    }
    disk.sync_directory(directory).map_err(Error::io("sync", directory))
}

/// The offset behind the last batch of a segment's file.
fn end_of_file(disk: &dyn Disk, path: &Path, base_offset: Offset) -> io::Result<Offset> {
    let file = disk.open(path, Open::Read)?;
    let size_bytes = file.size()?;
    let mut batches = Batches::new(file, 0, size_bytes, SCAN_BUFFER_BYTES);
    let mut end = base_offset;
    while let Some(placed) = batches.next_header()? {
        end = placed.header.last_offset().next();
    }
    Ok(end)
}
