//! What decisions give back: records to append to the metadata log, and an answer for each thing that was asked.

use super::change::Decided;
use super::record::Record;
pub use crate::model::Refusal;

/// What was decided of a change: records to append as one batch, atomically, and the answer. It holds once the records
/// are committed and applied; nothing happened before.
#[derive(Clone, PartialEq, Debug)]
pub struct Decision {
    pub records: Vec<Record<'static>>,
    pub answer: Decided,
}

/// The same of a request that names several things, each of which gets an answer.
#[derive(Clone, PartialEq, Debug)]
pub struct Decisions<T> {
    pub records: Vec<Record<'static>>,
    pub results: Vec<T>,
}

impl<T> Decisions<T> {
    /// As the decision about the whole request.
    pub(super) fn into_decision(self, answer: impl FnOnce(Vec<T>) -> Decided) -> Decision {
        Decision { records: self.records, answer: answer(self.results) }
    }
}

impl<T> Default for Decisions<T> {
    fn default() -> Decisions<T> {
        Decisions { records: Vec::new(), results: Vec::new() }
    }
}

/// The most records that one request of a user may cause (`QuorumController.MAX_RECORDS_PER_USER_OP`).
pub const MAX_RECORDS_PER_REQUEST: usize = 10_000;
/// What is said of a request that would cause more.
pub(super) const TOO_MANY: &str = "Unable to perform excessively large batch operation.";
