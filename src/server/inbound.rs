//! What was received and not yet handled: at most a turn's worth of frames, or one large frame that is still coming.
//!
//! Memory grows with the bytes that have really come, never with the length that a frame announces.

use crate::wire::frame::{self, Split};

/// Minimum spare capacity while a large frame is received.
const SMALLEST_ROOM_BYTES: usize = 16 * 1024;

/// What one connection has received and not handled. The bytes before `at` have been handled.
#[derive(Default)]
pub(super) struct Inbound {
    kept: Vec<u8>,
    at: usize,
    held: bool,
}

impl Inbound {
    /// Keeps what could not be handled now; `held` says that a whole frame is there and must wait for its turn.
    pub(super) fn keep(&mut self, bytes: &[u8], held: bool) {
        assert!(self.kept.is_empty(), "what was kept first is handled first");
        self.kept.extend_from_slice(bytes);
        self.at = 0;
        self.held = held;
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len() - self.at
    }

    /// What is set aside for it.
    pub(super) fn memory_bytes(&self) -> usize {
        self.kept.capacity()
    }

    /// A whole frame waits: nothing more needs to be received before it.
    pub(super) fn is_held(&self) -> bool {
        self.held
    }

    /// Takes everything out, for handling: the bytes from the index on. Give it back with [`Inbound::restore`].
    pub(super) fn take(&mut self) -> (Vec<u8>, usize) {
        self.held = false;
        (std::mem::take(&mut self.kept), std::mem::take(&mut self.at))
    }

    pub(super) fn restore(&mut self, kept: Vec<u8>, at: usize, held: bool) {
        // An empty buffer goes back to the allocator: an idle connection holds none.
        if at < kept.len() {
            (self.kept, self.at, self.held) = (kept, at, held);
        }
    }

    /// Moves the kept bytes into an empty buffer that has room for them and for more.
    pub(super) fn move_into(&mut self, buffer: &mut Vec<u8>) {
        let (kept, at) = self.take();
        buffer.extend_from_slice(&kept[at..]);
    }

    /// What the frame that is kept still lacks, if it is one that will not fit into a buffer of `buffer_bytes`.
    pub(super) fn large_frame_lacks(&self, buffer_bytes: usize, limit_bytes: usize) -> Option<usize> {
        match frame::split(&self.kept[self.at..], limit_bytes) {
            Split::Need(missing) if self.len() + missing > buffer_bytes => Some(missing),
            _ => None,
        }
    }

    /// Where more of a large frame goes, and how many bytes of it may be taken in one step. The room doubles as it fills.
    pub(super) fn room(&mut self, lacks: usize, most: usize) -> (&mut Vec<u8>, usize) {
        let came = self.len();
        if self.kept.capacity() - self.kept.len() < lacks.min(SMALLEST_ROOM_BYTES) {
            self.kept.reserve_exact(came.max(SMALLEST_ROOM_BYTES).min(lacks));
        }
        let step = (self.kept.capacity() - self.kept.len()).min(lacks).min(most);
        (&mut self.kept, step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 100 << 20;

    /// As a driver does: appends what has come, at most as much as it may.
    fn append(inbound: &mut Inbound, bytes: &[u8]) -> usize {
        let (buffer, wanted) = inbound.room(LIMIT, 256 * 1024);
        assert!(wanted > 0 && wanted <= buffer.capacity() - buffer.len());
        let came = bytes.len().min(wanted);
        buffer.extend_from_slice(&bytes[..came]);
        came
    }

    #[test]
    fn memory_follows_what_came_and_not_what_is_announced() {
        let mut inbound = Inbound::default();
        inbound.keep(&(LIMIT as i32).to_be_bytes(), false);
        assert_eq!(inbound.large_frame_lacks(1024, LIMIT), Some(LIMIT));
        for _ in 0..1000 {
            append(&mut inbound, &[7; 100]);
            assert!(inbound.kept.capacity() <= 2 * inbound.len() + SMALLEST_ROOM_BYTES);
        }
        assert_eq!(inbound.large_frame_lacks(1024, LIMIT), Some(LIMIT - 100_000));
    }

    #[test]
    fn a_large_frame_is_collected_to_its_last_byte() {
        let frame: Vec<u8> = 700_000i32.to_be_bytes().into_iter().chain((0..700_000u32).map(|i| i as u8)).collect();
        let mut inbound = Inbound::default();
        inbound.keep(&frame[..5], false);
        let mut sent = 5;
        while let Some(lacks) = inbound.large_frame_lacks(1024, LIMIT) {
            assert_eq!(lacks, frame.len() - sent);
            sent += append(&mut inbound, &frame[sent..]);
        }
        assert_eq!(sent, frame.len());
        let (kept, at) = inbound.take();
        assert_eq!(kept[at..], frame);
    }

    #[test]
    fn small_rests_move_into_the_buffer() {
        let mut inbound = Inbound::default();
        inbound.keep(&[0, 0, 0, 9, 1], false);
        assert_eq!(inbound.large_frame_lacks(1024, LIMIT), None);
        let mut buffer = Vec::new();
        inbound.move_into(&mut buffer);
        assert_eq!((buffer, inbound.len()), (vec![0, 0, 0, 9, 1], 0));
        inbound.restore(vec![1, 2, 3], 3, false);
        assert_eq!(inbound.len(), 0);
    }
}
