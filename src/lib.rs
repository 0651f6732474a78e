//! Klamm, a Kafka broker in one small binary.
//!
//! The modules stand in levels (see `ARCHITECTURE.md`): a module names only modules of lower levels. `tidy.rs` is the
//! test that keeps it so.

pub mod codec;
pub mod io;
pub mod model;
pub mod record;
pub mod stdx;
pub mod storage;

#[cfg(test)]
mod tidy;
