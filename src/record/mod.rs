//! Record batches (magic 2) as views over bytes: nothing is copied or parsed per record unless somebody asks.

pub mod control;
pub mod header;
