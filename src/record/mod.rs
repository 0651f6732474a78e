//! Record batches (magic 2) as views over bytes: nothing is copied or parsed per record unless a caller asks.

pub(crate) mod batches;
pub mod builder;
pub(crate) mod compression;
pub mod control;
pub mod control_messages;
pub(crate) mod filter;
pub(crate) mod header;
pub(crate) mod records;
pub mod validate;
