//! Logs of partitions in Kafka's own layout on disk.
//!
//! [`log::Log`] is one partition's log: one writer at a time under a short lock, readers without any. Nothing here
//! knows of topics' configuration, replicas or requests; time and randomness are arguments; no sync is waited for except
//! where a function says "Blocks". [`directory::LogDirectory`] is the directory around them.

mod append;
mod batches;
mod checkpoint;
pub(crate) mod cleaner;
mod close;
mod config;
mod corruption;
pub(crate) mod directory;
mod epochs;
mod error;
mod flush;
pub(crate) mod health;
mod index;
mod interrupted;
pub mod log;
mod log_start;
pub(crate) mod loss;
pub(crate) mod meta_properties;
pub(crate) mod names;
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
