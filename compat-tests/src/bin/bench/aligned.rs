//! Memory that begins at a page.
//!
//! AMD's Zen copies with `rep movsb`, as Linux does to and from sockets and files, twenty times more slowly (2 GB/s instead
//! of 40) where the destination is 1 to 31 bytes further in its page than the source. An allocator's large blocks begin 16
//! bytes into a page and a file's pages at their beginning, so a buffer taken as it comes is just there, and measures that.

use std::ops::{Deref, DerefMut};

const PAGE_BYTES: usize = 4096;

/// See the module.
pub struct Aligned {
    memory: Vec<u8>,
    from: usize,
    length: usize,
}

impl Aligned {
    /// Ones: what nobody has written to would be the kernel's one page of zeros, again and again.
    pub fn new(length: usize) -> Aligned {
        let memory = vec![1; length + PAGE_BYTES];
        let from = memory.as_ptr().align_offset(PAGE_BYTES);
        Aligned { memory, from, length }
    }
}

impl Deref for Aligned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.from..self.from + self.length]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.from..self.from + self.length]
    }
}
