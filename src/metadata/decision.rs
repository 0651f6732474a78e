//! What decisions give back: records to append to the metadata log, and an answer for each thing that was asked.

use super::record::Record;
pub use crate::model::Refusal;

/// Records to append as one batch, atomically, and one answer per item. The answers hold once the records are
/// committed and applied; nothing happened before.
#[derive(Clone, PartialEq, Debug)]
pub struct Decision<T> {
    pub records: Vec<Record<'static>>,
    pub results: Vec<T>,
}

impl<T> Default for Decision<T> {
    fn default() -> Decision<T> {
        Decision { records: Vec::new(), results: Vec::new() }
    }
}

/// The most records that one request of a user may cause (`QuorumController.MAX_RECORDS_PER_USER_OP`).
pub const MAX_RECORDS_PER_REQUEST: usize = 10_000;
/// What is said of a request that would cause more.
pub(super) const TOO_MANY: &str = "Unable to perform excessively large batch operation.";
