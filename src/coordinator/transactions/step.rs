//! What surrounds a step of a transactions' machine, and what it commands.

use std::sync::Arc;

use super::{Out, Partitions};
use crate::coordinator::machine::Producer;
use crate::coordinator::settings::TransactionSettings;
use crate::model::{Instant, TimestampMs};

/// The markers that end a transaction. They are written to its partitions when what commanded them is committed, until
/// each partition has its own or is gone; then comes [`complete`](super::Transactions::complete).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Markers {
    pub transactional_id: Arc<str>,
    /// Its epoch is that of the markers.
    pub producer: Producer,
    pub commit: bool,
    /// The transaction version of the client that ended it, which decides what epoch a partition may know.
    pub version: i16,
    pub partitions: Partitions,
}

/// What a step asks others to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TransactionCommand {
    Markers(Markers),
    /// The broker has no producer id to give, and a transaction needs one to end.
    MoreProducerIds,
}

/// One step, which the runtime takes for a request, a timer or a load.
pub struct Step<'a> {
    pub now: Instant,
    pub wall: TimestampMs,
    pub settings: &'a TransactionSettings,
    /// The level of the cluster's feature `transaction.version`.
    pub version: i16,
    /// A producer id that was never given before; `None` where the broker must first ask for more.
    pub new_producer_id: &'a mut dyn FnMut() -> Option<i64>,
    pub out: Out,
}

impl Step<'_> {
    /// The version in which values are written (`TransactionVersion.transactionLogValueVersion`).
    pub(super) fn value_version(&self) -> i16 {
        self.version.clamp(0, 1)
    }
}
