//! Logs of partitions in Kafka's own layout on disk.
//!
//! [`log::Log`] is one partition's log: one writer at a time under a short lock, readers without any. Nothing here
//! knows of topics' configuration, replicas or requests; time and randomness are arguments; no sync is waited for except
//! where a function says "Blocks". [`directory::LogDirectory`] is the directory around them.

mod append;
mod batches;
mod checkpoint;
pub mod cleaner;
mod close;
mod config;
pub mod directory;
mod epochs;
mod error;
mod flush;
pub mod health;
mod index;
mod interrupted;
pub mod log;
mod log_start;
pub mod loss;
pub mod meta_properties;
pub mod names;
mod open;
mod producers;
mod read;
pub mod recent;
mod recovery;
mod removal;
mod retention;
mod search;
mod segment;
mod snapshot;
#[cfg(test)]
mod testing;
mod transactions;
mod view;
mod writer;

pub use error::{AppendError, Error};
