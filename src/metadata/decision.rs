//! What the decisions about single kinds of changes give back, and their limits.

use super::record::Record;
pub use crate::model::Refusal;

/// What was decided of a request that names several things, each of which gets an answer.
#[derive(Clone, PartialEq, Debug)]
pub struct Decisions<T> {
    pub records: Vec<Record<'static>>,
    pub results: Vec<T>,
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
