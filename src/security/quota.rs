//! Quotas of clients as data and arithmetic: which one holds for a client, and how long a client that has gone beyond it
//! is to be left alone. Knows no clock and no connection.

pub mod bucket;
pub mod rate;
pub mod table;

pub use bucket::Bucket;
pub use rate::Rate;
pub use table::{Quotas, Tags};

/// What a quota limits (`QuotaType`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Bytes of Produce requests in a second.
    Produce,
    /// Bytes of Fetch answers in a second.
    Fetch,
    /// Percents of a thread.
    Request,
    /// Partitions created or deleted in a second.
    Mutation,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Produce, Kind::Fetch, Kind::Request, Kind::Mutation];

    /// The name of its quota (`QuotaConfig`).
    pub fn key(self) -> &'static str {
        match self {
            Kind::Produce => "producer_byte_rate",
            Kind::Fetch => "consumer_byte_rate",
            Kind::Request => "request_percentage",
            Kind::Mutation => "controller_mutation_rate",
        }
    }

    pub fn of_key(key: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.key() == key)
    }
}

/// The quota of an address: connections in a second.
pub const CONNECTION_RATE: &str = "connection_creation_rate";

/// Over what time is measured: so many windows of this length, the current one among them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Windows {
    pub samples: u32,
    pub window_ms: i64,
}

impl Windows {
    /// What is older counts no more.
    pub fn span_ms(self) -> i64 {
        i64::from(self.samples).saturating_mul(self.window_ms)
    }

    /// The most that can be recorded at once without a certain violation, for a limit of one in a second.
    pub fn full_seconds(self) -> f64 {
        f64::from(self.samples.saturating_sub(1)) * self.window_ms as f64 / 1000.0
    }
}

/// A time in milliseconds as answers carry it.
fn whole_ms(ms: f64) -> u32 {
    // Saturates; what is no number is 0.
    ms.round().clamp(0.0, f64::from(i32::MAX)) as u32
}
