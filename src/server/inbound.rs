//! What was received and not yet handled: at most a turn's worth of frames, or one large frame that is still coming.
//!
//! Memory grows with the bytes that have really come, never with the length that a frame announces.

use crate::wire::frame::{self, Split};

/// See the module. The bytes before `at` have been handled.
#[derive(Default)]
pub(super) struct Inbound {
    kept: Vec<u8>,
    at: usize,
    held: bool,
}

impl Inbound {
    /// Keeps what could not be handled now; `held` says that a whole frame is there and must wait for its turn.
    pub(super) fn keep(&mut self, bytes: &[u8], held: bool) {
        debug_assert!(self.kept.is_empty(), "what was kept first is handled first");
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

    /// Moves the kept bytes to the front of a buffer that has room for them and for more; answers their number.
    pub(super) fn move_into(&mut self, buffer: &mut [u8]) -> usize {
        let (kept, at) = self.take();
        let kept = &kept[at..];
        buffer[..kept.len()].copy_from_slice(kept);
        kept.len()
    }

    /// What the frame that is kept still lacks, if it is one that will not fit into a buffer of `buffer_bytes`.
    pub(super) fn large_frame_lacks(&self, buffer_bytes: usize, limit_bytes: usize) -> Option<usize> {
        match frame::split(&self.kept[self.at..], limit_bytes) {
            Split::Need(missing) if self.len() + missing > buffer_bytes => Some(missing),
            _ => None,
        }
    }

    /// Appends what came of a large frame. The room doubles as it fills, so it is never more than twice what came.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 100 << 20;

    #[test]
    fn memory_follows_what_came_and_not_what_is_announced() {
        let mut inbound = Inbound::default();
        inbound.keep(&(LIMIT as i32).to_be_bytes(), false);
        assert_eq!(inbound.large_frame_lacks(1024, LIMIT), Some(LIMIT));
        for _ in 0..1000 {
            inbound.append(&[7; 100]);
        }
        assert_eq!(inbound.large_frame_lacks(1024, LIMIT), Some(LIMIT - 100_000));
        assert!(inbound.kept.capacity() <= 2 * inbound.len());
    }

    #[test]
    fn a_large_frame_is_collected_to_its_last_byte() {
        let frame: Vec<u8> = 700_000i32.to_be_bytes().into_iter().chain((0..700_000u32).map(|i| i as u8)).collect();
        let mut inbound = Inbound::default();
        inbound.keep(&frame[..5], false);
        let mut sent = 5;
        while let Some(lacks) = inbound.large_frame_lacks(1024, LIMIT) {
            let length = lacks.min(100_000);
            inbound.append(&frame[sent..sent + length]);
            sent += length;
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
        let mut buffer = [7; 16];
        assert_eq!(inbound.move_into(&mut buffer), 5);
        assert_eq!((buffer[3], buffer[4], buffer[5], inbound.len()), (9, 1, 7, 0));
        inbound.restore(vec![1, 2, 3], 3, false);
        assert_eq!(inbound.len(), 0);
    }
}
