//! Buffers that a thread uses again, so that a busy one does not ask the allocator for each write and each answer.

use std::cell::RefCell;
use std::thread::LocalKey;

/// A buffer for batches that is larger is not kept.
pub const BATCH_BYTES: usize = 1 << 20;

/// The buffers that a thread keeps for one purpose.
pub struct Pool {
    most_buffers: usize,
    most_bytes: usize,
    buffers: RefCell<Vec<Vec<u8>>>,
}

impl Pool {
    const fn new(most_buffers: usize, most_bytes: usize) -> Pool {
        Pool { most_buffers, most_bytes, buffers: RefCell::new(Vec::new()) }
    }
}

thread_local! {
    /// Buffers for batches: a partition has one only while something is pending, so that idle ones cost nothing.
    pub static BATCHES: Pool = const { Pool::new(16, BATCH_BYTES) };
    /// Buffers for answers, and for the pieces of them that stand between ranges of files.
    pub static ANSWERS: Pool = const { Pool::new(256, 4 << 10) };
    /// Buffers for what is received to be decrypted, what is read to be encrypted, and what is encrypted and not sent.
    pub static CIPHERTEXT: Pool = const { Pool::new(8, 256 << 10) };
}

/// An empty buffer, with room where one was given back on this thread.
pub fn take(pool: &'static LocalKey<Pool>) -> Vec<u8> {
    let buffer = pool.with(|pool| pool.buffers.borrow_mut().pop()).unwrap_or_default();
    assert!(buffer.is_empty(), "what one partition or client has would go to another");
    buffer
}

/// Keeps a buffer for the next [`take`], if it is not too large and there are not too many.
pub fn give_back(pool: &'static LocalKey<Pool>, mut buffer: Vec<u8>) {
    // A thread that is ending has no spare buffers any more.
    let _ = pool.try_with(|pool| {
        let mut buffers = pool.buffers.borrow_mut();
        if buffers.len() < pool.most_buffers && (1..=pool.most_bytes).contains(&buffer.capacity()) {
            buffer.clear();
            buffers.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty_unless_it_is_too_large() {
        give_back(&ANSWERS, vec![1; 100]);
        let again = take(&ANSWERS);
        assert!(again.is_empty() && again.capacity() >= 100);
        give_back(&ANSWERS, Vec::with_capacity((4 << 10) + 1));
        assert_eq!(take(&ANSWERS).capacity(), 0);
    }
}
