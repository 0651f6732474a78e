//! What waits to be sent on one connection: bytes in memory and ranges of files, which may be in memory too, in order.
//!
//! Knows no socket: [`Outbound::next`] says what comes, [`Outbound::sent`] what of it has left.

use std::collections::VecDeque;
use std::io::IoSlice;

use crate::handlers::Answer;
use crate::stdx::spare;
use crate::storage::log::Slice;

/// Slices that one send takes at most (the kernel's own limit is 1024).
const MAX_SLICES: usize = 64;

/// A stretch of the stream.
enum Piece {
    Memory { bytes: Vec<u8>, at: usize },
    File(Slice),
}

impl Piece {
    fn len(&self) -> usize {
        match self {
            Piece::Memory { bytes, at } => bytes.len() - at,
            Piece::File(slice) => slice.length as usize,
        }
    }

    fn own_memory_bytes(&self) -> usize {
        if let Piece::Memory { .. } = self { self.len() } else { 0 }
    }

    fn memory(&self) -> Option<&[u8]> {
        match self {
            Piece::Memory { bytes, at } => Some(&bytes[*at..]),
            Piece::File(slice) => slice.memory(),
        }
    }
}

/// What to send next.
// It lives on the stack for one send, where a list would ask for memory.
#[allow(clippy::large_enum_variant)]
pub(super) enum Next<'a> {
    Nothing,
    Memory { slices: Slices<'a>, more: bool },
    File(&'a Slice),
}

/// What one send takes from memory.
pub(super) struct Slices<'a> {
    slices: [IoSlice<'a>; MAX_SLICES],
    count: usize,
}

impl<'a> Slices<'a> {
    fn collect(pieces: impl Iterator<Item = &'a [u8]>) -> Slices<'a> {
        let mut all = Slices { slices: [IoSlice::new(&[]); MAX_SLICES], count: 0 };
        for piece in pieces.take(MAX_SLICES) {
            all.slices[all.count] = IoSlice::new(piece);
            all.count += 1;
        }
        all
    }

    pub(super) fn all(&self) -> &[IoSlice<'a>] {
        &self.slices[..self.count]
    }
}

/// The stretches that wait, in order.
#[derive(Default)]
pub(super) struct Outbound {
    pieces: VecDeque<Piece>,
    size_bytes: usize,
    /// Those of these bytes that are in memory for this connection alone.
    memory_bytes: usize,
}

impl Outbound {
    pub(super) fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    fn push(&mut self, piece: Piece) {
        if piece.len() > 0 {
            self.size_bytes += piece.len();
            self.memory_bytes += piece.own_memory_bytes();
            self.pieces.push_back(piece);
        }
    }

    /// Appends an answer, its file ranges at their places.
    pub(super) fn push_answer(&mut self, mut answer: Answer) {
        if answer.holes.is_empty() {
            return self.push(Piece::Memory { bytes: answer.bytes, at: 0 });
        }
        let mut from = 0;
        for (position, slice) in std::mem::take(&mut answer.holes) {
            let mut bytes = spare::take(&spare::ANSWERS);
            bytes.extend_from_slice(&answer.bytes[from..position]);
            self.push(Piece::Memory { bytes, at: 0 });
            self.push(Piece::File(slice));
            from = position;
        }
        answer.bytes.drain(..from);
        self.push(Piece::Memory { bytes: answer.bytes, at: 0 });
    }

    pub(super) fn next(&self) -> Next<'_> {
        match self.pieces.front() {
            None => Next::Nothing,
            Some(Piece::File(slice)) if slice.memory().is_none() => Next::File(slice),
            Some(_) => {
                let in_memory = self.pieces.iter().map_while(Piece::memory);
                let slices = Slices::collect(in_memory);
                let more = slices.count < self.pieces.len();
                Next::Memory { slices, more }
            }
        }
    }

    /// What cannot leave now will be read from its file: a client that does not read its answers holds no memory that
    /// others are meant to have.
    pub(super) fn forget_memory(&mut self) {
        for piece in &mut self.pieces {
            if let Piece::File(slice) = piece {
                slice.forget_memory();
            }
        }
    }

    /// So many bytes have left.
    pub(super) fn sent(&mut self, mut length: usize) {
        self.size_bytes -= length;
        while length > 0 {
            let Some(piece) = self.pieces.front_mut() else { return };
            if piece.len() <= length {
                length -= piece.len();
                self.memory_bytes -= piece.own_memory_bytes();
                if let Some(Piece::Memory { bytes, .. }) = self.pieces.pop_front() {
                    spare::give_back(&spare::ANSWERS, bytes);
                }
                continue;
            }
            match piece {
                Piece::Memory { at, .. } => {
                    *at += length;
                    self.memory_bytes -= length;
                }
                Piece::File(slice) => slice.advance(length as u64),
            }
            return;
        }
    }

    /// The front of the file range that comes next was read into memory: send it from there.
    pub(super) fn replace_file_front(&mut self, bytes: Vec<u8>) {
        let length = bytes.len();
        self.sent(length);
        self.size_bytes += length;
        self.memory_bytes += length;
        self.pieces.push_front(Piece::Memory { bytes, at: 0 });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::io::simulated_disk::SimulatedDisk;
    use crate::model::{LeaderEpoch, Offset, PartitionIndex, TimestampMs, Uuid};
    use crate::record::builder::{Builder, Options, Record};
    use crate::storage::log::{Admission, Checkpointed, Identity, Log, LogConfig, Origin};

    /// An answer with a hole, whose bytes are in a file and, as long as somebody keeps it, in memory.
    fn answer(keeps: bool) -> (Answer, Vec<u8>) {
        let now = TimestampMs(1);
        let identity = Identity { topic: "t".into(), partition: PartitionIndex(0), topic_id: Uuid::ONE };
        let disk = Arc::new(SimulatedDisk::default());
        let log = Log::open(disk, "t-0".into(), LogConfig::default(), identity, Checkpointed::default(), now).unwrap();
        let mut builder = Builder::new(Options::default());
        builder.append(&Record { timestamp: now, value: Some(b"value"), ..Record::default() });
        let batch = builder.build();
        log.append(&batch, Origin::Coordinator(Admission::None), LeaderEpoch(-1), now).unwrap();
        let written = log.write_and_keep(keeps).unwrap().unwrap();
        let slice = log.read(Offset(0), Offset(1), 1000, true).unwrap().unwrap();
        drop(written);
        let whole = [b"head".as_slice(), &batch, b"tail"].concat();
        (Answer { bytes: b"headtail".to_vec(), holes: vec![(4, slice)], ..Answer::default() }, whole)
    }

    #[test]
    fn what_is_in_memory_leaves_at_once() {
        let (answer, whole) = answer(true);
        let mut outbound = Outbound::default();
        outbound.push_answer(answer);
        for _ in 0..whole.len() {
            let sent = whole.len() - outbound.size_bytes();
            let Next::Memory { slices, more: false } = outbound.next() else { panic!("all is in memory") };
            assert_eq!(slices.all().iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>(), whole[sent..]);
            outbound.sent(1);
        }
        assert!(outbound.is_empty());
    }

    #[test]
    fn what_cannot_leave_is_read_from_the_file() {
        for keeps in [true, false] {
            let (answer, whole) = answer(keeps);
            let mut outbound = Outbound::default();
            outbound.push_answer(answer);
            outbound.sent(if keeps { 7 } else { 4 });
            outbound.forget_memory();
            let left = outbound.size_bytes() as u64 - 4;
            let Next::File(slice) = outbound.next() else { panic!("nothing is in memory") };
            assert_eq!((slice.length, slice.position.0), (left, whole.len() as u64 - 8 - left));
            outbound.sent(left as usize);
            assert!(matches!(outbound.next(), Next::Memory { slices, more: false } if *slices.all()[0] == *b"tail"));
        }
    }
}
