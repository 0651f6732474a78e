//! What was received and not yet handled: at most a turn's worth of frames, or one large frame that is still coming.
//!
//! Memory grows with the bytes that have really come, never with the length that a frame announces.

use crate::wire::frame::{self, Step};

/// A buffer grows by what it holds already, but at least by this.
const MIN_GROWTH_BYTES: usize = 256 * 1024;

/// See the module. The bytes before `at` have been handled.
#[derive(Default)]
pub(super) struct Inbound {
    kept: Vec<u8>,
    at: usize,
}

impl Inbound {
    /// Keeps what could not be handled now.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        debug_assert_eq!(self.at, self.kept.len(), "what was kept first is handled first");
        self.kept.clear();
        self.at = 0;
        self.kept.extend_from_slice(bytes);
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len() - self.at
    }

    /// Takes everything out, for handling: give what is left back with [`Inbound::restore`].
    pub(super) fn take(&mut self) -> (Vec<u8>, usize) {
        let at = std::mem::take(&mut self.at);
        (std::mem::take(&mut self.kept), at)
    }

    pub(super) fn restore(&mut self, kept: Vec<u8>, at: usize) {
        // An empty buffer is given back to the allocator: an idle connection holds none.
        if at < kept.len() {
            self.kept = kept;
            self.at = at;
        }
    }

    /// Moves the kept bytes to the front of a buffer that has room for them and for more; answers their number.
    pub(super) fn move_into(&mut self, buffer: &mut [u8]) -> usize {
        let kept = &self.kept[self.at..];
        let length = kept.len();
        buffer[..length].copy_from_slice(kept);
        self.kept = Vec::new();
        self.at = 0;
        length
    }

    /// Room for the next bytes of a frame that is larger than `buffer_bytes`, if it is such a frame that is kept. The
    /// room is cut to what the frame lacks; tell what came with [`Inbound::received`].
    pub(super) fn large_frame_room(&mut self, buffer_bytes: usize, limit_bytes: usize) -> Option<&mut [u8]> {
        let missing = match frame::split(&self.kept[self.at..], limit_bytes) {
            Ok(Step::Need(missing)) if self.len() + missing > buffer_bytes => missing,
            _ => return None,
        };
        if self.at > 0 {
            self.kept.drain(..self.at);
            self.at = 0;
        }
        let length = self.kept.len();
        let growth = missing.min(length.max(MIN_GROWTH_BYTES));
        self.kept.resize(length + growth, 0);
        Some(&mut self.kept[length..])
    }

    /// Of the room given last, `unused` bytes at its end were not filled.
    pub(super) fn received(&mut self, unused: usize) {
        self.kept.truncate(self.kept.len() - unused);
    }
}
