//! Buffers for batches, used again: a partition has one only while something is pending, so that idle ones cost nothing,
//! and a busy one does not ask the allocator for each write.

use std::cell::RefCell;

/// How many buffers a thread keeps, and how large one may be to be kept.
const MOST_BUFFERS: usize = 16;
pub const MOST_BYTES: usize = 1 << 20;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer, with room where one was given back on this thread.
pub fn take() -> Vec<u8> {
    let buffer = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
    assert!(buffer.is_empty(), "one partition's batches would be written to another");
    buffer
}

pub fn give_back(mut buffer: Vec<u8>) {
    if buffer.capacity() == 0 || buffer.capacity() > MOST_BYTES {
        return;
    }
    buffer.clear();
    // A thread that is ending has no spare buffers any more.
    let _ = SPARE.try_with(|spare| {
        let mut spare = spare.borrow_mut();
        if spare.len() < MOST_BUFFERS {
            spare.push(buffer);
            debug_assert!(spare.iter().all(|spare| spare.capacity() <= MOST_BYTES), "idle memory has a bound");
        }
    });
}
