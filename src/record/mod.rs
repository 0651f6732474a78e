//! Record batches (magic 2) as views over bytes: nothing is copied or parsed per record unless somebody asks.

pub mod batches;
pub mod builder;
pub mod compression;
pub mod control;
pub mod control_messages;
pub mod filter;
pub mod header;
pub mod records;
pub mod validate;
