//! What waits to be sent on one connection: bytes in memory and ranges of files, in order.
//!
//! Knows no socket: [`Outbound::next`] says what comes, [`Outbound::sent`] what of it has left.

use std::collections::VecDeque;
use std::io::IoSlice;

use crate::handlers::Answer;
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
}

/// What to send next.
pub(super) enum Next<'a> {
    Nothing,
    Memory { slices: Vec<IoSlice<'a>>, more: bool },
    File(&'a Slice),
}

/// See the module.
#[derive(Default)]
pub(super) struct Outbound {
    pieces: VecDeque<Piece>,
    size_bytes: usize,
}

impl Outbound {
    pub(super) fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    fn push(&mut self, piece: Piece) {
        if piece.len() > 0 {
            self.size_bytes += piece.len();
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
            self.push(Piece::Memory { bytes: answer.bytes[from..position].to_vec(), at: 0 });
            self.push(Piece::File(slice));
            from = position;
        }
        answer.bytes.drain(..from);
        self.push(Piece::Memory { bytes: answer.bytes, at: 0 });
    }

    pub(super) fn next(&self) -> Next<'_> {
        match self.pieces.front() {
            None => Next::Nothing,
            Some(Piece::File(slice)) => Next::File(slice),
            Some(Piece::Memory { .. }) => {
                let memory = |piece| match piece {
                    &Piece::Memory { ref bytes, at } => Some(IoSlice::new(&bytes[at..])),
                    Piece::File(_) => None,
                };
                let slices: Vec<_> = self.pieces.iter().map_while(memory).take(MAX_SLICES).collect();
                let more = slices.len() < self.pieces.len();
                Next::Memory { slices, more }
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
                self.pieces.pop_front();
                continue;
            }
            match piece {
                Piece::Memory { at, .. } => *at += length,
                Piece::File(slice) => {
                    slice.position.0 += length as u64;
                    slice.length -= length as u64;
                }
            }
            return;
        }
    }

    /// The front of the file range that comes next was read into memory: send it from there.
    pub(super) fn replace_file_front(&mut self, bytes: Vec<u8>) {
        let length = bytes.len();
        self.sent(length);
        self.size_bytes += length;
        self.pieces.push_front(Piece::Memory { bytes, at: 0 });
    }
}
