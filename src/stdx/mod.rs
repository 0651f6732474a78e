//! What the standard library lacks. Names nothing of ours.

pub mod random;
pub mod slab;
