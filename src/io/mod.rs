//! Input and output: the only module with system calls.
//!
//! [`disk`] is files (direct calls: appends into the page cache are cheapest so); [`driver::Driver`] is the network,
//! timers, wake-ups and whatever may block. Both exist on the real machine and simulated.

pub mod clock;
pub mod clocked;
pub mod command_group;
pub mod compute;
pub mod descriptors;
pub mod disk;
pub mod driver;
pub mod environment;
pub mod exchange;
mod file;
pub mod file_pool;
pub mod https;
#[cfg(feature = "gssapi")]
pub mod kerberos;
pub mod lifeline;
pub mod loggers;
pub mod look;
pub mod machine;
pub mod memory_disk;
pub mod notify;
pub mod open_files;
mod pool;
pub mod process;
pub mod random;
mod readiness;
pub mod real_disk;
pub mod settable_clock;
#[cfg(any(test, feature = "sim"))]
pub mod simulated;
#[cfg(any(test, feature = "fuzzing", feature = "sim"))]
pub mod simulated_disk;
mod sockets;
#[cfg(target_os = "linux")]
mod spin;
pub mod threads;
#[cfg(target_os = "linux")]
mod uring;
pub mod web;
pub mod web_client;

#[cfg(test)]
mod conformance;
