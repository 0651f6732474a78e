//! One shard per core: its mailbox, its parked requests, the partitions that it has appended to in this turn.
//!
//! This is the only level that waits. What waits is a value in the [`wait_list::WaitList`]; no thread, no task.

mod allowance;
pub mod audit;
pub mod balance;
pub mod context;
pub mod coordination;
pub mod dirty;
pub mod inquiry;
pub mod journal;
pub mod limits;
pub mod login;
pub mod mailbox;
pub mod memory;
pub mod quotas;
pub mod session;
pub mod wait_list;
