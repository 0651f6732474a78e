//! The last write of a log, kept in memory for those who wait at its end.
//!
//! They are told of a write in the turn that made it and ask for just these batches: here they are found and sent without
//! a question to the file. The log itself holds a weak reference; how long a write is kept is for the shard that made it
//! ([`Kept`]), whose budget bounds all of them. Everything is in the file as well: who comes too late reads it there.

use super::batches::Placed;
use crate::model::Offset;
use crate::record::header::{self, Header};
use crate::stdx::spare;
use std::collections::VecDeque;
use std::sync::Arc;

/// A larger write is left to the page cache: a few of them would take the whole budget. Not tuned by measurement.
pub const MOST_BYTES: usize = 64 << 10;

/// Whole batches, as they stand in the file.
pub struct Recent {
    first_offset: Offset,
    position: u64,
    bytes: Vec<u8>,
}

impl Recent {
    pub(super) fn new(first_offset: Offset, position: u64, bytes: Vec<u8>) -> Recent {
        assert!(bytes.len() <= MOST_BYTES, "a write of {} bytes would fill the memory of its shard", bytes.len());
        let first = Header::parse(&bytes).map(|header| Offset(header.base_offset));
        assert!(first.is_some_and(|first| first >= first_offset), "what is kept is not what was written");
        Recent { first_offset, position, bytes }
    }

    pub(super) fn begins_at_or_before(&self, offset: Offset) -> bool {
        self.first_offset <= offset
    }

    /// The first batch that ends at or after the offset.
    pub(super) fn locate(&self, offset: Offset) -> Option<Placed> {
        let mut at = 0;
        loop {
            let rest = self.bytes.get(at..)?;
            let (header, size) = (Header::parse(rest)?, header::announced_size(rest)?);
            debug_assert!(size <= rest.len(), "the last batch of a write is whole");
            if header.last_offset() >= offset {
                return Some(Placed { position: self.position + at as u64, size_bytes: size as u64, header });
            }
            at += size;
        }
    }

    /// What stands in a range of the file.
    pub(super) fn at(&self, position: u64, length: u64) -> Option<&[u8]> {
        let from = usize::try_from(position.checked_sub(self.position)?).ok()?;
        self.bytes.get(from..)?.get(..usize::try_from(length).ok()?)
    }
}

impl Drop for Recent {
    fn drop(&mut self) {
        spare::give_back(&spare::BATCHES, std::mem::take(&mut self.bytes));
    }
}

/// The last writes of one shard, as many as its budget allows.
#[derive(Default)]
pub struct Kept {
    writes: VecDeque<Arc<Recent>>,
    size_bytes: usize,
    budget_bytes: usize,
}

impl Kept {
    pub fn new(budget_bytes: usize) -> Kept {
        Kept { budget_bytes, ..Kept::default() }
    }

    pub fn keeps_anything(&self) -> bool {
        self.budget_bytes > 0
    }

    /// Keeps a write, and lets go of the oldest for it.
    pub fn keep(&mut self, write: Arc<Recent>) {
        self.size_bytes += write.bytes.capacity();
        self.writes.push_back(write);
        while self.size_bytes > self.budget_bytes
            && let Some(oldest) = self.writes.pop_front()
        {
            self.size_bytes -= oldest.bytes.capacity();
        }
        assert!(self.size_bytes <= self.budget_bytes || self.writes.is_empty(), "memory beyond the shard's budget");
        assert!(!self.writes.is_empty() || self.size_bytes == 0, "bytes are counted that are gone");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::builder::{Builder, Options, Record};

    fn write(first_offset: i64, position: u64, batches: usize) -> Recent {
        let mut bytes = Vec::new();
        for number in 0..batches {
            let mut builder =
                Builder::new(Options { base_offset: Offset(first_offset + number as i64), ..Options::default() });
            builder.append(&Record { value: Some(b"value"), ..Record::default() });
            bytes.extend(builder.build());
        }
        Recent::new(Offset(first_offset), position, bytes)
    }

    #[test]
    fn batches_are_found_where_they_stand_in_the_file() {
        let recent = write(10, 1000, 3);
        let size = recent.bytes.len() as u64 / 3;
        assert!(recent.begins_at_or_before(Offset(10)) && !recent.begins_at_or_before(Offset(9)));
        let places = [10, 11, 12, 13].map(|offset| recent.locate(Offset(offset)).map(|placed| placed.position));
        assert_eq!(places, [Some(1000), Some(1000 + size), Some(1000 + 2 * size), None]);
        assert_eq!(recent.at(1000 + size, 2 * size), Some(&recent.bytes[size as usize..]));
        assert_eq!((recent.at(999, 1), recent.at(1000 + size, 3 * size)), (None, None));
    }

    #[test]
    fn the_oldest_go_when_the_budget_is_spent() {
        let mut kept = Kept::new(3 * write(0, 0, 1).bytes.capacity());
        let writes: Vec<_> = (0..5).map(|number| Arc::new(write(number, 0, 1))).collect();
        writes.iter().for_each(|write| kept.keep(write.clone()));
        let counts: Vec<_> = writes.iter().map(Arc::strong_count).collect();
        assert_eq!(counts, [1, 1, 2, 2, 2]);
        let mut none = Kept::default();
        assert!(kept.keeps_anything() && !none.keeps_anything());
        none.keep(writes[0].clone());
        assert_eq!(Arc::strong_count(&writes[0]), 1);
    }
}
