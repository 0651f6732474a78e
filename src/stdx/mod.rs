//! What the standard library lacks. Names nothing of ours.

pub mod append_list;
pub mod base64;
pub mod inbox;
pub mod mutex;
pub mod never;
pub mod prefix_map;
pub mod queue;
pub mod random;
pub mod secret;
pub mod slab;
pub mod spare;
pub mod url;
