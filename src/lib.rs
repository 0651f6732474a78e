//! Klamm, a Kafka broker in one small binary.
//!
//! The modules stand in levels (see `ARCHITECTURE.md`): a module names only modules of lower levels. `tidy.rs` is the
//! test that keeps it so.

pub(crate) mod assembly;
pub mod broker;
pub mod cli;
pub mod codec;
pub mod config;
pub(crate) mod controller;
pub mod coordinator;
pub(crate) mod coordinator_runtime;
pub(crate) mod faults;
pub mod handlers;
pub(crate) mod hosting;
pub(crate) mod http;
pub mod io;
pub mod metadata;
pub mod metrics;
pub mod model;
pub(crate) mod quorum;
pub mod record;
pub(crate) mod replica;
pub(crate) mod security;
pub(crate) mod server;
pub(crate) mod shard;
pub(crate) mod stdx;
pub mod storage;
pub mod test;
pub mod wire;

#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(any(test, feature = "sim"))]
#[doc(hidden)]
pub mod sim;
#[cfg(test)]
mod tidy;
