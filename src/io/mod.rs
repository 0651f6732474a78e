//! Input and output: the only module with system calls.
//!
//! [`disk`] is files (direct calls: appends into the page cache are cheapest so), [`Driver`](driver::Driver) is the
//! network, timers, wake-ups and whatever may block. Both exist on the real machine and simulated.

pub mod disk;
pub mod real_disk;
pub mod simulated_disk;
