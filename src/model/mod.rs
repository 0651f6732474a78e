//! The domain's words as types. No behaviour beyond conversion and display; no input or output.

mod api;
mod error;
pub mod java_hash;
mod refusal;
mod security;
mod time;
mod uuid;

pub use api::ApiKey;
pub use error::ErrorCode;
pub use refusal::Refusal;
pub use security::{Mechanism, SecurityProtocol};
pub use time::Instant;
pub use uuid::Uuid;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
        pub struct $name(pub $inner);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// A record's offset in a partition's log.
    Offset(i64)
);
number!(
    /// A byte's position in a segment file.
    Position(u64)
);
number!(
    /// A broker or controller, `node.id`.
    NodeId(i32)
);
number!(
    /// The index of a partition within its topic.
    PartitionIndex(i32)
);
number!(
    /// The epoch of a partition's leader; -1 is "unknown" on the wire.
    LeaderEpoch(i32)
);
number!(
    /// Milliseconds since 1970 on the wall clock; -1 is "none" on the wire.
    TimestampMs(i64)
);

/// Shards that a broker can have: a partition notes which of them wait for it, a bit each.
pub const MAX_SHARDS: usize = 64;

impl Offset {
    pub fn next(self) -> Offset {
        Offset(self.0 + 1)
    }
}

/// A topic's identity, which survives no deletion: a topic created again under the same name has another one.
pub type TopicId = Uuid;

/// One partition by its topic's id. The index is a plain number, as records and requests have it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TopicIdPartition {
    pub topic_id: TopicId,
    pub index: i32,
}

/// `attributes` bits 0–2 of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CompressionType {
    None = 0,
    Gzip = 1,
    Snappy = 2,
    Lz4 = 3,
    Zstd = 4,
}

const _: () = assert!(CompressionType::None as u8 == 0 && CompressionType::Zstd as u8 == 4, "the places in the lists");

impl CompressionType {
    pub fn from_id(id: u8) -> Option<CompressionType> {
        use CompressionType::*;
        [None, Gzip, Snappy, Lz4, Zstd].get(id as usize).copied()
    }
}

/// `message.timestamp.type`, attribute bit 3 of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TimestampType {
    CreateTime = 0,
    LogAppendTime = 1,
}

/// `isolation_level` of Fetch and ListOffsets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IsolationLevel {
    ReadUncommitted = 0,
    ReadCommitted = 1,
}

impl IsolationLevel {
    pub fn from_id(id: i8) -> Option<IsolationLevel> {
        match id {
            0 => Some(IsolationLevel::ReadUncommitted),
            1 => Some(IsolationLevel::ReadCommitted),
            _ => None,
        }
    }
}
