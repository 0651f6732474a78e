//! What the opening of a log has given up: what was cut off at a damaged batch, and what is missing although a checkpoint
//! says that it was durable. Told once as a log line (`LogLoader`, `LogSegment.recover`), kept for the metrics.

use super::batches::SCAN_BUFFER_BYTES;
use crate::io::disk::File;
use crate::model::Offset;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Where a segment was cut.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cut {
    pub file: PathBuf,
    /// Where the first batch stood that is not sound.
    pub position: u64,
    /// From there to the end of the data; space reserved ahead is none.
    pub bytes: u64,
}

/// Segments that were removed whole, as they lay behind a cut or before the log's start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Removed {
    pub first_base_offset: Offset,
    pub count: usize,
    pub bytes: u64,
}

impl Removed {
    /// One more is gone.
    pub fn add(removed: &mut Option<Removed>, base_offset: Offset, bytes: u64) {
        let all = removed.get_or_insert(Removed { first_base_offset: base_offset, count: 0, bytes: 0 });
        all.first_base_offset = all.first_base_offset.min(base_offset);
        all.count += 1;
        all.bytes += bytes;
    }
}

/// Everything that one log has lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loss {
    pub end_offset: Offset,
    pub cut: Option<Cut>,
    pub removed: Option<Removed>,
    /// The end that the log had once, as far as it was durable; `None` if it still reaches there.
    pub durable_to: Option<Offset>,
}

impl Loss {
    /// `None` where nothing is lost.
    pub fn new(end_offset: Offset, cut: Option<Cut>, removed: Option<Removed>, recovery_point: Offset) -> Option<Loss> {
        let durable_to = Some(recovery_point).filter(|point| *point > end_offset);
        let cut = cut.filter(|cut| cut.bytes > 0);
        let removed = removed.filter(|removed| removed.bytes > 0);
        let is_whole = cut.is_none() && removed.is_none() && durable_to.is_none();
        (!is_whole).then_some(Loss { end_offset, cut, removed, durable_to })
    }

    /// Bytes that were there and are given up.
    pub fn bytes(&self) -> u64 {
        self.cut.as_ref().map_or(0, |cut| cut.bytes) + self.removed.map_or(0, |removed| removed.bytes)
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the log ends at offset {} now", self.end_offset)?;
        if let Some(Cut { file, position, bytes }) = &self.cut {
            let file = file.file_name().unwrap_or_default().to_string_lossy();
            write!(f, "; {file} is damaged at byte {position}, {bytes} bytes from there on are cut off")?;
        }
        if let Some(Removed { first_base_offset, count, bytes }) = self.removed {
            write!(f, "; {count} segments from base offset {first_base_offset} on, {bytes} bytes, are removed")?;
        }
        if let Some(durable_to) = self.durable_to {
            write!(f, "; it was known to be durable up to offset {durable_to}")?;
        }
        Ok(())
    }
}

/// A record may end with a zero; space that was reserved is zero by whole blocks.
const BLOCK_BYTES: u64 = 4096;

/// The end of what a file holds between two positions, without the blocks of zeros behind it.
pub(super) fn end_of_data(file: &dyn File, from: u64, to: u64) -> io::Result<u64> {
    let mut buffer = vec![0; SCAN_BUFFER_BYTES];
    let (mut at, mut end) = (from, from);
    while at < to {
        let wanted = buffer.len().min(usize::try_from(to - at).unwrap_or(usize::MAX));
        let read = file.read_at(&mut buffer[..wanted], at)?;
        if read == 0 {
            break;
        }
        if let Some(last) = buffer[..read].iter().rposition(|byte| *byte != 0) {
            end = (at + last as u64 + 1).next_multiple_of(BLOCK_BYTES).min(to);
        }
        at += read as u64;
    }
    assert!((from..=to.max(from)).contains(&end), "the data ends between the two positions");
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::disk::{Disk, Open};
    use crate::io::simulated_disk::SimulatedDisk;
    use std::io::IoSlice;
    use std::path::Path;

    #[test]
    fn nothing_lost_is_nothing_told() {
        let cut = |bytes| Some(Cut { file: "00000000000000000000.log".into(), position: 70, bytes });
        assert_eq!(Loss::new(Offset(5), cut(0), None, Offset(5)), None, "only reserved space");
        let loss = Loss::new(Offset(5), cut(12), None, Offset(3)).unwrap();
        assert_eq!((loss.bytes(), loss.durable_to), (12, None));
        let missing = Loss::new(Offset(5), None, None, Offset(6)).unwrap();
        assert_eq!(missing.to_string(), "the log ends at offset 5 now; it was known to be durable up to offset 6");
    }

    #[test]
    fn zeros_behind_the_data_are_not_data() {
        let disk = SimulatedDisk::default();
        let file = disk.open(Path::new("/f"), Open::Create).unwrap();
        let zeros = vec![0; SCAN_BUFFER_BYTES];
        file.write_at(&[IoSlice::new(b"abc"), IoSlice::new(&zeros)], 0).unwrap();
        let size = file.size().unwrap();
        assert_eq!(end_of_data(&*file, 0, size).unwrap(), BLOCK_BYTES);
        assert_eq!(end_of_data(&*file, 0, 5).unwrap(), 5);
        assert_eq!(end_of_data(&*file, 3, size).unwrap(), 3);
        file.write_at(&[IoSlice::new(b"x")], size - 2).unwrap();
        assert_eq!(end_of_data(&*file, 3, size).unwrap(), size);
        assert_eq!(end_of_data(&*file, 3, 3).unwrap(), 3);
    }
}
